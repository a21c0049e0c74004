//! How does a value get the type that its surroundings demand?
//!
//! PostgreSQL's three degrees: implicit (INTEGER to NUMERIC to REAL, DATE to TIMESTAMP, JSON read as what it is compared
//! with), assignment (narrowing ones too, and anything to TEXT) and explicit (all that the kernel can cast). A quoted text,
//! NULL and a parameter are open: they take the demanded type without any cast.
//!
//! Holds: constants are converted here and now, so a plan has no cast of a literal, and a literal that cannot be converted
//! is an error with its place.

use super::{Binder, constant, function, literal, zone};
use crate::{
    diag::{Diag, code},
    plan::{Context, Expr, ExprKind},
    span::Span,
};
use spectradb_kernel::{
    Type, Value,
    func::{Fault, Function, array_cast, cast, narrow},
    ty::{LENGTH_MAX, NUMERIC_PRECISION_MAX, TypeClass},
    value::Decimal,
};

/// The NUMERIC of values whose digits nobody knows: 16 after the point, as PostgreSQL gives quotients.
pub(super) const NUMERIC_WIDE: Type = Type::Numeric { precision: NUMERIC_PRECISION_MAX, scale: 16 };

/// A bound expression that may still be open to a type.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    /// The expression; while open it claims to be TEXT.
    pub(super) expr: Expr,
    /// Why it is open, if it is.
    pub(super) open: Option<Open>,
}

/// Why has an expression no type yet?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Open {
    /// A quoted text.
    Text,
    /// NULL.
    Null,
    /// A parameter that no use has demanded a type of.
    Param,
}

/// Who asks for a conversion?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Degree {
    /// An operator or a function.
    Implicit,
    /// A column that is written.
    Assignment,
    /// A CAST.
    Explicit,
}

impl Bound {
    pub(super) fn known(expr: Expr) -> Bound {
        Bound { expr, open: None }
    }

    /// The class, unless it is open.
    pub(super) fn class(&self) -> Option<TypeClass> {
        match self.open {
            None => Some(self.expr.ty.class()),
            Some(_) => None,
        }
    }

    /// The type's name for messages.
    pub(super) fn type_name(&self) -> &'static str {
        self.class().map_or("unknown", TypeClass::name)
    }

    pub(super) fn span(&self) -> Span {
        self.expr.span
    }
}

/// May a class become another one, for whom?
pub(super) fn allows(from: TypeClass, to: TypeClass, degree: Degree) -> bool {
    use TypeClass::{
        BigNumeric, Boolean, Date, Integer, Interval, Json, Numeric, Real, Text, Time, Timestamp, TimestampTz,
    };
    if from == to {
        return true;
    }
    let implicit = matches!(
        (from, to),
        (Integer, Numeric | BigNumeric | Real)
            | (Numeric, BigNumeric | Real)
            | (BigNumeric, Real)
            | (Date, Timestamp | TimestampTz)
            | (Timestamp, TimestampTz)
            | (Time, Interval)
            | (Json, Text | Integer | Numeric | BigNumeric | Real | Boolean)
    );
    let assignment = matches!(
        (from, to),
        (Numeric, Integer)
            | (BigNumeric, Integer | Numeric)
            | (Real, Integer | Numeric | BigNumeric)
            | (Timestamp, Date | Time)
            | (TimestampTz, Date | Time | Timestamp)
            | (Interval, Time)
    ) || (to == Text && from != Json);
    match degree {
        Degree::Implicit => implicit,
        Degree::Assignment => implicit || assignment,
        Degree::Explicit => {
            implicit
                || assignment
                || matches!((from, to), (Json, Date | Timestamp | TimestampTz | Time | Interval | TypeClass::Uuid))
                || function::cast(from, to).is_some()
        }
    }
}

/// The class that two operands meet in, if they do: the wider number, the finer time, what JSON is read as.
pub(super) fn meet(a: TypeClass, b: TypeClass) -> Option<TypeClass> {
    use TypeClass::{
        BigNumeric, Boolean, Date, Integer, Interval, Json, Numeric, Real, Text, Time, Timestamp, TimestampTz,
    };
    Some(match (a, b) {
        _ if a == b => a,
        (Integer | Numeric | BigNumeric, Real) | (Real, Integer | Numeric | BigNumeric) => Real,
        (Integer | Numeric | Json, BigNumeric) | (BigNumeric, Integer | Numeric | Json) => BigNumeric,
        (Integer, Numeric) | (Numeric, Integer) => Numeric,
        (Date, Timestamp) | (Timestamp, Date) => Timestamp,
        (Date | Timestamp, TimestampTz) | (TimestampTz, Date | Timestamp) => TimestampTz,
        (Time, Interval) | (Interval, Time) => Interval,
        (Json, Integer | Numeric | Real) | (Integer | Numeric | Real, Json) => Real,
        (Json, Text) | (Text, Json) => Text,
        (Json, Boolean) | (Boolean, Json) => Boolean,
        _ => return None,
    })
}

