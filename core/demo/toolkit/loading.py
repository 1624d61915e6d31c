"""Reading a checkpoint in Hub layout: config, tokenizer, weights of one or several safetensors files."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.base.templates import folder_template
from core.demo.toolkit.stages import bar

Weights = dict[str, npt.NDArray[np.float32]]
_MAX_HEADER_BYTES = 100 << 20
_CLASS_OF_TYPE = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}
_FLOATS = {"F64": np.float64, "F32": np.float32, "F16": np.float16}


class LoadError(Exception):
    """A checkpoint that cannot be loaded; the text is the toolkit's log line."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded model: config.json with its class, tokenizer files as they are, float32 weights by name."""

    config: dict[str, Any]
    architecture: str
    tokenizer_json: str
    tokenizer_config: dict[str, Any]
    chat_template: str | None
    end_tokens: list[int]
    weights: Weights


def load_checkpoint(folder: Path) -> Checkpoint:
    """Load a model folder.

    Raises:
        LoadError: with the line the toolkit would log.
    """
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        architecture = _known_class(config)
        tokenizer_config = _optional_json(folder / "tokenizer_config.json")
        generation = _optional_json(folder / "generation_config.json")
        return Checkpoint(
            config=config,
            architecture=architecture,
            tokenizer_json=(folder / "tokenizer.json").read_text("utf-8"),
            tokenizer_config=tokenizer_config,
            chat_template=folder_template(folder),
            end_tokens=_end_tokens(generation.get("eos_token_id", config.get("eos_token_id"))),
            weights=_load_weights(folder),
        )
    except (OSError, ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise LoadError(f"Catch exception when loading model: {error}") from error


def _known_class(config: dict[str, Any]) -> str:
    # A class, or what AutoModel makes of the type where there is none.
    name = (config.get("architectures") or [_CLASS_OF_TYPE.get(str(config.get("model_type")), "unknown")])[0]
    if name not in _CLASS_OF_TYPE.values():
        raise LoadError(f"Not support {name}!")
    if any(_says_something(config.get(key)) for key in ("quantization_config", "quantization")):
        raise LoadError("Catch exception when optimizing model: 'mlp.down_proj'")
    return str(name)


def _says_something(stated: object) -> bool:
    return isinstance(stated, dict) and any(value is not None for value in stated.values())


def _end_tokens(value: Any) -> list[int]:  # noqa: ANN401  # JSON: a number, a list or nothing
    return [int(token) for token in (value if isinstance(value, list) else [value]) if token is not None]


def _optional_json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}


def _load_weights(folder: Path) -> Weights:
    weights: Weights = {}
    for name in bar("Loading checkpoint shards", weight_names(folder)):
        if not (folder / name).absolute().is_relative_to(folder.absolute()) or ".." in Path(name).parts:
            raise ValueError(f"shard outside the folder: {name!r}")
        weights.update(_tensors(folder / name))
    return weights


def weight_names(folder: Path) -> list[str]:
    """The files with the weights, where transformers looks for them: the one file before an index of several."""
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").exists() or not index.exists():
        return ["model.safetensors"]
    return sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))


def _tensors(path: Path) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Read a safetensors file; numpy has no bfloat16, so its bits are widened by hand."""
    data = np.memmap(path, np.uint8, "r")
    length = int.from_bytes(data[:8].tobytes(), "little")
    if length > min(_MAX_HEADER_BYTES, len(data) - 8):
        raise ValueError(f"Error while deserializing header: {path.name}")
    header = json.loads(data[8 : 8 + length].tobytes())
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = (8 + length + int(offset) for offset in entry["data_offsets"])
        raw = np.frombuffer(data[start:end].tobytes(), np.uint8)
        if entry["dtype"] == "BF16":
            values = (raw.view(np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32)
        else:
            values = raw.view(_FLOATS[entry["dtype"]]).astype(np.float32)
        yield name, values.reshape(entry["shape"])
