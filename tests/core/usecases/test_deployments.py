"""What is on a board's store: adopting, going back to a version, tidying up."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.errors import UsageError
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.services import Services
from core.usecases import deployment as use
from tests.support.boards import add_demo_board
from tests.support.sshd import SshServer, demo_board
from tests.support.tiny_model import write_tiny_model


@pytest.fixture
def services(paths: AppPaths) -> Iterator[Services]:
    with Services(paths, Settings()) as services:
        yield services


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with demo_board(tmp_path_factory.mktemp("demo"), "--soc", "rk3588") as server:
        yield server


@pytest.fixture
def desk(services: Services, server: SshServer, tmp_path: Path) -> Services:
    """The services, with the demo board as "desk" and a store of its own."""
    return add_demo_board(services, server, tmp_path)


def test_adopting_and_tidying_up(desk: Services, tmp_path: Path) -> None:
    store = Path(str(desk.boards.get("desk").store))
    lying = write_tiny_model(store / "lying there.rkllm")
    (found,) = use.find_adoptable(desk, "desk")
    assert found.path == str(lying)
    adopted = use.adopt(desk, "desk", found.path, name="old")
    assert use.list_deployments(desk, "desk") == (adopted,)
    desk.settings = replace(desk.settings, keep_deployments=0)
    path = tmp_path / "alice.rkllm"
    for seed in (1, 2, 3):
        write_tiny_model(path, seed=seed)
        (job_id,) = use.start_deploys(desk, path, ["desk"], limit_bytes_per_s=1 << 30)
        desk.jobs.attach(job_id).result(60)
    first = use.list_versions(desk, "desk")[0]
    assert use.rollback(desk, "desk", "alice", first.version).sha256 == first.sha256
    with pytest.raises(UsageError, match=r"deploy\.unknown_version"):
        use.rollback(desk, "desk", "alice", "20200101T000000Z-" + "0" * 12)
    planned = use.prune(desk, "desk", keep=1, dry_run=True)
    assert len(use.list_versions(desk, "desk")) == 4
    assert use.prune(desk, "desk", keep=1) == planned
    assert planned.freed_bytes > 0
    assert {version.name: version.sha256 for version in use.list_versions(desk, "desk")} == {
        "alice": first.sha256,
        "old": adopted.sha256,
    }
