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
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._evidence import status
from ansible_collections.meshproof.mtls.plugins.module_utils._policy import evaluate
from ansible_collections.meshproof.mtls.plugins.module_utils._report import audit

from tests.benchmark.seed import PREFIX

_CONTINUE = re.compile(rb'"continue":"([^"]*)",?')
_EDGE = 4096
Key = tuple[str, tuple[tuple[str, str], ...], str]
"""Path, query and token of a page."""


class Page(NamedTuple):
    """One answer of the API server."""

    path: str
    query: dict[str, Any]
    body: bytes


def token_of(body: bytes) -> str:
    """The next page's token; lists of custom kinds have it at their end."""
    found = _CONTINUE.search(body[:_EDGE]) or _CONTINUE.search(body[-_EDGE:])
    return found[1].decode() if found else ""


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
        api.read_declared(cluster, status.Found)
    finally:
        cluster.request = request
    return pages


def multiplied(pages: Iterable[Page], times: int) -> dict[Key, bytes]:
    """A mesh that many times as big: its namespaces with all that is in them, under as many names."""
    answers: dict[Key, bytes] = {}
    lists: dict[Key, list[bytes]] = {}
    for page in pages:
        lists.setdefault(_key(page.path, page.query, ""), []).append(page.body)
    for first, bodies in lists.items():
        chain = list(bodies)
        for copy in range(1, times):
            prefix = f"{PREFIX[:-2]}{copy}-".encode()
            copies = (_only_seeded(body) for body in bodies if PREFIX.encode() in body)
            chain += [body.replace(PREFIX.encode(), prefix) for body in copies]
        for place, body in enumerate(chain):
            last = place == len(chain) - 1
            chained = body if len(chain) == 1 else _chained(body, "" if last else str(place + 1))
            answers[(*first[:2], str(place) if place else "")] = chained
    return answers


def _key(path: str, query: Mapping[str, Any], token: str) -> Key:
    return path, tuple(sorted((name, str(value)) for name, value in query.items() if name != "continue")), token


def _only_seeded(body: bytes) -> bytes:
    """A page without what was not seeded, which must not be there twice."""
    if not any(f'"namespace":"{name}"'.encode() in body for name in ("demo", "istio-system", "kube-system", "default")):
        return body
    content = json.loads(body)
    content["items"] = [item for item in content["items"] if PREFIX in json.dumps(item["metadata"])]
    return json.dumps(content, separators=(",", ":")).encode()


def _chained(body: bytes, token: str) -> bytes:
    """A page that names another next one. Its metadata may stand before or behind its items."""
    if _CONTINUE.search(body[:_EDGE]):
        body = _CONTINUE.sub(b"", body[:_EDGE], count=1) + body[_EDGE:]
    elif _CONTINUE.search(body[-_EDGE:]):
        body = body[:-_EDGE] + _CONTINUE.sub(b"", body[-_EDGE:])
    if not token:
        return body
    field = f'"metadata":{{"continue":"{token}",'.encode()
    if body.startswith(b'{"kind":'):  # a built-in kind
        return body.replace(b'"metadata":{', field, 1)
    before, dummy, after = body.rpartition(b'"metadata":{')
    return before + field + after


def replay(answers: Mapping[Key, bytes]) -> float:
    """Read, judge and write from recorded pages; the seconds that it took."""
    cluster = api.connect({"host": "http://127.0.0.1:1", "api_key": "none"})

    def answered(method: str, path: str, query: Mapping[str, Any] | None = None, announce: Any = None) -> bytes:
        found = dict(query or {})
        answer = answers[_key(path, found, str(found.pop("continue", "")))]
        announce(answer[:_EDGE])
        return answer

    cluster.request = answered
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        with api.collector_paused():
            found, unread = api.read_declared(cluster, status.Found)
            about = {"server": "", "kubernetes_version": ""}
            result = status.Declared(found, unread, about).judged(compact=True)
            Path(folder, "audit.json").write_text(audit.document(result, "", ["declared"]), encoding="utf-8")
        ended = time.process_time()
    print(json.dumps(result["summary"]), file=sys.stderr)
    return ended - started


def engine_alone(pages: Iterable[Page]) -> tuple[float, float]:
    """Seconds of json.loads of all pages, and of evaluate() of their manifests, the garbage collector off for both."""
    gc.disable()
    bodies = [page.body for page in pages if b'"items":' in page.body]
    started = time.process_time()
    lists = [json.loads(body) for body in bodies]
    loaded = time.process_time() - started
    manifests = []
    for content in lists:
        for item in content["items"]:
            item.setdefault("kind", content["kind"][: -len("List")])
            item.setdefault("apiVersion", content["apiVersion"])
            manifests.append(item)
    started = time.process_time()
    evaluate(manifests)
    return loaded, time.process_time() - started


def main(file: str, what: str) -> None:
    """See the top of this file."""
    pages = pickle.loads(Path(file).read_bytes())
    if what == "evaluate":
        print(*engine_alone(pages))
    else:
        print(replay(multiplied(pages, int(what))))


if __name__ == "__main__":
    main(*sys.argv[1:])
