"""`rkdeck monitor` watches as the window does: a board that goes away comes back, one that never answers is told."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from core.base.paths import AppPaths
from core.boards.records import Board
from tests.support.sshd import ROOT
from tests.support.watched import Place, boards_in


@pytest.fixture
def place(paths: AppPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    # Whoever runs the tests keeps their own keys out of this.
    monkeypatch.setenv("HOME", str(tmp_path))
    with boards_in(paths, tmp_path) as place:
        yield place


@contextmanager
def monitoring(paths: AppPaths, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    # A shell that starts the tests in the background lets them ignore the interrupt.
    python = ["env", "--default-signal=INT", sys.executable]
    command = [*python, "-m", "gui.main", "monitor", *arguments, "--json", "--home", str(paths.home)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as run:
        try:
            yield run
        finally:
            run.kill()


def until(run: "subprocess.Popen[str]", wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first line that is wanted; pytest's own limit ends a wait for ever."""
    assert run.stdout is not None
    for line in run.stdout:
        value: dict[str, Any] = json.loads(line)
        if wanted(value):
            return value
    raise AssertionError("it ended before")


def test_a_board_that_restarts_is_up_again_without_being_asked(place: Place) -> None:
    place.switch_on("desk")
    with monitoring(place.paths, "desk", "--interval", "0.2") as run:
        until(run, lambda line: line.get("link") == "up")
        place.boards["desk"].stop()
        down = until(run, lambda line: line.get("link") == "down")
        assert (down["event"], down["board"]) == ("result", "desk")
        assert down["npu_hz"] is None
        place.switch_on("desk")
        until(run, lambda line: line.get("link") == "up")
        run.send_signal(signal.SIGINT)
        assert run.wait() == 0


def test_a_board_that_never_answers_is_an_error_and_holds_up_nobody(place: Place, tmp_path: Path) -> None:
    place.switch_on("desk")
    place.registry.add(Board("gone", "127.0.0.1", 9, "nobody", place.key))
    with monitoring(place.paths, "gone", "desk", "--interval", "0.2", "--samples", "3") as run:
        assert run.stdout is not None
        lines = [json.loads(line) for line in run.stdout]
        assert run.wait() == 1
    errors = [line for line in lines if line["event"] == "error"]
    assert [(line["board"], line["error"]["code"]) for line in errors] == [("gone", "remote.refused")]
    assert [line["link"] for line in lines if line["event"] == "result"] == ["up"] * 3


@pytest.mark.parametrize(
    ("seconds", "code"),
    [("nan", "cli.usage"), ("0", "cli.interval"), ("-1", "cli.interval"), ("1e9", "cli.interval")],
)
def test_an_interval_that_is_none_is_told(place: Place, seconds: str, code: str) -> None:
    place.registry.add(Board("gone", "127.0.0.1", 9, "nobody", place.key))
    with monitoring(place.paths, "gone", f"--interval={seconds}") as run:
        assert until(run, lambda line: "error" in line)["error"]["code"] == code
        assert run.wait() == 2
