"""Fit the constants of the memory of llama.cpp: `python -m core.estimate.gguf_calibrate [--write]`.

The rows are processes that were measured (`python -m tests.bench.gguf_memory --rows FILE`). Weights, cache, the rows of
the buffers and the mask follow from the file and the graph and are subtracted; what is left is fitted: a fixed part,
the vocabulary, what a layer costs, and what a hidden row and a token of the prompt cost. Needs scipy (group `test`).
"""

import argparse
import csv
import operator
import re
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from core.base import atomic
from core.base.foreign import lines
from core.base.units import KIB, MIB
from core.estimate.gguf import buffer_bytes, cache_bytes, memory_constants
from core.estimate.gguf_shape import GgufShape

_ROWS = "gguf_memory.csv"
_FILE = Path(__file__).parents[2] / "resources" / "gguf_memory.toml"


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """One process that was measured.

    Attributes:
        model, kind: of the file: its name and the type of its matrices.
        weights_bytes: of its tensors.
        again_bytes: of the file that stayed mapped beside copies.
        context, prompt, ubatch: tokens.
        peak_bytes: VmHWM after the prompt.
    """

    model: str
    kind: str
    shape: GgufShape
    weights_bytes: int
    again_bytes: int
    context: int
    prompt: int
    ubatch: int
    peak_bytes: int

    @property
    def certain_bytes(self) -> int:
        """Weights, their copies and the cache."""
        return self.weights_bytes + self.again_bytes + cache_bytes(self.shape, self.context)[1]


@cache
def memory_rows() -> tuple[MemoryRow, ...]:
    """The rows of `resources/calibration/gguf_memory.csv`."""
    text = resources.files("resources").joinpath("calibration", _ROWS).read_text("utf-8")
    kept = [line for line in lines(text) if not line.startswith("#")]
    return tuple(map(_row, csv.DictReader(kept)))


def _row(found: dict[str, str]) -> MemoryRow:
    def number(name: str) -> int:
        return int(found[name])

    shape = GgufShape(
        number("layers"), number("hidden"), number("queries"), number("feed_forward"), number("tokens"),
        number("merges"), number("cache_bytes"),
    )  # fmt: skip
    return MemoryRow(
        found["model"], found["type"], shape, number("weights_bytes"), number("again_bytes"), number("context"),
        number("prompt"), number("ubatch"), number("peak_kib") * KIB,
    )  # fmt: skip


# Constants that are fitted, by their names in the data file.
_NAMES = ("fixed_kib", "token_bytes", "merge_bytes", "layer_kib", "prompt_token_bytes", "hidden_bytes")


def fit(rows: Sequence[MemoryRow]) -> dict[str, float]:
    """The constants, by their names in the data file; each row counts by its relative error."""
    import numpy as np
    from scipy.optimize import nnls

    scale = np.array([1 / row.peak_bytes for row in rows])
    left = np.array([row.peak_bytes - _derived_bytes(row) for row in rows])
    found, _ = nnls(np.array(list(map(_amounts, rows))) * scale[:, None], left * scale)
    return dict(zip(_NAMES, map(float, found), strict=True))


def errors(rows: Sequence[MemoryRow], constants: Mapping[str, float]) -> list[float]:
    """Relative errors of the peak under constants, in the rows' order."""
    values = [constants[name] for name in _NAMES]
    return [
        (_derived_bytes(row) + sum(map(operator.mul, _amounts(row), values))) / row.peak_bytes - 1
        for row in rows
    ]


def leave_one_model_out(rows: Sequence[MemoryRow]) -> list[float]:
    """The errors of each model's rows under constants fitted without them, in the rows' order."""
    found: dict[int, float] = {}
    for model in {row.model for row in rows}:
        out = [row for row in rows if row.model == model]
        constants = fit([row for row in rows if row.model != model])
        found |= {id(row): error for row, error in zip(out, errors(out, constants), strict=True)}
    return [found[id(row)] for row in rows]


def _amounts(row: MemoryRow) -> tuple[int, ...]:
    """What the constants are multiplied with, in the order of their names."""
    shape, at_once = row.shape, min(row.prompt, row.ubatch)
    vocabulary = shape.tokens or 0, shape.merges or 0
    return (KIB, *vocabulary, KIB * shape.layers, row.prompt, shape.hidden * at_once)


def _derived_bytes(row: MemoryRow) -> float:
    """What follows from the file and the graph: all but what is fitted."""
    hidden = memory_constants().hidden_row * row.shape.hidden * min(row.prompt, row.ubatch)
    return row.certain_bytes + buffer_bytes(row.shape, row.prompt, row.ubatch) - hidden


def put_constants(text: str, constants: Mapping[str, float]) -> str:
    """The data file with other constants; nothing else of it changes."""
    for name, value in constants.items():
        text, count = re.subn(rf"(?m)^({re.escape(name)} = )[0-9.e+-]+", rf"\g<1>{value:.4g}", text)
        if count != 1:
            raise LookupError(f"{name} stands {count} times in the data file")
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the constants and every row's error, and write the constants when that is asked for."""
    parser = argparse.ArgumentParser(prog="core.estimate.gguf_calibrate")
    parser.add_argument("--write", action="store_true", help=f"put the constants into resources/{_FILE.name}")
    options = parser.parse_args(arguments)
    rows = memory_rows()
    constants = fit(rows)
    for name, value in constants.items():
        sys.stdout.write(f"  {name:20} {value:.4g}\n")
    off = errors(rows, constants)
    for row, error in zip(rows, off, strict=True):
        place = (
            f"{row.model:14} {row.kind:6} context {row.context:5} prompt {row.prompt:5} ubatch {row.ubatch:5}"
        )
        share = error * row.peak_bytes / (row.peak_bytes - row.certain_bytes)
        sys.stdout.write(
            f"{place}  peak {row.peak_bytes / MIB:7.1f} MiB  error {100 * error:+5.1f} %,"
            f" of buffers and process {100 * share:+5.1f} %\n"
        )
    sys.stdout.write(f"{len(rows)} rows, {len({row.model for row in rows})} models\n")
    sys.stdout.write(f"in sample:            {_summary(off)}\n")
    sys.stdout.write(f"leave one model out:  {_summary(leave_one_model_out(rows))}\n")
    if options.write:
        atomic.write_text(_FILE, put_constants(_FILE.read_text("utf-8"), constants), mode=0o644)
        sys.stdout.write(f"written to {_FILE.name}\n")
    return 0


def _summary(off: Sequence[float]) -> str:
    sizes = [100 * abs(error) for error in off]
    return f"{statistics.mean(sizes):.2f} % (max {max(sizes):.1f} %)"


if __name__ == "__main__":
    sys.exit(main())
