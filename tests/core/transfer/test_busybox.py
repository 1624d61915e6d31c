"""A board whose every program is busybox, as Buildroot images have it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from tests.core.remote.test_session import listener
from tests.support.sshd import openssh_running

APPLETS = (
    "sh",
    "cat",
    "sleep",
    "printf",
    "head",
    "wc",
    "id",
    "dd",
    "true",
    "false",
    "env",
    "sha256sum",
    "kill",
)


@pytest.fixture
def session(tmp_path: Path, host_keys: HostKeys) -> Iterator[SshSession]:
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("busybox is not installed")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in APPLETS:
        (tools / name).symlink_to(busybox)
    login = f'#!{tools}/sh\nPATH={tools}; export PATH\nexec sh -c "$SSH_ORIGINAL_COMMAND"\n'
    with openssh_running(tmp_path, login) as server, server.connect(host_keys) as found:
        assert found.run("command -v cat").text.strip() == f"{tools}/cat"
        yield found


def test_words_scripts_and_large_input(session: SshSession) -> None:
    result = session.run(["sh", "-c", 'printf %s "$1"; echo bad >&2; exit 7', "x", "it's\n$(reboot)"])
    assert (result.exit_status, result.stdout, result.stderr) == (7, b"it's\n$(reboot)", b"bad\n")
    assert session.run('printf "[%s]" "$@"', ["a b", "", "'; reboot; '"]).text == "[a b][]['; reboot; ']"
    data = bytes(range(256)) * 8192
    assert session.run(["cat"], stdin=data).stdout == data
    assert session.run("dd if=/dev/zero bs=1024 count=3000 2>/dev/null | wc -c").text.strip() == str(
        3000 << 10
    )


def test_a_shell_that_is_driven(session: SshSession) -> None:
    shell = session.open_shell()
    for number in range(20):
        shell.send(f"echo {number}\n".encode())
        assert shell.receive(10) == f"{number}\n".encode()
    shell.close()
    assert session.succeeds(["true"])
    assert not session.succeeds(["false"])


def test_a_tunnel(session: SshSession) -> None:
    with listener(b"hello") as port:
        channel = session.open_tunnel(port)
        assert channel.makefile("rb").read() == b"hello"
        channel.close()
