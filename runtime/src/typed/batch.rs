//! How does a program write many facts as one commit, without SQL?
//!
//! A [`WriteBatch`] gathers rows and deletions, typed or by the table's name, and commits them at once: all or nothing, one
//! record, one sync. Nothing is looked at before the commit; then the batch is a change of a session like any other, and is
//! tried again while other commits get in its way.
//!
//! Holds: of writes to one instant of a key the last wins, in the order in which the batch was told, whichever forms were used.
//! Not here: what a write does to the facts that hold (`txn::over`).

use super::{
    shape::TableShape,
    table::{AsRow, Lent, Table, always, batches, shape},
};
use crate::{
    Database, Session, cast,
    error::{Error, Result, code},
    txn::{Changed, Says, Txn},
};
use spectradb_kernel::{
    Column, Period, Value,
    column::ColumnBuilder,
    schema::{ColumnSchema, TableSchema},
    time::Commit,
};
use spectradb_store::config::Durability;
use std::sync::Arc;

/// Writes that become one commit, or none.
///
/// A put states a row for its period and supersedes what it overlaps there, as `INSERT ... ON CONFLICT DO UPDATE` would; a
/// deletion leaves no row there. A row that says what holds already writes nothing.
///
/// ```
/// use spectradb::{Database, Durability, Period, Table, Timestamp};
///
/// #[derive(Table)]
/// #[table(name = "prices")]
/// struct Price {
///     #[key]
///     item: String,
///     cents: i64,
/// }
///
/// let db = Database::open_memory()?;
/// db.create::<Price>()?;
/// let mut batch = db.batch();
/// batch.put(&Price { item: "tea".into(), cents: 320 });
/// batch.put(&Price { item: "rum".into(), cents: 900 });
/// let sale = Period::new(0, 1_000_000).expect("it begins before it ends");
/// batch.put_for(&Price { item: "tea".into(), cents: 250 }, sale);
/// batch.delete::<Price>("rum");
/// batch.put_values("prices", ["milk".into(), 110.into()]);
/// assert_eq!(batch.commit_with(Durability::Synced)?, Some(1));
///
/// assert_eq!(db.get::<Price>("tea")?.map(|price| price.cents), Some(320));
/// let then = spectradb::At::now().valid(Timestamp(500_000));
/// assert_eq!(db.get_at::<Price>("tea", then)?.map(|price| price.cents), Some(250));
/// assert!(db.get::<Price>("rum")?.is_none());
/// # Ok::<(), spectradb::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a batch that is not committed writes nothing"]
pub struct WriteBatch {
    session: Session,
    lots: Vec<Lot>,
}

/// What a batch writes to one table.
#[derive(Debug, Default)]
struct Lot {
    table: String,
    /// The table as structs know it; there is one where all is well.
    shapes: Vec<TableShape>,
    /// Typed rows by columns, and how many they are.
    parts: Vec<Vec<Column>>,
    typed_count: u32,
    /// The last typed rows, put one by one.
    open: Vec<ColumnBuilder>,
    /// Rows by their values.
    loose: Vec<Vec<Value>>,
    /// Keys of deletions.
    gone: Vec<Vec<Value>>,
    writes: Vec<(Told, Period)>,
}

/// What was told, by its number among its kind.
#[derive(Clone, Copy, Debug)]
enum Told {
    Typed(u32),
    Loose(u32),
    Gone(u32),
}

impl Database {
    /// A batch of writes that become one commit.
    pub fn batch(&self) -> WriteBatch {
        WriteBatch { session: self.session(), lots: Vec::new() }
    }
}

impl WriteBatch {
    /// Puts a row that is always valid.
    pub fn put<T: Table>(&mut self, row: &T) -> &mut WriteBatch {
        self.put_for(row, always())
    }

    /// Puts a row for a valid period.
    pub fn put_for<T: Table>(&mut self, row: &T, period: Period) -> &mut WriteBatch {
        if let Some(lot) = self.typed::<T>() {
            let (columns, _) = T::columns_of(std::iter::once(Lent(row)));
            if lot.open.is_empty() {
                lot.open = columns.iter().map(|column| ColumnBuilder::new(column.ty())).collect();
            }
            lot.open.iter_mut().zip(&columns).for_each(|(builder, column)| builder.push(&column.value(0)));
            lot.put_typed(1, period);
        }
        self
    }

