//! How do facts become a block, and a block facts again?
//!
//! Writing picks for each column the smallest encoding that can be read in place: nothing for a constant, offsets from a
//! base for integers that lie close, numbers into sorted distinct values where they repeat, runs where they stay the same, no offsets
//! where strings are of one length, plain otherwise. Reading
//! checks the archive's structure (bytecheck) and then what it means: equal lengths, rising offsets, UTF-8, codes that
//! name something. The columns that come out share the block's bytes; nothing is copied.
//!
//! Holds: bytes that pass here can be read by the kernel's columns without a panic.
//! Not here: checksums and offsets in the file (`sst::reader`), which rows make a block (`sst::builder`).

use super::{builder::BLOCK_ROWS_MAX, runs::RunsOf};
use crate::{
    begun::Hints,
    format::sst_v1::{ArchivedBlockV1, ArchivedColumnV1, ArchivedLaneV1, BlockV1, ColumnV1, EVEN_BYTES_MAX, LaneV1},
    run::{Run, i64_at},
    shape::Shape,
};
use bytes::Bytes;
use hashbrown::HashMap;
use rkyv::rancor;
use spectradb_kernel::{
    Column, Type, Value,
    array::{self, Array},
    big_numeric::{self, BigNumeric},
    bitmap::Bitmap,
    column::{ByteRuns, ByteVals, Codes, Data, Runs, Vals},
    lane::{Element, Lane},
    ty::LaneKind,
};
use std::{
    hash::Hash,
    sync::{Arc, LazyLock, OnceLock},
};

/// Why bytes are not a block.
pub(crate) type Bad = &'static str;

/// Rows of which strings are counted before a dictionary is tried.
const SAMPLE_ROWS: usize = 256;

/// The archive of a run whose columns have a shape.
pub(crate) fn encode(run: &Run, shape: &Shape) -> rkyv::util::AlignedVec {
    let block = BlockV1 {
        rows: u32::try_from(run.len).expect("a block has far fewer rows"),
        schema_version: shape.version,
        columns: run.columns.iter().map(encode_column).collect(),
        valid_from: encode_lane(&run.valid_from),
        valid_to: encode_lane(&run.valid_to),
        commit: encode_lane(&run.commit),
        origin: encode_lane(&run.origin),
        system_to: encode_lane(&run.system_to),
        flags: LaneV1::ConstI64(0),
    };
    rkyv::to_bytes::<rancor::Error>(&block).expect("an archive in memory takes everything")
}

fn encode_column(column: &Column) -> ColumnV1 {
    let validity = match column.validity() {
        Some(bits) => bits.to_words().as_slice().to_vec(),
        None => Vec::new(),
    };
    if !validity.is_empty() && validity.iter().all(|word| *word == 0) {
        return ColumnV1 { validity: Vec::new(), lane: LaneV1::Null };
    }
    ColumnV1 { validity, lane: encode_lane(column) }
}

pub(super) fn encode_lane(column: &Column) -> LaneV1 {
    if let Some(value) = column.as_const() {
        return constant(value);
    }
    let nulls = column.has_nulls();
    match column.ty().lane() {
        LaneKind::Bool => match column.bools() {
            Vals::One(value) => LaneV1::ConstBool(value),
            Vals::Many(values) => match in_runs(column, &values, |a, b| a == b) {
                Some((ends, values)) => LaneV1::BoolRuns { ends, values },
                None => LaneV1::Bool(values.into_owned()),
            },
        },
        LaneKind::I64 => match column.i64s() {
            Vals::One(value) => LaneV1::ConstI64(value),
            Vals::Many(values) => encode_i64s(column, &values, nulls),
        },
        LaneKind::F64 => match column.f64s() {
            Vals::One(value) => LaneV1::ConstF64(value),
            Vals::Many(values) => encode_f64s(column, &values, nulls),
        },
        LaneKind::I128 => match column.i128s() {
            Vals::One(value) => LaneV1::ConstI128(value),
            Vals::Many(values) => encode_i128s(column, values.into_owned(), nulls),
        },
        LaneKind::Bytes => encode_strings(column, nulls),
    }
}

