//! How does a table look?

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use spectradb::embed::{OutputColumn, Type};
use std::io::{self, Write};

/// Prints rows as a table; numbers stand to the right.
pub(super) fn print(
    out: &mut impl Write,
    header: bool,
    columns: &[OutputColumn],
    rows: Vec<Vec<String>>,
) -> io::Result<()> {
    if columns.is_empty() || (rows.is_empty() && !header) {
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
    if header {
        table.set_header(columns.iter().map(|column| super::clean(&column.name)));
    }
    for row in rows {
        let cells = row.into_iter().zip(columns);
        table.add_row(cells.map(|(text, column)| Cell::new(text).set_alignment(alignment(column.ty))));
    }
    writeln!(out, "{table}")
}

fn alignment(ty: Type) -> CellAlignment {
    match ty.plain() {
        Type::Integer | Type::Real | Type::Numeric { .. } | Type::BigNumeric => CellAlignment::Right,
        _ => CellAlignment::Left,
    }
}
