//! What is the value of an expression for each row of a batch?
//!
//! A [`Stage`] is the interpreter's `Eval`: filters and projections, one after another, over one batch. An expression is
//! computed for all rows at once, by the kernel's batch loops. AND, OR and CASE ask a later arm only about rows that the
//! earlier ones leave open: where the arm may fail, those rows are gathered, computed and put back; where it cannot, it is
//! computed for all rows if that is quicker, and answers the same.
//!
//! Holds: a fault is that of the first row that has one, in the order of the stage's expressions, however many rows a
//! batch holds: when a batch fails, its rows are asked one by one. Nothing is computed for no rows, so a constant
//! expression that fails does so only if somebody asks.
//! Not here: which expressions stand where (`build`).

use crate::ops::{Eval, ExecError, InSet, NoAnswer, Place};
use spectradb_kernel::{
    Batch, Column, Type, Value,
    func::{Function, logic},
    pause,
    ty::LaneKind,
};
use std::sync::{Arc, Mutex, PoisonError};

/// An expression ready to be computed.
pub(super) struct Expr {
    kind: Kind,
    ty: Type,
    /// May computing it fail for some row?
    is_fallible: bool,
    /// Does a row of it cost more than gathering the row's columns: is there a string to look at, or a set?
    is_costly: bool,
}

/// The shapes of a ready expression.
pub(super) enum Kind {
    /// A column of the batch.
    Column(usize),
    /// A constant, a parameter, a context value, a scalar subplan.
    Const(Value),
    /// A function's value.
    Call { function: &'static Function, args: Vec<Expr>, place: Place },
    /// Conjunction.
    And(Vec<Expr>),
    /// Disjunction.
    Or(Vec<Expr>),
    /// The first arm that is true.
    Case { arms: Vec<(Expr, Expr)>, otherwise: Option<Box<Expr>> },
    /// A subplan that has no answer: the error of whoever asks.
    Failed(NoAnswer),
    /// Is the needle among a subplan's values? Several expressions may ask one set.
    In { needle: Box<Expr>, set: Arc<Mutex<InSet>> },
}

/// A subplan's answer as an expression.
pub(super) fn asked(answer: Result<Kind, ExecError>) -> Result<Kind, ExecError> {
    Ok(crate::ops::asked(answer)?.unwrap_or_else(Kind::Failed))
}

/// One thing a stage does to a batch.
pub(super) enum Step {
    /// Keeps the rows for which it is true.
    Filter(Expr),
    /// Gives these columns instead.
    Project(Vec<Expr>),
    /// Gives these columns besides.
    Append(Vec<Expr>),
}

/// Steps over one batch.
pub(super) struct Stage {
    pub(super) steps: Vec<Step>,
}

impl Eval for Stage {
    fn eval(&mut self, input: &Batch) -> Result<Batch, ExecError> {
        self.run(input).or_else(|fault| {
            // What was stopped is not asked again.
            if pause::has_stopped() {
                return Err(fault);
            }
            // The loops find the first row of the first expression that fails; the law is the first row.
            for row in 0..input.len() {
                self.run(&input.slice(row..row + 1))?;
            }
            Err(fault)
        })
    }
}

impl Stage {
    fn run(&self, input: &Batch) -> Result<Batch, ExecError> {
        let mut batch = input.clone();
        for step in &self.steps {
            batch = match step {
                Step::Filter(predicate) => {
                    let rows = logic::true_rows(&predicate.eval(&View::new(&batch))?);
                    if rows.len() == batch.len() { batch } else { batch.select(rows) }
                }
                Step::Project(exprs) => {
                    let view = View::new(&batch);
                    let columns = exprs.iter().map(|expr| expr.eval(&view)).collect::<Result<_, _>>()?;
                    Batch::new(columns, batch.len())
                }
                Step::Append(exprs) => {
                    let view = View::new(&batch);
                    let mut columns = (0..batch.column_count()).map(|idx| view.column(idx)).collect::<Vec<_>>();
                    for expr in exprs {
                        columns.push(expr.eval(&view)?);
                    }
                    Batch::new(columns, batch.len())
                }
            };
        }
        Ok(batch)
    }
}

/// A batch whose columns are gathered when they are first asked for, and once.
struct View<'a> {
    batch: &'a Batch,
    gathered: std::cell::RefCell<Vec<Option<Column>>>,
}

impl<'a> View<'a> {
    fn new(batch: &'a Batch) -> View<'a> {
        let gathered = if batch.selection().is_some() { vec![None; batch.column_count()] } else { Vec::new() };
        View { batch, gathered: gathered.into() }
    }

    fn len(&self) -> usize {
        self.batch.len()
    }

    fn column(&self, column_idx: usize) -> Column {
        match self.gathered.borrow_mut().get_mut(column_idx) {
            None => self.batch.raw_column(column_idx).clone(),
            Some(gathered) => gathered.get_or_insert_with(|| self.batch.column(column_idx)).clone(),
        }
    }
}

impl Expr {
    pub(super) fn new(kind: Kind, ty: Type) -> Expr {
        let fails = |expr: &Expr| expr.is_fallible;
        let is_fallible = match &kind {
            Kind::Column(_) | Kind::Const(_) => false,
            Kind::Failed(_) => true,
            Kind::Call { function, args, .. } => function.is_fallible() || args.iter().any(fails),
            Kind::And(arms) | Kind::Or(arms) => arms.iter().any(fails),
            Kind::Case { arms, otherwise } => {
                arms.iter().any(|(when, then)| fails(when) || fails(then)) || otherwise.as_deref().is_some_and(fails)
            }
            Kind::In { needle, .. } => needle.is_fallible,
        };
        let costs = |expr: &Expr| expr.is_costly;
        let is_costly = match &kind {
            Kind::Column(_) | Kind::Const(_) => false,
            Kind::Call { args, .. } => args.iter().any(|arg| costs(arg) || arg.ty.lane() == LaneKind::Bytes),
            Kind::And(arms) | Kind::Or(arms) => arms.iter().any(costs),
            Kind::Case { .. } | Kind::In { .. } | Kind::Failed(_) => true,
        };
        Expr { kind, ty, is_fallible, is_costly }
    }

