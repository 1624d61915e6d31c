"""Somebody who follows advice, and what there is to go wrong: a hub, a board."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.paths import AppPaths
from core.base.settings import Settings
from core.cli.main import run as rkdeck
from core.demo.hub.server import DemoHub
from core.services import Services
from tests.support.boards import add_alice
from tests.support.desk import Desk
from tests.support.models import write_random_model
from tests.support.sshd import SshServer, demo_board

REPO = "somebody/small"


@pytest.fixture
def desk(paths: AppPaths, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("LC_ALL", "C")
    return Desk(paths.home, capsys)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DemoHub]:
    with DemoHub({REPO: write_random_model(tmp_path / "repo")}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with demo_board(tmp_path_factory.mktemp("demo"), "--soc", "rk3588") as server:
        yield server


@pytest.fixture
def board(server: SshServer, desk: Desk, tmp_path: Path) -> Iterator[None]:
    """A board called "desk" where "alice" is deployed."""
    with Services(AppPaths(desk.home), Settings()) as services:
        add_alice(services, server, tmp_path, hidden=32, layers=2)
    yield
    rkdeck(["stop", "desk", "--json", "--home", str(desk.home)])
