//! Typed tables and compiled queries: the ECB's reference rates since 1999, and 400 invoices.
//!
//! Every table is a struct, every query is checked against these structs while this program is compiled, and every row
//! is a struct again: a misspelt column, a wrong type or a missing parameter does not compile. Nothing here is looked up
//! by name at run time. The data stands in `data/`; the database is in memory, so that a run leaves nothing behind.
//!
//! ```text
//! cargo run --release --example rates
//! ```

use spectradb::{At, Database, Date, Numeric, Period, Table, Timestamp, spectra_sql};
use std::error::Error;

/// What one euro buys, from one day of the bank to the next: each rate is a fact with a period of valid time.
#[derive(Table, Clone, Debug)]
#[table(name = "rates")]
struct Rate {
    #[key]
    currency: String,
    rate: Numeric<12, 5>,
}

/// What a customer owes, in some currency.
#[derive(Table, Clone, Debug)]
#[table(name = "invoices")]
struct Invoice {
    #[key]
    id: i64,
    customer: String,
    date: Date,
    currency: String,
    amount: Numeric<12, 2>,
}

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let db = Database::open_memory()?;
    db.create::<Rate>()?;
    db.create::<Invoice>()?;

    println!("1. Structs in");
    let rates = rates(include_str!("data/rates.csv"))?;
    let (rate_count, invoices) = (rates.len(), invoices(include_str!("data/invoices.csv"))?);
    let first = db.insert_all_valid(rates)?;
    let second = db.insert_all(&invoices)?;
    println!(
        "   {rate_count} rates are commit {}, {} invoices are commit {}",
        number(first),
        invoices.len(),
        number(second)
    );

    println!("\n2. One row by its key, at points of valid time");
    for day in ["2008-07-15", "2015-01-14", "2015-01-15", "2015-01-16"] {
        // A whole key at one instant is one row or none: the type says so.
        let franc: Option<Rate> = db.get_at("CHF", At::now().valid(day.parse()?))?;
        println!("   {day}: one euro buys {} francs", franc.map_or("no".to_owned(), |rate| rate.rate.to_string()));
    }

    println!("\n3. Invoices in euro, each at the rate of its own day");
    report(&db)?;

    println!("\n4. On a week-end in March 2024 somebody swaps two digits of the pound");
    let (from, to): (Timestamp, Timestamp) = ("2024-03-16".parse()?, "2024-03-18".parse()?);
    let retype = |rate: Numeric<12, 5>| {
        // Only this part of Friday's rate is written; the rest stays as it was, as a leftover.
        spectra_sql!(
            db,
            "UPDATE rates FOR PORTION OF VALID_TIME FROM :from TO :to SET rate = :rate WHERE currency = 'GBP'",
            from = from,
            to = to,
            rate = rate,
        )
    };
    let done = retype("0.8451".parse()?)?;
    println!("   {done}, commit {}", number(done.commit));
    let printed = db.current_commit();
    println!("   ... the report is printed ... and the rate is set right:");
    let done = retype("0.8541".parse()?)?;
    println!("   {done}, commit {}", number(done.commit));

    println!("\n5. The report as it was printed, and as it is now");
    let sterling = |commit: u64| {
        let commit = i64::try_from(commit).expect("commits fit 63 bits");
        // An aggregate without groups is exactly one row.
        spectra_sql!(
            db,
            "SELECT count(*) AS invoices, sum(round(i.amount / r.rate, 2)) AS euro
             FROM invoices i JOIN rates FOR VALID_TIME AS OF i.date r ON r.currency = i.currency
             WHERE i.currency = 'GBP' AND i.date >= DATE '2024-01-01' AND i.date < DATE '2024-04-01'
             AS OF $1",
            commit
        )
    };
    let (then, now) = (sterling(printed)?, sterling(db.current_commit())?);
    println!("   {} invoices in pounds in the first quarter", now.invoices);
    println!("   printed: {} euro", shown(then.euro));
    println!("   now:     {} euro", shown(now.euro));

    println!("\n6. What was ever known about that week-end: every version of every fact");
    let versions = spectra_sql!(
        db,
        "SELECT rate, _valid_from AS since, _valid_to AS until, _commit AS written
         FROM rates FOR SYSTEM_TIME ALL FOR VALID_TIME FROM :from TO :to
         WHERE currency = 'GBP' ORDER BY _valid_from, _commit",
        from = from,
        to = to,
    )?;
    for version in versions {
        let version = version?;
        println!("   {} valid {} to {}, since commit {}", version.rate, version.since, version.until, version.written);
    }
    Ok(())
}

/// The report by currency; its rows are of a struct of ours.
fn report(db: &Database) -> Result<(), Failure> {
    struct Line {
        currency: String,
        invoices: i64,
        // A group has a row, and its columns are never NULL: so neither are its sums.
        amount: Numeric<38, 2>,
        euro: Numeric<38, 2>,
    }
    let lines = spectra_sql!(
        db,
        "SELECT i.currency, count(*) AS invoices, sum(i.amount) AS amount, sum(round(i.amount / r.rate, 2)) AS euro
         FROM invoices i JOIN rates FOR VALID_TIME AS OF i.date r ON r.currency = i.currency
         GROUP BY i.currency
         ORDER BY euro DESC" as Line
    )?;
    for line in lines {
        let Line { currency, invoices, amount, euro } = line?;
        println!("   {currency} {invoices:>4} invoices {amount:>14} are {euro:>12} euro");
    }
    Ok(())
}

/// A sum, or nothing where there was nothing to add.
fn shown(sum: Option<Numeric<38, 2>>) -> String {
    sum.map_or_else(|| "-".to_owned(), |sum| sum.to_string())
}

fn number(commit: Option<u64>) -> String {
    commit.map_or_else(|| "none".to_owned(), |commit| commit.to_string())
}

/// Rates with the periods of their lines.
fn rates(csv: &str) -> Result<Vec<(Rate, Period)>, Failure> {
    let mut rates = Vec::new();
    for line in csv.lines().skip(1) {
        let [currency, rate, from, to] = fields(line)?;
        let (from, to): (Timestamp, Timestamp) = (from.parse()?, to.parse()?);
        rates.push((Rate { currency: currency.to_owned(), rate: rate.parse()? }, Period::new(from.0, to.0)?));
    }
    Ok(rates)
}

fn invoices(csv: &str) -> Result<Vec<Invoice>, Failure> {
    let mut invoices = Vec::new();
    for line in csv.lines().skip(1) {
        let [id, customer, date, currency, amount] = fields(line)?;
        invoices.push(Invoice {
            id: id.parse()?,
            customer: customer.to_owned(),
            date: date.parse()?,
            currency: currency.to_owned(),
            amount: amount.parse()?,
        });
    }
    Ok(invoices)
}

/// The fields of a line of these files, which need no quotes.
fn fields<const N: usize>(line: &str) -> Result<[&str; N], Failure> {
    let fields: Vec<&str> = line.split(',').collect();
    fields.try_into().map_err(|_| format!("{N} fields are expected: {line}").into())
}