impl Binder<'_> {
    /// A value of exactly this type.
    ///
    /// # Errors
    /// The value cannot become one: 42804 for an assignment, 42846 for a cast.
    pub(super) fn coerce(&mut self, bound: Bound, ty: Type, degree: Degree) -> Result<Expr, Diag> {
        let bound = match self.settle_open(bound, ty)? {
            Ok(expr) => return Ok(expr),
            Err(bound) => bound,
        };
        let class = bound.expr.ty.class();
        let elements_fit = match (bound.expr.ty, ty) {
            (Type::Array(from), Type::Array(to)) => allows(from.class(), to.class(), degree),
            _ => true,
        };
        if !elements_fit || !allows(class, ty.class(), degree) {
            return Err(mismatch(&bound, ty, degree));
        }
        convert(bound.expr, ty, degree)
    }

    /// A value of this class; a NUMERIC has the scale that comes naturally.
    ///
    /// # Errors
    /// As [`Binder::coerce`].
    pub(super) fn coerce_class(&mut self, bound: Bound, class: TypeClass, degree: Degree) -> Result<Expr, Diag> {
        let bound = match self.settle_open_class(bound, class)? {
            Ok(expr) => return Ok(expr),
            Err(bound) => bound,
        };
        let ty = match (class, bound.expr.ty) {
            (TypeClass::Numeric, numeric @ Type::Numeric { .. }) => numeric,
            (TypeClass::Numeric, Type::Integer | Type::SmallInt | Type::Int4) => natural_numeric(&bound.expr),
            (TypeClass::Numeric, _) => NUMERIC_WIDE,
            (TypeClass::Array, array @ Type::Array(_)) => array,
            (other, _) => other.plain_type(),
        };
        if !allows(bound.expr.ty.class(), class, degree) {
            return Err(mismatch(&bound, ty, degree));
        }
        convert(bound.expr, ty, degree)
    }

    fn settle_open_class(&mut self, bound: Bound, class: TypeClass) -> Result<Result<Expr, Bound>, Diag> {
        if bound.open == Some(Open::Text)
            && class != TypeClass::Text
            && let ExprKind::Const(Value::Text(text)) = &bound.expr.kind
        {
            if let Some(now) = word_of_now(text, class.plain_type(), bound.expr.span)? {
                return Ok(Ok(now));
            }
            return literal::read_class(text, class, bound.expr.span).map(Ok);
        }
        let plain = if class == TypeClass::Numeric { NUMERIC_WIDE } else { class.plain_type() };
        self.settle_open(bound, plain)
    }

    /// Gives an open expression its type; `Err` hands back what has one already.
    fn settle_open(&mut self, mut bound: Bound, ty: Type) -> Result<Result<Expr, Bound>, Diag> {
        let Some(open) = bound.open.take() else { return Ok(Err(bound)) };
        match (open, &bound.expr.kind) {
            (Open::Text, _) if ty == Type::Text => Ok(Ok(bound.expr)),
            (Open::Text, ExprKind::Const(Value::Text(text))) => {
                if let Some(now) = word_of_now(text, ty.plain(), bound.expr.span)? {
                    return Ok(Ok(now));
                }
                // A narrower type is kept by the conversion that follows.
                let plain = literal::read(text, ty.plain(), bound.expr.span)?;
                Ok(if ty == ty.plain() { Ok(plain) } else { Err(Bound::known(plain)) })
            }
            (Open::Param, ExprKind::Param(param)) => {
                let settled = self.params.settle(*param, ty.plain());
                bound.expr.ty = settled;
                // Another use between was first: from here on it is an expression of that type.
                let is_done = ty == ty.plain() && crate::plan::check::agrees(settled, ty);
                Ok(if is_done { Ok(bound.expr) } else { Err(bound) })
            }
            (Open::Null | Open::Text | Open::Param, _) => Ok(Ok(Expr::constant(Value::Null, ty, bound.expr.span))),
        }
    }

    /// The expression as it is; one that is still open is TEXT.
    pub(super) fn settled(&mut self, bound: Bound) -> Result<Expr, Diag> {
        match self.settle_open(bound, Type::Text)? {
            Ok(expr) => Ok(expr),
            Err(bound) => Ok(bound.expr),
        }
    }

    /// A BOOLEAN for a clause that wants one.
    ///
    /// # Errors
    /// It is another type (42804).
    pub(super) fn truth_of(&mut self, bound: Bound, clause: &str) -> Result<Expr, Diag> {
        if bound.class().is_some_and(|class| !allows(class, TypeClass::Boolean, Degree::Implicit)) {
            return Err(Diag::new(
                code::DATATYPE_MISMATCH,
                format!("argument of {clause} must be type boolean, not type {}", bound.type_name()),
                bound.span(),
            ));
        }
        self.coerce(bound, Type::Boolean, Degree::Implicit)
    }

    /// The type that several values meet in, for CASE, UNION, IN and the like; TEXT where all are open.
    ///
    /// # Errors
    /// Two of them do not meet (42804).
    pub(super) fn common_type<'b>(
        &self,
        bounds: impl IntoIterator<Item = &'b Bound>,
        what: &str,
    ) -> Result<Type, Diag> {
        let bounds: Vec<&Bound> = bounds.into_iter().collect();
        let mut class: Option<TypeClass> = None;
        for bound in &bounds {
            let Some(next) = bound.class() else {
                continue;
            };
            class = Some(match class {
                None => next,
                Some(class) => meet(class, next).ok_or_else(|| {
                    Diag::new(
                        code::DATATYPE_MISMATCH,
                        format!("{what} types {class} and {next} cannot be matched"),
                        bound.span(),
                    )
                    .help("cast one of them to the type of the other")
                })?,
            });
        }
        let is_column = matches!(what, "VALUES" | "UNION" | "INTERSECT" | "EXCEPT");
        if class == Some(TypeClass::Json) && !is_column && any_text_beside_json(&bounds) {
            class = Some(TypeClass::Text);
        }
        Ok(match class {
            None => Type::Text,
            Some(class @ TypeClass::Numeric)
                if bounds.iter().any(|bound| super::operator::beside(class, bound) != class) =>
            {
                Type::BigNumeric
            }
            Some(TypeClass::Numeric) => numeric_meet(bounds.iter().filter_map(|bound| natural(bound))),
            Some(TypeClass::Array) => self.array_meet(&bounds, what)?,
            Some(TypeClass::Json)
                if bounds.iter().all(|bound| bound.open.is_some() || bound.expr.ty == Type::Jsonb) =>
            {
                Type::Jsonb
            }
            Some(TypeClass::Text) if let Some(ty) = blank_padded(&bounds) => ty,
            Some(class) => narrowest(&bounds).filter(|ty| ty.class() == class).unwrap_or(class.plain_type()),
        })
    }
}

