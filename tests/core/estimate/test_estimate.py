import json
from typing import TypedDict, TypeVar, Unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import RefusedError, UsageError
from core.estimate.records import Estimate, LevelEstimate
from core.estimate.table import estimate_model
from core.vendor.platforms import get_platform, load_platforms
from core.words import note_text
from tests.core.estimate.samples import CONFIGS, ROWS, Config, Row, config, facts, facts_of, tensors

GIB = 1 << 30
MIB = 1 << 20
Known = TypeVar("Known")
LEVEL_ORDER = [
    *("fp32", "fp16", "bf16", "int8", "int4"),
    *("fp16_rkllm", "w8a8", "w8a8_g128", "w8a8_g256", "w8a8_g512"),
    *("w4a16", "w4a16_g32", "w4a16_g64", "w4a16_g128", "w4a8_g32"),
]
MEMBERS = [
    *(
        "dtype",
        "kind",
        "bits",
        "supported",
        "reason",
        "rule_of_thumb_bytes",
        "weights_bytes",
        "kv_cache_bytes",
    ),
    *(
        "overhead_bytes",
        "ram_bytes",
        "ram_low_bytes",
        "ram_high_bytes",
        "ram_basis",
        "npu_bytes",
        "file_bytes",
    ),
    *("tokens_per_s", "tokens_per_s_low", "tokens_per_s_high", "tokens_per_s_basis"),
    *("ttft_ms", "ttft_low_ms", "ttft_high_ms", "ttft_basis", "fits", "fit"),
]


class Question(TypedDict, total=False):
    context: int
    cores: int
    prompt: int
    board_ram_bytes: int


def estimate(model: str, platform: str = "rk3588", **question: Unpack[Question]) -> Estimate:
    return estimate_model(facts(model), get_platform(platform), **question)


def row(model: str, dtype: str, platform: str = "rk3588", **question: Unpack[Question]) -> LevelEstimate:
    return known(estimate(model, platform, **question).row(dtype))


def known(value: Known | None) -> Known:
    """The value, which the test says is not unknown."""
    assert value is not None
    return value


@pytest.mark.parametrize("truth", ROWS, ids=lambda truth: f"{truth.platform}-{truth.model}-{truth.dtype}")
def test_reproduces_the_vendors_rows(truth: Row) -> None:
    found = row(truth.model, truth.dtype, truth.platform, context=256)
    cases = (
        (known(found.ram), truth.memory_mib * MIB, 0.03),
        (known(found.tokens_per_s), truth.tokens_per_s, 0.13),
        (known(found.ttft_ms), truth.ttft_ms, 0.16),
    )
    for number, value, tolerance in cases:
        assert number.value == pytest.approx(value, rel=tolerance)
        assert number.low <= value <= number.high
        assert number.basis == "calibrated"


def test_the_mean_error_on_the_vendors_rows_is_small() -> None:
    found = [row(truth.model, truth.dtype, truth.platform, context=256) for truth in ROWS]
    pairs = list(zip(found, ROWS, strict=True))
    ram = [known(level.ram).value / (truth.memory_mib * MIB) for level, truth in pairs]
    speed = [known(level.tokens_per_s).value / truth.tokens_per_s for level, truth in pairs]
    first = [known(level.ttft_ms).value / truth.ttft_ms for level, truth in pairs]
    for ratios, limit in ((ram, 0.012), (speed, 0.035), (first, 0.06)):
        assert sum(abs(ratio - 1) for ratio in ratios) / len(ratios) < limit


def test_the_npu_allocation_is_exact() -> None:
    # The numbers failed loads print; with one core the output head stays out.
    assert row("Qwen3-4B", "w8a8").npu_bytes == 4_022_272_000
    assert row("Qwen3-4B", "w8a8", cores=1).npu_bytes == 3_633_315_840
    assert row("Qwen3-4B", "w8a8", cores=2).npu_bytes == 4_022_272_000
    assert row("Qwen2.5-VL-3B", "w8a8").npu_bytes == 3_085_697_024
    assert row("Qwen3-4B", "w8a8_g128").npu_bytes is None


