"""Any login shell will do, whatever its start-up files print; one that runs nothing is named."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.base.errors import RKDeckError
from core.deploy.sending import _LINK
from core.remote.hostkeys import HostKeys
from core.remote.quoting import loaded, loader
from core.remote.session import SshSession
from core.transfer.upload import upload
from core.words import word
from tests.support.sshd import openssh_running

SHELLS = ["sh", "bash", "busybox sh", "csh", "tcsh", "fish", "zsh", "ksh", "mksh"]
NASTY = ["a b", "it's", "$(id)", "`id`", "a\nb", "!!", "!x", "\\", "\\\\", "'\\''", "%s", "#", "~", "*", ""]


@contextmanager
def account(folder: Path, host_keys: HostKeys, login: str) -> Iterator[SshSession]:
    """A session to an account whose shell is this script."""
    with openssh_running(folder, login) as server, server.connect(host_keys) as session:
        yield session


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    program, *rest = request.param.split()
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    return " ".join([program, *rest])


def as_shell(shell: str) -> str:
    return f'exec {shell} -c "$SSH_ORIGINAL_COMMAND"'


def test_commands_scripts_and_files_arrive(tmp_path: Path, host_keys: HostKeys, shell: str) -> None:
    data = os.urandom(3_000_000)
    local, there = tmp_path / "model", tmp_path / "on the board/x"
    local.write_bytes(data)
    with account(tmp_path, host_keys, as_shell(shell)) as session:
        assert session.run(["printf", "%s\\0", *NASTY]).text.split("\0")[:-1] == NASTY
        assert session.run(["cat"], stdin=data).stdout == data
        many = "\n".join(f"x{number}=1 # it's ! not" for number in range(200))
        assert session.run(f"{many}\nprintf '%s|' \"$@\"", NASTY).text == "|".join(NASTY) + "|"
        assert session.run(["sh", "-c", f"{many}\nexit 7"]).exit_status == 7
        result = upload(
            session, local, f"{there}.partial", hashlib.sha256(data).hexdigest(), final=str(there)
        )
        assert result.bytes_sent == len(data)
    assert there.read_bytes() == data


@pytest.mark.parametrize(
    "noise", ["@have 0 - - 7", "@there", "@readonly", "current\\tx\\ty", "end:1", "no end"]
)
def test_what_a_login_script_prints_is_no_answer(tmp_path: Path, host_keys: HostKeys, noise: str) -> None:
    local, there = tmp_path / "model", tmp_path / "x"
    local.write_bytes(b"data")
    end = "" if noise == "no end" else "\\n"
    with account(tmp_path, host_keys, f"printf '{noise}{end}'\n" + as_shell("sh")) as session:
        assert session.run(["printf", "%s", "a\n"]).stdout == b"a\n"
        assert session.run("printf b").stdout == b"b"
        upload(session, local, f"{there}.partial", hashlib.sha256(b"data").hexdigest(), final=str(there))
    assert there.read_bytes() == b"data"


@pytest.mark.parametrize(
    ("login", "code", "said"),
    [
        ("echo This account is currently not available.\nexit 1", "remote.no_shell", "not available"),
        ("exit 1", "remote.no_shell", None),
        ("exit 0", "remote.no_shell", None),
        ("echo 'sh: restricted' >&2\nexit 126", "remote.no_shell", "restricted"),
        ("echo Welcome to the menu", "remote.unexpected_answer", "Welcome"),
        ("exec cat", "remote.unexpected_answer", None),
    ],
)
def test_a_shell_that_runs_nothing_is_told_from_a_broken_connection(
    tmp_path: Path, host_keys: HostKeys, login: str, code: str, said: str | None
) -> None:
    """Nothing would get better by connecting anew, so no deployment waits for that."""
    local = tmp_path / "model"
    local.write_bytes(b"data")
    with account(tmp_path, host_keys, login) as session:
        found: list[RKDeckError] = []
        for attempt in (
            lambda: session.run(["true"]),
            lambda: session.run("true"),
            lambda: upload(session, local, str(tmp_path / "x"), "0" * 64),
        ):
            if login == "exec cat" and len(found) == 2:
                continue  # an echo goes on listening: a matter of time, tested beside
            with pytest.raises(RKDeckError) as caught:
                attempt()
            found.append(caught.value)
        assert session.is_open
    assert {error.code for error in found} == {code}
    assert not {error.code for error in found} & _LINK
    if said is not None:
        assert all(said in " ".join(word(error)) for error in found)


def test_a_restricted_shell_is_named(tmp_path: Path, host_keys: HostKeys) -> None:
    with account(tmp_path, host_keys, as_shell("bash --restricted")) as session:
        with pytest.raises(RKDeckError) as caught:
            session.run("true")
        assert session.is_open
    assert caught.value.code == "remote.no_shell"
    assert "restricted" in word(caught.value)[0]


def test_what_is_loaded_runs_only_when_it_arrived_whole(tmp_path: Path) -> None:
    mark = "rkdeck-0"
    text = loaded("echo ran; cat", ["a\nb"], mark)
    for length in range(len(text) - 1):
        cut = subprocess.run(["sh", "-c", loader(mark)], input=text[:length].encode(), capture_output=True)
        assert (cut.returncode, cut.stdout) == (127, b""), text[:length]
    whole = subprocess.run(["sh", "-c", loader(mark)], input=text.encode() + b"rest\0\n", capture_output=True)
    assert whole.stdout == b"\nrkdeck-0\nran\nrest\0\n"
