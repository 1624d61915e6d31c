"""GGUF headers: what they say, how little is read for it, and what strangers may write into them."""

import contextlib
import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.base.templates import MAX_BYTES
from core.cli.main import run as rkdeck
from core.model.gguf import MAGIC, MAX_HEADER_BYTES, GgufError, GgufHeader, read_gguf
from core.model.inspect import HEAD_BYTES, TAIL_BYTES, Inspection, inspect_bytes, inspect_file
from core.vendor.gguf_types import file_types, tensor_types
from tests.support.gguf_files import (
    ARRAY,
    NEEDS_GGUF,
    TEXT,
    header,
    keys,
    tensor,
    text,
    texts,
    value,
    write_official,
)

CODES = ("inspect.gguf_damaged", "inspect.gguf_cut_off", "inspect.gguf_version", "inspect.gguf_big_endian")


@pytest.fixture(scope="module", name="official")
def _official() -> Any:  # noqa: ANN401  # a module without types
    return pytest.importorskip("gguf", reason=NEEDS_GGUF)


def read(data: bytes, size_bytes: int | None = None, **options: int) -> GgufHeader:
    return read_gguf(lambda start, length: data[start : start + length], size_bytes or len(data), **options)


def problem(data: bytes, size_bytes: int | None = None) -> str:
    with pytest.raises(GgufError) as caught:
        read(data, size_bytes)
    return str(caught.value)


def test_a_file_of_the_official_package_is_read_whole(tmp_path: Path, official: object) -> None:
    found = read(write_official(tmp_path / "m.gguf").read_bytes())
    assert (found.version, found.tensor_count, found.is_whole) == (3, 3, True)
    assert (found.architecture, found.role, found.part) == ("llama", "model", (1, 1))
    assert found.of_architecture("context_length") == 8192
    assert found.of_architecture("expert_count") is None
    assert found.lengths == {"tokenizer.ggml.tokens": 100, "tokenizer.ggml.scores": 100}
    assert found.text("tokenizer.ggml.model") == "gpt2"
    assert found.chat_template == "{{ messages }}"
    assert [(entry.name, entry.elements, entry.size_bytes) for entry in found.tensors] == [
        ("token_embd.weight", 1024, 1088), ("output.weight", 512, 288), ("output_norm.weight", 64, 256),
    ]  # fmt: skip
    assert (found.tensor_bytes, found.parameters) == (1632, 1600)


def test_the_table_of_types_is_the_official_packages(official: Any) -> None:  # noqa: ANN401
    theirs = {
        int(kind): (kind.name.lower(), *official.GGML_QUANT_SIZES[kind])
        for kind in official.GGMLQuantizationType
    }
    ours = {
        number: (kind.name, kind.block_elements, kind.block_bytes) for number, kind in tensor_types().items()
    }
    assert {number: theirs.get(number) for number in ours} == ours
    called = {int(kind): kind.name.lower() for kind in official.LlamaFileType}
    assert all(called[number].endswith(name) for number, name in file_types().items())


def test_what_the_tensors_are_counts_and_not_what_the_file_calls_itself(
    tmp_path: Path, official: object
) -> None:
    found = read(write_official(tmp_path / "m.gguf", file_type=15).read_bytes())
    assert (found.stated_type, found.quantization) == ("q4_k_m", "q8_0")
    found = read(write_official(tmp_path / "n.gguf", file_type=None).read_bytes())
    assert (found.stated_type, found.quantization) == (None, "q8_0")


@pytest.mark.parametrize(
    ("stated", "kind", "told"), [(15, 12, "q4_k_m"), (15, 14, "q6_k"), (1, 12, "q4_k"), (999, 12, "q4_k")]
)
def test_a_mixture_is_called_by_its_own_name_where_it_is_one_of_that_type(
    stated: int, kind: int, told: str
) -> None:
    entries = [tensor("a", (256, 4), kind, 0), tensor("b", (4096,), 0, 1024)]
    assert read(header(keys(file_type=stated), entries) + bytes(32768)).quantization == told


def test_what_stands_before_the_vocabulary_costs_one_page(tmp_path: Path) -> None:
    members = keys() | {"tokenizer.ggml.tokens": texts(f"token{number}" for number in range(150_000))}
    data = header(members)
    asked: list[int] = []

    def page(start: int, length: int) -> bytes:
        asked.append(length)
        return data[start : start + length]

    found = read_gguf(page, len(data), budget_bytes=256 << 10)
    assert (found.architecture, found.stated_type, found.is_whole) == ("llama", "q4_k_m", False)
    assert [found.tensor_bytes, found.parameters, found.quantization] == [None] * 3
    assert sum(asked) == found.bytes_read <= 256 << 10
    whole = read(data)
    assert (whole.is_whole, whole.lengths["tokenizer.ggml.tokens"]) == (True, 150_000)


