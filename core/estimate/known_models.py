"""The models behind the vendor's benchmark, rebuilt from resources/calibration: configuration and tensor headers."""

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

from core.base import tomldata
from core.base.errors import JsonValue
from core.base.foreign import lines
from core.model.facts import ModelFacts
from core.model.headers import TensorInfo

_FILE = "calibration/models.toml"
_ROWS = "benchmark.csv"
_BYTES_PER_ELEMENT = 2  # all of them are published in BF16 or FP16


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One model of the table.

    Attributes:
        repo: its most likely checkpoint on the Hub.
        parameters: of the language part, as its model class counts them.
    """

    name: str
    repo: str
    parameters: int
    source: str
    config: Mapping[str, JsonValue]
    tensors: tuple[TensorInfo, ...]

    def facts(self) -> ModelFacts:
        """What reading its headers on the Hub would give."""
        return ModelFacts(self.repo, dict(self.config), self.tensors, 0, None, "safetensors")


@dataclass(frozen=True, slots=True)
class BenchmarkRow:
    """One row of the vendor's benchmark v1.3.0: prompt 128, 64 new tokens, all NPU cores."""

    platform: str
    model: str
    dtype: str
    ttft_ms: float
    tokens_per_s: float
    memory_mib: float


@cache
def known_models() -> Mapping[str, KnownModel]:
    """All models of the table by name."""
    tables = tomldata.subtables(tomldata.load_toml(_FILE), "model", _FILE)
    return MappingProxyType({model.name: model for model in map(_model, tables)})


@cache
def benchmark_rows() -> tuple[BenchmarkRow, ...]:
    """All rows of the vendor's benchmark that were retyped."""
    text = (resources.files("resources") / "calibration" / _ROWS).read_text("utf-8")
    rows = [line for line in lines(text) if not line.startswith("#")]
    return tuple(
        BenchmarkRow(
            row["platform"], row["model"], row["dtype"], float(row["ttft_ms"]), float(row["tokens_per_s"]),
            float(row["memory_mib"]),
        )
        for row in csv.DictReader(rows)
    )  # fmt: skip


def _model(table: tomldata.Table) -> KnownModel:
    experts = tomldata.integer(table, "experts", _FILE) if "experts" in table else 0
    return KnownModel(
        name=tomldata.text(table, "name", _FILE),
        repo=tomldata.text(table, "repo", _FILE),
        parameters=tomldata.integer(table, "parameters", _FILE),
        source=tomldata.text(table, "source", _FILE),
        config=MappingProxyType(dict(tomldata.subtable(table, "config", _FILE))),
        tensors=tuple(
            tensor
            for pattern, layers, *shape in table["tensors"]
            for tensor in _tensors(str(pattern), str(layers), tuple(map(int, shape)), experts)
        ),
    )


def _tensors(pattern: str, layers: str, shape: tuple[int, ...], experts: int) -> Iterator[TensorInfo]:
    size_bytes = _BYTES_PER_ELEMENT * math.prod(shape)
    for layer in _numbers(layers) if layers else (0,):
        name = pattern.replace("*", str(layer))
        for expert in range(experts if "#" in name else 1):
            yield TensorInfo(name.replace("#", str(expert)), "BF16", shape, size_bytes)


def _numbers(text: str) -> Iterator[int]:
    """Read `0-2,5,7-11/2`."""
    for part in text.split(","):
        ends, _, step = part.partition("/")
        first, _, last = ends.partition("-")
        yield from range(int(first), int(last or first) + 1, int(step or 1))
