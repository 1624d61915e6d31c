"""A repository that was renamed is one model: no second copy, found under both names, what was held stays."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.paths import AppPaths
from core.base.settings import Settings
from core.demo.hub.server import DemoHub
from core.hub.records import ModelDetail, ModelSummary
from core.library.records import LibraryItem
from core.services import Services
from core.usecases import hub as use
from tests.support.hub_fixtures import small_repo
from tests.support.tiny_model import write_tiny_model

SLACK_S = 60.0
OLD, NEW = "before/tiny", "after/small"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[DemoHub]:
    with DemoHub({OLD: small_repo(tmp_path / "tiny"), "other/fork": small_repo(tmp_path / "fork")}) as hub:
        yield hub


@pytest.fixture
def services(paths: AppPaths, hub: DemoHub) -> Iterator[Services]:
    with Services(paths, Settings(hub_endpoint=hub.url)) as services:
        yield services


def fetch(services: Services, repo: str, *include: str) -> tuple[Path, int]:
    """Download; where it is, and how many bytes came."""
    job = use.start_model_download(services, repo, include=include)
    result = services.jobs.attach(job).result(SLACK_S)
    return Path(str(result["path"])), int(str(result["bytes_fetched"]))


def sources(services: Services) -> list[LibraryItem]:
    return [item for item in services.library.list() if item.kind == "source"]


@pytest.mark.parametrize("asked", [OLD, NEW])
def test_a_renamed_repository_is_not_fetched_again_under_either_name(
    services: Services, hub: DemoHub, asked: str
) -> None:
    folder, _ = fetch(services, OLD)
    (before,) = sources(services)
    hub.rename(OLD, NEW)
    assert fetch(services, asked) == (folder, 0)
    (item,) = sources(services)
    assert (item.id, item.path, item.repo, item.former_repos) == (before.id, folder, NEW, (OLD,))
    assert services.library.find(OLD) == services.library.find(NEW) == item
    assert services.library.verify(item.id) == ()
    report = use.hub_report(services, asked)
    assert report.item == item


def test_what_comes_first_under_an_earlier_name_is_kept_under_the_present_one(
    services: Services, hub: DemoHub
) -> None:
    hub.rename(OLD, NEW)
    folder, count = fetch(services, OLD)
    assert count > 0
    assert folder.parent.name == "after--small"
    assert fetch(services, NEW) == (folder, 0)
    (item,) = sources(services)
    assert item.repo == NEW
    assert use.hub_report(services, OLD).item == item


def test_a_name_changed_twice_leads_to_the_same_item(services: Services, hub: DemoHub) -> None:
    folder, _ = fetch(services, OLD)
    hub.rename(OLD, NEW)
    fetch(services, NEW)
    hub.rename(NEW, "last/one")
    assert fetch(services, OLD)[0] == fetch(services, "last/one")[0] == folder
    (item,) = sources(services)
    assert (item.repo, set(item.former_repos)) == ("last/one", {OLD, NEW})


def test_a_name_given_back_is_no_former_name(services: Services, hub: DemoHub) -> None:
    fetch(services, OLD)
    hub.rename(OLD, NEW)
    fetch(services, NEW)
    del hub.renamed[OLD]
    hub.rename(NEW, OLD)
    fetch(services, OLD)
    (item,) = sources(services)
    assert (item.repo, item.former_repos) == (OLD, (NEW,))


def test_a_job_ordered_before_the_renaming_does_not_bring_the_old_name_back(
    services: Services, hub: DemoHub
) -> None:
    first = use.start_model_download(services, OLD)
    services.jobs.attach(first).result(SLACK_S)
    hub.rename(OLD, NEW)
    fetch(services, NEW)
    (before,) = sources(services)
    services.library.register(
        kind="source", title="tiny", path=before.path, files=before.files, repo=OLD, revision=before.revision
    )
    (item,) = sources(services)
    assert (item.repo, item.former_repos) == (NEW, (OLD,))


def test_a_ready_made_file_of_a_renamed_repository_is_one_file(
    services: Services, hub: DemoHub, tmp_path: Path
) -> None:
    folder = hub.repos[OLD].folder / "sub"
    folder.mkdir()
    write_tiny_model(folder / "a.rkllm", "w8a8")
    place, _ = fetch(services, OLD, "*.rkllm")
    hub.rename(OLD, NEW)
    assert fetch(services, NEW, "*.rkllm") == (place, 0)
    (item,) = services.library.list()
    assert (item.repo, item.path) == (NEW, place / "sub" / "a.rkllm")


def test_a_fork_with_the_same_commit_is_another_model(services: Services, hub: DemoHub) -> None:
    hub.repos["other/fork"] = replace(hub.repos["other/fork"], born=OLD)
    first, _ = fetch(services, OLD)
    second, count = fetch(services, "other/fork")
    assert (first != second, count > 0) == (True, True)
    assert {item.repo for item in sources(services)} == {OLD, "other/fork"}


@pytest.mark.parametrize("told", ["", "no id", "../../x", "shelf:a/b", "a/b/c"])
def test_a_name_that_cannot_be_one_is_not_taken(told: str) -> None:
    summary = ModelSummary(told, None, None, None, None, None, False, ())
    assert ModelDetail("a/b", "c" * 40, summary, ()).present_repo == "a/b"
