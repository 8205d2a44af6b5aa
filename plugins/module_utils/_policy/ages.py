# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of several objects is the older, and where nobody can tell.

Istio sorts by creationTimestamp, in whole seconds (pilot/pkg/model/config.go configCompareByCreationTime). Objects from
Git carry none, and what is only proposed will get its one later.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timezone
from itertools import islice, permutations
from typing import Any, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, TypeVar

from .records import UNDATED, YOUNGEST, Aged, Malformed

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_NAMED = r"[^ ,;]+/[^ ,;]+"
_CONTEST = re.compile(
    rf"\bwhich (?P<kind>[A-Z][A-Za-z ]+?) of (?P<names>{_NAMED}(?:(?:, | and )(?:{_NAMED}|[0-9]+ more))*) "
    "[^;]+? depends on their age, and [^;]+"
)
MOST_ORDERS = 6
"""As many as three objects without a time can have."""
_Item = TypeVar("_Item", bound=Aged)


class _Proposed(str):
    """A creationTimestamp that no manifest can have: text that says the same is no time."""


PROPOSED = _Proposed(YOUNGEST)
"""What stands as creationTimestamp in an object that does not exist yet."""


def age_of(metadata: Mapping[str, Any]) -> str:
    """The creation time to the second in UTC, in a form that sorts; UNDATED without one, or with text that is none."""
    stamp = metadata.get("creationTimestamp")
    if isinstance(stamp, _Proposed):
        return YOUNGEST
    if isinstance(stamp, str):
        stamp = _parsed(stamp)
    if stamp is None:
        return UNDATED
    # PyYAML reads an unquoted timestamp as datetime, in old versions as one of UTC that does not say so.
    if not isinstance(stamp, date):
        raise Malformed("metadata.creationTimestamp is not a time")
    if not isinstance(stamp, datetime):
        return UNDATED
    try:
        utc = stamp.astimezone(timezone.utc) if stamp.tzinfo else stamp
    except OverflowError:
        return UNDATED
    return utc.replace(microsecond=0, tzinfo=None).isoformat()


def _parsed(text: str) -> Optional[datetime]:
    if not _RFC3339.fullmatch(text):
        return None
    zone = "+00:00" if text.endswith("Z") else text[-6:]
    try:
        return datetime.fromisoformat(text[:19] + zone)
    except ValueError:
        return None


def dated(item: Aged) -> bool:
    """Whether it carries a time."""
    return item.age not in (UNDATED, YOUNGEST)


def eldest_of(items: Iterable[_Item], ties: bool = False) -> List[_Item]:
    """Those of some objects, given in Istio's order, that may be the oldest: one where all carry a time.

    With `ties` equally old ones are not told apart by their names.
    """
    found = list(items)
    known = [item for item in found if dated(item)]
    first = [item for item in known if item.age == known[0].age] if ties else known[:1]
    # What is only proposed will be younger than all that exist.
    return first + [item for item in found if item.age == UNDATED] or found


def orders(items: Sequence[_Item]) -> List[List[_Item]]:
    """Every order by age that may be the true one of some objects, given in Istio's order; [] for too many to try."""
    if all(map(dated, items)):
        return [list(items)]
    known = [item for item in items if dated(item)]
    undated = [item for item in items if item.age == UNDATED]
    proposed = [item for item in items if item.age == YOUNGEST]
    if undated and len(known) + len(undated) > MOST_ORDERS:
        return []
    existing = _interleaved(known, undated) if undated else iter([known])
    every = ([*old, *new] for old in existing for new in permutations(proposed))
    found = list(islice(every, MOST_ORDERS + 1))
    return found if len(found) <= MOST_ORDERS else []


def _interleaved(known: List[_Item], undated: List[_Item]) -> Iterator[List[_Item]]:
    if not known:
        yield from map(list, permutations(undated))
        return
    for rest in _interleaved(known[1:], undated):
        yield [known[0], *rest]
    for place, item in enumerate(undated):
        for rest in _interleaved(known, undated[:place] + undated[place + 1 :]):
            yield [item, *rest]


def contest(kind: str, items: Sequence[Aged], question: str) -> str:
    """Why it cannot be told what some objects do together: `question` is what their age decides, as a verb.

    As in "which DestinationRule of demo/a and demo/b counts depends on their age, and demo/b carries no …".
    """
    missing = [item for item in items if not dated(item)]
    why = "they were created in the same second"
    if missing:
        why = f"{_listed(missing)} {'carries' if len(missing) == 1 else 'carry'} no creationTimestamp"
    return f"which {kind} of {_listed(items)} {question} depends on their age, and {why}"


class Contest(NamedTuple):
    """What `contest` says in a reason, which may say more."""

    kind: str
    namespace: Optional[str]
    """Of all objects; None where they are of several."""
    names: str
    """In words; without the namespace where they have the same."""
    sentence: str


def contests_in(reason: str) -> Iterator[Contest]:
    """The contests that a reason speaks of. Its parts are joined by `; `, which no object's name can hold."""
    for found in _CONTEST.finditer(reason):
        names = found["names"]
        spaces = {name.partition("/")[0] for name in re.split(", | and ", names) if "/" in name}
        space = spaces.pop() if len(spaces) == 1 else None
        yield Contest(found["kind"], space, names.replace(f"{space}/", "") if space else names, found.group())


def _listed(items: Sequence[Aged]) -> str:
    # A destination's name has its namespace already.
    names = sorted({item.name if "/" in item.name else f"{item.namespace}/{item.name}" for item in items})
    more = [f"{len(names) - 3} more"] if len(names) > 3 else []
    shown = names[:3] + more
    return " and ".join((", ".join(shown[:-1]), shown[-1])) if len(shown) > 1 else shown[0]
