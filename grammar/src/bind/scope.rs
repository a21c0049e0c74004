//! What does a name mean here?
//!
//! A [`Scope`] lists the tables of a FROM with their columns, and where each column lies in the rows of the node that the
//! FROM became. Pseudo-columns are listed too, but not in `*`. `USING` merges columns: the merged one answers to the bare
//! name, the parts only to qualified ones.
//!
//! A path `a.b.c` is read as table `a`, column `b`, field `c` if there is such a table with such a column, else as column `a`
//! with fields `b.c`.

use crate::{
    ast::Name,
    diag::{Diag, code, nearest},
    plan::{Expr, ExprKind},
    span::Span,
};
use spectradb_kernel::{Type, schema::TableKind, ty::TypeClass};

/// Names of the pseudo-columns; no column may be called so.
pub(super) const PSEUDO_COLUMNS: [&str; 5] = ["_commit", "_system_from", "_system_to", "_valid_from", "_valid_to"];

/// At most so many columns are listed in a help.
const LISTED_MAX: usize = 12;

#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub(super) tables: Vec<ScopeTable>,
    /// Columns that `USING` merged, in order.
    pub(super) merged: Vec<Merged>,
}

#[derive(Clone, Debug)]
pub(super) struct ScopeTable {
    /// What it is called here; `None` for a subquery without an alias.
    pub(super) name: Option<String>,
    pub(super) kind: TableKind,
    pub(super) columns: Vec<ScopeColumn>,
    /// The places among them of columns that no two rows have alike: the key of a table that is read at one point of both
    /// times. None where there are none.
    pub(super) key: Vec<usize>,
}

#[derive(Clone, Debug)]
pub(super) struct ScopeColumn {
    pub(super) name: String,
    /// Where it lies in the rows.
    pub(super) column: usize,
    pub(super) ty: Type,
    pub(super) nullable: bool,
    /// Is it in `*`?
    pub(super) shown: bool,
    /// Is it part of a merged column?
    pub(super) is_merged: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Merged {
    pub(super) name: String,
    pub(super) expr: Expr,
    /// What USING calls the table of it.
    pub(super) of: Option<String>,
}

/// What a path was found to be: a value and the fields to take of it.
pub(super) struct Found<'n> {
    pub(super) expr: Expr,
    pub(super) fields: &'n [Name],
}

impl Found<'_> {
    /// Can the fields be taken?
    pub(super) fn is_usable(&self) -> bool {
        self.fields.is_empty() || self.expr.ty.class() == TypeClass::Json
    }
}

impl ScopeColumn {
    pub(super) fn expr(&self, span: Span) -> Expr {
        Expr { kind: ExprKind::Column(self.column), ty: self.ty, nullable: self.nullable, span }
    }
}

impl ScopeTable {
    fn column(&self, name: &Name) -> Result<Option<&ScopeColumn>, Diag> {
        let mut found = self.columns.iter().filter(|column| column.name == name.text);
        let first = found.next();
        if found.next().is_some() {
            return Err(ambiguous(name).help("give the columns of the subquery different names"));
        }
        Ok(first)
    }
}

impl Scope {
    /// The scope of a join: the left tables, then the right ones, whose columns lie behind.
    pub(super) fn join(mut self, right: Scope, left_width: usize) -> Scope {
        self.tables.extend(right.tables.into_iter().map(|mut table| {
            table.columns.iter_mut().for_each(|column| column.column += left_width);
            table
        }));
        self.merged.extend(right.merged.into_iter().map(|mut merged| {
            merged.expr.map_columns(&mut |column| column + left_width);
            merged
        }));
        self
    }

    /// Names the last merged columns as a table of their own: `USING (..) AS x`.
    pub(super) fn name_merged(&mut self, alias: &Name, count: usize) -> Result<(), Diag> {
        if self.table(&alias.text).is_some() || self.merged_of(&alias.text).next().is_some() {
            let message = format!("table name \"{}\" specified more than once", alias.text);
            return Err(Diag::new(code::DUPLICATE_ALIAS, message, alias.span));
        }
        let first = self.merged.len() - count;
        self.merged[first..].iter_mut().for_each(|merged| merged.of = Some(alias.text.clone()));
        Ok(())
    }

