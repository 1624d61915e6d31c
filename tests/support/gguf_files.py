"""GGUF files for tests: by the official `gguf` package, and byte by byte where a writer would refuse to."""

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from core.model.gguf import GgufHeader, read_gguf

TEXT, ARRAY, U16, U32 = 8, 9, 2, 4
# By the official package, which is for development only.
NEEDS_GGUF = "gguf is not installed (pip install --group dev)"


def text(value: str) -> bytes:
    """A length and its bytes."""
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def texts(values: Iterable[str]) -> bytes:
    """A list of texts as a value, its type included."""
    listed = list(values)
    return struct.pack("<IIQ", ARRAY, TEXT, len(listed)) + b"".join(map(text, listed))


def value(item: int | str) -> bytes:
    """A text or a 32-bit number as a value, its type included."""
    return struct.pack("<I", TEXT) + text(item) if isinstance(item, str) else struct.pack("<II", U32, item)


def keys(architecture: str = "llama", file_type: int = 15, context: int = 8192) -> dict[str, bytes]:
    """The keys every file has before its vocabulary."""
    return {
        "general.architecture": value(architecture),
        "general.file_type": value(file_type),
        f"{architecture}.context_length": value(context),
        f"{architecture}.block_count": value(2),
    }


def tensor(name: str, shape: tuple[int, ...], kind: int, offset: int) -> bytes:
    """An entry."""
    dimensions = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return text(name) + dimensions + struct.pack("<IQ", kind, offset)


def header(members: Mapping[str, bytes], tensors: Iterable[bytes] = (), *, version: int = 3) -> bytes:
    """Everything before the data."""
    entries = list(tensors)
    start = b"GGUF" + struct.pack("<IQQ", version, len(entries), len(members))
    return start + b"".join(text(key) + found for key, found in members.items()) + b"".join(entries)


def write_official(
    path: Path,
    *,
    vocabulary: int = 100,
    file_type: int | None = 15,
    templates: Mapping[str, str] | None = None,
    more: Mapping[str, str | int] | None = None,
    big_endian: bool = False,
) -> Path:
    """A small whole file by the official package: a Q8_0 matrix, half its size in Q4_0, a norm in F32.

    Args:
        path: of the file.
        vocabulary: its tokens.
        file_type: it calls itself; None: nothing.
        templates: of chats, by name; "" is the one without a name.
        more: further keys: texts, and numbers of 16 bits.
        big_endian: its byte order.
    """
    import gguf

    order = gguf.GGUFEndian.BIG if big_endian else gguf.GGUFEndian.LITTLE
    writer = gguf.GGUFWriter(path, "llama", endianess=order)
    writer.add_type(gguf.GGUFType.MODEL)
    if file_type is not None:
        writer.add_file_type(file_type)
    writer.add_context_length(8192)
    writer.add_block_count(2)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"token{number}" for number in range(vocabulary)])
    writer.add_token_scores([0.5] * vocabulary)
    for name, template in (templates or {"": "{{ messages }}"}).items():
        writer.add_string("tokenizer.chat_template" + (f".{name}" if name else ""), template)
    for key, item in (more or {}).items():
        writer.add_string(key, item) if isinstance(item, str) else writer.add_uint16(key, item)
    weights = np.linspace(-1, 1, 64 * 16, dtype=np.float32).reshape(16, 64)
    for label, rows, stored in (("token_embd", 16, "Q8_0"), ("output", 8, "Q4_0")):
        kind = gguf.GGMLQuantizationType[stored]
        writer.add_tensor(f"{label}.weight", gguf.quants.quantize(weights[:rows], kind), raw_dtype=kind)
    writer.add_tensor("output_norm.weight", np.ones(64, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def read_header(path: Path) -> GgufHeader:
    """The header of a file on this computer."""
    with path.open("rb") as file:

        def read(start: int, length: int) -> bytes:
            file.seek(start)
            return file.read(length)

        return read_gguf(read, path.stat().st_size)


def write_parts(folder: Path, stem: str = "Tiny", count: int = 3, *, fill: int = 1) -> list[Path]:
    """A model in parts, as llama.cpp's splitter makes them: the keys in the first, one matrix of 64 KiB in each.

    Args:
        folder: of all of them.
        stem: of their names.
        count: of parts; 1 is a whole file.
        fill: a byte of which the weights are made, so that two models differ.
    """
    written = []
    for number in range(count):
        split = {"split.no": number, "split.count": count, "split.tensors.count": count} if count > 1 else {}
        members = (keys() if number == 0 else {}) | {key: value(item) for key, item in split.items()}
        start = header(members, [tensor(f"blk.{number}.weight", (256, 64), 0, 0)])
        name = f"{stem}-{number + 1:05}-of-{count:05}.gguf" if count > 1 else f"{stem}.gguf"
        padding = bytes(-len(start) % 32)
        (folder / name).write_bytes(start + padding + bytes([fill, number]) * (256 * 64 * 2))
        written.append(folder / name)
    return written