fn constant(value: &Value) -> LaneV1 {
    match value {
        Value::Null => LaneV1::Null,
        Value::Boolean(value) => LaneV1::ConstBool(u8::from(*value)),
        Value::Integer(_) | Value::Date(_) | Value::Timestamp(_) | Value::Time(_) | Value::TimestampTz(_) => {
            LaneV1::ConstI64(value.lane_i64().expect("it lies in that lane"))
        }
        Value::Real(value) => LaneV1::ConstF64(*value),
        Value::Numeric(_) | Value::Interval(_) | Value::Uuid(_) => {
            LaneV1::ConstI128(value.lane_i128().expect("it lies in that lane"))
        }
        Value::Text(text) | Value::Json(text) => LaneV1::ConstBytes(text.as_bytes().to_vec()),
        Value::Blob(blob) => LaneV1::ConstBytes(blob.clone()),
        Value::Array(array) => LaneV1::ConstBytes(array.bytes().to_vec()),
        Value::BigNumeric(number) => LaneV1::ConstBytes(number.bytes().to_vec()),
    }
}

fn encode_i64s(column: &Column, values: &[i64], nulls: bool) -> LaneV1 {
    let counts = |row: &usize| !nulls || !column.is_null(*row);
    let (mut min, mut max) = (i64::MAX, i64::MIN);
    for row in (0..values.len()).filter(counts) {
        min = min.min(values[row]);
        max = max.max(values[row]);
    }
    if min == max && !nulls {
        return LaneV1::ConstI64(min);
    }
    let span = max.wrapping_sub(min).cast_unsigned();
    if !nulls && span == values.len() as u64 - 1 && values.windows(2).all(|pair| pair[0] < pair[1]) {
        return LaneV1::Rising { base: min };
    }
    if let Some((ends, values)) = in_runs(column, values, |a, b| a == b) {
        return LaneV1::IntegerRuns { ends, values };
    }
    // A NULL row's slot holds any number: it is written as the base.
    let code = |row: usize| if counts(&row) { values[row].wrapping_sub(min).cast_unsigned() } else { 0 };
    let rows = 0..values.len();
    if span <= u64::from(u8::MAX) {
        LaneV1::Offsets8 { base: min, codes: rows.map(|row| code(row) as u8).collect() }
    } else if span <= u64::from(u16::MAX) {
        LaneV1::Offsets16 { base: min, codes: rows.map(|row| code(row) as u16).collect() }
    } else if let Some((codes, values)) = coded(values, nulls, |value| *value) {
        LaneV1::Integers8 { codes, values }
    } else if span <= u64::from(u32::MAX) {
        LaneV1::Offsets32 { base: min, codes: rows.map(|row| code(row) as u32).collect() }
    } else {
        LaneV1::I64(values.to_vec())
    }
}

fn encode_f64s(column: &Column, values: &[f64], nulls: bool) -> LaneV1 {
    let bits = |value: &f64| value.to_bits();
    let Some(first) = values.first() else { return LaneV1::F64(Vec::new()) };
    if !nulls && values.iter().all(|value| bits(value) == bits(first)) {
        return LaneV1::ConstF64(*first);
    }
    if let Some((ends, values)) = in_runs(column, values, |a, b| bits(a) == bits(b)) {
        return LaneV1::DoubleRuns { ends, values };
    }
    match coded(values, false, bits) {
        Some((codes, values)) => LaneV1::Doubles8 { codes, values },
        None => LaneV1::F64(values.to_vec()),
    }
}

fn encode_i128s(column: &Column, values: Vec<i128>, nulls: bool) -> LaneV1 {
    if let Some((ends, values)) = in_runs(column, &values, |a, b| a == b) {
        return LaneV1::UnitRuns { ends, values };
    }
    if let Some(narrow) = encode_narrow(column, &values, nulls) {
        return narrow;
    }
    match coded(&values, nulls, |value| *value) {
        Some((codes, values)) => LaneV1::Units8 { codes, values },
        None => LaneV1::I128(values),
    }
}

/// Units of 128 bits as offsets from a base, where they lie close to each other and the least has 64 bits.
fn encode_narrow(column: &Column, values: &[i128], nulls: bool) -> Option<LaneV1> {
    let has_value = |row: &usize| !nulls || !column.is_null(*row);
    let present = || (0..values.len()).filter(has_value).map(|row| values[row]);
    let (least, most) = (present().min()?, present().max()?);
    let base = i64::try_from(least).ok()?;
    let code = |row: usize| if has_value(&row) { (values[row] - least) as u64 } else { 0 };
    let rows = 0..values.len();
    let span = most.checked_sub(least)?;
    Some(if span <= i128::from(u8::MAX) {
        LaneV1::Offsets8 { base, codes: rows.map(|row| code(row) as u8).collect() }
    } else if span <= i128::from(u16::MAX) {
        LaneV1::Offsets16 { base, codes: rows.map(|row| code(row) as u16).collect() }
    } else if span <= i128::from(u32::MAX) {
        LaneV1::Offsets32 { base, codes: rows.map(|row| code(row) as u32).collect() }
    } else {
        return None;
    })
}