    /// The merged columns that a USING gives this name.
    pub(super) fn merged_of<'s>(&'s self, alias: &'s str) -> impl Iterator<Item = &'s Merged> {
        self.merged.iter().filter(move |merged| merged.of.as_deref() == Some(alias))
    }

    /// All columns from `first` on may be NULL: their side of an outer join may have no partner.
    pub(super) fn make_nullable(&mut self, columns: std::ops::Range<usize>) {
        for column in self.tables.iter_mut().flat_map(|table| &mut table.columns) {
            column.nullable |= columns.contains(&column.column);
        }
        for merged in &mut self.merged {
            let inside = merged.expr.columns().iter().any(|column| columns.contains(column));
            merged.expr.walk_mut(&mut |expr| {
                if let ExprKind::Column(column) = expr.kind {
                    expr.nullable |= columns.contains(&column);
                }
            });
            merged.expr.nullable |= inside;
        }
    }

    pub(super) fn table(&self, name: &str) -> Option<&ScopeTable> {
        self.tables.iter().find(|table| table.name.as_deref() == Some(name))
    }

    /// What a bare name means, if anything.
    fn bare(&self, name: &Name) -> Result<Option<Expr>, Diag> {
        let mut found = self.merged.iter().filter(|merged| merged.name == name.text).map(|merged| {
            let mut expr = merged.expr.clone();
            expr.span = name.span;
            (expr, None)
        });
        let mut first = found.next();
        let mut more = found.next().is_some();
        for table in &self.tables {
            for column in table.columns.iter().filter(|column| column.name == name.text && !column.is_merged) {
                more |= first.is_some();
                first.get_or_insert_with(|| (column.expr(name.span), table.name.as_deref()));
            }
        }
        if more {
            let mut candidates: Vec<String> = self
                .tables
                .iter()
                .filter(|table| table.columns.iter().any(|column| column.name == name.text))
                .filter_map(|table| table.name.as_ref().map(|table| format!("{table}.{}", name.text)))
                .collect();
            candidates.dedup();
            let diag = ambiguous(name);
            return Err(if candidates.is_empty() {
                diag
            } else {
                diag.help(format!("write {}", candidates.join(" or ")))
            });
        }
        Ok(first.map(|(expr, _)| expr))
    }

    /// What a path means.
    pub(super) fn resolve<'n>(&self, path: &'n [Name]) -> Result<Found<'n>, Diag> {
        let (first, rest) = path.split_first().expect("a path has names");
        let Some(second) = rest.first() else {
            return match self.bare(first)? {
                Some(expr) => Ok(Found { expr, fields: rest }),
                None => Err(self.unknown_column(first)),
            };
        };
        // The set of tables has a name that may stand before theirs.
        let is_table = |name: &Name| self.tables.iter().any(|table| table.name.as_deref() == Some(&*name.text));
        if first.text == "public" && rest.len() > 1 && is_table(second) && !is_table(first) {
            return self.resolve(rest);
        }
        if let Some(merged) = self.merged_of(&first.text).find(|merged| merged.name == second.text) {
            let expr = Expr { span: first.span.to(second.span), ..merged.expr.clone() };
            return Ok(Found { expr, fields: &rest[1..] });
        }
        if let Some(table) = self.table(&first.text)
            && let Some(column) = table.column(second)?
        {
            return Ok(Found { expr: column.expr(first.span.to(second.span)), fields: &rest[1..] });
        }
        if let Some(expr) = self.bare(first)? {
            return Ok(Found { expr, fields: rest });
        }
        match self.table(&first.text) {
            Some(table) => Err(unknown_in(table, second)),
            None => {
                let names = self.tables.iter().filter_map(|table| table.name.as_deref());
                let diag = Diag::new(
                    code::UNDEFINED_TABLE,
                    format!("missing FROM-clause entry for table \"{}\"", first.text),
                    first.span,
                );
                Err(match nearest(&first.text, names) {
                    Some(near) => diag.help(format!("a table named \"{near}\" is in the FROM clause")),
                    None => diag,
                })
            }
        }
    }

    fn unknown_column(&self, name: &Name) -> Diag {
        if self.table(&name.text).is_some() {
            return Diag::new(code::UNDEFINED_COLUMN, format!("column \"{}\" does not exist", name.text), name.span)
                .help(format!("\"{0}\" is a table; write {0}.column or {0}.*", name.text));
        }
        if let [table] = self.tables.as_slice() {
            return unknown_in(table, name);
        }
        let diag = Diag::new(code::UNDEFINED_COLUMN, format!("column \"{}\" does not exist", name.text), name.span);
        if let Some(help) = of_period(&name.text) {
            return diag.help(help);
        }
        let all = || self.tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
        let Some(near) = nearest(&name.text, all().map(|(_, column)| column.name.as_str())) else { return diag };
        let owner = all().find(|(_, column)| column.name == near).and_then(|(table, _)| table.name.as_deref());
        diag.help(match owner {
            Some(owner) => format!("a column named \"{near}\" exists in table \"{owner}\""),
            None => format!("a column named \"{near}\" exists"),
        })
    }

    /// The columns of `*`: merged ones first, then the others in order.
    pub(super) fn star(&self, span: Span) -> Vec<(String, Expr)> {
        let merged = self.merged.iter().map(|merged| {
            let mut expr = merged.expr.clone();
            expr.span = span;
            (merged.name.clone(), expr)
        });
        let others =
            self.tables.iter().flat_map(|table| &table.columns).filter(|column| column.shown && !column.is_merged);
        merged.chain(others.map(|column| (column.name.clone(), column.expr(span)))).collect()
    }

    /// What a column of the rows is called, for messages.
    pub(super) fn describe(&self, column: usize) -> String {
        for table in &self.tables {
            if let Some(found) = table.columns.iter().find(|candidate| candidate.column == column) {
                return match &table.name {
                    Some(name) => format!("{name}.{}", found.name),
                    None => found.name.clone(),
                };
            }
        }
        "?column?".to_owned()
    }
}

