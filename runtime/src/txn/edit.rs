//! How does one statement change the facts of a table?
//!
//! An [`Edit`] gathers what the statement wants: facts that change or end, each with the part of its period that does, and
//! new facts. [`Txn::apply`] then carries it out: every old fact ends before a new one is looked at, so uniqueness is asked
//! of the statement's result, and what lies outside a changed part is stated again as a leftover.
//!
//! Holds: a fact ends once, however many of its parts change. What stays as it is is left alone, but RETURNING gives it.

use super::{Changed, Keys, Piece, Txn, TxnView, UNCOMMITTED, changes::TableChanges, check_not_null};
use crate::error::{Error, Result};
use hashbrown::{HashMap, HashSet};
use spectradb_grammar::diag::code::CARDINALITY;
use spectradb_kernel::{
    Batch, Column, Period, Type, Value, rectangle,
    schema::TableSchema,
    time::{Commit, Micros},
    ty::LaneKind,
};
use std::sync::Arc;

/// What a statement does to a table.
pub(crate) struct Edit {
    table: Arc<TableSchema>,
    /// The part of each fact that changes or ends; the whole fact where none.
    portion: Option<Period>,
    ended: Vec<(OldFacts, Vec<Period>)>,
    fresh: Vec<Piece>,
    inserts: Vec<(Vec<Column>, Vec<Period>)>,
    changed: Changed,
    /// The facts that rows have named so far, where one may be named twice.
    seen: Option<(Twice, HashSet<FactName>)>,
    /// Rows for RETURNING, where it is asked.
    returned: Option<Vec<Batch>>,
    /// Whatever the new facts overlap ends with the edit, so nobody needs to look again.
    ends_all: bool,
}

/// The key and the beginning of the period: no two current facts share both.
type FactName = (Vec<u8>, Micros);

/// What is it when a statement names a fact twice?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twice {
    /// The first time counts.
    First,
    /// An error.
    Refused,
}

/// The rows of an UPDATE or DELETE as its source gives them.
struct OldFacts {
    columns: Vec<Column>,
    keys: Keys,
    periods: Vec<Period>,
    commits: Vec<Commit>,
    origins: Vec<Commit>,
}

impl Edit {
    /// Nothing yet. `portion` is the part of each fact that changes or ends.
    pub(crate) fn new(table: &Arc<TableSchema>, portion: Option<Period>) -> Edit {
        Edit {
            table: table.clone(),
            portion,
            ended: Vec::new(),
            fresh: Vec::new(),
            inserts: Vec::new(),
            changed: Changed::default(),
            seen: None,
            returned: None,
            ends_all: false,
        }
    }

    /// The new facts are disjoint, and whatever they overlap is among what ends.
    pub(super) fn ends_what_it_overlaps(&mut self) {
        self.ends_all = true;
    }

    /// A fact may be named more than once.
    pub(crate) fn watch(&mut self, twice: Twice) {
        self.seen = Some((twice, HashSet::new()));
    }

    /// Keeps the rows for RETURNING.
    pub(crate) fn keep_returned(&mut self) {
        self.returned = Some(Vec::new());
    }

    /// The rows for RETURNING.
    pub(crate) fn take_returned(&mut self) -> Vec<Batch> {
        self.returned.take().unwrap_or_default()
    }

    /// Facts that change: the batch's columns are those of `plan::Statement::Update`. `parts` says for each row which part
    /// of the fact changes, where that is not the statement's portion.
    pub(crate) fn update(&mut self, batch: Batch, parts: Option<Vec<Period>>) -> Result<()> {
        let width = self.table.columns.len();
        let mut columns = batch.into_columns();
        let extra = columns.split_off(2 * width + 4);
        let new = columns.split_off(width + 4);
        let old = OldFacts::new(&self.table, columns);
        let named = self.named(&old, parts.as_deref())?;
        let parts: Vec<Period> = named.iter().map(|row| self.part(&old, parts.as_deref(), *row)).collect();
        self.give(&new, &parts, &extra, &named);
        let differs: Vec<usize> = (0..named.len())
            .filter(|at| {
                let row = named[*at] as usize;
                !rows_identical(&old.columns, row, &new, row)
            })
            .collect();
        if differs.is_empty() {
            return Ok(());
        }
        let rows: Vec<u32> = differs.iter().map(|at| named[*at]).collect();
        let parts: Vec<Period> = differs.iter().map(|at| parts[*at]).collect();
        let new: Vec<Column> = new.iter().map(|column| column.take(&rows)).collect();
        check_not_null(&self.table, &new)?;
        let keys = Keys::of(&self.table, &new, rows.len());
        self.changed.updated += rows.len() as u64;
        self.fresh.push(Piece { columns: new, keys, periods: parts.clone(), origins: vec![UNCOMMITTED; rows.len()] });
        self.ended.push((old.take(&rows), parts));
        Ok(())
    }

