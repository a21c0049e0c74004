//! What is the link of every record, also of those whose log segments are gone?
//!
//! The links are the leaves of the tree over records, so they must outlive the log: before a log segment is dropped, the
//! links of the records that end in it are written to a file of its generation. [`Links`] goes through those files and
//! then through the headers of the frames that are still there, without reading a payload.
//!
//! Holds: numbers rise by one, and each record says the link of the one before it; what does not is an error that names
//! the file.
//! Not here: whether a record's content hashes to its link (`replay`), the tree (`proof`).

use crate::{
    chain::{GENESIS, Hash},
    error::{Result, StoreError},
    format::{
        Identity,
        bytes::{Malformed, Put, Reader},
        frame::{FRAME_HEADER_BYTES, FrameHeader, RecordHead, frame_bytes},
        header::{self, FILE_HEADER_BYTES},
    },
    fs::Disk,
    log::segment_name,
    proof::{OverRecords, merkle::Frontier, record_leaf},
    replay::Window,
    verify::root_of,
};
use std::sync::Arc;

const LINKS_MAGIC: [u8; 8] = *b"SpLinks\0";
const LINKS_VERSION: u16 = 1;

/// The name of the file that keeps the links of a dropped log segment.
pub(crate) fn links_name(generation: u64) -> String {
    format!("links-{generation:010}.lnk")
}

/// Goes through the links of all records, from the first on.
#[derive(Debug)]
pub(crate) struct Links {
    disk: Arc<dyn Disk>,
    identity: Identity,
    /// Where the next link is looked for.
    generation: u64,
    offset: u64,
    /// Where the segment before was left, because no frame stood there.
    left: Option<(u64, u64)>,
    /// The last record gone past, and its link.
    record: u64,
    link: Hash,
    /// Links of a dropped segment that were read and not yet given, last first.
    kept: Vec<Hash>,
    /// Was the first frame of the next record seen?
    is_whole: bool,
    window: Option<Window>,
}

/// A record as the walk finds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linked {
    pub(crate) record: u64,
    pub(crate) link: Hash,
    /// What its last frame says of it; `None` when its segment is gone.
    pub(crate) head: Option<RecordHead>,
    /// Are all of its frames there?
    pub(crate) is_whole: bool,
}

impl Links {
    /// From the first record on.
    pub(crate) fn new(disk: Arc<dyn Disk>, identity: Identity) -> Links {
        Links {
            disk,
            identity,
            generation: 1,
            offset: 0,
            left: None,
            record: 0,
            link: GENESIS,
            kept: Vec::new(),
            is_whole: false,
            window: None,
        }
    }

    /// The next record up to `upto`, given the oldest log segment that is kept and the newest there is; `None` behind it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] or [`StoreError::Missing`] when a record up to `upto` is not where it should be; what the
    /// disk says.
    pub(crate) fn next(&mut self, upto: u64, generations: (u64, u64)) -> Result<Option<Linked>> {
        let (first, last) = generations;
        while self.record < upto {
            if let Some(link) = self.kept.pop() {
                self.record += 1;
                self.link = link;
                return Ok(Some(Linked { record: self.record, link, head: None, is_whole: false }));
            }
            if self.generation < first {
                self.kept = self.read_dropped(self.generation)?;
                self.kept.reverse();
                self.generation += 1;
                self.offset = 0;
                continue;
            }
            let Some(header) = self.header()? else {
                if self.generation >= last {
                    return Err(self.corrupt(&format!("record {} is not there", self.record + 1)));
                }
                self.left = Some((self.generation, self.offset));
                (self.generation, self.offset, self.window) = (self.generation + 1, 0, None);
                continue;
            };
            if header.record() != self.record + 1 {
                // What is missing should stand where the segment before was left.
                if let (0, Some((generation, offset))) = (self.offset, self.left) {
                    let what = format!(
                        "record {} does not stand here, and the next segment begins with record {}",
                        self.record + 1,
                        header.record()
                    );
                    return Err(StoreError::Corrupt { file: segment_name(generation), offset, what });
                }
                return Err(self.corrupt(&format!(
                    "record {} stands where {} should",
                    header.record(),
                    self.record + 1
                )));
            }
            if header.head().previous != self.link {
                return Err(self.corrupt(&format!("record {} does not follow the one before it", header.record())));
            }
            self.offset += frame_bytes(header.payload_bytes());
            self.is_whole |= header.frame_idx() == 0;
            if let Some(link) = header.link() {
                self.record += 1;
                self.link = link;
                let is_whole = std::mem::take(&mut self.is_whole);
                return Ok(Some(Linked { record: self.record, link, head: Some(header.head()), is_whole }));
            }
        }
        Ok(None)
    }

    /// Where the last record gone past ends: in a segment, or before the first byte of the one behind those that were dropped.
    pub(crate) fn place(&self) -> (u64, u64) {
        (self.generation, self.offset)
    }

    /// The header of the next frame of this segment.
    fn header(&mut self) -> Result<Option<FrameHeader>> {
        let window = match self.window.take() {
            Some(window) => window,
            None => Window::open(&*self.disk, self.generation)?,
        };
        let (identity, generation, offset) = (self.identity, self.generation, self.offset);
        let bytes = self.window.insert(window).get(offset, FRAME_HEADER_BYTES as u64)?;
        let header = bytes.and_then(FrameHeader::read).filter(|header| header.belongs(&identity, generation, offset));
        if let Some(header) = &header {
            header.check_version(&segment_name(generation))?;
        }
        Ok(header)
    }

