# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which control planes there are, and that nobody makes one in a namespace of his own."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.control_plane import (
    ControlPlanes,
    Istiod,
    version_of,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.mesh import Mesh
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.records import (
    MeshMap,
    Snapshot,
    Template,
    Webhook,
)
from ansible_collections.meshproof.mtls.plugins.module_utils._policy.unread import Unread
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._policy.build import (
    answer,
    deployment,
    judge,
    mesh_config,
    namespace,
    peer,
    pod,
    port,
    service,
    workload,
)


def gap(kind: str, place: str | None = None) -> dict[str, Any]:
    """A kind that was not read."""
    return {"kind": kind, "namespace": place, "reason": "forbidden"}


STRICT = peer("control/default", "STRICT")
DEMO = [namespace("demo", istio_injection="enabled"), pod("demo/a"), service("demo/a")]


def webhook(revision: str, home: str | None = "control", tag: str | None = None, **config: Any) -> dict[str, Any]:
    """What Istio's chart installs for a revision, or `istioctl tag set` for a tag of it."""
    service = {"service": {"name": "istiod", "namespace": home}} if home else {}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {
            "name": f"istio-{revision}-{tag}-{home}",
            "labels": {"istio.io/rev": revision, **({"istio.io/tag": tag} if tag else {})},
        },
        "webhooks": [{"name": "namespace.sidecar-injector.istio.io", "clientConfig": {**service, **config}}],
    }


def istiod(home: str, image: str = "registry/pilot:1.31.1", name: str = "istiod", **env: str) -> dict[str, Any]:
    """istiod's Deployment."""
    manifest = deployment(f"{home}/{name}")
    manifest["spec"]["template"]["spec"]["containers"] = [
        {"name": "discovery", "image": image, "env": [{"name": key, "value": value} for key, value in env.items()]}
    ]
    return manifest


def mode(*manifests: Any, unread: Any = ()) -> str | None:
    """The mode of demo/a."""
    return workload(judge(*DEMO, *manifests, unread=unread), "demo/a")["mode"]


OWN = [webhook("default"), mesh_config(home="control", rootNamespace="control"), istiod("control"), STRICT]
TENANT = [
    mesh_config(home="tenant", rootNamespace="tenant"),
    istiod("tenant", PILOT_SKIP_VALIDATE_TRUST_DOMAIN="true", PILOT_ENABLE_AMBIENT="true"),
    peer("tenant/default", "PERMISSIVE"),
]


def test_a_control_plane_is_where_its_webhook_says():
    assert mode(*OWN) == "STRICT"


@pytest.mark.parametrize("order", [1, -1], ids=["last", "first"])
def test_what_a_tenant_names_like_a_control_plane_changes_nothing(order):
    alone, beside = judge(*DEMO, *OWN), judge(*[*DEMO, *OWN, *TENANT][::order])
    assert workload(beside, "demo/a") == workload(alone, "demo/a")
    assert beside["mesh"] == alone["mesh"]


