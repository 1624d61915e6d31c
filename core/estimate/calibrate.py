"""Fits the estimate's constants to the vendor's rows: `python -m core.estimate.calibrate [--write]`.

Reads resources/calibration, prints the errors in and out of sample (each model left out once), and with `--write`
puts the constants into resources/estimator.toml. A new release of the vendor's benchmark is new rows and this command.

What is fitted is the form of `memory` and `speed`: each constant is a cost with a name. Two of them cannot be told
apart on the platforms with few rows (effective rate and cost of a layer on RK3562 and RV1126B), so their rates are held
near those of RK3576, whose rows are many; how near is `_RATE_SPREAD`. Needs scipy (dependency group `test`).
"""

import argparse
import math
import re
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.base import atomic
from core.estimate.constants import memory_constants
from core.estimate.known_models import BenchmarkRow, benchmark_rows, known_models
from core.estimate.memory import file_bytes, memory_parts
from core.model.shape import ModelShape, build_shape
from core.vendor.levels import Level, coarsest_of_each_width, get_level, load_levels
from core.vendor.platforms import Platform, get_platform, load_platforms

MIB = 1 << 20
CONTEXT = 256  # the benchmark does not state it; see [benchmark] in estimator.toml
POSITION = 160  # the middle of 64 new tokens after a prompt of 128
PROMPT = 128
# Spread of each figure's errors; larger ones count linearly, not squared (soft L1), so that one odd row cannot lead.
_RAM_SPREAD, _DECODE_SPREAD, _TTFT_SPREAD = 0.02, 0.03, 0.06
# How far a one-core platform's rate may lie from RK3576's, as a factor (log): one sigma.
_RATE_SPREAD = 0.2
_WEAK = 2.0
_FILE = Path(__file__).parents[2] / "resources" / "estimator.toml"
_TOPS = "ttft.tops."
Constants = dict[str, float]


@dataclass(frozen=True, slots=True)
class Sample:
    """One row with its model's shape."""

    row: BenchmarkRow
    shape: ModelShape
    level: Level
    platform: Platform

    @property
    def grouped(self) -> int:
        """Weights in groups, per group size of 1."""
        return self.shape.w_body if self.level.group_size else 0

    @property
    def active_body(self) -> int:
        """Weights of the body one token reads."""
        return self.shape.w_active - self.shape.w_head


def samples(rows: Iterable[BenchmarkRow] | None = None) -> list[Sample]:
    """All rows with their shapes."""
    shapes: dict[str, ModelShape] = {}
    found = []
    for row in benchmark_rows() if rows is None else rows:
        if row.model not in shapes:
            shapes[row.model] = build_shape(known_models()[row.model].facts())
        found.append(Sample(row, shapes[row.model], get_level(row.dtype), get_platform(row.platform)))
    return found


def ram_mib(c: Constants, sample: Sample) -> float:
    """The memory formula of `core.estimate.memory`, with these constants."""
    shape, bits = sample.shape, sample.level.bits
    fixed = memory_constants()
    weights = bits / 8 * shape.w_linear
    total = weights + fixed.kv_element * (shape.kv_elements_per_token or 0) * CONTEXT
    total += fixed.state_element * shape.recurrent_state_elements
    if sample.level.group_size is None:
        total += fixed.logits_per_vocab * shape.vocab
    else:
        total += c["group_bytes"] * sample.grouped / sample.level.group_size
    mib = total / MIB + c.get(f"platform_mib.{sample.row.platform}", 0.0)
    mib += (c["vocab_kib"] * shape.vocab + c["intermediate_kib"] * shape.intermediate) / 1024
    mib += c["matmul_mib"] * shape.n_matmul
    if weights > fixed.npu_domain:
        mib += c["second_domain_mib"]
    if sample.level.group_size:
        mib += c.get(f"group_platform_mib.{sample.row.platform}", 0.0)
    return mib