    /// Facts that end: the batch's columns are those of `plan::Statement::Delete`.
    pub(crate) fn delete(&mut self, batch: Batch) -> Result<()> {
        let mut columns = batch.into_columns();
        let extra = columns.split_off(self.table.columns.len() + 4);
        let old = OldFacts::new(&self.table, columns);
        let named = self.named(&old, None)?;
        if named.is_empty() {
            return Ok(());
        }
        let parts: Vec<Period> = named.iter().map(|row| self.part(&old, None, *row)).collect();
        self.give(&old.columns, &parts, &extra, &named);
        self.changed.deleted += named.len() as u64;
        self.ended.push((old.take(&named), parts));
        Ok(())
    }

    /// Facts that end over parts: the columns are those of `plan::Statement::Delete`. They are not counted.
    pub(crate) fn end_parts(&mut self, columns: Vec<Column>, parts: Vec<Period>) {
        self.ended.push((OldFacts::new(&self.table, columns), parts));
    }

    /// New facts: `columns` are those of the schema that are not hidden, in order; `extra` are others for RETURNING.
    pub(crate) fn insert(&mut self, columns: Vec<Column>, periods: Vec<Period>, extra: Vec<Column>) {
        if let Some(returned) = &mut self.returned {
            returned.push(with_periods(columns.clone(), &periods, extra));
        }
        self.changed.inserted += periods.len() as u64;
        self.inserts.push((columns, periods));
    }

    /// Puts the rows for RETURNING into the order of their last column, a number, and takes that away.
    pub(crate) fn order_returned(&mut self) {
        let Some(returned) = &mut self.returned else { return };
        let parts: Vec<Vec<Column>> = returned.drain(..).map(Batch::into_columns).collect();
        let Some(width) = parts.first().map(Vec::len) else { return };
        let all = |at: usize| {
            let parts: Vec<Column> = parts.iter().map(|part| part[at].clone()).collect();
            Column::concat(parts[0].ty(), &parts)
        };
        let numbers = all(width - 1);
        let mut rows: Vec<u32> = (0..numbers.len() as u32).collect();
        rows.sort_by_key(|row| numbers.i64s().at(*row as usize));
        let columns = (0..width - 1).map(|at| all(at).take(&rows)).collect();
        returned.push(Batch::new(columns, rows.len()));
    }

    /// The rows whose facts overlap what changes, each fact once where only its first row counts.
    fn named(&mut self, old: &OldFacts, parts: Option<&[Period]>) -> Result<Vec<u32>> {
        let mut named = Vec::with_capacity(old.periods.len());
        for (row, period) in old.periods.iter().enumerate() {
            let part = parts.map_or(self.portion, |parts| Some(parts[row]));
            if part.is_some_and(|part| !part.overlaps(*period)) {
                continue;
            }
            if let Some((twice, seen)) = &mut self.seen
                && !seen.insert((old.keys[row].to_vec(), period.from()))
            {
                match twice {
                    Twice::First => continue,
                    Twice::Refused => return Err(changed_twice("MERGE command cannot affect row a second time")),
                }
            }
            named.push(row as u32);
        }
        Ok(named)
    }

    /// The part of a row's fact that changes.
    fn part(&self, old: &OldFacts, parts: Option<&[Period]>, row: u32) -> Period {
        let period = old.periods[row as usize];
        let part = parts.map_or(self.portion, |parts| Some(parts[row as usize]));
        part.map_or(period, |part| period.intersect(part).expect("only facts that overlap the portion change"))
    }

    /// Keeps rows for RETURNING.
    fn give(&mut self, columns: &[Column], periods: &[Period], extra: &[Column], rows: &[u32]) {
        let Some(returned) = &mut self.returned else { return };
        let take = |column: &Column| column.take(rows);
        let visible = columns.iter().zip(&self.table.columns).filter(|(_, schema)| !schema.hidden);
        let columns = visible.map(|(column, _)| take(column)).collect();
        returned.push(with_periods(columns, periods, extra.iter().map(take).collect()));
    }
}

/// So many new rows are kept in the order of their keys.
const SORTED_ROWS_MIN: usize = 4096;

/// New facts are brought into pieces of about so many bytes.
const PIECE_BYTES: usize = 256 << 20;

