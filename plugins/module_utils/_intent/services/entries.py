# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users ask of the role istio_services, read into services; what cannot be meant becomes a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..._foreign.numbers import port as port_number
from ..._foreign.plain import ODD
from ..._foreign.visible import visible
from ..inputs import Inputs
from ..names import LABEL, SUBDOMAIN

Manifest = dict[str, Any]

ROLE = "istio_services"
SERVING = ("Deployment", "StatefulSet")
"""Kinds whose pods stay and answer; those of the others come to an end."""
KINDS = (*SERVING, "Job", "CronJob")
DEFINED = ("ServiceAccount", *KINDS, "Container", "Service", "PodDisruptionBudget", "DestinationRule")
"""What `definition` may add to."""
INJECT = ("inherit", "true", "false")
TLS_MODES = ("ISTIO_MUTUAL", "MUTUAL", "SIMPLE", "DISABLE")
PROTOCOLS = ("TCP", "UDP", "SCTP")
PROBES = {"readiness_probe": "readinessProbe", "liveness_probe": "livenessProbe", "startup_probe": "startupProbe"}
_GENERAL = (
    "namespace", "image", "args", "image_pull_secrets", "replicas", "ports", "resources", "inject", "tls_mode",
    "pre_stop_seconds", "disruption_budget",
)  # fmt: skip
"""What the role's variables say for entries that do not."""
_OPTIONS = ("name", "kind", "schedule", "command", "env", "definition", *PROBES, *_GENERAL)
_PORT_OPTIONS = ("name", "port", "target_port", "protocol", "app_protocol")

_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
"""A container port's name (IANA_SVC_NAME in Kubernetes' validation), which has 15 characters at most."""
_LONGEST_NAME = {"CronJob": 52}
"""Kubernetes adds 11 characters to the name of a CronJob for each of its Jobs."""


class Port(NamedTuple):
    """A port of a Service, and the container's behind it."""

    name: str
    port: int
    target: int
    protocol: str
    app_protocol: str


class Service(NamedTuple):
    """One service as it was asked for."""

    place: str
    """The entry, as sentences name it: ``istio_services_list[2] (cart)``."""
    name: str
    namespace: str
    kind: str
    schedule: str
    image: str
    command: list[str]
    args: list[str]
    env: list[Manifest]
    image_pull_secrets: list[str]
    replicas: int | None
    """None leaves the number to somebody else."""
    ports: list[Port]
    probes: Manifest
    """By the container's own field names; only those that were given."""
    resources: Manifest
    inject: str
    tls_mode: str
    """Empty where nobody said one for this entry."""
    pre_stop_seconds: int
    disruption_budget: bool
    definition: dict[str, Manifest]


class Asked(NamedTuple):
    """All that was asked for."""

    services: list[Service]
    problems: list[str]
    state: str
    namespace: str
    tls_mode: str
    cluster_domain: str
    adopt: bool
    prune: bool
    wait: bool
    wait_timeout: int


def read(given: Mapping[str, Any]) -> Asked:
    """The options of the role, by their names without its prefix."""
    options = Inputs(ROLE, given)
    state = options.text("state", ("present", "absent"))
    general = {name: given.get(name) for name in _GENERAL}
    tls_mode = options.text("tls_mode", TLS_MODES)
    _read_general(options)
    namespace = options.text("namespace")
    entries = options.entries("list", by_name=True)
    asked = Asked(
        [], options.problems, state, namespace, tls_mode, options.text("cluster_domain"), options.switch("adopt"),
        options.switch("prune"), options.switch("wait"), options.count("wait_timeout"),
    )  # fmt: skip
    if asked.problems:
        return asked
    taken: dict[tuple[str, str], str] = {}
    for index, entry in enumerate(entries):
        name = entry.get("name")
        place = f"{ROLE}_list[{index}]" + (f" ({visible(name, 63)})" if isinstance(name, str) and name else "")
        service, problems = _service(place, entry, general)
        asked.problems.extend(problems)
        if problems:
            continue
        first = taken.setdefault((service.namespace, service.name), place)
        if first != place:
            asked.problems.append(
                f"{place}: names {service.namespace}/{service.name} again, as {first} does. Remedy: one entry for each"
            )
        asked.services.append(service)
    return asked


