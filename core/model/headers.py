"""Tensor names, types and shapes from the first bytes of a .safetensors file.

The format (github.com/huggingface/safetensors, README "Format"): eight bytes of little-endian header length
N, then N bytes of JSON `{name: {"dtype", "shape", "data_offsets": [begin, end]}}`, then data without holes.
Headers come from strangers, so everything is bounded before it is believed.
"""

import json
import math
from dataclasses import dataclass

from core.base.errors import RKDeckError
from core.base.foreign import has_too_many

LENGTH_BYTES = 8
# The format allows 100 MB. 60 layers of 256 experts in one file would make 46,000 tensors and about 6 MB.
MAX_HEADER_BYTES = 16 << 20
MAX_TENSORS_PER_FILE = 100_000
MAX_DIMENSIONS = 8
MAX_NAME_CHARACTERS = 500
_MAX_BYTES = 1 << 53

_BITS = {
    "F64": 64, "I64": 64, "U64": 64, "C64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16, "BF16": 16,
    "I16": 16, "U16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "I8": 8, "U8": 8, "BOOL": 8, "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor as its file's header states it; the name is a stranger's text."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    size_bytes: int

    @property
    def elements(self) -> int:
        """Number of elements: the product of the shape."""
        return math.prod(self.shape)


def needed_header_bytes(first8: bytes, file: str | None = None) -> int:
    """Return how many bytes from the start of the file hold the whole header, length field included.

    Args:
        first8: its first bytes.
        file: its name, for the words.

    Raises:
        RKDeckError: `estimate.header_incomplete` (fewer than 8 bytes), `estimate.lfs_pointer`,
            `estimate.header_too_large`.
    """
    if len(first8) < LENGTH_BYTES:
        raise RKDeckError("estimate.header_incomplete", got_bytes=len(first8), needed_bytes=LENGTH_BYTES)
    if first8[:LENGTH_BYTES] == b"version ":
        raise RKDeckError("estimate.lfs_pointer", file=file)
    length = int.from_bytes(first8[:LENGTH_BYTES], "little")
    if length > MAX_HEADER_BYTES:
        raise RKDeckError("estimate.header_too_large", header_bytes=length, limit_bytes=MAX_HEADER_BYTES)
    return LENGTH_BYTES + length


def parse_safetensors_header(first_bytes: bytes, file_size_bytes: int) -> tuple[TensorInfo, ...]:
    """Return the tensors of a file, in the order of their data.

    Args:
        first_bytes: at least `needed_header_bytes` bytes from the start of the file.
        file_size_bytes: size of the whole file, to check that the header describes it.

    Raises:
        RKDeckError: those of `needed_header_bytes`, and `estimate.bad_header` with the problem.
    """
    needed = needed_header_bytes(first_bytes)
    if len(first_bytes) < needed:
        raise RKDeckError("estimate.header_incomplete", got_bytes=len(first_bytes), needed_bytes=needed)
    members = _parse_json(first_bytes[LENGTH_BYTES:needed])
    members.pop("__metadata__", None)
    placed = sorted((_tensor(name, value) for name, value in members.items()), key=lambda item: item[:2])
    _check_layout(placed, file_size_bytes - needed)
    return tuple(tensor for _begin, _end, tensor in placed)


def _parse_json(data: bytes) -> dict[str, object]:
    # Counted before parsing: a parsed tensor costs about 1 KB of memory, whatever its text cost.
    if data.count(b"data_offsets") > MAX_TENSORS_PER_FILE or data.count(b"{") > MAX_TENSORS_PER_FILE + 2:
        raise _bad("more tensors than any real model")
    if has_too_many(data):
        raise _bad("more tensors than any real model")
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique)
    except RecursionError as error:
        raise _bad("nested too deeply") from error
    except ValueError as error:
        raise _bad("not valid JSON") from error
    if not isinstance(value, dict):
        raise _bad("not a JSON object")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _bad("the same name twice")
    return result


def _tensor(name: str, value: object) -> tuple[int, int, TensorInfo]:
    if not name or len(name) > MAX_NAME_CHARACTERS:
        raise _bad("a tensor name of an impossible length")
    if not isinstance(value, dict):
        raise _bad("a tensor without a description", name)
    dtype, shape, offsets = value.get("dtype"), value.get("shape"), value.get("data_offsets")
    if not isinstance(dtype, str) or not 0 < len(dtype) <= 20:
        raise _bad("a tensor without a type", name)
    dimensions = _naturals(shape, MAX_DIMENSIONS)
    if dimensions is None:
        raise _bad("an impossible shape", name)
    span = _naturals(offsets, 2)
    if span is None or len(span) != 2 or span[0] > span[1]:
        raise _bad("impossible data offsets", name)
    begin, end = span
    bits = _BITS.get(dtype)
    # A type newer than this table cannot be checked; its offsets still are, by the layout.
    if bits is not None and math.prod(dimensions) * bits != (end - begin) * 8:
        raise _bad("a shape that does not match its data", name)
    return begin, end, TensorInfo(name, dtype, dimensions, end - begin)


def _naturals(value: object, most: int) -> tuple[int, ...] | None:
    if not isinstance(value, list) or len(value) > most:
        return None
    if not all(type(item) is int and 0 <= item <= _MAX_BYTES for item in value):
        return None
    return tuple(value)


def _check_layout(placed: list[tuple[int, int, TensorInfo]], data_bytes: int) -> None:
    position = 0
    for begin, end, tensor in placed:
        if begin < position:
            raise _bad("overlapping tensors", tensor.name)
        if begin > position:
            raise _bad("a hole in the data", tensor.name)
        position = end
    if position > data_bytes:
        raise _bad("data beyond the end of the file: the file is cut short")
    if position < data_bytes:
        raise _bad("data that no tensor describes")


def _bad(problem: str, tensor: str = "") -> RKDeckError:
    return RKDeckError("estimate.bad_header", problem=problem, tensor=tensor[:MAX_NAME_CHARACTERS])
