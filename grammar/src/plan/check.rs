//! Does a plan keep every promise that the IR makes to its executors?
//!
//! [`check`] is the only way to a [`CheckedPlan`], and only such a plan can be run or compiled. A broken promise is a bug of
//! the binder or of a rewrite, never of the SQL text; it is reported as an internal error instead of wrong rows.
//!
//! Types agree when class and scale do: the precision of a NUMERIC is a bound, not a shape.

use super::{
    AggregateCall, Conflict, EraseFrom, Expr, ExprKind, Field, FrameBound, FrameUnit, Join, KeyAccess, MergeAction,
    Node, NodeKind, Plan, QueryPlan, Scan, ScanColumn, SortKey, Statement, SubplanAsk, SystemScope, TransactionOption,
    ValidScope, WindowCall, WindowFunction,
};
use crate::diag::{Diag, code};
use spectradb_kernel::{
    Type, Value,
    schema::TableSchema,
    ty::{LaneKind, TypeClass},
};
use std::ops::Deref;

/// A plan that keeps the promises of the IR: the only kind that can be run or compiled.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedPlan(Plan);

impl CheckedPlan {
    /// The plan.
    pub fn into_plan(self) -> Plan {
        self.0
    }
}

impl Deref for CheckedPlan {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.0
    }
}

/// Checks a plan.
///
/// # Errors
/// A promise is broken: an internal error (XX000) that says which.
pub fn check(plan: Plan) -> Result<CheckedPlan, Diag> {
    let checker = Checker { params: plan.params.iter().map(|param| param.ty).collect(), subplans: Vec::new() };
    match checker.statement(&plan.statement) {
        Ok(()) => Ok(CheckedPlan(plan)),
        Err(broken) => Err(Diag {
            code: code::INTERNAL,
            message: format!("the plan breaks a rule of its own: {broken}"),
            span: None,
            help: Some("this is a bug in SpectraDB, not in the statement".to_owned()),
        }),
    }
}

/// Do class and scale agree?
pub fn agrees(a: Type, b: Type) -> bool {
    match (a, b) {
        (Type::Array(a), Type::Array(b)) => a.class() == b.class() && a.ty().scale() == b.ty().scale(),
        (a, b) => a.class() == b.class() && a.scale() == b.scale(),
    }
}

type Checked = Result<(), String>;

fn ensure(holds: bool, rule: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(rule()) }
}

struct Checker {
    params: Vec<Type>,
    /// The fields of the subplans that may be asked.
    subplans: Vec<Vec<Field>>,
}

