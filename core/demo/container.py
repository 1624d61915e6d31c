r"""The simulated model file, self-contained (standard library and numpy).

What the stand-in toolkit writes and the stand-in runtime reads. It can never be taken for a real .rkllm: its
magic is its own, and so is the version in its last bytes.

    magic      8 bytes  b"RKSIM\x00\x01\n"
    length     8 bytes  little-endian, of the header
    header     UTF-8 JSON: {"metadata": {...}, "sections": {name: [offset, length]}, "tensors": [...]}
    data       arrays and sections, each aligned to 64 bytes; offsets count from the start of the data
    digest    32 bytes  SHA-256 over everything before it
    footer              b"rkllm-toolkit version: 1.3.0+simulated"
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

MAGIC = b"RKSIM\x00\x01\n"
TOOLKIT_VERSION = "1.3.0+simulated"
FOOTER = b"rkllm-toolkit version: " + TOOLKIT_VERSION.encode()
_ALIGNMENT = 64
_MAX_HEADER_BYTES = 64 << 20
_MAX_TENSORS = 100_000
_CHUNK_BYTES = 1 << 20
_DTYPES = {"float16": np.float16, "float32": np.float32, "int8": np.int8, "uint8": np.uint8}
_TRAILER_BYTES = hashlib.sha256().digest_size + len(FOOTER)
Array = npt.NDArray[Any]


class ContainerError(ValueError):
    """A file that cannot be used; `code` names the reason, `facts` what was found."""

    def __init__(self, code: str, **facts: int | str) -> None:
        super().__init__(code, facts)
        self.code = code
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor as stored: its arrays (`values`; `scale` and `zero_point` when quantized) and what they mean.

    Attributes:
        attributes: JSON; {} for plain float values, else bits, group_size and shape.
    """

    name: str
    arrays: Mapping[str, Array]
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Container:
    """A verified file.

    Attributes:
        metadata: what the toolkit wrote about model, dtype, platform, context and cores.
        sha256: hexadecimal, of the whole file.
    """

    metadata: Mapping[str, Any]
    sections: Mapping[str, bytes]
    tensors: tuple[Tensor, ...]
    sha256: str


def write_container(
    path: Path, metadata: Mapping[str, Any], sections: Mapping[str, bytes], tensors: Sequence[Tensor]
) -> None:
    """Write a file and flush it to the disk; the name is the caller's (write aside, then rename).

    Raises:
        OSError: as the file system says.
    """
    layout = _Layout()
    header: dict[str, Any] = {
        "metadata": dict(metadata),
        "sections": {name: layout.place(data) for name, data in sections.items()},
        "tensors": [
            {
                "name": tensor.name,
                "attributes": dict(tensor.attributes),
                "arrays": {
                    name: {
                        "dtype": str(array.dtype),
                        "shape": list(array.shape),
                        "place": layout.place(np.ascontiguousarray(array)),
                    }
                    for name, array in tensor.arrays.items()
                },
            }
            for tensor in tensors
        ],
    }
    text = json.dumps(header, separators=(",", ":"), sort_keys=True).encode()
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for piece in (MAGIC, len(text).to_bytes(8, "little"), text, *layout.pieces(_padding(16 + len(text)))):
            digest.update(piece)
            file.write(piece)
        file.write(digest.digest() + FOOTER)
        file.flush()
        os.fsync(file.fileno())


class _Layout:
    """Hands out aligned places in the order the pieces will be written."""

    def __init__(self) -> None:
        self._items: list[bytes | Array] = []
        self._end = 0

    def place(self, item: bytes | Array) -> list[int]:
        size = len(item) if isinstance(item, bytes) else item.nbytes
        start = self._end
        self._items.append(item)
        self._end = start + size + _padding(start + size)
        return [start, size]

    def pieces(self, first_padding: int) -> list[bytes | memoryview]:
        found: list[bytes | memoryview] = [bytes(first_padding)]
        for item in self._items:
            data = item if isinstance(item, bytes) else item.reshape(-1).view(np.uint8).data
            found += [data, bytes(_padding(len(data)))]
        return found


def _padding(position: int) -> int:
    return -position % _ALIGNMENT


def read_container(path: Path) -> Container:
    """Read a file, its digest first.

    Raises:
        ContainerError: `container.not_simulated` (another magic), `container.truncated`,
            `container.digest` (a changed byte), `container.header` (a digest that fits nonsense).
        OSError: when it cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if file.read(len(MAGIC)) != MAGIC:
            raise ContainerError("container.not_simulated")
        if size < len(MAGIC) + 8 + _TRAILER_BYTES:
            raise ContainerError("container.truncated", size_bytes=size)
        sha256 = _verified(file, size)
        file.seek(len(MAGIC))
        length = int.from_bytes(file.read(8), "little")
        if length > min(_MAX_HEADER_BYTES, size - _TRAILER_BYTES):
            raise ContainerError("container.header", reason="header length")
        try:
            header = json.loads(file.read(length))
            start = len(MAGIC) + 8 + length
            source = _Source(file, start + _padding(start), size - _TRAILER_BYTES)
            return Container(
                metadata=dict(header["metadata"]),
                sections={str(name): source.bytes(place) for name, place in header["sections"].items()},
                tensors=tuple(_tensor(source, entry) for entry in header["tensors"][:_MAX_TENSORS]),
                sha256=sha256,
            )
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            if isinstance(error, ContainerError):
                raise
            raise ContainerError("container.header", reason=str(error)[:200]) from error


def _verified(file: BinaryIO, size: int) -> str:
    """Return the whole file's SHA-256 after comparing the inner digest with the bytes before it."""
    file.seek(0)
    digest, left = hashlib.sha256(), size - _TRAILER_BYTES
    while left:
        data = file.read(min(_CHUNK_BYTES, left))
        if not data:
            raise ContainerError("container.truncated", size_bytes=size)
        digest.update(data)
        left -= len(data)
    whole = digest.copy()
    trailer = file.read(_TRAILER_BYTES)
    if trailer[-len(FOOTER) :] != FOOTER:
        raise ContainerError("container.truncated", size_bytes=size)
    expected = trailer[: -len(FOOTER)]
    if digest.digest() != expected:
        raise ContainerError("container.digest", expected=expected.hex(), found=digest.hexdigest())
    whole.update(trailer)
    return whole.hexdigest()


class _Source:
    """Reads places inside the data part, and nowhere else."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file = file
        self._start = start
        self._end = end

    def bytes(self, place: Sequence[int]) -> bytes:
        offset, length = (int(number) for number in place)
        if offset < 0 or length < 0 or self._start + offset + length > self._end:
            raise ContainerError("container.header", reason="a place outside the file")
        self._file.seek(self._start + offset)
        return self._file.read(length)

    def array(self, entry: Mapping[str, Any]) -> Array:
        shape = tuple(int(number) for number in entry["shape"])
        array: Array = np.frombuffer(self.bytes(entry["place"]), dtype=_DTYPES[entry["dtype"]]).reshape(shape)
        return array


def _tensor(source: _Source, entry: Mapping[str, Any]) -> Tensor:
    arrays = {str(name): source.array(array) for name, array in entry["arrays"].items()}
    return Tensor(str(entry["name"]), arrays, dict(entry["attributes"]))
