//! Which operators and stages does generated code put together for a plan?
//!
//! A query becomes statements in a function that opens it: each operator of the runtime is built from its spec, each run
//! of filters and projections from the stage that was printed for it. What an operator wants computed is appended to its
//! input by a stage, unless it is a column already: the same as the interpreter does, in the same order.
//!
//! Holds: no decision is made here; every shape of the plan has its operator.
//! Not here: loops (`pipe`), fused folds (`fold`), rows (`rows`).

use crate::{
    expr::place,
    fold,
    pipe::{self, Shared, Step},
    schema::{class_ident, type_tokens},
};
use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};
use spectradb_grammar::plan::{
    AggregateCall, CompareOp, Expr, ExprKind, Field, FrameBound, FrameExclude, FrameUnit, Join, JoinKind, KeyAccess,
    Node, NodeKind, PeriodEnds, QueryPlan, Scan, ScanColumn, SortKey, SystemScope, ValidScope, WindowCall,
    WindowFunction,
};
use spectradb_kernel::{Type, schema::TableSchema};
use std::sync::Arc;

/// The printed query.
pub struct PrintedQuery {
    /// Structs and implementations of its stages.
    pub items: TokenStream,
    /// The body of the function that opens it; sees `cx` and `env`, gives `Result<BoxSource, ExecError>`.
    pub open: TokenStream,
    /// The tables, in the order of their numbers.
    pub tables: Vec<Arc<TableSchema>>,
}

