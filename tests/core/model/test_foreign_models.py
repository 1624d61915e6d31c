"""Whatever a stranger wrote into a model's files: a record, or an error with words; never anything else."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.base.errors import RKDeckError
from core.convert.recipe import source_problems
from core.estimate.table import estimate_model
from core.lab.weights import classify
from core.model.facts import load_local_facts, why_no_source
from core.model.inspect import inspect_bytes
from core.model.shape import build_shape
from core.vendor.platforms import get_platform
from core.words import word
from tests.support.models import write_random_model

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
KEYS = [
    "architectures", "model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size",
    "num_key_value_heads", "intermediate_size", "head_dim", "text_config", "quantization_config", "quantization",
    "quant_method", "torch_dtype", "tie_word_embeddings", "num_experts", "layer_types", "weight_map", "metadata",
    "base_model_name_or_path", "chat_template", "max_position_embeddings", "rope_scaling", "name", "template",
]  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["qwen2", "LlamaForCausalLM", 10**400, -1, 0, 1, 4096, "../x.safetensors", "model.safetensors"])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=20,
)
DOCUMENTS = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=12)
TEXTS = st.binary(max_size=80) | (DOCUMENTS | VALUES).map(lambda value: json.dumps(value).encode())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("foreign") / "model")


def answer(folder: Path) -> str:
    """Ask everything a folder is asked, and return "record" or the error's code; errors must have words."""
    try:
        facts = load_local_facts(folder)
        why_no_source(facts)
        source_problems(facts)
        shape = build_shape(facts)
        classify(facts)
        estimate_model(facts, get_platform("rk3588"), context=256, shape=shape).to_json()
    except RKDeckError as error:
        found = error
    else:
        return "record"
    assert all(word(found))
    return found.code


def with_file(folder: Path, name: str, data: bytes) -> str:
    """`answer` with one file replaced by that, and put back."""
    path = folder / name
    before = path.read_bytes() if path.exists() else None
    path.write_bytes(data)
    try:
        return answer(folder)
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_bytes(before)


@QUICK
@given(TEXTS)
@example(b"[" * 200_000)
@example(b'{"hidden_size": 1e999, "num_hidden_layers": ' + b"9" * 5000 + b"}")
@example(b'\xef\xbb\xbf{"architectures": null}')
def test_any_config_json(folder: Path, data: bytes) -> None:
    with_file(folder, "config.json", data)


@QUICK
@given(DOCUMENTS)
def test_any_member_of_a_config_json_that_is_else_sound(folder: Path, members: dict[str, Any]) -> None:
    config = json.loads((folder / "config.json").read_text())
    with_file(folder, "config.json", json.dumps(config | members).encode())


@QUICK
@given(TEXTS)
@example(json.dumps({"weight_map": dict.fromkeys(map(str, range(2000)), "../../etc/passwd")}).encode())
@example(
    json.dumps({"weight_map": {str(number): f"{number}.safetensors" for number in range(2000)}}).encode()
)
def test_any_index(folder: Path, data: bytes) -> None:
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    try:
        with_file(folder, "model.safetensors.index.json", data)
    finally:
        (folder / "other.safetensors").rename(folder / "model.safetensors")


ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["F16", "BF16", "U32", "F8_E4M3", "", "X" * 30]) | SCALARS,
        "shape": st.lists(st.integers(-1, 1 << 60), max_size=9) | SCALARS,
        "data_offsets": st.lists(st.integers(-1, 1 << 60), max_size=3) | SCALARS,
    },
)
NAMES = st.sampled_from(
    ["model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight", "lm_head.weight", "__metadata__", "",
     "model.layers.99999999999999999999.mlp.up_proj.weight", "a.lora_A.weight", "x" * 600]
)  # fmt: skip
HEADERS = st.dictionaries(NAMES, ENTRY | SCALARS, max_size=6).map(lambda value: json.dumps(value).encode())


@QUICK
@given(st.binary(max_size=100) | (HEADERS | TEXTS).map(lambda head: struct.pack("<Q", len(head)) + head))
@example(struct.pack("<Q", 1 << 63) + b"{}")
@example(struct.pack("<Q", 0))
@example(b"version https://git-lfs.github.com/spec/v1\n")
def test_any_header_of_weights(folder: Path, data: bytes) -> None:
    with_file(folder, "model.safetensors", data)


@QUICK
@given(st.integers(0, 1 << 60), st.integers(0, 1 << 60))
def test_a_sound_header_of_any_sizes(folder: Path, rows: int, columns: int) -> None:
    head = json.dumps(
        {"model.embed_tokens.weight": {"dtype": "F16", "shape": [rows, columns], "data_offsets": [0, 0]}}
    ).encode()
    with_file(folder, "model.safetensors", struct.pack("<Q", len(head)) + head)


@QUICK
@given(TEXTS)
def test_any_adapter_config_alone(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    alone = tmp_path_factory.mktemp("adapter")
    assert with_file(alone, "adapter_config.json", data).startswith("model.adapter_")


@QUICK
@given(TEXTS)
def test_any_tokenizer_config_changes_nothing_of_an_estimate(folder: Path, data: bytes) -> None:
    assert with_file(folder, "tokenizer_config.json", data) == "record"


@QUICK
@given(
    st.sampled_from([b"", b"RKLLM", b"GGUF", b"\xda\xee\xb3\x36", b"version https://git-lfs", b"<html"]),
    st.binary(max_size=300), st.binary(max_size=64), st.integers(0, 1 << 60), st.text(max_size=20),
)  # fmt: skip
def test_any_head_and_tail_of_a_model_file(
    magic: bytes, head: bytes, tail: bytes, size_bytes: int, name: str
) -> None:
    assert json.dumps(inspect_bytes(magic + head, tail, size_bytes, name).to_json())
