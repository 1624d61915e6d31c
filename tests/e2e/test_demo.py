"""`rkdeck demo --headless`: the promise of the README."""

import json
import subprocess
import sys
from pathlib import Path

import psutil

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
        cwd=ROOT, capture_output=True, text=True, timeout=150,
    )  # fmt: skip


def test_demo_walks_the_whole_path_and_leaves_nothing_running(tmp_path: Path) -> None:
    done = _demo(tmp_path / "home", "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
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
        if str(tmp_path) in " ".join(process.info["cmdline"] or ())
    ]
    assert left == []


def test_demo_says_that_it_is_simulated(tmp_path: Path) -> None:
    done = _demo(tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert "SIMULATED" in done.stdout.splitlines()[0]
    for step in STEPS:
        assert any(line.strip().startswith(step) for line in done.stdout.splitlines()), step


def test_demo_without_headless_says_that_there_is_no_window_yet() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gui.main", "demo"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "no window yet" in done.stderr
