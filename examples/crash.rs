//! Is everything there after the process was killed in the middle of its work?
//!
//! The example starts itself as a child. The child moves money between accounts as fast as it can, three statements a
//! transaction, and says the number of each transaction as soon as its commit is acknowledged. The parent kills it,
//! without warning, at a random moment, reopens the database and asks: is every acknowledged transaction there, is none
//! there in half, and is no money lost? Then it starts the next child over the same database.
//!
//! The kernel keeps what a killed process had written, so this shows the process's death, not the machine's: loss of
//! power is the simulated disk's business in the tests of `spectradb-store`.
//!
//!     cargo run --release --example crash [ROUNDS]

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use spectradb::{Database, Params, Value};

const ACCOUNT_COUNT: i64 = 10;
const BALANCE_AT_START: i64 = 1_000;
const ROUND_COUNT: u64 = 20;
/// A child is killed at the latest after so many acknowledged transactions.
const TRANSACTIONS_MAX: u64 = 300;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("--child") => {
            let folder = arguments.next().ok_or("--child needs a folder")?;
            work(Path::new(&folder))?;
            Ok(ExitCode::SUCCESS)
        }
        Some(count) => kill_and_look(count.parse()?),
        None => kill_and_look(ROUND_COUNT),
    }
}

/// The child: transfers without end. Each line it prints is an acknowledged commit.
fn work(folder: &Path) -> Result<(), Box<dyn Error>> {
    let database = Database::open(folder)?;
    let mut session = database.session();
    session.run(
        "CREATE TABLE IF NOT EXISTS accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
         CREATE TABLE IF NOT EXISTS transfers (n INTEGER PRIMARY KEY, payer INTEGER, payee INTEGER, amount INTEGER);",
        Params::None,
    )?;
    if number(&database, "SELECT count(*) FROM accounts")? == 0 {
        let rows: Vec<String> = (0..ACCOUNT_COUNT).map(|id| format!("({id}, {BALANCE_AT_START})")).collect();
        session.execute(&format!("INSERT INTO accounts VALUES {}", rows.join(", ")), ())?;
    }
    let mut out = std::io::stdout().lock();
    for n in number(&database, "SELECT coalesce(max(n), 0) FROM transfers")? + 1.. {
        let (payer, payee, amount) = (n % ACCOUNT_COUNT, (n * 7 + 3) % ACCOUNT_COUNT, n % 13);
        session.begin()?;
        session.execute(
            "UPDATE accounts SET balance = balance - $1 WHERE id = $2",
            &[Value::from(amount), Value::from(payer)],
        )?;
        session.execute(
            "UPDATE accounts SET balance = balance + $1 WHERE id = $2",
            &[Value::from(amount), Value::from(payee)],
        )?;
        session.execute(
            "INSERT INTO transfers VALUES ($1, $2, $3, $4)",
            &[Value::from(n), Value::from(payer), Value::from(payee), Value::from(amount)],
        )?;
        session.commit()?;
        writeln!(out, "{n}")?;
        out.flush()?;
    }
    Ok(())
}

/// The parent: one child after another over the same database.
fn kill_and_look(round_count: u64) -> Result<ExitCode, Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("spectradb-crash-{}", std::process::id()));
    println!("{round_count} times: start a process that commits without pause, kill it, look at what it left");
    let mut transactions_before = 0;
    for round in 1..=round_count {
        let acknowledged = kill_once(&folder)?.unwrap_or(transactions_before);
        match look(&folder, acknowledged) {
            Ok(found) => {
                println!(
                    "round {round:>3}: killed after transaction {acknowledged} was acknowledged; {found} are there, all whole"
                );
                transactions_before = found;
            }
            Err(loss) => {
                println!("round {round:>3}: {loss}\nthe database is kept in {}", folder.display());
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    std::fs::remove_dir_all(&folder)?;
    println!("nothing acknowledged was lost, and nothing is there in half");
    Ok(ExitCode::SUCCESS)
}

/// Starts a child, kills it at a random moment, and returns the last transaction that it saw acknowledged, if any.
fn kill_once(folder: &PathBuf) -> Result<Option<u64>, Box<dyn Error>> {
    // A hasher with fresh keys is all the randomness that this needs.
    let random = RandomState::new().hash_one(folder);
    let (line_count, spin_count) = (random % TRANSACTIONS_MAX, (random >> 32) % 200_000);
    let mut child = Command::new(std::env::current_exe()?).arg("--child").arg(folder).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("the child's output is piped")?).lines();
    let mut last = None;
    for _ in 0..line_count {
        match lines.next() {
            Some(line) => last = Some(line?.parse()?),
            None => return Err(format!("the child ended by itself: {}", child.wait()?).into()),
        }
    }
    // A little longer, so that it dies at any point of a commit and not always right after one.
    for _ in 0..spin_count {
        std::hint::spin_loop();
    }
    child.kill()?;
    child.wait()?;
    // What the child had said before it died counts as well. Its last line may be cut off; then it was never heard.
    for line in lines.map_while(Result::ok) {
        if let Ok(n) = line.parse() {
            last = Some(n);
        }
    }
    Ok(last)
}

/// How many transactions are there, if all is as it must be.
fn look(folder: &Path, acknowledged: u64) -> Result<u64, Box<dyn Error>> {
    let database = Database::open(folder)?;
    if number(&database, "SELECT count(*) FROM accounts").is_err() && acknowledged == 0 {
        // Killed before its tables were there.
        return Ok(0);
    }
    let found = number(&database, "SELECT count(*) FROM transfers")?;
    let newest = number(&database, "SELECT coalesce(max(n), 0) FROM transfers")?;
    if found != newest {
        return Err(format!("{found} transactions are there, and the newest is number {newest}").into());
    }
    let found = u64::try_from(found)?;
    if found < acknowledged {
        return Err(format!("transaction {acknowledged} was acknowledged, but only {found} are there").into());
    }
    // Every account is what its transfers say: no transaction is there in half.
    let balances = database.query(
        "WITH paid AS (SELECT payer AS id, sum(amount) AS amount FROM transfers GROUP BY payer),
              got AS (SELECT payee AS id, sum(amount) AS amount FROM transfers GROUP BY payee)
         SELECT a.id, a.balance, coalesce(got.amount, 0) - coalesce(paid.amount, 0)
         FROM accounts a LEFT JOIN paid ON paid.id = a.id LEFT JOIN got ON got.id = a.id",
        (),
    )?;
    let mut account_count = 0;
    for row in balances {
        let row = row?;
        let (id, balance, moved): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if balance != BALANCE_AT_START + moved {
            return Err(format!("account {id} holds {balance}, its transfers say {}", BALANCE_AT_START + moved).into());
        }
        account_count += 1;
    }
    if account_count != 0 && account_count != ACCOUNT_COUNT {
        return Err(format!("{account_count} of {ACCOUNT_COUNT} accounts are there").into());
    }
    database.close()?;
    Ok(found)
}

fn number(database: &Database, sql: &str) -> Result<i64, Box<dyn Error>> {
    let mut rows = database.query(sql, ())?;
    let row = rows.next().ok_or("an aggregate has one row")??;
    Ok(row.get(0)?)
}
