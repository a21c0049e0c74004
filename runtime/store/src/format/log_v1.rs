//! What stands in the payload of a commit's frame?
//!
//! Sections, each whole in itself: the commit's seed and metadata, facts of one table by columns, deletions, identities
//! of facts that end. A large commit is cut by rows into sections and by sections into frames, so that writing one needs
//! a buffer of a frame, whatever the commit's size. Columns carry their ids and types: a reader needs no catalogue.
//!
//! Holds: reading what [`Sections`] wrote gives the same write, however it was cut.
//! Not here: the frame around it (`frame`), hashes (`chain`).

use super::bytes::{Put, Read, Reader};
use crate::{
    bulk::{BulkSection, named_file},
    fact::{FactBatch, FactId, Retraction, Superseded, Write},
    salts::{ErasedLeaf, Left, Secret},
    tree::SegmentMeta,
};
use spectradb_kernel::{
    Column, Period, Type, Value,
    array::{self, Array},
    big_numeric::{self, BigNumeric, DECLARED_MAX},
    bitmap::Bitmap,
    column::{ByteRuns, Data},
    lane::Lane,
    schema::{ColumnId, TableId},
    ty::{LENGTH_MAX, LaneKind, TypeClass},
};
use std::{borrow::Cow, collections::BTreeMap, ops::Range};

/// A frame is closed when its payload passes so many bytes.
pub(crate) const FRAME_PAYLOAD_BYTES: usize = 512 << 10;

const SECTION_BEGIN: u8 = 1;
const SECTION_FACTS: u8 = 2;
const SECTION_RETRACTIONS: u8 = 3;
const SECTION_SUPERSEDED: u8 = 4;
const SECTION_BULK: u8 = 5;
/// The beginning of a record of which leaves were erased.
const SECTION_BEGIN_ERASED: u8 = 6;
/// The beginning of a record of which leaves were erased, and none can be told any more.
const SECTION_BEGIN_LOST: u8 = 7;
/// What an erased leaf takes.
const ERASED_BYTES: usize = 53;

/// All periods of the section are `Period::ALWAYS` and not written.
const FACTS_ALWAYS: u8 = 1;
/// All origins of the section are 0 and not written.
const FACTS_STATED: u8 = 2;

const COLUMN_NULL: u8 = 0;
const COLUMN_CONST: u8 = 1;
const COLUMN_FULL: u8 = 2;
const COLUMN_WITH_NULLS: u8 = 3;

/// One stretch of a write that becomes a section.
#[derive(Clone, Debug)]
enum Piece {
    Begin,
    Bulk,
    Facts(usize, Range<usize>),
    Retractions(usize, Range<usize>),
    Superseded(usize, Range<usize>),
}

/// Cuts a write into the payloads of frames.
#[derive(Debug)]
pub(crate) struct Sections<'a, I> {
    write: &'a Write,
    /// The ids of each batch's columns.
    column_ids: &'a [I],
    secret: &'a Secret,
    /// The files that hold the facts of some tables.
    bulk: Option<&'a BulkSection>,
    /// What is still to be written, last first.
    pieces: Vec<Piece>,
}

