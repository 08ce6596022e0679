"""Writes deploy/alerts/scraped_test.yaml: a promtool test for each alert, from what /metrics of a gateway said in trouble of that kind.

Usage: scrape.py PARLEY RULES OUT

Each test starts the gateway, over the simulator or over a Graph of its own, scrapes it, makes the trouble, and scrapes it again. A gauge keeps the
value of the second scrape; a counter goes on each minute as it went between the two. Times of expiry are seconds from the scrape, because
promtool's clock starts at 0.
"""
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

import ssl

parley, rules_path, out_path = sys.argv[1:4]
only = os.environ.get("ONLY")
rules = open(rules_path).read()
NAMED = set(re.findall(r"\bparley_[a-z_]+", rules))
TENANT, CLIENT = "5f3c1f6e-2a7b-4d1c-9a55-0c6d2f7e8b10", "c0a8d9d2-6b1f-4f0e-8e57-3d2b9a417f66"
DAY = 86400
unchecked = ssl.create_default_context()
unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE


class Process:
    """A verb of the binary that runs until it is stopped."""

    def __init__(self, *args, env=None, until):
        self.run = subprocess.Popen([parley, *args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, **(env or {})})
        self.said = ""
        while until not in self.said:
            line = self.run.stdout.readline()
            if not line:
                raise SystemExit(f"{args}: ended before it said {until!r}: {self.said}")
            self.said += line

    def stop(self):
        self.run.kill()
        self.run.wait()


class Simulator(Process):
    def __init__(self, *args):
        super().__init__("sim", "--plain", "--sim-addr=127.0.0.1:0", "--users=40", "--messages=2000", *args, until="client id")
        self.url = re.search(r"simulator: (\S+)", self.said)[1]

    def fault(self, *faults):
        ask(self.url + "/_sim/faults", json.dumps(faults).encode())


class Gateway(Process):
    def __init__(self, graph, *args, env=None):
        super().__init__("serve", "--grpc-addr=127.0.0.1:0", "--http-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0", "--audit-file=/dev/null",
                         f"--graph-url={graph}", *(args or ["--graph-credential=none"]), env=env, until=" is ready")
        self.rest = re.search(r"REST http://([^\s,]+)", self.said)[1]
        self.admin = re.search(r"admin http://([^\s)]+)", self.said)[1]
        self.scheme = "http"

    def get(self, path):
        """Asks, and returns the body whatever the status is."""
        return ask(f"{self.scheme}://{self.rest}{path}")

    def users(self):
        return [user["id"] for user in json.loads(self.get("/v1/users?pageSize=100"))["users"]]

    def events(self, user, source, more=""):
        start = time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(time.time() - 5 * DAY))
        return self.get(f"/v1/users/{user}/events{more}?startTime={start}&sources=SOURCE_{source}")

    def scrape(self):
        """Every series that the rules are about, with its value."""
        series = {}
        for line in ask(f"http://{self.admin}/metrics").splitlines():
            match = re.fullmatch(r"(parley_\w+)(\{.*\})? (\S+)", line)
            if match and match[1] in NAMED:
                series[match[1] + (match[2] or "{}")] = float(match[3])
        return series

    def until(self, name, above):
        """Scrapes until a series of a name is above a value."""
        for _ in range(600):
            series = self.scrape()
            if any(key.startswith(name) and value > above for key, value in series.items()):
                return series
            time.sleep(0.2)
        raise SystemExit(f"{name} stayed at {above}")


def ask(url, body=None, timeout=90):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=timeout, context=unchecked if url.startswith("https") else None) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode()


class SlowClock(http.server.BaseHTTPRequestHandler):
    """A Graph that is 45 seconds behind, and has nothing."""

    def date_time_string(self, timestamp=None):
        return super().date_time_string((timestamp or time.time()) - 45)

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"value":[]}')

    def log_message(self, *args):
        pass


def certificate(folder, days):
    """A certificate that ends in so many days, and its key, in one file."""
    both = os.path.join(folder, f"{days}.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-days", str(days), "-keyout", both + ".key", "-out", both + ".crt"], check=True, stderr=subprocess.DEVNULL)
    with open(both, "w") as file:
        file.write(open(both + ".crt").read() + open(both + ".key").read())
    os.chmod(both, 0o600)
    return both


# Each trouble yields (gateway, scrape before, scrape after).

