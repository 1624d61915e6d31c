"""A random little model as a file of the stand-in toolkit: enough to load and chat, different by dtype."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from core.demo.container import Tensor, write_container
from core.quantization.affine import pack_int4, quantize_linear
from core.quantization.forward import linear_names, read_shape

SPECIAL = ["<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
_TEXT = "the quick brown fox jumps over the lazy dog while the rain in Spain falls mainly on the plain " * 4


def write_tiny_model(
    path: Path,
    dtype: str = "w8a8",
    *,
    seed: int = 1,
    hidden: int = 32,
    layers: int = 2,
    context: int = 256,
    platform: str = "rk3588",
    **metadata: object,
) -> Path:
    """Write a file; `metadata` replaces or adds entries. No token ends an answer."""
    tokenizer = _tokenizer()
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5,
    }
    known = {
        "simulated": True,
        "toolkit_version": "1.3.0+simulated",
        "platform": platform,
        "dtype": dtype,
        "max_context": context,
        "npu_cores": 3,
        "architecture": "LlamaForCausalLM",
        "config": config,
        "chat_template": TEMPLATE,
        "template_words": {"eos_token": SPECIAL[0]},
        "end_tokens": [],
    }
    sections = {"tokenizer": tokenizer.to_str().encode()}
    write_container(path, known | metadata, sections, _tensors(config, dtype, seed))
    return path


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([_TEXT], trainer)
    return tokenizer


def _tensors(config: dict[str, Any], dtype: str, seed: int) -> list[Tensor]:
    chance = np.random.default_rng(seed)
    shape = read_shape(config)
    kv = shape.kv_heads * shape.head_dim
    sizes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (shape.vocabulary, shape.hidden),
        "model.norm.weight": (shape.hidden,),
        "lm_head.weight": (shape.vocabulary, shape.hidden),
    }
    for layer in range(shape.layers):
        prefix = f"model.layers.{layer}."
        sizes |= {
            f"{prefix}input_layernorm.weight": (shape.hidden,),
            f"{prefix}post_attention_layernorm.weight": (shape.hidden,),
            f"{prefix}self_attn.q_proj.weight": (shape.hidden, shape.hidden),
            f"{prefix}self_attn.k_proj.weight": (kv, shape.hidden),
            f"{prefix}self_attn.v_proj.weight": (kv, shape.hidden),
            f"{prefix}self_attn.o_proj.weight": (shape.hidden, shape.hidden),
            f"{prefix}mlp.gate_proj.weight": (shape.intermediate, shape.hidden),
            f"{prefix}mlp.up_proj.weight": (shape.intermediate, shape.hidden),
            f"{prefix}mlp.down_proj.weight": (shape.hidden, shape.intermediate),
        }
    linear = set(linear_names(shape))
    found = []
    for name, size in sizes.items():
        weights = np.ones(size) if len(size) == 1 else chance.normal(0, 0.4, size)
        found.append(_tensor(name, weights.astype(np.float32), dtype if name in linear else "fp16_rkllm"))
    return found


def _tensor(name: str, weights: npt.NDArray[np.float32], dtype: str) -> Tensor:
    if dtype == "fp16_rkllm":
        return Tensor(name, {"values": weights.astype(np.float16)})
    group = int(dtype.partition("_g")[2]) if "_g" in dtype else None
    done = quantize_linear(weights, int(dtype[1]), group)
    values = done.values if done.bits == 8 else pack_int4(done.values)
    attributes = {"bits": done.bits, "group_size": group, "shape": list(done.shape)}
    return Tensor(name, {"values": values, "scale": done.scale, "zero_point": done.zero_point}, attributes)
