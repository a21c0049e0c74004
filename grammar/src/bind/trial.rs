//! Would a text be a value of a type? And what is a setting worth?
//!
//! `pg_input_is_valid` and `pg_input_error_info` ask without failing. The conversion of the text is bound as an assignment
//! would be, its calls are read off, and their recipe goes to the kernel as a constant ([`trial`]).
//! What JSON_VALUE falls back from is asked in the same way.
//!
//! `current_setting` reads the settings that the statement began with, which come as one object of JSON; `set_config` is a
//! statement of its own (`session`), for a query has no effects on its session.

use super::{
    Binder,
    convert::{Bound, Degree, convert},
    forms::made,
    function, literal,
    predicate::case_of,
    types, zone,
};
use crate::{
    ast,
    diag::{Diag, code},
    parse,
    plan::{Context, Expr, ExprKind, Node, NodeKind},
    span::Span,
};
use spectradb_kernel::{
    Type, Value,
    func::trial::{self, Step},
};

/// The conversion of a text to a type as a recipe of the kernel's; `None` for one that has calls of another form.
pub(super) fn recipe(ty: Type, span: Span) -> Result<Option<String>, Diag> {
    let text = Expr { kind: ExprKind::Column(0), ty: Type::Text, nullable: true, span };
    // Whether a text is an instant does not depend on the zone.
    let (converted, _) = zone::within(None, || convert(text, ty, Degree::Assignment));
    let mut steps = Vec::new();
    let mut expr = converted?;
    while let ExprKind::Call { function, args } = expr.kind {
        let mut args = args.into_iter();
        let Some(inner) = args.next() else { return Ok(None) };
        let mut numbers = Vec::new();
        for arg in args {
            let Some(Value::Integer(number)) = literal::value(&arg) else { return Ok(None) };
            numbers.push(*number);
        }
        steps.push(Step { function, numbers });
        expr = inner;
    }
    steps.reverse();
    Ok(matches!(expr.kind, ExprKind::Column(0)).then(|| trial::recipe(&steps)))
}

impl Binder<'_> {
    /// The recipe for the type that a text names.
    fn recipe_named(&mut self, ty: Bound, function: &str) -> Result<Expr, Diag> {
        let span = ty.span();
        let named = super::constant::fold(self.coerce(ty, Type::Text, Degree::Implicit)?);
        let refuse = |what: &str| {
            let message = format!("{function} of a type that is not {what} is not supported");
            Diag::new(code::FEATURE_NOT_SUPPORTED, message, span).help("write the type as a literal such as 'integer'")
        };
        let Some(Value::Text(text)) = literal::value(&named) else { return Err(refuse("a constant")) };
        let unknown = || Diag::new(code::UNDEFINED_OBJECT, format!("type \"{text}\" does not exist"), span);
        let parsed = parse::expr(&format!("NULL::{text}")).map_err(|_| unknown())?;
        let ast::ExprKind::Cast { ty, .. } = parsed.kind else { return Err(unknown()) };
        let ty = types::written(&ast::TypeName { span, ..ty })?;
        let recipe = recipe(ty, span)?.ok_or_else(|| refuse("read by calls"))?;
        Ok(Expr::constant(Value::Text(recipe), Type::Text, span))
    }

    /// `pg_input_is_valid(text, type)`
    pub(super) fn input_is_valid(&mut self, [text, ty]: [Bound; 2], span: Span) -> Result<Expr, Diag> {
        let text = self.coerce(text, Type::Text, Degree::Implicit)?;
        let recipe = self.recipe_named(ty, "pg_input_is_valid")?;
        Ok(super::constant::fold(made("$is_value", vec![text, recipe], span)))
    }

    /// `pg_input_error_info(text, type)`: one row, all NULL where the text is a value.
    pub(super) fn input_error(&mut self, [text, ty]: [Bound; 2], span: Span) -> Result<Node, Diag> {
        let text = self.coerce(text, Type::Text, Degree::Implicit)?;
        let recipe = self.recipe_named(ty, "pg_input_error_info")?;
        let ask = |leaf: &str| made(leaf, vec![text.clone(), recipe.clone()], span);
        let null = || Expr::constant(Value::Null, Type::Text, span);
        let row = Node { kind: NodeKind::Values { rows: vec![Vec::new()] }, fields: Vec::new() };
        let columns = [
            ("message", ask("$fault_message")),
            ("detail", null()),
            ("hint", null()),
            ("sql_error_code", ask("$fault_code")),
        ];
        Ok(row.project(columns.map(|(name, value)| (name.to_owned(), value)).into()))
    }

    /// `current_setting(name [, missing_ok])`
    pub(super) fn current_setting(&mut self, args: Vec<Bound>, span: Span) -> Result<Expr, Diag> {
        let mut args = args.into_iter();
        let name = args.next().expect("there is a name");
        let name = self.coerce(name, Type::Text, Degree::Implicit)?;
        let settings = Expr { kind: ExprKind::Context(Context::Settings), ty: Type::Json, nullable: false, span };
        let call = |leaf: &str| function::call_named(leaf, vec![settings.clone(), name.clone()], Type::Text, span);
        let Some(missing_ok) = args.next() else { return Ok(call("$setting")) };
        let missing_ok = super::constant::fold(self.coerce(missing_ok, Type::Boolean, Degree::Implicit)?);
        Ok(match literal::value(&missing_ok) {
            Some(Value::Boolean(true)) => call("$setting_or_null"),
            Some(Value::Boolean(false)) => call("$setting"),
            Some(Value::Null) => Expr::constant(Value::Null, Type::Text, span),
            _ => {
                self.count_copies(&name, 2)?;
                let strict = function::not(missing_ok.clone());
                let arms = vec![(missing_ok, call("$setting_or_null")), (strict, call("$setting"))];
                case_of(arms, Expr::constant(Value::Null, Type::Text, span), span)
            }
        })
    }
}

/// `set_config` would change the session while a query runs.
pub(super) fn refuse_set_config(span: Span) -> Diag {
    Diag::new(
        code::FEATURE_NOT_SUPPORTED,
        "set_config of what is no constant, or within a query, is not supported",
        span,
    )
    .help("let it be all of a statement: SELECT set_config('name', 'value', false); or write SET name = value")
}