impl<'a, I: AsRef<[ColumnId]>> Sections<'a, I> {
    /// The sections of a write; `column_ids` gives the ids of each fact batch's columns.
    pub(crate) fn new(
        write: &'a Write,
        column_ids: &'a [I],
        secret: &'a Secret,
        bulk: Option<&'a BulkSection>,
    ) -> Sections<'a, I> {
        let batches = write.facts.len() + write.retractions.len() + write.superseded.len();
        let mut pieces = Vec::with_capacity(2 + batches);
        pieces.push(Piece::Begin);
        pieces.extend(bulk.map(|_| Piece::Bulk));
        let in_files = |table| bulk.is_some_and(|bulk| bulk.files.iter().any(|file| file.table == table));
        let facts = write.facts.iter().enumerate().filter(|(_, batch)| !in_files(batch.table));
        pieces.extend(facts.map(|(i, batch)| Piece::Facts(i, 0..batch.periods.len())));
        let retractions = write.retractions.iter().enumerate();
        pieces.extend(retractions.map(|(i, retraction)| Piece::Retractions(i, 0..retraction.periods.len())));
        let superseded = write.superseded.iter().enumerate();
        pieces.extend(superseded.map(|(i, superseded)| Piece::Superseded(i, 0..superseded.facts.len())));
        pieces.reverse();
        Sections { write, column_ids, secret, bulk, pieces }
    }

    /// Appends the next frame's payload; `true` when it was the last.
    pub(crate) fn next_payload(&mut self, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        while let Some(piece) = self.pieces.pop() {
            let (rows, about_bytes) = self.size(&piece);
            if about_bytes > FRAME_PAYLOAD_BYTES && rows.len() > 1 {
                let (first, second) = split(piece, &rows);
                self.pieces.push(second);
                self.pieces.push(first);
                continue;
            }
            if out.len() > start && out.len() - start + about_bytes > FRAME_PAYLOAD_BYTES {
                self.pieces.push(piece);
                return false;
            }
            if !rows.is_empty() {
                self.put(&piece, out);
            }
        }
        true
    }

    /// A piece's rows and about how many bytes they take.
    fn size(&self, piece: &Piece) -> (Range<usize>, usize) {
        match piece {
            Piece::Begin => (0..1, 64 + self.write.metadata.as_ref().map_or(0, String::len)),
            Piece::Bulk => {
                let files = self.bulk.map_or(&[][..], |bulk| &bulk.files);
                (0..1, 64 + files.iter().map(|file| 128 + file.key_min.len() + file.key_max.len()).sum::<usize>())
            }
            Piece::Facts(i, rows) => {
                let columns = &self.write.facts[*i].columns;
                let bytes: usize = columns.iter().map(|column| part(column, rows).memory_bytes()).sum();
                (rows.clone(), bytes + rows.len() * 24)
            }
            Piece::Retractions(i, rows) => {
                let keys = &self.write.retractions[*i].keys;
                let bytes: usize = keys.iter().map(|column| part(column, rows).memory_bytes()).sum();
                (rows.clone(), bytes + rows.len() * 16)
            }
            Piece::Superseded(i, rows) => {
                let facts = &self.write.superseded[*i].facts[rows.clone()];
                (rows.clone(), facts.iter().map(|fact| fact.key.len() + 20).sum())
            }
        }
    }

    fn put(&self, piece: &Piece, out: &mut Vec<u8>) {
        match piece {
            Piece::Begin => {
                put_begin(self.secret, self.write.metadata.as_deref(), out);
            }
            Piece::Bulk => {
                if let Some(bulk) = self.bulk {
                    put_bulk(bulk, out);
                }
            }
            Piece::Facts(i, rows) => put_facts(&self.write.facts[*i], self.column_ids[*i].as_ref(), rows.clone(), out),
            Piece::Retractions(i, rows) => {
                put_retractions(&self.write.retractions[*i], rows.clone(), out);
            }
            Piece::Superseded(i, rows) => {
                let superseded = &self.write.superseded[*i];
                put_superseded(superseded.table, &superseded.facts[rows.clone()], out);
            }
        }
    }
}

/// Some rows of a column: mostly all of them.
fn part<'c>(column: &'c Column, rows: &Range<usize>) -> Cow<'c, Column> {
    match *rows == (0..column.len()) {
        true => Cow::Borrowed(column),
        false => Cow::Owned(column.slice(rows.clone())),
    }
}

fn put_retractions(retraction: &Retraction, rows: Range<usize>, out: &mut Vec<u8>) {
    out.put_u8(SECTION_RETRACTIONS);
    out.put_u32(retraction.table.0);
    out.put_u32(count(rows.len()));
    out.put_u32(count(retraction.keys.len()));
    put_periods(&retraction.periods[rows.clone()], out);
    retraction.keys.iter().for_each(|key| put_column(&part(key, &rows), out));
}

fn put_superseded(table: TableId, facts: &[FactId], out: &mut Vec<u8>) {
    out.put_u8(SECTION_SUPERSEDED);
    out.put_u32(table.0);
    out.put_u32(count(facts.len()));
    for fact in facts {
        out.put_bytes(&fact.key);
        out.put_i64(fact.valid_from);
        out.put_u64(fact.commit);
    }
}

