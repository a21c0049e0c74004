//! How are the records of the ledger read one by one, while everything else goes on?
//!
//! Holds: each record is whole and follows the one before it. Where facts were erased meanwhile the walk begins anew behind the
//! record it came to, for the log's segments were written anew.
//! Not here: what the log's bytes say (`replay`).

use crate::{
    bulk::fill_whole,
    error::{Result, StoreError},
    follow::LogReader,
    log::{held, segment_name},
    manifest::KnownEnd,
    replay::{LogScan, Record},
    store::Inner,
};
use std::sync::Arc;

impl Inner {
    /// A scan of the log from a record on, up to a visible one.
    pub(crate) fn scan_from(&self, from: u64, upto: u64) -> Result<LogScan> {
        let first = self.manifest.state().log_first;
        let end = *held(&self.sequencer).log.end();
        if end.is_bare(first) && from <= end.record {
            return Err(StoreError::Missing { file: segment_name(first - 1) });
        }
        let last = end.generation;
        let known = KnownEnd { record: upto, link: None, generation: last };
        LogScan::starting_at(self.disk.clone(), self.identity, self.catalogs.clone(), from, first..=last, known)
    }
}

/// Records of the ledger, in order.
#[derive(Debug)]
pub struct Replay {
    pub(crate) scan: Option<LogScan>,
    pub(crate) upto: u64,
    pub(crate) inner: Arc<Inner>,
    /// How many erasures there had been when the scan began.
    pub(crate) receipts: u64,
    /// Keeps segments that it may have open from being used again.
    pub(crate) _reader: LogReader,
}

impl Iterator for Replay {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Result<Record>> {
        let scan = self.scan.as_mut().filter(|scan| scan.end().record < self.upto)?;
        let _no_erasure = self.inner.erasures.hold_back();
        let read = |scan: &mut LogScan| {
            let Some(mut found) = scan.next_record()? else { return Ok(None) };
            fill_whole(&mut found, &self.inner.tree.view(), &self.inner.catalogs)?;
            Ok(Some(found.record))
        };
        // A look that failed may have gone over the record.
        let wanted = scan.end().record + 1;
        // The log's segments were written anew: records stand elsewhere.
        let read_anew = |scan: &mut LogScan| {
            *scan = self.inner.scan_from(wanted, self.upto)?;
            read(scan)
        };
        let receipts = self.inner.manifest.receipts();
        let mut next = if receipts == self.receipts { read(scan) } else { read_anew(scan) };
        self.receipts = receipts;
        while next.as_ref().is_err_and(StoreError::may_be_overtaken) {
            // In another process nothing holds erasures back.
            match self.inner.meets_erasure(self.receipts) {
                Ok(false) => break,
                Ok(true) => {
                    self.receipts = self.inner.manifest.receipts();
                    next = read_anew(scan);
                }
                Err(error) => {
                    next = Err(error);
                    break;
                }
            }
        }
        match next {
            Ok(Some(record)) => Some(Ok(record)),
            Ok(None) => None,
            Err(error) => {
                self.scan = None;
                Some(Err(error))
            }
        }
    }
}
