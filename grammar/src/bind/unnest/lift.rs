//! How does a node stop asking subplans that have arguments?
//!
//! Not here: what becomes of the subplan itself (`push`).

use super::{
    Unnest, boolean_call, call, column, is_dependent, is_one_row, nothing, or_else, passed, push::has_outer, with_args,
};
use crate::{
    bind::{aggregate, function, outer::argument, predicate::case_of, query},
    diag::{Diag, code},
    plan::{Expr, ExprKind, Field, Join, JoinKind, Node, NodeKind, SubplanAsk},
    span::Span,
};
use spectradb_kernel::{Type, Value, agg, ty::TypeClass};

/// A condition that is a join.
struct Match {
    kind: JoinKind,
    subplan_idx: usize,
    args: Vec<Expr>,
    /// Over the subplan's fields and the arguments.
    condition: Option<Expr>,
}

fn asks(expr: &Expr) -> bool {
    expr.any(&mut |part| is_dependent(part))
}

/// Is the condition EXISTS, IN or the negation of one?
fn as_match(expr: &Expr) -> Option<Match> {
    let (inner, negated) = match &expr.kind {
        ExprKind::Call { function, args } if function.name == "not" => (&args[0], true),
        _ => (expr, false),
    };
    let ExprKind::Subplan { subplan_idx, ask, args } = &inner.kind else { return None };
    if !is_dependent(inner) || args.iter().any(asks) {
        return None;
    }
    let kind = if negated { JoinKind::Anti } else { JoinKind::Semi };
    let condition = match ask {
        SubplanAsk::Exists => None,
        // NOT ANY is true only where the condition is false of every row.
        SubplanAsk::Any(condition) if negated && condition.nullable => {
            Some(function::not(boolean_call("$is_false", (**condition).clone())))
        }
        SubplanAsk::Any(condition) => Some((**condition).clone()),
        SubplanAsk::Scalar | SubplanAsk::In(_) => return None,
    };
    Some(Match { kind, subplan_idx: *subplan_idx, args: args.clone(), condition })
}

impl Unnest {
    /// The same node and those below it without questions that have arguments.
    pub(super) fn lift(&mut self, node: Node) -> Result<Node, Diag> {
        crate::stack::deeper(|| self.lift_within(node))
    }

