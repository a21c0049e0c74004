"""Do changes of plain tables do what SQLite makes of them?

Random statements insert, update and delete rows of two tables, one with a key and one without: from values and from queries, with
ON CONFLICT, UPDATE .. FROM, subqueries that name the row around them, RETURNING, some of them in transactions that are rolled back to
a savepoint, rolled back or committed. Both engines get the same text (MERGE, which SQLite lacks, beside the statements that mean
the same), and after each statement both tables are compared. Keys are never assigned, for SQLite looks at them row by row and SpectraDB
at the end.

A failure prints the statements so far and the seed. SPECTRADB_CHANGES makes a longer run, SPECTRADB_SEED another one.
"""

import os
import random
import sqlite3

import pytest

import spectradb

CHANGES = int(os.environ.get("SPECTRADB_CHANGES", "250"))
SEED = int(os.environ.get("SPECTRADB_SEED", "1"))
WORDS = ["red", "blue", "green", "", "Red"]


def number(rng):
    return "CAST(NULL AS INTEGER)" if rng.random() < 0.15 else str(rng.randrange(-4, 9))


def word(rng):
    return "NULL" if rng.random() < 0.15 else "'" + rng.choice(WORDS) + "'"


class Writer:
    """Writes statements: those for SpectraDB, and those for SQLite where they differ."""

    def __init__(self, rng):
        self.rng = rng

    def key(self):
        return str(self.rng.randrange(1, 16))

    def amount(self, table, depth=1):
        """An integer of a row of a table."""
        rng = self.rng
        kind = rng.randrange(7 if depth else 2)
        if kind == 0:
            return number(rng)
        if kind == 1:
            return f"{table}.{rng.choice(['n', 'm'])}"
        if kind == 2:
            return f"{self.amount(table, 0)} {rng.choice('+-*')} {self.amount(table, 0)}"
        if kind == 3:
            return f"coalesce({self.amount(table, 0)}, {rng.randrange(5)})"
        if kind == 4:
            return f"CASE WHEN {self.test(table, 0)} THEN {self.amount(table, 0)} ELSE {self.amount(table, 0)} END"
        other = "loose" if table == "keyed" else "keyed"
        if kind == 5:
            return f"(SELECT count(*) FROM {other} WHERE {other}.n > {table}.n)"
        return f"(SELECT max({other}.m) FROM {other} WHERE {other}.s = {table}.s)"

    def test(self, table, depth=1):
        rng = self.rng
        kind = rng.randrange(8 if depth else 4)
        if kind == 0:
            return f"{table}.{rng.choice('nm')} {rng.choice(['<', '<=', '=', '<>', '>'])} {rng.randrange(-3, 8)}"
        if kind == 1:
            return f"{table}.s {rng.choice(['=', '<>', '<'])} {word(rng)}"
        if kind == 2:
            return f"{table}.{rng.choice('nms')} IS {rng.choice(['', 'NOT '])}NULL"
        if kind == 3:
            return f"{table}.id IN ({self.key()}, {self.key()}, {self.key()})"
        other = "loose" if table == "keyed" else "keyed"
        if kind == 4:
            return f"({self.test(table, 0)} {rng.choice(['AND', 'OR'])} {self.test(table, 0)})"
        if kind == 5:
            return f"NOT ({self.test(table, 0)})"
        if kind == 6:
            return f"EXISTS (SELECT 1 FROM {other} WHERE {other}.n = {table}.n)"
        return f"{table}.id {rng.choice(['', 'NOT '])}IN (SELECT {other}.id FROM {other} WHERE {other}.m > {rng.randrange(-2, 6)})"

    def sets(self, table, amount=None):
        rng = self.rng
        amount = amount or (lambda: self.amount(table))
        columns = rng.sample(["n", "m", "s"], rng.randrange(1, 4))
        return ", ".join(f"{c} = {word(rng) if c == 's' else amount()}" for c in columns)

    def row(self):
        return f"({self.key()}, {number(self.rng)}, {number(self.rng)}, {word(self.rng)})"

    def returning(self, table):
        return self.rng.choice(["", "", " RETURNING id, n, m, s", " RETURNING id, coalesce(n, 0) + 1 AS more"])

    def insert(self, table):
        rng = self.rng
        if rng.random() < 0.6:
            source = "VALUES " + ", ".join(self.row() for _ in range(rng.randrange(1, 4)))
        else:
            other = rng.choice(["keyed", "loose"])
            source = f"SELECT {other}.id + {rng.randrange(0, 9)}, {self.amount(other)}, {self.amount(other)}, {other}.s FROM {other}"
            # Of rows that say the same key the first is the one that comes in.
            source += f" WHERE {self.test(other)} ORDER BY 1, 2 NULLS LAST, 3 NULLS LAST, 4 NULLS LAST LIMIT 12"
        clause = ""
        if table == "keyed" and rng.random() < 0.6:
            clause = " ON CONFLICT (id) DO NOTHING"
            # A row that one statement meets twice is refused by one engine and changed twice by the other: one row then.
            if rng.random() < 0.6:
                source = f"VALUES {self.row()}"
                amount = lambda: rng.choice(["excluded.n", "keyed.n + excluded.m", "keyed.m", "7"])  # noqa: E731
                clause = f" ON CONFLICT (id) DO UPDATE SET {self.sets('keyed', amount)}"
                if rng.random() < 0.4:
                    clause += f" WHERE {self.test('keyed', 0)}"
        return f"INSERT INTO {table} (id, n, m, s) {source}{clause}{self.returning(table)}"

    def update(self, table):
        rng = self.rng
        if rng.random() < 0.3:
            other = "loose" if table == "keyed" else "keyed"
            one = f"(SELECT {other}.id AS id, max({other}.n) AS best FROM {other} GROUP BY {other}.id) AS d"
            sets = self.sets(table, lambda: rng.choice([f"{table}.n + d.best", "d.best", f"{table}.m"]))
            return f"UPDATE {table} SET {sets} FROM {one} WHERE {table}.id = d.id AND {self.test(table, 0)}"
        return f"UPDATE {table} SET {self.sets(table)} WHERE {self.test(table)}{self.returning(table)}"

    def delete(self, table):
        return f"DELETE FROM {table} WHERE {self.test(table)} AND {self.test(table, 0)}{self.returning(table)}"

    def merge(self):
        """Into the table with a key, from at most one row for each: matched rows change or go, others come."""
        rng = self.rng
        source = "(SELECT loose.id AS id, min(loose.n) AS n, max(loose.m) AS m FROM loose GROUP BY loose.id) AS d"
        goes = f"d.m < {rng.randrange(-2, 4)}"
        ours = (
            f"MERGE INTO keyed USING {source} ON keyed.id = d.id "
            f"WHEN MATCHED AND {goes} THEN DELETE "
            "WHEN MATCHED THEN UPDATE SET n = d.n, m = keyed.m + d.m "
            f"WHEN NOT MATCHED AND d.n > {rng.randrange(-2, 4)} THEN INSERT (id, n, m, s) VALUES (d.id, d.n, d.m, 'new')"
        )
        low = ours.split("d.n > ")[1].split(" ")[0]
        theirs = [
            f"CREATE TEMP TABLE d AS SELECT d.*, keyed.id IS NOT NULL AS known FROM {source} LEFT JOIN keyed ON keyed.id = d.id",
            f"DELETE FROM keyed WHERE id IN (SELECT d.id FROM d WHERE known AND {goes})",
            "UPDATE keyed SET n = d.n, m = keyed.m + d.m FROM d WHERE keyed.id = d.id",
            f"INSERT INTO keyed SELECT d.id, d.n, d.m, 'new' FROM d WHERE NOT known AND d.n > {low}",
            "DROP TABLE d",
        ]
        return ours, theirs

    def statement(self):
        rng = self.rng
        table = rng.choice(["keyed", "loose"])
        kind = rng.randrange(10)
        if kind < 4:
            return self.insert(table)
        if kind < 7:
            return self.update(table)
        return self.merge() if kind == 7 else self.delete(table)