/// `now`, `today`, `tomorrow` and `yesterday`, which mean the transaction's `now()`; a time of the day may stand beside a day.
fn word_of_now(text: &str, ty: Type, span: Span) -> Result<Option<Expr>, Diag> {
    if !matches!(ty, Type::Date | Type::Timestamp | Type::TimestampTz) {
        return Ok(None);
    }
    let shift_of = |word: &str| match word.to_ascii_lowercase().as_str() {
        "today" => Some(0),
        "tomorrow" => Some(1),
        "yesterday" => Some(-1),
        _ => None,
    };
    let now = || Expr { kind: ExprKind::Context(Context::Now), ty: Type::Timestamp, nullable: false, span };
    let mut words = text.split_whitespace();
    let (shift, time) = match (words.next(), words.next(), words.next()) {
        (Some(word), None, None) if word.eq_ignore_ascii_case("now") => {
            return convert(now(), ty, Degree::Explicit).map(Some);
        }
        (Some(word), time, None) if let Some(shift) = shift_of(word) => (shift, time),
        (Some(time), Some(word), None) if let Some(shift) = shift_of(word) => (shift, Some(time)),
        _ => return Ok(None),
    };
    let day = convert(now(), Type::Date, Degree::Explicit)?;
    let day = function::call_named("+", vec![day, literal::integer(shift, span)], Type::Date, span);
    let Some(time) = time else { return convert(day, ty, Degree::Explicit).map(Some) };
    let Ok(time) = literal::read(time, Type::Time, span) else { return Ok(None) };
    let instant = function::call_named("+", vec![day, time], Type::Timestamp, span);
    convert(instant, ty, Degree::Explicit).map(Some)
}