/// The ends of the runs of a column's values, and the value of each; `None` where they are short.
fn in_runs<T: Copy>(column: &Column, values: &[T], same: impl Fn(&T, &T) -> bool) -> Option<(Vec<u16>, Vec<T>)> {
    let found = RunsOf::find(column, values.len(), |a, b| same(&values[a], &values[b]))?;
    Some((found.ends, found.rows.into_iter().map(|row| values[row]).collect()))
}

/// Numbers of distinct values, and these sorted by what tells them apart; `None` where there are more than 256, or it seems
/// so. What the slots of NULL rows hold is a value like others.
fn coded<T: Copy, K: Copy + Ord + Hash>(values: &[T], nulls: bool, of: impl Fn(&T) -> K) -> Option<(Vec<u8>, Vec<T>)> {
    let sampled: HashMap<K, T> = values.iter().take(SAMPLE_ROWS).map(|value| (of(value), *value)).collect();
    if values.len() < SAMPLE_ROWS || sampled.len() > SAMPLE_ROWS / 2 || nulls {
        return None;
    }
    let mut distinct = sampled;
    for value in values {
        distinct.insert(of(value), *value);
        if distinct.len() > 256 {
            return None;
        }
    }
    let mut sorted: Vec<(K, T)> = distinct.into_iter().collect();
    sorted.sort_unstable_by_key(|(key, _)| *key);
    let code_of: HashMap<K, u8> = sorted.iter().enumerate().map(|(code, (key, _))| (*key, code as u8)).collect();
    let codes = values.iter().map(|value| code_of[&of(value)]).collect();
    Some((codes, sorted.into_iter().map(|(_, value)| value).collect()))
}

fn encode_strings(column: &Column, nulls: bool) -> LaneV1 {
    let rows = column.len();
    let strings = column.byte_vals();
    if rows > 0 && !nulls && (1..rows).all(|row| strings.at(row) == strings.at(0)) {
        return LaneV1::ConstBytes(strings.at(0).to_vec());
    }
    if let Some(runs) = encode_string_runs(column, &strings, rows) {
        return runs;
    }
    if let Some(coded) = encode_dictionary(&strings, rows) {
        return coded;
    }
    let mut offsets = Vec::with_capacity(rows + 1);
    let mut bytes = Vec::new();
    offsets.push(0);
    if let (ByteVals::Plain(from, all), true) = (strings, rows > 0) {
        let (start, end) = (from[0], from[rows]);
        let length = from[1] - start;
        if (1..=EVEN_BYTES_MAX).contains(&length) && from.windows(2).all(|pair| pair[1] - pair[0] == length) {
            return LaneV1::Even { length, bytes: all[start as usize..end as usize].to_vec() };
        }
        bytes.extend_from_slice(&all[start as usize..end as usize]);
        offsets.extend(from[1..=rows].iter().map(|offset| offset - start));
        return LaneV1::Bytes { offsets, bytes };
    }
    for row in 0..rows {
        bytes.extend_from_slice(strings.at(row));
        offsets.push(u32::try_from(bytes.len()).expect("a block holds less than 4 GiB of strings"));
    }
    LaneV1::Bytes { offsets, bytes }
}

/// Strings that stay the same, where they take less than a byte a row.
fn encode_string_runs(column: &Column, strings: &ByteVals<'_>, rows: usize) -> Option<LaneV1> {
    let found = RunsOf::find(column, rows, |a, b| strings.at(a) == strings.at(b))?;
    let (mut offsets, mut bytes) = (vec![0u32], Vec::new());
    for row in found.rows {
        bytes.extend_from_slice(strings.at(row));
        offsets.push(u32::try_from(bytes.len()).ok()?);
        if bytes.len() > rows {
            return None;
        }
    }
    Some(LaneV1::StringRuns { ends: found.ends, offsets, bytes })
}

