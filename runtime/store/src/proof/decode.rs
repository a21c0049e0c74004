//! What do the messages say that a leaf hashes?
//!
//! The layout is that of `chain`, which writes them. Reading is strict: bytes that could be read in two ways, or that are
//! left over, are refused, so that one leaf has one meaning.
//!
//! Not here: whether the messages are those of a leaf of the ledger.

use super::{LeafProof, Opening};
use crate::format::{
    bytes::{Malformed, Read, Reader},
    catalog_v1::decode_change,
};
use spectradb_kernel::{
    Type, Value,
    array::{self, Array},
    big_numeric::{self, BigNumeric},
    key,
    schema::{ColumnId, TableId, TableSchema},
    time::{Commit, Micros},
    value::Decimal,
};
use std::sync::Arc;

const SALT_BYTES: usize = 16;
const OP_METADATA: u8 = 1;
const OP_FACT: u8 = 2;
const OP_DELETION: u8 = 3;

/// What a leaf says.
#[derive(Clone, Debug, PartialEq)]
pub struct LeafContent {
    /// The table; 0 for metadata.
    pub table: TableId,
    /// 1 metadata, 2 a fact, 3 a deletion, 4 the end of a fact.
    pub op: u8,
    /// Key and period, where the proof opens them.
    pub key: Option<KeyAndPeriod>,
    /// The columns outside the key that are not NULL, where the proof opens them.
    pub columns: Option<Vec<(ColumnId, Value)>>,
    /// The metadata's text, in its leaf.
    pub metadata: Option<String>,
}

/// The first half of a leaf.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyAndPeriod {
    /// Where the valid period begins.
    pub valid_from: Micros,
    /// Where it ends; nothing is said of the end of a fact that ends.
    pub valid_to: Micros,
    /// The commit that a leftover was cut from; the commit of a fact that ends; else 0.
    pub origin: Commit,
    /// The key in the codec of `spectradb_kernel::key`.
    pub bytes: Vec<u8>,
    /// The key's values, where the table is known.
    pub values: Option<Vec<Value>>,
}

impl LeafContent {
    pub(super) fn of(leaf: &LeafProof, schema: Option<&TableSchema>) -> Read<LeafContent> {
        let mut content = LeafContent { table: leaf.table, op: leaf.op, key: None, columns: None, metadata: None };
        if let Some(message) = leaf.key_and_period.message()
            && leaf.op != OP_METADATA
        {
            let mut key = read_key(message)?;
            if let Some(schema) = schema {
                let types: Vec<_> = schema.key_types().collect();
                let values = key::decode(&key.bytes, &types);
                key.values =
                    Some(values.map_err(|_| Malformed { offset: 0, what: "the key is not one of the table" })?);
            }
            content.key = Some(key);
        }
        match &leaf.columns {
            Opening::Open(message) if leaf.op == OP_METADATA => {
                let mut reader = after_salt(message)?;
                content.metadata = Some(reader.text()?);
                reader.check(reader.is_at_end(), "something follows the metadata")?;
            }
            Opening::Open(message) if matches!(leaf.op, OP_FACT | OP_DELETION) => {
                content.columns = Some(read_columns(message)?);
            }
            Opening::Open(_) | Opening::Closed(_) => {}
        }
        Ok(content)
    }
}

fn after_salt(message: &[u8]) -> Read<Reader<'_>> {
    let mut reader = Reader::new(message);
    reader.take(SALT_BYTES)?;
    Ok(reader)
}

fn read_key(message: &[u8]) -> Read<KeyAndPeriod> {
    let mut reader = after_salt(message)?;
    let (valid_from, valid_to, origin) = (reader.i64()?, reader.i64()?, reader.u64()?);
    let bytes = reader.bytes()?.to_vec();
    reader.check(reader.is_at_end(), "something follows the key")?;
    Ok(KeyAndPeriod { valid_from, valid_to, origin, bytes, values: None })
}

fn read_columns(message: &[u8]) -> Read<Vec<(ColumnId, Value)>> {
    let mut reader = after_salt(message)?;
    let mut columns: Vec<(ColumnId, Value)> = Vec::new();
    while !reader.is_at_end() {
        let id = ColumnId(reader.short()?);
        let rises = columns.last().map_or(id.0 > 0, |(last, _)| *last < id);
        reader.check(rises, "the columns' numbers do not rise")?;
        let value = match reader.u8()? {
            1 => Value::Boolean(reader.u8()? != 0),
            2 => Value::Integer(reader.i64()?),
            3 => Value::Real(f64::from_bits(reader.u64()?)),
            4 => {
                let scale = reader.u8()?;
                reader.check(scale <= 38, "a scale is too large")?;
                Value::Numeric(Decimal { units: reader.all::<i128>(1)?[0], scale })
            }
            5 => Value::Text(reader.short_text()?),
            6 => Value::Blob(reader.short_bytes()?.to_vec()),
            7 => {
                let days = reader.i64()?;
                reader.check(i32::try_from(days).is_ok(), "a date has too many days")?;
                Value::of_i64(Type::Date, days)
            }
            8 => Value::of_i64(Type::Timestamp, reader.i64()?),
            9 => Value::Json(reader.short_text()?),
            10 => Value::of_i64(Type::Time, reader.i64()?),
            11 => Value::of_i64(Type::TimestampTz, reader.i64()?),
            12 => Value::of_i128(Type::Interval, read_i128(&mut reader)?),
            13 => Value::of_i128(Type::Uuid, read_i128(&mut reader)?),
            14 => {
                let bytes = reader.short_bytes()?;
                reader.check(array::is_some_array(bytes), "an array is not whole")?;
                Value::Array(Array::from_bytes(bytes.to_vec()))
            }
            15 => {
                let bytes = reader.short_bytes()?;
                reader.check(big_numeric::is_big_numeric(bytes), "a number is not whole")?;
                Value::BigNumeric(BigNumeric::from_bytes(bytes.to_vec()))
            }
            _ => return reader.malformed("there is no such type"),
        };
        columns.push((id, value));
    }
    Ok(columns)
}

/// A number of 128 bits that has no scale.
fn read_i128(reader: &mut Reader<'_>) -> Read<i128> {
    let scale = reader.u8()?;
    reader.check(scale == 0, "there is a scale where there is none")?;
    Ok(reader.all::<i128>(1)?[0])
}

/// The schema that a change of the catalogue gives a table.
pub(super) fn schema(change: &[u8]) -> Option<Arc<TableSchema>> {
    decode_change(change).ok()?.schema().cloned()
}
