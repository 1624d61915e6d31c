import pytest

from core.base.errors import JsonValue, RKDeckError
from core.model.shape import ModelShape, build_shape
from tests.core.estimate.samples import CONFIGS, Config, facts, facts_of, tensor, tensors

# Parameters and linear weights as counted on instantiated models (transformers, meta device).
COUNTS = {
    "Qwen2-0.5B": (None, 493_961_216, 169, 6144),
    "TinyLLAMA-1.1B": (1_100_048_384, 1_034_420_224, 155, 11264),
    "MiniCPM4-0.5B": (433_873_920, 433_823_744, 169, 6144),
    "Phi3-3.8B": (3_821_079_552, 3_722_379_264, 129, 196608),
    "Gemma2-2B": (None, 2_614_099_968, 183, 53248),
    "Qwen3-1.7B": (None, 1_720_451_072, 197, 57344),
    "Qwen3-4B": (None, 4_022_272_000, 253, 73728),
    "Qwen2.5-VL-3B": (None, 3_085_697_024, 253, 18432),
}


def codes(shape: ModelShape) -> set[str]:
    return {note.code for note in shape.notes}


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("headers", [True, False])
def test_counts_to_the_last_weight(name: str, headers: bool) -> None:
    parameters, linear, matmuls, kv_elements = COUNTS[name]
    shape = build_shape(facts(name, headers=headers))
    assert shape.from_headers is headers
    assert shape.w_linear == shape.w_body + shape.w_head == shape.w_active == linear
    assert shape.n_matmul == shape.n_matmul_active == matmuls
    assert shape.kv_elements_per_token == kv_elements
    assert parameters in {None, shape.parameters}
    assert ("config_only" in codes(shape)) is not headers


def test_a_stored_tied_head_is_counted_once() -> None:
    model = CONFIGS["Qwen3-4B"]
    stored = (*tensors(model), tensor("lm_head.weight", 151936, 2560))
    assert build_shape(facts_of(model, stored)).parameters == build_shape(facts("Qwen3-4B")).parameters
    untied = build_shape(facts_of(model | {"tie_word_embeddings": False}, stored))
    assert untied.parameters - build_shape(facts("Qwen3-4B")).parameters == 151936 * 2560
    assert untied.w_linear == 4_022_272_000


def test_towers_stay_out_and_nested_configuration_is_read() -> None:
    text = CONFIGS["Qwen3-1.7B"]
    model: Config = {"architectures": ["Qwen3VLForConditionalGeneration"], "text_config": dict(text)}
    vision = (
        tensor("model.visual.blocks.0.attn.qkv.weight", 3072, 1024),
        tensor("mtp.layers.0.x.weight", 8, 8),
    )
    found = tensors(text, "model.language_model.")
    shape = build_shape(facts_of(model, found + vision))
    alone = build_shape(facts("Qwen3-1.7B"))
    assert (shape.w_linear, shape.parameters, shape.layers) == (alone.w_linear, alone.parameters, 28)
    assert [note.facts for note in shape.notes if note.code == "towers_excluded"] == [
        (("parameters", 3072 * 1024 + 64),)
    ]


def test_extra_prediction_layers_stay_out() -> None:
    model = CONFIGS["Qwen3-1.7B"]
    extra = tensor("model.layers.28.mlp.up_proj.weight", 6144, 2048)
    shape = build_shape(facts_of(model, (*tensors(model), extra)))
    assert shape.w_linear == COUNTS["Qwen3-1.7B"][1]
    assert "towers_excluded" in codes(shape)


def test_missing_layers_are_noticed() -> None:
    model = CONFIGS["Qwen2-0.5B"]
    fewer = tuple(info for info in tensors(model) if ".layers.23." not in info.name)
    assert "layers_differ" in codes(build_shape(facts_of(model, fewer)))


def test_attention_of_chatglm() -> None:
    # Names and sizes of THUDM/chatglm3-6b: fused qkv of 32 + 2 x 2 heads of 128.
    model: Config = {
        "architectures": ["ChatGLMModel"], "hidden_size": 4096, "num_layers": 28, "num_attention_heads": 32,
        "multi_query_attention": True, "multi_query_group_num": 2, "kv_channels": 128,
        "ffn_hidden_size": 13696, "padded_vocab_size": 65024,
    }  # fmt: skip
    block = {"self_attention.query_key_value": (4608, 4096), "self_attention.dense": (4096, 4096),
             "mlp.dense_h_to_4h": (27392, 4096), "mlp.dense_4h_to_h": (4096, 13696)}  # fmt: skip
    found = [tensor("transformer.embedding.word_embeddings.weight", 65024, 4096)]
    found += [
        tensor("transformer.output_layer.weight", 65024, 4096),
        tensor("transformer.rotary.inv_freq", 32),
    ]
    for layer in range(28):
        names = {f"transformer.encoder.layers.{layer}.{name}.weight": size for name, size in block.items()}
        found += [tensor(name, *size) for name, size in names.items()]
    shape = build_shape(facts_of(model, tuple(found)))
    assert (shape.w_linear, shape.n_matmul, shape.kv_elements_per_token) == (5_976_883_200, 113, 14336)
    assert shape.intermediate == 13696


def test_latent_attention_is_cached_expanded() -> None:
    model = CONFIGS["Qwen3-1.7B"] | {
        "architectures": ["MiniCPM3ForCausalLM"], "num_hidden_layers": 62, "num_attention_heads": 40,
        "hidden_size": 2560, "qk_nope_head_dim": 64, "qk_rope_head_dim": 32,
    }  # fmt: skip
    found = [tensor("model.embed_tokens.weight", 73448, 2560)]
    found += [tensor(f"model.layers.{n}.self_attn.kv_b_proj.weight", 5120, 256) for n in range(62)]
    assert build_shape(facts_of(model, tuple(found))).kv_elements_per_token == 396_800


