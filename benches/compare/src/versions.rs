//! What does the past cost: reading the present of a table with many versions a key, and reading the past itself?
//!
//! Accounts with a balance. After the first commit, which makes them, either each commit changes every balance (`round-robin`) or
//! each changes a hundredth of them (`random`, and `shuffled`, where a key's changes do not come at even distances), until every key
//! has as many versions as asked for, on average. What a balance is at a commit can be computed, so every answer is checked.
//!
//! SQLite keeps a table of the present and one of the history, with the commits between which each version held; LMDB keeps all
//! versions under (key, commit), newest first. Both are what is usually built where time travel is wanted.

use crate::{Random, engine::Sync, median, peers::lmdb::environment, table};
use cpu_time::ThreadTime;
use heed::types::Bytes;
use rusqlite::{Connection, params};
use spectradb::{At, Config, Database, Durability, Table, Timestamp, Value, kernel};
use std::{path::Path, time::Instant};

/// How the versions come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    RoundRobin,
    Random,
    Shuffled,
}

/// Commits that change a hundredth of the keys each take a hundred times as many.
const PARTS: i64 = 100;

/// What shuffled changes are mixed by.
const PRIME: i64 = 1_000_003;

/// A history that can be computed.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How its versions come.
    pub history: History,
    /// How many keys.
    pub keys: i64,
    /// How many versions of each.
    pub versions: i64,
}

impl Plan {
    /// Commits after the first.
    pub fn commits(self) -> i64 {
        match self.history {
            History::RoundRobin => self.versions - 1,
            History::Random | History::Shuffled => (self.versions - 1) * PARTS,
        }
    }

    /// Does a commit change a key?
    pub fn touches(self, key: i64, commit: i64) -> bool {
        match self.history {
            History::RoundRobin => true,
            History::Random => (key * 7919 + commit * 6151) % PARTS == 0,
            History::Shuffled => {
                let mixed = (key * 7919 + commit * 104_729) % PRIME;
                mixed * mixed % PRIME % PARTS == 0
            }
        }
    }

    /// The balance that a commit gives a key.
    pub fn balance(self, key: i64, commit: i64) -> i64 {
        (key * 31 + commit * 17) % 1_000
    }

    /// The balance of a key as it was after a commit; commit 0 makes all keys.
    fn as_of(self, key: i64, commit: i64) -> i64 {
        let last = (1..=commit).rev().find(|commit| self.touches(key, *commit)).unwrap_or(0);
        self.balance(key, last)
    }

    /// The sum of all balances as it was after a commit.
    pub fn sum_as_of(self, commit: i64) -> i64 {
        (0..self.keys).map(|key| self.as_of(key, commit)).sum()
    }
}

/// An engine that holds a history.
pub trait Past {
    /// The balance of each key, now or after a commit, summed.
    fn points(&mut self, keys: &[i64], commit: Option<i64>) -> i64;
    /// The sum of all balances, now or after a commit.
    fn scan(&mut self, commit: Option<i64>) -> i64;
}

/// SpectraDB.
pub struct Ours {
    /// What is asked.
    pub db: Database,
    /// What asks.
    pub session: spectradb::Session,
    /// The ledger's commit number of the commit that made all keys.
    pub first: i64,
}

/// The table as a struct.
#[derive(Table)]
#[table(name = "account")]
struct Account {
    #[key]
    id: i64,
    balance: i64,
}

/// The same database through typed tables.
struct Typed(Ours);

impl Past for Typed {
    fn points(&mut self, keys: &[i64], commit: Option<i64>) -> i64 {
        let at = commit.map_or(At::now(), |commit| At::commit((self.0.first + commit) as u64));
        let get = |key: &i64| self.0.session.get_at::<Account>(*key, at).expect("it reads").expect("the key is there");
        keys.iter().map(|key| get(key).balance).sum()
    }

    fn scan(&mut self, commit: Option<i64>) -> i64 {
        self.0.scan(commit)
    }
}

