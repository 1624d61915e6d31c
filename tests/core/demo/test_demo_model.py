"""The demo model in resources: complete, consistent, small, and hurt by fewer bits in the expected order."""

import hashlib
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from core.demo.checkpoint import CONFIG, DIGESTS_NAME, describe_file, forward_at
from core.demo.corpus import (
    CHAT_TEMPLATE,
    OTHER_TEXTS,
    SPECIAL_TOKENS,
    TEXT_NAME,
    TEXT_SHA256,
    chat,
    load_corpus,
)
from core.demo.training import WINDOW_TOKENS
from core.quantization.forward import Float32, Forward, linear_names, perplexity, read_shape

MODEL = Path(str(resources.files("resources"))) / "demo" / "wonderland-1m"
COMPARED = ("fp16", "w8a8", "w4a16_g32", "w4a16")
HUB_FILES = {
    "README.md", "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors", DIGESTS_NAME,
}  # fmt: skip


def read_json(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((MODEL / name).read_text("utf-8"))
    return value


@pytest.fixture(scope="module")
def weights() -> dict[str, Float32]:
    tensors: dict[str, Float32] = {}
    for path in sorted(MODEL.glob("*.safetensors")):
        tensors |= load_file(path)
    return {name: array.astype(np.float32) for name, array in tensors.items()}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(MODEL / "tokenizer.json"))


@pytest.fixture(scope="module")
def measured(weights: dict[str, Float32], tokenizer: Tokenizer) -> dict[str, float]:
    """Perplexity on the whole held-out chapter."""
    tokens = tokenizer.encode(load_corpus().held_out).ids
    return {name: perplexity(forward_at(weights, name), tokens, WINDOW_TOKENS) for name in COMPARED}


def answer(forward: Forward, tokenizer: Tokenizer, prompt: str, limit: int = 60) -> list[int]:
    """Greedy decoding until the end of the turn."""
    text = jinja2.Template(CHAT_TEMPLATE).render(
        messages=[{"role": "user", "content": prompt}], add_generation_prompt=True
    )
    forward.reset()
    scores = forward.prefill(tokenizer.encode(text).ids)
    tokens: list[int] = []
    while (
        len(tokens) < limit
        and int(scores.argmax()) not in read_json("generation_config.json")["eos_token_id"]
    ):
        tokens.append(int(scores.argmax()))
        scores = forward.step(tokens[-1])
    return tokens


def test_the_folder_is_a_small_hub_repository() -> None:
    files = {path.name: path.stat().st_size for path in MODEL.iterdir()}
    assert set(files) == HUB_FILES
    assert sum(files.values()) < 4_000_000


def test_digests_match_the_files() -> None:
    digests = read_json(DIGESTS_NAME)
    assert set(digests) == HUB_FILES - {DIGESTS_NAME}
    assert digests == {name: describe_file(MODEL / name) for name in digests}


def test_the_card_states_what_the_files_are(weights: dict[str, Float32]) -> None:
    card = (MODEL / "README.md").read_text("utf-8")
    assert f"{sum(array.size for array in weights.values()):,} parameters" in card
    assert TEXT_SHA256 in card
    assert "license: mit" in card
    assert "core.demo.training" in card
    assert "{" not in card


def test_config_and_index_describe_the_tensors() -> None:
    config, index = read_json("config.json"), read_json("model.safetensors.index.json")
    assert config == CONFIG
    total_bytes, found = 0, {}
    for shard in sorted(set(index["weight_map"].values())):
        with safe_open(MODEL / shard, "np") as file:
            for name in file.keys():  # noqa: SIM118 - the handle is no dict
                array = file.get_tensor(name)
                assert array.dtype == np.float16
                assert np.isfinite(array).all()
                found[name] = shard
                total_bytes += array.nbytes
    assert found == index["weight_map"]
    assert len(set(found.values())) == 2
    assert total_bytes == index["metadata"]["total_size"]
    assert len(found) == config["num_hidden_layers"] * 9 + 3


def test_linear_layers_divide_into_groups_of_128(weights: dict[str, Float32]) -> None:
    for name in linear_names(read_shape(CONFIG)):
        outputs, inputs = weights[name].shape
        assert (outputs % 128, inputs % 128) == (0, 0)


