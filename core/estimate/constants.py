"""The fitted constants of resources/estimator.toml as typed records."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from core.base import tomldata
from core.vendor.levels import load_levels

_FILE = "estimator.toml"
MIB = 1 << 20
KIB = 1 << 10


@dataclass(frozen=True, slots=True)
class MemoryConstants:
    """Constants of the memory formula; bytes unless the data file's name said KiB or MiB (converted here)."""

    kv_element: float
    state_element: float
    logits_per_vocab: float
    vocab: float
    intermediate: float
    matmul: float
    npu_domain: int
    second_domain: float
    group: float
    platform: Mapping[str, float]
    group_platform: Mapping[str, float]
    w8a8_group: float
    w8a8_group_extra: float
    interval_w8: float
    interval_w4_or_grouped: float
    interval_extrapolated: float
    interval_at_least: float
    reference_per_parameter: Mapping[str, float]
    reference_vocab: float
    reference_fixed: float
    file_embedding: float
    file_overhead_fraction: float
    convert_per_parameter: float


@dataclass(frozen=True, slots=True)
class DecodeConstants:
    """Constants of the decode formula; milliseconds and fractions as in the data file."""

    efficiency: float
    layer_hidden: float
    mixing_layer_hidden: float
    layer_input: float
    state_bytes: float
    state_share: float
    kv_mb: float
    group_stream_bytes: float
    call_ms: Mapping[str, float]
    group_ms: Mapping[str, float]
    w8a8_group_ns: float
    w8a8_group_platforms: tuple[str, ...]
    interval: Mapping[str, float]
    w8a8_group_low: float
    w8a8_group_high: float
    extrapolated_factor: float
    new_tokens: int


@dataclass(frozen=True, slots=True)
class TtftConstants:
    """Constants of the time to first token; `tops` by platform and dtype, milliseconds as in the file."""

    altup: float
    mixing: float
    layer_input: float
    kv_mb: float
    prompt: int
    tops: Mapping[str, Mapping[str, float]]
    layer_ms: Mapping[str, float]
    state_ms: Mapping[str, float]
    interval: Mapping[str, float]
    other_prompt_high: float
    extrapolated_factor: float


@dataclass(frozen=True, slots=True)
class Guess:
    """What is usual: low, middle and high of what a model's size in parameters leaves open."""

    resident_share: tuple[float, ...]
    kv_bytes_per_token: tuple[float, ...]
    overhead_bytes: tuple[float, ...]
    file_share: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class EstimateLimits:
    """Where the fit holds, and what a board's system needs (what has no facts: `core.estimate.support`)."""

    max_context: int
    min_linear: int
    max_linear: int
    max_linear_one_core: int
    board_gib: tuple[int, ...]
    usable_fraction: float
    os_headless_bytes: int
    os_desktop_bytes: int
    min_kv_width: int
    groups_divide_inputs: bool


@cache
def memory_constants() -> MemoryConstants:
    """Return the constants of the memory formula."""
    table, reference, file = _table("memory"), _table("reference"), _table("file")
    grouped, interval = _inner(table, "w8a8_grouped"), _inner(table, "interval")
    widths = [level.name for level in load_levels() if level.kind == "reference"]
    return MemoryConstants(
        kv_element=_number(table, "kv_bytes_per_element"),
        state_element=_number(table, "state_bytes_per_element"),
        logits_per_vocab=_number(table, "logits_bytes_per_vocab"),
        vocab=_number(table, "vocab_kib") * KIB,
        intermediate=_number(table, "intermediate_kib") * KIB,
        matmul=_number(table, "matmul_mib") * MIB,
        npu_domain=tomldata.integer(table, "npu_domain_bytes", _FILE),
        second_domain=_number(table, "second_domain_mib") * MIB,
        group=_number(table, "group_bytes"),
        platform=_numbers(table, "platform_mib", MIB),
        group_platform=_numbers(table, "group_platform_mib", MIB),
        w8a8_group=_number(grouped, "group_bytes"),
        w8a8_group_extra=_number(grouped, "extra_mib") * MIB,
        interval_w8=_number(interval, "w8"),
        interval_w4_or_grouped=_number(interval, "w4_or_grouped"),
        interval_extrapolated=_number(interval, "extrapolated"),
        interval_at_least=_number(interval, "at_least_mib") * MIB,
        reference_per_parameter={name: _number(reference, name) for name in widths},
        reference_vocab=_number(reference, "vocab_kib") * KIB,
        reference_fixed=_number(reference, "fixed_mib") * MIB,
        file_embedding=_number(file, "embedding_bytes_per_element"),
        file_overhead_fraction=_number(file, "overhead_fraction"),
        convert_per_parameter=_number(_table("convert"), "bytes_per_parameter"),
    )


