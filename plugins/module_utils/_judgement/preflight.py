# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Can a job do its work here? What was found in, one table and the missing things with their remedies out."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .._foreign.lines import columns
from .._policy import versions

JOBS = VERIFY, OBSERVED, SITE = ("verify", "observed", "site")
# What each ClusterRole is for: a job, or a part of the verification, which is needed where it is asked for.
_PURPOSE = {
    "reader": VERIFY,
    "inspector": "programmed",
    "prober": OBSERVED,
    "prometheus": "traffic",
    "publisher": "publish",
    "installer": SITE,
}
# Reads the certificates that proxies have.
_FOR_PROXIES = "cryptography"
_SHOWN_KINDS = 4

OK, NOTE, MISSING, UNKNOWN = "ok", "note", "MISSING", "UNKNOWN"


class Check(NamedTuple):
    """One row of the table."""

    result: str
    name: str
    purpose: str
    found: str
    remedy: str = ""
    asked: bool = False
    """Whether the verification is to do what it is for, whichever the job."""


def preflight(facts: Mapping[str, Any], job: str = VERIFY) -> Dict[str, Any]:
    """The table as lines, and what `job` misses as sentences that name the remedy.

    `facts` holds `environment` (python, libraries, tools), `status` (what status_info returned, failed or not),
    `rights` (what kubernetes.core.k8s returned for the reviews of each ClusterRole), `method`, `istio_version` (the
    wanted one, or empty). Raises ValueError for a job that there is not.
    """
    if job not in JOBS:
        raise ValueError(f"There is no job {job}. Remedy: choose one of {', '.join(JOBS)}.")
    checks = [
        *_libraries(facts["environment"], facts["rights"]),
        *_tools(facts),
        _reading(facts["status"], asked=any(_reviews(answer) for answer in facts["rights"])),
        *_versions(facts["status"].get("cluster") or {}, str(facts.get("istio_version") or "")),
        *(_rights(item) for item in facts["rights"]),
        *_places(facts["status"], facts["rights"]),
    ]
    lacking = [check for check in checks if check.result in (MISSING, UNKNOWN) and _needs(job, check)]
    return {
        "job": job,
        "lines": _table(checks),
        "missing": [f"{check.name}: {check.found}. Remedy: {check.remedy}." for check in lacking],
    }


