"""`rkdeck board` as a program: for scripts without a question, at a terminal with all of them."""

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from core.remote.hostkeys import HostKeys
from tests.core.boards.test_discovery import SERVICES, announced
from tests.core.boards.trees import orange_pi, write_tree
from tests.core.remote.test_expired import NEW, OLD, expired
from tests.core.usecases.test_key_on_the_way import write_config
from tests.core.usecases.test_reaching import MACHINE, OTHER_KEY, SERIAL
from tests.support.sshd import ROOT, SshServer, find_program, new_key, openssh

PASSPHRASE = "open sesame"


def program(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "gui.main", "board", *arguments, "--home", str(home)]


def rkdeck(home: Path, *arguments: str, exit_code: int = 0, stdin: str = "") -> dict[str, Any]:
    done = subprocess.run(
        [*program(home, *arguments), "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        input=stdin,
    )
    assert done.returncode == exit_code, f"{arguments}: {done.stdout}\n{done.stderr}"
    return dict(json.loads(done.stdout))


class Terminal:
    """The program at a terminal of its own, with somebody who answers."""

    def __init__(self, argv: list[str]) -> None:
        self._master, slave = os.openpty()
        self.shown = ""
        self._seen = 0
        self._process = subprocess.Popen(
            [find_program("setsid"), "--ctty", "--wait", *argv],
            cwd=ROOT, stdin=slave, stdout=slave, stderr=slave,
        )  # fmt: skip
        os.close(slave)

    def answer(self, question: str, text: str) -> None:
        deadline = time.monotonic() + 60
        while question not in self.shown[self._seen :]:
            assert self._read(deadline), f"no {question!r} in {self.shown!r}"
        self._seen = self.shown.index(question, self._seen) + len(question)
        os.write(self._master, text.encode() + b"\n")

    def end(self) -> int:
        deadline = time.monotonic() + 60
        while self._read(deadline):
            pass
        os.close(self._master)
        return self._process.wait(timeout=60)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._master, 4096)
        except OSError:  # the program has closed its end
            return False
        self.shown += data.decode("utf-8", "replace")
        return bool(data)


def account(server: SshServer, root: Path) -> list[str]:
    return [
        f"{server.user}@127.0.0.1:{server.port}", "--identity", str(server.key_file),
        "--store", f"{root}-store", "--sysroot", str(root),
    ]  # fmt: skip


def test_questions_at_a_terminal(tmp_path: Path) -> None:
    root, home = orange_pi(tmp_path / "root"), tmp_path / "home"
    locked = new_key(tmp_path / "locked", passphrase=PASSPHRASE)
    with openssh(tmp_path / "server") as server:
        authorized = server.key_file.with_name("authorized_keys")
        authorized.write_text(locked.with_name("locked.pub").read_text())
        terminal = Terminal(program(home, "add", "desk", *account(server, root), "--identity", str(locked)))
        terminal.answer("[y/N]", "y")
        terminal.answer("Passphrase of", "wrong")
        terminal.answer("Passphrase of", PASSPHRASE)
        assert terminal.end() == 0, terminal.shown
        assert server.fingerprint in terminal.shown
        assert PASSPHRASE not in terminal.shown
        listed = rkdeck(home, "list")["boards"]
        assert [board["name"] for board in listed] == ["desk"]


def test_no_is_an_answer(tmp_path: Path) -> None:
    with openssh(tmp_path / "server") as server:
        home = tmp_path / "home"
        terminal = Terminal(program(home, "add", "desk", *account(server, tmp_path)))
        terminal.answer("[y/N]", "")
        assert terminal.end() == 3
        assert rkdeck(home, "list") == {"boards": []}


# A server without privileges cannot hand out a terminal.
@pytest.mark.needs_root
def test_an_expired_password_at_a_terminal(tmp_path: Path) -> None:
    root, home = orange_pi(tmp_path / "root"), tmp_path / "home"
    with expired(tmp_path) as server:
        arguments = [*account(server, root), "--accept-host-key", server.fingerprint]
        terminal = Terminal(program(home, "add", "desk", *arguments))
        terminal.answer("Present password", OLD)
        terminal.answer("New password", NEW)
        terminal.answer("Once more", NEW)
        assert terminal.end() == 0, terminal.shown
        assert NEW not in terminal.shown


# A server without privileges cannot hand out a terminal.
@pytest.mark.needs_root
@pytest.mark.parametrize(("new", "exit_code"), [(NEW, 0), ("kurz", 1)])
def test_an_expired_password_in_a_script(tmp_path: Path, new: str, exit_code: int) -> None:
    root, home = orange_pi(tmp_path / "root"), tmp_path / "home"
    with expired(tmp_path) as server:
        arguments = [*account(server, root), "--accept-host-key", server.fingerprint, "--new-password-stdin"]
        told = rkdeck(home, "add", "desk", *arguments, stdin=f"{OLD}\n{new}\n", exit_code=exit_code)
    assert told.get("error", {}).get("code") == (None if exit_code == 0 else "remote.new_password_refused")