/// Prints a query.
pub fn query(shared: Shared<'_>, plan: &QueryPlan) -> PrintedQuery {
    let mut printer = Printer {
        shared,
        items: TokenStream::new(),
        tables: Vec::new(),
        next: 0,
        bindings: Vec::new(),
        working: Vec::new(),
        in_step: false,
    };
    let mut open = TokenStream::new();
    let v1 = shared.v1;
    for (idx, subplan) in plan.subplans.iter().enumerate() {
        let name = format_ident!("q{idx}");
        let mut body = TokenStream::new();
        let source = printer.whole(subplan, &mut body);
        let made = if is_read(plan, idx) { quote!(cx.once) } else { quote!(#v1::Subplan::new) };
        open.extend(quote! {
            let #name = #made(|| {
                #body
                ::core::result::Result::Ok(#source)
            });
        });
    }
    let source = printer.whole(&plan.root, &mut open);
    open.extend(quote!(::core::result::Result::Ok(#source)));
    PrintedQuery { items: printer.items, open, tables: printer.tables }
}

/// Are the rows of a subplan read as such, and not asked by expressions?
fn is_read(plan: &QueryPlan, idx: usize) -> bool {
    let mut found = false;
    for node in plan.subplans.iter().chain([&plan.root]) {
        node.walk(&mut |node| {
            found |= matches!(&node.kind, NodeKind::Shared { subplan_idx, .. } if *subplan_idx == idx);
        });
    }
    found
}

struct Printer<'p> {
    shared: Shared<'p>,
    items: TokenStream,
    tables: Vec<Arc<TableSchema>>,
    next: usize,
    /// The left sides of the joins around whose right side asks for bindings: the variable, its fields, what is bound.
    bindings: Vec<(Ident, Vec<Field>, Vec<Expr>)>,
    /// The recursions whose step is being printed, with the variable of their working rows.
    working: Vec<(usize, Ident)>,
    /// Is what is printed run anew in every round of a recursion?
    in_step: bool,
}

/// An operator, and steps over its batches that no stage runs yet.
pub(crate) struct Lowered {
    /// The variable that holds the operator.
    pub(crate) source: Ident,
    /// What it gives.
    pub(crate) fields: Vec<Field>,
    /// What is still to be done to its batches.
    pub(crate) steps: Vec<Step>,
    /// The types of the columns after the steps.
    types: Vec<Type>,
}

impl Printer<'_> {
    fn name(&mut self, prefix: &str) -> Ident {
        self.next += 1;
        format_ident!("{prefix}{}", self.next)
    }

    fn bound(&mut self, value: TokenStream, node: &Node, out: &mut TokenStream) -> Lowered {
        let source = self.name("source");
        out.extend(quote!(let #source = #value;));
        let types = node.fields.iter().map(|field| field.ty).collect();
        Lowered { source, fields: node.fields.clone(), steps: Vec::new(), types }
    }

    fn whole(&mut self, node: &Node, out: &mut TokenStream) -> TokenStream {
        let lowered = self.node(node, None, out);
        self.finish(lowered, out)
    }

    /// The operator with its steps in a stage.
    fn finish(&mut self, lowered: Lowered, out: &mut TokenStream) -> TokenStream {
        let source = &lowered.source;
        if lowered.steps.is_empty() {
            return quote!(#source);
        }
        let v1 = self.shared.v1;
        let name = self.name("SpectraStage");
        let stage = pipe::stage(self.shared, &name, &lowered.fields, &lowered.steps);
        self.items.extend(stage.items);
        let (asks, value) = (stage.asks, stage.value);
        let piped = self.name("source");
        out.extend(quote!(#asks let #piped = #v1::pipe(#source, #value);));
        quote!(#piped)
    }

    /// A stage of its own, as a boxed `Eval`.
    fn eval(&mut self, fields: &[Field], steps: &[Step], out: &mut TokenStream) -> TokenStream {
        let v1 = self.shared.v1;
        let name = self.name("SpectraStage");
        let stage = pipe::stage(self.shared, &name, fields, steps);
        self.items.extend(stage.items);
        out.extend(stage.asks);
        let value = stage.value;
        quote!(#v1::stage(#value))
    }

    fn constant(&self, expr: &Expr) -> TokenStream {
        pipe::constant(self.shared, expr)
    }

    fn place(&self, expr: &Expr) -> TokenStream {
        place(self.shared.v1, expr.span)
    }

    fn ty(&self, ty: Type) -> TokenStream {
        type_tokens(self.shared.krate, ty)
    }

    fn given(&self, columns: impl IntoIterator<Item = (usize, Type)>) -> TokenStream {
        let v1 = self.shared.v1;
        let columns = columns.into_iter().map(|(idx, ty)| {
            let (idx, ty) = (Literal::usize_unsuffixed(idx), self.ty(ty));
            quote!(#v1::Given { column_idx: #idx, ty: #ty })
        });
        quote!(::std::vec![#(#columns),*])
    }

    fn one_given(&self, (idx, ty): (usize, Type)) -> TokenStream {
        let (v1, idx, ty) = (self.shared.v1, Literal::usize_unsuffixed(idx), self.ty(ty));
        quote!(#v1::Given { column_idx: #idx, ty: #ty })
    }

    /// The operator of a node. `wanted` holds the number of its rows that are asked for, where a limit stands above.
    fn node(&mut self, node: &Node, wanted: Option<&Ident>, out: &mut TokenStream) -> Lowered {
        if self.in_step && !node.changes_by_round() {
            // The rows are the same in every round.
            self.in_step = false;
            let source = self.whole(node, out);
            self.in_step = true;
            return self.bound(quote!(cx.replay(#source)), node, out);
        }
        self.operator(node, wanted, out)
    }

    fn operator(&mut self, node: &Node, wanted: Option<&Ident>, out: &mut TokenStream) -> Lowered {
        let v1 = self.shared.v1;
        match &node.kind {
            NodeKind::Scan(scan) => self.scan(scan, node, out),
            NodeKind::Values { rows } => {
                let types = node.fields.iter().map(|field| self.ty(field.ty));
                let rows = rows.iter().map(|row| {
                    let values = row.iter().map(|expr| self.constant(expr));
                    quote!(::std::vec![#(#values?),*])
                });
                let value = quote!(cx.values(&[#(#types),*], ::std::vec![#(#rows),*]));
                self.bound(value, node, out)
            }
            NodeKind::Given { .. } | NodeKind::Constants { .. } => {
                unreachable!("only statements that write have such rows")
            }
            NodeKind::Shared { subplan_idx, columns } => {
                let (name, reader) = (format_ident!("q{subplan_idx}"), self.name("source"));
                out.extend(quote!(let #reader: #v1::BoxSource = ::std::boxed::Box::new(#name.reader()?);));
                // What is not picked is not looked at, so its type does not matter.
                let width = columns.iter().max().map_or(0, |last| last + 1);
                let mut fields = vec![Field { name: String::new(), ty: Type::Integer, nullable: true }; width];
                for (column, field) in columns.iter().zip(&node.fields) {
                    fields[*column] = field.clone();
                }
                let picked = columns.iter().zip(&node.fields).map(|(column, field)| Expr {
                    kind: ExprKind::Column(*column),
                    ty: field.ty,
                    nullable: field.nullable,
                    span: spectradb_grammar::span::Span::default(),
                });
                let types = node.fields.iter().map(|field| field.ty).collect();
                Lowered { source: reader, fields, steps: vec![Step::Project(picked.collect())], types }
            }
            NodeKind::Filter { input, predicate } => {
                let mut lowered = self.node(input, None, out);
                lowered.steps.push(Step::Filter(predicate.clone()));
                lowered
            }
            NodeKind::Project { input, exprs } => {
                let mut lowered = self.node(input, wanted, out);
                lowered.steps.push(Step::Project(exprs.clone()));
                lowered.types = exprs.iter().map(|expr| expr.ty).collect();
                lowered
            }
            NodeKind::Join(join) => self.join(join, node, out),
            NodeKind::Aggregate { input, group, aggregates } => self.aggregate(input, group, aggregates, node, out),
            NodeKind::Window { input, calls } => self.window(input, calls, node, out),
            NodeKind::Sort { input, keys } => {
                let mut lowered = self.node(input, None, out);
                let given = self.given(lowered.types.iter().copied().enumerate());
                let keys = self.sort_columns(keys, &mut lowered);
                let source = self.finish(lowered, out);
                let wanted = match wanted {
                    None => quote!(::core::option::Option::None),
                    Some(wanted) => quote!(#wanted),
                };
                let value = quote! {
                    cx.sort(#source, #v1::SortSpec { keys: #keys, out: #given, row_count_max: #wanted })
                };
                self.bound(value, node, out)
            }
            NodeKind::Limit { input, limit, offset } => {
                let (skip, take, sum) = (self.name("skip"), self.name("take"), self.name("wanted"));
                let rows = |expr: &Option<Expr>| match expr {
                    None => quote!(::core::option::Option::None),
                    Some(expr) => {
                        let (value, at) = (self.constant(expr), self.place(expr));
                        quote!(#v1::row_count(#value?, #at))
                    }
                };
                let (limit, offset) = (rows(limit), rows(offset));
                out.extend(quote! {
                    let (#skip, #take) = #v1::row_window(#limit, #offset)?;
                    let #sum: ::core::option::Option<u64> = u64::checked_add(#skip, #take);
                });
                let lowered = self.node(input, Some(&sum), out);
                let source = self.finish(lowered, out);
                self.bound(quote!(#v1::limit(#source, #skip, #take)), node, out)
            }
            NodeKind::Distinct { input } => {
                let source = self.whole(input, out);
                self.bound(quote!(cx.distinct(#source)), node, out)
            }
            NodeKind::SetOp { intersect, all, left, right } => {
                let (left, right) = (self.whole(left, out), self.whole(right, out));
                let spec = quote!(#v1::SetOpSpec { intersect: #intersect, all: #all });
                self.bound(quote!(cx.set_op(#left, #right, #spec)), node, out)
            }
            NodeKind::Bindings => {
                let (tee, fields, exprs) = self.bindings.last().cloned().expect("a join around it binds");
                let reader = self.name("source");
                out.extend(quote!(let #reader: #v1::BoxSource = ::std::boxed::Box::new(#tee.reader());));
                let types = exprs.iter().map(|expr| expr.ty).collect();
                let lowered = Lowered { source: reader, fields, steps: vec![Step::Project(exprs)], types };
                let source = self.finish(lowered, out);
                self.bound(quote!(cx.distinct(#source)), node, out)
            }
            NodeKind::Recursion(recursion) => {
                let base = self.whole(&recursion.base, out);
                let working = self.name("working");
                out.extend(quote!(let #working = #v1::Working::default();));
                self.working.push((recursion.id, working.clone()));
                let was_in_step = std::mem::replace(&mut self.in_step, true);
                let step = self.whole(&recursion.step, out);
                self.in_step = was_in_step;
                self.working.pop();
                let (distinct, at) = (recursion.distinct, place(v1, recursion.span));
                let spec = quote!(#v1::RecursionSpec::new(#distinct, #at));
                self.bound(quote!(cx.recursion(#base, #step, #working, #spec)), node, out)
            }
            NodeKind::Working { recursion } => {
                let found = self.working.iter().find(|(id, _)| id == recursion);
                let working = &found.expect("a recursion around it works").1;
                let value = quote!(#v1::working(&#working));
                self.bound(value, node, out)
            }
            NodeKind::Series { input, from, to, step } => {
                let mut input = self.node(input, None, out);
                let given = self.given(input.types.iter().copied().enumerate());
                let bounds = columns(&[from, to, step], &mut input);
                let [from, to, by] = [0, 1, 2].map(|at| Literal::usize_unsuffixed(bounds[at].0));
                let (source, at) = (self.finish(input, out), self.place(step));
                let spec = quote!(#v1::SeriesSpec { out: #given, from: #from, to: #to, step: #by, place: #at });
                self.bound(quote!(cx.series(#source, #spec)), node, out)
            }
            NodeKind::UnionAll { inputs } => {
                let sources: Vec<_> = inputs.iter().map(|input| self.whole(input, out)).collect();
                self.bound(quote!(#v1::union_all(::std::vec![#(#sources),*])), node, out)
            }
        }
    }

    fn scan(&mut self, scan: &Scan, node: &Node, out: &mut TokenStream) -> Lowered {
        let v1 = self.shared.v1;
        let table_idx = match self.tables.iter().position(|table| table.name == scan.table.name) {
            Some(idx) => idx,
            None => {
                self.tables.push(scan.table.clone());
                self.tables.len() - 1
            }
        };
        let columns = scan.columns.iter().map(|column| match column {
            ScanColumn::Data(idx) => {
                let idx = Literal::usize_unsuffixed(*idx);
                quote!(#v1::ScanColumn::Data(#idx))
            }
            ScanColumn::Commit => quote!(#v1::ScanColumn::Commit),
            ScanColumn::Origin => quote!(#v1::ScanColumn::Origin),
            ScanColumn::SystemFrom => quote!(#v1::ScanColumn::SystemFrom),
            ScanColumn::SystemTo => quote!(#v1::ScanColumn::SystemTo),
            ScanColumn::CommitTo => quote!(#v1::ScanColumn::CommitTo),
            ScanColumn::ValidFrom => quote!(#v1::ScanColumn::ValidFrom),
            ScanColumn::ValidTo => quote!(#v1::ScanColumn::ValidTo),
        });
        let keys = self.keys(scan);
        let point = |expr: &Expr| {
            let (value, at) = (self.constant(expr), self.place(expr));
            quote!((#value?, #at))
        };
        let system = match &scan.system {
            SystemScope::Latest => quote!(cx.latest()),
            SystemScope::AsOf(at) => {
                let point = point(at);
                quote!(cx.as_of(#point)?)
            }
            SystemScope::Range { from, to, to_included } => {
                let (from, to) = (point(from), point(to));
                quote!(cx.system_range(#from, #to, #to_included)?)
            }
            SystemScope::All => quote!(cx.all_versions()),
        };
        let valid = match &scan.valid {
            ValidScope::At(at) => {
                let point = point(at);
                quote!(cx.valid_at(#point)?)
            }
            ValidScope::Range { from, to, to_included } => {
                let (from, to) = (point(from), point(to));
                quote!(cx.valid_range(#from, #to, #to_included)?)
            }
            ValidScope::All => quote!(cx.always()),
        };
        let predicates = scan.predicates.iter().map(|predicate| {
            let op = match predicate.op {
                CompareOp::Eq => quote!(Eq),
                CompareOp::Lt => quote!(Lt),
                CompareOp::Le => quote!(Le),
                CompareOp::Gt => quote!(Gt),
                CompareOp::Ge => quote!(Ge),
            };
            let (idx, value) = (Literal::usize_unsuffixed(predicate.column_idx), self.constant(&predicate.value));
            quote!(#v1::block_predicate(#idx, #v1::BlockOp::#op, #value))
        });
        let table_idx = Literal::usize_unsuffixed(table_idx);
        let value = quote! {{
            let keys = #keys;
            let system = #system;
            let valid = #valid;
            cx.scan(#table_idx, ::std::vec![#(#columns),*], keys, system, valid, ::std::vec![#(#predicates),*])?
        }};
        self.bound(value, node, out)
    }

    fn keys(&self, scan: &Scan) -> TokenStream {
        let v1 = self.shared.v1;
        let types: Vec<_> = scan.table.key_types().map(|ty| self.ty(ty)).collect();
        let tuple = |exprs: &[Expr]| {
            let values = exprs.iter().map(|expr| self.constant(expr));
            quote!(::std::vec![#(#values?),*])
        };
        match &scan.keys {
            KeyAccess::All => quote!(#v1::KeyRange::All),
            KeyAccess::Exact(tuples) => {
                let tuples = tuples.iter().map(|exprs| tuple(exprs));
                quote!(#v1::exact_keys(&[#(#tuples),*], &[#(#types),*]))
            }
            KeyAccess::Range { prefix, low, high } => {
                let bound = |bound: &Option<spectradb_grammar::plan::KeyBound>| match bound {
                    None => quote!(::core::option::Option::None),
                    Some(bound) => {
                        let (value, included) = (self.constant(&bound.value), bound.included);
                        quote!(::core::option::Option::Some((#value?, #included)))
                    }
                };
                let (low, high, prefix) = (bound(low), bound(high), tuple(prefix));
                quote!(#v1::key_range(#low, #high, #prefix, &[#(#types),*]))
            }
        }
    }

    fn join(&mut self, join: &Join, node: &Node, out: &mut TokenStream) -> Lowered {
        let v1 = self.shared.v1;
        let kind = match join.kind {
            JoinKind::Inner => quote!(Inner),
            JoinKind::Left => quote!(Left),
            JoinKind::Right => quote!(Right),
            JoinKind::Full => quote!(Full),
            JoinKind::Semi => quote!(Semi),
            JoinKind::Anti => quote!(Anti),
        };
        let mut left = self.node(&join.left, None, out);
        let mut right = if join.bindings.is_empty() {
            self.node(&join.right, None, out)
        } else {
            let source = self.finish(left, out);
            let (tee, reader) = (self.name("tee"), self.name("tee"));
            out.extend(quote!(let #tee = cx.tee(#source); let #reader = #tee.reader();));
            left = self.bound(quote!(#v1::boxed(#tee)), &join.left, out);
            self.bindings.push((reader, join.left.fields.clone(), join.bindings.clone()));
            let right = self.node(&join.right, None, out);
            self.bindings.pop();
            right
        };
        let (left_out, right_out) =
            (self.given(left.types.iter().copied().enumerate()), self.given(right.types.iter().copied().enumerate()));
        let (mut left_exprs, mut right_exprs) = (Vec::new(), Vec::new());
        for (left, right) in join.keys.iter().chain(&join.same) {
            left_exprs.push(left);
            right_exprs.push(right);
        }
        if let Some(period) = &join.period {
            left_exprs.extend([&period.since, &period.until]);
            right_exprs.extend([&period.from, &period.to]);
        }
        let left_columns = columns(&left_exprs, &mut left);
        let right_columns = columns(&right_exprs, &mut right);
        let key_count = join.keys.len() + join.same.len();
        let pairs = left_columns.iter().zip(&right_columns).take(key_count).map(|((left, _), (right, _))| {
            let (left, right) = (Literal::usize_unsuffixed(*left), Literal::usize_unsuffixed(*right));
            quote!((#left, #right))
        });
        let mut keys: Vec<TokenStream> = pairs.collect();
        let same = keys.split_off(join.keys.len());
        let period = match &join.period {
            None => quote!(::core::option::Option::None),
            Some(period) => {
                let place = |columns: &[(usize, _)], at: usize| Literal::usize_unsuffixed(columns[key_count + at].0);
                let (since, until) = (place(&left_columns, 0), place(&left_columns, 1));
                let (from, to) = (place(&right_columns, 0), place(&right_columns, 1));
                let PeriodEnds { from_included, to_included, open_since, open_until, open_from, open_to } = period.ends;
                quote!(::core::option::Option::Some(#v1::PeriodColumns {
                    since: #since,
                    until: #until,
                    from: #from,
                    to: #to,
                    from_included: #from_included,
                    to_included: #to_included,
                    open_since: #open_since,
                    open_until: #open_until,
                    open_from: #open_from,
                    open_to: #open_to,
                }))
            }
        };
        let residual = match &join.residual {
            None => quote!(::core::option::Option::None),
            Some(expr) => {
                let fields: Vec<Field> = join.left.fields.iter().chain(&join.right.fields).cloned().collect();
                let eval = self.eval(&fields, &[Step::Project(vec![expr.clone()])], out);
                quote!(::core::option::Option::Some(#eval))
            }
        };
        let (keys, same) = (quote!(::std::vec![#(#keys),*]), quote!(::std::vec![#(#same),*]));
        let (left, right) = (self.finish(left, out), self.finish(right, out));
        let value = quote! {
            cx.hash_join(#left, #right, #v1::JoinSpec {
                kind: #v1::JoinKind::#kind,
                left_out: #left_out,
                right_out: #right_out,
                keys: #keys,
                same: #same,
                period: #period,
            }, #residual)
        };
        self.bound(value, node, out)
    }

    fn aggregate(
        &mut self,
        input: &Node,
        group: &[Expr],
        aggregates: &[AggregateCall],
        node: &Node,
        out: &mut TokenStream,
    ) -> Lowered {
        let v1 = self.shared.v1;
        let mut input = self.node(input, None, out);
        if !self.in_step && group.is_empty() && fold::can_fuse(&input.steps, aggregates) {
            let name = self.name("SpectraFold");
            let printed = fold::fold(self.shared, &name, &input.fields, &input.steps, aggregates);
            self.items.extend(printed.items);
            let (asks, value, source) = (printed.asks, printed.value, &input.source);
            out.extend(asks);
            return self.bound(quote!(#v1::folded(#source, #value)), node, out);
        }
        let args = aggregates
            .iter()
            .flat_map(|call| call.arg.iter().chain(&call.more).chain(call.order.iter().map(|key| &key.expr)));
        let exprs: Vec<&Expr> = group.iter().chain(args).collect();
        let computed = exprs.iter().any(|expr| !matches!(expr.kind, ExprKind::Column(_)));
        if computed {
            // Nothing but keys and arguments is needed from here on.
            input.types = exprs.iter().map(|expr| expr.ty).collect();
            input.steps.push(Step::Project(exprs.iter().map(|expr| (*expr).clone()).collect()));
        }
        let mut columns = exprs.iter().enumerate().map(|(position, expr)| match expr.kind {
            ExprKind::Column(idx) if !computed => (idx, expr.ty),
            _ => (position, expr.ty),
        });
        let group = self.given(columns.by_ref().take(group.len()).collect::<Vec<_>>());
        let calls: Vec<TokenStream> = aggregates
            .iter()
            .map(|call| {
                let arg = call.arg.as_ref().map(|_| columns.next().expect("each argument has a column"));
                let more: Vec<_> = columns.by_ref().take(call.more.len()).collect();
                let order: Vec<_> = columns.by_ref().take(call.order.len()).collect();
                self.aggregate_call(call, arg, more, order)
            })
            .collect();
        let source = self.finish(input, out);
        let value = quote! {
            cx.aggregate(#source, #v1::AggregateSpec { group: #group, calls: ::std::vec![#(#calls),*] })
        };
        self.bound(value, node, out)
    }

    fn aggregate_call(
        &self,
        call: &AggregateCall,
        arg: Option<(usize, Type)>,
        more: Vec<(usize, Type)>,
        order: Vec<(usize, Type)>,
    ) -> TokenStream {
        let v1 = self.shared.v1;
        let aggregate = aggregate(v1, call.aggregate);
        let (distinct, ty, at) = (call.distinct, self.ty(call.ty), place(v1, call.span));
        let arg = self.optional_given(arg);
        let more = self.given(more);
        let order = order.into_iter().zip(&call.order).map(|(column, key)| self.sort_column(column, key));
        quote! {
            #v1::AggregateCallSpec {
                aggregate: #aggregate,
                arg: #arg,
                more: #more,
                distinct: #distinct,
                order: ::std::vec![#(#order),*],
                ty: #ty,
                place: #at,
            }
        }
    }

    fn optional_given(&self, arg: Option<(usize, Type)>) -> TokenStream {
        match arg {
            None => quote!(::core::option::Option::None),
            Some(column) => {
                let given = self.one_given(column);
                quote!(::core::option::Option::Some(#given))
            }
        }
    }

    fn window(&mut self, input: &Node, calls: &[WindowCall], node: &Node, out: &mut TokenStream) -> Lowered {
        let v1 = self.shared.v1;
        let mut input = self.node(input, None, out);
        let given = self.given(input.types.iter().copied().enumerate());
        let mut specs = Vec::new();
        for call in calls {
            let partition = columns(&call.partition.iter().collect::<Vec<_>>(), &mut input);
            let partition = self.given(partition);
            let order = self.sort_columns(&call.order, &mut input);
            let mut column = |expr: &Expr| columns(&[expr], &mut input)[0];
            let function = match &call.function {
                WindowFunction::RowNumber => quote!(RowNumber),
                WindowFunction::Rank => quote!(Rank),
                WindowFunction::DenseRank => quote!(DenseRank),
                WindowFunction::Shift { value, offset, default, forward } => {
                    let (value, offset) = (column(value), column(offset));
                    let default = default.as_deref().map(&mut column);
                    let (value, offset) = (self.one_given(value), self.one_given(offset));
                    let default = self.optional_given(default);
                    quote!(Shift { value: #value, offset: #offset, default: #default, forward: #forward })
                }
                WindowFunction::Aggregate { aggregate: which, arg, more } => {
                    let arg = arg.as_deref().map(&mut column);
                    let more: Vec<_> = more.iter().map(&mut column).collect();
                    let (which, arg, more) = (aggregate(v1, which), self.optional_given(arg), self.given(more));
                    quote!(Aggregate { aggregate: #which, arg: #arg, more: #more })
                }
                WindowFunction::Ntile(count) => {
                    let count = self.one_given(column(count));
                    quote!(Ntile(#count))
                }
                WindowFunction::PercentRank => quote!(PercentRank),
                WindowFunction::CumeDist => quote!(CumeDist),
                WindowFunction::FirstValue(value) => {
                    let value = self.one_given(column(value));
                    quote!(FirstValue(#value))
                }
                WindowFunction::LastValue(value) => {
                    let value = self.one_given(column(value));
                    quote!(LastValue(#value))
                }
                WindowFunction::NthValue { value, n } => {
                    let (value, n) = (column(value), column(n));
                    let (value, n) = (self.one_given(value), self.one_given(n));
                    quote!(NthValue { value: #value, n: #n })
                }
            };
            let mut bound = |bound: &FrameBound| match bound {
                FrameBound::UnboundedPreceding => quote!(UnboundedPreceding),
                FrameBound::Preceding(by) => {
                    let by = self.one_given(column(by));
                    quote!(Preceding(#by))
                }
                FrameBound::CurrentRow => quote!(CurrentRow),
                FrameBound::Following(by) => {
                    let by = self.one_given(column(by));
                    quote!(Following(#by))
                }
                FrameBound::UnboundedFollowing => quote!(UnboundedFollowing),
            };
            let (start, end) = (bound(&call.frame.start), bound(&call.frame.end));
            let unit = match call.frame.unit {
                FrameUnit::Rows => quote!(Rows),
                FrameUnit::Range => quote!(Range),
                FrameUnit::Groups => quote!(Groups),
            };
            let exclude = match call.frame.exclude {
                FrameExclude::NoOthers => quote!(NoOthers),
                FrameExclude::CurrentRow => quote!(CurrentRow),
                FrameExclude::Group => quote!(Group),
                FrameExclude::Ties => quote!(Ties),
            };
            let (ty, at) = (self.ty(call.ty), place(v1, call.span));
            specs.push(quote! {
                #v1::WindowCallSpec {
                    function: #v1::WindowFunction::#function,
                    partition: #partition,
                    order: #order,
                    frame: #v1::Frame {
                        unit: #v1::FrameUnit::#unit,
                        start: #v1::FrameBound::#start,
                        end: #v1::FrameBound::#end,
                        exclude: #v1::FrameExclude::#exclude,
                    },
                    ty: #ty,
                    place: #at,
                }
            });
        }
        let source = self.finish(input, out);
        let value = quote!(cx.window(#source, #v1::WindowSpec { out: #given, calls: ::std::vec![#(#specs),*] }));
        self.bound(value, node, out)
    }

    fn sort_columns(&self, keys: &[SortKey], input: &mut Lowered) -> TokenStream {
        let given = columns(&keys.iter().map(|key| &key.expr).collect::<Vec<_>>(), input);
        let keys = given.into_iter().zip(keys).map(|(column, key)| self.sort_column(column, key));
        quote!(::std::vec![#(#keys),*])
    }

    fn sort_column(&self, column: (usize, Type), key: &SortKey) -> TokenStream {
        let v1 = self.shared.v1;
        let (column, descending, nulls_first) = (self.one_given(column), key.descending, key.nulls_first);
        quote!(#v1::SortColumn {
            column: #column,
            order: #v1::SortOrder { descending: #descending, nulls_first: #nulls_first },
        })
    }
}

/// Finds an aggregate of the kernel.
fn aggregate(v1: &TokenStream, aggregate: &spectradb_kernel::agg::Aggregate) -> TokenStream {
    let name = aggregate.name;
    let arg = match aggregate.arg {
        None => quote!(::core::option::Option::None),
        Some(class) => {
            let class = class_ident(class);
            quote!(::core::option::Option::Some(#v1::kernel::ty::TypeClass::#class))
        }
    };
    quote!(#v1::aggregate(#name, #arg))
}

/// Where expressions over an input stand: those that are no columns of it are appended.
fn columns(exprs: &[&Expr], input: &mut Lowered) -> Vec<(usize, Type)> {
    let mut computed = Vec::new();
    let mut places = Vec::new();
    for expr in exprs {
        let idx = match expr.kind {
            ExprKind::Column(idx) => idx,
            _ => {
                computed.push((*expr).clone());
                input.types.push(expr.ty);
                input.types.len() - 1
            }
        };
        places.push((idx, expr.ty));
    }
    if !computed.is_empty() {
        input.steps.push(Step::Append(computed));
    }
    places
}
