//! How does a database come back when it is opened?
//!
//! The manifest names the files; the tree opens its own; the log is read from the checkpoint to its end and every record
//! behind the checkpoint is applied as it was when it was new. Then the log's end is cleaned: what a crash left behind
//! it is overwritten with zeroes or removed, and a new manifest with the next epoch is written before anything else is.
//!
//! Holds: nothing is changed on the disk before everything has been read and found sound, but for an erasure that a crash
//! interrupted, which is completed first.
//! Not here: which damage is an error and which is a torn end (`replay`).

use crate::{
    archive::{archive_generation, archive_name, is_unfinished, open_log},
    catalog::{CatalogVersion, Catalogs},
    commit::Visible,
    config::{Config, SHARD_COUNT_DEFAULT},
    erase::{self, is_copy},
    error::{Result, StoreError},
    format::{
        Identity,
        catalog_v1::{CATALOG_MAGIC, CATALOG_VERSION, PlacedChange, decode_versions, encode_versions},
        frame::{FRAME_ALIGN, FRAME_HEADER_BYTES, FrameHeader},
        header::{self, FILE_HEADER_BYTES, seal},
    },
    fs::Disk,
    log::{
        Health, LogEnd, Segment, Segments, is_spare, make_segment, remove_later, segment_capacity, segment_generation,
        segment_name, zero_from,
    },
    manifest::{self, KnownEnd, MANIFEST_NAME, Manifest, ManifestState, SLOT_COUNT},
    readers::{self, Readers, WAITING_NAME},
    replay::{Found, LogScan, RecordBody},
    tree::{Applied, Shards, Tree},
};
use std::{collections::BTreeSet, sync::Arc};

/// An opened database before its facade stands.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) identity: Identity,
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) readers: Arc<Readers>,
    pub(crate) catalogs: Arc<Catalogs>,
    pub(crate) tree: Arc<Tree>,
    pub(crate) segments: Arc<Segments>,
    pub(crate) segment: Segment,
    pub(crate) end: LogEnd,
    pub(crate) visible: Visible,
    /// Where the log stood when memtables were frozen during replay, oldest first.
    pub(crate) freezes: Vec<LogEnd>,
    /// How many records were replayed.
    pub(crate) replayed: u64,
}

/// The name of the catalogue file that ends with a version.
pub(crate) fn catalog_name(version: u64) -> String {
    format!("catalog-{version:010}.cat")
}