/// The new facts of a statement in as few pieces as can be.
fn joined(inserts: Vec<(Vec<Column>, Vec<Period>)>) -> Vec<(Vec<Column>, Vec<Period>)> {
    if inserts.len() < 2 {
        return inserts;
    }
    let (mut pieces, mut some, mut bytes) = (Vec::new(), Vec::new(), 0);
    for (columns, periods) in inserts {
        let more: usize = columns.iter().map(Column::memory_bytes).sum();
        if bytes + more > PIECE_BYTES && !some.is_empty() {
            pieces.push(one_piece(&std::mem::take(&mut some)));
            bytes = 0;
        }
        bytes += more;
        some.push((columns, periods));
    }
    pieces.push(one_piece(&some));
    pieces
}

fn one_piece(parts: &[(Vec<Column>, Vec<Period>)]) -> (Vec<Column>, Vec<Period>) {
    let column = |at: usize| {
        let of_parts: Vec<Column> = parts.iter().map(|(columns, _)| columns[at].clone()).collect();
        Column::concat(of_parts[0].ty(), &of_parts)
    };
    let periods = parts.iter().flat_map(|(_, periods)| periods).copied().collect();
    ((0..parts[0].0.len()).map(column).collect(), periods)
}

/// The error of a statement that would change a fact twice.
pub(super) fn changed_twice(message: &str) -> Error {
    Error::new(CARDINALITY, message).with_help("let at most one row of the source meet each row of the table")
}

/// A batch for RETURNING: the columns of facts, their periods, and what else there is.
fn with_periods(mut columns: Vec<Column>, periods: &[Period], extra: Vec<Column>) -> Batch {
    let ends = |end: fn(&Period) -> Micros| Column::from_i64s(Type::Timestamp, periods.iter().map(end).collect());
    columns.extend([ends(|period| period.from()), ends(|period| period.to())]);
    columns.extend(extra);
    Batch::new(columns, periods.len())
}

impl Txn {
    /// Refuses an edit of facts that the statement has changed since the view: each fact is changed once.
    pub(crate) fn refuse_changed(&mut self, view: &TxnView, edit: &Edit) -> Result<()> {
        let before = view.changes.of(edit.table.id).map_or(0, TableChanges::piece_count);
        let changes = self.changes_of(&edit.table);
        for (old, _) in &edit.ended {
            for (row, key) in old.keys.iter().enumerate() {
                if !changes.is_current(key, old.periods[row], old.commits[row], before) {
                    return Err(changed_twice("the parts of WITH change a row more than once"));
                }
            }
        }
        Ok(())
    }

    /// Carries out what a statement wants.
    ///
    /// # Errors
    /// 23502, 23505, or the store's.
    pub(crate) fn apply(&mut self, edit: Edit) -> Result<Changed> {
        let Edit { table, portion: _, ended, fresh, inserts, mut changed, seen: _, returned: _, ends_all } = edit;
        // Uniqueness is asked of the statement's result: every old fact is gone before the new ones are looked at.
        changed.leftovers += self.end(&table, &ended);
        drop(ended);
        for piece in fresh {
            self.check_unique(&table, &piece.keys, &piece.periods, &piece.columns)?;
            self.changes_of(&table).push(piece);
        }
        for (columns, periods) in joined(inserts) {
            self.insert_rows(&table, columns, periods, !ends_all)?;
        }
        changed.rows = changed.inserted + changed.updated + changed.deleted;
        Ok(changed)
    }

    /// States new facts, whose columns are those that are not hidden; `looks` says that their keys may be taken.
    fn insert_rows(
        &mut self,
        table: &Arc<TableSchema>,
        columns: Vec<Column>,
        periods: Vec<Period>,
        looks: bool,
    ) -> Result<()> {
        self.file_only();
        let columns = self.with_hidden(table, columns, periods.len())?;
        check_not_null(table, &columns)?;
        let keys = Keys::of(table, &columns, periods.len());
        let origins = vec![UNCOMMITTED; periods.len()];
        if !looks || periods.len() < SORTED_ROWS_MIN || keys.rise() {
            if looks {
                self.check_unique(table, &keys, &periods, &columns)?;
            }
            self.state(table, Piece { columns, keys, periods, origins });
            return Ok(());
        }
        // Many rows are put in the order of their keys at once: so they are looked up, and so the store wants them.
        let order = keys.order();
        let columns: Vec<Column> = columns.iter().map(|column| column.take(&order)).collect();
        let periods: Vec<Period> = order.iter().map(|row| periods[*row as usize]).collect();
        let keys = keys.take(&order);
        self.check_unique(table, &keys, &periods, &columns).map_err(|error| match error.row() {
            Some(row) => error.of_row(order[row] as usize),
            None => error,
        })?;
        self.state(table, Piece { columns, keys, periods, origins });
        Ok(())
    }