fn encode_dictionary(strings: &ByteVals<'_>, rows: usize) -> Option<LaneV1> {
    let sampled: hashbrown::HashSet<&[u8]> = (0..rows.min(SAMPLE_ROWS)).map(|row| strings.at(row)).collect();
    if rows < SAMPLE_ROWS || sampled.len() > SAMPLE_ROWS / 2 {
        return None;
    }
    let mut distinct = sampled;
    for row in 0..rows {
        distinct.insert(strings.at(row));
        if distinct.len() * 4 > rows {
            return None;
        }
    }
    let mut sorted: Vec<&[u8]> = distinct.into_iter().collect();
    sorted.sort_unstable();
    let code_of: HashMap<&[u8], u16> = sorted.iter().enumerate().map(|(code, string)| (*string, code as u16)).collect();
    let mut offsets = vec![0u32];
    let mut bytes = Vec::new();
    for string in &sorted {
        bytes.extend_from_slice(string);
        offsets.push(u32::try_from(bytes.len()).expect("a block holds less than 4 GiB of strings"));
    }
    let codes = (0..rows).map(|row| code_of[strings.at(row)]);
    Some(if sorted.len() <= 256 {
        LaneV1::Strings8 { codes: codes.map(|code| code as u8).collect(), offsets, bytes }
    } else {
        LaneV1::Strings16 { codes: codes.collect(), offsets, bytes }
    })
}

/// What blocks share whose rows follow from their place: the numbers from 0 on, and the offsets of strings of one length.
static NUMBERS: LazyLock<Lane<u16>> = LazyLock::new(|| Lane::from_vec((0..BLOCK_ROWS_MAX as u16).collect()));
static OFFSETS: [OnceLock<Lane<u32>>; EVEN_BYTES_MAX as usize + 1] =
    [const { OnceLock::new() }; EVEN_BYTES_MAX as usize + 1];

/// The offsets of so many strings of one length.
fn even_offsets(length: u32, rows: usize) -> Result<Lane<u32>, Bad> {
    let known = OFFSETS.get(length as usize).filter(|_| length > 0 && rows <= BLOCK_ROWS_MAX);
    let known = known.ok_or("strings of one length are too long or too many")?;
    let lane = known.get_or_init(|| Lane::from_vec((0..=BLOCK_ROWS_MAX as u32).map(|row| row * length).collect()));
    Ok(lane.slice(0..rows + 1))
}

/// The facts of a block whose checksum holds. The columns share `bytes`.
pub(crate) fn decode(bytes: &Bytes, shape: &Shape) -> Result<Run, Bad> {
    let block = rkyv::access::<ArchivedBlockV1, rancor::Error>(bytes).map_err(|_| "a block's archive is damaged")?;
    let rows = block.rows.to_native() as usize;
    if block.columns.len() != shape.columns.len() || block.schema_version.to_native() != shape.version {
        return Err("a block has other columns than the index says");
    }
    let columns = block.columns.iter().zip(&shape.columns);
    let columns = columns.map(|(column, (_, ty))| decode_column(bytes, column, *ty, rows));
    let columns = columns.collect::<Result<Vec<Column>, Bad>>()?;
    for key in &shape.key {
        if columns[*key].has_nulls() {
            return Err("a key is NULL");
        }
    }
    let lane = |lane: &ArchivedLaneV1, ty: Type| {
        let column = decode_lane(bytes, lane, ty, rows, None)?;
        if column.has_nulls() { Err("a time is NULL") } else { Ok(column) }
    };
    let periods = (lane(&block.valid_from, Type::Timestamp)?, lane(&block.valid_to, Type::Timestamp)?);
    let (mut is_gapless, mut last_end) = (true, i64::MAX);
    for row in 0..rows {
        let (from, to) = (i64_at(&periods.0, row), i64_at(&periods.1, row));
        if from >= to {
            return Err("a period ends before it begins");
        }
        is_gapless &= from <= last_end;
        last_end = to;
    }
    let commit = lane(&block.commit, Type::Integer)?;
    let origin = lane(&block.origin, Type::Integer)?;
    let system_to = lane(&block.system_to, Type::Integer)?;
    lane(&block.flags, Type::Integer)?;
    let key = shape.key.first().filter(|_| shape.key.len() == 1).map(|key| &columns[*key]);
    let hints = Hints::of(key, &periods.0, is_gapless);
    Ok(Run { hints, ..Run::new(columns, periods, commit, origin, system_to) })
}