@pytest.mark.parametrize(
    ("title", "manifests", "expected"),
    [
        ("istio-system is believed without a webhook", [mesh_config(), peer("istio-system/p", "STRICT")], "STRICT"),
        ("and a tenant's beside it is not", [mesh_config(), peer("istio-system/p", "STRICT"), *TENANT], "STRICT"),
        ("no other namespace is", [mesh_config(home="control", rootNamespace="control"), STRICT], "unknown"),
        ("nor is it with istiod beside it", [mesh_config(home="tenant"), istiod("tenant")], "unknown"),
        ("two webhooks that disagree", [*OWN, webhook("default", "other")], "unknown"),
        (
            "a control plane outside the cluster",
            [webhook("default", None, url="https://x/inject"), *OWN[1:]],
            "unknown",
        ),
        ("a tag of two revisions", [*OWN, webhook("default", tag="prod"), webhook("x", tag="prod")], "unknown"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_which_configuration_counts(title, manifests, expected):
    assert mode(*manifests) == expected, title


@pytest.mark.parametrize(
    ("what", "more", "unread"),
    [
        ("webhooks", [], gap("MutatingWebhookConfiguration")),
        ("namespaces that discovery chooses by", [], gap("Namespace")),
    ],
    ids=["webhooks", "namespaces"],
)
def test_what_was_not_read_makes_unknown(what, more, unread):
    config = mesh_config(home="control", rootNamespace="control", discoverySelectors=[{"matchLabels": {"a": "b"}}])
    assert mode(OWN[0], config, *OWN[2:], *more, unread=[unread]) == "unknown", what


def test_an_answer_that_needs_istiods_environment_is_unknown_without_it():
    """Whether a sidecar sends HBONE to an ambient pod is a switch of istiod's."""
    parts = [*OWN, pod("demo/b", "ambient"), service("demo/b")]
    with_ambient = [*parts[:2], istiod("control", PILOT_ENABLE_AMBIENT="true"), *parts[3:]]
    assert answer(judge(*DEMO, *with_ambient), "demo/a", "demo/b") == "hbone -> mtls"
    assert answer(judge(*DEMO, *parts), "demo/a", "demo/b") == "plaintext -> unknown"
    without = [item for item in parts if item["kind"] != "Deployment"]
    unread = [gap("Deployment", "control")]
    assert answer(judge(*DEMO, *without, unread=unread), "demo/a", "demo/b") == "unknown -> unknown"


def test_the_switches_of_one_revisions_istiod_are_not_anothers():
    default = istiod("control", PILOT_ENABLE_AMBIENT="true")
    canary = [webhook("canary"), mesh_config("canary", "control"), istiod("control", name="istiod-canary")]
    server = [namespace("shop", istio_injection="enabled"), pod("shop/b", "ambient"), service("shop/b")]
    parts = [*OWN[:2], default, *canary, *server, pod("demo/a"), pod("demo/c", revision="canary")]
    result = judge(*parts)
    assert answer(result, "demo/a", "shop/b") == "hbone -> mtls"
    assert answer(result, "demo/c", "shop/b") == "plaintext -> plaintext"


def test_revisions_show_where_their_control_plane_is():
    [shown] = judge(*DEMO, *OWN, webhook("default", tag="prod"))["mesh"]["revisions"]
    assert (shown["namespace"], shown["version"], shown["tags"]) == ("control", "1.31.1", ["prod"])


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("registry:5000/istio/pilot:1.31.1", "1.31.1"),
        ("registry:5000/istio/pilot", None),
        ("pilot:1.31.1-distroless@sha256:00", "1.31.1-distroless"),
        ("pilot@sha256:00", None),
        ("", None),
    ],
)
def test_an_images_version(image, version):
    assert version_of(image) == version


def test_a_gateway_that_was_not_read_may_serve_the_same_port_in_plaintext():
    own = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "g", "namespace": "demo"},
        "spec": {
            "selector": {"app": "gw"},
            "servers": [{"port": {"number": 8443, "protocol": "HTTPS", "name": "x"}, "tls": {"mode": "ISTIO_MUTUAL"}}],
        },
    }
    parts = [mesh_config(), pod("demo/gw", "gateway"), own]
    assert port(judge(*parts), "demo/gw", 8443)["plaintext"] == "refused"
    assert port(judge(*parts, unread=[gap("Gateway", "tenant")]), "demo/gw", 8443)["plaintext"] == "unknown"


def test_a_revision_that_no_webhook_names_is_nobodys():
    """What a pod says of its revision is its own; a policy for that revision would be, too."""
    own = peer("demo/default", "STRICT")
    own["metadata"]["labels"] = {"istio.io/rev": "ghost"}
    mesh = [webhook("default"), mesh_config(home="control"), peer("control/default", "PERMISSIVE"), own]
    said = pod("demo/a", annotations={"sidecar.istio.io/status": '{"revision": "ghost"}'})
    assert workload(judge(namespace("demo"), said, *mesh), "demo/a")["mode"] == "unknown"
    assert workload(judge(namespace("demo"), pod("demo/a"), *mesh), "demo/a")["mode"] == "PERMISSIVE"


# Parts of it by themselves.