    /// The value of an expression without columns.
    pub(super) fn constant(&self) -> Result<Value, ExecError> {
        match &self.kind {
            Kind::Const(value) => Ok(value.clone()),
            _ => Ok(self.eval(&View::new(&Batch::new(Vec::new(), 1)))?.value(0)),
        }
    }

    fn eval(&self, view: &View<'_>) -> Result<Column, ExecError> {
        let len = view.len();
        if len == 0 {
            return Ok(Column::from_values(self.ty, []));
        }
        let column = match &self.kind {
            Kind::Column(column_idx) => view.column(*column_idx),
            Kind::Const(value) => Column::constant(self.ty, value.clone(), len),
            Kind::Call { function, args, place } => {
                let args = args.iter().map(|arg| arg.eval(view)).collect::<Result<Vec<_>, _>>()?;
                (function.batch)(&args, len).map_err(|fault| ExecError::row(fault, *place))?
            }
            Kind::Failed(failed) => return Err(failed.error()),
            Kind::And(arms) => join_arms(arms, view, true)?,
            Kind::Or(arms) => join_arms(arms, view, false)?,
            Kind::Case { arms, otherwise } => self.case(arms, otherwise.as_deref(), view)?,
            Kind::In { needle, set } => {
                let needles = needle.eval(view)?;
                set.lock().unwrap_or_else(PoisonError::into_inner).contains(&needles)
            }
        };
        Ok(if column.ty() == self.ty { column } else { column.with_ty(self.ty) })
    }

    fn case(&self, arms: &[(Expr, Expr)], otherwise: Option<&Expr>, view: &View<'_>) -> Result<Column, ExecError> {
        let len = view.len();
        // The rows that no arm has decided, as rows of the view; `None` while that is all of them.
        let mut open: Option<Vec<u32>> = None;
        let mut parts: Vec<(Option<Vec<u32>>, Column)> = Vec::new();
        for (when, then) in arms {
            if open.as_ref().is_some_and(Vec::is_empty) {
                break;
            }
            let verdict = among(when, view, open.as_deref())?;
            let (yes, no) = (logic::true_rows(&verdict), logic::not_true_rows(&verdict));
            if yes.is_empty() {
                continue;
            }
            let within = |rows: Vec<u32>| match &open {
                None => rows,
                Some(open) => rows.into_iter().map(|row| open[row as usize]).collect(),
            };
            let yes = if yes.len() == len { None } else { Some(within(yes)) };
            parts.push((yes.clone(), among(then, view, yes.as_deref())?));
            open = Some(within(no));
        }
        if open.as_ref().is_none_or(|rows| !rows.is_empty()) {
            let column = match otherwise {
                Some(expr) => among(expr, view, open.as_deref())?,
                None => Column::constant(self.ty, Value::Null, open.as_ref().map_or(len, Vec::len)),
            };
            parts.push((open, column));
        }
        if let [(None, _)] = parts.as_slice() {
            return Ok(parts.swap_remove(0).1);
        }
        // Where each row's value stands among the parts laid end to end.
        let mut places = vec![0u32; len];
        let mut next = 0;
        for (rows, _) in &parts {
            for row in rows.iter().flatten() {
                places[*row as usize] = next;
                next += 1;
            }
        }
        let columns: Vec<Column> = parts.into_iter().map(|(_, column)| column).collect();
        Ok(Column::concat(self.ty, &columns).take(&places))
    }
}

/// An expression's values for some rows of a view; `None` is all.
fn among(expr: &Expr, view: &View<'_>, rows: Option<&[u32]>) -> Result<Column, ExecError> {
    match rows {
        None => expr.eval(view),
        Some(rows) => expr.eval(&View::new(&view.batch.clone().select(rows.to_vec()))),
    }
}

/// AND (`all`) or OR: arms that are cheap and cannot fail are joined at once, any other is asked about open rows only.
fn join_arms(arms: &[Expr], view: &View<'_>, all: bool) -> Result<Column, ExecError> {
    let join = |columns: &[Column]| if all { logic::and(columns) } else { logic::or(columns) };
    let mut joined: Vec<Column> = Vec::new();
    for arm in arms {
        if joined.is_empty() || !(arm.is_fallible || arm.is_costly) {
            joined.push(arm.eval(view)?);
            continue;
        }
        let before = join(&joined);
        let open = if all { logic::not_false_rows(&before) } else { logic::not_true_rows(&before) };
        joined = vec![before];
        // Where most rows are open anyway, the gather is not worth it.
        if open.len() == view.len() || (!arm.is_fallible && open.len() > view.len() / 2) {
            joined.push(arm.eval(view)?);
        } else if !open.is_empty() {
            let some = among(arm, view, Some(&open))?;
            // Decided rows are given the value that changes nothing: the last row of the column that is put together.
            let neutral = Column::constant(Type::Boolean, Value::Boolean(all), 1);
            let mut places = vec![open.len() as u32; view.len()];
            open.iter().zip(0..).for_each(|(row, place)| places[*row as usize] = place);
            joined.push(Column::concat(Type::Boolean, &[some, neutral]).take(&places));
        }
    }
    Ok(join(&joined))
}
