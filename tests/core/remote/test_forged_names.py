"""Names on a board that hold a line's end, or what `echo` makes one of: no line of a listing is theirs."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from core.boards.probe import parse_lines, probe_script
from core.deploy import pruning
from core.deploy.adopting import find_files
from core.deploy.deployments import read_store
from core.programs.placing import placed
from core.programs.table import RUNTIME_LIBRARY
from core.remote.quoting import script_with_arguments
from core.remote.scripts import board_script
from core.remote.session import RemoteResult, SshSession
from core.serve.records import Host
from core.serve.service import find_runtimes

SHELLS = [shell for shell in (["dash"], ["bash"], ["busybox", "sh"]) if shutil.which(shell[0])]
TRUE, FORGED = "a" * 64, "f" * 64
ABOUT = json.dumps({"name": "true", "version": "1", "abi": 1, "simulated": False})
# Both ends: a line's own, and the two characters that the `echo` of dash and busybox makes one of.
ENDS = ["\n", "\\n", "\\012", "\r\n"]


class Shell:
    """A shell on this computer in the place of a board's: scripts are run as a session runs them."""

    def __init__(self, shell: Sequence[str]) -> None:
        self._shell = shell

    def speak(self, text: str) -> str:
        """What it prints when it is told this."""
        done = subprocess.run([*self._shell, "-s"], input=text.encode(), capture_output=True, timeout=50)
        return done.stdout.decode("utf-8", "replace")

    def run(self, script: str, arguments: Sequence[str], **_: object) -> RemoteResult:
        text = script_with_arguments(script, arguments)
        done = subprocess.run([*self._shell, "-s"], input=text.encode(), capture_output=True, timeout=50)
        return RemoteResult(done.returncode, done.stdout, done.stderr)


@pytest.fixture(params=SHELLS, ids=" ".join)
def board(request: pytest.FixtureRequest) -> SshSession:
    return cast("SshSession", Shell(request.param))


def put(path: Path, text: str = "", *, old: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    if old:
        os.utime(path, (1, 1))


def a_store(root: Path) -> Path:
    """A store with one of everything, all of it as RKDeck would name it."""
    put(root / f"blobs/{TRUE}.rkllm", "model", old=True)
    put(root / f"incoming/{TRUE}.partial", "part", old=True)
    put(root / "deployments/true/current", "20260101T000000Z-aaaaaaaaaaaa")
    put(root / "deployments/true/20260101T000000Z-aaaaaaaaaaaa.json", "{")
    put(root / "lib/1.2.3/librkllmrt.so", "library")
    put(root / "found/true.rkllm", "model")
    return root


def forge(root: Path) -> None:
    """Beside it, names that are lines of the listings."""
    for end in ENDS:
        put(root / f"blobs/x{end}-rw-r--r-- 1 0 0 999 Jan  1 00:00 {FORGED}.rkllm")
        put(root / f"blobs/x{end}whole\t{FORGED}.rkllm\t999{end}.rkllm")
        put(root / f"blobs/x{end}{FORGED}.rkllm\t999\t1\told\tfile{end}x", old=True)
        put(root / f"incoming/x{end}-rw-r--r-- 1 0 0 999 Jan  1 00:00 {FORGED}.partial")
        put(root / f"incoming/x{end}{FORGED}.partial\t999{end}.partial", old=True)
        put(root / f"deployments/x{end}current\tforged\t1{end}y/current", "1")
        put(root / f"deployments/x{end}manifest\tforged/20260101T000000Z-ffffffffffff.json", "{}")
        put(root / f"lib/x{end}9.9.9\t{FORGED}{end}y/librkllmrt.so")
        put(root / f"found/x{end}999\tforged.rkllm")


def listings(board: SshSession, root: Path) -> list[object]:
    store = str(root)
    return [
        read_store(board, store),
        pruning._blobs(board, store),
        pruning._old_parts(board, store),
        placed(board, store, RUNTIME_LIBRARY),
        [file for file in find_files(board, f"{store}/found") if "\\" not in file.path],
    ]


def test_no_name_is_a_line_of_a_stores_listing(board: SshSession, tmp_path: Path) -> None:
    root = a_store(tmp_path / "store")
    before = listings(board, root)
    assert all(before), before
    assert read_store(board, str(root)).unreadable
    forge(root)
    assert listings(board, root) == before


def test_no_name_is_a_runtime(board: SshSession, tmp_path: Path) -> None:
    folder = tmp_path / "usr/local/lib/rkdeck/runtimes"
    for name in ("true", *(f"x{end}forged\t{ABOUT}{end}y" for end in ENDS)):
        put(folder / name, f"#!/bin/sh\nprintf '%s\\n' '{ABOUT}'\n")
        (folder / name).chmod(0o755)
    host = cast("Host", type("Host", (), {"sysroot": str(tmp_path), "name": "desk"}))
    assert [found.path for found in find_runtimes(board, host)] == [str(folder / "true")]


def test_no_name_is_a_fact_of_a_board(board: SshSession, tmp_path: Path) -> None:
    store = tmp_path / "store"
    put(store / "lib/1/librkllmrt.so")
    for end in ENDS:
        put(store / f"lib/x{end}forged:1/librkllmrt.so")
        put(store / f"lib/x{end}rkllm:forged\tx/librkllmrt.so")
        put(tmp_path / f"root/usr/local/lib/rkdeck/runtimes/x{end}forged:1", "#!/bin/sh\n")
    for runtime in (tmp_path / "root/usr/local/lib/rkdeck/runtimes").iterdir():
        runtime.chmod(0o755)
    process = tmp_path / "root/proc/1"
    put(process / "maps", "/usr/lib/librkllmrt.so")
    put(process / "comm", "x\\nforged:1")
    arguments = [str(tmp_path / "root"), str(store), f"{store}/run/serving"]
    found = parse_lines(board.run(probe_script("examine.sh"), arguments).text)
    assert found["end"]
    assert found["tenant"][0].endswith("x\\nforged:1")
    assert found["rkllm"]
    assert found["forged"] == []
    assert [
        line for key in ("rkllm", "library", "runtime") for line in found[key] if line.startswith("forged")
    ] == []


def test_a_sample_is_lines_of_known_files_and_nothing_that_others_named(board: SshSession) -> None:
    """A file system mounted on a folder of such a name is a line of its own in the `df` of busybox."""
    shell = cast("Shell", board)
    told = shell.speak(board_script("sampler.sh") + "L 7\n").split("\n")
    inside = told[told.index("@T 7") + 1 : told.index("@E 7")]
    assert inside
    assert [line for line in inside if not line.startswith(("/proc/", "/sys/"))] == []


def test_a_value_of_several_lines_says_nothing_of_other_things(board: SshSession) -> None:
    home = "HOME='a\nforged:1\n\\nforged:1'\n"
    found = parse_lines(board.run(home + probe_script(), ["/nowhere", ""]).text)
    assert (found["forged"], found["home"]) == ([], ["a", "forged:1", "\\nforged:1"])
