# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what ``wire`` printed to a verdict for each target. What was not answered is unknown, never secure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from ..._foreign import json_text
from ..._foreign.guards import NOT_UNDERSTOOD
from ..._foreign.visible import visible
from ..identity import FITS, WRONG, Identity
from . import identities
from .expectation import identity_of
from .plan import POD, TCP, Target

STRICT = "strict"
PERMISSIVE = "permissive"
PLAINTEXT = "plaintext"
UNKNOWN = "unknown"
VERDICTS = (STRICT, PERMISSIVE, PLAINTEXT, UNKNOWN)

NOT_ASKED = "not_asked"
_SPIFFE = "spiffe://"
_FITS = {FITS: True, WRONG: False}
"""None where it is not known."""
# Of several answers for one target the most damning one stands for all.
_WORST_FIRST = ("answered", "timeout", "error", "blocked", NOT_ASKED, "refused")
_CERTIFICATE = ("identity", "issuer", "not_before", "not_after", "serial", "version", "alpn", "verified")

Answers = Mapping[str, Mapping[str, Any]]


class Log(NamedTuple):
    """What a container's log holds."""

    answers: dict[str, dict[str, Any]]
    """By the ids of what was asked."""
    notes: list[str]
    """What is odd about it, in sentences."""


def parse(log: str, asks: Sequence[Mapping[str, Any]]) -> Log:
    """The answers of one container's log. A log that ends too early gives the answers that it has.

    Several lines can answer one ask, each a part of it. What was answered twice and not in the same way is unknown, and
    an answer to what nobody asked is none.
    """
    answers: dict[str, dict[str, Any]] = {}
    asked = {ask["id"] for ask in asks}
    strange, twice = [], set()
    for line in log.split("\n"):
        try:
            item = json_text.parse(line)
        except ValueError:
            continue  # a warning of the image's Python, for example
        name = item.get("id") if isinstance(item, dict) else None
        if not isinstance(name, str):
            continue
        if name not in asked:
            strange.append(visible(name, 100))
            continue
        found = answers.setdefault(name, {})
        if any(found.get(part, said) != said for part, said in _visible(item).items()):
            twice.add(name)
        found.update(_visible(item))
    for name in twice:
        answers[name] = {"id": name, "obstacle": "the probe's log answers this twice, and not in the same way"}
    notes = [f"it answers {len(strange)} times what was not asked, such as {strange[0]}"] if strange else []
    return Log(answers, notes + ([f"it contradicts itself {len(twice)} times, such as {min(twice)}"] if twice else []))


