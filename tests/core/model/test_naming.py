"""Weights under the names of their architecture are taken, in every layout that models are published in."""

import math
from dataclasses import replace

import pytest

from core.base.errors import JsonValue, RefusedError
from core.model.headers import TensorInfo
from core.model.naming import refuse_misnamed

_ATTENTION = [f"self_attn.{part}_proj" for part in "qkvo"]
_GATED = [*_ATTENTION, "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]
_NESTED: dict[str, JsonValue] = {"text_config": {"hidden_size": 8, "num_hidden_layers": 2}}
_FLAT: dict[str, JsonValue] = {"num_hidden_layers": 2}

# As the models of these repositories are published, in front of the number and behind it.
PUBLISHED: dict[str, tuple[str, dict[str, JsonValue], str, list[str]]] = {
    "Qwen/Qwen2.5-1.5B": ("Qwen2ForCausalLM", _FLAT, "model.layers", _GATED),
    "TinyLlama/TinyLlama-1.1B": ("LlamaForCausalLM", _FLAT, "model.layers", _GATED),
    "a LlamaModel saved alone": ("LlamaForCausalLM", _FLAT, "layers", _GATED),
    "microsoft/Phi-3-mini": (
        "Phi3ForCausalLM", _FLAT, "model.layers",
        ["self_attn.qkv_proj", "self_attn.o_proj", "mlp.gate_up_proj", "mlp.down_proj"],
    ),
    "microsoft/phi-2": (
        "PhiForCausalLM", _FLAT, "model.layers",
        ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.dense", "mlp.fc1", "mlp.fc2"],
    ),
    "THUDM/chatglm3-6b": (
        "ChatGLMModel", {"num_layers": 2}, "transformer.encoder.layers",
        ["self_attention.query_key_value", "self_attention.dense", "mlp.dense_h_to_4h", "mlp.dense_4h_to_h"],
    ),
    "internlm/internlm2-1_8b": (
        "InternLM2ForCausalLM", _FLAT, "model.layers",
        ["attention.wqkv", "attention.wo", "feed_forward.w1", "feed_forward.w2", "feed_forward.w3"],
    ),
    "OpenGVLab/InternVL2-2B": (
        "InternVLChatModel", {"llm_config": _NESTED["text_config"]}, "language_model.model.layers",
        ["attention.wqkv", "attention.wo", "feed_forward.w1", "feed_forward.w2", "feed_forward.w3"],
    ),
    "OpenGVLab/InternVL2-4B": (
        "InternVLChatModel", {"llm_config": _NESTED["text_config"]}, "language_model.model.layers",
        ["self_attn.qkv_proj", "self_attn.o_proj", "mlp.gate_up_proj", "mlp.down_proj"],
    ),
    "OpenGVLab/InternVL3-1B": (
        "InternVLChatModel", {"llm_config": _NESTED["text_config"]}, "language_model.model.layers", _GATED,
    ),
    "Qwen/Qwen-1_8B": (
        "QWenLMHeadModel", _FLAT, "transformer.h", ["attn.c_attn", "attn.c_proj", "mlp.w1", "mlp.w2", "mlp.c_proj"],
    ),
    "Tele-AI/TeleChat2-3B": (
        "TeleChat2ForCausalLM", {"n_layer": 2}, "transformer.h",
        ["self_attention.query", "self_attention.key_value", "self_attention.dense",
         "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"],
    ),
    "openbmb/MiniCPM-V-2_6": ("MiniCPMV", _FLAT, "llm.model.layers", _GATED),
    "Qwen/Qwen2-VL-2B": ("Qwen2VLForConditionalGeneration", _FLAT, "model.layers", _GATED),
    "Qwen/Qwen3-VL-2B": ("Qwen3VLForConditionalGeneration", _NESTED, "model.language_model.layers", _GATED),
    "google/gemma-3-4b": ("Gemma3ForConditionalGeneration", _NESTED, "language_model.model.layers", _GATED),
    "google/gemma-3-1b": ("Gemma3ForCausalLM", _FLAT, "model.layers", _GATED),
    "google/gemma-3n-E2B": (
        "Gemma3nForConditionalGeneration", _NESTED, "model.language_model.layers",
        ["self_attn.q_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"],
    ),
    "HuggingFaceTB/SmolVLM-256M": (
        "Idefics3ForConditionalGeneration", _NESTED, "model.text_model.layers", _GATED,
    ),
    "deepseek-ai/deepseek-moe-16b": (
        "DeepseekForCausalLM", {**_FLAT, "n_routed_experts": 4}, "model.layers",
        [*_ATTENTION, "mlp.experts.0.gate_proj", "mlp.gate"],
    ),
    "an architecture nobody knows": ("BrandNewForCausalLM", _FLAT, "student.blocks", ["a", "b"]),
    "RWKV7, whose names are not known for certain": ("RWKV7ForCausalLM", _FLAT, "model.layers", ["attn.r_proj"]),
}  # fmt: skip


# Where these layouts have the embedding, by the first of their linear layers; beside the blocks where not named.
_EMBEDDINGS = {
    "self_attention.query_key_value": "transformer.embedding.word_embeddings", "attn.c_attn": "transformer.wte",
    "self_attention.query": "transformer.word_embeddings",
}  # fmt: skip


def tensor(name: str, *shape: int) -> TensorInfo:
    return TensorInfo(name, "F16", shape or (8, 8), 2 * math.prod(shape or (8, 8)))


def tensors(front: str, linears: list[str], layers: int = 2) -> list[TensorInfo]:
    beside = front.rpartition(".")[0]
    usual = "tok_embeddings" if linears[0] == "attention.wqkv" else "embed_tokens"
    embedding = _EMBEDDINGS.get(linears[0], f"{beside}.{usual}" if beside else usual)
    blocks = [tensor(f"{front}.{layer}.{linear}.weight") for layer in range(layers) for linear in linears]
    return [tensor(f"{embedding}.weight"), *blocks]


@pytest.mark.parametrize("model", PUBLISHED)
def test_a_published_layout_is_taken(model: str) -> None:
    class_name, config, front, linears = PUBLISHED[model]
    refuse_misnamed({"architectures": [class_name], **config}, tensors(front, linears), model)


def told(front: str, linears: list[str] = _GATED, **config: JsonValue) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        refuse_misnamed(
            {"architectures": ["Qwen2ForCausalLM"], **_FLAT, **config}, tensors(front, linears), "some/model"
        )
    return caught.value


@pytest.mark.parametrize(
    ("front", "prefix"),
    [
        ("pretrained_model.model.layers", "pretrained_model."), ("actor.model.layers", "actor."),
        ("model.model.layers", "model."), ("llm.model.layers", "llm."), ("a.b.c.model.layers", "a.b.c."),
        ("model.language_model.layers", "model.language_model."), ("model.module.layers", "model.module."),
    ],
)  # fmt: skip
def test_any_prefix_in_front_is_named(front: str, prefix: str) -> None:
    refusal = told(front)
    assert (refusal.code, refusal.facts["prefix"]) == ("model.wrapped", prefix)


def test_what_is_missing_and_what_stands_there_is_named() -> None:
    refusal = told("model.layers", [name.replace("q_proj", "q_proj.linear") for name in _GATED])
    assert refusal.code == "model.misnamed"
    assert refusal.facts["missing"] == "model.layers.0.self_attn.q_proj.weight"
    assert refusal.facts["tensor"] == "model.layers.0.self_attn.q_proj.linear.weight"


def test_a_layer_that_is_not_there_is_missed() -> None:
    refusal = told("model.layers", num_hidden_layers=3)
    assert refusal.code == "model.incomplete"
    assert refusal.facts["missing"] == "model.layers.2.self_attn.q_proj.weight"


def test_a_tensor_without_elements_is_missed() -> None:
    whole = tensors("model.layers", _GATED)
    hollow = [whole[0], replace(whole[1], shape=(0,), size_bytes=0), *whole[2:]]
    with pytest.raises(RefusedError) as caught:
        refuse_misnamed({"architectures": ["Qwen2ForCausalLM"], **_FLAT}, hollow, "some/model")
    assert (caught.value.code, caught.value.facts["missing"]) == ("model.incomplete", whole[1].name)


def test_a_model_of_a_type_without_a_class_is_looked_at_too() -> None:
    assert told("actor.model.layers", architectures=None, model_type="qwen2").code == "model.wrapped"


def test_layers_without_number_cost_no_time() -> None:
    assert told("model.layers", num_hidden_layers=1 << 30).code == "model.incomplete"


def refused(found: list[TensorInfo], **config: JsonValue) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        refuse_misnamed({"architectures": ["Qwen2ForCausalLM"], **_FLAT, **config}, found, "some/model")
    return caught.value


def test_without_a_number_of_layers_the_first_is_looked_for() -> None:
    assert told("student.model.layers", num_hidden_layers=None).code == "model.wrapped"


def test_a_layer_under_the_name_of_older_code_is_no_lost_one() -> None:
    older = [name for name in _GATED if "self_attn" not in name] + ["self_attn.query_key_value"]
    refusal = told("model.layers", older)
    assert refusal.code == "model.misnamed"
    assert refusal.facts["tensor"] == "model.layers.0.self_attn.query_key_value.weight"


def test_a_lost_layer_is_not_said_to_have_its_neighbours_name() -> None:
    refusal = told("model.layers", [name for name in _GATED if "k_proj" not in name])
    assert (refusal.code, refusal.facts["missing"]) == (
        "model.incomplete",
        "model.layers.0.self_attn.k_proj.weight",
    )


@pytest.mark.parametrize(
    "name", ["model.embed_tokens.emb.weight", "transformer.wte.weight", "model.embed_tokens.original.weight"]
)
def test_an_embedding_nobody_looks_for_is_named(name: str) -> None:
    found = [tensor(name, 64, 8), *tensors("model.layers", _GATED)[1:]]
    refusal = refused(found, vocab_size=64, hidden_size=8)
    assert (refusal.code, refusal.facts["tensor"]) == ("model.misnamed", name)


def test_weights_without_an_embedding_are_not_complete() -> None:
    assert refused(tensors("model.layers", _GATED)[1:]).code == "model.incomplete"


@pytest.mark.parametrize(
    ("name", "code"), [("lm_head.linear.weight", "model.misnamed"), ("a.bias", "model.incomplete")]
)
def test_a_head_that_is_not_the_embeddings_has_to_be_there(name: str, code: str) -> None:
    found = [*tensors("model.layers", _GATED), tensor(name)]
    assert refused(found, tie_word_embeddings=False).code == code
    refuse_misnamed({"architectures": ["Qwen2ForCausalLM"], **_FLAT}, found, "m")


@pytest.mark.parametrize("head", ["lm_head", "language_model.lm_head", "output", "transformer.output_layer"])
def test_a_head_is_found_wherever_it_is_published(head: str) -> None:
    found = [*tensors("model.layers", _GATED), tensor(f"{head}.weight")]
    refuse_misnamed(
        {"architectures": ["Qwen2ForCausalLM"], **_FLAT, "tie_word_embeddings": False}, found, "m"
    )


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("vocab_size", "model.embed_tokens.weight"), ("hidden_size", "model.embed_tokens.weight"),
        ("intermediate_size", "model.layers.0.mlp.gate_proj.weight"),
    ],
)  # fmt: skip
def test_a_shape_that_is_not_the_configurations_is_told(key: str, named: str) -> None:
    refusal = refused(tensors("model.layers", _GATED), **{key: 16})
    assert (refusal.code, refusal.facts["tensor"]) == ("model.other_shape", named)
    assert refusal.facts["shape"] == "8 x 8"


def test_a_matrix_that_was_turned_is_told() -> None:
    found = tensors("model.layers", _GATED)
    found = [replace(one, shape=(8, 12)) if "q_proj" in one.name else one for one in found]
    assert refused(found, hidden_size=8).facts["wanted"] == "? x 8"
