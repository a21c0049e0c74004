//! Which facts that a retention let go from the tables does the log still have?
//!
//! A condition that decides what is erased must see them too. The frames of each log segment or archive are read one by one, so
//! facts are found also where the record they belong to is no longer whole. They come segment by segment.
//!
//! Holds: only commits are read up to the last that ended a fact which is gone. Some facts are in the tables as well.
//! Not here: what the condition is, and taking the facts away (`erase::log`).

use super::corrupt;
use crate::{
    error::Result,
    fact::{FactBatch, FactId},
    follow::LogReader,
    format::{
        frame::{FRAME_HEADER_BYTES, FrameHeader, RecordHead, RecordKind, frame_bytes},
        log_v1::ReadWrite,
    },
    keys::encode_row,
    log::{held, segment_name},
    replay::Window,
    store::{Inner, Store},
};
use hashbrown::HashMap;
use spectradb_kernel::{
    schema::TableId,
    time::{Commit, MICROS_MAX, Micros},
};
use std::{collections::VecDeque, ops::RangeInclusive, sync::Arc};

/// Facts that one commit states.
#[derive(Clone, Debug)]
pub struct Stated {
    /// The facts.
    pub facts: FactBatch,
    /// The commit.
    pub commit: Commit,
    /// Its instant.
    pub instant: Micros,
    /// The instant at which each fact ended; where ends were not asked for, no time at all.
    pub ends: Vec<Micros>,
}

/// Facts of a table that the log has, up to the last commit that ended one which is gone from the tables.
#[derive(Debug)]
pub struct StatedFacts {
    inner: Arc<Inner>,
    table: TableId,
    upto: Commit,
    segments: RangeInclusive<u64>,
    ends: Option<HashMap<FactId, Micros>>,
    ready: VecDeque<Stated>,
    /// Keeps segments from being used again.
    _reader: LogReader,
}

impl Store {
    /// The facts of a table among which are all that a retention let go and the log still has; facts of the tables may be among
    /// them. None where nothing was let go. Where their ends are asked for, only those come that had ended by then.
    ///
    /// # Errors
    /// What reading the log gives, now or while it is read.
    pub fn stated_and_pruned(&self, table: TableId, with_ends: bool) -> Result<StatedFacts> {
        let inner = self.inner().clone();
        let upto = inner.tree.view().version.pruned.get(&table).copied().unwrap_or(0);
        let reader = inner.log_reader()?;
        let last = held(&inner.sequencer).log.end().generation;
        let mut stated = StatedFacts {
            segments: inner.manifest.state().log_first..=last,
            inner,
            table,
            upto,
            ends: None,
            ready: VecDeque::new(),
            _reader: reader,
        };
        if with_ends && upto > 0 {
            let mut ends = HashMap::new();
            for generation in stated.segments.clone() {
                stated.each_frame(generation, &mut |head, read| {
                    for superseded in read.write.superseded.into_iter().filter(|ended| ended.table == table) {
                        ends.extend(superseded.facts.into_iter().map(|fact| (fact, head.instant)));
                    }
                    Ok(())
                })?;
            }
            stated.ends = Some(ends);
        }
        Ok(stated)
    }
}

impl StatedFacts {
    fn each_frame(&self, generation: u64, take: &mut dyn FnMut(&RecordHead, ReadWrite) -> Result<()>) -> Result<()> {
        // An erasure puts other files in the places of segments.
        let _no_erasure = self.inner.erasures.hold_back();
        let mut window = Window::open(&*self.inner.disk, generation)?;
        let mut offset = 0;
        loop {
            let header = window.get(offset, FRAME_HEADER_BYTES as u64)?.and_then(FrameHeader::read);
            let Some(header) = header.filter(|header| header.belongs(&self.inner.identity, generation, offset)) else {
                return Ok(());
            };
            header.check_version(&segment_name(generation))?;
            let head = header.head();
            if head.commit > self.upto {
                return Ok(());
            }
            let payload_at = offset + FRAME_HEADER_BYTES as u64;
            if head.kind == RecordKind::Commit {
                let payload = window.get(payload_at, header.payload_bytes())?;
                let Some(payload) = payload.filter(|payload| header.fits(payload)) else {
                    return Err(corrupt(generation, offset, "the frame's checksum does not match"));
                };
                let mut read = ReadWrite::default();
                read.add(payload).map_err(|malformed| malformed.in_file(&segment_name(generation), payload_at))?;
                take(&head, read)?;
            }
            offset += frame_bytes(header.payload_bytes());
        }
    }

    fn read(&mut self, generation: u64) -> Result<()> {
        let mut ready = VecDeque::new();
        self.each_frame(generation, &mut |head, read| {
            for facts in read.write.facts.into_iter().filter(|facts| facts.table == self.table) {
                ready.extend(self.stated(head, facts));
            }
            Ok(())
        })?;
        self.ready = ready;
        Ok(())
    }

    /// Facts with their ends, where those are asked for.
    fn stated(&self, head: &RecordHead, facts: FactBatch) -> Option<Stated> {
        let (commit, instant, rows) = (head.commit, head.instant, facts.periods.len());
        let Some(ends) = &self.ends else {
            return Some(Stated { facts, commit, instant, ends: vec![MICROS_MAX; rows] });
        };
        let schema = self.inner.catalogs.schema_at(facts.table, facts.schema_version)?;
        let (mut kept, mut ended) = (Vec::new(), Vec::new());
        for row in 0..rows {
            let mut key = Vec::new();
            encode_row(&facts.columns, &schema.key, row, &mut key);
            let fact = FactId { key, valid_from: facts.periods[row].from(), commit };
            // What had not ended is in the tables, which know when it did.
            if let Some(end) = ends.get(&fact) {
                kept.push(row as u32);
                ended.push(*end);
            }
        }
        (!kept.is_empty()).then(|| Stated { facts: facts.take(&kept), commit, instant, ends: ended })
    }
}

impl Iterator for StatedFacts {
    type Item = Result<Stated>;

    fn next(&mut self) -> Option<Result<Stated>> {
        loop {
            if let Some(stated) = self.ready.pop_front() {
                return Some(Ok(stated));
            }
            if self.upto == 0 {
                return None;
            }
            let generation = self.segments.next()?;
            if let Err(error) = self.read(generation) {
                self.upto = 0;
                return Some(Err(error));
            }
        }
    }
}
