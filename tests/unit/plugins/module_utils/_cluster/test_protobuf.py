# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of one template are read once up to their mounts; what differs must differ all the same."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._cluster import protobuf
from ansible_collections.meshproof.mtls.plugins.module_utils._source.stored_pods import POD
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils import protobuf_encoder

LONG = "proxy-of-a-mesh-with-a-name-that-is-long-enough-to-be-remembered"


def container(**more):
    return {
        "name": "istio-proxy",
        "image": f"registry.example/{LONG}:1.31.1",
        "args": ["proxy", "sidecar"],
        "env": [{"name": "ISTIO_META_A", "value": "a"}],
        "volumeMounts": ["kube-api-access-11111"],
        **more,
    }


def read(*containers):
    """The containers of pods that follow one another."""
    items = [{"metadata": {"name": f"p{place}"}, "spec": {"containers": [one]}} for place, one in enumerate(containers)]
    return [pod["spec"]["containers"][0] for pod in protobuf.listed(protobuf_encoder.pods(items), POD)["items"]]


def expected(one):
    return {key: value for key, value in one.items() if key != "volumeMounts"}


ROWS = [
    ("the same", [container(), container()]),
    ("another mount", [container(), container(volumeMounts=["kube-api-access-22222", "tmp"])]),
    ("no mounts", [container(), container(volumeMounts=[])]),
    ("a native sidecar after a plain one", [container(), container(restartPolicy="Always"), container()]),
    ("a plain one after a native sidecar", [container(restartPolicy="Always"), container()]),
    ("another variable", [container(), container(env=[{"name": "ISTIO_META_A", "value": "b"}]), container()]),
    ("more variables", [container(env=[]), container()]),
    ("another argument", [container(), container(args=["proxy", "router"])]),
    ("many templates in turn", [container(args=[str(number % 7)]) for number in range(30)]),
    ("a very long list of mounts", [container(volumeMounts=["m" * 200] * 9), container(volumeMounts=["n" * 200] * 9)]),
]


@pytest.mark.parametrize(("what", "containers"), ROWS, ids=[row[0] for row in ROWS])
def test_what_is_remembered_changes_no_answer(what, containers):
    found = [{key: value for key, value in one.items() if value != []} for one in read(*containers)]
    assert found == [{key: value for key, value in expected(one).items() if value != []} for one in containers]


FIELDS = {
    1: protobuf.Field("name", protobuf.text),
    2: protobuf.Number("count"),
    3: protobuf.Field("x", protobuf.text, "list"),
    5: protobuf.Field("labels", protobuf.pair, "map"),
}


@pytest.mark.parametrize(
    ("data", "found"),
    [
        pytest.param(b"", {}, id="nothing"),
        pytest.param(b"\x0a\x02ab\x10\x05", {"name": "ab", "count": 5}, id="a text and a number"),
        pytest.param(b"\x10\x7f", {"count": 127}, id="the largest number of one byte"),
        pytest.param(b"\x10\x80\x01", {"count": 128}, id="the smallest of two"),
        pytest.param(b"\x10" + b"\xff" * 9 + b"\x01", {"count": 2**64 - 1}, id="the largest of all"),
        pytest.param(b"\x0a\x7f" + b"a" * 127, {"name": "a" * 127}, id="127 bytes"),
        pytest.param(b"\x0a\x80\x01" + b"a" * 128, {"name": "a" * 128}, id="128 bytes"),
        pytest.param(b"\x0a\0\x10\0", {}, id="what is empty is left out"),
        pytest.param(b"\x1a\x01a\x1a\0\x1a\x01b", {"x": ["a", "", "b"]}, id="a list"),
        pytest.param(b"\x2a\x06\x0a\x01a\x12\x01b\x2a\x03\x0a\x01c", {"labels": {"a": "b", "c": ""}}, id="a map"),
        pytest.param(b"\x21" + b"\xff" * 8 + b"\x10\x05", {"count": 5}, id="eight bytes that nobody reads"),
        pytest.param(b"\x25" + b"\xff" * 4 + b"\x10\x05", {"count": 5}, id="four bytes that nobody reads"),
        pytest.param(b"\x20\xff\x01\x10\x05", {"count": 5}, id="a number that nobody reads"),
        pytest.param(b"\x22\x02\xff\xff\x10\x05", {"count": 5}, id="a text that nobody reads"),
        pytest.param(b"\xa2\x06\x01a\x10\x05", {"count": 5}, id="a field of two bytes that nobody reads"),
        pytest.param(b"\x0a\x01\xff", {"name": "\ufffd"}, id="no UTF-8"),
        pytest.param(b"\x0a\x03ab", None, id="a text that is cut off"),
        pytest.param(b"\x10", None, id="a number that is cut off"),
        pytest.param(b"\x0a", None, id="a size that is cut off"),
        pytest.param(b"\x25\xff\xff\xff", None, id="four bytes that are three"),
        pytest.param(b"\x21" + b"\xff" * 7, None, id="eight bytes that are seven"),
        pytest.param(b"\x10" + b"\xff" * 10 + b"\x01", None, id="a number of more than 64 bits"),
        pytest.param(b"\x08\x05", None, id="a number for a text"),
        pytest.param(b"\x12\x01a", None, id="a text for a number"),
        pytest.param(b"\x15\xff\xff\xff\xff", None, id="four bytes for a number"),
        pytest.param(b"\x09" + b"\xff" * 8, None, id="eight bytes for a text"),
        pytest.param(b"\x23\x24", None, id="a group"),
    ],
)
def test_every_kind_of_field(data, found):
    read = protobuf.message(FIELDS)
    if found is None:
        with pytest.raises((ValueError, IndexError)):
            read(data, 0, len(data))
    else:
        assert read(data, 0, len(data)) == found
        assert read(b"\xff" + data + b"\xff", 1, len(data) + 1) == found


