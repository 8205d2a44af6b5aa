# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which DestinationRule a client uses for a host (semantics, section 3.1).

A port of pilot/pkg/model/push_context.go setDestinationRules and destinationRule, and destination_rule.go
mergeDestinationRule, line by line where two readings were possible.
"""

from __future__ import annotations

import copy
from typing import Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Set, Tuple

from .membership import matches
from .mesh import CLUSTER_DOMAIN
from .records import UNCLEAR_MODE, UNDATED, YOUNGEST, DestinationRule, Labels, Policy, Selector, Subset, Tls


class Setting(NamedTuple):
    """What a rule says, without its name: clients under rules that say the same get the same answers."""

    policy: Optional[Policy]
    subsets: Tuple[Subset, ...]
    selective: bool


UNCLEAR = Policy(Tls(UNCLEAR_MODE, False, False), None, ())
"""Instead of the policies of rules of which nobody knows which is older."""


class MergedRule:
    """One rule, or several for the same host merged: the first traffic policy whole, all subsets by their names."""

    __slots__ = ("_setting", "export_to", "names", "namespace", "policy", "selector", "subsets", "undated")

    def __init__(self, rule: DestinationRule, export_to: FrozenSet[str]) -> None:
        self.namespace = rule.namespace
        self.selector: Selector = rule.selector
        self.export_to = export_to
        self.policy: Optional[Policy] = rule.policy
        self.subsets: Dict[str, Subset] = {}
        self.undated = rule.age == UNDATED
        """Whether one of them has no time, so that nobody knows which is older."""
        self._setting: Optional[Setting] = None
        self.names = [f"{rule.namespace}/{rule.name}"]
        self._add_subsets(rule)

    def merge(self, rule: DestinationRule) -> None:
        """Keeps what is there: an older rule with only a load balancer discards a newer rule's TLS."""
        self.names.append(f"{rule.namespace}/{rule.name}")
        self.undated = self.undated or rule.age == UNDATED
        self._add_subsets(rule)
        if self.policy is None:
            self.policy = rule.policy
        elif self.undated and rule.age != YOUNGEST and rule.policy not in (None, self.policy):
            self.policy = UNCLEAR

    def _add_subsets(self, rule: DestinationRule) -> None:
        for subset in rule.subsets:
            present = self.subsets.setdefault(subset.name, subset)
            if self.undated and present.policy != subset.policy:
                self.subsets[subset.name] = present._replace(policy=UNCLEAR)

    @property
    def setting(self) -> Setting:
        """What it says."""
        if self._setting is None:
            subsets = tuple(self.subsets[name] for name in sorted(self.subsets))
            self._setting = Setting(self.policy, subsets, self.selector is not None)
        return self._setting

    def after(self, other: MergedRule) -> MergedRule:
        """Of two that stay separate the younger one; without their times what they differ in cannot be told."""
        if not (self.undated or other.undated) or self.setting == other.setting:
            return self
        both = copy.copy(self)
        both.policy, both.names, both._setting = UNCLEAR, [*other.names, *self.names], None
        return both

    def exported_to(self, namespace: str) -> bool:
        """Whether clients of a namespace see it from outside."""
        return not self.export_to or "*" in self.export_to or namespace in self.export_to

    def __str__(self) -> str:
        return " + ".join(self.names)


def fqdn(host: str, namespace: str) -> str:
    """pkg model/config.go ResolveShortnameToFQDN: only a name without a dot is expanded; `*` is literal."""
    if not host or host == "*" or "." in host or ":" in host:
        return host
    return f"{host}.{namespace}.svc.{CLUSTER_DOMAIN}"


class HostIndex:
    """Rules of one namespace by host (consolidatedDestRules)."""

    __slots__ = ("_lengths", "exact", "wildcard")

    def __init__(self) -> None:
        self.exact: Dict[str, List[MergedRule]] = {}
        self.wildcard: Dict[str, List[MergedRule]] = {}
        self._lengths: Tuple[int, ...] = ()

    def add(self, host: str, rule: DestinationRule, export_to: FrozenSet[str]) -> None:
        """mergeDestinationRule with ENABLE_ENHANCED_DESTINATIONRULE_MERGE, the default."""
        target = self.wildcard if host.startswith("*") else self.exact
        present = target.setdefault(host, [])
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

    def find(self, host: str) -> Optional[List[MergedRule]]:
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
        # Rules with a selector come first, then age, name, namespace (sortConfigBySelectorAndCreationTime).
        for rule in sorted(rules, key=lambda item: (item.selector is None, item.age, item.name, item.namespace)):
            self._add(rule, default_export)
        self._namespaces_of_host: Dict[str, List[str]] = {}
        self._namespaces_of_suffix: Dict[str, List[str]] = {}
        for namespace, index in self._local.items():
            for host in index.hosts():
                target = self._namespaces_of_suffix if host.startswith("*") else self._namespaces_of_host
                target.setdefault(host, []).append(namespace)
        self._lengths = tuple(sorted({len(name) for name in self._namespaces_of_suffix}))

    def _add(self, rule: DestinationRule, default_export: Tuple[str, ...]) -> None:
        host = fqdn(rule.host, rule.namespace)
        export_to = frozenset(rule.export_to)
        if rule.selector is not None:
            # A rule with a selector is private to its namespace.
            export_to = frozenset((".",))
            known = self.selective.setdefault(rule.namespace, [])
            if rule.selector not in known:
                known.append(rule.selector)
        if not export_to or export_to & {"*", ".", rule.namespace}:
            self._local.setdefault(rule.namespace, HostIndex()).add(host, rule, export_to)
        private = "." in default_export if not export_to else export_to in ({"."}, {rule.namespace})
        if not private:
            self._exported.setdefault(rule.namespace, HostIndex()).add(host, rule, export_to)
        elif rule.namespace == self.root:
            self._root_private.add(host, rule, export_to)

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
            for merged in (index.find(host) or ()) if index else ():
                found.update(merged.export_to)
        return found - {"*", "."}

    def own(self, client: str, host: str) -> Optional[List[MergedRule]]:
        """Step 1: the client's namespace; for clients in root only its private rules."""
        index = self._local.get(client) if client != self.root else self._root_private
        return index.find(host) if index else None

    def exported(self, namespace: str, host: str, client: str) -> List[MergedRule]:
        """Steps 2 and 3: the most specific host first, filtered by exportTo afterwards; wildcards are not retried."""
        index = self._exported.get(namespace)
        found = index.find(host) if index else None
        return [merged for merged in found or () if merged.exported_to(client)]


def choose(rules: List[MergedRule], client: str, labels: Labels) -> Optional[MergedRule]:
    """A rule whose selector matches beats the plain one; of several plain ones the last (sidecar.go)."""
    plain: Optional[MergedRule] = None
    for merged in rules:
        if merged.selector is None:
            plain = merged if plain is None else merged.after(plain)
        elif merged.namespace == client and matches(merged.selector, labels):
            return merged
    return plain
