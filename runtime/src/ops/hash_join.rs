//! Which rows of two inputs belong together?

use super::Given;

/// Which rows without a partner a join keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JoinKind {
    /// None.
    Inner,
    /// Those of the left.
    Left,
    /// Those of the right.
    Right,
    /// All.
    Full,
}

/// What a join pairs and what it gives.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinSpec {
    /// Which rows without a partner stay.
    pub kind: JoinKind,
    /// The columns of the left input that it gives, first.
    pub left_out: Vec<Given>,
    /// The columns of the right input that it gives, behind them.
    pub right_out: Vec<Given>,
    /// Columns of the left and the right input that must be equal, of one type; NULL equals nothing.
    pub keys: Vec<(usize, usize)>,
    /// A point of the left that must lie in a period of the right.
    pub period: Option<PeriodColumns>,
}

/// `from <= point AND point < to`, all TIMESTAMP; NULL matches nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeriodColumns {
    /// A column of the left input.
    pub point: usize,
    /// A column of the right input.
    pub from: usize,
    /// A column of the right input.
    pub to: usize,
}
