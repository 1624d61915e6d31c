"""Calling off a wait on a board."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.errors import CancelledError
from core.base.tasks import CancelToken
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from core.usecases.sessions import ended_by
from tests.support.sshd import SshServer, demo_board
from tests.support.waiting import wait_until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    with demo_board(tmp_path, "--soc", "rk3588") as running:
        yield running


def test_who_calls_off_does_not_wait_for_the_network(
    server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the thread that draws the window, and closing a connection can take its time."""
    network_is_back = threading.Event()
    close = SshSession.close

    def slow_close(session: SshSession) -> None:
        assert network_is_back.wait(60)
        close(session)

    token = CancelToken()
    session = server.connect(HostKeys(tmp_path / "known_hosts"))
    try:
        monkeypatch.setattr(SshSession, "close", slow_close)
        with pytest.raises(CancelledError), ended_by(token, session):
            token.cancel()  # would wait for what comes after it
            assert session.is_open
            network_is_back.set()
            wait_until(lambda: not session.is_open)
    finally:
        network_is_back.set()
        close(session)