def test_the_file_size_matches_a_published_file() -> None:
    # Qwen3-VL-4B w8a8 (same language part as Qwen3-4B): 4,846,784,612 bytes on the Hub.
    assert row("Qwen3-4B", "w8a8").file_bytes == pytest.approx(4_846_784_612, rel=0.002)


def test_the_document_has_every_member_in_order() -> None:
    document = estimate("Qwen3-4B", board_ram_bytes=8 * GIB).to_json()
    assert list(document) == [
        "model", "architecture", "parameters", "platform", "context", "prompt", "confidence", "notes",
        "convert_host_ram_bytes", "bytes_fetched", "levels",
    ]  # fmt: skip
    levels = document["levels"]
    assert isinstance(levels, list)
    assert [level["dtype"] for level in levels if isinstance(level, dict)] == LEVEL_ORDER
    assert all(isinstance(level, dict) and list(level) == MEMBERS for level in levels)
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_rules_of_thumb_are_per_parameter() -> None:
    found = estimate("Qwen3-4B")
    factors = {"fp32": 4, "fp16": 2, "bf16": 2, "int8": 1, "int4": 0.7}
    for dtype, factor in factors.items():
        level = known(found.row(dtype))
        assert level.rule_of_thumb_bytes == round(found.parameters * factor)
        assert (level.kind, level.supported, level.tokens_per_s, level.npu_bytes) == (
            "reference",
            False,
            None,
            None,
        )
        assert known(level.ram).basis == "definition"


@pytest.mark.parametrize(
    ("platform", "dtype", "speed", "ttft"),
    [
        ("rk3588", "w8a8", True, True),
        ("rk3588", "w8a8_g128", True, False),
        ("rk3588", "fp16_rkllm", False, False),
        ("rk3588", "w4a16", False, False),
        ("rk3576", "w4a16_g64", True, False),
        ("rk3576", "w8a8_g128", False, False),
        ("rk3562", "w4a16_g128", True, False),
        ("rk3562", "w4a8_g32", False, False),
        ("rv1126b", "w4a16_g128", True, True),
    ],
)
def test_what_nobody_measured_is_unknown(platform: str, dtype: str, speed: bool, ttft: bool) -> None:
    found = row("Qwen3-1.7B", dtype, platform)
    assert (found.tokens_per_s is not None, found.ttft_ms is not None) == (speed, ttft)
    document = found.to_json()
    if not ttft:
        assert [document[name] for name in MEMBERS if name.startswith("ttft")] == [None] * 4


def test_memory_of_w4a8_is_unknown() -> None:
    document = row("Qwen3-1.7B", "w4a8_g32", "rk3562", board_ram_bytes=4 * GIB).to_json()
    assert document["supported"] is True
    for name in (
        "ram_bytes",
        "kv_cache_bytes",
        "overhead_bytes",
        "ram_low_bytes",
        "ram_basis",
        "fits",
        "fit",
    ):
        assert document[name] is None


@pytest.mark.parametrize(("platform", "cores"), [("rk3588", 1), ("rk3588", 2), ("rk3576", 1)])
def test_speed_with_fewer_cores_is_unknown(platform: str, cores: int) -> None:
    found = estimate("Qwen3-1.7B", platform, cores=cores)
    assert all(level.tokens_per_s is None and level.ttft_ms is None for level in found.rows)
    assert found.confidence == "extrapolated"
    assert "fewer_cores" in {note.code for note in found.notes}


def test_refused_levels_say_why() -> None:
    assert (
        note_text(known(row("Qwen3-1.7B", "w4a16").reason)) == "rkllm-toolkit refuses w4a16 on RK3588 (1.3.0)"
    )
    assert row("Qwen3-1.7B", "w4a16", "rk3562").supported is False
    assert row("Qwen3-1.7B", "w8a8").reason is None


def test_a_group_that_does_not_divide_names_the_tensor() -> None:
    found = row("Qwen2-0.5B", "w8a8_g256")
    assert found.supported is False
    assert found.reason is not None
    assert "256 does not divide the 896 outputs of model.layers.0.self_attn.q_proj.weight" in note_text(
        found.reason
    )
    assert row("Qwen2-0.5B", "w8a8_g128").supported is True