/// A database with a history, compacted.
pub fn ours(path: &Path, plan: Plan) -> Ours {
    let db = Database::open_with(path, Config { durability: Durability::None, ..Config::default() }).expect("opens");
    db.sql("CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)").expect("a table");
    let mut session = db.session();
    let ids: Vec<i64> = (0..plan.keys).collect();
    let balances = ids.iter().map(|id| plan.balance(*id, 0)).collect();
    let columns = vec![
        kernel::Column::from_i64s(kernel::Type::Integer, ids),
        kernel::Column::from_i64s(kernel::Type::Integer, balances),
    ];
    session.append("account", columns).expect("the keys are new");
    let first = db.current_commit() as i64;
    let sql = match plan.history {
        History::RoundRobin => "UPDATE account SET balance = (id * 31 + $1 * 17) % 1000",
        History::Random => {
            "UPDATE account SET balance = (id * 31 + $1 * 17) % 1000 WHERE (id * 7919 + $1 * 6151) % 100 = 0"
        }
        History::Shuffled => {
            "UPDATE account SET balance = (id * 31 + $1 * 17) % 1000 \
             WHERE (id * 7919 + $1 * 104729) % 1000003 * ((id * 7919 + $1 * 104729) % 1000003) % 1000003 % 100 = 0"
        }
    };
    let mut update = session.prepare(sql).expect("it binds");
    for commit in 1..=plan.commits() {
        session.execute_prepared(&mut update, &[Value::Integer(commit)]).expect("it runs");
    }
    db.store().compact().expect("the disk holds it");
    Ours { db, session, first }
}

impl Ours {
    fn run(&mut self, sql: &str, params: &[Value]) -> i64 {
        let mut prepared = self.session.prepare(sql).expect("it binds");
        let rows = self.session.execute_prepared(&mut prepared, params).expect("it runs");
        let row = rows.into_rows().expect("a query").next().expect("a row").expect("it reads");
        row.get::<i64>(0).expect("a number")
    }
}

impl Past for Ours {
    fn points(&mut self, keys: &[i64], commit: Option<i64>) -> i64 {
        let sql = match commit {
            None => "SELECT balance FROM account WHERE id = $1",
            Some(_) => "SELECT balance FROM account WHERE id = $1 AS OF $2",
        };
        let mut get = self.session.prepare(sql).expect("it binds");
        let mut sum = 0;
        for key in keys {
            let both = [Value::Integer(*key), Value::Integer(self.first + commit.unwrap_or(0))];
            let params = if commit.is_some() { &both[..] } else { &both[..1] };
            let rows = self.session.execute_prepared(&mut get, params).expect("it runs");
            let row = rows.into_rows().expect("a query").next().expect("a row").expect("it reads");
            sum += row.get::<i64>(0).expect("a number");
        }
        sum
    }

    fn scan(&mut self, commit: Option<i64>) -> i64 {
        match commit {
            None => self.run("SELECT sum(balance) FROM account", &[]),
            Some(commit) => {
                self.run("SELECT sum(balance) FROM account AS OF $1", &[Value::Integer(self.first + commit)])
            }
        }
    }
}

struct Sqlite {
    connection: Connection,
}

fn sqlite(path: &Path, plan: Plan) -> Sqlite {
    std::fs::create_dir_all(path).expect("a folder");
    let connection = Connection::open(path.join("t.sqlite")).expect("opens");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000; PRAGMA mmap_size = 4294967296;
             CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER, since INTEGER);
             CREATE TABLE history (id INTEGER, since INTEGER, upto INTEGER, balance INTEGER, PRIMARY KEY (id, since)) WITHOUT ROWID;
             BEGIN",
        )
        .expect("tables");
    let mut last: Vec<i64> = vec![0; plan.keys as usize];
    {
        let mut past = connection.prepare("INSERT INTO history VALUES (?, ?, ?, ?)").expect("it binds");
        // Key by key, in the order of the table: loading is not what is measured.
        for key in 0..plan.keys {
            let mut since = 0;
            for commit in (1..=plan.commits()).filter(|commit| plan.touches(key, *commit)) {
                past.execute(params![key, since, commit, plan.balance(key, since)]).expect("it takes the row");
                since = commit;
            }
            last[key as usize] = since;
        }
        let mut now = connection.prepare("INSERT INTO account VALUES (?, ?, ?)").expect("it binds");
        for key in 0..plan.keys {
            let since = last[key as usize];
            now.execute(params![key, plan.balance(key, since), since]).expect("it takes the row");
        }
    }
    connection.execute_batch("COMMIT").expect("it commits");
    Sqlite { connection }
}

