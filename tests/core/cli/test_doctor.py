"""`rkdeck doctor` as a program: what it prints, what it asks, what it changes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.core.boards.trees import user_of_rk3576
from tests.core.cli.test_board import Terminal
from tests.core.deploy.models import real_file
from tests.support.libraries import library_bytes
from tests.support.sshd import ROOT, SshServer, openssh


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with openssh(tmp_path_factory.mktemp("sshd")) as running:
        yield running


def program(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "gui.main", *arguments, "--home", str(home)]


def rkdeck(home: Path, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
    done = subprocess.run(
        [*program(home, *arguments), "--json"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == exit_code, f"{arguments}: {done.stdout}\n{done.stderr}"
    return dict(json.loads(done.stdout))


@pytest.fixture
def home(server: SshServer, tmp_path: Path) -> Path:
    """A home folder with one board in need, whose files are below `root`."""
    folder = tmp_path / "home"
    rkdeck(
        folder, "board", "add", "lab", f"{server.user}@127.0.0.1:{server.port}", "--identity", str(server.key_file),
        "--accept-host-key", server.fingerprint, "--sysroot", str(user_of_rk3576(tmp_path / "root")),
        "--store", str(tmp_path / "store"),
    )  # fmt: skip
    return folder


def test_document(home: Path, tmp_path: Path) -> None:
    model = real_file(tmp_path / "Qwen3_w8a8_rk3588.rkllm")
    document = rkdeck(home, "doctor", "lab", "--model", str(model), "--context", "2048", exit_code=3)
    assert (document["board"], document["model"], document["verdict"]) == ("lab", str(model), "failed")
    checks = document["checks"]
    assert all(
        {"check", "verdict", "code", "facts", "finding", "remedy", "fix"} == set(entry) for entry in checks
    )
    assert {entry["verdict"] for entry in checks} <= {"ok", "warning", "failed", "unknown"}
    clocks = next(entry for entry in checks if entry["check"] == "clocks")
    assert clocks["finding"] == "The NPU stands at 300 of 950 MHz: models run that much slower."
    assert clocks["remedy"]
    assert len(clocks["fix"]["commands"]) == len(clocks["fix"]["undo"]) == 3


def test_the_exit_code_tells_of_the_model_alone(home: Path, tmp_path: Path) -> None:
    rkdeck(home, "doctor", "lab", exit_code=0)
    torn = tmp_path / "torn.rkllm"
    torn.write_bytes(real_file(tmp_path / "Qwen3_w8a8_rk3576.rkllm").read_bytes()[:5000])
    document = rkdeck(home, "doctor", "lab", "--model", str(torn), exit_code=3)
    failed = {entry["check"] for entry in document["checks"] if entry["verdict"] == "failed"}
    assert "model_file" in failed


@pytest.mark.parametrize("tokens", ["0", "-5", "1e3", "4096 tokens"])
def test_a_context_is_a_number_of_tokens(tmp_path: Path, tokens: str) -> None:
    done = subprocess.run(
        program(tmp_path, "doctor", "lab", f"--context={tokens}"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert f"{tokens} is not a number of tokens" in done.stderr


def test_words(home: Path) -> None:
    done = subprocess.run(
        program(home, "doctor", "lab"), cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith("      ok  Radxa ROCK 4D: RK3576 with 2 NPU cores")
    assert any(line.startswith(" WARNING  The NPU driver is rknpu 0.9.6") for line in lines)
    assert any(line.strip() == "RKDeck can do it: rkdeck doctor lab --fix performance" for line in lines)
    assert "altogether" in lines[-1]


def test_a_script_changes_nothing_without_yes(home: Path, tmp_path: Path) -> None:
    governor = tmp_path / "root/sys/class/devfreq/27700000.npu/governor"
    document = rkdeck(home, "doctor", "lab", "--fix", "performance", exit_code=2)
    assert document["error"]["code"] == "cli.needs_yes"
    assert governor.read_text() == "rknpu_ondemand\n"
    document = rkdeck(home, "doctor", "lab", "--fix", "performance", "--yes")
    assert document["fixed"] == "performance"
    assert governor.read_text() == "performance\n"
    for command in document["undo"]:
        subprocess.run(["sh", "-c", command], check=True)
    assert governor.read_text() == "rknpu_ondemand\n"


@pytest.mark.parametrize(("answer", "after"), [("n", "rknpu_ondemand\n"), ("y", "performance\n")])
def test_somebody_is_shown_the_commands_and_asked(
    home: Path, tmp_path: Path, answer: str, after: str
) -> None:
    terminal = Terminal(program(home, "doctor", "lab", "--fix", "performance"))
    terminal.answer("Run this? [y/N]", answer)
    assert terminal.end() == (0 if answer == "y" else 3)
    assert "'performance' > " in terminal.shown
    assert (tmp_path / "root/sys/class/devfreq/27700000.npu/governor").read_text() == after


def test_what_makes_no_sense(home: Path, tmp_path: Path) -> None:
    assert rkdeck(home, "doctor", "nobody", exit_code=2)["error"]["code"] == "boards.unknown"
    document = rkdeck(home, "doctor", "lab", "--fix", "reboot", exit_code=2)
    assert document["error"]["code"] == "doctor.fix_unknown"
    assert "performance" in document["error"]["facts"]["known"]
    document = rkdeck(home, "doctor", "lab", "--fix", "library", "--library", "9.9.9", "--yes", exit_code=2)
    assert document["error"]["code"] == "doctor.library_no_release"
    (tmp_path / "x86.so").write_bytes(library_bytes("1.3.0", machine=62))
    document = rkdeck(
        home, "doctor", "lab", "--fix", "library", "--library", str(tmp_path / "x86.so"), "--yes", exit_code=3
    )
    assert document["error"]["code"] == "doctor.not_a_library"
    document = rkdeck(home, "doctor", "lab", "--model", str(tmp_path / "none.rkllm"), exit_code=2)
    assert document["error"]["code"] == "cli.path_missing", "as `rkdeck deploy` says"
