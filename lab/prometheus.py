"""A real Prometheus for tests: Debian's package, unpacked and never installed, with a folder and a port of its own."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import debian
from lab.cache import Artifact
from lab.commands import run
from lab.errors import LabError

SERVER = "usr/bin/prometheus"
TOOL = "usr/bin/promtool"
LOOPBACK = "127.0.0.1"
_PATIENCE = 30
_STOP_PATIENCE = 10


def artifact() -> Artifact:
    """The unpacked package; `SERVER` and `TOOL` are the paths of the two programs in it.

    Of what the package depends on they need libc only; the rest is for its web pages.
    """
    return debian.tree("prometheus", ("prometheus",))


def load(series: str, data: Path) -> None:
    """Write recorded series (OpenMetrics text with timestamps, `# EOF` at its end) into a data folder, as blocks."""
    data.mkdir(parents=True, exist_ok=True)
    source = data.parent / f"{data.name}.openmetrics"
    source.write_text(series)
    run(
        [artifact().path / TOOL, "tsdb", "create-blocks-from", "openmetrics", source, data],
        log=data.parent / "promtool.log",
        failure="promtool could not make blocks of the recorded series",
    )


@contextmanager
def running(data: Path, address: str = LOOPBACK, port: int = 0) -> Iterator[str]:
    """A Prometheus over a data folder, on a free port unless one is given; yields its URL, and ends with the context.

    It scrapes nothing. Reaching it through anything but loopback needs an address of the lab.
    """
    configuration = data.parent / f"{data.name}.yml"
    configuration.write_text("global: {}\n")
    url = f"http://{address}:{port or _free_port(address)}"
    log = data.parent / f"{data.name}.log"
    with log.open("ab") as output:
        server = subprocess.Popen(
            [
                artifact().path / SERVER,
                f"--config.file={configuration}",
                f"--storage.tsdb.path={data}",
                f"--web.listen-address={url.removeprefix('http://')}",
                "--log.level=warn",
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(server, url, log)
        yield url
    finally:
        server.terminate()
        try:
            server.wait(_STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _free_port(address: str) -> int:
    with socket.socket() as listener:
        listener.bind((address, 0))
        return int(listener.getsockname()[1])


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while server.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise LabError(f"Prometheus at {url} is not ready", log)
