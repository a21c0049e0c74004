//! Which type does each parameter have?
//!
//! A parameter is open until a use demands a type; later uses see that type and are coerced from it. What no use demands
//! anything of is TEXT, as in PostgreSQL. A statement counts its parameters or names them, not both.

use super::convert::{Bound, Open};
use crate::{
    ast::ParamName,
    diag::{Diag, code},
    plan::{self, Expr, ExprKind},
    span::Span,
};
use spectradb_kernel::Type;

/// As many parameters as PostgreSQL's protocol can carry.
const PARAMS_MAX: u32 = 65_535;

pub(super) struct Params {
    params: Vec<Slot>,
    hints: Vec<Option<Type>>,
    /// Those that are never NULL.
    never_null: Vec<ParamName>,
}

struct Slot {
    name: ParamName,
    ty: Option<Type>,
    /// Where it is first used; `None` while only a higher number is.
    span: Option<Span>,
    /// Is it a point of system time: a commit or an instant?
    point: bool,
}

impl Params {
    pub(super) fn new(hints: &[Option<Type>], never_null: &[ParamName]) -> Params {
        Params { params: Vec::new(), hints: hints.to_vec(), never_null: never_null.to_vec() }
    }

    fn slot(&mut self, name: &ParamName, span: Span) -> Result<usize, Diag> {
        let mixed = self.params.first().is_some_and(|first| match (&first.name, name) {
            (ParamName::Position(_), ParamName::Position(_)) | (ParamName::Named(_), ParamName::Named(_)) => false,
            (ParamName::Position(_), ParamName::Named(_)) | (ParamName::Named(_), ParamName::Position(_)) => true,
        });
        if mixed {
            return Err(Diag::new(code::SYNTAX, "a statement either counts its parameters or names them", span)
                .help("write all as $1, $2 or all as :name"));
        }
        match name {
            ParamName::Position(0) => {
                Err(Diag::new(code::UNDEFINED_PARAMETER, "there is no parameter $0", span).help("the first one is $1"))
            }
            ParamName::Position(number) if *number > PARAMS_MAX => {
                Err(Diag::new(code::UNDEFINED_PARAMETER, format!("there is no parameter ${number}"), span)
                    .help(format!("the last possible one is ${PARAMS_MAX}")))
            }
            ParamName::Position(number) => {
                for next in self.params.len() as u32 + 1..=*number {
                    self.push(ParamName::Position(next));
                }
                Ok(*number as usize - 1)
            }
            ParamName::Named(_) => match self.params.iter().position(|slot| slot.name == *name) {
                Some(idx) => Ok(idx),
                None => {
                    self.push(name.clone());
                    Ok(self.params.len() - 1)
                }
            },
        }
    }

    fn push(&mut self, name: ParamName) {
        let ty = self.hints.get(self.params.len()).copied().flatten();
        self.params.push(Slot { name, ty, span: None, point: false });
    }

    /// A use of a parameter.
    pub(super) fn use_of(&mut self, name: &ParamName, span: Span) -> Result<Bound, Diag> {
        let idx = self.slot(name, span)?;
        let slot = &mut self.params[idx];
        slot.span.get_or_insert(span);
        let open = slot.ty.is_none().then_some(Open::Param);
        let ty = slot.ty.unwrap_or(Type::Text);
        let nullable = !self.never_null.contains(name);
        Ok(Bound { expr: Expr { kind: ExprKind::Param(idx), ty, nullable, span }, open })
    }

    /// Gives an open parameter the type that its use demands, unless another use was first: the type it then has.
    pub(super) fn settle(&mut self, idx: usize, ty: Type) -> Type {
        *self.params[idx].ty.get_or_insert(ty)
    }

    /// An open parameter is a point of system time: it is a commit or an instant, whichever is given, unless another use
    /// demands a type.
    pub(super) fn point(&mut self, idx: usize) {
        self.params[idx].point = true;
    }

    /// The types of parameters, where they turned out only after they had stood as points: they must be known from the start.
    pub(super) fn late(&self) -> Option<Vec<Option<Type>>> {
        let late = self.params.iter().any(|slot| slot.point && slot.ty.is_some());
        late.then(|| self.params.iter().map(|slot| if slot.point { slot.ty } else { None }).collect())
    }

    /// All parameters; those that nothing is known of are TEXT.
    pub(super) fn finish(self) -> Result<Vec<plan::Param>, Diag> {
        let mut params = Vec::with_capacity(self.params.len());
        let last_span = self.params.last().and_then(|slot| slot.span);
        for slot in self.params {
            let Some(span) = slot.span else {
                let ParamName::Position(number) = slot.name else { continue };
                return Err(Diag {
                    code: code::INDETERMINATE_DATATYPE,
                    message: format!("could not determine data type of parameter ${number}"),
                    span: last_span,
                    help: Some(format!("${number} is not used; number the parameters without gaps")),
                });
            };
            let otherwise = if slot.point { Type::Integer } else { Type::Text };
            params.push(plan::Param { name: slot.name, ty: slot.ty.unwrap_or(otherwise), span, point: slot.point });
        }
        Ok(params)
    }
}
