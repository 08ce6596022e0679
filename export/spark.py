"""Reads an export with Spark, and holds what it counts against the manifests.

Usage: spark.py OUT PARLEY_EXPORT
"""

import json
import pathlib
import subprocess
import sys

from pyspark.sql import SparkSession


def main(out: pathlib.Path, exporter: str) -> None:
    rows: dict[str, int] = {}
    for path in out.glob("_runs/*/manifest.json"):
        for name, n in json.loads(path.read_text())["counts"]["rows"].items():
            rows[name] = rows.get(name, 0) + n
    rows = {name: n for name, n in rows.items() if n}
    assert rows.get("events"), f"no events in {out}"
    spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.sql.session.timeZone", "UTC").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    command = [exporter, "schema", "--dialect", "spark", "--datasets", ",".join(rows), "--out", str(out.resolve())]
    for statement in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split(";"):
        if statement.strip():
            spark.sql(statement)
    for name, n in rows.items():
        counted = spark.sql(f"SELECT count(*) FROM {name}").first()[0]
        assert counted == n, (name, counted, n)
    latest, keys = spark.sql("SELECT (SELECT count(*) FROM events_latest), (SELECT count(DISTINCT uid, user_id) FROM events)").first()
    assert latest == keys, (latest, keys)
    print(f"Spark {spark.version} counts what the manifests say: {rows}")
    spark.stop()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2])
