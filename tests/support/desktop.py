"""A real screen (Xvfb), a real window manager (openbox) and a real hand (xdotool) for the window."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.support.waiting import wait_until

PROBE = Path(__file__).with_name("window_probe.py")
ROOT = Path(__file__).parents[2]
SLACK_S = 60.0
_STILL_S = 0.3


@contextlib.contextmanager
def screen(width: int = 1280, height: int = 800) -> Iterator[str]:
    """Start a screen with a window manager; yields the name of the display."""
    reader, writer = os.pipe()
    with subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"],
        pass_fds=[writer], stderr=subprocess.DEVNULL,
    ) as server:  # fmt: skip
        os.close(writer)
        with os.fdopen(reader) as told:
            display = f":{told.readline().strip()}"
        manager = subprocess.Popen(
            ["openbox", "--sm-disable"], env={**os.environ, "DISPLAY": display}, stderr=subprocess.DEVNULL
        )
        try:
            yield display
        finally:
            for process in (manager, server):
                process.terminate()
            manager.wait(10)


class Desktop:
    """One RKDeck on a screen."""

    def __init__(
        self, display: str, folder: Path, *arguments: str, env: dict[str, str] | None = None
    ) -> None:
        self._env = {
            **os.environ, "DISPLAY": display, "QT_QPA_PLATFORM": "xcb", "LANGUAGE": "en", "LC_ALL": "C.UTF-8",
            "TMPDIR": str(folder), **(env or {}),
        }  # fmt: skip
        self._name = str(folder / f"probe-{time.monotonic_ns()}")
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "window.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(PROBE), self._name, *arguments],
                cwd=ROOT, env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._socket: socket.socket | None = None

    def __enter__(self) -> "Desktop":
        wait_until(self._connect, SLACK_S, "the window opens")
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._lines.close()  # holds the socket open
            self._socket.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _connect(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(SLACK_S)
        try:
            made.connect(self._name)
        except OSError:
            made.close()
            return False
        self._socket = made
        self._lines = made.makefile("r")
        return True

    def ask(self, ask: str, **details: object) -> Any:  # noqa: ANN401  # JSON
        """Ask the probe."""
        assert self._socket is not None
        self._socket.sendall(json.dumps({"ask": ask, **details}).encode() + b"\n")
        line = self._lines.readline()
        assert line, self.log.read_text()
        return json.loads(line)

    def wait(
        self,
        name: str,
        condition: Callable[[dict[str, Any]], object] | None = None,
        timeout_s: float = SLACK_S,
    ) -> dict[str, Any]:
        """Wait until a widget is there (and as wanted); returns its place and text."""
        found: dict[str, Any] = {}

        def there() -> bool:
            answer = self.ask("where", name=name)
            if answer is None:
                return False
            found.clear()
            found.update(answer)
            return condition is None or bool(condition(found))

        try:
            wait_until(there, timeout_s, name)
        except AssertionError as error:
            shot = self.log.with_name("failed.png")
            self.shot(shot)
            raise AssertionError(
                f"{error}; last seen {found}; picture {shot}; log {self.log.read_text()[-2000:]}"
            ) from None
        return found

    def text(self, name: str) -> str:
        """What a widget shows."""
        return str(self.wait(name)["text"])

    def row(self, name: str, text: str, timeout_s: float = SLACK_S) -> tuple[int, int]:
        """The place of a list's row with a text."""
        found: list[dict[str, int]] = []

        def there() -> bool:
            answer = self.ask("row", name=name, text=text)
            if answer:
                found[:] = [answer]
            return bool(answer)

        wait_until(there, timeout_s, f"{text} in {name}")
        return found[0]["x"], found[0]["y"]

    def hand(self, *words: object) -> None:
        """Act with xdotool."""
        subprocess.run(["xdotool", *map(str, words)], env=self._env, check=True, timeout=30)

    def click(self, name: str) -> None:
        """Click the middle of a widget that is there and enabled."""
        place = self.wait(name, lambda found: found["enabled"])
        self.click_at(place["x"] + place["width"] // 2, place["y"] + place["height"] // 2)

    def click_at(self, x: int, y: int, button: int = 1) -> None:
        """Click a place."""
        self.hand("mousemove", x, y, "click", button)

    def row_at(self, name: str, text: str, number: int) -> None:
        """Wait until a row with a text is the one with that number: the list has become what was asked for."""

        def there() -> bool:
            answer = self.ask("row", name=name, text=text)
            return bool(answer) and answer["row"] == number

        wait_until(there, SLACK_S, f"{text} as row {number} of {name}")

    def click_row(self, name: str, text: str) -> None:
        """Click a list's row, once it stays where it is: nobody hits what is still moving."""
        place = self.row(name, text)
        while True:
            time.sleep(_STILL_S)
            again = self.row(name, text)
            if again == place:
                break
            place = again
        self.click_at(*place)

    def click_menu(self, text: str) -> None:
        """Click an entry of an open menu."""
        entries: list[dict[str, Any]] = []

        def there() -> bool:
            entries[:] = [entry for entry in self.ask("menu") if text in entry["text"] and entry["enabled"]]
            return bool(entries)

        wait_until(there, SLACK_S, f"menu entry {text}")
        self.click_at(entries[0]["x"], entries[0]["y"])

    def type(self, text: str) -> None:
        """Type on the keyboard."""
        self.hand("type", "--delay", 15, text)

    def key(self, *keys: str) -> None:
        """Press keys one after the other, such as `ctrl+2` or `Tab`."""
        self.hand("key", "--delay", 30, *keys)

    def press_and_move(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Press the button and move, as the first half of a drag."""
        self.hand("mousemove", *start, "mousedown", 1)
        self.move(start, end)

    def move(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Move in steps as a hand does: the window system needs several motions to see a drag."""
        for step in range(1, 21):
            share = step / 20
            self.hand("mousemove", *(round(a + (b - a) * share) for a, b in zip(start, end, strict=True)))
            time.sleep(0.02)

    def shot(self, path: Path) -> Path:
        """Take a picture of the screen."""
        path.parent.mkdir(parents=True, exist_ok=True)
        assert self.ask("shot", path=str(path))
        return path

    def close_window(self) -> None:
        """As the user does: through the window manager."""
        self.key("alt+F4")