def test_a_new_card_and_a_new_address(tmp_path: Path) -> None:
    root, home = orange_pi(tmp_path / "root"), tmp_path / "home"
    with openssh(tmp_path / "a") as first, openssh(tmp_path / "b", like=first) as second:
        rkdeck(home, "add", "desk", *account(first, root), "--accept-host-key", first.fingerprint)
        keys = HostKeys(home / "known_hosts")
        assert keys.lookup(first.host, first.port)
        keys.replace(first.host, first.port, OTHER_KEY)
        write_tree(root, {MACHINE: "f" * 32 + "\n"})
        error = rkdeck(home, "probe", "desk", exit_code=3)["error"]
        assert error["code"] == "remote.host_key_changed"
        assert (error["facts"]["fingerprint"], error["facts"]["known_fingerprint"]) == (
            first.fingerprint,
            OTHER_KEY.fingerprint,
        )
        terminal = Terminal(program(home, "probe", "desk"))
        terminal.answer("[y/N]", "n")
        assert terminal.end() == 3
        rkdeck(home, "probe", "desk", "--accept-host-key", first.fingerprint)
        again = rkdeck(home, "add", "twin", *account(second, root), "--accept-host-key", second.fingerprint)
        assert again["same_hardware_as"] == ["desk"]
        rkdeck(home, "remove", "twin")
        moved = rkdeck(home, "move", "desk", f"127.0.0.1:{second.port}")
        assert moved["board"]["port"] == second.port
        write_tree(root, {SERIAL: b"00c0ffee00c0ffee\0"})
        assert rkdeck(home, "probe", "desk", exit_code=3)["error"]["code"] == "boards.other_hardware"
        rkdeck(home, "probe", "desk", "--replaced")
        assert rkdeck(home, "move", "desk", exit_code=2)["error"]["code"] == "cli.board_address"


def test_discover(tmp_path: Path) -> None:
    with announced(SERVICES[0]):
        found = rkdeck(tmp_path / "home", "discover", "--seconds", "4")["candidates"]
    ours = [entry for entry in found if entry["name"] == "orangepi5"]
    assert [(entry["address"], entry["board"]) for entry in ours] == [("10.0.0.5", None)]


def test_a_jump_host_that_was_set_up_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its key is taken with the option or by an answer; with the board's own at once, each by its fingerprint."""
    root, home = orange_pi(tmp_path / "root"), tmp_path / "home"
    with openssh(tmp_path / "gate") as gate, openssh(tmp_path / "board") as board:
        monkeypatch.setenv("RKDECK_SSH_CONFIG", str(write_config(tmp_path, gate, board)))
        both = ["--accept-host-key", gate.fingerprint, "--accept-host-key", board.fingerprint]
        rkdeck(home, "add", "desk", "board", *account(board, root)[1:], *both)
        keys = HostKeys(home / "known_hosts")

        def known() -> tuple[list[str], list[str]]:
            places = (("gate", gate.port), ("board", board.port))
            at_gate, at_board = ([key.fingerprint for key in keys.lookup(*place)] for place in places)
            return at_gate, at_board

        right = ([gate.fingerprint], [board.fingerprint])
        assert known() == right
        keys.replace("gate", gate.port, OTHER_KEY)
        refused = rkdeck(home, "probe", "desk", exit_code=3)["error"]
        assert (refused["code"], refused["facts"]["host"]) == ("remote.host_key_changed", "gate")
        assert f"--accept-host-key {gate.fingerprint}" in refused["hint"]
        wrong = rkdeck(home, "probe", "desk", "--accept-host-key", board.fingerprint, exit_code=3)["error"]
        assert (wrong["facts"]["host"], known()[0]) == ("gate", [OTHER_KEY.fingerprint])
        rkdeck(home, "probe", "desk", "--accept-host-key", gate.fingerprint)
        assert known() == right
        keys.replace("gate", gate.port, OTHER_KEY)
        terminal = Terminal(program(home, "probe", "desk"))
        terminal.answer("[y/N]", "n")
        assert terminal.end() == 3
        assert known()[0] == [OTHER_KEY.fingerprint]
        terminal = Terminal(program(home, "probe", "desk"))
        terminal.answer("Was that host set up anew", "y")
        assert terminal.end() == 0, terminal.shown
        assert known() == right
        keys.replace("gate", gate.port, OTHER_KEY)
        keys.replace("board", board.port, OTHER_KEY)
        rkdeck(home, "probe", "desk", "--accept-host-key", gate.fingerprint, exit_code=3)
        assert known() == ([gate.fingerprint], [OTHER_KEY.fingerprint])
        keys.replace("gate", gate.port, OTHER_KEY)
        rkdeck(home, "probe", "desk", *both)
        assert known() == right
        rkdeck(home, "remove", "desk")
        keys.replace("gate", gate.port, OTHER_KEY)
        again = ["add", "desk", "board", *account(board, root)[1:]]
        refused = rkdeck(home, *again, "--accept-host-key", board.fingerprint, exit_code=3)["error"]
        assert (refused["facts"]["host"], known()[0]) == ("gate", [OTHER_KEY.fingerprint])
        rkdeck(home, *again, *both)
        assert known() == right
