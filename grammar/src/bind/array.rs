//! What does an array, and what stands beside one, mean?
//!
//! The kernel's functions of arrays know no element type: two arrays of a call have elements of one type, and an element beside
//! an array goes in as an array of one ([`Binder::one`]). Here is settled which type that is, as PostgreSQL does: the common
//! type of all elements that a call names.
//!
//! Not here: rows of an array (`table_function`), arrays of rows (`aggregate`).

use super::{
    Binder,
    call::is_not_null,
    constant,
    convert::{Bound, Degree, Open},
    expr::Ctx,
    function, literal,
    predicate::case_of,
};
use crate::{
    ast::{self, BinaryOp, Subscript},
    diag::{Diag, code},
    plan::{Expr, ExprKind},
    span::Span,
};
use spectradb_kernel::{
    Type, Value,
    array::Array,
    func::array_set,
    ty::{ElementType, TypeClass},
};

/// An array of INTEGER.
pub(super) const INTEGERS: Type = Type::Array(match ElementType::of(Type::Integer) {
    Some(element) => element,
    None => ElementType::TEXT,
});

/// An array of TEXT.
pub(super) const TEXTS: Type = Type::Array(ElementType::TEXT);

/// What an argument or a result of a function of arrays is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// An array.
    Whole,
    /// An element of it.
    Element,
    /// Something that has nothing to do with the elements.
    Plain(Type),
}
use Part::{Element, Plain, Whole};

const INTEGER: Part = Plain(Type::Integer);
const TEXT: Part = Plain(Type::Text);

/// The functions of arrays, with their arguments, those that may be left out among them, and their result.
const FUNCTIONS: &[(&str, &[Part], usize, Part)] = &[
    ("array_append", &[Whole, Element], 2, Whole),
    ("array_prepend", &[Element, Whole], 2, Whole),
    ("array_cat", &[Whole, Whole], 2, Whole),
    ("array_length", &[Whole, INTEGER], 2, INTEGER),
    ("array_lower", &[Whole, INTEGER], 2, INTEGER),
    ("array_upper", &[Whole, INTEGER], 2, INTEGER),
    ("array_ndims", &[Whole], 1, INTEGER),
    ("array_dims", &[Whole], 1, TEXT),
    ("cardinality", &[Whole], 1, INTEGER),
    ("trim_array", &[Whole, INTEGER], 2, Whole),
    ("array_fill", &[Element, Plain(INTEGERS), Plain(INTEGERS)], 2, Whole),
    ("width_bucket", &[Element, Whole], 2, INTEGER),
    ("array_positions", &[Whole, Element], 2, Plain(INTEGERS)),
    ("array_remove", &[Whole, Element], 2, Whole),
    ("array_replace", &[Whole, Element, Element], 3, Whole),
    ("array_to_string", &[Whole, TEXT, TEXT], 2, TEXT),
    ("string_to_array", &[TEXT, TEXT, TEXT], 2, Plain(TEXTS)),
    ("regexp_split_to_array", &[TEXT, TEXT, TEXT], 2, Plain(TEXTS)),
];

fn element_of(ty: Type) -> Option<Type> {
    match ty {
        Type::Array(element) => Some(element.ty()),
        _ => None,
    }
}

/// The array of a type; of an array the array itself, in more dimensions.
pub(super) fn array_of(ty: Type) -> Type {
    ElementType::of(ty).map_or(ty, Type::Array)
}

/// A value of a type that stands for an expression of it, where only types are asked about.
fn stand_in(ty: Type, span: Span) -> Bound {
    Bound::known(Expr::constant(Value::Null, ty, span))
}

fn null_of(ty: Type, span: Span) -> Expr {
    let array = element_of(ty).and_then(ElementType::of).map(|element| Array::of(element, &[Value::Null]));
    Expr::constant(array.map_or(Value::Null, Value::Array), ty, span)
}

