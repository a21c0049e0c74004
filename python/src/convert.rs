//! How does a value cross between Python and SpectraDB?
//!
//! NUMERIC is `decimal.Decimal`, DATE `datetime.date`, TIMESTAMP an aware `datetime.datetime` in UTC whose extremes stand
//! for the infinities, JSON what the `json` module makes of it, an array a list of lists. Going in, `dict` and `list`
//! become JSON, from which an array reads its elements; a naive `datetime` is taken as UTC.

use pyo3::{
    exceptions::{PyOverflowError, PyTypeError},
    prelude::*,
    sync::PyOnceLock,
    types::{PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple, PyType},
};
use spectradb::embed::{BigNumeric, Date, Interval, Params, Time, Timestamp, TimestampTz, Uuid, Value};

/// The parameters of a statement, owned so that they outlive the interpreter lock.
pub(crate) enum OwnedParams {
    None,
    Positional(Vec<Value>),
    Named(Vec<(String, Value)>),
}

impl OwnedParams {
    /// Calls with the parameters as the engine takes them.
    pub(crate) fn lend<R>(&self, call: impl FnOnce(Params<'_>) -> R) -> R {
        match self {
            OwnedParams::None => call(Params::None),
            OwnedParams::Positional(values) => call(Params::Positional(values)),
            OwnedParams::Named(values) => {
                let named: Vec<(&str, Value)> =
                    values.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
                call(Params::Named(&named))
            }
        }
    }
}

/// A sequence (`$1`, `$2` ...), a mapping (`:name`) or nothing.
pub(crate) fn params_from(given: Option<&Bound<'_, PyAny>>) -> PyResult<OwnedParams> {
    let Some(given) = given.filter(|given| !given.is_none()) else { return Ok(OwnedParams::None) };
    if let Ok(mapping) = given.cast::<PyMapping>() {
        let mut named = Vec::new();
        for item in mapping.items()?.iter() {
            let (name, value): (String, Bound<'_, PyAny>) = item.extract()?;
            named.push((name, value_from(&value)?));
        }
        return Ok(OwnedParams::Named(named));
    }
    if given.is_instance_of::<PyString>() {
        return Err(PyTypeError::new_err("parameters are a sequence or a mapping, not a string"));
    }
    let values = given.try_iter()?.map(|value| value_from(&value?)).collect::<PyResult<Vec<Value>>>()?;
    Ok(OwnedParams::Positional(values))
}

/// A row as a tuple.
pub(crate) fn row_to_tuple(py: Python<'_>, values: Vec<Value>) -> PyResult<Bound<'_, PyTuple>> {
    let items = values.iter().map(|value| to_python(py, value)).collect::<PyResult<Vec<_>>>()?;
    PyTuple::new(py, items)
}

fn imported<'py>(
    py: Python<'py>,
    cell: &'static PyOnceLock<Py<PyType>>,
    module: &str,
    name: &str,
) -> PyResult<&'py Bound<'py, PyType>> {
    cell.import(py, module, name)
}

static DECIMAL: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static DATE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static DATETIME: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static TIME: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static UUID: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static TIMEDELTA: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static TIMEZONE: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// The ordinal that `datetime.date` gives 1970-01-01.
const EPOCH_ORDINAL: i64 = 719_163;

fn utc(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    imported(py, &TIMEZONE, "datetime", "timezone")?.getattr("utc")
}

fn epoch(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    imported(py, &DATETIME, "datetime", "datetime")?.call1((1970, 1, 1, 0, 0, 0, 0, utc(py)?))
}

/// `datetime.min` or `datetime.max` in UTC.
fn extreme<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let naive = imported(py, &DATETIME, "datetime", "datetime")?.getattr(name)?;
    let zone = PyDict::new(py);
    zone.set_item("tzinfo", utc(py)?)?;
    naive.call_method("replace", (), Some(&zone))
}

fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Boolean(value) => PyBool::new(py, *value).to_owned().into_any(),
        Value::Integer(value) => value.into_pyobject(py)?.into_any(),
        Value::Real(value) => PyFloat::new(py, *value).into_any(),
        Value::Numeric(value) => imported(py, &DECIMAL, "decimal", "Decimal")?.call1((value.to_string(),))?,
        Value::BigNumeric(value) => imported(py, &DECIMAL, "decimal", "Decimal")?.call1((value.to_string(),))?,
        Value::Text(value) => PyString::new(py, value).into_any(),
        Value::Blob(value) => PyBytes::new(py, value).into_any(),
        // As drivers of PostgreSQL do: the calendar's ends stand for the infinities.
        Value::Date(Date(i32::MIN)) => imported(py, &DATE, "datetime", "date")?.getattr("min")?,
        Value::Date(Date(i32::MAX)) => imported(py, &DATE, "datetime", "date")?.getattr("max")?,
        Value::Date(Date(days)) => {
            let ordinal = i64::from(*days) + EPOCH_ORDINAL;
            imported(py, &DATE, "datetime", "date")?
                .call_method1("fromordinal", (ordinal,))
                .map_err(|_| PyOverflowError::new_err(format!("{value} does not fit datetime.date")))?
        }
        Value::Timestamp(Timestamp(micros)) | Value::TimestampTz(TimestampTz(micros)) => match *micros {
            i64::MIN => extreme(py, "min")?,
            i64::MAX => extreme(py, "max")?,
            micros => epoch(py)?
                .call_method1("__add__", (timedelta(py, 0, micros)?,))
                .map_err(|_| PyOverflowError::new_err(format!("{value} does not fit datetime.datetime")))?,
        },
        Value::Time(Time(micros)) => {
            let seconds = micros / 1_000_000;
            let fields = (seconds / 3600, seconds / 60 % 60, seconds % 60, micros % 1_000_000);
            imported(py, &TIME, "datetime", "time")?
                .call1(fields)
                .map_err(|_| PyOverflowError::new_err(format!("{value} does not fit datetime.time")))?
        }
        // timedelta knows no months: they are 30 days, as where intervals are compared.
        Value::Interval(interval) => timedelta(py, interval.months() * 30 + interval.days(), interval.micros())?,
        Value::Uuid(uuid) => {
            let bits = PyDict::new(py);
            bits.set_item("int", uuid.0)?;
            imported(py, &UUID, "uuid", "UUID")?.call((), Some(&bits))?
        }
        Value::Json(text) => PyModule::import(py, "json")?.call_method1("loads", (text,))?,
        Value::Array(array) => {
            let lens: Vec<usize> = array.view().dimensions().map(|dimension| dimension.len as usize).collect();
            let mut items = array.view().values();
            nested_list(py, &lens, &mut items)?
        }
    })
}

