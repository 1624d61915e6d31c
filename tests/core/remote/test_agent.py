"""Keys that only an agent can open, with a real ssh-agent."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.errors import RKDeckError
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from tests.support.sshd import SshServer, find_program, new_key, openssh

PASSPHRASE = "open sesame"


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A running agent without keys; its socket."""
    socket = tmp_path / "agent"
    process = subprocess.Popen(
        [find_program("ssh-agent"), "-D", "-a", str(socket)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()  # it says where it listens when it does
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        try:
            yield socket
        finally:
            process.terminate()
            process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    """A server that lets in a key with a passphrase."""
    with openssh(tmp_path / "server") as running:
        locked = new_key(tmp_path / "locked", passphrase=PASSPHRASE)
        authorized = running.key_file.with_name("authorized_keys")
        authorized.write_text(locked.with_name("locked.pub").read_text())
        yield running


def load(key: Path, passphrase: str = "") -> None:
    """ssh-add, which asks a program for the passphrase."""
    ask = key.with_name("ask")
    ask.write_text(f"#!/bin/sh\necho '{passphrase}'\n")
    ask.chmod(0o700)
    environment = {**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
    subprocess.run([find_program("ssh-add"), "-q", str(key)], check=True, env=environment)


@pytest.mark.usefixtures("agent")
class TestAgent:
    def test_it_signs_for_a_key_with_a_passphrase(
        self, server: SshServer, host_keys: HostKeys, tmp_path: Path
    ) -> None:
        load(tmp_path / "locked", PASSPHRASE)
        for file in (tmp_path / "locked", None):  # named in vain, or not at all
            target = server.target(identity_file=file, use_agent=True)
            with SshSession.connect(target, host_keys, server.fingerprint) as session:
                assert session.succeeds(["true"])

    def test_a_named_key_is_missed_when_no_agent_has_it(
        self, server: SshServer, host_keys: HostKeys, tmp_path: Path
    ) -> None:
        with pytest.raises(RKDeckError) as caught:
            SshSession.connect(
                server.target(identity_file=tmp_path / "locked", use_agent=True),
                host_keys,
                server.fingerprint,
            )
        assert caught.value.code == "remote.passphrase_needed"

    def test_many_keys_in_the_agent_leave_room(
        self, server: SshServer, host_keys: HostKeys, tmp_path: Path
    ) -> None:
        for number in range(8):
            load(new_key(tmp_path / f"other{number}"))
        target = server.target(identity_file=None, use_agent=True)
        with pytest.raises(RKDeckError) as caught:
            SshSession.connect(target, host_keys, server.fingerprint)
        # As many as the server takes: any of them might be right. It hangs up after the sixth.
        assert caught.value.code == "remote.too_many_attempts"
        assert str(caught.value.facts["tried"]).count("agent key") == 6


def test_an_agent_that_is_gone_is_none(
    server: SshServer, host_keys: HostKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "nothing"))
    target = server.target(identity_file=tmp_path / "locked", passphrase=PASSPHRASE, use_agent=True)
    with SshSession.connect(target, host_keys, server.fingerprint) as session:
        assert session.succeeds(["true"])