impl Checker {
    fn statement(&self, statement: &Statement) -> Checked {
        match statement {
            Statement::Query(query) | Statement::CopyTo { source: query, .. } => self.query(query).map(|_| ()),
            Statement::Insert { table, source, conflict, returning } => {
                types_are(&self.query(source)?, new_types(table), "INSERT's source")?;
                let mut old = Vec::new();
                if let Some(Conflict::Update(update)) = conflict {
                    let given = fact_types(table).chain(new_types(table)).chain([Type::Integer]);
                    self.given(update, &given.collect::<Vec<_>>())?;
                    let fields = self.query(update)?;
                    let of = "what ON CONFLICT updates";
                    let (old_values, part) =
                        begins_with(&fields, update_types(table), of)?.split_last_chunk::<3>().ok_or(of)?;
                    types_are(part, [Type::Timestamp, Type::Timestamp, Type::Integer].into_iter(), of)?;
                    old.extend_from_slice(old_values);
                }
                self.returning(returning.as_ref(), table, &old)
            }
            Statement::Update { table, source, portion, joined: _, returning } => {
                self.portion(portion.as_ref(), source)?;
                let fields = self.query(source)?;
                let extra = begins_with(&fields, update_types(table), "UPDATE's source")?;
                self.returning(returning.as_ref(), table, extra)
            }
            Statement::Delete { table, source, portion, joined: _, returning } => {
                self.portion(portion.as_ref(), source)?;
                let fields = self.query(source)?;
                let extra = begins_with(&fields, fact_types(table), "DELETE's source")?;
                self.returning(returning.as_ref(), table, extra)
            }
            Statement::Erase { tables } => tables.iter().try_for_each(|erase| {
                let EraseFrom { table, is_dropped: _, source, stated } = erase;
                let given: Vec<Type> = fact_types(table).chain([Type::Timestamp; 2]).collect();
                self.given(stated, &given)?;
                types_are(&self.query(source)?, table.key_types(), "ERASE's keys")?;
                types_are(&self.query(stated)?, table.key_types(), "ERASE's keys in the log")
            }),
            Statement::Merge { table, source, portion, actions, returning } => {
                self.portion(portion.as_ref(), source)?;
                let given: Vec<Type> = self.query(source)?.iter().map(|field| field.ty).collect();
                ensure(given.last() == Some(&Type::Integer), || "MERGE's source numbers actions".to_owned())?;
                for action in actions {
                    let (MergeAction::Update(rows) | MergeAction::Delete(rows) | MergeAction::Insert(rows)) = action;
                    self.given(rows, &given)?;
                    let fields = self.query(rows)?;
                    let extra = match action {
                        MergeAction::Update(_) => begins_with(&fields, update_types(table), "MERGE's update")?,
                        MergeAction::Delete(_) => begins_with(&fields, fact_types(table), "MERGE's delete")?,
                        MergeAction::Insert(_) => begins_with(&fields, new_types(table), "MERGE's insert")?,
                    };
                    self.returning(returning.as_ref(), table, extra)?;
                }
                Ok(())
            }
            Statement::With { changes, body } => {
                let mut given: Vec<Vec<Type>> = Vec::with_capacity(changes.len());
                for change in changes {
                    self.statement(change)?;
                    self.given_by_changes(change, &given)?;
                    let rows = match change {
                        Statement::Query(query) => Some(&query.root.fields),
                        change => change.returning().map(|rows| &rows.root.fields),
                    };
                    given.push(rows.into_iter().flatten().map(|field| field.ty).collect());
                }
                self.statement(body)?;
                self.given_by_changes(body, &given)
            }
            Statement::Truncate { tables } => tables.iter().try_for_each(|(table, source)| {
                types_are(&self.query(source)?, fact_types(table), "TRUNCATE's source")
            }),
            Statement::CreateTableAs { table, exists: _, source } => {
                let Some(source) = source else { return Ok(()) };
                types_are(&self.query(source)?, new_types(table), "the new table's rows")
            }
            Statement::CreateTable { table, .. } => ensure(
                !table.key.is_empty() && table.key.iter().all(|column_idx| *column_idx < table.columns.len()),
                || "a table has a key".to_owned(),
            ),
            Statement::Begin(begin) => match &begin.values {
                None => ensure(begin.options.is_empty(), || "an option has a value".to_owned()),
                Some(values) => {
                    let types = begin.options.iter().map(|option| match option {
                        TransactionOption::SystemTime => Type::Timestamp,
                        TransactionOption::Actor
                        | TransactionOption::Reason
                        | TransactionOption::RequestId
                        | TransactionOption::Metadata
                        | TransactionOption::Durability => Type::Text,
                    });
                    types_are(&self.query(values)?, types, "the transaction's options")
                }
            },
            Statement::Explain { statement, .. } => self.statement(statement),
            Statement::Execute { name: _, args, into: _ } => {
                args.as_ref().map_or(Ok(()), |args| self.query(args).map(|_| ()))
            }
            Statement::DropTable { .. }
            | Statement::SetTransaction(_)
            | Statement::Savepoint(_)
            | Statement::RollbackTo(_)
            | Statement::Release(_)
            | Statement::VerifyLedger
            | Statement::Digest
            | Statement::Commit
            | Statement::Rollback
            | Statement::ShowTables
            | Statement::Describe(_)
            | Statement::SetRetention { .. }
            | Statement::Vacuum(_)
            | Statement::Session(_)
            | Statement::CopyFrom { .. } => Ok(()),
        }
    }

    /// A portion may ask the subplans of its source.
    fn portion(&self, portion: Option<&(Expr, Expr)>, source: &QueryPlan) -> Checked {
        let subplans = source.subplans.iter().map(|subplan| subplan.fields.clone()).collect();
        let checker = Checker { params: self.params.clone(), subplans };
        portion.into_iter().flat_map(|(from, to)| [from, to]).try_for_each(|end| checker.instant(end))
    }

    fn query(&self, query: &QueryPlan) -> Result<Vec<Field>, String> {
        let mut checker = Checker { params: self.params.clone(), subplans: Vec::new() };
        for subplan in &query.subplans {
            checker.node(subplan)?;
            sources(subplan, None, &mut Vec::new())?;
            checker.subplans.push(subplan.fields.clone());
        }
        checker.node(&query.root)?;
        sources(&query.root, None, &mut Vec::new())?;
        Ok(query.root.fields.clone())
    }

