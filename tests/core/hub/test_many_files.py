"""Many small files: several at once, over connections that are used again, whole or absent whatever happens."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.errors import RKDeckError
from core.base.paths import AppPaths
from core.hub.download import DownloadPlan, plan_download
from core.hub.huggingface.client import HubClient
from core.jobs import process
from core.jobs.inbox import Inbox
from core.jobs.manager import JobHandle, JobManager
from core.jobs.model import JobState
from tests.support.many_files import REPO, ManyFilesHub
from tests.support.orders import start_download
from tests.support.waiting import wait_until

SLACK_S = 120.0
COUNT = 300
MOST_AT_ONCE = 8


@pytest.fixture
def hub() -> Iterator[ManyFilesHub]:
    with ManyFilesHub(COUNT) as hub:
        yield hub


def plan_of(hub: ManyFilesHub) -> DownloadPlan:
    return plan_download(HubClient(hub.url, None).details(REPO))


def start(hub: ManyFilesHub, jobs: JobManager, paths: AppPaths, folder: Path) -> JobHandle:
    return start_download(jobs, hub.url, plan_of(hub), library_folder=paths.library, to=folder)


def names_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_all_arrive_over_few_connections_and_are_asked_for_once(
    hub: ManyFilesHub, jobs: JobManager, paths: AppPaths, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    plan, before = plan_of(hub), hub.connections
    handle = start_download(jobs, hub.url, plan, library_folder=paths.library, to=folder)
    result = handle.result(SLACK_S)
    assert names_in(folder) == set(hub.files)
    assert all((folder / name).read_bytes() == data for name, data in hub.files.items())
    assert sorted(hub.asked) == sorted(hub.files)
    assert hub.connections - before <= MOST_AT_ONCE
    assert result["bytes_fetched"] == plan.size_bytes
    files = result["files"]
    assert isinstance(files, list)
    assert [file["name"] for file in files if isinstance(file, dict)] == list(hub.files)
    told = [event.data for event in handle.follow() if event.event == "progress"]
    assert all(0 <= int(str(data["done"])) <= plan.size_bytes for data in told)
    assert told[-1]["done"] == told[-1]["total"] == plan.size_bytes


@pytest.mark.parametrize("place", ["library", "mine"])
def test_a_kill_leaves_whole_files_and_the_rest_is_fetched_later(
    hub: ManyFilesHub, jobs: JobManager, paths: AppPaths, tmp_path: Path, place: str
) -> None:
    folder = (paths.library if place == "library" else tmp_path) / "folder"
    hub.delay_s = 0.05
    handle = start(hub, jobs, paths, folder)
    wait_until(lambda: len(hub.asked) > COUNT // 4, SLACK_S)
    for worker in process.marked(handle.folder):
        if "core.workers.download" in " ".join(worker.cmdline()):
            worker.kill()
    assert handle.wait(SLACK_S).state is JobState.INTERRUPTED
    there = names_in(folder)
    whole = {name for name in there if not name.endswith((".partial", ".partial.json"))}
    assert 0 < len(whole) < COUNT
    assert all((folder / name).read_bytes() == hub.files[name] for name in whole)
    hub.delay_s = 0.0
    hub.asked.clear()
    jobs.resume(handle.id).result(SLACK_S)
    assert names_in(folder) == set(hub.files)
    assert not whole & set(hub.asked)


def test_one_that_is_not_what_the_hub_told_ends_the_job_and_leaves_no_half(
    hub: ManyFilesHub, jobs: JobManager, paths: AppPaths, tmp_path: Path
) -> None:
    folder, bad = tmp_path / "mine", list(hub.files)[COUNT // 2]
    right = hub.files[bad]
    hub.files[bad] = right[:-1] + bytes([right[-1] ^ 1])
    handle = start(hub, jobs, paths, folder)
    with pytest.raises(RKDeckError) as caught:
        handle.result(SLACK_S)
    assert (caught.value.code, caught.value.facts["file"]) == ("hub.digest_differs", bad)
    assert not (folder / bad).exists()
    whole = {name for name in names_in(folder) if not name.endswith((".partial", ".partial.json"))}
    assert all((folder / name).read_bytes() == hub.files[name] for name in whole)
    hub.files[bad] = right
    jobs.retry(handle.id).result(SLACK_S)
    assert names_in(folder) == set(hub.files)


def test_a_cancelled_job_ends_and_goes_on_later(
    hub: ManyFilesHub, jobs: JobManager, paths: AppPaths, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    hub.delay_s = 0.05
    handle = start(hub, jobs, paths, folder)
    wait_until(lambda: len(hub.asked) > COUNT // 4, SLACK_S)
    handle.cancel()
    assert handle.wait(SLACK_S).state is JobState.CANCELLED
    hub.delay_s = 0.0
    jobs.retry(handle.id).result(SLACK_S)
    assert names_in(folder) == set(hub.files)


def test_what_a_power_cut_leaves_of_an_unflushed_sidecar_is_no_stranger(
    hub: ManyFilesHub, jobs: JobManager, paths: AppPaths, tmp_path: Path
) -> None:
    folder, name = tmp_path / "mine", next(iter(hub.files))
    (folder / name).parent.mkdir(parents=True)
    (folder / f"{name}.partial").write_bytes(b"")
    (folder / f"{name}.partial.json").write_bytes(b"")
    start(hub, jobs, paths, folder).result(SLACK_S)
    assert (folder / name).read_bytes() == hub.files[name]
    assert not list(folder.rglob("*.partial*"))


def test_a_link_in_the_place_of_a_sidecar_is_not_followed(
    hub: ManyFilesHub, jobs: JobManager, paths: AppPaths, tmp_path: Path
) -> None:
    folder, name, mine = tmp_path / "mine", next(iter(hub.files)), tmp_path / "notes"
    (folder / name).parent.mkdir(parents=True)
    (folder / f"{name}.partial.json").symlink_to(mine)
    with pytest.raises(RKDeckError) as caught:
        start(hub, jobs, paths, folder).result(SLACK_S)
    assert caught.value.code == "hub.cannot_write"
    assert not mine.exists()


@pytest.mark.parametrize("is_there", [False, True])
def test_a_link_in_the_place_of_an_empty_file_is_not_followed(
    jobs: JobManager, paths: AppPaths, tmp_path: Path, is_there: bool
) -> None:
    folder, name, mine = tmp_path / "mine", "nothing.txt", tmp_path / "notes"
    folder.mkdir()
    (folder / f"{name}.partial").symlink_to(mine)
    if is_there:
        mine.write_text("of mine")
    with ManyFilesHub(2, empty=name) as hub, contextlib.suppress(RKDeckError):
        start(hub, jobs, paths, folder).result(SLACK_S)
    assert mine.exists() is is_there
    assert not is_there or mine.read_text() == "of mine"
    assert not (folder / name).is_symlink()


def test_an_empty_file_arrives(jobs: JobManager, paths: AppPaths, tmp_path: Path) -> None:
    with ManyFilesHub(2, empty="nothing.txt") as hub:
        start(hub, jobs, paths, tmp_path / "mine").result(SLACK_S)
    assert names_in(tmp_path / "mine") == set(hub.files)
    assert (tmp_path / "mine/nothing.txt").read_bytes() == b""


def test_a_pause_for_all_is_told_once(
    hub: ManyFilesHub, jobs: JobManager, paths: AppPaths, tmp_path: Path
) -> None:
    hub.limited = MOST_AT_ONCE
    handle = start(hub, jobs, paths, tmp_path / "mine")
    handle.result(SLACK_S)
    told = [str(event.data["text"]) for event in handle.follow() if event.event == "log"]
    assert len(told) == 1
    assert "2 s" in told[0]


def test_the_result_of_twenty_thousand_files_is_read(paths: AppPaths) -> None:
    row = {"name": "part-000/" + "n" * 150 + ".json", "size_bytes": 4000, "sha256": "0" * 64}
    result = {"files": [row] * 20_000}
    line = json.dumps({"event": "result", "t_unix_s": 1.0, "result": result}).encode() + b"\n"

    class Writer:
        def append(self, event: str, **data: object) -> None:
            raise AssertionError(event)

    inbox = Inbox(Writer(), lambda _: None)  # type: ignore[arg-type]  # nothing is to be written
    for start_byte in range(0, len(line), 65_536):
        inbox.take(line[start_byte : start_byte + 65_536])
    assert inbox.result == result
