# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which DestinationRule a client uses for a host (semantics, section 3.1).

A port of pilot/pkg/model/push_context.go setDestinationRules and destinationRule, and destination_rule.go
mergeDestinationRule, line by line where two readings were possible.
"""

from __future__ import annotations

from typing import Callable, Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Set, Tuple

from .ages import MOST_ORDERS, contest, dated, orders
from .membership import matches
from .mesh import CLUSTER_DOMAIN
from .records import DestinationRule, Labels, Policy, Selector, Subset, Tls


class Setting(NamedTuple):
    """What a rule says, without its name: clients under rules that say the same get the same answers."""

    policy: Optional[Policy]
    subsets: Tuple[Subset, ...]
    selective: bool
    discarded: str = ""
    """Whose TLS an older rule's merge discards, in words; "" for nobody's."""
    several: bool = False
    """Whether more of the merged rules have a traffic policy, of which the next one would count without the first."""


class MergedRule:
    """One rule, or several for the same host merged: the first traffic policy whole, all subsets by their names."""

    __slots__ = (
        "_policy_of",
        "_setting",
        "discarded",
        "export_to",
        "names",
        "namespace",
        "policy",
        "selector",
        "several",
        "subsets",
    )

    def __init__(self, rule: DestinationRule, export_to: FrozenSet[str]) -> None:
        self.namespace = rule.namespace
        self.selector: Selector = rule.selector
        self.export_to = export_to
        self.policy: Optional[Policy] = rule.policy
        self.subsets: Dict[str, Subset] = {}
        self._setting: Optional[Setting] = None
        self.names = [f"{rule.namespace}/{rule.name}"]
        self._policy_of = self.names[0]
        self.discarded = ""
        self.several = False
        self._add_subsets(rule)

    def merge(self, rule: DestinationRule) -> None:
        """Keeps what is there: an older rule with only a load balancer discards a newer rule's TLS."""
        self.names.append(f"{rule.namespace}/{rule.name}")
        self._add_subsets(rule)
        self.several = self.several or (self.policy is not None and rule.policy is not None)
        if self.policy is None:
            self.policy, self._policy_of = rule.policy, self.names[-1]
        elif _sets_tls(rule.policy) and not _sets_tls(self.policy) and not self.discarded:
            self.discarded = (
                f"the tls of DestinationRule {self.names[-1]} is discarded, because for the same host "
                f"{self._policy_of} comes first, the older one, and its trafficPolicy counts whole"
            )

    def _add_subsets(self, rule: DestinationRule) -> None:
        for subset in rule.subsets:
            self.subsets.setdefault(subset.name, subset)

    @property
    def setting(self) -> Setting:
        """What it says."""
        if self._setting is None:
            subsets = tuple(self.subsets[name] for name in sorted(self.subsets))
            self._setting = Setting(self.policy, subsets, self.selector is not None, self.discarded, self.several)
        return self._setting

    def exported_to(self, namespace: str) -> bool:
        """Whether clients of a namespace see it from outside."""
        return not self.export_to or "*" in self.export_to or namespace in self.export_to

    def __str__(self) -> str:
        return " + ".join(self.names)


Which = Callable[[Tls], bool]
"""Which TLS settings are meant."""


def plaintext(tls: Tls) -> bool:
    """Those by which plaintext is sent."""
    return tls.mode == "DISABLE" or tls.secret or tls.incomplete


def mutual(tls: Tls) -> bool:
    """Those by which Istio's own mutual TLS is sent."""
    return tls.mode == "ISTIO_MUTUAL"


def unset(setting: Setting, which: Which) -> Setting:
    """The same without such TLS settings."""
    return setting._replace(
        policy=unset_policy(setting.policy, which),
        subsets=tuple(subset._replace(policy=unset_policy(subset.policy, which)) for subset in setting.subsets),
    )


def unset_policy(policy: Optional[Policy], which: Which) -> Optional[Policy]:
    """Likewise."""
    if policy is None:
        return None
    ports = tuple(entry._replace(tls=_unset(entry.tls, which)) for entry in policy.ports)
    return policy._replace(tls=_unset(policy.tls, which), ports=ports)


def _unset(tls: Optional[Tls], which: Which) -> Optional[Tls]:
    return None if tls is not None and which(tls) else tls


def _sets_tls(policy: Optional[Policy]) -> bool:
    return policy is not None and (policy.tls is not None or any(entry.tls is not None for entry in policy.ports))


def fqdn(host: str, namespace: str) -> str:
    """pkg model/config.go ResolveShortnameToFQDN: only a name without a dot is expanded; `*` is literal."""
    if not host or host == "*" or "." in host or ":" in host:
        return host
    return f"{host}.{namespace}.svc.{CLUSTER_DOMAIN}"