/// The elements of an array as lists within lists.
fn nested_list<'py>(
    py: Python<'py>,
    lens: &[usize],
    items: &mut dyn Iterator<Item = Value>,
) -> PyResult<Bound<'py, PyAny>> {
    let list = PyList::empty(py);
    if let Some((len, inner)) = lens.split_first() {
        for _ in 0..*len {
            list.append(match inner {
                [] => to_python(py, &items.next().expect("dimensions hold the elements"))?,
                inner => nested_list(py, inner, items)?,
            })?;
        }
    }
    Ok(list.into_any())
}

fn timedelta(py: Python<'_>, days: i64, micros: i64) -> PyResult<Bound<'_, PyAny>> {
    let parts = PyDict::new(py);
    parts.set_item("days", days)?;
    parts.set_item("microseconds", micros)?;
    imported(py, &TIMEDELTA, "datetime", "timedelta")?.call((), Some(&parts))
}

fn value_from(given: &Bound<'_, PyAny>) -> PyResult<Value> {
    let py = given.py();
    if given.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(value) = given.cast::<PyBool>() {
        return Ok(Value::Boolean(value.is_true()));
    }
    if given.is_instance_of::<PyInt>() {
        let too_large = |_| PyOverflowError::new_err("an INTEGER has 64 bits; use decimal.Decimal for larger numbers");
        return given.extract::<i64>().map(Value::Integer).map_err(too_large);
    }
    if let Ok(value) = given.cast::<PyFloat>() {
        return Ok(Value::Real(value.value()));
    }
    if given.is_instance_of::<PyString>() {
        return Ok(Value::Text(given.extract()?));
    }
    if let Ok(bytes) = given.cast::<PyBytes>() {
        return Ok(Value::Blob(bytes.as_bytes().to_vec()));
    }
    if let Ok(bytes) = given.cast::<PyByteArray>() {
        return Ok(Value::Blob(bytes.to_vec()));
    }
    if given.is_instance(imported(py, &DECIMAL, "decimal", "Decimal")?)? {
        return decimal_from(given);
    }
    if given.is_instance(imported(py, &DATETIME, "datetime", "datetime")?)? {
        return timestamp_from(given);
    }
    if given.is_instance(imported(py, &DATE, "datetime", "date")?)? {
        let ordinal: i64 = given.call_method0("toordinal")?.extract()?;
        let days = i32::try_from(ordinal - EPOCH_ORDINAL).expect("datetime.date ends in the year 9999");
        return Ok(Value::Date(Date(days)));
    }
    if given.is_instance(imported(py, &TIME, "datetime", "time")?)? {
        let field = |name: &str| given.getattr(name)?.extract::<i64>();
        let seconds = (field("hour")? * 60 + field("minute")?) * 60 + field("second")?;
        return Ok(Value::Time(Time(seconds * 1_000_000 + field("microsecond")?)));
    }
    if given.is_instance(imported(py, &TIMEDELTA, "datetime", "timedelta")?)? {
        let field = |name: &str| given.getattr(name)?.extract::<i64>();
        let micros = field("seconds")? * 1_000_000 + field("microseconds")?;
        return Interval::new(0, field("days")?, micros)
            .map(Value::Interval)
            .ok_or_else(|| PyOverflowError::new_err("the timedelta does not fit INTERVAL"));
    }
    if given.is_instance(imported(py, &UUID, "uuid", "UUID")?)? {
        return Ok(Value::Uuid(Uuid(given.getattr("int")?.extract()?)));
    }
    if given.is_instance_of::<PyList>() || given.is_instance_of::<PyTuple>() {
        let json = PyModule::import(py, "json")?.call_method1("dumps", (written(given)?,))?;
        return Ok(Value::Json(json.extract()?));
    }
    if given.is_instance_of::<PyDict>() {
        return Ok(Value::Json(PyModule::import(py, "json")?.call_method1("dumps", (given,))?.extract()?));
    }
    let kind = given.get_type().name()?;
    Err(PyTypeError::new_err(format!("a parameter cannot be of type {kind}")))
}

/// The list with texts for what JSON has no form for: an array reads its elements from them.
fn written<'py>(given: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = given.py();
    let list = PyList::empty(py);
    for item in given.try_iter()? {
        let item = item?;
        if item.is_instance_of::<PyList>() || item.is_instance_of::<PyTuple>() {
            list.append(written(&item)?)?;
            continue;
        }
        match value_from(&item)? {
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Real(_) | Value::Text(_) | Value::Json(_) => {
                list.append(item)?;
            }
            value => list.append(value.to_string())?,
        }
    }
    Ok(list.into_any())
}