def test_the_time_that_is_given_is_an_end_as_well() -> None:
    found = read_gguf(lambda start, length: header(keys())[start : start + length], 1 << 20, limit_s=-1)
    assert not found.is_whole


def test_lists_of_numbers_are_stepped_over_unread() -> None:
    scores = struct.pack("<IIQ", ARRAY, 6, 1_000_000) + bytes(4_000_000)
    found = read(header(keys() | {"tokenizer.ggml.scores": scores}))
    assert found.lengths == {"tokenizer.ggml.scores": 1_000_000}
    assert found.is_whole
    assert found.bytes_read <= 192 << 10


def test_short_lists_of_numbers_are_kept_and_long_ones_are_not() -> None:
    short = struct.pack("<IIQ3i", ARRAY, 5, 3, 8, 0, 4)
    flags = struct.pack("<IIQ2B", ARRAY, 7, 2, 1, 0)
    long = struct.pack("<IIQ", ARRAY, 4, 1025) + bytes(4 * 1025)
    found = read(header({"short": short, "flags": flags, "long": long}))
    assert found.lists == {"short": (8, 0, 4), "flags": (True, False)}
    assert found.lengths == {"short": 3, "flags": 2, "long": 1025}


@pytest.mark.parametrize("page_bytes", [1, 7, 8, 9, 100])
def test_where_pages_end_makes_no_difference(page_bytes: int) -> None:
    words = ["", "a", "é" * 50, "x" * 300] * 20
    data = header(keys() | {"t": texts(words), "after": value(7)}, [tensor("a", (32,), 8, 0)]) + bytes(99)
    found = read_gguf(lambda start, length: data[start : start + min(length, page_bytes)], len(data))
    assert (found.lengths, found.whole("after"), found.is_whole) == ({"t": 80}, 7, True)
    assert found.tensors == read(data).tensors


@pytest.mark.parametrize("cut", range(0, 900, 17))
def test_a_file_that_was_cut_off_says_so(tmp_path: Path, official: object, cut: int) -> None:
    data = write_official(tmp_path / "m.gguf", vocabulary=5).read_bytes()
    assert problem(data[: -1 - 2 * cut]) in {"inspect.gguf_cut_off", "inspect.gguf_damaged"}


def lists(depth: int) -> bytes:
    return struct.pack("<I", ARRAY) + struct.pack("<IQ", ARRAY, 1) * depth + struct.pack("<IQ", 4, 0)


