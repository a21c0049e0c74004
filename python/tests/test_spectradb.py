"""What a Python user relies on: values, both times, transactions, errors, threads."""

import datetime as dt
import signal
import threading
from decimal import Decimal

import pytest

import spectradb

UTC = dt.timezone.utc


@pytest.fixture
def db():
    with spectradb.open(":memory:") as database:
        yield database


def test_values_come_back_as_they_went_in(db):
    db.execute(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, b BOOLEAN, r REAL, n NUMERIC(12,3), s TEXT, x BLOB, d DATE, ts TIMESTAMP, j JSON)"
    )
    row = (
        1,
        True,
        1.5,
        Decimal("12.345"),
        "grüße",
        b"\x00\xff",
        dt.date(2026, 2, 28),
        dt.datetime(2026, 2, 28, 12, 30, 0, 250000, tzinfo=UTC),
        {"a": [1, None]},
    )
    db.execute("INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)", row)
    assert db.execute("SELECT * FROM t").fetchall() == [row]
    db.execute("INSERT INTO t (id) VALUES (2)")
    assert db.execute("SELECT * FROM t WHERE id = 2").fetchone() == (2,) + (None,) * 8


def test_decimals_of_any_length(db):
    db.execute("CREATE TABLE t (id NUMERIC PRIMARY KEY, n NUMERIC)")
    long = Decimal("12345678901234567890123456789012345678901234567890.50")
    db.execute("INSERT INTO t VALUES ($1, $2), ($3, $4)", (Decimal("1.50"), long, Decimal("-1e-50"), Decimal("Infinity")))
    assert db.execute("SELECT * FROM t ORDER BY id").fetchall() == [(Decimal("-1e-50"), Decimal("Infinity")), (Decimal("1.50"), long)]
    assert db.execute("SELECT n + 1 FROM t WHERE id = $1", (Decimal("1.5"),)).fetchone() == (
        Decimal("12345678901234567890123456789012345678901234567891.50"),
    )
    assert db.execute("SELECT 'NaN'::numeric").fetchone()[0].is_nan()
    assert str(db.execute("SELECT 1.50::numeric").fetchone()[0]) == "1.50"


def test_arrays_are_lists(db):
    db.execute("CREATE TABLE a (id INT PRIMARY KEY, i INT[], s TEXT[], n NUMERIC(6,2)[], d DATE[], x BLOB[], r REAL[], b BOOLEAN[])")
    row = (
        1,
        [1, None, 3],
        ["x", 'a "b"', "", None, "NULL", "{,}"],
        [Decimal("1.50"), None],
        [dt.date(2026, 2, 28)],
        [b"\x00\xff", b""],
        [1.5, -2.0],
        [True, False, None],
    )
    db.execute("INSERT INTO a VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", row)
    assert db.execute("SELECT * FROM a").fetchall() == [row]
    assert db.execute("SELECT id FROM a WHERE id = ANY($1)", ([7, 1],)).fetchall() == [(1,)]
    assert db.execute("SELECT i || $1 FROM a", ((4, 5),)).fetchone() == ([1, None, 3, 4, 5],)
    assert db.execute("SELECT ARRAY[[1,2],[3,4]], ARRAY[]::TEXT[]").fetchone() == ([[1, 2], [3, 4]], [])
    assert db.execute("SELECT '[[1,2],[3,4]]'::JSON, $1::INT[]", ([[1, 2], [3, 4]],)).fetchone()[1] == [[1, 2], [3, 4]]
    with pytest.raises(spectradb.Error) as error:
        db.execute("SELECT 1 = ANY($1)", (["x"],)).fetchall()
    assert error.value.sqlstate == "22P02"


def test_rows_are_tuples_or_dicts(db):
    result = db.execute("SELECT 1 AS one, 'x' AS two")
    assert result.columns == ["one", "two"]
    assert result.types == ["integer", "text"]
    assert result.dicts() == [{"one": 1, "two": "x"}]
    assert list(db.execute("VALUES (1), (2), (3)")) == [(1,), (2,), (3,)]
    result = db.execute("VALUES (1), (2), (3)")
    assert result.fetchmany(2) == [(1,), (2,)]
    assert result.fetchone() == (3,)
    assert result.fetchone() is None


def test_both_times(db):
    db.execute("CREATE TABLE prices (sku TEXT PRIMARY KEY, price NUMERIC(10,2))")
    db.execute("INSERT INTO prices VALUES ('a', 1) VALID FROM DATE '2026-01-01' TO DATE '2026-07-01'")
    db.execute("INSERT INTO prices VALUES ('a', 2) VALID FROM DATE '2026-07-01'")
    before = db.current_commit
    done = db.execute("UPDATE prices FOR PORTION OF VALID_TIME FROM DATE '2026-03-01' TO DATE '2026-04-01' SET price = 3")
    assert (done.rowcount, done.tag, done.commit) == (1, "UPDATE 1", before + 1)
    assert done.told == "1 row updated, 2 leftovers kept"
    ask = "SELECT price FROM prices WHERE sku = :sku AS OF :commit VALID AT :day"
    known = db.execute(ask, {"sku": "a", "commit": before, "day": dt.datetime(2026, 3, 15, tzinfo=UTC)})
    assert known.fetchall() == [(Decimal("1.00"),)]
    now = db.execute(ask, {"sku": "a", "commit": before + 1, "day": dt.datetime(2026, 3, 15, tzinfo=UTC)})
    assert now.fetchall() == [(Decimal("3.00"),)]
    ends = db.execute("SELECT _valid_to FROM prices FOR VALID_TIME ALL ORDER BY _valid_from").fetchall()
    assert ends[-1] == (dt.datetime.max.replace(tzinfo=UTC),)


