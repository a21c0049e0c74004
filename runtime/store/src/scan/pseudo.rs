//! Which columns does a scan return besides the table's own?
//!
//! The two times of each fact: commits and valid periods lie in the run, ends are the run's lowered by what was noted
//! since, and instants are looked up in the table of commits, each commit once a scan.
//!
//! Holds: an end after the last commit that the scope reaches is not known, and reads as infinity.

use super::ScanColumn;
use crate::{
    error::Result,
    notes::{Ends, Known},
    run::{END_OPEN, Run, commit_of_lane, constant_instant, integers},
    shape::Shape,
    snapshot::Snapshot,
    tree::Found,
};
use spectradb_kernel::{
    Column, Type, Value,
    column::Vals,
    schema::TableSchema,
    time::{MICROS_MAX, Micros, Timestamp},
};
use std::collections::HashMap;

/// The instants of commits that a scan has met.
#[derive(Debug, Default)]
pub(super) struct Instants {
    known: HashMap<i64, Micros>,
}

impl Instants {
    /// The instant of a commit; of no commit minus infinity, of an open end plus infinity.
    fn of(&mut self, commit: i64, end_max: i64, snapshot: &Snapshot) -> Result<Micros> {
        if commit == END_OPEN || commit > end_max {
            return Ok(MICROS_MAX);
        }
        if let Some(instant) = self.known.get(&commit) {
            return Ok(*instant);
        }
        let instant = snapshot.instant_of(commit_of_lane(commit))?;
        self.known.insert(commit, instant);
        Ok(instant)
    }

    fn lane(&mut self, commits: &[i64], end_max: i64, snapshot: &Snapshot) -> Result<Vec<Micros>> {
        let mut last = (END_OPEN, MICROS_MAX);
        let instant = |commit: &i64| {
            if *commit != last.0 {
                last = (*commit, self.of(*commit, end_max, snapshot)?);
            }
            Ok(last.1)
        };
        commits.iter().map(instant).collect()
    }
}

/// The commit that ended a fact, where the scope can know it.
fn known_end(end: i64, end_max: i64) -> i64 {
    if end > end_max { i64::MAX } else { end }
}

/// A column of the table as the reader's schema names it; NULL where the facts are older than the column.
pub(super) fn data_column(run: &Run, shape: &Shape, reader: &TableSchema, column_idx: usize) -> Column {
    match shape.place_of(reader, column_idx) {
        Some(place) => run.columns[place].clone(),
        None => Column::constant(reader.columns[column_idx].ty, Value::Null, run.len),
    }
}

/// One of the other columns. `end_max` is the last commit that the scope reaches.
pub(super) fn pseudo_column(
    column: ScanColumn,
    run: &Run,
    ends: &Ends,
    end_max: i64,
    instants: &mut Instants,
    snapshot: &Snapshot,
) -> Result<Column> {
    Ok(match column {
        ScanColumn::Data(column_idx) => run.columns[column_idx].clone(),
        ScanColumn::Commit => run.commit.clone(),
        ScanColumn::Origin => match (run.origin.i64s(), run.commit.i64s()) {
            (Vals::One(0), _) => run.commit.clone(),
            (origins, commits) => {
                let origin = |row| match origins.at(row) {
                    0 => commits.at(row),
                    origin => origin,
                };
                integers(Type::Integer, (0..run.len).map(origin).collect())
            }
        },
        ScanColumn::SystemFrom => match run.commit.i64s() {
            Vals::One(commit) => constant_instant(instants.of(commit, end_max, snapshot)?, run.len),
            Vals::Many(commits) => integers(Type::Timestamp, instants.lane(&commits, end_max, snapshot)?),
        },
        ScanColumn::SystemTo => match (run.system_to.i64s(), ends.known()) {
            (Vals::One(end), Known::Nothing) => constant_instant(instants.of(end, end_max, snapshot)?, run.len),
            (ends, known) => {
                let mut ends: Vec<i64> = (0..run.len).map(|row| ends.at(row)).collect();
                known.lower(&mut ends);
                integers(Type::Timestamp, instants.lane(&ends, end_max, snapshot)?)
            }
        },
        ScanColumn::CommitTo => match (run.system_to.i64s(), ends.known()) {
            (Vals::One(end), Known::Nothing) => {
                Column::constant(Type::Integer, Value::Integer(known_end(end, end_max)), run.len)
            }
            (ends, known) => {
                let mut ends: Vec<i64> = (0..run.len).map(|row| ends.at(row)).collect();
                known.lower(&mut ends);
                ends.iter_mut().for_each(|end| *end = known_end(*end, end_max));
                integers(Type::Integer, ends)
            }
        },
        ScanColumn::ValidFrom => run.valid_from.clone(),
        ScanColumn::ValidTo => run.valid_to.clone(),
    })
}

/// The same for one fact.
pub(super) fn pseudo_value(
    column: ScanColumn,
    found: &Found<'_>,
    end_max: i64,
    instants: &mut Instants,
    snapshot: &Snapshot,
) -> Result<Value> {
    let instant = |micros| Value::Timestamp(Timestamp(micros));
    Ok(match column {
        ScanColumn::Data(column_idx) => found.value(column_idx),
        ScanColumn::Commit => Value::Integer(found.commit()),
        ScanColumn::Origin => match found.origin() {
            0 => Value::Integer(found.commit()),
            origin => Value::Integer(origin),
        },
        ScanColumn::SystemFrom => instant(instants.of(found.commit(), end_max, snapshot)?),
        ScanColumn::SystemTo => instant(instants.of(found.end(), end_max, snapshot)?),
        ScanColumn::CommitTo => Value::Integer(known_end(found.end(), end_max)),
        ScanColumn::ValidFrom => instant(found.from()),
        ScanColumn::ValidTo => instant(found.to()),
    })
}
