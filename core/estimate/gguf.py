"""Memory of a llama.cpp process with a GGUF file, and whether that runs on a board.

The file is mapped, keys and values are taken when it is opened, and the buffers of the computation are touched as the
prompt needs them. What the parts are made of follows llama.cpp's graph; the constants were measured on true processes
(resources/gguf_memory.toml, `python -m core.estimate.gguf_calibrate`).

A server may keep the caches of earlier conversations in memory besides (`--cache-ram`, 8 GiB where nothing is said):
everything here is for one that does not (`--cache-ram 0`), with one conversation at a time (`--parallel 1`).
"""

import math
from dataclasses import dataclass, replace
from functools import cache

from core.base import tomldata
from core.base.units import KIB, MIB
from core.estimate.fit import BoardNow, fit_board
from core.estimate.gguf_shape import GgufShape, copied_bytes, gguf_shape
from core.estimate.records import Basis, Fit, Number
from core.model.gguf import MAX_HEADER_BYTES, GgufHeader
from core.vendor.gguf_types import tensor_types

_FILE = "gguf_memory.toml"
_WORD_BYTES = 4  # of one number between two layers
# Of the largest header known, its vocabulary included: what of a file may not be weights.
_USUAL_HEADER_BYTES = MAX_HEADER_BYTES // 4


@dataclass(frozen=True, slots=True)
class Build:
    """A kind of llama.cpp on a kind of computer.

    Attributes:
        copied: types of tensors it copies into an order of its own when it loads; None is unknown: none, or all.
    """

    name: str
    copied: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class MemoryConstants:
    """Constants of the formula, in bytes unless the name says otherwise; `resources/gguf_memory.toml` names them."""

    process: float
    token: float
    merge: float
    layer: float
    prompt_token: float
    wide_rows: float
    work_share: float
    query_rows: float
    hidden_row: float
    mask: float
    ubatch: int
    context_multiple: int
    checkpoint_tokens: int
    unknown_tokens: int
    share: float
    share_extrapolated: float
    at_least: float
    measured_context: int


@dataclass(frozen=True, slots=True)
class GgufMemory:
    """What one process takes, in bytes.

    Attributes:
        weights_bytes: of the tensors; of the files where the tensors were not read.
        kv_cache_bytes: keys, values and states of the whole context; the most where it is only known between bounds.
        buffers_bytes: of the computation, for the prompt that was asked about.
        process_bytes: program, vocabulary and what each layer costs.
        need: what has to stay in memory.
        ram: the peak of the resident set (VmHWM): `need`, and pages of the file that were copied from and are not read
            again. They count as the process's until the kernel takes them back, which costs nothing.
    """

    weights_bytes: int
    kv_cache_bytes: int
    buffers_bytes: int
    process_bytes: int
    need: Number
    ram: Number


@cache
def builds() -> dict[str, Build]:
    """The builds there are facts of, by name."""
    rows = tomldata.subtables(tomldata.load_toml(_FILE), "build", _FILE)
    found = [
        Build(
            tomldata.text(row, "name", _FILE),
            tomldata.texts(row, "copied", _FILE) if "copied" in row else None,
        )
        for row in rows
    ]
    return {build.name: build for build in found}


@cache
def memory_constants() -> MemoryConstants:
    """The constants of the formula."""
    table = tomldata.load_toml(_FILE)
    process, buffers, server, bounds = (
        tomldata.subtable(table, name, _FILE) for name in ("process", "buffers", "server", "interval")
    )
    return MemoryConstants(
        process=tomldata.number(process, "fixed_kib", _FILE) * KIB,
        token=tomldata.number(process, "token_bytes", _FILE),
        merge=tomldata.number(process, "merge_bytes", _FILE),
        layer=tomldata.number(process, "layer_kib", _FILE) * KIB,
        prompt_token=tomldata.number(process, "prompt_token_bytes", _FILE),
        wide_rows=tomldata.number(buffers, "feed_forward_rows", _FILE),
        work_share=tomldata.number(buffers, "work_bytes", _FILE),
        query_rows=tomldata.number(buffers, "query_rows", _FILE),
        hidden_row=tomldata.number(buffers, "hidden_bytes", _FILE),
        mask=tomldata.number(buffers, "mask_bytes", _FILE),
        ubatch=tomldata.integer(server, "ubatch", _FILE),
        context_multiple=tomldata.integer(server, "context_multiple", _FILE),
        checkpoint_tokens=tomldata.integer(server, "checkpoint_tokens", _FILE),
        unknown_tokens=tomldata.integer(process, "unknown_tokens", _FILE),
        share=tomldata.number(bounds, "share", _FILE),
        share_extrapolated=tomldata.number(bounds, "extrapolated", _FILE),
        at_least=tomldata.number(bounds, "at_least_mib", _FILE) * MIB,
        measured_context=tomldata.integer(bounds, "measured_context", _FILE),
    )


