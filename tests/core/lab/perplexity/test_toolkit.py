"""Perplexity from the toolkit's own logits: the stand-in's build beside our arithmetic, and builds that fail."""

import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from core.base.errors import JsonValue, RefusedError, RKDeckError, UsageError
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.demo.toolkit_env import create_toolkit_env
from core.jobs import process
from core.jobs.model import JobState
from core.lab.perplexity.journal import WindowJournal
from core.services import Services
from core.usecases.conversion import add_toolkit
from core.usecases.perplexity import PerplexityOptions, measure, stored_for_folder
from tests.support.models import write_random_model
from tests.support.processes import command_of
from tests.support.waiting import wait_until

DEMO = Path(str(resources.files("resources"))) / "demo" / "wonderland-1m"
SLACK_S = 60.0


@pytest.fixture(scope="module")
def toolkit_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_toolkit_env(tmp_path_factory.mktemp("toolkit") / "env")


@pytest.fixture
def services(paths: AppPaths, toolkit_python: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    # On a busy computer many threads wait for each other.
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    with Services(paths, Settings()) as services:
        add_toolkit(services, toolkit_python)
        yield services


def figures(result: dict[str, JsonValue]) -> dict[str, float]:
    levels = result["levels"]
    assert isinstance(levels, list)
    rows = [level for level in levels if isinstance(level, dict)]
    return {str(level["level"]): float(str(level["perplexity"])) for level in rows}


def test_the_toolkits_logits_give_our_figures(services: Services) -> None:
    """The stand-in quantizes by the same conventions, in another process, from a file of its own."""
    wanted = PerplexityOptions(window=128, windows=4, engine="toolkit", force=True)
    result = measure(services, DEMO, wanted).result(SLACK_S)
    names = ("w8a8", "w4a16_g32", "w4a16")
    assert tuple(figures(result)) == names
    ours = measure(services, DEMO, PerplexityOptions(names, window=128, windows=4)).result(SLACK_S)
    assert figures(result) == pytest.approx(figures(ours), rel=1e-5)
    facts = result["engine_facts"]
    assert isinstance(facts, dict)
    assert (facts["toolkit"], facts["simulated"]) == ("1.3.0+simulated", True)
    assert [run.engine for run in stored_for_folder(services, DEMO)] == ["numpy", "toolkit"]


def test_a_killed_worker_goes_on(services: Services) -> None:
    wanted = PerplexityOptions(("w8a8", "w4a16"), window=64, windows=40, engine="toolkit", force=True)
    handle = measure(services, DEMO, wanted)
    path = services.paths.jobs / handle.id / "windows.jsonl"
    wait_until(lambda: path.exists() and path.read_bytes().count(b'"window"') >= 3, SLACK_S)
    for one in process.marked(handle.folder):
        if any("core.workers.perplexity" in part for part in command_of(one)):
            one.kill()
    assert handle.wait(SLACK_S).state is JobState.INTERRUPTED
    before = WindowJournal(path).scores
    result = services.jobs.resume(handle.id).result(SLACK_S)
    after = WindowJournal(path).scores
    assert all(after[level][index] == score for level in before for index, score in before[level].items())
    assert path.read_bytes().count(b'"window"') == 80
    assert set(figures(result)) == {"w8a8", "w4a16"}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (PerplexityOptions(("fp16",), engine="toolkit"), "convert.unsupported"),
        (PerplexityOptions(("w4a16",), engine="toolkit", platform="rk3588"), "convert.unsupported"),
        (PerplexityOptions(engine="toolkit", platform="rk1"), "estimate.unknown_platform"),
        (PerplexityOptions(engine="toolkit", prompt="Hello"), "perplexity.bad_option"),
        (PerplexityOptions(engine="toolkit", dataset=Path("missing.json")), "convert.input_missing"),
        (PerplexityOptions(engine="toolkit", python=Path("/nowhere/python")), "convert.toolkit_unknown"),
    ],
)
def test_what_the_toolkit_does_not_do_is_refused(
    services: Services, options: PerplexityOptions, code: str
) -> None:
    with pytest.raises((RefusedError, UsageError)) as caught:
        measure(services, DEMO, options)
    assert caught.value.code == code
    assert services.jobs.store.list() == []


def test_a_build_that_fails_is_told_in_the_toolkits_words(services: Services, tmp_path: Path) -> None:
    folder = write_random_model(tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_key_value_heads": 2}))
    wanted = PerplexityOptions(("w8a8",), engine="toolkit", window=64, force=True)
    with pytest.raises(RKDeckError) as caught:
        measure(services, folder, wanted).result(SLACK_S)
    assert caught.value.code == "perplexity.toolkit_failed"
    assert caught.value.facts["returned"] == "-1"
    assert caught.value.facts["stage"] == "build"
    assert "96" in str(caught.value.facts["said"])