fn ambiguous(name: &Name) -> Diag {
    Diag::new(code::AMBIGUOUS_COLUMN, format!("column reference \"{}\" is ambiguous", name.text), name.span)
}

/// What helps where a table's period stands as a value.
fn of_period(name: &str) -> Option<&'static str> {
    match name.trim_start_matches('_') {
        "valid_time" => {
            Some("VALID_TIME stands in predicates, such as OVERLAPS; its ends are _valid_from and _valid_to")
        }
        "system_time" => {
            Some("SYSTEM_TIME stands in predicates, such as OVERLAPS; its ends are _system_from and _system_to")
        }
        _ => None,
    }
}

fn unknown_in(table: &ScopeTable, name: &Name) -> Diag {
    let message = match &table.name {
        Some(table) => format!("column \"{}\" does not exist in table \"{table}\"", name.text),
        None => format!("column \"{}\" does not exist", name.text),
    };
    let diag = Diag::new(code::UNDEFINED_COLUMN, message, name.span);
    if let Some(help) = of_period(&name.text) {
        return diag.help(help);
    }
    let names = || table.columns.iter().filter(|column| column.shown).map(|column| column.name.as_str());
    if PSEUDO_COLUMNS.contains(&name.text.as_str()) && table.columns.iter().all(|column| column.name != name.text) {
        return diag.help(format!("a subquery gives what it names: add {} to its select list", name.text));
    }
    if let Some(near) = nearest(&name.text, names()).or_else(|| nearest(&name.text, PSEUDO_COLUMNS)) {
        return diag.help(format!("a column named \"{near}\" exists"));
    }
    match table.kind {
        TableKind::Document => diag.help(format!("a field of the document is written doc.{}", name.text)),
        TableKind::Typed => {
            let listed: Vec<&str> = names().take(LISTED_MAX).collect();
            let dots = if names().count() > LISTED_MAX { ", ..." } else { "" };
            if listed.is_empty() { diag } else { diag.help(format!("the columns are {}{dots}", listed.join(", "))) }
        }
    }
}

/// The error for a column that a table does not have, where a statement names it directly.
pub(super) fn unknown_column_of(table: &spectradb_kernel::schema::TableSchema, name: &Name) -> Diag {
    let columns = table
        .columns
        .iter()
        .filter(|column| !column.hidden)
        .map(|column| ScopeColumn {
            name: column.name.clone(),
            column: 0,
            ty: column.ty,
            nullable: column.nullable,
            shown: true,
            is_merged: false,
        })
        .collect();
    unknown_in(&ScopeTable { name: Some(table.name.clone()), kind: TableKind::Typed, columns, key: Vec::new() }, name)
}
