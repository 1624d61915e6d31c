"""Kinds of models beyond plain attention: what they keep between tokens, counted from their headers.

Shapes after each model's config.json and the parameter counts of its model class (transformers, fla).
"""

from core.estimate.table import estimate_model
from core.model.headers import TensorInfo
from core.model.shape import ModelShape, build_shape
from core.vendor.platforms import get_platform
from tests.core.estimate.samples import Config, facts_of, tensor

GEMMA4_FULL = frozenset(range(4, 35, 5))


def shape_of(model: Config, found: list[TensorInfo]) -> ModelShape:
    return build_shape(facts_of(model, tuple(found)))


def block(layer: int, **linear: tuple[int, int]) -> list[TensorInfo]:
    return [
        tensor(f"model.layers.{layer}.{name.replace('__', '.')}.weight", *size)
        for name, size in linear.items()
    ]


def rwkv7() -> tuple[Config, list[TensorInfo]]:
    """RWKV7 1.5B: 24 layers of 32 heads of 64."""
    model: Config = {
        "architectures": ["RWKV7ForCausalLM"], "hidden_size": 2048, "num_hidden_layers": 24, "head_dim": 64,
        "num_heads": 32, "intermediate_size": 8192, "vocab_size": 65536, "tie_word_embeddings": False,
    }  # fmt: skip
    found = [tensor("model.embeddings.weight", 65536, 2048), tensor("lm_head.weight", 65536, 2048)]
    for layer in range(24):
        square = (2048, 2048)
        found += block(
            layer, attn__r_proj=square, attn__k_proj=square, attn__v_proj=square, attn__o_proj=square
        )
        for name, rank in (("w", 96), ("a", 96), ("g", 256), *([("v", 64)] if layer else [])):
            found.append(tensor(f"model.layers.{layer}.attn.{name}_lora.lora.0.weight", rank, 2048))
            found.append(tensor(f"model.layers.{layer}.attn.{name}_lora.lora.2.weight", 2048, rank))
        found += block(layer, ffn__key=(8192, 2048), ffn__value=(2048, 8192))
        found.append(tensor(f"model.layers.{layer}.attn.x_r", 1, 1, 2048))
    return model, found


def qwen3_5() -> tuple[Config, list[TensorInfo]]:
    """Qwen3.5 0.8B: attention in every fourth layer, Gated DeltaNet in the others."""
    text: Config = {
        "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 8, "num_key_value_heads": 2,
        "head_dim": 256, "intermediate_size": 3584, "vocab_size": 248320, "linear_num_key_heads": 16,
        "linear_num_value_heads": 16, "linear_key_head_dim": 128, "linear_value_head_dim": 128,
    }  # fmt: skip
    model: Config = {
        "architectures": ["Qwen3_5ForConditionalGeneration"], "tie_word_embeddings": True, "text_config": text,
    }  # fmt: skip
    found = [tensor("model.language_model.embed_tokens.weight", 248320, 1024)]
    for layer in range(24):
        if layer % 4 == 3:
            found += block(
                layer, self_attn__q_proj=(4096, 1024), self_attn__k_proj=(512, 1024),
                self_attn__v_proj=(512, 1024), self_attn__o_proj=(1024, 2048),
            )  # fmt: skip
        else:
            found += block(
                layer, linear_attn__in_proj_qkv=(6144, 1024), linear_attn__in_proj_z=(2048, 1024),
                linear_attn__in_proj_b=(16, 1024), linear_attn__in_proj_a=(16, 1024),
                linear_attn__out_proj=(1024, 2048),
            )  # fmt: skip
            found.append(tensor(f"model.layers.{layer}.linear_attn.conv1d.weight", 6144, 1, 4))
        found += block(
            layer, mlp__gate_proj=(3584, 1024), mlp__up_proj=(3584, 1024), mlp__down_proj=(1024, 3584)
        )
    return model, found


def gemma3n() -> tuple[Config, list[TensorInfo]]:
    """Gemma 3n E2B: four streams, per-layer embeddings, ten layers that reuse keys and values but carry projections."""
    text: Config = {
        "hidden_size": 2048, "num_hidden_layers": 30, "num_attention_heads": 8, "num_key_value_heads": 2,
        "head_dim": 256, "intermediate_size": 8192, "vocab_size": 262400, "num_kv_shared_layers": 10,
        "altup_num_inputs": 4,
    }  # fmt: skip
    model: Config = {"architectures": ["Gemma3nForConditionalGeneration"], "text_config": text}
    prefix = "model.language_model."
    found = [
        tensor(f"{prefix}embed_tokens.weight", 262400, 2048),
        tensor(f"{prefix}embed_tokens_per_layer.weight", 262144, 7680),
        tensor(f"{prefix}per_layer_model_projection.weight", 7680, 2048),
        *(tensor(f"{prefix}altup_projections.{n}.weight", 2048, 2048) for n in range(3)),
        *(tensor(f"{prefix}altup_unembed_projections.{n}.weight", 2048, 2048) for n in range(3)),
        tensor("model.vision_tower.timm_model.blocks.1.0.conv_exp.weight", 256, 64, 3, 3),
    ]
    for layer in range(30):
        found += block(
            layer, self_attn__q_proj=(2048, 2048), self_attn__k_proj=(512, 2048), self_attn__v_proj=(512, 2048),
            self_attn__o_proj=(2048, 2048), mlp__gate_proj=(8192, 2048), mlp__up_proj=(8192, 2048),
            mlp__down_proj=(2048, 8192), altup__correction_coefs=(4, 4), altup__prediction_coefs=(16, 4),
            altup__modality_router=(4, 2048), laurel__linear_left=(64, 2048), laurel__linear_right=(2048, 64),
            per_layer_input_gate=(256, 2048), per_layer_projection=(2048, 256),
        )  # fmt: skip
    return model, found


