# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs that somebody wrote, with what must not be printed: the name and password before the host, and query values.

Whoever mistypes a URL must not see its password in the error either. So nothing here needs a URL that can be parsed,
and what could be a password is taken for one.
"""

from __future__ import annotations

import re
from typing import Any, Iterator, Tuple
from urllib.parse import unquote, unquote_plus

from .visible import visible

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[/\\]+")
_QUERY = re.compile(r"[?#]")
_PORT = re.compile(r":[0-9]*")
_IN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>]+")
LEFT_OUT = "…"
_SHORTEST = 6
"""Shorter values of a query are no secrets, and no_log would take them out of every other text, too."""


def shown(url: Any) -> str:
    """The URL as messages may show it: visible, without a login, and with the names of its query only.

    `https://u:p@host/path?token=x` becomes `https://…@host/path?token=…`.
    """
    scheme, login, place, query = _parts(url if isinstance(url, str) else str(url))
    return visible(scheme + (f"{LEFT_OUT}@" if login else "") + place + _names_only(query))


def shown_in(text: Any) -> str:
    """A text with each URL in it shown so, for the words of a library that quotes what it was given."""
    return _IN_TEXT.sub(lambda found: shown(found[0]), str(text))


def without_secrets(text: Any, *urls: Any) -> str:
    """A text that a tool wrote which was given these URLs: what they hide is taken out wherever it stands.

    The URLs need not look like ones. With a URL as the text, too, the result differs from it where it hides something.
    """
    found = str(text)
    for url in map(str, urls):
        found = found.replace(url, shown(url)) if url else found
    for secret in sorted((secret for url in map(str, urls) for secret in secrets_of(url)), key=len, reverse=True):
        found = found.replace(secret, LEFT_OUT)
    return shown_in(found)


def secrets_of(url: Any) -> Iterator[str]:
    """What of a URL must not be printed anywhere, as it is written and decoded: for no_log.

    A name that stands before a password is none; alone it is one, since some services take a token there.
    """
    if not isinstance(url, str):
        return
    _scheme, login, _place, query = _parts(url)
    name, colon, password = login.partition(":")
    values = [password if colon else name, *(value for _name, value in _pairs(query) if len(value) >= _SHORTEST)]
    for value in values:
        yield from dict.fromkeys(form for form in (value, unquote(value), unquote_plus(value)) if form)


def _parts(url: str) -> Tuple[str, str, str, str]:
    """Scheme with its slashes, login, host and path, and the rest from its `?` or `#` on.

    The login ends at the last @ before the rest: a password may hold a slash that should have been encoded.
    """
    found = _SCHEME.match(url)
    scheme = found[0] if found else ""
    place, query = _cut(url[len(scheme) :])
    login, at, host = place.rpartition("@")
    authority = re.split(r"[/\\]", place, maxsplit=1)[0]
    port = authority[authority.rfind(":") :] if ":" in authority else ""
    # No @ before the rest, and a port that is none: then `?` or `#` belongs to a password.
    if not at and "@" in query and not _PORT.fullmatch(port or ":"):
        login, at, place = f"{place}{query}".rpartition("@")
        host, query = _cut(place)
    return scheme, login, host if at else place, query


def _cut(text: str) -> Tuple[str, str]:
    found = _QUERY.search(text)
    return (text[: found.start()], text[found.start() :]) if found else (text, "")


def _pairs(query: str) -> Iterator[Tuple[str, str]]:
    """Names with their values; what has no `=` is a value without a name."""
    for part in re.split(r"[?#&;]", query):
        name, equals, value = part.partition("=")
        if part:
            yield (name, value) if equals else ("", part)


def _names_only(query: str) -> str:
    if not query:
        return ""
    return query[0] + "&".join(f"{name}={LEFT_OUT}" if name else LEFT_OUT for name, _value in _pairs(query))
