"""What a download finds on the disk and on the line when it goes on: nothing unverified gets its name."""

import json
import os
from pathlib import Path

import pytest

from core.base.errors import RKDeckError
from core.base.paths import AppPaths
from core.demo.hub.faults import Fault
from core.demo.hub.server import DemoHub
from core.hub.download import DownloadPlan, Patience, plan_download
from core.hub.huggingface.client import HubClient
from core.hub.records import RepoFile
from core.jobs.manager import JobHandle, JobManager
from core.library.library import Library
from core.library.records import LibraryItem
from tests.support.odd_hub import OddHub, reply
from tests.support.orders import start_download

from .conftest import BIG_BYTES, REPO  # noqa: TID252

SLACK_S = 60.0
MIB = 1 << 20
QUICK = Patience(stall_timeout_s=1.0, first_pause_s=0.05, tries=3)


def start(hub: DemoHub, jobs: JobManager, paths: AppPaths, *include: str) -> JobHandle:
    plan = plan_download(HubClient(hub.url, None).details(REPO), include=include)
    return start_download(jobs, hub.url, plan, library_folder=paths.library, patience=QUICK)


def folder_of(jobs: JobManager, handle: JobHandle) -> Path:
    return Path(str(handle.record().spec.params["folder"]))


def events_of(handle: JobHandle, name: str) -> list[str]:
    return [json.dumps(event.data) for event in handle.follow() if event.event == name]


def test_a_finished_file_with_bytes_behind_its_end_is_fetched_again(
    hub: DemoHub, jobs: JobManager, paths: AppPaths, model: Path
) -> None:
    handle = start(hub, jobs, paths, "config.json")
    handle.result(SLACK_S)
    path = folder_of(jobs, handle) / "config.json"
    data = (model / "config.json").read_bytes()
    path.write_bytes(data + b" and more")
    assert start(hub, jobs, paths, "config.json").result(SLACK_S)["bytes_fetched"] == len(data)
    assert path.read_bytes() == data


@pytest.mark.parametrize("extra", [0, 9])
def test_a_whole_partial_is_checked_and_one_that_is_too_long_thrown_away(
    hub: DemoHub, jobs: JobManager, paths: AppPaths, model: Path, extra: int
) -> None:
    data = (model / "big.rkllm").read_bytes()
    hub.faults.plan(Fault("kill", "big.rkllm", after_bytes=2 * MIB))
    handle = start(hub, jobs, paths, "big.rkllm")
    with pytest.raises(RKDeckError):
        handle.result(SLACK_S)
    hub.faults.dead.clear()
    folder = folder_of(jobs, handle)
    (folder / "big.rkllm.partial").write_bytes(data + b"x" * extra)
    result = jobs.retry(handle.id).result(SLACK_S)
    assert result["bytes_fetched"] == (BIG_BYTES if extra else 0)
    assert (folder / "big.rkllm").read_bytes() == data
    assert os.listdir(folder) == ["big.rkllm"]


def test_a_line_that_falls_silent_is_left_and_taken_up_again(
    hub: DemoHub, jobs: JobManager, paths: AppPaths, model: Path
) -> None:
    hub.faults.plan(Fault("stall", "big.rkllm", after_bytes=5 * MIB))
    handle = start(hub, jobs, paths, "big.rkllm")
    result = handle.result(SLACK_S)
    assert (folder_of(jobs, handle) / "big.rkllm").read_bytes() == (model / "big.rkllm").read_bytes()
    assert int(str(result["bytes_fetched"])) <= BIG_BYTES + MIB
    assert hub.bytes_sent("big.rkllm") <= BIG_BYTES + 2 * MIB
    assert any("trying again" in text for text in events_of(handle, "log"))


def test_a_line_that_never_lasts_long_still_brings_the_file(
    hub: DemoHub, jobs: JobManager, paths: AppPaths, model: Path
) -> None:
    hub.faults.plan(Fault("cut", "model.safetensors", after_bytes=20_000, times=10))
    handle = start(hub, jobs, paths, "model.safetensors")
    result = handle.result(SLACK_S)
    data = (model / "model.safetensors").read_bytes()
    assert len(data) > 10 * 20_000
    assert (folder_of(jobs, handle) / "model.safetensors").read_bytes() == data
    assert result["bytes_fetched"] == len(data)


