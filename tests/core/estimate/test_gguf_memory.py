"""Memory of llama.cpp with a GGUF file: held against processes that were measured, and against one that runs here."""

import platform
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.estimate.fit import BoardNow
from core.estimate.gguf import Build, GgufMemory, builds, gguf_fit, gguf_memory
from core.estimate.gguf_calibrate import MemoryRow, fit, memory_rows, put_constants
from core.estimate.gguf_shape import active_bytes, gguf_shape
from core.model.gguf import GgufHeader, GgufTensor, Scalar
from core.vendor.gguf_types import tensor_types
from tests.support import llamacpp
from tests.support.gguf_files import NEEDS_GGUF, read_header
from tests.support.random_gguf import RandomShape, is_writable, write_random

GIB = 1 << 30
BYTES = next(kind for kind in tensor_types().values() if kind.name == "i8")
NO_COPIES = builds()["wheel-aarch64"]
LLAMA_1B: dict[str, Scalar] = {
    "general.architecture": "llama", "llama.block_count": 16, "llama.embedding_length": 2048,
    "llama.attention.head_count": 32, "llama.attention.head_count_kv": 8, "llama.feed_forward_length": 8192,
    "llama.context_length": 131_072,
}  # fmt: skip
VOCABULARY = {"tokenizer.ggml.tokens": 128_256, "tokenizer.ggml.merges": 280_147}


def header(
    values: Mapping[str, Scalar],
    *,
    weights_bytes: int | None = 1_300_000_000,
    lengths: Mapping[str, int] = VOCABULARY,
    lists: Mapping[str, tuple[Scalar, ...]] | None = None,
) -> GgufHeader:
    """Of a model of these keys, with one tensor of so many bytes; None: the tensors were not read."""
    tensors = () if weights_bytes is None else (GgufTensor("blk.0.x", (weights_bytes,), BYTES, 0),)
    return GgufHeader(
        3, 1, values, lengths, tensors, lists or {}, is_whole=weights_bytes is not None, bytes_read=65_536
    )


def asked(found: GgufHeader, context: int = 4096, build: Build | None = NO_COPIES) -> GgufMemory:
    memory = gguf_memory(found, context, size_bytes=1_310_000_000, build=build)
    assert memory is not None
    return memory


def of_row(row: MemoryRow) -> GgufMemory:
    shape, head = row.shape, 64
    values: dict[str, Scalar] = {
        "general.architecture": "llama", "llama.block_count": shape.layers, "llama.embedding_length": shape.hidden,
        "llama.attention.head_count": shape.queries // head, "llama.attention.key_length": head,
        "llama.attention.head_count_kv": shape.cache_bytes // (4 * shape.layers * head),
        "llama.feed_forward_length": shape.feed_forward,
    }  # fmt: skip
    lengths = {"tokenizer.ggml.tokens": shape.tokens or 0, "tokenizer.ggml.merges": shape.merges or 0}
    found = gguf_memory(
        header(values, weights_bytes=row.weights_bytes, lengths=lengths),
        row.context, size_bytes=row.weights_bytes, build=NO_COPIES, prompt=row.prompt, ubatch=row.ubatch,
    )  # fmt: skip
    assert found is not None
    return found


def test_the_data_file_holds_what_the_fit_gives() -> None:
    pytest.importorskip("scipy", reason="scipy is not installed (dependency group `test`)")
    text = (resources.files("resources") / "gguf_memory.toml").read_text("utf-8")
    kept, anew = tomllib.loads(text), tomllib.loads(put_constants(text, fit(memory_rows())))
    for section in ("process", "buffers"):
        numbers = {name: value for name, value in kept[section].items() if not isinstance(value, str)}
        assert {name: anew[section][name] for name in numbers} == pytest.approx(numbers, rel=0.01)


def test_every_process_that_was_measured_lies_within_the_forecasts_bounds_and_near_it() -> None:
    assert len(memory_rows()) > 90
    for row in memory_rows():
        need, true = of_row(row).need, row.peak_bytes - row.again_bytes
        assert need.low <= true <= need.high, row
        assert need.basis == "calibrated"
        assert need.value == pytest.approx(true, rel=0.05), row


def _wheel() -> Build:
    """The build that runs here; skips where there is none."""
    if not is_writable():
        pytest.skip(NEEDS_GGUF)
    if not llamacpp.is_installed():
        pytest.skip(llamacpp.NEEDS_LLAMACPP)
    known = builds().get(f"wheel-{platform.machine()}")
    if known is None:
        pytest.skip(f"there is no row of a wheel for {platform.machine()}")
    return known


SMALL = RandomShape("small", "llama", 2, 1024, 16, 4, 64, 4096, 8000, "llama", tied=False)


