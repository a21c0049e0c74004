//! Would a text be a value of a type, and what would be said if not?
//!
//! A conversion of a text is a chain of calls: a cast, and what narrows its result. The binder hands the chain over as one
//! text, the *recipe* ([`Step`] writes it), and the trial runs it on a row of one, so that it hears what the conversion itself
//! would say. So a text can be asked about without an error that ends the statement (`pg_input_is_valid`, `JSON_VALUE`).
//!
//! Holds: a trial never fails; a recipe that is none is a bug of the binder and counts as a fault.
//! Not here: which calls a conversion has (`grammar::bind::convert`).

use super::{Function, RowFault, lift::functions, overloads};
use crate::{column::Column, ty::Type, ty::TypeClass, value::Value};
use std::fmt::Write as _;

/// One call of a recipe: a function of a value and of some whole numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The function.
    pub function: &'static Function,
    /// Its arguments behind the value.
    pub numbers: Vec<i64>,
}

/// Writes a recipe: `$cast>integer;$fit_integer>integer 16`.
pub fn recipe(steps: &[Step]) -> String {
    let mut written = String::new();
    for (at, step) in steps.iter().enumerate() {
        if at > 0 {
            written.push(';');
        }
        written.push_str(step.function.name);
        written.push('>');
        written.push_str(step.function.ret.name());
        for number in &step.numbers {
            let written_to_a_string = write!(written, "\u{1f}{number}");
            debug_assert!(written_to_a_string.is_ok(), "a String takes all");
        }
    }
    written
}

/// Runs a recipe: the value, the fault that ended it, or nothing where the recipe is none.
fn run(text: &str, recipe: &str) -> Option<Result<Value, RowFault>> {
    let mut value = Column::constant(Type::Text, Value::Text(text.to_owned()), 1);
    for step in recipe.split(';').filter(|step| !step.is_empty()) {
        let mut parts = step.split('\u{1f}');
        let (name, ret) = parts.next()?.split_once('>')?;
        let mut columns = vec![value];
        for number in parts {
            columns.push(Column::constant(Type::Integer, Value::Integer(number.parse().ok()?), 1));
        }
        let classes: Vec<TypeClass> = columns.iter().map(|column| column.ty().class()).collect();
        let function = overloads(name).find(|function| function.args == classes && function.ret.name() == ret)?;
        value = match (function.batch)(&columns, 1) {
            Ok(value) => value,
            Err(fault) => return Some(Err(fault)),
        };
    }
    Some(Ok(value.value(0)))
}

/// Does the text become a value?
pub fn is_value(text: &str, recipe: &str) -> bool {
    matches!(run(text, recipe), Some(Ok(_)))
}

/// The message of the conversion that fails; nothing where there is a value.
pub fn message(text: &str, recipe: &str, out: &mut String) -> bool {
    match run(text, recipe) {
        Some(Err(fault)) => {
            out.push_str(&fault.message());
            true
        }
        Some(Ok(_)) | None => false,
    }
}

/// The SQLSTATE of the conversion that fails; nothing where there is a value.
pub fn sqlstate(text: &str, recipe: &str, out: &mut String) -> bool {
    match run(text, recipe) {
        Some(Err(fault)) => {
            out.push_str(fault.sqlstate());
            true
        }
        Some(Ok(_)) | None => false,
    }
}

functions! { "func::trial";
    "$is_value" (Text, Text) -> Boolean, Total, is_value, "Does a text become a value by a recipe of conversions?";
    "$fault_message" (Text, Text) -> Text, Partial, message, "What a recipe of conversions says of a text; NULL where it becomes a value.";
    "$fault_code" (Text, Text) -> Text, Partial, sqlstate, "The SQLSTATE with which a recipe of conversions refuses a text; NULL where it becomes a value.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::func::{cast, find};

    #[test]
    fn a_trial_says_what_the_conversion_would() {
        let cast = cast(TypeClass::Text, TypeClass::Integer).expect("texts are read");
        let fit = find("$fit_integer", &[TypeClass::Integer, TypeClass::Integer]).expect("integers are narrowed");
        let small = recipe(&[Step { function: cast, numbers: Vec::new() }, Step { function: fit, numbers: vec![16] }]);
        assert_eq!(small, "$cast>integer;$fit_integer>integer\u{1f}16");
        assert!(is_value("12", &small) && is_value("anything", ""));
        let said = |text| {
            let (mut words, mut code) = (String::new(), String::new());
            assert_eq!(message(text, &small, &mut words), !is_value(text, &small));
            assert_eq!(sqlstate(text, &small, &mut code), !is_value(text, &small));
            (code, words)
        };
        assert_eq!(said("40000"), ("22003".to_owned(), "smallint out of range".to_owned()));
        assert_eq!(said("x"), ("22P02".to_owned(), "invalid input syntax for type integer: \"x\"".to_owned()));
        assert_eq!(said("7"), (String::new(), String::new()));
        assert!(!is_value("7", "$nothing>integer"));
    }
}
