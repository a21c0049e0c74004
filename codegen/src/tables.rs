//! Which tables does a statement name, and where?
//!
//! Names in FROM and after INSERT INTO, UPDATE, DELETE FROM and MERGE INTO, each once, in the order of the text; names that WITH
//! declares are no tables where they are in view.

use spectradb_grammar::ast::{
    Among, Assignment, ConflictUpdate, Cte, CteBody, Delete, Distinct, Expr, ExprKind, FrameBound, GroupBy, GroupItem,
    Insert, JoinCondition, Merge, MergeAction, MergeWhen, Name, OrderItem, Over, Portion, Query, Returning, Rows,
    Scope, ScopeKind, Scopes, Select, SelectItem, SetExpr, StatementKind, Subscript, TableRef, Update, ValidPeriod,
    WindowSpec,
};

/// The tables of a query or a change; `None` for other statements.
pub fn tables(statement: &StatementKind) -> Option<Vec<Name>> {
    let mut finder = Finder { found: Vec::new(), ctes: Vec::new() };
    finder.statement(statement)?;
    Some(finder.found)
}

struct Finder {
    found: Vec<Name>,
    ctes: Vec<String>,
}

impl Finder {
    fn statement(&mut self, statement: &StatementKind) -> Option<()> {
        match statement {
            StatementKind::Query(query) => self.query(query),
            StatementKind::Summarize(query) => self.query(query),
            StatementKind::Insert(insert) => self.insert(insert),
            StatementKind::Update(Update { with, table, alias: _, portion, assignments, from, filter, returning }) => {
                self.name(table);
                self.with(with);
                self.portion(portion);
                self.assignments(assignments);
                from.iter().for_each(|table| self.table_ref(table));
                filter.iter().for_each(|expr| self.expr(expr));
                self.returning(returning.as_ref());
            }
            StatementKind::Delete(Delete { with, table, alias: _, portion, using, filter, returning }) => {
                self.name(table);
                self.with(with);
                self.portion(portion);
                using.iter().for_each(|table| self.table_ref(table));
                filter.iter().for_each(|expr| self.expr(expr));
                self.returning(returning.as_ref());
            }
            StatementKind::Merge(merge) => self.merge(merge),
            StatementKind::Truncate(names) => names.iter().for_each(|name| self.name(name)),
            StatementKind::CreateTable(_)
            | StatementKind::CreateTableAs(_)
            | StatementKind::DropTable { .. }
            | StatementKind::Begin(_)
            | StatementKind::SetTransaction(_)
            | StatementKind::Savepoint(_)
            | StatementKind::RollbackTo(_)
            | StatementKind::Release(_)
            | StatementKind::VerifyLedger
            | StatementKind::Digest
            | StatementKind::Commit
            | StatementKind::Rollback
            | StatementKind::Explain { .. }
            | StatementKind::Session(_)
            | StatementKind::Execute { .. }
            | StatementKind::ShowTables
            | StatementKind::Describe(_)
            | StatementKind::SetRetention { .. }
            | StatementKind::Erase { .. }
            | StatementKind::Vacuum(_)
            | StatementKind::Copy(_) => return None,
        }
        Some(())
    }

    fn name(&mut self, name: &Name) {
        if !self.ctes.contains(&name.text) && !self.found.iter().any(|found| found.text == name.text) {
            self.found.push(name.clone());
        }
    }

    /// Names that WITH declares, from here on.
    fn with(&mut self, with: &[Cte]) {
        for Cte { name, columns: _, body, recursive, materialized: _ } in with {
            let visible = self.ctes.len();
            // A recursive query names itself.
            if *recursive {
                self.ctes.push(name.text.clone());
            }
            match body {
                CteBody::Query(query) => self.query(query),
                CteBody::Change(kind) => self.statement(kind).expect("a change names tables"),
            }
            self.ctes.truncate(visible);
            self.ctes.push(name.text.clone());
        }
    }

    fn insert(&mut self, insert: &Insert) {
        let Insert { with, table, alias: _, columns: _, subscripts: _, source, valid, on_conflict, returning } = insert;
        self.name(table);
        self.with(with);
        source.iter().for_each(|query| self.query(query));
        valid.iter().for_each(|period| self.period(period));
        if let Some(ConflictUpdate { assignments, filter }) =
            on_conflict.as_ref().and_then(|conflict| conflict.update.as_ref())
        {
            self.assignments(assignments);
            filter.iter().for_each(|expr| self.expr(expr));
        }
        self.returning(returning.as_ref());
    }