/// Appends how a record begins: what its leaves are salted from, and its metadata.
pub(crate) fn put_begin(secret: &Secret, metadata: Option<&str>, out: &mut Vec<u8>) {
    match secret {
        Secret::Seed(seed) => {
            out.put_u8(SECTION_BEGIN);
            out.put(seed);
        }
        Secret::Left(left) => {
            out.put_u8(SECTION_BEGIN_ERASED);
            out.put_u64(left.leaf_count);
            out.put_u32(count(left.erased.len()));
            for erased in &left.erased {
                out.put_u64(erased.place);
                out.put_u8(erased.op);
                out.put_u32(erased.table.0);
                out.put_u64(erased.ended);
                out.put(&erased.leaf);
            }
            out.put_u32(count(left.cover.len()));
            out.put(left.cover.as_flattened());
        }
        Secret::Lost(erased) => {
            out.put_u8(SECTION_BEGIN_LOST);
            out.put_u32(count(erased.len()));
            for (table, facts) in erased {
                out.put_u32(table.0);
                out.put_u64(*facts);
            }
        }
    }
    out.put_u8(u8::from(metadata.is_some()));
    if let Some(metadata) = metadata {
        out.put_bytes(metadata.as_bytes());
    }
}

fn read_left(reader: &mut Reader<'_>) -> Read<Secret> {
    let leaf_count = reader.u64()?;
    let erased_count = reader.count(ERASED_BYTES)?;
    let erased = |_| {
        let (place, op, table) = (reader.u64()?, reader.u8()?, TableId(reader.u32()?));
        Ok(ErasedLeaf { place, op, table, ended: reader.u64()?, leaf: reader.hash()? })
    };
    let erased = (0..erased_count).map(erased).collect::<Read<_>>()?;
    let cover_count = reader.count(32)?;
    let cover = reader.take(cover_count * 32)?.as_chunks::<32>().0.to_vec();
    let left = Left { leaf_count, cover, erased };
    reader.check(left.is_whole(), "the erased leaves and the cover do not fit each other")?;
    Ok(Secret::Left(Box::new(left)))
}

fn read_lost(reader: &mut Reader<'_>) -> Read<Secret> {
    let tables = reader.count(12)?;
    let erased = (0..tables).map(|_| Ok((TableId(reader.u32()?), reader.u64()?)));
    Ok(Secret::Lost(erased.collect::<Read<_>>()?))
}

fn put_bulk(bulk: &BulkSection, out: &mut Vec<u8>) {
    out.put_u8(SECTION_BULK);
    out.put(&bulk.root);
    out.put_u32(count(bulk.files.len()));
    for file in &bulk.files {
        out.put_u32(file.table.0);
        out.put_u32(bulk.versions.get(&file.table).copied().unwrap_or(0));
        out.put_u32(u32::from(file.shard));
        out.put_u64(file.file);
        out.put_u64(file.bytes);
        out.put_u64(file.rows);
        out.put_i64(file.valid_from_min);
        out.put_i64(file.valid_to_max);
        out.put(&file.root);
        out.put_bytes(&file.key_min);
        out.put_bytes(&file.key_max);
    }
}

fn read_bulk(reader: &mut Reader<'_>) -> Read<BulkSection> {
    let root = reader.hash()?;
    let (files, mut versions) = (reader.count(88)?, BTreeMap::new());
    let file = |_| {
        let (table, schema_version, shard) = (TableId(reader.u32()?), reader.u32()?, reader.u32()?);
        versions.insert(table, schema_version);
        let Ok(shard) = u16::try_from(shard) else { return reader.malformed("there is no such shard") };
        let (file, bytes, rows) = (reader.u64()?, reader.u64()?, reader.u64()?);
        let (valid_from_min, valid_to_max) = (reader.i64()?, reader.i64()?);
        let root = reader.hash()?;
        let (key_min, key_max) = (reader.bytes()?.to_vec(), reader.bytes()?.to_vec());
        let named = named_file(table, shard, file);
        Ok(SegmentMeta { bytes, rows, valid_from_min, valid_to_max, root, key_min, key_max, ..named })
    };
    let files = (0..files).map(file).collect::<Read<_>>()?;
    Ok(BulkSection { root, files, versions })
}

fn split(piece: Piece, rows: &Range<usize>) -> (Piece, Piece) {
    let middle = rows.start + rows.len() / 2;
    let (low, high) = (rows.start..middle, middle..rows.end);
    match piece {
        Piece::Begin | Piece::Bulk => unreachable!("the beginning and the files are one row"),
        Piece::Facts(i, _) => (Piece::Facts(i, low), Piece::Facts(i, high)),
        Piece::Retractions(i, _) => (Piece::Retractions(i, low), Piece::Retractions(i, high)),
        Piece::Superseded(i, _) => (Piece::Superseded(i, low), Piece::Superseded(i, high)),
    }
}

