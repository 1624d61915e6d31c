"""The first bytes of .rkllm files, as toolkits write them and as strangers do: a record, never a trace."""

import json
import os
import struct

from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.base.foreign import can_be_told
from core.model.inspect import Inspection, inspect_bytes
from tests.support.gguf_files import text, texts, value

_MASK = bytes([0xDA ^ ord("G"), 0xEE ^ ord("G"), 0xB3 ^ ord("U"), 0x36 ^ ord("F"), *range(4, 256)])
_FOOTER = b"rkllm-toolkit version: 1.3.0"


def _masked(data: bytes) -> bytes:
    """A length in the clear, and its text under the mask."""
    length, rest = data[:8], data[8:]
    return length + bytes(byte ^ _MASK[place % len(_MASK)] for place, byte in enumerate(rest))


def _member(key: str, item: int | str) -> bytes:
    written = value(item)
    return _masked(text(key)) + (written[:4] + _masked(written[4:]) if isinstance(item, str) else written)


_MEMBERS = (
    ("general.architecture", "qwen2"), ("rkllm.platform", 4), ("rkllm.core_num", 3), ("rkllm.max_context", 4096),
    ("rkllm.version", "1.3.0"), ("rkllm.model_name", "Qwen"), ("tokenizer.ggml.model", "gpt2"),
)  # fmt: skip
WHOLE = (
    _masked(b"\0" * 8 + b"GGUF")[8:]
    + struct.pack("<IQQ", 3, 1, len(_MEMBERS) + 1)
    + b"".join(_member(key, item) for key, item in _MEMBERS)
    + _masked(text("tokenizer.ggml.tokens"))
    + texts(["a", "b"])
    + os.urandom(8000)
    + _FOOTER
)
_SIMULATED = bytes.fromhex("524b53494d00010a")


def told(data: bytes, name: str = "m.rkllm", size_bytes: int | None = None) -> Inspection:
    found = inspect_bytes(
        data[: 256 << 10], data[-64:], len(data) if size_bytes is None else size_bytes, name
    )
    assert can_be_told(found.to_json())
    assert json.loads(json.dumps(found.to_json())) == found.to_json()
    texts = (found.kind, found.platform, found.dtype, found.architecture, found.toolkit_version)
    assert all(text is None or (text.isprintable() and len(text) <= 201) for text in texts)
    return found


def test_a_whole_file_tells_what_it_is() -> None:
    found = told(WHOLE)
    assert (found.kind, found.problems, found.architecture) == ("rkllm", (), "qwen2")
    assert (found.max_context, found.npu_cores, found.toolkit_version) == (4096, 3, "1.3.0")


@settings(max_examples=300)
@given(
    changes=st.lists(
        st.tuples(
            st.integers(0, 400),
            st.binary(min_size=1, max_size=8) | st.sampled_from([b"\xff" * 8, bytes(8), bytes(7) + b"\x10"]),
        ),
        min_size=1,
        max_size=6,
    ),
    cut=st.none() | st.integers(0, 500),
    size_bytes=st.none() | st.integers(0, 1 << 60),
)
def test_any_damage_to_a_file_leaves_a_record(
    changes: list[tuple[int, bytes]], cut: int | None, size_bytes: int | None
) -> None:
    data = bytearray(WHOLE)
    for place, written in changes:
        data[place : place + len(written)] = written
    told(bytes(data[:cut]), size_bytes=size_bytes)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_NAMED = st.sampled_from(["platform", "dtype", "max_context", "npu_cores", "architecture", "rkllm.platform"])


@given(
    metadata=st.dictionaries(_NAMED, _JSON) | _JSON,
    raw=st.none() | st.binary(max_size=80),
    name=st.text(max_size=40),
)
@example(metadata={"max_context": 10**4000}, raw=None, name="a")
def test_any_header_of_the_stand_in_is_a_record(metadata: object, raw: bytes | None, name: str) -> None:
    body = (
        b'{"metadata":' + raw + b"}"
        if raw is not None
        else json.dumps({"metadata": metadata}).replace(": ", ":").encode()
    )
    told(_SIMULATED + struct.pack("<Q", len(body)) + body + bytes(5000) + _FOOTER, name)


@given(st.binary(max_size=300), st.text(max_size=40), st.integers(0, 1 << 60))
def test_any_bytes_are_some_kind_of_file(data: bytes, name: str, size_bytes: int) -> None:
    told(data, name, max(size_bytes, len(data)))