@pytest.mark.parametrize(
    ("question", "error"),
    [
        ({"context": 100}, RefusedError),
        ({"context": 32768}, RefusedError),
        ({"cores": 4}, RefusedError),
        ({"prompt": 0}, UsageError),
        ({"prompt": 4097}, UsageError),
    ],
)
def test_impossible_questions_are_refused(question: Question, error: type[Exception]) -> None:
    with pytest.raises(error):
        estimate("Qwen3-1.7B", **question)


def test_confidence_falls_with_distance_from_the_vendors_rows() -> None:
    assert estimate("Qwen3-1.7B").confidence == "calibrated"
    assert estimate("Qwen3-1.7B", context=8192).confidence == "extrapolated"
    assert estimate("Qwen3-4B", "rk3562").confidence == "extrapolated"
    tiny = config("LlamaForCausalLM", (128, 4, 2, 2, 512, 4096), tied=False)
    found = estimate_model(facts_of(tiny, tensors(tiny)), get_platform("rk3588"))
    assert found.confidence == "extrapolated"
    assert "small_model" in {note.code for note in found.notes}
    without = estimate_model(facts("Qwen3-1.7B", headers=False), get_platform("rk3588"))
    assert without.confidence == "extrapolated"
    narrow = known(row("Qwen3-1.7B", "w8a8").ram)
    wide = known(row("Qwen3-1.7B", "w8a8", context=8192).ram)
    assert (wide.high - wide.low) / wide.value > 2 * (narrow.high - narrow.low) / narrow.value


@pytest.mark.parametrize("class_name", ["RWKV7ForCausalLM", "Qwen3_5ForConditionalGeneration"])
def test_kinds_without_a_model_have_no_numbers(class_name: str) -> None:
    model = CONFIGS["Qwen3-1.7B"] | {"architectures": [class_name]}
    found = estimate_model(facts_of(model, tensors(model)), get_platform("rk3588"), board_ram_bytes=8 * GIB)
    assert found.confidence == "uncalibrated"
    assert "no_memory_model" in {note.code for note in found.notes}
    for level in found.rows:
        numbers = (
            level.ram,
            level.kv_cache_bytes,
            level.tokens_per_s,
            level.ttft_ms,
            level.npu_bytes,
            level.fits,
        )
        assert numbers == (None,) * 6


def test_an_unknown_architecture_is_arithmetic_without_speed() -> None:
    model = CONFIGS["Qwen3-1.7B"] | {"architectures": ["NovelForCausalLM"]}
    found = estimate_model(facts_of(model, tensors(model)), get_platform("rk3588"))
    level = known(found.row("w8a8"))
    assert found.confidence == "uncalibrated"
    assert (known(level.ram).basis, level.tokens_per_s, level.ttft_ms) == ("extrapolated", None, None)
    assert level.supported is False
    assert note_text(known(level.reason)) == "rkllm-toolkit does not list NovelForCausalLM"
    assert "NovelForCausalLM" in note_text(found.notes[0])


def test_a_quantized_checkpoint_cannot_be_converted() -> None:
    found = estimate_model(facts_of(CONFIGS["Qwen2-0.5B"], (), "gptq"), get_platform("rk3588"))
    reason = known(known(found.row("w8a8")).reason)
    assert note_text(reason) == "the checkpoint is already quantized (gptq)"
    assert (reason.code, dict(reason.facts)) == ("quantized", {"method": "gptq"})
    assert found.confidence == "extrapolated"


def test_other_prompts_are_approximate_and_longer() -> None:
    short = known(row("Qwen3-1.7B", "w8a8").ttft_ms)
    long = known(row("Qwen3-1.7B", "w8a8", prompt=512).ttft_ms)
    assert long.value == pytest.approx(4 * short.value)
    assert (short.basis, long.basis) == ("calibrated", "extrapolated")