fn count(len: usize) -> u32 {
    u32::try_from(len).expect("a section has fewer than 2^32 rows")
}

fn put_periods(periods: &[Period], out: &mut Vec<u8>) {
    periods.iter().for_each(|period| out.put_i64(period.from()));
    periods.iter().for_each(|period| out.put_i64(period.to()));
}

fn put_facts(batch: &FactBatch, column_ids: &[ColumnId], rows: Range<usize>, out: &mut Vec<u8>) {
    let (periods, origins) = (&batch.periods[rows.clone()], &batch.origins[rows.clone()]);
    let is_always = periods.iter().all(|period| *period == Period::ALWAYS);
    let is_stated = origins.iter().all(|origin| *origin == 0);
    out.put_u8(SECTION_FACTS);
    out.put_u32(batch.table.0);
    out.put_u32(batch.schema_version);
    out.put_u32(count(rows.len()));
    out.put_u32(count(batch.columns.len()));
    out.put_u8(if is_always { FACTS_ALWAYS } else { 0 } | if is_stated { FACTS_STATED } else { 0 });
    if !is_always {
        put_periods(periods, out);
    }
    if !is_stated {
        out.put_all(origins);
    }
    for (column, id) in batch.columns.iter().zip(column_ids) {
        out.put_u32(id.0);
        put_column(&part(column, &rows), out);
    }
}

/// A column's type: a narrower one is written as its plain one.
fn put_type(ty: Type, out: &mut Vec<u8>) {
    let (code, precision, scale) = super::sst_v1::type_to_v1(ty);
    out.put(&[code, precision, scale]);
}

fn read_type(reader: &mut Reader<'_>) -> Read<Type> {
    let (code, precision, scale) = (reader.u8()?, reader.u8()?, reader.u8()?);
    match super::sst_v1::type_from_v1(code, precision, scale) {
        Some(ty) => Ok(ty),
        None => reader.malformed("there is no such type"),
    }
}

const DECLARED_SMALLINT: u8 = 64;
const DECLARED_INT4: u8 = 65;
const DECLARED_FLOAT4: u8 = 66;
const DECLARED_VARCHAR: u8 = 67;
const DECLARED_CHAR: u8 = 68;
const DECLARED_WIDE_NUMERIC: u8 = 69;
const DECLARED_ROUNDED: u8 = 70;
const DECLARED_JSONB: u8 = 71;

/// A type as it stands in a catalogue: narrower ones have numbers of their own, and a length follows that of a
/// text, precision and scale that of a NUMERIC.
pub(crate) fn put_declared_type(ty: Type, out: &mut Vec<u8>) {
    let (code, length) = match ty {
        Type::SmallInt => (DECLARED_SMALLINT, None),
        Type::Int4 => (DECLARED_INT4, None),
        Type::Float4 => (DECLARED_FLOAT4, None),
        Type::Jsonb => (DECLARED_JSONB, None),
        Type::Varchar { length } => (DECLARED_VARCHAR, Some(length)),
        Type::Char { length } => (DECLARED_CHAR, Some(length)),
        Type::WideNumeric { precision, scale } => {
            (DECLARED_WIDE_NUMERIC, Some(u32::from(precision) << 16 | u32::from(scale.cast_unsigned())))
        }
        Type::Rounded { class, digits } => (DECLARED_ROUNDED, Some(u32::from(class.code()) << 8 | u32::from(digits))),
        plain => return put_type(plain, out),
    };
    out.put(&[code, 0, 0]);
    if let Some(length) = length {
        out.put_u32(length);
    }
}

