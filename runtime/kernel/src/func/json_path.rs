//! What does a path expression of SQL/JSON find in a value?
//!
//! `$.items[*] ? (@.price > 10).name`: members, elements and ranges of them, wildcards, levels (`.**{1 to 2}`), filters with
//! comparisons, AND, OR, NOT, `exists`, `starts with` and `like_regex`, arithmetic, and the methods `size()`, `type()`,
//! `double()`, `abs()`, `floor()`, `ceiling()` and `keyvalue()`, those that make values of other types (`convert`) and those of dates
//! and times (`moment`). `$name` is a field of the object of variables. Whether what is not
//! there is a fault, and of which kind, is told in `look`; a silent call gives nothing then.
//!
//! A function that may have no value and may fail gives an array of JSON: `[true]`, `[false]`, or `[]`; the binder takes
//! its first element.
//! Holds: a date or time is an item of a kind of its own only within a path, and a string outside; a path is read once more for each row, but in one pass; reading and looking nest no deeper than 64 levels.

use super::{Fault, json_tree::Tree, lift::functions};
use look::{Look, Stop};
use std::cell::RefCell;

mod convert;
mod look;
pub(super) mod moment;
mod read;

pub(super) type Found<'t> = (Vec<Tree<'t>>, Option<Fault>);

