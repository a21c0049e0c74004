"""Scans of the present and of past commits over histories of many versions a key: how do they compare with DuckDB's over the same facts?

The facts are made by `spectradb-compare histories`, which also times SpectraDB and writes them as CSV. DuckDB holds them in one table with the
commits between which each held: in the order of time, which is its best case, and shuffled. One thread each; medians, in milliseconds; sums are
compared.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import duckdb

HERE = pathlib.Path(__file__).parent
KEYS = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
VERSIONS = int(sys.argv[2]) if len(sys.argv) > 2 else 100
RUNS = 5
OPEN = 2**63 - 1


def median_of(run):
    answer = run()
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        run()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times), answer


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        program = HERE / "target" / "release" / "spectradb-compare"
        command = [program, "--runs", str(RUNS), "histories", folder, "--keys", str(KEYS), "--versions", str(VERSIONS)]
        ours = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        connection = duckdb.connect(str(folder / "h.duckdb"))
        connection.execute("SET threads = 1")
        print(f"\n**Scans over {KEYS} keys x {VERSIONS} versions, one thread, milliseconds** (in brackets: ours divided by DuckDB's)\n")
        print("| history | now | as of past commits, median | worst ratio of them | history rows looked at for each row, median, most |")
        print("|---|---|---|---|---|")
        order = "ORDER BY hash(id * 1000003 + since)"
        cases = [("round-robin", "round-robin", ""), ("random", "random", ""), ("uneven", "uneven", ""), ("random", "shuffled", order)]
        for history, title, order in cases:
            connection.execute("DROP TABLE IF EXISTS h")
            connection.execute(f"CREATE TABLE h AS SELECT * FROM read_csv_auto('{folder / history}.csv') {order}")

            def total(condition):
                return connection.execute(f"SELECT sum(balance) FROM h WHERE {condition}").fetchone()[0]

            mine, sum_now = ours[history]["now"]
            theirs, answer = median_of(lambda: total(f"upto = {OPEN}"))
            assert answer == sum_now, (title, answer, sum_now)
            ratios, my_times, their_times = [], [], []
            touched = [each[3] for each in ours[history]["past"]]
            for commit, milliseconds, sum_then, _ in ours[history]["past"]:
                past, answer = median_of(lambda commit=commit: total(f"since <= {commit} AND upto > {commit}"))
                assert answer == sum_then, (title, commit, answer, sum_then)
                ratios.append(milliseconds / past)
                my_times.append(milliseconds)
                their_times.append(past)
            mine_past, their_past = statistics.median(my_times), statistics.median(their_times)
            print(
                f"| {title} | {mine:.2f}, DuckDB {theirs:.2f} ({mine / theirs:.2f}) |"
                f" {mine_past:.2f}, DuckDB {their_past:.2f} ({mine_past / their_past:.2f}) | {max(ratios):.2f} |"
                f" {statistics.median(touched):.1f}, {max(touched):.1f} |"
            )
        updates = ours["updates"]
        print("\n**5,000,000 rows of which a fifth was changed at random places in ten commits, SpectraDB, milliseconds of CPU time**\n")
        print("| scan | before it was compacted | after |")
        print("|---|---|---|")
        print(f"| now ({updates['before']:.2f} before the changes) | {updates['behind']:.2f} | {updates['compacted']:.2f} |")
        print(f"| as of before the changes | {updates['past behind']:.2f} | {updates['past']:.2f} |")


if __name__ == "__main__":
    main()
