//! How do whole tables come in and go out as files?
//!
//! COPY FROM reads a CSV file in batches, casts its fields to the columns' types and gives them to the transaction as an
//! INSERT would; the whole file is one commit, and what of it memory has no room for is written to segments before that. COPY TO writes a query's rows to a file beside the one asked for and
//! renames it when it is whole, so that a reader never sees half a file.
//!
//! Not here: the form of a CSV file (`csv`), which columns there are (the binder).

pub(crate) mod csv;

use crate::{
    cast::{self, CastError},
    error::{Error, Result, code},
    ops::Budget,
    rows::Rows,
    statement,
    txn::{Changed, Txn},
};
use csv::{CsvError, Reader, Record, Writer};
use spectradb_grammar::{
    diag::nearest,
    plan::{CopyColumn, CopyFormat},
};
use spectradb_kernel::{
    Column, Period, Type, Value,
    batch::BATCH_ROWS,
    column::ColumnBuilder,
    schema::TableSchema,
    time::{MICROS_MAX, MICROS_MIN},
};
use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Write},
    path::Path,
    sync::Arc,
};

/// Reads a file into a table.
pub(crate) fn copy_from(
    txn: &mut Txn,
    table: &Arc<TableSchema>,
    columns: Option<&[CopyColumn]>,
    path: &str,
    format: &CopyFormat,
    budget: &Budget,
) -> Result<Changed> {
    let file = open(path)?;
    let mut reader = Reader::new(BufReader::with_capacity(1 << 16, file), format.delimiter);
    let mut record = Record::default();
    let mut has_record = read(&mut reader, &mut record, path)?;
    let mut layout = Layout::new(table, columns);
    if has_record && layout.is_header(&record, table, format.header) {
        layout.follow_header(&record, table, columns.is_some(), path)?;
        has_record = read(&mut reader, &mut record, path)?;
    }
    let mut changed = Changed::default();
    let mut fields = Fields::new(&layout);
    while has_record {
        fields.push(&record, &layout, format, path)?;
        has_record = read(&mut reader, &mut record, path)?;
        if fields.row_count == BATCH_ROWS || (!has_record && fields.row_count > 0) {
            budget.check().map_err(|error| Error::from_exec(error, ""))?;
            let full = std::mem::replace(&mut fields, Fields::new(&layout));
            let lines = full.lines.clone();
            let written = full
                .finish(&layout, table, txn, path)
                .and_then(|(columns, periods)| txn.insert(table, columns, periods));
            changed += written.map_err(|error| match error.row() {
                Some(row) => {
                    let message = format!("line {} of \"{path}\": {}", lines[row], error.message());
                    error.told(message)
                }
                None => error,
            })?;
            txn.spill_if_full()?;
        }
    }
    Ok(changed)
}

/// Writes rows to a file; answers how many.
pub(crate) fn copy_to(mut rows: Rows, path: &str, format: &CopyFormat) -> Result<u64> {
    let target = Path::new(path);
    let beside = target.with_extension(format!("partial-{}", std::process::id()));
    let result = write_rows(&mut rows, &beside, path, format);
    let renamed = result.and_then(|count| {
        rename(&beside, target).map_err(|error| file_error("rename", path, &error))?;
        Ok(count)
    });
    if renamed.is_err() {
        // The rows' error is what the caller must hear; a file left behind is only untidy.
        remove(&beside).ok();
    }
    renamed
}

fn write_rows(rows: &mut Rows, beside: &Path, path: &str, format: &CopyFormat) -> Result<u64> {
    let failed = |error: io::Error| file_error("write", path, &error);
    let file = create(beside).map_err(|error| file_error("create", path, &error))?;
    let mut writer = Writer::new(BufWriter::with_capacity(1 << 16, file), format.delimiter, format.null.clone());
    if format.header.unwrap_or(true) {
        rows.columns().iter().try_for_each(|column| writer.field(Some(&column.name))).map_err(failed)?;
        writer.end_record().map_err(failed)?;
    }
    let mut count = 0;
    while let Some(batch) = rows.next_batch()? {
        let row_count = batch.len();
        let columns = batch.into_columns();
        for row in 0..row_count {
            for column in &columns {
                let value = column.value(row);
                let text = match value {
                    Value::Null => None,
                    // As written: a string keeps its quotes, so that it is JSON when it is read back.
                    Value::Json(text) => Some(text),
                    value => Some(value.to_string()),
                };
                writer.field(text.as_deref()).map_err(failed)?;
            }
            writer.end_record().map_err(failed)?;
        }
        count += row_count as u64;
    }
    let mut buffer = writer.into_inner();
    buffer.flush().map_err(failed)?;
    buffer.get_ref().sync_all().map_err(failed)?;
    Ok(count)
}

