"""The laboratory on real parts: the job with its ends, the library, the Hub by range request, the command line."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from core.base.errors import CancelledError, RefusedError, RKDeckError, UsageError
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.demo.hub.server import DemoHub
from core.jobs.manager import JobHandle
from core.jobs.model import JobState
from core.lab.records import HubModel
from core.lab.scheme import level_scheme
from core.services import Services
from core.usecases import lab as use
from core.usecases import library
from core.words import word
from tests.support.checkpoints import (
    EMBEDDING,
    Q_PROJ,
    normal,
    write_model,
    write_safetensors,
    write_sparse_model,
)
from tests.support.hub_fixtures import hub_client
from tests.support.tiny_model import write_tiny_model
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "resources" / "demo" / "wonderland-1m"
REPO = "someone/wonderland"
SLACK_S = 60.0
DOWN = "model.layers.3.mlp.down_proj.weight"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoHub]:
    root = tmp_path_factory.mktemp("repos")
    weights = normal(2048, 64)
    single = write_model(root / "single", {Q_PROJ: ("F32", weights.shape, weights.tobytes())})
    (root / "gguf").mkdir()
    (root / "gguf" / "config.json").write_bytes((DEMO / "config.json").read_bytes())
    (root / "gguf" / "m.gguf").write_bytes(b"GGUF" + bytes(100))
    with DemoHub({REPO: DEMO, "someone/single": single, "someone/gguf": root / "gguf"}) as hub:
        yield hub


@pytest.fixture
def services(paths: AppPaths, hub: DemoHub) -> Iterator[Services]:
    with Services(paths, Settings(hub_endpoint=hub.url)) as services:
        yield services


def test_a_model_of_the_library_is_analysed_once_for_everybody(services: Services) -> None:
    item = library.add_path(services, DEMO)
    assert use.stored_analysis(services, item) is None
    handle = services.jobs.attach(use.start_analysis(services, item.id))
    result = handle.result(SLACK_S)
    assert (result["tensors"], result["problems"]) == (29, 0)
    found = use.stored_analysis(services, item)
    assert found is not None
    assert found.level("w4a16_g32") is not None
    again = use.stored_analysis(services, DEMO)
    assert again is not None
    assert again.levels == found.levels
    progress = [event.data for event in handle.follow() if event.event == "progress"]
    assert progress[-1]["done"] == progress[-1]["total"] == 2_228_224
    advice = use.suggestion(services, item, found, "rk3576")
    assert advice is not None
    assert advice.price.tokens_per_s is not None


def test_a_model_that_left_the_library_takes_its_analysis_along(services: Services, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", {Q_PROJ: ("F32", (64, 64), normal(64, 64).tobytes())})
    item = library.add_path(services, folder)
    services.jobs.attach(use.start_analysis(services, item.id)).result(SLACK_S)
    assert len(list(services.paths.analyses.iterdir())) == 1
    library.remove_item(services, item.id)
    assert list(services.paths.analyses.iterdir()) == []
    assert use.stored_analysis(services, folder) is None


def test_other_files_under_the_same_name_need_another_analysis(services: Services, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", {Q_PROJ: ("F32", (64, 64), normal(64, 64).tobytes())})
    use.analyse_model(services, folder).result(SLACK_S)
    assert use.stored_analysis(services, folder) is not None
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
    assert use.stored_analysis(services, folder) is None


def test_a_converted_file_is_no_source(services: Services, tmp_path: Path) -> None:
    item = library.add_path(services, write_tiny_model(tmp_path / "tiny.rkllm"))
    with pytest.raises(RefusedError) as caught:
        use.start_analysis(services, item.id)
    assert caught.value.code == "lab.not_a_source"
    with pytest.raises(UsageError):
        use.start_analysis(services, "nobody")


def running(services: Services, tmp_path: Path) -> tuple[JobHandle, Path]:
    """A job at work that has written down a tensor, and its journal."""
    handle = use.analyse_model(services, write_sparse_model(tmp_path / "m", layers=60, rows=1024))
    journal = services.jobs.store.folder(handle.id).path / "tensors.jsonl"
    wait_until(lambda: journal.is_file() and journal.read_bytes().count(b"\n") >= 4, SLACK_S, "two tensors")
    return handle, journal


def test_cancel_stops_it_and_nothing_is_stored(services: Services, tmp_path: Path) -> None:
    handle, _ = running(services, tmp_path)
    handle.cancel()
    with pytest.raises(CancelledError):
        handle.result(SLACK_S)
    assert use.stored_analysis(services, tmp_path / "m") is None
    assert not list(services.paths.analyses.glob("*"))


def test_a_killed_worker_is_resumed_behind_its_last_tensor(services: Services, tmp_path: Path) -> None:
    handle, journal = running(services, tmp_path)
    for process in psutil.Process().children(recursive=True):
        if "core.workers.analyze" in process.cmdline():
            process.kill()
    assert handle.wait(SLACK_S).state in {JobState.FAILED, JobState.INTERRUPTED}
    written = [line for line in journal.read_bytes().splitlines() if line]
    resumed = services.jobs.retry(handle.id)
    assert resumed.result(SLACK_S)["tensors"] == 61
    lines = [line for line in journal.read_bytes().splitlines() if line]
    assert lines[: len(written)] == written
    # Every tensor was measured once; the last written line may have been a torn one.
    assert len(lines) - len(written) in {61 - len(written), 62 - len(written)}
    assert use.stored_analysis(services, tmp_path / "m") is not None
    told = [event.data["text"] for event in resumed.follow() if event.event == "log"]
    assert any("Going on behind" in str(text) for text in told)


def test_one_tensor_comes_from_the_hub_by_range_and_only_once(services: Services) -> None:
    told: list[tuple[int, int]] = []
    source = HubModel(REPO)
    found = use.analyze_tensor(services, source, DOWN, lambda done, total: told.append((done, total)))
    assert told == [(98_304, 98_304)]
    # 128 x 384 weights of 2 bytes, config, index and the headers of two shards; not the shards.
    assert hub_client(services).bytes_fetched < 98_304 + 5 * 65_536
    local = use.analyze_tensor(services, DEMO, DOWN)
    assert found == local
    before = hub_client(services).bytes_fetched
    opened = use.open_tensor(services, source, DOWN)
    picture = use.picture_of(opened, level_scheme("w4a16_g32"), channel=2, column=5)
    assert hub_client(services).bytes_fetched == before
    assert picture == use.tensor_picture(services, DEMO, DOWN, level_scheme("w4a16_g32"), channel=2, column=5)
    assert len(list((services.paths.cache / "tensors").iterdir())) == 1


def test_a_repository_without_an_index_is_searched(services: Services) -> None:
    source = HubModel("someone/single")
    assert use.list_tensors(services, source)[0].name == Q_PROJ
    found = use.analyze_tensor(services, source, Q_PROJ)
    assert found.weights == 2048 * 64


def test_of_a_tensor_in_two_shards_the_last_is_looked_at_wherever_the_model_is(
    paths: AppPaths, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "m", {})
    shards = ("model-00001-of-00002.safetensors", "more/model-00002-of-00002.safetensors")
    (folder / "more").mkdir()
    (folder / "model.safetensors").unlink()
    rows = np.ones((32, 64), "<f4")
    for factor, shard in enumerate(shards, 1):
        write_safetensors(folder / shard, {
            Q_PROJ: ("F32", (64, 64), (normal(64, 64) * factor).tobytes()),
            EMBEDDING: ("F32", (32, 64), rows.tobytes()),
        })  # fmt: skip
    places = {Q_PROJ: shards[0], EMBEDDING: shards[1]}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    with DemoHub({"some/shared": folder}) as hub, Services(paths, Settings(hub_endpoint=hub.url)) as services:
        far = use.analyze_tensor(services, HubModel("some/shared"), Q_PROJ)
        near = use.analyze_tensor(services, folder, Q_PROJ)
    assert far == near
    assert near.highest == pytest.approx(2 * float(normal(64, 64).max()))


def test_fetching_can_be_called_off(services: Services) -> None:
    def stop(done: int, total: int) -> None:
        raise CancelledError("base.cancelled")

    with pytest.raises(CancelledError):
        use.analyze_tensor(services, HubModel(REPO), DOWN, stop)
    assert not list((services.paths.cache / "tensors").glob("*"))


def test_what_is_not_on_the_hub_is_told(services: Services) -> None:
    for source, name, code in (
        (HubModel(REPO), "nothing", "lab.no_tensor"),
        (HubModel("someone/nobody"), DOWN, "hub.not_found"),
        (HubModel("someone/gguf"), DOWN, "model.gguf_only"),
        (HubModel(REPO), "model.norm.weight", "lab.not_linear"),
    ):
        with pytest.raises(RKDeckError) as caught:
            use.analyze_tensor(services, source, name)
        assert caught.value.code == code
        assert word(caught.value)[0]


# The command line.


def rkdeck(home: Path, hub: DemoHub, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
    command = [sys.executable, "-m", "gui.main", "--home", str(home), "--json", *arguments]
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "HF_ENDPOINT": hub.url},
    )
    assert done.returncode == exit_code, done.stderr
    assert "Traceback" not in done.stderr
    return dict(json.loads(done.stdout))


def test_analyze_prints_the_documented_document(tmp_path: Path, hub: DemoHub) -> None:
    found = rkdeck(tmp_path / "home", hub, "analyze", str(DEMO))
    assert {"model", "tensors", "levels", "suggestion"} <= set(found)
    assert found["model"] == str(DEMO)
    assert len(found["tensors"]) == 29
    assert {"name", "kind", "shape", "levels"} <= set(found["tensors"][0])
    assert {"dtype", "mse", "sqnr_db", "cosine", "max_abs_error"} <= set(found["tensors"][0]["levels"][0])
    assert {"dtype", "mse", "sqnr_db", "cosine"} <= set(found["levels"][0])
    assert not any("embed" in tensor["name"] or "norm" in tensor["name"] for tensor in found["tensors"])
    assert found["suggestion"]["dtype"] == "w8a8"
    assert "dB" in found["suggestion"]["reason"]
    levels = {level["dtype"]: level["sqnr_db"] for level in found["levels"]}
    assert levels["fp16"] is None
    assert levels["w8a8"] > levels["w4a16_g32"] > levels["w4a16"] > 10


def test_analyze_takes_one_tensor_of_a_model_on_the_hub_but_not_the_whole(
    tmp_path: Path, hub: DemoHub
) -> None:
    found = rkdeck(tmp_path / "home", hub, "analyze", REPO, "--tensor", DOWN)
    assert [tensor["name"] for tensor in found["tensors"]] == [DOWN]
    assert found["suggestion"] is None
    assert found["levels"] == found["tensors"][0]["levels"]
    refused = rkdeck(tmp_path / "home", hub, "analyze", REPO, exit_code=2)
    assert refused["error"]["code"] == "cli.model_not_local"
    assert "download" in refused["error"]["hint"].lower()
    unknown = rkdeck(tmp_path / "home", hub, "analyze", str(DEMO), "--platform", "rk9", exit_code=2)
    assert unknown["error"]["code"] == "estimate.unknown_platform"


def test_names_from_files_reach_the_terminal_harmless(tmp_path: Path, hub: DemoHub) -> None:
    hostile = "model.layers.0.\x1b[2J\u202e.weight"
    weights = normal(64, 64).tobytes()
    bad = np.full(128, np.nan, "<f4").tobytes()
    folder = write_model(tmp_path / "m", {hostile: ("F32", (64, 64), weights), Q_PROJ: ("F32", (2, 64), bad)})
    for arguments in ((), ("--tensor", hostile)):
        done = subprocess.run(
            [sys.executable, "-m", "gui.main", "--home", str(tmp_path / "home"), "analyze", str(folder), *arguments],
            cwd=ROOT, capture_output=True, text=True, timeout=120, env={**os.environ, "HF_ENDPOINT": hub.url},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "w4a16_g32" in done.stdout
        assert not {"\x1b", "\u202e"} & set(done.stdout + done.stderr)
        assert ("not measured: The tensor " + Q_PROJ in done.stdout) == (not arguments)


def test_what_was_measured_is_shown_again_without_work(tmp_path: Path, hub: DemoHub) -> None:
    first = rkdeck(tmp_path / "home", hub, "analyze", str(DEMO))
    jobs = tmp_path / "home" / "jobs"
    assert len(list(jobs.iterdir())) == 1
    again = rkdeck(tmp_path / "home", hub, "analyze", str(DEMO), "--platform", "rk3576")
    assert len(list(jobs.iterdir())) == 1
    assert again["levels"] == first["levels"]
    assert again["suggestion"]["platform"] == "rk3576"
    rkdeck(tmp_path / "home", hub, "analyze", str(DEMO), "--again")
    assert len(list(jobs.iterdir())) == 2