def test_what_is_remembered_is_forgotten_before_it_is_too_much():
    asked = []
    read = protobuf.known(lambda data, place, stop: asked.append(data[place:stop]) or data[place:stop].decode(), 2)
    for letter in "abab":
        assert read(letter.encode(), 0, 1) == letter
    assert asked == [b"a", b"b"]
    assert [read(letter.encode(), 0, 1) for letter in "cba"] == ["c", "b", "a"]
    assert asked == [b"a", b"b", b"c", b"b", b"a"]


@pytest.mark.parametrize("place", [0, 9 * 1024], ids=["at the beginning", "far behind it"])
@pytest.mark.parametrize(("size", "times"), [(8 * 1024, 1), (8 * 1024 + 1, 2)])
def test_only_small_messages_are_remembered(size, times, place):
    asked = []
    read = protobuf.known(lambda data, place, stop: asked.append(stop - place) or "found")
    data = b"x" * (place + size)
    assert [read(data, place, place + size), read(data, place, place + size)] == ["found", "found"]
    assert asked == [size] * times


@pytest.mark.parametrize(
    ("data", "found"), [(b"\x0a\x01a\x12\x01b", ("a", "b")), (b"\x12\x01b", ("", "b")), (b"\x0a\x01a", ("a", ""))]
)
def test_an_entry_of_a_map(data, found):
    assert protobuf.pair(data, 0, len(data)) == found


def a_list(*metadata, items=b"", before=b"\x0a\x06\x0a\x02v1\x12\0"):
    head = protobuf_encoder.message(*metadata)
    return protobuf.MAGIC + before + protobuf_encoder.message((2, protobuf_encoder.message((1, head)) + items))


@pytest.mark.parametrize(
    ("first", "token"),
    [
        pytest.param(a_list((3, "next")), "next", id="a token"),
        pytest.param(a_list((2, "v"), (3, "next"), (4, 7)), "next", id="among other metadata"),
        pytest.param(a_list((3, "n" * 300)), "n" * 300, id="a long one"),
        pytest.param(a_list((3, "next"), before=b""), "next", id="without a type"),
        pytest.param(
            a_list((3, "next"), items=b"\x12\x7f half of an item"), "next", id="before items that are cut off"
        ),
        pytest.param(a_list((2, "v")), "", id="no token"),
        pytest.param(a_list((3, "next"))[:-1], "", id="a token that is cut off"),
        pytest.param(protobuf.MAGIC, "", id="nothing"),
        pytest.param(protobuf.MAGIC + protobuf_encoder.message((2, b"\x12\x02\x1a\0")), "", id="items come first"),
    ],
)
def test_the_next_pages_token_from_the_first_bytes(first, token):
    assert protobuf.token_ahead(first) == token
