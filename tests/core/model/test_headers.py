import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import RKDeckError
from core.model.headers import MAX_HEADER_BYTES, needed_header_bytes, parse_safetensors_header
from tests.core.estimate.samples import header_bytes, tensor


def framed(text: bytes) -> bytes:
    return len(text).to_bytes(8, "little") + text


def entry(dtype: object, shape: object, offsets: object) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def problem_of(text: bytes, data_bytes: int = 0) -> str:
    head = framed(text)
    with pytest.raises(RKDeckError) as caught:
        parse_safetensors_header(head, len(head) + data_bytes)
    assert caught.value.code == "estimate.bad_header"
    return str(caught.value.facts["problem"])


def test_reads_what_the_safetensors_library_writes() -> None:
    arrays: dict[str, npt.NDArray[Any]] = {
        "b.weight": np.zeros((3, 5), np.float32),
        "a": np.zeros((), np.int8),
        "c": np.zeros(7, np.float16),
    }
    data = safetensors.numpy.save(arrays, metadata={"format": "np"})
    found = {info.name: info for info in parse_safetensors_header(data, len(data))}
    assert {name: info.shape for name, info in found.items()} == {"b.weight": (3, 5), "a": (), "c": (7,)}
    assert {name: info.size_bytes for name, info in found.items()} == {"b.weight": 60, "a": 1, "c": 14}
    assert found["b.weight"].elements == 15


def test_the_header_alone_is_enough() -> None:
    found = (tensor("x.weight", 1 << 20, 1 << 12), tensor("y", 3))
    head = header_bytes(found)
    assert needed_header_bytes(head[:8]) == len(head)
    assert parse_safetensors_header(head, len(head) + sum(info.size_bytes for info in found)) == found


@pytest.mark.parametrize(
    ("first", "code"),
    [
        (b"", "estimate.header_incomplete"),
        (b"1234567", "estimate.header_incomplete"),
        (b"version https://git-lfs.github.com/spec/v1\n", "estimate.lfs_pointer"),
        (b"\xff" * 8, "estimate.header_too_large"),
        ((MAX_HEADER_BYTES + 1).to_bytes(8, "little"), "estimate.header_too_large"),
        ((100).to_bytes(8, "little") + b"{}", "estimate.header_incomplete"),
    ],
)
def test_refuses_a_start_that_cannot_be_one(first: bytes, code: str) -> None:
    with pytest.raises(RKDeckError) as caught:
        parse_safetensors_header(first, 1 << 40)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"a": entry("F16", [4], [0, 8]), "b": entry("F16", [4], [4, 12])}, "overlapping tensors"),
        ({"a": entry("F16", [4], [8, 16])}, "a hole in the data"),
        ({"a": entry("F16", [-4, -1], [0, 8])}, "an impossible shape"),
        ({"a": entry("F16", [1.5], [0, 8])}, "an impossible shape"),
        ({"a": entry("F16", [True], [0, 2])}, "an impossible shape"),
        ({"a": entry("F16", [1] * 40, [0, 2])}, "an impossible shape"),
        ({"a": entry("F16", [1 << 62, 1 << 62], [0, 8])}, "an impossible shape"),
        ({"a": entry("F16", "4", [0, 8])}, "an impossible shape"),
        ({"a": entry("F16", [4], [8, 0])}, "impossible data offsets"),
        ({"a": entry("F16", [4], [0])}, "impossible data offsets"),
        ({"a": entry("F16", [4], [0, 6])}, "a shape that does not match its data"),
        ({"a": entry(16, [4], [0, 8])}, "a tensor without a type"),
        ({"a": [1, 2]}, "a tensor without a description"),
        ({"": entry("F16", [4], [0, 8])}, "a tensor name of an impossible length"),
        ({"a" * 5000: entry("F16", [4], [0, 8])}, "a tensor name of an impossible length"),
        ({"a": entry("F16", [8], [0, 16])}, "data beyond the end of the file: the file is cut short"),
        ({}, "data that no tensor describes"),
        ([], "not a JSON object"),
    ],
)
def test_refuses_a_header_that_lies(members: object, problem: str) -> None:
    assert problem_of(json.dumps(members).encode(), data_bytes=8) == problem


@pytest.mark.parametrize(
    "text",
    [b"{", b"", b"\xff\xfe{}", b"nonsense", b'{"a":' + b"9" * 5000 + b"}"],
)
def test_refuses_what_is_not_json(text: bytes) -> None:
    assert problem_of(text) == "not valid JSON"


def test_refuses_the_same_name_twice() -> None:
    assert problem_of(b'{"a":{},"a":{}}') == "the same name twice"
    assert problem_of(b'{"a":{"dtype":"F16","dtype":"F32"}}') == "the same name twice"


def million_tensors() -> bytes:
    one = b'"%d":{"dtype":"F16","shape":[],"data_offsets":[0,0]}'
    text = b"{" + b",".join(one % number for number in range(1_000_000)) + b"}"
    return framed(text)


@pytest.mark.parametrize(
    "make",
    [
        million_tensors,
        lambda: framed(b"[" * MAX_HEADER_BYTES),
        lambda: framed(b'{"a":' * (MAX_HEADER_BYTES // 5)),
        lambda: framed(b'{"a":{"shape":[' + b"1," * (MAX_HEADER_BYTES // 2 - 20) + b"1]}}"),
        lambda: framed(b"{" + b'"":{},' * (MAX_HEADER_BYTES // 6 - 2) + b'"":{}}'),
    ],
    ids=["a million tensors", "nested lists", "nested objects", "a million dimensions", "empty members"],
)
def test_a_hostile_header_costs_little_time(make: Callable[[], bytes]) -> None:
    head = make()
    began = time.monotonic()
    with pytest.raises(RKDeckError):
        parse_safetensors_header(head, len(head))
    assert time.monotonic() - began < 5


@given(st.binary(max_size=200))
def test_any_bytes_give_tensors_or_a_clear_error(data: bytes) -> None:
    head = framed(data)
    # Anything but RKDeckError fails the test.
    with contextlib.suppress(RKDeckError):
        parse_safetensors_header(head, len(head))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=20,
    )
)
def test_any_json_gives_tensors_or_a_clear_error(value: object) -> None:
    head = framed(json.dumps({"t": value, "dtype": "F16"}).encode())
    with pytest.raises(RKDeckError, match="bad_header"):
        parse_safetensors_header(head, len(head))
