//! Which rows does a FROM give, and what are its columns called?
//!
//! Every table gives all its columns and its pseudo-columns; pruning takes away what nobody reads. A comma is a cross join,
//! `WITH` names are put in place, each use by itself, under the scopes on both times of the place where they are used.
//!
//! A table whose point in time is an expression of earlier tables (`rates FOR VALID_TIME AS OF i.date`) is read in all its
//! periods and joined where the period holds the point.

use super::{
    Binder, Cte, Means,
    expr::Ctx,
    function, rows_in_list,
    scope::{Merged, PSEUDO_COLUMNS, Scope, ScopeColumn, ScopeTable},
    temporal::{Sought, TableScope, literal_commit},
};
use crate::{
    ast::{self, JoinCondition, Name, TableAlias, TableRef},
    diag::{Diag, code, nearest},
    plan::{
        Expr, ExprKind, Field, Join, JoinKind, KeyAccess, Node, NodeKind, Scan, ScanColumn, SystemScope, ValidScope,
    },
    span::Span,
};
use spectradb_kernel::{
    Type,
    schema::{TableId, TableKind, TableSchema},
};
use std::{rc::Rc, sync::Arc};

/// The pseudo-columns in the order of [`PSEUDO_COLUMNS`].
const PSEUDO: [(ScanColumn, Type); 5] = [
    (ScanColumn::Commit, Type::Integer),
    (ScanColumn::SystemFrom, Type::Timestamp),
    (ScanColumn::SystemTo, Type::Timestamp),
    (ScanColumn::ValidFrom, Type::Timestamp),
    (ScanColumn::ValidTo, Type::Timestamp),
];

/// An item of FROM.
pub(super) struct Source {
    pub(super) node: Node,
    pub(super) scope: Scope,
    /// Points of the left side that periods of this one must hold.
    points: Vec<PendingPoint>,
    /// What the rows ask of the tables to the left.
    args: Vec<Expr>,
}

impl Source {
    /// One table without points to wait for.
    pub(super) fn of_table(node: Node, table: ScopeTable) -> Source {
        Source { node, scope: Scope { tables: vec![table], merged: Vec::new() }, points: Vec::new(), args: Vec::new() }
    }
}

struct PendingPoint {
    /// Over the columns to the left.
    sought: Sought,
    /// Columns of this side.
    from: usize,
    to: usize,
}

/// Takes the columns out of `*`.
fn hide_all(source: &mut Source) {
    source.scope.tables.iter_mut().flat_map(|table| &mut table.columns).for_each(|column| column.shown = false);
}