def test_fit_on_boards() -> None:
    small = row("Qwen2-0.5B", "w8a8", board_ram_bytes=4 * GIB)
    assert small.fits == {"4": "yes", "8": "yes", "16": "yes", "32": "yes"}
    assert (known(small.fit).verdict, known(small.fit).largest_context) == ("yes", 16384)
    large = row("Qwen3-4B", "w8a8", board_ram_bytes=4 * GIB)
    assert large.fits == {"4": "no", "8": "yes", "16": "yes", "32": "yes"}
    assert (known(large.fit).verdict, known(large.fit).largest_context) == ("no", None)
    assert "4.00 GiB on the board" in note_text(known(large.fit).reason)
    assert row("Qwen3-4B", "w8a8").fit is None
    refused = known(row("Qwen3-4B", "w4a16", board_ram_bytes=32 * GIB).fit)
    assert (refused.verdict, refused.reason.code) == ("no", "toolkit_refuses")
    assert note_text(refused.reason) == "rkllm-toolkit refuses w4a16 on RK3588 (1.3.0)"


def test_the_largest_context_is_the_last_that_fits() -> None:
    board = 6 * GIB
    largest = known(known(row("Qwen3-4B", "w8a8", board_ram_bytes=board).fit).largest_context)
    assert 4096 <= largest < 16384
    at = row("Qwen3-4B", "w8a8", context=largest, board_ram_bytes=board)
    beyond = row("Qwen3-4B", "w8a8", context=largest + 32, board_ram_bytes=board)
    assert (known(at.fit).verdict, known(beyond.fit).verdict) == ("tight", "no")


def test_memory_for_conversion_matches_the_measured_report() -> None:
    # A user's conversion of Qwen3-8B (8.19e9 parameters) took 33.5 GB.
    model = config("Qwen3ForCausalLM", (4096, 36, 32, 8, 12288, 151936), tied=False, head_dim=128)
    found = estimate_model(facts_of(model, tensors(model)), get_platform("rk3588"))
    assert found.convert_host_ram_bytes == pytest.approx(33.5e9, rel=0.02)
    assert "user reports" in " ".join(note_text(note) for note in found.notes)


@st.composite
def models(draw: st.DrawFn) -> Config:
    head_dim = draw(st.sampled_from([64, 128]))
    kv_heads = draw(st.integers(1, 8))
    heads = kv_heads * draw(st.integers(1, 4))
    layers, width = draw(st.integers(1, 6)), 256 * draw(st.integers(1, 60))
    sizes = (heads * head_dim, layers, heads, kv_heads, width, draw(st.integers(100, 300_000)))
    return config("Qwen3ForCausalLM", sizes, tied=draw(st.booleans()), head_dim=head_dim)


contexts = st.integers(1, 512).map(lambda steps: steps * 32)


@given(models(), contexts, st.sampled_from(list(load_platforms())))
def test_the_parts_add_up_and_intervals_enclose(model: Config, context: int, platform: str) -> None:
    prompt = min(128, context)
    found = estimate_model(
        facts_of(model, tensors(model)), get_platform(platform), context=context, prompt=prompt
    )
    for level in found.rows:
        for number in (level.ram, level.tokens_per_s, level.ttft_ms):
            if number is not None:
                assert 0 <= number.low <= number.value <= number.high
        if level.ram is not None and level.kv_cache_bytes is not None and level.overhead_bytes is not None:
            assert level.weights_bytes + level.kv_cache_bytes + level.overhead_bytes == level.ram.value
        assert level.supported is (level.reason is None)


def ram_at(model: Config, context: int, dtype: str) -> float:
    found = estimate_model(facts_of(model, tensors(model)), get_platform("rk3576"), context=context, prompt=1)
    return known(known(found.row(dtype)).ram).value


@given(models(), contexts.filter(lambda context: context < 16384))
def test_memory_grows_with_context_layers_and_bits(model: Config, context: int) -> None:
    layers = model["num_hidden_layers"]
    assert isinstance(layers, int)
    deeper = model | {"num_hidden_layers": layers + 1}
    for dtype in ("fp32", "int4", "fp16_rkllm", "w8a8", "w8a8_g128", "w4a16", "w4a16_g128"):
        here = ram_at(model, context, dtype)
        assert here < ram_at(deeper, context, dtype)
        assert here < ram_at(model, context + 32, dtype)
    by_bits = [ram_at(model, context, name) for name in ("w4a16", "w8a8", "fp16_rkllm")]
    assert by_bits == sorted(by_bits)
    by_group = [ram_at(model, context, f"w4a16_g{size}") for size in (128, 64, 32)]
    assert by_group == sorted(by_group)