/// What is found, and the fault that ended it; a fault of the path itself is none of these. The zone is that of what has none,
/// or empty where none is known.
pub(super) fn found<T>(
    json: &str,
    path: &str,
    variables: &str,
    zone: &str,
    then: impl FnOnce(bool, Found<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let path = read::path(path).ok_or(Fault::InvalidArgument)?;
    let (root, variables) = (Tree::read(json), Tree::read(variables));
    if !matches!(variables, Tree::Object(_)) {
        return Err(Fault::PathVariables);
    }
    let zone = (!zone.is_empty()).then_some(zone);
    let (mut found, walked) =
        (Look { path: &path, root: &root, variables: &variables, zone, pace: RefCell::default() }).all();
    found.iter_mut().for_each(moment::settle);
    match walked {
        Err(Stop::Hard(fault)) => Err(fault),
        Err(Stop::Soft(fault)) => then(path.strict, (found, Some(fault))),
        Ok(()) => then(path.strict, (found, None)),
    }
}

fn tell(is: Result<Option<bool>, Fault>, out: &mut String) -> Fault {
    match is {
        Ok(is) => {
            out.push_str(match is {
                Some(true) => "[true]",
                Some(false) => "[false]",
                None => "[]",
            });
            Fault::Ok
        }
        Err(fault) => fault,
    }
}

/// `[true]` where the path finds something; `[]` where it cannot be told and the call is silent.
pub fn exists(json: &str, path: &str, variables: &str, silent: bool, zone: &str, out: &mut String) -> Fault {
    tell(
        found(json, path, variables, zone, |strict, (found, fault)| match fault {
            // The first that is found is enough in lax mode.
            Some(_) if !strict && !found.is_empty() => Ok(Some(true)),
            Some(_) if silent => Ok(None),
            Some(fault) => Err(fault),
            None => Ok(Some(!found.is_empty())),
        }),
        out,
    )
}

/// `[true]` where the test that the path is holds; `[]` where it is unknown, or no test and the call is silent.
pub fn matches(json: &str, path: &str, variables: &str, silent: bool, zone: &str, out: &mut String) -> Fault {
    tell(
        found(json, path, variables, zone, |_, (found, fault)| match (fault, found.as_slice()) {
            (Some(fault), _) if !silent => Err(fault),
            (None, [Tree::Leaf(text)]) if matches!(text.as_ref(), "true" | "false" | "null") => {
                Ok((text != "null").then(|| text == "true"))
            }
            (_, _) if silent => Ok(None),
            (_, _) => Err(Fault::PathNoTest),
        }),
        out,
    )
}

/// All that the path finds, as an array.
pub fn query(json: &str, path: &str, variables: &str, silent: bool, zone: &str, out: &mut String) -> Fault {
    let printed = found(json, path, variables, zone, |_, (found, fault)| match fault {
        Some(fault) if !silent => Err(fault),
        Some(_) | None => {
            Tree::Array(found).write(out);
            Ok(())
        }
    });
    printed.err().unwrap_or(Fault::Ok)
}

functions! { "func::json_path";
    "$path_exists" (Json, Text, Json, Boolean, Text) -> Json, Fallible, exists, "Does a path of SQL/JSON find anything?";
    "$path_match" (Json, Text, Json, Boolean, Text) -> Json, Fallible, matches, "Does the test hold that a path of SQL/JSON is?";
    "$path_query" (Json, Text, Json, Boolean, Text) -> Json, Fallible, query, "All that a path of SQL/JSON finds, as an array.";
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOC: &str = r#"{"items": [{"name": "tea", "price": 3}, {"name": "cup", "price": 12.5}], "n": null, "k": 2}"#;

    fn items(path: &str) -> Result<String, Fault> {
        let mut out = String::new();
        match query(DOC, path, "{}", false, "", &mut out) {
            Fault::Ok => Ok(out),
            fault => Err(fault),
        }
    }

    #[test]
    fn paths_find_what_they_name() {
        let expected = [
            ("$.k", "[2]"),
            ("$.items[*].name", r#"["tea", "cup"]"#),
            ("$.items.name", r#"["tea", "cup"]"#),
            ("$.items[last].price", "[12.5]"),
            ("$.items[0 to 1].price", "[3, 12.5]"),
            ("$.items[last - 1, 0.9].price", "[3, 3]"),
            ("$.items[*] ? (@.price > 10).name", r#"["cup"]"#),
            ("$.items[*] ? (@.name starts with \"t\" || @.price < 1).price", "[3]"),
            ("$.items[*] ? (@.name like_regex \"^C\" flag \"i\").name", r#"["cup"]"#),
            ("$.items[*] ? (exists(@.price) && !(@.price == 3)).name", r#"["cup"]"#),
            ("$.items.size()", "[2]"),
            ("$.n.type()", r#"["null"]"#),
            ("$.k > 1", "[true]"),
            ("$.k > \"x\"", "[null]"),
            ("$.*[*] ? (@ == 2)", "[2]"),
            ("$.** ? (@ == 12.50)", "[12.5]"),
            ("$.**{2 to 3}.price", "[3, 12.5]"),
            ("$.k * 2 + 1 - -$.k", "[7]"),
            ("($.k == 2).type()", r#"["boolean"]"#),
            ("$.items[1].keyvalue().key", r#"["name", "price"]"#),
            ("$.x", "[]"),
            ("\"7\".bigint() + \"2.50\".decimal(3, 1)", "[9.5]"),
            ("\"2024-2-29 10:00:00.25\".datetime()", r#"["2024-02-29T10:00:00.25"]"#),
            ("\"10:00:00 +2\".datetime() < \"09:00:00Z\".time_tz()", "[true]"),
            ("\"29.02.2024\".datetime(\"DD.MM.YYYY\").type()", r#"["date"]"#),
        ];
        for (path, items_found) in expected {
            assert_eq!(items(path).as_deref(), Ok(items_found), "{path}");
        }
    }

    #[test]
    fn a_strict_path_fails_where_the_value_is_otherwise() {
        let expected = [
            ("strict $.items.name", Fault::PathMember),
            ("strict $.x", Fault::PathMember),
            ("strict $.k[0]", Fault::PathArray),
            ("strict $.items[2]", Fault::PathSubscript),
            ("strict $.k.*", Fault::PathObject),
            ("$.items[\"a\"]", Fault::PathSubscript),
            ("$.n + 1", Fault::PathSingle),
            ("$.k / 0", Fault::DivisionByZero),
            ("-$.n", Fault::PathNumber),
            ("$.n.abs()", Fault::PathNoNumber),
            ("$.k + $v", Fault::PathVariable),
            ("$.k.datetime()", Fault::PathDatetime),
            ("\"10:00:00\".date()", Fault::PathDatetime),
            ("\"2024\".datetime(\"YYYY-MM\")", Fault::InvalidDatetime),
            ("\"2024-02-29\".timestamp_tz()", Fault::PathZone),
            ("$.n.string()", Fault::PathNoValue),
        ];
        for (path, fault) in expected {
            assert_eq!(items(path), Err(fault), "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in
            ["", "$.", "$[", "$ ? (", "$.a ?? ", "x", "$.a.b()", "$ ? (@ == )", "@.a", "last", "$ ? (@.a)", "1a"]
        {
            assert_eq!(items(path), Err(Fault::InvalidArgument), "{path}");
        }
        let deep = format!("$ ? {}@ == 1{}", "(".repeat(1000), ")".repeat(1000));
        assert_eq!(items(&deep), Err(Fault::InvalidArgument));
    }
}
