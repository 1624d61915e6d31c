"""A file that nobody needs costs itself, never the model: whatever its size, and whatever the hub says of it."""

import json
import os
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from core.base.errors import RKDeckError
from core.base.paths import AppPaths
from core.demo.hub.server import DemoHub
from core.hub.download import DownloadPlan, Patience, is_needed, plan_download
from core.hub.huggingface.answers import parse_detail
from core.hub.huggingface.client import HubClient
from core.hub.on_disk import fit_to_room
from core.hub.records import ModelDetail, RepoFile
from core.jobs.manager import JobManager
from core.model.files import weight_files
from tests.support.hub_fixtures import small_repo
from tests.support.odd_hub import Answer, OddHub, document, reply
from tests.support.orders import start_download

SLACK_S = 60.0
TIB, PIB = 1 << 40, 1 << 50
COMMIT = "c" * 40
NEEDED = ("config.json", "model.safetensors")


def told(*files: tuple[str, object]) -> ModelDetail:
    siblings = [{"rfilename": path, "size": size} for path, size in files]
    return parse_detail("a/b", {"id": "a/b", "sha": COMMIT, "siblings": siblings})


def plan_of(*files: tuple[str, int]) -> DownloadPlan:
    return DownloadPlan("a/b", COMMIT, tuple(RepoFile(path, size, None, None) for path, size in files))


def test_a_file_of_909_tib_is_left_out_and_the_model_arrives(
    jobs: JobManager, paths: AppPaths, tmp_path: Path
) -> None:
    folder = small_repo(tmp_path / "repo")
    (folder / "video.mp4").write_bytes(b"not that much")
    with DemoHub({"a/b": folder}) as hub:
        plan = plan_download(HubClient(hub.url, None).details("a/b"))
        files = tuple(
            replace(file, size_bytes=909 * TIB) if file.path == "video.mp4" else file for file in plan.files
        )
        result = start_download(
            jobs, hub.url, replace(plan, files=files), library_folder=paths.library
        ).result(SLACK_S)
    assert result["left_out"] == [{"name": "video.mp4", "why": "no_room"}]
    assert set(os.listdir(str(result["path"]))) == set(NEEDED)


def test_of_what_nobody_needs_the_largest_goes_first_and_only_as_far_as_it_must(tmp_path: Path) -> None:
    plan = plan_of(("model.safetensors", 10), ("a.mp4", 900 * TIB), ("b.mp4", 800 * TIB), ("c.png", 5))
    missing = {file.path: file.size_bytes for file in plan.files}
    found = fit_to_room(plan, tmp_path, missing, 0)
    assert [file.path for file in found.files] == ["model.safetensors", "c.png"]
    assert {(left.path, left.why) for left in found.left_out} == {("a.mp4", "no_room"), ("b.mp4", "no_room")}
    there = {"model.safetensors": 10, "a.mp4": 1, "b.mp4": 0, "c.png": 5}
    assert fit_to_room(plan, tmp_path, there, 0) is plan


def test_what_is_needed_or_all_that_was_asked_for_is_refused_instead(tmp_path: Path) -> None:
    for plan in (
        plan_of(("model.safetensors", 900 * TIB), ("a.mp4", 900 * TIB)),
        plan_of(("a.mp4", 900 * TIB)),
    ):
        missing = {file.path: file.size_bytes for file in plan.files}
        with pytest.raises(RKDeckError) as caught:
            fit_to_room(plan, tmp_path, missing, 0)
        assert caught.value.code == "hub.disk_full_ahead"
        assert caught.value.facts["needed_bytes"] == 900 * TIB


@pytest.mark.parametrize("size", [1 << 70, -1, "5", 1.5, None, [], True, float("inf")])
def test_an_odd_size_costs_that_file_unless_the_model_needs_it(size: object) -> None:
    found = plan_download(told(("config.json", 5), ("model.safetensors", 5), ("a.mp4", size)))
    assert [file.path for file in found.files] == [*NEEDED]
    assert [(left.path, left.why) for left in found.left_out] == [("a.mp4", "strange")]
    with pytest.raises(RKDeckError) as caught:
        told(("config.json", 5), ("model.safetensors", size))
    assert caught.value.code in {"hub.impossible_size", "hub.strange_answer"}


