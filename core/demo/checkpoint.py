"""Write the demo model as a Hub repository: config, tokenizer, shards with index, card, digests."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from core.demo.corpus import CHAT_TEMPLATE, END_OF_TEXT, SPECIAL_TOKENS, TEXT_SHA256, TURN_END
from core.quantization.approximate import approximate
from core.quantization.forward import Forward, linear_names, perplexity, read_shape
from core.vendor.levels import get_level

VOCABULARY = 2048
CONTEXT_TOKENS = 512
CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": VOCABULARY,
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "head_dim": 32,
    "hidden_act": "silu",
    "max_position_embeddings": CONTEXT_TOKENS,
    "rope_theta": 10000.0,
    "rms_norm_eps": 1e-5,
    "attention_bias": False,
    "mlp_bias": False,
    "attention_dropout": 0.0,
    "initializer_range": 0.02,
    "tie_word_embeddings": False,
    "use_cache": True,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "torch_dtype": "float16",
}
GENERATION = {
    "bos_token_id": 0,
    "eos_token_id": [0, 2],
    "pad_token_id": 0,
    "do_sample": False,
    "max_new_tokens": 128,
}
TOKENIZER_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": END_OF_TEXT,
    "eos_token": TURN_END,
    "pad_token": END_OF_TEXT,
    "unk_token": None,
    "add_bos_token": False,
    "add_eos_token": False,
    "clean_up_tokenization_spaces": False,
    "model_max_length": CONTEXT_TOKENS,
    "chat_template": CHAT_TEMPLATE,
}
DIGESTS_NAME = "digests.json"
SHARDS = 2
MEASURED_LEVELS = ("fp16", "w8a8", "w4a16_g32", "w4a16_g64", "w4a16_g128", "w4a16")

Weights = Mapping[str, npt.NDArray[np.floating[Any]]]


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """How a checkpoint came about; `held_out` are the tokens its perplexity is measured on."""

    steps: int
    seed: int
    batch_windows: int
    window_tokens: int
    held_out: Sequence[int]


def train_tokenizer(text: str) -> Tokenizer:
    """Return a byte-level BPE tokenizer of `VOCABULARY` entries, special tokens first."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(text.split("\n\n"), trainer)
    return tokenizer


def write_checkpoint(folder: Path, tokenizer: Tokenizer, weights: Weights, facts: TrainingFacts) -> None:
    """Write every file of the repository, the weights rounded to float16."""
    folder.mkdir(parents=True, exist_ok=True)
    halves = {name: np.ascontiguousarray(array, np.float16) for name, array in weights.items()}
    special = {key: TOKENIZER_CONFIG[key] for key in ("bos_token", "eos_token", "pad_token")}
    _write_json(folder / "config.json", CONFIG)
    _write_json(folder / "generation_config.json", GENERATION)
    _write_json(folder / "tokenizer_config.json", TOKENIZER_CONFIG)
    _write_json(folder / "special_tokens_map.json", special)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    _write_shards(folder, halves)
    (folder / "README.md").write_text(_card(halves, facts), "utf-8")
    write_digests(folder)


def forward_at(weights: Weights, level_name: str) -> Forward:
    """Return the model with its linear layers at a level; embedding and norms keep their precision."""
    level = get_level(level_name)
    linear = set(linear_names(read_shape(CONFIG)))
    changed = {
        name: approximate(array, level) if name in linear else array for name, array in weights.items()
    }
    return Forward(CONFIG, changed, activation_bits=8 if level.activation_bits == 8 else None)


def write_digests(folder: Path) -> None:
    """Write `digests.json`: sha256 and size of every other file of the folder, by name."""
    names = sorted(path.name for path in folder.iterdir() if path.name != DIGESTS_NAME)
    _write_json(folder / DIGESTS_NAME, {name: describe_file(folder / name) for name in names})


def describe_file(path: Path) -> dict[str, str | int]:
    """Return the sha256 and the size of one file."""
    data = path.read_bytes()
    return {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}


def _write_shards(folder: Path, tensors: dict[str, npt.NDArray[np.float16]]) -> None:
    """Split the sorted tensors into two shards of about equal size, with the index transformers reads."""
    total_bytes = sum(array.nbytes for array in tensors.values())
    shards: list[dict[str, npt.NDArray[np.float16]]] = [{} for _ in range(SHARDS)]
    done_bytes = 0
    for name, array in sorted(tensors.items()):
        shards[min(SHARDS - 1, SHARDS * done_bytes // total_bytes)][name] = array
        done_bytes += array.nbytes
    places: dict[str, str] = {}
    for number, shard in enumerate(shards, 1):
        file_name = f"model-{number:05d}-of-{SHARDS:05d}.safetensors"
        save_file(shard, folder / file_name, metadata={"format": "pt"})
        (folder / file_name).chmod(0o644)
        places.update(dict.fromkeys(shard, file_name))
    index = {"metadata": {"total_size": total_bytes}, "weight_map": dict(sorted(places.items()))}
    _write_json(folder / "model.safetensors.index.json", index)


def _card(tensors: Weights, facts: TrainingFacts) -> str:
    template = (resources.files("resources") / "demo" / "model_card.md").read_text("utf-8")
    figures = {
        name: perplexity(forward_at(tensors, name), facts.held_out, facts.window_tokens)
        for name in MEASURED_LEVELS
    }
    return template.format(
        parameters=f"{sum(array.size for array in tensors.values()):,}",
        size_bytes=f"{sum(array.nbytes for array in tensors.values()):,}",
        text_sha256=TEXT_SHA256,
        steps=facts.steps,
        seed=facts.seed,
        batch=facts.batch_windows,
        window=facts.window_tokens,
        levels="\n".join(f"| {name} | {figure:.3f} |" for name, figure in figures.items()),
    )


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")