def test_transactions_commit_and_roll_back(db):
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    with db.transaction() as session:
        session.execute("INSERT INTO t VALUES (1)")
        session.execute("INSERT INTO t VALUES (2)")
        assert session.execute("SELECT count(*) FROM t").fetchone() == (2,)
    assert db.current_commit == 1
    with pytest.raises(RuntimeError), db.transaction():
        db.execute("INSERT INTO t VALUES (3)")
        raise RuntimeError
    assert not db.in_transaction
    assert db.execute("SELECT count(*) FROM t").fetchone() == (2,)
    assert db.executemany("INSERT INTO t VALUES ($1)", [(n,) for n in range(10, 20)]) == 10
    assert db.current_commit == 2


def test_errors_are_exceptions_with_sqlstate(db):
    db.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance REAL)")
    with pytest.raises(spectradb.ProgrammingError) as raised:
        db.execute("SELECT balanse FROM accounts")
    assert raised.value.sqlstate == "42703"
    assert (raised.value.line, raised.value.column) == (1, 8)
    assert "balance" in raised.value.help
    db.execute("INSERT INTO accounts VALUES (1, 2)")
    with pytest.raises(spectradb.IntegrityError) as raised:
        db.execute("INSERT INTO accounts VALUES (1, 3)")
    assert raised.value.sqlstate == "23505"
    with pytest.raises(spectradb.DataError):
        db.execute("SELECT 1 / 0").fetchall()
    with pytest.raises(spectradb.Error):
        db.execute("SELECT $1 + 1", ["x"])
    with pytest.raises(TypeError):
        db.execute("SELECT $1", [object()])


def test_a_folder_keeps_what_was_written(tmp_path):
    path = tmp_path / "db"
    with spectradb.open(path) as db:
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT)")
        db.execute("INSERT INTO t VALUES (1, 'kept')")
    with spectradb.open(str(path)) as db:
        assert db.execute("SELECT s FROM t").fetchall() == [("kept",)]
        with pytest.raises(spectradb.OperationalError):
            spectradb.open(path)


def test_a_reader_sees_the_writers_commits_and_changes_nothing(tmp_path):
    path = tmp_path / "db"
    with pytest.raises(spectradb.Error):
        spectradb.open(path, read_only=True)
    with spectradb.open(path) as writer:
        writer.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
        writer.execute("INSERT INTO t VALUES (1, 'a')")
        with spectradb.open(path, read_only=True) as reader:
            assert reader.execute("SELECT name FROM t").fetchall() == [("a",)]
            writer.execute("UPDATE t SET name = 'b'")
            assert reader.execute("SELECT name FROM t").fetchall() == [("b",)]
            assert reader.execute("SELECT name FROM t AS OF 1").fetchall() == [("a",)]
            writer.execute("ERASE FROM t WHERE id = 1")
            assert reader.execute("SELECT name FROM t FOR SYSTEM_TIME ALL").fetchall() == []
            with pytest.raises(spectradb.TransactionError) as raised:
                reader.execute("INSERT INTO t VALUES (2, 'c')")
            assert raised.value.sqlstate == "25006"


def test_each_thread_has_its_session(db):
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")

    def write(first):
        session = db.session()
        for n in range(first, first + 25):
            session.execute("INSERT INTO t VALUES ($1)", [n])

    threads = [threading.Thread(target=write, args=(base,)) for base in (0, 100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert db.execute("SELECT count(*) FROM t").fetchone() == (100,)
    assert db.current_commit == 100


# Far more pairs than anybody waits for.
ENDLESS = "SELECT count(*) FROM n a, n b, n c, n d, n e, n f, n g, n h"


def numbers(db):
    # Should nothing cancel it, the statement ends with an error after all.
    db.execute("SET statement_timeout = '60s'")
    db.execute("CREATE TABLE n (id INTEGER PRIMARY KEY)")
    db.executemany("INSERT INTO n VALUES ($1)", [[n] for n in range(100)])


def test_ctrl_c_cancels_the_statement(db):
    numbers(db)
    # A process that was started in the background ignores Ctrl-C unless it says otherwise.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main = threading.get_ident()
    timer = threading.Timer(0.2, lambda: signal.pthread_kill(main, signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        db.execute(ENDLESS)
    assert db.execute("SELECT count(*) FROM n").fetchone() == (100,)


def test_another_thread_cancels_the_statement(db):
    numbers(db)
    session = db.session()
    ended = threading.Event()

    def cancel():
        while not ended.wait(0.01):
            session.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(spectradb.OperationalError) as raised:
        session.execute(ENDLESS)
    ended.set()
    thread.join()
    assert raised.value.sqlstate == "57014"
    assert session.execute("SELECT count(*) FROM n").fetchone() == (100,)


def test_a_past_state_is_restored(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    with spectradb.open(old) as db:
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)")
        db.execute("INSERT INTO t VALUES (1, 'right')")
        db.execute("UPDATE t SET x = 'wrong'")
        assert spectradb.restore(old, new, 1) == 1
        now = dt.datetime.now(dt.timezone.utc)
        assert spectradb.restore(old, tmp_path / "now", now) == 2
        assert spectradb.restore(old, tmp_path / "newest") == 2
    with spectradb.open(new) as db:
        assert db.execute("SELECT x FROM t").fetchall() == [("right",)]
    with pytest.raises(spectradb.Error) as raised:
        spectradb.restore(old, new, 1)
    assert raised.value.sqlstate == "58P02"
