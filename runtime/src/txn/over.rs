//! How are facts stated over whatever holds there now?
//!
//! A batch's writes to one key are made disjoint first: the last write to an instant wins. What they overlap ends for the
//! part they share, what lies outside of it is stated again, and then the new facts are as good as inserted.
//!
//! Holds: a fact that is stated again with the same values over the same period stays as it is.
//! Not here: carrying it out, which is [`Edit`]'s as for every statement; who gathers the writes (`typed::batch`).

use super::{Changed, Edit, Keys, Txn, edit::rows_identical};
use crate::error::Result;
use spectradb_kernel::{
    Column, Period,
    rectangle::{Write, normalise},
    schema::TableSchema,
};
use std::sync::Arc;

/// What one write of a batch says of a key's period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// This row of the batch holds there.
    Row(u32),
    /// The key at this position holds no row there.
    Nothing(u32),
}

impl Txn {
    /// Carries out writes to a table with a declared key, in order. `columns` are the rows, `gone` the columns of the keys
    /// that deletions name.
    ///
    /// # Errors
    /// 23502, or the store's.
    pub(crate) fn write_over(
        &mut self,
        table: &Arc<TableSchema>,
        columns: &[Column],
        gone: &[Column],
        writes: &[(Says, Period)],
    ) -> Result<Changed> {
        self.may_hold(table, columns)?;
        let (keys, says) = disjoint(table, columns, gone, writes);
        let periods: Vec<Period> = says.iter().map(|(_, period)| *period).collect();
        let mut edit = Edit::new(table, None);
        let mut rows: Vec<u32> = Vec::with_capacity(says.len());
        let mut row_periods: Vec<Period> = Vec::with_capacity(says.len());
        let taken = self.taken(table, &keys, &periods)?;
        let current = match taken.is_empty() {
            true => None,
            false => Some(self.current(table, taken)?),
        };
        let (mut fact_rows, mut parts) = (Vec::new(), Vec::new());
        for (key, (row, period)) in keys.iter().zip(&says) {
            let facts = current.as_ref().map_or([].as_slice(), |current| current.of(key));
            if let (Some(row), Some(current)) = (row, &current)
                && facts.iter().any(|(of_fact, fact_row)| {
                    of_fact == period && rows_identical(columns, *row as usize, current.data(table), *fact_row as usize)
                })
            {
                continue;
            }
            for (of_fact, fact_row) in facts {
                if let Some(part) = of_fact.intersect(*period) {
                    fact_rows.push(*fact_row);
                    parts.push(part);
                }
            }
            if let Some(row) = row {
                rows.push(*row);
                row_periods.push(*period);
            }
        }
        if let Some(current) = current.filter(|_| !parts.is_empty()) {
            edit.end_parts(current.take(&fact_rows), parts);
        }
        if !rows.is_empty() {
            let in_order =
                rows.len() == columns[0].len() && rows.iter().enumerate().all(|(at, row)| at == *row as usize);
            let pick = |column: &Column| if in_order { column.clone() } else { column.take(&rows) };
            edit.insert(columns.iter().map(pick).collect(), row_periods, Vec::new());
        }
        edit.ends_what_it_overlaps();
        self.apply(edit)
    }

    /// The keys that hold a fact which these periods overlap, or may.
    fn taken(&self, table: &TableSchema, keys: &Keys, periods: &[Period]) -> Result<Vec<Vec<u8>>> {
        self.view.note_keys(table.id, || keys.to_vecs());
        if self.view.has_changed(table.id) {
            return Ok(keys.to_vecs());
        }
        let refs: Vec<&[u8]> = keys.iter().collect();
        let overlaps = self.view.snapshot.overlapping(table.id, &refs, periods)?;
        let mut taken: Vec<Vec<u8>> = overlaps.into_iter().map(|overlap| keys[overlap.key_idx].to_vec()).collect();
        taken.dedup();
        Ok(taken)
    }
}

/// What holds at each key's periods in the end: sorted by key and time, without overlaps, and `None` for no row.
type Disjoint = (Keys, Vec<(Option<u32>, Period)>);

fn disjoint(table: &TableSchema, columns: &[Column], gone: &[Column], writes: &[(Says, Period)]) -> Disjoint {
    let put_keys = Keys::of(table, columns, columns.first().map_or(0, Column::len));
    let gone_keys = Keys::of_parts(gone, gone.first().map_or(0, Column::len));
    let in_order = || (0..).zip(writes).all(|(row, (says, _))| *says == Says::Row(row));
    if put_keys.rise() && gone_keys.len() == 0 && writes.len() == put_keys.len() && in_order() {
        // Each row is a key of its own, in order: nothing is written twice.
        let says = (0..).zip(writes).map(|(row, (_, period))| (Some(row), *period)).collect();
        return (put_keys, says);
    }
    // The keys of all writes in the order in which they were told.
    let mut keys = Keys::default();
    for (says, _) in writes {
        keys.push(match says {
            Says::Row(row) => &put_keys[*row as usize],
            Says::Nothing(at) => &gone_keys[*at as usize],
        });
    }
    let order = keys.order();
    let (mut rows, mut all) = (Vec::with_capacity(writes.len()), Vec::with_capacity(writes.len()));
    for of_key in order.chunk_by(|a, b| keys[*a as usize] == keys[*b as usize]) {
        let row = |says: Says| match says {
            Says::Row(row) => Some(row),
            Says::Nothing(_) => None,
        };
        let of_key_writes = of_key.iter().map(|at| &writes[*at as usize]);
        let made = normalise(of_key_writes.map(|(says, period)| Write { period: *period, row: row(*says) }).collect());
        for write in made {
            rows.push(of_key[0]);
            all.push((write.row, write.period));
        }
    }
    (keys.take(&rows), all)
}