@pytest.mark.parametrize(
    ("kind", "context", "copies"), [("Q8_0", 512, True), ("Q4_0", 2048, True), ("Q4_0", 2048, False)]
)
def test_a_true_llama_cpp_takes_what_the_forecast_says(
    tmp_path: Path, kind: str, context: int, copies: bool
) -> None:
    known = _wheel()
    path = write_random(tmp_path / "m.gguf", SMALL, kind)
    prompt = context - 100
    measured = llamacpp.measure(path, context, prompt, repack=copies).prompted
    build = known if copies else replace(known, copied=())
    found = gguf_memory(
        read_header(path), context, size_bytes=path.stat().st_size, build=build, prompt=prompt
    )
    assert found is not None
    assert found.ram.basis == "calibrated"
    assert found.ram.low <= measured.peak << 10 <= found.ram.high
    full = gguf_memory(read_header(path), context, size_bytes=path.stat().st_size)
    assert full is not None
    assert full.ram.low <= measured.peak << 10 <= full.ram.high


@pytest.mark.parametrize(
    ("shape", "prompt"),
    [
        (
            RandomShape("window", "gemma3", 6, 1152, 4, 1, 256, 2048, 8000, "llama", tied=True, window=512),
            1500,
        ),
        (
            RandomShape(
                "experts", "qwen3moe", 2, 1024, 16, 4, 128, 768, 8000, "llama", tied=False, experts=8, used=2
            ),
            600,
        ),
    ],
    ids=lambda value: value.name if isinstance(value, RandomShape) else "",
)
def test_a_true_llama_cpp_lies_within_the_bounds_of_what_is_not_known_to_the_byte(
    tmp_path: Path, shape: RandomShape, prompt: int
) -> None:
    known = _wheel()
    path = write_random(tmp_path / "m.gguf", shape, "Q8_0")
    measured = llamacpp.measure(path, 4096, prompt).prompted
    found = gguf_memory(read_header(path), 4096, size_bytes=path.stat().st_size, build=known)
    assert found is not None
    assert found.ram.basis == "extrapolated"
    assert found.ram.low <= measured.peak << 10 <= found.ram.high


def test_the_parts_add_up_and_the_cache_is_that_of_the_layers() -> None:
    found = asked(header(LLAMA_1B))
    assert found.kv_cache_bytes == 2 * 2 * 16 * 8 * 64 * 4096
    assert found.weights_bytes == 1_300_000_000
    parts = found.weights_bytes + found.kv_cache_bytes + found.buffers_bytes + found.process_bytes
    assert found.need.value == pytest.approx(parts, abs=2)
    assert found.ram == found.need
    assert found.need.basis == "calibrated"


def test_a_build_of_which_nothing_is_known_may_copy_all_weights_and_needs_no_more() -> None:
    q4 = next(kind for kind in tensor_types().values() if kind.name == "q4_0")
    tensors = tuple(GgufTensor(f"blk.{n}.x", (32_000, 1000), q4, 18_000_000 * n) for n in range(10))
    ends = GgufTensor("a", (1,), tensor_types()[0], 0), GgufTensor("z", (1,), tensor_types()[0], 180_000_000)
    found = replace(header(LLAMA_1B), tensors=(*tensors, *ends))
    known, unknown = asked(found), asked(found, build=None)
    assert unknown.ram.low == pytest.approx(unknown.need.low)
    assert unknown.ram.high - unknown.need.high == pytest.approx(180_000_000, rel=0.01)
    assert (unknown.ram.value, unknown.ram.basis) == (known.ram.value, "extrapolated")
    copying = asked(found, build=builds()["wheel-x86_64"])
    assert copying.ram.value - copying.need.value == pytest.approx(180_000_000, rel=0.01)


@pytest.mark.parametrize(
    ("more", "least", "most"),
    [
        ({"llama.attention.sliding_window": 512}, 512, 4096),
        ({"llama.attention.sliding_window": 8192}, 4096, 4096),
        ({"llama.full_attention_interval": 4, "llama.ssm.inner_size": 0}, 0, 4096),
    ],
)
def test_layers_that_may_keep_less_give_bounds(more: dict[str, Scalar], least: int, most: int) -> None:
    token = 2 * 2 * 16 * 8 * 64
    plain, found = asked(header(LLAMA_1B)), asked(header(LLAMA_1B | more))
    assert found.kv_cache_bytes == token * most
    # The wider margin of what was not measured goes on top.
    assert found.need.low <= plain.need.low - token * (4096 - least)
    assert found.need.high >= plain.need.high
    assert found.need.basis == "extrapolated"


def test_a_compressed_cache_is_known_between_what_is_compressed_and_all_of_it() -> None:
    found = asked(header(LLAMA_1B | {"llama.attention.kv_lora_rank": 256, "llama.rope.dimension_count": 64}))
    assert found.kv_cache_bytes == 2 * 2 * 16 * 8 * 64 * 4096
    assert found.need.low < found.need.value - 2 * 16 * (8 * 128 - 320) * 4096


