//! What does the command line ask for?

use crate::{ledger, output::Mode};
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};
use spectradb::embed::{CompressionPolicy, Config, Durability, LogArchive};
use std::path::PathBuf;

/// What the command line says, in terms of the shell.
pub(crate) struct Args {
    pub(crate) path: PathBuf,
    pub(crate) config: Config,
    pub(crate) tasks: Vec<Task>,
    pub(crate) mode: Mode,
    pub(crate) null: Option<String>,
    pub(crate) header: bool,
    pub(crate) bail: bool,
    /// What to do instead of being a shell.
    pub(crate) instead: Option<Instead>,
}

/// What else the program does.
pub(crate) enum Instead {
    Bench(Bench),
    Ledger(ledger::Command),
}

/// What `spectradb bench` measures.
pub(crate) struct Bench {
    pub(crate) path: PathBuf,
    pub(crate) config: Config,
    pub(crate) write_ops: u64,
    pub(crate) read_ops: u64,
    pub(crate) keyspace: u64,
    pub(crate) read_miss_ratio: f64,
    pub(crate) threads: u32,
}

/// Something to run before the shell ends, in the order of the command line.
pub(crate) enum Task {
    Command(String),
    File(PathBuf),
}

/// SQL over an embedded database that remembers every state it was in.
///
/// Without -c and -f, statements are read from the terminal or from stdin.
#[derive(Parser)]
#[command(name = "spectradb", version, args_conflicts_with_subcommands = true)]
struct Raw {
    /// The database's folder; it is made if it is not there. Without it the database is in memory and gone at the end.
    #[arg(value_name = "DIR", conflicts_with = "path")]
    dir: Option<PathBuf>,
    /// The same as DIR.
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// Run these statements and end. May be repeated.
    #[arg(short = 'c', value_name = "SQL", action = ArgAction::Append)]
    command: Vec<String>,
    /// Run the statements of this file and end. May be repeated.
    #[arg(short = 'f', long, value_name = "FILE", action = ArgAction::Append)]
    file: Vec<PathBuf>,
    /// How rows are printed.
    #[arg(long, value_name = "MODE", value_parser = Mode::parse, default_value = "table")]
    #[arg(help = "How rows are printed: table, line, csv, json or jsonl")]
    mode: Mode,
    /// What stands for NULL; in json and jsonl it is always null. [default: NULL, nothing in csv]
    #[arg(long, value_name = "TEXT")]
    null: Option<String>,
    /// Print no line of column names in table and csv.
    #[arg(long)]
    no_header: bool,
    /// End at the first error.
    #[arg(long)]
    bail: bool,
    #[command(flatten)]
    knobs: Knobs,
    #[command(subcommand)]
    subcommand: Option<Subcommand>,
}

#[derive(clap::Subcommand)]
enum Subcommand {
    /// Measure commits and point reads on this machine.
    Bench(RawBench),
    #[command(flatten)]
    Ledger(ledger::Command),
}

#[derive(clap::Args)]
struct RawBench {
    /// The folder of a new database to measure in. Without it the database is in memory.
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// Commits of one row.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    write_ops: u64,
    /// Point reads by key.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    read_ops: u64,
    /// So many keys are written, again and again.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=1 << 60))]
    keyspace: u64,
    /// The share of reads whose key is not there.
    #[arg(long, value_name = "RATIO", default_value_t = 0.0, value_parser = ratio)]
    read_miss_ratio: f64,
    /// Sessions that work at the same time, each on a thread.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: u32,
    /// When a commit is acknowledged: synced, none, or a number of records after which the log is synced.
    #[arg(long, value_name = "WHEN", value_parser = durability, conflicts_with = "wal_fsync_every_n_records")]
    durability: Option<Durability>,
    #[command(flatten)]
    knobs: Knobs,
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&ratio) { Ok(ratio) } else { Err("a ratio lies between 0 and 1".to_owned()) }
}

fn durability(text: &str) -> Result<Durability, String> {
    match (text, text.parse::<u32>()) {
        ("synced", _) | (_, Ok(1)) => Ok(Durability::Synced),
        ("none", _) | (_, Ok(0)) => Ok(Durability::None),
        (_, Ok(records)) => Ok(Durability::EveryRecords(records)),
        (_, Err(_)) => Err("say synced, none or a number of records".to_owned()),
    }
}

/// The database's settings.
#[derive(clap::Args)]
struct Knobs {
    /// Sync the log once in so many commits: 1 acknowledges no commit before it is synced, 0 leaves syncing to flush and
    /// close. What was not synced is lost when the machine fails. [default: 1]
    #[arg(long, value_name = "N")]
    wal_fsync_every_n_records: Option<u32>,
    /// Write the memtable out when it passes so many bytes.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    memtable_max_bytes: Option<u64>,
    /// Write a commit with so many bytes of one table to SSTables at once, instead of to the log.
    #[arg(long, value_name = "BYTES")]
    bulk_min_bytes: Option<u64>,
    /// How many bytes of new facts a transaction keeps in memory; more of them go to SSTables before it commits.
    #[arg(long, value_name = "BYTES")]
    transaction_max_bytes: Option<u64>,
    /// How many bytes a block of an SSTable aims at.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    sstable_block_bytes: Option<u64>,
    /// How many bytes of memory the checked blocks of SSTables may take.
    #[arg(long, value_name = "BYTES")]
    block_cache_max_bytes: Option<u64>,
    /// Bits of bloom filter for each key.
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u32).range(0..=64))]
    bloom_bits_per_key: Option<u32>,
    /// How many shards a new database is split into; an existing one is refused if it has another number. [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    shard_count: Option<u32>,
    /// Which SSTables are packed: none; cold packs level 1 with LZ4, deeper levels and history with Zstandard.
    #[arg(long, value_name = "POLICY", value_enum)]
    compression: Option<Packing>,
    /// What becomes of log segments whose facts are all in SSTables: they stay, are packed, or go. [default: keep]
    #[arg(long, value_name = "POLICY", value_enum)]
    log_archive: Option<Archive>,
    /// Only read, beside the process that writes the database if there is one; its commits are seen as they become durable.
    #[arg(long)]
    read_only: bool,
    /// Read SSTables into memory piece by piece instead of mapping them.
    #[arg(long)]
    no_mmap: bool,
    /// Write and sync files through io_uring, and with --no-mmap read many blocks at once. Where it cannot be had, stderr
    /// says why and the database works without it.
    #[arg(long)]
    io_uring: bool,
}