def consolidated(rules: Iterable[DestinationRule]) -> List[MergedRule]:
    """Rules of one namespace for one host, in Istio's order, as it merges them.

    mergeDestinationRule with ENABLE_ENHANCED_DESTINATIONRULE_MERGE, the default.
    """
    present: List[MergedRule] = []
    for rule in rules:
        export_to = _export_to(rule)
        separate = True
        for merged in present:
            if export_to == merged.export_to:
                separate = False
            elif merged.export_to and export_to >= merged.export_to:
                separate = True
            else:
                separate = True
                continue
            both_plain = rule.selector is None and merged.selector is None
            both_selective = rule.selector is not None and merged.selector is not None
            equal = (rule.selector or {}) == (merged.selector or {})
            if both_selective and not equal:
                separate = True
                continue
            if both_plain or (both_selective and equal):
                separate = False
            merged.merge(rule)
        if separate:
            present.append(MergedRule(rule, export_to))
    return present


def _export_to(rule: DestinationRule) -> FrozenSet[str]:
    """A rule with a selector is private to its namespace."""
    return frozenset((".",) if rule.selector is not None else rule.export_to)


def _unanimous(rules: List[DestinationRule]) -> bool:
    """Whether the order of some rules for one host decides nothing: they merge, and nothing in them differs."""
    first = rules[0]
    policies = [rule.policy for rule in rules if rule.policy is not None]
    subsets: Dict[str, Subset] = {}
    return (
        all((rule.export_to, rule.selector) == (first.export_to, first.selector) for rule in rules)
        and all(policy == policies[0] for policy in policies)
        and all(subsets.setdefault(subset.name, subset) == subset for rule in rules for subset in rule.subsets)
    )


class HostRules(NamedTuple):
    """The rules of one namespace for one host, merged."""

    variants: Tuple[List[MergedRule], ...]
    """One for each order by age that may be the true one; none where these are too many to try."""
    contest: str = ""
    """Why there is not one, "" where there is."""


def _host_rules(rules: List[DestinationRule]) -> HostRules:
    """`rules`: in Istio's order, those with a selector first (sortConfigBySelectorAndCreationTime)."""
    if len(rules) == 1 or all(map(dated, rules)) or _unanimous(rules):
        return HostRules((consolidated(rules),))
    selective = [rule for rule in rules if rule.selector is not None]
    plain = [rule for rule in rules if rule.selector is None]
    variants = tuple(consolidated([*first, *last]) for first in orders(selective) for last in orders(plain))
    why = contest("DestinationRule", rules, "counts")
    return HostRules(variants if len(variants) <= MOST_ORDERS else (), why)


class HostIndex:
    """Rules of one namespace by host (consolidatedDestRules)."""

    __slots__ = ("_lengths", "exact", "wildcard")

    def __init__(self) -> None:
        self.exact: Dict[str, HostRules] = {}
        self.wildcard: Dict[str, HostRules] = {}
        self._lengths: Tuple[int, ...] = ()

    def add(self, host: str, rules: List[DestinationRule]) -> None:
        """Takes in all rules for a host, in Istio's order."""
        (self.wildcard if host.startswith("*") else self.exact)[host] = _host_rules(rules)

    def find(self, host: str) -> Optional[HostRules]:
        """The exact host, else the longest wildcard suffix (model/config.go MostSpecificHostMatch)."""
        needle = host
        if host.startswith("*"):
            if host in self.wildcard:
                return self.wildcard[host]
            needle = host[1:]
        elif host in self.exact:
            return self.exact[host]
        if not self.wildcard:
            return None
        if not self._lengths:
            self._lengths = tuple(sorted({len(name) for name in self.wildcard}, reverse=True))
        for length in self._lengths:
            # `*` + the last length-1 characters of the needle.
            if length - 1 <= len(needle):
                found = self.wildcard.get("*" + needle[len(needle) - length + 1 :])
                if found is not None:
                    return found
        return None

    def hosts(self) -> Iterable[str]:
        """Every host that a rule here names."""
        yield from self.exact
        yield from self.wildcard


