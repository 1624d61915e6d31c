"""Well-known models as config.json and tensor headers, and rows of the vendor's benchmark, for the tests."""

import json
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import JsonValue
from core.model.facts import ModelFacts
from core.model.headers import TensorInfo

Config = dict[str, JsonValue]


def config(
    class_name: str, sizes: tuple[int, int, int, int, int, int], *, tied: bool, **more: JsonValue
) -> Config:
    """sizes: hidden, layers, heads, key/value heads, FFN width, vocabulary (config.json of each model)."""
    hidden, layers, heads, kv_heads, width, vocab = sizes
    return {
        "architectures": [class_name],
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "intermediate_size": width,
        "vocab_size": vocab,
        "tie_word_embeddings": tied,
        **more,
    }


CONFIGS: dict[str, Config] = {
    "Qwen2-0.5B": config("Qwen2ForCausalLM", (896, 24, 14, 2, 4864, 151936), tied=True),
    "TinyLLAMA-1.1B": config("LlamaForCausalLM", (2048, 22, 32, 4, 5632, 32000), tied=False),
    "MiniCPM4-0.5B": config("MiniCPMForCausalLM", (1024, 24, 16, 2, 4096, 73448), tied=True),
    "Phi3-3.8B": config("Phi3ForCausalLM", (3072, 32, 32, 32, 8192, 32064), tied=False),
    "Gemma2-2B": config("Gemma2ForCausalLM", (2304, 26, 8, 4, 9216, 256000), tied=True, head_dim=256),
    "Qwen3-1.7B": config("Qwen3ForCausalLM", (2048, 28, 16, 8, 6144, 151936), tied=True, head_dim=128),
    "Qwen3-4B": config("Qwen3ForCausalLM", (2560, 36, 32, 8, 9728, 151936), tied=True, head_dim=128),
    "Qwen2.5-VL-3B": config(
        "Qwen2_5_VLForConditionalGeneration", (2048, 36, 16, 2, 11008, 151936), tied=True
    ),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of "Rockchip rknn-llm benchmark v1.3.0": prompt 128, 64 new tokens."""

    platform: str
    model: str
    dtype: str
    ttft_ms: float
    tokens_per_s: float
    memory_mib: float


ROWS = (
    Row("rk3588", "Qwen2-0.5B", "w8a8", 145.9, 41.58, 669.56),
    Row("rk3588", "TinyLLAMA-1.1B", "w8a8", 243.93, 24.43, 1093.66),
    Row("rk3588", "Phi3-3.8B", "w8a8", 1017.28, 7.45, 3758.34),
    Row("rk3588", "Qwen3-1.7B", "w8a8", 383.62, 14.98, 1868.98),  # the language part of Qwen3-VL-2B
    Row("rk3576", "Qwen2-0.5B", "w4a16", 342.37, 32.56, 443.44),
    Row("rk3576", "Qwen3-1.7B", "w4a16_g128", 983.2, 11.42, 1146.77),
    Row("rk3576", "Gemma2-2B", "w4a16", 997.92, 9.14, 1542.14),
    Row("rk3576", "Phi3-3.8B", "w8a8", 1615.97, 3.74, 3767.28),
    Row("rk3562", "Qwen2-0.5B", "w8a8", 640.65, 13.56, 647.63),
    Row("rv1126b", "MiniCPM4-0.5B", "w4a16_g128", 693.41, 19.24, 301.88),
)


def tensors(model: Config, prefix: str = "model.") -> tuple[TensorInfo, ...]:
    """The tensors of a model, named and cut as its checkpoint on the Hub has them."""
    hidden, width, vocab = (
        _int(model, "hidden_size"),
        _int(model, "intermediate_size"),
        _int(model, "vocab_size"),
    )
    heads, kv_heads = _int(model, "num_attention_heads"), _int(model, "num_key_value_heads")
    head_dim = _int(model, "head_dim") if "head_dim" in model else hidden // heads
    queries, keys = heads * head_dim, kv_heads * head_dim
    attention: dict[str, tuple[int, ...]] = {
        "self_attn.q_proj": (queries, hidden),
        "self_attn.k_proj": (keys, hidden),
        "self_attn.v_proj": (keys, hidden),
    }
    ffn: dict[str, tuple[int, ...]] = {"mlp.gate_proj": (width, hidden), "mlp.up_proj": (width, hidden)}
    if model["architectures"] == ["Phi3ForCausalLM"]:
        attention = {"self_attn.qkv_proj": (queries + 2 * keys, hidden)}
        ffn = {"mlp.gate_up_proj": (2 * width, hidden)}
    block = attention | {"self_attn.o_proj": (hidden, queries)} | ffn | {"mlp.down_proj": (hidden, width)}
    block |= {"input_layernorm": (hidden,), "post_attention_layernorm": (hidden,)}
    shapes = {f"{prefix}embed_tokens.weight": (vocab, hidden), f"{prefix}norm.weight": (hidden,)}
    for layer in range(_int(model, "num_hidden_layers")):
        shapes |= {f"{prefix}layers.{layer}.{name}.weight": shape for name, shape in block.items()}
    if not model["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (vocab, hidden)
    return tuple(tensor(name, *shape) for name, shape in shapes.items())


def tensor(name: str, *shape: int) -> TensorInfo:
    """A BF16 tensor."""
    bare = TensorInfo(name, "BF16", shape, 0)
    return TensorInfo(name, "BF16", shape, 2 * bare.elements)


def facts(name: str, *, headers: bool = True) -> ModelFacts:
    """The facts of a named model, with or without tensor headers."""
    model = CONFIGS[name]
    return ModelFacts(name, model, tensors(model) if headers else (), 0, None, "safetensors")


def facts_of(model: Config, found: tuple[TensorInfo, ...], quantization: str | None = None) -> ModelFacts:
    """The facts of a model made up by a test."""
    return ModelFacts("made/up", model, found, 0, quantization, "safetensors")


def header_bytes(found: tuple[TensorInfo, ...]) -> bytes:
    """The start of a .safetensors file with these tensors one after the other."""
    members: dict[str, JsonValue] = {"__metadata__": {"format": "pt"}}
    position = 0
    for info in found:
        end = position + info.size_bytes
        members[info.name] = {"dtype": info.dtype, "shape": list(info.shape), "data_offsets": [position, end]}
        position = end
    text = json.dumps(members).encode()
    return len(text).to_bytes(8, "little") + text


def write_sparse(path: Path, found: tuple[TensorInfo, ...]) -> None:
    """Write a .safetensors file of full length whose data is a hole in the file."""
    head = header_bytes(found)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + sum(info.size_bytes for info in found))


def _int(model: Config, key: str) -> int:
    value = model[key]
    assert isinstance(value, int)
    return value
