//! What does a statement do with its query, or without one?
//!
//! Part of the contract of [`plan`](super).

use super::*;

/// What BEGIN says of the transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Begin {
    /// How it sees others.
    pub modes: TransactionModes,
    /// What is told of it.
    pub options: Vec<TransactionOption>,
    /// One row with the value of each option: TIMESTAMP of the system time, else TEXT.
    pub values: Option<QueryPlan>,
}

/// Something that BEGIN WITH tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionOption {
    /// Who does it.
    Actor,
    /// Why.
    Reason,
    /// The request that it belongs to.
    RequestId,
    /// A JSON object with anything else.
    Metadata,
    /// When it was recorded, where it is told afterwards.
    SystemTime,
    /// When its commit is acknowledged: `synced` or `none`.
    Durability,
}

/// The statements.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// Gives rows.
    Query(QueryPlan),
    /// New facts.
    Insert {
        /// Where.
        table: Arc<TableSchema>,
        /// Its fields: the table's columns that are not hidden, in order and of their types, then `_valid_from` and
        /// `_valid_to` (TIMESTAMP).
        source: QueryPlan,
        /// What becomes of the parts of new facts whose key is taken; an error (23505) where nothing is said.
        conflict: Option<Conflict>,
        /// What is given of each row that was written: see [`Returned`](self#returned).
        returning: Option<QueryPlan>,
    },
    /// Changed facts.
    Update {
        /// Where.
        table: Arc<TableSchema>,
        /// Its fields: all columns of the table as they are (hidden ones too), `_valid_from`, `_valid_to`, `_commit`, the
        /// origin; then all columns as they shall be; then others for `returning`.
        source: QueryPlan,
        /// The part of each fact that changes: TIMESTAMP expressions without columns; the whole fact where none.
        portion: Option<(Expr, Expr)>,
        /// May a fact come more than once? Then its first row counts.
        joined: bool,
        /// What is given of each row: the fact as it is now.
        returning: Option<QueryPlan>,
    },
    /// Ended facts.
    Delete {
        /// Where.
        table: Arc<TableSchema>,
        /// Its fields: all columns of the table (hidden ones too), `_valid_from`, `_valid_to`, `_commit`, the origin; then
        /// others for `returning`.
        source: QueryPlan,
        /// The part of each fact that ends; the whole fact where none.
        portion: Option<(Expr, Expr)>,
        /// May a fact come more than once? Then its first row counts.
        joined: bool,
        /// What is given of each row: the fact as it was.
        returning: Option<QueryPlan>,
    },
    /// Facts that are changed, ended or new, as rows of a source have partners among them or not.
    Merge {
        /// Where.
        table: Arc<TableSchema>,
        /// Its last field says which of `actions` a row is for, from 0; NULL for none.
        source: QueryPlan,
        /// The part of each fact that changes or ends; the whole fact where none.
        portion: Option<(Expr, Expr)>,
        /// What is done. A fact for which it is done twice is an error (21000).
        actions: Vec<MergeAction>,
        /// What is given of each row.
        returning: Option<QueryPlan>,
    },
    /// Changes of one state of the database, and what becomes of the rows that they return.
    With {
        /// INSERT, UPDATE, DELETE or MERGE, or a query that is computed once, in the order of the text. What one reads of an
        /// earlier one is [`NodeKind::Given`].
        changes: Vec<Statement>,
        /// A query or a change, which reads the state before them all.
        body: Box<Statement>,
    },
    /// All current facts of tables end.
    Truncate {
        /// The tables, each with the facts as [`Statement::Delete`] has them.
        tables: Vec<(Arc<TableSchema>, QueryPlan)>,
    },
    /// A new table with a query's rows.
    CreateTableAs {
        /// Its shape, with id 0 and version 0.
        table: TableSchema,
        /// Does it exist already (and `IF NOT EXISTS` was said)?
        exists: bool,
        /// Its rows, as [`Statement::Insert`] has them; none where only the shape is wanted.
        source: Option<QueryPlan>,
    },
    /// A new table; ids and versions are given by the store.
    CreateTable {
        /// Its shape, with id 0 and version 0.
        table: TableSchema,
        /// Is it no error if it exists?
        if_not_exists: bool,
        /// Does it exist already (and `if_not_exists` was said)?
        exists: bool,
    },
    /// Tables go. Names that do not exist (under IF EXISTS) are left out.
    DropTable {
        /// Which.
        tables: Vec<Arc<TableSchema>>,
    },
    /// A transaction begins.
    Begin(Box<Begin>),
    /// How the open transaction sees others.
    SetTransaction(TransactionModes),
    /// A point to come back to.
    Savepoint(String),
    /// What came after a savepoint becomes nothing.
    RollbackTo(String),
    /// A savepoint is forgotten.
    Release(String),
    /// Everything is compared with the ledger.
    VerifyLedger,
    /// The state of the ledger in a few bytes.
    Digest,
    /// It becomes a commit.
    Commit,
    /// It becomes nothing.
    Rollback,
    /// What would be done.
    Explain {
        /// What is explained.
        statement: Box<Statement>,
        /// How it is told. Only a query is analyzed.
        options: ExplainOptions,
    },
    /// What is asked of the session itself, and of the database as such.
    Session(Session),
    /// A prepared statement is run.
    Execute {
        /// Which.
        name: Name,
        /// Its one row holds the arguments; none where there are none.
        args: Option<QueryPlan>,
        /// The table that its rows make.
        into: Option<crate::ast::ExecuteInto>,
    },
    /// The tables' names.
    ShowTables,
    /// A table's columns.
    Describe(Arc<TableSchema>),
    /// A table's history is kept so long.
    SetRetention {
        /// Which.
        table: Arc<TableSchema>,
        /// Microseconds, not negative; for ever where none.
        retention: Option<i64>,
    },
    /// Every version of some keys goes for good, of each table that has or had the name.
    Erase {
        /// The tables: the present one first, then the dropped ones.
        tables: Vec<EraseFrom>,
    },
    /// A table's files, or all files, are compacted.
    Vacuum(Option<Arc<TableSchema>>),
    /// Rows of a file become facts.
    CopyFrom {
        /// Where to.
        table: Arc<TableSchema>,
        /// The columns that the file's columns are, where the statement names them; otherwise the file's header does, or all
        /// in order. Pseudo-columns `_valid_from` and `_valid_to` are allowed.
        columns: Option<Vec<CopyColumn>>,
        /// The file.
        path: String,
        /// Its form.
        format: CopyFormat,
    },
    /// Rows go to a file.
    CopyTo {
        /// Which rows. A whole table gives its columns, `_valid_from` and `_valid_to`.
        source: QueryPlan,
        /// The file.
        path: String,
        /// Its form.
        format: CopyFormat,
    },
}