HOSTILE: dict[str, bytes] = {
    "2^60 tensors": MAGIC + struct.pack("<IQQ", 3, 1 << 60, 0) + bytes(4096),
    "2^60 keys": MAGIC + struct.pack("<IQQ", 3, 0, 1 << 60) + bytes(4096),
    "a list of 2^60 texts": header(keys() | {"x": struct.pack("<IIQ", ARRAY, TEXT, 1 << 60)}) + bytes(4096),
    "a list of 2^60 lists": header(keys() | {"x": struct.pack("<IIQ", ARRAY, ARRAY, 1 << 60)}) + bytes(4096),
    "a list of an unknown type": header(keys() | {"x": struct.pack("<IIQ", ARRAY, 77, 1)}) + bytes(4096),
    "an unknown type": header(keys() | {"x": struct.pack("<I", 13)}) + bytes(4096),
    "lists in lists in lists in lists": header(keys() | {"x": lists(5)}) + bytes(4096),
    "lists in lists, ten thousand": header(keys() | {"x": lists(10_000)}) + bytes(4096),
    "a name of 2^60 letters": MAGIC + struct.pack("<IQQQ", 3, 0, 1, 1 << 60) + bytes(4096),
    "a name that is no text": MAGIC + struct.pack("<IQQQ", 3, 0, 1, 2) + b"\xff\xfe" + value(1) + bytes(4096),
    "a key twice": MAGIC + struct.pack("<IQQ", 3, 0, 2) + (text("a") + value(1)) * 2 + bytes(4096),
    "a tensor twice": header(keys(), [tensor("a", (32,), 0, offset) for offset in (0, 128)]) + bytes(4096),
    "a tensor's name of a kilobyte": header(keys(), [tensor("a" * 1024, (32,), 0, 0)]) + bytes(4096),
    "a thousand dimensions": header(keys(), [text("a") + struct.pack("<I", 1000)]) + bytes(40960),
    "half a block": header(keys(), [tensor("a", (31,), 8, 0)]) + bytes(4096),
    "2^62 elements": header(keys(), [tensor("a", (1 << 62,), 0, 0)]) + bytes(4096),
    "2^248 elements of a new type": header(keys(), [tensor("a", (1 << 62,) * 4, 999, 0)]) + bytes(4096),
    "two tensors in one place": header(keys(), [tensor("a", (32,), 0, 0), tensor("b", (32,), 0, 32)])
    + bytes(4096),
    "a tensor askew": header(keys(), [tensor("a", (32,), 0, 4)]) + bytes(4096),
    "no alignment": header(keys() | {"general.alignment": value(0)}) + bytes(4096),
    "an alignment of 24": header(keys() | {"general.alignment": value(24)}) + bytes(4096),
    "alignment as text": header(keys() | {"general.alignment": value("32")}) + bytes(4096),
}
CUT: dict[str, bytes] = {
    "an offset past the end": header(keys(), [tensor("a", (32,), 0, 1 << 60)]) + bytes(4096),
    "a tensor of 2^50 elements": header(keys(), [tensor("a", (1 << 50,), 0, 0)]) + bytes(4096),
    "a text of 2^60 letters": header(keys() | {"x": struct.pack("<IQ", TEXT, 1 << 60)}) + bytes(4096),
    "a list of 2^59 numbers": header(keys() | {"x": struct.pack("<IIQ", ARRAY, 4, 1 << 59)}) + bytes(4096),
    "a text of a list of 2^60 letters": header(keys() | {"x": struct.pack("<IIQQ", ARRAY, TEXT, 2, 1 << 60)})
    + bytes(4096),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_header_that_lies_is_damaged(case: str) -> None:
    assert problem(HOSTILE[case]) == "inspect.gguf_damaged"


@pytest.mark.parametrize("case", CUT)
def test_what_would_lie_past_the_end_is_cut_off(case: str) -> None:
    assert problem(CUT[case]) == "inspect.gguf_cut_off"


@pytest.mark.parametrize("version", [0, 1, 4, 1 << 24])
def test_versions_nobody_reads(version: int) -> None:
    assert problem(header(keys(), version=version) + bytes(4096)) == "inspect.gguf_version"


def test_version_2_is_read() -> None:
    assert read(header(keys(), version=2)).version == 2


def test_the_other_byte_order_is_called_by_its_name(tmp_path: Path, official: object) -> None:
    path = write_official(tmp_path / "m.gguf", big_endian=True)
    assert inspect_file(path).problems == ("inspect.gguf_big_endian",)


def test_a_type_newer_than_the_list_is_unknown_and_no_fault() -> None:
    found = read(header(keys(file_type=999), [tensor("a", (32, 1), 999, 0)]) + bytes(4096))
    assert (found.stated_type, found.quantization, found.tensor_bytes) == (None, None, None)
    assert found.parameters == 32


def test_a_text_too_long_or_not_utf8_is_stepped_over() -> None:
    odd = struct.pack("<IQ", TEXT, 2) + b"\xff\xfe"
    found = read(header(keys() | {"x": value("a" * (MAX_BYTES + 1)), "z": odd, "y": value(7)}))
    assert "x" not in found.values
    assert "z" not in found.values
    assert (found.whole("y"), found.is_whole) == (7, True)


@pytest.mark.parametrize(
    ("members", "part"),
    [
        ({}, (1, 1)), ({"split.no": 1, "split.count": 3}, (2, 3)), ({"split.no": 0, "split.count": 0}, (1, 1)),
        ({"split.no": 3, "split.count": 3}, None), ({"split.count": 3}, None),
        ({"split.no": 0, "split.count": 1 << 31}, None),
    ],
)  # fmt: skip
def test_a_part_of_a_split_file_says_which(members: dict[str, int], part: tuple[int, int] | None) -> None:
    assert read(header(keys() | {key: value(item) for key, item in members.items()})).part == part


@pytest.mark.parametrize(
    ("members", "role"),
    [
        (keys(), "model"), (keys("clip"), "mmproj"), ({}, None),
        (keys() | {"general.type": value("adapter")}, "adapter"),
        (keys("qwen2vl") | {"general.type": value("mmproj")}, "mmproj"),
    ],
)  # fmt: skip
def test_what_is_no_model_by_itself_is_told_apart(members: dict[str, bytes], role: str | None) -> None:
    assert read(header(members)).role == role


@pytest.mark.parametrize(
    ("templates", "found"),
    [
        ({"": "plain", "default": "other", "tool_use": "tools"}, "plain"),
        ({"tool_use": "tools", "default": "other"}, "other"), ({"tool_use": "tools"}, None),
        ({"": "x" * 5_000_000}, None),
    ],
)  # fmt: skip
def test_the_template_of_plain_chats_lies_under_one_of_two_keys(
    tmp_path: Path, official: object, templates: dict[str, str], found: str | None
) -> None:
    path = write_official(tmp_path / "m.gguf", templates=templates)
    assert read(path.read_bytes()).chat_template == found
    assert inspect_file(path).chat_template is (found is not None)


def check_answer(data: bytes, size_bytes: int) -> None:
    """A header, of which all can be asked, or a problem with words."""
    assert set(inspect_bytes(data[:HEAD_BYTES], b"", size_bytes).problems) <= set(CODES)
    with contextlib.suppress(GgufError):
        found = read(data, size_bytes)
        told = [
            getattr(found, name) for name in ("role", "quantization", "part", "parameters", "tensor_bytes")
        ]
        assert found.bytes_read <= MAX_HEADER_BYTES
        json.dumps([*told, found.chat_template])


@given(st.binary(max_size=600), st.integers(0, 1 << 40))
def test_any_bytes_are_a_header_or_a_problem(tail: bytes, size_bytes: int) -> None:
    data = MAGIC + struct.pack("<I", 3) + tail
    check_answer(data, max(size_bytes, len(data)))


_CHANGES = st.lists(
    st.tuples(
        st.integers(4, 1 << 20),
        st.binary(min_size=1, max_size=8) | st.sampled_from([b"\xff" * 8, bytes(8), bytes(7) + b"\x10"]),
    ),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module", name="whole")
def _whole(tmp_path_factory: pytest.TempPathFactory, official: object) -> bytes:
    path = tmp_path_factory.mktemp("gguf") / "m.gguf"
    return write_official(path, vocabulary=20, more={"split.count": 1, "split.no": 0}).read_bytes()


@settings(max_examples=300)
@given(changes=_CHANGES, cut=st.none() | st.integers(4, 1 << 12))
def test_any_damage_to_an_official_file_leaves_a_header_or_a_problem(
    whole: bytes, changes: list[tuple[int, bytes]], cut: int | None
) -> None:
    data = bytearray(whole)
    for drawn, written in changes:
        place = 4 + drawn % (len(whole) - 12)
        data[place : place + len(written)] = written
    check_answer(bytes(data[:cut]), len(data[:cut]))


HUNDRED_MIB = 100 << 20


def _key_after_key() -> bytes:
    return b"".join(text(f"{number:x}".rjust(1500, "k")) + value(1) for number in range(60_000))


def _texts_of_wide_letters() -> bytes:
    one = struct.pack("<IQ", TEXT, 3 << 20) + "\U0001f600".encode() + b"a" * ((3 << 20) - 4)
    return b"".join(text(f"t{number}") + one for number in range(30))


def _millions_of_texts() -> bytes:
    return text("t") + struct.pack("<IIQ", ARRAY, TEXT, 4 << 20) + bytes(100 << 20)


def _lists_of_lists() -> bytes:
    return text("t") + struct.pack("<IIQ", ARRAY, ARRAY, 4 << 20) + struct.pack("<IQ", 4, 0) * (7 << 20)


def _tensors() -> bytes:
    return b"".join(tensor(f"{number:x}".rjust(128, "t"), (1, 1, 1, 1), 999, 0) for number in range(60_000))


_INSPECTED = """
import json, re, sys
from pathlib import Path
from core.model.inspect import inspect_file
found = inspect_file(Path(sys.argv[1]))
# VmHWM and not ru_maxrss, which begins with what the parent had.
peak_kib = int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])
print(json.dumps([peak_kib, found.kind, *found.problems]))
"""


@pytest.mark.parametrize(
    ("build", "counts"),
    [
        (_key_after_key, (0, 60_000)), (_texts_of_wide_letters, (0, 30)), (_millions_of_texts, (0, 1)),
        (_lists_of_lists, (0, 1)), (_tensors, (60_000, 0)),
    ],
)  # fmt: skip
def test_a_hostile_header_of_100_mib_costs_less_than_300_mib(
    tmp_path: Path, build: Callable[[], bytes], counts: tuple[int, int]
) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(MAGIC + struct.pack("<IQQ", 3, *counts) + build())
    with path.open("r+b") as file:
        file.truncate(max(path.stat().st_size, HUNDRED_MIB))
    done = subprocess.run(
        [sys.executable, "-c", _INSPECTED, str(path)], capture_output=True, text=True, check=True
    )
    peak_kib, kind, *problems = json.loads(done.stdout)
    assert kind == "gguf"
    assert set(problems) <= set(CODES)
    assert peak_kib < 300 << 10


def test_inspect_tells_what_a_gguf_is(tmp_path: Path, official: object) -> None:
    path = write_official(tmp_path / "m.gguf", vocabulary=50_000)
    found = inspect_file(path)
    assert found == Inspection(
        kind="gguf", size_bytes=path.stat().st_size, dtype="q8_0", max_context=8192, architecture="llama",
        role="model", parameters=1600, tokenizer="gpt2", chat_template=True, part=1, parts=1, fields=found.fields,
    )  # fmt: skip
    assert set(found.fields.values()) == {"read"}
    assert found.is_model


def test_of_the_first_bytes_alone_what_is_unknown_stays_unknown(tmp_path: Path, official: object) -> None:
    data = write_official(tmp_path / "m.gguf", vocabulary=50_000).read_bytes()
    found = inspect_bytes(data[:HEAD_BYTES], data[-TAIL_BYTES:], len(data), "m.gguf")
    assert (found.architecture, found.max_context, found.problems) == ("llama", 8192, ())
    assert (found.dtype, found.fields["dtype"]) == ("q4_k_m", "stated")
    assert found.parameters is found.chat_template is None


def test_the_parameters_of_a_part_are_not_those_of_the_model(tmp_path: Path, official: object) -> None:
    path = write_official(tmp_path / "m.gguf", more={"split.no": 1, "split.count": 3})
    found = inspect_file(path)
    assert (found.part, found.parts, found.parameters) == (2, 3, None)


@pytest.mark.parametrize("case", HOSTILE)
def test_inspect_tells_what_is_wrong_with_one(case: str) -> None:
    found = inspect_bytes(HOSTILE[case], HOSTILE[case][-TAIL_BYTES:], len(HOSTILE[case]), "m.gguf")
    assert (found.kind, found.problems) == ("gguf", ("inspect.gguf_damaged",))


def test_a_file_of_rkllm_toolkit_1_0_is_told_by_its_key_and_not_by_a_text_that_speaks_of_it() -> None:
    old = header(keys() | {"rkllm.platform": value(1)})
    assert inspect_bytes(old, b"", len(old)).problems == ("inspect.too_old",)
    told = header(keys() | {"general.description": value("see rkllm.platform")})
    assert inspect_bytes(told, b"", len(told)).kind == "gguf"


@pytest.mark.parametrize(
    ("language", "rows"),
    [
        (
            "en_US.UTF-8",
            ("a GGUF file", "q8_0 (read in the file)", "1.60 K", "yes (read in the file)", "gpt2"),
        ),
        ("es_ES.UTF-8", ("un archivo GGUF", "plantilla de chat  sí", "para qué es  un modelo de lenguaje")),
    ],
)
def test_the_verb_shows_it(
    tmp_path: Path,
    official: object,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    language: str,
    rows: tuple[str, ...],
) -> None:
    monkeypatch.setenv("LC_ALL", language)
    path = write_official(tmp_path / "m.gguf")
    assert rkdeck(["inspect", str(path), "--home", str(tmp_path / "home")]) == 0
    told = capsys.readouterr().out
    assert all(row in told for row in rows), told
    assert "rkllm" not in told
    assert "1/1" not in told
    part = write_official(tmp_path / "part.gguf", more={"split.no": 1, "split.count": 3})
    assert rkdeck(["inspect", str(part), "--home", str(tmp_path / "home")]) == 0
    assert "2/3" in capsys.readouterr().out
    assert rkdeck(["inspect", str(path), "--json", "--home", str(tmp_path / "home")]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], document["dtype"], document["parameters"]) == ("gguf", "q8_0", 1600)