/// Opens the database of a disk, or makes one where there is none.
pub(crate) fn recover(
    disk: &Arc<dyn Disk>,
    config: &Config,
    health: &Arc<Health>,
    new_database: impl FnOnce() -> Result<[u8; 16]>,
) -> Result<Recovered> {
    let mut names = disk.list()?;
    check_writable(&**disk)?;
    let (identity, mut state) = match manifest::read(&**disk)? {
        Some((identity, state)) => {
            let database = state.shard_count;
            if let Some(asked) = config.shard_count.filter(|asked| *asked != database) {
                return Err(StoreError::ShardCount { database, asked });
            }
            (Identity { epoch: identity.epoch + 1, ..identity }, state)
        }
        None => {
            check_nothing_is_there(&**disk, &names)?;
            let identity = Identity { database: new_database()?, timeline: 1, forked_at: 0, epoch: 1 };
            (identity, ManifestState::empty(new_shard_count(config)?))
        }
    };
    if !state.erasing.is_empty() {
        // The erasure is durable: the log is not the one that the manifest speaks of before its copies are in their places.
        erase::finish(&**disk, &state)?;
        state.erasing.clear();
        names = disk.list()?;
    }
    let is_new = identity.epoch == 1;
    let archived = names.iter().filter_map(|name| archive_generation(name));
    let generations: BTreeSet<u64> = names.iter().filter_map(|name| segment_generation(name)).chain(archived).collect();
    let mut first = None;
    let mut newest = state.log_last;
    if is_new {
        first = Some(make_segment(&**disk, 1, segment_capacity(1, config.log_segment_bytes))?);
    } else {
        for generation in state.checkpoint.generation..=state.log_last {
            if !generations.contains(&generation) {
                return Err(StoreError::Missing { file: segment_name(generation) });
            }
        }
        newest = newest_segment(&**disk, &identity, &generations, state.log_last)?;
    }

    let catalogs = Arc::new(read_catalogs(&**disk, &identity, &state)?);
    let shards = Shards::new(state.shard_count, &state.slots);
    let readers = Arc::new(Readers::new(disk.clone(), identity));
    let (files, health) = (state.tree.clone(), health.clone());
    let shards = (shards, catalogs.clone());
    let tree = Tree::open(disk.clone(), files, shards, identity, config, health.clone(), readers.clone())?;
    let known = known_end(&**disk, &identity, &state)?;
    let mut scan = LogScan::new(disk.clone(), identity, catalogs.clone(), state.checkpoint, newest, known);
    let mut freezes = Vec::new();
    let mut replayed = 0;
    let mut epoch = identity.epoch;
    while !is_new && let Some(found) = scan.next_record()? {
        check_known_link(&state, &found)?;
        check_not_erased(&found)?;
        // An old manifest that was put back does not know who opened the database since.
        epoch = epoch.max(found.head.epoch + 1);
        apply(&found, &tree, &catalogs)?;
        replayed += 1;
        if tree.needs_freeze() {
            tree.freeze(found.end.commit, found.end.record);
            freezes.push(found.end);
        }
    }
    let end = *scan.end();
    let identity = Identity { epoch, ..identity };
    // What was dropped and still waits for a reader is nobody's log any more.
    check_segments(&**disk, generations.range(state.log_first..), &identity, &end)?;

    // From here on the disk is written.
    let segment = match first {
        Some(segment) => segment,
        None => open_segment(&**disk, &end, &state)?,
    };
    let begun = ManifestState { log_last: end.generation, known: KnownEnd::at(&end), closed_clean: false, ..state };
    let manifest = Arc::new(Manifest::begin(disk.clone(), identity, begun, health, readers.clone())?);
    let begun = manifest.state();
    readers.begin(end.record, begun.sequence)?;
    remove_leftovers(&**disk, &readers, &names, &end, &begun)?;
    tree.remove_strangers()?;
    let segments = Arc::new(Segments::new(disk.clone(), config.log_segment_bytes, manifest.clone()));
    let visible =
        Visible { record: end.record, commit: end.commit, instant: end.commit_instant, catalog: catalogs.newest() };
    Ok(Recovered { identity, manifest, readers, catalogs, tree, segments, segment, end, visible, freezes, replayed })
}

/// What the log must hold: what the manifest knows, and what the last writer told readers of, which was durable before it was told.
/// Without the second, damage to the last records of a killed writer would look like a torn end.
fn known_end(disk: &dyn Disk, identity: &Identity, state: &ManifestState) -> Result<KnownEnd> {
    let told = readers::published(disk, identity)?.unwrap_or_default().record;
    Ok(match told > state.known.record {
        true => KnownEnd { record: told, link: None, generation: state.log_last },
        false => state.known,
    })
}

/// Does the manifest say that a program which does not know all of its features may not write?
fn check_writable(disk: &dyn Disk) -> Result<()> {
    match manifest::unknown_to_writers(disk)? {
        0 => Ok(()),
        _ => Err(StoreError::ReadOnlyFeatures { file: MANIFEST_NAME.to_owned() }),
    }
}

/// How many shards a new database gets.
fn new_shard_count(config: &Config) -> Result<u32> {
    let (asked, most) = (config.shard_count.unwrap_or(SHARD_COUNT_DEFAULT), SLOT_COUNT as u32);
    match (1..=most).contains(&asked) {
        true => Ok(asked),
        false => Err(StoreError::ShardCountRange { asked, most }),
    }
}

/// A folder without a manifest is a new database unless other files say that there was one.
fn check_nothing_is_there(disk: &dyn Disk, names: &[String]) -> Result<()> {
    let mut is_used =
        names.iter().any(|name| [".sst", ".nts", ".cat", ".arc"].iter().any(|suffix| name.ends_with(suffix)));
    for name in names.iter().filter(|name| segment_generation(name).is_some()) {
        // A crash while a database was made leaves a segment of zeroes.
        let file = disk.open(name)?;
        let mut bytes = [0; FRAME_HEADER_BYTES];
        if file.len()? >= bytes.len() as u64 {
            file.read_at(&mut bytes, 0)?;
            is_used |= FrameHeader::read(&bytes).is_some();
        }
    }
    match is_used {
        true => Err(StoreError::Missing { file: MANIFEST_NAME.to_owned() }),
        false => Ok(()),
    }
}

