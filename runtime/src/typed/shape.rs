//! Is a table in the database the one that the program was compiled for?
//!
//! Fingerprints are compared; where they differ, the first differing column is looked for and named.

use crate::error::{Error, Result, code};
use spectradb_grammar::catalog::fingerprint;
use spectradb_kernel::{Type, schema::TableSchema};
use spectradb_store::Catalog;
use std::sync::Arc;

/// A column as the program knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnShape {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
    /// May it be NULL?
    pub nullable: bool,
}

/// A table as the program knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableShape {
    /// Its name.
    pub name: &'static str,
    /// The fingerprint of its schema.
    pub fingerprint: u64,
    /// Its columns, hidden ones left out.
    pub columns: &'static [ColumnShape],
    /// Positions of the key's columns.
    pub key: &'static [usize],
}

impl TableShape {
    /// The table in a catalogue.
    ///
    /// # Errors
    /// 42P01 when it is not there, 42P17 when it is another.
    pub(super) fn find<'c>(&self, catalog: &'c Catalog) -> Result<&'c Arc<TableSchema>> {
        let Some(table) = catalog.by_name(self.name) else {
            return Err(Error::new(code::UNDEFINED_TABLE, format!("table \"{}\" does not exist", self.name))
                .with_help("the program was compiled for it: create it first, for example with db.create::<T>()"));
        };
        self.compare(table)?;
        Ok(table)
    }

    /// Is the table this one?
    ///
    /// # Errors
    /// 42P17 with the first column that differs.
    pub(super) fn compare(&self, table: &TableSchema) -> Result<()> {
        if fingerprint(table) == self.fingerprint {
            return Ok(());
        }
        let message =
            format!("table \"{}\" is not the one the program was compiled for: {}", self.name, self.difference(table));
        Err(Error::new(code::SCHEMA_MISMATCH, message)
            .with_help("compile the program against the table as it is, or change the table"))
    }

    fn difference(&self, table: &TableSchema) -> String {
        let mut there = table.columns.iter().filter(|column| !column.hidden);
        let null = |nullable: bool| if nullable { "may be NULL" } else { "is NOT NULL" };
        for (idx, expected) in self.columns.iter().enumerate() {
            let name = expected.name;
            let Some(column) = there.next() else {
                return format!("column \"{name}\" is missing in the database");
            };
            if column.name != name {
                let number = idx + 1;
                return format!("column {number} is \"{}\" in the database and \"{name}\" in the program", column.name);
            }
            if column.ty != expected.ty {
                return format!(
                    "column \"{name}\" is {} in the database and {} in the program",
                    column.ty, expected.ty
                );
            }
            if column.nullable != expected.nullable {
                let (is, was) = (null(column.nullable), null(expected.nullable));
                return format!("column \"{name}\" {is} in the database and {was} in the program");
            }
        }
        match there.next() {
            Some(column) => format!("column \"{}\" is not in the program", column.name),
            None => "their keys differ".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spectradb_kernel::schema::{ColumnId, ColumnSchema, TableId, TableKind};

    fn table(columns: &[(&str, Type, bool)], key: &[usize]) -> TableSchema {
        let columns = columns.iter().enumerate().map(|(idx, (name, ty, nullable))| ColumnSchema {
            id: ColumnId(idx as u32),
            name: (*name).to_owned(),
            ty: *ty,
            nullable: *nullable,
            default: None,
            hidden: false,
        });
        TableSchema {
            id: TableId(1),
            name: "t".into(),
            version: 1,
            kind: TableKind::Typed,
            columns: columns.collect(),
            key: key.to_vec(),
        }
    }

    #[test]
    fn the_first_difference_is_named() {
        const COLUMNS: &[ColumnShape] = &[
            ColumnShape { name: "id", ty: Type::Integer, nullable: false },
            ColumnShape { name: "net", ty: Type::Real, nullable: true },
        ];
        let columns = [("id", Type::Integer, false), ("net", Type::Real, true)];
        let same = table(&columns, &[0]);
        let shape = TableShape { name: "t", fingerprint: fingerprint(&same), columns: COLUMNS, key: &[0] };
        assert!(shape.compare(&same).is_ok());
        let message = |columns: &[(&str, Type, bool)], key: &[usize]| {
            let error = shape.compare(&table(columns, key)).expect_err("they differ");
            error.message().split_once(": ").expect("a difference follows").1.to_owned()
        };
        let [id, net] = columns;
        assert_eq!(message(&[id], &[0]), "column \"net\" is missing in the database");
        assert_eq!(message(&[id, net, ("x", Type::Text, true)], &[0]), "column \"x\" is not in the program");
        assert_eq!(
            message(&[id, ("net", Type::Integer, true)], &[0]),
            "column \"net\" is integer in the database and real in the program"
        );
        assert_eq!(
            message(&[id, ("net", Type::Real, false)], &[0]),
            "column \"net\" is NOT NULL in the database and may be NULL in the program"
        );
        assert_eq!(message(&[net, id], &[1]), "column 1 is \"net\" in the database and \"id\" in the program");
        assert_eq!(message(&columns, &[1]), "their keys differ");
    }
}