    /// Puts rows that are always valid.
    pub fn put_all<R: AsRow>(&mut self, rows: impl IntoIterator<Item = R>) -> &mut WriteBatch {
        if let Some(lot) = self.typed::<R::Table>() {
            lot.seal();
            for (columns, count) in batches(rows) {
                lot.parts.push(columns);
                lot.put_typed(count as u32, always());
            }
        }
        self
    }

    /// Deletes a key, whenever it is valid.
    pub fn delete<T: Table>(&mut self, key: T::Key<'_>) -> &mut WriteBatch {
        self.delete_for::<T>(key, always())
    }

    /// Deletes a key for a valid period.
    pub fn delete_for<T: Table>(&mut self, key: T::Key<'_>, period: Period) -> &mut WriteBatch {
        if let Some(lot) = self.typed::<T>() {
            lot.delete(T::key_values(key), period);
        }
        self
    }

    /// Puts a row of a table by its name: a value for each column, in order, converted as INSERT converts parameters.
    pub fn put_values(&mut self, table: &str, values: impl Into<Vec<Value>>) -> &mut WriteBatch {
        self.put_values_for(table, values, always())
    }

    /// As [`WriteBatch::put_values`], for a valid period.
    pub fn put_values_for(&mut self, table: &str, values: impl Into<Vec<Value>>, period: Period) -> &mut WriteBatch {
        let lot = self.lot(table);
        lot.writes.push((Told::Loose(lot.loose.len() as u32), period));
        lot.loose.push(values.into());
        self
    }

    /// Deletes a key of a table by its name, whenever it is valid: a value for each column of the key.
    pub fn delete_key(&mut self, table: &str, key: impl Into<Vec<Value>>) -> &mut WriteBatch {
        self.delete_key_for(table, key, always())
    }

    /// As [`WriteBatch::delete_key`], for a valid period.
    pub fn delete_key_for(&mut self, table: &str, key: impl Into<Vec<Value>>, period: Period) -> &mut WriteBatch {
        self.lot(table).delete(key.into(), period);
        self
    }

    /// Commits everything; answers the commit, or `None` when nothing changes.
    ///
    /// # Errors
    /// 42P01, 42P17 when a table is not there or is another; 42804, 22P02 and their kin for a value that is none of its column;
    /// 23502; 40001 when other commits got in the way again and again; or the store's. Then nothing is written.
    pub fn commit(self) -> Result<Option<Commit>> {
        self.finish(None)
    }

    /// As [`WriteBatch::commit`], acknowledged as this says.
    ///
    /// # Errors
    /// As [`WriteBatch::commit`].
    pub fn commit_with(self, durability: Durability) -> Result<Option<Commit>> {
        self.finish(Some(durability))
    }

    fn finish(self, durability: Option<Durability>) -> Result<Option<Commit>> {
        let WriteBatch { mut session, mut lots } = self;
        session.settings.durability = durability;
        lots.iter_mut().for_each(Lot::seal);
        let (_, commit) = session.change(|txn| {
            let mut changed = Changed::default();
            for lot in &lots {
                changed += lot.write(txn)?;
            }
            Ok(changed)
        })?;
        Ok(commit)
    }

    fn lot(&mut self, table: &str) -> &mut Lot {
        // Those who write to many tables tend to write to the same one again.
        let at = self.lots.iter().rposition(|lot| lot.table == table).unwrap_or_else(|| {
            self.lots.push(Lot { table: table.to_owned(), ..Lot::default() });
            self.lots.len() - 1
        });
        &mut self.lots[at]
    }

    /// The lot of a struct's table; `None` when it is known as another struct's already, which the commit refuses.
    fn typed<T: Table>(&mut self) -> Option<&mut Lot> {
        let lot = self.lot(T::NAME);
        let shape = shape::<T>();
        if !lot.shapes.iter().any(|known| known.fingerprint == shape.fingerprint) {
            lot.shapes.push(shape);
        }
        (lot.shapes[0].fingerprint == shape.fingerprint).then_some(lot)
    }
}

impl Lot {
    fn put_typed(&mut self, count: u32, period: Period) {
        let rows = self.typed_count..self.typed_count + count;
        self.typed_count = rows.end;
        self.writes.extend(rows.map(|row| (Told::Typed(row), period)));
    }

