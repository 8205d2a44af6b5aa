# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked for, as inventories, surveys and command lines write it."""

from __future__ import annotations

import pytest
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._intent.services.situation import (
    HTTP,
    asked,
)


@pytest.mark.parametrize(
    ("option", "value", "field", "meant"),
    [
        pytest.param("args", "netexec", "args", ["netexec"], id="a word for a list is one argument, not letters"),
        pytest.param("args", "netexec,--port=1", "args", ["netexec", "--port=1"], id="separated by commas"),
        pytest.param("args", '["a b", 8080]', "args", ["a b", "8080"], id="JSON in a text"),
        pytest.param("image_pull_secrets", "registry", "image_pull_secrets", ["registry"], id="one Secret"),
        pytest.param(
            "resources", '{"limits": {"cpu": 1}}', "resources", {"limits": {"cpu": 1}}, id="a mapping as JSON"
        ),
        pytest.param("replicas", "3", "replicas", 3, id="a number as text"),
        pytest.param("replicas", None, "replicas", None, id="replicas left to somebody else"),
        pytest.param("inject", False, "inject", "false", id="false as YAML reads it"),
        pytest.param("inject", "True", "inject", "true", id="true as Jinja writes it"),
        pytest.param("disruption_budget", "no", "disruption_budget", False, id="a switch in Ansible's words"),
    ],
)
def test_an_option_is_read_as_what_it_is(option, value, field, meant):
    found = asked({"name": "cart"}, **{option: value})
    assert (found.problems, getattr(found.services[0], field)) == ([], meant)


@pytest.mark.parametrize(
    ("listed", "names"),
    [
        pytest.param("cart", ["cart"], id="a word"),
        pytest.param("cart,orders", ["cart", "orders"], id="words"),
        pytest.param('[{"name": "cart"}, "orders"]', ["cart", "orders"], id="JSON"),
        pytest.param({"name": "cart"}, ["cart"], id="a single mapping"),
    ],
)
def test_a_list_is_never_taken_letter_by_letter(listed, names):
    found = asked(list=listed)
    assert (found.problems, [service.name for service in found.services]) == ([], names)


def test_an_entry_goes_before_the_general_word_and_null_after_it():
    found = asked({"name": "a", "image": "own:1", "args": None}, {"name": "b", "namespace": "shop"}, args=["x"])
    first, second = found.services
    assert (first.image, first.args, first.namespace) == ("own:1", ["x"], "demo")
    assert (second.image, second.namespace) == ("docker.io/traefik/whoami:v1.11.0", "shop")


