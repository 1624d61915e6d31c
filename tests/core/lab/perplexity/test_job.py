"""Perplexity as a job: the order of the levels, cancel, kill -9 and going on, what is kept, bad input."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np
import psutil
import pytest
from safetensors.numpy import load_file, save_file

from core.base.errors import CancelledError, JsonValue, RefusedError, RKDeckError, UsageError
from core.base.paths import AppPaths
from core.base.records import record
from core.base.settings import Settings
from core.jobs import process
from core.jobs.manager import JobHandle
from core.jobs.model import JobState
from core.lab.perplexity.figures import PerplexityResult
from core.lab.perplexity.journal import WindowJournal
from core.services import Services
from core.usecases import library
from core.usecases.perplexity import (
    PerplexityOptions,
    builtin_texts,
    measure,
    perplexity_by_level,
    start_perplexity,
    stored_for_folder,
    stored_perplexity,
)
from tests.support.models import write_random_model
from tests.support.processes import command_of
from tests.support.waiting import wait_until

DEMO = Path(str(resources.files("resources"))) / "demo" / "wonderland-1m"
ROOT = Path(__file__).parents[4]
SLACK_S = 60.0
# Many windows, each of them quick: enough time to be killed in.
LOOP = "{% for a in range(99999) %}"
LONG = PerplexityOptions(("fp16", "w4a16"), "en-long", window=128, windows=70)


@pytest.fixture
def services(paths: AppPaths) -> Iterator[Services]:
    with Services(paths, Settings()) as services:
        yield services


def journal_of(services: Services, handle: JobHandle) -> Path:
    return services.paths.jobs / handle.id / "windows.jsonl"


def worker_of(handle: JobHandle) -> psutil.Process:
    """The process that computes (the supervisor has the mark too, and another command line)."""
    (found,) = [
        candidate
        for candidate in process.marked(handle.folder)
        if any("core.workers.perplexity" in part for part in command_of(candidate))
    ]
    return found


def wait_for_windows(services: Services, handle: JobHandle, count: int) -> None:
    path = journal_of(services, handle)
    wait_until(lambda: path.exists() and path.read_bytes().count(b'"window"') >= count, SLACK_S)


def figures(result: dict[str, JsonValue]) -> dict[str, tuple[float, int, int]]:
    levels = result["levels"]
    assert isinstance(levels, list)
    read = [record(PerplexityResult, level) for level in levels if isinstance(level, dict)]
    return {level.level: (level.perplexity, level.tokens, level.windows) for level in read}


@pytest.mark.parametrize(
    ("template", "code"),
    [
        (
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "perplexity.template_beyond",
        ),
        ("{{ 'x' * (7 * 1024 * 1024 * 1024) }}", "perplexity.template_beyond"),
        ("{{ raise_exception('no') }}", "perplexity.template_refused"),
    ],
)
def test_a_template_that_gives_no_text_is_told_and_the_prompt_is_answered_as_it_is(
    services: Services, tmp_path: Path, template: str, code: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(DEMO, folder)
    settings = folder / "tokenizer_config.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "chat_template": template}))
    wanted = PerplexityOptions(("fp16", "w8a8"), prompt="Tell me", answer_tokens=2, windows=2)
    handle = measure(services, folder, wanted)
    result = handle.result(SLACK_S)
    assert len(list(result["answers"])) == 2  # type: ignore[arg-type]
    told = [event.data["error"] for event in handle.follow() if event.event == "log"]
    assert [error["code"] for error in told if isinstance(error, dict)] == [code], "once, not for each level"


def test_fewer_bits_cost_in_order_and_it_is_kept_with_the_model(services: Services) -> None:
    item = library.add_path(services, DEMO)
    assert stored_perplexity(services, item) == ()
    wanted = PerplexityOptions(prompt="Tell me about the Queen.", answer_tokens=12)
    handle = services.jobs.attach(start_perplexity(services, item.id, wanted))
    result = handle.result(SLACK_S)
    assert list(figures(result)) == ["fp16", "w8a8", "w4a16_g32", "w4a16"]
    measured = [perplexity for perplexity, _, _ in figures(result).values()]
    assert measured == sorted(measured)
    # The demo model's card, measured by another program: `core.demo.checkpoint`.
    assert measured == pytest.approx([62.030, 62.073, 62.621, 63.144], rel=1e-3)
    assert {row[1:] for row in figures(result).values()} == {(3590, 15)}
    (run,) = stored_perplexity(services, item)
    assert run.current
    assert (run.text, run.window, run.windows, run.engine) == ("en", 256, 15, "numpy")
    assert run.text_sha256 == builtin_texts()[0].sha256
    exact, four = run.result("fp16"), run.result("w4a16")
    assert exact is not None
    assert four is not None
    assert (exact.simulated_activations, exact.ratio, four.simulated_activations) == (False, None, False)
    assert run.results[1].simulated_activations
    # On the same windows the loss is certain, though each figure by itself is not.
    assert four.ratio_low is not None
    assert four.ratio_low > 1.0
    assert four.low is not None
    assert exact.high is not None
    assert four.low < exact.high
    assert [answer.level for answer in run.answers] == ["fp16", "w8a8", "w4a16_g32", "w4a16"]
    assert all(0 < answer.tokens <= 12 and answer.text for answer in run.answers)
    assert run.answers[0].text != run.answers[3].text
    progress = [event.data for event in handle.follow() if event.event == "progress"]
    assert (progress[-1]["done"], progress[-1]["total"], progress[-1]["unit"]) == (60, 60, "windows")
    steps = [event.data["level"] for event in handle.follow() if event.data.get("step") == "level"]
    assert steps == ["fp16", "w8a8", "w4a16_g32", "w4a16"]


def test_a_killed_worker_goes_on_and_counts_no_window_twice(services: Services) -> None:
    whole = measure(services, DEMO, LONG).result(SLACK_S)
    handle = measure(services, DEMO, LONG)
    wait_for_windows(services, handle, 5)
    worker_of(handle).send_signal(signal.SIGKILL)
    with pytest.raises(RKDeckError) as caught:
        handle.result(SLACK_S)
    assert (caught.value.code, caught.value.facts["reason"]) == ("jobs.interrupted", "worker_killed")
    before = WindowJournal(journal_of(services, handle)).scores
    done = sum(len(scores) for scores in before.values())
    assert 5 <= done < 2 * int(str(whole["windows"]))
    result = services.jobs.resume(handle.id).result(SLACK_S)
    assert figures(result) == figures(whole)
    written = [json.loads(line) for line in journal_of(services, handle).read_text().splitlines()]
    windows = [(line["level"], line["index"]) for line in written if line["kind"] == "window"]
    assert len(windows) == len(set(windows)) == 2 * int(str(whole["windows"]))
    # What was done stayed as it was.
    after = WindowJournal(journal_of(services, handle)).scores
    assert all(after[level][index] == score for level in before for index, score in before[level].items())
    first = [event.data for event in handle.follow() if event.event == "progress" and event.data["total"]]
    assert any(data["done"] == done for data in first)


def test_a_killed_supervisor_is_interrupted_and_goes_on(services: Services) -> None:
    handle = measure(services, DEMO, LONG)
    wait_for_windows(services, handle, 3)
    (supervisor,) = worker_of(handle).parents()[:1]
    supervisor.kill()
    assert handle.wait(SLACK_S).state is JobState.INTERRUPTED
    result = services.jobs.resume(handle.id).result(SLACK_S)
    assert figures(result) == figures(measure(services, DEMO, LONG).result(SLACK_S))


def test_cancel_keeps_what_was_done(services: Services) -> None:
    handle = measure(services, DEMO, LONG)
    wait_for_windows(services, handle, 3)
    handle.cancel()
    with pytest.raises(CancelledError):
        handle.result(SLACK_S)
    assert not process.marked(handle.folder)
    assert stored_for_folder(services, DEMO) == ()
    kept = len(WindowJournal(journal_of(services, handle)).scores["fp16"])
    assert kept >= 3
    again = services.jobs.retry(handle.id)
    assert figures(again.result(SLACK_S))
    progress = [event.data["done"] for event in again.follow() if event.event == "progress"]
    assert kept in progress


def test_it_goes_on_when_the_front_end_is_gone(services: Services, paths: AppPaths) -> None:
    script = f"""