def decode_ms(c: Constants, sample: Sample) -> float:
    """The decode formula of `core.estimate.speed`: milliseconds a token."""
    shape, platform = sample.shape, sample.row.platform
    streamed = sample.level.bits / 8 * shape.w_active + 16.0 * shape.recurrent_state_elements
    if sample.level.group_size:
        streamed += 6.0 * sample.active_body / sample.level.group_size
    total = 1000 * streamed / (c["efficiency"] * sample.platform.memory_bandwidth_bytes_per_s)
    total += c["state_share"] * c[f"state_ms.{platform}"] * shape.recurrent_state_elements / 1e6
    mixed = c["layer_hidden"] * shape.layers + c["mixing_layer_hidden"] * shape.mixing_layers
    calls = shape.n_matmul_active + mixed * shape.hidden / 1000 + c["layer_input"] * shape.layer_inputs
    calls += c["kv_mb"] * 2e-6 * (shape.kv_elements_per_token or 0) * POSITION
    total += c[f"call_ms.{platform}"] * calls
    if sample.level.group_size:
        each = c.get(f"group_ms.{platform}", c["group_ms.one_core"])
        total += each * sample.active_body / 1e9 * 128 / sample.level.group_size
    return total


def ttft_ms(c: Constants, sample: Sample) -> float:
    """The formula of the time to first token of `core.estimate.speed`."""
    shape, platform = sample.shape, sample.row.platform
    weights = shape.w_linear if sample.level.group_size is None else shape.w_body
    total = 2 * PROMPT * weights / 1e9 / c[f"tops.{platform}.{sample.row.dtype}"]
    layers = shape.layers + c["altup"] * shape.altup_layers + c["mixing"] * shape.mixing_layers
    layers += c["layer_input"] * shape.layer_inputs
    layers += c["kv_mb"] * 2e-6 * (shape.kv_elements_per_token or 0) * PROMPT
    total += c[f"layer_ms.{platform}"] * layers + c[f"call_ms.{platform}"] * shape.n_matmul
    return total + c[f"state_ms.{platform}"] * shape.recurrent_state_elements / 1e6 * PROMPT


_RAM_START: Constants = {
    "platform_mib.rk3588": 25.0, "platform_mib.rk3576": 33.0, "vocab_kib": 0.7, "intermediate_kib": 1.6,
    "matmul_mib": 0.13, "second_domain_mib": 160.0, "group_bytes": 7.0, "group_platform_mib.rk3576": 38.0,
}  # fmt: skip
_SPEED_START: Constants = {
    "efficiency": 0.92, "layer_hidden": 1.8, "mixing_layer_hidden": 4.5, "layer_input": 4.5, "kv_mb": 2.0,
    "state_share": 0.9, "group_ms.rk3576": 2.8, "group_ms.one_core": 28.0,
    "call_ms.rk3588": 0.037, "call_ms.rk3576": 0.071, "call_ms.rk3562": 0.13, "call_ms.rv1126b": 0.11,
    "state_ms.rk3588": 0.7, "state_ms.rk3576": 1.56, "state_ms.rk3562": 5.0, "state_ms.rv1126b": 6.1,
    "ttft.altup": 9.0, "ttft.mixing": 1.8, "ttft.layer_input": 1.0, "ttft.kv_mb": 0.7,
    "ttft.layer_ms.rk3588": 2.0, "ttft.layer_ms.rk3576": 7.3, "ttft.layer_ms.rk3562": 20.0,
    "ttft.layer_ms.rv1126b": 20.0,
    "ttft.tops.rk3588.w8a8": 1.3, "ttft.tops.rk3576.w8a8": 0.85, "ttft.tops.rk3576.w4a16": 0.82,
    "ttft.tops.rk3576.w4a16_g128": 0.52, "ttft.tops.rk3562.w8a8": 0.82, "ttft.tops.rv1126b.w8a8": 0.9,
    "ttft.tops.rv1126b.w4a16": 0.8, "ttft.tops.rv1126b.w4a16_g128": 0.5,
}  # fmt: skip


def fit_ram(found: Sequence[Sample]) -> Constants:
    """Fit the memory formula."""
    return _solve(
        _RAM_START,
        lambda c: [_log(ram_mib(c, item) / item.row.memory_mib) / _RAM_SPREAD for item in found],
    )


