//! What is asked of the session, and how is a plan told?
//!
//! Which settings and prepared statements there are is the session's to know; here tables and types get their meaning. The
//! statement of a PREPARE is bound by the session, with parameters of its own.

use super::{
    Binder,
    convert::{Bound, Degree},
    literal, types,
};
use crate::{
    ast::{self, ExplainOptions, ExprKind, Name, SelectItem, SessionKind, SetExpr},
    diag::{Diag, code},
    plan::{Session, Statement},
};
use spectradb_kernel::{Type, Value};

impl Binder<'_> {
    pub(super) fn explain(&mut self, statement: &ast::Statement, options: ExplainOptions) -> Result<Statement, Diag> {
        if options.analyze
            && !matches!(statement.kind, ast::StatementKind::Query(_) | ast::StatementKind::Execute { .. })
        {
            let message = "EXPLAIN ANALYZE of a statement that is no query is not supported";
            return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, statement.span)
                .help("it would be carried out; EXPLAIN without ANALYZE shows its plan"));
        }
        Ok(Statement::Explain { statement: Box::new(self.statement(statement)?), options })
    }

    /// `SELECT set_config('name', 'value', is_local)`: the call that is all of a statement sets, and its row shows the value.
    pub(super) fn set_config(&mut self, query: &ast::Query) -> Result<Option<Session>, Diag> {
        let SetExpr::Select(select) = &query.body else { return Ok(None) };
        let [SelectItem::Expr { expr, alias }] = select.items.as_slice() else { return Ok(None) };
        let ExprKind::Call { name: function, args, .. } = &expr.kind else { return Ok(None) };
        let alone = ast::Select { items: Vec::new(), ..(**select).clone() }
            == ast::Select { items: Vec::new(), ..ast::Select::of_all(select.span) };
        let is_whole = alone && query.with.is_empty() && query.order_by.is_empty() && query.limit.is_none();
        let ([name, value, local], "set_config", true) = (args.as_slice(), function.text.as_str(), is_whole) else {
            return Ok(None);
        };
        let mut constant = |arg: &ast::Expr, ty: Type| -> Result<Value, Diag> {
            let bound: Bound = self.fixed_expr(arg, "set_config")?;
            let expr = super::constant::fold(self.coerce(bound, ty, Degree::Implicit)?);
            literal::value(&expr).cloned().ok_or_else(|| super::trial::refuse_set_config(arg.span))
        };
        let (setting, text) = (constant(name, Type::Text)?, constant(value, Type::Text)?);
        let local = constant(local, Type::Boolean)? == Value::Boolean(true);
        let named = |value: Value, span| match value {
            Value::Text(text) => Some(Name { text, span }),
            _ => None,
        };
        let Some(setting) = named(setting, name.span) else {
            return Err(Diag::new(code::NULL_NOT_ALLOWED, "SET requires parameter name", name.span));
        };
        let setting = Name { text: setting.text.to_lowercase(), ..setting };
        let shown = alias.as_ref().map_or_else(|| function.text.clone(), |alias| alias.text.clone());
        Ok(Some(Session::Set { name: setting, value: named(text, value.span), local, shown: Some(shown) }))
    }

    pub(super) fn session(&mut self, kind: &SessionKind) -> Result<Session, Diag> {
        Ok(match kind {
            SessionKind::Set { name, value, local } => {
                Session::Set { name: name.clone(), value: value.clone(), local: *local, shown: None }
            }
            SessionKind::Reset(name) => Session::Reset(name.clone()),
            SessionKind::Show(name) => Session::Show(name.clone()),
            SessionKind::ShowStats => Session::ShowStats,
            SessionKind::ShowTableStats(name) => {
                Session::ShowTableStats(name.as_ref().map(|name| self.existing_table(name)).transpose()?)
            }
            SessionKind::ShowStorage => Session::ShowStorage,
            SessionKind::Prepare { name, types, statement } => {
                let types = types
                    .iter()
                    .map(|ty| types::refuse_fields(ty).and_then(|()| types::written(ty)))
                    .collect::<Result<_, _>>()?;
                Session::Prepare { name: name.clone(), types, statement: *statement }
            }
            SessionKind::Deallocate(name) => Session::Deallocate(name.clone()),
        })
    }
}
