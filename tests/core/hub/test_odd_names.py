"""Names that do harm cost their file, names that are merely odd cost nothing; told in the job, kept in the library."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.errors import RKDeckError
from core.base.left_out import LeftOut
from core.base.names import printable
from core.base.paths import AppPaths
from core.demo.hub.faults import Fault
from core.demo.hub.server import DemoHub
from core.hub.download import DownloadPlan, plan_download
from core.hub.huggingface.client import HubClient
from core.hub.on_disk import fit, fit_to_disk
from core.hub.records import ModelDetail, ModelSummary, RepoFile
from core.jobs.manager import JobHandle, JobManager
from core.library.library import Library
from tests.support.hub_fixtures import small_repo
from tests.support.orders import start_download

SLACK_S = 60.0
REPO = "someone/odd"
ODD = (
    "Screenshot 2026-11-28 at 9.41.00\u202fAM.png", "\U0001f468\u200d\U0001f469\u200d\U0001f467.png",
    "cafe\u0301.txt", "caf\u00e9.txt", "blank at the end ", " .txt", "zero\u200bwidth.txt", "\U0001fae8\U000e0067.txt",
    "README.md", "readme.md", "$(reboot).txt", "-rf", "\ue000.txt", "x" * 255, "\u6a21" * 85, "x" * 254,
)  # fmt: skip
HARMFUL = (
    "turned\u202etxt.exe", "coloured\x1b[31m.txt", "two\nlines.txt", "back\\slash", "w.partial", "W.PARTIAL.json",
)  # fmt: skip


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoHub]:
    folder = small_repo(tmp_path_factory.mktemp("hub") / "odd")
    for name in (*ODD, *HARMFUL):
        (folder / name).write_text(f"this is {name!r}")
    with DemoHub({REPO: folder}) as hub:
        yield hub


def start(hub: DemoHub, jobs: JobManager, paths: AppPaths) -> JobHandle:
    plan = plan_download(HubClient(hub.url, None).details(REPO))
    return start_download(jobs, hub.url, plan, library_folder=paths.library)


def detail(*paths: str, size_bytes: int = 10) -> ModelDetail:
    files = tuple(RepoFile(path, size_bytes, "0" * 40, None) for path in paths)
    return ModelDetail("a/b", "c" * 40, ModelSummary("a/b", None, None, None, None, None, False, ()), files)


def test_odd_names_arrive_harmful_ones_are_left_out_and_told(
    hub: DemoHub, jobs: JobManager, paths: AppPaths, library: Library
) -> None:
    handle = start(hub, jobs, paths)
    result = handle.result(SLACK_S)
    folder = Path(str(result["path"]))
    assert set(os.listdir(folder)) == {"config.json", "model.safetensors", *ODD}
    assert all((folder / name).read_text() == f"this is {name!r}" for name in ODD)
    told = "\n".join(str(event.data.get("text")) for event in handle.follow() if event.event == "log")
    for name in (
        "turned\\u202etxt.exe",
        "coloured\\x1b[31m.txt",
        "two\\nlines.txt",
        "back\\slash",
        "w.partial",
    ):
        assert name in told
    assert "\x1b" not in told
    assert "\u202e" not in told
    rows = result["left_out"]
    assert isinstance(rows, list)
    assert len(rows) == len(HARMFUL)
    (item,) = library.list()
    assert library.verify(item.id) == ()
    assert len(item.left_out) == len(HARMFUL)


def test_what_arrived_is_there_for_the_next_run(hub: DemoHub, jobs: JobManager, paths: AppPaths) -> None:
    start(hub, jobs, paths).result(SLACK_S)
    assert start(hub, jobs, paths).result(SLACK_S)["bytes_fetched"] == 0


def test_a_name_without_room_for_an_ending_goes_on_where_it_was_cut(
    hub: DemoHub, jobs: JobManager, paths: AppPaths, tmp_path: Path
) -> None:
    folder, before = tmp_path / "mine", hub.bytes_sent("x" * 254)
    hub.faults.plan(Fault("cut", "x" * 254, after_bytes=100))
    plan = plan_download(HubClient(hub.url, None).details(REPO), include=["x" * 255, "x" * 254])
    result = start_download(jobs, hub.url, plan, library_folder=paths.library, to=folder).result(SLACK_S)
    assert result["left_out"] == []
    assert sorted(os.listdir(folder)) == ["x" * 254, "x" * 255]
    assert hub.bytes_sent("x" * 254) - before == (folder / ("x" * 254)).stat().st_size


def test_what_a_download_left_out_the_library_leaves_out_too_and_verifies_the_rest(
    library: Library, tmp_path: Path
) -> None:
    folder = small_repo(tmp_path / "odd")
    for name in (*ODD, *HARMFUL):
        (folder / name).write_text("x")
    item = library.add_source_folder(folder)
    names = {file.name for file in item.files}
    ours = {"w.partial", "W.PARTIAL.json"}  # nobody downloads here: they are files like others
    assert names == {"config.json", "model.safetensors", *ODD, *ours}
    assert {left.why for left in item.left_out} == {"odd_character", "turns_writing"}
    assert library.verify(item.id) == ()


def test_weights_with_a_harmful_name_stop_the_model_and_the_advice_to_rename_helps(
    library: Library, tmp_path: Path
) -> None:
    folder = small_repo(tmp_path / "odd")
    index, odd = folder / "model.safetensors.index.json", "weights\x1b.safetensors"
    (folder / "model.safetensors").rename(folder / odd)
    index.write_text(json.dumps({"weight_map": {"model.weight": odd}}))
    with pytest.raises(RKDeckError) as caught:
        library.add_source_folder(folder)
    assert (caught.value.code, caught.value.facts["path"]) == ("names.unsafe_path", printable(odd))
    (folder / odd).rename(folder / "weights.safetensors")
    index.write_text(json.dumps({"weight_map": {"model.weight": "weights.safetensors"}}))
    assert library.verify(library.add_source_folder(folder).id) == ()


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/x", "/etc/x", "a/../../b", "a//b", "x\x00y", "a\nb", "x" * 256, "a\u202eb", "a\u2028b", "a\u2066b",
        "w.partial", "w.partial.json", "w.partial/x", "a/" * 600 + "b", "\ud800",
    ],
)  # fmt: skip
def test_a_harmful_name_costs_that_file_only(path: str) -> None:
    plan = plan_download(detail("config.json", "model.safetensors", path))
    assert [file.path for file in plan.files] == ["config.json", "model.safetensors"]
    assert [left.path for left in plan.left_out] == [path]


@pytest.mark.parametrize(
    "paths",
    [
        ("config.json", "weights\x1b.safetensors"),  # the weights themselves
        ("config.json", "model.safetensors.index.json", "model-1.safetensors", "\x1b.safetensors"),
        ("a\n.gguf",),
        ("a\n.rkllm", "README.md"),
    ],
)
def test_what_the_model_is_made_of_is_not_left_out_in_silence(paths: tuple[str, ...]) -> None:
    with pytest.raises(RKDeckError) as caught:
        plan_download(detail(*paths))
    assert caught.value.code == "names.unsafe_path"


def test_one_ready_made_file_is_as_good_as_another() -> None:
    plan = plan_download(detail("a\n.gguf", "b.gguf"))
    assert ([file.path for file in plan.files], len(plan.left_out)) == (["b.gguf"], 1)


def test_only_what_was_asked_for_counts() -> None:
    with pytest.raises(RKDeckError) as caught:
        plan_download(detail("config.json", "a\nb.txt"), include=["a*"])
    assert caught.value.code == "names.unsafe_path"
    assert plan_download(detail("config.json", "a\nb.txt"), exclude=["a*"]).left_out == ()


class WindowsDisk:
    """A disk as exfat is; none can be had here. What is asked of a real one, other tests ask."""

    def takes(self, path: str) -> bool:
        return ":" not in path and "?" not in path

    def same_place(self, path: str, other: str) -> bool:
        return path.rstrip(" .").lower() == other.rstrip(" .").lower()


def test_what_the_disk_does_not_take_costs_that_file_unless_it_is_the_model() -> None:
    plan = plan_download(detail("config.json", "model.safetensors", "shot 12:30.png", "end.", "end", "what?"))
    found = fit(plan, WindowsDisk())
    assert [file.path for file in found.files] == ["config.json", "model.safetensors", "end"]
    assert {(left.path, left.why) for left in found.left_out} == {
        ("shot 12:30.png", "disk_refuses"), ("what?", "disk_refuses"), ("end.", "same_place"),
    }  # fmt: skip
    with pytest.raises(RKDeckError) as caught:
        fit(plan_download(detail("config.json", "a:b.safetensors")), WindowsDisk())
    assert (caught.value.code, caught.value.facts["why"]) == ("names.unsafe_path", "disk_refuses")


def test_this_disk_is_asked_about_odd_names_and_takes_them(tmp_path: Path) -> None:
    (tmp_path / ".rkdeck-names").mkdir()  # a dead download left it
    plan = plan_download(detail("a:b", "what?", "x" * 255, "sub/end ", "sub/end", "sub/end."))
    assert fit_to_disk(plan, tmp_path) == plan
    assert os.listdir(tmp_path) == []


def test_a_disk_that_tells_small_letters_from_capitals_keeps_both(tmp_path: Path) -> None:
    plan = plan_download(detail("README.md", "readme.md", "caf\u00e9", "cafe\u0301"))
    assert fit_to_disk(plan, tmp_path) == plan
    assert os.listdir(tmp_path) == []


def test_a_disk_that_does_not_keeps_the_name_that_programs_ask_for() -> None:
    names = ("Config.json", "config.json", "README.md", "readme.md", "sub/a", "sub/A", "other")
    found = fit(plan_download(detail(*names)), WindowsDisk())
    assert [file.path for file in found.files] == ["config.json", "README.md", "sub/a", "other"]
    assert found.left_out == tuple(
        LeftOut(path, "same_place") for path in ("Config.json", "readme.md", "sub/A")
    )


def test_of_weights_in_several_files_none_is_left_out_for_the_disk() -> None:
    with pytest.raises(RKDeckError) as caught:
        fit(plan_download(detail("config.json", "part.safetensors", "Part.safetensors")), WindowsDisk())
    assert (caught.value.code, caught.value.facts["why"]) == ("names.unsafe_path", "same_place")
    assert len(fit(plan_download(detail("b.gguf", "B.gguf")), WindowsDisk()).files) == 1


@pytest.mark.parametrize("paths", [("a", "a/b/c"), ("a/b/c", "a"), ("a/b/c", "a/b")])
def test_a_file_where_a_folder_is_costs_the_later_one(paths: tuple[str, str]) -> None:
    plan = plan_download(detail("config.json", *paths))
    assert [file.path for file in plan.files] == ["config.json", paths[0]]
    assert plan.left_out == (LeftOut(paths[1], "same_place"),)


def test_a_file_listed_twice_is_one_file() -> None:
    twice = detail("a", "a")
    assert plan_download(twice) == DownloadPlan("a/b", "c" * 40, twice.files[:1])
    other = RepoFile("a", 11, "1" * 40, None)
    plan = plan_download(ModelDetail("a/b", "c" * 40, twice.summary, (twice.files[0], other)))
    assert (plan.files, plan.left_out) == (twice.files[:1], (LeftOut("a", "same_place"),))