def planes(maps=(), webhooks=(), templates=(), unread=()):
    """Of mesh ConfigMaps as (namespace, revision), or with their mesh."""
    snapshot = Snapshot()
    names = {"default": "istio"}
    snapshot.mesh_maps = [
        MeshMap(place, names.get(revision, f"istio-{revision}"), config[0] if config else {})
        for place, revision, *config in maps
    ]
    snapshot.webhooks = list(webhooks)
    snapshot.templates = list(templates)
    return ControlPlanes(snapshot, Unread(unread, ()))


def given(*parts, **more):
    """Made anew in each test."""
    return partial(planes, *parts, **more)


def hook(revision, *homes, tag=None, remote=False):
    return Webhook(f"{revision}-{tag}", revision, tag, frozenset(homes), remote)


def template(place, image="pilot:1.31.1", **env):
    home, name = place.split("/")
    return Template(home, name, {}, {}, None, env, image)


@pytest.mark.parametrize(
    ("found", "revision", "name", "namespace", "doubt"),
    [
        pytest.param(given(), None, "default", "istio-system", "", id="nothing is there"),
        pytest.param(given(), "canary", "canary", "istio-system", "", id="a revision, and nothing is there"),
        pytest.param(given([("istio-system", "default")]), None, "default", "istio-system", "", id="the default"),
        pytest.param(
            given([("istio-system", "canary")]), None, "canary", "istio-system", "", id="the only one is the default"
        ),
        pytest.param(
            given([("istio-system", "canary")]), "other", "other", "istio-system", "", id="another is not the only one"
        ),
        pytest.param(
            given([("istio-system", "a"), ("istio-system", "b")]),
            None,
            "default",
            "istio-system",
            "",
            id="none of two is the default",
        ),
        pytest.param(
            given([("istio-system", "canary"), ("istio-system", "default")], [hook("canary", tag="prod")]),
            "prod",
            "canary",
            "istio-system",
            "",
            id="a tag",
        ),
        pytest.param(
            given([("one", "default")], [hook("default", "one"), hook("canary", "two")]),
            "canary",
            "canary",
            "two",
            "",
            id="a webhook alone",
        ),
        pytest.param(
            given([("one", "default")], [hook("default", "one")]),
            "canary",
            "canary",
            None,
            "no webhook names a control plane of the revision canary",
            id="nobody speaks of it",
        ),
        pytest.param(
            given([("one", "default")], [hook("default", "one")], unread=[gap("MutatingWebhookConfiguration")]),
            "canary",
            "canary",
            "one",
            "the webhooks that tell which control planes there are could not be read",
            id="nobody that was read speaks of it",
        ),
        pytest.param(
            given([("one", "canary")], [hook("default", "one")]),
            "canary",
            "canary",
            None,
            "no webhook names a control plane of the revision canary",
            id="a ConfigMap beside another revision's control plane makes none",
        ),
        pytest.param(
            given([("one", "default")], [hook("default", "one"), hook("other", "two"), hook("canary")]),
            "canary",
            "canary",
            None,
            "no ConfigMap configures it, and there are control planes in several namespaces",
            id="several places",
        ),
        pytest.param(
            given([("one", "default")], [hook("canary", "one")], unread=[gap("ConfigMap", "two")]),
            "canary",
            "canary",
            None,
            "the mesh ConfigMap could not be read",
            id="ConfigMaps were not read",
        ),
        pytest.param(
            given([("one", "default")], [hook("a", "one", tag="prod"), hook("b", "one", tag="prod")]),
            "prod",
            "prod",
            None,
            "webhooks give the tag prod to several revisions",
            id="a tag of two",
        ),
        pytest.param(
            given([("one", "default"), ("two", "default")], [hook("default", "one", "two")]),
            "default",
            "default",
            None,
            "control planes in several namespaces have one: one, two",
            id="two ConfigMaps that are believed",
        ),
        pytest.param(
            given([("two", "default"), ("one", "default")]),
            None,
            "default",
            None,
            "no webhook tells whether the control plane is the one in one, two",
            id="two that nobody speaks of",
        ),
        pytest.param(
            given([("one", "canary"), ("istio-system", "default")]),
            "canary",
            "canary",
            None,
            "no webhook tells whether the control plane is the one in one",
            id="a revision in a place of its own",
        ),
        pytest.param(
            given([("two", "default")], [hook("canary", "one")]),
            "default",
            "default",
            None,
            "no webhook names a control plane of the revision default",
            id="a default that no webhook speaks of",
        ),
    ],
)
def test_the_control_plane_of_a_revision(found, revision, name, namespace, doubt):
    found = found()
    mesh = found.of(revision)
    assert (mesh.name, mesh.namespace, mesh.doubt) == (name, namespace, doubt)
    assert found.of(revision) is mesh


