//! What does a statement say, before anything is known about tables?
//!
//! Contract. The parser builds these, the binder reads them. Every node that an error may point at carries its span. Names
//! are folded already (lower case unless quoted). Matches over these enums have no `_` arm.

mod change;
mod expr;
mod rows;

pub use change::{
    Assignment, ConflictUpdate, Delete, Insert, Merge, MergeAction, MergeRows, MergeWhen, OnConflict, Portion,
    Returning, Update, ValidPeriod,
};
pub use expr::{
    Among, BinaryOp, CallMore, Expr, ExprKind, Frame, FrameBound, FrameExclude, FrameUnit, IsTest, Over, ParamName,
    PeriodOp, Subscript, UnaryOp, WindowSpec,
};
pub use rows::{Literal, Literals, Rows};
pub(crate) use rows::{Mark, MarkKind};

use crate::span::Span;

/// A name as written, folded.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// The name: lower case unless it was quoted.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// A statement with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// What it says.
    pub kind: StatementKind,
    /// From its first to its last token, without the semicolon.
    pub span: Span,
}

/// The kinds of statement.
#[expect(clippy::large_enum_variant, reason = "there is one statement at a time")]
#[derive(Clone, Debug, PartialEq)]
pub enum StatementKind {
    /// `SELECT`, `VALUES`, `WITH ... SELECT`
    Query(Query),
    /// `INSERT INTO`
    Insert(Insert),
    /// `UPDATE`
    Update(Update),
    /// `DELETE FROM`
    Delete(Delete),
    /// `MERGE INTO`
    Merge(Merge),
    /// `TRUNCATE a, b`
    Truncate(Vec<Name>),
    /// `CREATE TABLE`
    CreateTable(CreateTable),
    /// `CREATE TABLE .. AS`, `SELECT .. INTO`
    CreateTableAs(CreateTableAs),
    /// `DROP TABLE [IF EXISTS] a, b`
    DropTable {
        /// The tables.
        names: Vec<Name>,
        /// Was `IF EXISTS` said?
        if_exists: bool,
    },
    /// `BEGIN [TRANSACTION | WORK] [modes] [WITH (..)]`, `START TRANSACTION ..`
    Begin(Begin),
    /// `SET TRANSACTION modes`
    SetTransaction(TransactionModes),
    /// `SAVEPOINT s`
    Savepoint(Name),
    /// `ROLLBACK [..] TO [SAVEPOINT] s`
    RollbackTo(Name),
    /// `RELEASE [SAVEPOINT] s`
    Release(Name),
    /// `VERIFY LEDGER`
    VerifyLedger,
    /// `DIGEST`
    Digest,
    /// `COMMIT [..]`, `END [..]`
    Commit,
    /// `ROLLBACK [..]`
    Rollback,
    /// `EXPLAIN [ANALYZE] [(options)] statement`
    Explain {
        /// What is explained.
        statement: Box<Statement>,
        /// How it is told.
        options: ExplainOptions,
    },
    /// What is asked of the session itself, and of the database as such.
    Session(SessionKind),
    /// `EXECUTE name [(args)]`
    Execute {
        /// The prepared statement.
        name: Name,
        /// Its arguments as the one row of a VALUES; none where there are none.
        args: Option<Query>,
        /// The table that its rows make: `CREATE TABLE t AS EXECUTE name`.
        into: Option<ExecuteInto>,
    },
    /// `SHOW TABLES`
    ShowTables,
    /// `DESCRIBE t`, `DESC t`
    Describe(Name),
    /// `ALTER TABLE t SET RETENTION ..`
    SetRetention {
        /// The table.
        table: Name,
        /// An INTERVAL; nothing where `NONE` was said.
        retention: Option<Expr>,
    },
    /// `ERASE FROM t WHERE ..`
    Erase {
        /// The table.
        table: Name,
        /// Its alias.
        alias: Option<Name>,
        /// `WHERE`
        filter: Expr,
    },
    /// `VACUUM`, `VACUUM t`
    Vacuum(Option<Name>),
    /// `SUMMARIZE t`, `SUMMARIZE query`: the table is the query `SELECT * FROM t`.
    Summarize(Query),
    /// `COPY`
    Copy(Copy),
}

/// How a plan is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExplainOptions {
    /// As JSON rather than text?
    pub json: bool,
    /// Is the query run, and what it took told?
    pub analyze: bool,
}

