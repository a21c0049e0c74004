"""Does plain SQL answer as SQLite does?

Queries are made up at random over three small tables with NULLs: joins of every kind, groups, windows, set operations, subqueries
that name the rows around them, CASE, DISTINCT, ORDER BY with LIMIT. Both engines get the same text. Only what both mean alike is
written: no division, no order that is not told, no value of several rows. In a second part each query is asked of a table as of an
earlier commit or at a point of valid time, and SQLite gets a table of just the rows that a naive model keeps for that point.

A failure prints the query and its seed. SPECTRADB_QUERIES makes a longer run, SPECTRADB_SEED another one.
"""

import os
import random
import sqlite3

import spectradb

QUERIES = int(os.environ.get("SPECTRADB_QUERIES", "400"))
SEED = int(os.environ.get("SPECTRADB_SEED", "1"))

TABLES = {
    "a": [("id", "int"), ("g", "text"), ("x", "int"), ("y", "int")],
    "b": [("id", "int"), ("g", "text"), ("v", "int")],
    "c": [("k", "int"), ("w", "int"), ("s", "text")],
}
WORDS = ["red", "blue", "green", "", "Red", "b"]


def value(rng, kind):
    if rng.random() < 0.2:
        return None
    return rng.randrange(-3, 8) if kind == "int" else rng.choice(WORDS)


def literal(v):
    if v is None:
        return "NULL"
    return str(v) if isinstance(v, int) else "'" + v + "'"


def rows_of(rng, table, count):
    columns = TABLES[table]
    return [(at,) + tuple(value(rng, kind) for _, kind in columns[1:]) for at in range(1, count + 1)]


# An older SQLite is asked about the joins that it has.
JOINS = ["JOIN", "LEFT JOIN", "LEFT JOIN", "CROSS JOIN"]
if sqlite3.sqlite_version_info >= (3, 39):
    JOINS += ["RIGHT JOIN", "FULL JOIN"]