/// The bytes of a part of an archive, shared.
fn share<T>(archive: &Bytes, part: &[T]) -> Bytes {
    let start = part.as_ptr().addr() - archive.as_ptr().addr();
    archive.slice(start..start + size_of_val(part))
}

fn share_lane<T: Element, A>(archive: &Bytes, part: &[A]) -> Result<Lane<T>, Bad> {
    if part.is_empty() {
        return Ok(Lane::from_vec(Vec::new()));
    }
    Lane::from_bytes(share(archive, part)).map_err(|_| "a lane is not aligned")
}

fn decode_column(archive: &Bytes, column: &ArchivedColumnV1, ty: Type, rows: usize) -> Result<Column, Bad> {
    let validity = match column.validity.len() {
        0 => None,
        words if words < rows.div_ceil(64) => return Err("a column's validity is too short"),
        _ => Some(Bitmap::new(share_lane(archive, column.validity.as_slice())?, rows)),
    };
    decode_lane(archive, &column.lane, ty, rows, validity)
}

/// Are these offsets of `count` strings in `bytes`, each of them text if the type is?
fn check_strings(ty: Type, offsets: &[u32], bytes: &[u8], count: usize) -> Result<(), Bad> {
    if offsets.len() != count + 1 || offsets.windows(2).any(|pair| pair[0] > pair[1]) {
        return Err("string offsets do not rise");
    }
    if offsets.last().is_some_and(|last| *last as usize > bytes.len()) {
        return Err("a string ends beyond the block");
    }
    if let Type::Array(element) = ty {
        // A row without a value has no bytes.
        let is_whole =
            |pair: &[u32]| pair[0] == pair[1] || array::is_array(&bytes[pair[0] as usize..pair[1] as usize], element);
        return if offsets.windows(2).all(is_whole) { Ok(()) } else { Err("an array is not whole") };
    }
    if ty == Type::BigNumeric {
        let is_whole = |pair: &[u32]| {
            pair[0] == pair[1] || big_numeric::is_big_numeric(&bytes[pair[0] as usize..pair[1] as usize])
        };
        return if offsets.windows(2).all(is_whole) { Ok(()) } else { Err("a number is not whole") };
    }
    if ty != Type::Blob {
        let text = std::str::from_utf8(bytes).map_err(|_| "a text is not UTF-8")?;
        if offsets.iter().any(|offset| !text.is_char_boundary(*offset as usize)) {
            return Err("a text begins within a character");
        }
    }
    Ok(())
}

/// Do offsets from a base stay within the type?
fn check_offsets(ty: Type, base: i64, code_max: u64) -> Result<(), Bad> {
    let max = i128::from(base) + i128::from(code_max);
    let fits = match ty {
        Type::Date => i32::try_from(base).is_ok() && i32::try_from(max).is_ok(),
        _ => i64::try_from(max).is_ok(),
    };
    if fits { Ok(()) } else { Err("an integer is out of range") }
}

fn check_integers(ty: Type, values: &[rkyv::rend::i64_le]) -> Result<(), Bad> {
    let is_out = |value: &rkyv::rend::i64_le| ty == Type::Date && i32::try_from(value.to_native()).is_err();
    if values.iter().any(is_out) { Err("an integer is out of range") } else { Ok(()) }
}

fn check_bools(values: &[u8]) -> Result<(), Bad> {
    if values.iter().any(|value| *value > 1) { Err("a boolean is neither true nor false") } else { Ok(()) }
}

fn code_max<T: Copy + Into<u64>>(codes: &[T]) -> u64 {
    codes.iter().map(|code| (*code).into()).max().unwrap_or(0)
}