def test_heads_that_are_listed_layer_by_layer_are_added_up() -> None:
    values = {key: value for key, value in LLAMA_1B.items() if key != "llama.attention.head_count_kv"}
    listed = tuple([8, 0, 0, 0] * 4)
    found = header(
        values | {"llama.shortconv.l_cache": 3},
        lengths=VOCABULARY | {"llama.attention.head_count_kv": 16},
        lists={"llama.attention.head_count_kv": listed},
    )
    shape = gguf_shape(found)
    assert shape is not None
    assert (shape.cache_bytes, shape.unsure_bytes) == (2 * 2 * 4 * 8 * 64, 0)
    assert not shape.is_plain
    assert gguf_shape(replace(found, lists={})) is None
    assert gguf_shape(replace(found, lists={"llama.attention.head_count_kv": (8, -1) * 8})) is None


def test_without_the_vocabulary_or_the_tensors_the_bounds_are_wider() -> None:
    known, unread = asked(header(LLAMA_1B)), asked(header(LLAMA_1B, weights_bytes=None, lengths={}))
    assert unread.need.low < known.need.low < known.need.value < unread.need.high
    assert unread.need.basis == "extrapolated"


def test_parts_of_a_split_file_count_by_their_sizes() -> None:
    first = header(LLAMA_1B | {"split.count": 3, "split.no": 0}, weights_bytes=500_000_000)
    found = gguf_memory(first, 4096, size_bytes=3_000_000_000, build=NO_COPIES)
    assert found is not None
    assert found.weights_bytes == 3_000_000_000
    assert active_bytes(first) is None


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"general.architecture": "llama"},
        {"general.architecture": "clip", "clip.block_count": 4, "clip.embedding_length": 512},
        LLAMA_1B | {"general.type": "adapter"},
        {key: value for key, value in LLAMA_1B.items() if key != "llama.attention.head_count"},
        LLAMA_1B | {"llama.block_count": 1 << 40},
        LLAMA_1B | {"llama.block_count": "16"},
    ],
)
def test_what_the_header_does_not_say_is_unknown(values: dict[str, Scalar]) -> None:
    assert gguf_memory(header(values), 4096, size_bytes=10**9) is None
    assert gguf_fit(header(values), 4096, 8 * GIB, size_bytes=10**9) is None


def test_more_context_or_a_longer_prompt_never_takes_less() -> None:
    found = header(LLAMA_1B)
    needs = [asked(found, context).need.value for context in (1, 32, 512, 513, 4096, 131_072)]
    assert needs == sorted(needs)


def test_one_file_on_four_computers() -> None:
    found = header(LLAMA_1B)
    judged = {
        gib: gguf_fit(found, 4096, int(gib * GIB * 0.95), size_bytes=1_310_000_000, build=NO_COPIES)
        for gib in (1, 4, 8, 32)
    }
    assert {gib: fit and fit.verdict for gib, fit in judged.items()} == {
        1: "no",
        4: "yes",
        8: "yes",
        32: "yes",
    }
    one, four = judged[1], judged[4]
    assert one is not None
    assert one.largest_context is None
    assert four is not None
    assert four.largest_context == 16_384
    short = gguf_fit(
        header(LLAMA_1B | {"llama.context_length": 2048}), 2048, 8 * GIB, size_bytes=1_310_000_000
    )
    assert short is not None
    assert short.largest_context == 2048
    busy = gguf_fit(found, 4096, 8 * GIB, size_bytes=1_310_000_000, now=BoardNow(500_000_000))
    assert busy is not None
    assert busy.verdict == "tight"


KEYS = st.sampled_from([
    "general.architecture", "a.block_count", "a.embedding_length", "a.attention.head_count", "a.attention.key_length",
    "a.attention.head_count_kv", "a.feed_forward_length", "a.attention.sliding_window", "a.attention.kv_lora_rank",
    "a.ssm.inner_size", "a.ssm.state_size", "a.ssm.conv_kernel", "a.expert_count", "a.expert_used_count",
    "a.shortconv.l_cache", "a.wkv.head_size", "a.context_length", "a.vocab_size", "split.count",
])  # fmt: skip
NUMBERS = st.one_of(
    st.integers(0, 1 << 64), st.integers(0, 4096), st.floats(), st.booleans(), st.text(max_size=3)
)


@settings(max_examples=200)
@given(
    st.dictionaries(KEYS, NUMBERS),
    st.lists(NUMBERS, max_size=20),
    st.integers(1, 1 << 31),
    st.integers(1, 1 << 50),
)
def test_any_keys_give_ordered_bounds_or_none(
    values: dict[str, Scalar], listed: list[Scalar], context: int, size_bytes: int
) -> None:
    usual: dict[str, Scalar] = {
        "general.architecture": "a", "a.block_count": 2, "a.embedding_length": 64, "a.attention.head_count": 2,
    }  # fmt: skip
    found = header(usual | values, lists={"a.attention.head_count_kv": tuple(listed)})
    memory = gguf_memory(found, context, size_bytes=size_bytes)
    if memory is not None:
        for number in (memory.need, memory.ram):
            assert 0 <= number.low <= number.value <= number.high < float("inf")
    active = active_bytes(found)
    assert active is None or all(0 <= each <= 1_300_000_000 for each in active.values())
