//! Which calls does the language offer beyond the kernel's tables?
//!
//! For the reference page (`docs/functions.md`), which is made of the kernel's tables and of this list. A test of the binder
//! holds that every name the binder knows by itself stands here.

/// Calls that the binder makes of others, and what each gives.
pub const FORMS: &[(&str, &str)] = &[
    ("coalesce(a, ...)", "The first value that is not NULL."),
    ("nvl(a, b), ifnull(a, b)", "The first of two that is not NULL."),
    ("nullif(a, b)", "NULL where both are equal, else the first."),
    ("greatest(a, ...), least(a, ...)", "The greatest or least value that is not NULL."),
    ("iif(condition, a, b), if(condition, a, b)", "The second where the first is true, else the third."),
    ("num_nulls(a, ...), num_nonnulls(a, ...)", "How many arguments are NULL, or are not."),
    ("pg_typeof(a), typeof(a)", "The name of the type."),
    ("concat(a, ...)", "All texts, one after the other; NULL is nothing."),
    ("concat_ws(separator, a, ...)", "All texts that are not NULL, with a separator between each two."),
    ("format(template, a, ...)", "A constant template with %s, %I and %L replaced by texts, names and literals."),
    ("quote_literal(a), quote_nullable(a)", "Any value as a literal of SQL; the second gives NULL as NULL."),
    (
        "now(), current_timestamp, localtimestamp, transaction_timestamp(), statement_timestamp(), clock_timestamp()",
        "The instant of the transaction's begin.",
    ),
    ("current_date, current_time, localtime", "The day and the time of day of that instant, in UTC."),
    ("current_commit()", "The number of the newest commit that the statement sees."),
    ("extract(field FROM a), date_part(field, a)", "A field of a date, a time, an instant or an interval."),
    ("age(a)", "The age of an instant or a date today."),
    (
        "date_add(timestamptz, interval [, zone]), date_subtract(..)",
        "The instant so much later or earlier by the clocks of a zone, or of the session's.",
    ),
    ("make_timestamp(year, month, day, hour, minute, second)", "The instant of its parts."),
    ("make_timestamptz(year, month, day, hour, minute, second [, zone])", "The instant of its parts in a time zone."),
    (
        "make_interval(years, months, weeks, days, hours, minutes, seconds)",
        "The interval of its parts; those left out are 0.",
    ),
    ("to_char(number, template)", "A number written by a template such as 'FM999,990.00'."),
    (
        "regexp_match(text, expression [, flags])",
        "What the groups of the first match matched, or the whole match; NULL where nothing matches.",
    ),
    ("array_position(array, element [, start])", "The subscript of the first such element, from a subscript on."),
    ("array_to_json(array [, in_lines])", "An array of JSON; TRUE puts each element on a line of its own."),
    ("row_to_json(table [, in_lines])", "A row as JSON; TRUE puts each field on a line of its own."),
    ("to_json(a), to_jsonb(a)", "Any value as JSON; a text becomes a string."),
    ("json_build_object(key, value, ...), jsonb_build_object(...)", "An object of keys and values."),
    ("json_build_array(value, ...), jsonb_build_array(...)", "An array of values."),
    (
        "json_object(key: value, ... [NULL ON NULL | ABSENT ON NULL] [WITH UNIQUE KEYS] [RETURNING type]), json_array(value, ...), json_array(query)",
        "The constructors of SQL/JSON: an object of members, an array of values or of a query's rows.",
    ),
    ("json_objectagg(key: value ...), json_arrayagg(value [ORDER BY ...] ...)", "The same as aggregates."),
    (
        "json_object(texts), jsonb_object(texts), json_object(keys, values), jsonb_object(keys, values)",
        "An object of arrays of texts.",
    ),
    ("json_scalar(a), json_serialize(json [RETURNING type])", "A value as a scalar of JSON; JSON as a text."),
    (
        "json_exists(json, path [PASSING a AS name, ...] [TRUE | FALSE | UNKNOWN | ERROR ON ERROR])",
        "Does a path of SQL/JSON find anything?",
    ),
    (
        "json_value(json, path [PASSING ...] [RETURNING type] [NULL | ERROR | DEFAULT a ON EMPTY] [... ON ERROR])",
        "The one scalar that a path finds, as a value of a type.",
    ),
    (
        "json_query(json, path [PASSING ...] [RETURNING type] [WITH [CONDITIONAL] WRAPPER] [KEEP | OMIT QUOTES] [... ON EMPTY] [... ON ERROR])",
        "The JSON that a path finds.",
    ),
    (
        "json_table(json, path [PASSING ...] COLUMNS (name type [PATH path] ..., name FOR ORDINALITY, name type EXISTS [PATH path], NESTED PATH path COLUMNS (...)))",
        "In FROM: a row for each item that a path finds, a column for each question to it.",
    ),
    (
        "json_extract_path(json, key, ...), jsonb_extract_path(...), json_extract_path_text(...), jsonb_extract_path_text(...)",
        "What is below the keys, as JSON or as its text.",
    ),
    (
        "jsonb_path_exists(json, path [, vars [, silent]]), jsonb_path_match(...), json @? path, json @@ path",
        "Does a path of SQL/JSON find anything, and does the test hold that it is? The fields of an object are its variables; silent, as the operators are, it is NULL where it would fail.",
    ),
    (
        "jsonb_path_query_array(json, path [, vars [, silent]]), jsonb_path_query_first(...)",
        "All that a path of SQL/JSON finds, as an array, or the first of it; NULL where it finds nothing.",
    ),
    (
        "jsonb_path_exists_tz(...), jsonb_path_match_tz(...), jsonb_path_query_array_tz(...), jsonb_path_query_first_tz(...)",
        "The same: a path has no instants, so no time zone.",
    ),
    ("current_user, session_user, user, current_role", "'spectradb': there are no users."),
    ("current_catalog, current_database()", "'spectradb': a session has one database."),
    ("current_schema", "`public`, the one set of tables that a database has."),
    ("setseed(x)", "What comes by chance in this thread follows from a number from -1 to 1."),
    ("array_shuffle(array), array_sample(array, count)", "The elements in an order by chance; so many of them."),
    ("normalize(text [, NFC | NFD | NFKC | NFKD])", "A text's normal form of Unicode."),
    ("is_normalized(text, form)", "x IS [NOT] [NFC | NFD | NFKC | NFKD] NORMALIZED."),
    (
        "substring_similar(text, pattern, character), substring(text SIMILAR pattern ESCAPE character), substring(text FROM pattern FOR character)",
        "What the middle of a pattern matches whose three parts the character and a quote separate.",
    ),
    ("is_json(text, kind)", "x IS [NOT] JSON [VALUE | SCALAR | ARRAY | OBJECT] [WITH UNIQUE KEYS]."),
    (
        "regexp_replace(text, pattern, by, start [, number [, flags]])",
        "With the match of a number from a character on replaced, or with all where the number is 0.",
    ),
    (
        "regexp_instr(text, pattern, start [, number [, end [, flags [, group]]]])",
        "At which character a match or a group of it begins, or where end is 1 the one behind it; 0 where there is none.",
    ),
    (
        "regexp_substr(text, pattern, start [, number [, flags [, group]]])",
        "The match of a number from a character on, or a group of it; NULL where there is none.",
    ),
    (
        "to_number(text, template)",
        "The number that a text holds, as a NUMERIC of the digits of a constant template such as '9G999D99'.",
    ),
    (
        "rank(x, ...) WITHIN GROUP (ORDER BY y, ...), dense_rank(...), percent_rank(...), cume_dist(...)",
        "The rank that a row with these values would have among those of the group.",
    ),
    (
        "json_to_record(json) AS x (a type, ...), jsonb_to_record(json), json_to_recordset(json), jsonb_to_recordset(json)",
        "In FROM: the fields of an object, or of each object of an array, as columns of these types.",
    ),
    (
        "json_populate_record(NULL::table, json), jsonb_populate_record(...), json_populate_recordset(...), jsonb_populate_recordset(...)",
        "In FROM: the same, as the columns of a table.",
    ),
    (
        "round(numeric [, digits]), trunc(numeric [, digits]), floor(numeric), ceil(numeric), ceiling(numeric)",
        "A decimal rounded, cut, or the nearest whole number below or above.",
    ),
    (
        "current_setting(name [, missing_ok])",
        "The value of one of the session's settings when the statement began; NULL for one that is missing where that is ok.",
    ),
    ("set_config(name, value, is_local)", "Refused: a query changes no settings; SET does."),
    ("pg_input_is_valid(text, type)", "Would a text be a value of the type that a constant names?"),
    (
        "pg_input_error_info(text, type)",
        "In FROM: message, detail, hint and sql_error_code of the error that the text would be; NULLs where it is a value.",
    ),
    ("pi()", "The ratio of a circle's length to its width."),
    ("version()", "The name and version of the database."),
];
