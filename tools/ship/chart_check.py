"""Checks the Helm chart: lint, schemas of every Kubernetes version at hand, kube-score, and the configuration that it renders.

Usage: chart_check.py HELM KUBE_SCORE PARLEY CHART
"""

import base64
import functools
import os
import pathlib
import subprocess
import sys
import tempfile

import kubernetes_validate
import yaml

# Kinds of operators, which the schemas of Kubernetes do not have. They are checked no further than their apiVersion.
CUSTOM = {
    "Certificate": "cert-manager.io/v1",
    "GRPCRoute": "gateway.networking.k8s.io/v1",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
    "PrometheusRule": "monitoring.coreos.com/v1",
    "ServiceMonitor": "monitoring.coreos.com/v1",
}

# What kube-score is not asked, and why.
UNSCORED = {
    "container-image-pull-policy": "tags are versions and never move; Always would make a start depend on the registry",
    "container-resources": "a CPU limit throttles the garbage collector; requests and the memory limit are checked by unlimited() below",
    "deployment-replicas": "one replica is a choice where a second one needs keys that are shared",
    "deployment-has-host-podantiaffinity": "replicas are spread by topologySpreadConstraints, which does not keep them from being scheduled",
    "pod-networkpolicy": "a value, off where the cluster's network does not enforce policies",
}

# Values that must be refused, each with a word of the message.
REFUSED = {
    "several replicas without keys": (["replicaCount=3"], "sealKeys"),
    "autoscaling without keys": (["autoscaling.enabled=true"], "sealKeys"),
    "plain text beyond the pod": (["tls.existingSecret="], "tls.terminated"),
    "nobody is asked who they are": (["config.auth_mode=none"], "auth_mode"),
    "an unknown value": (["replicas=3"], "replicas"),
    "a monitor without metrics": (["metrics.enabled=false", "metrics.serviceMonitor.enabled=true"], "metrics.enabled"),
    "a night without a place": (["export.enabled=true"], "export"),
    "a night of no pods": (["export.enabled=true", "export.out=s3://b", "export.shards=0"], "shards"),
    "a route without a gateway": (["grpcRoute.enabled=true"], "parentRefs"),
    "cert-manager without an issuer": (["tls.certManager.enabled=true"], "issuerRef"),
}

failures = []


def fail(where, what):
    failures.append(f"{where}: {what}")


def run(*command, text=None):
    return subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def render(helm, chart, values, *more):
    sets = [argument for each in more for argument in ("--set", each)]
    return subprocess.run(
        [helm, "template", "release", chart, "--namespace", "parley", "--values", values, *sets], capture_output=True, text=True, check=False
    )


def validate(name, objects):
    """Holds objects against the schemas of each version that the chart names and the wheel has."""
    checked = 0
    for version in kubernetes_validate.utils.all_versions():
        if kubernetes_validate.utils.Version(version) < kubernetes_validate.utils.Version("1.25"):
            continue
        for each in objects:
            kind, api = each["kind"], each["apiVersion"]
            if kind in CUSTOM:
                if api != CUSTOM[kind]:
                    fail(name, f"{kind} is of {api}, not of {CUSTOM[kind]}")
                continue
            try:
                kubernetes_validate.validate(each, version, strict=True)
                checked += 1
            except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
                fail(name, f"Kubernetes {version}: {kind} {each['metadata']['name']}: {error.message}")
    return checked


def one(objects, kind):
    return next(each for each in objects if each["kind"] == kind)


def wiring(name, objects):
    """Holds that Services and policies name labels and ports that the pods have, and that no container may take all memory."""
    template = one(objects, "Deployment")["spec"]["template"]
    pod = template["spec"]
    ports = {port["name"] for container in pod["containers"] for port in container.get("ports", [])}
    for service in (each for each in objects if each["kind"] == "Service"):
        labels = service["spec"]["selector"].items()
        if not labels <= template["metadata"]["labels"].items():
            fail(name, f"Service {service['metadata']['name']} selects labels that the pods do not have")
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in ports:
                fail(name, f"Service {service['metadata']['name']} leads to port {port['targetPort']}, which the pods do not have")
    for container in pod["containers"]:
        resources = container["resources"]
        if not {"cpu", "memory"} <= resources["requests"].keys() or "memory" not in resources["limits"]:
            fail(name, f"container {container['name']} has no requests or no limit of memory")
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if probe in container and container[probe]["httpGet"]["port"] not in ports:
                fail(name, f"{probe} asks a port that the pods do not have")
    claimed = {volume["name"] for volume in pod["volumes"]}
    for container in pod["containers"]:
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in claimed:
                fail(name, f"container {container['name']} mounts {mount['name']}, which is no volume")
    if pod["enableServiceLinks"]:
        fail(name, "variables of Services reach the gateway")


def night(name, objects):
    """Holds that no Service leads to the pods of the export, that each has a part of the users, and that its volumes are there."""
    for job in (each for each in objects if each["kind"] == "CronJob"):
        spec = job["spec"]["jobTemplate"]["spec"]
        pod, labels = spec["template"]["spec"], spec["template"]["metadata"]["labels"].items()
        for service in (each for each in objects if each["kind"] == "Service"):
            if service["spec"]["selector"].items() <= labels:
                fail(name, f"Service {service['metadata']['name']} leads to the pods of the export")
        (container,) = pod["containers"]
        shard = f"--shard=$(JOB_COMPLETION_INDEX)/{spec['completions']}"
        if (shard in container["args"]) != (spec["completions"] > 1) or spec["parallelism"] != spec["completions"] or spec["completionMode"] != "Indexed":
            fail(name, f"{spec['completions']} pods are started with {container['args']}")
        mounted, volumes = ({each["name"] for each in among} for among in (container["volumeMounts"], pod["volumes"]))
        if mounted != volumes:
            fail(name, f"the export mounts {mounted} of the volumes {volumes}")
        if pod["enableServiceLinks"] or pod["automountServiceAccountToken"] or "memory" not in container["resources"]["limits"]:
            fail(name, "the export gets variables of Services or a token of the API server, or may take all memory")