    fn lift_within(&mut self, mut node: Node) -> Result<Node, Diag> {
        let mut failed = Ok(());
        node.for_each_input_mut(&mut |input| {
            if failed.is_ok() {
                match self.lift(std::mem::replace(input, nothing())) {
                    Ok(lifted) => *input = lifted,
                    Err(diag) => failed = Err(diag),
                }
            }
        });
        failed?;
        if let NodeKind::Join(join) = &node.kind
            && !join.bindings.is_empty()
            && has_outer(&join.right, &self.carrying)
        {
            return self.lateral(node);
        }
        let mut any = false;
        node.for_each_expr(&mut |expr| any = any || asks(expr));
        if !any {
            return Ok(node);
        }
        let Node { kind, fields } = node;
        let width = fields.len();
        match kind {
            NodeKind::Filter { input, predicate } => {
                let mut node = *input;
                let mut plain = Vec::new();
                for condition in predicate.into_conjuncts() {
                    if !asks(&condition) {
                        plain.push(condition);
                        continue;
                    }
                    // What stands before it is asked first.
                    if let Some(before) = Expr::conjunction(std::mem::take(&mut plain)) {
                        node = node.filter(before);
                    }
                    match as_match(&condition) {
                        Some(found) => node = self.matched(node, found)?,
                        None => {
                            let mut condition = [condition];
                            node = self.attach(node, &mut condition)?;
                            let [condition] = condition;
                            node = node.filter(condition);
                        }
                    }
                }
                if let Some(rest) = Expr::conjunction(plain) {
                    node = node.filter(rest);
                }
                Ok(narrow(node, width))
            }
            NodeKind::Project { input, mut exprs } => {
                let input = Box::new(self.attach(*input, &mut exprs)?);
                Ok(Node { kind: NodeKind::Project { input, exprs }, fields })
            }
            NodeKind::Aggregate { input, mut group, mut aggregates } => {
                let mut input = self.attach(*input, &mut group)?;
                for call in &mut aggregates {
                    input = self.attach(input, call.arg.as_mut_slice())?;
                    input = self.attach(input, &mut call.more)?;
                    for key in &mut call.order {
                        input = self.attach(input, std::slice::from_mut(&mut key.expr))?;
                    }
                }
                Ok(Node { kind: NodeKind::Aggregate { input: Box::new(input), group, aggregates }, fields })
            }
            NodeKind::Window { input, mut calls } => {
                let (before, mut node) = (input.fields.len(), *input);
                for call in &mut calls {
                    let mut failed = Ok(());
                    let mut current = Some(node);
                    crate::plan::parts::window_exprs_mut(call, &mut |expr| {
                        if let Some(node) = current.take() {
                            match self.attach(node, std::slice::from_mut(expr)) {
                                Ok(attached) => current = Some(attached),
                                Err(diag) => failed = Err(diag),
                            }
                        }
                    });
                    failed?;
                    node = current.expect("nothing failed");
                }
                let after = node.fields.len();
                let mut wide = node.fields.clone();
                wide.extend(fields[before..].iter().cloned());
                let node = Node { kind: NodeKind::Window { input: Box::new(node), calls }, fields: wide };
                let columns = passed(&node, (0..before).chain(after..node.fields.len()));
                Ok(node.project(columns))
            }
            NodeKind::Sort { input, mut keys } => {
                let mut input = *input;
                for key in &mut keys {
                    input = self.attach(input, std::slice::from_mut(&mut key.expr))?;
                }
                let fields = input.fields.clone();
                Ok(narrow(Node { kind: NodeKind::Sort { input: Box::new(input), keys }, fields }, width))
            }
            NodeKind::Join(join) => self.lift_join(*join, fields),
            NodeKind::Values { rows } => {
                let mut inputs = Vec::with_capacity(rows.len());
                for mut exprs in rows {
                    let one = Node { kind: NodeKind::Values { rows: vec![Vec::new()] }, fields: Vec::new() };
                    let input = Box::new(self.attach(one, &mut exprs)?);
                    inputs.push(Node { kind: NodeKind::Project { input, exprs }, fields: fields.clone() });
                }
                Ok(Node { kind: NodeKind::UnionAll { inputs }, fields })
            }
            NodeKind::Series { input, from, to, step } => {
                let before = input.fields.len();
                let mut bounds = [from, to, step];
                let input = self.attach(*input, &mut bounds)?;
                let [from, to, step] = bounds;
                let mut wide = input.fields.clone();
                wide.extend(fields.last().cloned());
                let last = wide.len() - 1;
                let node = Node { kind: NodeKind::Series { input: Box::new(input), from, to, step }, fields: wide };
                let columns = passed(&node, (0..before).chain([last]));
                Ok(node.project(columns))
            }
            kind @ (NodeKind::Scan(_)
            | NodeKind::Constants { .. }
            | NodeKind::Given { .. }
            | NodeKind::Shared { .. }
            | NodeKind::Limit { .. }
            | NodeKind::Distinct { .. }
            | NodeKind::UnionAll { .. }
            | NodeKind::SetOp { .. }
            | NodeKind::Bindings
            | NodeKind::Recursion(_)
            | NodeKind::Working { .. }) => {
                let mut place = None;
                let node = Node { kind, fields };
                node.for_each_expr(&mut |expr| place = place.or_else(|| asks(expr).then_some(expr.span)));
                let message = "a subquery that names columns around it is not supported here";
                Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, place.unwrap_or_default()))
            }
        }
    }

    /// A join whose condition asks: of an inner join it is a filter; of another one each question must be of one side.
    fn lift_join(&mut self, mut join: Join, fields: Vec<Field>) -> Result<Node, Diag> {
        if join.kind == JoinKind::Inner {
            let residual = join.residual.take().expect("only the residual can ask");
            let node = Node { kind: NodeKind::Join(Box::new(join)), fields };
            return self.lift(node.filter(residual));
        }
        let (left_width, width) = (join.left.fields.len(), fields.len());
        let mut residual = join.residual.take().expect("only the residual can ask");
        let all_width = left_width + join.right.fields.len();
        if residual.any(&mut |part| is_dependent(part) && is_of_both(part, left_width, all_width)) {
            return self.pairs(join, residual, fields);
        }
        let mut failed = Ok(());
        let Join { kind, left, right, keys, same, period, bindings, residual: _ } = join;
        let mut sides = [left, right].map(Some);
        let widths = [left_width, sides[1].as_ref().map_or(0, |right| right.fields.len())];
        // Columns of the right side keep their numbers until both sides have grown.
        residual.walk_mut(&mut |part| {
            if failed.is_err() || !is_dependent(part) {
                return;
            }
            let mut columns = part.columns();
            columns.retain(|column| *column < left_width + widths[1]);
            let of_right = columns.iter().all(|column| *column >= left_width);
            let side = usize::from(of_right);
            let node = sides[side].take().expect("a side is there unless something failed");
            let mut expr = [part.clone()];
            if of_right {
                expr[0].map_columns(&mut |column| column - left_width);
            }
            match self.attach(node, &mut expr) {
                Ok(node) => {
                    let [mut expr] = expr;
                    // New columns are numbered beyond both sides for now.
                    expr.map_columns(&mut |column| match (of_right, column < widths[side]) {
                        (false, true) => column,
                        (true, true) => column + left_width,
                        (false, false) => LEFT_BASE + column,
                        (true, false) => RIGHT_BASE + column,
                    });
                    *part = expr;
                    sides[side] = Some(node);
                }
                Err(diag) => failed = Err(diag),
            }
        });
        failed?;
        let [left, right] = sides.map(|side| side.expect("nothing failed"));
        let new_left = left.fields.len();
        residual.map_columns(&mut |column| match column {
            RIGHT_BASE.. => column - RIGHT_BASE + new_left,
            LEFT_BASE.. => column - LEFT_BASE,
            _ if column >= left_width => column - left_width + new_left,
            _ => column,
        });
        let mut wide: Vec<Field> = fields[..left_width].to_vec();
        let outer = |field: &Field, nullable: bool| Field { nullable: field.nullable || nullable, ..field.clone() };
        let left_null = matches!(kind, JoinKind::Right | JoinKind::Full);
        wide.extend(left.fields[left_width..].iter().map(|field| outer(field, left_null)));
        let gives_right = kind.gives_right();
        if gives_right {
            wide.extend(fields[left_width..].iter().cloned());
            let right_null = matches!(kind, JoinKind::Left | JoinKind::Full);
            wide.extend(right.fields[widths[1]..].iter().map(|field| outer(field, right_null)));
        }
        let join = Join { kind, left, right, keys, same, period, bindings, residual: Some(residual) };
        let node = Node { kind: NodeKind::Join(Box::new(join)), fields: wide };
        let rest = if gives_right { new_left..new_left + width - left_width } else { 0..0 };
        let columns = passed(&node, (0..left_width).chain(rest));
        Ok(node.project(columns))
    }

    /// A join whose condition asks of both sides at once: the pairs that it is true of are those of an inner join, over
    /// numbered rows; then each row finds its pairs by its number.
    fn pairs(&mut self, join: Join, mut condition: Expr, fields: Vec<Field>) -> Result<Node, Diag> {
        let Join { kind, left, right, keys, same, period, bindings, residual: _ } = join;
        let (left_width, right_width) = (left.fields.len(), right.fields.len());
        let left = numbered(left);
        let right = if kind == JoinKind::Full || kind == JoinKind::Right { numbered(right) } else { right };
        condition.map_columns(&mut |column| if column < left_width { column } else { column + 1 });
        let all: Vec<Field> = left.fields.iter().chain(&right.fields).cloned().collect();
        let kind_of_pairs = JoinKind::Inner;
        let (one, other) = (left.clone(), right.clone());
        let inner = Join { kind: kind_of_pairs, left: one, right: other, keys, same, period, bindings, residual: None };
        let inner = Node { kind: NodeKind::Join(Box::new(inner)), fields: all };
        let found = self.lift(inner.filter(condition))?;
        let (of_left, of_right) = (0..left_width, left_width + 1..left_width + 1 + right_width);
        // The pairs by the number of one side, and what the other gives.
        let by = |number: usize, rest: std::ops::Range<usize>| {
            let columns = passed(&found, [number].into_iter().chain(rest));
            found.clone().project(columns)
        };
        let matched = |kind, side: Node, pairs: Node| {
            let number = side.fields.len() - 1;
            let mut fields = side.fields.clone();
            if kind == JoinKind::Left {
                fields.extend(pairs.fields.iter().map(|field| Field { nullable: true, ..field.clone() }));
            }
            let same = vec![(column(&side.fields, number), column(&pairs.fields, 0))];
            let join = Join { same, ..Join::on(kind, side, pairs, None) };
            Node { kind: NodeKind::Join(Box::new(join)), fields }
        };
        let node = match kind {
            JoinKind::Left | JoinKind::Full => {
                let node = matched(JoinKind::Left, left, by(left_width, of_right));
                let columns = passed(&node, (0..left_width).chain(left_width + 2..node.fields.len()));
                let mut node = node.project(columns);
                if kind == JoinKind::Full {
                    let number = left_width + 1 + right_width;
                    let alone = matched(JoinKind::Anti, right, by(number, 0..0));
                    let mut columns: Vec<(String, Expr)> = Vec::with_capacity(fields.len());
                    for field in &fields[..left_width] {
                        columns.push((field.name.clone(), Expr::constant(Value::Null, field.ty, Span::default())));
                    }
                    columns.extend(passed(&alone, 0..right_width));
                    let inputs = vec![node, alone.project(columns)];
                    node = Node { kind: NodeKind::UnionAll { inputs }, fields: fields.clone() };
                }
                node
            }
            JoinKind::Right => {
                let number = left_width + 1 + right_width;
                let node = matched(JoinKind::Left, right, by(number, of_left));
                let columns = passed(&node, (right_width + 2..node.fields.len()).chain(0..right_width));
                node.project(columns)
            }
            JoinKind::Inner | JoinKind::Semi | JoinKind::Anti => {
                let node = matched(kind, left, by(left_width, 0..0));
                let columns = passed(&node, 0..left_width);
                node.project(columns)
            }
        };
        Ok(Node { fields, ..node })
    }

    /// A join whose right side names columns of the left one.
    fn lateral(&mut self, node: Node) -> Result<Node, Diag> {
        let Node { kind: NodeKind::Join(join), fields } = node else { unreachable!("only joins are lateral") };
        let Join { kind, left, right, residual, bindings, .. } = *join;
        let width = fields.len();
        let right = self.answers(&left, right, &bindings)?;
        let joined = joined(kind, left, right, bindings, residual);
        self.lift(narrow_to(joined, fields, width))
    }

    /// The rows that a condition keeps: those that have, or have not, a row of the subplan.
    fn matched(&mut self, node: Node, found: Match) -> Result<Node, Diag> {
        let Match { kind, subplan_idx, args, condition } = found;
        let sub = self.take(subplan_idx);
        let left_width = node.fields.len();
        let residual = condition.map(|condition| {
            let mut condition = condition;
            condition.map_columns(&mut |column| column + left_width);
            with_args(&condition, &|at| args[at].clone())
        });
        if !has_outer(&sub, &self.carrying) {
            let fields = node.fields.clone();
            let join = Join::on(kind, node, sub, residual);
            return Ok(Node { kind: NodeKind::Join(Box::new(join)), fields });
        }
        let args = used(&sub, args);
        let (sub, args) = renamed(sub, args);
        let sub = self.answers(&node, sub, &args)?;
        Ok(joined(kind, node, sub, args, residual))
    }

    /// A subplan that answers for all its arguments, which the rows of a node have.
    fn answers(&mut self, asking: &Node, sub: Node, args: &[Expr]) -> Result<Node, Diag> {
        self.infallible = !super::can_fail(&sub);
        self.is_asked_once = is_one_row(asking);
        self.push(sub, args)
    }

    /// Kept, since a value that is asked twice is joined twice.
    fn take(&self, subplan_idx: usize) -> Node {
        self.subplans[subplan_idx].clone()
    }

    /// The node with a column for each question in the expressions, which read it instead.
    pub(super) fn attach(&mut self, node: Node, exprs: &mut [Expr]) -> Result<Node, Diag> {
        let mut attached = Attached { node, answers: Vec::new(), guards: Vec::new() };
        for expr in exprs {
            self.attach_expr(&mut attached, expr)?;
        }
        Ok(attached.node)
    }

    /// A question that stands where only some rows come to it is asked for these rows alone.
    fn attach_expr(&mut self, to: &mut Attached, expr: &mut Expr) -> Result<(), Diag> {
        if !asks(expr) {
            return Ok(());
        }
        if is_dependent(expr) {
            if let ExprKind::Subplan { args, .. } = &mut expr.kind {
                for arg in args {
                    self.attach_expr(to, arg)?;
                }
            }
            return self.attach_question(to, expr);
        }
        let before = to.guards.len();
        match &mut expr.kind {
            ExprKind::And(arms) => {
                for arm in arms {
                    self.attach_expr(to, arm)?;
                    to.guards.push(function::not(boolean_call("$is_false", arm.clone())));
                }
            }
            ExprKind::Or(arms) => {
                for arm in arms {
                    self.attach_expr(to, arm)?;
                    to.guards.push(function::not(boolean_call("$is_true", arm.clone())));
                }
            }
            ExprKind::Case { arms, otherwise } => {
                for (condition, value) in arms {
                    self.attach_expr(to, condition)?;
                    to.guards.push(boolean_call("$is_true", condition.clone()));
                    self.attach_expr(to, value)?;
                    to.guards.pop();
                    to.guards.push(function::not(boolean_call("$is_true", condition.clone())));
                }
                if let Some(otherwise) = otherwise {
                    self.attach_expr(to, otherwise)?;
                }
            }
            ExprKind::Column(_)
            | ExprKind::Param(_)
            | ExprKind::Context(_)
            | ExprKind::Outer(_)
            | ExprKind::Const(_)
            | ExprKind::Call { .. }
            | ExprKind::Subplan { .. } => {
                let mut failed = Ok(());
                expr.for_each_child_mut(&mut |child| {
                    if failed.is_ok() {
                        failed = crate::stack::deeper(|| self.attach_expr(to, child));
                    }
                });
                failed?;
            }
        }
        to.guards.truncate(before);
        Ok(())
    }

    fn attach_question(&mut self, to: &mut Attached, question: &mut Expr) -> Result<(), Diag> {
        if let Some((_, answer)) = to.answers.iter().find(|(known, _)| known.same(question)) {
            *question = answer.clone();
            return Ok(());
        }
        let asked = question.clone();
        let mut guarded = false;
        if let ExprKind::Subplan { subplan_idx, args, .. } = &mut question.kind
            && let Some(guard) = Expr::conjunction(to.guards.clone())
            && super::can_fail(&self.subplans[*subplan_idx])
        {
            // Rows that do not come to the question ask about NULLs, of which calls are NULL.
            guarded = true;
            for arg in args {
                let null = Expr::constant(Value::Null, arg.ty, arg.span);
                *arg = case_of(vec![(guard.clone(), arg.clone())], null, arg.span);
            }
        }
        let node = std::mem::replace(&mut to.node, nothing());
        let (node, answer) = self.answered(node, question)?;
        to.node = node;
        if !guarded {
            to.answers.push((asked, answer.clone()));
        }
        *question = answer;
        Ok(())
    }

    /// The node joined with a subplan's answers, and where the answer stands.
    fn answered(&mut self, node: Node, question: &Expr) -> Result<(Node, Expr), Diag> {
        let ExprKind::Subplan { subplan_idx, ask, args } = &question.kind else {
            unreachable!("only subplans are asked")
        };
        let span = question.span;
        let sub = self.take(*subplan_idx);
        match ask {
            SubplanAsk::Exists => {
                let (sub, args) = renamed(sub, args.clone());
                let width = sub.fields.len();
                let sub = self.answers(&node, sub, &args)?;
                let columns = passed(&sub, width..sub.fields.len());
                let fields: Vec<Field> = columns.iter().map(|(name, expr)| field_of(name, expr)).collect();
                let sub = sub.project(columns);
                let sub = Node { kind: NodeKind::Distinct { input: Box::new(sub) }, fields };
                let yes = Expr::constant(Value::Boolean(true), Type::Boolean, span);
                let mut columns = vec![("exists".to_owned(), yes)];
                columns.extend(passed(&sub, 0..sub.fields.len()));
                let sub = sub.project(columns);
                let at = node.fields.len();
                let node = joined(JoinKind::Left, node, sub, args, None);
                let answer = boolean_call("$is_not_null", column(&node.fields, at));
                Ok((node, Expr { span, ..answer }))
            }
            SubplanAsk::Any(condition) => {
                let sub = any_rows(sub, condition, span);
                self.value(node, sub, args.clone(), question)
            }
            SubplanAsk::Scalar => self.value(node, sub, args.clone(), question),
            SubplanAsk::In(_) => unreachable!("IN with arguments is asked as ANY"),
        }
    }

    /// The node joined with the one value that a subplan has for each row.
    fn value(&mut self, node: Node, sub: Node, args: Vec<Expr>, question: &Expr) -> Result<(Node, Expr), Diag> {
        let span = question.span;
        let (sub, args) = renamed(sub, args);
        let one_row = is_one_row(&sub);
        let mut sub = self.answers(&node, sub, &args)?;
        let at = node.fields.len();
        let given = sub.fields[0].clone();
        if !one_row {
            // The first value and the number of rows; more than one is an error for whoever asks.
            let value = column(&sub.fields, 0);
            let bindings: Vec<Expr> = (1..sub.fields.len()).map(|at| column(&sub.fields, at)).collect();
            let first = call(aggregate::find_first(value.ty.class()), Some(value), given.ty, span);
            let count = call(agg::find("count", None).expect("count(*) is listed"), None, Type::Integer, span);
            let mut fields: Vec<Field> = sub.fields[1..].to_vec();
            fields.push(Field { nullable: true, ..given.clone() });
            fields.push(Field { name: "count".to_owned(), ty: Type::Integer, nullable: false });
            let width = bindings.len();
            let aggregates = vec![first, count];
            let kind = NodeKind::Aggregate { input: Box::new(sub), group: bindings, aggregates };
            let grouped = Node { kind, fields };
            let columns = passed(&grouped, [width, width + 1].into_iter().chain(0..width));
            sub = grouped.project(columns);
        }
        let node = joined(JoinKind::Left, node, sub, args, None);
        let mut answer = column(&node.fields, at);
        if !one_row {
            let count = column(&node.fields, at + 1);
            let single = function::call_named("$at_most_one", vec![count], Type::Boolean, span);
            let null = Expr::constant(Value::Null, answer.ty, span);
            answer = case_of(vec![(single, answer)], null, span);
        }
        answer.nullable = question.nullable;
        // What is never NULL for want of a row is read as such.
        if !question.nullable && matches!(answer.kind, ExprKind::Column(_)) {
            answer =
                or_else(Expr { nullable: true, ..answer }, Expr::constant(Value::Boolean(false), Type::Boolean, span));
        }
        Ok((node, Expr { span, ..answer }))
    }
}

