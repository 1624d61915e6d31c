"""`rkdeck demo --headless`: the promise of the README."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.timeout(400)
ROOT = Path(__file__).parents[2]
STEPS = [
    "found",
    "estimated",
    "downloaded",
    "converted",
    "reached",
    "deployed",
    "answered",
    "watched",
    "done",
]


def _demo(home: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "gui.main", "demo", "--headless", "--home", str(home), *options],
        cwd=ROOT, capture_output=True, text=True, timeout=380,
    )  # fmt: skip


@dataclass(frozen=True)
class Walked:
    """A walk with everything that can be asked of it: what it printed, and the pictures."""

    folder: Path
    lines: list[dict[str, Any]]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    folder = tmp_path_factory.mktemp("walked")
    done = _demo(folder / "home", "--json", "--shots", str(folder / "shots"))
    assert done.returncode == 0, done.stderr
    return Walked(folder, [json.loads(line) for line in done.stdout.splitlines()])


@pytest.mark.slow
def test_demo_walks_the_whole_path_and_leaves_nothing_running(walked: Walked) -> None:
    lines = walked.lines
    assert all(line["schema"] == 1 and line["t_unix_s"] > 1e9 for line in lines)
    steps = [line for line in lines if line["event"] == "step" and line.get("step") in STEPS]
    assert list(dict.fromkeys(step["step"] for step in steps)) == STEPS
    by_name = {step["step"]: step for step in steps}
    assert by_name["estimated"]["ram_bytes"] > by_name["estimated"]["weights_bytes"] > 0
    assert by_name["downloaded"]["bytes_fetched"] > 2_000_000
    assert by_name["converted"]["simulated"] is True
    assert by_name["deployed"]["bytes_sent"] == by_name["converted"]["size_bytes"]
    assert by_name["deployed"]["sha256"] == by_name["converted"]["sha256"]
    assert by_name["answered"]["tokens"] > 0
    before, busy = (step["sample"]["npu_load_percent"] for step in steps if step["step"] == "watched")
    assert max(before) == 0 < max(busy)
    left = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if str(walked.folder) in " ".join(process.info["cmdline"] or ())
    ]
    assert left == []


def test_demo_says_that_it_is_simulated(tmp_path: Path) -> None:
    done = _demo(tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert "SIMULATED" in done.stdout.splitlines()[0]
    for step in STEPS:
        assert any(line.strip().startswith(step) for line in done.stdout.splitlines()), step


def test_a_window_without_a_display_is_refused_in_words() -> None:
    hidden = {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"}
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    for arguments in (["demo"], []):
        done = subprocess.run(
            [sys.executable, "-m", "gui.main", *arguments], cwd=ROOT, capture_output=True, text=True, env=env
        )
        assert done.returncode == 1
        assert "no display" in done.stderr
        assert "Traceback" not in done.stderr


def test_the_demo_takes_the_window_along_and_draws_every_page(walked: Walked) -> None:
    window = [step for step in walked.lines if step.get("step") == "window"]
    assert any("of memory free after" in step.get("verdict", "") for step in window)
    (last,) = (step for step in window if "longest_block_ms" in step)
    assert last["longest_work_ms"] < 250
    # A wait for a disk or network is no work; on a busy machine an empty loop is held up as well.
    assert last["longest_block_ms"] < 1000 + 2 * last["empty_loop_ms"]
    shots = walked.folder / "shots"
    pictures = sorted(path.name for path in shots.iterdir())
    assert len(pictures) == 8 * 2 * 2 + 1
    assert all((shots / name).stat().st_size > 5000 for name in pictures)
