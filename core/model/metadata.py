"""The metadata block at the start of a model file: masked GGUF (current .rkllm) or the simulated one's JSON.

GGUF types and layout: the GGUF specification (ggml-org/ggml docs/gguf.md), version 3, little-endian.
"""

import json
import struct

from core.base.errors import JsonValue
from core.base.names import printable
from core.model.gguf import MAGIC, SCALAR_FORMS, TEXT

_FIRST_KEY = b"general.architecture"
_SIMULATED_MAGIC_BYTES = 8
_MAX_ENTRIES = 4096
_MAX_KEY_BYTES = 256


class MetadataError(ValueError):
    """The block cannot be read with what is known of the format."""


def read_metadata(head: bytes) -> dict[str, JsonValue]:
    """Read the keys of a masked file that lie in `head` before the first array or long string.

    Strings longer than the 20 known mask bytes are left out; keys are matched against the names that matter.

    Raises:
        MetadataError: when magic, first key and mask do not agree.
    """
    reader = _Reader(head)
    magic, version = reader.take(4), reader.number("<I")
    reader.take(8)
    count = reader.number("<Q")
    if not 1 <= version <= 3 or not 1 <= count <= _MAX_ENTRIES:
        raise MetadataError("counts")
    if reader.number("<Q") != len(_FIRST_KEY):
        raise MetadataError("first key")
    mask = _xor(reader.take(len(_FIRST_KEY)), _FIRST_KEY)
    if _xor(magic, mask) != MAGIC:
        raise MetadataError("mask")
    found: dict[str, JsonValue] = {}
    key: str | None = _FIRST_KEY.decode()
    for index in range(count):
        try:
            if index:
                key = _name(reader, mask)
            value = _value(reader, mask)
        except MetadataError:
            break  # beyond the first arrays (the tokenizer) nothing is needed
        if key is not None and value is not None:
            found[key] = value
    return found


def read_simulated_metadata(head: bytes) -> dict[str, JsonValue]:
    """Read the JSON header of the simulated format; `head` may end inside the header's list of tensors.

    Raises:
        MetadataError: when it is not the header of such a file.
    """
    length = int.from_bytes(head[_SIMULATED_MAGIC_BYTES : _SIMULATED_MAGIC_BYTES + 8], "little")
    text = head[_SIMULATED_MAGIC_BYTES + 8 : _SIMULATED_MAGIC_BYTES + 8 + length]
    # Keys are sorted, so `metadata` comes before the long `tensors`: decode just that member.
    start = text.find(b'"metadata":')
    if start < 0:
        raise MetadataError("no metadata")
    try:
        value, _ = json.JSONDecoder().raw_decode(
            text[start + len(b'"metadata":') :].decode("utf-8", "replace")
        )
    except (ValueError, RecursionError) as error:
        raise MetadataError("json") from error
    if not isinstance(value, dict):
        raise MetadataError("json")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, count: int) -> bytes:
        end = self._position + count
        if count < 0 or end > len(self._data):
            raise MetadataError("end of data")
        piece = self._data[self._position : end]
        self._position = end
        return piece

    def number(self, form: str) -> int:
        value: int = struct.unpack(form, self.take(struct.calcsize(form)))[0]
        return value


_WANTED = ("rkllm.platform", "rkllm.core_num", "rkllm.max_context", "rkllm.version", "rkllm.model_name")


def _name(reader: _Reader, mask: bytes) -> str | None:
    length = reader.number("<Q")
    if length > _MAX_KEY_BYTES:
        raise MetadataError("key length")
    plain = _xor(reader.take(length)[: len(mask)], mask)
    return next((name for name in _WANTED if name.encode() == plain and length == len(name)), None)


def _value(reader: _Reader, mask: bytes) -> JsonValue:
    kind = reader.number("<I")
    if kind in SCALAR_FORMS:
        form = SCALAR_FORMS[kind]
        value: JsonValue = struct.unpack(form, reader.take(struct.calcsize(form)))[0]
        return value
    if kind != TEXT:
        raise MetadataError("array")
    length = reader.number("<Q")
    data = reader.take(length)
    if length > len(mask):
        return None
    return printable(_xor(data, mask).decode("utf-8", "replace"))


def _xor(data: bytes, mask: bytes) -> bytes:
    return bytes(left ^ right for left, right in zip(data, mask, strict=False))