impl Binder<'_> {
    /// The rows of a FROM; one row without columns where there is none.
    pub(super) fn from(&mut self, items: &[TableRef]) -> Result<(Node, Scope), Diag> {
        let Some((first, rest)) = items.split_first() else {
            return Ok((
                Node { kind: NodeKind::Values { rows: vec![Vec::new()] }, fields: Vec::new() },
                Scope::default(),
            ));
        };
        let first = self.table_ref(first, None)?;
        let source = self.followed(first, rest)?;
        // Points of the first table are those of blocks around.
        let parts = source.points.into_iter().map(|pending| {
            let at = pending.sought.span();
            let (from, to) = (source.node.column(pending.from, at), source.node.column(pending.to, at));
            holds(pending.sought, from, to, 0)
        });
        let node = match Expr::conjunction(parts.collect()) {
            Some(predicate) => source.node.clone().filter(predicate),
            None => source.node,
        };
        Ok((node, source.scope))
    }

    /// Rows with more items of FROM behind them, which may name them.
    pub(super) fn beside(&mut self, node: Node, scope: Scope, items: &[TableRef]) -> Result<(Node, Scope), Diag> {
        let source = Source { node, scope, points: Vec::new(), args: Vec::new() };
        let source = self.followed(source, items)?;
        Ok((source.node, source.scope))
    }

    /// An item of FROM with those behind it.
    pub(super) fn followed(&mut self, mut source: Source, items: &[TableRef]) -> Result<Source, Diag> {
        for item in items {
            let right = self.table_ref(item, Some(&source.scope))?;
            source = self.join(source, right, ast::JoinKind::Cross, &JoinCondition::None, item_span(item))?;
        }
        Ok(source)
    }

    pub(super) fn table_ref(&mut self, item: &TableRef, left: Option<&Scope>) -> Result<Source, Diag> {
        crate::stack::deeper(|| self.table_ref_within(item, left))
    }

    fn table_ref_within(&mut self, item: &TableRef, left: Option<&Scope>) -> Result<Source, Diag> {
        match item {
            TableRef::Table { name, scopes, alias } => self.table(name, scopes, alias.as_ref(), left),
            TableRef::Subquery { lateral, query, alias, span: _ } => {
                let (node, args) = match left {
                    Some(left) if *lateral => self.within_frame(left, |binder| binder.query(query, None))?,
                    Some(_) | None => (self.query(query, None)?, Vec::new()),
                };
                let of_one = alias.as_ref().is_some_and(|alias| alias.name.text == crate::lower::ONE_COLUMN);
                if of_one && node.fields.len() > 1 {
                    let diag = Diag::new(code::SYNTAX, "subquery must return only one column", query.span);
                    return Err(diag.help("JSON_ARRAY takes a query of one column"));
                }
                let mut source = derived(node, alias.as_ref().map(|alias| (&alias.name, alias.columns.as_slice())))?;
                if alias.as_ref().is_some_and(|alias| alias.name.text.starts_with(rows_in_list::MOVED)) {
                    hide_all(&mut source);
                }
                Ok(Source { args, ..source })
            }
            TableRef::Function { name, args, ordinality, columns, alias, span } => {
                let call = super::table_function::Call { name, args, ordinality: *ordinality, columns, span: *span };
                let (node, args) = match left {
                    Some(left) => self.within_frame(left, |binder| binder.table_function(&call))?,
                    None => (self.table_function(&call)?, Vec::new()),
                };
                let own = (name, [].as_slice());
                let alias = alias.as_ref().map_or(own, |alias| (&alias.name, alias.columns.as_slice()));
                let mut source = derived(node, Some(alias))?;
                // A function's only column has the alias's name, unless it is given one.
                if let [table] = source.scope.tables.as_mut_slice()
                    && alias.1.is_empty()
                    && let Some(column) = table.columns.first_mut()
                    && column.name == name.text
                {
                    column.name.clone_from(&alias.0.text);
                }
                // And by the alias itself, as PostgreSQL's whole row of one value.
                if let [table] = source.scope.tables.as_mut_slice()
                    && let [only] = table.columns.as_slice()
                    && only.name != alias.0.text
                {
                    let by_alias = ScopeColumn { name: alias.0.text.clone(), shown: false, ..only.clone() };
                    table.columns.push(by_alias);
                }
                if alias.0.text.starts_with(rows_in_list::MOVED) {
                    hide_all(&mut source);
                }
                Ok(Source { args, ..source })
            }
            TableRef::Named { table, alias, span } => {
                let source = self.table_ref(table, left)?;
                Ok(named(source, alias, *span)?)
            }
            TableRef::Join { kind, left: one, right: other, condition, as_of, span } => {
                let one = self.table_ref(one, left)?;
                let other = self.table_ref(other, Some(&one.scope))?;
                if !other.points.is_empty() && matches!(kind, ast::JoinKind::Right | ast::JoinKind::Full) {
                    return Err(Diag::new(
                        code::INVALID_COLUMN_REFERENCE,
                        "a point in time that is an expression of the left side needs an inner or a left join",
                        other.points[0].sought.span(),
                    ));
                }
                if !other.args.is_empty() && matches!(kind, ast::JoinKind::Right | ast::JoinKind::Full) {
                    let message = "the combining JOIN type must be INNER or LEFT for a LATERAL reference";
                    return Err(Diag::new(code::INVALID_COLUMN_REFERENCE, message, *span));
                }
                if *as_of {
                    return self.as_of_join(one, other, *kind, condition, *span);
                }
                self.join(one, other, *kind, condition, *span)
            }
        }
    }

    pub(super) fn join(
        &mut self,
        left: Source,
        right: Source,
        kind: ast::JoinKind,
        condition: &JoinCondition,
        span: Span,
    ) -> Result<Source, Diag> {
        for table in right.scope.tables.iter().filter_map(|table| table.name.as_deref()) {
            if left.scope.table(table).is_some() {
                let message = format!("table name \"{table}\" specified more than once");
                return Err(Diag::new(code::DUPLICATE_ALIAS, message, span).help("give one of them an alias"));
            }
        }
        let (left_width, right_width) = (left.node.fields.len(), right.node.fields.len());
        let mut parts = Vec::new();
        for pending in right.points {
            let at = pending.sought.span();
            let (from, to) = (right.node.column(pending.from, at), right.node.column(pending.to, at));
            parts.push(holds(pending.sought, from, to, left_width));
        }
        let mut scope = left.scope.clone().join(right.scope.clone(), left_width);
        let common: Vec<Name>;
        let using: &[Name] = match condition {
            JoinCondition::None | JoinCondition::On(_) => &[],
            JoinCondition::Using(names, _) => names,
            JoinCondition::Natural => {
                let right = right.scope.star(span);
                let names = left.scope.star(span).into_iter().map(|(name, _)| name);
                let both = names.filter(|name| right.iter().any(|(other, _)| other == name));
                common = both.map(|text| Name { text, span }).collect();
                &common
            }
        };
        match condition {
            JoinCondition::None => {}
            JoinCondition::On(on) => {
                let mut ctx = Ctx::plain(&scope, "JOIN/ON");
                parts.extend(self.condition(on, &mut ctx)?.into_conjuncts());
            }
            JoinCondition::Using(..) | JoinCondition::Natural => {
                for name in using {
                    let merged = self.using(name, &left.scope, &right.scope, left_width, kind, &mut parts)?;
                    hide(&mut scope, name, &merged);
                    scope.merged.push(merged);
                }
                if let JoinCondition::Using(_, Some(alias)) = condition {
                    scope.name_merged(alias, using.len())?;
                }
            }
        }
        let kind = match kind {
            ast::JoinKind::Inner | ast::JoinKind::Cross => JoinKind::Inner,
            ast::JoinKind::Left => JoinKind::Left,
            ast::JoinKind::Right => JoinKind::Right,
            ast::JoinKind::Full => JoinKind::Full,
        };
        let mut fields: Vec<Field> = left.node.fields.iter().chain(&right.node.fields).cloned().collect();
        let width = left_width + right_width;
        if matches!(kind, JoinKind::Right | JoinKind::Full) {
            scope.make_nullable(0..left_width);
            fields[..left_width].iter_mut().for_each(|field| field.nullable = true);
        }
        if matches!(kind, JoinKind::Left | JoinKind::Full) {
            scope.make_nullable(left_width..width);
            fields[left_width..].iter_mut().for_each(|field| field.nullable = true);
        }
        // Merged columns of a full join were built to bridge both sides' gaps: one of them always has a value.
        let residual = Expr::conjunction(parts);
        let join = Join { bindings: right.args, ..Join::on(kind, left.node, right.node, residual) };
        let node = Node { kind: NodeKind::Join(Box::new(join)), fields };
        Ok(Source { node, scope, points: left.points, args: left.args })
    }

    /// One column of USING: the equality goes to `parts`, the merged column comes back.
    fn using(
        &mut self,
        name: &Name,
        left: &Scope,
        right: &Scope,
        left_width: usize,
        kind: ast::JoinKind,
        parts: &mut Vec<Expr>,
    ) -> Result<Merged, Diag> {
        let path = std::slice::from_ref(name);
        let missing = |side: &str, diag: Diag| {
            if diag.code != code::UNDEFINED_COLUMN {
                return diag;
            }
            let message = format!("column \"{}\" specified in USING clause does not exist in {side} table", name.text);
            Diag { message, ..diag }
        };
        let one = left.resolve(path).map_err(|diag| missing("left", diag))?.expr;
        let mut other = right.resolve(path).map_err(|diag| missing("right", diag))?.expr;
        other.map_columns(&mut |column| column + left_width);
        let bound = super::convert::Bound::known;
        parts.push(self.compare("=", bound(one.clone()), bound(other.clone()), name.span, name.span)?);
        let expr = match kind {
            ast::JoinKind::Inner | ast::JoinKind::Cross | ast::JoinKind::Left => one,
            ast::JoinKind::Right => other,
            ast::JoinKind::Full => {
                let nullable = |mut expr: Expr| {
                    expr.nullable = true;
                    bound(expr)
                };
                let (both, _) = self.common(vec![nullable(one), nullable(other)], "JOIN/USING")?;
                self.coalesce(both, name.span)?
            }
        };
        Ok(Merged { name: name.text.clone(), expr, of: None })
    }

    fn table(
        &mut self,
        name: &Name,
        scopes: &ast::Scopes,
        alias: Option<&TableAlias>,
        left: Option<&Scope>,
    ) -> Result<Source, Diag> {
        if let Some(cte) = self.visible_cte(&name.text) {
            if matches!(&cte.means, Means::Rows(node) if matches!(node.kind, NodeKind::Working { .. }))
                && self.outer.len() > cte.depth
            {
                let message =
                    format!("recursive reference to query \"{}\" must not appear within a subquery", name.text);
                return Err(Diag::new(code::INVALID_RECURSION, message, name.span)
                    .help("name it in the FROM of the recursive part"));
            }
            return self.cte(&cte, name, scopes, alias);
        }
        // Within a subquery a point may name the blocks around.
        let nothing = Scope::default();
        let left = left.or(if self.outer.is_empty() { None } else { Some(&nothing) });
        let system = self.table_system(scopes, left)?;
        let valid = self.table_valid(scopes, left, name.span)?;
        let (system, system_point) = match system {
            TableScope::Fixed(scope) => (scope, None),
            TableScope::Sought(sought) => (SystemScope::All, Some(sought)),
        };
        let (valid, valid_point) = match valid {
            TableScope::Fixed(scope) => (scope, None),
            TableScope::Sought(sought) => (ValidScope::All, Some(sought)),
        };
        let table = self.table_of(name, &system)?;
        let (alias_name, alias_columns) = match alias {
            Some(alias) => (&alias.name, alias.columns.as_slice()),
            None => (name, [].as_slice()),
        };
        let (mut node, mut scope_table) = scan(&table, &alias_name.text, system, valid);
        rename(&mut scope_table, alias_name, alias_columns)?;
        let pseudo = node.fields.len() - PSEUDO.len();
        let mut points = Vec::new();
        if let Some(sought) = system_point {
            let (from, to) = match sought.counts() {
                true => (pseudo, add_commit_to(&mut node)),
                false => (pseudo + 1, pseudo + 2),
            };
            points.push(PendingPoint { sought, from, to });
        }
        if let Some(sought) = valid_point {
            points.push(PendingPoint { sought, from: pseudo + 3, to: pseudo + 4 });
        }
        Ok(Source { node, scope: Scope { tables: vec![scope_table], merged: Vec::new() }, points, args: Vec::new() })
    }

    /// The table of a name; a scope that names a commit reads the catalogue as it was then. What was made since the newest commit is
    /// there as of it too, and has no rows.
    fn table_of(&self, name: &Name, system: &SystemScope) -> Result<Arc<TableSchema>, Diag> {
        let now = self.catalog.current_commit();
        let Some(commit) = literal_commit(system).filter(|commit| now.is_some_and(|now| *commit <= now)) else {
            return self.existing_table(name);
        };
        match self.catalog.table_at(&name.text, commit) {
            Some(table) => Ok(table),
            None if now == Some(commit) => self.existing_table(name),
            None => {
                let message = format!("table \"{}\" does not exist as of commit {commit}", name.text);
                Err(Diag::new(code::UNDEFINED_TABLE, message, name.span))
            }
        }
    }

    /// The table of a name, in the present.
    pub(super) fn existing_table(&self, name: &Name) -> Result<Arc<TableSchema>, Diag> {
        self.catalog.table(&name.text).ok_or_else(|| {
            let message = format!("table \"{}\" does not exist", name.text);
            let diag = Diag::new(code::UNDEFINED_TABLE, message, name.span);
            if self.mutual.contains(&name.text) {
                let message = "mutual recursion between WITH items is not implemented";
                return Diag::new(code::FEATURE_NOT_SUPPORTED, message, name.span);
            }
            let names = self.catalog.table_names();
            let ctes = self.ctes.iter().map(|cte| cte.name.as_str());
            match nearest(&name.text, names.iter().map(String::as_str).chain(ctes)) {
                Some(near) => diag.help(format!("a table named \"{near}\" exists")),
                None => diag,
            }
        })
    }

    /// The table of a name, to be written or changed: not one that the database keeps itself.
    pub(super) fn writable_table(&self, name: &Name) -> Result<Arc<TableSchema>, Diag> {
        let table = self.existing_table(name)?;
        // A table that is only declared (to the compiler, or by CREATE TABLE) has no number either, but no version.
        if table.id == TableId(0) && table.version > 0 {
            let message = format!("table \"{}\" is kept by the database itself", table.name);
            return Err(Diag::new(code::WRONG_OBJECT_TYPE, message, name.span)
                .help("BEGIN WITH (actor = .., reason = .., request_id = ..) tells the ledger more of a commit"));
        }
        Ok(table)
    }

    fn visible_cte(&self, name: &str) -> Option<Rc<Cte>> {
        self.ctes.iter().rev().find(|cte| cte.name == name).cloned()
    }

    /// What a `WITH` name stands for, put in its place: under the scopes of this place, among the names that it could see.
    fn cte(
        &mut self,
        cte: &Rc<Cte>,
        name: &Name,
        scopes: &ast::Scopes,
        alias: Option<&TableAlias>,
    ) -> Result<Source, Diag> {
        cte.used.set(true);
        if matches!(cte.means, Means::Nothing) {
            let message = format!("WITH query \"{}\" does not have a RETURNING clause", cte.name);
            return Err(
                Diag::new(code::FEATURE_NOT_SUPPORTED, message, name.span).help("a change gives the rows of RETURNING")
            );
        }
        if matches!(&cte.means, Means::Rows(node) if matches!(node.kind, NodeKind::Given { .. }))
            && *scopes != ast::Scopes::default()
        {
            let message = format!("the rows that \"{}\" returns have no times", cte.name);
            return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, name.span).help("read the table"));
        }
        let times = self.block_times(scopes)?;
        if matches!(&cte.means, Means::Once(once) if once.materialized && once.times != times) {
            let message = format!("\"{}\" is MATERIALIZED and read under other scopes on both times", cte.name);
            return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, name.span)
                .help("leave MATERIALIZED out: then it is bound where it is read"));
        }
        let node = self.cte_node(cte, times)?;
        let alias = alias.map_or((name, [].as_slice()), |alias| (&alias.name, alias.columns.as_slice()));
        derived(node, Some(alias))
    }

    pub(super) fn cte_node(&mut self, cte: &Rc<Cte>, times: super::Times) -> Result<Node, Diag> {
        let mut node = match &cte.means {
            Means::Rows(node) => node.clone(),
            Means::Once(once) if once.times == times => once.rows.clone(),
            Means::Query(_) | Means::Once(_) | Means::Nothing => {
                let times = std::mem::replace(&mut self.times, times);
                let hidden = self.ctes.split_off(cte.visible);
                let node = self.hiding(cte.depth, |binder| binder.recursive(cte));
                self.ctes.truncate(cte.visible);
                self.ctes.extend(hidden);
                self.times = times;
                node?
            }
        };
        if cte.columns.len() > node.fields.len() {
            return Err(too_many_names(&cte.name, node.fields.len(), &cte.columns));
        }
        for (field, name) in node.fields.iter_mut().zip(&cte.columns) {
            field.name.clone_from(&name.text);
        }
        Ok(node)
    }
}

