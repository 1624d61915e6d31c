"""Asking what somebody calls a toolkit: a stranger's program, which may print for ever, say nothing, or stay behind."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from core.base.errors import RKDeckError
from core.convert import toolkits
from core.convert.toolkits import check_toolkit
from core.jobs.foreign import Bounds
from tests.support.waiting import wait_until

SLACK_S = 60


def program(folder: Path, script: str) -> Path:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def asleep(number: int) -> str:
    """Seconds that nobody else sleeps for, by which the sleeper is known."""
    return f"{100 + number}.{os.getpid()}"


def sleepers(seconds: str) -> list[psutil.Process]:
    return [
        found for found in psutil.process_iter(["cmdline"]) if found.info["cmdline"] == ["sleep", seconds]
    ]


LEAVES = {
    "a session of its own": "setsid sleep {s} &",
    "a daemon": "(setsid sh -c 'sleep {s} & exit 0' &)",
    "one that ignores signals": "(trap '' TERM HUP INT; setsid sleep {s}) &",
    "one without the pipes": "setsid sleep {s} </dev/null >/dev/null 2>&1 &",
}


@pytest.mark.timeout(SLACK_S)
@pytest.mark.parametrize("number", range(len(LEAVES)), ids=[*LEAVES])
@pytest.mark.parametrize(
    "end", ["exit 0", f'exec {sys.executable} "$@"', "kill -9 $$"], ids=["ends", "answers", "killed"]
)
def test_nothing_of_a_check_is_left(tmp_path: Path, number: int, end: str) -> None:
    seconds = asleep(number)
    script = [*LEAVES.values()][number].format(s=seconds)
    with pytest.raises(RKDeckError):
        check_toolkit(program(tmp_path, f"{script}\n{end}"))
    assert sleepers(seconds) == []


@pytest.mark.timeout(SLACK_S)
@pytest.mark.parametrize(
    "script", ["yes", "exec yes >&2", "cat /dev/zero", 'exec yes "{}" >/proc/self/fd/$RKDECK_EVENTS_FD']
)
def test_who_prints_without_end_is_refused_at_once_and_not_after_all_its_time(
    tmp_path: Path, script: str
) -> None:
    with pytest.raises(RKDeckError) as refused:
        check_toolkit(program(tmp_path, script))
    assert refused.value.code == "convert.toolkit_endless"


@pytest.mark.timeout(SLACK_S)
def test_who_says_nothing_is_not_waited_for_as_long_as_an_import_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolkits, "_BOUNDS", Bounds(whole_s=180, start_s=1, output_bytes=1 << 20))
    with pytest.raises(RKDeckError) as refused:
        check_toolkit(program(tmp_path, f"echo hello; sleep {asleep(109)}"))
    assert (refused.value.code, refused.value.facts["last_line"]) == ("convert.toolkit_silent", "hello")
    assert sleepers(asleep(109)) == []


@pytest.mark.timeout(SLACK_S)
def test_who_kills_its_keeper_ends_with_it(tmp_path: Path) -> None:
    with pytest.raises(RKDeckError):
        check_toolkit(program(tmp_path, f"kill -9 $PPID\nexec sleep {asleep(107)}"))
    wait_until(lambda: not sleepers(asleep(107)), timeout_s=30)


@pytest.mark.timeout(SLACK_S)
def test_the_end_of_who_asked_ends_the_check(tmp_path: Path) -> None:
    """Killed, so that nothing of it could clean up."""
    asks = "import sys, pathlib, core.convert.toolkits as it; it.check_toolkit(pathlib.Path(sys.argv[1]))"
    path = program(tmp_path, f"setsid sleep {asleep(108)} &\nsleep {asleep(108)}")
    with subprocess.Popen([sys.executable, "-c", asks, str(path)]) as front_end:
        wait_until(lambda: len(sleepers(asleep(108))) == 2, timeout_s=30)
        front_end.kill()
    wait_until(lambda: not sleepers(asleep(108)), timeout_s=30)
