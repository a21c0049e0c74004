//! Are the files what the manifest, their indexes and their filters claim?
//!
//! Segments are opened anew, so that what readers have checked and keep is not asked. A flush or a compaction may replace what a
//! manifest named while it is read; then the newer one is read.
//!
//! Not here: what the facts in them say (`verify`).

use super::{Difference, Stop, Verifier, Walk};
use crate::{
    error::StoreError,
    format::notes_v1,
    manifest::{self, ManifestState},
    recover::read_catalogs,
    sst::{BlockCache, Segment},
    tree::{notes_name, segment_name},
};

impl Verifier<'_> {
    /// Are the files what is claimed of them?
    pub(super) fn check_files(&self) -> Walk {
        let (disk, identity) = (&self.inner.disk, self.inner.identity);
        // It keeps no block, so that what readers use is not driven out.
        let cache = BlockCache::new(0);
        for files in self.snapshot.view().version.tables.values() {
            if let Some((one, other)) = files.out_of_order() {
                let (one, other) = (segment_name(one), segment_name(other));
                let what = format!("{one} and {other} are on one level and not in the order of their keys");
                return Err(Stop::Difference(Box::new(Difference::File { what })));
            }
            for segment in files.segments() {
                // Opened anew: what a reader has checked and keeps is not asked.
                let held = (&cache, &self.inner.catalogs);
                Segment::open(disk, held, identity, segment.meta.clone(), self.inner.config.mapped)?.audit()?;
            }
        }
        loop {
            let read = manifest::read(&**disk)?;
            let Some((_, state)) = &read else {
                return Err(StoreError::Missing { file: manifest::MANIFEST_NAME.to_owned() }.into());
            };
            match self.check_named(state) {
                // A flush or a compaction replaced what the manifest named while it was read.
                Err(Stop::Difference(_)) if manifest::read(&**disk)? != read => {}
                checked => return checked,
            }
        }
    }

    /// Are the smaller files that a manifest names whole?
    fn check_named(&self, state: &ManifestState) -> Walk {
        let (disk, identity) = (&self.inner.disk, self.inner.identity);
        let catalogs = read_catalogs(&**disk, &identity, state)?;
        let known = self.inner.catalogs.all();
        if catalogs.all().iter().zip(&known).any(|(read, known)| read != known) {
            let what = "the catalogue's file does not say what the ledger does".to_owned();
            return Err(Stop::Difference(Box::new(Difference::File { what })));
        }
        for notes in &state.tree.notes {
            let name = notes_name(notes.file);
            notes_v1::read(&name, &disk.map(&name)?, identity, &notes.root)?;
        }
        Ok(())
    }
}
