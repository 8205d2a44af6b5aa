# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages: what is a list, what is none, and what in one cannot be read. Nothing else is ever "no objects"."""

from __future__ import annotations

import copy
import json

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
from ansible_collections.meshproof.mtls.plugins.module_utils._cluster import lists, protobuf
from ansible_collections.meshproof.mtls.plugins.module_utils._cluster.lists import WrongAnswer, decode
from ansible_collections.meshproof.mtls.plugins.module_utils._source.stored_pods import POD
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils import protobuf_encoder
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils.answers import listed

VERSION = "networking.istio.io/v1alpha3"
FILTERS = api.Kind("networking.istio.io", "v1alpha3", "envoyfilters", "EnvoyFilter")
NAMESPACES = api.Kind("", "v1", "namespaces", "Namespace", namespaced=False)
PODS = api.Kind("", "v1", "pods", "Pod")
GOOD = {"metadata": {"name": "good", "namespace": "demo"}, "spec": {}}
NONE = listed("EnvoyFilter", version=VERSION)


def read(content, kind=FILTERS, namespace=None):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return decode(body, kind, namespace)


def without(mapping, name):
    return {key: value for key, value in mapping.items() if key != name}


def test_an_empty_list():
    assert read(NONE) == ([], "", [])


def test_items_get_the_kind_that_lists_leave_out():
    (item,) = read(listed("EnvoyFilter", GOOD, version=VERSION, token="next", remainingItemCount=7)).items
    assert item == {"kind": "EnvoyFilter", "apiVersion": VERSION, **GOOD}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param({}, "of no kind", id="an empty object"),
        pytest.param([], "is no object", id="an array"),
        pytest.param(None, "is no object", id="null"),
        pytest.param("x", "is no object", id="a text"),
        pytest.param({"error": "upstream"}, "of no kind", id="the error of something on the way"),
        pytest.param(
            {"kind": "Status", "apiVersion": "v1", "message": "etcd\x1b timeout"},
            r"but Status of v1: etcd\\u001b timeout",
            id="a Status",
        ),
        pytest.param({**NONE, "kind": "SidecarList"}, "but SidecarList", id="another kind's list"),
        pytest.param({**NONE, "kind": "List"}, "but List", id="a list of anything"),
        pytest.param({**NONE, "kind": "EnvoyFilter"}, "but EnvoyFilter", id="one object"),
        pytest.param({**NONE, "kind": ["EnvoyFilterList"]}, "of no kind", id="a kind that is no text"),
        pytest.param({**NONE, "apiVersion": "networking.istio.io/v1"}, "v1", id="another version"),
        pytest.param({**NONE, "apiVersion": "x.io/v1alpha3"}, "x.io", id="another group"),
        pytest.param(without(NONE, "apiVersion"), "EnvoyFilterList", id="no version"),
        pytest.param(without(NONE, "items"), "without items", id="no items"),
        pytest.param({**NONE, "items": None}, "without items", id="items that are null"),
        pytest.param({**NONE, "items": {}}, "without items", id="items that are an object"),
        pytest.param({**NONE, "items": ""}, "without items", id="items that are a text"),
        pytest.param({**NONE, "items": 0}, "without items", id="items that are a number"),
        pytest.param({**NONE, "items": False}, "without items", id="items that are false"),
        pytest.param(without(NONE, "metadata"), "without metadata", id="no metadata"),
        pytest.param({**NONE, "metadata": None}, "without metadata", id="metadata that is null"),
        pytest.param({**NONE, "metadata": []}, "without metadata", id="metadata that is an array"),
        pytest.param({**NONE, "metadata": {"continue": 0}}, "how to ask", id="a token that is a number"),
        pytest.param({**NONE, "metadata": {"continue": None}}, "how to ask", id="a token that is null"),
        pytest.param({**NONE, "metadata": {"continue": ["x"]}}, "how to ask", id="a token that is an array"),
        pytest.param({**NONE, "metadata": {"remainingItemCount": 1}}, "not how", id="more items without a token"),
        pytest.param({**NONE, "metadata": {"remainingItemCount": "0"}}, "not how", id="a count that is a text"),
        pytest.param({**NONE, "metadata": {"remainingItemCount": -1}}, "not how", id="a negative count"),
        pytest.param({**NONE, "metadata": {"remainingItemCount": True}}, "not how", id="a count that is true"),
    ],
)
def test_what_is_no_list_is_an_error(answer, why):
    with pytest.raises(WrongAnswer, match=why):
        read(answer)


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b'{"kind":"EnvoyFilterList","items":[{"a":', b"\xff"], ids=repr)
def test_what_is_no_json_is_an_error(body):
    with pytest.raises(ValueError, match=r".") as caught:
        read(body)
    assert not isinstance(caught.value, WrongAnswer)


def test_protobuf_that_nobody_asked_for_is_an_error():
    with pytest.raises(WrongAnswer, match="for which was not asked"):
        read(protobuf_encoder.pods([]), PODS)