impl Binder<'_> {
    /// `ASOF JOIN`: of the right rows whose value does not pass the left one's, the nearest. Each right row stands for the
    /// values from its own to that of the next one, so that the join asks which period holds a point.
    fn as_of_join(
        &mut self,
        left: Source,
        right: Source,
        kind: ast::JoinKind,
        condition: &JoinCondition,
        span: Span,
    ) -> Result<Source, Diag> {
        if !matches!(kind, ast::JoinKind::Inner | ast::JoinKind::Left) || !right.args.is_empty() {
            let message = "ASOF joins are inner or left joins of tables that do not name each other";
            return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, span));
        }
        let (left_width, right_width) = (left.node.fields.len(), right.node.fields.len());
        let scope = left.scope.clone().join(right.scope.clone(), left_width);
        let mut equal = Vec::new();
        let mut order = None;
        let invalid = |message: &str, at: Span| {
            Err(Diag::new(code::SYNTAX, message, at)
                .help("write ON equalities AND one comparison, such as l.at >= r.at"))
        };
        match condition {
            JoinCondition::On(on) => {
                let mut ctx = Ctx::plain(&scope, "JOIN/ON");
                for part in self.condition(on, &mut ctx)?.into_conjuncts() {
                    let sides = as_comparison(&part, left_width);
                    match sides {
                        Some((_, "=", _)) => equal.push(part),
                        Some(sides) if order.is_none() => order = Some((sides, part.span)),
                        Some(_) => return invalid("an ASOF join has one comparison that is no equality", part.span),
                        None => return invalid("an ASOF join compares a left value with a right one", part.span),
                    }
                }
            }
            // The last column is the one that is compared.
            JoinCondition::Using(_, Some(alias)) => return invalid("USING of an ASOF join has no alias", alias.span),
            JoinCondition::Using(names, None) => {
                let Some((last, keys)) = names.split_last() else { return invalid("USING names columns", span) };
                for (name, sign) in keys.iter().map(|name| (name, "=")).chain([(last, ">=")]) {
                    let path = std::slice::from_ref(name);
                    let one = left.scope.resolve(path)?.expr;
                    let mut other = right.scope.resolve(path)?.expr;
                    other.map_columns(&mut |column| column + left_width);
                    let bound = super::convert::Bound::known;
                    let part = self.compare(sign, bound(one), bound(other), name.span, name.span)?;
                    match as_comparison(&part, left_width) {
                        Some((_, "=", _)) => equal.push(part),
                        Some(sides) => order = Some((sides, name.span)),
                        None => return invalid("an ASOF join compares a left value with a right one", name.span),
                    }
                }
            }
            JoinCondition::None | JoinCondition::Natural => return invalid("an ASOF join has a condition", span),
        }
        let Some(((point, sign, value), at)) = order else {
            return invalid("an ASOF join has one comparison that is no equality", span);
        };
        let back = |expr: &Expr| {
            let mut expr = expr.clone();
            expr.map_columns(&mut |column| column - left_width);
            expr
        };
        let forward = matches!(sign, "<" | "<=");
        let value = back(&value);
        let partition =
            equal.iter().filter_map(|part| as_comparison(part, left_width)).map(|(_, _, right)| back(&right)).collect();
        // The next row's value, seen from the side from which points come; of equal values the last row counts.
        let next = crate::plan::WindowCall {
            function: crate::plan::WindowFunction::Shift {
                value: Box::new(value.clone()),
                offset: Box::new(super::literal::integer(1, at)),
                default: None,
                forward: true,
            },
            partition,
            order: vec![crate::plan::SortKey { expr: value.clone(), descending: forward, nulls_first: false }],
            frame: crate::plan::Frame::running(),
            ty: value.ty,
            nullable: true,
            span: at,
        };
        let mut fields = right.node.fields.clone();
        fields.push(Field { name: "next".to_owned(), ty: value.ty, nullable: true });
        let kind_of = NodeKind::Window { input: Box::new(right.node), calls: vec![next] };
        let ranged = Node { kind: kind_of, fields };
        let beside = |mut expr: Expr| {
            expr.map_columns(&mut |column| column + left_width);
            expr
        };
        let next = beside(ranged.column(right_width, at));
        let is_last = function::call_named("$is_null", vec![next.clone()], Type::Boolean, at);
        // A point on the edge belongs to the row whose comparison includes it.
        let before_next = match sign {
            ">=" => "<",
            ">" => "<=",
            "<=" => ">",
            _ => ">=",
        };
        let begun = function::call_named(sign, vec![point.clone(), beside(value)], Type::Boolean, at);
        let not_next = function::call_named(before_next, vec![point, next], Type::Boolean, at);
        let nullable = not_next.nullable;
        let not_next = Expr { kind: ExprKind::Or(vec![is_last, not_next]), ty: Type::Boolean, nullable, span: at };
        equal.extend([begun, not_next]);
        let source = Source { node: ranged, scope: right.scope, points: right.points, args: Vec::new() };
        let joined = self.join(left, source, kind, &JoinCondition::None, span)?;
        let Node { kind, mut fields } = joined.node;
        let NodeKind::Join(mut join) = kind else { unreachable!("a join was made") };
        let mut parts: Vec<Expr> = join.residual.take().map(Expr::into_conjuncts).unwrap_or_default();
        parts.extend(equal);
        join.residual = Expr::conjunction(parts);
        fields.iter_mut().skip(left_width).for_each(|field| field.nullable |= join.kind == JoinKind::Left);
        let node = Node { kind: NodeKind::Join(join), fields }.narrow(left_width + right_width, span);
        Ok(Source { node, scope: joined.scope, points: joined.points, args: joined.args })
    }
}