impl Binder<'_> {
    /// `ARRAY[a, b]`
    pub(super) fn array(&mut self, items: &[ast::Expr], span: Span, ctx: &mut Ctx<'_>) -> Result<Expr, Diag> {
        if items.is_empty() {
            let message = "cannot determine type of empty array";
            return Err(Diag::new(code::INDETERMINATE_DATATYPE, message, span)
                .help("say the type, for example ARRAY[]::integer[]"));
        }
        let mut bounds = Vec::with_capacity(items.len());
        for item in items {
            bounds.push(self.expr(item, ctx)?);
        }
        let (exprs, ty) = self.common(bounds, "ARRAY")?;
        self.array_of(exprs, ty, span)
    }

    /// `ARRAY[a, b]::t[]`: each element is cast for itself.
    pub(super) fn array_as(
        &mut self,
        items: &[ast::Expr],
        element: ElementType,
        span: Span,
        ctx: &mut Ctx<'_>,
    ) -> Result<Expr, Diag> {
        let mut exprs = Vec::with_capacity(items.len());
        for item in items {
            exprs.push(match &item.kind {
                ast::ExprKind::Array(items) if !items.is_empty() => {
                    crate::stack::deeper(|| self.array_as(items, element, item.span, ctx))?
                }
                _ => {
                    let item = self.expr(item, ctx)?;
                    let is_array = item.class() == Some(TypeClass::Array);
                    let ty = if is_array { Type::Array(element) } else { element.ty() };
                    self.coerce(item, ty, Degree::Explicit)?
                }
            });
        }
        let ty = exprs.first().map_or(element.ty(), |first| first.ty);
        self.array_of(exprs, ty, span)
    }

    /// The array of expressions of one type.
    fn array_of(&mut self, exprs: Vec<Expr>, ty: Type, span: Span) -> Result<Expr, Diag> {
        if let Some(element) = ElementType::of(ty) {
            let values: Option<Vec<Value>> = exprs.iter().map(|expr| literal::value(expr).cloned()).collect();
            if let Some(values) = values {
                return Ok(Expr::constant(Value::Array(Array::of(element, &values)), Type::Array(element), span));
            }
        }
        let mut parts = Vec::with_capacity(exprs.len());
        for expr in exprs {
            parts.push(self.one(expr, span)?);
        }
        // Halves of halves: each element is copied as often as the number of elements has digits.
        while parts.len() > 1 {
            let mut joined = Vec::with_capacity(parts.len().div_ceil(2));
            let mut rest = parts.into_iter();
            while let Some(left) = rest.next() {
                joined.push(match rest.next() {
                    Some(right) => {
                        let ty = left.ty;
                        constant::fold(function::call_named("array_cat", vec![left, right], ty, span))
                    }
                    None => left,
                });
            }
            parts = joined;
        }
        Ok(parts.pop().expect("there is an item"))
    }

    /// An array of one element, which may be NULL; an array gets one dimension more.
    pub(super) fn one(&mut self, expr: Expr, span: Span) -> Result<Expr, Diag> {
        let ty = array_of(expr.ty);
        if let (Some(element), Some(value)) = (ElementType::of(expr.ty), literal::value(&expr)) {
            let array = Array::of(element, std::slice::from_ref(value));
            return Ok(Expr::constant(Value::Array(array), ty, span));
        }
        let mut args = vec![expr.clone()];
        if let Type::Numeric { scale, .. } = expr.ty {
            args.push(literal::integer(i64::from(scale), span));
        }
        let made = constant::fold(function::call_named("$array_of", args, ty, span));
        if !expr.nullable {
            return Ok(made);
        }
        self.count_copies(&expr, 1)?;
        Ok(case_of(vec![(is_not_null(expr, span), made)], null_of(ty, span), span))
    }

    /// The array type that all arrays meet in.
    pub(super) fn array_meet(&self, bounds: &[&Bound], what: &str) -> Result<Type, Diag> {
        let elements: Vec<Bound> = bounds
            .iter()
            .filter(|bound| bound.open.is_none())
            .filter_map(|bound| element_of(bound.expr.ty).map(|ty| stand_in(ty, bound.span())))
            .collect();
        Ok(array_of(self.common_type(&elements, what)?))
    }

    /// Arguments as a function of arrays takes them, and the type of its arrays.
    fn parts(&mut self, args: Vec<Bound>, parts: &[Part], what: &str) -> Result<(Vec<Expr>, Type), Diag> {
        let mut stand_ins = Vec::with_capacity(args.len());
        for (arg, part) in args.iter().zip(parts) {
            match (part, arg.open) {
                (Part::Whole, None) => {
                    let Some(element) = element_of(arg.expr.ty) else {
                        let message = format!("{what} takes an array, not type {}", arg.type_name());
                        return Err(Diag::new(code::UNDEFINED_FUNCTION, message, arg.span()));
                    };
                    stand_ins.push(stand_in(element, arg.span()));
                }
                (Part::Element, None) => stand_ins.push(stand_in(arg.expr.ty, arg.span())),
                _ => {}
            }
        }
        let element = self.common_type(&stand_ins, what)?;
        let ty = array_of(element);
        let mut exprs = Vec::with_capacity(args.len());
        for (arg, part) in args.into_iter().zip(parts) {
            let span = arg.span();
            exprs.push(match part {
                Part::Whole => self.coerce(arg, ty, Degree::Implicit)?,
                Part::Element => {
                    let element = self.coerce(arg, element, Degree::Implicit)?;
                    self.one(element, span)?
                }
                Part::Plain(plain) => self.coerce(arg, *plain, Degree::Implicit)?,
            });
        }
        Ok((exprs, ty))
    }

    /// A function of arrays; `None` where the name is none's.
    pub(super) fn array_function(
        &mut self,
        name: &str,
        args: &mut Vec<Bound>,
        span: Span,
    ) -> Result<Option<Expr>, Diag> {
        if name == "regexp_match" && matches!(args.len(), 2..=3) {
            if let Some(Value::Text(flags)) = args.get(2).and_then(|flags| literal::value(&flags.expr))
                && flags.contains('g')
            {
                let message = "regexp_match() does not support the \"global\" option";
                let diag = Diag::new(code::INVALID_PARAMETER, message, args[2].span());
                return Err(diag.help("regexp_matches gives all matches"));
            }
            let matches = self.matches(std::mem::take(args), span)?;
            let first = vec![matches, literal::integer(0, span)];
            return Ok(Some(function::call_named("$array_row", first, TEXTS, span)));
        }
        if name == "array_position" && matches!(args.len(), 2..=3) {
            let start = match args.len() {
                3 => {
                    let start = args.pop().expect("there are three");
                    self.coerce(start, Type::Integer, Degree::Implicit)?
                }
                _ => literal::integer(i64::MIN, span),
            };
            let all = self.array_function("array_positions", args, span)?.expect("it takes two");
            return Ok(Some(function::call_named("$array_from", vec![all, start], Type::Integer, span)));
        }
        if matches!((name, args.len()), ("array_shuffle", 1) | ("array_sample", 2))
            && args[0].class() == Some(TypeClass::Array)
        {
            let chance = function::call_named("random", Vec::new(), Type::Real, span);
            let mut rest = std::mem::take(args).into_iter();
            let array = rest.next().expect("there is one").expr;
            let ty = array.ty;
            return Ok(Some(match rest.next() {
                None => function::call_named("$array_shuffle", vec![array, chance], ty, span),
                Some(count) => {
                    let count = self.coerce(count, Type::Integer, Degree::Implicit)?;
                    function::call_named("$array_sample", vec![array, count, chance], ty, span)
                }
            }));
        }
        let Some((_, parts, least, result)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
            return Ok(None);
        };
        if !(*least..=parts.len()).contains(&args.len()) {
            return Ok(None);
        }
        let mut args = std::mem::take(args);
        // A separator of NULL parts letters; a NULL for what stands for NULL stands for nothing.
        let mut letters = false;
        if matches!(name, "string_to_array" | "array_to_string") {
            if args.get(2).is_some_and(|null| null.open == Some(Open::Null)) {
                args.pop();
            }
            letters = name == "string_to_array" && args[1].open == Some(Open::Null);
        }
        if name == "array_to_string" {
            args[0].expr = super::zone::shown(args[0].expr.clone())?;
        }
        let has_flags = args.len() == 3;
        let (mut exprs, ty) = self.parts(args, parts, name)?;
        let ty = match result {
            Part::Whole => ty,
            Part::Element => element_of(ty).unwrap_or(ty),
            Part::Plain(plain) => *plain,
        };
        match name {
            _ if letters => {
                exprs.truncate(1);
                return Ok(Some(function::call_named("$letters", exprs, ty, span)));
            }
            "regexp_split_to_array" if !has_flags => {
                exprs.push(Expr::constant(Value::Text(String::new()), Type::Text, span));
            }
            "array_fill" if !has_flags => {
                self.told_bounds(&mut exprs, span)?;
                let none = ElementType::of(Type::Integer).map(|element| Array::of(element, &[]));
                exprs.push(Expr::constant(none.map_or(Value::Null, Value::Array), INTEGERS, span));
            }
            "array_fill" => self.told_bounds(&mut exprs, span)?,
            "array_append" | "array_prepend" | "array_cat" => return self.together(name, exprs, ty, span).map(Some),
            _ => {}
        }
        Ok(Some(function::call_named(name, exprs, ty, span)))
    }

    /// The lengths and bounds of `array_fill`: what is NULL among them is an error.
    fn told_bounds(&mut self, exprs: &mut [Expr], span: Span) -> Result<(), Diag> {
        let null = ElementType::of(Type::Integer).map(|element| Value::Array(Array::of(element, &[Value::Null])));
        let null = Expr::constant(null.unwrap_or(Value::Null), INTEGERS, span);
        for expr in exprs.iter_mut().skip(1) {
            *expr = self.coalesce(vec![expr.clone(), null.clone()], span)?;
        }
        Ok(())
    }

    /// What an expression of a pattern matches in a text: a row of groups for each match.
    pub(super) fn matches(&mut self, mut args: Vec<Bound>, span: Span) -> Result<Expr, Diag> {
        if args.len() == 2 {
            args.push(Bound::known(Expr::constant(Value::Text(String::new()), Type::Text, span)));
        }
        let texts = args.into_iter().map(|arg| self.coerce(arg, Type::Text, Degree::Implicit));
        let texts = texts.collect::<Result<_, _>>()?;
        Ok(function::call_named("$regexp_matches", texts, TEXTS, span))
    }

    /// Two arrays, or an array and an element in an array of one, put together: what is NULL adds nothing.
    fn together(&mut self, name: &str, exprs: Vec<Expr>, ty: Type, span: Span) -> Result<Expr, Diag> {
        let nullable: Vec<bool> = exprs.iter().map(|expr| expr.nullable).collect();
        let [left, right] = [exprs[0].clone(), exprs[1].clone()];
        let both = function::call_named(name, exprs, ty, span);
        let mut arms = Vec::new();
        if nullable[0] {
            self.count_copies(&left, 2)?;
            arms.push((function::not(is_not_null(left.clone(), span)), right.clone()));
        }
        if nullable[1] {
            self.count_copies(&right, 2)?;
            arms.push((function::not(is_not_null(right, span)), left));
        }
        Ok(if arms.is_empty() { constant::fold(both) } else { constant::fold(case_of(arms, both, span)) })
    }

    /// `||` beside an array.
    pub(super) fn array_concat(&mut self, left: Bound, right: Bound, whole: Span) -> Result<Expr, Diag> {
        let is_whole = |bound: &Bound| bound.class().is_none_or(|class| class == TypeClass::Array);
        let (name, parts) = match (is_whole(&left), is_whole(&right)) {
            (true, true) => ("array_cat", [Whole, Whole]),
            (true, false) => ("array_append", [Whole, Element]),
            (false, _) => ("array_prepend", [Element, Whole]),
        };
        let (exprs, ty) = self.parts(vec![left, right], &parts, "||")?;
        self.together(name, exprs, ty, whole)
    }

    /// `@>`, `<@` and `&&` beside an array.
    pub(super) fn array_operator(
        &mut self,
        name: &str,
        operands: Vec<Bound>,
        whole: Span,
    ) -> Result<Option<Expr>, Diag> {
        let has_array = operands.iter().any(|operand| operand.class() == Some(TypeClass::Array));
        if !has_array || operands.len() != 2 || !matches!(name, "@>" | "<@" | "&&") {
            return Ok(None);
        }
        let (exprs, _) = self.parts(operands, &[Whole, Whole], name)?;
        Ok(Some(function::call_named(name, exprs, Type::Boolean, whole)))
    }

    /// `x op ANY (array)`, `x op ALL (array)`
    pub(super) fn array_among(
        &mut self,
        operand: Bound,
        op: BinaryOp,
        all: bool,
        array: Bound,
        span: Span,
    ) -> Result<Expr, Diag> {
        let is_array = array.class().is_none_or(|class| class == TypeClass::Array);
        if let (Some(way), true) = (array_set::matching(super::operator::sign(op)), is_array) {
            let text = self.coerce(operand, Type::Text, Degree::Implicit)?;
            let patterns = self.coerce(array, TEXTS, Degree::Implicit)?;
            self.count_copies(&text, 3)?;
            self.count_copies(&patterns, 2)?;
            let way = literal::integer(way | if all { array_set::ALL } else { 0 }, span);
            let args = vec![self.one(text, span)?, patterns, way];
            let open = function::call_named("$open_among", args.clone(), Type::Boolean, span);
            let arms = vec![function::call_named("$match_among", args, Type::Boolean, span), open];
            let nullable = arms.iter().any(|arm| arm.nullable);
            let kind = if all { ExprKind::And(arms) } else { ExprKind::Or(arms) };
            return Ok(Expr { kind, ty: Type::Boolean, nullable, span });
        }
        let Some(comparison) = array_set::comparison(super::operator::sign(op)).filter(|_| is_array) else {
            let message = format!("op ANY/ALL (array) requires array on right side, not type {}", array.type_name());
            return Err(Diag::new(code::WRONG_OBJECT_TYPE, message, array.span()).help("write IN for a list"));
        };
        let (mut exprs, _) =
            self.parts(vec![operand, array], &[Element, Whole], "ANY").map_err(|diag| match diag.code {
                // Two types that do not meet have no operator.
                code::DATATYPE_MISMATCH => Diag { code: code::UNDEFINED_FUNCTION, ..diag },
                _ => diag,
            })?;
        let all = if all { array_set::ALL } else { 0 };
        exprs.push(literal::integer(comparison | all, span));
        Ok(function::call_named("$array_among", exprs, Type::Boolean, span))
    }

    /// `a[1]`, `a[1:2]`
    pub(super) fn subscript(
        &mut self,
        operand: &ast::Expr,
        subscripts: &[Subscript],
        span: Span,
        ctx: &mut Ctx<'_>,
    ) -> Result<Expr, Diag> {
        let bound = self.expr(operand, ctx)?;
        if bound.class() == Some(TypeClass::Json) {
            return self.json_subscript(bound, subscripts, span, ctx);
        }
        let Some(element) = element_of(bound.expr.ty).filter(|_| bound.open.is_none()) else {
            let message =
                format!("cannot subscript type {} because it does not support subscripting", bound.type_name());
            return Err(
                Diag::new(code::DATATYPE_MISMATCH, message, bound.span()).help("only arrays and JSON have subscripts")
            );
        };
        let array = bound.expr;
        let (lowers, uppers) = self.bounds(subscripts, span, ctx)?;
        if let Some(lowers) = lowers {
            let ty = array.ty;
            return Ok(constant::fold(function::call_named("$array_slice", vec![array, lowers, uppers], ty, span)));
        }
        let get = function::overloads("$array_get").iter().find(|function| function.ret == element.class());
        let get = get.expect("the kernel gets elements of every class");
        Ok(constant::fold(function::call(get, vec![array, uppers], element, span)))
    }

    /// The subscripts as an array; where one is a slice, all are: the lower bounds, and the upper ones.
    pub(super) fn bounds(
        &mut self,
        subscripts: &[Subscript],
        span: Span,
        ctx: &mut Ctx<'_>,
    ) -> Result<(Option<Expr>, Expr), Diag> {
        let is_slice = subscripts.iter().any(|subscript| matches!(subscript, Subscript::Slice(..)));
        let (mut lowers, mut uppers) = (Vec::new(), Vec::new());
        for subscript in subscripts {
            match subscript {
                Subscript::At(at) => {
                    lowers.push(literal::integer(1, span));
                    uppers.push(self.place(Some(at), 0, span, ctx)?);
                }
                Subscript::Slice(from, to) => {
                    lowers.push(self.place(from.as_ref(), i64::MIN, span, ctx)?);
                    uppers.push(self.place(to.as_ref(), i64::MAX, span, ctx)?);
                }
            }
        }
        let uppers = self.array_of(uppers, Type::Integer, span)?;
        Ok((if is_slice { Some(self.array_of(lowers, Type::Integer, span)?) } else { None }, uppers))
    }

    fn place(&mut self, at: Option<&ast::Expr>, none: i64, span: Span, ctx: &mut Ctx<'_>) -> Result<Expr, Diag> {
        let Some(at) = at else { return Ok(literal::integer(none, span)) };
        let at = self.expr(at, ctx)?;
        let at = self.coerce(at, Type::Integer, Degree::Assignment)?;
        Ok(constant::fold(at))
    }

    /// `json['key']`, `json[0]`
    fn json_subscript(
        &mut self,
        mut bound: Bound,
        subscripts: &[Subscript],
        span: Span,
        ctx: &mut Ctx<'_>,
    ) -> Result<Expr, Diag> {
        for subscript in subscripts {
            let Subscript::At(key) = subscript else {
                let message = "jsonb subscript does not support slices";
                return Err(Diag::new(code::DATATYPE_MISMATCH, message, span));
            };
            let key = self.expr(key, ctx)?;
            bound = Bound::known(self.arrow(BinaryOp::Arrow, bound, key, span, span)?);
        }
        Ok(bound.expr)
    }
}

/// The element of a number from 0 on, for each array among some columns.
pub(super) fn element_at(array: Expr, number: Expr, span: Span) -> Expr {
    let element = element_of(array.ty).expect("an array was asked for");
    let at = function::overloads("$array_at").iter().find(|function| function.ret == element.class());
    function::call(at.expect("the kernel gets elements of every class"), vec![array, number], element, span)
}
