"""Decode speed of llama.cpp on boards: only what somebody published of that build on that SoC."""

from dataclasses import replace

import pytest

from core.estimate.gguf_shape import active_bytes
from core.estimate.gguf_speed import bounds, kind_of, rates, speed, speed_rows, tokens_per_s
from core.estimate.gguf_speed_calibrate import fitted, rows_of
from core.model.gguf import GgufHeader, GgufTensor, Scalar
from core.vendor.gguf_types import TensorType, tensor_types

TYPES = {kind.name: kind for kind in tensor_types().values()}
LLAMA_1B: dict[str, Scalar] = {
    "general.architecture": "llama", "llama.block_count": 16, "llama.embedding_length": 2048,
    "llama.attention.head_count": 32, "llama.attention.head_count_kv": 8, "llama.feed_forward_length": 8192,
}  # fmt: skip
BODY, VOCABULARY = 973_000_000 // 2048, 128_256


def model(kind: TensorType, *, tied: bool = True, **more: Scalar) -> GgufHeader:
    """Llama 3.2 1B as it lies in a file, its body in one matrix."""
    rows = [("token_embd.weight", VOCABULARY), ("blk.0.ffn_up_exps.weight" if more else "blk.0.x", BODY)]
    rows += [] if tied else [("output.weight", VOCABULARY)]
    tensors, offset = [], 0
    for name, count in rows:
        tensors.append(GgufTensor(name, (2048, count), kind, offset))
        offset += tensors[-1].size_bytes or 0
    values = LLAMA_1B | {f"llama.{key}": value for key, value in more.items()}
    return GgufHeader(3, len(tensors), values, {}, tuple(tensors), is_whole=True)


def test_the_data_file_holds_what_the_fit_gives() -> None:
    pytest.importorskip("scipy", reason="scipy is not installed (dependency group `test`)")
    for rate in rates().values():
        anew = fitted(rate)
        assert anew.layer_ms == pytest.approx(rate.layer_ms, rel=0.01)
        assert dict(anew.gb_per_s) == pytest.approx(dict(rate.gb_per_s), rel=0.01)


def test_every_published_row_lies_within_the_forecasts_bounds() -> None:
    seen = 0
    for rate in rates().values():
        for row in rows_of(rate):
            value = speed(rate, row.bytes_of, row.layers)
            assert value is not None, row
            low, high = bounds(rate, has_experts=row.has_experts)
            assert value * low <= row.tokens_per_s <= value * high, row
            seen += 1
    assert seen == len(speed_rows())


@pytest.mark.parametrize(
    ("soc", "build"),
    [
        ("rk3588", "wheel-aarch64"),
        ("rk3576", "native"),
        ("rk3576", "rk-llama.cpp"),
        ("rk3566", "rk-llama.cpp"),
        ("rk3566", "wheel-aarch64"),
        ("rk3562", "native"),
        ("", ""),
    ],
)
def test_a_build_nobody_measured_on_a_soc_has_no_speed_there(soc: str, build: str) -> None:
    assert tokens_per_s(model(TYPES["q8_0"]), soc, build, size_bytes=10**9) is None


def test_weights_of_a_kind_nobody_measured_have_no_speed() -> None:
    assert tokens_per_s(model(TYPES["q8_0"]), "rk3566", "native", size_bytes=10**9) is None
    found = tokens_per_s(model(TYPES["q4_k"]), "rk3566", "native", size_bytes=10**9)
    assert found is not None
    assert found.basis == "extrapolated"
    assert found.low < 1.02 < found.high


def test_fewer_bits_are_faster_on_the_cpu_and_the_builds_have_figures_of_their_own() -> None:
    found = {
        (name, build): tokens_per_s(model(TYPES[name]), "rk3588", build, size_bytes=10**9)
        for name in ("f16", "q8_0", "q4_0")
        for build in ("native", "rk-llama.cpp")
    }
    cpu = [number.value for (_, build), number in found.items() if number and build == "native"]
    assert len(cpu) == 3
    assert cpu == sorted(cpu)
    eight, npu = found["q8_0", "native"], found["q8_0", "rk-llama.cpp"]
    assert eight is not None
    assert npu is not None
    assert (eight.basis, npu.basis) == ("calibrated", "calibrated")
    assert eight.value != npu.value
    # Gemma 3 1B, of about the same weights, reaches 19.5 and 16.5.
    assert 12 < eight.low < eight.high < 22
    assert 10 < npu.low < npu.high < 20


def test_an_embedding_is_read_for_a_token_only_where_it_is_the_head() -> None:
    kind = TYPES["q8_0"]
    tied, untied = active_bytes(model(kind)), active_bytes(model(kind, tied=False))
    assert tied == untied == {"q8_0": (BODY + VOCABULARY) * 2048 // 32 * 34}


def test_of_experts_only_those_that_are_used_are_read() -> None:
    found = active_bytes(model(TYPES["q8_0"], expert_count=8, expert_used_count=2))
    assert found is not None
    assert dict(found) == pytest.approx({"q8_0": (BODY / 4 + VOCABULARY) * 2048 / 32 * 34})
    assert active_bytes(model(TYPES["q8_0"], expert_count=8)) is None
    speed = tokens_per_s(
        model(TYPES["q8_0"], expert_count=8, expert_used_count=2), "rk3588", "rk-llama.cpp", size_bytes=10**9
    )
    assert speed is not None
    assert speed.basis == "extrapolated"
    assert speed.low == pytest.approx(speed.value / 2)


def test_without_the_tensors_the_size_and_what_the_file_calls_itself_give_wider_bounds() -> None:
    whole = model(TYPES["q8_0"])
    assert whole.tensor_bytes is not None
    values = dict(whole.values) | {"general.file_type": 7}
    unread = replace(whole, tensors=(), is_whole=False, values=values)
    known = tokens_per_s(whole, "rk3588", "native", size_bytes=whole.tensor_bytes)
    found = tokens_per_s(unread, "rk3588", "native", size_bytes=whole.tensor_bytes)
    assert known is not None
    assert found is not None
    assert (found.value, found.low) == pytest.approx((known.value, known.low))
    assert found.basis == "extrapolated"
    assert found.high > known.high
    unnamed = replace(unread, values=whole.values)
    assert tokens_per_s(unnamed, "rk3588", "native", size_bytes=whole.tensor_bytes) is None


def test_types_go_by_how_they_are_stored() -> None:
    names = ("f16", "q8_0", "q4_0", "q5_1", "iq4_nl", "mxfp4", "q4_k", "q6_k", "iq2_xxs", "q4_k_m", "q3_k_l")
    assert [kind_of(name) for name in names] == ["wide"] * 2 + ["four"] * 4 + ["fine"] * 5
