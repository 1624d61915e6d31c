from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.paths import AppPaths
from tests.support.serving import Place, place_on
from tests.support.sshd import SshServer, demo_board


@pytest.fixture(scope="module")
def live_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with demo_board(tmp_path_factory.mktemp("live"), "--soc", "rk3588") as server:
        yield server


@pytest.fixture
def place(live_server: SshServer, paths: AppPaths) -> Iterator[Place]:
    """The whole demo board, with the stand-in runtime."""
    yield from place_on(live_server, paths)


@pytest.fixture
def bare(tmp_path: Path, paths: AppPaths) -> Iterator[Place]:
    """An SSH server whose board has no runtime yet."""
    with demo_board(tmp_path / "bare") as server:
        yield from place_on(server, paths)