/// What becomes of the parts of new facts whose key is taken. Each fact in the way is a row of its own, and what lies
/// between them is inserted.
#[derive(Clone, Debug, PartialEq)]
pub enum Conflict {
    /// They are left out.
    Nothing,
    /// The facts in the way change for these parts.
    Update(
        /// Over [`NodeKind::Given`] rows: the fact in the way as [`Statement::Delete`] has it, then the new fact as
        /// [`Statement::Insert`] has it, its period the part that the two share, and its number (INTEGER). Its fields:
        /// those of [`Statement::Update`], then the part (two TIMESTAMPs) that changes, then the number. What it gives for
        /// `returning` are the old values, which are NULL where a fact is new.
        Box<QueryPlan>,
    ),
}

/// What a MERGE does with rows of its source, which are handed in ([`NodeKind::Given`]).
#[derive(Clone, Debug, PartialEq)]
pub enum MergeAction {
    /// Facts change: fields as [`Statement::Update`] has them.
    Update(QueryPlan),
    /// Facts end: fields as [`Statement::Delete`] has them.
    Delete(QueryPlan),
    /// New facts: fields as [`Statement::Insert`] has them, then others for `returning`.
    Insert(QueryPlan),
}

/// What is asked of the session itself, and of the database as such. Which settings and prepared statements there are is
/// known to the session.
#[derive(Clone, Debug, PartialEq)]
pub enum Session {
    /// A setting is given a value; `None` is its default.
    Set {
        /// Which.
        name: Name,
        /// The value as written.
        value: Option<Name>,
        /// Until the transaction ends?
        local: bool,
        /// The name of the column that shows the new value, where `set_config` asks.
        shown: Option<String>,
    },
    /// A setting, or each, takes its default.
    Reset(Option<Name>),
    /// The value of a setting, or of each.
    Show(Option<Name>),
    /// Figures about the database.
    ShowStats,
    /// Figures about a table, or about each.
    ShowTableStats(Option<Arc<TableSchema>>),
    /// Figures about files.
    ShowStorage,
    /// A statement is kept under a name.
    Prepare {
        /// The name.
        name: Name,
        /// The parameters' types, as far as they are said.
        types: Vec<Type>,
        /// Where the statement stands in the text.
        statement: Span,
    },
    /// A prepared statement, or each, is forgotten.
    Deallocate(Option<Name>),
}

/// A column of a file that is copied in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyColumn {
    /// A column of the table by position in its schema.
    Data(usize),
    /// `_valid_from`
    ValidFrom,
    /// `_valid_to`
    ValidTo,
}

/// The form of a CSV file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyFormat {
    /// Is the first line a header? `None`: COPY FROM looks (the first line's fields are all column names), COPY TO writes
    /// one.
    pub header: Option<bool>,
    /// Between fields.
    pub delimiter: u8,
    /// The unquoted text that stands for NULL.
    pub null: String,
}

impl Statement {
    /// The query of RETURNING.
    pub fn returning(&self) -> Option<&QueryPlan> {
        match self {
            Statement::Insert { returning, .. }
            | Statement::Update { returning, .. }
            | Statement::Delete { returning, .. }
            | Statement::Merge { returning, .. } => returning.as_ref(),
            Statement::With { body, .. } => body.returning(),
            Statement::Query(_)
            | Statement::Truncate { .. }
            | Statement::Erase { .. }
            | Statement::CreateTableAs { .. }
            | Statement::CreateTable { .. }
            | Statement::DropTable { .. }
            | Statement::Begin(_)
            | Statement::SetTransaction(_)
            | Statement::Savepoint(_)
            | Statement::RollbackTo(_)
            | Statement::Release(_)
            | Statement::VerifyLedger
            | Statement::Digest
            | Statement::Commit
            | Statement::Rollback
            | Statement::Explain { .. }
            | Statement::Session(_)
            | Statement::Execute { .. }
            | Statement::ShowTables
            | Statement::Describe(_)
            | Statement::SetRetention { .. }
            | Statement::Vacuum(_)
            | Statement::CopyFrom { .. }
            | Statement::CopyTo { .. } => None,
        }
    }
}

/// What an ERASE takes from one table.
#[derive(Clone, Debug, PartialEq)]
pub struct EraseFrom {
    /// The table.
    pub table: Arc<TableSchema>,
    /// Was it dropped?
    pub is_dropped: bool,
    /// The keys, by their columns in the key's order; some may come many times.
    pub source: QueryPlan,
    /// The same over [`NodeKind::Given`] rows: facts that only the log still has. Their columns are the table's, hidden ones too,
    /// `_valid_from`, `_valid_to`, `_commit`, the origin, `_system_from` and `_system_to`.
    pub stated: QueryPlan,
}