    fn merge(&mut self, merge: &Merge) {
        let Merge { with, table, alias: _, portion, source, on, whens, returning } = merge;
        self.name(table);
        self.with(with);
        self.portion(portion);
        self.table_ref(source);
        self.expr(on);
        for MergeWhen { rows: _, condition, action, span: _ } in whens {
            condition.iter().for_each(|expr| self.expr(expr));
            match action {
                MergeAction::Update(assignments) => self.assignments(assignments),
                MergeAction::Insert { columns: _, values, valid } => {
                    values.iter().flatten().for_each(|expr| self.expr(expr));
                    valid.iter().for_each(|period| self.period(period));
                }
                MergeAction::Delete | MergeAction::Nothing => {}
            }
        }
        self.returning(returning.as_ref());
    }

    fn assignments(&mut self, assignments: &[Assignment]) {
        for Assignment { column: _, subscripts, value } in assignments {
            self.subscripts(subscripts);
            value.iter().for_each(|value| self.expr(value));
        }
    }

    fn subscripts(&mut self, subscripts: &[Subscript]) {
        for subscript in subscripts {
            match subscript {
                Subscript::At(at) => self.expr(at),
                Subscript::Slice(from, to) => from.iter().chain(to).for_each(|expr| self.expr(expr)),
            }
        }
    }

    fn returning(&mut self, returning: Option<&Returning>) {
        returning.iter().for_each(|returning| self.items(&returning.items));
    }

    fn query(&mut self, query: &Query) {
        let before = self.ctes.len();
        self.with(&query.with);
        self.set_expr(&query.body);
        self.orders(&query.order_by);
        query.limit.iter().chain(&query.offset).for_each(|expr| self.expr(expr));
        self.scopes(&query.scopes);
        self.ctes.truncate(before);
    }