import sys
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.services import Services
from core.usecases.perplexity import PerplexityOptions, measure
from tests.support.processes import command_of
from pathlib import Path
services = Services(AppPaths(Path({str(paths.home)!r})), Settings())
print(measure(services, Path({str(DEMO)!r}), PerplexityOptions(("fp16",), "en-long", window=128)).id, flush=True)
import os
os._exit(1)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    result = services.jobs.attach(done.stdout.strip()).result(SLACK_S)
    assert figures(result)["fp16"][2] > 50


def test_what_changed_meanwhile_is_not_mixed(services: Services, tmp_path: Path) -> None:
    folder, text = write_random_model(tmp_path / "m"), tmp_path / "mine.txt"
    text.write_text("The quick brown fox jumps over the lazy dog. " * 400)
    wanted = PerplexityOptions(("fp16", "w8a8"), text, window=64)
    handle = measure(services, folder, wanted)
    wait_for_windows(services, handle, 2)
    worker_of(handle).kill()
    assert handle.wait(SLACK_S).state is JobState.INTERRUPTED
    data = text.read_bytes()
    text.write_bytes(data + b"!")
    with pytest.raises(RefusedError) as caught:
        services.jobs.resume(handle.id).result(SLACK_S)
    assert caught.value.code == "perplexity.text_changed"
    text.write_bytes(data)
    weights = folder / "model.safetensors"
    save_file({name: array * 2 for name, array in load_file(weights).items()}, weights)
    with pytest.raises(RefusedError) as caught:
        services.jobs.retry(handle.id).result(SLACK_S)
    assert caught.value.code == "perplexity.model_changed"