/// A type as it stands in a catalogue.
pub(crate) fn read_declared_type(reader: &mut Reader<'_>) -> Read<Type> {
    let (code, precision, scale) = (reader.u8()?, reader.u8()?, reader.u8()?);
    Ok(match code {
        DECLARED_SMALLINT => Type::SmallInt,
        DECLARED_INT4 => Type::Int4,
        DECLARED_FLOAT4 => Type::Float4,
        DECLARED_JSONB => Type::Jsonb,
        DECLARED_VARCHAR | DECLARED_CHAR => {
            let length = reader.u32()?;
            reader.check((1..=LENGTH_MAX).contains(&length), "a text has an impossible length")?;
            if code == DECLARED_CHAR { Type::Char { length } } else { Type::Varchar { length } }
        }
        DECLARED_WIDE_NUMERIC => {
            let digits = reader.u32()?;
            let (precision, scale) = ((digits >> 16) as u16, (digits as u16).cast_signed());
            let is_sound = (1..=DECLARED_MAX).contains(&precision) && scale.unsigned_abs() <= DECLARED_MAX;
            reader.check(is_sound, "a number has impossible digits")?;
            Type::WideNumeric { precision, scale }
        }
        DECLARED_ROUNDED => {
            let size = reader.u32()?;
            let (class, digits) = (TypeClass::of_element_code((size >> 8) as u8), size as u8);
            let is_time = |class: &TypeClass| {
                let times = [TypeClass::Time, TypeClass::Timestamp, TypeClass::TimestampTz, TypeClass::Interval];
                times.contains(class)
            };
            match class.filter(is_time) {
                Some(class) if digits < 6 && size < 1 << 16 => Type::Rounded { class, digits },
                Some(_) | None => return reader.malformed("a time has impossible digits"),
            }
        }
        _ => match super::sst_v1::type_from_v1(code, precision, scale) {
            Some(ty) => ty,
            None => return reader.malformed("there is no such type"),
        },
    })
}

fn put_column(column: &Column, out: &mut Vec<u8>) {
    put_type(column.ty(), out);
    match column.as_const() {
        Some(Value::Null) => return out.put_u8(COLUMN_NULL),
        Some(value) => {
            out.put_u8(COLUMN_CONST);
            return put_value(value, out);
        }
        None => {}
    }
    let plain = match column.data() {
        Data::Const(_) | Data::FrameOfReference { .. } | Data::Dictionary { .. } => Cow::Owned(column.to_plain()),
        Data::Bool(_) | Data::I64(_) | Data::F64(_) | Data::I128(_) | Data::Bytes(_) => Cow::Borrowed(column),
    };
    match plain.validity() {
        None => out.put_u8(COLUMN_FULL),
        Some(bits) => {
            out.put_u8(COLUMN_WITH_NULLS);
            out.put_all(bits.to_words().slice(0..bits.len().div_ceil(64)).as_slice());
        }
    }
    match plain.data() {
        Data::Bool(lane) => out.put_all(lane.as_slice()),
        Data::I64(lane) => out.put_all(lane.as_slice()),
        Data::F64(lane) => out.put_all(lane.as_slice()),
        Data::I128(lane) => out.put_all(lane.as_slice()),
        Data::Bytes(runs) => {
            let offsets = runs.offsets.as_slice();
            offsets.windows(2).for_each(|pair| out.put_u32(pair[1] - pair[0]));
            let (first, last) = (offsets[0] as usize, offsets[offsets.len() - 1] as usize);
            out.put(&runs.bytes[first..last]);
        }
        Data::Const(_) | Data::FrameOfReference { .. } | Data::Dictionary { .. } => {
            unreachable!("the column was made plain")
        }
    }
}

fn put_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => unreachable!("a NULL constant has an encoding of its own"),
        Value::Boolean(value) => out.put_u8(u8::from(*value)),
        Value::Real(value) => out.put_u64(value.to_bits()),
        Value::Text(text) | Value::Json(text) => out.put_bytes(text.as_bytes()),
        Value::Blob(blob) => out.put_bytes(blob),
        Value::Array(array) => out.put_bytes(array.bytes()),
        Value::BigNumeric(number) => out.put_bytes(number.bytes()),
        Value::Integer(_) | Value::Date(_) | Value::Timestamp(_) | Value::Time(_) | Value::TimestampTz(_) => {
            out.put_i64(value.lane_i64().expect("it lies in that lane"));
        }
        Value::Numeric(_) | Value::Interval(_) | Value::Uuid(_) => {
            out.put(&value.lane_i128().expect("it lies in that lane").to_le_bytes());
        }
    }
}

