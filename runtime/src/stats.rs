//! What do SHOW STATS, SHOW TABLE STATS and SHOW STORAGE tell?
//!
//! The store's figures as rows. Each figure of SHOW STATS is a row of its own, so that more can be added without a query
//! breaking. Rows are ordered; figures about the whole database stand before those about its parts.
//!
//! Not here: counting (`spectradb_store::figures`).

use crate::{error::Result, rows::Outcome, session::Session, statement::result};
use spectradb_kernel::{Type, Value, interval::Interval, schema::TableSchema, time::MICROS_PER_DAY};
use spectradb_store::{IoBackend, LevelFigures, Snapshot, commits::COMMITS_NAME};
use std::sync::Arc;

impl Session {
    /// SHOW STATS: part, figure, value, unit.
    pub(crate) fn show_stats(&self, sql: &Arc<str>) -> Result<Outcome> {
        let store = self.store();
        let (stats, log, written) = (store.stats(), store.log_figures()?, store.written_figures());
        let cache = stats.block_cache;
        let asked = cache.hits + cache.misses;
        let remembered = cache.remembered_bytes + stats.memtable_remembered_bytes;
        let (plans, plans_max) = self.plan_counts();
        let plan_bytes = self.plan_bytes();
        let backend = store.io_backend();
        let through_uring = f64::from(u8::from(backend == IoBackend::Uring));
        let backend = backend.to_string();
        let erased = store.erasure_figures();
        let (waiting, waiting_bytes) = store.waiting_figures();
        let readers = store.reader_figures()?;
        let names: Vec<String> = readers.iter().map(|reader| format!("reader {}", reader.pid)).collect();
        let share = |part: u64, whole: u64| if whole == 0 { None } else { Some(part as f64 / whole as f64) };
        let mut figures: Vec<(&str, &str, Option<f64>, &str)> = vec![
            ("ledger", "commit", Some(stats.commit as f64), "number"),
            ("ledger", "record", Some(stats.record as f64), "number"),
            ("ledger", "receipts", Some(erased.receipts as f64), "erasures"),
            ("ledger", "erased", Some(erased.facts as f64), "facts"),
            ("ledger", "shards", Some(f64::from(stats.shard_count)), "shards"),
            ("log", "segments", Some(log.segments as f64), "files"),
            ("log", "size", Some(log.bytes as f64), "bytes"),
            ("log", "archives", Some(log.archives as f64), "files"),
            ("log", "archive_size", Some(log.archive_bytes as f64), "bytes"),
            ("log", "durable_record", Some(log.durable_record as f64), "number"),
            ("log", "replay", Some(log.replay_bytes as f64), "bytes"),
            ("log", "replayed_at_open", Some(stats.opened.replayed_records as f64), "records"),
            ("segments", "files", Some(stats.segment_count as f64), "files"),
            ("segments", "size", Some(stats.segment_bytes as f64), "bytes"),
            ("segments", "notes_files", Some(stats.notes_count as f64), "files"),
            ("disk", "io_uring", Some(through_uring), backend.as_str()),
            ("written", "log", Some(written.log_bytes as f64), "bytes"),
            ("written", "bulk", Some(written.bulk_bytes as f64), "bytes"),
            ("written", "flush", Some(written.flush_bytes as f64), "bytes"),
            ("written", "compaction", Some(written.compaction_bytes as f64), "bytes"),
            ("written", "amplification", written.amplification(), "ratio"),
            ("writers", "slowdowns", Some(stats.write_slowdowns as f64), "commits"),
            ("writers", "stalls", Some(stats.write_stalls as f64), "commits"),
            ("compaction", "running", Some(stats.compactions_running as f64), "compactions"),
            ("scans", "rows_read", Some(stats.scans.rows_read as f64), "rows"),
            ("scans", "history_rows_read", Some(stats.scans.history_rows_read as f64), "rows"),
            ("scans", "rows_given", Some(stats.scans.rows_given as f64), "rows"),
            ("block_cache", "hits", Some(cache.hits as f64), "reads"),
            ("block_cache", "misses", Some(cache.misses as f64), "reads"),
            ("block_cache", "hit_rate", share(cache.hits, asked), "ratio"),
            ("block_cache", "evictions", Some(cache.evictions as f64), "blocks"),
            ("memory", "memtables", Some(stats.memtable_bytes as f64), "bytes"),
            ("memory", "frozen_memtables", Some(stats.frozen_count as f64), "memtables"),
            ("memory", "block_cache", Some(cache.bytes as f64), "bytes"),
            ("memory", "block_cache_max", Some(cache.bytes_max as f64), "bytes"),
            ("memory", "remembered", Some(remembered as f64), "bytes"),
            ("memory", "indexes", Some(stats.block_cache.index_bytes as f64), "bytes"),
            ("memory", "plan_cache", Some(plans as f64), "plans"),
            ("memory", "plan_cache_max", Some(plans_max as f64), "plans"),
            ("memory", "plan_cache_size", Some(plan_bytes as f64), "bytes"),
            ("readers", "processes", Some(readers.len() as f64), "processes"),
            ("readers", "held_files", Some(waiting as f64), "files"),
            ("readers", "held_size", Some(waiting_bytes as f64), "bytes"),
        ];
        for (reader, name) in readers.iter().zip(&names) {
            figures.extend([
                (name.as_str(), "behind", Some(reader.manifests_behind as f64), "manifests"),
                (name.as_str(), "log_from", Some(reader.log_from as f64), "segment"),
                (name.as_str(), "held_files", Some(reader.held_files as f64), "files"),
            ]);
        }
        let row = |(part, figure, value, unit): &(&str, &str, Option<f64>, &str)| {
            vec![Value::from(*part), Value::from(*figure), value.map_or(Value::Null, Value::Real), Value::from(*unit)]
        };
        let columns = [("part", Type::Text), ("figure", Type::Text), ("value", Type::Real), ("unit", Type::Text)];
        result(&columns, figures.iter().map(row).collect(), sql)
    }