/// Which field of a record is which column.
struct Layout {
    /// One for each field.
    fields: Vec<CopyColumn>,
}

impl Layout {
    fn new(table: &TableSchema, columns: Option<&[CopyColumn]>) -> Layout {
        let in_order = || {
            let visible = table.columns.iter().enumerate().filter(|(_, column)| !column.hidden);
            visible.map(|(column_idx, _)| CopyColumn::Data(column_idx)).collect()
        };
        Layout { fields: columns.map_or_else(in_order, <[CopyColumn]>::to_vec) }
    }

    fn is_header(&self, record: &Record, table: &TableSchema, said: Option<bool>) -> bool {
        // One name among the fields makes a header: then a field that is no name is an error, and not a row.
        said.unwrap_or_else(|| (0..record.len()).any(|idx| named(record.field(idx), table).is_some()))
    }

    fn follow_header(&mut self, record: &Record, table: &TableSchema, fixed: bool, path: &str) -> Result<()> {
        if fixed {
            return Ok(());
        }
        let mut fields = Vec::with_capacity(record.len());
        for idx in 0..record.len() {
            let name = String::from_utf8_lossy(record.field(idx)).into_owned();
            let Some(column) = named(record.field(idx), table) else {
                let message =
                    format!("the header of \"{path}\" names a column \"{name}\" that table \"{}\" has not", table.name);
                let error = Error::new(code::UNDEFINED_COLUMN, message);
                let names = table.columns.iter().filter(|column| !column.hidden).map(|column| column.name.as_str());
                return Err(match nearest(&name, names.chain(["_valid_from", "_valid_to"])) {
                    Some(near) => error.with_help(format!("a column named \"{near}\" exists")),
                    None => error.with_help("name the file's columns in the statement: COPY t (a, b) FROM ..."),
                });
            };
            if fields.contains(&column) {
                let message = format!("the header of \"{path}\" names column \"{name}\" twice");
                return Err(Error::new(code::BAD_COPY_FORMAT, message));
            }
            fields.push(column);
        }
        self.fields = fields;
        Ok(())
    }
}

fn named(field: &[u8], table: &TableSchema) -> Option<CopyColumn> {
    let name = std::str::from_utf8(field).ok()?.trim();
    // As SQL folds names: a header in capitals names the same columns.
    let folded = name.to_lowercase();
    match folded.as_str() {
        "_valid_from" => Some(CopyColumn::ValidFrom),
        "_valid_to" => Some(CopyColumn::ValidTo),
        folded => table.column_idx(name).or_else(|| table.column_idx(folded)).map(CopyColumn::Data),
    }
}

/// Fields of some records, by columns, as text.
struct Fields {
    texts: Vec<ColumnBuilder>,
    lines: Vec<u64>,
    row_count: usize,
}

impl Fields {
    fn new(layout: &Layout) -> Fields {
        let texts = layout.fields.iter().map(|_| ColumnBuilder::new(Type::Text)).collect();
        Fields { texts, lines: Vec::new(), row_count: 0 }
    }

    fn push(&mut self, record: &Record, layout: &Layout, format: &CopyFormat, path: &str) -> Result<()> {
        if record.len() != layout.fields.len() {
            let message = format!(
                "line {} of \"{path}\" has {} fields where {} are expected",
                record.line,
                record.len(),
                layout.fields.len()
            );
            return Err(Error::new(code::BAD_COPY_FORMAT, message));
        }
        for (idx, builder) in self.texts.iter_mut().enumerate() {
            let bytes = record.field(idx);
            if !record.is_quoted(idx) && bytes == format.null.as_bytes() {
                builder.push_null();
                continue;
            }
            let text = std::str::from_utf8(bytes).map_err(|_| {
                Error::new("22021", format!("line {} of \"{path}\" is not UTF-8", record.line))
                    .with_help("convert the file to UTF-8")
            })?;
            builder.push_text(text);
        }
        self.lines.push(record.line);
        self.row_count += 1;
        Ok(())
    }