/// What is asked of the session itself, and of the database as such.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionKind {
    /// `SET name = value`
    Set {
        /// The setting.
        name: Name,
        /// The value: a number, a text or a word as written; `None` for DEFAULT.
        value: Option<Name>,
        /// `LOCAL`: until the transaction ends?
        local: bool,
    },
    /// `RESET name`; `None` for ALL.
    Reset(Option<Name>),
    /// `SHOW name`; `None` for ALL.
    Show(Option<Name>),
    /// `SHOW STATS`
    ShowStats,
    /// `SHOW TABLE STATS [t]`
    ShowTableStats(Option<Name>),
    /// `SHOW STORAGE`
    ShowStorage,
    /// `PREPARE name [(types)] AS statement`
    Prepare {
        /// What it is called.
        name: Name,
        /// The parameters' types, as far as they are said.
        types: Vec<TypeName>,
        /// Where the statement stands: an INSERT, UPDATE, DELETE or query.
        statement: Span,
    },
    /// `DEALLOCATE name`; `None` for ALL.
    Deallocate(Option<Name>),
}

/// A query: a body with what stands around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// `WITH` parts, in order.
    pub with: Vec<Cte>,
    /// The body.
    pub body: SetExpr,
    /// `ORDER BY`
    pub order_by: Vec<OrderItem>,
    /// `LIMIT`, `FETCH FIRST`; `LIMIT ALL` is none.
    pub limit: Option<Expr>,
    /// `WITH TIES`: rows equal to the last one in the order come, too.
    pub with_ties: bool,
    /// `OFFSET`
    pub offset: Option<Expr>,
    /// Short scopes that stand at the very end or after a set operation: they govern all arms and all that is nested.
    pub scopes: Scopes,
    /// Where it stands.
    pub span: Span,
}

impl Query {
    /// A body with nothing around it.
    pub fn of(body: SetExpr, span: Span) -> Query {
        Query {
            with: Vec::new(),
            body,
            order_by: Vec::new(),
            limit: None,
            with_ties: false,
            offset: None,
            scopes: Scopes::default(),
            span,
        }
    }
}

impl Select {
    /// All columns of a FROM that is yet empty.
    pub fn of_all(span: Span) -> Select {
        Select {
            distinct: Distinct::No,
            items: vec![SelectItem::Wildcard(span, StarChanges::default())],
            from: Vec::new(),
            filter: None,
            group_by: GroupBy::Items { items: Vec::new(), distinct: false },
            having: None,
            windows: Vec::new(),
            scopes: Scopes::default(),
            span,
        }
    }
}

/// `name [(columns)] AS (query)`, `name AS (change)`
#[derive(Clone, Debug, PartialEq)]
pub struct Cte {
    /// Its name.
    pub name: Name,
    /// Names for its columns, or none.
    pub columns: Vec<Name>,
    /// What it stands for.
    pub body: CteBody,
    /// May it name itself: is it of `WITH RECURSIVE`?
    pub recursive: bool,
    /// `MATERIALIZED`, `NOT MATERIALIZED`
    pub materialized: Option<bool>,
}

/// What a name of `WITH` stands for.
#[expect(clippy::large_enum_variant, reason = "a statement has few of them, and nearly all are queries")]
#[derive(Clone, Debug, PartialEq)]
pub enum CteBody {
    /// A query's rows.
    Query(Query),
    /// The rows of RETURNING of an INSERT, UPDATE, DELETE or MERGE, which is carried out once whoever reads them.
    Change(Box<StatementKind>),
}

/// What a query's body is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum SetExpr {
    /// A `SELECT` block.
    Select(Box<Select>),
    /// `VALUES (..), (..)`
    Values {
        /// The rows.
        rows: Rows,
        /// Where it stands.
        span: Span,
    },
    /// A query in parentheses.
    Query(Box<Query>),
    /// `SUMMARIZE` as an item of FROM.
    Summarize {
        /// What it is about.
        query: Box<Query>,
        /// Where it stands.
        span: Span,
    },
    /// Two bodies under a set operation.
    SetOp {
        /// Which one.
        op: SetOp,
        /// Was `ALL` said?
        all: bool,
        /// The left arm.
        left: Box<SetExpr>,
        /// The right arm.
        right: Box<SetExpr>,
        /// Where the operator stands.
        span: Span,
    },
}

/// A set operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOp {
    /// `UNION`
    Union,
    /// `INTERSECT`
    Intersect,
    /// `EXCEPT`
    Except,
}

/// A `SELECT` block.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// `DISTINCT`, and on what.
    pub distinct: Distinct,
    /// The select list.
    pub items: Vec<SelectItem>,
    /// `FROM` items; a comma is a cross join.
    pub from: Vec<TableRef>,
    /// `WHERE`
    pub filter: Option<Expr>,
    /// `GROUP BY`
    pub group_by: GroupBy,
    /// `HAVING`
    pub having: Option<Expr>,
    /// `WINDOW`
    pub windows: Vec<(Name, WindowSpec)>,
    /// Short scopes of this block.
    pub scopes: Scopes,
    /// Where it stands.
    pub span: Span,
}