class DestinationRuleIndex:
    """The DestinationRules that one control plane sees, in the order in which it searches them."""

    def __init__(self, rules: List[DestinationRule], root: str, default_export: Tuple[str, ...]) -> None:
        self.root = root
        self._local: Dict[str, HostIndex] = {}
        self._exported: Dict[str, HostIndex] = {}
        self._root_private = HostIndex()
        self.selective: Dict[str, List[Dict[str, str]]] = {}
        found: Dict[Tuple[str, str], List[DestinationRule]] = {}
        # Rules with a selector come first, then age, name, namespace (sortConfigBySelectorAndCreationTime).
        for rule in sorted(rules, key=lambda item: (item.selector is None, item.age, item.name, item.namespace)):
            found.setdefault((rule.namespace, fqdn(rule.host, rule.namespace)), []).append(rule)
        for (namespace, host), same in found.items():
            self._add(namespace, host, same, default_export)
        self._namespaces_of_host: Dict[str, List[str]] = {}
        self._namespaces_of_suffix: Dict[str, List[str]] = {}
        for namespace, index in self._local.items():
            for host in index.hosts():
                target = self._namespaces_of_suffix if host.startswith("*") else self._namespaces_of_host
                target.setdefault(host, []).append(namespace)
        self._lengths = tuple(sorted({len(name) for name in self._namespaces_of_suffix}))

    def _add(self, namespace: str, host: str, rules: List[DestinationRule], default_export: Tuple[str, ...]) -> None:
        """Takes in all rules of a namespace for a host."""
        local, exported, root_private = [], [], []
        for rule in rules:
            export_to = _export_to(rule)
            if rule.selector is not None:
                known = self.selective.setdefault(namespace, [])
                if rule.selector not in known:
                    known.append(rule.selector)
            if not export_to or export_to & {"*", ".", namespace}:
                local.append(rule)
            private = "." in default_export if not export_to else export_to in ({"."}, {namespace})
            if not private:
                exported.append(rule)
            elif namespace == self.root:
                root_private.append(rule)
        if local:
            self._local.setdefault(namespace, HostIndex()).add(host, local)
        if exported:
            self._exported.setdefault(namespace, HostIndex()).add(host, exported)
        if root_private:
            self._root_private.add(host, root_private)

    def local_namespaces(self, host: str) -> Set[str]:
        """Namespaces whose own rules match a host: their clients may see something else than the rest."""
        found = set(self._namespaces_of_host.get(host, ()))
        for length in self._lengths:
            if length - 1 <= len(host):
                found.update(self._namespaces_of_suffix.get("*" + host[len(host) - length + 1 :], ()))
        if host.startswith("*"):
            found.update(self._namespaces_of_suffix.get(host, ()))
        return found

    def named_namespaces(self, host: str, owner: str) -> Set[str]:
        """Namespaces that the exportTo of a candidate rule names."""
        found: Set[str] = set()
        for namespace in (owner, self.root):
            index = self._exported.get(namespace)
            rules = index.find(host) if index else None
            for variant in rules.variants if rules else ():
                found.update(*(merged.export_to for merged in variant))
        return found - {"*", "."}

    def own(self, client: str, host: str) -> Optional[HostRules]:
        """Step 1: the client's namespace; for clients in root only its private rules."""
        index = self._local.get(client) if client != self.root else self._root_private
        return index.find(host) if index else None

    def exported(self, namespace: str, host: str, client: str) -> HostRules:
        """Steps 2 and 3: the most specific host first, filtered by exportTo afterwards; wildcards are not retried."""
        index = self._exported.get(namespace)
        found = index.find(host) if index else None
        if found is None:
            return _NO_RULES
        return found._replace(
            variants=tuple([merged for merged in variant if merged.exported_to(client)] for variant in found.variants)
        )


_NO_RULES = HostRules(([],))


def choose(rules: List[MergedRule], client: str, labels: Labels) -> Optional[MergedRule]:
    """A rule whose selector matches beats the plain one; of several plain ones the last (sidecar.go)."""
    plain: Optional[MergedRule] = None
    for merged in rules:
        if merged.selector is None:
            plain = merged
        elif merged.namespace == client and matches(merged.selector, labels):
            return merged
    return plain


class Choice(NamedTuple):
    """The DestinationRules that a client may use for a destination: one, but where their order cannot be told."""

    found: List[Optional[MergedRule]]
    contest: str
    doubt: str
    """Why nothing can be said."""

    def settings(self) -> Tuple[Optional[Setting], ...]:
        """What they say, each once."""
        return tuple(dict.fromkeys(rule.setting if rule else None for rule in self.found))


def choice(
    index: DestinationRuleIndex,
    client: Tuple[str, Labels],
    host: str,
    namespaces: Tuple[str, str],
    unread: Callable[[str, str], bool],
) -> Choice:
    """The rule of the client's namespace, of the service's, of the root; the first with any match ends the search.

    `client` is its namespace and labels, `namespaces` the other two, `unread` as Unread.covers (push_context.go
    destinationRule).
    """
    home, labels = client
    own = index.own(home, host)
    if own is not None:
        doubt = "" if own.variants else own.contest
        return Choice([choose(variant, home, labels) for variant in own.variants], own.contest, doubt)
    found: List[Optional[MergedRule]] = []
    contested = ""
    for namespace in namespaces:
        if unread("DestinationRule", namespace):
            return Choice([], "", f"DestinationRules of namespace {namespace} were not read")
        rules = index.exported(namespace, host, home)
        contested = contested or rules.contest
        if not rules.variants:
            return Choice([], "", rules.contest)
        found.extend(choose(variant, home, labels) for variant in rules.variants if variant)
        if all(rules.variants):
            return Choice(found, contested, "")
    return Choice([*found, None], contested, "")