    /// RETURNING reads new facts and what the statement's source gives besides.
    fn returning(&self, returning: Option<&QueryPlan>, table: &TableSchema, extra: &[Field]) -> Checked {
        let Some(returning) = returning else { return Ok(()) };
        let given: Vec<Type> = new_types(table).chain(extra.iter().map(|field| field.ty)).collect();
        self.given(returning, &given)?;
        self.query(returning).map(|_| ())
    }

    /// Rows that are handed in have these types.
    fn given(&self, query: &QueryPlan, types: &[Type]) -> Checked {
        let mut holds = true;
        let mut look = |node: &Node| {
            if let NodeKind::Given { change: None, columns } = &node.kind {
                holds &= columns.len() == node.fields.len()
                    && columns
                        .iter()
                        .zip(&node.fields)
                        .all(|(column, field)| types.get(*column).is_some_and(|ty| agrees(*ty, field.ty)));
            }
        };
        query.root.walk(&mut look);
        query.subplans.iter().for_each(|subplan| subplan.walk(&mut look));
        ensure(holds, || "what is handed in has the types that are read".to_owned())
    }

    /// What is read of changes before has the types that they return.
    fn given_by_changes(&self, statement: &Statement, changes: &[Vec<Type>]) -> Checked {
        let mut holds = true;
        let mut look = |node: &Node| {
            if let NodeKind::Given { change: Some(change), columns } = &node.kind {
                holds &= columns.len() == node.fields.len()
                    && columns.iter().zip(&node.fields).all(|(column, field)| {
                        let types = changes.get(*change);
                        types.and_then(|types| types.get(*column)).is_some_and(|ty| agrees(*ty, field.ty))
                    });
            }
        };
        statement.for_each_query(&mut |query| {
            query.root.walk(&mut look);
            query.subplans.iter().for_each(|subplan| subplan.walk(&mut look));
        });
        ensure(holds, || "what is read of a change is what it returns".to_owned())
    }

    fn node(&self, node: &Node) -> Checked {
        crate::stack::deeper(|| self.node_within(node))
    }