/// Which rows of a block are given once?
#[derive(Clone, Debug, PartialEq)]
pub enum Distinct {
    /// All rows are given.
    No,
    /// `DISTINCT`
    Yes,
    /// `DISTINCT ON (exprs)`: the first row of each.
    On(Vec<Expr>),
}

/// `GROUP BY`
#[derive(Clone, Debug, PartialEq)]
pub enum GroupBy {
    /// `GROUP BY ALL`: by whatever of the select list holds no aggregate.
    All(Span),
    /// Its items, of which every set of one is combined with every set of the others; no item where nothing is said.
    Items {
        /// The items.
        items: Vec<GroupItem>,
        /// `GROUP BY DISTINCT`: equal sets count once.
        distinct: bool,
    },
}

/// An item of `GROUP BY`.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupItem {
    /// An expression.
    Expr(Expr),
    /// `GROUPING SETS (..)`, `ROLLUP (..)`, `CUBE (..)`
    Sets {
        /// Which.
        kind: GroupSets,
        /// What it lists; `()` is `Empty`.
        items: Vec<GroupItem>,
        /// Where it stands.
        span: Span,
    },
    /// `()`
    Empty(Span),
}

/// Ways to say several sets of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupSets {
    /// Each item is a set.
    Sets,
    /// All items, all but the last, and so on to none.
    Rollup,
    /// Every choice of items.
    Cube,
}

/// What `EXCLUDE` and `REPLACE` change of a star.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StarChanges {
    /// Columns that are left out.
    pub exclude: Vec<Name>,
    /// Expressions in place of columns.
    pub replace: Vec<(Expr, Name)>,
}

/// An item of a select list.
#[derive(Clone, Debug, PartialEq)]
pub enum SelectItem {
    /// `* [EXCLUDE (..)] [REPLACE (..)]`
    Wildcard(Span, StarChanges),
    /// `t.* [EXCLUDE (..)] [REPLACE (..)]`
    QualifiedWildcard(Name, StarChanges),
    /// An expression, perhaps named.
    Expr {
        /// The expression.
        expr: Expr,
        /// Its alias.
        alias: Option<Name>,
    },
}

/// An item of `ORDER BY`.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderItem {
    /// What to order by: an expression, an output name or a position.
    pub expr: Expr,
    /// `DESC`?
    pub descending: bool,
    /// `NULLS FIRST` / `LAST`; PostgreSQL's default (NULLs are largest) where nothing is said.
    pub nulls_first: Option<bool>,
}

/// Scopes on both times; the outer `Option` of each is "nothing said".
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scopes {
    /// `AS OF x`, `FOR SYSTEM_TIME ...`
    pub system: Option<Scope>,
    /// `VALID AT x`, `FOR VALID_TIME ...`
    pub valid: Option<Scope>,
}

/// A scope on one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Scope {
    /// What it says.
    pub kind: ScopeKind,
    /// Where it stands.
    pub span: Span,
}

/// The forms of a scope.
#[derive(Clone, Debug, PartialEq)]
pub enum ScopeKind {
    /// `AS OF x`, `VALID AT x`
    AsOf(Box<Expr>),
    /// `FROM a TO b`: `[a, b)`
    FromTo(Box<Expr>, Box<Expr>),
    /// `BETWEEN a AND b`: `[a, b]`
    Between(Box<Expr>, Box<Expr>),
    /// `ALL`
    All,
}

/// An item of `FROM`.
#[derive(Clone, Debug, PartialEq)]
pub enum TableRef {
    /// A table or a `WITH` name.
    Table {
        /// Its name.
        name: Name,
        /// Its own scopes.
        scopes: Scopes,
        /// Its alias.
        alias: Option<TableAlias>,
    },
    /// `[LATERAL] (query) [AS] alias`
    Subquery {
        /// May it name the tables before it?
        lateral: bool,
        /// The query.
        query: Box<Query>,
        /// Its alias; PostgreSQL 16 allows none.
        alias: Option<TableAlias>,
        /// Where it stands.
        span: Span,
    },
    /// `[LATERAL] f(args) [WITH ORDINALITY] [AS] alias`; it may name the tables before it whether LATERAL is said or not.
    Function {
        /// The function.
        name: Name,
        /// Its arguments.
        args: Vec<Expr>,
        /// Is a column of numbers wanted?
        ordinality: bool,
        /// The columns of a record, where the alias says them.
        columns: Vec<(Name, TypeName)>,
        /// Its alias.
        alias: Option<TableAlias>,
        /// Where it stands.
        span: Span,
    },
    /// `(join) [AS] alias`: a join by one name.
    Named {
        /// The join.
        table: Box<TableRef>,
        /// Its alias.
        alias: TableAlias,
        /// Where it stands.
        span: Span,
    },
    /// A join.
    Join {
        /// Which kind.
        kind: JoinKind,
        /// The left side.
        left: Box<TableRef>,
        /// The right side.
        right: Box<TableRef>,
        /// How rows match.
        condition: JoinCondition,
        /// `ASOF`: of the rows that match, the one with the nearest value.
        as_of: bool,
        /// Where the join's words stand.
        span: Span,
    },
}

