//! How does a plan read?
//!
//! What EXPLAIN prints: one operator a line, inputs indented below, expressions in SQL with the names of their columns. What
//! the binder made explicit stands there as calls: casts, changes of scale, defaults of both times.
//!
//! Holds: the text is the same for the same plan, so that goldens can hold it.

mod keys;
mod statement;

use super::{
    AggregateCall, CompareOp, Context, Expr, ExprKind, Frame, FrameBound, FrameExclude, FrameUnit, JoinKind, Node,
    NodeKind, Param, Plan, QueryPlan, Scan, Session, SortKey, SubplanAsk, SystemScope, ValidScope, WindowCall,
    WindowFunction,
};
use crate::{
    ast::{Isolation, Name, ParamName, TransactionModes},
    stack,
};
use spectradb_kernel::{Type, Value, ty::TypeClass};
use std::fmt::{self, Write as _};

/// At most so many exact keys and rows of VALUES are printed.
const SHOWN_MAX: usize = 5;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, line) in self.lines(&|_| None).into_iter().enumerate() {
            if number > 0 {
                f.write_char('\n')?;
            }
            line.fmt(f)?;
        }
        Ok(())
    }
}

/// What a node took when it was run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Rows that it gave.
    pub rows: u64,
    /// The time in it and the nodes below it.
    pub millis: f64,
}

/// A line of a plan: a node, or what stands above nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// How far it is indented.
    pub depth: usize,
    /// What it says.
    pub text: String,
    /// What the node took, where it was run.
    pub measured: Option<Measured>,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:indent$}{}", "", self.text, indent = self.depth * 2)?;
        match self.measured {
            Some(Measured { rows, millis }) => write!(f, " (rows {rows}, {millis:.3} ms)"),
            None => Ok(()),
        }
    }
}

impl Plan {
    /// The plan line by line, with what its nodes took.
    pub fn lines(&self, measured: &dyn Fn(&Node) -> Option<Measured>) -> Vec<Line> {
        let mut printer = Printer { params: &self.params, lines: Vec::new(), measured };
        printer.statement(&self.statement, 0);
        printer.lines
    }
}

impl Node {
    /// The node and those below it, as EXPLAIN shows them, without names of parameters.
    pub(crate) fn shown(&self) -> String {
        let mut printer = Printer { params: &[], lines: Vec::new(), measured: &|_| None };
        printer.node(self, 0);
        printer.lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

impl Expr {
    /// The expression in SQL, its columns by these names.
    pub fn to_sql(&self, names: &[String], params: &[Param]) -> String {
        let printer = Printer { params, lines: Vec::new(), measured: &|_| None };
        printer.expr(self, names)
    }
}

struct Printer<'p> {
    params: &'p [Param],
    lines: Vec<Line>,
    measured: &'p dyn Fn(&Node) -> Option<Measured>,
}

/// How tightly an expression holds together; parts that hold less tightly are put in parentheses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Or,
    And,
    Not,
    Comparison,
    Sum,
    Product,
    Atom,
}