SELECTORS = {"discoverySelectors": [{"matchLabels": {"a": "b"}}]}
ONE = [hook("default", "one")]
TWICE = [hook("a", "one", tag="prod"), hook("default", "one", tag="prod"), hook("default", "one", tag="edge")]


@pytest.mark.parametrize(
    ("found", "doubt"),
    [
        pytest.param(given([("one", "default")], ONE), "", id="none"),
        pytest.param(
            given([("one", "default")], ONE, unread=[gap("MutatingWebhookConfiguration")]),
            "the webhooks that tell which control planes there are could not be read",
            id="webhooks",
        ),
        pytest.param(
            given([("one", "default")], TWICE), "webhooks give the tag prod to several revisions", id="a tag of two"
        ),
        pytest.param(
            given([("one", "default")], [*ONE, hook("a", tag="prod"), hook("b", tag="prod")]),
            "",
            id="a tag of two others",
        ),
        pytest.param(
            given([("one", "default")], [*ONE, hook("default", "two")]),
            "its webhooks name control planes in several namespaces",
            id="two places",
        ),
        pytest.param(
            given([("one", "default")], [*ONE, hook("default", remote=True)]),
            "its webhook names a control plane outside this cluster",
            id="outside",
        ),
        pytest.param(
            given([("one", "default")], [*ONE, hook("canary", remote=True)]), "", id="another revision's is outside"
        ),
        pytest.param(given([], [], unread=[gap("ConfigMap")]), "the mesh ConfigMap could not be read", id="its map"),
        pytest.param(given([], [], unread=[gap("ConfigMap", "elsewhere")]), "", id="another map"),
        pytest.param(
            given([("one", "default")], ONE, unread=[gap("ConfigMap", "one")]), "", id="a map beside the one there is"
        ),
        pytest.param(
            given([("one", "default", SELECTORS)], ONE, unread=[gap("Namespace")]),
            "its discoverySelectors go by labels of namespaces, which could not be read",
            id="namespaces that it selects by",
        ),
        pytest.param(
            given([("one", "default")], ONE, unread=[gap("Namespace")]), "", id="namespaces, and it selects none"
        ),
        pytest.param(given([("one", "default", SELECTORS)], ONE), "", id="it selects by what was read"),
    ],
)
def test_what_makes_a_control_plane_doubtful(found, doubt):
    assert found().by_name["default"].doubt == doubt


TAGGED = given(
    [("one", "default"), ("one", "canary")],
    [
        hook("default", "one"),
        hook("default", "one", tag="prod"),
        hook("default", "one", tag="live"),
        hook("canary", "one", tag="next"),
        hook("canary", "one", tag="next"),
        hook("canary", "one", tag="both"),
        hook("default", "one", tag="both"),
        hook("silent", "one"),
    ],
)


def test_tags_are_those_of_one_revision():
    found = TAGGED()
    assert found.tags == {"prod": "default", "live": "default", "next": "canary"}
    assert found.contested == {"both": {"default", "canary"}}
    assert found.revisions == {"default", "canary", "silent"}
    assert {name: mesh.tags for name, mesh in found.by_name.items()} == {
        "default": ("live", "prod"),
        "canary": ("next",),
    }


@pytest.mark.parametrize(
    ("label", "revision"),
    [
        ("prod", "default"),
        ("next", "canary"),
        ("both", None),
        ("canary", "canary"),
        ("silent", "silent"),
        ("default", "default"),
        ("typo", None),
    ],
)
def test_what_a_label_means(label, revision):
    assert TAGGED().resolve(label) == revision