/// A comparison of a left expression with a right one, the left one first.
fn as_comparison(part: &Expr, left_width: usize) -> Option<(Expr, &'static str, Expr)> {
    let ExprKind::Call { function, args } = &part.kind else { return None };
    let [one, other] = args.as_slice() else { return None };
    let turned = match function.name {
        "=" => "=",
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        _ => return None,
    };
    let of = |expr: &Expr, right: bool| {
        let columns = expr.columns();
        !columns.is_empty() && columns.iter().all(|column| (*column >= left_width) == right)
    };
    if of(one, false) && of(other, true) {
        return Some((one.clone(), function.name, other.clone()));
    }
    (of(one, true) && of(other, false)).then(|| (other.clone(), turned, one.clone()))
}

/// A scan of all columns that are not hidden and of the pseudo-columns, with its scope.
pub(super) fn scan(
    table: &Arc<TableSchema>,
    alias: &str,
    system: SystemScope,
    valid: ValidScope,
) -> (Node, ScopeTable) {
    let capacity = table.columns.len() + PSEUDO.len();
    let (mut columns, mut fields) = (Vec::with_capacity(capacity), Vec::with_capacity(capacity));
    let mut scope_columns = Vec::with_capacity(capacity);
    let mut push = |column: ScanColumn, name: &str, ty: Type, nullable: bool, shown: bool| {
        scope_columns.push(ScopeColumn {
            name: name.to_owned(),
            column: columns.len(),
            ty,
            nullable,
            shown,
            is_merged: false,
        });
        columns.push(column);
        fields.push(Field { name: name.to_owned(), ty, nullable });
    };
    for (column_idx, column) in table.columns.iter().enumerate().filter(|(_, column)| !column.hidden) {
        push(ScanColumn::Data(column_idx), &column.name, column.ty, column.nullable, true);
    }
    for ((column, ty), name) in PSEUDO.into_iter().zip(PSEUDO_COLUMNS) {
        push(column, name, ty, false, false);
    }
    let is_one_state = matches!(valid, ValidScope::At(_))
        && match system {
            SystemScope::Latest | SystemScope::AsOf(_) => true,
            SystemScope::All | SystemScope::Range { .. } => false,
        };
    let place = |key: &usize| scope_columns.iter().position(|column| column.name == table.columns[*key].name);
    let key = if is_one_state { table.key.iter().filter_map(place).collect() } else { Vec::new() };
    let scan = Scan {
        table: Arc::clone(table),
        alias: alias.to_owned(),
        columns,
        system,
        valid,
        keys: KeyAccess::All,
        predicates: Vec::new(),
    };
    let node = Node { kind: NodeKind::Scan(Box::new(scan)), fields };
    (node, ScopeTable { name: Some(alias.to_owned()), kind: table.kind, columns: scope_columns, key })
}