pub(super) fn decode_lane(
    archive: &Bytes,
    lane: &ArchivedLaneV1,
    ty: Type,
    rows: usize,
    validity: Option<Bitmap>,
) -> Result<Column, Bad> {
    let kind = ty.lane();
    let expect = |wanted: LaneKind| if kind == wanted { Ok(()) } else { Err("a column has another type's data") };
    let constant = |value: Value| {
        if validity.is_some() { Err("a constant has validity") } else { Ok(Column::constant(ty, value, rows)) }
    };
    let column = |len: usize, data: Data| {
        if len == rows { Ok(Column::new(ty, validity.clone(), data)) } else { Err("a column has too few rows") }
    };
    let offsets = |base: i64, codes: Codes, max: u64| {
        if kind != LaneKind::I128 {
            expect(LaneKind::I64)?;
            check_offsets(ty, base, max)?;
        }
        column(codes.len(), Data::FrameOfReference { base, codes })
    };
    let strings = |codes: Codes, max: u64, at: &[rkyv::rend::u32_le], bytes: &[u8]| {
        expect(LaneKind::Bytes)?;
        let runs = ByteRuns { offsets: share_lane(archive, at)?, bytes: share(archive, bytes) };
        check_strings(ty, runs.offsets.as_slice(), bytes, at.len().saturating_sub(1))?;
        if max as usize >= runs.len() && !codes.is_empty() {
            return Err("a code names no string");
        }
        let values = Arc::new(Column::new(ty, None, Data::Bytes(runs)));
        column(codes.len(), Data::Dictionary { codes, values })
    };
    let runs = |kind: LaneKind, ends: &[rkyv::rend::u16_le], count: usize, values: Data| {
        expect(kind)?;
        let runs = Runs::new(share_lane(archive, ends)?).ok_or("runs do not rise")?;
        if ends.len() != count {
            return Err("runs have more or fewer values than ends");
        }
        let values = Arc::new(Column::new(ty, None, values));
        column(runs.len(), Data::Dictionary { codes: Codes::Runs(runs), values })
    };
    let numbered = |kind: LaneKind, codes: Lane<u8>, count: usize, values: Data| {
        expect(kind)?;
        if code_max(codes.as_slice()) as usize >= count && !codes.is_empty() {
            return Err("a code names no value");
        }
        let values = Arc::new(Column::new(ty, None, values));
        column(codes.len(), Data::Dictionary { codes: Codes::U8(codes), values })
    };
    match lane {
        ArchivedLaneV1::Null => constant(Value::Null),
        ArchivedLaneV1::ConstBool(value) => {
            expect(LaneKind::Bool)?;
            constant(Value::Boolean(*value != 0))
        }
        ArchivedLaneV1::ConstI64(value) => {
            expect(LaneKind::I64)?;
            let value = value.to_native();
            check_offsets(ty, value, 0)?;
            constant(Value::of_i64(ty, value))
        }
        ArchivedLaneV1::ConstF64(value) => {
            expect(LaneKind::F64)?;
            constant(Value::Real(value.to_native()))
        }
        ArchivedLaneV1::ConstI128(value) => {
            expect(LaneKind::I128)?;
            constant(Value::of_i128(ty, value.to_native()))
        }
        ArchivedLaneV1::ConstBytes(bytes) => {
            expect(LaneKind::Bytes)?;
            let text = || std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| "a text is not UTF-8");
            constant(match ty {
                Type::Blob => Value::Blob(bytes.to_vec()),
                Type::Json => Value::Json(text()?),
                Type::Array(element) if array::is_array(bytes, element) => {
                    Value::Array(Array::from_bytes(bytes.to_vec()))
                }
                Type::Array(_) => return Err("an array is not whole"),
                Type::BigNumeric if big_numeric::is_big_numeric(bytes) => {
                    Value::BigNumeric(BigNumeric::from_bytes(bytes.to_vec()))
                }
                Type::BigNumeric => return Err("a number is not whole"),
                _ => Value::Text(text()?),
            })
        }
        ArchivedLaneV1::Bool(values) => {
            expect(LaneKind::Bool)?;
            check_bools(values)?;
            column(values.len(), Data::Bool(share_lane(archive, values.as_slice())?))
        }
        ArchivedLaneV1::I64(values) => {
            expect(LaneKind::I64)?;
            check_integers(ty, values)?;
            column(values.len(), Data::I64(share_lane(archive, values.as_slice())?))
        }
        ArchivedLaneV1::F64(values) => {
            expect(LaneKind::F64)?;
            column(values.len(), Data::F64(share_lane(archive, values.as_slice())?))
        }
        ArchivedLaneV1::I128(values) => {
            expect(LaneKind::I128)?;
            column(values.len(), Data::I128(share_lane(archive, values.as_slice())?))
        }
        ArchivedLaneV1::Bytes { offsets, bytes } => {
            expect(LaneKind::Bytes)?;
            let runs =
                ByteRuns { offsets: share_lane(archive, offsets.as_slice())?, bytes: share(archive, bytes.as_slice()) };
            check_strings(ty, runs.offsets.as_slice(), bytes, rows)?;
            column(runs.len(), Data::Bytes(runs))
        }
        ArchivedLaneV1::Offsets8 { base, codes } => {
            let lane: Lane<u8> = share_lane(archive, codes.as_slice())?;
            let max = code_max(lane.as_slice());
            offsets(base.to_native(), Codes::U8(lane), max)
        }
        ArchivedLaneV1::Offsets16 { base, codes } => {
            let lane: Lane<u16> = share_lane(archive, codes.as_slice())?;
            let max = code_max(lane.as_slice());
            offsets(base.to_native(), Codes::U16(lane), max)
        }
        ArchivedLaneV1::Offsets32 { base, codes } => {
            let lane: Lane<u32> = share_lane(archive, codes.as_slice())?;
            let max = code_max(lane.as_slice());
            offsets(base.to_native(), Codes::U32(lane), max)
        }
        ArchivedLaneV1::Strings8 { codes, offsets, bytes } => {
            let lane: Lane<u8> = share_lane(archive, codes.as_slice())?;
            let max = code_max(lane.as_slice());
            strings(Codes::U8(lane), max, offsets.as_slice(), bytes.as_slice())
        }
        ArchivedLaneV1::Strings16 { codes, offsets, bytes } => {
            let lane: Lane<u16> = share_lane(archive, codes.as_slice())?;
            let max = code_max(lane.as_slice());
            strings(Codes::U16(lane), max, offsets.as_slice(), bytes.as_slice())
        }
        ArchivedLaneV1::Rising { base } => {
            if rows > BLOCK_ROWS_MAX {
                return Err("a block has too many rows");
            }
            offsets(base.to_native(), Codes::U16(NUMBERS.slice(0..rows)), rows.saturating_sub(1) as u64)
        }
        ArchivedLaneV1::Even { length, bytes } => {
            expect(LaneKind::Bytes)?;
            let length = length.to_native();
            if bytes.len() as u64 != u64::from(length) * rows as u64 {
                return Err("strings of one length do not fill their bytes");
            }
            let runs = ByteRuns { offsets: even_offsets(length, rows)?, bytes: share(archive, bytes.as_slice()) };
            check_strings(ty, runs.offsets.as_slice(), bytes, rows)?;
            column(runs.len(), Data::Bytes(runs))
        }
        ArchivedLaneV1::Integers8 { codes, values } => {
            check_integers(ty, values)?;
            let lane = Data::I64(share_lane(archive, values.as_slice())?);
            numbered(LaneKind::I64, share_lane(archive, codes.as_slice())?, values.len(), lane)
        }
        ArchivedLaneV1::Units8 { codes, values } => {
            let lane = Data::I128(share_lane(archive, values.as_slice())?);
            numbered(LaneKind::I128, share_lane(archive, codes.as_slice())?, values.len(), lane)
        }
        ArchivedLaneV1::Doubles8 { codes, values } => {
            let lane = Data::F64(share_lane(archive, values.as_slice())?);
            numbered(LaneKind::F64, share_lane(archive, codes.as_slice())?, values.len(), lane)
        }
        ArchivedLaneV1::BoolRuns { ends, values } => {
            check_bools(values)?;
            let lane = Data::Bool(share_lane(archive, values.as_slice())?);
            runs(LaneKind::Bool, ends, values.len(), lane)
        }
        ArchivedLaneV1::IntegerRuns { ends, values } => {
            check_integers(ty, values)?;
            runs(LaneKind::I64, ends, values.len(), Data::I64(share_lane(archive, values.as_slice())?))
        }
        ArchivedLaneV1::DoubleRuns { ends, values } => {
            runs(LaneKind::F64, ends, values.len(), Data::F64(share_lane(archive, values.as_slice())?))
        }
        ArchivedLaneV1::UnitRuns { ends, values } => {
            runs(LaneKind::I128, ends, values.len(), Data::I128(share_lane(archive, values.as_slice())?))
        }
        ArchivedLaneV1::StringRuns { ends, offsets, bytes } => {
            let strings =
                ByteRuns { offsets: share_lane(archive, offsets.as_slice())?, bytes: share(archive, bytes.as_slice()) };
            check_strings(ty, strings.offsets.as_slice(), bytes, ends.len())?;
            runs(LaneKind::Bytes, ends, strings.len(), Data::Bytes(strings))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{constant_instant, constant_integer};
    use spectradb_kernel::{
        schema::{ColumnId, TableId},
        value::Decimal,
    };

    /// What a lane costs must not depend on luck: these columns have a shape that needs few bytes, and come back as they were.
    #[test]
    fn columns_take_the_lane_that_fits_them() {
        const ROWS: i64 = 1000;
        let numeric = Type::Numeric { precision: 38, scale: 2 };
        let units = |row: i64| Value::Numeric(Decimal { units: i128::from(row % 7) << 80, scale: 2 });
        let price = |row: i64| Value::Numeric(Decimal { units: i128::from(row * 77), scale: 2 });
        let text = |row: i64| Value::Text(format!("{:06}", row * 31));
        let in_runs = |row: i64| if row % 50 == 7 { Value::Null } else { Value::Integer((row / 100) << 40) };
        let same_text = |row: i64| Value::Text(format!("tenant {}", row / 250));
        let uneven = |row: i64| Value::Text("x".repeat((row % 3) as usize) + &row.to_string());
        /// A type, the value of a row, and whether a lane is the one it should take.
        type Case<'a> = (Type, &'a dyn Fn(i64) -> Value, fn(&LaneV1) -> bool);
        let cases: [Case<'_>; 15] = [
            (Type::Integer, &|row| Value::Integer(row - 5), |lane| matches!(lane, LaneV1::Rising { base: -5 })),
            (Type::Integer, &|row| Value::Integer(row * 2), |lane| matches!(lane, LaneV1::Offsets16 { .. })),
            (Type::Integer, &|row| Value::Integer(row % 5), |lane| matches!(lane, LaneV1::Offsets8 { .. })),
            (Type::Integer, &|row| Value::Integer((row % 9) << 40), |lane| matches!(lane, LaneV1::Integers8 { .. })),
            (Type::Integer, &|row| Value::Integer(row << 40), |lane| matches!(lane, LaneV1::I64(_))),
            (Type::Text, &text, |lane| matches!(lane, LaneV1::Even { length: 6, .. })),
            (Type::Text, &uneven, |lane| matches!(lane, LaneV1::Bytes { .. })),
            (numeric, &units, |lane| matches!(lane, LaneV1::Units8 { .. })),
            (Type::Real, &|row| Value::Real((row % 9) as f64), |lane| matches!(lane, LaneV1::Doubles8 { .. })),
            (numeric, &price, |lane| matches!(lane, LaneV1::Offsets32 { base: 0, .. })),
            (Type::Integer, &in_runs, |lane| matches!(lane, LaneV1::IntegerRuns { ends, .. } if ends.len() == 10)),
            (Type::Real, &|row| Value::Real((row / 400) as f64), |lane| matches!(lane, LaneV1::DoubleRuns { .. })),
            (Type::Boolean, &|row| Value::Boolean(row < 500), |lane| matches!(lane, LaneV1::BoolRuns { .. })),
            (numeric, &|row| units(row / 333), |lane| matches!(lane, LaneV1::UnitRuns { .. })),
            (Type::Text, &same_text, |lane| matches!(lane, LaneV1::StringRuns { .. })),
        ];
        let columns: Vec<Column> = cases
            .iter()
            .map(|(ty, of, _)| Column::from_values(*ty, &(0..ROWS).map(of).collect::<Vec<Value>>()))
            .collect();
        for (column, (_, _, fits)) in columns.iter().zip(&cases) {
            let lane = encode_lane(column);
            assert!(fits(&lane), "{lane:?}");
        }
        let shape = Shape {
            table: TableId(1),
            version: 1,
            columns: (1..).map(ColumnId).zip(cases.iter().map(|(ty, ..)| *ty)).collect(),
            key: vec![0],
        };
        let len = ROWS as usize;
        let periods = (constant_instant(i64::MIN, len), constant_instant(i64::MAX, len));
        let lane = |value| constant_integer(value, len);
        let run = Run::new(columns, periods, lane(1), lane(0), lane(i64::MAX));
        let read = decode(&Bytes::from_owner(encode(&run, &shape)), &shape).expect("it was written here");
        assert_eq!(read.columns, run.columns);
    }
}
