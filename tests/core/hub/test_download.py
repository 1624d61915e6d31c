"""Downloads as real jobs: cuts, kills, changes, corruption, full disks."""

import hashlib
import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.database import Database
from core.base.errors import RKDeckError
from core.base.paths import AppPaths
from core.demo.hub.faults import Fault
from core.demo.hub.server import DemoHub
from core.hub.download import Patience, plan_download
from core.hub.huggingface.client import HubClient
from core.jobs import process
from core.jobs.manager import JobHandle, JobManager
from core.jobs.model import JobState
from core.library.library import Library
from tests.support.models import write_random_model
from tests.support.orders import start_download
from tests.support.waiting import wait_until

from .conftest import BIG_BYTES, REPO  # noqa: TID252

SLACK_S = 60.0
MIB = 1 << 20
QUICK = Patience(first_pause_s=0.05)


def start(hub: DemoHub, jobs: JobManager, paths: AppPaths, *include: str) -> JobHandle:
    plan = plan_download(HubClient(hub.url, None).details(REPO), include=include)
    return start_download(jobs, hub.url, plan, library_folder=paths.library, patience=QUICK)


def folder_of(jobs: JobManager, handle: JobHandle) -> Path:
    return Path(str(handle.record().spec.params["folder"]))


def test_download_is_verified_registered_and_free_of_leftovers(
    hub: DemoHub, jobs: JobManager, paths: AppPaths, model: Path
) -> None:
    handle = start(hub, jobs, paths)
    result = handle.result(SLACK_S)
    folder = Path(str(result["path"]))
    names = {file["name"] for file in result["files"]}  # type: ignore[union-attr, index, call-overload]
    assert names == {
        "big.rkllm",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert set(os.listdir(folder)) == names
    for name in names:
        assert (folder / str(name)).read_bytes() == (model / str(name)).read_bytes()
    assert result["bytes_fetched"] == sum((model / str(name)).stat().st_size for name in names)
    database = Database(paths.database_file)
    items = Library(database, paths.library).list()
    database.close()
    assert {(item.kind, item.repo) for item in items} == {("source", REPO), ("rkllm", REPO)}
    again = start(hub, jobs, paths).result(SLACK_S)
    assert again["bytes_fetched"] == 0


def test_three_cuts_and_a_kill_cost_at_most_a_mebibyte_each(
    hub: DemoHub, jobs: JobManager, paths: AppPaths, model: Path
) -> None:
    for _ in range(3):
        hub.faults.plan(Fault("cut", "big.rkllm", after_bytes=2 * MIB))
    hub.faults.plan(Fault("slow", "big.rkllm", bytes_per_s=2 * MIB))
    handle = start(hub, jobs, paths, "big.rkllm")
    partial = folder_of(jobs, handle) / "big.rkllm.partial"
    wait_until(lambda: partial.exists() and partial.stat().st_size > 0.6 * BIG_BYTES, SLACK_S)
    workers = [
        item for item in process.marked(handle.folder) if "core.workers.download" in " ".join(item.cmdline())
    ]
    assert workers
    for worker in workers:
        worker.kill()
    assert handle.wait(SLACK_S).state is JobState.INTERRUPTED
    wait_until(lambda: not process.marked(handle.folder), 30)
    assert not (partial.parent / "big.rkllm").exists()
    result = jobs.resume(handle.id).result(SLACK_S)
    data = (partial.parent / "big.rkllm").read_bytes()
    assert hashlib.sha256(data).digest() == hashlib.sha256((model / "big.rkllm").read_bytes()).digest()
    # by the server's own count: what a killed reader had not read yet is in it
    assert hub.bytes_sent("big.rkllm") <= BIG_BYTES + 4 * MIB
    assert int(str(result["bytes_fetched"])) < BIG_BYTES
    assert os.listdir(partial.parent) == ["big.rkllm"]


def test_kill_of_the_hub_itself_ends_in_words_and_resumes(
    hub: DemoHub, jobs: JobManager, paths: AppPaths
) -> None:
    hub.faults.plan(Fault("kill", "big.rkllm", after_bytes=3 * MIB))
    handle = start(hub, jobs, paths, "big.rkllm")
    with pytest.raises(RKDeckError) as caught:
        handle.result(SLACK_S)
    assert caught.value.code in {"hub.unreachable", "hub.broken_off"}
    hub.faults.dead.clear()
    assert int(str(jobs.retry(handle.id).result(SLACK_S)["bytes_fetched"])) <= BIG_BYTES - 3 * MIB + MIB


def test_a_file_that_changed_on_the_hub_starts_again(
    jobs: JobManager, paths: AppPaths, model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "changing"
    shutil.copytree(model, folder)
    with DemoHub({REPO: folder}) as hub:
        hub.faults.plan(Fault("kill", "big.rkllm", after_bytes=3 * MIB))
        first = start(hub, jobs, paths, "big.rkllm")
        assert first.wait(SLACK_S).state is JobState.FAILED
        hub.faults.dead.clear()
        (folder / "big.rkllm").write_bytes(b"new" * MIB)
        second = start(hub, jobs, paths, "big.rkllm")
        path = Path(str(second.result(SLACK_S)["path"])) / "big.rkllm"
        assert path.read_bytes() == b"new" * MIB
        # The old job's commit is gone from the hub: it says so, and harms nothing.
        with pytest.raises(RKDeckError) as caught:
            jobs.retry(first.id).result(SLACK_S)
        assert caught.value.code in {"hub.revision_not_found", "hub.digest_differs"}


def test_what_a_kill_after_the_renaming_leaves_is_tidied_up(
    hub: DemoHub, jobs: JobManager, paths: AppPaths
) -> None:
    handle = start(hub, jobs, paths, "big.rkllm")
    handle.result(SLACK_S)
    folder = folder_of(jobs, handle)
    (folder / "big.rkllm.partial.json").write_text("{}")
    assert start(hub, jobs, paths, "big.rkllm").result(SLACK_S)["bytes_fetched"] == 0
    assert os.listdir(folder) == ["big.rkllm"]


def test_partial_of_another_content_is_thrown_away(
    hub: DemoHub, jobs: JobManager, paths: AppPaths, model: Path
) -> None:
    handle = start(hub, jobs, paths, "big.rkllm")
    handle.result(SLACK_S)
    folder = folder_of(jobs, handle)
    (folder / "big.rkllm").unlink()
    (folder / "big.rkllm.partial").write_bytes(b"x" * MIB)
    (folder / "big.rkllm.partial.json").write_text("{}")
    result = start(hub, jobs, paths, "big.rkllm").result(SLACK_S)
    assert result["bytes_fetched"] == BIG_BYTES
    assert (folder / "big.rkllm").read_bytes() == (model / "big.rkllm").read_bytes()


@pytest.mark.parametrize("name", ["big.rkllm", "config.json"])
def test_a_changed_byte_is_refused_and_leaves_nothing(
    hub: DemoHub, jobs: JobManager, paths: AppPaths, name: str
) -> None:
    hub.faults.plan(Fault("corrupt", name))
    handle = start(hub, jobs, paths, name)
    with pytest.raises(RKDeckError) as caught:
        handle.result(SLACK_S)
    assert caught.value.code == "hub.digest_differs"
    assert os.listdir(folder_of(jobs, handle)) == []


@pytest.fixture
def small_files() -> Iterator[None]:
    """Files of processes started now may have 4 MiB: the kernel's EFBIG stands for a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * MIB, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
def test_full_disk_says_so_and_keeps_what_is_there(hub: DemoHub, jobs: JobManager, paths: AppPaths) -> None:
    handle = start(hub, jobs, paths, "big.rkllm")
    with pytest.raises(RKDeckError) as caught:
        handle.result(SLACK_S)
    assert caught.value.code == "hub.disk_full"
    folder = folder_of(jobs, handle)
    assert (folder / "big.rkllm.partial").stat().st_size == 4 * MIB
    assert not (folder / "big.rkllm").exists()


def test_disk_that_cannot_hold_it_is_refused_before_the_first_byte(
    hub: DemoHub, jobs: JobManager, paths: AppPaths
) -> None:
    plan = plan_download(HubClient(hub.url, None).details(REPO), include=["big.rkllm"])
    huge = type(plan.files[0])("big.rkllm", 1 << 60, None, plan.files[0].sha256)
    handle = start_download(
        jobs, hub.url, type(plan)(plan.repo, plan.commit, (huge,)), library_folder=paths.library
    )
    with pytest.raises(RKDeckError) as caught:
        handle.result(SLACK_S)
    assert caught.value.code == "hub.disk_full_ahead"
    assert caught.value.exit_code == 3


def test_two_downloads_of_one_repository_do_not_harm_each_other(
    hub: DemoHub, jobs: JobManager, paths: AppPaths, model: Path
) -> None:
    handles = [start(hub, jobs, paths, "big.rkllm") for _ in range(2)]
    for handle in handles:
        handle.result(SLACK_S)
    assert (folder_of(jobs, handles[0]) / "big.rkllm").read_bytes() == (model / "big.rkllm").read_bytes()


@pytest.mark.parametrize("size_bytes", [700, 3 * MIB], ids=["small", "large"])
def test_a_file_nobody_needs_that_is_not_as_told_is_left_out_and_told(
    jobs: JobManager, paths: AppPaths, tmp_path: Path, size_bytes: int
) -> None:
    folder = write_random_model(tmp_path / "tiny")
    (folder / "picture.png").write_bytes(os.urandom(size_bytes))
    with DemoHub({REPO: folder}) as hub:
        for _ in range(9):
            hub.faults.plan(Fault("corrupt", "picture.png"))
        handle = start(hub, jobs, paths)
        result = handle.result(SLACK_S)
        assert result["left_out"] == [{"name": "picture.png", "why": "strange"}]
        arrived = Path(str(result["path"]))
        assert "picture.png" not in os.listdir(arrived)
        assert not [name for name in os.listdir(arrived) if ".partial" in name]
        assert (arrived / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
        hub.faults.plan(Fault("corrupt", "model.safetensors", times=9))
        with pytest.raises(RKDeckError) as caught:
            start(hub, jobs, AppPaths(tmp_path / "other"), "model.safetensors").result(SLACK_S)
        assert caught.value.code == "hub.digest_differs"