    fn node_within(&self, node: &Node) -> Checked {
        let mut inputs = Ok(());
        node.for_each_input(&mut |input| {
            if inputs.is_ok() {
                inputs = self.node(input);
            }
        });
        inputs?;
        match &node.kind {
            NodeKind::Scan(scan) => self.scan(scan, &node.fields),
            NodeKind::Values { rows } => {
                for row in rows {
                    ensure(row.len() == node.fields.len(), || "a row of Values has all its fields".to_owned())?;
                    for (expr, field) in row.iter().zip(&node.fields) {
                        self.field(expr, field, &[])?;
                    }
                }
                Ok(())
            }
            NodeKind::Constants { columns, row_count } => {
                types_are(&node.fields, columns.iter().map(spectradb_kernel::Column::ty), "Constants")?;
                let holds = columns
                    .iter()
                    .zip(&node.fields)
                    .all(|(column, field)| column.len() == *row_count && (field.nullable || !column.has_nulls()));
                ensure(holds, || "columns of constants are as long and as nullable as they say".to_owned())
            }
            // Where they are handed in, `given` has looked.
            NodeKind::Given { .. } => Ok(()),
            NodeKind::Shared { subplan_idx, columns } => {
                let rule = || "what is read of a subplan is what it gives".to_owned();
                let Some(fields) = self.subplans.get(*subplan_idx) else { return Err(rule()) };
                let picked = columns.iter().map(|column| fields.get(*column).map(|field| field.ty));
                let types: Option<Vec<Type>> = picked.collect();
                types_are(&node.fields, types.ok_or_else(rule)?.into_iter(), "Shared")
            }
            NodeKind::Filter { input, predicate } => {
                self.boolean(predicate, &input.fields)?;
                same_fields(&node.fields, &input.fields)
            }
            NodeKind::Project { input, exprs } => {
                ensure(exprs.len() == node.fields.len(), || "Project has an expression for each field".to_owned())?;
                exprs.iter().zip(&node.fields).try_for_each(|(expr, field)| self.field(expr, field, &input.fields))
            }
            NodeKind::Join(join) => self.join(join, &node.fields),
            NodeKind::Aggregate { input, group, aggregates } => {
                ensure(node.fields.len() == group.len() + aggregates.len(), || {
                    "Aggregate gives its groups, then its aggregates".to_owned()
                })?;
                for (expr, field) in group.iter().zip(&node.fields) {
                    self.field(expr, field, &input.fields)?;
                }
                for (call, field) in aggregates.iter().zip(&node.fields[group.len()..]) {
                    self.aggregate(call, &input.fields)?;
                    ensure(agrees(call.ty, field.ty), || "an aggregate has its field's type".to_owned())?;
                }
                Ok(())
            }
            NodeKind::Window { input, calls } => {
                ensure(node.fields.len() == input.fields.len() + calls.len(), || {
                    "Window adds a column for each call".to_owned()
                })?;
                same_fields(&node.fields[..input.fields.len()], &input.fields)?;
                for (call, field) in calls.iter().zip(&node.fields[input.fields.len()..]) {
                    self.window(call, &input.fields)?;
                    ensure(agrees(call.ty, field.ty), || "a window call has its field's type".to_owned())?;
                    ensure(field.nullable || !call.nullable, || "a window call may be NULL as its field".to_owned())?;
                }
                Ok(())
            }
            NodeKind::Sort { input, keys } => {
                self.sort_keys(keys, &input.fields)?;
                same_fields(&node.fields, &input.fields)
            }
            NodeKind::Limit { input, limit, offset } => {
                for count in limit.iter().chain(offset) {
                    ensure(count.ty.class() == TypeClass::Integer, || "LIMIT and OFFSET are integers".to_owned())?;
                    self.expr(count, &[])?;
                }
                same_fields(&node.fields, &input.fields)
            }
            NodeKind::Distinct { input } => same_fields(&node.fields, &input.fields),
            NodeKind::UnionAll { inputs } => {
                ensure(!inputs.is_empty(), || "UnionAll has inputs".to_owned())?;
                for input in inputs {
                    types_are(&input.fields, node.fields.iter().map(|field| field.ty), "UnionAll's input")?;
                    let holds = input.fields.iter().zip(&node.fields).all(|(from, to)| to.nullable || !from.nullable);
                    ensure(holds, || "UnionAll is as nullable as its inputs".to_owned())?;
                }
                Ok(())
            }
            NodeKind::SetOp { intersect: _, all: _, left, right } => {
                types_are(&right.fields, node.fields.iter().map(|field| field.ty), "a set operation's right side")?;
                same_fields(&node.fields, &left.fields)
            }
            // What they give is what the join or the recursion around them says; `sources` looks at that.
            NodeKind::Bindings | NodeKind::Working { .. } => Ok(()),
            NodeKind::Recursion(recursion) => {
                for input in [&recursion.base, &recursion.step] {
                    types_are(&input.fields, node.fields.iter().map(|field| field.ty), "a recursion's part")?;
                    let holds = input.fields.iter().zip(&node.fields).all(|(from, to)| to.nullable || !from.nullable);
                    ensure(holds, || "a recursion is as nullable as its parts".to_owned())?;
                }
                Ok(())
            }
            NodeKind::Series { input, from, to, step } => {
                ensure(node.fields.len() == input.fields.len() + 1, || "Series adds a column".to_owned())?;
                same_fields(&node.fields[..input.fields.len()], &input.fields)?;
                for bound in [from, to, step] {
                    ensure(bound.ty.class() == TypeClass::Integer, || "Series counts".to_owned())?;
                    self.expr(bound, &input.fields)?;
                }
                Ok(())
            }
        }
    }