def fit_speed(found: Sequence[Sample]) -> Constants:
    """Fit decode and time to first token together: they share the cost of a call and of the state's scan."""
    tops = [name for name in _SPEED_START if name.startswith(_TOPS) and _platform_of(name).npu_cores_max == 1]

    def residuals(c: Constants) -> list[float]:
        first = _first_token(c)
        return [
            *(_log(decode_ms(c, item) * item.row.tokens_per_s / 1000) / _DECODE_SPREAD for item in found),
            *(_log(ttft_ms(first, item) / item.row.ttft_ms) / _TTFT_SPREAD for item in found),
            *(_log(c[name] / c[_held_near(name)]) / _RATE_SPREAD for name in tops),
        ]

    return _solve(_SPEED_START, residuals)


def _platform_of(rate: str) -> Platform:
    return get_platform(rate.removeprefix(_TOPS).partition(".")[0])


def _held_near(rate: str) -> str:
    """The rate of the same level on the platform with the most rates, whose rows are many."""
    counts = Counter(_platform_of(name).name for name in _SPEED_START if name.startswith(_TOPS))
    level = rate.rpartition(".")[2]
    known = [name for name in counts if f"{_TOPS}{name}.{level}" in _SPEED_START]
    return f"{_TOPS}{max(known, key=lambda name: (counts[name], _platform_of(_TOPS + name).npu_cores_max))}.{level}"


def _first_token(c: Constants) -> Constants:
    """The constants as `ttft_ms` names them."""
    return c | {name.removeprefix("ttft."): value for name, value in c.items() if name.startswith("ttft.")}


def _log(ratio: float) -> float:
    return math.log(max(ratio, 1e-9))


def _solve(start: Constants, residuals: Callable[[Constants], list[float]]) -> Constants:
    from scipy.optimize import least_squares

    names = list(start)

    def of(shares: Iterable[float]) -> list[float]:
        constants = {name: float(share) * start[name] for name, share in zip(names, shares, strict=True)}
        # A constant the rows say nothing of stays where it began.
        return residuals(constants) + [_log(constants[name] / start[name]) / _WEAK for name in names]

    # Constants of very different size: each is fitted as a multiple of its first guess, and stays positive.
    found = least_squares(of, [1.0] * len(names), loss="soft_l1", bounds=(1e-3, 1e3))
    return {name: float(share) * start[name] for name, share in zip(names, found.x, strict=True)}


@dataclass(frozen=True, slots=True)
class Errors:
    """Relative errors of every row, in the rows' order."""

    ram: tuple[float, ...]
    decode: tuple[float, ...]
    ttft: tuple[float, ...]

    def summary(self) -> str:
        """Mean and largest absolute error of each figure, in percent."""
        parts = (("RAM", self.ram), ("tokens/s", self.decode), ("TTFT", self.ttft))
        return ", ".join(
            f"{name} {100 * statistics.mean(map(abs, values)):.2f} % (max {100 * max(map(abs, values)):.1f} %)"
            for name, values in parts
        )


def errors(found: Sequence[Sample], ram: Constants, speed: Constants) -> Errors:
    """The errors of samples under constants."""
    first = _first_token(speed)
    return Errors(
        tuple(ram_mib(ram, item) / item.row.memory_mib - 1 for item in found),
        tuple(1000 / decode_ms(speed, item) / item.row.tokens_per_s - 1 for item in found),
        tuple(ttft_ms(first, item) / item.row.ttft_ms - 1 for item in found),
    )


def leave_one_model_out(found: Sequence[Sample]) -> Errors:
    """The errors of each model's rows under constants fitted without them.

    A constant that only the left-out model determines keeps its first guess.
    """
    parts: dict[int, tuple[float, float, float]] = {}
    for name in {item.row.model for item in found}:
        kept = [item for item in found if item.row.model != name]
        out = [item for item in found if item.row.model == name]
        result = errors(out, fit_ram(kept), fit_speed(kept))
        for item, *figures in zip(out, result.ram, result.decode, result.ttft, strict=True):
            parts[id(item)] = (figures[0], figures[1], figures[2])
    ordered = [parts[id(item)] for item in found]
    return Errors(*(tuple(figures[place] for figures in ordered) for place in range(3)))


