"""SpectraDB: an embedded, append-only, bitemporal ledger database.

    import spectradb

    with spectradb.open(":memory:") as db:
        db.execute("CREATE TABLE prices (sku TEXT PRIMARY KEY, price NUMERIC(10,2))")
        db.execute("INSERT INTO prices VALUES ($1, $2) VALID FROM DATE '2026-01-01'", ["a", "9.99"])
        print(db.execute("SELECT sku, price FROM prices VALID AT DATE '2026-06-01'").fetchall())
"""

from ._spectradb import (
    DataError,
    Database,
    Error,
    IntegrityError,
    OperationalError,
    ProgrammingError,
    Result,
    Session,
    TransactionError,
    __version__,
    open,
    restore,
)

__all__ = [
    "DataError",
    "Database",
    "Error",
    "IntegrityError",
    "OperationalError",
    "ProgrammingError",
    "Result",
    "Session",
    "TransactionError",
    "__version__",
    "open",
    "restore",
]