    fn delete(&mut self, key: Vec<Value>, period: Period) {
        self.writes.push((Told::Gone(self.gone.len() as u32), period));
        self.gone.push(key);
    }

    /// Makes columns of the rows that were put one by one.
    fn seal(&mut self) {
        if !self.open.is_empty() {
            self.parts.push(std::mem::take(&mut self.open).into_iter().map(ColumnBuilder::finish).collect());
        }
    }

    fn write(&self, txn: &mut Txn) -> Result<Changed> {
        let table = match txn.snapshot().catalog().by_name(&self.table) {
            Some(table) => table.clone(),
            None => {
                return Err(Error::new(code::UNDEFINED_TABLE, format!("table \"{}\" does not exist", self.table)));
            }
        };
        self.shapes.iter().try_for_each(|shape| shape.compare(&table))?;
        let columns = self.columns(&table)?;
        if table.columns.iter().any(|column| column.hidden) {
            return self.insert(txn, &table, columns);
        }
        let key: Vec<&ColumnSchema> = table.key.iter().map(|at| &table.columns[*at]).collect();
        let gone = by_column(&self.table, &key, &self.gone)?;
        let says = |told: &Told| match told {
            Told::Typed(row) => Says::Row(*row),
            Told::Loose(row) => Says::Row(self.typed_count + row),
            Told::Gone(at) => Says::Nothing(*at),
        };
        let writes: Vec<(Says, Period)> = self.writes.iter().map(|(told, period)| (says(told), *period)).collect();
        txn.write_over(&table, &columns, &gone, &writes)
    }

    /// The rows of a table without a declared key: nothing is ever in their way.
    fn insert(&self, txn: &mut Txn, table: &Arc<TableSchema>, columns: Vec<Column>) -> Result<Changed> {
        if !self.gone.is_empty() {
            let message = format!("table \"{}\" has no key that could be deleted", self.table);
            return Err(Error::new(code::INVALID_PARAMETER, message).with_help("DELETE says which rows go"));
        }
        let (mut typed, mut loose) = (Vec::new(), Vec::new());
        for (told, period) in &self.writes {
            match told {
                Told::Typed(_) => typed.push(*period),
                Told::Loose(_) | Told::Gone(_) => loose.push(*period),
            }
        }
        typed.append(&mut loose);
        txn.insert(table, columns, typed)
    }

    /// All rows as columns of the table's types, typed ones first.
    fn columns(&self, table: &TableSchema) -> Result<Vec<Column>> {
        let visible: Vec<&ColumnSchema> = table.columns.iter().filter(|column| !column.hidden).collect();
        let loose = by_column(&self.table, &visible, &self.loose)?;
        let of_column = |(at, loose): (usize, Column)| {
            let declared = visible[at];
            let Some(first) = self.parts.first() else { return Ok(loose) };
            let parts: Vec<Column> = self.parts.iter().map(|part| part[at].clone()).collect();
            let typed = match parts.as_slice() {
                [part] => part.clone(),
                parts => Column::concat(first[at].ty(), parts),
            };
            // A field's Rust type says less than VARCHAR(n) or CHAR(n) does.
            let typed = cast::column(&typed, declared.ty).map_err(|error| error.of_column(&declared.name))?;
            Ok(if loose.is_empty() { typed } else { Column::concat(declared.ty, &[typed, loose]) })
        };
        loose.into_iter().enumerate().map(of_column).collect()
    }
}

/// Rows of values as columns of some types.
fn by_column(table: &str, columns: &[&ColumnSchema], rows: &[Vec<Value>]) -> Result<Vec<Column>> {
    let mut builders: Vec<ColumnBuilder> = columns.iter().map(|column| ColumnBuilder::new(column.ty)).collect();
    for row in rows {
        if row.len() != columns.len() {
            let message =
                format!("table \"{table}\": {} values are given where {} are expected", row.len(), columns.len());
            return Err(Error::new(code::DATATYPE_MISMATCH, message));
        }
        for ((value, column), builder) in row.iter().zip(columns).zip(&mut builders) {
            builder.push(&cast::value(value, column.ty).map_err(|error| error.of_column(&column.name))?);
        }
    }
    Ok(builders.into_iter().map(ColumnBuilder::finish).collect())
}