    /// The table's columns that are not hidden, and the valid periods.
    fn finish(self, layout: &Layout, table: &TableSchema, txn: &Txn, path: &str) -> Result<(Vec<Column>, Vec<Period>)> {
        let (lines, row_count) = (self.lines, self.row_count);
        let mut given: Vec<Option<Column>> = vec![None; table.columns.len()];
        let constant =
            |at| Column::constant(Type::Timestamp, Value::from(spectradb_kernel::time::Timestamp(at)), row_count);
        let (mut from, mut to) = (constant(MICROS_MIN), constant(MICROS_MAX));
        for (text, field) in self.texts.into_iter().map(ColumnBuilder::finish).zip(&layout.fields) {
            let (name, ty) = match field {
                CopyColumn::Data(column_idx) => {
                    (table.columns[*column_idx].name.as_str(), table.columns[*column_idx].ty)
                }
                CopyColumn::ValidFrom => ("_valid_from", Type::Timestamp),
                CopyColumn::ValidTo => ("_valid_to", Type::Timestamp),
            };
            let column = cast::column(&text, ty).map_err(|error| match error {
                CastError::Row(fault) => {
                    let line = lines[fault.row];
                    let message = format!("line {line} of \"{path}\", column \"{name}\": {}", fault.message());
                    Error::new(fault.sqlstate(), message)
                }
                CastError::Type { to, .. } => Error::new(
                    code::DATATYPE_MISMATCH,
                    format!("column \"{name}\" of type {to} cannot be read from text"),
                ),
            })?;
            match field {
                CopyColumn::Data(column_idx) => given[*column_idx] = Some(column),
                CopyColumn::ValidFrom => from = column,
                CopyColumn::ValidTo => to = column,
            }
        }
        let mut columns = Vec::with_capacity(table.columns.len());
        for (column, schema) in given.into_iter().zip(&table.columns).filter(|(_, schema)| !schema.hidden) {
            columns.push(match (column, &schema.default) {
                (Some(column), _) => column,
                (None, None) => Column::constant(schema.ty, Value::Null, row_count),
                (None, Some(default)) => {
                    let value = statement::evaluate(&format!("SELECT CAST({default} AS {})", schema.ty), &txn.view())?;
                    Column::constant(schema.ty, value, row_count)
                }
            });
        }
        Ok((columns, statement::periods(&from, &to)?))
    }
}

fn read(reader: &mut Reader<BufReader<File>>, record: &mut Record, path: &str) -> Result<bool> {
    reader.read(record).map_err(|error| match error {
        CsvError::Io(error) => file_error("read", path, &error),
        CsvError::OpenQuote(_) | CsvError::TextAfterQuote(_) | CsvError::TooLong(_) => {
            Error::new(code::BAD_COPY_FORMAT, format!("\"{path}\" is not a CSV file: {error}"))
        }
    })
}

fn file_error(operation: &str, path: &str, error: &io::Error) -> Error {
    let message = format!("cannot {operation} file \"{path}\": {error}");
    match error.kind() {
        io::ErrorKind::NotFound => {
            Error::new(code::UNDEFINED_FILE, message).with_help("paths are relative to the working directory")
        }
        io::ErrorKind::StorageFull => Error::new(code::DISK_FULL, message),
        _ => Error::new(code::IO_ERROR, message),
    }
}

#[expect(clippy::disallowed_methods, reason = "COPY reads files that the user names, outside the database's disk")]
fn open(path: &str) -> Result<File> {
    File::open(path).map_err(|error| file_error("open", path, &error))
}

#[expect(clippy::disallowed_methods, reason = "COPY writes files that the user names, outside the database's disk")]
fn create(path: &Path) -> io::Result<File> {
    File::create(path)
}

#[expect(clippy::disallowed_methods, reason = "COPY writes files that the user names, outside the database's disk")]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

#[expect(clippy::disallowed_methods, reason = "COPY writes files that the user names, outside the database's disk")]
fn remove(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)
}