/// Does it name columns of both sides of a join?
fn is_of_both(expr: &Expr, left_width: usize, width: usize) -> bool {
    let columns = expr.columns();
    columns.iter().any(|column| *column < left_width)
        && columns.iter().any(|column| (left_width..width).contains(column))
}

/// The rows with their number behind them.
fn numbered(node: Node) -> Node {
    let always = |_| Expr::constant(Value::Boolean(true), Type::Boolean, Span::default());
    query::numbered(node, Vec::new(), Span::default(), always)
}

/// A node that gains columns for the questions of expressions over it.
struct Attached {
    node: Node,
    /// What was asked of all rows, and where the answers stand.
    answers: Vec<(Expr, Expr)>,
    /// What is true of the rows that come to the place under way.
    guards: Vec<Expr>,
}

/// Columns that a side of a join has gained, while the other side may still grow.
const LEFT_BASE: usize = 1 << 40;
const RIGHT_BASE: usize = 1 << 48;

fn field_of(name: &str, expr: &Expr) -> Field {
    Field { name: name.to_owned(), ty: expr.ty, nullable: expr.nullable }
}

/// Is the condition true of a row of the subplan, unknown of one, or false of all?
fn any_rows(sub: Node, condition: &Expr, span: Span) -> Node {
    let truth = sub.project(vec![("truth".to_owned(), condition.clone())]);
    let value = column(&truth.fields, 0);
    let find = |name, class| agg::find(name, class).expect("the kernel has it");
    let aggregates = vec![
        call(find("bool_or", Some(TypeClass::Boolean)), Some(value.clone()), Type::Boolean, span),
        call(find("count", Some(TypeClass::Boolean)), Some(value), Type::Integer, span),
        call(find("count", None), None, Type::Integer, span),
    ];
    let field = |name: &str, ty, nullable| Field { name: name.to_owned(), ty, nullable };
    let fields = vec![
        field("any", Type::Boolean, true),
        field("known", Type::Integer, false),
        field("rows", Type::Integer, false),
    ];
    let kind = NodeKind::Aggregate { input: Box::new(truth), group: Vec::new(), aggregates };
    let folded = Node { kind, fields };
    let boolean = |value: Value| Expr::constant(value, Type::Boolean, span);
    let (any, known, rows) = (column(&folded.fields, 0), column(&folded.fields, 1), column(&folded.fields, 2));
    let unknown = function::call_named("<>", vec![known, rows], Type::Boolean, span);
    let arms = vec![(any, boolean(Value::Boolean(true))), (unknown, boolean(Value::Null))];
    let answer = case_of(arms, boolean(Value::Boolean(false)), span);
    folded.project(vec![("any".to_owned(), answer)])
}

