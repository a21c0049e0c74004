//! How does the log lose all facts of some keys, and still prove the others?
//!
//! The records that have a leaf of one of the keys are found by reading the log. Such a record keeps the leaf in its place and
//! loses the secret of its salts; the segments that have a frame of it are copied aside, frame by frame, without the facts,
//! deletions and ends of the keys. A frame's header says what it said, but for place and length, so every link stays.
//!
//! Holds: nothing that is named is written. Frames of a record whose first frames were dropped prove nothing any more: they
//! only lose what they say of the keys, and so does a record whose table's history is partly gone.
//! Not here: putting the copies in their places (`erase`).

use super::corrupt;
use crate::{
    archive::open_log,
    bulk::{look_at_whole, shapes_of},
    chain::{OfKeys, speaks_of},
    compact::{Keys, pick_rows},
    error::{Result, StoreError},
    fact::{FactBatch, Superseded, Write},
    format::{
        bytes::{Malformed, Read},
        frame::{FRAME_HEADER_BYTES, FrameHeader, FramePlace, RecordKind, frame_bytes},
        log_v1::ReadWrite,
    },
    fs::{Disk, File},
    keys::encode_row,
    log::{LogEnd, segment_name},
    manifest::{self, Erasing, KnownEnd},
    replay::{Found, LogScan, RecordBody, Window},
    salts::Secret,
    store::Inner,
};
use hashbrown::HashMap;
use spectradb_kernel::{
    key,
    schema::TableId,
    time::{Commit, MICROS_MAX, MICROS_MIN},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use zerocopy::IntoBytes;

/// The name of the copy that takes the place of a log segment.
pub(crate) fn copy_name(generation: u64) -> String {
    format!("log-{generation:010}.era")
}

/// Is this the name of such a copy?
pub(crate) fn is_copy(name: &str) -> bool {
    name.starts_with("log-") && name.ends_with(".era")
}

/// The copy that is the log segment, because the manifest says so and it is not in its place yet: the writer is just doing it, or
/// died before it did.
///
/// # Errors
/// What the disk says.
pub(crate) fn named_copy(disk: &dyn Disk, generation: u64) -> Result<Option<Arc<dyn File>>> {
    let copy = match disk.open(&copy_name(generation)) {
        Err(StoreError::Missing { .. }) => return Ok(None),
        found => found?,
    };
    // One that was prepared and not decided on counts for nothing.
    let named = manifest::read(disk)?
        .is_some_and(|(_, state)| state.erasing.iter().any(|erasing| erasing.generation == generation));
    Ok(named.then_some(copy))
}

/// Has the copy taken the place of the log segment, or of its archive?
///
/// # Errors
/// What the disk says.
pub(super) fn is_in_place(disk: &dyn Disk, erasing: &Erasing) -> Result<bool> {
    let file = match open_log(disk, erasing.generation) {
        Err(StoreError::Missing { .. }) => return Ok(false),
        found => found?,
    };
    let mut header = [0; FRAME_HEADER_BYTES];
    if erasing.offset + header.len() as u64 > file.len()? {
        return Ok(false);
    }
    file.read_at(&mut header, erasing.offset)?;
    Ok(FrameHeader::read(&header).is_some_and(|header| header.header_crc() == erasing.header_crc))
}

/// A record that loses leaves.
#[derive(Debug)]
struct Lessened {
    secret: Secret,
    /// How many facts of the keys it stated.
    facts: u64,
}

/// What has to be written anew.
#[derive(Debug, Default)]
pub(super) struct Plan {
    records: HashMap<u64, Lessened>,
    /// The first record of which everything is there.
    first_whole: u64,
    /// How many facts of the keys each commit states.
    pub(super) facts: BTreeMap<Commit, u64>,
    pub(super) generations: BTreeSet<u64>,
}

/// Frames on their way to a copy.
struct Copy {
    file: Arc<dyn File>,
    pending: Vec<u8>,
    written: u64,
}

impl Copy {
    /// Where the next frame begins.
    fn offset(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    fn write(&mut self) -> Result<()> {
        self.file.write_at(&self.pending, self.written)?;
        self.written += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }
}

impl Inner {
    /// Finds the records and segments of the log up to its end that speak of the keys.
    ///
    /// Of records that are in the log, and not whole in the tables any more, the tables tell how many facts of the keys they lost.
    pub(super) fn plan_erasure(&self, keys: &Keys, end: &LogEnd, tables: &BTreeMap<Commit, u64>) -> Result<Plan> {
        let first = self.manifest.state().log_first;
        let mut plan = Plan { first_whole: 1, ..Plan::default() };
        if end.is_bare(first) {
            plan.first_whole = end.record + 1;
            return Ok(plan);
        }
        let mut window = Window::open(&*self.disk, first)?;
        let header = window.get(0, FRAME_HEADER_BYTES as u64)?.and_then(FrameHeader::read);
        let header = header.ok_or_else(|| corrupt(first, 0, "the first frame is not whole"))?;
        if first > 1 {
            plan.first_whole = header.record() + u64::from(header.frame_idx() > 0);
        }
        if header.frame_idx() > 0 {
            plan.generations.insert(first);
        }
        if plan.first_whole > end.record {
            plan.generations.extend(first..=end.generation);
            return Ok(plan);
        }
        let known = KnownEnd { record: end.record, link: None, generation: end.generation };
        let (disk, catalogs) = (self.disk.clone(), self.catalogs.clone());
        let generations = first..=end.generation;
        let mut scan = LogScan::starting_at(disk, self.identity, catalogs, plan.first_whole, generations, known)?;
        if header.frame_idx() > 0 {
            plan.generations.extend(first..=scan.end().generation);
        }
        while scan.end().record < end.record {
            let began = scan.end().generation;
            let Some(found) = scan.next_record()? else {
                return Err(corrupt(scan.end().generation, scan.end().offset, "a record is not there"));
            };
            if let Some(lessened) = self.lessen(&found, keys, tables)? {
                if let RecordBody::Commit { commit, .. } = &found.record.body {
                    plan.facts.insert(*commit, lessened.facts);
                }
                plan.records.insert(found.record.record, lessened);
                plan.generations.extend(began..=found.end.generation);
            }
        }
        Ok(plan)
    }

    /// How many facts a record itself states of the keys.
    fn facts_of(&self, write: &Write, keys: &Keys) -> Result<u64> {
        let mut facts = 0;
        for batch in write.facts.iter().filter(|batch| batch.table == keys.table) {
            let schema = self.catalogs.schema_at(batch.table, batch.schema_version);
            let places = schema.ok_or(StoreError::UnknownTable { table: batch.table })?.key.clone();
            let len = batch.periods.len();
            let kept = rows_without(len, keys, &|row, out| encode_row(&batch.columns, &places, row, out));
            facts += kept.map_or(0, |rows| len - rows.len()) as u64;
        }
        Ok(facts)
    }

    /// What a record keeps when it loses the leaves of the keys; `None` when it has none. The facts that it left to files are
    /// gone through a block at a time.
    fn lessen(&self, found: &Found, keys: &Keys, tables: &BTreeMap<Commit, u64>) -> Result<Option<Lessened>> {
        let RecordBody::Commit { commit, write, .. } = &found.record.body else { return Ok(None) };
        let has = |table: TableId, key: &[u8]| keys.has(table, key);
        if found.bulk.is_none() {
            let shapes = shapes_of(write, &self.catalogs);
            let shapes = shapes.ok_or(StoreError::UnknownTable { table: keys.table })?;
            if !speaks_of(write, &shapes, &has) {
                return Ok(None);
            }
        }
        let mut of_keys = OfKeys::new(&has);
        match look_at_whole(found, &self.tree.view(), &self.catalogs, &mut of_keys) {
            Ok(()) => {}
            // Its leaves cannot be told any more; what the record itself says of the keys goes all the same. Nothing of it can be
            // proved any more, so nobody needs the salts, and a guess could be held against its root.
            Err(StoreError::FactsPruned { .. }) => {
                let facts = self.facts_of(write, keys)?;
                let in_files = found.bulk.iter().flat_map(|bulk| &bulk.files).any(|file| file.table == keys.table);
                let gone = if in_files { tables.get(commit).copied().unwrap_or(0) } else { facts };
                return Ok(Some(Lessened { secret: found.secret.lost(keys.table, gone), facts }));
            }
            Err(error) => return Err(error),
        }
        let OfKeys { found: erased, leaf_count, .. } = of_keys;
        let quotes = found.bulk.iter().flat_map(|bulk| &bulk.files);
        let quotes =
            |key: fn(&crate::tree::SegmentMeta) -> &Vec<u8>| quotes.clone().any(|file| keys.has(file.table, key(file)));
        if erased.is_empty() && !quotes(|file| &file.key_min) && !quotes(|file| &file.key_max) {
            return Ok(None);
        }
        let facts = erased.iter().filter(|leaf| leaf.is_fact()).count() as u64;
        Ok(Some(Lessened { secret: found.secret.without(leaf_count, &erased), facts }))
    }

    /// Copies a log segment aside without what it says of the keys; `None` when it said nothing.
    pub(super) fn copy_without(
        &self,
        generation: u64,
        plan: &Plan,
        keys: &Keys,
        end: &LogEnd,
    ) -> Result<Option<Erasing>> {
        let mut window = Window::open(&*self.disk, generation)?;
        let file = self.disk.create(&copy_name(generation))?;
        let mut copy = Copy { file, pending: Vec::new(), written: 0 };
        let (mut offset, mut changed) = (0, None);
        let key_places = |version: u32| Some(self.catalogs.schema_at(keys.table, version)?.key.clone());
        loop {
            let header = window.get(offset, FRAME_HEADER_BYTES as u64)?.and_then(FrameHeader::read);
            let Some(header) = header.filter(|header| header.belongs(&self.identity, generation, offset)) else {
                break;
            };
            // What a crash or a failed append left is not of the log.
            if header.record() > end.record || (generation == end.generation && offset >= end.offset) {
                break;
            }
            header.check_version(&segment_name(generation))?;
            let payload_at = offset + FRAME_HEADER_BYTES as u64;
            let payload = window.get(payload_at, header.payload_bytes())?;
            let Some(payload) = payload.filter(|payload| header.fits(payload)) else {
                return Err(corrupt(generation, offset, "the frame's checksum does not match"));
            };
            let lessened = plan.records.get(&header.record());
            let is_concerned = lessened.is_some() || header.record() < plan.first_whole;
            let frame = copy.pending.len();
            let place = FramePlace {
                generation,
                offset: copy.offset(),
                frame_idx: header.frame_idx(),
                durable_through: header.durable_through(),
                link: header.link(),
            };
            copy.pending.resize(frame + FRAME_HEADER_BYTES, 0);
            if is_concerned && header.head().kind == RecordKind::Commit {
                put_without(payload, lessened, keys, &key_places, &mut copy.pending)
                    .map_err(|malformed| malformed.in_file(&segment_name(generation), payload_at))?;
            } else {
                copy.pending.extend_from_slice(payload);
            }
            let new = &copy.pending[frame + FRAME_HEADER_BYTES..];
            let new_header = FrameHeader::new(self.identity, &header.head(), &place, new);
            if new != payload && changed.is_none() {
                changed = Some(Erasing { generation, offset: place.offset, header_crc: new_header.header_crc() });
            }
            copy.pending[frame..frame + FRAME_HEADER_BYTES].copy_from_slice(new_header.as_bytes());
            let padded = (copy.pending.len() - frame - FRAME_HEADER_BYTES) as u64;
            copy.pending.resize(frame + frame_bytes(padded) as usize, 0);
            offset += frame_bytes(header.payload_bytes());
            copy.write()?;
        }
        match changed {
            Some(_) => copy.file.sync()?,
            None => self.disk.remove(&copy_name(generation))?,
        }
        Ok(changed)
    }
}

/// Where the key's columns of a schema version stand.
type KeyPlaces<'a> = &'a dyn Fn(u32) -> Option<Vec<usize>>;

/// Appends a payload without what it says of the keys.
fn put_without(
    payload: &[u8],
    lessened: Option<&Lessened>,
    keys: &Keys,
    key_places: KeyPlaces<'_>,
    out: &mut Vec<u8>,
) -> Read<()> {
    let mut read = ReadWrite::default();
    read.add(payload)?;
    for batch in read.write.facts.iter_mut().filter(|batch| batch.table == keys.table) {
        let Some(places) = key_places(batch.schema_version) else {
            return Err(Malformed { offset: 0, what: "the record's table is not in the catalogue" });
        };
        let kept = rows_without(batch.periods.len(), keys, &|row, out| encode_row(&batch.columns, &places, row, out));
        if let Some(rows) = kept {
            let columns = batch.columns.iter().map(|column| pick_rows(column, &rows)).collect();
            *batch = FactBatch { columns, ..batch.take(&rows) };
        }
    }
    let facts = read.write.facts.into_iter().zip(read.column_ids);
    (read.write.facts, read.column_ids) = facts.filter(|(batch, _)| !batch.periods.is_empty()).unzip();
    for retraction in read.write.retractions.iter_mut().filter(|retraction| retraction.table == keys.table) {
        let kept = rows_without(retraction.periods.len(), keys, &|row, out| key::encode(&retraction.keys, row, out));
        if let Some(rows) = kept {
            retraction.keys = retraction.keys.iter().map(|column| pick_rows(column, &rows)).collect();
            retraction.periods = rows.iter().map(|row| retraction.periods[*row as usize]).collect();
        }
    }
    read.write.retractions.retain(|retraction| !retraction.periods.is_empty());
    for Superseded { table, facts } in &mut read.write.superseded {
        facts.retain(|fact| !keys.has(*table, &fact.key));
    }
    read.write.superseded.retain(|superseded| !superseded.facts.is_empty());
    if let Some(bulk) = &mut read.bulk {
        // The files are segments like any others by now, perhaps under other names. Neither bounds nor a hash over all that
        // they held, which has no salt, may tell of what is gone.
        for file in bulk.files.iter_mut().filter(|file| file.table == keys.table) {
            file.key_min.clear();
            file.key_max.clear();
            (file.valid_from_min, file.valid_to_max, file.root) = (MICROS_MIN, MICROS_MAX, [0; 32]);
        }
    }
    if let Some(lessened) = lessened {
        read.secret = lessened.secret.clone();
    }
    read.put(ReadWrite::begins(payload), out);
    Ok(())
}

/// The rows whose key is none of the keys; `None` when that is all.
fn rows_without(len: usize, keys: &Keys, put_key: &dyn Fn(usize, &mut Vec<u8>)) -> Option<Vec<u32>> {
    let mut key = Vec::new();
    let mut rows = Vec::with_capacity(len);
    for row in 0..len {
        key.clear();
        put_key(row, &mut key);
        if !keys.keys.contains(&key) {
            rows.push(row as u32);
        }
    }
    (rows.len() < len).then_some(rows)
}
