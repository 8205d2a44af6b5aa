"""`make bench`: how fast a big mesh is judged, next to other ways of reading it. One line `name value unit` for each
figure on stdout, progress on stderr. See docs/benchmarks.md.

It needs a cluster that the playbook site has made (the lab; site is run when it has no mesh yet), fills it with
thousands of pods that are never scheduled, and removes them again.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api

from tests.benchmark import namespaces, pages, proxies, shapes
from tests.benchmark.progress import Progress
from tests.benchmark.seed import Seeder, Size
from tests.cluster_runs import environment, must

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ISSUES_FOUND = 79
"""istioctl analyze's exit status when it has something to say."""
Limits = dict[str, tuple[float, str]]
TO_REACH: Limits = {
    "audit_over_list_10k": (2.0, "ratio"),
    "audit_over_list_10k_plain": (3.5, "ratio"),
    "audit_over_k8s_info_10k": (0.05, "ratio"),
    "audit_over_istioctl_analyze_10k": (1.0, "ratio"),
    "peak_memory_10k": (200, "MiB"),
    "growth_50k_over_10k": (5.5, "ratio"),
    "evaluate_10k": (0.5, "ratio"),
    "namespaces_200_fresh": (2.0, "ratio"),
    "namespaces_200_again": (2.0, "ratio"),
    "proxies_40_over_1": (proxies.TO_REACH["proxies_40_over_1"], "ratio"),
    "parse_2000_answers": (proxies.TO_REACH["parse_2000_answers"], "MiB"),
    **{name: (limit, "ratio") for name, limit in shapes.TO_REACH.items()},
}


