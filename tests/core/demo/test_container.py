"""The simulated file: round trip, and every changed byte is refused."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.demo.container import FOOTER, MAGIC, ContainerError, Tensor, read_container, write_container


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.rkllm"
    tensors = [
        Tensor("a", {"values": np.arange(12, dtype=np.float16).reshape(3, 4)}),
        Tensor(
            "b",
            {"values": np.arange(6, dtype=np.uint8), "scale": np.ones((3, 1), np.float32)},
            {"bits": 4, "group_size": None, "shape": [3, 4]},
        ),
    ]
    write_container(path, {"dtype": "w4a16"}, {"tokenizer": b"{}"}, tensors)
    return path


def test_round_trip(file: Path) -> None:
    found = read_container(file)
    assert found.metadata == {"dtype": "w4a16"}
    assert found.sections == {"tokenizer": b"{}"}
    assert [tensor.name for tensor in found.tensors] == ["a", "b"]
    np.testing.assert_array_equal(found.tensors[0].arrays["values"], np.arange(12).reshape(3, 4))
    assert found.tensors[1].attributes["shape"] == [3, 4]
    assert file.read_bytes().endswith(FOOTER)
    assert MAGIC[:4] not in (b"\xda\xee\xb3\x36", b"GGUF", b"RKLL")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_flipped_bit_is_refused(file: Path, data: st.DataObject) -> None:
    good = file.read_bytes()
    position = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[position] ^= 1 << data.draw(st.integers(0, 7))
    changed = file.with_name("changed")
    changed.write_bytes(bad)
    with pytest.raises(ContainerError):
        read_container(changed)


@pytest.mark.parametrize("keep", [0, 7, 8, 20, 100, -1])
def test_cut_files_are_refused(file: Path, keep: int) -> None:
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ContainerError):
        read_container(file)


def test_places_outside_the_file_are_refused_even_with_a_true_digest(tmp_path: Path) -> None:
    import hashlib
    import json

    header = {"metadata": {}, "sections": {"tokenizer": [0, 1 << 40]}, "tensors": []}
    text = json.dumps(header).encode()
    body = MAGIC + len(text).to_bytes(8, "little") + text
    path = tmp_path / "x"
    path.write_bytes(body + hashlib.sha256(body).digest() + FOOTER)
    with pytest.raises(ContainerError) as caught:
        read_container(path)
    assert caught.value.code == "container.header"