    /// Ends facts and states their leftovers again; answers how many leftovers there are.
    fn end(&mut self, table: &Arc<TableSchema>, ended: &[(OldFacts, Vec<Period>)]) -> u64 {
        // Parts of one fact may stand in several rows: it ends once, and what lies between them is left.
        let mut of_fact: HashMap<(&[u8], Micros), usize> = HashMap::new();
        let mut facts: Vec<(&OldFacts, usize, Vec<Period>)> = Vec::new();
        for (old, parts) in ended {
            for (row, part) in parts.iter().enumerate() {
                let fact = (&old.keys[row], old.periods[row].from());
                let at = *of_fact.entry(fact).or_insert_with(|| {
                    facts.push((old, row, Vec::new()));
                    facts.len() - 1
                });
                facts[at].2.push(*part);
            }
        }
        drop(of_fact);
        if facts.is_empty() {
            return 0;
        }
        let mut leftover_count = 0;
        let mut pieces: Vec<(&OldFacts, Vec<u32>, Vec<Period>)> = Vec::new();
        let changes = self.changes_of(table);
        for (old, row, mut parts) in facts {
            changes.end_fact(&old.keys[row], old.periods[row], old.commits[row]);
            parts.sort_unstable();
            let left = rectangle::supersede([old.periods[row]], parts).leftovers;
            if left.is_empty() {
                continue;
            }
            leftover_count += left.len() as u64;
            match pieces.last_mut().filter(|(of, _, _)| std::ptr::eq(*of, old)) {
                Some((_, rows, periods)) => {
                    rows.extend(left.iter().map(|_| row as u32));
                    periods.extend(left.iter().map(|left| left.period));
                }
                None => pieces.push((old, vec![row as u32; left.len()], left.iter().map(|left| left.period).collect())),
            }
        }
        for (old, rows, periods) in pieces {
            changes.push(Piece {
                columns: old.columns.iter().map(|column| column.take(&rows)).collect(),
                keys: old.keys.take(&rows),
                periods,
                origins: rows.iter().map(|row| old.origins[*row as usize]).collect(),
            });
        }
        leftover_count
    }
}

impl OldFacts {
    fn new(table: &TableSchema, mut columns: Vec<Column>) -> OldFacts {
        let marks = columns.split_off(table.columns.len());
        let micros = |column_idx: usize| marks[column_idx].i64s();
        let row_count = marks[0].len();
        let (from, to, commit, origin) = (micros(0), micros(1), micros(2), micros(3));
        let periods = (0..row_count)
            .map(|row| Period::new(from.at(row), to.at(row)).expect("stored periods are not empty"))
            .collect();
        let keys = Keys::of(table, &columns, row_count);
        let commits = (0..row_count).map(|row| commit.at(row) as Commit).collect();
        let origins = (0..row_count).map(|row| origin.at(row) as Commit).collect();
        OldFacts { columns, keys, periods, commits, origins }
    }

    fn take(self, rows: &[u32]) -> OldFacts {
        if rows.len() == self.periods.len() {
            return self;
        }
        OldFacts {
            columns: self.columns.iter().map(|column| column.take(rows)).collect(),
            keys: self.keys.take(rows),
            periods: rows.iter().map(|row| self.periods[*row as usize]).collect(),
            commits: rows.iter().map(|row| self.commits[*row as usize]).collect(),
            origins: rows.iter().map(|row| self.origins[*row as usize]).collect(),
        }
    }
}

/// Do two rows of columns of one schema hold the same values? Unlike SQL's equality, -0.0 is not 0.0: a change is a change.
pub(super) fn rows_identical(a: &[Column], a_row: usize, b: &[Column], b_row: usize) -> bool {
    a.iter().zip(b).all(|(a, b)| {
        if a.is_null(a_row) || b.is_null(b_row) {
            return a.is_null(a_row) && b.is_null(b_row);
        }
        match a.ty().lane() {
            LaneKind::Bytes => a.byte_vals().at(a_row) == b.byte_vals().at(b_row),
            LaneKind::F64 | LaneKind::Bool | LaneKind::I64 | LaneKind::I128 => match (a.value(a_row), b.value(b_row)) {
                (Value::Real(a), Value::Real(b)) => a.to_bits() == b.to_bits(),
                (a, b) => a == b,
            },
        }
    })
}