def gguf_memory(
    header: GgufHeader,
    context: int,
    *,
    size_bytes: int,
    build: Build | None = None,
    prompt: int | None = None,
    ubatch: int | None = None,
) -> GgufMemory | None:
    """The memory of a process that serves a file; None where the header does not say what that depends on.

    Args:
        header: of the file, or of the first part of a split one.
        context: opened (n_ctx), in tokens.
        size_bytes: of the file, or of all its parts together.
        build: that serves it; None: one of which nothing is known.
        prompt: tokens of the longest prompt; None: one that fills the context.
        ubatch: tokens that are computed at once (n_ubatch); None: as many as llama.cpp does where nothing is said.
    """
    shape = gguf_shape(header)
    if shape is None or context < 1 or size_bytes < 1:
        return None
    known = memory_constants()
    prompt = min(context if prompt is None else prompt, context)
    weights, weights_low, exact = _weights(header, size_bytes)
    least, most = cache_bytes(shape, context)
    buffers = buffer_bytes(shape, prompt, known.ubatch if ubatch is None else ubatch)
    process = process_bytes(shape, prompt)
    copied = build.copied if build is not None else None
    calibrated = (
        shape.is_plain
        and exact
        and copied is not None
        and shape.tokens is not None
        and context <= known.measured_context
    )
    share = known.share if calibrated else known.share_extrapolated
    rest = buffers + process
    spread = max(known.at_least, share * rest)
    basis: Basis = "calibrated" if calibrated else "extrapolated"
    value = weights + most + rest
    # A short prompt touches no more than a row of the buffers.
    low = weights_low + least + buffer_bytes(shape, 1, 1) + process_bytes(shape, 1, least=True) - spread
    need = Number(value, max(low, 0.0), value + spread, basis)
    again_low, again_high = _copies(header, weights, copied)
    again = again_high if copied is not None else again_low
    ram = Number(value + again, need.low + again_low, need.high + again_high, basis)
    return GgufMemory(weights, most, round(buffers), round(process), need, ram)


def gguf_fit(
    header: GgufHeader,
    context: int,
    board_ram_bytes: int,
    *,
    size_bytes: int,
    build: Build | None = None,
    now: BoardNow | None = None,
) -> Fit | None:
    """Whether a file runs on a board, by what has to stay in memory; None where that is not known.

    Args:
        header: of the file, or of the first part of a split one.
        context: opened, in tokens.
        board_ram_bytes: MemTotal.
        size_bytes: of the file, or of all its parts together.
        build: that serves it; None: one of which nothing is known.
        now: of a connected board.
    """
    asked, shape = gguf_memory(header, context, size_bytes=size_bytes, build=build), gguf_shape(header)
    if asked is None or shape is None:
        return None

    def need_at(tokens: int) -> int:
        cache = cache_bytes(shape, tokens)[1]
        rest = buffer_bytes(shape, tokens, memory_constants().ubatch) + process_bytes(shape, tokens)
        return math.ceil(asked.weights_bytes + cache + rest)

    found = fit_board(math.ceil(asked.need.value), math.ceil(asked.need.high), board_ram_bytes, need_at, now)
    trained = header.of_architecture("context_length")
    if found.largest_context is None or not trained:
        return found
    return replace(found, largest_context=min(found.largest_context, trained))


def cache_bytes(shape: GgufShape, context: int) -> tuple[int, int]:
    """The least and the most that keys, values and states of a context take."""
    known = memory_constants()
    kept = _padded(context)
    least = shape.cache_bytes * kept + shape.unsure_bytes * min(kept, shape.window)
    # A server keeps copies of a state to go back to.
    states = shape.state_bytes * (2 + context // known.checkpoint_tokens)
    return least, (shape.cache_bytes + shape.unsure_bytes) * kept + states


def buffer_bytes(shape: GgufShape, prompt: int, ubatch: int) -> float:
    """What the computation of a prompt touches: the wider of its two phases for each token that is computed at once.

    In the feed-forward part gate, up and their product are there at once, and a copy of the product in the form in
    which it is multiplied; in attention, queries before and after they are turned, and a copy likewise.
    """
    known = memory_constants()
    rows = min(prompt, ubatch)
    wide = shape.feed_forward * (known.wide_rows * _WORD_BYTES + known.work_share)
    asking = shape.queries * (known.query_rows * _WORD_BYTES + known.work_share)
    each = max(wide, asking) + shape.hidden * known.hidden_row + known.mask * _padded(prompt)
    return rows * each


def process_bytes(shape: GgufShape, prompt: int, *, least: bool = False) -> float:
    """Program, vocabulary, what a layer costs, and what a prompt's tokens cost before they are computed.

    `least`: where the vocabulary is not known, as if there were none; else the largest there is.
    """
    known = memory_constants()
    unknown = 0 if least else known.unknown_tokens
    tokens = unknown if shape.tokens is None else shape.tokens
    merges = unknown if shape.merges is None else shape.merges
    vocabulary = known.token * tokens + known.merge * merges
    return known.process + vocabulary + known.layer * shape.layers + known.prompt_token * prompt


def _padded(tokens: int) -> int:
    multiple = memory_constants().context_multiple
    return -(-tokens // multiple) * multiple


def _weights(header: GgufHeader, size_bytes: int) -> tuple[int, int, bool]:
    """Bytes of the tensors, the least they can be, and whether that is exact."""
    if header.part == (1, 1) and header.tensor_bytes is not None:
        return header.tensor_bytes, header.tensor_bytes, True
    # Parts behind the first have next to no keys.
    return size_bytes, max(size_bytes - max(header.bytes_read, _USUAL_HEADER_BYTES), 0), False


def _copies(header: GgufHeader, weights: int, copied: tuple[str, ...] | None) -> tuple[int, int]:
    """The least and the most by which the resident set is larger than the weights, for weights that were copied."""
    types = tuple(kind.name for kind in tensor_types().values() if kind.block_elements > 1)
    exact = header.part == (1, 1) and header.tensor_bytes is not None
    if not exact:
        return 0, 0 if copied == () else weights
    anonymous, mapped = copied_bytes(header, types if copied is None else copied)
    most = max(anonymous + mapped - weights, 0)
    return (0 if copied is None else most), most