def audit(sim, folder):
    gateway = Gateway(sim.url, "--graph-credential=none", "--audit-file=/dev/full")
    before = gateway.scrape()
    gateway.get("/v1/users")
    return gateway, before, gateway.scrape()


def credential(sim, folder):
    wrong = os.path.join(folder, "wrong")
    with open(wrong, "w") as file:
        file.write("ended")
    os.chmod(wrong, 0o600)
    return signing_in(folder, "--graph-credential=client-secret", f"--graph-client-secret-file={wrong}")


def signing_in(folder, *args):
    """One call of a gateway that signs in."""
    secured = Process("sim", "--sim-addr=127.0.0.1:0", "--users=5", f"--ca-file={folder}/ca.pem", until="client id")
    try:
        url = re.search(r"simulator: (\S+)", secured.said)[1]
        gateway = Gateway(url, *args, f"--graph-authority-url={url}", f"--graph-ca-file={folder}/ca.pem",
                          f"--graph-tenant-id={TENANT}", f"--graph-client-id={CLIENT}")
        gateway.get("/v1/users")
        series = gateway.scrape()
        return gateway, series, series
    finally:
        secured.stop()


def faulted(source, fault, verb="", callers=8, env=None):
    """Calls of several users meet a fault of one source."""

    def trouble(sim, folder):
        gateway = Gateway(sim.url, env=env)
        users = gateway.users()[:callers]
        before = gateway.scrape()
        sim.fault(fault)
        threads = [threading.Thread(target=gateway.events, args=(user, source, verb)) for user in users]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return gateway, before, gateway.scrape()

    return trouble


def reload(sim, folder):
    policy = os.path.join(folder, "policy.yaml")
    with open(policy, "w") as file:
        file.write("version: 1\nrules: []\n")
    both = certificate(folder, 90)
    gateway = Gateway(sim.url, "--graph-credential=none", f"--tls-cert-file={both}", f"--tls-key-file={both}")
    before = gateway.scrape()
    with open(both, "w") as file:
        file.write("no certificate")
    gateway.run.send_signal(signal.SIGHUP)
    return gateway, before, gateway.until('parley_reloads_total{result="failed",what="certificates"}', 0)


def skew(sim, folder):
    graph = http.server.ThreadingHTTPServer(("127.0.0.1", 0), SlowClock)
    threading.Thread(target=graph.serve_forever, daemon=True).start()
    try:
        gateway = Gateway(f"http://127.0.0.1:{graph.server_port}")
        before = gateway.scrape()
        for _ in range(8):
            gateway.get("/v1/users")
        return gateway, before, gateway.scrape()
    finally:
        graph.shutdown()


def login(sim, folder):
    return signing_in(folder, "--graph-credential=client-certificate", f"--graph-certificate-file={certificate(folder, 13)}")


def listeners(sim, folder):
    both = certificate(folder, 6)
    gateway = Gateway(sim.url, "--graph-credential=none", f"--tls-cert-file={both}", f"--tls-key-file={both}")
    series = gateway.scrape()
    return gateway, series, series


def memory(done):
    """Streams meet a gateway whose memory limit is near what it takes at rest."""

    def trouble(sim, folder):
        gateway = Gateway(sim.url, "--graph-credential=none", env={"GOMEMLIMIT": "8MiB"})
        before = gateway.scrape()
        for _ in range(300):
            gateway.events("4db02e4b-d144-400e-b194-53253a34c5be", "CHAT", ":stream")
            after = gateway.scrape()
            if done(after):
                return gateway, before, after
        raise SystemExit(f"memory is not short: {after}")

    return trouble


def ended(sim, folder):
    gateway = Gateway(sim.url)
    series = gateway.scrape()
    return gateway, series, series


