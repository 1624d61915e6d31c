"""Packets made by RKDeck are the ones paramiko would make: real servers take them, through new keys too."""

import hashlib
import os
from pathlib import Path

import pytest

from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from core.remote.shell import RemoteShell
from core.transfer.bulk import BulkSender
from tests.support.sshd import openssh

CONTENT = os.urandom((5 << 20) + 4321)


def digest_there(session: SshSession, pieces: list[bytes]) -> str:
    """Send pieces to a program on the server; its digest of them."""
    channel = session.open_exec("sha256sum")
    sender, shell = BulkSender(channel), RemoteShell(channel)
    told: list[int] = []
    for piece in pieces:
        sender.send(piece, told.append)
    assert sum(told) == sum(map(len, pieces))
    shell.end_input()
    answer = shell.receive(30.0)
    shell.close()
    return answer.decode().split()[0]


def test_everything_arrives_in_order(session: SshSession) -> None:
    pieces = [CONTENT[:1], CONTENT[1:32_705], CONTENT[32_705:2_000_000], b"", CONTENT[2_000_000:]]
    assert digest_there(session, pieces) == hashlib.sha256(CONTENT).hexdigest()


def test_openssh_is_served_in_batches(tmp_path: Path, host_keys: HostKeys) -> None:
    """Fails when a new paramiko moves what the fast way needs; then it is slow, not wrong."""
    with openssh(tmp_path / "server") as server, server.connect(host_keys) as session:
        channel = session.open_exec("cat")
        assert BulkSender(channel).in_batches
        channel.close()


def test_new_keys_in_the_middle(tmp_path: Path, host_keys: HostKeys) -> None:
    with openssh(tmp_path / "server", "RekeyLimit 1M") as server, server.connect(host_keys) as session:
        session._transport.packetizer.REKEY_BYTES = 1 << 20
        assert digest_there(session, [CONTENT, CONTENT]) == hashlib.sha256(CONTENT * 2).hexdigest()
        # Counted since the last new keys.
        assert session._transport.packetizer._Packetizer__sent_bytes < len(CONTENT)  # type: ignore[attr-defined]


def test_program_that_does_not_read(session: SshSession) -> None:
    channel = session.open_exec("exec sleep 2")
    channel.settimeout(0.5)
    with pytest.raises(TimeoutError):
        BulkSender(channel).send(bytes(64 << 20))
    channel.close()


def test_program_that_has_ended(session: SshSession) -> None:
    channel = session.open_exec("true")
    channel.recv_exit_status()
    with pytest.raises((OSError, EOFError)):
        for _ in range(100):
            BulkSender(channel).send(CONTENT)
