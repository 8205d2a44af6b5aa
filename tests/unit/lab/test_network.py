from __future__ import annotations

from itertools import combinations

import pytest

from lab.network import INSTANCES, Addresses


@pytest.mark.parametrize(
    ("instance", "link", "host", "node", "pods", "services"),
    [
        (0, "mplab0", "198.18.254.1", "198.18.254.2", "198.18.0.0/21", "198.19.0.0/21"),
        (1, "mplab1", "198.18.254.5", "198.18.254.6", "198.18.8.0/21", "198.19.8.0/21"),
        (15, "mplab15", "198.18.254.61", "198.18.254.62", "198.18.120.0/21", "198.19.120.0/21"),
    ],
)
def test_addresses(instance: int, link: str, host: str, node: str, pods: str, services: str) -> None:
    addresses = Addresses(instance)
    found = (addresses.link, *map(str, (addresses.host, addresses.node, addresses.pods, addresses.services)))
    assert found == (link, host, node, pods, services)


def test_labs_do_not_overlap() -> None:
    labs = [Addresses(instance) for instance in range(INSTANCES)]
    for one, other in combinations(labs, 2):
        assert not one.pods.overlaps(other.pods)
        assert not one.services.overlaps(other.services)
        assert {one.host, one.node}.isdisjoint({other.host, other.node})
    assert not any(lab.node in other.pods for lab in labs for other in labs)