@cache
def decode_constants() -> DecodeConstants:
    """Return the constants of the decode formula."""
    table = _table("decode")
    grouped, interval = _inner(table, "w8a8_grouped"), _inner(table, "interval")
    call_ms = _numbers(table, "call_ms")
    return DecodeConstants(
        efficiency=_number(table, "efficiency"),
        layer_hidden=_number(table, "layer_hidden"),
        mixing_layer_hidden=_number(table, "mixing_layer_hidden"),
        layer_input=_number(table, "layer_input"),
        state_bytes=_number(table, "state_bytes_per_element"),
        state_share=_number(table, "state_share"),
        kv_mb=_number(table, "kv_mb"),
        group_stream_bytes=_number(table, "group_stream_bytes"),
        call_ms=call_ms,
        group_ms=_numbers(table, "group_ms"),
        w8a8_group_ns=_number(grouped, "group_ns"),
        w8a8_group_platforms=tomldata.texts(grouped, "platforms", _FILE),
        interval={name: _number(interval, name) for name in call_ms},
        w8a8_group_low=_number(interval, "w8a8_grouped_low"),
        w8a8_group_high=_number(interval, "w8a8_grouped_high"),
        extrapolated_factor=_number(interval, "extrapolated_factor"),
        new_tokens=tomldata.integer(_table("benchmark"), "new_tokens", _FILE),
    )


@cache
def ttft_constants() -> TtftConstants:
    """Return the constants of the time to first token."""
    table = _table("ttft")
    tops, interval = _inner(table, "tops"), _inner(table, "interval")
    layer_ms = _numbers(table, "layer_ms")
    return TtftConstants(
        altup=_number(table, "altup"),
        mixing=_number(table, "mixing"),
        layer_input=_number(table, "layer_input"),
        kv_mb=_number(table, "kv_mb"),
        prompt=tomldata.integer(_table("benchmark"), "prompt", _FILE),
        tops=MappingProxyType({name: _numbers(tops, name) for name in tops}),
        layer_ms=layer_ms,
        state_ms=_numbers(table, "state_ms"),
        interval={name: _number(interval, name) for name in layer_ms},
        other_prompt_high=_number(interval, "other_prompt_high"),
        extrapolated_factor=_number(interval, "extrapolated_factor"),
    )


@cache
def guess_constants() -> Guess:
    """Return the constants of the guess from the number of parameters."""
    table = _table("guess")
    return Guess(
        resident_share=tomldata.numbers(table, "resident_share", _FILE),
        kv_bytes_per_token=tomldata.numbers(table, "kv_bytes_per_token", _FILE),
        overhead_bytes=tuple(MIB * size for size in tomldata.numbers(table, "overhead_mib", _FILE)),
        file_share=tomldata.numbers(table, "file_share", _FILE),
    )


@cache
def estimate_limits() -> EstimateLimits:
    """Return where the fit holds and what the fit verdict assumes."""
    ranges, fit = _table("range"), _table("fit")
    return EstimateLimits(
        max_context=tomldata.integer(ranges, "max_context", _FILE),
        min_linear=tomldata.integer(ranges, "min_linear", _FILE),
        max_linear=tomldata.integer(ranges, "max_linear", _FILE),
        max_linear_one_core=tomldata.integer(ranges, "max_linear_one_core", _FILE),
        board_gib=tuple(map(int, tomldata.numbers(fit, "board_gib", _FILE))),
        usable_fraction=_number(fit, "usable_fraction"),
        os_headless_bytes=tomldata.integer(fit, "os_headless_bytes", _FILE),
        os_desktop_bytes=tomldata.integer(fit, "os_desktop_bytes", _FILE),
        min_kv_width=tomldata.integer(_table("export"), "min_kv_width", _FILE),
        groups_divide_inputs=tomldata.text(_table("groups"), "divides", _FILE) == "inputs",
    )


def _table(name: str) -> tomldata.Table:
    return tomldata.subtable(tomldata.load_toml(_FILE), name, _FILE)


def _inner(table: tomldata.Table, name: str) -> tomldata.Table:
    return tomldata.subtable(table, name, _FILE)


def _number(table: tomldata.Table, key: str) -> float:
    return tomldata.number(table, key, _FILE)


def _numbers(table: tomldata.Table, key: str, factor: float = 1.0) -> Mapping[str, float]:
    inner = _inner(table, key)
    return MappingProxyType({name: _number(inner, name) * factor for name in inner})
