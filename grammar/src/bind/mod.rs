//! What does a statement mean, given the tables?
//!
//! [`statement`] turns a syntax tree into a plan: names become columns, every expression gets a type, coercions become
//! calls, each scan gets its scope on both times. One file per subject: names (`scope`), types (`convert`, `literal`,
//! `operator`, `expr`, `call`), both times (`temporal`), queries (`query`, `select`, `group`, `order`, `window`, `from`),
//! statements that write (`dml`, `merge`, `returning`, `ddl`, `copy`), what is asked of the session (`session`).
//!
//! Holds: what binds is a plan that [`check`](crate::plan::check) accepts; every error of the language that needs no data
//! is raised here, with a place.
//! Not here: making the plan fast (`rewrite`).

mod aggregate;
mod array;
mod assign;
mod call;
pub(crate) mod cardinality;
pub(crate) mod constant;
mod convert;
mod copy;
mod ddl;
mod dml;
mod expr;
mod forms;
mod frame;
mod from;
pub(crate) mod function;
mod group;
mod grouping;
mod hypothetical;
mod information;
mod literal;
mod merge;
mod operator;
mod order;
mod outer;
mod param;
mod period;
mod predicate;
mod query;
mod record;
mod recursion;
mod returning;
mod row;
mod rows_in_list;
mod scope;
mod select;
mod session;
mod sql_json;
mod subquery;
mod summarize;
mod table_function;
mod temporal;
mod transaction;
mod trial;
mod types;
pub(crate) mod unnest;
mod whole;
mod window;
mod with;
mod zone;

use crate::{
    ast,
    catalog::Catalog,
    diag::{Diag, code},
    plan::{self, CheckedPlan, Node, Plan, QueryPlan},
    rewrite,
};
use param::Params;
use spectradb_kernel::Type;
use std::rc::Rc;
use temporal::Times;

/// What the lowering puts before the name of a relation of `information_schema`.
pub(crate) const INFORMATION_SCHEMA: &str = "information_schema.";

/// How a statement is bound.
#[derive(Clone, Debug)]
pub struct BindOptions {
    /// Is the plan rewritten to be fast? Without, it is the reference that the fast one must agree with.
    pub rewrites: bool,
    /// Types that the caller knows of parameters, in the order of [`Plan::params`]; a parameter beyond the end or with
    /// `None` is typed by its use.
    pub param_types: Vec<Option<Type>>,
    /// The session's time zone, where it is not UTC.
    pub zone: Option<String>,
    /// Parameters whose values the caller knows are never NULL.
    pub never_null: Vec<ast::ParamName>,
}

impl Default for BindOptions {
    fn default() -> BindOptions {
        BindOptions { rewrites: true, param_types: Vec::new(), zone: None, never_null: Vec::new() }
    }
}

/// Query blocks of a statement, with what `WITH` names stand for counted at each use.
const BLOCKS_MAX: u32 = 1_000;

/// Parts of expressions that may be copied. A list of IN copies what is looked for once for each of its items.
const COPIES_MAX: usize = 400_000;

/// Binds a statement, rewrites its plan if the options say so, and checks it. `sql` is the text that the tree's spans
/// count in.
///
/// # Errors
/// What is wrong with the statement, and where.
pub fn statement(
    statement: &ast::Statement,
    sql: &str,
    catalog: &dyn Catalog,
    options: &BindOptions,
) -> Result<CheckedPlan, Diag> {
    let mut binder = Binder {
        sql,
        catalog,
        params: Params::new(&options.param_types, &options.never_null),
        subplans: Vec::new(),
        subplan_texts: Vec::new(),
        ctes: Vec::new(),
        outer: Vec::new(),
        recursion_count: 0,
        times: Times::default(),
        block_count: 0,
        copied_count: 0,
        givens: Vec::new(),
        mutual: Vec::new(),
    };
    let (bound, zoned) = zone::within(options.zone.as_deref(), || binder.statement(statement));
    if let (Ok(_), Some(late)) = (&bound, binder.params.late()) {
        let mut param_types = options.param_types.clone();
        param_types.resize(late.len().max(param_types.len()), None);
        for (known, late) in param_types.iter_mut().zip(late) {
            *known = known.or(late);
        }
        return self::statement(statement, sql, catalog, &BindOptions { param_types, ..options.clone() });
    }
    let mut bound = bound?;
    let params = binder.params.finish()?;
    if options.rewrites {
        rewrite::statement(&mut bound);
    }
    let cardinality = cardinality::of_statement(&bound);
    plan::check::check(Plan { statement: bound, params, catalog_version: catalog.version(), cardinality, zoned })
}

/// What a `WITH` name stands for.
struct Cte {
    name: String,
    columns: Vec<ast::Name>,
    means: Means,
    /// So many of the names before it are visible in it.
    visible: usize,
    /// So many subqueries stand around it.
    depth: usize,
    /// May it name itself?
    recursive: bool,
    /// Has a FROM named it?
    used: std::cell::Cell<bool>,
}

/// What the name stands for.
enum Means {
    /// A query, bound at each use.
    Query(ast::Query),
    /// Rows that are there already: a recursion's last ones, or those that a change returns.
    Rows(Node),
    /// A query that is computed once, under the scopes of its place; elsewhere it is bound anew.
    Once(Box<Once>),
    /// A change that returns nothing.
    Nothing,
}

/// A query that is computed once.
struct Once {
    /// Its rows.
    rows: Node,
    /// The scopes that they were bound under.
    times: Times,
    /// What was written; of a part that is MATERIALIZED other scopes are refused.
    query: ast::Query,
    materialized: bool,
}

