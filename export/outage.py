"""Exports a night in the middle of which Graph goes down, runs the export again when it is back, and holds both against one without trouble.

The first run must end with exit code 3 and name in its manifest who is missing. The second one must ask Graph about these users alone, and
end with the rows of an export that met no trouble.

Usage: outage.py PARLEY PARLEY_EXPORT
"""

import collections
import datetime
import pathlib
import re
import sys
import tempfile

import duckdb
from nights import DAY, Nights, count, interval, process


def asked(nights: Nights) -> collections.Counter:
    """How often Graph was asked since the last time, by user; the key of what is asked about nobody is its kind."""
    requests = nights.admin("requests")["requests"]
    nights.admin("requests", method="DELETE")
    answered = collections.Counter()
    for request in requests:
        if request["source"] != "admin":
            user = re.search(r"/users/([0-9a-f-]{36})/", request["path"])
            answered[user[1] if user else request["source"]] += 1
    return answered


def missing(manifest: dict) -> set[str]:
    """Holds that a manifest counts and gives reasons for exactly the users who are not whole, and returns these."""
    users = {user["user"]: user for user in manifest["users"]}
    incomplete = {name for name, user in users.items() if user["state"] == "INCOMPLETE"}
    counts = manifest["counts"]
    assert len(users) == counts["users"] == counts["users_read"] + counts["users_incomplete"], counts
    assert len(incomplete) == counts["users_incomplete"], counts
    reasons = collections.Counter()
    for name in incomplete:
        failed = [s for s in users[name]["sources"] if s.get("reason") == "GRAPH_UNAVAILABLE" or s.get("gaps")]
        assert failed and not users[name]["complete"], users[name]
        reasons.update(s["source"] for s in failed)
    said = {failure["source"]: failure["users"] for failure in manifest["failures"] if failure["reason"] == "GRAPH_UNAVAILABLE"}
    assert said == reasons, (said, reasons)
    return incomplete


def only(nights: Nights, out: str) -> dict:
    (manifest,) = nights.manifests(out)
    finished = nights.work / out / "_runs" / manifest["run"] / "_SUCCESS"
    assert finished.exists() == (manifest["outcome"] == "COMPLETE"), manifest["outcome"]
    return manifest


def main(parley: str, exporter: str) -> None:
    today = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    end = today - ((today.weekday() - 5) % 7 + 1) * DAY  # of the newest Thursday that is over
    simulate = [parley, "sim", "--plain", "--sim-addr", "127.0.0.1:0", "--users", "150", "--messages", "40000", "--calls", "600"]
    with tempfile.TemporaryDirectory() as work, process(simulate, "client id: ") as said:
        nights = Nights(parley, exporter, re.search(r"simulator: (\S+)", said)[1], pathlib.Path(work))
        at, night = end + 3 * datetime.timedelta(hours=1), interval(end - DAY, end)
        nights.read(at, ["whole"], *night)
        usual = asked(nights)
        assert only(nights, "whole")["outcome"] == "COMPLETE"

        # Three of four requests are answered. Those of users who come later are then made, and fail.
        nights.admin("faults", [{"kind": "status", "status": 503, "after": usual.total() * 3 // 4}])
        nights.read(at, ["outage"], *night, code=3)
        tried = asked(nights)
        nights.admin("faults", method="DELETE")
        first = only(nights, "outage")
        users = missing(first)
        assert first["outcome"] == "INCOMPLETE" and 0 < len(users) < first["counts"]["users"], first["counts"]
        # A request is made four times, and twice as often if it was made ahead of its user.
        assert tried.total() < 8 * usual.total(), (tried, usual)

        # Another gateway, which has cached nothing, reads the rest.
        nights.read(at, ["outage"], *night)
        again = asked(nights)
        second = only(nights, "outage")
        assert second["outcome"] == "COMPLETE" and not second.get("failures"), second["outcome"]
        about = {name for name in again if "-" in name}
        assert about == users, (about - users, users - about)
        assert all(again[name] <= usual[name] for name in about) and again.total() < usual.total(), (again, usual)

        database = duckdb.connect()
        database.execute("SET TimeZone = 'UTC'")
        for out in ("whole", "outage"):
            nights.tables(database, out)
        whole, both = (f"SELECT * FROM {out}.events" for out in ("whole", "outage"))
        for left, right in ((whole, both), (both, whole)):
            differing = f"({left}) EXCEPT ALL ({right})"
            assert not count(database, differing), database.execute(differing).fetchall()[:5]
        print(
            f"Graph was down in a night: {len(users)} of {first['counts']['users']} users were missing; the run after it asked {again.total()} times "
            f"where a whole one asks {usual.total()} times, and ended with the same {count(database, whole)} events"
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
