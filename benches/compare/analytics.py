"""Five analytic queries over the same rows, one thread each: how does the interpreter compare with DuckDB and DataFusion?

The rows are made by `spectradb-compare analytics`, which also times SpectraDB and writes them as CSV for the others, so all engines
read the same data. Times are medians of several runs of the whole query, in milliseconds; answers are compared.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000
RUNS = 5

QUERIES = {
    "filter + sum": "SELECT sum(amount) FROM t WHERE amount > 50",
    "GROUP BY, 1,000 groups": "SELECT kind, count(*), sum(amount) FROM t GROUP BY kind",
    "join with 100 k rows": "SELECT count(*), sum(t.amount * d.weight) FROM t JOIN d ON t.ref = d.id",
    "ORDER BY LIMIT 100": "SELECT id, amount FROM t ORDER BY amount DESC, id LIMIT 100",
    "row_number over partitions": "SELECT sum(n) FROM (SELECT row_number() OVER (PARTITION BY kind ORDER BY amount, id) AS n FROM t) AS s",
}


def measure(run):
    times = []
    rows = run()
    for _ in range(RUNS):
        started = time.perf_counter()
        run()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times), rows


def digest(rows):
    """What has to be the same in every engine: sums are rounded, because engines add in different orders."""
    flat = [round(float(value), 2) if value is not None else 0.0 for row in rows for value in row]
    return len(rows), round(sum(flat), 0)


def duckdb_times(folder):
    import duckdb

    connection = duckdb.connect(str(folder / "t.duckdb"))
    connection.execute("SET threads = 1")
    for table in ("t", "d"):
        connection.execute(f"CREATE TABLE {table} AS SELECT * FROM read_csv_auto('{folder / table}.csv')")
    return {name: measure(lambda sql=sql: connection.execute(sql).fetchall()) for name, sql in QUERIES.items()}


def datafusion_times(folder):
    import datafusion

    config = datafusion.SessionConfig().with_target_partitions(1)
    context = datafusion.SessionContext(config)
    for table in ("t", "d"):
        context.register_csv(f"{table}_csv", str(folder / f"{table}.csv"))
        # In memory, so that reading text is not part of the figures.
        context.register_record_batches(table, [context.sql(f"SELECT * FROM {table}_csv").collect()])

    def rows_of(sql):
        return [tuple(column[i].as_py() for column in batch) for batch in context.sql(sql).collect() for i in range(batch.num_rows)]

    return {name: measure(lambda sql=sql: rows_of(sql)) for name, sql in QUERIES.items()}


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "queries.json").write_text(json.dumps(QUERIES))
        program = HERE / "target" / "release" / "spectradb-compare"
        command = [program, "--rows", str(ROWS), "--runs", str(RUNS), "analytics", folder]
        ours = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        others = {"DuckDB": duckdb_times(folder), "DataFusion": datafusion_times(folder)}
        print(f"\n**Five queries over {ROWS} rows, one thread, milliseconds** (in brackets: ours divided by it; below 1 ours is faster)\n")
        print("| query | SpectraDB | " + " | ".join(others) + " |")
        print("|---|---|" + "---|" * len(others))
        for query in QUERIES:
            mine, rows = ours[query]
            cells = [f"{mine:.1f}"]
            for engine, times in others.items():
                theirs, answer = times[query]
                assert digest(answer) == digest(rows), f"{engine} answers {query} differently: {digest(answer)} {digest(rows)}"
                cells.append(f"{theirs:.1f} ({mine / theirs:.2f})")
            print(f"| {query} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