/// Adds the commits at which facts ended to what a scan gives: where they lie.
fn add_commit_to(node: &mut Node) -> usize {
    let NodeKind::Scan(scan) = &mut node.kind else { unreachable!("a table is scanned") };
    scan.columns.push(ScanColumn::CommitTo);
    node.fields.push(Field { name: "_commit_to".to_owned(), ty: Type::Integer, nullable: false });
    node.fields.len() - 1
}

/// A subquery or a `WITH` name as an item of FROM.
fn derived(node: Node, alias: Option<(&Name, &[Name])>) -> Result<Source, Diag> {
    let columns = node
        .fields
        .iter()
        .enumerate()
        .map(|(column, field)| ScopeColumn {
            name: field.name.clone(),
            column,
            ty: field.ty,
            nullable: field.nullable,
            shown: true,
            is_merged: false,
        })
        .collect();
    let mut table =
        ScopeTable { name: alias.map(|(name, _)| name.text.clone()), kind: TableKind::Typed, columns, key: Vec::new() };
    if let Some((name, columns)) = alias {
        rename(&mut table, name, columns)?;
    }
    Ok(Source { node, scope: Scope { tables: vec![table], merged: Vec::new() }, points: Vec::new(), args: Vec::new() })
}

/// A join by one name: the columns of `*`, and behind them what its points are asked of.
fn named(source: Source, alias: &TableAlias, span: Span) -> Result<Source, Diag> {
    let mut columns = source.scope.star(span);
    let width = columns.len();
    columns.extend(
        source.node.fields.iter().enumerate().map(|(at, field)| (field.name.clone(), source.node.column(at, span))),
    );
    if source.points.is_empty() {
        columns.truncate(width);
    }
    let mut points = source.points;
    for point in &mut points {
        point.from += width;
        point.to += width;
    }
    let mut named = derived(source.node.project(columns), None)?;
    let table = named.scope.tables.last_mut().expect("what is derived is one table");
    table.name = Some(alias.name.text.clone());
    table.columns.truncate(width);
    rename(table, &alias.name, &alias.columns)?;
    Ok(Source { points, args: source.args, ..named })
}