def questions(variables: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """About which ClusterRoles to ask, and where: items with `file`, `namespace` (empty for all), `names` and `asked`.

    `variables` are those of istio_verify without the role's prefix: sources, namespaces, prometheus, publish and
    probe_namespace. `names` are the objects' names in place of the ClusterRole's own, `asked` tells whether the
    verification will do what the ClusterRole is for.
    """
    sources = _listed(variables["sources"])
    found = [_question("reader", asked=True)]
    # A port-forward is a right that is better given in single namespaces.
    for namespace in _listed(variables["namespaces"]) or [""]:
        found.append(_question("inspector", namespace, asked="programmed" in sources))
    found.append(_question("prober", str(variables["probe_namespace"]), asked="observed" in sources))
    namespace, dummy, name = str((variables["prometheus"] or {}).get("service") or "").partition("/")
    if name:
        found.append(_question("prometheus", namespace, [name], asked="traffic" in sources))
    place = (variables["publish"] or {}).get("config_map") or {}
    if place.get("namespace"):
        found.append(_question("publisher", str(place["namespace"]), asked=True))
    return [*found, _question("installer")]


def _question(file: str, namespace: str = "", names: Sequence[str] = (), asked: bool = False) -> Dict[str, Any]:
    return {"file": file, "namespace": namespace, "names": list(names), "asked": asked}


def _listed(value: Any) -> List[str]:
    """A list, which on the command line is a text with commas."""
    items = value.split(",") if isinstance(value, str) else value
    return [text for text in (str(item).strip() for item in items or ()) if text]


def _needs(job: str, check: Check) -> bool:
    return check.asked or check.purpose in (VERIFY, job)


def _table(checks: Sequence[Check]) -> List[str]:
    rows = [(check.result, check.purpose, check.name, _detail(check)) for check in checks]
    return columns([("RESULT", "FOR", "CHECK", "FOUND → REMEDY"), *rows])


def _detail(check: Check) -> str:
    return f"{check.found} → {check.remedy}" if check.remedy else check.found


def _libraries(environment: Mapping[str, Any], answers: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    python = environment["python"]
    proxies = any(answer["item"]["file"] == "inspector" and answer["item"]["asked"] for answer in answers)
    for library, version in environment["libraries"].items():
        name = f"Python library {library}"
        purpose, asked = (_PURPOSE["inspector"], proxies) if library == _FOR_PROXIES else (VERIFY, True)
        if version:
            yield Check(OK, name, purpose, f"{version} for {python}")
        else:
            remedy = f"{python} -m pip install {library}, or set ansible_python_interpreter to a Python that has it"
            yield Check(MISSING, name, purpose, f"not found by {python}", remedy, asked)


def _tools(facts: Mapping[str, Any]) -> Iterator[Check]:
    for tool, path in facts["environment"]["tools"].items():
        if path:
            yield Check(OK, f"Tool {tool}", SITE, str(path))
        elif tool == facts["method"]:
            yield Check(NOTE, f"Tool {tool}", SITE, "not here; istio_install fetches it, checked by its checksum")
        else:
            yield Check(NOTE, f"Tool {tool}", SITE, f"not here; not needed for the method {facts['method']}")


def _reading(status: Mapping[str, Any], asked: bool) -> Check:
    """The connection. Where it failed, an API server that answered the reviews can be reached, but not read."""
    cluster = status.get("cluster")
    if cluster:
        return Check(OK, "API server", VERIFY, str(cluster["server"]))
    found, remedy = _split_remedy(str(status.get("msg") or "no answer"))
    name = "Reading the mesh" if asked else "API server"
    return Check(MISSING, name, VERIFY, found, remedy or "check the connection (K8S_AUTH_* or mtls_cluster)")


def _split_remedy(message: str) -> Tuple[str, str]:
    """A message of ours as what is wrong and what to do; of a foreign one only its first line."""
    found, dummy, remedy = message.partition("Remedy: ")
    if not remedy:
        found = found.strip().split("\n")[0]
    return " ".join(found.split()).rstrip(". "), " ".join(remedy.split()).rstrip(".")


def _versions(cluster: Mapping[str, Any], wanted: str) -> Iterator[Check]:
    kubernetes = cluster.get("kubernetes_version")
    if kubernetes:
        yield _version("Kubernetes", "Kubernetes", str(kubernetes))
    for version in cluster.get("istio_versions") or ():
        yield _version("Istio found", "Istio", str(version))
    if cluster and not cluster.get("istio_versions"):
        yield Check(NOTE, "Istio found", SITE, "none yet, or not readable with these rights")
    if wanted:
        yield _version("Istio wanted", "Istio", wanted)


def _version(name: str, product: str, version: str) -> Check:
    """Reading works with every version; changing is for those that were checked."""
    problem: Optional[str] = versions.check(product, version)
    if problem is None:
        return Check(OK, name, SITE, version)
    return Check(
        MISSING, name, SITE, problem, f"site needs a supported {product}; verify says unknown where rules differ"
    )


def _rights(answer: Mapping[str, Any]) -> Check:
    """Whether this account may do all that one ClusterRole would allow."""
    item = answer["item"]
    role, namespace = f"meshproof-{item['file']}", item["namespace"]
    where = f" in namespace {namespace}" if namespace else ""
    name, purpose = f"Rights {role}{where}", _PURPOSE[item["file"]]
    if answer.get("skipped"):
        return Check(NOTE, name, purpose, "not asked, for want of an API server")
    reviews = _reviews(answer)
    if not reviews:
        found, remedy = _split_remedy(str(answer.get("msg") or "no answer"))
        remedy = remedy or "bind the account to system:basic-user again"
        return Check(UNKNOWN, name, purpose, found, remedy, item["asked"])
    denied = [review["spec"]["resourceAttributes"] for review in reviews if not review["status"]["allowed"]]
    total = len(reviews)
    if not denied:
        return Check(OK, name, purpose, f"all {total}")
    kinds = _by_kind(denied)
    more = f" and {len(kinds) - _SHOWN_KINDS} more kinds" if len(kinds) > _SHOWN_KINDS else ""
    found = f"{total - len(denied)} of {total}, not {', '.join(kinds[:_SHOWN_KINDS])}{more}"
    binding = f"rolebinding {role} -n {namespace}" if namespace else f"clusterrolebinding {role}"
    remedy = f"kubectl create {binding} --clusterrole={role} --serviceaccount=NAMESPACE:NAME (docs/rights.md)"
    return Check(MISSING, name, purpose, found, remedy, item["asked"])


def _places(status: Mapping[str, Any], answers: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    """The namespaces in which something is to be made; only the probe's is made by the verification itself."""
    there = {item["name"] for item in status.get("namespaces") or ()}
    can_make = any(
        review["spec"]["resourceAttributes"]["resource"] == "namespaces"
        and review["spec"]["resourceAttributes"]["verb"] == "create"
        and review["status"]["allowed"]
        for answer in answers
        for review in _reviews(answer)
    )
    # Without a list of namespaces there is nothing to hold them against.
    made = [answer["item"] for answer in answers if there and answer["item"]["file"] in ("prober", "publisher")]
    for item in made:
        name, purpose = f"Namespace {item['namespace']}", _PURPOSE[item["file"]]
        if item["namespace"] in there:
            yield Check(OK, name, purpose, "there")
        elif item["file"] == "prober" and can_make:
            yield Check(NOTE, name, purpose, "not there; the probe makes it, and removes it again")
        else:
            remedy = f"kubectl create namespace {item['namespace']}, and bind the ClusterRole in it"
            yield Check(MISSING, name, purpose, "not there, and not made by this job", remedy, item["asked"])


def _reviews(answer: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """What was answered; kubernetes.core.k8s returns a single object without a list around it."""
    result = answer.get("result") or {}
    return [result] if "spec" in result else [item["result"] for item in result.get("results") or ()]


def _by_kind(denied: Sequence[Mapping[str, Any]]) -> List[str]:
    """`get+list pods` for each kind that something is denied of."""
    verbs: Dict[str, List[str]] = {}
    for attributes in denied:
        resource = "/".join(part for part in (attributes["resource"], attributes.get("subresource")) if part)
        group = f".{attributes['group']}" if attributes.get("group") else ""
        name = f" {attributes['name']}" if attributes.get("name") else ""
        verbs.setdefault(f"{resource}{group}{name}", []).append(attributes["verb"])
    return [f"{'+'.join(words)} {kind}" for kind, words in verbs.items()]