REFUSED = {"kind": "status", "status": 403, "code": "Forbidden", "message": "UnknownError"}
# Alert, the labels that it is to have, what is made, how many minutes it lasts until the alert is looked for.
TROUBLES = [
    ("ParleyDown", {}, ended, 20),
    ("ParleyAuditFailing", {"instance": "a"}, audit, 10),
    ("ParleyCredentialFailing", {"instance": "a", "tenant": "default"}, credential, 10),
    ("ParleyGraphFailing", {"source": "chat", "tenant": "default"}, faulted("CHAT", {"kind": "status", "status": 503, "match": "chat"}), 40),
    ("ParleyGraphThrottled", {"source": "chat", "tenant": "default"},
     faulted("CHAT", {"kind": "status", "status": 429, "match": "chat", "retryAfter": "1", "rate": 0.4}), 40),
    ("ParleyGraphPaymentRequired", {"source": "chat", "tenant": "default"}, faulted("CHAT", {"kind": "status", "status": 402, "match": "chat"}), 40),
    ("ParleyGraphWaits", {"source": "chat"}, faulted("CHAT", {"kind": "status", "status": 429, "match": "chat", "retryAfter": "40", "times": 1}, verb=":stream"), 60),
    ("ParleyPermissionSuspected", {"source": "copilot", "tenant": "default"}, faulted("COPILOT", {**REFUSED, "match": "copilot"}, callers=30), 40),
    ("ParleyStreamsIncomplete", {"source": "call", "reason": "GRAPH_PERMISSION_MISSING"},
     faulted("CALL", {"kind": "status", "status": 403, "match": "call"}, verb=":stream"), 120),
    ("ParleyMemoryShedding", {"instance": "a"}, memory(lambda after: after["parley_memory_shedding{}"]), 30),
    ("ParleyRefusing", {"cause": "memory"}, memory(lambda after: after['parley_shed_total{cause="memory"}'] > 9), 30),
    ("ParleyReloadFailed", {"instance": "a", "what": "certificates"}, reload, 10),
    ("ParleyClockSkew", {"instance": "a", "tenant": "default"}, skew, 30),
    ("ParleyLoginExpiring", {"tenant": "default"}, login, 30),
    ("ParleyCertificateExpiring", {"instance": "a"}, listeners, 30),
]
SEVERITY = dict(re.findall(r"- alert: (\w+)[\s\S]*?severity: (\w+)", rules))
EXPRESSION = dict(re.findall(r"- alert: (\w+)\s+expr:([\s\S]*?)\n        (?:for|labels):", rules))


def number(value):
    return str(int(value)) if value == int(value) else repr(round(value, 6))


def lines(alert, before, after, minutes):
    """The series of a test: those of the alert's own metrics, and the others that are not zero."""
    own = set(re.findall(r"\bparley_[a-z_]+", EXPRESSION[alert]))
    for key in sorted(after):
        name, labels = key[:-1].split("{", 1)
        value, was = after[key], before.get(key, 0)
        if name not in own and (not value or name.endswith("_bucket")):
            continue
        labels = ",".join(filter(None, ['instance="a"', re.sub(r'(version|revision|go_version)="[^"]*"', r'\1="…"', labels)]))
        if name.endswith("_timestamp_seconds"):
            value -= time.time()
            value = round(value / 60) * 60
        if name.endswith(("_total", "_bucket")):
            values = f"{number(was)}+{number(value - was)}x{minutes}"
        elif alert == "ParleyDown":
            values = f"{number(value)}+0x3 _x{minutes}"
        else:
            values = f"{number(value)}+0x{minutes}"
        yield f"      - {{series: '{name}{{{labels}}}', values: '{values}'}}"


text = ["# Made by `make alert-values`: each alert fires from what a gateway in that trouble said in /metrics; tools/alerts/scrape.py has how. Not by hand.",
        "#", "# Of no run are the values of:",
        "#   ParleyErrors: no request and no answer of Graph is known that makes the gateway itself fail, so parley.rules_test.yaml alone has it.",
        "rule_files: [parley.rules.yaml]", "evaluation_interval: 1m", "", "tests:"]
for alert, labels, trouble, minutes in TROUBLES:
    if only and alert != only:
        continue
    began = time.time()
    with tempfile.TemporaryDirectory() as folder:
        sim = Simulator()
        try:
            gateway, before, after = trouble(sim, folder)
            gateway.stop()
        finally:
            sim.stop()
    fired = ",".join(f'{key}="{value}"' for key, value in sorted({"alertstate": "firing", "alertname": alert, "severity": SEVERITY[alert], **labels}.items()))
    text += [f"  - name: {alert}", "    interval: 1m", "    input_series:", *lines(alert, before, after, minutes + 10), "    promql_expr_test:",
             f"      - expr: ALERTS{{alertstate=\"firing\",alertname=\"{alert}\"}}", f"        eval_time: {minutes}m", "        exp_samples:",
             f"          - {{labels: 'ALERTS{{{fired}}}', value: 1}}"]
    print(f"{alert}: {time.time() - began:.1f} s", file=sys.stderr)
with open(out_path, "w") as file:
    file.write("\n".join(text) + "\n")
