"""How fast proxies are read, and how much memory many answers need. One line `name value unit` for each figure.

`python -m tests.benchmark.proxies` starts 40 pods with sidecars in a namespace of its own, reads one of them and all of
them in turns by the task proxy_info, removes them, and then parses 2,000 answers in a process of its own. With `parse`
it does only the latter, from recorded answers and without a cluster. KUBECONFIG names the cluster; the playbook site
has to have made its mesh.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy import answers, choice
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence.envoy.records import Proxy, Shared
from ansible_collections.meshproof.mtls.plugins.module_utils._source import proxies as source

from tests.benchmark.progress import Progress
from tests.cluster_runs import environment, python_image

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RECORDED = ROOT / "tests/unit/plugins/module_utils/_evidence/envoy/recorded/strict.json"
NAMESPACE = "mp-bench-proxies"
SIDECARS, ANSWERS, SERVICES = 40, 2000, 60
# Each proxy watches files, and Linux lets one user watch in 128 places by default: as one user 40 do not start.
PROXY_USERS = (2001, 2002, 2003, 2004)
TO_REACH = {"proxies_40_over_1": 6.0, "parse_2000_answers": 200.0}
_POD = api.Kind("", "v1", "pods", "Pod")
_NAMESPACE = api.Kind("", "v1", "namespaces", "Namespace", namespaced=False)
_DEPLOYMENT = api.Kind("apps", "v1", "deployments", "Deployment")


def measure(kubeconfig: str, repeat: int, progress: Progress) -> dict[str, float]:
    """Seconds of the task proxy_info with one proxy and with forty, their ratio, and the reading alone."""
    cluster = api.connect({"kubeconfig": kubeconfig})
    try:
        with progress.step(f"{SIDECARS} pods with sidecars, a minute or two"):
            targets = start(cluster)
        tasks: dict[int, list[float]] = {1: [], SIDECARS: []}
        reading: dict[int, list[float]] = {1: [], SIDECARS: []}
        for number in range(repeat):
            for many in tasks:
                with progress.step(f"{many} of {SIDECARS} proxies, {number + 1} of {repeat}"):
                    tasks[many].append(task(targets[:many]))
                    reading[many].append(read(cluster, targets[:many]))
    finally:
        cluster.delete(_NAMESPACE, NAMESPACE)
        with progress.step("removing the pods"):
            while any(page.items for page in cluster.list(_POD, NAMESPACE)):
                time.sleep(1)
    one, all_of_them = (statistics.median(found) for found in tasks.values())
    return {
        "proxies_1": one,
        "proxies_40": all_of_them,
        "proxies_40_over_1": all_of_them / one,
        "reading_alone_1": statistics.median(reading[1]),
        "reading_alone_40": statistics.median(reading[SIDECARS]),
    }


def task(targets: list[choice.ProxyTarget]) -> float:
    """The duration of the task proxy_info, as profile_tasks shows it; all proxies have to answer."""
    everything = len(targets) == SIDECARS
    variables = {
        "namespaces": [NAMESPACE],
        "workloads": [] if everything else [targets[0].workload],
        "all_of_them": everything,
        "expected": len(targets),
        "ansible_python_interpreter": sys.executable,
    }
    with tempfile.TemporaryDirectory() as folder:
        durations = Path(folder, "durations")
        changes = {
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "durations",
            "MTLS_DURATIONS": str(durations),
            "PYTHONPATH": None,
        }
        command = [
            str(Path(sys.executable).parent / "ansible-playbook"), str(HERE / "proxies.yml"), "-i", "localhost,",
            "-e", json.dumps(variables),
        ]  # fmt: skip
        ended = subprocess.run(
            command, cwd=ROOT, env=environment(**changes), text=True, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if ended.returncode:
            raise SystemExit(f"proxy_info failed:\n{ended.stdout[-4000:]}")
        return float(json.loads(durations.read_text().splitlines()[0])["seconds"])


def start(cluster: api.Cluster) -> list[choice.ProxyTarget]:
    """The pods, when the last of them is ready."""
    cluster.create(
        _NAMESPACE,
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": NAMESPACE, "labels": {"istio-injection": "enabled"}},
        },
    )
    command = ["python3", "-c", "import signal; signal.signal(signal.SIGTERM, lambda *_: exit(0)); signal.pause()"]
    container = {
        "name": "app", "image": python_image(), "imagePullPolicy": "IfNotPresent", "command": command,
        "ports": [{"containerPort": 8080}], "resources": {"requests": {"cpu": "1m"}},
    }  # fmt: skip
    for user in PROXY_USERS:
        labels = {"app": f"many-{user}"}
        proxy = {
            "name": "istio-proxy", "image": "auto", "imagePullPolicy": "IfNotPresent",
            "securityContext": {"runAsUser": user},
        }  # fmt: skip
        template = {
            "metadata": {"labels": labels},
            "spec": {"initContainers": [proxy], "containers": [container], "terminationGracePeriodSeconds": 1},
        }
        replicas = SIDECARS // len(PROXY_USERS)
        cluster.create(
            _DEPLOYMENT,
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": labels["app"], "namespace": NAMESPACE},
                "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
            },
        )
    end = time.monotonic() + 600
    while len(pods := ready(cluster)) < SIDECARS:
        if time.monotonic() > end:
            raise SystemExit(f"Only {len(pods)} of {SIDECARS} pods are ready after ten minutes.")
        time.sleep(2)
    return [
        choice.ProxyTarget(
            NAMESPACE, pod, f"{NAMESPACE}/Deployment/{owner}", "default", False, frozenset((8080,)), frozenset()
        )
        for pod, owner in pods
    ]


def ready(cluster: api.Cluster) -> list[tuple[str, str]]:
    """The pods whose containers are all ready, each with its Deployment."""
    found = [pod for page in cluster.list(_POD, NAMESPACE) for pod in page.items]
    return sorted(
        (pod["metadata"]["name"], pod["metadata"]["labels"]["app"])
        for pod in found
        if any(item["type"] == "Ready" and item["status"] == "True" for item in pod["status"].get("conditions", ()))
    )


def read(cluster: api.Cluster, targets: list[choice.ProxyTarget]) -> float:
    """The seconds for these proxies; all of them have to answer."""
    started = time.perf_counter()
    found = source.read(cluster, targets, upstreams=True)
    seconds = time.perf_counter() - started
    wrong = [proxy.reason for proxy in found if proxy.reason or not proxy.answered or not proxy.certificates]
    if wrong or len(found) != len(targets):
        raise SystemExit(f"{len(wrong)} of {len(targets)} proxies did not answer in full: {wrong[:3]}")
    return seconds


def many_answers() -> Iterator[tuple[choice.ProxyTarget, answers.Answers]]:
    """Answers of a mesh of 60 Services and 2,000 pods: the recorded ones with other names, times and addresses."""
    recorded = json.loads(RECORDED.read_text())
    statistics_text = recorded.pop("statistics").encode()
    for name in ("clusters", "endpoints"):
        template = json.dumps(recorded[name]["configs"][0])
        service = template.split("outbound|", 1)[1].split("||", 1)[1].split(".", 1)[0]
        configs = [json.loads(template.replace(service, f"service-{number}")) for number in range(SERVICES)]
        recorded[name] = {"configs": configs}
    bodies = {name: json.dumps(content) for name, content in recorded.items()}
    for number in range(ANSWERS):
        pod = f"pod-{number}"
        own = {name: body.replace("2026-", f"{2000 + number}-").encode() for name, body in bodies.items()}
        target = choice.ProxyTarget(
            "shop", pod, f"shop/Deployment/w{number // 4}", "default", False, frozenset((8080,)), frozenset()
        )
        yield target, answers.Answers(**own, statistics=statistics_text)


def parse() -> float:
    """The most memory in MiB that this process had after parsing them all."""
    shared = Shared()
    found: list[Proxy] = [answers.proxy(target, given, shared) for target, given in many_answers()]
    wrong = [proxy for proxy in found if proxy.reason or len(proxy.upstreams) != SERVICES or not proxy.ports]
    if wrong or len(found) != ANSWERS:
        raise SystemExit(f"{len(wrong)} of {len(found)} answers were not understood: {wrong[0].reason}")
    # Not getrusage(): its maximum is inherited from the process that started this one.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def figures(kubeconfig: str, repeat: int, progress: Progress) -> dict[str, tuple[float, str]]:
    """All figures with their units; for `make bench`."""
    found: dict[str, tuple[float, str]] = {}
    for name, value in measure(kubeconfig, repeat, progress).items():
        found[name] = (value, "ratio" if name.endswith("_over_1") else "s")
    with progress.step(f"parsing {ANSWERS} answers"):
        command = [sys.executable, "-m", "tests.benchmark.proxies", "parse"]
        ended = subprocess.run(command, cwd=ROOT, text=True, check=True, stdout=subprocess.PIPE)
    found["parse_2000_answers"] = (float(ended.stdout.split()[1]), "MiB")
    return found


def main() -> Any:
    """See the top of this file."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark.proxies", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["all", "parse"], default="all")
    parser.add_argument("--repeat", type=int, default=3, help="how often each measure is taken")
    options = parser.parse_args()
    if options.what == "parse":
        found = {"parse_2000_answers": (parse(), "MiB")}
    else:
        kubeconfig = os.environ.get("KUBECONFIG") or sys.exit("KUBECONFIG names no cluster.")
        found = figures(kubeconfig, options.repeat, Progress())
    for name, (value, unit) in found.items():
        print(f"{name} {value:.3f} {unit}")
    missed = [name for name, (value, dummy) in found.items() if value > TO_REACH.get(name, value)]
    for name in missed:
        print(f"{name} is {found[name][0]:.3f}, to reach: at most {TO_REACH[name]}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