    fn set_expr(&mut self, body: &SetExpr) {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Values { rows: Rows::Trees(rows), span: _ } => {
                rows.iter().flatten().for_each(|expr| self.expr(expr));
            }
            SetExpr::Values { rows: Rows::Literals(_), span: _ } => {}
            SetExpr::Query(query) | SetExpr::Summarize { query, span: _ } => self.query(query),
            SetExpr::SetOp { op: _, all: _, left, right, span: _ } => {
                self.set_expr(left);
                self.set_expr(right);
            }
        }
    }

    fn select(&mut self, select: &Select) {
        self.items(&select.items);
        select.from.iter().for_each(|table| self.table_ref(table));
        match &select.distinct {
            Distinct::No | Distinct::Yes => {}
            Distinct::On(exprs) => exprs.iter().for_each(|expr| self.expr(expr)),
        }
        select.filter.iter().chain(&select.having).for_each(|expr| self.expr(expr));
        match &select.group_by {
            GroupBy::All(_) => {}
            GroupBy::Items { items, distinct: _ } => items.iter().for_each(|item| self.group_item(item)),
        }
        select.windows.iter().for_each(|(_, window)| self.window(window));
        self.scopes(&select.scopes);
    }

    fn group_item(&mut self, item: &GroupItem) {
        match item {
            GroupItem::Expr(expr) => self.expr(expr),
            GroupItem::Sets { kind: _, items, span: _ } => items.iter().for_each(|item| self.group_item(item)),
            GroupItem::Empty(_) => {}
        }
    }

    fn window(&mut self, window: &WindowSpec) {
        let WindowSpec { base: _, partition_by, order_by, frame, span: _ } = window;
        partition_by.iter().for_each(|expr| self.expr(expr));
        self.orders(order_by);
        for bound in frame.iter().flat_map(|frame| [&frame.start, &frame.end]) {
            match bound {
                FrameBound::UnboundedPreceding | FrameBound::CurrentRow | FrameBound::UnboundedFollowing => {}
                FrameBound::Preceding(by) | FrameBound::Following(by) => self.expr(by),
            }
        }
    }

    fn items(&mut self, items: &[SelectItem]) {
        for item in items {
            match item {
                SelectItem::Wildcard(_, changes) | SelectItem::QualifiedWildcard(_, changes) => {
                    changes.replace.iter().for_each(|(expr, _)| self.expr(expr));
                }
                SelectItem::Expr { expr, alias: _ } => self.expr(expr),
            }
        }
    }

    fn table_ref(&mut self, table: &TableRef) {
        match table {
            TableRef::Table { name, scopes, alias: _ } => {
                self.name(name);
                self.scopes(scopes);
            }
            TableRef::Subquery { lateral: _, query, alias: _, span: _ } => self.query(query),
            TableRef::Function { name: _, args, ordinality: _, columns: _, alias: _, span: _ } => {
                args.iter().for_each(|expr| self.expr(expr));
            }
            TableRef::Named { table, alias: _, span: _ } => self.table_ref(table),
            TableRef::Join { kind: _, left, right, condition, as_of: _, span: _ } => {
                self.table_ref(left);
                self.table_ref(right);
                match condition {
                    JoinCondition::None | JoinCondition::Using(..) | JoinCondition::Natural => {}
                    JoinCondition::On(expr) => self.expr(expr),
                }
            }
        }
    }

    fn scopes(&mut self, scopes: &Scopes) {
        for Scope { kind, span: _ } in scopes.system.iter().chain(&scopes.valid) {
            match kind {
                ScopeKind::AsOf(at) => self.expr(at),
                ScopeKind::FromTo(from, to) | ScopeKind::Between(from, to) => {
                    self.expr(from);
                    self.expr(to);
                }
                ScopeKind::All => {}
            }
        }
    }

    fn portion(&mut self, portion: &Portion) {
        match portion {
            Portion::Current | Portion::All(_) => {}
            Portion::Period(period) => self.period(period),
        }
    }

    fn period(&mut self, period: &ValidPeriod) {
        self.expr(&period.from);
        period.to.iter().for_each(|to| self.expr(to));
    }

    fn orders(&mut self, items: &[OrderItem]) {
        items.iter().for_each(|item| self.expr(&item.expr));
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Null
            | ExprKind::Default
            | ExprKind::EveryItem
            | ExprKind::Boolean(_)
            | ExprKind::Number(_)
            | ExprKind::Text(_)
            | ExprKind::Blob(_)
            | ExprKind::Typed { .. }
            | ExprKind::Path(_)
            | ExprKind::Param(_) => {}
            ExprKind::Unary { op: _, operand }
            | ExprKind::Is { operand, test: _, negated: _ }
            | ExprKind::Cast { operand, ty: _ }
            | ExprKind::Extract { field: _, operand } => self.expr(operand),
            ExprKind::Quantified { operand, op: _, op_span: _, all: _, among } => {
                self.expr(operand);
                match &**among {
                    Among::Query(query) => self.query(query),
                    Among::Array(array) => self.expr(array),
                }
            }
            ExprKind::Row(parts) => parts.iter().for_each(|expr| self.expr(expr)),
            ExprKind::Binary { op: _, op_span: _, left, right }
            | ExprKind::IsDistinct { left, right, negated: _ }
            | ExprKind::Period { op: _, left, right } => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::InList { operand, list, negated: _ } => {
                self.expr(operand);
                list.iter().for_each(|expr| self.expr(expr));
            }
            ExprKind::InQuery { operand, query, negated: _ } => {
                self.expr(operand);
                self.query(query);
            }
            ExprKind::Between { operand, low, high, symmetric: _, negated: _ } => {
                [operand, low, high].into_iter().for_each(|expr| self.expr(expr));
            }
            ExprKind::Like { operand, pattern, escape, case_insensitive: _, negated: _ } => {
                self.expr(operand);
                self.expr(pattern);
                escape.iter().for_each(|expr| self.expr(expr));
            }
            ExprKind::Case { operand, arms, otherwise } => {
                operand.iter().chain(otherwise).for_each(|expr| self.expr(expr));
                for (when, then) in arms {
                    self.expr(when);
                    self.expr(then);
                }
            }
            ExprKind::Call { name: _, args, star: _, distinct: _, more } => {
                args.iter().for_each(|expr| self.expr(expr));
                if let Some(more) = more {
                    self.orders(&more.order_by);
                    more.within.iter().for_each(|order| self.orders(order));
                    more.filter.iter().for_each(|expr| self.expr(expr));
                    match &more.over {
                        None | Some(Over::Name(_)) => {}
                        Some(Over::Spec(window)) => self.window(window),
                    }
                }
            }
            ExprKind::Array(items) => items.iter().for_each(|expr| self.expr(expr)),
            ExprKind::Subscript { operand, subscripts } => {
                self.expr(operand);
                self.subscripts(subscripts);
            }
            ExprKind::Exists(query) | ExprKind::Subquery(query) => self.query(query),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spectradb_grammar::parse;

    fn tables_of(sql: &str) -> Option<Vec<String>> {
        let statement = parse::statement(sql).expect("it parses");
        Some(tables(&statement.kind)?.into_iter().map(|name| name.text).collect())
    }

    #[test]
    fn a_change_names_its_tables_and_what_is_neither_query_nor_change_is_refused() {
        assert_eq!(
            tables_of("DELETE FROM t WHERE id IN (SELECT id FROM u)"),
            Some(vec!["t".to_owned(), "u".to_owned()])
        );
        for sql in ["ERASE FROM t WHERE id = 1", "VACUUM", "DROP TABLE t", "VERIFY LEDGER", "SHOW STATS"] {
            assert_eq!(tables_of(sql), None, "{sql}");
        }
    }
}