/// The arguments that a subplan itself reads.
fn used(sub: &Node, args: Vec<Expr>) -> Vec<(usize, Expr)> {
    let mut read = vec![false; args.len()];
    mark(sub, &mut read);
    args.into_iter().enumerate().filter(|(at, _)| read[*at]).collect()
}

fn mark(node: &Node, read: &mut [bool]) {
    node.for_each_expr(&mut |expr| {
        expr.walk(&mut |part| {
            if let ExprKind::Outer(at) = part.kind {
                read[at] = true;
            }
        });
    });
    node.for_each_input(&mut |input| crate::stack::deeper(|| mark(input, read)));
}

/// A subplan whose arguments are just those it reads, each expression once.
fn renamed(sub: Node, args: impl IntoArgs) -> (Node, Vec<Expr>) {
    let args = args.into_args(&sub);
    let mut kept: Vec<Expr> = Vec::new();
    let mut places = Vec::new();
    for (at, arg) in args {
        let place = argument(&mut kept, &arg);
        places.push((at, place));
    }
    let mut sub = sub;
    rename(&mut sub, &places);
    (sub, kept)
}

fn rename(node: &mut Node, places: &[(usize, usize)]) {
    node.for_each_input_mut(&mut |input| crate::stack::deeper(|| rename(input, places)));
    node.for_each_expr_mut(&mut |expr| {
        expr.walk_mut(&mut |part| {
            if let ExprKind::Outer(at) = &mut part.kind {
                let found = places.iter().find(|(old, _)| old == at);
                *at = found.expect("an argument that is read is kept").1;
            }
        });
    });
}

