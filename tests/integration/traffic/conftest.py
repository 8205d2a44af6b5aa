"""A real Prometheus over recorded series, on loopback, and the module as a task runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from lab import prometheus
from tests.cluster_runs import module
from tests.integration.traffic.series import Recorded, openmetrics

Result = dict[str, Any]


@pytest.fixture(scope="session")
def programs() -> Path:
    """The unpacked package, fetched once for each user."""
    artifact = prometheus.artifact()
    artifact.ensure()
    return artifact.path


@pytest.fixture
def record(programs: Path, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Starts a Prometheus that holds some series, and returns its URL."""
    with ExitStack() as servers:

        def start(*recorded: Recorded) -> str:
            data = tmp_path / "prometheus"
            if recorded:
                prometheus.load(openmetrics(recorded), data)
            return servers.enter_context(prometheus.running(data))

        yield start


@pytest.fixture
def seen() -> Callable[..., Result]:
    """What the module would return, in this process, which saves a run of Ansible for each row of a table."""
    # pytest-ansible makes collections importable only after it has read the first conftest.py
    from ansible_collections.meshproof.mtls.plugins.module_utils import _cluster as api
    from ansible_collections.meshproof.mtls.plugins.module_utils._source import traffic
    from ansible_collections.meshproof.mtls.plugins.module_utils._source.options import TrafficOptions

    def read(**arguments: Any) -> Result:
        options = ArgumentSpecValidator(traffic.ARGUMENT_SPEC).validate(arguments)
        assert options.error_messages == []
        found: Result = traffic.read(
            TrafficOptions.of(options.validated_parameters), lambda: api.connect(options.validated_parameters)
        )
        return found

    return read


@pytest.fixture
def traffic_info() -> Callable[..., Result]:
    """Runs the module as a task would."""
    return partial(module, "traffic_info")