class Writer:
    """Writes queries. A scope is a list of (qualified name, kind)."""

    def __init__(self, rng, tables):
        self.rng = rng
        self.tables = tables
        self.aliases = 0

    def alias(self):
        self.aliases += 1
        return f"t{self.aliases}"

    def chance(self, p):
        return self.rng.random() < p

    def leaf(self, scope, kind):
        fitting = [name for name, other in scope if other == kind]
        if fitting and self.chance(0.75):
            return self.rng.choice(fitting)
        if kind == "int":
            return self.rng.choice(["0", "1", "2", "-1", "5", "CAST(NULL AS INTEGER)"])
        return self.rng.choice(["'red'", "'blue'", "''", "'b'", "CAST(NULL AS TEXT)"])

    def expr(self, scope, kind, depth, outer=()):
        rng = self.rng
        both = scope + list(outer) if outer and self.chance(0.4) else scope
        if depth <= 0 or self.chance(0.3):
            return self.leaf(both, kind)
        deeper = depth - 1
        roll = rng.randrange(10)
        if roll == 0:
            arms = " ".join(
                f"WHEN {self.cond(scope, deeper, outer)} THEN {self.expr(scope, kind, deeper, outer)}"
                for _ in range(rng.randrange(1, 3))
            )
            tail = f" ELSE {self.expr(scope, kind, deeper, outer)}" if self.chance(0.7) else ""
            return f"CASE {arms}{tail} END"
        if roll == 1:
            return f"coalesce({self.expr(scope, kind, deeper, outer)}, {self.expr(scope, kind, deeper, outer)})"
        if roll == 2:
            return f"nullif({self.expr(scope, kind, deeper, outer)}, {self.expr(scope, kind, deeper, outer)})"
        if roll == 3 and depth > 1:
            return self.scalar(kind, deeper, scope + list(outer))
        if kind == "int":
            if roll < 7:
                sign = rng.choice("+-*")
                return f"({self.expr(scope, 'int', deeper, outer)} {sign} {self.expr(scope, 'int', 0, outer)})"
            if roll == 7:
                return f"length({self.expr(scope, 'text', deeper, outer)})"
            return f"abs({self.expr(scope, 'int', deeper, outer)})"
        if roll < 6:
            return f"({self.expr(scope, 'text', deeper, outer)} || {self.expr(scope, 'text', 0, outer)})"
        if roll == 6:
            return f"substr({self.expr(scope, 'text', deeper, outer)}, {rng.randrange(1, 3)}, {rng.randrange(0, 3)})"
        return f"{rng.choice(['upper', 'lower', 'trim'])}({self.expr(scope, 'text', deeper, outer)})"

    def cond(self, scope, depth, outer=()):
        rng = self.rng
        kind = rng.choice(["int", "int", "text"])
        deeper = depth - 1
        if depth <= 0 or self.chance(0.25):
            return f"{self.leaf(scope, kind)} {rng.choice(['=', '<', '>', '<>', '<=', '>='])} {self.leaf(scope + list(outer), kind)}"
        roll = rng.randrange(12)
        left = self.expr(scope, kind, deeper, outer)
        no = "NOT " if self.chance(0.3) else ""
        if roll < 2:
            return f"({self.cond(scope, deeper, outer)} {rng.choice(['AND', 'OR'])} {self.cond(scope, deeper, outer)})"
        if roll == 2:
            return f"NOT ({self.cond(scope, deeper, outer)})"
        if roll == 3:
            return f"{left} IS {no}NULL"
        if roll == 4:
            items = ", ".join(self.leaf(scope, kind) for _ in range(rng.randrange(1, 4)))
            return f"{left} {no}IN ({items})"
        if roll == 5:
            low, high = (self.expr(scope, kind, 0, outer) for _ in range(2))
            return f"{left} {no}BETWEEN {low} AND {high}"
        if roll == 6:
            return f"{left} IS {no}DISTINCT FROM {self.expr(scope, kind, deeper, outer)}"
        if roll == 7:
            return f"{no}EXISTS ({self.rows([kind], deeper, scope + list(outer))})"
        if roll == 8:
            return f"{left} {no}IN ({self.rows([kind], deeper, scope + list(outer))})"
        if roll == 9:
            pair = f"({left}, {self.expr(scope, 'int', 0, outer)})"
            return f"{pair} {no}IN ({self.rows([kind, 'int'], deeper, scope + list(outer))})"
        return f"{left} {rng.choice(['=', '<', '>', '<>', '<=', '>='])} {self.expr(scope, kind, deeper, outer)}"

    def source(self, depth, outer=()):
        """A FROM: its text and its scope."""
        name = self.alias()
        if depth > 1 and self.chance(0.2):
            kinds = [self.rng.choice(["int", "text"]) for _ in range(self.rng.randrange(1, 3))]
            query = self.rows(kinds, depth - 1, ())
            return f"({query}) AS {name}", [(f"{name}.c{at}", kind) for at, kind in enumerate(kinds)]
        table = self.rng.choice(list(self.tables))
        return f"{self.tables[table]} AS {name}", [(f"{name}.{column}", kind) for column, kind in TABLES[table]]

    def joined(self, depth, outer=()):
        text, scope = self.source(depth, outer)
        for _ in range(self.rng.choice([0, 0, 1, 1, 2])):
            more, other = self.source(depth - 1, outer)
            kind = self.rng.choice(JOINS)
            both = scope + other
            if kind == "CROSS JOIN":
                text += f" CROSS JOIN {more}"
            else:
                on = f"{self.leaf(scope, 'int')} = {self.leaf(other, 'int')}"
                if self.chance(0.5):
                    on += f" {self.rng.choice(['AND', 'AND', 'OR'])} {self.cond(both, 2 if self.chance(0.3) else 1)}"
                text += f" {kind} {more} ON {on}"
            scope = both
        return text, scope

    def aggregate(self, scope, kind, depth, outer=()):
        rng = self.rng
        tail = f" FILTER (WHERE {self.cond(scope, 1)})" if self.chance(0.2) else ""
        if kind == "int":
            roll = rng.randrange(5)
            if roll == 0:
                return f"count(*){tail}"
            some = "DISTINCT " if self.chance(0.3) else ""
            name = ["count", "sum", "min", "max"][roll - 1]
            return f"{name}({some}{self.expr(scope, 'int', depth)}){tail}"
        return f"{rng.choice(['min', 'max'])}({self.expr(scope, 'text', depth)}){tail}"

    def scalar(self, kind, depth, outer):
        text, scope = self.joined(depth - 1)
        where = f" WHERE {self.cond(scope, depth, outer)}" if self.chance(0.8) else ""
        return f"(SELECT {self.aggregate(scope, kind, 1)} FROM {text}{where})"

    def window(self, scope, kind):
        """A window whose answer does not depend on the order of equal rows."""
        rng = self.rng
        part = f"PARTITION BY {self.leaf(scope, 'text')} " if self.chance(0.6) else ""
        order = f"ORDER BY {self.expr(scope, 'int', 1)} {rng.choice(['ASC', 'DESC'])} {rng.choice(['NULLS FIRST', 'NULLS LAST'])}"
        if kind == "int" and self.chance(0.4):
            return f"{rng.choice(['rank', 'dense_rank'])}() OVER ({part}{order})"
        frame = rng.choice(
            [
                "",
                "",
                " RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
                " RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
                " GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
                " GROUPS BETWEEN 2 PRECEDING AND CURRENT ROW EXCLUDE GROUP",
                " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
                " RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE GROUP",
            ]
        )
        name = rng.choice(["count", "sum", "min", "max"] if kind == "int" else ["min", "max"])
        return f"{name}({self.expr(scope, kind, 1)}) OVER ({part}{order}{frame})"

    def rows(self, kinds, depth, outer=(), ordered=False):
        """A query with a column of each kind, named c0, c1, ..."""
        rng = self.rng
        if depth > 1 and self.chance(0.15):
            word = rng.choice(["UNION", "UNION ALL", "INTERSECT", "EXCEPT"])
            arms = [self.rows(kinds, depth - 1, outer) for _ in range(2)]
            arms = [f"SELECT * FROM ({arm}) AS {self.alias()}" for arm in arms]
            query = f" {word} ".join(arms)
            return f"{query}{self.order(len(kinds))}" if ordered else query
        text, scope = self.joined(depth, outer)
        where = f" WHERE {self.cond(scope, depth, outer)}" if self.chance(0.6) else ""
        some = "DISTINCT " if self.chance(0.15) else ""
        tail = ""
        style = rng.randrange(6)
        if style == 0:
            keys = [self.expr(scope, rng.choice(["int", "text"]), 1) for _ in range(rng.randrange(1, 3))]
            # A key that is a number alone would be a position.
            keys = [f"coalesce({key}, {key})" for key in keys]
            known = {"int": [], "text": []}
            for kind in kinds:
                known[kind].append(self.aggregate(scope, kind, 1))
            items = [known[kind].pop(0) for kind in kinds]
            items[0] = items[0] if self.chance(0.5) or not keys else items[0]
            tail = f" GROUP BY {', '.join(keys)}"
            if self.chance(0.4):
                tail += f" HAVING {self.aggregate(scope, 'int', 1)} {rng.choice(['>', '<', '='])} {rng.randrange(0, 4)}"
        elif style == 1:
            items = [self.aggregate(scope, kind, 1) for kind in kinds]
        elif style == 2:
            items = [self.window(scope, kind) for kind in kinds]
        else:
            items = [self.expr(scope, kind, depth, outer) for kind in kinds]
        listed = ", ".join(f"{item} AS c{at}" for at, item in enumerate(items))
        query = f"SELECT {some}{listed} FROM {text}{where}{tail}"
        return f"{query}{self.order(len(kinds))}" if ordered else query

    def order(self, width):
        rng = self.rng
        keys = [f"{at + 1} {rng.choice(['ASC', 'DESC'])} {rng.choice(['NULLS FIRST', 'NULLS LAST'])}" for at in range(width)]
        tail = f" ORDER BY {', '.join(keys)}"
        if self.chance(0.4):
            tail += f" LIMIT {rng.randrange(0, 6)}"
            if self.chance(0.5):
                tail += f" OFFSET {rng.randrange(0, 3)}"
        return tail

    def query(self):
        kinds = [self.rng.choice(["int", "text"]) for _ in range(self.rng.randrange(1, 4))]
        return self.rows(kinds, 3, ordered=True)