    fn scan(&self, scan: &Scan, fields: &[Field]) -> Checked {
        ensure(scan.columns.len() == fields.len(), || "Scan gives a column for each field".to_owned())?;
        for (column, field) in scan.columns.iter().zip(fields) {
            let ty = match column {
                ScanColumn::Data(column_idx) => {
                    ensure(*column_idx < scan.table.columns.len(), || "Scan's columns are its table's".to_owned())?;
                    scan.table.columns[*column_idx].ty
                }
                ScanColumn::Commit | ScanColumn::CommitTo | ScanColumn::Origin => Type::Integer,
                ScanColumn::SystemFrom | ScanColumn::SystemTo | ScanColumn::ValidFrom | ScanColumn::ValidTo => {
                    Type::Timestamp
                }
            };
            ensure(agrees(ty, field.ty), || format!("the scanned column {:?} has its type", field.name))?;
        }
        match &scan.system {
            SystemScope::Latest | SystemScope::All => {}
            SystemScope::AsOf(at) => self.system_point(at)?,
            SystemScope::Range { from, to, to_included: _ } => {
                self.system_point(from)?;
                self.system_point(to)?;
            }
        }
        match &scan.valid {
            ValidScope::All => {}
            ValidScope::At(at) => self.instant(at)?,
            ValidScope::Range { from, to, to_included: _ } => {
                self.instant(from)?;
                self.instant(to)?;
            }
        }
        let key: Vec<Type> = scan.table.key_types().collect();
        let key_value = |value: &Expr, at: usize| -> Checked {
            let holds = key.get(at).is_some_and(|ty| agrees(*ty, value.ty));
            ensure(holds, || "a key's value has its key column's type".to_owned())?;
            self.expr(value, &[])
        };
        match &scan.keys {
            KeyAccess::All => {}
            KeyAccess::Exact(tuples) => {
                for tuple in tuples {
                    ensure(tuple.len() == key.len(), || "an exact key is whole".to_owned())?;
                    for (at, value) in tuple.iter().enumerate() {
                        match value.ty {
                            Type::Array(element) => {
                                let holds = agrees(key[at], element.ty());
                                ensure(holds, || "a key's values have its key column's type".to_owned())?;
                                self.expr(value, &[])?;
                            }
                            _ => key_value(value, at)?,
                        }
                    }
                }
            }
            KeyAccess::Range { prefix, low, high } => {
                prefix.iter().enumerate().try_for_each(|(at, value)| key_value(value, at))?;
                for bound in low.iter().chain(high) {
                    key_value(&bound.value, prefix.len())?;
                }
            }
        }
        for predicate in &scan.predicates {
            let column = scan.table.columns.get(predicate.column_idx);
            let holds = column.is_some_and(|column| agrees(column.ty, predicate.value.ty));
            ensure(holds, || "a scan predicate's value has its column's type".to_owned())?;
            self.expr(&predicate.value, &[])?;
        }
        Ok(())
    }

    fn system_point(&self, at: &Expr) -> Checked {
        ensure(matches!(at.ty, Type::Integer | Type::Timestamp), || "a system point counts or dates".to_owned())?;
        self.expr(at, &[])
    }

    fn instant(&self, at: &Expr) -> Checked {
        ensure(at.ty == Type::Timestamp, || "a valid point is a TIMESTAMP".to_owned())?;
        self.expr(at, &[])
    }

    fn join(&self, join: &Join, fields: &[Field]) -> Checked {
        let Join { kind, left, right, keys, same, period, residual, bindings } = join;
        let both: Vec<Field> = left.fields.iter().chain(&right.fields).cloned().collect();
        let given = if kind.gives_right() { both.len() } else { left.fields.len() };
        types_are(fields, both[..given].iter().map(|field| field.ty), "Join")?;
        bindings.iter().try_for_each(|binding| self.expr(binding, &left.fields))?;
        for (left_key, right_key) in keys.iter().chain(same) {
            self.expr(left_key, &left.fields)?;
            self.expr(right_key, &right.fields)?;
            ensure(agrees(left_key.ty, right_key.ty), || "both sides of a join key have one type".to_owned())?;
        }
        if let Some(period) = period {
            self.expr(&period.since, &left.fields)?;
            self.expr(&period.until, &left.fields)?;
            self.expr(&period.from, &right.fields)?;
            self.expr(&period.to, &right.fields)?;
            let pairs = [(&period.since, &period.to), (&period.from, &period.until)];
            let holds =
                pairs.iter().all(|(one, other)| one.ty.class() == other.ty.class() && one.ty.lane() == LaneKind::I64);
            ensure(holds, || "a period match is of numbers in one lane".to_owned())?;
            let crate::plan::PeriodMatch { since, until, from, to, ends } = period;
            let fits_left = !(ends.open_since || ends.open_until) || from.same(to);
            let fits_right = !(ends.open_from || ends.open_to) || since.same(until);
            ensure(fits_left && fits_right, || "a period that may have no ends is asked about a point".to_owned())?;
        }
        residual.iter().try_for_each(|residual| self.boolean(residual, &both))
    }

    fn aggregate(&self, call: &AggregateCall, input: &[Field]) -> Checked {
        ensure(call.arg.is_some() == call.aggregate.arg.is_some(), || "an aggregate has its argument".to_owned())?;
        self.more(&call.more, call.aggregate, input)?;
        self.sort_keys(&call.order, input)?;
        if let (Some(arg), Some(class)) = (&call.arg, call.aggregate.arg) {
            ensure(arg.ty.class() == class, || format!("{} folds {class}", call.aggregate.name))?;
            self.expr(arg, input)?;
        }
        Ok(())
    }

