import json
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.errors import JsonValue, RefusedError, RKDeckError
from core.model.facts import detect_quantization, load_local_facts, parse_config
from core.model.files import parse_index
from core.model.headers import TensorInfo
from core.model.shape import build_shape
from tests.core.estimate.samples import CONFIGS, tensor, tensors, write_sparse


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Qwen3-4B in two shards with an index; the data of the shards is a hole."""
    found = tensors(CONFIGS["Qwen3-4B"])
    shards = {
        "model-00001-of-00002.safetensors": found[:200],
        "model-00002-of-00002.safetensors": found[200:],
    }
    weight_map: dict[str, str] = {}
    for name, part in shards.items():
        write_sparse(tmp_path / name, part)
        weight_map |= {info.name: name for info in part}
    (tmp_path / "config.json").write_text(json.dumps(CONFIGS["Qwen3-4B"]))
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return tmp_path


def code_of(folder: Path) -> str:
    with pytest.raises(RKDeckError) as caught:
        load_local_facts(folder)
    return caught.value.code


def test_reads_all_shards_of_an_index(folder: Path) -> None:
    facts = load_local_facts(folder)
    assert {info.name for info in facts.tensors} == {info.name for info in tensors(CONFIGS["Qwen3-4B"])}
    assert facts.bytes_fetched == 0
    assert build_shape(facts).w_linear == 4_022_272_000


def test_reads_a_single_file_and_ignores_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIGS["Qwen2-0.5B"]))
    write_sparse(tmp_path / "model.safetensors", tensors(CONFIGS["Qwen2-0.5B"]))
    write_sparse(tmp_path / "other.safetensors", (tensor("x", 3),))
    assert len(load_local_facts(tmp_path).tensors) == len(tensors(CONFIGS["Qwen2-0.5B"]))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_a_configuration_says_beside_the_model_changes_nothing(folder: Path, encoding: str) -> None:
    sound = build_shape(load_local_facts(folder))
    odd = {
        "head_dim": None,
        "rope_scaling": None,
        "sliding_window": None,
        "time_step_limit": [0.0, float("inf")],
    }
    config = {"x": float("nan"), **odd, **CONFIGS["Qwen3-4B"]}
    (folder / "config.json").write_text(json.dumps(config), encoding)
    # Its encoding is told, of which the toolkit is the judge; nothing that is measured changes by it.
    assert replace(build_shape(load_local_facts(folder)), config_encoding=None) == sound


def test_without_weights_only_the_configuration_is_known(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIGS["Qwen2-0.5B"]))
    facts = load_local_facts(tmp_path)
    assert facts.tensors == ()
    assert not build_shape(facts).from_headers


def test_names_what_is_missing(folder: Path) -> None:
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert code_of(folder) == "estimate.missing_shard"
    (folder / "config.json").unlink()
    assert code_of(folder) == "estimate.no_config"


def test_names_the_broken_file(folder: Path) -> None:
    shard = folder / "model-00002-of-00002.safetensors"
    with shard.open("r+b") as file:
        file.truncate(shard.stat().st_size - 1)
    with pytest.raises(RKDeckError) as caught:
        load_local_facts(folder)
    assert caught.value.code == "estimate.bad_file"
    assert caught.value.facts["file"] == str(shard)
    assert "cut short" in str(caught.value.facts["problem"])


def test_an_lfs_pointer_is_called_by_name(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(RKDeckError) as caught:
        load_local_facts(tmp_path)
    assert caught.value.code == "estimate.lfs_pointer"
    assert caught.value.facts["file"] == str(tmp_path / "model.safetensors")


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/passwd", "a/../../b", "", "a\nb"])
def test_a_shard_name_cannot_leave_the_folder(name: str) -> None:
    with pytest.raises(RefusedError) as caught:
        parse_index(json.dumps({"weight_map": {"x": name}}).encode())
    assert caught.value.code == "names.unsafe_path"


@pytest.mark.parametrize(
    "value",
    [[], {}, {"weight_map": {}}, {"weight_map": []}, {"weight_map": {"a": 3}}, {"weight_map": {"a": ["b"]}}],
)
def test_refuses_an_index_that_is_none(value: JsonValue) -> None:
    with pytest.raises(RKDeckError, match="bad_index"):
        parse_index(json.dumps(value).encode())
    with pytest.raises(RKDeckError, match="bad_index"):
        parse_index(b"[" * 1_000_000)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"[" * 1_000_000, b" " * (5 << 20)])
def test_refuses_a_configuration_that_is_none(data: bytes) -> None:
    with pytest.raises(RKDeckError, match="bad_config"):
        parse_config(data)


@pytest.mark.parametrize(
    ("config", "suffix", "method"),
    [
        ({}, "weight", None),
        ({"quantization_config": {"quant_method": "gptq"}}, "weight", "gptq"),
        ({"quantization_config": {"quant_method": "awq"}}, "weight", "awq"),
        ({"quantization_config": {"load_in_4bit": True}}, "weight", "unknown"),
        ({"text_config": {"quantization_config": {"quant_method": "fp8"}}}, "weight", "fp8"),
        ({"quantization_config": None}, "weight", None),
        ({}, "qweight", "gptq or awq"),
        ({}, "weight_scale_inv", "fp8"),
        ({}, "weight.absmax", "bitsandbytes"),
        ({}, "W_q", "hqq"),
    ],
)
def test_sees_quantized_checkpoints(config: dict[str, JsonValue], suffix: str, method: str | None) -> None:
    assert detect_quantization(config, [tensor(f"model.layers.0.mlp.up_proj.{suffix}", 4, 4)]) == method


@pytest.mark.parametrize(
    ("config", "dtype", "method"),
    [
        ({}, "BF16", None),
        ({}, "F64", None),
        ({}, "F8_E4M3", "fp8"),
        ({}, "F8_E5M2", "fp8"),
        ({}, "U32", "packed in U32"),
        ({}, "I8", "packed in I8"),
        ({"quantization": {"group_size": 64, "bits": 4}}, "U32", "mlx"),
        ({"text_config": {"quantization": {"bits": 8}}}, "U32", "mlx"),
        ({"quantization": None}, "BF16", None),
    ],
)
def test_a_matrix_not_stored_in_floats_is_quantized_whatever_the_configuration_says(
    config: dict[str, JsonValue], dtype: str, method: str | None
) -> None:
    packed = TensorInfo("model.layers.0.mlp.up_proj.weight", dtype, (4, 4), 16)
    assert detect_quantization(config, [packed]) == method


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("self_attn.q_proj.indices", "I32"), ("self_attn.q_proj.codes", "I16"), ("self_attn.q_proj.Qidxs", "I64"),
        ("mlp.up_proj.q_weight", "I32"), ("mlp.up_proj.trellis", "I16"), ("mlp.up_proj.weight._data", "I8"),
        ("mlp.experts.down_proj_blocks", "U8"), ("attention.wqkv.weight_qdata", "I8"), ("mlp.c_fc.w_int", "I8"),
    ],
)  # fmt: skip
def test_codes_below_a_linear_layer_are_its_weights_packed_whatever_they_are_called(
    name: str, dtype: str
) -> None:
    packed = TensorInfo(f"model.layers.0.{name}", dtype, (64, 4), 256)
    assert detect_quantization({}, [packed]) == f"packed in {dtype}"


def test_numbers_that_are_no_matrix_of_weights_do_not_make_a_checkpoint_quantized() -> None:
    others = [
        TensorInfo("model.layers.0.self_attn.bias", "BOOL", (1, 1), 1),
        TensorInfo("model.embeddings.position_ids", "I64", (1, 8), 64),
        TensorInfo("model.layers.0.self_attn.relative_position_index", "I64", (8, 8), 512),
        TensorInfo("transformer.h.0.attn.masked_bias", "U8", (1, 1, 8, 8), 64),
        TensorInfo("model.norm.num_batches_tracked.weight", "I64", (), 8),
    ]
    assert detect_quantization({}, others) is None


@pytest.mark.parametrize(
    "name",
    [
        "base_model.model.model.layers.0.self_attn.q_proj.base_layer.weight",
        "model.layers.3.mlp.up_proj.lora_A.default.weight",
        "base_model.model.lm_head.modules_to_save.default.weight",
    ],
)
def test_an_adapter_that_was_never_merged_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    model = CONFIGS["Qwen2-0.5B"]
    (tmp_path / "config.json").write_text(json.dumps(model))
    write_sparse(tmp_path / "model.safetensors", (*tensors(model), tensor(name, 8, 896)))
    with pytest.raises(RefusedError, match="adapter_unmerged") as caught:
        load_local_facts(tmp_path)
    assert caught.value.facts["tensor"] == name