def told(rows):
    """Rows as both engines mean them: true is 1, a decimal is a float."""
    return [tuple(v if v is None or isinstance(v, (str, int)) else float(v) for v in row) for row in rows]


def agree(ours, theirs, query, seed, asked=None):
    try:
        expected = told(theirs.execute(asked or query).fetchall())
    except sqlite3.Error as error:
        # SQLite has limits of its own; what it cannot answer proves nothing.
        return f"SQLite: {error}"
    try:
        given = told(ours.execute(query).fetchall())
    except Exception as error:  # noqa: BLE001 - whatever it is, the query belongs into the message
        raise AssertionError(f"seed {seed}\n{query}\n{error}") from error
    assert given == expected, f"seed {seed}\n{query}\nours   {given}\nSQLite {expected}"
    return None


def create(connection, name, columns, key=True):
    kinds = {"int": "INTEGER", "text": "TEXT"}
    listed = ", ".join(f"{c} {kinds[kind]}" for c, kind in columns)
    # SQLite's keys of valid time would be others, so it has none.
    constraint = f", PRIMARY KEY ({columns[0][0]})" if key else ""
    connection.execute(f"CREATE TABLE {name} ({listed}{constraint})")


def insert(connection, name, row, tail=""):
    connection.execute(f"INSERT INTO {name} VALUES ({', '.join(literal(v) for v in row)}){tail}")