/// Is a quoted text or a parameter among JSON the text that it is?
fn any_text_beside_json(bounds: &[&Bound]) -> bool {
    let json = || bounds.iter().filter(|bound| bound.open.is_none());
    let mut open = bounds.iter().filter(|bound| !matches!(bound.open, None | Some(Open::Null)));
    open.any(|open| json().any(|json| !super::operator::is_json_beside(&json.expr, open)))
}

/// The CHAR that CHARs and quoted texts meet in, as long as the longest: so blanks at an end count in none of them.
fn blank_padded(bounds: &[&Bound]) -> Option<Type> {
    let mut length = 0;
    let mut any = false;
    for bound in bounds {
        let own = match (bound.open, bound.expr.ty, literal::value(&bound.expr)) {
            (Some(Open::Null), _, _) => continue,
            (None, Type::Char { length }, _) => {
                any = true;
                length
            }
            (Some(Open::Text), _, Some(Value::Text(text))) => {
                u32::try_from(text.trim_end_matches(' ').chars().count()).ok().filter(|own| *own <= LENGTH_MAX)?
            }
            _ => return None,
        };
        length = length.max(own);
    }
    any.then_some(Type::Char { length })
}

/// The narrower type that all values which have a type are of; none where a quoted text could not keep it.
fn narrowest(bounds: &[&Bound]) -> Option<Type> {
    let mut types = bounds.iter().filter(|bound| bound.open != Some(Open::Null)).map(|bound| match bound.open {
        None => Some(bound.expr.ty),
        Some(_) => None,
    });
    let first = types.next()??;
    types.try_fold(first, |widest, ty| {
        let ty = ty?;
        if narrow::is_within(ty, widest) {
            Some(widest)
        } else if narrow::is_within(widest, ty) {
            Some(ty)
        } else {
            None
        }
    })
}

/// The NUMERIC that an expression would become, if it has or can have one.
fn natural(bound: &Bound) -> Option<Type> {
    match (bound.open, bound.expr.ty) {
        (None, numeric @ Type::Numeric { .. }) => Some(numeric),
        (None, Type::Integer | Type::SmallInt | Type::Int4) => Some(natural_numeric(&bound.expr)),
        (None, _) => None,
        (Some(Open::Text), _) => match &bound.expr.kind {
            ExprKind::Const(Value::Text(text)) => literal::decimal(text).map(literal::type_of),
            _ => None,
        },
        (Some(Open::Null | Open::Param), _) => None,
    }
}

/// The NUMERIC of an INTEGER: a constant needs no more digits than it has.
fn natural_numeric(expr: &Expr) -> Type {
    match literal::value(expr) {
        Some(Value::Integer(value)) => literal::type_of(Decimal { units: i128::from(*value), scale: 0 }),
        _ => Type::Numeric { precision: integer_digits(expr.ty), scale: 0 },
    }
}

/// How many digits a number of an integer type may have.
fn integer_digits(ty: Type) -> u8 {
    match ty {
        Type::SmallInt => 5,
        Type::Int4 => 10,
        _ => 19,
    }
}

/// The NUMERIC that holds all of several.
pub(super) fn numeric_meet(types: impl IntoIterator<Item = Type>) -> Type {
    let (mut digits, mut scale) = (0, 0);
    for ty in types {
        if let Type::Numeric { precision, scale: own } = ty {
            digits = digits.max(precision - own);
            scale = scale.max(own);
        }
    }
    Type::Numeric { precision: (digits + scale).clamp(1, NUMERIC_PRECISION_MAX), scale }
}

fn mismatch(bound: &Bound, ty: Type, degree: Degree) -> Diag {
    let from = bound.type_name();
    match degree {
        Degree::Explicit => {
            Diag::new(code::CANNOT_COERCE, format!("cannot cast type {from} to {}", ty.class()), bound.span())
        }
        Degree::Implicit | Degree::Assignment => Diag::new(
            code::DATATYPE_MISMATCH,
            format!("a value of type {} is wanted, but this is of type {from}", ty.class()),
            bound.span(),
        )
        .help(format!("cast it: CAST(... AS {})", ty.class().name().to_uppercase())),
    }
}