impl Past for Sqlite {
    fn points(&mut self, keys: &[i64], commit: Option<i64>) -> i64 {
        let mut now =
            self.connection.prepare_cached("SELECT balance, since FROM account WHERE id = ?").expect("it binds");
        let mut past = self
            .connection
            .prepare_cached("SELECT balance FROM history WHERE id = ? AND since <= ? ORDER BY since DESC LIMIT 1")
            .expect("it binds");
        let mut sum = 0;
        for key in keys {
            let (balance, since): (i64, i64) =
                now.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).expect("the key is there");
            sum += match commit {
                Some(commit) if since > commit => {
                    past.query_row([*key, commit], |row| row.get::<_, i64>(0)).expect("the version is there")
                }
                _ => balance,
            };
        }
        sum
    }

    fn scan(&mut self, commit: Option<i64>) -> i64 {
        let sql = match commit {
            None => "SELECT sum(balance) FROM account WHERE ?1 IS NULL",
            Some(_) => {
                "SELECT coalesce((SELECT sum(balance) FROM account WHERE since <= ?1), 0)
                      + coalesce((SELECT sum(balance) FROM history WHERE since <= ?1 AND upto > ?1), 0)"
            }
        };
        self.connection.query_row(sql, [commit], |row| row.get(0)).expect("it runs")
    }
}

struct Lmdb {
    env: heed::Env,
    table: heed::Database<Bytes, Bytes>,
}

fn versioned(key: i64, commit: i64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&key.to_be_bytes());
    // Newest first: the first version at or after the place asked for is the one that held.
    bytes[8..].copy_from_slice(&(u64::MAX - commit as u64).to_be_bytes());
    bytes
}

fn lmdb(path: &Path, plan: Plan) -> Lmdb {
    let env = environment(path, Sync::Lazy);
    let mut txn = env.write_txn().expect("a transaction");
    let table: heed::Database<Bytes, Bytes> = env.create_database(&mut txn, None).expect("a table");
    for key in 0..plan.keys {
        for commit in (0..=plan.commits()).rev().filter(|commit| *commit == 0 || plan.touches(key, *commit)) {
            let balance = plan.balance(key, commit).to_le_bytes();
            table
                .put_with_flags(&mut txn, heed::PutFlags::APPEND, &versioned(key, commit), &balance)
                .expect("it takes the row");
        }
    }
    txn.commit().expect("it commits");
    Lmdb { env, table }
}

fn balance_of(value: &[u8]) -> i64 {
    i64::from_le_bytes(value.try_into().expect("eight bytes"))
}

impl Past for Lmdb {
    fn points(&mut self, keys: &[i64], commit: Option<i64>) -> i64 {
        let txn = self.env.read_txn().expect("a transaction");
        let mut sum = 0;
        for key in keys {
            let place = versioned(*key, commit.unwrap_or(i64::MAX));
            let found = self.table.get_greater_than_or_equal_to(&txn, &place).expect("it reads");
            sum += balance_of(found.expect("the key is there").1);
        }
        sum
    }

    fn scan(&mut self, commit: Option<i64>) -> i64 {
        let txn = self.env.read_txn().expect("a transaction");
        let upto = commit.unwrap_or(i64::MAX) as u64;
        let (mut sum, mut done) = (0, [0xff; 8]);
        for entry in self.table.iter(&txn).expect("it reads") {
            let (key, value) = entry.expect("it reads");
            let since = u64::MAX - u64::from_be_bytes(key[8..].try_into().expect("eight bytes"));
            if key[..8] != done && since <= upto {
                done.copy_from_slice(&key[..8]);
                sum += balance_of(value);
            }
        }
        sum
    }
}