def _visible(value: Any) -> Any:
    """Servers choose much of what is said about them, and it is printed."""
    if isinstance(value, dict):
        return {key: _visible(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_visible(item) for item in value]
    return visible(value) if isinstance(value, str) else value


def complaint(log: str, asks: Collection[Any]) -> str | None:
    """What a log says about a script that did not end well: its last line, None when all was answered."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    if not lines:
        return "it printed nothing"
    return None if lines[-1] == f'{{"done": {len(asks)}}}' else visible(lines[-1], 200)


def fill(answers: dict[str, dict[str, Any]], asks: Sequence[Mapping[str, Any]], why: str) -> None:
    """Say of a container that did not get to its end why the answers, or parts of them, that are missing never came."""
    for ask in asks:
        answers.setdefault(ask["id"], {}).setdefault("obstacle", why)


def judge(
    targets: Sequence[Target], outside: Answers | None, requests: Answers | None, handshakes: Answers | None
) -> list[dict[str, Any]]:
    """One result for each target. None for a set of answers means that its pod was not wanted."""
    return [_guarded(number, target, outside, requests, handshakes) for number, target in enumerate(targets)]


def _guarded(
    number: int, target: Target, outside: Answers | None, requests: Answers | None, handshakes: Answers | None
) -> dict[str, Any]:
    """One result; answers of an unforeseen shape make their own target unknown and no other."""
    try:
        return _judge_target(number, target, outside, requests, handshakes)
    except NOT_UNDERSTOOD as error:
        result = _judge_target(number, target, {}, {}, {})
        return {**result, "reason": f"The probe's answers cannot be understood ({type(error).__name__})."}


def _judge_target(
    number: int, target: Target, outside: Answers | None, requests: Answers | None, handshakes: Answers | None
) -> dict[str, Any]:
    plaintext = {path: _part(outside, path, "plaintext") for path in _paths(number, target, service=True)}
    tls = {path: _part(outside, path, "tls") for path in _paths(number, target)}
    mtls = {path: _part(handshakes, path, "mtls") for path in _paths(number, target)}
    shown_by_us = {
        "none": tls,
        "wrong": {path: _part(outside, path, "wrong", NOT_ASKED) for path in tls},
        "expired": {path: _part(handshakes, path, "expired", NOT_ASKED) for path in tls},
    }
    judged = identities.judge(shown_by_us, mtls, target.protocol == TCP)
    whose = {
        f"{number}/{index}": identity_of(endpoint, _shown(tls[f"{number}/{index}"], mtls[f"{number}/{index}"]))
        for index, endpoint in enumerate(target.endpoints)
    }
    request = _part(requests, f"{number}/request", "request")
    worst = _worst(list(plaintext.values()))
    seen = _seen_certificate(tls.values())
    shown = _seen_certificate(mtls.values())
    verdict, reason = _verdict(plaintext, tls, mtls, request, outside is not None, target, judged.accepted, whose)
    if target.endpoints_total > len(target.endpoints):
        reason += f" Only {len(target.endpoints)} of {target.endpoints_total} endpoints were asked."
    best = shown or seen
    return {
        "kind": target.kind,
        "service": target.service,
        "pod": target.pod,
        "port": target.port,
        "protocol": target.protocol,
        "verdict": verdict,
        "reason": reason,
        "identity": best.get("identity") if best else None,
        "identity_seen_from": "inside" if shown else "outside" if seen else None,
        "identity_check": judged.check,
        "identities": judged.shown,
        "outside": {
            "plaintext": worst["result"],
            "plaintext_detail": worst.get("detail", ""),
            "tls": _tls_summary(_representative(tls, seen)),
        },
        "inside": {
            "request": request["result"],
            "status": request.get("status"),
            "detail": request.get("detail", ""),
            "mtls": _tls_summary(_representative(mtls, shown)),
        },
        "endpoints": [
            {
                "address": endpoint.address,
                "port": endpoint.port,
                "pod": endpoint.pod,
                "plaintext": plaintext[f"{number}/{index}"]["result"],
                "tls": tls[f"{number}/{index}"]["result"],
                "mtls": mtls[f"{number}/{index}"]["result"],
                "identity": _identity(mtls[f"{number}/{index}"]) or _identity(tls[f"{number}/{index}"]),
                "identity_verified": any(
                    part.get("identity") and part.get("verified") is True
                    for part in (mtls[f"{number}/{index}"], tls[f"{number}/{index}"])
                ),
                "identity_expected": whose[f"{number}/{index}"].expected,
                "identity_fits": _FITS.get(whose[f"{number}/{index}"].result),
            }
            for index, endpoint in enumerate(target.endpoints)
        ],
    }


def _verdict(
    plaintext: Mapping[str, Mapping[str, Any]],
    tls: Mapping[str, Mapping[str, Any]],
    mtls: Mapping[str, Mapping[str, Any]],
    request: Mapping[str, Any],
    asked_outside: bool,
    target: Target,
    accepted_without: str,
    whose: Mapping[str, Identity],
) -> tuple[str, str]:
    """The verdict and the sentence that says why."""
    if target.obstacle:
        return UNKNOWN, target.obstacle
    if not asked_outside:
        return UNKNOWN, "Nobody outside the mesh was asked to try plaintext."
    if not target.endpoints:
        return UNKNOWN, "The Service port has no ready endpoint, so there was nothing to ask."
    answered = [part for part in plaintext.values() if part["result"] == "answered"]
    if answered:
        return _verdict_for_plaintext(answered, plaintext, tls, mtls)
    unclear = [part for part in plaintext.values() if part["result"] != "refused"]
    if unclear:
        return UNKNOWN, _why_unclear(unclear, request, mtls)
    if accepted_without:
        return UNKNOWN, f"Plaintext from outside was refused, but a client {accepted_without} was accepted by TLS."
    stranger = next((found for found in whose.values() if found.result == WRONG), None)
    if stranger:
        return UNKNOWN, f"Plaintext from outside was refused, but the server {stranger.why}."
    accepted = any(_is_accepted(part) for part in mtls.values())
    # To a pod's address a sidecar passes on what it gets, so that request proves nothing about mutual TLS.
    answered_inside = request["result"] == "answered" and target.kind != POD
    if not answered_inside and not accepted:
        inside = request.get("detail") or "nobody inside the mesh was asked"
        if target.kind == POD:
            inside = next((_detail(part) for part in mtls.values() if _detail(part)), inside)
        return UNKNOWN, f"Plaintext from outside was refused, but a client inside got no answer either: {inside}."
    without = next((part for part in mtls.values() if not _is_accepted(part)), None)
    if without is not None or not mtls:
        # A firewall, or an application that hangs up on strangers, refuses plaintext as well.
        detail = f": {_detail(without)}" if without and _detail(without) else ""
        return UNKNOWN, (
            "Plaintext from outside was refused, and a client inside the mesh was answered, but the port "
            f"{'of an endpoint ' if accepted else ''}accepted no mutual TLS from the probe itself{detail}"
        ) + "."
    reason = "Plaintext from outside was refused, a client inside the mesh was answered over mutual TLS"
    nobody = next((found for found in whose.values() if found.result != FITS), None)
    if nobody:
        return UNKNOWN, f"{reason}, but the server {nobody.why.rstrip('.')}."
    if request["result"] not in ("answered", NOT_ASKED):
        what = "request through a sidecar"
        if target.kind == POD:
            what = "request through a sidecar, which passes it on as it is to a pod's address,"
        reason += f"; the {what} was not answered, though: {request.get('detail', '')}"
    return STRICT, reason + "."


def _why_unclear(
    unclear: Sequence[Mapping[str, Any]], request: Mapping[str, Any], mtls: Mapping[str, Mapping[str, Any]]
) -> str:
    blocked = next((part for part in unclear if part["result"] == "blocked"), None)
    if blocked is None:
        return f"Plaintext from outside was neither answered nor refused: {unclear[0].get('detail', '')}."
    reason = (
        f"From outside: {blocked.get('detail', '')}: a NetworkPolicy or firewall; nothing is proven about mutual TLS"
    )
    if request["result"] == "answered" or any(_is_accepted(part) for part in mtls.values()):
        reason += ", though a client inside the mesh was answered"
    return reason + "."


def _verdict_for_plaintext(
    answered: Sequence[Mapping[str, Any]],
    plaintext: Mapping[str, Mapping[str, Any]],
    tls: Mapping[str, Mapping[str, Any]],
    mtls: Mapping[str, Mapping[str, Any]],
) -> tuple[str, str]:
    where = "" if len(answered) == len(plaintext) else f" on {len(answered)} of {len(plaintext)} addresses"
    reason = f"Plaintext from outside was answered{where} ({answered[0].get('detail', '')})"
    if any(part.get("rbac") for part in answered):
        reason += ", though an authorization policy denied the request"
    if _seen_certificate([*tls.values(), *mtls.values()]):
        return PERMISSIVE, reason + "; mutual TLS is offered, too."
    return PLAINTEXT, reason + "; no mesh certificate was shown."


def _paths(number: int, target: Target, service: bool = False) -> list[str]:
    first = [f"{number}/service"] if service and target.address else []
    return first + [f"{number}/{index}" for index in range(len(target.endpoints))]


def _part(answers: Answers | None, path: str, name: str, missing: str = "error") -> dict[str, Any]:
    """One answer, normalised: a missing one is an error, for a pod that was not wanted it is ``not_asked``."""
    if answers is None:
        return {"result": NOT_ASKED}
    answer = answers.get(path)
    if answer is None:
        return {"result": "error", "detail": "the probe's pod ended before it had answered"}
    if name not in answer and "obstacle" in answer:
        return {"result": "error", "detail": str(answer["obstacle"])}
    part = dict(answer.get(name) or {"result": missing})
    if part["result"] == "error":
        part.setdefault("detail", "the probe's answer is incomplete")
    if name == "mtls":
        part["result"] = _mtls_result(part)
    # A certificate with a SPIFFE identity has no other (X509-SVID, 2 and 5.2).
    uris = part.get("uris") or ()
    if any(uri.startswith(_SPIFFE) for uri in uris):
        part["identity"] = ", ".join(uris)
    return part


def _shown(*parts: Mapping[str, Any]) -> list[str]:
    return [str(part["identity"]) for part in parts if part.get("identity")]


def _mtls_result(part: Mapping[str, Any]) -> str:
    """A TLS 1.3 handshake ends for the client before the server has judged its certificate: what follows decides."""
    if part["result"] != "handshake":
        return str(part["result"])
    return "accepted" if part.get("after") in ("answered", "open") else "rejected"


def _is_accepted(part: Mapping[str, Any]) -> bool:
    return part["result"] == "accepted" and bool(part.get("identity"))


def _identity(part: Mapping[str, Any]) -> str | None:
    return part.get("identity")


def _seen_certificate(parts: Any) -> Mapping[str, Any] | None:
    return next((part for part in parts if part.get("identity")), None)


def _worst(parts: list[dict[str, Any]]) -> dict[str, Any]:
    if not parts:
        return {"result": NOT_ASKED}
    return min(parts, key=lambda part: _WORST_FIRST.index(part["result"]))


def _representative(parts: Mapping[str, Any], seen: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return seen or next(iter(parts.values()), {"result": NOT_ASKED})


def _detail(part: Mapping[str, Any]) -> str:
    return str(part.get("detail") or part.get("after_detail") or "")


def _tls_summary(part: Mapping[str, Any]) -> dict[str, Any]:
    summary: dict[str, Any] = {"result": part["result"], "detail": _detail(part), "status": part.get("status")}
    summary.update({name: part[name] for name in _CERTIFICATE if part.get(name) is not None})
    if part.get("verified") is not True and part.get("verify_detail"):
        summary["verify_detail"] = part["verify_detail"]
    return summary


def count(results: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many targets got which verdict."""
    return {verdict: sum(1 for result in results if result["verdict"] == verdict) for verdict in VERDICTS}