/// The state of one statement's binding.
struct Binder<'a> {
    sql: &'a str,
    catalog: &'a dyn Catalog,
    params: Params,
    /// Of the statement so far; an expression asks them by position.
    subplans: Vec<Node>,
    /// The texts of those that may be asked again.
    subplan_texts: Vec<(&'a str, usize)>,
    /// The `WITH` names in view, inner ones last.
    ctes: Vec<Rc<Cte>>,
    /// The blocks around the one being bound.
    outer: Vec<outer::Frame>,
    recursion_count: usize,
    /// The scopes on both times that short forms further out have set.
    times: Times,
    block_count: u32,
    /// Parts of expressions that were copied because a form asks for a value more than once.
    copied_count: usize,
    /// What is asked of groups (`rank(x) WITHIN GROUP ..`), over the rows that are grouped.
    givens: Vec<plan::Expr>,
    /// Names of WITH RECURSIVE that name each other.
    mutual: Vec<String>,
}

impl Binder<'_> {
    fn statement(&mut self, statement: &ast::Statement) -> Result<plan::Statement, Diag> {
        Ok(match &statement.kind {
            kind if with::changes(kind, self.sql) => self.with_changes(kind)?,
            ast::StatementKind::Query(query) => match self.set_config(query)? {
                Some(set) => plan::Statement::Session(set),
                None => {
                    let root = self.query(query, None)?;
                    plan::Statement::Query(self.query_plan(root)?)
                }
            },
            ast::StatementKind::Summarize(query) => {
                let root = self.summarize(query, statement.span)?;
                plan::Statement::Query(self.query_plan(root)?)
            }
            kind @ (ast::StatementKind::Insert(_)
            | ast::StatementKind::Update(_)
            | ast::StatementKind::Delete(_)
            | ast::StatementKind::Merge(_)) => self.change(kind)?,
            ast::StatementKind::Truncate(names) => self.truncate(names)?,
            ast::StatementKind::CreateTableAs(create) => self.create_table_as(create)?,
            ast::StatementKind::CreateTable(create) => self.create_table(create)?,
            ast::StatementKind::DropTable { names, if_exists } => self.drop_table(names, *if_exists)?,
            ast::StatementKind::Begin(begin) => self.begin(begin)?,
            ast::StatementKind::SetTransaction(modes) => plan::Statement::SetTransaction(*modes),
            ast::StatementKind::Savepoint(name) => plan::Statement::Savepoint(name.text.clone()),
            ast::StatementKind::RollbackTo(name) => plan::Statement::RollbackTo(name.text.clone()),
            ast::StatementKind::Release(name) => plan::Statement::Release(name.text.clone()),
            ast::StatementKind::VerifyLedger => plan::Statement::VerifyLedger,
            ast::StatementKind::Digest => plan::Statement::Digest,
            ast::StatementKind::Commit => plan::Statement::Commit,
            ast::StatementKind::Rollback => plan::Statement::Rollback,
            ast::StatementKind::Explain { statement, options } => self.explain(statement, *options)?,
            ast::StatementKind::Session(kind) => plan::Statement::Session(self.session(kind)?),
            ast::StatementKind::Execute { name, args, into } => {
                let args = args.as_ref().map(|args| self.query(args, None)).transpose()?;
                let args = args.map(|root| self.query_plan(root)).transpose()?;
                plan::Statement::Execute { name: name.clone(), args, into: *into }
            }
            ast::StatementKind::ShowTables => plan::Statement::ShowTables,
            ast::StatementKind::Describe(name) => plan::Statement::Describe(self.existing_table(name)?),
            ast::StatementKind::SetRetention { table, retention } => self.set_retention(table, retention.as_ref())?,
            ast::StatementKind::Erase { table, alias, filter } => self.erase(table, alias.as_ref(), filter)?,
            ast::StatementKind::Vacuum(name) => {
                let table = name.as_ref().map(|name| self.existing_table(name)).transpose()?;
                plan::Statement::Vacuum(table)
            }
            ast::StatementKind::Copy(copy) => self.copy(copy)?,
        })
    }

    /// A query's root with the subplans that were bound with it; those that name columns around them are joins now.
    fn query_plan(&mut self, root: Node) -> Result<QueryPlan, Diag> {
        unnest::query(root, std::mem::take(&mut self.subplans), &mut [])
    }

    /// The source of a change, with the ends of the portion that it changes.
    fn source_plan(&mut self, root: Node, portion: &mut Option<(plan::Expr, plan::Expr)>) -> Result<QueryPlan, Diag> {
        let mut ends: Vec<_> = portion.iter_mut().flat_map(|(from, to)| [from, to]).collect();
        unnest::query(root, std::mem::take(&mut self.subplans), &mut ends)
    }

    /// An expression is copied so many times: forms within forms that do so must not grow without bound.
    fn count_copies(&mut self, expr: &plan::Expr, copies: usize) -> Result<(), Diag> {
        let mut size = 0usize;
        expr.walk(&mut |_| size += 1);
        self.copied_count += size.saturating_mul(copies);
        if self.copied_count > COPIES_MAX {
            return Err(Diag::new(code::TOO_COMPLEX, "the statement is too complex", expr.span)
                .help("compute the repeated part in a subquery in FROM"));
        }
        Ok(())
    }

    fn count_block(&mut self, span: crate::span::Span) -> Result<(), Diag> {
        self.block_count += 1;
        if self.block_count > BLOCKS_MAX {
            return Err(Diag::new(code::TOO_COMPLEX, "the statement is too complex", span)
                .help(format!("it has more than {BLOCKS_MAX} query blocks, each use of a WITH name counted")));
        }
        Ok(())
    }
}
