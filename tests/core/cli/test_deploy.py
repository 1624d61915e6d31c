"""`rkdeck deploy` and its relatives as a program, on two boards, one of which refuses."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.base.paths import AppPaths
from tests.core.boards.trees import write_tree
from tests.core.deploy.models import real_file
from tests.core.deploy.site import Site, site
from tests.support.sshd import ROOT, openssh


@pytest.fixture
def bench(paths: AppPaths, tmp_path: Path) -> Iterator[Site]:
    sysroot = write_tree(tmp_path / "board/root", {"proc/device-tree/compatible": b"rockchip,rk3588\0"})
    with (
        openssh(tmp_path / "server") as server,
        site(paths, server, tmp_path / "board/store", sysroot) as ready,
    ):
        yield ready


def run(place: Site, *arguments: str, exit_code: int = 0) -> list[dict[str, Any]]:
    """Run the program with --json; its lines, or its document as one."""
    command = [sys.executable, "-m", "gui.main", *arguments, "--json", "--home", str(place.paths.home)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == exit_code, f"{arguments}: {done.stdout}\n{done.stderr}"
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_board_that_fails_does_not_hold_the_others(bench: Site, tmp_path: Path) -> None:
    wrong = write_tree(tmp_path / "other/root", {"proc/device-tree/compatible": b"rockchip,rk3576\0"})
    with site(bench.paths, bench.server, tmp_path / "other/store", wrong, name="other"):
        file = real_file(tmp_path / "m_w8a8_rk3588.rkllm")
        lines = run(bench, "deploy", str(file), "bench", "other", "--limit", "50M", exit_code=3)
    last = {line["board"]: line for line in lines if line.get("event") in {"result", "error"}}
    assert last["other"]["error"]["code"] == "deploy.wrong_platform"
    assert last["bench"]["event"] == "result"
    uploads = [line for line in lines if line.get("phase") == "upload"]
    assert all({"rate_bytes_per_s", "eta_s", "stalled"} <= set(line) for line in uploads)


def test_versions_adopting_and_tidying_up(bench: Site, tmp_path: Path) -> None:
    for _ in range(2):
        run(bench, "deploy", str(real_file(tmp_path / "m_rk3588.rkllm")), "bench", "--name", "m")
    (listed,) = run(bench, "deployments", "bench")
    first, second = listed["deployments"]
    assert (first["current"], second["current"]) == (False, True)
    (back,) = run(bench, "rollback", "bench", "m", "--version", first["version"])
    assert back["deployment"]["sha256"] == first["sha256"]
    lying = real_file(bench.store / "found_rk3588.rkllm")
    (found,) = run(bench, "adopt", "bench")
    assert found["files"] == [{"path": str(lying), "size_bytes": lying.stat().st_size}]
    (adopted,) = run(bench, "adopt", "bench", str(lying), "--name", "found")
    assert adopted["deployment"]["current"] is True
    (planned,) = run(bench, "prune", "bench", "--keep", "1", "--dry-run")
    (done,) = run(bench, "prune", "bench", "--keep", "1")
    assert planned | {"dry_run": False} == done
    assert done["versions"] == [{"name": "m", "version": second["version"]}]
    assert done["freed_bytes"] == second["size_bytes"]
    run(bench, "undeploy", "bench", "m")
    (rest,) = run(bench, "deployments", "bench")
    assert [entry["name"] for entry in rest["deployments"]] == ["found"]


@pytest.mark.parametrize("limit", ["-1", "fast", "1T", "", "1" * 30, "٣"])
def test_limit_must_be_a_number_of_bytes(bench: Site, tmp_path: Path, limit: str) -> None:
    run(bench, "deploy", str(real_file(tmp_path / "m.rkllm")), "bench", f"--limit={limit}", exit_code=2)
