"""Deployments as jobs: real workers, a real SSH server, kill -9."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.base.database import Database
from core.base.errors import RefusedError, RKDeckError
from core.base.paths import AppPaths
from core.boards.records import Board
from core.boards.registry import BoardRegistry
from core.demo.runtime.install import install_runtime
from core.deploy.deployments import list_deployments, list_versions
from core.jobs.model import JobState
from tests.core.boards.trees import write_tree
from tests.core.deploy.models import real_file, simulated_file
from tests.core.deploy.site import (
    Site,
    blob_at,
    current_versions,
    deployed_small,
    progress_events,
    site,
    snapshot,
)
from tests.support.orders import start_deploy
from tests.support.sshd import ROOT, demo_board
from tests.support.waiting import wait_until

RESULT = {
    "board",
    "name",
    "sha256",
    "path",
    "size_bytes",
    "bytes_sent",
    "resumed_from_bytes",
    "transfer_seconds",
    "seconds",
}


@pytest.fixture
def demo(paths: AppPaths, tmp_path: Path) -> Iterator[Site]:
    """The demo board as a program: a simulated RK3588."""
    with demo_board(tmp_path / "demo") as server:
        folder = tmp_path / "demo/board"
        write_tree(folder / "root", {"proc/device-tree/compatible": b"rockchip,rk3588\0"})
        install_runtime(
            folder / "root"
        )  # what runs a simulated file; there is no librkllmrt.so, and need be none
        with site(paths, server, folder / "store", folder / "root") as ready:
            yield ready


def test_file_arrives_and_a_second_time_nothing_is_sent(demo: Site, tmp_path: Path) -> None:
    file = simulated_file(tmp_path / "Tiny Model_w8a8_rk3588.rkllm")
    demo.store.mkdir(exist_ok=True)
    before = snapshot(demo.folder, demo.store)
    result = demo.deploy(file)
    assert set(result) == RESULT
    assert result["board"] == "bench"
    assert result["name"] == "Tiny-Model_w8a8_rk3588"
    assert result["bytes_sent"] == result["size_bytes"] == file.stat().st_size
    assert result["resumed_from_bytes"] == 0
    assert Path(str(result["path"])).read_bytes() == file.read_bytes()
    inode = Path(str(result["path"])).stat().st_ino
    again = demo.deploy(file)
    assert (again["bytes_sent"], again["path"], again["name"]) == (0, result["path"], result["name"])
    assert Path(str(result["path"])).stat().st_ino == inode
    assert snapshot(demo.folder, demo.store) == before
    with demo.connect() as session:
        (found,) = list_deployments(session, str(demo.store))
    assert (found.sha256, found.dtype, found.platform) == (result["sha256"], "w8a8", "rk3588")
    assert found.simulated
    assert [entry.name for entry in (demo.store / "incoming").iterdir()] == []


def test_two_names_share_one_file(demo: Site, tmp_path: Path) -> None:
    file = simulated_file(tmp_path / "a.rkllm")
    first, second = demo.deploy(file, name="one"), demo.deploy(file, name="two")
    assert (first["path"], second["bytes_sent"]) == (second["path"], 0)
    assert len(list((demo.store / "blobs").iterdir())) == 1


def test_real_board_takes_a_real_file_and_refuses_a_simulated_one(real: Site, tmp_path: Path) -> None:
    assert real.deploy(real_file(tmp_path / "m_w8a8_rk3588.rkllm"))["resumed_from_bytes"] == 0
    simulated = simulated_file(tmp_path / "s.rkllm")
    for force in (False, True):
        with pytest.raises(RefusedError) as caught:
            real.deploy(simulated, force=force)
        assert caught.value.code == "deploy.simulated_file"
    assert len(list((real.store / "blobs").iterdir())) == 1


def test_wrong_platform_is_refused_unless_forced(real: Site, tmp_path: Path) -> None:
    file = real_file(tmp_path / "m_w4a16_rk3576.rkllm")
    with pytest.raises(RefusedError) as caught:
        real.deploy(file)
    assert caught.value.code == "deploy.wrong_platform"
    assert not real.store.exists()
    assert real.deploy(file, force=True)["bytes_sent"] == file.stat().st_size


def test_hostile_names_stay_in_the_store(real: Site, tmp_path: Path) -> None:
    file = real_file(tmp_path / "m_rk3588.rkllm")
    real.store.mkdir()
    before = snapshot(real.folder, real.store)
    result = real.deploy(file, name="../../../$(touch owned)\n'; reboot", title="\x1b[2J\u202e")
    assert snapshot(real.folder, real.store) == before
    assert (real.store / "deployments" / str(result["name"])).is_dir()
    assert not list(tmp_path.rglob("owned"))


def test_board_that_is_not_there(real: Site, tmp_path: Path) -> None:
    with contextlib.closing(Database(real.paths.database_file)) as database:
        gone = BoardRegistry(database).add(Board("gone", "127.0.0.1", 1, store="/x"))
    with pytest.raises(RKDeckError) as caught:
        start_deploy(real.jobs, gone, real_file(tmp_path / "m.rkllm")).result(60)
    assert caught.value.code == "remote.refused"


def test_other_hardware_at_the_address_gets_nothing(real: Site, tmp_path: Path) -> None:
    serial = Path(real.board.sysroot) / "proc/device-tree/serial-number"
    serial.write_bytes(b"first\0")
    real.deploy(real_file(tmp_path / "a_rk3588.rkllm"))
    serial.write_bytes(b"second\0")
    with pytest.raises(RefusedError) as caught:
        real.deploy(real_file(tmp_path / "b_rk3588.rkllm"))
    assert caught.value.code == "boards.other_hardware"
    assert len(list((real.store / "blobs").iterdir())) == 1


def test_damaged_blob_is_replaced(real: Site, tmp_path: Path) -> None:
    file = real_file(tmp_path / "m_rk3588.rkllm")
    blob = Path(str(real.deploy(file)["path"]))
    blob.write_bytes(blob.read_bytes()[:-1] + b"?")
    assert real.deploy(file)["bytes_sent"] == file.stat().st_size
    assert blob.read_bytes() == file.read_bytes()


def upload_progress(site: Site, job_id: str) -> float:
    """How much of the upload a job has told, 0 to 1."""
    events = site.paths.jobs / job_id / "events.jsonl"
    told = [
        json.loads(line)
        for line in (events.read_text() if events.exists() else "").splitlines(keepends=True)
        if line.endswith("\n")
    ]
    for event in reversed(told):
        data = event.get("data", event)
        if event.get("event") == "progress" and data.get("phase") == "upload":
            return float(data["done"]) / float(data["total"])
    return 0.0


FRONT_END = """
import sys
from contextlib import closing
from pathlib import Path
from core.base.database import Database
from core.base.paths import AppPaths
from core.boards.registry import BoardRegistry
from tests.support.orders import start_deploy
from core.jobs.manager import JobManager
paths = AppPaths(Path(sys.argv[1]))
with closing(Database(paths.database_file)) as database:
    board = BoardRegistry(database).get("bench")