class Bench:
    """One run: the measures, and what they need."""

    def __init__(self, folder: Path, kubeconfig: str, repeat: int, progress: Progress) -> None:
        self._folder = folder
        self._repeat = repeat
        self._progress = progress
        self._recorded, self._json = folder / "pages", folder / "json"
        self.cluster = api.connect({"kubeconfig": kubeconfig})
        self.missed: list[str] = []

    def measure(self, k8s_info: bool) -> None:
        """Everything that needs the cluster, in turns, so that what else the machine does is spread over all of it."""
        found = pages.record(self.cluster)
        lists = [page for page in found if "limit" in page.query]
        starts = [(page.path, page.query) for page in lists if "continue" not in page.query]
        bare = list(pages.bare_list(self.cluster, starts))
        self._recorded.write_bytes(pickle.dumps(lists))
        self._json.write_bytes(pickle.dumps(bare))
        self.say("api_requests_10k", len(found), "requests")
        self.say("list_pages_10k", len(bare), "pages")
        self.say("list_size_10k", sum(len(page.body) for page in bare) / 2**20, "MiB")
        del found, lists, bare
        times: dict[str, list[float]] = {"list": [], "audit": [], "analyze": []}
        ways: dict[str, Callable[[], float]] = {
            "list": lambda: self._bare_list(starts),
            "audit": lambda: self._task("audit"),
            "analyze": self._analyze,
        }
        for number in range(self._repeat):
            for name, way in ways.items():
                with self._progress.step(f"{name}, {number + 1} of {self._repeat}"):
                    times[name].append(way())
        middle = {name: statistics.median(values) for name, values in times.items()}
        self.say("list_10k", middle["list"], "s")
        self.say("audit_10k", middle["audit"], "s")
        self.say("istioctl_analyze_10k", middle["analyze"], "s")
        self.say("audit_over_list_10k", middle["audit"] / middle["list"], "ratio")
        # No optional library makes it faster: pods come as protobuf, which the collection reads by itself.
        self.say("audit_over_list_10k_plain", middle["audit"] / middle["list"], "ratio")
        self.say("audit_over_istioctl_analyze_10k", middle["audit"] / middle["analyze"], "ratio")
        with self._progress.step("peak memory"):
            self.say("peak_memory_10k", self._memory(), "MiB")
        if k8s_info:
            with self._progress.step("k8s_info of pods alone, two to three minutes"):
                seconds = self._task("k8s_info")
            self.say("k8s_info_10k", seconds, "s")
            self.say("audit_over_k8s_info_10k", middle["audit"] / seconds, "ratio")

    def measure_from_pages(self) -> None:
        """What needs the recorded pages only."""
        loaded, judged = self._middle(self._json, "evaluate")["evaluate"]
        self.say("json_loads_10k", loaded, "s")
        self.say("evaluate_alone_10k", judged, "s")
        self.say("evaluate_10k", judged / loaded, "ratio")
        found = self._middle(self._recorded, "1", "5")
        (small,), (big,) = found["1"], found["5"]
        self.say("from_pages_10k", small, "s")
        self.say("from_pages_50k", big, "s")
        self.say("growth_50k_over_10k", big / small, "ratio")

    def say(self, name: str, value: float, unit: str) -> None:
        """One figure, with what is to be reached when it is one of the table's."""
        limit = TO_REACH.get(name)
        print(f"{name} {value:.3f} {unit}" if isinstance(value, float) else f"{name} {value} {unit}", flush=True)
        if limit is not None and value > limit[0]:
            self.missed.append(f"{name} is {value:.3f}, to reach: at most {limit[0]}")

    def _bare_list(self, starts: list[tuple[str, dict[str, str]]]) -> float:
        started = time.perf_counter()
        for dummy in pages.bare_list(self.cluster, starts):
            pass  # thrown away
        return time.perf_counter() - started

    def _task(self, tag: str, interpreter: str = sys.executable) -> float:
        """The duration of one task, in a playbook of its own."""
        durations = self._folder / "durations"
        durations.unlink(missing_ok=True)
        changes = {
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "durations",
            "MTLS_DURATIONS": str(durations),
            # The collection comes as users have it, packed by Ansible.
            "PYTHONPATH": None,
        }
        dest = self._folder / "audit.json"
        dest.unlink(missing_ok=True)
        command = [
            str(Path(sys.executable).parent / "ansible-playbook"), str(HERE / "tasks.yml"), "-i", "localhost,",
            "--tags", tag, "-e", f"dest={dest}", "-e", f"ansible_python_interpreter={interpreter}",
        ]  # fmt: skip
        ended = subprocess.run(
            command, cwd=ROOT, env=environment(**changes), text=True, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if ended.returncode:
            raise SystemExit(f"The task {tag} failed:\n{ended.stdout[-4000:]}")
        [line] = durations.read_text().splitlines()
        return float(json.loads(line)["seconds"])

    def _memory(self) -> float:
        """The most memory that the module's process had."""
        file, wrapper = self._folder / "rss", self._folder / "python"
        wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} {HERE / "memory.py"} {file} {sys.executable} "$@"\n')
        wrapper.chmod(0o755)
        self._task("audit", str(wrapper))
        return int(file.read_text()) / 1024

    def _analyze(self) -> float:
        started = time.perf_counter()
        ended = subprocess.run(
            [istioctl(), "analyze", "-A"], text=True, check=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        if ended.returncode not in (0, ISSUES_FOUND):
            raise SystemExit(f"istioctl analyze failed:\n{ended.stdout[-2000:]}")
        return seconds

    def _middle(self, file: Path, *what: str) -> dict[str, tuple[float, ...]]:
        """Medians of measures from recorded pages, in turns, each in a process of its own."""
        runs: dict[str, list[list[float]]] = {name: [] for name in what}
        for number in range(self._repeat):
            for name in what:
                with self._progress.step(f"from recorded pages: {name}, {number + 1} of {self._repeat}"):
                    command = [sys.executable, "-m", "tests.benchmark.pages", str(file), name]
                    output = subprocess.run(command, cwd=ROOT, text=True, check=True, stdout=subprocess.PIPE).stdout
                    runs[name].append([float(value) for value in output.split()])
        return {
            name: tuple(statistics.median(values) for values in zip(*found, strict=True))
            for name, found in runs.items()
        }


def istioctl() -> str:
    """istioctl of the PATH, or the one that the role istio_install or the lab keeps."""
    usual = [Path.home() / ".local" / "bin" / "istioctl"]
    built = sorted(Path.home().glob(".cache/meshproof-lab/istio-*/bin/istioctl"))
    found = shutil.which("istioctl") or next((str(path) for path in [*usual, *built] if path.exists()), None)
    if not found:
        raise SystemExit("There is no istioctl on the PATH. Remedy: install it, or run this on the lab.")
    return found


def machine() -> str:
    """What the figures were measured on."""
    lines = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = lines[0].split(":", 1)[1].strip() if lines else "unknown CPU"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB RAM, Python {sys.version.split()[0]}"


def has_mesh(cluster: api.Cluster) -> bool:
    """Whether the template's namespace is there and has pods."""
    kind = api.Kind("", "v1", "pods", "Pod")
    return any(page.items for page in cluster.list(kind, "demo", labels="app=service-a"))


def main() -> None:
    """Seed, measure, remove, say whether all figures hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark", description=__doc__)
    parser.add_argument("--divide", type=int, default=1, help="a smaller mesh, to try this program out")
    parser.add_argument("--repeat", type=int, default=3, help="how often each measure is taken")
    parser.add_argument("--keep", action="store_true", help="leave the mesh there, and use one that was left")
    parser.add_argument("--without-k8s-info", action="store_true", help="spare the slowest comparison")
    options = parser.parse_args()
    kubeconfig = os.environ.get("KUBECONFIG") or sys.exit("KUBECONFIG names no cluster.")
    progress = Progress()
    size = Size(*(max(1, number // options.divide) for number in Size()))
    print(f"machine {machine()}")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), kubeconfig, options.repeat, progress)
        if not has_mesh(bench.cluster):
            with progress.step("the playbook site, about a minute"):
                must("site")
        seeder = Seeder(bench.cluster, size, progress)
        try:
            if not (options.keep and seeder.is_filled()):
                seeder.fill()
                with progress.step("letting the controllers come to rest"):
                    time.sleep(15)
            bench.measure(not options.without_k8s_info)
        finally:
            if not options.keep:
                seeder.empty()
        bench.measure_from_pages()
        for name, value in shapes.figures(options.repeat, progress).items():
            bench.say(name, value, "ratio")
        for name, (value, unit) in proxies.figures(kubeconfig, options.repeat, progress).items():
            bench.say(name, value, unit)
        for name, value in namespaces.measure(bench.cluster, progress).items():
            bench.say(name, value, "ratio" if name in TO_REACH else "s")
    for line in bench.missed:
        print(line, file=sys.stderr)
    sys.exit(1 if bench.missed else 0)


if __name__ == "__main__":
    main()