impl Printer<'_> {
    fn line(&mut self, depth: usize, text: &str) {
        self.lines.push(Line { depth, text: text.to_owned(), measured: None });
    }

    fn portion(&self, portion: Option<&(Expr, Expr)>) -> String {
        match portion {
            Some((from, to)) => format!(" for the portion [{}, {})", self.expr(from, &[]), self.expr(to, &[])),
            None => String::new(),
        }
    }

    /// A query that a part of a statement runs.
    fn part(&mut self, title: &str, query: &QueryPlan, depth: usize) {
        self.line(depth + 1, title);
        self.query(query, depth + 2);
    }

    fn returning(&mut self, returning: Option<&QueryPlan>, depth: usize) {
        if let Some(returning) = returning {
            self.part("Returning", returning, depth);
        }
    }

    fn query(&mut self, query: &QueryPlan, depth: usize) {
        self.node(&query.root, depth);
        for (number, subplan) in query.subplans.iter().enumerate() {
            self.line(depth, &format!("Subplan {}", number + 1));
            self.node(subplan, depth + 1);
        }
    }

    fn node(&mut self, node: &Node, depth: usize) {
        let text = match &node.kind {
            NodeKind::Scan(scan) => self.scan(scan, node),
            NodeKind::Values { rows } => self.values(rows),
            NodeKind::Constants { columns, row_count } => {
                let row = |row: usize| {
                    let values = columns.iter().map(|column| constant(&column.value(row), column.ty()));
                    format!("({})", values.collect::<Vec<_>>().join(", "))
                };
                let shown: Vec<String> = (0..SHOWN_MAX.min(*row_count)).map(row).collect();
                let more = row_count.saturating_sub(SHOWN_MAX);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                format!("Values {}{more}", shown.join(", "))
            }
            NodeKind::Given { change: None, columns: _ } => "Given rows".to_owned(),
            NodeKind::Given { change: Some(change), columns: _ } => format!("Rows of change {change}"),
            NodeKind::Shared { subplan_idx, columns: _ } => format!("Rows of subplan {}", subplan_idx + 1),
            NodeKind::Filter { input, predicate } => format!("Filter {}", self.expr(predicate, &names(input))),
            NodeKind::Project { input, exprs } => {
                let names = names(input);
                let shown: Vec<String> = exprs
                    .iter()
                    .zip(&node.fields)
                    .map(|(expr, field)| {
                        let text = self.expr(expr, &names);
                        let is_named = text == field.name || text.ends_with(&format!(".{}", field.name));
                        if is_named || field.name.starts_with('?') { text } else { format!("{text} AS {}", field.name) }
                    })
                    .collect();
                format!("Project {}", shown.join(", "))
            }
            NodeKind::Join(join) => {
                let (left, right) = (names(&join.left), names(&join.right));
                let both: Vec<String> = left.iter().chain(&right).cloned().collect();
                let mut parts: Vec<String> = join
                    .keys
                    .iter()
                    .map(|(one, other)| format!("{} = {}", self.expr(one, &left), self.expr(other, &right)))
                    .collect();
                parts.extend(join.same.iter().map(|(one, other)| {
                    format!("{} IS NOT DISTINCT FROM {}", self.expr(one, &left), self.expr(other, &right))
                }));
                if let Some(period) = &join.period {
                    let (from, to) = (self.expr(&period.from, &right), self.expr(&period.to, &right));
                    let (since, until) = (self.expr(&period.since, &left), self.expr(&period.until, &left));
                    let sign = |included| if included { "<=" } else { "<" };
                    let (begins, ends) = (sign(period.ends.from_included), sign(period.ends.to_included));
                    let open = |is_open, what: &'static str| if is_open { what } else { "" };
                    let always = open(period.ends.open_from, " or no beginning");
                    let never = open(period.ends.open_to, " or no end");
                    let left_always = open(period.ends.open_since, " or no beginning");
                    let left_never = open(period.ends.open_until, " or no end");
                    parts.push(match (since == until, begins, ends) {
                        (true, "<=", "<") => format!("period [{from}{always}, {to}{never}) holds {since}"),
                        (true, ..) => format!("period {from}{always} {begins} {since} {ends} {to}{never}"),
                        (false, ..) if from == to => {
                            format!("period {since}{left_always} {ends} {from} {begins} {until}{left_never}")
                        }
                        (false, ..) => format!("periods {from} {begins} {until}, {since} {ends} {to}"),
                    });
                }
                if let Some(residual) = &join.residual {
                    parts.push(format!("where {}", self.expr(residual, &both)));
                }
                let kind = match join.kind {
                    JoinKind::Inner => "inner",
                    JoinKind::Left => "left",
                    JoinKind::Right => "right",
                    JoinKind::Full => "full",
                    JoinKind::Semi => "semi",
                    JoinKind::Anti => "anti",
                };
                let mut on = if parts.is_empty() { "every pair".to_owned() } else { parts.join(", ") };
                if !join.bindings.is_empty() {
                    write!(on, ", binding {}", self.list(&join.bindings, &left))
                        .expect("writing to a string cannot fail");
                }
                format!("Join {kind}: {on}")
            }
            NodeKind::Aggregate { input, group, aggregates } => {
                let names = names(input);
                let calls: Vec<String> = aggregates.iter().map(|call| self.aggregate(call, &names)).collect();
                let group = self.list(group, &names);
                match (group.is_empty(), calls.is_empty()) {
                    (true, _) => format!("Aggregate {}", calls.join(", ")),
                    (false, true) => format!("Aggregate by {group}"),
                    (false, false) => format!("Aggregate {} by {group}", calls.join(", ")),
                }
            }
            NodeKind::Window { input, calls } => {
                let names = names(input);
                let calls: Vec<String> = calls.iter().map(|call| self.window(call, &names)).collect();
                format!("Window {}", calls.join(", "))
            }
            NodeKind::Sort { input, keys } => format!("Sort by {}", self.sort_keys(keys, &names(input))),
            NodeKind::Limit { input: _, limit, offset } => {
                let limit = limit.as_ref().map_or("all".to_owned(), |limit| self.expr(limit, &[]));
                let offset = offset.as_ref().map(|offset| format!(" after {}", self.expr(offset, &[])));
                format!("Limit {limit}{}", offset.unwrap_or_default())
            }
            NodeKind::Distinct { input: _ } => "Distinct".to_owned(),
            NodeKind::UnionAll { inputs: _ } => "Union all".to_owned(),
            NodeKind::SetOp { intersect, all, left: _, right: _ } => {
                format!("{}{}", if *intersect { "Intersect" } else { "Except" }, if *all { " all" } else { "" })
            }
            NodeKind::Bindings => "Bindings".to_owned(),
            NodeKind::Recursion(recursion) => {
                format!("Recursion {}{}", recursion.id + 1, if recursion.distinct { ", distinct" } else { "" })
            }
            NodeKind::Working { recursion } => format!("Working rows of recursion {}", recursion + 1),
            NodeKind::Series { input, from, to, step } => {
                let names = names(input);
                let [from, to, step] = [from, to, step].map(|bound| self.expr(bound, &names));
                format!("Series from {from} to {to} by {step}")
            }
        };
        self.lines.push(Line { depth, text, measured: (self.measured)(node) });
        node.for_each_input(&mut |input| stack::deeper(|| self.node(input, depth + 1)));
    }

    fn values(&self, rows: &[Vec<Expr>]) -> String {
        match rows {
            [] => "Values: no row".to_owned(),
            [row] if row.is_empty() => "Values: one row without columns".to_owned(),
            rows => {
                let shown: Vec<String> =
                    rows.iter().take(SHOWN_MAX).map(|row| format!("({})", self.list(row, &[]))).collect();
                let more = rows.len().saturating_sub(SHOWN_MAX);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                format!("Values {}{more}", shown.join(", "))
            }
        }
    }

    fn scan(&self, scan: &Scan, node: &Node) -> String {
        let mut text = format!("Scan {}", scan.table.name);
        let mut add = |part: &str| text.push_str(part);
        if scan.alias != scan.table.name {
            add(&format!(" AS {}", scan.alias));
        }
        let columns: Vec<&str> = node.fields.iter().map(|field| field.name.as_str()).collect();
        add(&format!(" ({})", columns.join(", ")));
        add(&match &scan.system {
            SystemScope::Latest => String::new(),
            SystemScope::AsOf(at) => format!(", as of {}", self.expr(at, &[])),
            SystemScope::Range { from, to, to_included } => {
                format!(", system time {}", self.range(from, to, *to_included))
            }
            SystemScope::All => ", all system time".to_owned(),
        });
        add(&match &scan.valid {
            ValidScope::At(at) => format!(", valid at {}", self.expr(at, &[])),
            ValidScope::Range { from, to, to_included } => {
                format!(", valid time {}", self.range(from, to, *to_included))
            }
            ValidScope::All => ", all valid time".to_owned(),
        });
        add(&self.keys(scan));
        if !scan.predicates.is_empty() {
            let shown: Vec<String> = scan
                .predicates
                .iter()
                .map(|predicate| {
                    let op = match predicate.op {
                        CompareOp::Eq => "=",
                        CompareOp::Lt => "<",
                        CompareOp::Le => "<=",
                        CompareOp::Gt => ">",
                        CompareOp::Ge => ">=",
                    };
                    let column = &scan.table.columns[predicate.column_idx].name;
                    format!("{column} {op} {}", self.expr(&predicate.value, &[]))
                })
                .collect();
            add(&format!(", blocks where {}", shown.join(" AND ")));
        }
        text
    }

    fn range(&self, from: &Expr, to: &Expr, to_included: bool) -> String {
        let end = if to_included { "]" } else { ")" };
        format!("[{}, {}{end}", self.expr(from, &[]), self.expr(to, &[]))
    }

    fn aggregate(&self, call: &AggregateCall, names: &[String]) -> String {
        let distinct = if call.distinct { "DISTINCT " } else { "" };
        let arg = self.folded(call.arg.as_ref(), &call.more, names);
        let order = match call.order.as_slice() {
            [] => String::new(),
            keys => format!(" ORDER BY {}", self.sort_keys(keys, names)),
        };
        format!("{}({distinct}{arg}{order})", call.aggregate.name)
    }

    fn folded(&self, arg: Option<&Expr>, more: &[Expr], names: &[String]) -> String {
        let Some(arg) = arg else { return "*".to_owned() };
        let args: Vec<String> = std::iter::once(arg).chain(more).map(|arg| self.expr(arg, names)).collect();
        args.join(", ")
    }

    fn frame(&self, frame: &Frame, names: &[String]) -> Option<String> {
        if *frame == Frame::running() {
            return None;
        }
        let unit = match frame.unit {
            FrameUnit::Rows => "ROWS",
            FrameUnit::Range => "RANGE",
            FrameUnit::Groups => "GROUPS",
        };
        // The edge of a RANGE is a value, not a distance.
        let edge = |edge: &Expr, word: &str| match frame.unit {
            FrameUnit::Rows | FrameUnit::Groups => format!("{} {word}", self.expr(edge, names)),
            FrameUnit::Range => format!("TO {}", self.expr(edge, names)),
        };
        let bound = |bound: &FrameBound| match bound {
            FrameBound::UnboundedPreceding => "UNBOUNDED PRECEDING".to_owned(),
            FrameBound::Preceding(by) => edge(by, "PRECEDING"),
            FrameBound::CurrentRow => "CURRENT ROW".to_owned(),
            FrameBound::Following(by) => edge(by, "FOLLOWING"),
            FrameBound::UnboundedFollowing => "UNBOUNDED FOLLOWING".to_owned(),
        };
        let exclude = match frame.exclude {
            FrameExclude::NoOthers => "",
            FrameExclude::CurrentRow => " EXCLUDE CURRENT ROW",
            FrameExclude::Group => " EXCLUDE GROUP",
            FrameExclude::Ties => " EXCLUDE TIES",
        };
        Some(format!("{unit} BETWEEN {} AND {}{exclude}", bound(&frame.start), bound(&frame.end)))
    }

    fn window(&self, call: &WindowCall, names: &[String]) -> String {
        let function = match &call.function {
            WindowFunction::RowNumber => "row_number()".to_owned(),
            WindowFunction::Rank => "rank()".to_owned(),
            WindowFunction::DenseRank => "dense_rank()".to_owned(),
            WindowFunction::Shift { value, offset, default, forward } => {
                let name = if *forward { "lead" } else { "lag" };
                let default = default.as_ref().map(|default| format!(", {}", self.expr(default, names)));
                let (value, offset) = (self.expr(value, names), self.expr(offset, names));
                format!("{name}({value}, {offset}{})", default.unwrap_or_default())
            }
            WindowFunction::Aggregate { aggregate, arg, more } => {
                format!("{}({})", aggregate.name, self.folded(arg.as_deref(), more, names))
            }
            WindowFunction::Ntile(count) => format!("ntile({})", self.expr(count, names)),
            WindowFunction::PercentRank => "percent_rank()".to_owned(),
            WindowFunction::CumeDist => "cume_dist()".to_owned(),
            WindowFunction::FirstValue(value) => format!("first_value({})", self.expr(value, names)),
            WindowFunction::LastValue(value) => format!("last_value({})", self.expr(value, names)),
            WindowFunction::NthValue { value, n } => {
                format!("nth_value({}, {})", self.expr(value, names), self.expr(n, names))
            }
        };
        let mut over = Vec::new();
        if !call.partition.is_empty() {
            over.push(format!("PARTITION BY {}", self.list(&call.partition, names)));
        }
        if !call.order.is_empty() {
            over.push(format!("ORDER BY {}", self.sort_keys(&call.order, names)));
        }
        over.extend(self.frame(&call.frame, names));
        format!("{function} OVER ({})", over.join(" "))
    }

    fn sort_keys(&self, keys: &[SortKey], names: &[String]) -> String {
        let keys: Vec<String> = keys
            .iter()
            .map(|key| {
                let direction = if key.descending { " DESC" } else { "" };
                let nulls = match (key.nulls_first, key.descending) {
                    (true, false) => " NULLS FIRST",
                    (false, true) => " NULLS LAST",
                    (true, true) | (false, false) => "",
                };
                format!("{}{direction}{nulls}", self.expr(&key.expr, names))
            })
            .collect();
        keys.join(", ")
    }

    fn list(&self, exprs: &[Expr], names: &[String]) -> String {
        let texts: Vec<String> = exprs.iter().map(|expr| self.expr(expr, names)).collect();
        texts.join(", ")
    }

    fn expr(&self, expr: &Expr, names: &[String]) -> String {
        self.bound_expr(expr, names).0
    }

    /// The text in parentheses if it holds less tightly than its surroundings.
    fn within(&self, expr: &Expr, names: &[String], around: Binding) -> String {
        let (text, own) = self.bound_expr(expr, names);
        if own < around { format!("({text})") } else { text }
    }

    fn bound_expr(&self, expr: &Expr, names: &[String]) -> (String, Binding) {
        stack::deeper(|| self.bound_expr_within(expr, names))
    }

    fn bound_expr_within(&self, expr: &Expr, names: &[String]) -> (String, Binding) {
        let join = |arms: &[Expr], word: &str, binding: Binding, inner: Binding| {
            let arms: Vec<String> = arms.iter().map(|arm| self.within(arm, names, inner)).collect();
            (arms.join(word), binding)
        };
        let text = match &expr.kind {
            ExprKind::Column(column) => names.get(*column).cloned().unwrap_or_else(|| format!("#{column}")),
            ExprKind::Param(param) => match self.params.get(*param).map(|param| &param.name) {
                Some(ParamName::Named(name)) => format!(":{name}"),
                Some(ParamName::Position(number)) => format!("${number}"),
                None => format!("${}", param + 1),
            },
            ExprKind::Context(Context::Now) => "now()".to_owned(),
            ExprKind::Context(Context::CurrentCommit) => "current_commit()".to_owned(),
            ExprKind::Context(Context::Settings) => "settings()".to_owned(),
            ExprKind::Const(value) => constant(value, expr.ty),
            ExprKind::And(arms) => return join(arms, " AND ", Binding::And, Binding::Not),
            ExprKind::Or(arms) => return join(arms, " OR ", Binding::Or, Binding::And),
            ExprKind::Case { arms, otherwise } => {
                let mut text = "CASE".to_owned();
                for (condition, value) in arms {
                    let (condition, value) = (self.expr(condition, names), self.expr(value, names));
                    write!(text, " WHEN {condition} THEN {value}").expect("writing to a string cannot fail");
                }
                if let Some(otherwise) = otherwise {
                    let otherwise = self.expr(otherwise, names);
                    write!(text, " ELSE {otherwise}").expect("writing to a string cannot fail");
                }
                text.push_str(" END");
                text
            }
            ExprKind::Outer(arg) => format!("outer {}", arg + 1),
            ExprKind::Subplan { subplan_idx, ask, args: _ } => {
                let number = subplan_idx + 1;
                match ask {
                    SubplanAsk::Scalar => format!("(subplan {number})"),
                    SubplanAsk::Exists => format!("EXISTS (subplan {number})"),
                    SubplanAsk::Any(_) => format!("ANY (subplan {number})"),
                    SubplanAsk::In(needle) => {
                        let needle = self.within(needle, names, Binding::Sum);
                        return (format!("{needle} IN (subplan {number})"), Binding::Comparison);
                    }
                }
            }
            ExprKind::Call { function, args } => return self.call(function.name, args, expr.ty, names),
        };
        (text, Binding::Atom)
    }

    fn call(&self, name: &str, args: &[Expr], ty: Type, names: &[String]) -> (String, Binding) {
        let infix = |sign: &str, binding: Binding, left: Binding, right: Binding| {
            let (left, right) = (self.within(&args[0], names, left), self.within(&args[1], names, right));
            (format!("{left} {sign} {right}"), binding)
        };
        let after =
            |words: &str| (format!("{} {words}", self.within(&args[0], names, Binding::Sum)), Binding::Comparison);
        match (name, args.len()) {
            ("=" | "<>" | "<" | "<=" | ">" | ">=", 2) => infix(name, Binding::Comparison, Binding::Sum, Binding::Sum),
            ("+" | "-" | "||", 2) => infix(name, Binding::Sum, Binding::Sum, Binding::Product),
            ("*" | "/" | "%", 2) => infix(name, Binding::Product, Binding::Product, Binding::Atom),
            ("$numeric_div", 3) => infix("/", Binding::Product, Binding::Product, Binding::Atom),
            ("-", 1) => (format!("-{}", self.within(&args[0], names, Binding::Atom)), Binding::Product),
            ("not", 1) => (format!("NOT {}", self.within(&args[0], names, Binding::Not)), Binding::Not),
            ("$is_null", 1) => after("IS NULL"),
            ("$is_not_null", 1) => after("IS NOT NULL"),
            ("$is_true", 1) => after("IS TRUE"),
            ("$is_false", 1) => after("IS FALSE"),
            ("$is_unknown", 1) => after("IS UNKNOWN"),
            ("$is_distinct", 2) => infix("IS DISTINCT FROM", Binding::Comparison, Binding::Sum, Binding::Sum),
            ("$like", 2) => infix("LIKE", Binding::Comparison, Binding::Sum, Binding::Sum),
            ("$ilike", 2) => infix("ILIKE", Binding::Comparison, Binding::Sum, Binding::Sum),
            ("$listed", 2) => {
                let list = match &args[1].kind {
                    ExprKind::Const(Value::Array(list)) => {
                        let ty = list.element().ty();
                        list.view().values().map(|value| constant(&value, ty)).collect::<Vec<_>>().join(", ")
                    }
                    _ => self.expr(&args[1], names),
                };
                (format!("{} IN ({list})", self.within(&args[0], names, Binding::Sum)), Binding::Comparison)
            }
            ("$like_escape" | "$ilike_escape", 3) => {
                let sign = if name == "$like_escape" { "LIKE" } else { "ILIKE" };
                let (text, binding) = infix(sign, Binding::Comparison, Binding::Sum, Binding::Sum);
                (format!("{text} ESCAPE {}", self.expr(&args[2], names)), binding)
            }
            (
                "$cast"
                | "$numeric_rescale"
                | "$json_text"
                | "$json_as_real"
                | "$json_as_integer"
                | "$json_as_numeric"
                | "$json_as_big_numeric"
                | "$json_as_boolean",
                1..,
            ) => (format!("CAST({} AS {ty})", self.expr(&args[0], names)), Binding::Atom),
            ("$json_get", 2) => {
                let path = match &args[1].kind {
                    ExprKind::Const(Value::Text(path)) => path.replace(|sign: char| sign.is_control(), "."),
                    _ => return infix("->", Binding::Sum, Binding::Sum, Binding::Product),
                };
                (format!("{}.{path}", self.within(&args[0], names, Binding::Atom)), Binding::Atom)
            }
            ("$place", 1) => (self.expr(&args[0], names), Binding::Sum),
            ("$json_field" | "$json_item" | "$jsonb_item", 2) => {
                infix("->", Binding::Sum, Binding::Sum, Binding::Product)
            }
            ("$extract" | "$extract_int", 2) => {
                let field = match &args[0].kind {
                    ExprKind::Const(Value::Text(field)) => field.clone(),
                    _ => self.expr(&args[0], names),
                };
                (format!("EXTRACT({field} FROM {})", self.expr(&args[1], names)), Binding::Atom)
            }
            ("$numeric_round" | "$numeric_trunc", 3) => {
                let (value, digits) = (self.expr(&args[0], names), self.expr(&args[2], names));
                (format!("{}({value}, {digits})", &name["$numeric_".len()..]), Binding::Atom)
            }
            ("$numeric_floor" | "$numeric_ceil", 2) => {
                (format!("{}({})", &name["$numeric_".len()..], self.expr(&args[0], names)), Binding::Atom)
            }
            _ => (format!("{name}({})", self.list(args, names)), Binding::Atom),
        }
    }
}

