//! What does an operator mean between two types?
//!
//! The operands meet in one class (`convert`) and the kernel's function of that class is called. Decimals are aligned to
//! one scale for sums and comparisons; a product has the sum of the scales; a quotient has 16 digits after the point, or as
//! many as an operand has. What PostgreSQL has no operator for is 42883.

use super::{
    Binder,
    convert::{Bound, Degree, NUMERIC_WIDE, Open, convert, meet, numeric_meet},
    function, literal,
};
use crate::{
    ast::BinaryOp,
    diag::{Diag, code},
    plan::{Expr, ExprKind},
    span::Span,
};
use spectradb_kernel::{
    Type, Value,
    big_numeric::BigNumeric,
    ty::{NUMERIC_PRECISION_MAX, TypeClass},
};

/// The operator as it is written, which is its function's name too.
pub(super) fn sign(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Or => "OR",
        BinaryOp::And => "AND",
        BinaryOp::Eq => "=",
        BinaryOp::Ne => "<>",
        BinaryOp::Lt => "<",
        BinaryOp::Le => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::Ge => ">=",
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::Rem => "%",
        BinaryOp::Concat => "||",
        BinaryOp::Arrow => "->",
        BinaryOp::ArrowText => "->>",
        BinaryOp::Named(sign) => sign,
    }
}

/// The error that no operator takes these types.
pub(super) fn no_operator(sign: &str, left: &Bound, right: &Bound, span: Span) -> Diag {
    let (a, b) = (left.type_name(), right.type_name());
    let diag = Diag::new(code::UNDEFINED_FUNCTION, format!("operator does not exist: {a} {sign} {b}"), span);
    let is_instant = |bound: &Bound| matches!(bound.class(), Some(TypeClass::Timestamp | TypeClass::TimestampTz));
    let is_number = |bound: &Bound| bound.class() == Some(TypeClass::Integer);
    if (is_instant(left) && is_number(right)) || (is_number(left) && is_instant(right)) {
        return diag
            .help("an instant is written TIMESTAMP '2026-01-31 12:00'; the number of a commit stands in _commit");
    }
    diag.help("no operator of that name takes these types; cast one of the operands")
}