def gemma4() -> tuple[Config, list[TensorInfo]]:
    """Gemma 4 E2B: wide heads in every fifth layer, twenty layers without keys and values of their own."""
    text: Config = {
        "hidden_size": 1536, "num_hidden_layers": 35, "num_attention_heads": 8, "num_key_value_heads": 1,
        "head_dim": 256, "global_head_dim": 512, "intermediate_size": 6144, "vocab_size": 262144,
        "num_kv_shared_layers": 20,
    }  # fmt: skip
    model: Config = {"architectures": ["Gemma4ForConditionalGeneration"], "text_config": text}
    found = [
        tensor("model.language_model.embed_tokens.weight", 262144, 1536),
        tensor("model.language_model.embed_tokens_per_layer.weight", 262144, 8960),
        tensor("model.language_model.per_layer_model_projection.weight", 8960, 1536),
    ]
    for layer in range(35):
        head = 512 if layer in GEMMA4_FULL else 256
        width = 6144 if layer < 15 else 12288
        found += block(
            layer, self_attn__q_proj=(8 * head, 1536), self_attn__o_proj=(1536, 8 * head),
            mlp__gate_proj=(width, 1536), mlp__up_proj=(width, 1536), mlp__down_proj=(1536, width),
            per_layer_input_gate=(256, 1536), per_layer_projection=(1536, 256),
        )  # fmt: skip
        if layer < 15:
            found += block(layer, self_attn__k_proj=(head, 1536), self_attn__v_proj=(head, 1536))
    return model, found


def test_a_recurrent_model_keeps_a_state_and_no_keys() -> None:
    shape = shape_of(*rwkv7())
    assert (shape.w_linear, shape.n_matmul) == (1_392_246_784, 335)
    assert (shape.kv_elements_per_token, shape.recurrent_state_elements) == (0, 24 * 32 * 64 * 64)


def test_a_hybrid_keeps_keys_in_some_layers_and_a_state_in_the_others() -> None:
    shape = shape_of(*qwen3_5())
    assert (shape.w_linear, shape.n_matmul) == (751_894_528, 187)
    assert (shape.kv_elements_per_token, shape.recurrent_state_elements) == (6144, 18 * 16 * 128 * 128)


def test_shared_keys_are_counted_once_and_unused_projections_left_out() -> None:
    shape = shape_of(*gemma3n())
    assert (shape.w_linear, shape.n_matmul, shape.altup_layers) == (2_421_410_144, 408, 30)
    assert shape.kv_elements_per_token == 20_480
    assert "unrecognised_tensors" not in {note.code for note in shape.notes}


def test_wide_heads_and_double_width_are_read_from_the_headers() -> None:
    shape = shape_of(*gemma4())
    assert (shape.w_linear, shape.n_matmul, shape.altup_layers) == (2_279_473_152, 277, 0)
    assert shape.kv_elements_per_token == 9216


def test_these_kinds_meet_the_vendors_rows() -> None:
    # Rockchip rknn-llm benchmark v1.3.0; the hardest: RWKV7 (tokens/s +18 %), Gemma 4 (memory -5 %).
    for (model, found), platform, dtype, ttft_ms, tokens_per_s, memory_mib in (
        (rwkv7(), "rk3588", "w8a8", 634.34, 13.82, 1486.19),
        (rwkv7(), "rk3576", "w4a16", 1572.09, 10.18, 835.34),
        (qwen3_5(), "rk3588", "w8a8", 587.74, 27.05, 1039.66),
        (qwen3_5(), "rv1126b", "w4a16", 4359.89, 10.18, 659.16),
        (gemma3n(), "rk3588", "w8a8", 1124.51, 9.91, 2702.59),
        (gemma4(), "rk3576", "w4a16_g128", 1445.36, 8.27, 1564.91),
    ):
        row = estimate_model(facts_of(model, tuple(found)), get_platform(platform), context=256).row(dtype)
        assert row is not None
        assert row.ram is not None
        assert row.tokens_per_s is not None
        assert row.ttft_ms is not None
        assert abs(row.ram.value / 2**20 / memory_mib - 1) < 0.06, (platform, dtype)
        assert abs(row.tokens_per_s.value / tokens_per_s - 1) < 0.19, (platform, dtype)
        assert abs(row.ttft_ms.value / ttft_ms - 1) < 0.22, (platform, dtype)


def test_a_layer_that_is_neither_attention_nor_recurrence_is_flagged() -> None:
    model, found = qwen3_5()
    shape = shape_of(model, [info for info in found if ".5.linear_attn" not in info.name])
    assert not shape.modelled
    assert "no_memory_model" in {note.code for note in shape.notes}