def test_plain_queries_answer_as_sqlite_does():
    rng = random.Random(SEED)
    theirs = sqlite3.connect(":memory:")
    with spectradb.open(":memory:") as ours:
        for table, columns in TABLES.items():
            create(ours, table, columns)
            create(theirs, table, columns)
            for row in rows_of(rng, table, 9):
                insert(ours, table, row)
                insert(theirs, table, row)
        answered = 0
        for number in range(QUERIES):
            seed = SEED * 1_000_000 + number
            writer = Writer(random.Random(seed), {table: table for table in TABLES})
            answered += agree(ours, theirs, writer.query(), seed) is None
        assert answered > QUERIES // 2


class Facts:
    """The naive model of a table: its facts as (key, from, to, row), changed by hand."""

    def __init__(self):
        self.facts = []

    def cut(self, key, begin, end):
        kept = []
        for fact in self.facts:
            k, a, b, row = fact
            if k != key or b <= begin or end <= a:
                kept.append(fact)
                continue
            if a < begin:
                kept.append((k, a, begin, row))
            if end < b:
                kept.append((k, end, b, row))
        self.facts = kept

    def at(self, point):
        return [row for _, a, b, row in self.facts if a <= point < b]


def test_queries_at_points_of_both_times_answer_as_the_model_does():
    rng = random.Random(SEED + 7)
    span = 6
    theirs = sqlite3.connect(":memory:")
    with spectradb.open(":memory:") as ours:
        models, states = {table: Facts() for table in TABLES}, []
        for table, columns in TABLES.items():
            create(ours, table, columns)
        for _ in range(60):
            table = rng.choice(list(TABLES))
            key_name, columns = TABLES[table][0][0], TABLES[table]
            key = rng.randrange(1, 8)
            begin = rng.randrange(0, span)
            end = rng.randrange(begin + 1, span + 1)
            row = (key,) + tuple(value(rng, kind) for _, kind in columns[1:])
            model = models[table]
            overlapping = [fact for fact in model.facts if fact[0] == key and fact[1] < end and begin < fact[2]]
            portion = f"FOR PORTION OF VALID_TIME FROM {begin} TO {end}"
            before = list(model.facts)
            if overlapping and rng.random() < 0.3:
                ours.execute(f"DELETE FROM {table} {portion} WHERE {key_name} = {key}")
                model.cut(key, begin, end)
            elif overlapping:
                sets = ", ".join(f"{c} = {literal(v)}" for (c, _), v in zip(columns[1:], row[1:]))
                ours.execute(f"UPDATE {table} {portion} SET {sets} WHERE {key_name} = {key}")
                parts = [(max(a, begin), min(b, end)) for _, a, b, _ in overlapping]
                model.cut(key, begin, end)
                model.facts += [(key, a, b, row) for a, b in parts]
            else:
                insert(ours, table, row, f" VALID FROM {begin} TO {end}")
                model.facts.append((key, begin, end, row))
            commit = ours.execute("SELECT current_commit()").fetchone()[0]
            if model.facts != before:
                states.append((commit, {name: list(other.facts) for name, other in models.items()}))
        answered = 0
        for number in range(QUERIES // 2):
            seed = (SEED + 7) * 1_000_000 + number
            dice = random.Random(seed)
            commit, state = dice.choice(states)
            point = dice.randrange(0, span)
            for table, columns in TABLES.items():
                theirs.execute(f"DROP TABLE IF EXISTS {table}")
                create(theirs, table, columns, key=False)
                for _, a, b, row in state[table]:
                    if a <= point < b:
                        insert(theirs, table, row)
            scope = f"FOR SYSTEM_TIME AS OF {commit} FOR VALID_TIME AS OF {point}"
            marked = Writer(random.Random(seed), {table: f"{table} {scope}" for table in TABLES}).query()
            plain = Writer(random.Random(seed), {table: table for table in TABLES}).query()
            answered += agree(ours, theirs, marked, seed, plain) is None
        assert answered > QUERIES // 4
