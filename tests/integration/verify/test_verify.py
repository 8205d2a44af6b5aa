"""The role istio_verify against a mesh: exceptions that end, rights that are missing, and where the verdict is put."""

from __future__ import annotations

import json
import re
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from tests.cluster_objects import remove_namespaces, wait_until_ready
from tests.cluster_runs import ROOT, must, python_image, run

OPEN, STRICT, OUTPUT = NAMESPACES = ("verify-open", "verify-strict", "verify-output")
ACCOUNT = "auditor"
ROLES = ("reader", "inspector", "prober", "publisher")
"""As they are shipped, under names of our own."""
RBAC = "rbac.authorization.k8s.io"
SECRET = "Bearer not-to-be-shown"


def day(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%d")


def exception(until: str) -> dict[str, Any]:
    return {"namespace": OPEN, "workload": "server", "reason": "being moved", "until": until}


def given(**variables: Any) -> list[str]:
    return ["-e", json.dumps({f"istio_verify_{name}": value for name, value in variables.items()})]


def accepted(*arguments: str) -> str:
    """What a run prints that has to pass, with no connection but what its arguments say."""
    result = run("verify", *arguments, KUBECONFIG=None, K8S_AUTH_KUBECONFIG=None)
    assert result.returncode == 0, result.stdout
    return result.stdout


def refused(*arguments: str, **changes: str | None) -> str:
    """What a run prints that has to fail, with its lines joined as a reader sees them."""
    result = run("verify", *arguments, **changes)
    assert result.returncode == 2, result.stdout
    assert "Traceback" not in result.stdout
    return re.sub(r"\s+", " ", result.stdout)


@pytest.fixture(scope="module")
def mesh(api: client.ApiClient, istio: None) -> Iterator[client.CoreV1Api]:
    """An open server, a strict one, and a namespace for what is published; afterwards a cluster as it was."""
    core, rights = client.CoreV1Api(api), client.RbacAuthorizationV1Api(api)
    try:
        for name in NAMESPACES:
            labels = {} if name == OUTPUT else {"istio-injection": "enabled"}
            core.create_namespace({"metadata": {"name": name, "labels": labels}})
        for name in (OPEN, STRICT):
            server(api, name)
        policy = {
            "apiVersion": "security.istio.io/v1",
            "kind": "PeerAuthentication",
            "metadata": {"name": "default"},
            "spec": {"mtls": {"mode": "STRICT"}},
        }
        client.CustomObjectsApi(api).create_namespaced_custom_object(
            "security.istio.io", "v1", STRICT, "peerauthentications", policy
        )
        core.create_namespaced_service_account(OUTPUT, {"metadata": {"name": ACCOUNT}})
        for role in ROLES:
            manifest = yaml.safe_load((ROOT / "docs" / "rights" / f"{role}.yml").read_text())
            rights.create_cluster_role({**manifest, "metadata": {"name": f"verify-test-{role}"}})
        rights.create_cluster_role_binding(
            {"metadata": {"name": "verify-test-reader"}, "roleRef": role_ref("reader"), "subjects": SUBJECTS}
        )
        wait_until_ready(api, (OPEN, STRICT), least=2)
        yield core
    finally:
        for role in ROLES:
            remove(rights.delete_cluster_role_binding, f"verify-test-{role}")
            remove(rights.delete_cluster_role, f"verify-test-{role}")
        remove_namespaces(api, NAMESPACES)


SUBJECTS = [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": OUTPUT}]


def role_ref(role: str) -> dict[str, str]:
    return {"apiGroup": RBAC, "kind": "ClusterRole", "name": f"verify-test-{role}"}


def remove(delete: Any, name: str) -> None:
    try:
        delete(name)
    except client.ApiException as error:
        if error.status != 404:
            raise


def server(api: client.ApiClient, namespace: str) -> None:
    labels = {"app": "server"}
    container = {
        "name": "server",
        "image": python_image(),
        "command": ["python3", "-m", "http.server", "8080"],
        "ports": [{"containerPort": 8080}],
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    template = {"metadata": {"labels": labels}, "spec": spec}
    client.AppsV1Api(api).create_namespaced_deployment(
        namespace,
        {"metadata": {"name": "server"}, "spec": {"selector": {"matchLabels": labels}, "template": template}},
    )
    port = {"name": "http", "port": 80, "targetPort": 8080}
    client.CoreV1Api(api).create_namespaced_service(
        namespace, {"metadata": {"name": "server"}, "spec": {"selector": labels, "ports": [port]}}
    )


# Exceptions.


def test_an_exception_counts_until_its_last_day(mesh: client.CoreV1Api) -> None:
    output = must("verify", *given(namespaces=[OPEN], exclude=[exception(day(0))]))
    assert re.search(rf"{OPEN}/server +every port +rows \d+, until {day(0)} +being moved", output)


def test_an_exception_that_has_ended_fails(mesh: client.CoreV1Api) -> None:
    output = refused(*given(namespaces=[OPEN], exclude=[exception(day(-1))]))
    assert f"{OPEN}/server every port expired on {day(-1)} being moved" in output
    assert f"{OPEN}/server port 8080: plaintext" in output


def test_a_wrong_day_is_refused_before_anything_is_read(mesh: client.CoreV1Api) -> None:
    output = refused(*given(namespaces=[OPEN], exclude=[exception("2026-02-30")]))
    assert f"for {OPEN}/server (being moved) has until: 2026-02-30, which is no day" in output
    assert "Ask the sources" not in output


def test_a_server_that_is_as_open_as_declared_contradicts_nobody(mesh: client.CoreV1Api) -> None:
    sources = ["declared", "programmed", "observed"]
    output = refused(*given(namespaces=[OPEN], sources=sources, require="observed"))
    assert re.search(r"VERDICT FAIL \(\d+ plaintext\)", output)
    assert f"FAIL {OPEN}/server 8080 permissive permissive permissive proven" in output.replace("ok ", "FAIL ")


# Rights.


@pytest.fixture
def auditor(mesh: client.CoreV1Api, api: client.ApiClient) -> list[str]:
    """The connection of an account that is a reader and nothing else."""
    answer = mesh.create_namespaced_service_account_token(ACCOUNT, OUTPUT, {"spec": {"expirationSeconds": 3600}})
    cluster = {"host": api.configuration.host, "api_key": answer.status.token, "validate_certs": False}
    return given(cluster=cluster, namespaces=[STRICT], sources=["declared", "programmed"])


@pytest.fixture
def inspector(auditor: list[str], api: client.ApiClient) -> Iterator[list[str]]:
    """The same account, an inspector in the one namespace."""
    rights = client.RbacAuthorizationV1Api(api)
    binding = {"metadata": {"name": "inspector"}, "roleRef": role_ref("inspector"), "subjects": SUBJECTS}
    rights.create_namespaced_role_binding(STRICT, binding)
    yield auditor
    rights.delete_namespaced_role_binding("inspector", STRICT)


def test_a_source_that_its_rights_do_not_allow_is_named(auditor: list[str]) -> None:
    output = accepted(*auditor)
    unseen = r"NOT SEEN \(1\)\s+SOURCE +STATE +WHY\s+programmed +not seen +pods .* is forbidden: .*pods/portforward"
    assert re.search(unseen, output), output
    assert "EVIDENCE    declared, programmed (could not be had); required declared" in output


def test_a_source_that_is_required_fails_with_the_role_to_ask_for(auditor: list[str]) -> None:
    output = refused(*auditor, *given(require="programmed"), KUBECONFIG=None, K8S_AUTH_KUBECONFIG=None)
    assert "the proxies: unknown, what the proxies run with is required and could not be had" in output
    assert "Remedy: give the account the ClusterRole meshproof-inspector" in output
    assert "forbidden" in output.lower()


def test_with_that_role_it_passes(inspector: list[str]) -> None:
    output = accepted(*inspector, *given(require="programmed"))
    assert re.search(rf"ok +{STRICT}/server +8080 +strict +strict +not asked +proven", output)


def test_with_all_roles_everything_is_seen_and_published(inspector: list[str], api: client.ApiClient) -> None:
    rights = client.RbacAuthorizationV1Api(api)
    for role in ("prober", "publisher"):
        binding = {"metadata": {"name": role}, "roleRef": role_ref(role), "subjects": SUBJECTS}
        rights.create_namespaced_role_binding(OUTPUT, binding)
    wanted = given(
        sources=["declared", "programmed", "observed"], require="observed", probe_namespace=OUTPUT,
        publish={"config_map": {"namespace": OUTPUT, "name": "by-auditor"}},
    )  # fmt: skip
    output = accepted(*inspector, *wanted)
    assert "EVIDENCE    declared, programmed, observed; required observed" in output
    assert re.search(rf"ok +{STRICT}/server +8080 +strict +strict +strict +proven", output)
    published = client.CoreV1Api(api).read_namespaced_config_map("by-auditor", OUTPUT)
    assert json.loads(published.data["verify.json"])["verdict"] == "pass"


# Where the verdict is put.


def test_all_sources_reports_and_a_config_map_twice(mesh: client.CoreV1Api, tmp_path: Path) -> None:
    place = {"namespace": OUTPUT, "name": "verdict"}
    arguments = given(
        namespaces=[STRICT], sources=["declared", "programmed", "observed"], require="observed",
        report_dir=str(tmp_path / "reports"), publish={"config_map": place},
    )  # fmt: skip
    must("verify", *arguments)
    published = mesh.read_namespaced_config_map("verdict", OUTPUT)
    verdict = json.loads(published.data["verify.json"])
    assert (verdict["verdict"], verdict["scope"]) == ("pass", [STRICT])
    assert verdict["evidence"]["sources"] == {"declared": True, "programmed": True, "observed": True}
    assert published.data["report.html"] == (tmp_path / "reports" / "report.html").read_text()
    assert published.metadata.labels["meshproof.mtls/role"] == "istio_verify"
    names = {path.name for path in (tmp_path / "reports").iterdir()}
    assert names == {"verify.json", "audit.json.gz", "report.html", "junit.xml"}
    assert "changed=0" in must("verify", *arguments)


@pytest.mark.parametrize(
    ("room", "says"),
    [(20_000, "The page has"), (100, "and the ConfigMap verify-output/small may hold 100")],
    ids=["no room for the page", "no room for the verdict"],
)
def test_a_verdict_that_does_not_fit(mesh: client.CoreV1Api, room: int, says: str) -> None:
    place = given(namespaces=[STRICT], publish={"config_map": {"namespace": OUTPUT, "name": "small"}})
    smaller = ["-e", json.dumps({"__istio_verify_config_map_bytes": room})]
    if room < 1000:
        assert says in refused(*place, *smaller)
    else:
        must("verify", *place, *smaller)
        assert says in mesh.read_namespaced_config_map("small", OUTPUT).data["report.html"]


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ({"namespace": OUTPUT, "name": "kube-root-ca.crt"}, "is there and not from this role"),
        ({"namespace": "verify-nowhere", "name": "verdict"}, "Remedy: make its namespace, and let the account get"),
    ],
)
def test_a_config_map_that_cannot_be_written(mesh: client.CoreV1Api, place: dict[str, str], says: str) -> None:
    output = refused(*given(namespaces=[STRICT], publish={"config_map": place}))
    assert f"The ConfigMap {place['namespace']}/{place['name']}" in output
    assert says in output


class Store(BaseHTTPRequestHandler):
    """Keeps what is sent, and refuses who does not show the token."""

    kept: dict[str, bytes]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        allowed = self.headers.get("Authorization") == SECRET
        if allowed:
            self.kept[self.path] = body
        self.send_response(201 if allowed else 403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_PUT

    def log_message(self, *arguments: Any) -> None:
        """Nothing: the tests' output is theirs."""


@pytest.fixture
def store() -> Iterator[tuple[str, dict[str, bytes]]]:
    """A web server on loopback, and what it was sent."""
    kept: dict[str, bytes] = {}
    with ThreadingHTTPServer(("127.0.0.1", 0), type("OneStore", (Store,), {"kept": kept})) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}", kept
        httpd.shutdown()


FILES = {"/mesh/verify.json", "/mesh/audit.json.gz", "/mesh/report.html", "/mesh/junit.xml"}


@pytest.mark.parametrize(("method", "paths"), [("PUT", FILES), ("POST", {"/mesh"})])
def test_a_url_gets_the_reports_also_of_a_mesh_that_fails(
    mesh: client.CoreV1Api, store: tuple[str, dict[str, bytes]], method: str, paths: set[str]
) -> None:
    url, kept = store
    place = {"url": f"{url}/mesh", "method": method, "headers": {"Authorization": SECRET}}
    output = refused("-vvv", *given(namespaces=[OPEN], publish=place))
    assert f"{OPEN}/server port 8080: plaintext" in output
    assert SECRET not in output
    assert set(kept) == paths
    assert json.loads(kept[min(paths) if method == "POST" else "/mesh/verify.json"])["verdict"] == "fail"


@pytest.mark.parametrize(
    ("url", "says"),
    [("{store}/mesh", "HTTP Error 403"), ("http://127.0.0.1:1/mesh", "refused")],
    ids=["without the token", "nobody there"],
)
def test_a_url_that_does_not_take_it(
    mesh: client.CoreV1Api, store: tuple[str, dict[str, bytes]], url: str, says: str
) -> None:
    place = url.format(store=store[0])
    output = refused(*given(namespaces=[STRICT], publish={"url": place}))
    assert f"The reports could not be sent to {place}: " in output
    assert says in output
    assert store[1] == {}


def test_nothing_is_left_behind_and_check_mode_writes_nothing(mesh: client.CoreV1Api, tmp_path: Path) -> None:
    place = {"namespace": OUTPUT, "name": "never"}
    arguments = given(
        namespaces=[STRICT], sources=["declared", "observed"], report_dir=str(tmp_path / "reports"),
        publish={"config_map": place},
    )  # fmt: skip
    before = set(Path(tempfile.gettempdir()).glob("meshproof-verify-*"))
    output = must("verify", "--check", *arguments)
    assert "in check mode no pod is made" in output
    assert not (tmp_path / "reports").exists()
    assert "never" not in [item.metadata.name for item in mesh.list_namespaced_config_map(OUTPUT).items]
    assert set(Path(tempfile.gettempdir()).glob("meshproof-verify-*")) <= before
