# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list, page by page: the next one is on its way while this one is used, and the end is certain to come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Callable, NamedTuple, Protocol

from . import protobuf
from .errors import ClusterError, no_json, wrong_answer
from .kinds import Kind
from .lists import ONLY_METADATA, Page, WrongAnswer, begins_well, decode, token_ahead
from .timed import Bounds

MOST_PAGE_BYTES = 1024 * 1024 * 1024
"""Of one page: each of its objects can have 1.5 MiB, which is etcd's limit."""
MOST_PAGES = 20_000
PAGE = 500
_PAGES_AT_ONCE = 2
_ATTEMPTS = 5

Announce = Callable[[bytes], None]


class Ask(Protocol):
    """How a page is asked for: ``Cluster.request``."""

    def __call__(
        self, method: str, path: str, query: Mapping[str, Any], *, accept: str, announce: Any, bounds: Bounds
    ) -> bytes: ...


class Wanted(NamedTuple):
    """Which objects are wanted of a kind, and in which form."""

    kind: Kind
    namespace: str | None = None
    labels: str = ""
    fields: str = ""
    stored: protobuf.Reader | None = None
    """Reads an item in protobuf, in which the list is asked for then; see protobuf.py."""
    only_metadata: bool = False
    """Whether nothing but the metadata is sent: a Secret's data stays where it is."""

    @property
    def path(self) -> str:
        """Of the collection."""
        return self.kind.path(self.namespace)

    @property
    def accept(self) -> str:
        """The header of this name."""
        if self.only_metadata:
            return "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
        return f"{protobuf.MEDIA_TYPE}, application/json" if self.stored else "application/json"

    @property
    def answered(self) -> Kind:
        """The kind that the list's items say they are."""
        if self.only_metadata:
            return self.kind._replace(group="meta.k8s.io", version="v1", kind=ONLY_METADATA)
        return self.kind

    def query(self, token: str) -> dict[str, Any]:
        """What is asked for with the page of a token, empty for the first one."""
        named = {"labelSelector": self.labels, "fieldSelector": self.fields, "continue": token}
        return {"limit": PAGE, **{name: value for name, value in named.items() if value}}


def read(ask: Ask, wanted: Wanted, server: str, end: float) -> Iterator[Page]:
    """All pages. Where a page's first bytes name the next one, that is asked for at once.

    So the API server encodes it while this one is still on its way, decoded and used. `end` is the moment, by
    time.monotonic(), at which all must be there. Raises ClusterError, also for an answer that is no such list.
    """

    def fetch(token: str, announce: Announce | None = None) -> bytes:
        return _fetch(ask, wanted, token, end, announce)

    with ThreadPoolExecutor(max_workers=_PAGES_AT_ONCE) as threads:

        def start(token: str) -> _PageOnItsWay:
            return _PageOnItsWay(threads, token, lambda announce: fetch(token, announce))

        used: set[str] = set()
        following: _PageOnItsWay | None = start("")
        while following:
            ahead = following.next_token()
            ahead = "" if ahead in used else ahead
            current, following = following, start(ahead) if ahead else None
            page = _decoded(wanted, current, fetch, server)
            del current  # its bytes, before its objects are used
            if page.token and (page.token in used or len(used) >= MOST_PAGES):
                raise wrong_answer("names pages without end", wanted.path, server)
            used.add(page.token)
            # A page that was asked for again may end elsewhere than its first bytes said the first time.
            if page.token != ahead:
                following = start(page.token) if page.token else None
            yield page


class _PageOnItsWay:
    """A page that was asked for in a thread of its own."""

    def __init__(self, threads: ThreadPoolExecutor, token: str, fetch: Callable[[Announce], bytes]) -> None:
        self.token = token
        """With which it was asked for; empty for the first one."""
        self._next: Future[str] = Future()
        self._body = threads.submit(self._run, fetch)

    def _run(self, fetch: Callable[[Announce], bytes]) -> bytes:
        try:
            return fetch(lambda first: self._announce(token_ahead(first)))
        finally:
            self._announce("")

    def _announce(self, token: str) -> None:
        if not self._next.done():
            self._next.set_result(token)

    def next_token(self) -> str:
        """With which the next page can be asked for, empty where the first bytes do not say it."""
        return self._next.result()

    def body(self) -> bytes:
        """Its bytes when they are all there."""
        return self._body.result()


def _fetch(ask: Ask, wanted: Wanted, token: str, end: float, announce: Announce | None) -> bytes:
    """One page's bytes. Where the API server has forgotten the list's state, the rest shows a newer one.

    It says with which token (410 with metadata.continue): nothing that exists all the while is left out by that.
    Without one the whole list has to start again, and 410 is the caller's.
    """
    used = {token}
    while True:
        try:
            bounds = Bounds(end, MOST_PAGE_BYTES)
            return ask("GET", wanted.path, wanted.query(token), accept=wanted.accept, announce=announce, bounds=bounds)
        except ClusterError as error:
            if not error.token or error.token in used or len(used) == _ATTEMPTS:
                raise
            token = error.token
            used.add(token)


def _decoded(wanted: Wanted, page: _PageOnItsWay, fetch: Callable[[str], bytes], server: str) -> Page:
    """A page's objects; one that begins well and was cut off on its way is asked for again."""
    body = page.body()
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return decode(body, wanted.answered, wanted.namespace, wanted.stored)
        except WrongAnswer as error:
            raise wrong_answer(str(error), wanted.path, server) from None
        except ValueError as error:
            if attempt == _ATTEMPTS or not begins_well(body):
                raise no_json(wanted.path, server) from error
        body = fetch(page.token)
    raise AssertionError("unreachable: the last attempt returns or raises")