/// What the columns of a node are called in expressions: scanned ones by their table's alias and their name.
fn names(node: &Node) -> Vec<String> {
    let fields = || node.fields.iter().map(|field| field.name.clone());
    match &node.kind {
        NodeKind::Scan(scan) => node.fields.iter().map(|field| format!("{}.{}", scan.alias, field.name)).collect(),
        NodeKind::Values { .. }
        | NodeKind::Constants { .. }
        | NodeKind::Given { .. }
        | NodeKind::Shared { .. }
        | NodeKind::UnionAll { .. }
        | NodeKind::SetOp { .. }
        | NodeKind::Bindings
        | NodeKind::Recursion(_)
        | NodeKind::Working { .. } => fields().collect(),
        NodeKind::Series { input, .. } => {
            let last = node.fields.last().map(|field| field.name.clone());
            names(input).into_iter().chain(last).collect()
        }
        NodeKind::Filter { input, .. }
        | NodeKind::Sort { input, .. }
        | NodeKind::Limit { input, .. }
        | NodeKind::Distinct { input } => names(input),
        NodeKind::Project { input, exprs } => {
            let below = names(input);
            let name = |(expr, field): (&Expr, &super::Field)| match expr.kind {
                // A column that is only passed on keeps its table's name, unless it was given another one.
                ExprKind::Column(column) if below[column].ends_with(&format!(".{}", field.name)) => {
                    below[column].clone()
                }
                _ => field.name.clone(),
            };
            exprs.iter().zip(&node.fields).map(name).collect()
        }
        NodeKind::Join(join) if !join.kind.gives_right() => names(&join.left),
        NodeKind::Join(join) => names(&join.left).into_iter().chain(names(&join.right)).collect(),
        NodeKind::Aggregate { input, group, aggregates } => {
            let below = names(input);
            let printer = Printer { params: &[], lines: Vec::new(), measured: &|_| None };
            let group = group.iter().map(|expr| printer.expr(expr, &below));
            group.chain(aggregates.iter().map(|call| printer.aggregate(call, &below))).collect()
        }
        NodeKind::Window { input, calls } => {
            let below = names(input);
            let printer = Printer { params: &[], lines: Vec::new(), measured: &|_| None };
            let calls: Vec<String> = calls.iter().map(|call| printer.window(call, &below)).collect();
            below.into_iter().chain(calls).collect()
        }
    }
}