def test_a_server_without_ranges_starts_again_from_the_beginning(
    hub: DemoHub, jobs: JobManager, paths: AppPaths, model: Path
) -> None:
    hub.faults.plan(Fault("cut", "big.rkllm", after_bytes=3 * MIB))
    hub.faults.plan(Fault("no_ranges", "big.rkllm", times=2))
    handle = start(hub, jobs, paths, "big.rkllm")
    result = handle.result(SLACK_S)
    assert (folder_of(jobs, handle) / "big.rkllm").read_bytes() == (model / "big.rkllm").read_bytes()
    assert int(str(result["bytes_fetched"])) >= BIG_BYTES


def test_a_server_that_cuts_and_knows_no_ranges_ends_in_words(paths: AppPaths, jobs: JobManager) -> None:
    def half(handler: object) -> None:
        reply(200, b"x" * 1000, Content_Length="2000", Connection="close")(handler)  # type: ignore[arg-type]

    plan = DownloadPlan("a/b", "c" * 40, (RepoFile("f.bin", 2000, None, "0" * 64),))
    with OddHub() as odd:
        odd.answer = half
        handle = start_download(jobs, odd.url, plan, library_folder=paths.library, patience=QUICK)
        with pytest.raises(RKDeckError) as caught:
            handle.result(SLACK_S)
    assert caught.value.code == "hub.no_ranges"
    assert len(odd.asked) <= 6


def test_an_error_page_is_not_taken_for_the_files_rest(paths: AppPaths, jobs: JobManager) -> None:
    plan = DownloadPlan("a/b", "c" * 40, (RepoFile("f.bin", 2000, None, "0" * 64),))
    with OddHub() as odd:
        odd.answer = reply(416, b"<Error>" * 400)
        handle = start_download(jobs, odd.url, plan, library_folder=paths.library, patience=QUICK)
        with pytest.raises(RKDeckError) as caught:
            handle.result(SLACK_S)
    assert caught.value.code == "hub.strange_answer"
    folder = folder_of(jobs, handle)
    assert not (folder / "f.bin").exists()
    assert not (folder / "f.bin.partial").exists() or (folder / "f.bin.partial").stat().st_size == 0


def names_of(item: LibraryItem | None) -> set[str]:
    assert item is not None
    return {file.name for file in item.files}


def test_fetching_a_part_again_keeps_the_librarys_entry_whole(
    hub: DemoHub, jobs: JobManager, paths: AppPaths, library: Library
) -> None:
    folder = str(start(hub, jobs, paths).result(SLACK_S)["path"])
    whole = library.find(folder)
    start(hub, jobs, paths, "config.json").result(SLACK_S)
    again = library.find(folder)
    assert names_of(again) == names_of(whole) >= {"config.json", "model.safetensors"}
    assert whole is not None
    assert again is not None
    assert (again.id, again.size_bytes) == (whole.id, whole.size_bytes)
    assert library.verify(again.id) == ()


def test_parts_fetched_one_after_the_other_become_one_entry(
    hub: DemoHub, jobs: JobManager, paths: AppPaths, library: Library
) -> None:
    folder = str(start(hub, jobs, paths, "config.json").result(SLACK_S)["path"])
    start(hub, jobs, paths, "*.safetensors").result(SLACK_S)
    assert names_of(library.find(folder)) == {"config.json", "model.safetensors"}


def test_every_file_is_in_one_item_only(
    hub: DemoHub, jobs: JobManager, paths: AppPaths, library: Library
) -> None:
    start(hub, jobs, paths).result(SLACK_S)
    paths_of_files = [item.folder / file.name for item in library.list() for file in item.files]
    assert len(paths_of_files) == len(set(paths_of_files)) == 5


def test_the_token_reaches_the_worker_but_no_file(hub: DemoHub, jobs: JobManager, paths: AppPaths) -> None:
    token = "hf_averysecrettokenindeed"
    client = HubClient(hub.url, token)
    plan = plan_download(client.details("someone/locked"), include=["big.rkllm"])
    handle = start_download(jobs, hub.url, plan, library_folder=paths.library, token=token, patience=QUICK)
    handle.result(SLACK_S)
    asked = [request for request in hub.requests if request.path.endswith("big.rkllm")]
    assert {request.server: request.had_auth for request in asked} == {"hub": True, "cdn": False}
    for path in paths.home.rglob("*"):
        if path.is_file():
            assert token.encode() not in path.read_bytes(), path