DEEP = "[" * 10_000 + "]" * 10_000


@pytest.mark.parametrize(
    ("item", "namespace", "name"),
    [
        pytest.param('{"spec":' + DEEP + ',"metadata":{"name":"bad","namespace":"demo"}}', "demo", "bad", id="nested"),
        pytest.param(
            '{"metadata":{"managedFields":' + DEEP + ',"name":"bad","namespace":"demo"}}',
            "demo",
            "bad",
            id="nested metadata",
        ),
        pytest.param(
            '{"metadata":{"name":"bad","namespace":"demo"},"spec":%s}' % ('{"a":' * 300 + "1" + "}" * 300),
            "demo",
            "bad",
            id="less deep than what Python takes",
        ),
        pytest.param(
            '{"metadata":{"name":"bad","namespace":"demo"},"spec":%s}' % ("9" * 5000),
            "demo",
            "bad",
            id="endless digits",
        ),
        pytest.param(
            '{"metadata":{"name":"bad","namespace":"demo"},"spec":"\\ud800"}', "demo", "bad", id="half a character"
        ),
        pytest.param('{"metadata":{"name":"bad","namespace":"demo"},"spec":nul}', "demo", "bad", id="no JSON"),
        pytest.param(
            '{"metadata":{"name":"bad","namespace":"demo"},"spec":[%s1]}' % ("[]," * 150_000),
            "demo",
            "bad",
            id="brackets",
        ),
        pytest.param('{"metadata":' + DEEP + "}", "", "", id="no name to be had"),
        pytest.param(DEEP, "", "", id="no object"),
        pytest.param("5", "", "", id="a number"),
        pytest.param("null", "", "", id="null"),
        pytest.param("{}", "", "", id="an empty object"),
        pytest.param('{"metadata":[]}', "", "", id="metadata of another type"),
        pytest.param('{"metadata":{"namespace":"demo"}}', "", "", id="no name"),
        pytest.param('{"metadata":{"name":7,"namespace":"demo"}}', "", "", id="a name that is a number"),
        pytest.param('{"metadata":{"name":"bad"}}', "", "bad", id="no namespace"),
        pytest.param('{"metadata":{"name":"bad","namespace":null}}', "", "bad", id="no namespace but null"),
        pytest.param('{"kind":"Sidecar","metadata":{"name":"bad","namespace":"demo"}}', "", "bad", id="another kind"),
        pytest.param(
            '{"apiVersion":"v1","metadata":{"name":"bad","namespace":"demo"}}', "", "bad", id="another version"
        ),
        pytest.param('{"kind":null,"metadata":{"name":"bad","namespace":"demo"}}', "", "bad", id="a kind that is null"),
    ],
)
def test_an_item_that_cannot_be_read_costs_only_itself(item, namespace, name):
    body = json.dumps(listed("EnvoyFilter", GOOD, "PLACE", GOOD, version=VERSION, token="next"))
    page = read(body.replace('"PLACE"', item).encode())
    assert [found["metadata"]["name"] for found in page.items] == ["good", "good"]
    assert page.token == "next"
    assert [bad[:2] for bad in page.unusable] == [(namespace, name)]
    assert read(body.replace('"PLACE"', item).encode(), namespace="demo").unusable[0].namespace == "demo"


@pytest.mark.parametrize(
    ("kind", "asked", "metadata", "usable"),
    [
        (FILTERS, None, {"namespace": "shop"}, True),
        (FILTERS, "shop", {"namespace": "shop"}, True),
        (FILTERS, "demo", {"namespace": "shop"}, False),
        (FILTERS, "demo", {"namespace": ["demo"]}, False),
        (NAMESPACES, None, {}, True),
        (NAMESPACES, None, {"namespace": ""}, True),
        (NAMESPACES, None, {"namespace": "demo"}, False),
    ],
)
def test_items_are_where_they_were_asked_for(kind, asked, metadata, usable):
    item = {"metadata": {"name": "a", **metadata}}
    page = read(listed(kind.kind, item, version=kind.api_version), kind, asked)
    assert (len(page.items), len(page.unusable)) == ((1, 0) if usable else (0, 1))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        pytest.param(lambda body: body.replace(b"PodList", b"JobList"), "but JobList", id="another kind"),
        pytest.param(lambda body: protobuf_encoder.status("no"), "but Status of v1", id="a Status"),
    ],
)
def test_protobuf_that_is_no_list_is_an_error(spoil, why):
    with pytest.raises(WrongAnswer, match=why):
        decode(spoil(protobuf_encoder.pods([GOOD])), PODS, stored=POD)


def pod(name, **metadata):
    return {"metadata": {"name": name, "namespace": "demo", **metadata}, "spec": {"containers": [{"name": "app"}]}}


def envelope(*items, metadata=b""):
    message = protobuf_encoder.message
    return protobuf_encoder.envelope("PodList", message((1, metadata), *((2, item) for item in items)))