def test_what_comes_to_an_end_is_dialled_only_where_its_entry_says_so():
    found = asked(
        {"name": "a", "kind": "Job"},
        {"name": "b", "kind": "Job", "ports": [HTTP]},
        {"name": "c", "kind": "CronJob", "schedule": "@daily"},
    )
    assert found.problems == []
    assert [len(service.ports) for service in found.services] == [0, 1, 0]


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        pytest.param({"imgae": "a:1"}, "has no option 'imgae'", id="an unknown option"),
        pytest.param({"kind": "DaemonSet"}, "kind is 'DaemonSet', and has to be one of Deployment", id="a kind"),
        pytest.param({"kind": "CronJob"}, "schedule '' is none", id="a CronJob without schedule"),
        pytest.param({"schedule": "* * * * *"}, "only a CronJob has a schedule", id="a schedule of a Deployment"),
        pytest.param({"kind": "Job", "replicas": 2}, "a Job has no replicas", id="replicas of a Job"),
        pytest.param({"replicas": -1}, "replicas is '-1'", id="less than no pod"),
        pytest.param({"image": "a b"}, "image 'a b' is none", id="an image with a blank"),
        pytest.param({"namespace": "Shop"}, "namespace 'Shop' is no name", id="a namespace"),
        pytest.param(
            {"args": {"a": {}}}, "args is '{'a': {}}', and has to be a list of text", id="a mapping for a list"
        ),
        pytest.param({"env": ["A=1"]}, "env is '['A=1']', and has to be a list of mappings", id="variables as text"),
        pytest.param({"env": [{"value": "1"}]}, "env has a variable without name", id="a variable without name"),
        pytest.param({"ports": [80]}, "ports is '[80]', and has to be a list of mappings", id="a port as a number"),
        pytest.param({"ports": [{"name": "http"}]}, "ports[0]: port 'None' is no port", id="a port without number"),
        pytest.param({"ports": [{**HTTP, "target_port": "x"}]}, "target_port 'x' is no port", id="a container's port"),
        pytest.param({"ports": [{"port": 80}]}, "ports[0]: name '' is none", id="a port without name"),
        pytest.param(
            {"ports": [HTTP, {**HTTP, "port": 81}]}, "ports[1]: the name http is there twice", id="a name twice"
        ),
        pytest.param({"ports": [HTTP, {**HTTP, "name": "b"}]}, "ports[1]: port 80 is there twice", id="a port twice"),
        pytest.param(
            {"ports": [{**HTTP, "proto": 1}]}, "ports[0]: has no option 'proto'", id="an unknown option of a port"
        ),
        pytest.param({"tls_mode": "STRICT"}, "tls_mode is 'STRICT'", id="a mode of somebody else"),
        pytest.param({"definition": {"Pod": {}}}, "definition has no part 'Pod'", id="a part of a definition"),
        pytest.param(
            {"definition": {"Job": {}}}, "definition.Job fits no Deployment", id="a definition of another kind"
        ),
        pytest.param({"definition": {"Service": 1}}, "definition.Service is no mapping", id="a definition as a number"),
        pytest.param(
            {"definition": {"Service": {"metadata": {"name": "x"}}}}, "definition.Service sets name", id="another name"
        ),
        pytest.param(
            {"definition": {"Service": {"spec": []}}}, "Service.spec is no mapping", id="a spec that is a list"
        ),
        pytest.param({"env": [{"name": "A", "value": {1}}]}, "holds what YAML cannot write", id="a set"),
    ],
)
def test_a_wrong_entry_is_named(entry, says):
    found = asked({"name": "first"}, {"name": "cart", **entry})
    [problem] = found.problems
    assert problem.startswith("istio_services_list[1] (cart)")
    assert says in problem
    assert ". Remedy: " in problem
    assert [service.name for service in found.services] == ["first"]


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        pytest.param({}, "istio_services_list[0]: name '' is no name", id="no name"),
        pytest.param({"name": "Cart"}, "istio_services_list[0] (Cart): name 'Cart' is no name", id="upper case"),
        pytest.param({"name": "1st"}, "a Service's name begins with a letter", id="a digit first"),
        pytest.param(
            {"name": "c" * 53, "kind": "CronJob", "schedule": "@daily"}, "up to 52", id="too long for a CronJob"
        ),
        pytest.param({"name": "a\nb"}, "istio_services_list[0] (a b): name 'a b'", id="a line feed forges no line"),
    ],
)
def test_a_name_that_is_none(entry, says):
    [problem] = asked(entry).problems
    assert says in problem
    assert problem.isprintable()


def test_a_name_may_begin_with_a_digit_where_nobody_dials_it():
    assert asked({"name": "1st", "ports": []}).problems == []


def test_a_service_is_named_once_in_a_namespace():
    found = asked({"name": "a"}, {"name": "a", "namespace": "shop"}, {"name": "a"})
    assert found.problems == [
        "istio_services_list[2] (a): names demo/a again, as istio_services_list[0] (a) does. Remedy: one entry for each"
    ]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"list": 3}, "istio_services_list is '3'"),
        ({"args": 3}, "istio_services_args is '3'"),
        ({"ports": "http"}, "istio_services_ports is 'http'"),
        ({"resources": [1]}, "istio_services_resources is '[1]'"),
        ({"inject": "maybe"}, "istio_services_inject is 'maybe'"),
        ({"wait_timeout": "soon"}, "istio_services_wait_timeout is 'soon'"),
        ({"replicas": "many"}, "istio_services_replicas is 'many'"),
    ],
    ids=str,
)
def test_a_wrong_option_is_said_once_and_not_for_each_entry(options, says):
    [problem] = asked(*options.pop("services", [{"name": "a"}, {"name": "b"}]), **options).problems
    assert problem.startswith(says)