/// A decimal: of 38 digits where it has no more, else of any length.
fn decimal_from(given: &Bound<'_, PyAny>) -> PyResult<Value> {
    let text = given.str()?;
    let number: BigNumeric = text.to_str()?.parse().map_err(|_| {
        PyOverflowError::new_err(format!("{text} is no NUMERIC: it has too many digits, or is a signalling NaN"))
    })?;
    Ok(match number.to_decimal() {
        Some(decimal) => Value::Numeric(decimal),
        None => Value::BigNumeric(number),
    })
}

fn timestamp_from(given: &Bound<'_, PyAny>) -> PyResult<Value> {
    let py = given.py();
    let aware = if given.getattr("tzinfo")?.is_none() {
        let zone = PyDict::new(py);
        zone.set_item("tzinfo", utc(py)?)?;
        given.call_method("replace", (), Some(&zone))?
    } else {
        given.clone()
    };
    if aware.eq(extreme(py, "max")?)? {
        return Ok(Value::Timestamp(Timestamp(i64::MAX)));
    }
    if aware.eq(extreme(py, "min")?)? {
        return Ok(Value::Timestamp(Timestamp(i64::MIN)));
    }
    let delta = aware.call_method1("__sub__", (epoch(py)?,))?;
    let days: i64 = delta.getattr("days")?.extract()?;
    let seconds: i64 = delta.getattr("seconds")?.extract()?;
    let micros: i64 = delta.getattr("microseconds")?.extract()?;
    Ok(Value::Timestamp(Timestamp((days * 86_400 + seconds) * 1_000_000 + micros)))
}
