//! Which bytes say how the catalogue changed?
//!
//! A change is the payload of a catalogue record in the log. The catalogue file holds all changes up to a checkpoint,
//! each with its place in the ledger, so that the versions can be made again from the first to the last.
//!
//! Not here: the file's header (`header`), what a change means (`catalog`).

use super::{
    bytes::{Malformed, Put, Read, Reader},
    log_v1::{put_declared_type, read_declared_type},
};
use crate::catalog::{CatalogChange, CatalogVersion};
use spectradb_kernel::{
    schema::{ColumnId, ColumnSchema, TableId, TableKind, TableSchema},
    time::{Commit, Micros},
};
use std::sync::Arc;

/// How a catalogue file begins.
pub(crate) const CATALOG_MAGIC: [u8; 8] = *b"SpCatlg\0";
/// The version that this program writes.
pub(crate) const CATALOG_VERSION: u16 = 1;

const CHANGE_CREATE: u8 = 1;
const CHANGE_DROP: u8 = 2;
const CHANGE_RETAIN: u8 = 3;

/// A retention without an end.
const FOR_EVER: i64 = -1;

const COLUMN_NULLABLE: u8 = 1;
const COLUMN_HIDDEN: u8 = 2;
const COLUMN_DEFAULT: u8 = 4;

/// A change with its place in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlacedChange {
    pub(crate) change: CatalogChange,
    pub(crate) after_commit: Commit,
    pub(crate) instant: Micros,
    pub(crate) record: u64,
}

/// The bytes of a change.
pub(crate) fn encode_change(change: &CatalogChange) -> Vec<u8> {
    let mut out = Vec::new();
    put_change(change, &mut out);
    out
}

/// The change that bytes say.
pub(crate) fn decode_change(bytes: &[u8]) -> Result<CatalogChange, Malformed> {
    let mut reader = Reader::new(bytes);
    let change = read_change(&mut reader)?;
    reader.check(reader.is_at_end(), "something follows the change")?;
    Ok(change)
}

/// The body of a catalogue file: every version but the empty one.
pub(crate) fn encode_versions<'a>(versions: impl Iterator<Item = &'a CatalogVersion>) -> Vec<u8> {
    let mut out = Vec::new();
    for version in versions {
        let Some(change) = &version.change else { continue };
        out.put_u64(version.after_commit);
        out.put_i64(version.instant);
        out.put_u64(version.record);
        put_change(change, &mut out);
    }
    out
}

/// The changes in the body of a catalogue file, oldest first.
pub(crate) fn decode_versions(bytes: &[u8]) -> Result<Vec<PlacedChange>, Malformed> {
    let mut reader = Reader::new(bytes);
    let mut changes = Vec::new();
    while !reader.is_at_end() {
        let (after_commit, instant, record) = (reader.u64()?, reader.i64()?, reader.u64()?);
        changes.push(PlacedChange { change: read_change(&mut reader)?, after_commit, instant, record });
    }
    Ok(changes)
}

fn put_change(change: &CatalogChange, out: &mut Vec<u8>) {
    match change {
        CatalogChange::Create(table) => {
            out.put_u8(CHANGE_CREATE);
            put_table(table, out);
        }
        CatalogChange::Drop(table) => {
            out.put_u8(CHANGE_DROP);
            out.put_u32(table.0);
        }
        CatalogChange::Retain(table, retention) => {
            out.put_u8(CHANGE_RETAIN);
            out.put_u32(table.0);
            out.put_i64(retention.unwrap_or(FOR_EVER));
        }
    }
}

fn read_change(reader: &mut Reader<'_>) -> Read<CatalogChange> {
    match reader.u8()? {
        CHANGE_CREATE => Ok(CatalogChange::Create(Arc::new(read_table(reader)?))),
        CHANGE_DROP => Ok(CatalogChange::Drop(TableId(reader.u32()?))),
        CHANGE_RETAIN => {
            let (table, retention) = (TableId(reader.u32()?), reader.i64()?);
            reader.check(retention >= FOR_EVER, "a retention is negative")?;
            Ok(CatalogChange::Retain(table, (retention != FOR_EVER).then_some(retention)))
        }
        _ => reader.malformed("there is no such change"),
    }
}

fn count(len: usize) -> u32 {
    u32::try_from(len).expect("a table has fewer than 2^32 columns")
}

fn put_table(table: &TableSchema, out: &mut Vec<u8>) {
    out.put_u32(table.id.0);
    out.put_u32(table.version);
    out.put_u8(match table.kind {
        TableKind::Typed => 1,
        TableKind::Document => 2,
    });
    out.put_bytes(table.name.as_bytes());
    out.put_u32(count(table.columns.len()));
    for column in &table.columns {
        out.put_u32(column.id.0);
        put_declared_type(column.ty, out);
        let mut flags = if column.nullable { COLUMN_NULLABLE } else { 0 };
        flags |= if column.hidden { COLUMN_HIDDEN } else { 0 };
        flags |= if column.default.is_some() { COLUMN_DEFAULT } else { 0 };
        out.put_u8(flags);
        out.put_bytes(column.name.as_bytes());
        if let Some(default) = &column.default {
            out.put_bytes(default.as_bytes());
        }
    }
    out.put_u32(count(table.key.len()));
    table.key.iter().for_each(|column_idx| out.put_u32(count(*column_idx)));
}

fn read_table(reader: &mut Reader<'_>) -> Read<TableSchema> {
    let (id, version) = (TableId(reader.u32()?), reader.u32()?);
    let kind = match reader.u8()? {
        1 => TableKind::Typed,
        2 => TableKind::Document,
        _ => return reader.malformed("there is no such kind of table"),
    };
    let name = reader.text()?;
    let column_count = reader.count(12)?;
    let mut columns = Vec::with_capacity(column_count);
    for _ in 0..column_count {
        let id = ColumnId(reader.u32()?);
        let ty = read_declared_type(reader)?;
        let flags = reader.u8()?;
        let name = reader.text()?;
        let default = if flags & COLUMN_DEFAULT != 0 { Some(reader.text()?) } else { None };
        let (nullable, hidden) = (flags & COLUMN_NULLABLE != 0, flags & COLUMN_HIDDEN != 0);
        columns.push(ColumnSchema { id, name, ty, nullable, default, hidden });
    }
    let key_count = reader.count(4)?;
    let key = (0..key_count).map(|_| Ok(reader.u32()? as usize)).collect::<Read<Vec<usize>>>()?;
    let is_key = !key.is_empty() && key.iter().all(|column_idx| *column_idx < columns.len());
    reader.check(is_key, "a key is not of the table's columns")?;
    Ok(TableSchema { id, name, version, kind, columns, key })
}
