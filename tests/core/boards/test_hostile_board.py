"""Boards that answer with endless output and escape codes: nothing hangs, memory is bounded, no code gets through."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.base.errors import RKDeckError
from core.boards.probe import probe_board
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from core.words import word
from tests.support.sshd import ROOT, SshServer, openssh, openssh_running

ENDLESS = r"""#!/bin/sh
cat >/dev/null &
line=$(printf '\033]0;owned\007\033[2Jprobe:1\nmodel:\033[31mevil\nend:1\n%4000s' x)
case $1 in
  out) while :; do printf '%s\n' "$line"; done ;;
  err) while :; do printf '%s\n' "$line" >&2; done ;;
  both) while :; do printf '%s\n' "$line"; printf '%s\n' "$line" >&2; done ;;
  line) while :; do printf '%4000s' x; done ;;
  mute) exec sleep 10 ;;
esac
"""


@contextmanager
def hostile(folder: Path, how: str) -> Iterator[SshServer]:
    with openssh_running(folder, ENDLESS, how) as server:
        yield server


@pytest.mark.parametrize("how", ["out", "err", "both", "line"])
def test_a_probe_ends_with_words(tmp_path: Path, host_keys: HostKeys, how: str) -> None:
    with hostile(tmp_path, how) as server, server.connect(host_keys) as session:
        started = time.monotonic()
        with pytest.raises(RKDeckError) as caught:
            probe_board(session)
        assert time.monotonic() - started < 30
        assert caught.value.code == "remote.output_too_large"
        assert all(text.isprintable() for text in word(caught.value))
        # The connection is of use still; nobody has to reconnect because of one bad answer.
        with pytest.raises(RKDeckError):
            session.run(["true"], max_output_bytes=1000)
        assert session.is_open


def test_a_mute_board(tmp_path: Path, host_keys: HostKeys) -> None:
    with hostile(tmp_path, "mute") as server, server.connect(host_keys) as session:
        with pytest.raises(RKDeckError) as caught:
            session.run(["true"], timeout_s=0.5)
        assert caught.value.code == "remote.command_timeout"


def test_a_shell_that_is_not_read_holds_back_the_board(tmp_path: Path, host_keys: HostKeys) -> None:
    """What nobody takes stays on the board, but for one window."""
    with hostile(tmp_path, "out") as server, server.connect(host_keys) as session:
        shell = session.open_shell()
        taken = 0
        deadline = time.monotonic() + 60
        while taken < 64 << 20:
            data = shell.receive(10)
            assert 0 < len(data) <= 1 << 20
            taken += len(data)
            assert time.monotonic() < deadline
        shell.close()
        assert session.is_open


PROGRAM = """
import json, resource, sys
from pathlib import Path
from core.base.errors import RKDeckError
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession, SshTarget
port, user, key, fingerprint, known = sys.argv[1:]
target = SshTarget("127.0.0.1", int(port), user, Path(key), use_agent=False, use_default_keys=False)
with SshSession.connect(target, HostKeys(Path(known)), accept_fingerprint=fingerprint) as session:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    codes, taken = [], 0
    for _ in range(5):
        try:
            session.run(["x"], max_output_bytes=1 << 20, timeout_s=60)
        except RKDeckError as error:
            codes.append(error.code)
    shell = session.open_shell()
    while taken < 256 << 20:
        taken += len(shell.receive(20))
    shell.close()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps({"codes": codes, "grown_kib": grown}))
"""


def test_memory_stays_bounded(tmp_path: Path) -> None:
    """In a process of its own, since the highest mark of this one tells nothing any more."""
    with hostile(tmp_path, "out") as server:
        arguments = [server.port, server.user, server.key_file, server.fingerprint, tmp_path / "known"]
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *map(str, arguments)],
            capture_output=True, text=True, cwd=ROOT, timeout=150,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["codes"] == ["remote.output_too_large"] * 5
    assert told["grown_kib"] < 100 << 10


def test_an_endless_login_banner(tmp_path: Path, host_keys: HostKeys) -> None:
    banner = tmp_path / "banner"
    banner.write_bytes((b"\x1b[2J" + b"x" * 95 + b"\n") * 2000)
    with openssh(tmp_path / "server", f"Banner {banner}") as server:
        with server.connect(host_keys) as session:
            assert session.succeeds(["true"])
        wrong = server.target(identity_file=None)
        with pytest.raises(RKDeckError) as caught:
            SshSession.connect(wrong, host_keys)
        assert len(str(caught.value)) < 2000
        assert all(text.isprintable() for text in word(caught.value))