/// `alias (a, b)`: other names for the first columns.
fn rename(table: &mut ScopeTable, alias: &Name, names: &[Name]) -> Result<(), Diag> {
    let shown = table.columns.iter().filter(|column| column.shown).count();
    if names.len() > shown {
        return Err(too_many_names(&alias.text, shown, names));
    }
    for (column, name) in table.columns.iter_mut().filter(|column| column.shown).zip(names) {
        column.name.clone_from(&name.text);
    }
    Ok(())
}

fn too_many_names(table: &str, available: usize, names: &[Name]) -> Diag {
    let message = format!("table \"{table}\" has {available} columns available but {} columns specified", names.len());
    Diag::new(code::INVALID_COLUMN_REFERENCE, message, names[available].span)
}

/// `from <= point AND point < to`, the columns of the right side moved behind the left ones; of a range that it shares an
/// instant with the period, and is none where it ends before it begins.
fn holds(sought: Sought, mut from: Expr, mut to: Expr, left_width: usize) -> Expr {
    let span = sought.span();
    for end in [&mut from, &mut to] {
        end.map_columns(&mut |column| column + left_width);
    }
    let test = |sign: &str, one: Expr, other: Expr| function::call_named(sign, vec![one, other], Type::Boolean, span);
    let first = sought.from;
    let parts = match sought.to {
        None => vec![test("<=", from, first.clone()), test("<", first, to)],
        Some((last, included)) => {
            let before = if included { "<=" } else { "<" };
            vec![test(before, from, last.clone()), test("<", first.clone(), to), test(before, first, last)]
        }
    };
    let nullable = parts.iter().any(|part| part.nullable);
    Expr { kind: ExprKind::And(parts), ty: Type::Boolean, nullable, span }
}

/// Takes the parts of a merged column out of the reach of bare names.
fn hide(scope: &mut Scope, name: &Name, merged: &Merged) {
    for column in scope.tables.iter_mut().flat_map(|table| &mut table.columns).filter(|column| column.name == name.text)
    {
        column.is_merged = true;
    }
    scope.merged.retain(|earlier| earlier.name != merged.name);
}

pub(super) fn item_span(item: &TableRef) -> Span {
    match item {
        TableRef::Table { name, alias, .. } => alias.as_ref().map_or(name.span, |alias| alias.name.span),
        TableRef::Subquery { span, .. }
        | TableRef::Function { span, .. }
        | TableRef::Named { span, .. }
        | TableRef::Join { span, .. } => *span,
    }
}
