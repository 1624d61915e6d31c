"""What a start does about downloads that are dead: parts are kept to go on with, everything else about them goes."""

import json
import os
from pathlib import Path

import pytest

from core.base.locks import FileLock
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.hub.download import DownloadPlan
from core.hub.fetch import _lock
from core.hub.order import DownloadOrder
from core.hub.records import RepoFile
from core.jobs.leaves import write_leaves
from core.jobs.model import JobSpec, JobState
from core.jobs.store import EventWriter, JobStore
from core.services import Services

NAMES = ("whole.safetensors", "deep/begun.bin")


@pytest.fixture
def folder(paths: AppPaths, tmp_path: Path) -> Path:
    """A folder on another disk, as a worker killed at several things at once would leave it."""
    folder = tmp_path / "model"
    (folder / "deep").mkdir(parents=True)
    (folder / ".rkdeck-names" / "README.md").parent.mkdir()
    (folder / ".rkdeck-names" / "README.md").touch()
    (folder / "deep" / ".rkdeck-1234.new").write_text("half a side")
    (folder / "whole.safetensors").write_bytes(b"whole")
    (folder / "whole.safetensors.partial.json").write_text("{}")
    (folder / "deep" / "begun.bin.partial").write_bytes(b"beg")
    (folder / "deep" / "begun.bin.partial.json").write_text("{}")
    (folder / ".mine").touch()
    files = tuple(RepoFile(name, 5, None, None) for name in NAMES)
    order = DownloadOrder("http://127.0.0.1:9", DownloadPlan("a/b", "c" * 40, files), folder)
    spec = JobSpec("download-1", "download", "download", "a/b", order.to_json(), order.kind.worker)
    job = JobStore(paths.jobs).create(spec)
    with FileLock(job.lock_file):
        writer = EventWriter(job)
        writer.move(JobState.QUEUED, "submitted")
        writer.move(JobState.RUNNING, "started")
    write_leaves(job.path)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


KEPT = [".mine", "deep/begun.bin.partial", "deep/begun.bin.partial.json", "whole.safetensors"]


def test_parts_are_kept_and_nothing_hidden_of_ours_is(paths: AppPaths, folder: Path) -> None:
    with Services(paths, Settings()) as services:
        assert services.jobs.store.get("download-1").state is JobState.INTERRUPTED
        assert not services.jobs.store.unsettled()
    assert names(folder) == KEPT
    assert not (folder / ".rkdeck-names").exists()


def test_a_folder_in_which_another_download_is_at_work_is_let_be(paths: AppPaths, folder: Path) -> None:
    before = names(folder)
    with _lock(paths.home, folder), Services(paths, Settings()) as services:
        assert services.jobs.store.get("download-1").state is JobState.INTERRUPTED
    assert names(folder) == before


def test_a_copied_home_lets_the_folder_of_the_original_be(paths: AppPaths, folder: Path) -> None:
    before = names(folder)
    note = paths.jobs / "download-1" / "leaves.json"
    note.write_text(json.dumps({"mark": "1-2-download-1"}))
    with Services(paths, Settings()) as services:
        assert services.library.list() == []
    assert names(folder) == before


def test_a_folder_that_is_gone_stops_no_start(paths: AppPaths, folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    with Services(paths, Settings()) as services:
        assert services.library.list() == []
        assert os.listdir(paths.jobs) == ["download-1"]