impl Binder<'_> {
    /// `=`, `<>`, `<`, `<=`, `>`, `>=` and `$is_distinct`.
    pub(super) fn compare(
        &mut self,
        name: &str,
        left: Bound,
        right: Bound,
        at: Span,
        whole: Span,
    ) -> Result<Expr, Diag> {
        let (left, right) = self.as_short_real(left, right)?;
        let left = shortened(left, &right);
        let right = shortened(right, &left);
        let class = match (left.class(), right.class()) {
            (None, None) => TypeClass::Text,
            (Some(TypeClass::Json), None) if !is_json_beside(&left.expr, &right) => TypeClass::Text,
            (None, Some(TypeClass::Json)) if !is_json_beside(&right.expr, &left) => TypeClass::Text,
            (Some(class), None) => beside(class, &right),
            (None, Some(class)) => beside(class, &left),
            (Some(a), Some(b)) => match meet(a, b) {
                Some(class) => class,
                None => return Err(no_operator(name, &left, &right, at)),
            },
        };
        let (left, right) = match padded(&left, &right) {
            Some(both) => both,
            None => self.in_one_class(left, right, class)?,
        };
        let Some(function) = function::find(name, &[class, class]) else {
            return Err(no_operator(name, &Bound::known(left), &Bound::known(right), at));
        };
        Ok(function::call(function, vec![left, right], Type::Boolean, whole))
    }

    /// A quoted text beside a FLOAT4 is one: it is rounded as the column is.
    fn as_short_real(&mut self, left: Bound, right: Bound) -> Result<(Bound, Bound), Diag> {
        let is_short = |bound: &Bound| bound.class().is_some() && bound.expr.ty == Type::Float4;
        let is_text = |bound: &Bound| bound.open == Some(Open::Text);
        Ok(if is_short(&left) && is_text(&right) {
            let right = self.coerce(right, Type::Float4, Degree::Implicit)?;
            (left, Bound::known(right))
        } else if is_text(&left) && is_short(&right) {
            let left = self.coerce(left, Type::Float4, Degree::Implicit)?;
            (Bound::known(left), right)
        } else {
            (left, right)
        })
    }

    /// Both operands in a class; decimals with one scale.
    fn in_one_class(&mut self, left: Bound, right: Bound, class: TypeClass) -> Result<(Expr, Expr), Diag> {
        if class == TypeClass::Array {
            let ty = self.common_type([&left, &right], "array")?;
            let left = self.coerce(left, ty, Degree::Implicit)?;
            return Ok((left, self.coerce(right, ty, Degree::Implicit)?));
        }
        if class != TypeClass::Numeric {
            let left = self.coerce_class(left, class, Degree::Implicit)?;
            return Ok((left, self.coerce_class(right, class, Degree::Implicit)?));
        }
        let (left_open, right_open) = (left.open == Some(Open::Param), right.open == Some(Open::Param));
        // A parameter beside a decimal has that decimal's scale, so that a column's key and bounds can be asked for it.
        let (left, right) = match (left_open, right_open) {
            (true, false) => {
                let right = self.coerce_class(right, class, Degree::Implicit)?;
                (self.coerce(left, widest(right.ty), Degree::Implicit)?, right)
            }
            (false, true) => {
                let left = self.coerce_class(left, class, Degree::Implicit)?;
                let right = self.coerce(right, widest(left.ty), Degree::Implicit)?;
                (left, right)
            }
            (true, true) | (false, false) => {
                let left = self.coerce_class(left, class, Degree::Implicit)?;
                (left, self.coerce_class(right, class, Degree::Implicit)?)
            }
        };
        align(left, right)
    }

    /// `+ - * / %`
    pub(super) fn arithmetic(
        &mut self,
        op: BinaryOp,
        left: Bound,
        right: Bound,
        at: Span,
        whole: Span,
    ) -> Result<Expr, Diag> {
        let name = sign(op);
        let (left, right) = self.as_short_real(left, right)?;
        // A text that is no number names the field that is taken away.
        let is_key = match (&right.open, literal::value(&right.expr)) {
            (Some(Open::Text), Some(Value::Text(text))) => text.trim().parse::<f64>().is_err(),
            _ => right.class() == Some(TypeClass::Text),
        };
        if op == BinaryOp::Sub && left.class() == Some(TypeClass::Json) && is_key {
            return self.named_operator(name, vec![left, right], at, whole);
        }
        let is_place = right.class() == Some(TypeClass::Integer);
        if op == BinaryOp::Sub && left.class() == Some(TypeClass::Json) && is_place && !is_field(&left.expr) {
            return self.named_operator(name, vec![left, right], at, whole);
        }
        let (a, b) = match (left.class(), right.class()) {
            (None, None) => {
                let diag =
                    Diag::new(code::AMBIGUOUS_FUNCTION, format!("operator is not unique: unknown {name} unknown"), at);
                return Err(diag.help("say the type of one of the operands with a cast"));
            }
            // Days are added to a date, but a text subtracted from a date is a date.
            (Some(TypeClass::Date), None) if op == BinaryOp::Sub && right.open == Some(Open::Text) => {
                (TypeClass::Date, TypeClass::Date)
            }
            (Some(TypeClass::Date), None) => (TypeClass::Date, TypeClass::Integer),
            (None, Some(TypeClass::Date)) if op == BinaryOp::Sub => (TypeClass::Date, TypeClass::Date),
            (None, Some(TypeClass::Date)) => (TypeClass::Integer, TypeClass::Date),
            (Some(TypeClass::Json), None) | (None, Some(TypeClass::Json)) => (TypeClass::Real, TypeClass::Real),
            (Some(TypeClass::Json), Some(TypeClass::Json)) => (TypeClass::Real, TypeClass::Real),
            (Some(TypeClass::Numeric), None) if beside(TypeClass::Numeric, &right) == TypeClass::BigNumeric => {
                (TypeClass::BigNumeric, TypeClass::BigNumeric)
            }
            (None, Some(TypeClass::Numeric)) if beside(TypeClass::Numeric, &left) == TypeClass::BigNumeric => {
                (TypeClass::BigNumeric, TypeClass::BigNumeric)
            }
            (Some(class), None) | (None, Some(class)) => match guessed(name, class, left.class().is_some()) {
                Some(classes) => classes,
                None => (class, class),
            },
            (Some(a), Some(b)) => match meet(a, b) {
                Some(class @ (TypeClass::Integer | TypeClass::Numeric | TypeClass::BigNumeric | TypeClass::Real)) => {
                    (class, class)
                }
                Some(_) | None if function::find(name, &[a, b]).is_some() => (a, b),
                Some(_) | None => match super::call::resolve(function::overloads(name), &[left.clone(), right.clone()])
                {
                    Some(function) => (function.args[0], function.args[1]),
                    None => (a, b),
                },
            },
        };
        if (a, b) == (TypeClass::Numeric, TypeClass::Numeric) {
            return self.decimal_arithmetic(op, left, right, whole);
        }
        let Some(function) = function::find(name, &[a, b]) else {
            return Err(no_operator(name, &left, &right, at));
        };
        let narrower = narrower(&left, &right);
        let left = self.coerce_class(left, a, Degree::Implicit)?;
        let right = self.coerce_class(right, b, Degree::Implicit)?;
        let later = match (name, a, b) {
            ("+", TypeClass::TimestampTz, TypeClass::Interval) => super::zone::plus(&left, &right, whole),
            ("+", TypeClass::Interval, TypeClass::TimestampTz) => super::zone::plus(&right, &left, whole),
            ("-", TypeClass::TimestampTz, TypeClass::Interval) => {
                let back = function::call_named("-", vec![right.clone()], Type::Interval, right.span);
                super::zone::plus(&left, &back, whole)
            }
            _ => None,
        };
        if let Some(later) = later {
            return Ok(later);
        }
        let result = function::call(function, vec![left, right], function.ret.plain_type(), whole);
        match narrower {
            Some(ty) if ty.class() == function.ret => convert(result, ty, Degree::Implicit),
            Some(_) | None => Ok(result),
        }
    }

    fn decimal_arithmetic(&mut self, op: BinaryOp, left: Bound, right: Bound, whole: Span) -> Result<Expr, Diag> {
        let class = TypeClass::Numeric;
        let name = sign(op);
        match op {
            BinaryOp::Mul => {
                let left = self.coerce_class(left, class, Degree::Implicit)?;
                let right = self.coerce_class(right, class, Degree::Implicit)?;
                product(left, right, whole)
            }
            BinaryOp::Div => {
                let left = self.coerce_class(left, class, Degree::Implicit)?;
                let right = self.coerce_class(right, class, Degree::Implicit)?;
                Ok(quotient(left, right, whole))
            }
            _ => {
                let (left, right) = self.in_one_class(left, right, class)?;
                let Type::Numeric { precision, scale } = numeric_meet([left.ty, right.ty]) else {
                    unreachable!("decimals meet in a decimal")
                };
                let carry = u8::from(op != BinaryOp::Rem);
                let ty = Type::Numeric { precision: (precision + carry).min(NUMERIC_PRECISION_MAX), scale };
                Ok(function::call_named(name, vec![left, right], ty, whole))
            }
        }
    }

    /// Every operator that is no more than a function named by its sign.
    pub(super) fn named_operator(
        &mut self,
        name: &str,
        operands: Vec<Bound>,
        at: Span,
        whole: Span,
    ) -> Result<Expr, Diag> {
        if let "@?" | "@@" = name
            && let [json, path] = operands.as_slice()
            && matches!(json.class(), Some(TypeClass::Json) | None)
            && matches!(path.class(), Some(TypeClass::Text) | None)
        {
            // The operators are silent calls of the functions.
            let variables = Expr::constant(Value::Json("{}".to_owned()), Type::Json, whole);
            let silent = Expr::constant(Value::Boolean(true), Type::Boolean, whole);
            let args = vec![json.clone(), path.clone(), Bound::known(variables), Bound::known(silent)];
            let function = if name == "@?" { "jsonb_path_exists" } else { "jsonb_path_match" };
            return self.json_path(function, args, whole);
        }
        let is_array = |operand: &Bound| operand.class() == Some(TypeClass::Array);
        if let [json, keys] = operands.as_slice()
            && json.class() == Some(TypeClass::Json)
            && is_array(keys)
            && matches!(name, "#>" | "#>>" | "#-" | "?|" | "?&")
        {
            // Keys in an array are what its text says.
            let keys = self.coerce(keys.clone(), Type::Text, Degree::Assignment)?;
            let operands = vec![json.clone(), Bound::known(keys)];
            return self.named_operator(name, operands, at, whole);
        }
        if operands.iter().any(is_array) {
            return match self.array_operator(name, operands.clone(), whole)? {
                Some(expr) => Ok(expr),
                None => Err(no_operator(name, &operands[0], operands.last().expect("it has operands"), at)),
            };
        }
        if let [bits, count] = operands.as_slice()
            && let "<<" | ">>" = name
            && bits.open.is_none()
            && let ty @ (Type::SmallInt | Type::Int4) = bits.expr.ty
            && matches!(count.class(), Some(TypeClass::Integer) | None)
        {
            let count = self.coerce(count.clone(), Type::Integer, Degree::Implicit)?;
            let bits = self.coerce(bits.clone(), Type::Integer, Degree::Implicit)?;
            return convert(shifted(name, bits, count, ty, whole), ty, Degree::Implicit);
        }
        let candidates = function::overloads(name);
        // An operand without a type is first taken to be of the other one's.
        let same = match operands.as_slice() {
            [left, right] => match (left.class(), right.class()) {
                (Some(class), None) | (None, Some(class)) => function::find(name, &[class, class]),
                _ => None,
            },
            _ => None,
        };
        let Some(function) = same.or_else(|| super::call::resolve(candidates, &operands)) else {
            return Err(match operands.as_slice() {
                [operand] => {
                    let message = format!("operator does not exist: {name} {}", operand.type_name());
                    Diag::new(code::UNDEFINED_FUNCTION, message, at)
                        .help("no operator of that name takes this type; cast the operand")
                }
                [left, right, ..] => no_operator(name, left, right, at),
                [] => unreachable!("an operator has operands"),
            });
        };
        let mut exprs = Vec::with_capacity(operands.len());
        for (operand, class) in operands.into_iter().zip(function.args) {
            exprs.push(self.coerce_class(operand, *class, Degree::Implicit)?);
        }
        let left_ty = exprs[0].ty;
        // A decimal's magnitude has its digits.
        let ty = match function.ret {
            TypeClass::Numeric if left_ty.class() == TypeClass::Numeric => left_ty,
            class => class.plain_type(),
        };
        let result = function::call(function, exprs, ty, whole);
        match function.ret {
            TypeClass::Json if name == "#>" => Ok(Expr { ty: left_ty, ..result }),
            // What PostgreSQL can do to JSONB only gives JSONB.
            TypeClass::Json => convert(result, Type::Jsonb, Degree::Implicit),
            _ => Ok(result),
        }
    }

    /// `||`
    pub(super) fn concat(&mut self, left: Bound, right: Bound, at: Span, whole: Span) -> Result<Expr, Diag> {
        let is_array = |bound: &Bound| bound.class() == Some(TypeClass::Array);
        if is_array(&left) || is_array(&right) {
            return self.array_concat(left, right, whole);
        }
        let is_blob = |bound: &Bound| bound.class() == Some(TypeClass::Blob);
        let blobs = is_blob(&left) || is_blob(&right);
        let open_or_blob = |bound: &Bound| bound.class().is_none_or(|class| class == TypeClass::Blob);
        if blobs && open_or_blob(&left) && open_or_blob(&right) {
            let left = self.coerce_class(left, TypeClass::Blob, Degree::Implicit)?;
            let right = self.coerce_class(right, TypeClass::Blob, Degree::Implicit)?;
            return Ok(function::call_named("||", vec![left, right], Type::Blob, whole));
        }
        if left.class() == Some(TypeClass::Json) && right.class() == Some(TypeClass::Json) {
            return joined_json(left.expr, right.expr, whole);
        }
        // Beside JSON a quoted text is JSON if it says so; beside a field, which may be a text, only if nothing else is meant.
        let joins =
            |one: &Bound, other: &Bound| one.class() == Some(TypeClass::Json) && says_json(other, is_field(&one.expr));
        if joins(&left, &right) || joins(&right, &left) {
            let left = self.coerce(left, Type::Json, Degree::Implicit)?;
            let right = self.coerce(right, Type::Json, Degree::Implicit)?;
            return joined_json(left, right, whole);
        }
        // One side must be a text (or a quoted one, or JSON that is read as text): 1 || 2 is no operator.
        let is_textual = |bound: &Bound| matches!(bound.class(), None | Some(TypeClass::Text | TypeClass::Json));
        if !is_textual(&left) && !is_textual(&right) {
            return Err(no_operator("||", &left, &right, at));
        }
        let left = self.coerce(left, Type::Text, Degree::Assignment)?;
        let right = self.coerce(right, Type::Text, Degree::Assignment)?;
        Ok(function::call_named("||", vec![left, right], Type::Text, whole))
    }

    /// `-x` and `+x`
    pub(super) fn negate(&mut self, operand: Bound, minus: bool, at: Span, whole: Span) -> Result<Expr, Diag> {
        let name = if minus { "-" } else { "+" };
        let class = match operand.class() {
            // Only numbers have this sign, and REAL is preferred among them; the other one intervals have too.
            None if !minus => TypeClass::Real,
            None => {
                let diag = Diag::new(code::AMBIGUOUS_FUNCTION, format!("operator is not unique: {name} unknown"), at);
                return Err(diag.help("say the type of the operand with a cast"));
            }
            Some(TypeClass::Json) => TypeClass::Real,
            Some(
                class @ (TypeClass::Integer
                | TypeClass::Real
                | TypeClass::Numeric
                | TypeClass::BigNumeric
                | TypeClass::Interval),
            ) => class,
            Some(class) => {
                let message = format!("operator does not exist: {name} {class}");
                let help = "only numbers and intervals have a sign";
                return Err(Diag::new(code::UNDEFINED_FUNCTION, message, at).help(help));
            }
        };
        let mut operand = self.coerce_class(operand, class, Degree::Implicit)?;
        if !minus {
            operand.span = whole;
            return Ok(operand);
        }
        let ty = operand.ty;
        Ok(super::constant::fold(function::call_named("-", vec![operand], ty, whole)))
    }
}