    fn window(&self, call: &WindowCall, input: &[Field]) -> Checked {
        match &call.function {
            WindowFunction::RowNumber
            | WindowFunction::Rank
            | WindowFunction::DenseRank
            | WindowFunction::PercentRank
            | WindowFunction::CumeDist => {}
            WindowFunction::Ntile(count) => {
                self.expr(count, input)?;
                ensure(count.ty.class() == TypeClass::Integer, || "ntile counts".to_owned())?;
            }
            WindowFunction::FirstValue(value) | WindowFunction::LastValue(value) => {
                self.expr(value, input)?;
                ensure(agrees(value.ty, call.ty), || "a function of values gives its value's type".to_owned())?;
            }
            WindowFunction::NthValue { value, n } => {
                self.expr(value, input)?;
                self.expr(n, input)?;
                ensure(agrees(value.ty, call.ty), || "a function of values gives its value's type".to_owned())?;
                ensure(n.ty.class() == TypeClass::Integer, || "nth_value counts".to_owned())?;
            }
            WindowFunction::Shift { value, offset, default, forward: _ } => {
                self.expr(value, input)?;
                self.expr(offset, input)?;
                ensure(offset.ty.class() == TypeClass::Integer, || "lag and lead shift by an integer".to_owned())?;
                ensure(agrees(value.ty, call.ty), || "lag and lead give their value's type".to_owned())?;
                if let Some(default) = default {
                    self.expr(default, input)?;
                    ensure(agrees(default.ty, value.ty), || "a default has its value's type".to_owned())?;
                }
            }
            WindowFunction::Aggregate { aggregate, arg, more } => {
                self.more(more, aggregate, input)?;
                ensure(arg.is_some() == aggregate.arg.is_some(), || "an aggregate has its argument".to_owned())?;
                if let (Some(arg), Some(class)) = (arg, aggregate.arg) {
                    ensure(arg.ty.class() == class, || format!("{} folds {class}", aggregate.name))?;
                    self.expr(arg, input)?;
                }
            }
        }
        for bound in [&call.frame.start, &call.frame.end] {
            match bound {
                FrameBound::UnboundedPreceding | FrameBound::CurrentRow | FrameBound::UnboundedFollowing => {}
                FrameBound::Preceding(edge) | FrameBound::Following(edge) => {
                    self.expr(edge, input)?;
                    let holds = match (call.frame.unit, call.order.as_slice()) {
                        (FrameUnit::Rows | FrameUnit::Groups, _) => edge.ty.class() == TypeClass::Integer,
                        (FrameUnit::Range, [key]) => {
                            // What lies beyond the ends of the integers is a decimal.
                            let is_wide =
                                key.expr.ty.class() == TypeClass::Integer && edge.ty == TypeClass::Numeric.plain_type();
                            is_wide || agrees(edge.ty, key.expr.ty) || agrees(edge.ty, key.expr.ty.plain())
                        }
                        (FrameUnit::Range, _) => false,
                    };
                    ensure(holds, || "a frame's bound is of its unit".to_owned())?;
                }
            }
        }
        call.partition.iter().try_for_each(|expr| self.expr(expr, input))?;
        self.sort_keys(&call.order, input)
    }

    fn more(&self, more: &[Expr], aggregate: &spectradb_kernel::agg::Aggregate, input: &[Field]) -> Checked {
        let classes = more.iter().map(|arg| arg.ty.class());
        ensure(classes.eq(aggregate.more.iter().copied()), || format!("{} has its arguments", aggregate.name))?;
        more.iter().try_for_each(|arg| self.expr(arg, input))
    }

    fn sort_keys(&self, keys: &[SortKey], input: &[Field]) -> Checked {
        keys.iter().try_for_each(|key| self.expr(&key.expr, input))
    }

    fn field(&self, expr: &Expr, field: &Field, input: &[Field]) -> Checked {
        ensure(agrees(expr.ty, field.ty), || {
            format!("the column {:?} is {} but computed as {}", field.name, field.ty, expr.ty)
        })?;
        ensure(field.nullable || !expr.nullable, || format!("the column {:?} is proven not NULL", field.name))?;
        self.expr(expr, input)
    }

