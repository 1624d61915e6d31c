"""The numpy forward pass: against transformers, against itself step by step, and against bad input."""

import math
from typing import Any

import numpy as np
import pytest

from core.quantization.forward import (
    Float32,
    Forward,
    ForwardError,
    linear_names,
    perplexity,
    quantize_tokens,
    read_shape,
)

CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 67,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 40,
    "rope_theta": 10000.0,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
}
QWEN: dict[str, Any] = {**CONFIG, "model_type": "qwen2", "head_dim": 8, "tie_word_embeddings": True}
TOKENS = [3, 66, 0, 12, 12, 40, 5, 31, 2, 9, 60, 1]


def random_weights(config: dict[str, Any], seed: int = 5) -> dict[str, Float32]:
    """Weights large enough that attention and the gates are far from linear."""
    rng = np.random.default_rng(seed)
    hidden, middle, vocabulary = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    query = config["num_attention_heads"] * config["head_dim"]
    key = config["num_key_value_heads"] * config["head_dim"]
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (vocabulary, hidden),
        "model.norm.weight": (hidden,),
    }
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (vocabulary, hidden)
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        sizes = {"q_proj": (query, hidden), "k_proj": (key, hidden), "v_proj": (key, hidden)}
        for name, size in sizes.items():
            shapes[f"{prefix}self_attn.{name}.weight"] = size
            if config["model_type"] == "qwen2":
                shapes[f"{prefix}self_attn.{name}.bias"] = size[:1]
        shapes[f"{prefix}self_attn.o_proj.weight"] = (hidden, query)
        shapes[f"{prefix}mlp.gate_proj.weight"] = shapes[f"{prefix}mlp.up_proj.weight"] = (middle, hidden)
        shapes[f"{prefix}mlp.down_proj.weight"] = (hidden, middle)
        shapes[f"{prefix}input_layernorm.weight"] = (hidden,)
        shapes[f"{prefix}post_attention_layernorm.weight"] = (hidden,)
    return {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize("config", [CONFIG, QWEN], ids=["llama", "qwen2"])
def test_agrees_with_transformers(config: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed (dependency group `model`)")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed (group `model`)")
    weights = random_weights(config)
    kinds = {"llama": transformers.LlamaForCausalLM, "qwen2": transformers.Qwen2ForCausalLM}
    configs = {"llama": transformers.LlamaConfig, "qwen2": transformers.Qwen2Config}
    model = kinds[config["model_type"]](configs[config["model_type"]](**config)).eval()
    state = {name: torch.from_numpy(array) for name, array in weights.items()}
    if config["tie_word_embeddings"]:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state, strict=True)
    with torch.no_grad():
        expected = model(input_ids=torch.tensor([TOKENS])).logits[0].numpy()
    difference = float(np.max(np.abs(Forward(config, weights).logits(TOKENS) - expected)))
    assert difference <= 1e-4 * float(np.max(np.abs(expected))), f"largest difference {difference}"


@pytest.mark.parametrize("activation_bits", [None, 8])
@pytest.mark.parametrize("config", [CONFIG, QWEN], ids=["llama", "qwen2"])
def test_decoding_step_by_step_gives_the_whole_sequence(
    config: dict[str, Any], activation_bits: int | None
) -> None:
    forward = Forward(config, random_weights(config), activation_bits=activation_bits)
    whole = forward.logits(TOKENS)
    assert whole.dtype == np.float32
    assert whole.shape == (len(TOKENS), config["vocab_size"])
    # Int8 inputs may fall on the other side of a rounding edge when float sums differ in their last digit.
    tolerance = 1e-4 if activation_bits is None else 5e-2
    first = forward.prefill(TOKENS[:4])
    assert first == pytest.approx(whole[3], abs=tolerance)
    for index, token in enumerate(TOKENS[4:8], 4):
        assert forward.step(token) == pytest.approx(whole[index], abs=tolerance)
    assert forward.prefill(TOKENS[8:]) == pytest.approx(whole[-1], abs=tolerance)
    assert forward.position == len(TOKENS)


def test_reset_forgets_and_logits_leaves_the_cache_alone() -> None:
    forward = Forward(CONFIG, random_weights(CONFIG))
    fresh = forward.prefill(TOKENS[:3])
    forward.logits(TOKENS)
    assert forward.position == 3
    forward.reset()
    assert forward.position == 0
    assert np.array_equal(forward.prefill(TOKENS[:3]), fresh)


def test_no_token_sees_the_future() -> None:
    forward = Forward(CONFIG, random_weights(CONFIG))
    changed = [*TOKENS[:6], *reversed(TOKENS[6:])]
    assert forward.logits(changed)[:6] == pytest.approx(forward.logits(TOKENS)[:6], abs=1e-5)
    assert not np.allclose(forward.logits(changed)[6:], forward.logits(TOKENS)[6:])


def test_order_matters() -> None:
    forward = Forward(CONFIG, random_weights(CONFIG))
    assert not np.allclose(forward.logits([1, 2, 3])[-1], forward.logits([2, 1, 3])[-1])


def test_extra_tensors_and_float16_are_fine() -> None:
    weights: dict[str, np.ndarray[Any, Any]] = dict(random_weights(CONFIG))
    expected = Forward(CONFIG, {k: v.astype(np.float16).astype(np.float32) for k, v in weights.items()})
    halves = {name: array.astype(np.float16) for name, array in weights.items()}
    halves["model.layers.0.self_attn.rotary_emb.inv_freq"] = np.zeros(8, np.float16)
    assert np.array_equal(Forward(CONFIG, halves).logits(TOKENS), expected.logits(TOKENS))