def _read_general(options: Inputs) -> None:
    """Say what is wrong with the variables that entries take over, once and not for each entry."""
    for name in ("image", "namespace"):
        options.text(name)
    for name in ("args", "image_pull_secrets"):
        options.texts(name)
    _inject(options)
    options.entries("ports")
    options.mapping("resources")
    options.count("pre_stop_seconds")
    options.switch("disruption_budget")
    if options.raw("replicas") not in (None, ""):
        options.count("replicas")


def _service(place: str, entry: Mapping[str, Any], general: Mapping[str, Any]) -> tuple[Service, list[str]]:
    """An entry as a service, and what is wrong with it; with any of that the service means nothing."""
    own = {key: value for key, value in entry.items() if value is not None or key == "replicas"}
    merged = {"kind": KINDS[0], **general, "tls_mode": None, **own}
    if merged["kind"] not in SERVING and "ports" not in own:
        # The default ports are those of a server; what comes to an end is dialled only where its entry says so.
        merged["ports"] = []
    options = Inputs(place, merged, joint=": ")
    problems = options.problems
    problems += _unknown(place, entry, _OPTIONS)
    if _odd(own):
        problems.append(f"{place}: holds what YAML cannot write. Remedy: text, numbers, lists and mappings only")
    ports, wrong = _ports(place, options.entries("ports"))
    problems += wrong
    service = Service(
        place=place,
        name=options.text("name"),
        namespace=options.text("namespace"),
        kind=options.text("kind", KINDS),
        schedule=options.text("schedule"),
        image=options.text("image"),
        command=options.texts("command"),
        args=options.texts("args"),
        env=[_variable(item) for item in options.entries("env")],
        image_pull_secrets=options.texts("image_pull_secrets"),
        replicas=None if options.raw("replicas") in (None, "") else options.count("replicas"),
        ports=ports,
        probes={field: options.mapping(name) for name, field in PROBES.items() if options.raw(name)},
        resources=options.mapping("resources"),
        inject=_inject(options),
        tls_mode=options.text("tls_mode", ("", *TLS_MODES)),
        pre_stop_seconds=options.count("pre_stop_seconds"),
        disruption_budget=options.switch("disruption_budget"),
        definition={key: value for key, value in options.mapping("definition").items() if value is not None},
    )
    problems += [f"{place}: {problem}" for problem in _misfits(service, own)] if not problems else []
    return service, problems


def _inject(options: Inputs) -> str:
    """As the label has it; YAML and Ansible make truth of the same words."""
    value = options.raw("inject")
    if isinstance(value, bool):
        return str(value).lower()
    word = value.lower() if isinstance(value, str) else ""
    return word if word in INJECT else options.text("inject", INJECT)


def _misfits(service: Service, own: Mapping[str, Any]) -> Iterator[str]:
    """What is well formed and no service of Kubernetes."""
    longest = _LONGEST_NAME.get(service.kind, 63)
    if not LABEL.fullmatch(service.name) or len(service.name) > longest:
        yield (
            f"name '{visible(service.name, 80)}' is no name for a {service.kind}."
            f" Remedy: up to {longest} lower case letters, digits and '-'"
        )
    elif service.ports and service.name[0].isdigit():
        yield f"a Service's name begins with a letter, not as '{service.name}'. Remedy: another name"
    if not LABEL.fullmatch(service.namespace):
        yield (
            f"namespace '{visible(service.namespace, 80)}' is no name of one."
            " Remedy: lower case letters, digits and '-', in the entry or in istio_services_namespace"
        )
    if not service.image or len(service.image.split()) != 1:
        yield f"image '{visible(service.image, 80)}' is none. Remedy: image in the entry, or istio_services_image"
    for secret in service.image_pull_secrets:
        if not SUBDOMAIN.fullmatch(secret):
            yield f"image_pull_secrets: '{visible(secret, 80)}' is no name of a Secret. Remedy: names alone"
    for variable in service.env:
        if not isinstance(variable.get("name"), str) or not variable["name"]:
            yield "env has a variable without name. Remedy: a list of name and value, as a container has it"
    if service.kind == "CronJob" and not (len(service.schedule.split()) == 5 or service.schedule.startswith("@")):
        yield f"schedule '{visible(service.schedule, 80)}' is none. Remedy: five fields, such as '*/15 * * * *'"
    if service.kind != "CronJob" and service.schedule:
        yield "only a CronJob has a schedule. Remedy: kind: CronJob, or no schedule"
    if service.kind not in SERVING and own.get("replicas") is not None:
        yield f"a {service.kind} has no replicas. Remedy: parallelism in definition.{service.kind}.spec"
    for key, value in service.definition.items():
        if key not in DEFINED:
            yield f"definition has no part '{visible(key, 40)}'. Remedy: one of {', '.join(DEFINED)}"
        elif not isinstance(value, dict):
            yield f"definition.{key} is no mapping. Remedy: fields of the {key}"
        elif key in KINDS and key != service.kind:
            yield f"definition.{key} fits no {service.kind}. Remedy: definition.{service.kind}, or kind: {key}"
        elif key != "Container":
            yield from _misnamed(key, value)


