# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the questions about traffic to a Prometheus: each as a whole and, where its answer would be too much, in parts.

Any pod that is scraped can export a million series about anybody. By the namespace of whoever exports them, which no
pod can choose, the answer falls into parts, of which that flood fills one: what that namespace's own servers did is
unknown then, and nothing else is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .. import _cluster as api
from .._evidence.traffic import queries, series
from .prometheus import Prometheus, TooMuch, TrafficError

MOST_SAMPLES = 4 * series.MOST_SAMPLES
"""Of all parts together."""


class Lost(NamedTuple):
    """A part of an answer that was not had."""

    part: queries.Part
    why: str


class Questions:
    """Those about one window and some namespaces."""

    def __init__(self, place: Prometheus, window: int, namespaces: Sequence[str], end: float) -> None:
        """`end` is the moment, by time.monotonic(), after which no part is asked for any more.

        Raises ValueError, with the remedy, for what is no namespace's name.
        """
        self.place = place
        self.asked = queries.queries(window, namespaces)
        self._window, self._namespaces = window, namespaces
        self._end = end
        self._parts: list[queries.Part] | None = None
        self._left = MOST_SAMPLES

    def ask(self, name: str, take: Callable[[series.Answer], None]) -> list[Lost]:
        """Put one question of ``Queries``, hand on what is answered, and return what is missing of it.

        Raises TrafficError or ClusterError where nothing is answered.
        """
        try:
            answer = self.place.ask(getattr(self.asked, name))
        except TooMuch as error:
            return self._ask_in_parts(name, take, error)
        take(answer)
        return []

    def _ask_in_parts(self, name: str, take: Callable[[series.Answer], None], error: TooMuch) -> list[Lost]:
        lost = []
        parts = self._exporters(error)
        for part in parts:
            try:
                take(self._one(name, part))
            except (TrafficError, api.ClusterError) as problem:
                lost.append(Lost(part, str(problem)))
        if len(lost) == len(parts):
            raise error
        return lost

    def _one(self, name: str, part: queries.Part) -> series.Answer:
        if time.monotonic() >= self._end:
            raise TrafficError("the time for all questions together was up. Remedy: raise the option total_timeout")
        if self._left <= 0:
            raise TrafficError("what others export is too much already")
        answer = self.place.ask(getattr(queries.queries(self._window, self._namespaces, part), name))
        self._left -= len(answer.samples)
        return answer

    def _exporters(self, error: TooMuch) -> list[queries.Part]:
        """By whom there are series; that answer is small, whatever they export."""
        if self._parts is None:
            try:
                answer = self.place.ask(queries.EXPORTERS)
            except (TrafficError, api.ClusterError):
                raise error from None
            self._parts = queries.parts(labels for labels, _count in answer.samples)
        return self._parts
