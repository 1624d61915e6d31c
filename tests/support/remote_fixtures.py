"""Fixtures for tests of `core.remote` and what stands on it: a connection to each kind of server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.paths import AppPaths
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from tests.support.sshd import SERVERS, SshServer


@pytest.fixture(scope="module", params=sorted(SERVERS))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """A running server of each kind."""
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest.fixture
def host_keys(paths: AppPaths) -> HostKeys:
    return HostKeys(paths.known_hosts)


@pytest.fixture
def session(server: SshServer, host_keys: HostKeys) -> Iterator[SshSession]:
    with server.connect(host_keys) as connected:
        yield connected


@pytest.fixture
def remote_folder(tmp_path: Path) -> Path:
    """A folder on the "board", which is this computer."""
    folder = tmp_path / "on the board"
    folder.mkdir()
    return folder
