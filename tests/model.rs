//! Does SQL over both times do what a list of facts does, changed by hand?
//!
//! Random statements insert, change and end facts of a few keys over a short stretch of valid time, some of them in
//! transactions that are committed or rolled back, while the store flushes and compacts now and then. The model keeps, for
//! each key, the current facts as (from, to, value), and a copy of all of them for every commit. After each statement the
//! current facts are compared, in the end those of every commit, as whole facts and at every instant of valid time.
//!
//! A failure prints the statements so far. `SPECTRADB_MODEL_SEED` makes another run, `SPECTRADB_MODEL_STATEMENTS` a longer
//! one.

use spectradb::{Database, Session, Value};
use std::collections::BTreeMap;

const FROM: i64 = i64::MIN;
const TO: i64 = i64::MAX;

/// Instants lie between 0 and this many microseconds; the present is far behind them.
const INSTANTS: i64 = 10;

/// The facts of a key: disjoint, by their beginning.
type Facts = Vec<(i64, i64, Option<i64>)>;

/// The facts of all keys.
type State = BTreeMap<i64, Facts>;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 33) % sides as u64) as i64
    }
}

/// Cuts `[from, to)` out of facts and puts there what `change` makes of each part: nothing, or another value.
fn cut(facts: &mut Facts, (from, to): (i64, i64), change: impl Fn(Option<i64>) -> Option<Option<i64>>) {
    let mut after = Facts::new();
    for (begin, end, value) in facts.drain(..) {
        let (first, last) = (begin.max(from), end.min(to));
        if first >= last || change(value) == Some(value) {
            after.push((begin, end, value));
            continue;
        }
        if begin < first {
            after.push((begin, first, value));
        }
        if let Some(new) = change(value) {
            after.push((first, last, new));
        }
        if last < end {
            after.push((last, end, value));
        }
    }
    after.sort_unstable_by_key(|fact| fact.0);
    *facts = after;
}

fn bound(at: i64) -> String {
    match at {
        FROM => "'-infinity'".to_owned(),
        TO => "'infinity'".to_owned(),
        at => at.to_string(),
    }
}

/// What a statement does to a state.
type Effect = Box<dyn Fn(&mut State) -> Result<(), UniqueViolation>>;

/// The statement is refused.
#[derive(Debug)]
struct UniqueViolation;

/// A statement and its effect.
fn statement(dice: &mut Dice) -> (String, Effect) {
    let key = dice.roll(3);
    let a = dice.roll(INSTANTS);
    let b = a + 1 + dice.roll(INSTANTS - a);
    let period = match dice.roll(6) {
        0 => (FROM, a),
        1 => (a, TO),
        2 => (FROM, TO),
        _ => (a, b),
    };
    let portion = format!("FOR PORTION OF VALID_TIME FROM {} TO {}", bound(period.0), bound(period.1));
    let by = dice.roll(3);
    match dice.roll(9) {
        0..=2 => {
            let value = if dice.roll(5) == 0 { None } else { Some(dice.roll(100)) };
            let shown = value.map_or("NULL".to_owned(), |value| value.to_string());
            let valid = match period {
                (FROM, TO) => String::new(),
                (from, TO) => format!(" VALID FROM {}", bound(from)),
                (from, to) => format!(" VALID FROM {} TO {}", bound(from), bound(to)),
            };
            let insert = move |state: &mut State| {
                let facts = state.entry(key).or_default();
                if facts.iter().any(|(from, to, _)| *from < period.1 && period.0 < *to) {
                    return Err(UniqueViolation);
                }
                facts.push((period.0, period.1, value));
                facts.sort_unstable_by_key(|fact| fact.0);
                Ok(())
            };
            (format!("INSERT INTO t VALUES ({key}, {shown}){valid}"), Box::new(insert))
        }
        // A change of nothing writes nothing, so `by` may be 0; NULL stays NULL.
        3 | 4 => {
            let update = move |state: &mut State| {
                let add = |value: Option<i64>| Some(value.map(|value| value + by));
                state.get_mut(&key).into_iter().for_each(|facts| cut(facts, period, add));
                Ok(())
            };
            (format!("UPDATE t {portion} SET v = v + {by} WHERE k = {key}"), Box::new(update))
        }
        5 => {
            let update = move |state: &mut State| {
                let set = |value: Option<i64>| {
                    if value.is_some_and(|value| value > 50) { Some(Some(by)) } else { Some(value) }
                };
                state.values_mut().for_each(|facts| cut(facts, (FROM, TO), set));
                Ok(())
            };
            (format!("UPDATE t FOR VALID_TIME ALL SET v = {by} WHERE v > 50"), Box::new(update))
        }
        6 => {
            // Without a portion: facts that are valid now, in their whole length.
            let update = move |state: &mut State| {
                for fact in state.get_mut(&key).into_iter().flatten().filter(|fact| fact.1 == TO) {
                    fact.2 = Some(by);
                }
                Ok(())
            };
            (format!("UPDATE t SET v = {by} WHERE k = {key}"), Box::new(update))
        }
        7 => {
            let delete = move |state: &mut State| {
                state.get_mut(&key).into_iter().for_each(|facts| cut(facts, period, |_| None));
                Ok(())
            };
            (format!("DELETE FROM t {portion} WHERE k = {key}"), Box::new(delete))
        }
        _ => {
            let delete = move |state: &mut State| {
                state.get_mut(&key).into_iter().for_each(|facts| facts.retain(|fact| fact.1 != TO));
                Ok(())
            };
            (format!("DELETE FROM t WHERE k = {key}"), Box::new(delete))
        }
    }
}