/// What `--log-archive` may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Archive {
    Keep,
    Compress,
    Drop,
}

/// What `--compression` may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Packing {
    None,
    Cold,
}

/// Reads the command line; ends the process with a message if it cannot be read.
pub(crate) fn parse() -> Args {
    let matches = Raw::command().get_matches();
    let order = |id: &str| matches.indices_of(id).map(Iterator::collect::<Vec<_>>).unwrap_or_default();
    let (command_idxs, file_idxs) = (order("command"), order("file"));
    let raw = Raw::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let commands = command_idxs.into_iter().zip(raw.command.iter().cloned().map(Task::Command));
    let files = file_idxs.into_iter().zip(raw.file.iter().cloned().map(Task::File));
    let mut tasks: Vec<(usize, Task)> = commands.chain(files).collect();
    tasks.sort_by_key(|(arg_idx, _)| *arg_idx);
    let config = config(&raw.knobs);
    let instead = raw.subcommand.map(|subcommand| match subcommand {
        Subcommand::Bench(raw) => Instead::Bench(bench(raw)),
        Subcommand::Ledger(command) => Instead::Ledger(command),
    });
    Args {
        instead,
        path: raw.path.or(raw.dir).unwrap_or_else(|| PathBuf::from(":memory:")),
        config,
        tasks: tasks.into_iter().map(|(_, task)| task).collect(),
        mode: raw.mode,
        null: raw.null,
        header: !raw.no_header,
        bail: raw.bail,
    }
}

fn bench(raw: RawBench) -> Bench {
    let mut config = config(&raw.knobs);
    config.durability = raw.durability.unwrap_or(config.durability);
    Bench {
        path: raw.path.unwrap_or_else(|| PathBuf::from(":memory:")),
        config,
        write_ops: raw.write_ops,
        read_ops: raw.read_ops,
        keyspace: raw.keyspace,
        read_miss_ratio: raw.read_miss_ratio,
        threads: raw.threads,
    }
}

fn config(raw: &Knobs) -> Config {
    let mut config = Config::default();
    if let Some(records) = raw.wal_fsync_every_n_records {
        config.durability = match records {
            0 => Durability::None,
            1 => Durability::Synced,
            many => Durability::EveryRecords(many),
        };
    }
    // More bytes than a machine can address are as good as no bound.
    let bytes = |flag: u64| usize::try_from(flag).unwrap_or(usize::MAX);
    if let Some(flag) = raw.memtable_max_bytes {
        config.memtable_bytes_max = bytes(flag);
    }
    if let Some(flag) = raw.bulk_min_bytes {
        config.bulk_bytes_min = bytes(flag);
    }
    if let Some(flag) = raw.transaction_max_bytes {
        config.transaction_bytes_max = bytes(flag);
    }
    if let Some(flag) = raw.sstable_block_bytes {
        config.sstable_block_bytes = bytes(flag);
    }
    if let Some(flag) = raw.block_cache_max_bytes {
        config.block_cache_bytes_max = bytes(flag);
    }
    if let Some(flag) = raw.bloom_bits_per_key {
        config.bloom_bits_per_key = flag;
    }
    config.shard_count = raw.shard_count.or(config.shard_count);
    config.compression = match raw.compression {
        None | Some(Packing::None) => CompressionPolicy::NONE,
        Some(Packing::Cold) => CompressionPolicy::COLD,
    };
    config.mapped = !raw.no_mmap;
    config.read_only = raw.read_only;
    config.io_uring = raw.io_uring;
    config.log_archive = match raw.log_archive {
        None | Some(Archive::Keep) => LogArchive::Keep,
        Some(Archive::Compress) => LogArchive::Compress,
        Some(Archive::Drop) => LogArchive::Drop,
    };
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_set_the_fields_of_the_config() {
        Raw::command().debug_assert();
        let raw = Raw::try_parse_from([
            "spectradb",
            "db",
            "--wal-fsync-every-n-records",
            "8",
            "--memtable-max-bytes=1048576",
            "--bulk-min-bytes=65536",
            "--transaction-max-bytes=77",
            "--sstable-block-bytes=4096",
            "--block-cache-max-bytes=1000",
            "--bloom-bits-per-key=12",
            "--shard-count=4",
            "--compression=cold",
            "--no-mmap",
            "--io-uring",
            "--log-archive=compress",
        ]);
        let config = config(&raw.unwrap_or_else(|error| panic!("{error}")).knobs);
        assert_eq!(config.durability, Durability::EveryRecords(8));
        assert_eq!((config.memtable_bytes_max, config.sstable_block_bytes), (1 << 20, 4096));
        assert_eq!((config.block_cache_bytes_max, config.bulk_bytes_min), (1000, 65536));
        assert_eq!(config.transaction_bytes_max, 77);
        assert_eq!((config.bloom_bits_per_key, config.shard_count), (12, Some(4)));
        assert_eq!((config.compression, config.mapped, config.io_uring), (CompressionPolicy::COLD, false, true));
        assert_eq!(config.log_archive, LogArchive::Compress);
    }
}