/// Wraps an expression in the call that makes it a type. What may be converted was asked before.
///
/// # Errors
/// A constant does not fit.
pub(super) fn convert(expr: Expr, ty: Type, degree: Degree) -> Result<Expr, Diag> {
    let expr = if degree == Degree::Implicit { widened(expr, ty) } else { expr };
    let span = expr.span;
    let from = expr.ty;
    if narrow::is_within(from, ty) {
        return Ok(if from == ty { expr } else { relabelled(expr, ty) });
    }
    // A FLOAT4 lies as the shortest decimal of its own, which is its text; as a wider number it is exact.
    if from == Type::Float4 && matches!(ty.class(), TypeClass::Text | TypeClass::Json) {
        let plain = ty.class().plain_type();
        let function = function::cast(TypeClass::Real, plain.class()).expect("every number has a text");
        return convert(called(function, vec![expr], plain, degree, span)?, ty, degree);
    }
    if let Some(name) = narrow::from(from) {
        let function = function::find(name, &[from.class()]).expect("the kernel widens what is narrower");
        let plain = called(function, vec![expr], from.plain(), degree, span)?;
        return convert(plain, ty, degree);
    }
    if let (Type::Array(_) | Type::Text | Type::Varchar { .. }, Type::Array(element)) = (from, ty) {
        let within = matches!(from, Type::Array(from) if narrow::is_within(from.ty(), element.ty()));
        if within {
            return Ok(relabelled(expr, ty));
        }
        if let Some(converted) = zone::converted(&expr, ty, degree)? {
            return Ok(converted);
        }
        let cuts = if degree == Degree::Explicit { array_cast::CUTS } else { 0 };
        let code = literal::integer(element.code() | cuts, span);
        let function = function::cast(from.class(), TypeClass::Array).expect("arrays are read from texts and arrays");
        return called(function, vec![expr, code], ty, degree, span);
    }
    if let Some((name, arg)) = narrow::to(ty, degree == Degree::Explicit) {
        let plain = convert(expr, ty.plain(), degree)?;
        let args: Vec<Expr> = [plain].into_iter().chain(arg.map(|arg| literal::integer(arg, span))).collect();
        let classes: Vec<TypeClass> = args.iter().map(|arg| arg.ty.class()).collect();
        let function = function::find(name, &classes).expect("the kernel narrows what is narrower");
        return called(function, args, ty, degree, span);
    }
    if from == ty || (from.class() == ty.class() && ty.class() != TypeClass::Numeric) {
        return Ok(expr);
    }
    if let Some(value) = number(&expr, ty) {
        return Ok(Expr::constant(value, ty, span));
    }
    if let Some(converted) = zone::converted(&expr, ty, degree)? {
        return Ok(converted);
    }
    let from = if from == Type::Jsonb { Type::Json } else { from };
    let digits = |count: u8| literal::integer(i64::from(count), span);
    let growth = |to: u8, from: u8| literal::integer(i64::from(to) - i64::from(from), span);
    let (name, args) = match (from, ty) {
        (Type::Numeric { precision: from_precision, scale: from_scale }, Type::Numeric { precision, scale }) => {
            // Aligning never checks a precision; what is written or cast must have the digits that the type promises.
            let fits = precision - scale >= from_precision - from_scale && scale >= from_scale;
            if from_scale == scale && (fits || degree == Degree::Implicit) {
                return Ok(relabelled(expr, ty));
            }
            if degree == Degree::Implicit || fits {
                ("$numeric_rescale", vec![expr, growth(scale, from_scale)])
            } else {
                ("$cast", vec![expr, growth(scale, from_scale), digits(precision)])
            }
        }
        (Type::Numeric { scale, .. }, Type::Integer | Type::Real | Type::Text | Type::Json | Type::BigNumeric) => {
            ("$cast", vec![expr, digits(scale)])
        }
        (Type::Json, Type::Numeric { precision, scale }) => {
            ("$json_as_numeric", vec![expr, digits(precision), digits(scale)])
        }
        (_, Type::Numeric { precision, scale }) => ("$cast", vec![expr, digits(precision), digits(scale)]),
        (Type::Json, Type::BigNumeric) => ("$json_as_big_numeric", vec![expr]),
        (Type::Json, Type::Integer) => ("$json_as_integer", vec![expr]),
        (Type::Json, Type::Real) => ("$json_as_real", vec![expr]),
        (Type::Json, Type::Boolean) => ("$json_as_boolean", vec![expr]),
        // A document as a whole is cast as it was written; a field of it is read.
        (Type::Json, Type::Text) if degree == Degree::Explicit && is_whole(&expr) => ("$cast", vec![expr]),
        (Type::Json, Type::Text) => ("$json_text", vec![expr]),
        (Type::Json, Type::Date | Type::Timestamp | Type::TimestampTz | Type::Time | Type::Interval | Type::Uuid) => {
            let text = convert(expr, Type::Text, Degree::Implicit)?;
            return convert(text, ty, degree);
        }
        _ => ("$cast", vec![expr]),
    };
    let function = if name == "$cast" {
        function::cast(from.class(), ty.class()).expect("the kernel casts what is allowed")
    } else {
        let classes: Vec<TypeClass> = args.iter().map(|arg| arg.ty.class()).collect();
        function::find(name, &classes).expect("the kernel reads JSON and rescales")
    };
    called(function, args, ty, degree, span)
}

