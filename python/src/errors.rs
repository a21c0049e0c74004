//! Which Python exception is which failure?
//!
//! By the SQLSTATE's class: 22 is a `DataError`, 23 an `IntegrityError`, 25 and 40 a `TransactionError`, 42 a
//! `ProgrammingError`, all else an `OperationalError`. Each carries `sqlstate`, `message`, `help`, `line` and `column`.

use pyo3::{create_exception, exceptions::PyException, prelude::*};
use spectradb::embed;

create_exception!(spectradb, Error, PyException, "A failure; the base of all others.");
create_exception!(spectradb, ProgrammingError, Error, "The statement is wrong.");
create_exception!(spectradb, IntegrityError, Error, "A key is taken or a NULL is not allowed.");
create_exception!(spectradb, DataError, Error, "A value is wrong.");
create_exception!(spectradb, TransactionError, Error, "The transaction cannot go on.");
create_exception!(spectradb, OperationalError, Error, "The system or a file is in the way.");

/// Adds the exceptions to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("Error", py.get_type::<Error>())?;
    module.add("ProgrammingError", py.get_type::<ProgrammingError>())?;
    module.add("IntegrityError", py.get_type::<IntegrityError>())?;
    module.add("DataError", py.get_type::<DataError>())?;
    module.add("TransactionError", py.get_type::<TransactionError>())?;
    module.add("OperationalError", py.get_type::<OperationalError>())
}

/// The exception for an error.
pub(crate) fn raise(py: Python<'_>, error: &embed::Error) -> PyErr {
    let text = error.to_string();
    let exception = match &error.code()[..2] {
        "22" => DataError::new_err(text),
        "23" => IntegrityError::new_err(text),
        "25" | "40" => TransactionError::new_err(text),
        "42" | "21" | "0A" | "54" => ProgrammingError::new_err(text),
        _ => OperationalError::new_err(text),
    };
    match attach(py, &exception, error) {
        Ok(()) => exception,
        Err(failed) => failed,
    }
}

fn attach(py: Python<'_>, exception: &PyErr, error: &embed::Error) -> PyResult<()> {
    let value = exception.value(py);
    value.setattr("sqlstate", error.code())?;
    value.setattr("message", error.message())?;
    value.setattr("help", error.help())?;
    value.setattr("line", error.position().map(|position| position.line))?;
    value.setattr("column", error.position().map(|position| position.column))
}
