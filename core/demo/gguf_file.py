"""The demo model as GGUF files, as llama.cpp's converter and splitter write them.

By itself (standard library, numpy): the official `gguf` package would bring an HTTP client and a YAML reader into every
installation for one file; the tests read what is written here with that package, and with llama.cpp where it is there.

Layout: ggml-org/ggml, docs/gguf.md. Names and keys: llama.cpp, `gguf-py/gguf/constants.py`, `convert_hf_to_gguf.py`
(`LlamaModel`). Blocks: `ggml-common.h`, `ggml-quants.c` (`quantize_row_q8_0_ref`, `quantize_row_q4_0_ref`).
"""

import json
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

from core.vendor.gguf_types import file_types, tensor_types

Array = npt.NDArray[np.float32]
Value = bool | int | float | str | Sequence[str] | Sequence[int] | np.uint16 | np.int32

_ALIGNMENT = 32
_NORMAL, _CONTROL = 1, 3
_BLOCK = 32
_NAMES = (
    (r"model\.embed_tokens\.", "token_embd."), (r"model\.norm\.", "output_norm."), (r"lm_head\.", "output."),
    (r"model\.layers\.(\d{1,4})\.input_layernorm\.", r"blk.\1.attn_norm."),
    (r"model\.layers\.(\d{1,4})\.post_attention_layernorm\.", r"blk.\1.ffn_norm."),
    (r"model\.layers\.(\d{1,4})\.self_attn\.([qkv])_proj\.", r"blk.\1.attn_\2."),
    (r"model\.layers\.(\d{1,4})\.self_attn\.o_proj\.", r"blk.\1.attn_output."),
    (r"model\.layers\.(\d{1,4})\.mlp\.(gate|up|down)_proj\.", r"blk.\1.ffn_\2."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor as it is written: its shape as numpy has it, the name of its type, its bytes."""

    name: str
    shape: tuple[int, ...]
    type: str
    data: bytes


def write_gguf(path: Path, keys: Mapping[str, Value], tensors: Sequence[Stored]) -> None:
    """Write one file, version 3."""
    ids = {kind.name: number for number, kind in tensor_types().items()}
    head = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(keys))]
    head += [_text(key) + _value(value) for key, value in keys.items()]
    end = 0
    for tensor in tensors:
        # The dimension that lies together comes first.
        shape = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *reversed(tensor.shape))
        head.append(_text(tensor.name) + shape + struct.pack("<IQ", ids[tensor.type], end))
        end += len(tensor.data) + -len(tensor.data) % _ALIGNMENT
    data = b"".join(head)
    with path.open("wb") as file:
        file.write(data + bytes(-len(data) % _ALIGNMENT))
        for tensor in tensors:
            file.write(tensor.data + bytes(-len(tensor.data) % _ALIGNMENT))


def write_model(path: Path, model: Path, quantization: str, *, parts: int = 1) -> None:
    """Write a model of Llama's architecture.

    Args:
        path: of the file, or of all parts without what numbers them.
        model: folder with config.json, tokenizer and safetensors.
        quantization: of its matrices: `f32`, `f16`, `q8_0` or `q4_0`; norms stay float32.
        parts: to split it into, as `NAME-00001-of-0000N.gguf`.
    """
    config = json.loads((model / "config.json").read_text("utf-8"))
    keys, tensors = _keys(model, config, quantization), _tensors(model, config, quantization)
    if parts == 1:
        write_gguf(path, keys, tensors)
        return
    for number, share in enumerate(np.array_split(np.arange(len(tensors)), parts)):
        split: dict[str, Value] = {
            "split.no": np.uint16(number), "split.count": np.uint16(parts),
            "split.tensors.count": np.int32(len(tensors)),
        }  # fmt: skip
        part = path.with_name(f"{path.stem}-{number + 1:05}-of-{parts:05}{path.suffix}")
        # All that the model is stands in the first part.
        write_gguf(part, {**keys, **split} if number == 0 else split, [tensors[place] for place in share])


def write_projector(path: Path, width: int) -> None:
    """Write a part for pictures whose header is a true one's, with one tensor of zeros: nothing can be seen with it."""
    keys: dict[str, Value] = {
        "general.architecture": "clip", "general.type": "mmproj", "general.file_type": _file_type("f16"),
        "clip.has_vision_encoder": True, "clip.projector_type": "mlp", "clip.vision.image_size": 28,
        "clip.vision.patch_size": 14, "clip.vision.embedding_length": width, "clip.vision.block_count": 1,
        "clip.vision.projection_dim": width,
    }  # fmt: skip
    weights = np.zeros((width, 3, 14, 14), np.float32)
    write_gguf(path, keys, [Stored("v.patch_embd.weight", weights.shape, "f16", packed(weights, "f16"))])


def packed(weights: Array, kind: str) -> bytes:
    """The bytes of a tensor; blocks of 32 with one float16 scale each for `q8_0` and `q4_0`."""
    if kind in {"f32", "f16"}:
        return np.ascontiguousarray(weights, np.float32 if kind == "f32" else np.float16).tobytes()
    blocks = np.ascontiguousarray(weights, np.float32).reshape(-1, _BLOCK)
    if kind == "q8_0":
        scale = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)
        scaled = blocks * _inverse(scale)
        # Half away from zero, as C rounds.
        integers = (
            (np.trunc(np.abs(scaled) + np.float32(0.5)) * np.sign(scaled)).astype(np.int8).view(np.uint8)
        )
    else:
        # The largest by amount becomes -8, so that all sixteen values are used.
        largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1)[:, None], axis=1)
        scale = largest / np.float32(-8)
        nibbles = np.clip(np.trunc(blocks * _inverse(scale) + np.float32(8.5)), 0, 15).astype(np.uint8)
        integers = nibbles[:, : _BLOCK // 2] | (nibbles[:, _BLOCK // 2 :] << 4)
    return np.hstack([scale.astype(np.float16).view(np.uint8), integers]).tobytes()


def _inverse(scale: Array) -> Array:
    found: Array = np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=scale != 0)
    return found


