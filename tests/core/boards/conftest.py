"""One real account to ask."""

from collections.abc import Iterator

import pytest

from core.base.paths import AppPaths
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from tests.support.sshd import SshServer, openssh


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with openssh(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def host_keys(paths: AppPaths) -> HostKeys:
    return HostKeys(paths.known_hosts)


@pytest.fixture
def session(server: SshServer, host_keys: HostKeys) -> Iterator[SshSession]:
    with server.connect(host_keys) as connected:
        yield connected