/// Writes the catalogue's file that ends with a version, durably.
pub(crate) fn write_catalog(disk: &dyn Disk, identity: Identity, catalogs: &Catalogs, version: u64) -> Result<()> {
    let versions = catalogs.all();
    let upto = versions.iter().take_while(|kept| kept.catalog.version <= version);
    let bytes = seal(CATALOG_MAGIC, CATALOG_VERSION, identity, &encode_versions(upto));
    let file = disk.create(&catalog_name(version))?;
    file.write_at(&bytes, 0)?;
    file.sync()?;
    disk.sync_dir()
}

pub(crate) fn read_catalogs(disk: &dyn Disk, identity: &Identity, state: &ManifestState) -> Result<Catalogs> {
    let catalogs = Catalogs::default();
    if state.catalog_file == 0 {
        return Ok(catalogs);
    }
    let name = catalog_name(state.catalog_file);
    let bytes = disk.map(&name)?;
    let (head, body) = header::open(&name, &bytes, CATALOG_MAGIC, CATALOG_VERSION)?;
    let corrupt = |offset: u64, what: &str| StoreError::Corrupt { file: name.clone(), offset, what: what.to_owned() };
    if head.identity().database != identity.database {
        return Err(corrupt(32, "the file is another database's"));
    }
    let changes = decode_versions(body).map_err(|malformed| malformed.in_file(&name, FILE_HEADER_BYTES as u64))?;
    for change in changes {
        if !push_change(&catalogs, change) {
            return Err(corrupt(FILE_HEADER_BYTES as u64, "a change does not fit the catalogue before it"));
        }
    }
    if catalogs.newest().version != state.catalog_file {
        return Err(corrupt(FILE_HEADER_BYTES as u64, "the catalogue ends with another version"));
    }
    Ok(catalogs)
}

fn push_change(catalogs: &Catalogs, placed: PlacedChange) -> bool {
    let PlacedChange { change, after_commit, instant, record } = placed;
    let Some(catalog) = catalogs.after(&change) else { return false };
    catalogs.push(CatalogVersion { catalog: Arc::new(catalog), change: Some(change), after_commit, instant, record });
    true
}

/// Applies a record. A change of the catalogue that is known already changes nothing.
pub(crate) fn apply(found: &Found, tree: &Tree, catalogs: &Catalogs) -> Result<()> {
    let damaged = |what: &str| StoreError::Corrupt {
        file: segment_name(found.end.generation),
        offset: found.end.offset,
        what: what.to_owned(),
    };
    match &found.record.body {
        RecordBody::Commit { commit, catalog_version, write } => {
            let catalog = catalogs.at(*catalog_version);
            let catalog = catalog.ok_or_else(|| damaged("a commit names a catalogue version that is not there"))?;
            let files = found.bulk.as_ref().map_or(&[][..], |bulk| &bulk.files);
            let bulk = tree.open_bulk(files, *commit)?;
            tree.apply(&Applied {
                bulk: &bulk,
                commit: *commit,
                instant: found.record.instant,
                record: found.record.record,
                catalog: &catalog,
                write,
            })
        }
        RecordBody::Catalog { catalog_version, .. } if *catalog_version <= catalogs.newest().version => Ok(()),
        // The checkpoint that follows an erasure is behind its record.
        RecordBody::Erasure(_) => Ok(()),
        RecordBody::Catalog { catalog_version, change } => {
            let placed = PlacedChange {
                change: change.clone(),
                after_commit: found.end.commit,
                instant: found.record.instant,
                record: found.record.record,
            };
            if !push_change(catalogs, placed) || catalogs.newest().version != *catalog_version {
                return Err(damaged("a change does not fit the catalogue before it"));
            }
            Ok(())
        }
    }
}

/// The newest segment in which the log may go on, given the last one that a manifest names.
///
/// A crash before the manifest was told of the next one leaves a segment of zeroes. An old manifest that was put back knows none of
/// those that were begun since, and they have the commits that were made since. Nobody ever leaves a gap before a segment that
/// has frames: behind one there is a part of the log, and what is missing was there.
///
/// # Errors
/// [`StoreError::Missing`] for a gap; what the disk says.
pub(crate) fn newest_segment(
    disk: &dyn Disk,
    identity: &Identity,
    generations: &BTreeSet<u64>,
    named: u64,
) -> Result<u64> {
    let mut newest = named;
    while generations.contains(&(newest + 1)) {
        newest += 1;
    }
    for generation in generations.range(newest + 1..) {
        let file = open_log(disk, *generation)?;
        let mut bytes = [0; FRAME_HEADER_BYTES];
        if file.len()? >= bytes.len() as u64 {
            file.read_at(&mut bytes, 0)?;
            if FrameHeader::read(&bytes).is_some_and(|header| header.belongs(identity, *generation, 0)) {
                return Err(StoreError::Missing { file: segment_name(newest + 1) });
            }
        }
    }
    Ok(newest)
}

