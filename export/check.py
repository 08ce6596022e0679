"""Reads an export with DuckDB and pyarrow, and holds what they count against the manifest.

Usage: check.py OUT PARLEY_EXPORT
"""

import hashlib
import json
import pathlib
import re
import subprocess
import sys

import duckdb
import pyarrow.parquet


def main(out: pathlib.Path, exporter: str) -> None:
    manifests = sorted(out.glob("_runs/*/manifest.json"))
    assert manifests, f"no manifest in {out}"
    rows: dict[str, int] = {}
    for path in manifests:
        manifest = json.loads(path.read_text())
        assert (path.parent / "_SUCCESS").exists(), manifest["outcome"]
        counted: dict[str, int] = {}
        for file in manifest["files"]:
            content = (out / file["path"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == file["sha256"], file
            assert len(content) == file["bytes"] <= 128 << 20, file
            parquet = pyarrow.parquet.ParquetFile(out / file["path"])
            assert parquet.schema_arrow.metadata[b"schema_version"] == b"1", file
            table = parquet.read()
            assert table.num_rows == file["rows"], file
            counted[file["dataset"]] = counted.get(file["dataset"], 0) + table.num_rows
        assert counted == {name: n for name, n in manifest["counts"]["rows"].items() if n}, (counted, manifest["counts"])
        users = {user["user"] for user in manifest["users"]}
        assert len(users) == manifest["counts"]["users"] > 0
        for name, n in counted.items():
            rows[name] = rows.get(name, 0) + n
    assert rows.get("events", 0) > 0 and rows.get("turns", 0) > 0, rows

    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    # Datasets that nobody asked for have no file that a view could stand on.
    command = [exporter, "schema", "--dialect", "duckdb", "--datasets", ",".join(rows), "--out", str(out)]
    database.execute(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for name, n in rows.items():
        counted_rows = database.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
        assert counted_rows == n, (name, counted_rows, n)
    latest, keys = database.execute(
        "SELECT (SELECT count(*) FROM events_latest), (SELECT count(DISTINCT (uid, user_id)) FROM events)"
    ).fetchone()
    assert latest == keys, (latest, keys)
    once = database.execute("SELECT count(*) - count(DISTINCT (uid, user_id, version, run)) FROM events").fetchone()[0]
    assert once == 0, f"{once} events stand twice in a run"
    page = (pathlib.Path(__file__).parent.parent / "docs/nightly.md").read_text()
    queries = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    assert queries, "docs/nightly.md has no query"
    for query in queries:
        database.execute(query)
    print(f"DuckDB {duckdb.__version__} and pyarrow {pyarrow.__version__} count what the manifests say: {rows}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2])