/// `alias [(columns)]`
#[derive(Clone, Debug, PartialEq)]
pub struct TableAlias {
    /// The alias.
    pub name: Name,
    /// Names for the columns, or none.
    pub columns: Vec<Name>,
}

/// A kind of join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JoinKind {
    /// `[INNER] JOIN`
    Inner,
    /// `LEFT [OUTER] JOIN`
    Left,
    /// `RIGHT [OUTER] JOIN`
    Right,
    /// `FULL [OUTER] JOIN`
    Full,
    /// `CROSS JOIN` and the comma
    Cross,
}

/// How rows of a join match.
#[derive(Clone, Debug, PartialEq)]
pub enum JoinCondition {
    /// Nothing: `CROSS JOIN`.
    None,
    /// `ON expr`
    On(Expr),
    /// `USING (columns) [AS name]`
    Using(Vec<Name>, Option<Name>),
    /// `NATURAL`: by the columns that both sides have.
    Natural,
}

/// A type as written: `numeric(12,2)`, `double precision`.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeName {
    /// Its words in lower case, one space between.
    pub name: String,
    /// Numbers in parentheses.
    pub args: Vec<i64>,
    /// Is it an array of these? `integer[]`, `integer ARRAY`
    pub array: bool,
    /// Where it stands.
    pub span: Span,
}

/// What `BEGIN` says of the transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Begin {
    /// How it sees others.
    pub modes: TransactionModes,
    /// The names in `WITH (name = expr, ..)`, in lower case.
    pub names: Vec<Name>,
    /// `VALUES (expr, ..)`, one for each name.
    pub values: Option<Query>,
}

/// How a transaction sees others, as far as it is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransactionModes {
    /// `ISOLATION LEVEL ..`
    pub isolation: Option<Isolation>,
    /// `READ ONLY` (true), `READ WRITE` (false)
    pub read_only: Option<bool>,
}

/// What a transaction is kept from seeing of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// `SNAPSHOT`, `REPEATABLE READ`, and the weaker levels, for which a snapshot is more than they ask for.
    Snapshot,
    /// `SERIALIZABLE`
    Serializable,
}

/// `CREATE TABLE [IF NOT EXISTS] t (...)`
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTable {
    /// Its name.
    pub name: Name,
    /// Was `IF NOT EXISTS` said?
    pub if_not_exists: bool,
    /// Its columns.
    pub columns: Vec<ColumnDef>,
    /// `PRIMARY KEY (a, b)` as a table constraint.
    pub primary_key: Option<(Vec<Name>, Span)>,
}

/// `CREATE TABLE .. AS EXECUTE ..`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecuteInto {
    /// Its words from CREATE to AS, before which the prepared text is put.
    pub head: Span,
    /// Are the rows written? Not after `WITH NO DATA`.
    pub with_data: bool,
}

/// `CREATE TABLE [IF NOT EXISTS] t [(columns)] AS query [WITH [NO] DATA]`, `SELECT .. INTO t ..`
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTableAs {
    /// Its name.
    pub name: Name,
    /// Was `IF NOT EXISTS` said?
    pub if_not_exists: bool,
    /// Names for its columns, or none.
    pub columns: Vec<Name>,
    /// What it holds.
    pub query: Query,
    /// Are the rows written? Not after `WITH NO DATA`.
    pub with_data: bool,
}

/// A column's definition.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDef {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: TypeName,
    /// `NOT NULL`?
    pub not_null: bool,
    /// `PRIMARY KEY`, and where it stands.
    pub primary_key: Option<Span>,
    /// `DEFAULT expr`
    pub default: Option<Expr>,
}

/// `COPY t [(columns)] FROM 'file' [WITH (..)]`, `COPY t | (query) TO 'file' [WITH (..)]`
#[derive(Clone, Debug, PartialEq)]
pub struct Copy {
    /// What is copied.
    pub subject: CopySubject,
    /// Which way.
    pub direction: CopyDirection,
    /// The file.
    pub path: String,
    /// Where the file's name stands.
    pub path_span: Span,
    /// Options as written: name in lower case, value.
    pub options: Vec<(Name, Option<String>)>,
}

/// What COPY copies.
#[derive(Clone, Debug, PartialEq)]
pub enum CopySubject {
    /// A table, perhaps only some columns.
    Table {
        /// The table.
        name: Name,
        /// The columns, or none.
        columns: Vec<Name>,
    },
    /// A query (only TO).
    Query(Box<Query>),
}

/// Which way COPY goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyDirection {
    /// Into the table.
    From,
    /// Into the file.
    To,
}
