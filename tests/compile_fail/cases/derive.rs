//! Structs that are no tables.

use spectradb::Table;

#[derive(Table)]
struct NoKey {
    id: i64,
}

#[derive(Table)]
struct NullableKey {
    #[key]
    id: Option<i64>,
}

#[derive(Table)]
struct OddType {
    #[key]
    id: i64,
    size: u32,
}

#[derive(Table)]
#[table(nane = "odd")]
struct OddOption {
    #[key]
    id: i64,
}

#[derive(Table)]
struct Tuple(i64);

fn main() {}