/// An erasure is decided on by a manifest whose checkpoint is its receipt, so nobody meets one behind the checkpoint but by an
/// older manifest: its files may have what was erased.
pub(crate) fn check_not_erased(found: &Found) -> Result<()> {
    match found.record.body {
        RecordBody::Erasure(_) => Err(StoreError::Corrupt {
            file: MANIFEST_NAME.to_owned(),
            offset: 0,
            what: format!("it is older than the erasure in record {} of the log", found.end.record),
        }),
        RecordBody::Commit { .. } | RecordBody::Catalog { .. } => Ok(()),
    }
}

/// The last record that the manifest knows must be the one that the log has.
fn check_known_link(state: &ManifestState, found: &Found) -> Result<()> {
    let known = &state.known;
    if known.record == found.end.record && known.link.is_some_and(|link| link != found.end.link) {
        return Err(StoreError::Corrupt {
            file: segment_name(found.end.generation),
            offset: found.end.offset,
            what: "the log is not the one that the manifest knows".to_owned(),
        });
    }
    Ok(())
}

/// Is every log segment up to the end there with its first frame, of this database, and the last one as long as the log?
///
/// Replay reads from the checkpoint on; what lies before it is not read when a database is opened, but a segment that was
/// cut to nothing or put in another's place must not pass.
fn check_segments<'a>(
    disk: &dyn Disk,
    generations: impl Iterator<Item = &'a u64>,
    identity: &Identity,
    end: &LogEnd,
) -> Result<()> {
    for generation in generations.copied().filter(|generation| *generation <= end.generation) {
        let name = segment_name(generation);
        let corrupt =
            |offset: u64, what: &str| StoreError::Corrupt { file: name.clone(), offset, what: what.to_owned() };
        let file = open_log(disk, generation)?;
        let len = file.len()?;
        if generation == end.generation {
            if len < end.offset {
                return Err(corrupt(len, "the file ends before the log does"));
            }
            if end.offset == 0 {
                continue;
            }
        }
        let mut bytes = [0; FRAME_HEADER_BYTES];
        if len < bytes.len() as u64 {
            return Err(corrupt(len, "the file ends before its first frame"));
        }
        file.read_at(&mut bytes, 0)?;
        match FrameHeader::read(&bytes) {
            None => return Err(corrupt(0, "the first frame is not whole")),
            Some(header) if header.is_foreign(identity) => {
                return Err(corrupt(0, "the file is another database's"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// The segment in which the log goes on, with zeroes behind its end, durable up to it.
fn open_segment(disk: &dyn Disk, end: &LogEnd, state: &ManifestState) -> Result<Segment> {
    let file = disk.open(&segment_name(end.generation))?;
    let capacity = file.len()? / FRAME_ALIGN * FRAME_ALIGN;
    if !state.closed_clean || state.known.record != end.record {
        zero_from(&*file, end.offset)?;
        file.sync()?;
    }
    Ok(Segment { generation: end.generation, file, capacity })
}

/// Removes what the manifest does not name: segments behind the log's end, segments that have an archive, spare files, archives
/// that were not finished, old catalogue files. The tree looks after its
/// own.
fn remove_leftovers(
    disk: &dyn Disk,
    readers: &Readers,
    names: &[String],
    end: &LogEnd,
    state: &ManifestState,
) -> Result<()> {
    let kept_catalog = catalog_name(state.catalog_file);
    let first = state.checkpoint.generation;
    let is_archived = |generation: u64| generation < first && names.contains(&archive_name(generation));
    let is_leftover = |name: &&String| {
        segment_generation(name).is_some_and(is_archived)
            || is_spare(name)
            || is_unfinished(name)
            || is_copy(name)
            || *name == WAITING_NAME
    };
    for name in names.iter().filter(|name| name.ends_with(".cat") && **name != kept_catalog) {
        // A version that no manifest named may be written again under this name.
        match *name < kept_catalog {
            true => readers.give_up(name.clone()),
            false => disk.remove(name)?,
        }
    }
    remove_later(disk, names, end.generation)?;
    let mut removed = false;
    for name in names.iter().filter(is_leftover) {
        disk.remove(name)?;
        removed = true;
    }
    if removed {
        disk.sync_dir()?;
    }
    Ok(())
}
