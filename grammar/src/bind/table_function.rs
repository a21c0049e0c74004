//! Which rows does a function in FROM give?
//!
//! `generate_series(from, to [, step])` counts. A function may name the tables before it: then it is bound like a LATERAL
//! subquery, and `unnest` gives it its arguments.

use super::{Binder, convert::Degree, expr::Ctx, literal, query, scope::Scope};
use crate::{
    ast::{self, Name},
    diag::{Diag, code, nearest},
    plan::{Expr, Field, Node, NodeKind},
    span::Span,
};
use spectradb_kernel::{Type, Value};

/// The functions that give rows.
const FUNCTIONS: [&str; 1] = ["generate_series"];

/// A call as written.
pub(super) struct Call<'c> {
    pub(super) name: &'c Name,
    pub(super) args: &'c [ast::Expr],
    pub(super) ordinality: bool,
    pub(super) span: Span,
}

impl Binder<'_> {
    pub(super) fn table_function(&mut self, call: &Call<'_>) -> Result<Node, Diag> {
        let name = call.name.text.as_str();
        if name != "generate_series" {
            let message = format!("function {name} in FROM does not exist");
            let diag = Diag::new(code::UNDEFINED_FUNCTION, message, call.name.span);
            return Err(match nearest(name, FUNCTIONS) {
                Some(near) => diag.help(format!("a function named \"{near}\" gives rows")),
                None => diag.help(format!("the functions that give rows are {}", FUNCTIONS.join(", "))),
            });
        }
        if !(2..=3).contains(&call.args.len()) {
            let message = format!("function {name} with {} arguments does not exist", call.args.len());
            return Err(Diag::new(code::UNDEFINED_FUNCTION, message, call.name.span)
                .help("write generate_series(from, to) or generate_series(from, to, step)"));
        }
        let scope = Scope::default();
        let mut bounds: Vec<Expr> = Vec::with_capacity(3);
        for arg in call.args {
            let mut ctx = Ctx::plain(&scope, "a function in FROM");
            let bound = self.expr(arg, &mut ctx)?;
            bounds.push(self.coerce(bound, Type::Integer, Degree::Implicit)?);
        }
        let step = if bounds.len() == 3 { bounds.pop() } else { None };
        let step = super::constant::fold(step.unwrap_or_else(|| literal::integer(1, call.span)));
        if let Some(Value::Integer(0)) = literal::value(&step) {
            return Err(Diag::new(code::INVALID_PARAMETER, "step size cannot equal zero", step.span));
        }
        let to = bounds.pop().expect("there are two");
        let from = bounds.pop().expect("there are two");
        let input = Box::new(Node { kind: NodeKind::Values { rows: vec![Vec::new()] }, fields: Vec::new() });
        let field = Field { name: name.to_owned(), ty: Type::Integer, nullable: false };
        let node = Node { kind: NodeKind::Series { input, from, to, step }, fields: vec![field] };
        if !call.ordinality {
            return Ok(node);
        }
        let numbered = query::numbered(node, Vec::new(), call.span, |_| {
            Expr::constant(Value::Boolean(true), Type::Boolean, call.span)
        });
        let columns = vec![
            (name.to_owned(), numbered.column(0, call.span)),
            ("ordinality".to_owned(), numbered.column(1, call.span)),
        ];
        Ok(numbered.project(columns))
    }
}