/// `||` of JSON, which is JSONB.
fn joined_json(left: Expr, right: Expr, whole: Span) -> Result<Expr, Diag> {
    let joined = function::call_named("||", vec![left, right], Type::Json, whole);
    convert(joined, Type::Jsonb, Degree::Implicit)
}

/// Is it a field of a document, which is read as a number or a text beside one?
fn is_field(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Call { function, .. } if is_json_step(function.name))
}

/// Does the function take something out of a JSON?
pub(super) fn is_json_step(name: &str) -> bool {
    matches!(name, "$json_get" | "$json_field" | "$json_item" | "$jsonb_item")
}

/// Is what has no type yet JSON beside JSON? Beside JSONB it is; beside a field that `->` takes of it, if it is JSON. Beside what may be
/// the field of a document, which is read as a text, only if nothing else can be meant: `doc.phone = '123'` compares texts.
pub(super) fn is_json_beside(json: &Expr, other: &Bound) -> bool {
    let is_binary = json.ty == Type::Jsonb;
    if is_binary && !is_field(json) {
        return true;
    }
    let (Some(Open::Text), Some(Value::Text(text))) = (other.open, literal::value(&other.expr)) else { return false };
    let may_be_text = !is_binary && (is_field(json) || matches!(json.kind, ExprKind::Column(_)));
    (!may_be_text || text.trim_start().starts_with(['{', '[', '"'])) && spectradb_kernel::func::json::is_json(text)
}

