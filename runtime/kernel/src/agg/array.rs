//! How do the values of a group become an array?
//!
//! Each value comes as an array of one element (the binder wraps it, NULL too, and an array in one dimension more); elements
//! stand in the order in which rows come. A row without any array does not take part (FILTER leaves it so).
//!
//! Holds: arrays that are gathered have one shape, as in PostgreSQL.

use super::Accumulator;
use crate::{
    array::{Dimension, View, Writer},
    column::{Column, ColumnBuilder},
    func::{Fault, RowFault},
    ty::{Type, TypeClass},
    value::Value,
};

/// One group's elements.
#[derive(Debug)]
struct Group {
    shape: Vec<Dimension>,
    rows: u32,
    elements: Vec<u8>,
    ends: Vec<usize>,
    nulls: Vec<bool>,
}

/// The elements of each group.
pub(super) struct Gathered {
    ty: Type,
    groups: Vec<Option<Group>>,
    /// What all elements take.
    bytes: usize,
}

impl Gathered {
    pub(super) fn new(ty: Type) -> Gathered {
        Gathered { ty, groups: Vec::new(), bytes: 0 }
    }

    fn add(&mut self, column: &Column, group_of: impl Fn(usize) -> usize) -> Result<(), RowFault> {
        let values = column.byte_vals();
        for row in (0..column.len()).filter(|row| !column.is_null(*row)) {
            let view = View::new(values.at(row));
            let shape: Vec<Dimension> = view.dimensions().skip(1).collect();
            let group = self.groups[group_of(row)].get_or_insert_with(|| Group {
                shape: shape.clone(),
                rows: 0,
                elements: Vec::new(),
                ends: Vec::new(),
                nulls: Vec::new(),
            });
            let lens = |shape: &[Dimension]| shape.iter().map(|dimension| dimension.len).collect::<Vec<_>>();
            if lens(&group.shape) != lens(&shape) || view.is_empty() {
                let args: Vec<Value> = vec![column.value(row)];
                let ret = TypeClass::Array;
                return Err(RowFault { fault: Fault::ArrayShape, function: "array_agg", ret, row, args });
            }
            group.rows += 1;
            for element in 0..view.len() {
                let is_null = view.is_null(element);
                if !is_null {
                    group.elements.extend_from_slice(view.raw(element));
                }
                group.nulls.push(is_null);
                group.ends.push(group.elements.len());
            }
            self.bytes += values.at(row).len() + view.len() * (size_of::<usize>() + size_of::<bool>());
        }
        Ok(())
    }
}

impl Group {
    fn array(&self, element: Type, out: &mut Vec<u8>) {
        let mut writer = Writer::new(element);
        let mut start = 0;
        for (is_null, end) in self.nulls.iter().zip(&self.ends) {
            if *is_null {
                writer.push_null();
            } else {
                writer.push_raw(&self.elements[start..*end]);
            }
            start = *end;
        }
        let mut dimensions = vec![Dimension { len: self.rows, lower: 1 }];
        dimensions.extend_from_slice(&self.shape);
        writer.finish(&dimensions, out);
    }
}

impl Accumulator for Gathered {
    fn resize(&mut self, group_count: usize) {
        self.groups.resize_with(group_count, || None);
    }

    fn update(&mut self, groups: &[u32], arg: Option<&Column>) -> Result<(), RowFault> {
        self.add(arg.expect("only count(*) has no argument"), |row| groups[row] as usize)
    }

    fn update_all(&mut self, _row_count: usize, arg: Option<&Column>) -> Result<(), RowFault> {
        self.add(arg.expect("only count(*) has no argument"), |_| 0)
    }

    fn grown_bytes(&self) -> usize {
        self.bytes
    }

    fn finish(&mut self) -> Result<Column, RowFault> {
        let Type::Array(element) = self.ty else { unreachable!("an array is gathered") };
        let mut column = ColumnBuilder::new(self.ty);
        for group in &self.groups {
            match group {
                Some(group) => {
                    let mut bytes = Vec::new();
                    group.array(element.ty(), &mut bytes);
                    column.push(&Value::Array(crate::array::Array::from_bytes(bytes)));
                }
                None => column.push_null(),
            }
        }
        Ok(column.finish())
    }
}