def test_tokenizer_fits_config_and_loses_nothing(tokenizer: Tokenizer) -> None:
    settings = read_json("tokenizer_config.json")
    assert tokenizer.get_vocab_size() == CONFIG["vocab_size"]
    assert [tokenizer.token_to_id(token) for token in SPECIAL_TOKENS] == [0, 1, 2]
    assert tokenizer.token_to_id(settings["bos_token"]) == CONFIG["bos_token_id"]
    assert tokenizer.token_to_id(settings["eos_token"]) == CONFIG["eos_token_id"]
    assert settings["model_max_length"] == CONFIG["max_position_embeddings"]
    for text in ("¿Qué dijo el Gato de Cheshire?", "爱丽丝 \n\n\t🐇", " 'Curiouser and curiouser!'  "):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_chat_template_is_the_form_the_model_was_trained_on(tokenizer: Tokenizer) -> None:
    template = jinja2.Template(read_json("tokenizer_config.json")["chat_template"])
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    assert template.render(messages=turns) == chat("Hi", "Hello")
    asked = template.render(messages=turns[:1], add_generation_prompt=True)
    assert chat("Hi", "Hello").startswith(asked)
    ids = tokenizer.encode(asked).ids
    assert (ids.count(1), ids.count(2)) == (2, 1)


def test_the_texts_are_the_stated_ones_and_no_other() -> None:
    folder = MODEL.parent / "text"
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.txt")}
    assert found == {TEXT_NAME: TEXT_SHA256, **OTHER_TEXTS}
    notes = (folder / "README.md").read_text("utf-8")
    assert all(name in notes and digest in notes for name, digest in found.items())


def test_the_last_chapter_is_held_out() -> None:
    corpus = load_corpus()
    assert corpus.held_out.startswith("CHAPTER XII. Alice's Evidence\n\n'Here!' cried Alice")
    assert "jury-box" in corpus.held_out
    assert "CHAPTER XII" not in corpus.train
    assert len(re.findall(r"^CHAPTER ", corpus.train, re.MULTILINE)) == 11
    assert 0.05 < len(corpus.held_out) / len(corpus.train) < 0.15


def test_fewer_bits_cost_perplexity_in_order(measured: dict[str, float]) -> None:
    figures = [measured[name] for name in COMPARED]
    assert figures == sorted(figures), measured
    assert len(set(figures)) == len(figures)
    assert measured["w8a8"] < measured["fp16"] * 1.005
    assert measured["w4a16"] > measured["fp16"] * 1.01


def test_the_card_states_the_measured_perplexity(measured: dict[str, float]) -> None:
    rows = re.findall(r"^\| (\w+) \| ([\d.]+) \|$", (MODEL / "README.md").read_text("utf-8"), re.MULTILINE)
    stated = {name: float(figure) for name, figure in rows}
    assert {name: stated[name] for name in COMPARED} == pytest.approx(measured, rel=1e-3)


@pytest.mark.parametrize("prompt", ["Tell me about the Queen.", "Alice was beginning to get", "Hello!"])
def test_it_answers_in_words_of_the_book(
    prompt: str, weights: dict[str, Float32], tokenizer: Tokenizer
) -> None:
    tokens = answer(forward_at(weights, "fp16"), tokenizer, prompt)
    text = tokenizer.decode(tokens)
    assert len(tokens) >= 5
    assert not set(tokens) & {0, 1, 2}
    words = re.findall(r"[a-z]+", text.lower())
    book = set(re.findall(r"[a-z]+", load_corpus().train.lower()))
    assert sum(word in book for word in words) > 0.8 * len(words), text
    assert len(set(words)) > 0.3 * len(words), text


def test_fewer_bits_change_the_scores_not_only_the_figures(
    weights: dict[str, Float32], tokenizer: Tokenizer
) -> None:
    tokens = tokenizer.encode("The Queen turned crimson with fury").ids
    eight, four = forward_at(weights, "w8a8").logits(tokens), forward_at(weights, "w4a16").logits(tokens)
    exact = forward_at(weights, "fp16").logits(tokens)
    assert 0 < np.abs(eight - exact).mean() < np.abs(four - exact).mean()


def test_transformers_reads_the_same_model(weights: dict[str, Float32], tokenizer: Tokenizer) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed (dependency group `model`)")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed (group `model`)")
    model = transformers.AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()
    theirs = transformers.AutoTokenizer.from_pretrained(MODEL)
    text = load_corpus().held_out[:1500]
    ids = theirs(text)["input_ids"]
    assert ids == tokenizer.encode(text).ids
    asked = theirs.apply_chat_template(
        [{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True
    )
    assert chat("Hi", "").startswith(asked)
    with torch.no_grad():
        expected = model(input_ids=torch.tensor([ids])).logits[0].numpy()
    difference = float(np.max(np.abs(Forward(CONFIG, weights).logits(ids) - expected)))
    assert difference < 1e-3, f"largest difference {difference}"