/// Arguments with their numbers.
trait IntoArgs {
    fn into_args(self, sub: &Node) -> Vec<(usize, Expr)>;
}

impl IntoArgs for Vec<Expr> {
    fn into_args(self, sub: &Node) -> Vec<(usize, Expr)> {
        used(sub, self)
    }
}

impl IntoArgs for Vec<(usize, Expr)> {
    fn into_args(self, _: &Node) -> Vec<(usize, Expr)> {
        self
    }
}

/// A join with a subplan whose last columns are the arguments that each row answers for.
fn joined(kind: JoinKind, left: Node, sub: Node, args: Vec<Expr>, residual: Option<Expr>) -> Node {
    let width = sub.fields.len() - args.len();
    let mut fields = left.fields.clone();
    if kind.gives_right() {
        let outer = kind == JoinKind::Left;
        fields.extend(sub.fields.iter().map(|field| Field { nullable: field.nullable || outer, ..field.clone() }));
    }
    let same = args.iter().enumerate().map(|(at, arg)| (arg.clone(), column(&sub.fields, width + at))).collect();
    let bindings = if super::push::has_bindings(&sub) { args } else { Vec::new() };
    let join = Join { same, bindings, ..Join::on(kind, left, sub, residual) };
    Node { kind: NodeKind::Join(Box::new(join)), fields }
}

/// Only the first columns.
fn narrow(node: Node, width: usize) -> Node {
    if node.fields.len() == width {
        return node;
    }
    let columns = passed(&node, 0..width);
    node.project(columns)
}

fn narrow_to(node: Node, fields: Vec<Field>, width: usize) -> Node {
    let mut node = narrow(node, width);
    node.fields = fields;
    node
}
