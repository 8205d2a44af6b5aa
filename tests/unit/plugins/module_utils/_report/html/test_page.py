# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page: what is in it, that it needs nothing else, and that nothing of a cluster's acts in it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from html.parser import HTMLParser

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement import states
from ansible_collections.meshproof.mtls.plugins.module_utils._report.html import page
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._report.html import audits
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._report.html.hostile import STRINGS, poisoned

DIGEST = hashlib.sha256(b"an audit").hexdigest()
VOID = ("meta", "input", "br", "link")


class Tree(HTMLParser):
    """Elements with their attributes in order, their texts, and whether they are closed as they were opened."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.texts = [], [], {}
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def all(self, tag):
        """The attributes of all elements of this name."""
        return [attributes for name, attributes in self.elements if name == tag]


def made(audit, **options):
    """The page's text."""
    return page.page(states.facts_of(audit), DIGEST, **options)


@cache
def drawn(size):
    """The page of an audit of so many workloads; drawn once, and after collection."""
    return made({2: audits.two, 72: fewer, 200: audits.many}[size]())


@cache
def tree_of(size):
    """What is in that page. To be read only."""
    return Tree(drawn(size))


def fewer(**options):
    """All kinds of trouble, for what must hold of each element and not of their number."""
    return audits.many(most=6, **options)


BOTH = pytest.mark.parametrize("size", [2, 200], ids=["2 workloads", "200 workloads"])


@BOTH
def test_nothing_is_loaded_and_only_our_own_style_and_script_may_act(size):
    text, tree = drawn(size), tree_of(size)
    names = {tag for tag, dummy in tree.elements}
    assert not names & {"link", "img", "iframe", "object", "embed", "base", "form", "audio", "video", "source", "image"}
    assert {name for dummy, attributes in tree.elements for name in attributes} & {"src", "style", "action"} == set()
    assert not any(name.startswith("on") for dummy, attributes in tree.elements for name in attributes)
    assert all(attributes["href"].startswith("#") for tag, attributes in tree.elements if "href" in attributes)
    assert "url(" not in text
    assert "@import" not in text
    assert re.findall(r"https?://", text.replace(audits.CLUSTER["server"], "")) == []
    policy = next(one["content"] for one in tree.all("meta") if one.get("http-equiv") == "Content-Security-Policy")
    allowed = dict(part.split(" ", 1) for part in policy.split("; "))
    assert allowed["default-src"] == "'none'"
    for directive, tag in (("style-src", "style"), ("script-src", "script")):
        body = tree.texts[tag][-1]
        expected = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert allowed[directive] == f"'sha256-{expected}'"


@BOTH
def test_links_meet_their_targets_and_ids_are_unique(size):
    tree = tree_of(size)
    ids = [attributes["id"] for dummy, attributes in tree.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {attributes["href"][1:] for dummy, attributes in tree.elements if "href" in attributes}
    labels = {name for dummy, attributes in tree.elements for name in (attributes.get("aria-labelledby") or "").split()}
    assert targets | labels <= set(ids)


@BOTH
def test_tables_say_what_their_cells_are(size):
    text, tree = drawn(size), tree_of(size)
    assert {attributes["scope"] for attributes in tree.all("th")} == {"col", "row"}
    rows = text.count('<th scope="row">')
    assert rows == len(tree.all("tr")) - len(tree.all("table"))
    assert len(tree.all("caption")) == len(tree.all("table"))
    assert {"skip"} <= {attributes.get("class") for attributes in tree.all("a")}
    assert tree.all("html") == [{"lang": "en"}]


@BOTH
def test_a_state_is_never_told_by_colour_alone(size):
    text, tree = drawn(size), tree_of(size)
    pills = re.findall(
        r'<span class="pill [a-z]+"><svg class="i" aria-hidden="true"><use href="#i-[a-z]+"/></svg>([^<]+)</span>',
        text,
    )
    assert len(pills) == sum((attributes.get("class") or "").startswith("pill ") for attributes in tree.all("span"))
    assert all(word.strip() for word in pills)


def test_the_parts_that_were_asked_for_are_there():
    text, tree = drawn(200), tree_of(200)
    keys = [attributes["id"] for attributes in tree.all("section") if "id" in attributes]
    assert keys == [
        *("summary", "graph", "findings", "rules", "ports", "edges", "clients", "seen", "certificates", "versions"),
        *("probe", "traffic", "controls", "about"),
    ]
    for words in (
        "The sources contradict each other at 1 port and 1 connection",
        "another rule opens the port through an EnvoyFilter",
        "Configuration is not traffic.",
        "assessor&#39;s call",
        "v1.35.4",
        "2026-01-31T12:00:00Z",
        DIGEST,
        audits.ROOT,
        "did not answer: no answer within 10 s",
        "No Prometheus was named.",
        "istio_requests_total",
        "remove traffic.sidecar.istio.io/excludeInboundPorts",
    ):
        assert words in text


def test_parts_without_content_are_left_out():
    plain = {
        name: value for name, value in audits.two().items() if name not in ("ports", "proxies", "certificates", "probe")
    }
    tree = Tree(made(plain))
    keys = {attributes.get("id") for attributes in tree.all("section")}
    assert not keys & {"certificates", "probe", "traffic", "rules"}
    assert {"graph", "ports", "edges", "seen", "controls"} <= keys


def test_an_audit_of_nothing_is_a_page_too():
    empty = audits.judged([])
    text = made(empty)
    Tree(text)
    assert "No port of a workload in the mesh was seen" in text


def shape(tree):
    """Elements with the names of their attributes, whose values hold texts. A server that is named as its Service is
    has no line of its own, and names with a slash in them are never found to be the same.
    """
    return [(tag, sorted(attributes)) for tag, attributes in tree.elements if attributes.get("class") != "server"]


@pytest.mark.parametrize("bad", STRINGS)
def test_hostile_text_changes_no_element_and_cannot_hide_or_turn_itself_around(bad):
    text = made(poisoned(fewer(), bad), title=bad)
    dirty = Tree(text)
    assert shape(dirty) == shape(tree_of(72))
    assert all(attributes["href"].startswith("#") for tag, attributes in dirty.elements if "href" in attributes)
    assert re.search("[\x00-\x08\x0b-\x1f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]", text) is None
    text.encode()


def test_the_counts_can_be_read_by_programs():
    bad = "</script><!--"
    found = json.loads(page.summary_in(made(poisoned(audits.two(), bad))))
    assert found["sha256"] == DIGEST
    assert found["cluster"]["server"] == audits.CLUSTER["server"] + bad
    assert found["summary"]["workloads"]["total"] == 4
    assert page.summary_in("no page") == ""


def test_a_bound_on_rows_keeps_the_worst_and_says_so():
    text = made(audits.many(), most=3)
    ports = text[text.index('id="ports-table"') : text.index("</table>", text.index('id="ports-table"'))]
    assert "billing/queue-02" in ports
    assert ports.count('<th scope="row">') == 3
    assert "3 of 200 rows are here, the worst first." in text


def test_the_same_audit_makes_the_same_bytes_whichever_form_its_sets_have():
    assert made(fewer()) == drawn(72)
    compact, whole = (re.sub(r" data-[a-z]+=", "", text) for text in (drawn(72), made(fewer(compact=False))))
    assert compact == whole


def test_a_title_of_ones_own():
    text = made(audits.two(), title="Production & more")
    assert "<title>Production &amp; more</title>" in text
    assert "<h1>Production &amp; more</h1>" in text