fn first_only(joined: bool) -> &'static str {
    if joined { ", the first row of each fact" } else { "" }
}

fn session_line(session: &Session) -> String {
    let of = |verb: &str, name: &Option<Name>| format!("{verb} {}", name.as_ref().map_or("all", |name| &name.text));
    match session {
        Session::Set { name, value, local, shown: _ } => {
            format!(
                "Set {}{} to {}",
                if *local { "local " } else { "" },
                name.text,
                value.as_ref().map_or("its default".to_owned(), |text| quoted(&text.text))
            )
        }
        Session::Reset(name) => of("Reset", name),
        Session::Show(name) => of("Show", name),
        Session::ShowStats => "Show stats".to_owned(),
        Session::ShowTableStats(None) => "Show table stats".to_owned(),
        Session::ShowTableStats(Some(table)) => format!("Show table stats {}", table.name),
        Session::ShowStorage => "Show storage".to_owned(),
        Session::Prepare { name, .. } => format!("Prepare {}", name.text),
        Session::Deallocate(name) => of("Deallocate", name),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn constant(value: &Value, ty: Type) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Boolean(_) | Value::Integer(_) | Value::Numeric(_) => value.to_string(),
        // 1.0 and 1 are different things to read.
        Value::Real(real) => {
            let text = value.to_string();
            if real.is_finite() && !text.contains(['.', 'e']) { format!("{text}.0") } else { text }
        }
        Value::Text(text) => quoted(text),
        Value::Json(text) => format!("JSON {}", quoted(text)),
        Value::Blob(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("X'{hex}'")
        }
        Value::Array(_) => format!("{}::{ty}", quoted(&value.to_string())),
        Value::BigNumeric(_) => format!("NUMERIC '{value}'"),
        Value::Date(_)
        | Value::Timestamp(_)
        | Value::Time(_)
        | Value::TimestampTz(_)
        | Value::Interval(_)
        | Value::Uuid(_) => {
            let class: TypeClass = ty.class();
            format!("{} '{value}'", class.name().to_uppercase())
        }
    }
}

fn modes(modes: &TransactionModes) -> String {
    let isolation = match modes.isolation {
        None => "",
        Some(Isolation::Snapshot) => " snapshot",
        Some(Isolation::Serializable) => " serializable",
    };
    let reads = match modes.read_only {
        None => "",
        Some(true) => " read only",
        Some(false) => " read write",
    };
    format!("{isolation}{reads}")
}