def _misnamed(kind: str, definition: Mapping[str, Any]) -> Iterator[str]:
    """What no definition may do: make another object than the one that the entry names."""
    for field in ("metadata", "spec"):
        if field in definition and not isinstance(definition[field], dict):
            yield f"definition.{kind}.{field} is no mapping. Remedy: fields of the {kind}"
            return
    meta = definition.get("metadata") or {}
    for field in [name for name in ("apiVersion", "kind") if name in definition] + sorted(
        {"name", "namespace"} & {*meta}
    ):
        yield f"definition.{kind} sets {field}, which the entry does. Remedy: leave it out there"
    if "labels" in meta and not isinstance(meta["labels"], dict):
        yield f"definition.{kind}.metadata.labels is no mapping. Remedy: names and values"


def _ports(place: str, entries: Sequence[Mapping[str, Any]]) -> tuple[list[Port], list[str]]:
    """The ports of an entry, and what is wrong with them."""
    found: list[Port] = []
    problems: list[str] = []
    for index, entry in enumerate(entries):
        where = f"{place}: ports[{index}]"
        options = Inputs(where, {"protocol": PROTOCOLS[0], **{k: v for k, v in entry.items() if v is not None}}, ".")
        name, protocol = options.text("name"), options.text("protocol", PROTOCOLS)
        number = port_number(options.raw("port"))
        target = number if options.raw("target_port") is None else port_number(options.raw("target_port"))
        problems += options.problems + _unknown(where, entry, _PORT_OPTIONS)
        if not LABEL.fullmatch(name):
            problems.append(f"{where}: name '{visible(name, 80)}' is none. Remedy: such as http, grpc-api or tcp-db")
        for key, value in (("port", number), ("target_port", target or options.raw("target_port") is None)):
            if not value:
                shown = visible(options.raw(key), 40)
                problems.append(f"{where}: {key} '{shown}' is no port. Remedy: a number from 1 to 65535")
        found.append(Port(name, number or 0, target or 0, protocol, options.text("app_protocol")))
        for other in found[:-1]:
            if other.name == name or (other.port, other.protocol) == (number, protocol):
                what = f"the name {name}" if other.name == name else f"port {number}"
                problems.append(f"{where}: {what} is there twice. Remedy: a name and a number for each port")
                break
    return found, problems


def container_name(port: Port) -> str:
    """The name that the container's port can bear, empty where the Service's is too long or odd for it."""
    return port.name if len(port.name) <= 15 and _PORT_NAME.fullmatch(port.name) else ""


def _unknown(where: str, entry: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    return [
        f"{where}: has no option '{visible(key, 40)}'. Remedy: one of {', '.join(sorted(known))}"
        for key in entry
        if key not in known
    ]


def _variable(item: Mapping[str, Any]) -> Manifest:
    """A variable of the environment, whose value is text in Kubernetes and often a number in inventories."""
    value = item.get("value")
    if isinstance(value, bool):
        return {**item, "value": str(value).lower()}
    return {**item, "value": str(value)} if isinstance(value, (int, float)) else dict(item)


def _odd(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_odd, value.values()))
    return any(map(_odd, value)) if isinstance(value, list) else value is ODD