    /// SHOW TABLE STATS: a row for the table, or for each.
    pub(crate) fn show_table_stats(
        &self,
        table: Option<&TableSchema>,
        snapshot: &Snapshot,
        sql: &Arc<str>,
    ) -> Result<Outcome> {
        let mut tables: Vec<&TableSchema> = match table {
            Some(table) => vec![table],
            None => snapshot.catalog().tables.iter().map(|table| &**table).collect(),
        };
        tables.sort_by(|one, other| one.name.cmp(&other.name));
        let row = |table: &&TableSchema| {
            let figures = self.store().table_figures(table.id);
            // A retention is whole microseconds; days are only how it reads.
            let retention = snapshot.catalog().retention(table.id).map(|micros| (micros / MICROS_PER_DAY, micros));
            let retention = retention.and_then(|(days, micros)| Interval::new(0, days, micros % MICROS_PER_DAY));
            Ok(vec![
                Value::from(table.name.as_str()),
                integer(figures.rows),
                integer(figures.versions),
                integer(figures.memtable_versions),
                integer(figures.present_bytes),
                integer(figures.history_bytes),
                retention.map_or(Value::Null, Value::Interval),
                integer(snapshot.horizon(table.id)?),
            ])
        };
        let columns = [
            ("table", Type::Text),
            ("rows", Type::Integer),
            ("versions", Type::Integer),
            ("versions_in_memory", Type::Integer),
            ("present_bytes", Type::Integer),
            ("history_bytes", Type::Integer),
            ("retention", Type::Interval),
            ("readable_from", Type::Integer),
        ];
        result(&columns, tables.iter().map(row).collect::<Result<_>>()?, sql)
    }

    /// SHOW STORAGE: the files, by table, level and kind; those of no table last.
    pub(crate) fn show_storage(&self, snapshot: &Snapshot, sql: &Arc<str>) -> Result<Outcome> {
        let store = self.store();
        let row = |figures: &LevelFigures| {
            // A dropped table's facts stay; the commits' own table is in no catalogue.
            let table = match store.catalogs().schema(figures.table) {
                Some(table) if snapshot.catalog().by_id(figures.table).is_some() => Value::from(table.name.as_str()),
                Some(table) => Value::from(format!("{} (dropped)", table.name).as_str()),
                None => Value::from(COMMITS_NAME),
            };
            let kind = if figures.is_history { "history" } else { "present" };
            vec![
                table,
                Value::Integer(i64::from(figures.level)),
                Value::from(kind),
                integer(figures.files),
                integer(figures.versions),
                integer(figures.bytes),
            ]
        };
        let mut rows: Vec<Vec<Value>> = store.level_figures().iter().map(row).collect();
        let of_database = |kind: &str, files: u64, bytes: u64| {
            vec![Value::Null, Value::Null, Value::from(kind), integer(files), Value::Null, integer(bytes)]
        };
        let (notes, notes_bytes) = store.notes_figures();
        let log = store.log_figures()?;
        rows.push(of_database("notes", notes, notes_bytes));
        rows.push(of_database("log", log.segments, log.bytes));
        rows.push(of_database("archive", log.archives, log.archive_bytes));
        let (waiting, waiting_bytes) = store.waiting_figures();
        rows.push(of_database("waiting", waiting, waiting_bytes));
        let columns = [
            ("table", Type::Text),
            ("level", Type::Integer),
            ("kind", Type::Text),
            ("files", Type::Integer),
            ("versions", Type::Integer),
            ("bytes", Type::Integer),
        ];
        result(&columns, rows, sql)
    }
}

fn integer(count: u64) -> Value {
    Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}
