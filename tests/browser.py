"""A headless Chromium that a test steers with keys, over a pipe and with nothing but the standard library."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pathlib import Path

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)

_SWITCHES = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-extensions --remote-debugging-pipe"
)
_STARTER = """
import fcntl, os, sys
# Chromium takes commands on descriptor 3 and answers on 4.
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
for end, number in zip(ends, (3, 4)):
    os.dup2(end, number)
os.execv(sys.argv[3], sys.argv[3:])
"""
_CODES = {
    "Escape": 27,
    "Enter": 13,
    "Tab": 9,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
}
_PATIENCE_S = 20
_DEADLINE_S = 60


class Browser:
    """One page; commands are those of the DevTools protocol."""

    def __init__(self, folder: Path) -> None:
        """Start Chromium with its profile and downloads in a folder."""
        assert CHROMIUM
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", _STARTER, str(commands), str(answers)),
                *(CHROMIUM, *_SWITCHES.split(), f"--user-data-dir={folder / 'profile'}"),
                "about:blank",
            ],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._buffer = b""
        self._number = 0
        self._session: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []
        self.downloads = folder / "downloads"
        target = next(
            each for each in self.send("Target.getTargets")["targetInfos"] if each["type"] == "page"
        )
        attached = self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.send(
            "Browser.setDownloadBehavior",
            behavior="allow",
            downloadPath=str(self.downloads),
            eventsEnabled=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._read)
        os.close(self._write)

    def send(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send a command and wait for its result."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters, **self._session}
        os.write(self._write, json.dumps(command).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]

    def wait_for(self, method: str, **wanted: object) -> dict[str, Any]:
        """Wait for an event whose parameters include some."""
        while True:
            for event in self.events:
                if event["method"] == method and wanted.items() <= event["params"].items():
                    self.events.remove(event)
                    return event["params"]
            self._next()

    def open(self, page: Path | str) -> None:
        """Open a local page, or one at an address, and wait until it is loaded."""
        self.events.clear()
        self.send("Page.navigate", url=page if isinstance(page, str) else page.as_uri())
        self.wait_for("Page.loadEventFired")

    def press(self, *keys: str) -> None:
        """Press keys one after the other, named as in `KeyboardEvent.key`."""
        for key in keys:
            code = _CODES.get(key, ord(key.upper()) if key.isalnum() and len(key) == 1 else 0)
            typed = {"windowsVirtualKeyCode": code, **({"text": key} if len(key) == 1 else {})}
            self.send("Input.dispatchKeyEvent", type="keyDown", key=key, **typed)
            self.send("Input.dispatchKeyEvent", type="keyUp", key=key)

    def type(self, text: str) -> None:
        """Insert text where the focus is."""
        self.send("Input.insertText", text=text)

    def ask(self, expression: str) -> Any:
        """Evaluate JavaScript and return its value."""
        result = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until JavaScript on the page finds an expression true."""
        is_true = self.ask(
            f"""new Promise((resolve) => {{
              const end = performance.now() + {_DEADLINE_S * 1000};
              const look = () => ({expression}) ? resolve(true)
                : performance.now() > end ? resolve(false) : setTimeout(look, 50);
              look();
            }})"""
        )
        assert is_true, f"not so after {_DEADLINE_S} s: {expression}"

    def click(self, selector: str) -> None:
        """Click the middle of an element, which must be seen there."""
        place = self.ask(
            f"""(() => {{
              const node = document.querySelector({json.dumps(selector)});
              node.scrollIntoView({{ block: "center" }});
              const box = node.getBoundingClientRect();
              const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
              return node.contains(document.elementFromPoint(x, y)) ? [x, y] : null;
            }})()"""
        )
        assert place, f"{selector} is covered or not shown"
        at = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
        self.send("Input.dispatchMouseEvent", type="mousePressed", **at)
        self.send("Input.dispatchMouseEvent", type="mouseReleased", **at)

    def downloaded(self) -> bytes:
        """Wait for a download and return it."""
        name = self.wait_for("Browser.downloadWillBegin")["suggestedFilename"]
        self.wait_for("Browser.downloadProgress", state="completed")
        content = (self.downloads / name).read_bytes()
        (self.downloads / name).unlink()
        return content

    def complaints(self, *, service: str | None = None) -> list[dict[str, Any]]:
        """What went wrong on the page so far, and every request it made but for itself or to a service."""
        self.ask("1")
        bad = ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")
        found = [event for event in self.events if event["method"] in bad]
        sent = [event for event in self.events if event["method"] == "Network.requestWillBeSent"]
        expected = ("data:", "blob:", service) if service else ("data:", "blob:")
        return found + [
            event
            for event in sent
            if not event["params"]["request"]["url"].startswith(expected)
            and event["params"].get("type") != "Document"
        ]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], _PATIENCE_S)
            piece = os.read(self._read, 1 << 16) if ready else b""
            assert piece, "Chromium ended, or says nothing"
            self._buffer += piece
        raw, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(raw)
        if "method" in message:
            self.events.append(message)
        return message