def test_the_default_is_known_without_any_word_of_it():
    assert planes([("istio-system", "canary")]).resolve("default") == "default"
    assert planes([("istio-system", "canary")]).resolve("canary") == "canary"


@pytest.mark.parametrize(
    ("label", "seen"),
    [(None, True), ("default", True), ("prod", True), ("next", False), ("canary", False), ("both", False)],
)
def test_which_objects_a_revision_sees(label, seen):
    found = TAGGED()
    assert found.sees(found.by_name["default"], label) is seen
    assert found.sees(found.by_name["canary"], label) is (label in (None, "next", "canary"))


@pytest.mark.parametrize(
    ("templates", "revision", "version"),
    [
        pytest.param([template("one/istiod")], "default", "1.31.1", id="its own"),
        pytest.param([template("two/istiod")], "default", None, id="another namespace's"),
        pytest.param([template("one/istiod-canary", "p:2")], "canary", "2", id="a revision's"),
        pytest.param([template("one/istiod-canary", "p:2")], "default", None, id="another revision's"),
        pytest.param([template("one/istiod"), template("one/istiod", "p:2")], "default", None, id="two that differ"),
        pytest.param([template("one/istiod"), template("one/istiod")], "default", "1.31.1", id="two that agree"),
        pytest.param([template("one/istiod", "p")], "default", None, id="an image without one"),
    ],
)
def test_the_version_of_a_control_plane(templates, revision, version):
    found = planes([("one", "default"), ("one", "canary")], [*ONE, hook("canary", "one")], templates)
    assert found.by_name[revision].version == version


@pytest.mark.parametrize(
    ("place", "unread", "known"),
    [
        ("one", [], True),
        ("one", [gap("Deployment", "one")], False),
        ("one", [gap("Deployment", "two")], True),
        ("one", [gap("Pod")], True),
        (None, [], False),
    ],
)
def test_whether_the_processes_of_a_control_plane_are_known(place, unread, known):
    found = planes([("one", "default")], ONE, [template("one/istiod", A="1"), template("two/istiod", B="1")], unread)
    istiods = found.istiod(Mesh("default", namespace=place))
    assert istiods.known is known
    assert istiods.environments == (({"A": "1"},) if place else ())


@pytest.mark.parametrize(
    ("value", "off", "on"),
    [
        *((word, True, True) for word in ("1", "t", "T", "TRUE", "true", "True")),
        *((word, False, False) for word in ("0", "f", "F", "FALSE", "false", "False")),
        ("yes", False, True),
        (None, False, True),
        ("", None, None),
    ],
)
def test_what_a_variable_says(value, off, on):
    """By its default, off or on."""
    found = Istiod(({} if value is None else {"X": value},), known=True)
    assert (found.switched("X"), found.switched("X", default=True)) == (off, on)


OFF, ON, ELSEWHERE = {"X": "false"}, {"X": "true"}, {"X": ""}


@pytest.mark.parametrize(
    ("environments", "known", "switched"),
    [
        ((), True, False),
        ((), False, None),
        ((OFF,), True, False),
        ((OFF,), False, None),
        ((OFF, ON), True, True),
        ((ON, ELSEWHERE), False, True),
        ((OFF, ELSEWHERE), True, None),
        ((OFF, OFF), True, False),
    ],
)
def test_a_switch_of_several_processes(environments, known, switched):
    assert Istiod(environments, known).switched("X") is switched


AMBIENT, SENDING = "PILOT_ENABLE_AMBIENT", "PILOT_ENABLE_SENDING_HBONE"