def carry_out(connection, statements):
    """The rows that they give, in any order; None where they fail."""
    rows = []
    try:
        for statement in statements:
            rows += connection.execute(statement).fetchall()
    except (sqlite3.Error, spectradb.Error):
        return None
    return sorted((tuple(row) for row in rows), key=repr)


def contents(connection):
    tables = ["SELECT id, n, m, s FROM keyed", "SELECT id, n, m, s FROM loose"]
    return [sorted((tuple(row) for row in connection.execute(table).fetchall()), key=repr) for table in tables]


@pytest.mark.parametrize("round_number", range(4))
def test_changes(round_number):
    seed = SEED * 1_000 + round_number
    rng = random.Random(seed)
    writer = Writer(rng)
    done = []
    theirs = sqlite3.connect(":memory:", isolation_level=None)
    if sqlite3.sqlite_version_info < (3, 35):
        pytest.skip("an older SQLite has no RETURNING")
    with spectradb.open(":memory:") as ours:

        def both(mine, other=None):
            done.append(mine)
            other = other or [mine]
            given, expected = carry_out(ours, [mine]), carry_out(theirs, other)
            story = ";\n".join(done)
            assert given == expected, f"seed {seed}\n{story}\nours   {given}\nSQLite {expected}"
            return given is not None

        for table, key in [("keyed", " PRIMARY KEY"), ("loose", "")]:
            both(f"CREATE TABLE {table} (id INTEGER{key}, n INTEGER, m INTEGER, s TEXT)")
        changed = 0
        open_for = 0
        for _ in range(CHANGES):
            if open_for == 0 and rng.random() < 0.1:
                both("BEGIN")
                open_for = rng.randrange(2, 8)
            if open_for:
                # A statement that fails ends a transaction of ours, so each stands behind a savepoint.
                both("SAVEPOINT before")
            before = contents(ours)
            made = writer.statement()
            mine, other = made if isinstance(made, tuple) else (made, [made])
            succeeded = both(mine, other)
            if open_for:
                both("ROLLBACK TO before" if not succeeded or rng.random() < 0.2 else "RELEASE before")
                open_for -= 1
                if open_for == 0:
                    both(rng.choice(["COMMIT", "ROLLBACK"]))
            after = contents(ours)
            story = ";\n".join(done)
            assert after == contents(theirs), f"seed {seed}\n{story}\nours   {after}\nSQLite {contents(theirs)}"
            changed += before != after
        assert changed > CHANGES // 10