    fn boolean(&self, expr: &Expr, input: &[Field]) -> Checked {
        ensure(expr.ty == Type::Boolean, || "a condition is a BOOLEAN".to_owned())?;
        self.expr(expr, input)
    }

    fn expr(&self, expr: &Expr, input: &[Field]) -> Checked {
        crate::stack::deeper(|| self.expr_within(expr, input))
    }

    fn expr_within(&self, expr: &Expr, input: &[Field]) -> Checked {
        match &expr.kind {
            ExprKind::Column(column) => {
                let Some(field) = input.get(*column) else {
                    return Err(format!("column {column} of {} does not exist", input.len()));
                };
                ensure(agrees(field.ty, expr.ty), || {
                    format!("column {:?} is {} but read as {}", field.name, field.ty, expr.ty)
                })?;
                ensure(expr.nullable || !field.nullable, || format!("column {:?} may be NULL", field.name))
            }
            ExprKind::Param(param) => {
                let holds = self.params.get(*param).is_some_and(|ty| agrees(*ty, expr.ty));
                ensure(holds, || "a parameter has its type".to_owned())
            }
            ExprKind::Context(super::Context::Now) => {
                ensure(expr.ty == Type::Timestamp, || "now() is an instant".to_owned())
            }
            ExprKind::Context(super::Context::CurrentCommit) => {
                ensure(expr.ty == Type::Integer, || "current_commit() is a number".to_owned())
            }
            ExprKind::Context(super::Context::Settings) => {
                ensure(expr.ty == Type::Json, || "the settings are an object".to_owned())
            }
            ExprKind::Const(value) => {
                let scale = match value {
                    Value::Numeric(decimal) => decimal.scale,
                    _ => expr.ty.scale(),
                };
                let holds = value.class().is_none_or(|class| class == expr.ty.class()) && scale == expr.ty.scale();
                ensure(holds, || format!("the constant {value} is of its type {}", expr.ty))?;
                ensure(expr.nullable || !value.is_null(), || "NULL is nullable".to_owned())
            }
            ExprKind::Call { function, args } => {
                let classes = args.iter().map(|arg| arg.ty.class());
                ensure(classes.eq(function.args.iter().copied()), || {
                    let given: Vec<&str> = args.iter().map(|arg| arg.ty.class().name()).collect();
                    format!("{function:?} is given ({})", given.join(", "))
                })?;
                ensure(function.ret == expr.ty.class(), || format!("{function:?} is said to give {}", expr.ty))?;
                args.iter().try_for_each(|arg| self.expr(arg, input))
            }
            ExprKind::And(arms) | ExprKind::Or(arms) => {
                ensure(expr.ty == Type::Boolean && !arms.is_empty(), || "AND and OR join conditions".to_owned())?;
                arms.iter().try_for_each(|arm| self.boolean(arm, input))
            }
            ExprKind::Case { arms, otherwise } => {
                for (condition, value) in arms {
                    self.boolean(condition, input)?;
                    self.arm(value, expr, condition.proves_not_null(value), input)?;
                }
                match otherwise {
                    Some(otherwise) => self.arm(otherwise, expr, false, input),
                    None => ensure(expr.nullable, || "CASE without ELSE may be NULL".to_owned()),
                }
            }
            ExprKind::Outer(_) => Err("a subplan's argument was not replaced".to_owned()),
            ExprKind::Subplan { subplan_idx, ask, args } => {
                ensure(args.is_empty(), || "a subplan with arguments was not made a join".to_owned())?;
                let Some(fields) = self.subplans.get(*subplan_idx) else {
                    return Err("a subplan asks only earlier ones".to_owned());
                };
                match ask {
                    SubplanAsk::Scalar => {
                        let holds = fields.len() == 1 && agrees(fields[0].ty, expr.ty) && expr.nullable;
                        ensure(holds, || "a scalar subplan has one column and may have no row".to_owned())
                    }
                    SubplanAsk::Any(_) => Err("ANY was not made a join".to_owned()),
                    SubplanAsk::Exists => ensure(expr.ty == Type::Boolean, || "EXISTS is a BOOLEAN".to_owned()),
                    SubplanAsk::In(needle) => {
                        let holds = fields.len() == 1 && agrees(fields[0].ty, needle.ty);
                        ensure(holds && expr.ty == Type::Boolean, || "IN's sides have one type".to_owned())?;
                        self.expr(needle, input)
                    }
                }
            }
        }
    }