fn read_value(ty: Type, reader: &mut Reader<'_>) -> Read<Value> {
    Ok(match ty.lane() {
        LaneKind::Bool => Value::Boolean(reader.u8()? != 0),
        LaneKind::I64 => {
            let number = reader.i64()?;
            let fits = ty != Type::Date || i32::try_from(number).is_ok();
            reader.check(fits, "a date has too many days")?;
            Value::of_i64(ty, number)
        }
        LaneKind::F64 => Value::Real(f64::from_bits(reader.u64()?)),
        LaneKind::I128 => Value::of_i128(ty, reader.all::<i128>(1)?[0]),
        LaneKind::Bytes => match ty {
            Type::Blob => Value::Blob(reader.bytes()?.to_vec()),
            Type::Json => Value::Json(reader.text()?),
            Type::Array(element) => {
                let bytes = reader.bytes()?;
                reader.check(array::is_array(bytes, element), "an array is not whole")?;
                Value::Array(Array::from_bytes(bytes.to_vec()))
            }
            Type::BigNumeric => {
                let bytes = reader.bytes()?;
                reader.check(big_numeric::is_big_numeric(bytes), "a number is not whole")?;
                Value::BigNumeric(BigNumeric::from_bytes(bytes.to_vec()))
            }
            _ => Value::Text(reader.text()?),
        },
    })
}

fn read_column(rows: usize, reader: &mut Reader<'_>) -> Read<Column> {
    let ty = read_type(reader)?;
    let validity = match reader.u8()? {
        COLUMN_NULL => return Ok(Column::constant(ty, Value::Null, rows)),
        COLUMN_CONST => return Ok(Column::constant(ty, read_value(ty, reader)?, rows)),
        COLUMN_FULL => None,
        COLUMN_WITH_NULLS => Some(Bitmap::new(Lane::from_vec(reader.all::<u64>(rows.div_ceil(64))?), rows)),
        _ => return reader.malformed("there is no such column encoding"),
    };
    let data = match ty.lane() {
        LaneKind::Bool => {
            let values = reader.all::<u8>(rows)?;
            reader.check(values.iter().all(|value| *value <= 1), "a boolean is neither 0 nor 1")?;
            Data::Bool(Lane::from_vec(values))
        }
        LaneKind::I64 => {
            let values = reader.all::<i64>(rows)?;
            let is_day = |day: &i64| i32::try_from(*day).is_ok();
            reader.check(ty != Type::Date || values.iter().all(is_day), "a date has too many days")?;
            Data::I64(Lane::from_vec(values))
        }
        LaneKind::F64 => Data::F64(Lane::from_vec(reader.all(rows)?)),
        LaneKind::I128 => Data::I128(Lane::from_vec(reader.all(rows)?)),
        LaneKind::Bytes => Data::Bytes(read_runs(ty, rows, reader)?),
    };
    Ok(Column::new(ty, validity, data))
}

fn read_runs(ty: Type, rows: usize, reader: &mut Reader<'_>) -> Read<ByteRuns> {
    let mut offsets = reader.all::<u32>(rows)?;
    let mut end = 0u32;
    for offset in &mut offsets {
        let Some(next) = end.checked_add(*offset) else { return reader.malformed("strings pass 4 GiB") };
        *offset = end;
        end = next;
    }
    offsets.push(end);
    let bytes = reader.take(end as usize)?;
    if let Type::Array(element) = ty {
        let is_whole = |pair: &[u32]| {
            // A row without a value has no bytes.
            pair[0] == pair[1] || array::is_array(&bytes[pair[0] as usize..pair[1] as usize], element)
        };
        reader.check(offsets.windows(2).all(is_whole), "an array is not whole")?;
    } else if ty == Type::BigNumeric {
        let is_whole = |pair: &[u32]| {
            pair[0] == pair[1] || big_numeric::is_big_numeric(&bytes[pair[0] as usize..pair[1] as usize])
        };
        reader.check(offsets.windows(2).all(is_whole), "a number is not whole")?;
    } else if ty != Type::Blob {
        let text = std::str::from_utf8(bytes).ok();
        let cuts_well = |text: &str| offsets.iter().all(|offset| text.is_char_boundary(*offset as usize));
        reader.check(text.is_some_and(cuts_well), "a text is not UTF-8")?;
    }
    Ok(ByteRuns::from_vecs(offsets, bytes.to_vec()))
}

fn read_periods(rows: usize, reader: &mut Reader<'_>) -> Read<Vec<Period>> {
    let (from, to) = (reader.all::<i64>(rows)?, reader.all::<i64>(rows)?);
    let periods = from.into_iter().zip(to).map(|(from, to)| Period::new(from, to));
    match periods.collect::<Result<Vec<_>, _>>() {
        Ok(periods) => Ok(periods),
        Err(_) => reader.malformed("a period ends before it begins"),
    }
}