def test_sizes_that_only_together_cannot_be_cost_the_largest_that_nobody_needs() -> None:
    found = told(("config.json", 5), ("model.safetensors", 5), ("a.mp4", 900 * PIB), ("b.mp4", 800 * PIB))
    assert [file.path for file in found.files] == [*NEEDED, "b.mp4"]
    with pytest.raises(RKDeckError) as caught:
        told(("model-1.safetensors", 900 * PIB), ("model-2.safetensors", 900 * PIB))
    assert caught.value.code == "hub.impossible_size"


def test_one_ready_made_file_of_an_odd_size_leaves_the_others() -> None:
    found = told(("a.gguf", 1 << 70), ("b.gguf", 5))
    assert [file.path for file in plan_download(found).files] == ["b.gguf"]
    with pytest.raises(RKDeckError) as caught:
        plan_download(found, include=["a.*"])
    assert caught.value.facts["why"] == "strange"


def test_what_only_people_and_trainers_read_is_not_needed() -> None:
    weights = weight_files(NEEDED)
    for path in (
        "LICENSE.txt",
        "requirements.txt",
        "trainer_state.json",
        "eval_results.json",
    ):
        assert not is_needed(path, weights)
    for path in (
        *NEEDED,
        "vocab.txt",
        "merges.txt",
        "tokenizer.json",
        "modeling_x.py",
        "chat_template.jinja",
    ):
        assert is_needed(path, weights)


REFUSALS = {
    "forbidden": reply(403, b""),
    "filtered": reply(403, b"<html>no pictures here</html>", Content_Type="text/html"),
    "unlawful": reply(451, b""),
    "broken": reply(500, b""),
    "odd": reply(418, b""),
    "page": reply(200, b"<!doctype html><html>", Content_Type="text/html"),
    "packed": reply(200, b"x", Content_Encoding="br"),
    "elsewhere": reply(302, b"", Location="http://127.0.0.1:9/x"),
    "circles": reply(302, b"", Location="picture.png"),
    "short": reply(200, b"x"),
}


@pytest.mark.parametrize("why", REFUSALS)
@pytest.mark.parametrize("sized", [True, False], ids=["size told", "size asked for"])
def test_what_the_hub_says_of_a_file_nobody_needs_is_no_fault_of_the_model(
    jobs: JobManager, paths: AppPaths, why: str, sized: bool
) -> None:
    content = {"config.json": json.dumps({"model_type": "llama"}).encode(), "model.safetensors": b"w" * 100}
    siblings: list[dict[str, object]] = [
        {"rfilename": path, "size": len(data)} for path, data in content.items()
    ]
    siblings.append({"rfilename": "picture.png", **({"size": 50} if sized else {})})
    with OddHub() as odd:

        def answer(handler: BaseHTTPRequestHandler) -> None:
            name = handler.path.partition("?")[0].rpartition("/")[2]
            found: Answer = reply(404, b"")
            if "/tree/" in handler.path:
                pass
            elif "/api/" in handler.path:
                found = document({"id": "a/b", "sha": COMMIT, "siblings": siblings})
            elif name == "picture.png":
                found = REFUSALS[why]
            elif name in content:
                found = reply(200, content[name])
            found(handler)

        odd.answer = answer
        plan = plan_download(HubClient(odd.url, None).details("a/b"))
        patience = Patience(first_pause_s=0.01, tries=2)
        result = start_download(jobs, odd.url, plan, library_folder=paths.library, patience=patience).result(
            SLACK_S
        )
    assert set(os.listdir(str(result["path"]))) - {"picture.png"} == set(NEEDED)
    if (why, sized) != ("short", False):  # asked for, it is one byte, and that arrives
        assert result["left_out"] == [{"name": "picture.png", "why": "strange"}]