def mixture(experts: tuple[str, ...]) -> ModelShape:
    model = CONFIGS["TinyLLAMA-1.1B"] | {
        "architectures": ["DeepseekOCRForCausalLM"], "n_routed_experts": 8, "num_experts_per_tok": 2,
    }  # fmt: skip
    plain = tuple(info for info in tensors(model) if ".mlp." not in info.name)
    shapes = {"one": (64, 2048), "all": (8, 2048, 64)}
    routed = tuple(
        tensor(
            f"model.layers.{layer}.mlp.experts.{name}", *shapes["one" if name.endswith("weight") else "all"]
        )
        for layer in range(22)
        for name in experts
    )
    return build_shape(facts_of(model, plain + routed))


def test_a_mixture_reads_only_its_routed_experts() -> None:
    apart = mixture(tuple(f"{number}.up_proj.weight" for number in range(8)))
    fused = mixture(("up_proj",))
    routed = 22 * 8 * 64 * 2048
    assert apart.w_linear - apart.w_active == routed * 6 // 8
    assert apart.n_matmul - apart.n_matmul_active == 22 * 6
    assert (fused.w_linear, fused.w_active, fused.n_matmul) == (
        apart.w_linear,
        apart.w_active,
        apart.n_matmul,
    )
    assert "mixture" in codes(apart)


@pytest.mark.parametrize(
    ("class_name", "known"),
    [
        ("RWKV7ForCausalLM", True),
        ("Qwen3_5ForConditionalGeneration", True),
        ("Gemma3nForConditionalGeneration", True),
        ("Gemma4ForConditionalGeneration", True),
        ("Lfm2VlForConditionalGeneration", True),
    ],
)
def test_kinds_without_a_model_are_flagged_not_guessed(class_name: str, known: bool) -> None:
    model = CONFIGS["Qwen3-1.7B"] | {"architectures": [class_name]}
    shape = build_shape(facts_of(model, tensors(model)))
    assert (shape.known, shape.modelled, shape.kv_elements_per_token) == (known, False, None)
    assert "no_memory_model" in codes(shape)


def test_an_unknown_class_is_counted_only_when_all_its_layers_are_attention() -> None:
    model = CONFIGS["Qwen3-1.7B"] | {"architectures": ["NovelForCausalLM"]}
    shape = build_shape(facts_of(model, tensors(model)))
    assert (shape.known, shape.modelled, shape.family) == (False, True, "unknown")
    assert "unknown_architecture" in codes(shape)
    hybrid = tuple(info for info in tensors(model) if ".3.self_attn.k_proj" not in info.name)
    assert build_shape(facts_of(model, hybrid)).kv_elements_per_token is None
    with pytest.raises(RKDeckError, match="no_shapes"):
        build_shape(facts_of(model, ()))


def test_a_hybrid_under_a_known_name_is_flagged() -> None:
    model = CONFIGS["Qwen3-1.7B"]
    hybrid = tuple(info for info in tensors(model) if ".3.self_attn.k_proj" not in info.name)
    shape = build_shape(facts_of(model, hybrid))
    assert (shape.known, shape.modelled) == (True, False)
    assert "no_memory_model" in codes(shape)


def test_a_quantized_checkpoint_is_counted_from_its_configuration() -> None:
    packed = (tensor("model.layers.0.self_attn.q_proj.qweight", 112, 896),)
    shape = build_shape(facts_of(CONFIGS["Qwen2-0.5B"], packed, "gptq"))
    assert (shape.w_linear, shape.quantization) == (493_961_216, "gptq")
    assert "quantized_source" in codes(shape)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_size": -1}, {"num_hidden_layers": 10**9}, {"num_attention_heads": "many"},
        {"vocab_size": None}, {"intermediate_size": [1, 2]}, {"hidden_size": True}, {"architectures": []},
        {"architectures": [7]}, {"architectures": "x"},
    ],
)  # fmt: skip
def test_an_absurd_configuration_is_refused(change: dict[str, JsonValue]) -> None:
    with pytest.raises(RKDeckError, match="no_shapes"):
        build_shape(facts_of(CONFIGS["TinyLLAMA-1.1B"] | change, ()))


def test_tensors_of_something_else_are_refused() -> None:
    with pytest.raises(RKDeckError, match="bad_shape"):
        build_shape(facts_of({"model_type": "vae"}, (tensor("decoder.conv_in.weight", 4, 4, 3, 3),)))


def test_a_hostile_class_name_is_made_printable() -> None:
    model = CONFIGS["Qwen3-1.7B"] | {"architectures": ["\x1b[31mEvil\u202e" + "x" * 1000]}
    shape = build_shape(facts_of(model, tensors(model)))
    assert shape.architecture.isprintable()
    assert len(shape.architecture) < 200


@pytest.mark.parametrize("architectures", [None, [], [None], {}, [""]])
def test_without_a_class_the_model_type_tells_what_it_is(architectures: JsonValue) -> None:
    model = CONFIGS["Qwen2-0.5B"] | {"model_type": "qwen2", "architectures": architectures}
    shape = build_shape(facts_of(model, tensors(model)))
    assert (shape.known, shape.family, shape.benchmarked) == (True, "dense", True)
    assert "by_model_type" in codes(shape)


def test_a_class_that_is_named_and_unknown_is_not_explained_away_by_the_model_type() -> None:
    model = CONFIGS["Qwen2-0.5B"] | {"model_type": "qwen2", "architectures": ["Qwen2ForTokenClassification"]}
    shape = build_shape(facts_of(model, tensors(model)))
    assert not shape.known
    assert {"by_model_type", "unknown_architecture"} & codes(shape) == {"unknown_architecture"}