@functools.cache
def certificate():
    """A certificate and key of this run, in PEM."""
    with tempfile.TemporaryDirectory() as folder:
        made = run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=parley",
                   "-addext", "subjectAltName=DNS:parley", "-keyout", f"{folder}/key", "-out", f"{folder}/crt")  # fmt: skip
        if made.returncode:
            sys.exit(made.stdout)
        return pathlib.Path(folder, "crt").read_text(), pathlib.Path(folder, "key").read_text()


def content(path, maps):
    """What a mounted file holds in a cluster: the chart's own text, or a secret of this run."""
    if path.name in maps:
        return maps[path.name]
    crt, key = certificate()
    return {
        "tls.crt": crt, "ca.crt": crt, "tls.key": key, "client.pem": crt + key, "client-secret": "a secret of this run\n",
        "seal-keys": base64.b64encode(os.urandom(32)).decode() + "\n",
        "policy.yaml": "rules:\n  - name: all\n    match: {kind: application}\n    allow: {rpcs: all, sources: all, view: full, users: all, tenants: all}\n",
    }[path.name]  # fmt: skip


def configuration(name, parley, objects):
    """Has the gateway check the rendered settings, whose files must lie where something is mounted."""
    maps = one(objects, "ConfigMap")["data"]
    container = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
    settings = yaml.safe_load(maps["parley.yaml"])
    for key, path in files_of(settings).items():
        if str(path.parent) not in mounts:
            fail(name, f"{key} is {path}, where nothing is mounted")
    check_settings(name, parley, settings, maps)


def files_of(settings):
    """The settings that name files of a container, devices aside."""
    return {key: pathlib.Path(value) for key, value in settings.items() if isinstance(value, str) and value.startswith(("/etc/", "/var/"))}


def check_settings(name, parley, settings, maps):
    """Has the gateway check settings, with every file that they name made in a folder of its own."""
    with tempfile.TemporaryDirectory() as root:
        for key, path in files_of(settings).items():
            local = pathlib.Path(f"{root}{path}")
            local.parent.mkdir(parents=True, exist_ok=True)
            if key != "audit_file":
                local.write_text(content(path, maps))
                local.chmod(0o600)
            settings[key] = str(local)
        file = pathlib.Path(root, "parley.yaml")
        file.write_text(yaml.safe_dump(settings))
        environment = {"HOME": root, "PATH": os.environ["PATH"]}
        if settings.get("graph_credential") == "workload-identity":  # as the webhook sets them
            token = pathlib.Path(root, "token")
            token.write_text("token")
            environment |= {"AZURE_FEDERATED_TOKEN_FILE": str(token), "AZURE_TENANT_ID": settings["graph_tenant_id"],
                            "AZURE_CLIENT_ID": settings["graph_client_id"], "AZURE_AUTHORITY_HOST": "https://login.microsoftonline.com/"}  # fmt: skip
        checked = subprocess.run([parley, "config", "check", "--config", str(file)], env=environment, capture_output=True, text=True, check=False)
    if checked.returncode:
        fail(name, "parley config check: " + checked.stderr.replace(root, ""))


def score(name, kube_score, manifest):
    """Has kube-score judge what one file of values renders."""
    ignored = [argument for test in UNSCORED for argument in ("--ignore-test", test)]
    lines = run(kube_score, "score", "--output-format", "ci", *ignored, "-", text=manifest).stdout.splitlines()
    for line in lines:
        if not line.startswith(("[OK]", "[SKIPPED]")):
            fail(name, "kube-score: " + line)
    if not any(line.startswith("[OK]") for line in lines):
        fail(name, "kube-score scored nothing")


def main():
    helm, kube_score, parley, chart = sys.argv[1:]
    # The definitions of a version are read once, not once for each object.
    kubernetes_validate.utils.schema_contents = functools.cache(kubernetes_validate.utils.schema_contents)
    checked, seen = 0, set()
    files = sorted(pathlib.Path(chart, "ci").glob("*-values.yaml"))
    for values in files:
        name = values.name.removesuffix("-values.yaml")
        linted = run(helm, "lint", "--strict", "--quiet", chart, "--values", str(values))
        if linted.returncode:
            fail(name, "helm lint: " + linted.stdout)
        rendered = render(helm, chart, str(values))
        if rendered.returncode:
            fail(name, rendered.stderr)
            continue
        score(name, kube_score, rendered.stdout)
        objects = [each for each in yaml.safe_load_all(rendered.stdout) if each]
        # An object that several values render alike is checked once.
        new = [each for each in objects if (text := yaml.safe_dump(each)) not in seen and not seen.add(text)]
        checked += validate(name, new)
        wiring(name, objects)
        night(name, objects)
        configuration(name, parley, objects)
    compose = pathlib.Path(chart).parents[1] / "compose" / "parley.yaml"
    check_settings("compose", parley, yaml.safe_load(compose.read_text()), {})
    for case, (sets, word) in REFUSED.items():
        refused = render(helm, chart, str(pathlib.Path(chart, "ci", "one-replica-values.yaml")), *sets)
        if refused.returncode == 0 or word not in refused.stderr:
            fail(case, "is not refused, or not with a word of " + word + ": " + refused.stderr)
    print("\n".join(failures) or f"chart: {len(files)} files of values, {checked} objects held against schemas, {len(REFUSED)} mistakes refused")
    sys.exit(bool(failures))


main()
