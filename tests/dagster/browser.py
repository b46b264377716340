"""A headless Chromium, driven over its DevTools protocol: open a page, press keys, ask what is there.

https://chromedevtools.github.io/devtools-protocol/. Tests that need it are skipped where no Chromium is installed.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="no Chromium here: install the package `chromium`")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--remote-debugging-port=0", "--window-size=1300,900",
)  # fmt: skip
PATIENCE = 30.0


class Browser:
    """One tab. What it does is done when the call returns; a page that does not come is a TimeoutError."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._calls, self.console = socket, 0, list[str]()
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol and its result."""
        self._calls += 1
        self._socket.send(json.dumps({"id": self._calls, "method": method, "params": parameters}))
        return self._until(lambda message: message.get("id") == self._calls).get("result", {})

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)
        self._until(lambda message: message.get("method") == "Page.loadEventFired")

    def press(self, key: str, loads: bool = True) -> None:
        """Press a key, and wait for the page that it leads to."""
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)
        if loads:
            self._until(lambda message: message.get("method") == "Page.loadEventFired")

    def evaluate(self, expression: str) -> Any:
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return found["result"].get("value")

    def _until(self, wanted: Any) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while True:
            message: dict[str, Any] = json.loads(self._socket.recv(timeout=max(deadline - time.monotonic(), 0.01)))
            if message.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
                self.console.append(json.dumps(message["params"]))
            if wanted(message):
                return message


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser with a profile of its own, ended with the block."""
    assert PROGRAM
    started = subprocess.Popen(
        [PROGRAM, *QUIET, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # its helpers end with it
    )
    try:
        port = _port_of(profile)
        (tab,) = (t for t in httpx.get(f"http://127.0.0.1:{port}/json/list").json() if t["type"] == "page")
        with connect(tab["webSocketDebuggerUrl"], max_size=None) as socket:
            yield Browser(socket)
    finally:
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()


def _port_of(profile: Path) -> int:
    file, deadline = profile / "DevToolsActivePort", time.monotonic() + PATIENCE
    while not (file.is_file() and file.read_text().count("\n")):
        if time.monotonic() > deadline:
            raise TimeoutError("Chromium did not open its port")
        time.sleep(0.05)
    return int(file.read_text().splitlines()[0])