@pytest.mark.parametrize(
    ("environments", "known", "sends"),
    [
        pytest.param((), True, None, id="it is not in the input"),
        pytest.param(({},), True, False, id="without ambient"),
        pytest.param(({AMBIENT: "true"},), True, True, id="with ambient"),
        pytest.param(({AMBIENT: "true", SENDING: "false"},), True, False, id="it is told not to"),
        pytest.param(({SENDING: "true"},), True, False, id="without ambient, told to"),
        pytest.param(({AMBIENT: ""},), True, None, id="ambient is said elsewhere"),
        pytest.param(({AMBIENT: "true", SENDING: ""},), True, None, id="sending is said elsewhere"),
        pytest.param(({AMBIENT: "true"},), False, True, id="known of one, others were not read"),
        pytest.param(({},), False, None, id="not known, others were not read"),
    ],
)
def test_whether_sidecars_send_hbone(environments, known, sends):
    assert Istiod(environments, known).sends_hbone is sends


# What istiod composes its mesh configuration of.

OFF, ON = {"enableAutoMtls": False}, {"enableAutoMtls": True}
SHARING = template("one/istiod", SHARED_MESH_CONFIG="common")
COMMON = ("one", "common")


def shared(*sources, templates=(SHARING,), unread=()):
    """Of ConfigMaps as (namespace, name, mesh) with the default control plane in namespace one."""
    snapshot = Snapshot()
    snapshot.mesh_maps = [MeshMap(*source) for source in sources]
    snapshot.webhooks, snapshot.templates = list(ONE), list(templates)
    return ControlPlanes(snapshot, Unread(unread, ())).of("default")


def arguments(*given_arguments):
    """istiod with arguments."""
    return (template("one/istiod")._replace(arguments=("discovery", *given_arguments)),)


COMPOSED = [
    pytest.param(shared((*COMMON, OFF), ("one", "istio", {})), False, id="the shared one counts"),
    pytest.param(shared((*COMMON, OFF), ("one", "istio", ON)), True, id="its own goes before it"),
    pytest.param(shared((*COMMON, ON), ("one", "istio", OFF)), False, id="which may say less"),
    pytest.param(shared((*COMMON, OFF)), False, id="the shared one alone"),
    pytest.param(shared(("two", "common", OFF), ("one", "istio", {})), True, id="of istiod's own namespace"),
    pytest.param(shared(("one", "istio", {})), True, id="there is no such ConfigMap"),
    pytest.param(
        shared((*COMMON, OFF), ("one", "istio", {}), templates=[template("one/istiod")]), True, id="nobody shares it"
    ),
    pytest.param(
        shared(
            (*COMMON, OFF),
            ("one", "istio", {}),
            templates=[template("one/istiod"), template("two/istiod", SHARED_MESH_CONFIG="common")],
        ),
        True,
        id="somebody else's istiod shares it",
    ),
    pytest.param(
        shared(
            (*COMMON, OFF),
            ("one", "istio", {}),
            templates=[template("one/istiod"), template("one/istiod-canary", SHARED_MESH_CONFIG="common")],
        ),
        True,
        id="another revision's does",
    ),
]


@pytest.mark.parametrize(("mesh", "auto_mtls"), COMPOSED)
def test_a_shared_configuration_is_below_a_revisions_own(mesh, auto_mtls):
    assert (mesh.doubt, mesh.auto_mtls) == ("", auto_mtls)


