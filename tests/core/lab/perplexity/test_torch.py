"""The torch engine beside ours: the same windows, the same weights, the same figures (needs group `model`)."""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer, decoders, processors

from core.base.errors import RKDeckError
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.jobs import process
from core.jobs.foreign import FOREIGN, PROTOCOL
from core.jobs.model import JobState
from core.lab.perplexity.foreign import level_json
from core.lab.perplexity.journal import WindowJournal
from core.quantization.approximate import approximate
from core.services import Services
from core.usecases.perplexity import PerplexityOptions, measure
from core.vendor.levels import get_level
from tests.support.models import write_random_model
from tests.support.processes import command_of
from tests.support.waiting import wait_until

# Each run imports torch and transformers anew, which takes seconds.
pytestmark = pytest.mark.slow

pytest.importorskip("torch", reason="torch is not installed (dependency group `model`)")
pytest.importorskip("transformers", reason="transformers is not installed (dependency group `model`)")

DEMO = Path(str(resources.files("resources"))) / "demo" / "wonderland-1m"
SLACK_S = 150.0
LEVELS = ("fp16", "w8a8", "w4a16_g32", "w4a16")
PYTHON = Path(sys.executable)


@pytest.fixture
def services(paths: AppPaths, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    # On a busy computer many threads wait for each other.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with Services(paths, Settings()) as services:
        yield services


def options(engine: str, **changes: object) -> PerplexityOptions:
    base: dict[str, Any] = {
        "levels": LEVELS,
        "engine": engine,
        "window": 128,
        "windows": 6,
        "python": PYTHON,
        "force": True,
    }
    return PerplexityOptions(**{**base, **changes})


def run(services: Services, folder: Path, wanted: PerplexityOptions) -> dict[str, Any]:
    return measure(services, folder, wanted).result(SLACK_S)


def figures(result: dict[str, Any]) -> list[float]:
    return [level["perplexity"] for level in result["levels"]]


def test_both_engines_agree_on_the_demo_model(services: Services) -> None:
    prompt = "Tell me about the Queen."
    ours = run(services, DEMO, options("numpy", prompt=prompt, answer_tokens=10))
    theirs = run(services, DEMO, options("torch", prompt=prompt, answer_tokens=10))
    assert theirs["engine"] == "torch"
    assert set(theirs["engine_facts"]) == {"torch", "transformers", "device", "unquantized_weights"}
    assert theirs["engine_facts"]["unquantized_weights"] == 0
    exact, eight, *four = zip(figures(ours), figures(theirs), strict=True)
    for mine, other in (exact, *four):
        assert other == pytest.approx(mine, rel=2e-5)
    # An input at the border of two of 256 steps falls to another side by the last bit of a sum.
    assert eight[1] == pytest.approx(eight[0], rel=1e-3)
    assert eight[1] != pytest.approx(exact[1], rel=1e-6)
    assert [level["tokens"] for level in ours["levels"]] == [level["tokens"] for level in theirs["levels"]]
    assert [answer["text"] for answer in ours["answers"]] == [answer["text"] for answer in theirs["answers"]]


def test_a_killed_program_goes_on_to_the_same_figure(services: Services) -> None:
    wanted = options("torch", levels=("fp16", "w4a16"), window=64, windows=40)
    whole = run(services, DEMO, wanted)
    handle = measure(services, DEMO, wanted)
    path = services.paths.jobs / handle.id / "windows.jsonl"
    wait_until(lambda: path.exists() and path.read_bytes().count(b'"window"') >= 3, SLACK_S)
    for one in process.marked(handle.folder):
        if any("core.workers.perplexity" in part for part in command_of(one)):
            one.kill()
    assert handle.wait(SLACK_S).state is JobState.INTERRUPTED
    assert not process.marked(handle.folder)
    before = WindowJournal(path).scores
    result: dict[str, Any] = services.jobs.resume(handle.id).result(SLACK_S)
    assert figures(result) == pytest.approx(figures(whole), rel=1e-9)
    after = WindowJournal(path).scores
    assert all(after[level][index] == score for level in before for index, score in before[level].items())
    assert path.read_bytes().count(b'"window"') == 80


def test_a_model_with_a_beginning_token_and_a_tied_head(services: Services, tmp_path: Path) -> None:
    """Qwen2 with biases and a shared head, and a tokenizer that puts its own token before every text."""
    folder = write_random_model(tmp_path / "m", model_type="qwen2", architectures=["Qwen2ForCausalLM"],
                                tie_word_embeddings=True)  # fmt: skip
    weights = load_file(folder / "model.safetensors")
    del weights["lm_head.weight"]
    chance = np.random.default_rng(1)
    for name in [name for name in weights if name.split(".")[-2] in {"q_proj", "k_proj", "v_proj"}]:
        bias = chance.normal(0.0, 0.1, weights[name].shape[:1])
        weights[name.replace("weight", "bias")] = bias.astype(np.float16)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="! $A", pair=None, special_tokens=[("!", tokenizer.token_to_id("!"))]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "!"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    ours = run(services, folder, options("numpy", prompt="Hi there", answer_tokens=6))
    theirs = run(services, folder, options("torch", prompt="Hi there", answer_tokens=6))
    assert figures(theirs)[0] == pytest.approx(figures(ours)[0], rel=1e-4)
    assert figures(theirs)[2:] == pytest.approx(figures(ours)[2:], rel=1e-4)
    assert [answer["text"] for answer in ours["answers"]] == [answer["text"] for answer in theirs["answers"]]


def failure(services: Services, folder: Path, **changes: object) -> RKDeckError:
    with pytest.raises(RKDeckError) as caught:
        run(services, folder, options("torch", windows=1, **changes))
    return caught.value


def test_bad_models_in_clear_words(services: Services, tmp_path: Path) -> None:
    folder = write_random_model(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    name = "model.layers.1.mlp.up_proj.weight"
    weights[name][0, :3] = np.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    error = failure(services, folder)
    assert (error.code, error.facts["tensor"], error.facts["count"]) == (
        "perplexity.weights_not_finite", name, 3,
    )  # fmt: skip
    weights[name][0, :3] = 0
    big = {key: array.astype(np.float32) for key, array in weights.items()}
    big[name][0, 0] = 1e6
    save_file(big, folder / "model.safetensors", metadata={"format": "pt"})
    error = failure(services, folder, levels=("fp16",))
    assert (error.code, error.facts["tensor"]) == ("perplexity.beyond_float16", name)
    config = json.loads((folder / "config.json").read_text())
    code = {"auto_map": {"AutoModelForCausalLM": "evil.Model"}, "model_type": "evil"}
    (folder / "config.json").write_text(json.dumps({**config, **code}))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    assert failure(services, folder).code == "perplexity.model_refused"
    assert not (tmp_path / "ran").exists()


QUANTIZE = """
import json, sys
sys.path[:0] = sys.argv[1:3]
import numpy, perplexity, torch
weights = torch.from_numpy(numpy.load(sys.argv[3]))
kept = {level["name"]: perplexity.approximated(weights, level, "w").numpy() for level in json.loads(sys.argv[4])}
numpy.savez(sys.argv[5], **kept)
"""


def test_weights_are_quantized_to_the_same_bits(tmp_path: Path) -> None:
    chance = np.random.default_rng(3)
    weights = (chance.standard_normal((48, 512)) * chance.lognormal(0, 2, (48, 1))).astype(np.float32)
    weights[3], weights[4, :32], weights[5] = 0, 0, np.abs(weights[5])
    weights[6] = np.float32(1e-42)
    weights[7, :4] = (0.5, 1.5, 2.5, 7.5)
    np.save(tmp_path / "w.npy", weights)
    names = ("fp32", "fp16", "bf16", "int8", "int4", "w8a8", "w8a8_g128", "w4a16", "w4a16_g32", "w4a16_g128")
    arguments = [
        str(FOREIGN),
        str(PROTOCOL),
        str(tmp_path / "w.npy"),
        json.dumps([level_json(get_level(name)) for name in names]),
        str(tmp_path / "out.npz"),
    ]
    subprocess.run([sys.executable, "-B", "-c", QUANTIZE, *arguments], check=True, timeout=SLACK_S)
    kept = np.load(tmp_path / "out.npz")
    for name in names:
        np.testing.assert_array_equal(kept[name], approximate(weights, get_level(name)), err_msg=name)