def usual() -> dict[str, tuple[float, ...]]:
    """What the number of parameters leaves open: 10th, 50th and 90th percentile over all known models."""
    names = ("resident_share", "kv_bytes_per_token", "overhead_mib", "file_share")
    found: dict[str, list[float]] = {name: [] for name in names}
    platform = max(load_platforms().values(), key=lambda known: known.npu_cores_max)
    plain = coarsest_of_each_width(level for level in load_levels() if level.quantized)
    for model in known_models().values():
        facts = model.facts()
        shape = build_shape(facts)
        parts = memory_parts(shape, plain[0], platform, context=CONTEXT, cores=platform.npu_cores_max)
        if parts is None:
            continue
        total = sum(math.prod(tensor.shape) for tensor in facts.tensors)
        found["resident_share"].append(shape.w_linear / total)
        found["kv_bytes_per_token"].append(parts.kv_cache_bytes / CONTEXT)
        found["overhead_mib"].append(parts.overhead_bytes / MIB)
        for made in plain:
            found["file_share"].append(made.bits / 8 * shape.w_linear / file_bytes(shape, made))
    return {name: _tenths(values) for name, values in found.items()}


def _tenths(values: Sequence[float]) -> tuple[float, ...]:
    cuts = statistics.quantiles(values, n=10, method="inclusive")
    return cuts[0], cuts[4], cuts[8]


def put_constants(
    text: str,
    ram: Mapping[str, float],
    speed: Mapping[str, float],
    guess: Mapping[str, Sequence[float]] | None = None,
) -> str:
    """The data file with other constants; nothing else of it changes."""
    for name, values in (guess or {}).items():
        text = _put(text, "guess", name, ", ".join(f"{value:.4g}" for value in values), r"[^\]]+", r"\[")
    ttft = {name.removeprefix("ttft."): value for name, value in speed.items() if name.startswith("ttft.")}
    decode = {name: value for name, value in speed.items() if not name.startswith(("ttft.", "state_ms."))}
    one_core = decode.pop("group_ms.one_core")
    decode |= {
        f"group_ms.{name}": one_core for name, each in load_platforms().items() if each.npu_cores_max == 1
    }
    ttft |= {name: value for name, value in speed.items() if name.startswith("state_ms.")}
    for section, constants in (("memory", ram), ("decode", decode), ("ttft", ttft)):
        for name, value in constants.items():
            inner, _, key = name.rpartition(".")
            text = _put(text, f"{section}.{inner}" if inner else section, key, f"{value:.4g}")
    return text


def _put(text: str, section: str, key: str, value: str, old: str = "[0-9.e+-]+", before: str = "") -> str:
    pattern = re.compile(
        rf"(^\[{re.escape(section)}\][^\n]*\n(?:(?!\[)[^\n]*\n)*?{re.escape(key)} = {before}){old}",
        re.MULTILINE,
    )
    changed, count = pattern.subn(rf"\g<1>{value}", text)
    if count != 1:
        raise LookupError(f"{section}.{key} stands {count} times in the data file")
    return changed


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, print the errors, and write the constants when that is asked for."""
    parser = argparse.ArgumentParser(prog="core.estimate.calibrate")
    parser.add_argument(
        "--write", action="store_true", help="put the constants into resources/estimator.toml"
    )
    options = parser.parse_args(arguments)
    found = samples()
    ram, speed = fit_ram(found), fit_speed(found)
    for name, value in (ram | speed).items():
        sys.stdout.write(f"  {name:32} {value:.4g}\n")
    sys.stdout.write(f"{len(found)} rows, {len({item.row.model for item in found})} models\n")
    sys.stdout.write(f"in sample:            {errors(found, ram, speed).summary()}\n")
    sys.stdout.write(f"leave one model out:  {leave_one_model_out(found).summary()}\n")
    if options.write:
        atomic.write_text(_FILE, put_constants(_FILE.read_text("utf-8"), ram, speed, usual()), mode=0o644)
        sys.stdout.write(f"written to {_FILE.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
