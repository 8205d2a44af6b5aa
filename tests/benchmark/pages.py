"""The pages of one audit: recorded from a cluster, multiplied, and given to the reader again without a cluster.

`python -m tests.benchmark.pages FILE TIMES` reads, judges and writes a mesh TIMES as big as the recorded one, and
prints the seconds. `python -m tests.benchmark.pages FILE evaluate` prints the seconds of json.loads and of evaluate().
Seconds are those of the processor, so that what else the machine does counts little.
"""

from __future__ import annotations

import gc
import json
import pickle
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._audit import document
from ansible_collections.meshproof.mtls.plugins.module_utils._cluster.lists import Page as ListPage
from ansible_collections.meshproof.mtls.plugins.module_utils._cluster.lists import decode
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate
from ansible_collections.meshproof.mtls.plugins.module_utils._source import mesh, reading, selections

from tests.benchmark.seed import PREFIX

_CONTINUE = re.compile(rb'"continue":"([^"]*)"')
_EDGE = 4096


class Page(NamedTuple):
    """One answer of the API server."""

    path: str
    query: dict[str, Any]
    body: bytes

    @property
    def list(self) -> tuple[str, str]:
        """The list that it belongs to: path and selectors."""
        return self.path, f"{self.query.get('labelSelector', '')} {self.query.get('fieldSelector', '')}"


def record(cluster: api.Cluster) -> list[Page]:
    """Read a mesh as audit does, and keep every request with its answer."""
    pages: list[Page] = []
    request = cluster.request

    def recorded(method: str, path: str, query: Mapping[str, Any] | None = None, **more: Any) -> bytes:
        answer = request(method, path, query, **more)
        pages.append(Page(path, dict(query or {}), answer))
        return answer

    cluster.request = recorded
    try:
        cluster.version()
        selections.read_declared(cluster, mesh.Found)
    finally:
        cluster.request = request
    return pages


def bare_list(cluster: api.Cluster, lists: list[tuple[str, dict[str, Any]]]) -> Iterator[Page]:
    """The same lists one after the other, page by page, as JSON and as bytes."""
    for path, first in lists:
        query = first
        while True:
            body = cluster.request("GET", path, query)
            yield Page(path, query, body)
            # Lists of custom kinds have the next page's token at their end.
            token = _CONTINUE.search(body[:_EDGE]) or _CONTINUE.search(body[-_EDGE:])
            if not token or not token[1]:
                break
            query = {**first, "continue": token[1].decode()}


def multiplied(pages: list[Page], times: int) -> dict[tuple[str, str], list[bytes]]:
    """A mesh that many times as big: its namespaces with all that is in them, under as many names."""
    lists: dict[tuple[str, str], list[bytes]] = {}
    for page in pages:
        lists.setdefault(page.list, []).append(page.body)
    prefix = PREFIX.encode()
    copies = [PREFIX.replace("-", f"{number}").encode() for number in range(1, times)]
    return {
        place: bodies + [body.replace(prefix, copy) for copy in copies for body in bodies if prefix in body]
        for place, bodies in lists.items()
    }


def replay(lists: Mapping[tuple[str, str], list[bytes]]) -> float:
    """Read, judge and write from recorded pages; the seconds that it took."""
    cluster = api.connect({"host": "http://127.0.0.1:1", "api_key": "none"})

    def listed(
        kind: api.Kind, namespace: str | None, labels: str, fields: str, stored: Any, end: float
    ) -> Iterator[ListPage]:
        for body in lists[kind.path(namespace), f"{labels} {fields}"]:
            yield decode(body, kind, namespace, stored)

    cluster.list = listed
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        with reading.collector_paused():
            found, unread = selections.read_declared(cluster, mesh.Found)
            about = {"server": "", "kubernetes_version": ""}
            result = mesh.Declared(found, unread, about).judged(compact=True)
            Path(folder, "audit.json").write_text(document.document(result, "", ["declared"]), encoding="utf-8")
        ended = time.process_time()
    print(json.dumps(result["summary"]), file=sys.stderr)
    return ended - started


def engine_alone(pages: list[Page]) -> tuple[float, float]:
    """Seconds of json.loads of all pages, and of evaluate() of their manifests, the garbage collector off for both."""
    gc.disable()
    started = time.process_time()
    lists = [json.loads(page.body) for page in pages]
    loaded = time.process_time() - started
    manifests = []
    for content in lists:
        for item in content["items"]:
            item.setdefault("kind", content["kind"].removesuffix("List"))
            item.setdefault("apiVersion", content["apiVersion"])
            manifests.append(item)
    started = time.process_time()
    result = evaluate(manifests)
    seconds = time.process_time() - started
    print(json.dumps(result["summary"]), file=sys.stderr)
    return loaded, seconds


def main(file: str, what: str) -> None:
    """See the top of this file."""
    pages = pickle.loads(Path(file).read_bytes())
    if what == "evaluate":
        print(*engine_alone(pages))
    else:
        print(replay(multiplied(pages, int(what))))


if __name__ == "__main__":
    main(*sys.argv[1:])