    fn arm(&self, value: &Expr, case: &Expr, is_proven: bool, input: &[Field]) -> Checked {
        ensure(agrees(value.ty, case.ty), || format!("an arm of a {} CASE is {}", case.ty, value.ty))?;
        ensure(case.nullable || !value.nullable || is_proven, || "CASE is as nullable as its arms".to_owned())?;
        self.expr(value, input)
    }
}

/// Do the nodes that read what a join or a recursion around them has give just that?
fn sources<'n>(node: &'n Node, bindings: Option<&'n [Expr]>, recursions: &mut Vec<(usize, &'n Node)>) -> Checked {
    crate::stack::deeper(|| match &node.kind {
        NodeKind::Bindings => {
            let Some(bindings) = bindings else { return Err("bindings are those of a join around them".to_owned()) };
            types_are(&node.fields, bindings.iter().map(|binding| binding.ty), "Bindings")
        }
        NodeKind::Working { recursion } => {
            let Some((_, around)) = recursions.iter().find(|(id, _)| id == recursion) else {
                return Err("working rows are those of a recursion around them".to_owned());
            };
            same_fields(&node.fields, &around.fields)
        }
        NodeKind::Join(join) => {
            sources(&join.left, bindings, recursions)?;
            let within = if join.bindings.is_empty() { bindings } else { Some(join.bindings.as_slice()) };
            sources(&join.right, within, recursions)
        }
        NodeKind::Recursion(recursion) => {
            sources(&recursion.base, bindings, recursions)?;
            recursions.push((recursion.id, node));
            let step = sources(&recursion.step, bindings, recursions);
            recursions.pop();
            step
        }
        NodeKind::Scan(_)
        | NodeKind::Constants { .. }
        | NodeKind::Given { .. }
        | NodeKind::Shared { .. }
        | NodeKind::Values { .. }
        | NodeKind::Filter { .. }
        | NodeKind::Project { .. }
        | NodeKind::Aggregate { .. }
        | NodeKind::Window { .. }
        | NodeKind::Sort { .. }
        | NodeKind::Limit { .. }
        | NodeKind::Distinct { .. }
        | NodeKind::UnionAll { .. }
        | NodeKind::SetOp { .. }
        | NodeKind::Series { .. } => {
            let mut inputs = Ok(());
            node.for_each_input(&mut |input| {
                if inputs.is_ok() {
                    inputs = sources(input, bindings, recursions);
                }
            });
            inputs
        }
    })
}

/// All columns, the valid period, the commit and the origin.
fn fact_types(table: &TableSchema) -> impl Iterator<Item = Type> + '_ {
    let period = [Type::Timestamp, Type::Timestamp, Type::Integer, Type::Integer];
    table.columns.iter().map(|column| column.ty).chain(period)
}

/// All columns of a fact, then all columns as they shall be.
fn update_types(table: &TableSchema) -> impl Iterator<Item = Type> + '_ {
    fact_types(table).chain(table.columns.iter().map(|column| column.ty))
}

/// The columns of a new fact with its period.
fn new_types(table: &TableSchema) -> impl Iterator<Item = Type> + '_ {
    table.columns.iter().filter(|column| !column.hidden).map(|column| column.ty).chain([Type::Timestamp; 2])
}

/// The fields behind those of these types.
fn begins_with<'f>(fields: &'f [Field], types: impl Iterator<Item = Type>, of: &str) -> Result<&'f [Field], String> {
    let types: Vec<Type> = types.collect();
    let (first, rest) = fields.split_at(types.len().min(fields.len()));
    types_are(first, types.into_iter(), of)?;
    Ok(rest)
}

fn types_are(fields: &[Field], types: impl Iterator<Item = Type>, of: &str) -> Checked {
    let types: Vec<Type> = types.collect();
    let holds = fields.len() == types.len() && fields.iter().zip(&types).all(|(field, ty)| agrees(field.ty, *ty));
    ensure(holds, || {
        let have: Vec<String> = fields.iter().map(|field| field.ty.to_string()).collect();
        let want: Vec<String> = types.iter().map(Type::to_string).collect();
        format!("{of} gives ({}) instead of ({})", have.join(", "), want.join(", "))
    })
}

fn same_fields(fields: &[Field], input: &[Field]) -> Checked {
    types_are(fields, input.iter().map(|field| field.ty), "an operator that passes rows on")?;
    let holds = fields.iter().zip(input).all(|(to, from)| to.nullable || !from.nullable);
    ensure(holds, || "an operator that passes rows on is as nullable as its input".to_owned())
}
