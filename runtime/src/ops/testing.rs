//! How do the operators' tests make batches and look at what comes out?

use super::{BoxSource, Source, Values};
use spectradb_kernel::{Batch, Column, Type};

/// A source of a batch's rows, so many at a time.
pub(crate) fn batches_of(batch: &Batch, batch_rows: usize) -> BoxSource {
    let slices = (0..batch.len()).step_by(batch_rows).map(|row| batch.slice(row..batch.len().min(row + batch_rows)));
    Box::new(Values::new(slices.collect()))
}

/// All rows of a source, column by column.
pub(crate) fn drain(mut source: impl Source, types: &[Type]) -> Vec<Column> {
    let mut parts: Vec<Vec<Column>> = vec![Vec::new(); types.len()];
    while let Some(batch) = source.next().expect("no fault") {
        assert!(!batch.is_empty(), "an operator never gives an empty batch");
        assert_eq!(batch.column_count(), types.len());
        for (part, column) in parts.iter_mut().zip(batch.into_columns()) {
            part.push(column);
        }
    }
    assert!(source.next().expect("no fault").is_none(), "an end is an end");
    types.iter().zip(parts).map(|(ty, parts)| Column::concat(*ty, &parts)).collect()
}