/// Makes the histories and prints what reading them costs.
pub fn compare(folder: &Path, keys: i64, versions: i64, runs: usize, wanted: &dyn Fn(&str) -> bool) {
    const POINTS: usize = 100_000;
    for history in [History::RoundRobin, History::Random] {
        let plan = Plan { history, keys, versions };
        let mut table = table::Table::new(
            format!("{keys} keys x {versions} versions, {history:?}, a second of CPU time"),
            &["points now", "points as of", "scans now", "scans as of"],
        );
        let mut random = Random::new(3);
        let picked: Vec<i64> = (0..POINTS).map(|_| random.below(keys)).collect();
        let past: Vec<i64> = (0..runs.max(1)).map(|_| random.below(plan.commits())).collect();
        // A table with one version shows what the past costs the present.
        let single = Plan { versions: 1, ..plan };
        let one = ours(&folder.join(format!("{history:?}-single")), single);
        let started = Instant::now();
        let path = folder.join(format!("{history:?}-SpectraDB"));
        let mut engine = ours(&path, plan);
        eprintln!("SpectraDB: {} commits in {:.1} s", plan.commits() + 1, started.elapsed().as_secs_f64());
        table.row("SpectraDB", &measure(&mut engine, plan, &picked, &past));
        table.row("SpectraDB, typed", &measure(&mut Typed(engine), plan, &picked, &past));
        let (log, rest) = bytes_of_ours(&path);
        let count = (0..keys).map(|key| 1 + (1..=plan.commits()).filter(|c| plan.touches(key, *c)).count() as u64);
        let count = count.sum::<u64>() as f64;
        println!("SpectraDB: {:.1} bytes a version, and {:.1} of log", rest as f64 / count, log as f64 / count);
        let cases: [(&str, fn(&Path, Plan) -> Box<dyn Past>); 2] =
            [("LMDB", |path, plan| Box::new(lmdb(path, plan))), ("SQLite", |path, plan| Box::new(sqlite(path, plan)))];
        for (name, make) in cases.into_iter().filter(|(name, _)| wanted(name)) {
            let started = Instant::now();
            let mut engine = make(&folder.join(format!("{history:?}-{name}")), plan);
            eprintln!("{name}: {} commits in {:.1} s", plan.commits() + 1, started.elapsed().as_secs_f64());
            table.row(name, &measure(&mut *engine, plan, &picked, &past));
        }
        let mut one = one;
        let now = |one: &mut Ours| {
            let points = timed(picked.len() as f64, || one.points(&picked, None));
            let scans = timed(1.0, || one.scan(None));
            (points, scans)
        };
        now(&mut one);
        let (points, scans) = now(&mut one);
        table.row("SpectraDB with one version a key", &[points, f64::NAN, scans, f64::NAN]);
        table.print();
    }
}

/// The bytes of the log and of the other files in the folder of a database.
fn bytes_of_ours(path: &Path) -> (u64, u64) {
    let (mut log, mut rest) = (0, 0);
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        let bytes = entry.metadata().map_or(0, |data| std::os::unix::fs::MetadataExt::blocks(&data) * 512);
        let name = entry.file_name().to_string_lossy().into_owned();
        match name.starts_with("log-") || name.starts_with("spare-") {
            true => log += bytes,
            false => rest += bytes,
        }
    }
    (log, rest)
}

fn timed(count: f64, work: impl FnOnce() -> i64) -> f64 {
    let started = ThreadTime::now();
    std::hint::black_box(work());
    count / started.elapsed().as_secs_f64()
}

