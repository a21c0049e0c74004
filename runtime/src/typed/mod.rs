//! How does a program use the database through its own types?
//!
//! [`table`] is tables as structs, [`stmt`] compiled queries, [`cursor`] their rows; [`row`], [`numeric`] and [`shape`] say
//! what fields and columns have to do with each other; [`stage`], [`fold`] and [`answers`] are what the generated loops
//! stand on; [`batch`] is many writes as one commit. Generated code comes here through `crate::private` only.

pub(crate) mod answers;
pub(crate) mod batch;
pub(crate) mod cursor;
pub(crate) mod fold;
pub(crate) mod numeric;
pub(crate) mod row;
pub(crate) mod shape;
pub(crate) mod stage;
pub(crate) mod stmt;
pub(crate) mod table;

pub use batch::WriteBatch;
pub use cursor::TypedRows;
pub use numeric::{Json, Numeric};
pub use shape::ColumnShape;
pub use table::{AsRow, At, Table};
