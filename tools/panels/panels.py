"""Draws the dashboards of deploy/grafana as pictures, from what a real Prometheus answers to their queries.

Usage: panels.py PARLEY DASHBOARDS PICTURES

It starts the simulator, a gateway with TLS and authentication, and a Prometheus that scrapes it every two seconds, loads the gateway for a while with calls of
several kinds, good and bad ones, and faults of Graph in between, and asks Prometheus for each panel's query. The run fails if Prometheus refuses a
query, or if a panel is empty although the load made something of its kind.
"""
import datetime
import json
import math
import pathlib
import re
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import matplotlib

matplotlib.use("Agg")
from matplotlib import dates, pyplot, ticker

parley, dashboards, pictures = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
LENGTH, STEP = 120, 2
VARIABLES = {"$job": ".*", "$tenant": ".*", "$__rate_interval": "12s"}
lines_left = pyplot.Line2D([], [], alpha=0) # stands for the lines of a legend that has no room for more
unchecked = ssl.create_default_context()
unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE


def ask(url, body=None, token=None):
    request = urllib.request.Request(url, body, {"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=60, context=unchecked if url.startswith("https") else None) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode()
    except OSError as error: # the gateway ends, or the connection was cut
        return str(error)


def said(process, pattern):
    for line in process.stdout:
        if match := re.search(pattern, line):
            return match
    raise SystemExit(f"{process.args} ended")


def load(rest, sim, policy, until):
    """Threads that call until the time is up."""
    token = lambda query: ask(f"{sim}/_sim/token?{query}").strip()
    job = token("role=Conversations.Export.All")
    users = [user["id"] for user in json.loads(ask(f"{rest}/v1/users?pageSize=100", token=job))["users"]]
    person = token(f"user={users[0]}")
    start = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=20)).strftime("%Y-%m-%dT00:00:00Z")

    def every(seconds, call):
        def run():
            n = 0
            while time.time() < until:
                call(users[n % len(users)], n)
                n += 1
                time.sleep(seconds)
        return threading.Thread(target=run)

    threads = [
        every(0.4, lambda user, n: ask(f"{rest}/v1/users/{user}/events?startTime={start}&pageSize=50", token=job)),
        every(0.5, lambda user, n: ask(f"{rest}/v1/users/{user}/conversations?pageSize=20", token=job)),
        every(0.7, lambda user, n: ask(f"{rest}/v1/users/{user}/events:stream?startTime={start}", token=job)),
        every(0.8, lambda user, n: ask(f"{rest}/v1/users/{user}/events:stream?startTime={start}", token=job)),
        every(0.3, lambda user, n: ask(f"{rest}/v1/users?pageSize=100", token=job)),
        every(5, lambda user, n: ask(f"{rest}/v1/copilotUsage?period=D{(7, 30, 90, 180)[n % 4]}", token=job)),
        every(1.3, lambda user, n: ask(f"{rest}/v1/users/{user}/events?startTime={start}&filter=colour%3D1", token=job)),
        every(1.7, lambda user, n: ask(f"{rest}/v1/users/{user}/conversations")),
        every(1.9, lambda user, n: ask(f"{rest}/v1/users/{user}/conversations", token=person)),
    ]

    def burst(): # more at one time than one caller may begin
        while time.time() < until:
            many = [threading.Thread(target=ask, args=(f"{rest}/v1/users?pageSize=1", None, job)) for _ in range(140)]
            for each in many:
                each.start()
            for each in many:
                each.join()
            time.sleep(15)

    def trouble():
        begin = until - LENGTH
        for after, faults in ((30, [{"kind": "status", "status": 429, "match": "chat", "retryAfter": "2", "rate": 0.3}, {"kind": "slow", "delayMs": 400, "rate": 0.2},
                                    {"kind": "status", "status": 403, "match": "call", "rate": 1}]),
                              (60, [{"kind": "status", "status": 503, "match": "copilot", "rate": 0.5}, {"kind": "reset", "rate": 0.02}]), (85, [])):
            time.sleep(max(0, begin + after - time.time()))
            ask(f"{sim}/_sim/faults", json.dumps(faults).encode())
            with policy.open("a") as file: # read again within seconds
                file.write("# changed\n")

    threads += [threading.Thread(target=burst), threading.Thread(target=trouble)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def prometheus(folder, target):
    config = folder / "prometheus.yml"
    config.write_text(json.dumps({"global": {"scrape_interval": "2s"}, "scrape_configs": [{"job_name": "parley", "static_configs": [{"targets": [target]}]}]}))
    process = subprocess.Popen(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data", "--web.listen-address=127.0.0.1:0"],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    address = said(process, r'Listening on.*address=(127\S+)')[1]
    threading.Thread(target=process.stdout.read, daemon=True).start()
    return process, f"http://{address}"


def series(server, expression, begin, end):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    query = urllib.parse.urlencode({"query": expression, "start": begin, "end": end, "step": STEP})
    answer = json.loads(ask(f"{server}/api/v1/query_range?{query}"))
    if answer["status"] != "success":
        raise SystemExit(f"{expression}: {answer['error']}")
    return answer["data"]["result"]


def written(value, unit):
    """A value as Grafana writes it with a unit."""
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit in ("bytes", "Bps"):
        for name in ("B", "KiB", "MiB", "GiB"):
            if abs(value) < 1024 or name == "GiB":
                return f"{value:.3g} {name}" + ("/s" if unit == "Bps" else "")
            value /= 1024
    if unit == "s":
        for size, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms")):
            if abs(value) >= size:
                return f"{value / size:.3g} {name}"
        return "0 s" if value == 0 else f"{value * 1e6:.3g} µs"
    return f"{value:.4g}" + {"reqps": " req/s", "ops": " /s"}.get(unit, "")


def between_ticks(unit, top):
    """A round distance of about five ticks from 0 to a value, as its unit counts; None leaves it to the library."""
    if unit in ("bytes", "Bps"):
        return 2 ** math.ceil(math.log2(top / 6))
    if unit == "s" and top > 60:
        return next((size for size in (15, 30, 60, 300, 600, 1800, 3600, 21600, 86400, 5 * 86400) if top <= 6 * size), 30 * 86400)
    return None


def label(target, found):
    name = re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda match: found["metric"].get(match[1], ""), target.get("legendFormat") or "")
    return re.sub(r"127\.0\.0\.1:\d+", "gateway:9464", name.strip()) or "value"


def gapped(points):
    """The points, with one of no value in each gap, so that no line is drawn across it."""
    all_points = []
    for at, value in points:
        if all_points and at - all_points[-1][0] > 1.5 * STEP:
            all_points.append((at - STEP, math.nan))
        all_points.append((at, value))
    return all_points


def panel(axes, described, server, begin, end):
    """Draws one panel, and tells whether it has something to show."""
    defaults = described["fieldConfig"]["defaults"]
    unit = defaults.get("unit", "short")
    axes.set_title(described["title"], loc="left", fontsize=10, fontweight="bold")
    lines = [(label(target, found), [(float(at), float(value)) for at, value in found["values"] if value not in ("NaN", "+Inf")])
             for target in described["targets"] for found in series(server, target["expr"], begin, end)]
    lines = [(name, points) for name, points in lines if points]
    if described["type"] == "stat":
        axes.axis("off")
        options = {key: each for mapping in defaults.get("mappings") or [] for key, each in mapping["options"].items()}
        for i, (name, points) in enumerate(lines):
            last = written(points[-1][1], unit)
            shown = options.get(last, {"text": last, "color": "green"})
            axes.text(0.5, 0.45, shown["text"] if name == "value" else f"{name}\n{shown['text']}", ha="center", va="center", fontsize=18, color="white",
                      transform=axes.transAxes, bbox={"facecolor": {"green": "#2e7d32", "red": "#c62828"}.get(shown.get("color"), "#2e7d32"), "pad": 14, "edgecolor": "none"})
    for name, points in sorted(lines, key=lambda line: -max(value for _, value in line[1])) if described["type"] != "stat" else ():
        points = gapped(points)
        axes.plot([dates.date2num(datetime.datetime.fromtimestamp(at, datetime.UTC)) for at, _ in points], [value for _, value in points],
                  label=f"{name} ({written(points[-1][1], unit)})", linewidth=1.3)
    if described["type"] != "stat":
        axes.xaxis_date()
        axes.set_xlim(*(dates.date2num(datetime.datetime.fromtimestamp(at, datetime.UTC)) for at in (begin, end)))
        start = begin
        axes.set_xticks([dates.date2num(datetime.datetime.fromtimestamp(begin + at, datetime.UTC)) for at in range(0, LENGTH + 1, 20)])
        axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda at, _: f"{round(dates.num2date(at).timestamp() - start)} s"))
        axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: written(value, unit)))
        if defaults.get("min") is not None:
            top = max([value for _, points in lines for _, value in points], default=0) * 1.08 or 1
            axes.set_ylim(defaults["min"], top)
            if distance := between_ticks(unit, top):
                axes.yaxis.set_major_locator(ticker.MultipleLocator(distance))
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.25)
        if lines:
            handles, names = axes.get_legend_handles_labels() # the greatest ones
            if len(names) > 6:
                handles, names = [*handles[:5], lines_left], [*names[:5], f"and {len(names) - 5} more"]
            axes.legend(handles, names, fontsize=7, loc="upper left", bbox_to_anchor=(-0.01, -0.13), ncols=3 if max(map(len, names)) < 32 else 2, frameon=False, borderaxespad=0, columnspacing=1.2)
    if not lines:
        axes.text(0.5, 0.5, "No data", ha="center", va="center", color="gray", transform=axes.transAxes)
    return bool(lines)