with closing(JobManager(paths)) as jobs:
    handle = start_deploy(jobs, board, Path(sys.argv[2]), limit_bytes_per_s=32 << 20)
    print(handle.id, flush=True)
    handle.wait()
"""


def interrupted(site: Site, file: Path, cut: Callable[["subprocess.Popen[str]"], None]) -> str:
    """Start a deployment in a front end of its own and cut it off in the middle; returns the job's id."""
    front_end = subprocess.Popen(
        [sys.executable, "-c", FRONT_END, str(site.paths.home), str(file)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert front_end.stdout is not None
    with front_end.stdout:
        job_id = front_end.stdout.readline().strip()
        assert job_id
        wait_until(lambda: upload_progress(site, job_id) > 0, timeout_s=30)
        cut(front_end)
        front_end.wait(timeout=60)
    return job_id


def nothing_half_done(site: Site) -> None:
    """No file under a final name, nothing current."""
    assert not (site.store / "blobs").exists() or not list((site.store / "blobs").iterdir())
    assert not (site.store / "deployments").exists()


@pytest.mark.parametrize("kind", ["demo", "real"])
def test_front_end_killed_while_sending_then_resumed(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    place: Site = request.getfixturevalue(kind)
    make = simulated_file if kind == "demo" else real_file
    file = make(tmp_path / "big_w8a8_rk3588.rkllm", 64 << 20)
    job_id = interrupted(place, file, lambda process: process.send_signal(signal.SIGKILL))
    handle = place.jobs.attach(job_id)
    assert handle.wait(30).state is JobState.INTERRUPTED
    nothing_half_done(place)
    result = place.jobs.resume(job_id).result(60)
    resumed, sent = result["resumed_from_bytes"], result["bytes_sent"]
    assert isinstance(resumed, int)
    assert isinstance(sent, int)
    assert resumed > 0
    assert resumed + sent == file.stat().st_size
    assert Path(str(result["path"])).read_bytes() == file.read_bytes()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_cut_connection_is_made_again_and_little_is_sent_twice(
    real: Site, tmp_path: Path, share: float
) -> None:
    """As a pulled cable or a rebooting board: every process of the connection dies."""
    size = 24 << 20
    file = real_file(tmp_path / "big_rk3588.rkllm", size)
    handle = start_deploy(real.jobs, real.board, file, limit_bytes_per_s=24 << 20)
    wait_until(lambda: blob_at(real, share, size), timeout_s=30)
    arrived = max(path.stat().st_size for path in (real.store / "incoming").glob("*.partial"))
    real.server.kill_connections()
    result = handle.result(60)
    assert Path(str(result["path"])).read_bytes() == file.read_bytes()
    twice = int(str(result["bytes_sent"])) - file.stat().st_size
    assert 0 <= twice <= 8 << 20, (twice, arrived)
    done = [float(str(event["done"])) for event in progress_events(real, handle.id)]
    assert done == sorted(done)


def test_board_that_stays_away_fails_clearly_and_the_next_job_goes_on(real: Site, tmp_path: Path) -> None:
    file = real_file(tmp_path / "big_rk3588.rkllm", 24 << 20)
    old = deployed_small(real, tmp_path)
    handle = start_deploy(real.jobs, real.board, file, name="m", limit_bytes_per_s=12 << 20)
    wait_until(lambda: blob_at(real, 0.2, 24 << 20), timeout_s=30)
    key = real.server.key_file
    key.rename(key.with_suffix(".away"))
    real.server.kill_connections()
    record = handle.wait(60)
    key.with_suffix(".away").rename(key)
    assert record.state is JobState.FAILED
    assert current_versions(real) == {"m": old}
    result = real.deploy(file, name="m")
    assert int(str(result["resumed_from_bytes"])) > 0
    assert Path(str(result["path"])).read_bytes() == file.read_bytes()


def test_cancelled_deployment_ends_soon_and_leaves_no_half_file(real: Site, tmp_path: Path) -> None:
    file = real_file(tmp_path / "big_rk3588.rkllm", 64 << 20)
    started: list[float] = []

    def cancel(_: object) -> None:
        (job,) = real.jobs.store.list()
        started.append(time.monotonic())
        real.jobs.cancel(job.spec.id)

    job_id = interrupted(real, file, cancel)
    assert real.jobs.attach(job_id).wait(30).state is JobState.CANCELLED
    assert time.monotonic() - started[0] < 15
    nothing_half_done(real)


def test_two_computers_at_once(demo: Site, tmp_path: Path) -> None:
    """Two homes know the same board; both send the same file."""
    file = simulated_file(tmp_path / "big_rk3588.rkllm", 48 << 20)
    other = AppPaths(tmp_path / "other home")
    other.ensure()
    with site(other, demo.server, demo.store, Path(demo.board.sysroot)) as second:
        handles = [start_deploy(place.jobs, place.board, file, name="m") for place in (demo, second)]
        results = [handle.result(90) for handle in handles]
        blob = Path(str(results[0]["path"]))
        assert blob.read_bytes() == file.read_bytes()
        sent = [int(str(result["bytes_sent"])) for result in results]
        assert sorted(sent) == [0, file.stat().st_size]
        with second.connect() as session:
            assert [found.name for found in list_deployments(session, str(second.store))] == ["m"]
    assert os.listdir(demo.store / "incoming") == []


def test_password_reaches_the_worker_and_nothing_else(real: Site, tmp_path: Path) -> None:
    file = real_file(tmp_path / "m_rk3588.rkllm")
    start_deploy(real.jobs, real.board, file, secret="correct horse battery").result(60)
    for path in real.paths.home.rglob("*"):
        if path.is_file():
            assert b"correct horse" not in path.read_bytes(), path


def test_recipe_travels_with_the_model_and_old_versions_go(real: Site, tmp_path: Path) -> None:
    file = tmp_path / "m_rk3588.rkllm"
    recipe = {"recipe": {"dtype": "w8a8"}, "repo": "a/b", "revision": "main"}
    file.with_name(file.name + ".json").write_text(json.dumps(recipe))
    for _ in range(4):
        real.deploy(real_file(file), keep=2)
    with real.connect() as session:
        found = list_versions(session, str(real.store))
    assert [version.current for version in found] == [False, True]
    for version in found:
        assert (version.origin.repo, version.origin.recipe) == ("a/b", {"dtype": "w8a8"})
        (small,) = version.origin.files
        blob = real.store / "blobs" / f"{small.sha256}.file"
        assert json.loads(blob.read_text()) == recipe
    assert len(list((real.store / "blobs").iterdir())) == 3
