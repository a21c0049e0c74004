//! What does the compiler say when a typed query or table is wrong?
//!
//! Every case in `cases/` fails to compile with the text beside it: the SQL's line, column and caret are drawn, names get
//! suggestions, wrong arguments are the compiler's own mismatch. After a change of a message run the test with
//! `TRYBUILD=overwrite` and read the difference.

#[test]
fn mistakes_are_told() {
    trybuild::TestCases::new().compile_fail("cases/*.rs");
}