def draw(path, server, begin, end):
    board = json.loads(path.read_text())
    height = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in board["panels"])
    inches = height * 0.4
    figure = pyplot.figure(figsize=(14, inches))
    grid = figure.add_gridspec(height, 24, left=0.06, right=0.985, top=1 - 0.9 / inches, bottom=0.2 / inches)
    figure.suptitle(board["title"], x=0.02, ha="left", fontweight="bold")
    empty = []
    for described in board["panels"]:
        at = described["gridPos"]
        rest = 2 if described["type"] == "stat" else 3 # rows for the title, and below a graph its legend
        axes = figure.add_subplot(grid[at["y"] : at["y"] + at["h"] - rest, at["x"] + (1 if at["x"] else 0) : at["x"] + at["w"]])
        if not panel(axes, described, server, begin, end):
            empty.append(described["title"])
    figure.savefig(pictures / f"dashboard-{path.stem}.png", dpi=80)
    pyplot.close(figure)
    return [f"{board['title']}: {title}" for title in empty]


def main():
    running = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.joinpath("secret").write_text("graphsim-demo-secret")
        folder.joinpath("secret").chmod(0o600)
        policy = folder / "policy.yaml"
        policy.write_text(pathlib.Path("docs/policies/entra-app-roles.yaml").read_text())
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "60",
                        "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"], check=True, stderr=subprocess.DEVNULL)
        start = lambda *args: running.append(subprocess.Popen([parley, *args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)) or running[-1]
        try:
            sim = said(start("sim", "--sim-addr=127.0.0.1:0", "--users=60", "--messages=20000", f"--ca-file={folder}/ca.pem"), r"simulator: (\S+)")[1]
            tenant, client = "5f3c1f6e-2a7b-4d1c-9a55-0c6d2f7e8b10", "c0a8d9d2-6b1f-4f0e-8e57-3d2b9a417f66"
            gateway = start(
                "serve", "--grpc-addr=127.0.0.1:0", "--http-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0", "--audit-file=/dev/null", "--cache-size=8MiB",
                f"--graph-url={sim}", f"--graph-authority-url={sim}", f"--graph-ca-file={folder}/ca.pem", "--graph-credential=client-secret",
                f"--graph-client-secret-file={folder}/secret", f"--graph-tenant-id={tenant}", f"--graph-client-id={client}",
                "--auth-mode=oidc", f"--oidc-issuer={sim}/{{tid}}/v2.0", "--oidc-audience=api://parley", f"--oidc-ca-file={folder}/ca.pem",
                f"--policy-file={policy}", "--caller-rate=8", "--caller-burst=25", f"--tls-cert-file={folder}/cert.pem", f"--tls-key-file={folder}/key.pem")
            at = said(gateway, r"REST http://([^\s,]+), admin http://([^\s)]+)")
            server_process, server = prometheus(folder, at[2])
            running.append(server_process)
            begin = time.time()
            load(f"https://{at[1]}", sim, policy, begin + LENGTH)
            empty = [each for path in sorted(dashboards.glob("*.json")) for each in draw(path, server, begin, begin + LENGTH)]
        finally:
            for process in reversed(running):
                process.kill()
                process.wait()
    if empty:
        raise SystemExit("panels without data:\n  " + "\n  ".join(empty))


main()