/// What the frames of a commit say, as far as they have been read.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadWrite {
    /// The facts, with the ids of each batch's columns.
    pub(crate) write: Write,
    pub(crate) column_ids: Vec<Vec<ColumnId>>,
    pub(crate) secret: Secret,
    /// The files that hold more facts.
    pub(crate) bulk: Option<BulkSection>,
}

impl ReadWrite {
    /// Adds the sections of a frame's payload.
    pub(crate) fn add(&mut self, payload: &[u8]) -> Read<()> {
        let mut reader = Reader::new(payload);
        while !reader.is_at_end() {
            match reader.u8()? {
                begin @ (SECTION_BEGIN | SECTION_BEGIN_ERASED | SECTION_BEGIN_LOST) => {
                    self.secret = match begin {
                        SECTION_BEGIN => Secret::Seed(reader.hash()?),
                        SECTION_BEGIN_LOST => read_lost(&mut reader)?,
                        _ => read_left(&mut reader)?,
                    };
                    self.write.metadata = if reader.u8()? == 0 { None } else { Some(reader.text()?) };
                }
                SECTION_BULK => self.bulk = Some(read_bulk(&mut reader)?),
                SECTION_FACTS => self.add_facts(&mut reader)?,
                SECTION_RETRACTIONS => {
                    let table = TableId(reader.u32()?);
                    let rows = reader.count(16)?;
                    let key_count = reader.count(4)?;
                    let periods = read_periods(rows, &mut reader)?;
                    let keys = (0..key_count).map(|_| read_column(rows, &mut reader)).collect::<Read<_>>()?;
                    self.write.retractions.push(Retraction { table, keys, periods });
                }
                SECTION_SUPERSEDED => {
                    let table = TableId(reader.u32()?);
                    let rows = reader.count(20)?;
                    let fact = |_| {
                        let key = reader.bytes()?.to_vec();
                        Ok(FactId { key, valid_from: reader.i64()?, commit: reader.u64()? })
                    };
                    let facts = (0..rows).map(fact).collect::<Read<_>>()?;
                    self.write.superseded.push(Superseded { table, facts });
                }
                _ => return reader.malformed("there is no such section"),
            }
        }
        Ok(())
    }

    /// Does a frame's payload begin its record?
    pub(crate) fn begins(payload: &[u8]) -> bool {
        matches!(payload.first(), Some(&(SECTION_BEGIN | SECTION_BEGIN_ERASED | SECTION_BEGIN_LOST)))
    }

    /// Appends what was read as the sections of one payload, with what its record begins with where it does.
    pub(crate) fn put(&self, begins: bool, out: &mut Vec<u8>) {
        if begins {
            put_begin(&self.secret, self.write.metadata.as_deref(), out);
        }
        if let Some(bulk) = &self.bulk {
            put_bulk(bulk, out);
        }
        for (batch, ids) in self.write.facts.iter().zip(&self.column_ids) {
            put_facts(batch, ids, 0..batch.periods.len(), out);
        }
        for retraction in &self.write.retractions {
            put_retractions(retraction, 0..retraction.periods.len(), out);
        }
        self.write.superseded.iter().for_each(|superseded| put_superseded(superseded.table, &superseded.facts, out));
    }