/// Is a quoted text JSON? An array or an object, where anything else may be meant as a text.
fn says_json(bound: &Bound, only_nested: bool) -> bool {
    let (Some(Open::Text), Some(Value::Text(text))) = (bound.open, literal::value(&bound.expr)) else { return false };
    let nested = text.trim_start().starts_with(['{', '[']);
    (nested || !only_nested) && spectradb_kernel::func::json::is_json(text)
}

/// The narrower type that both operands are of, and so the result: an INT4 and a SMALLINT make an INT4. A number that is
/// written out is an INTEGER.
fn narrower(left: &Bound, right: &Bound) -> Option<Type> {
    let narrow = |bound: &Bound| match (bound.open, bound.expr.ty) {
        (None, ty @ (Type::SmallInt | Type::Int4 | Type::Float4)) => Some(ty),
        _ => None,
    };
    match (narrow(left)?, narrow(right)?) {
        (a, b) if a == b => Some(a),
        (Type::SmallInt | Type::Int4, Type::SmallInt | Type::Int4) => Some(Type::Int4),
        _ => None,
    }
}

/// An integer of fewer bits, shifted: the count is taken modulo 32 and what passes the highest bit is lost, the sign too.
fn shifted(name: &str, bits: Expr, count: Expr, ty: Type, span: Span) -> Expr {
    let number = |value: i64| Expr::constant(Value::Integer(value), Type::Integer, span);
    let of = |name: &str, args| function::call_named(name, args, Type::Integer, span);
    let moved = of(name, vec![bits, of("&", vec![count, number(31)])]);
    if name == ">>" {
        return moved;
    }
    let beyond = if ty == Type::Int4 { 32 } else { 48 };
    of(">>", vec![of("<<", vec![moved, number(beyond)]), number(beyond)])
}