GOOD_POD = protobuf_encoder.pod(pod("good"))
NAMED = protobuf_encoder.message((1, "bad"), (3, "demo"))
SHORT = b"\x0a\x7f"
"""A field of 127 bytes, of which none is there."""


@pytest.mark.parametrize(
    ("item", "known"),
    [
        pytest.param(protobuf_encoder.message((1, NAMED)) + b"\x12\x02" + SHORT, True, id="a length beyond its end"),
        pytest.param(protobuf_encoder.message((1, NAMED)) + b"\x10\x01", True, id="a number in place of a message"),
        pytest.param(
            protobuf_encoder.message((1, NAMED)) + b"\x12\x0c\x58" + b"\xff" * 11, True, id="an endless number"
        ),
        pytest.param(protobuf_encoder.message((1, NAMED)) + b"\x13", True, id="a group, which nobody writes"),
        pytest.param(protobuf_encoder.message((1, NAMED)) + b"\x12\x02\x59\x00", True, id="a number that is cut off"),
        pytest.param(
            protobuf_encoder.message((1, NAMED + protobuf_encoder.message((8, protobuf_encoder.message((1, 2**62)))))),
            True,
            id="a time that no clock shows",
        ),
        pytest.param(SHORT, False, id="nothing but a length"),
        pytest.param(b"", False, id="nothing"),
        pytest.param(protobuf_encoder.message((1, protobuf_encoder.message((3, "demo")))), False, id="no name"),
    ],
)
def test_a_pod_that_cannot_be_read_costs_only_itself(item, known):
    page = decode(envelope(GOOD_POD, item, GOOD_POD), PODS, stored=POD)
    assert [found["metadata"]["name"] for found in page.items] == ["good", "good"]
    assert [bad[:2] for bad in page.unusable] == [("demo", "bad") if known else ("", "")]


def test_bytes_that_are_no_text_are_what_json_makes_of_them():
    item = protobuf_encoder.pod(pod("a", annotations={"x": "PLACE"})).replace(b"PLACE", b"a\xff\xedbc")
    (found,) = decode(envelope(item), PODS, stored=POD).items
    assert found["metadata"]["annotations"] == {"x": "a\ufffd\ufffdbc"}


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        (protobuf_encoder.message((4, 5)), "not how to ask"),
        (protobuf_encoder.message((3, "next"), (4, 5)), None),
    ],
)
def test_more_pods_without_a_token(metadata, why):
    if why is None:
        assert decode(envelope(GOOD_POD, metadata=metadata), PODS, stored=POD).token == "next"
        return
    with pytest.raises(WrongAnswer, match=why):
        decode(envelope(GOOD_POD, metadata=metadata), PODS, stored=POD)


HEAD = '{"kind":"PodList","apiVersion":"v1","metadata":%s,"items":['


@pytest.mark.parametrize(
    ("first", "token"),
    [
        pytest.param(HEAD % '{"continue":"next"}', "next", id="a token"),
        pytest.param(HEAD % '{"resourceVersion":"7","continue":"next"}' + '{"metadata":{"na', "next", id="cut off"),
        pytest.param(HEAD % '{"continue":"n%s"}' % ("x" * 4000), "n" + "x" * 4000, id="a long one"),
        pytest.param(HEAD % '{"continue":"n%s"}' % ("x" * 4096), "", id="one that does not end soon"),
        pytest.param(HEAD % '{"resourceVersion":"7"}', "", id="none"),
        pytest.param(HEAD % '{"continue":0}', "", id="a number"),
        pytest.param(HEAD % '{"continue":null}', "", id="null"),
        pytest.param(HEAD % '{"continue":[]}', "", id="an array"),
        pytest.param(HEAD % '{"continue":next}', "", id="no JSON"),
        pytest.param('{"items":[],"metadata":{"continue":"next"}}', "", id="items that come first"),
        pytest.param("<html>", "", id="something else"),
    ],
)
def test_the_token_ahead_is_a_text_or_nothing(first, token):
    assert lists.token_ahead(first.encode()) == token


def test_the_token_ahead_in_protobuf():
    assert lists.token_ahead(protobuf_encoder.pods([GOOD], "next")) == "next"
    assert lists.token_ahead(protobuf_encoder.pods([GOOD])) == ""


def test_decoding_changes_nothing_but_the_kind():
    item = copy.deepcopy(GOOD)
    (found,) = read(listed("EnvoyFilter", item, version=VERSION)).items
    assert without(without(found, "kind"), "apiVersion") == GOOD


def test_a_status_that_is_cut_off_is_none():
    whole = protobuf_encoder.status("pods is forbidden")
    end_of_status = whole.index(protobuf_encoder.message((3, ""), (4, "")), -4)
    for end in range(4, end_of_status):
        with pytest.raises(ValueError, match=r"cut off|no object"):
            protobuf.status(whole[:end])
    assert protobuf.status(whole)["message"] == "pods is forbidden"
