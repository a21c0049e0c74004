//! What does the database tell of its own commits?
//!
//! Each commit is a row of a table that the store keeps for itself, number 0: its number, instant, catalogue version and log
//! record, and what the ledger was told of it. The store looks commits up there; whoever asks for the table by its name
//! reads it like any other.
//!
//! Holds: a row says nothing that is not in the commit's record, so it can be made again from the log.
//! Not here: the metadata's leaf in the ledger (`chain`).

use crate::{run::lane_of_commit, shape::Shape, tree::Applied};
use spectradb_kernel::{
    Type, Value,
    func::json,
    schema::{ColumnId, ColumnSchema, TableId, TableKind, TableSchema},
    time::Timestamp,
};
use std::sync::{Arc, LazyLock};

/// The table's number.
pub const COMMITS: TableId = TableId(0);

/// The table's name.
pub const COMMITS_NAME: &str = "spectra_commits";

/// The position of the instant.
pub(crate) const COMMITS_INSTANT: usize = 1;

/// The position of the catalogue version.
pub(crate) const COMMITS_CATALOG: usize = 2;

/// The position of the log record.
pub(crate) const COMMITS_RECORD: usize = 3;

static SCHEMA: LazyLock<Arc<TableSchema>> = LazyLock::new(|| {
    let columns = [
        ("commit", Type::Integer, false),
        ("instant", Type::Timestamp, false),
        ("catalog_version", Type::Integer, false),
        ("record", Type::Integer, false),
        ("actor", Type::Text, true),
        ("reason", Type::Text, true),
        ("request_id", Type::Text, true),
        ("metadata", Type::Json, true),
    ];
    let columns = columns.into_iter().zip(1..).map(|((name, ty, nullable), id)| ColumnSchema {
        id: ColumnId(id),
        name: name.to_owned(),
        ty,
        nullable,
        default: None,
        hidden: false,
    });
    let (name, kind) = (COMMITS_NAME.to_owned(), TableKind::Typed);
    Arc::new(TableSchema { id: COMMITS, name, version: 1, kind, columns: columns.collect(), key: vec![0] })
});

static SHAPE: LazyLock<Arc<Shape>> = LazyLock::new(|| Arc::new(Shape::of(&SCHEMA)));

/// The table as its readers know it.
pub fn commits_schema() -> &'static Arc<TableSchema> {
    &SCHEMA
}

/// The table's columns.
pub(crate) fn commits_shape() -> &'static Arc<Shape> {
    &SHAPE
}

/// What the ledger was told of a commit: actor, reason, request, and anything else.
pub(crate) fn told(metadata: Option<&str>) -> [Value; 4] {
    let field = |name: &str| -> Option<String> {
        let metadata = metadata.filter(|metadata| json::is_json(metadata))?;
        let mut value = String::new();
        json::get(metadata, &json::path([name]), &mut value).then_some(value)
    };
    let text = |name: &str| {
        let mut text = String::new();
        field(name).filter(|value| json::as_text(value, &mut text)).map(|_| Value::Text(text)).unwrap_or(Value::Null)
    };
    let more = field("metadata").map_or(Value::Null, Value::Json);
    [text("actor"), text("reason"), text("request_id"), more]
}

/// The row of a commit.
pub(crate) fn commit_row(applied: &Applied<'_>) -> [Value; 8] {
    let [actor, reason, request, more] = match applied.write.metadata.as_deref() {
        None => [Value::Null, Value::Null, Value::Null, Value::Null],
        metadata => told(metadata),
    };
    [
        Value::Integer(lane_of_commit(applied.commit)),
        Value::Timestamp(Timestamp(applied.instant)),
        Value::Integer(applied.catalog.version.cast_signed()),
        Value::Integer(applied.record.cast_signed()),
        actor,
        reason,
        request,
        more,
    ]
}