/// The classes of an operator beside an operand without a type: that of the other one if there is such an operator, else
/// the only one that is there for it.
fn guessed(name: &str, known: TypeClass, is_left: bool) -> Option<(TypeClass, TypeClass)> {
    if function::find(name, &[known, known]).is_some() {
        return Some((known, known));
    }
    let mut found = function::overloads(name).iter().filter(|function| match function.args {
        [left, right] => *(if is_left { left } else { right }) == known,
        _ => false,
    });
    let first = found.next()?;
    let Some(second) = found.next() else { return Some((first.args[0], first.args[1])) };
    // A stretch of time is meant rather than a day, as in PostgreSQL.
    let mut all = [first, second].into_iter().chain(found);
    all.find(|function| function.args[usize::from(is_left)] == TypeClass::Interval)
        .map(|function| (function.args[0], function.args[1]))
}

/// The class of an open operand beside one: a quoted number that 38 digits are not enough for, or NaN, is a NUMERIC without
/// digits beside a decimal.
pub(super) fn beside(class: TypeClass, open: &Bound) -> TypeClass {
    match (class, open.open, literal::value(&open.expr)) {
        (TypeClass::Numeric, Some(Open::Text), Some(Value::Text(text)))
            if literal::decimal(text).is_none() && text.parse::<BigNumeric>().is_ok() =>
        {
            TypeClass::BigNumeric
        }
        _ => class,
    }
}

