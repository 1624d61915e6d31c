"""Safetensors files by hand: any types, any bytes, sparse ones larger than memory."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

# Of a class nobody knows: a known one's blocks would have to be whole.
CONFIG: dict[str, object] = {
    "architectures": ["AnyForCausalLM"], "model_type": "any", "hidden_size": 64, "intermediate_size": 128,
    "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 32, "vocab_size": 32,
    "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "tie_word_embeddings": True, "hidden_act": "silu",
}  # fmt: skip
_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I8": 1}
Q_PROJ = "model.layers.0.self_attn.q_proj.weight"
EMBEDDING = "model.embed_tokens.weight"
NORM = "model.norm.weight"


def write_safetensors(path: Path, tensors: Mapping[str, tuple[str, Sequence[int], bytes | None]]) -> None:
    """Write (type, shape, bytes) of each tensor; None leaves a hole of the right size, which reads as zeros."""
    header: dict[str, object] = {}
    begins: dict[str, int] = {}
    offset = 0
    for name, (dtype, shape, _data) in tensors.items():
        size = int(np.prod(shape, dtype=object)) * _SIZES[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + size]}
        begins[name] = offset
        offset += size
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        start = file.tell()
        for name, (_dtype, _shape, data) in tensors.items():
            if data is not None:
                file.seek(start + begins[name])
                file.write(data)
        file.truncate(start + offset)


def write_model(
    folder: Path, tensors: Mapping[str, tuple[str, Sequence[int], bytes | None]], **config: object
) -> Path:
    """Write a folder with a config.json, an embedding and a norm, and these tensors."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | config))
    base = {
        EMBEDDING: ("F32", (32, 64), np.full((32, 64), 0.1, "<f4").tobytes()),
        NORM: ("F32", (64,), np.ones(64, "<f4").tobytes()),
    }
    write_safetensors(folder / "model.safetensors", base | dict(tensors))
    return folder


def write_sparse_model(folder: Path, layers: int, rows: int, inputs: int = 4096) -> Path:
    """Write a model whose `layers` matrices (rows, inputs) of float32 are holes in the file."""
    tensors: dict[str, tuple[str, Sequence[int], bytes | None]] = {
        f"model.layers.{layer}.mlp.up_proj.weight": ("F32", (rows, inputs), None) for layer in range(layers)
    }
    return write_model(folder, tensors, num_hidden_layers=layers)


def float32(*values: float) -> bytes:
    """Little-endian float32."""
    return np.array(values, "<f4").tobytes()


def normal(*shape: int, seed: int = 1) -> npt.NDArray[np.float32]:
    """Weights of a bell curve."""
    return (np.random.default_rng(seed).standard_normal(shape) * 0.05).astype("<f4")