HAS = ("one", "istio", {})
DOUBTED = [
    pytest.param(
        shared(HAS, unread=[gap("Deployment", "one")]),
        "istiod's Deployment, which says where its mesh configuration lies, could not be read",
        id="istiod was not read",
    ),
    pytest.param(shared(HAS, templates=(), unread=[gap("Deployment", "two")]), "", id="another namespace's were not"),
    pytest.param(
        shared((*COMMON, OFF), HAS, templates=()),
        "istiod's Deployment is not there to tell whether it shares the ConfigMap common",
        id="nobody tells whether it is shared",
    ),
    pytest.param(shared((*COMMON, OFF), HAS, templates=[template("one/istiod")]), "", id="istiod says that it is not"),
    pytest.param(
        shared((*COMMON, OFF), HAS, templates=[template("one/other"), template("two/istiod")]),
        "istiod's Deployment is not there to tell whether it shares the ConfigMap common",
        id="no other Deployment tells it",
    ),
    pytest.param(shared(("two", "common", OFF), HAS, templates=()), "", id="that of another namespace cannot be"),
    pytest.param(
        shared(HAS, unread=[gap("ConfigMap", "one")]),
        "the ConfigMap common, which istiod's SHARED_MESH_CONFIG names, could not be read",
        id="what it shares was not read",
    ),
    pytest.param(shared((*COMMON, OFF), HAS, unread=[gap("ConfigMap", "one")]), "", id="another one was not"),
    pytest.param(
        shared((*COMMON, OFF), HAS, templates=[template("one/istiod", SHARED_MESH_CONFIG="")]),
        "the value of istiod's SHARED_MESH_CONFIG is not in its Deployment",
        id="its name lies elsewhere",
    ),
    pytest.param(
        shared(HAS, templates=[SHARING, template("one/istiod", SHARED_MESH_CONFIG="other")]),
        "istiod's SHARED_MESH_CONFIG names several ConfigMaps: common, other",
        id="two names",
    ),
    pytest.param(shared((*COMMON, "- a"), HAS), "common: it is not a mapping", id="what it shares is no configuration"),
    pytest.param(shared((*COMMON, OFF), ("one", "istio", "{")), "istio: it is no YAML that can be read", id="its own"),
    pytest.param(
        shared((*COMMON, {"trustDomain": ["x"], "defaultConfig": "x"}), HAS),
        "a field has an unexpected type",
        id="a field of what it shares",
    ),
    pytest.param(
        shared(HAS, templates=arguments("--meshConfig=/etc/mesh")),
        "istiod's argument --meshConfig=/etc/mesh lets it read its mesh configuration elsewhere",
        id="a file",
    ),
    pytest.param(
        shared(HAS, templates=arguments("--namespace", "two")),
        "istiod's argument --namespace lets it read its mesh configuration elsewhere",
        id="another namespace",
    ),
    pytest.param(shared(HAS, templates=arguments("--monitoringAddr=:15014")), "", id="what has nothing to do with it"),
]


@pytest.mark.parametrize(("mesh", "doubt"), DOUBTED)
def test_what_istiod_goes_by_is_unknown(mesh, doubt):
    assert mesh.doubt == doubt


def test_what_is_shared_is_no_revision():
    """Neither in the namespace of a control plane, nor where no webhook tells of one."""
    config = [mesh_config(**ON), mesh_config("common", enableAutoMtls=False)]
    deployed = istiod("istio-system", SHARED_MESH_CONFIG="istio-common")
    for webhooks in ([], [webhook("default", "istio-system")]):
        revisions = judge(config, deployed, webhooks)["mesh"]["revisions"]
        assert [(row["name"], row["auto_mtls"]) for row in revisions] == [("default", True)]


def test_istiods_container_has_any_name_where_it_is_alone():
    deployed = istiod("istio-system", SHARED_MESH_CONFIG="common")
    common = mesh_config(enableAutoMtls=False)
    common["metadata"]["name"] = "common"
    containers = deployed["spec"]["template"]["spec"]["containers"]
    containers[0]["name"] = "pilot"
    assert [row["auto_mtls"] for row in judge(common, deployed)["mesh"]["revisions"]] == [False]
    containers.append({"name": "beside"})
    assert [row["auto_mtls"] for row in judge(common, deployed)["mesh"]["revisions"]] == [True]


@pytest.mark.parametrize(
    ("name", "revision", "home"),
    [
        ("istio-sidecar-injector-control", "default", "control"),
        ("istio-sidecar-injector-default-control", "default", "control"),
        ("istio-sidecar-injector-1-31-control", "1-31", "control"),
        ("istio-sidecar-injector-1-31", "1-31", "istio-system"),
        ("istio-sidecar-injector", "default", "istio-system"),
        ("my-injector-control", "default", "istio-system"),
    ],
)
def test_a_webhook_without_a_service_tells_its_control_planes_namespace_by_its_name(name, revision, home):
    hooked = webhook(revision, None)
    hooked["metadata"]["name"] = name
    found = judge(hooked, mesh_config(revision, home=home, trustDomain="x"))["mesh"]["revisions"]
    assert [(row["name"], row["namespace"], row["trust_domain"]) for row in found] == [(revision, home, "x")]