/// Is it JSON as a whole, and no field of a document?
fn is_whole(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Column(_) => true,
        ExprKind::Call { function, .. } => expr.ty == Type::Jsonb && !super::operator::is_json_step(function.name),
        _ => expr.ty == Type::Jsonb,
    }
}

/// A call, or its value where that is known.
fn called(function: &'static Function, args: Vec<Expr>, ty: Type, degree: Degree, span: Span) -> Result<Expr, Diag> {
    match constant::evaluate(function, &args, ty) {
        Some(Ok(value)) => Ok(Expr::constant(value, ty, span)),
        Some(Err(fault)) if degree == Degree::Assignment => Err(Diag::new(fault.sqlstate(), fault.message(), span)),
        // A cast in a query may stand in an arm that is never evaluated: it fails when it is reached.
        Some(Err(_)) | None => Ok(function::call(function, args, ty, span)),
    }
}

/// A constant number as a wider number, where that cannot fail: by the kernel's own leaf, without a column around it, for
/// long lists of VALUES are full of them.
fn number(expr: &Expr, ty: Type) -> Option<Value> {
    match (literal::value(expr)?, ty) {
        (Value::Integer(value), Type::Real) => Some(Value::Real(cast::i64_to_f64(*value))),
        (Value::Numeric(value), Type::Real) => {
            Some(Value::Real(cast::numeric_to_f64(value.units, i64::from(value.scale))))
        }
        (Value::Integer(value), Type::BigNumeric) => Some(Value::BigNumeric((*value).into())),
        (Value::Numeric(value), Type::BigNumeric) => Some(Value::BigNumeric((*value).into())),
        (Value::Numeric(value), Type::Numeric { precision, scale }) => {
            let growth = i64::from(scale) - i64::from(value.scale);
            match cast::numeric_to_numeric(value.units, growth, i64::from(precision)) {
                (units, Fault::Ok) => Some(Value::Numeric(Decimal { units, scale })),
                _ => None,
            }
        }
        _ => None,
    }
}

/// An INTEGER that was cast to a decimal only to be cast to one with more digits after the point is the INTEGER again: one
/// cast does both.
fn widened(expr: Expr, ty: Type) -> Expr {
    match (expr.kind, ty) {
        (ExprKind::Call { function, mut args }, Type::Numeric { scale, .. })
            if function.name == "$cast"
                && function.args.first() == Some(&TypeClass::Integer)
                && function.ret == TypeClass::Numeric
                && expr.ty.scale() < scale =>
        {
            args.swap_remove(0)
        }
        (kind, _) => Expr { kind, ..expr },
    }
}

/// The same value under a NUMERIC of other precision; where the expression's own type is not ours to change it stays.
fn relabelled(mut expr: Expr, ty: Type) -> Expr {
    match expr.kind {
        ExprKind::Const(_) | ExprKind::Call { .. } | ExprKind::Case { .. } => expr.ty = ty,
        ExprKind::Column(_)
        | ExprKind::Param(_)
        | ExprKind::Context(_)
        | ExprKind::And(_)
        | ExprKind::Or(_)
        | ExprKind::Outer(_)
        | ExprKind::Subplan { .. } => {}
    }
    expr
}

/// The type of two values that agree: decimals of one scale have the larger precision.
pub(super) fn numeric_or(a: Type, b: Type) -> Type {
    if a.class() == TypeClass::Numeric && b.class() == TypeClass::Numeric { numeric_meet([a, b]) } else { a }
}