/// A constant without digits beside a decimal or an integer that it is compared with: where it fits 38 digits it is a decimal,
/// so that the other one's key and bounds can be asked for it.
fn shortened(bound: Bound, other: &Bound) -> Bound {
    if !matches!(other.class(), Some(TypeClass::Numeric | TypeClass::Integer)) {
        return bound;
    }
    match literal::value(&bound.expr) {
        Some(Value::BigNumeric(number)) if let Some(decimal) = number.to_decimal() => {
            Bound::known(Expr::constant(Value::Numeric(decimal), literal::type_of(decimal), bound.span()))
        }
        _ => bound,
    }
}

/// The widest NUMERIC of a scale.
fn widest(ty: Type) -> Type {
    Type::Numeric { precision: NUMERIC_PRECISION_MAX, scale: ty.scale() }
}

/// Two CHARs of one length, or one and a quoted text that fits in it, compare as they lie: both end in blanks that do not
/// count. So a CHAR can be looked up in a key.
fn padded(left: &Bound, right: &Bound) -> Option<(Expr, Expr)> {
    let as_char = |bound: &Bound, length: u32| -> Option<Expr> {
        let Some(Value::Text(text)) = literal::value(&bound.expr) else { return None };
        let trimmed = text.trim_end_matches(' ');
        let blanks = (length as usize).checked_sub(trimmed.chars().count())?;
        let padded = format!("{trimmed}{}", " ".repeat(blanks));
        Some(Expr::constant(Value::Text(padded), Type::Text, bound.span()))
    };
    match (left.open, left.expr.ty, right.open, right.expr.ty) {
        (None, a @ Type::Char { .. }, None, b) if a == b => Some((left.expr.clone(), right.expr.clone())),
        (None, Type::Char { length }, Some(Open::Text), _) => Some((left.expr.clone(), as_char(right, length)?)),
        (Some(Open::Text), _, None, Type::Char { length }) => Some((as_char(left, length)?, right.expr.clone())),
        _ => None,
    }
}