def test_results_of_other_weights_are_marked(services: Services, tmp_path: Path) -> None:
    folder = write_random_model(tmp_path / "m")
    item = library.add_path(services, folder)
    measure(services, folder, PerplexityOptions(("fp16",), windows=2, window=64)).result(SLACK_S)
    (run,) = stored_perplexity(services, item)
    assert run.current
    weights = folder / "model.safetensors"
    save_file({name: array * 2 for name, array in load_file(weights).items()}, weights)
    (run,) = stored_perplexity(services, item)
    assert not run.current
    assert perplexity_by_level((run,)) == {}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (PerplexityOptions(("w3a3",)), "quantization.unknown_level"),
        (PerplexityOptions(()), "perplexity.bad_option"),
        (PerplexityOptions(window=1), "perplexity.bad_window"),
        (PerplexityOptions(window=10, stride=11), "perplexity.bad_window"),
        (PerplexityOptions(windows=0), "perplexity.bad_window"),
        (PerplexityOptions(window=100_000), "perplexity.window_too_long"),
        (PerplexityOptions(text="klingon"), "perplexity.no_such_text"),
        (PerplexityOptions(text=Path("missing.txt")), "convert.input_missing"),
        (PerplexityOptions(prompt="  "), "perplexity.bad_option"),
        (PerplexityOptions(prompt="x" * 9000), "perplexity.bad_option"),
        (PerplexityOptions(answer_tokens=0), "perplexity.bad_option"),
        (PerplexityOptions(("w8a8_g512",)), "lab.toolkit_refuses"),
        (PerplexityOptions(engine="torch"), "perplexity.no_python"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_it_starts(
    services: Services, options: PerplexityOptions, code: str
) -> None:
    with pytest.raises((RefusedError, UsageError)) as caught:
        measure(services, DEMO, options)
    assert caught.value.code == code
    assert services.jobs.store.list() == []


def damage(folder: Path, name: str, value: float) -> Path:
    weights = load_file(folder / "model.safetensors")
    weights[name][0, 1] = np.float16(value)
    save_file(weights, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["model.layers.1.mlp.up_proj.weight", "model.embed_tokens.weight"])
def test_weights_that_are_no_numbers_are_named(
    services: Services, tmp_path: Path, name: str, value: float
) -> None:
    folder = damage(write_random_model(tmp_path / "m"), name, value)
    with pytest.raises(RKDeckError) as caught:
        measure(services, folder, PerplexityOptions(windows=1)).result(SLACK_S)
    assert caught.value.code == "perplexity.weights_not_finite"
    assert caught.value.facts == {"tensor": name, "count": 1}
    assert stored_for_folder(services, folder) == ()


def test_a_folder_without_a_model_and_a_broken_tokenizer(services: Services, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RKDeckError) as caught:
        measure(services, tmp_path / "empty", PerplexityOptions())
    assert caught.value.code == "estimate.no_config"
    folder = write_random_model(tmp_path / "m")
    (folder / "tokenizer.json").write_text('{"version": "1.0"}')
    with pytest.raises(RKDeckError) as caught:
        measure(services, folder, PerplexityOptions()).result(SLACK_S)
    assert caught.value.code == "perplexity.bad_tokenizer"
    os.truncate(folder / "model.safetensors", 5000)
    with pytest.raises(RKDeckError) as caught:
        measure(services, folder, PerplexityOptions())
    assert caught.value.code.startswith("estimate.")


def test_a_text_of_too_few_tokens(services: Services, tmp_path: Path) -> None:
    text = tmp_path / "short.txt"
    text.write_text("It was the best of times. " * 5)
    with pytest.raises(RefusedError) as caught:
        measure(services, DEMO, PerplexityOptions(text=text, window=8, windows=1)).result(SLACK_S)
    assert caught.value.code == "perplexity.text_too_few_tokens"
