# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A browser driven by its DevTools protocol over a pair of pipes: no port, no network, no library."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.browser import chromium

_PATIENCE = 60.0
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--hide-scrollbars"),
    *("--no-first-run", "--disable-background-networking", "--force-color-profile=srgb", "--disable-breakpad"),
    # Nothing has an address: whatever would leave this machine fails, and is seen.
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


class Browser:
    """One process. `events` are what it told since the last look."""

    def __init__(self, process: subprocess.Popen[bytes], to_browser: int, from_browser: int) -> None:
        self.process, self._out, self._in = process, to_browser, from_browser
        self._number, self._rest = 0, b""
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Ask something and wait for the answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + _PATIENCE
        while True:
            answer = self._next(until)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                found: dict[str, Any] = answer["result"]
                return found
            self.events.append(answer)

    def wait_for(self, method: str, session: str) -> None:
        """Wait for an event."""
        until = time.monotonic() + _PATIENCE
        while not any(event.get("method") == method and event.get("sessionId") == session for event in self.events):
            self.events.append(self._next(until))

    def _next(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise AssertionError("the browser does not answer")
            data = os.read(self._in, 1 << 20)
            if not data:
                raise AssertionError("the browser ended")
            self._rest += data
        message, self._rest = self._rest.split(b"\0", 1)
        found: dict[str, Any] = json.loads(message)
        return found


class Page:
    """One tab, with everything that it logged or asked for."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.target = target
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask this tab."""
        return self.browser.call(method, self.session, **params)

    def show(
        self,
        width: int,
        dark: bool = False,
        script: bool = True,
        media: str = "",
        height: int = 900,
        motion: bool = False,
    ) -> None:
        """How it is shown from now on."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "" if motion else "reduce"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme, still])
        self.call("Emulation.setScriptExecutionDisabled", value=not script)

    def open(self, path: Path) -> None:
        """Load a file."""
        self.browser.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        self.browser.wait_for("Page.loadEventFired", self.session)

    def ask(self, expression: str) -> Any:
        """What an expression gives, which must be JSON."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key."""
        codes = {"Tab": 9, "ArrowDown": 40, "ArrowUp": 38, "Home": 36, "End": 35, "Enter": 13}
        # A key with a text does what it does in a form: Enter presses a button.
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown" if text else "rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key], **text)

    def type(self, text: str) -> None:
        """Type a text into what has the focus."""
        self.call("Input.insertText", text=text)

    def picture(self, path: Path, whole: bool = False, height: int | None = None) -> bytes:
        """A screenshot: of what is seen, of the first `height` pixels, or of the whole page."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"] if whole else height, "scale": 1}
        options = {"clip": clip, "captureBeyondViewport": True} if whole or height else {}
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png", **options)["data"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return data

    def complaints(self) -> list[str]:
        """What the console said: errors, violations of the page's own policy, exceptions."""
        found = []
        for event in self.browser.events:
            params = event.get("params", {})
            if event.get("method") == "Log.entryAdded":
                found.append(params["entry"]["text"])
            elif event.get("method") in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
                found.append(json.dumps(params))
        return found

    def requests(self) -> list[str]:
        """What it asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.browser.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def close(self) -> None:
        """Close the tab."""
        self.browser.call("Target.closeTarget", targetId=self.target)


def _become_3_and_4(one: int, other: int) -> None:
    """Both go out of the way first: each could have the number that the other is to get."""
    copies = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 10) for descriptor in (one, other)]
    os.dup2(copies[0], 3)
    os.dup2(copies[1], 4)


@contextmanager
def browser(scratch: Path) -> Iterator[Browser]:
    """A running browser, which ends with the block."""
    with chromium.program(scratch) as (command, environment):
        # The browser reads from its descriptor 3 and writes to 4.
        for_browser, ours_to_write = os.pipe()
        ours_to_read, from_browser = os.pipe()
        log = (scratch / "browser.log").open("wb")
        process = subprocess.Popen(
            [*command, *_OPTIONS, f"--user-data-dir={scratch / 'profile'}"],
            env=environment,
            pass_fds=(3, 4),
            preexec_fn=lambda: _become_3_and_4(for_browser, from_browser),
            stdout=log,
            stderr=log,
        )
        os.close(for_browser)
        os.close(from_browser)
        try:
            yield Browser(process, ours_to_write, ours_to_read)
        finally:
            os.close(ours_to_write)
            process.terminate()
            process.wait(20)
            os.close(ours_to_read)
            log.close()