def test_rope_theta_of_transformers_5_is_read() -> None:
    newer = {key: value for key, value in CONFIG.items() if key != "rope_theta"}
    newer["rope_parameters"] = {"rope_type": "default", "rope_theta": 500.0}
    assert read_shape(newer).rope_theta == 500.0
    assert read_shape(CONFIG).rope_theta == 10000.0


def test_int8_inputs_are_close_but_not_equal() -> None:
    weights = random_weights(CONFIG)
    exact, rounded = Forward(CONFIG, weights), Forward(CONFIG, weights, activation_bits=8)
    difference = np.abs(exact.logits(TOKENS) - rounded.logits(TOKENS))
    assert 0 < float(difference.max()) < 0.1 * float(np.abs(exact.logits(TOKENS)).max())


def test_tokens_are_quantized_each_with_its_own_scale() -> None:
    integers, scale = quantize_tokens(np.array([[1.0, -2.54], [0.0, 0.0], [127.0, 0.4]], np.float32))
    assert integers.tolist() == [[50, -127], [0, 0], [127, 0]]
    assert scale[:, 0] == pytest.approx([0.02, 1.0, 1.0])


def test_perplexity_of_equal_scores_is_the_vocabulary() -> None:
    weights = random_weights(CONFIG)
    weights["lm_head.weight"] = np.zeros_like(weights["lm_head.weight"])
    assert perplexity(Forward(CONFIG, weights), TOKENS, 5) == pytest.approx(67.0)


def test_perplexity_uses_separate_windows() -> None:
    forward = Forward(CONFIG, random_weights(CONFIG))
    losses = []
    for start in (0, 5, 10):  # 12 tokens: windows of 5, 5 and 2
        part = TOKENS[start : start + 5]
        scores = forward.logits(part)[:-1].astype(np.float64)
        chosen = scores[np.arange(len(part) - 1), part[1:]]
        losses += list(np.log(np.sum(np.exp(scores), axis=1)) - chosen)
    assert len(losses) == 9
    assert perplexity(forward, TOKENS, 5) == pytest.approx(math.exp(np.mean(losses)), rel=1e-5)


def test_linear_names_cover_the_head_unless_tied() -> None:
    assert len(linear_names(read_shape(CONFIG))) == 2 * 7 + 1
    assert "lm_head.weight" not in linear_names(read_shape(QWEN))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"model_type": "mixtral"}, "forward.unsupported"),
        ({"model_type": None}, "forward.unsupported"),
        ({"hidden_act": "gelu"}, "forward.unsupported"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "forward.unsupported"),
        ({"use_sliding_window": True}, "forward.unsupported"),
        ({"hidden_size": "32"}, "forward.config"),
        ({"hidden_size": -32}, "forward.config"),
        ({"num_hidden_layers": None}, "forward.config"),
        ({"num_attention_heads": 0}, "forward.config"),
        ({"num_key_value_heads": 3}, "forward.config"),
        ({"head_dim": 7}, "forward.config"),
        ({"vocab_size": 2**40}, "forward.config"),
        ({"rms_norm_eps": float("nan")}, "forward.config"),
        ({"rope_scaling": "linear"}, "forward.config"),
        ({"intermediate_size": 64}, "forward.tensor_shape"),
        ({"num_hidden_layers": 3}, "forward.tensor_missing"),
        ({"num_hidden_layers": 2_000_000_000}, "forward.tensor_missing"),
    ],
)
def test_configs_that_cannot_be_computed_are_refused(change: dict[str, Any], code: str) -> None:
    with pytest.raises(ForwardError) as caught:
        Forward({**CONFIG, **change}, random_weights(CONFIG))
    assert caught.value.code == code


def test_integer_tensors_are_refused() -> None:
    weights: dict[str, np.ndarray[Any, Any]] = dict(random_weights(CONFIG))
    weights["lm_head.weight"] = weights["lm_head.weight"].astype(np.int8)
    with pytest.raises(ForwardError) as caught:
        Forward(CONFIG, weights)
    assert caught.value.code == "forward.tensor_shape"
    assert caught.value.facts["tensor"] == "lm_head.weight"


@pytest.mark.parametrize(
    ("tokens", "code"),
    [([], "forward.no_tokens"), ([67], "forward.token_range"), ([-1], "forward.token_range"),
     ([1] * 41, "forward.context_full")],
)  # fmt: skip
def test_tokens_that_cannot_be_computed_are_refused(tokens: list[int], code: str) -> None:
    with pytest.raises(ForwardError) as caught:
        Forward(CONFIG, random_weights(CONFIG)).logits(tokens)
    assert caught.value.code == code


def test_a_full_cache_refuses_and_keeps_what_it_has() -> None:
    forward = Forward(CONFIG, random_weights(CONFIG))
    forward.prefill([1] * 40)
    with pytest.raises(ForwardError, match="context_full"):
        forward.step(1)
    assert forward.position == 40


@pytest.mark.parametrize("window", [0, 1, 41])
def test_impossible_windows_are_refused(window: int) -> None:
    with pytest.raises(ForwardError, match=r"forward\.window"):
        perplexity(Forward(CONFIG, random_weights(CONFIG)), TOKENS, window)


def test_other_activation_bits_are_refused() -> None:
    with pytest.raises(ForwardError, match="activation_bits"):
        Forward(CONFIG, random_weights(CONFIG), activation_bits=4)
