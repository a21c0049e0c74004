//! What does a scan of the plan ask the store for?
//!
//! Its expressions are constants by now; `crate::ops` says what their values mean. Block predicates are only a help: one
//! whose value cannot be computed, or is NULL, is left out, and the filter in the plan decides.

use super::build::{Builder, Lowered, place};
use crate::ops::{self, ExecError, Reads, Scope, ScopeReader};
use spectradb_grammar::plan::{self, CompareOp, KeyAccess, Node};
use spectradb_kernel::{Type, Value};
use spectradb_store::scan::{BlockOp, BlockPredicate, KeyRange, ScanColumn, ScanSpec, SystemScope, ValidScope};

impl Builder<'_> {
    pub(super) fn scan(&self, scan: &plan::Scan, node: &Node) -> Result<Lowered, ExecError> {
        let reader = self.context.reader;
        let mut keys = self.keys(scan)?;
        let (system, reads) = match self.system(&scan.system)? {
            (Scope::Some(system), reads) => (system, reads),
            (Scope::Empty, reads) => {
                keys = ops::no_keys();
                (SystemScope::All, reads)
            }
        };
        let valid = match self.valid(&scan.valid)? {
            Scope::Some(valid) => valid,
            Scope::Empty => {
                keys = ops::no_keys();
                ValidScope::All
            }
        };
        let spec = ScanSpec {
            table: scan.table.id,
            columns: scan.columns.iter().copied().map(column).collect(),
            keys,
            system,
            valid,
            predicates: scan.predicates.iter().filter_map(|predicate| self.predicate(predicate)).collect(),
            batch_rows_max: self.context.tuning.batch_rows,
        };
        Ok(Lowered::new(Box::new(ops::Scan::new(ops::open(reader, spec, reads)?, &self.context.tuning)), node))
    }

    fn system(&self, scope: &plan::SystemScope) -> Result<(Scope<SystemScope>, Reads), ExecError> {
        let scopes = ScopeReader { reader: self.context.reader, now: self.context.now };
        Ok(match scope {
            plan::SystemScope::Latest => {
                (Scope::Some(SystemScope::AsOf(self.context.reader.current_commit())), Reads::WithOwnWrites)
            }
            plan::SystemScope::AsOf(point) => {
                let scope = scopes.system_as_of(&self.constant(point)?, place(point.span))?;
                (Scope::Some(scope), Reads::AsOf(place(point.span)))
            }
            plan::SystemScope::Range { from, to, to_included } => {
                let (first, last) = (self.constant(from)?, self.constant(to)?);
                let (first, last) = ((&first, place(from.span)), (&last, place(to.span)));
                (scopes.system_range(first, last, *to_included)?, Reads::Committed)
            }
            plan::SystemScope::All => (Scope::Some(SystemScope::All), Reads::Committed),
        })
    }

    fn valid(&self, scope: &plan::ValidScope) -> Result<Scope<ValidScope>, ExecError> {
        match scope {
            plan::ValidScope::At(point) => ops::valid_at(&self.constant(point)?, place(point.span)).map(Scope::Some),
            plan::ValidScope::Range { from, to, to_included } => {
                let (first, last) = (self.constant(from)?, self.constant(to)?);
                ops::valid_range((&first, place(from.span)), (&last, place(to.span)), *to_included)
            }
            plan::ValidScope::All => Ok(Scope::Some(ValidScope::All)),
        }
    }

    fn keys(&self, scan: &plan::Scan) -> Result<KeyRange, ExecError> {
        let types: Vec<Type> = scan.table.key_types().collect();
        let tuple = |exprs: &[plan::Expr]| exprs.iter().map(|expr| self.constant(expr)).collect::<Result<Vec<_>, _>>();
        match &scan.keys {
            KeyAccess::All => Ok(KeyRange::All),
            KeyAccess::Exact(tuples) => {
                let tuples = tuples.iter().map(|exprs| tuple(exprs)).collect::<Result<Vec<_>, _>>()?;
                Ok(ops::exact_keys(&tuples, &types))
            }
            KeyAccess::Range { prefix, low, high } => {
                let bound = |bound: &Option<plan::KeyBound>| -> Result<Option<(Value, bool)>, ExecError> {
                    let Some(bound) = bound else { return Ok(None) };
                    Ok(Some((self.constant(&bound.value)?, bound.included)))
                };
                let (low, high) = (bound(low)?, bound(high)?);
                let low = low.as_ref().map(|(value, included)| (value, *included));
                let high = high.as_ref().map(|(value, included)| (value, *included));
                Ok(ops::key_range(&tuple(prefix)?, low, high, &types))
            }
        }
    }

    fn predicate(&self, predicate: &plan::ScanPredicate) -> Option<BlockPredicate> {
        let value = self.constant(&predicate.value).ok().filter(|value| !value.is_null())?;
        let op = match predicate.op {
            CompareOp::Eq => BlockOp::Eq,
            CompareOp::Lt => BlockOp::Lt,
            CompareOp::Le => BlockOp::Le,
            CompareOp::Gt => BlockOp::Gt,
            CompareOp::Ge => BlockOp::Ge,
        };
        Some(BlockPredicate { column_idx: predicate.column_idx, op, value })
    }
}

fn column(column: plan::ScanColumn) -> ScanColumn {
    match column {
        plan::ScanColumn::Data(column_idx) => ScanColumn::Data(column_idx),
        plan::ScanColumn::Commit => ScanColumn::Commit,
        plan::ScanColumn::Origin => ScanColumn::Origin,
        plan::ScanColumn::SystemFrom => ScanColumn::SystemFrom,
        plan::ScanColumn::SystemTo => ScanColumn::SystemTo,
        plan::ScanColumn::CommitTo => ScanColumn::CommitTo,
        plan::ScanColumn::ValidFrom => ScanColumn::ValidFrom,
        plan::ScanColumn::ValidTo => ScanColumn::ValidTo,
    }
}
