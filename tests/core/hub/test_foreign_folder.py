"""Downloads into a folder of the user's own: what lies there is theirs."""

from pathlib import Path

import pytest

from core.base.errors import RKDeckError
from core.base.paths import AppPaths
from core.demo.hub.server import DemoHub
from core.hub.download import plan_download
from core.hub.huggingface.client import HubClient
from core.jobs.manager import JobHandle, JobManager
from tests.support.orders import start_download

from .conftest import REPO  # noqa: TID252

SLACK_S = 60.0


def start_to(hub: DemoHub, jobs: JobManager, paths: AppPaths, folder: Path, *include: str) -> JobHandle:
    plan = plan_download(HubClient(hub.url, None).details(REPO), include=include)
    return start_download(jobs, hub.url, plan, library_folder=paths.library, to=folder)


@pytest.mark.parametrize("name", ["config.json", "big.rkllm", "big.rkllm.partial"])
def test_a_file_of_the_user_is_not_overwritten(
    hub: DemoHub, jobs: JobManager, paths: AppPaths, tmp_path: Path, name: str
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / name).write_text("my own notes")
    with pytest.raises(RKDeckError) as caught:
        start_to(hub, jobs, paths, mine).result(SLACK_S)
    assert caught.value.code == "hub.would_overwrite"
    assert caught.value.exit_code == 3
    assert caught.value.facts["file"] == name
    assert (mine / name).read_text() == "my own notes"
    assert [path.name for path in mine.iterdir()] == [name]
    assert hub.bytes_sent("big.rkllm") == 0


def test_what_is_right_already_is_taken(
    hub: DemoHub, jobs: JobManager, paths: AppPaths, model: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("my own notes")
    (mine / "big.rkllm").write_bytes((model / "big.rkllm").read_bytes())
    result = start_to(hub, jobs, paths, mine).result(SLACK_S)
    assert hub.bytes_sent("big.rkllm") == 0
    assert int(str(result["bytes_fetched"])) > 0
    assert (mine / "notes.txt").read_text() == "my own notes"
    assert (mine / "config.json").read_bytes() == (model / "config.json").read_bytes()