    fn add_facts(&mut self, reader: &mut Reader<'_>) -> Read<()> {
        let table = TableId(reader.u32()?);
        let schema_version = reader.u32()?;
        let rows = reader.u32()? as usize;
        let column_count = reader.count(8)?;
        let flags = reader.u8()?;
        // Constants take no bytes a row, so the rows cannot be held against the bytes; frames are bounded instead.
        reader.check(rows <= 1 << 28, "a section has too many rows")?;
        let periods = match flags & FACTS_ALWAYS {
            0 => read_periods(rows, reader)?,
            _ => vec![Period::ALWAYS; rows],
        };
        let origins = match flags & FACTS_STATED {
            0 => reader.all::<u64>(rows)?,
            _ => vec![0; rows],
        };
        let mut ids = Vec::with_capacity(column_count);
        let mut columns = Vec::with_capacity(column_count);
        for _ in 0..column_count {
            ids.push(ColumnId(reader.u32()?));
            columns.push(read_column(rows, reader)?);
        }
        self.write.facts.push(FactBatch { table, schema_version, columns, periods, origins });
        self.column_ids.push(ids);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes from a fixed sequence.
    fn noise(seed: u64, len: usize) -> Vec<u8> {
        let mut reader = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
        let mut bytes = vec![0; len];
        reader.fill(&mut bytes);
        bytes
    }

    #[test]
    fn a_declared_type_comes_back() {
        let rounded = Type::Rounded { class: TypeClass::Time, digits: 3 };
        for ty in [Type::Json, Type::Jsonb, Type::Float4, Type::Varchar { length: 7 }, rounded] {
            let mut bytes = Vec::new();
            put_declared_type(ty, &mut bytes);
            assert_eq!(read_declared_type(&mut Reader::new(&bytes)).expect("it is one"), ty);
        }
    }

    fn sample() -> (Write, Vec<Vec<ColumnId>>) {
        let texts: Vec<Value> = (0..300).map(|row| Value::Text(format!("row {row} {}", "é".repeat(row % 7)))).collect();
        let reals: Vec<Value> =
            (0..300).map(|row| if row % 3 == 0 { Value::Null } else { Value::Real(f64::from(row)) }).collect();
        let batch = FactBatch {
            table: TableId(1),
            schema_version: 1,
            columns: vec![
                Column::from_i64s(Type::Integer, (0..300).collect()),
                Column::from_values(Type::Text, &texts),
                Column::from_values(Type::Real, &reals),
            ],
            periods: (0..300).map(|row| Period::new(row, row + 1).expect("not empty")).collect(),
            origins: (0..300).map(|row| row % 2).collect(),
        };
        let facts = (0..100).map(|row| FactId { key: vec![row; 9], valid_from: 0, commit: u64::from(row) }).collect();
        let write = Write {
            facts: vec![batch.clone(), batch],
            superseded: vec![Superseded { table: TableId(1), facts }],
            ..Write::default()
        };
        let ids: Vec<ColumnId> = (1..4).map(ColumnId).collect();
        (write, vec![ids.clone(), ids])
    }

    /// However small the pieces a write is cut into, together they say the same.
    #[test]
    fn pieces_say_what_the_whole_says() {
        let (write, ids) = sample();
        let mut whole = Vec::new();
        assert!(Sections::new(&write, &ids, &Secret::Seed([1; 32]), None).next_payload(&mut whole));
        let mut pieces = Sections::new(&write, &ids, &Secret::Seed([1; 32]), None);
        // Halve every piece a few times, as a frame of some hundred bytes would.
        for _ in 0..4 {
            let old = std::mem::take(&mut pieces.pieces);
            pieces.pieces = old
                .into_iter()
                .flat_map(|piece| match pieces.size(&piece).0 {
                    rows if rows.len() > 1 => {
                        let (low, high) = split(piece, &rows);
                        vec![high, low]
                    }
                    _ => vec![piece],
                })
                .collect();
        }
        let mut cut = Vec::new();
        assert!(pieces.next_payload(&mut cut) && cut.len() > whole.len());
        let mut read = ReadWrite::default();
        read.add(&cut).expect("it is well-formed");
        assert!(read.write.facts.len() > 10);
        for (column_idx, column) in write.facts[0].columns.iter().enumerate() {
            let parts: Vec<Column> = read.write.facts.iter().map(|batch| batch.columns[column_idx].clone()).collect();
            assert_eq!(
                Column::concat(column.ty(), &parts),
                Column::concat(column.ty(), &[column.clone(), column.clone()])
            );
        }
        let superseded: Vec<&FactId> = read.write.superseded.iter().flat_map(|superseded| &superseded.facts).collect();
        assert_eq!(superseded, write.superseded[0].facts.iter().collect::<Vec<_>>());
    }

    /// Checksums come first, but a reader that meets nonsense still says so and does not die.
    #[test]
    fn nonsense_is_refused() {
        let (write, ids) = sample();
        let mut whole = Vec::new();
        assert!(Sections::new(&write, &ids, &Secret::Seed([1; 32]), None).next_payload(&mut whole));
        for len in 0..whole.len() {
            // A cut between sections is not seen here: the frame's length sees it.
            ReadWrite::default().add(&whole[..len]).err();
        }
        for seed in 0..2_000 {
            let mut bad = whole.clone();
            let place = noise(seed, 12);
            let at = u64::from_le_bytes(place[..8].try_into().expect("eight bytes")) as usize % bad.len();
            bad[at] = place[8];
            let next = (at + usize::from(place[9])) % bad.len();
            bad[next] ^= place[10];
            ReadWrite::default().add(&bad).err();
            ReadWrite::default().add(&noise(seed, 200)).err();
        }
    }
}