fn micros(value: &Value) -> i64 {
    match value {
        Value::Timestamp(at) => at.0,
        other => panic!("{other:?} is no timestamp"),
    }
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        Value::Null => None,
        other => panic!("{other:?} is no integer"),
    }
}

/// The facts that a scope of system time shows.
fn facts(session: &mut Session, scope: &str) -> State {
    let sql = format!("SELECT k, v, _valid_from, _valid_to FROM t {scope} FOR VALID_TIME ALL ORDER BY 1, 3");
    let mut state = State::new();
    for row in session.query(&sql, ()).expect("it runs").collect_all().expect("it reads") {
        let [key, value, from, to] = row.values() else { panic!("four columns") };
        let key = number(key).expect("a key is never NULL");
        state.entry(key).or_default().push((micros(from), micros(to), number(value)));
    }
    state
}

fn without_empty(state: &State) -> State {
    state.iter().filter(|(_, facts)| !facts.is_empty()).map(|(key, facts)| (*key, facts.clone())).collect()
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn statements_do_what_lists_of_facts_do() {
    let seed = setting("SPECTRADB_MODEL_SEED", 1);
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let db = Database::open_memory().expect("memory is there");
    db.sql("CREATE TABLE t (k INTEGER PRIMARY KEY, v INTEGER)").expect("a new table");
    let mut session = db.session();
    let mut log = vec![format!("seed {seed}")];
    let mut current = State::new();
    // The state after each commit.
    let mut history = vec![State::new()];
    // The state before the open transaction.
    let mut before: Option<State> = None;
    let statement_count = setting("SPECTRADB_MODEL_STATEMENTS", 400);
    for _ in 0..statement_count {
        match dice.roll(30) {
            0 => db.store().flush().expect("memory does not fail"),
            1 => db.store().compact().expect("memory does not fail"),
            _ => {}
        }
        match (dice.roll(8), &before) {
            (0, None) => {
                session.execute("BEGIN", ()).expect("it begins");
                before = Some(current.clone());
                log.push("BEGIN".into());
            }
            (0, Some(_)) => {
                session.execute("COMMIT", ()).expect("nobody else writes");
                before = None;
                log.push("COMMIT".into());
            }
            (1, Some(_)) => {
                session.execute("ROLLBACK", ()).expect("it ends");
                current = before.take().expect("a transaction is open");
                log.push("ROLLBACK".into());
            }
            _ => {
                let (sql, apply) = statement(&mut dice);
                log.push(sql.clone());
                let mut after = current.clone();
                let wanted = apply(&mut after);
                match (session.execute(&sql, ()), wanted) {
                    (Ok(_), Ok(())) => current = after,
                    (Err(error), Err(UniqueViolation)) => {
                        assert_eq!(error.code(), "23505", "{error}\n{}", log.join(";\n"));
                        // An error ends a transaction's work; it can only be taken back.
                        if let Some(state) = before.take() {
                            session.execute("ROLLBACK", ()).expect("it ends");
                            current = state;
                            log.push("ROLLBACK".into());
                        }
                    }
                    (result, wanted) => panic!("{:?}, not {wanted:?}\n{}", result.err(), log.join(";\n")),
                }
            }
        }
        current = without_empty(&current);
        assert_eq!(facts(&mut session, ""), current, "{}", log.join(";\n"));
        if before.is_none() {
            let commit = db.current_commit() as usize;
            assert!(commit == history.len() || commit + 1 == history.len(), "{}", log.join(";\n"));
            match commit == history.len() {
                true => history.push(current.clone()),
                false => assert_eq!(history.last(), Some(&current), "no commit, no change\n{}", log.join(";\n")),
            }
        }
    }
    if before.is_some() {
        session.execute("ROLLBACK", ()).expect("it ends");
    }
    assert!(history.len() as u64 > statement_count / 8, "much was committed");
    for (commit, state) in history.iter().enumerate().skip(1) {
        let scope = format!("FOR SYSTEM_TIME AS OF {commit}");
        assert_eq!(&facts(&mut session, &scope), state, "{scope}\n{}", log.join(";\n"));
        for at in [-1, dice.roll(INSTANTS), dice.roll(INSTANTS), INSTANTS + 1] {
            let sql = format!("SELECT k, v FROM t AS OF {commit} VALID AT {at} ORDER BY k");
            let rows = session.query(&sql, ()).expect("it runs").collect_all().expect("it reads");
            let rows: Vec<_> = rows.iter().map(|row| (number(&row.values()[0]), number(&row.values()[1]))).collect();
            let holds = |fact: &&(i64, i64, Option<i64>)| fact.0 <= at && at < fact.1;
            let wanted = state.iter().filter_map(|(key, facts)| Some((Some(*key), facts.iter().find(holds)?.2)));
            assert_eq!(rows, wanted.collect::<Vec<_>>(), "{sql}\n{}", log.join(";\n"));
        }
    }
}
