"""A tiny random Llama folder in Hub layout, for tests that need no sense, only shape."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

HIDDEN, LAYERS, INTERMEDIATE, VOCABULARY = 128, 2, 256, 256
TEMPLATE = "{% for m in messages %}{{ m['content'] }}{% endfor %}"


def write_random_model(folder: Path, seed: int = 0, **config: object) -> Path:
    """Write the folder and return it; `config` replaces members of config.json."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    tensors = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN), "lm_head.weight": (VOCABULARY, HIDDEN)}
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        tensors |= {f"{prefix}self_attn.{name}_proj.weight": (HIDDEN, HIDDEN) for name in "qkvo"}
        tensors |= {f"{prefix}mlp.{name}_proj.weight": (INTERMEDIATE, HIDDEN) for name in ("gate", "up")}
        tensors[f"{prefix}mlp.down_proj.weight"] = (HIDDEN, INTERMEDIATE)
    arrays = {name: (rng.standard_normal(shape) * 0.05).astype(np.float16) for name, shape in tensors.items()}
    norms = ["model.norm.weight"] + [
        f"model.layers.{layer}.{name}.weight"
        for layer in range(LAYERS)
        for name in ("input_layernorm", "post_attention_layernorm")
    ]
    arrays |= {name: np.ones(HIDDEN, np.float16) for name in norms}
    save_file(arrays, folder / "model.safetensors")
    base = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE, "num_hidden_layers": LAYERS, "num_attention_heads": 4,
        "num_key_value_heads": 4, "head_dim": 32, "vocab_size": VOCABULARY, "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": False, "hidden_act": "silu",
        "torch_dtype": "float16", "eos_token_id": 0, "bos_token_id": 0,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(base | config))
    vocabulary = {letter: index for index, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": TEMPLATE}))
    return folder
