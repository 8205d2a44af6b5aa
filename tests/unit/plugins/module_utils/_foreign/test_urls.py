# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret of a URL is shown, however the URL is mistyped; everything else of it is."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._foreign import urls


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://host", "https://host"),
        ("https://host:8443/a/b", "https://host:8443/a/b"),
        ("https://[::1]:8443/a", "https://[::1]:8443/a"),
        ("oci://registry/charts/istiod", "oci://registry/charts/istiod"),
        ("https://name:hidden@host/a", "https://…@host/a"),
        ("https://hidden@host/a", "https://…@host/a"),
        ("https://:hidden@host", "https://…@host"),
        ("https://name:hi@dd:en@host", "https://…@host"),
        ("https://name:hid/den@host/a", "https://…@host/a"),
        ("https://name:hid?den@host/a", "https://…@host/a"),
        ("https://name:hid#den@host:1/a?x=hidden", "https://…@host:1/a?x=…"),
        ("name:hidden@proxy:3128", "…@proxy:3128"),
        ("https:/name:hidden@host", "https:/…@host"),
        ("https:\\\\name:hidden@host", "https:\\\\…@host"),
        ("https://name:hidden@[host", "https://…@[host"),
        ("https://host/a?token=hidden&x=hidden", "https://host/a?token=…&x=…"),
        ("https://host/a?to=me@hidden", "https://host/a?to=…"),
        ("https://host/?hidden", "https://host/?…"),
        ("https://host/?sig=hidden==", "https://host/?sig=…"),
        ("https://host/#access_token=hidden", "https://host/#access_token=…"),
        ("https://host/?", "https://host/?"),
        ("https://host/\x1b[31m\u202e", "https://host/\\u001b[31m\\u202e"),
        ("", ""),
        (None, "None"),
    ],
)
def test_shown(url, expected):
    assert urls.shown(url) == expected


def test_urls_inside_a_text():
    text = "Failed to parse: http://name:hidden@host:x/a, then https://host?token=hidden"
    assert urls.shown_in(text) == "Failed to parse: http://…@host:x/a, then https://host?token=…"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://host/a", []),
        ("https://name:p@host", ["p"]),
        ("https://token@host", ["token"]),
        ("https://name:p%40ss@host", ["p%40ss", "p@ss"]),
        ("https://name:p/ss@host", ["p/ss"]),
        ("name:p@host:3128", ["p"]),
        ("https://host?a=pass+word&b=%61bcdef&nameless", ["pass+word", "pass word", "%61bcdef", "abcdef", "nameless"]),
        ("https://host?limit=500&flag", []),
        (None, []),
        ({"url": "https://name:p@host"}, []),
    ],
)
def test_secrets_of(url, expected):
    assert list(urls.secrets_of(url)) == expected


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        ("no answer", [], "no answer"),
        ("https://host/a: refused", ["https://host/a"], "https://host/a: refused"),
        ("https://name:hidden@host: refused", [], "https://…@host: refused"),
        ("Could not reach name:hidden@host", ["name:hidden@host"], "Could not reach …@host"),
        ("401 for name with hid den", ["https://name:hid%20den@host"], "401 for name with …"),
        ("wrong: hidden1, longhidden12", ["https://a:hidden1@host", "https://b:longhidden12@host"], "wrong: …, …"),
        ("https://other:hidden@host/", ["https://name:secret@host"], "https://…@host/"),
        ("fine", ["", None], "fine"),
    ],
    ids=[
        "nothing given, nothing hidden",
        "a URL without secrets stays",
        "a URL that was not given",
        "a URL that looks like none",
        "a decoded password alone",
        "several URLs",
        "another URL than the given one",
        "no URL at all",
    ],
)
def test_the_words_of_a_tool_that_was_given_urls(text, given, expected):
    assert urls.without_secrets(text, *given) == expected