/// Two decimals with one scale.
fn align(left: Expr, right: Expr) -> Result<(Expr, Expr), Diag> {
    let scale = left.ty.scale().max(right.ty.scale());
    let one = |expr: Expr| {
        let Type::Numeric { precision, scale: own } = expr.ty else { unreachable!("decimals are aligned") };
        if own == scale {
            return Ok(expr);
        }
        let precision = (precision - own + scale).min(NUMERIC_PRECISION_MAX);
        convert(expr, Type::Numeric { precision, scale }, Degree::Implicit)
    };
    Ok((one(left)?, one(right)?))
}

fn digits_of(ty: Type) -> (u8, u8) {
    match ty {
        Type::Numeric { precision, scale } => (precision, scale),
        _ => unreachable!("an operand of decimal arithmetic is a decimal"),
    }
}

/// Products are exact: their digits after the point are those of both operands. A value of more than 38 digits is an error
/// (22003) where it is computed; where more than 38 stand after the point, the product is a NUMERIC without digits.
fn product(left: Expr, right: Expr, whole: Span) -> Result<Expr, Diag> {
    let ((p, s), (q, t)) = (digits_of(left.ty), digits_of(right.ty));
    if s + t > NUMERIC_PRECISION_MAX {
        let left = convert(left, Type::BigNumeric, Degree::Implicit)?;
        let right = convert(right, Type::BigNumeric, Degree::Implicit)?;
        return Ok(function::call_named("*", vec![left, right], Type::BigNumeric, whole));
    }
    let ty = Type::Numeric { precision: (p + q).min(NUMERIC_PRECISION_MAX), scale: s + t };
    Ok(function::call_named("*", vec![left, right], ty, whole))
}

fn quotient(left: Expr, right: Expr, whole: Span) -> Expr {
    let ((_, s), (_, t)) = (digits_of(left.ty), digits_of(right.ty));
    let scale = NUMERIC_WIDE.scale().max(s).max(t);
    let shift = literal::integer(i64::from(scale) - i64::from(s) + i64::from(t), whole);
    let ty = Type::Numeric { precision: NUMERIC_PRECISION_MAX, scale };
    function::call_named("$numeric_div", vec![left, right, shift], ty, whole)
}