    fn corrupt(&self, what: &str) -> StoreError {
        let file = segment_name(self.generation);
        StoreError::Corrupt { file, offset: self.offset, what: what.to_owned() }
    }

    /// The links of the records that ended in a dropped segment.
    fn read_dropped(&self, generation: u64) -> Result<Vec<Hash>> {
        let name = links_name(generation);
        let bytes = self.disk.map(&name)?;
        let (head, body) = header::open(&name, &bytes, LINKS_MAGIC, LINKS_VERSION)?;
        let read = || -> Result<_, Malformed> {
            let mut reader = Reader::new(body);
            let first = reader.u64()?;
            let count = reader.u64()?;
            let (links, rest) = reader.take(body.len() - 16)?.as_chunks::<32>();
            reader
                .check(links.len() as u64 == count && rest.is_empty(), "the links are not as many as they should be")?;
            // The walk may have come into the segment while it was still there.
            let known = (self.record + 1).checked_sub(first).filter(|known| *known <= count);
            let Some(known) = known else { return reader.malformed("the links are of other records") };
            let (known, links) = links.split_at(known as usize);
            reader.check(known.last().is_none_or(|link| *link == self.link), "a link is not the one that was there")?;
            Ok(links.to_vec())
        };
        if head.identity().database != self.identity.database {
            let what = "the file is another database's".to_owned();
            return Err(StoreError::Corrupt { file: name, offset: 32, what });
        }
        read().map_err(|malformed| malformed.in_file(&name, FILE_HEADER_BYTES as u64))
    }

    /// Writes the links of the records that end in segments which will be dropped: those from `first` up to before
    /// `upto_generation`, of records up to `upto`.
    ///
    /// # Errors
    /// As [`Links::next`].
    pub(crate) fn keep(
        disk: &Arc<dyn Disk>,
        identity: Identity,
        (first, upto_generation): (u64, u64),
        upto: u64,
    ) -> Result<()> {
        let mut links = Links::new(disk.clone(), identity);
        let mut kept: Vec<Vec<Hash>> = vec![Vec::new(); (upto_generation - first) as usize];
        let mut before = 0;
        while let Some(linked) = links.next(upto, (first, upto_generation))? {
            match links.generation.checked_sub(first) {
                _ if linked.head.is_none() => before = linked.record,
                Some(place) if (place as usize) < kept.len() => kept[place as usize].push(linked.link),
                Some(_) | None => break,
            }
        }
        for (generation, links) in (first..).zip(kept) {
            write_links(&**disk, identity, generation, before + 1, &links)?;
            before += links.len() as u64;
        }
        disk.sync_dir()
    }
}

/// Writes the links of the records that ended in a segment, from record `first` on, and syncs them.
fn write_links(disk: &dyn Disk, identity: Identity, generation: u64, first: u64, links: &[Hash]) -> Result<()> {
    let mut body = Vec::with_capacity(16 + links.len() * 32);
    body.put_u64(first);
    body.put_u64(links.len() as u64);
    body.put(links.as_flattened());
    let file = disk.create(&links_name(generation))?;
    file.write_at(&header::seal(LINKS_MAGIC, LINKS_VERSION, identity, &body), 0)?;
    file.sync()
}

/// Copies the links of a dropped segment to another disk, as far as they are of records up to `upto`.
///
/// # Errors
/// [`StoreError::Missing`] and [`StoreError::Corrupt`]; what the disks say.
pub(crate) fn copy_links(from: &dyn Disk, to: &dyn Disk, identity: Identity, generation: u64, upto: u64) -> Result<()> {
    let name = links_name(generation);
    let bytes = from.map(&name)?;
    let (_, body) = header::open(&name, &bytes, LINKS_MAGIC, LINKS_VERSION)?;
    let read = || -> Result<_, Malformed> {
        let mut reader = Reader::new(body);
        let (first, count) = (reader.u64()?, reader.u64()?);
        let (links, rest) = reader.take(body.len() - 16)?.as_chunks::<32>();
        reader.check(links.len() as u64 == count && rest.is_empty(), "the links are not as many as they should be")?;
        Ok((first, links))
    };
    let (first, links) = read().map_err(|malformed| malformed.in_file(&name, FILE_HEADER_BYTES as u64))?;
    let kept = (upto + 1).saturating_sub(first).min(links.len() as u64) as usize;
    write_links(to, identity, generation, first, &links[..kept])
}

/// The tree over records as far as somebody asked for it, and where to go on.
#[derive(Debug)]
pub(crate) struct LedgerTree {
    links: Links,
    frontier: Frontier,
}

impl LedgerTree {
    /// The tree over no record.
    pub(crate) fn new(disk: Arc<dyn Disk>, identity: Identity) -> LedgerTree {
        LedgerTree { links: Links::new(disk, identity), frontier: Frontier::default() }
    }

    /// How many records it covers.
    pub(crate) fn records(&self) -> u64 {
        self.frontier.count()
    }

    /// Adds the records up to a number; answers the root and the last link.
    ///
    /// # Errors
    /// As [`Links::next`].
    pub(crate) fn advance(&mut self, upto: u64, generations: (u64, u64)) -> Result<(Hash, Hash)> {
        while let Some(linked) = self.links.next(upto, generations)? {
            self.frontier.push::<OverRecords>(record_leaf(&linked.link));
        }
        // What was read beyond the last record may be written by now.
        self.links.window = None;
        Ok((root_of(&self.frontier), self.links.link))
    }
}