def _tensors(model: Path, config: Mapping[str, Any], quantization: str) -> list[Stored]:
    found: dict[str, Stored] = {}
    for shard in sorted(model.glob("*.safetensors")):
        for name, array in load_file(shard).items():
            weights = array.astype(np.float32)
            heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}.get(
                name.split(".")[-2]
            )
            if heads is not None:
                weights = _permuted(weights, config[heads])
            kind = quantization if weights.ndim > 1 else "f32"
            place = _name(name)
            found[place] = Stored(place, weights.shape, kind, packed(weights, kind))
    return list(found.values())


def _permuted(weights: Array, heads: int) -> Array:
    """Rows of Q or K as llama.cpp rotates them: pairs side by side, where transformers has halves."""
    return weights.reshape(heads, 2, -1, weights.shape[1]).swapaxes(1, 2).reshape(weights.shape)


def _name(name: str) -> str:
    for pattern, place in _NAMES:
        found, count = re.subn(f"^{pattern}", place, name)
        if count:
            return found
    raise ValueError(name)


def _keys(model: Path, config: Mapping[str, Any], quantization: str) -> dict[str, Value]:
    return {
        "general.architecture": "llama", "general.type": "model", "general.name": model.name,
        "general.file_type": _file_type(quantization), "general.quantization_version": 2,
        "llama.block_count": config["num_hidden_layers"],
        "llama.context_length": config["max_position_embeddings"],
        "llama.embedding_length": config["hidden_size"],
        "llama.feed_forward_length": config["intermediate_size"],
        "llama.attention.head_count": config["num_attention_heads"],
        "llama.attention.head_count_kv": config["num_key_value_heads"],
        "llama.attention.key_length": config["head_dim"], "llama.attention.value_length": config["head_dim"],
        "llama.attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]),
        "llama.rope.freq_base": float(config["rope_theta"]), "llama.rope.dimension_count": config["head_dim"],
        "llama.vocab_size": config["vocab_size"],
        **_tokenizer(model, config),
    }  # fmt: skip


def _tokenizer(model: Path, config: Mapping[str, Any]) -> dict[str, Value]:
    told = json.loads((model / "tokenizer.json").read_text("utf-8"))
    words = told["model"]["vocab"]
    special = {token["id"] for token in told["added_tokens"] if token["special"]}
    tokens = sorted(words, key=words.__getitem__)
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in told["model"]["merges"]]
    template = json.loads((model / "tokenizer_config.json").read_text("utf-8")).get("chat_template")
    return {
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        # Otherwise llama.cpp would read their names in a prompt letter by letter.
        "tokenizer.ggml.token_type": [_CONTROL if words[token] in special else _NORMAL for token in tokens],
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.bos_token_id": config["bos_token_id"],
        "tokenizer.ggml.eos_token_id": config["eos_token_id"],
        "tokenizer.ggml.padding_token_id": config["pad_token_id"],
        "tokenizer.ggml.add_bos_token": False,
        **({"tokenizer.chat_template": template} if template else {}),
    }  # fmt: skip


def _file_type(quantization: str) -> int:
    return next(number for number, name in file_types().items() if name == quantization)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: Value) -> bytes:
    """A value with its type: bool before int, which it is to Python."""
    if isinstance(value, np.uint16):
        return struct.pack("<IH", 2, value)
    if isinstance(value, np.int32):
        return struct.pack("<Ii", 5, value)
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    if all(isinstance(item, str) for item in value):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(_text(str(item)) for item in value)
    return struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)