fn measure(engine: &mut dyn Past, plan: Plan, picked: &[i64], past: &[i64]) -> [f64; 4] {
    let latest = plan.commits();
    // Checked once for each question, and warm for what follows.
    let expected = picked.iter().map(|key| plan.as_of(*key, latest)).sum::<i64>();
    assert_eq!(engine.points(picked, None), expected, "the present of some keys");
    assert_eq!(engine.scan(None), plan.sum_as_of(latest), "the present");
    for commit in past {
        let expected = picked.iter().map(|key| plan.as_of(*key, *commit)).sum::<i64>();
        assert_eq!(engine.points(picked, Some(*commit)), expected, "some keys as of {commit}");
        assert_eq!(engine.scan(Some(*commit)), plan.sum_as_of(*commit), "all as of {commit}");
    }
    let mut next = past.iter().cycle();
    let mut commit = || *next.next().expect("there is one");
    let runs = past.len();
    [
        median(runs, || timed(picked.len() as f64, || engine.points(picked, None))),
        median(runs, || timed(picked.len() as f64, || engine.points(picked, Some(commit())))),
        median(runs, || timed(1.0, || engine.scan(None))),
        median(runs, || timed(1.0, || engine.scan(Some(commit())))),
    ]
}

/// A day in microseconds.
const DAY: i64 = 86_400_000_000;

/// What many valid periods cost a point: keys with one fact, and with one a day, in tables of as many keys and in tables of as
/// many rows.
pub fn periods(folder: &Path, keys: i64, days: i64, rows: i64, runs: usize) {
    const POINTS: usize = 100_000;
    let mut table =
        table::Table::new("Points at a random day, a second of CPU time".to_owned(), &["prepared", "typed"]);
    let balance = |key: i64, day: i64| (key * 31 + day * 17) % 1_000;
    for (keys, count) in [(keys, 1), (keys, days), (rows, 1), (rows / days, days)] {
        let mut random = Random::new(5);
        let asked: Vec<(i64, i64)> = (0..POINTS).map(|_| (random.below(keys), random.below(days))).collect();
        let name = format!("{keys} keys, {count} valid periods a key");
        let config = Config { durability: Durability::None, ..Config::default() };
        let db = Database::open_with(folder.join(&name), config).expect("opens");
        db.sql("CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)").expect("a table");
        let mut session = db.session();
        let length = days / count;
        let facts: Vec<(i64, i64)> =
            (0..keys).flat_map(|key| (0..count).map(move |part| (key, part * length))).collect();
        for lot in facts.chunks(500_000) {
            let column = |of: &dyn Fn(&(i64, i64)) -> i64| {
                kernel::Column::from_i64s(kernel::Type::Integer, lot.iter().map(of).collect())
            };
            let period =
                |(_, day): &(i64, i64)| kernel::Period::new(day * DAY, (day + length) * DAY).expect("not empty");
            let columns = vec![column(&|(key, _)| *key), column(&|(key, day)| balance(*key, *day))];
            session.append_valid("account", columns, lot.iter().map(period).collect()).expect("they do not overlap");
        }
        db.store().compact().expect("the disk holds it");
        let mut get = session.prepare("SELECT balance FROM account WHERE id = $1 VALID AT $2").expect("it binds");
        let at = |day: i64| Timestamp(day * DAY + DAY / 2);
        let expected: i64 = asked.iter().map(|(key, day)| balance(*key, day / length * length)).sum();
        let mut prepared = || {
            let mut sum = 0;
            for (key, day) in &asked {
                let params = [Value::Integer(*key), Value::Timestamp(at(*day))];
                let rows = session.execute_prepared(&mut get, &params).expect("it runs");
                sum += rows
                    .into_rows()
                    .expect("a query")
                    .next()
                    .expect("a row")
                    .expect("it reads")
                    .get::<i64>(0)
                    .expect("a number");
            }
            assert_eq!(sum, expected, "{name}");
            sum
        };
        prepared();
        let first = median(runs, || timed(asked.len() as f64, &mut prepared));
        let typed = || {
            let get = |(key, day): &(i64, i64)| session.get_at::<Account>(*key, At::now().valid(at(*day)));
            let sum = asked.iter().map(|asked| get(asked).expect("it reads").expect("a row").balance).sum();
            assert_eq!(sum, expected, "{name}");
            sum
        };
        let second = median(runs, || timed(asked.len() as f64, typed));
        table.row(&name, &[first, second]);
    }
    table.print();
}
