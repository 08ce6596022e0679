"""Exports three nights of a tenant that goes on meanwhile, and holds the newest versions against one read of the whole.

Messages get reactions, are edited and deleted in later nights; records of calls come late and change. The tenant has users without a
licence, guests, disabled accounts and a shared mailbox.

Usage: nights.py PARLEY PARLEY_EXPORT
"""

import contextlib
import datetime
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.request

import duckdb

DAY = datetime.timedelta(days=1)


@contextlib.contextmanager
def process(command: list[str], ready: str):
    """Runs a program until the block ends; what it prints up to its ready line is the value."""
    with tempfile.TemporaryFile("w+") as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as running:
        try:
            said = ""
            while not re.search(ready, said):
                line = running.stdout.readline()
                if not line:
                    errors.seek(0)
                    raise SystemExit(f"{command[0]} did not start: {errors.read()}")
                said += line
            yield said
        finally:
            running.terminate()
            running.communicate()


class Nights:
    """A simulator with a clock that is moved, a gateway anew for each reading, and the exporter.

    All gateways have the address of the first one: the exporter does not go on with a run of another gateway.
    """

    def __init__(self, parley: str, exporter: str, simulator: str, work: pathlib.Path):
        self.parley, self.exporter, self.simulator, self.work = parley, exporter, simulator, work
        self.server = "127.0.0.1:0"

    def admin(self, path: str, body: dict | list | None = None, method: str | None = None) -> dict:
        data = json.dumps(body).encode() if body else None
        with urllib.request.urlopen(urllib.request.Request(f"{self.simulator}/_sim/{path}", data, method=method)) as answer:
            return json.load(answer)

    def read(self, at: datetime.datetime, outs: list[str], *arguments: str, code: int = 0) -> None:
        """Exports at an instant into each folder, over one gateway; the exporter must end with the exit code each time."""
        self.admin("clock", {"now": at.isoformat()})
        serve = [self.parley, "serve", "--graph-url", self.simulator, "--graph-credential", "none", "--audit-file", "/dev/null"]
        serve += [f"--grpc-addr={self.server}", "--http-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0"]
        with process(serve, "is ready: ") as said:
            self.server = re.search(r"gRPC \S*?(127\.0\.0\.1:\d+)", said)[1]
            for out in outs:
                command = [self.exporter, "--server", self.server, "--plaintext", "--out", str(self.work / out), *arguments]
                ended = subprocess.run(command, capture_output=True, text=True, check=False)
                if ended.returncode != code:
                    raise SystemExit(f"{arguments} ended with {ended.returncode}: {ended.stdout}{ended.stderr}")

    def tables(self, database: duckdb.DuckDBPyConnection, out: str) -> None:
        """Makes the tables and views of an export, in a schema of its name."""
        database.execute(f"CREATE SCHEMA {out}; USE {out}")
        command = [self.exporter, "schema", "--dialect", "duckdb", "--datasets", "events", "--out", str(self.work / out)]
        database.execute(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def manifests(self, out: str) -> list[dict]:
        return [json.loads(path.read_text()) for path in sorted(self.work.glob(f"{out}/_runs/*/manifest.json"))]


def interval(start: datetime.datetime, end: datetime.datetime) -> tuple[str, ...]:
    return "--start", start.strftime("%FT%TZ"), "--end", end.strftime("%FT%TZ")


def count(database: duckdb.DuckDBPyConnection, query: str, *parameters) -> int:
    return database.execute(f"SELECT count(*) FROM ({query})", parameters).fetchall()[0][0]


def compare(database: duckdb.DuckDBPyConnection, first: datetime.datetime, readings: list[str]) -> str:
    """Holds the newest versions of the nights against the whole; what the nights have of the days before the first is left out."""
    since = f"TIMESTAMPTZ '{first.isoformat()}'"
    nights = f"SELECT * EXCLUDE (run) FROM nights.events_latest WHERE call_start_time IS NULL OR call_start_time >= {since}"
    whole = "SELECT * EXCLUDE (run) FROM whole.events_latest"
    for missing, left, right in (("only in the nights", nights, whole), ("only in the whole", whole, nights)):
        differing = f"{left} EXCEPT {right}"
        if count(database, differing):
            rows = database.execute(f"SELECT uid, user_id, version, event_time, kind, source FROM ({differing})").fetchall()
            raise SystemExit(f"{len(rows)} rows {missing}, such as {rows[:5]}")
    changed = count(database, "SELECT uid FROM nights.events WHERE kind = 'EVENT_KIND_MESSAGE' GROUP BY uid, user_id HAVING count(DISTINCT version) > 1")
    grown = count(database, "SELECT uid FROM nights.events WHERE kind = 'EVENT_KIND_CALL' GROUP BY uid, user_id HAVING count(DISTINCT version) > 1")
    found = "SELECT uid FROM nights.events WHERE run IN (SELECT unnest($1))"
    late = count(database, f"SELECT DISTINCT uid FROM whole.events WHERE kind = 'EVENT_KIND_CALL' AND uid NOT IN ({found})", readings)
    assert changed and grown and late, (changed, grown, late)
    rows = count(database, "SELECT * FROM whole.events")
    return f"{rows} events; {changed} messages changed in a later night, {grown} calls did, {late} came late"


def standing(nights: Nights, database: duckdb.DuckDBPyConnection) -> str:
    """Checks that users without Copilot, guests and disabled accounts make no run incomplete."""
    once, twice = nights.manifests("once") + nights.manifests("twice")
    for manifest in [*nights.manifests("nights"), once, twice]:
        assert manifest["outcome"] == "COMPLETE", manifest["outcome"]
        assert not manifest.get("refusals") and not manifest.get("failures"), manifest["run"]
    without = [user for user in twice["users"] for s in user["sources"] if s["source"] == "COPILOT" and s["state"] == "NOT_APPLICABLE"]
    share = len(without) / twice["counts"]["users"]
    assert 0.14 < share < 0.25, share
    assert once["counts"]["rows"] == twice["counts"]["rows"], (once["counts"], twice["counts"])
    users = f"SELECT * FROM read_parquet('{nights.work}/twice/run_date=*/dataset=users/*.parquet')"
    guests, disabled = (count(database, f"{users} WHERE {condition}") for condition in ("user_type = 'Guest'", "NOT account_enabled"))
    mailboxes = count(database, f"{users} WHERE NOT account_enabled AND user_type = 'Member' AND copilot_licensed IS DISTINCT FROM true")
    assert guests and disabled > mailboxes > 0, (guests, disabled, mailboxes)
    return (
        f"{share:.0%} of {twice['counts']['users']} users without a licence, {guests} guests, {disabled} disabled accounts, "
        f"{mailboxes} of them a shared mailbox: exit code 0, twice"
    )


def main(parley: str, exporter: str) -> None:
    today = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    # The newest Friday that is over: the nights are those of working days, of which there is much to read. A day ends when people work, and is
    # read ten minutes later, so that some calls have no record yet.
    end = today - ((today.weekday() - 5) % 7 + 1) * DAY + datetime.timedelta(hours=15)
    first, minutes = end - 3 * DAY, datetime.timedelta(minutes=10)
    simulate = [parley, "sim", "--plain", "--sim-addr", "127.0.0.1:0", "--users", "60", "--messages", "40000", "--calls", "1500"]
    with tempfile.TemporaryDirectory() as work, process(simulate, "client id: ") as said:
        nights = Nights(parley, exporter, re.search(r"simulator: (\S+)", said)[1], pathlib.Path(work))
        for day in (first, first + DAY, first + 2 * DAY):
            nights.read(day + DAY + minutes, ["nights"], "--late-calls", *interval(day, day + DAY))
        nights.read(end + minutes, ["whole"], *interval(first, end))
        # The second reading finds nothing that the first one left but what the gateway learned.
        nights.read(end + minutes, ["once", "twice"], *interval(end - DAY, end))
        database = duckdb.connect()
        database.execute("SET TimeZone = 'UTC'")
        nights.tables(database, "nights")
        nights.tables(database, "whole")
        readings = [manifest["run"] for manifest in nights.manifests("nights") if "sources" not in manifest]
        print("three nights are one read of the whole: " + compare(database, first, readings))
        print(standing(nights, database))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
