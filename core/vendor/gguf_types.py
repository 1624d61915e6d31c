"""The numbers GGUF files are written with: tensor types and file types, data from `resources/gguf.toml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from core.base import tomldata

_FILE = "gguf.toml"


@dataclass(frozen=True, slots=True)
class TensorType:
    """How a tensor's elements are stored.

    Attributes:
        name: `q4_k`, `f16`, ...
        block_elements: stored together; the first dimension is a multiple of it.
        block_bytes: they take.
    """

    name: str
    block_elements: int
    block_bytes: int


@cache
def tensor_types() -> Mapping[int, TensorType]:
    """The types of tensors, by the number in a tensor's entry."""
    rows = tomldata.subtables(tomldata.load_toml(_FILE), "tensor_type", _FILE)
    return {
        tomldata.integer(row, "id", _FILE): TensorType(
            tomldata.text(row, "name", _FILE),
            tomldata.integer(row, "block_elements", _FILE),
            tomldata.integer(row, "block_bytes", _FILE),
        )
        for row in rows
    }


@cache
def file_types() -> Mapping[int, str]:
    """What most weights of a file are (`q4_k_m`, `q8_0`), by the number under `general.file_type`."""
    rows = tomldata.subtables(tomldata.load_toml(_FILE), "file_type", _FILE)
    return {tomldata.integer(row, "id", _FILE): tomldata.text(row, "name", _FILE) for row in rows}
