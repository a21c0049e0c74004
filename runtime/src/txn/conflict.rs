//! What stands in the way of new facts?
//!
//! `INSERT ... ON CONFLICT` asks this of each new fact: over which parts of its period is its key taken, and by which facts?
//! The parts between them are free. So the clause acts per overlapping fact: what is free is inserted, and each fact in the
//! way is left alone or changed for the part that the two share.
//!
//! Holds: the free parts of all rows of one statement are disjoint, for earlier rows take what they get.

use super::{Keys, Txn, edit::changed_twice};
use crate::{
    error::Result,
    ops::{Reads, TableReader},
};
use hashbrown::HashMap;
use spectradb_kernel::{Batch, Column, Period, Type, batch::BATCH_ROWS, rectangle::Cover, schema::TableSchema};
use spectradb_store::scan::{KeyRange, ScanColumn, ScanSpec, SystemScope, ValidScope};

/// New facts, divided.
pub(crate) struct Clash {
    /// What is free: columns that are not hidden, periods, and which of the new facts each is part of.
    pub(crate) free: (Vec<Column>, Vec<Period>, Column),
    /// Facts in the way with the new ones, as `plan::Conflict::Update` has them; none where nobody asks.
    pub(crate) taken: Option<Batch>,
}

/// The current facts of some keys.
pub(super) struct Current {
    /// All columns, `_valid_from`, `_valid_to`, `_commit`, the origin.
    columns: Vec<Column>,
    by_key: HashMap<Vec<u8>, Vec<(Period, u32)>>,
}

impl Current {
    /// The facts of a key, with their rows.
    pub(super) fn of(&self, key: &[u8]) -> &[(Period, u32)] {
        self.by_key.get(key).map_or([].as_slice(), Vec::as_slice)
    }

    /// The columns of the table.
    pub(super) fn data(&self, table: &TableSchema) -> &[Column] {
        &self.columns[..table.columns.len()]
    }

    /// Some rows, all columns.
    pub(super) fn take(&self, rows: &[u32]) -> Vec<Column> {
        self.columns.iter().map(|column| column.take(rows)).collect()
    }
}

impl Txn {
    /// Divides new facts by what stands in their way. `columns` are those that are not hidden. `updates` says that the facts
    /// in the way will be changed; then no instant may be written twice.
    ///
    /// # Errors
    /// 21000, or the store's.
    pub(crate) fn clash(
        &self,
        table: &TableSchema,
        columns: &[Column],
        periods: &[Period],
        updates: bool,
    ) -> Result<Clash> {
        let row_numbers =
            |rows: &[u32]| Column::from_i64s(Type::Integer, rows.iter().map(|row| i64::from(*row)).collect());
        if table.columns.iter().any(|column| column.hidden) {
            // Without a declared key nothing is ever in the way.
            let rows: Vec<u32> = (0..periods.len() as u32).collect();
            return Ok(Clash { free: (columns.to_vec(), periods.to_vec(), row_numbers(&rows)), taken: None });
        }
        let keys = Keys::of(table, columns, periods.len());
        let current = self.current(table, keys.to_vecs())?;
        let mut covers: HashMap<&[u8], (Cover, Cover)> = HashMap::new();
        let (mut free_rows, mut free_periods) = (Vec::new(), Vec::new());
        let (mut new_rows, mut fact_rows, mut shared) = (Vec::new(), Vec::new(), Vec::new());
        for (row, period) in periods.iter().enumerate() {
            let facts = current.of(&keys[row]);
            let (taken, claimed) = covers.entry(&keys[row]).or_insert_with(|| {
                let mut taken = Cover::default();
                facts.iter().for_each(|(period, _)| drop(taken.add(*period)));
                (taken, Cover::default())
            });
            if updates && claimed.add(*period) != [*period] {
                return Err(changed_twice("ON CONFLICT DO UPDATE command cannot affect row a second time"));
            }
            let free = taken.add(*period);
            free_rows.extend(free.iter().map(|_| row as u32));
            free_periods.extend(free);
            for (of_fact, fact_row) in facts.iter().filter(|_| updates) {
                if let Some(part) = of_fact.intersect(*period) {
                    new_rows.push(row as u32);
                    fact_rows.push(*fact_row);
                    shared.push(part);
                }
            }
        }
        let taken = (!shared.is_empty()).then(|| {
            let mut all: Vec<Column> = current.columns.iter().map(|column| column.take(&fact_rows)).collect();
            all.extend(columns.iter().map(|column| column.take(&new_rows)));
            let ends = |end: fn(&Period) -> i64| Column::from_i64s(Type::Timestamp, shared.iter().map(end).collect());
            all.extend([ends(|part| part.from()), ends(|part| part.to()), row_numbers(&new_rows)]);
            Batch::new(all, shared.len())
        });
        let free = columns.iter().map(|column| column.take(&free_rows)).collect();
        Ok(Clash { free: (free, free_periods, row_numbers(&free_rows)), taken })
    }

    /// The current facts of these keys, whatever their periods.
    pub(super) fn current(&self, table: &TableSchema, keys: Vec<Vec<u8>>) -> Result<Current> {
        let mut wanted = keys;
        wanted.sort_unstable();
        wanted.dedup();
        let data = (0..table.columns.len()).map(ScanColumn::Data);
        let marks = [ScanColumn::ValidFrom, ScanColumn::ValidTo, ScanColumn::Commit, ScanColumn::Origin];
        let spec = ScanSpec {
            table: table.id,
            columns: data.chain(marks).collect(),
            keys: KeyRange::Exact(wanted),
            system: SystemScope::AsOf(self.view.current_commit()),
            valid: ValidScope::All,
            predicates: Vec::new(),
            batch_rows_max: BATCH_ROWS,
        };
        let mut parts: Vec<Vec<Column>> = Vec::new();
        for batch in self.view.scan(spec, Reads::WithOwnWrites)? {
            parts.push(batch?.into_columns());
        }
        let types = table.columns.iter().map(|column| column.ty);
        let types = types.chain([Type::Timestamp, Type::Timestamp, Type::Integer, Type::Integer]);
        let columns: Vec<Column> = types
            .enumerate()
            .map(|(at, ty)| Column::concat(ty, &parts.iter().map(|part| part[at].clone()).collect::<Vec<_>>()))
            .collect();
        let width = table.columns.len();
        let row_count = columns[width].len();
        let (from, to) = (columns[width].i64s(), columns[width + 1].i64s());
        let mut by_key: HashMap<Vec<u8>, Vec<(Period, u32)>> = HashMap::new();
        for (row, key) in Keys::of(table, &columns, row_count).iter().enumerate() {
            let period = Period::new(from.at(row), to.at(row)).expect("stored periods are not empty");
            by_key.entry_ref(key).or_default().push((period, row as u32));
        }
        by_key.values_mut().for_each(|facts| facts.sort_unstable());
        Ok(Current { columns, by_key })
    }
}
