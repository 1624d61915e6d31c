"""GGUF files of true shapes with random weights, by the official `gguf` package: what memory is measured with.

The blocks of quantized weights are random bytes under one small scale, so a true llama.cpp computes with them as with
any others; only what it says is noise.
"""

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_SCALE = np.float16(0.002).tobytes()
_SEED = 20
_PIECE_BLOCKS = 1 << 15
_SMALL_BLOCK = 32


@dataclass(frozen=True, slots=True)
class RandomShape:
    """Dimensions of a language model.

    Attributes:
        name: of its rows.
        architecture: as llama.cpp calls it: `llama`, `qwen2`, `gemma3` or `qwen3moe`.
        tokenizer: `llama` (SentencePiece: no merges) or `gpt2` (about as many merges as tokens).
        tied: whether the embedding is the output head, too.
        window: tokens most layers of `gemma3` look back.
        experts: there are in a layer of `qwen3moe`, each as wide as the feed-forward part; `used` by a token.
    """

    name: str
    architecture: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    feed_forward: int
    vocabulary: int
    tokenizer: str
    tied: bool
    window: int = 0
    experts: int = 0
    used: int = 0


TINY = RandomShape("tiny", "llama", 2, 256, 4, 2, 64, 512, 2000, "llama", tied=True)
SHAPES = (
    RandomShape("0.5b", "qwen2", 24, 896, 14, 2, 64, 4864, 151_936, "gpt2", tied=True),
    RandomShape("1b", "llama", 22, 2048, 32, 4, 64, 5632, 32_000, "llama", tied=False),
    RandomShape("3b", "llama", 28, 3072, 24, 8, 128, 8192, 128_256, "gpt2", tied=True),
)


def is_writable() -> bool:
    """Whether the official package is there."""
    return importlib.util.find_spec("gguf") is not None


def write_random(path: Path, shape: RandomShape, kind: str) -> Path:
    """Write a file of a shape.

    Args:
        path: of the file.
        shape: of the model.
        kind: of its matrices, as `gguf.GGMLQuantizationType` has it: `Q8_0`, `Q4_0`, `F16`, ...; norms are F32.
    """
    import gguf

    stored, plain = gguf.GGMLQuantizationType[kind], gguf.GGMLQuantizationType.F32
    writer = gguf.GGUFWriter(path, shape.architecture)
    _add_keys(writer, shape)
    listed = list(_tensors(shape))
    for name, dims in listed:
        as_stored = stored if _is_matrix(name, dims) else plain
        in_bytes = gguf.quant_shape_to_byte_shape(dims, as_stored)
        size = int(np.prod(in_bytes))
        writer.add_tensor_info(name, in_bytes, np.dtype(np.uint8), size, raw_dtype=as_stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for name, dims in listed:
        writer.write_tensor_data(_data(dims, stored if _is_matrix(name, dims) else plain))
    writer.close()
    return path


def _tensors(shape: RandomShape) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and dimensions in the order of converted files, the input last."""
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    yield "token_embd.weight", (shape.vocabulary, shape.hidden)
    for layer in range(shape.layers):
        block = f"blk.{layer}"
        for name, width in _norms(shape):
            yield f"{block}.{name}.weight", (width,)
        for name, rows, columns in (
            ("attn_q", queries, shape.hidden),
            ("attn_k", keys, shape.hidden),
            ("attn_v", keys, shape.hidden),
            ("attn_output", shape.hidden, queries),
        ):
            yield f"{block}.{name}.weight", (rows, columns)
            if shape.architecture == "qwen2" and name != "attn_output":
                yield f"{block}.{name}.bias", (rows,)
        experts = (shape.experts,) if shape.experts else ()
        if experts:
            yield f"{block}.ffn_gate_inp.weight", (shape.experts, shape.hidden)
        for name, rows, columns in (
            ("ffn_gate", shape.feed_forward, shape.hidden),
            ("ffn_up", shape.feed_forward, shape.hidden),
            ("ffn_down", shape.hidden, shape.feed_forward),
        ):
            yield f"{block}.{name}{'_exps' if experts else ''}.weight", (*experts, rows, columns)
    yield "output_norm.weight", (shape.hidden,)
    if not shape.tied:
        yield "output.weight", (shape.vocabulary, shape.hidden)


def _is_matrix(name: str, dims: tuple[int, ...]) -> bool:
    """Whether a converter quantizes it: norms, biases and the choice of experts stay in F32."""
    return len(dims) > 1 and ".ffn_gate_inp." not in name


def _norms(shape: RandomShape) -> Iterator[tuple[str, int]]:
    yield "attn_norm", shape.hidden
    yield "ffn_norm", shape.hidden
    if shape.architecture in {"gemma3", "qwen3moe"}:
        yield "attn_q_norm", shape.head_dim
        yield "attn_k_norm", shape.head_dim
    if shape.architecture == "gemma3":
        yield "post_attention_norm", shape.hidden
        yield "post_ffw_norm", shape.hidden


def _data(dims: tuple[int, ...], stored: int) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    """A tensor's bytes: ones in F32, else random blocks, one piece of them again and again.

    Blocks of 256 have their scales in other places, where random bytes may be no number: those are zeros.
    """
    import gguf

    if stored == gguf.GGMLQuantizationType.F32:
        return np.ones(dims, np.float32).view(np.uint8).reshape(-1)
    block_elements, block_bytes = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(stored)]
    count = int(np.prod(dims)) // block_elements
    if block_elements > _SMALL_BLOCK:
        return np.zeros(count * block_bytes, np.uint8)
    random = np.random.default_rng(_SEED)
    if block_elements == 1:
        piece = random.normal(0.0, 0.02, min(count, _PIECE_BLOCKS)).astype(np.float16).view(np.uint8)
    else:
        blocks = random.integers(0, 256, (min(count, _PIECE_BLOCKS), block_bytes), dtype=np.uint8)
        blocks[:, : len(_SCALE)] = np.frombuffer(_SCALE, np.uint8)
        piece = blocks.reshape(-1)
    return np.resize(piece, count * block_bytes)


def _add_keys(writer: Any, shape: RandomShape) -> None:  # noqa: ANN401  # a module without types
    import gguf

    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_context_length(32_768)
    writer.add_block_count(shape.layers)
    writer.add_embedding_length(shape.hidden)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_layer_norm_rms_eps(1e-5)
    if shape.window:
        writer.add_sliding_window(shape.window)
    if shape.experts:
        writer.add_expert_count(shape.experts)
        writer.add_expert_used_count(shape.used)
        writer.add_expert_feed_forward_length(shape.feed_forward)
    writer.add_tokenizer_model(shape.tokenizer)
    tokens, types = _vocabulary(shape.vocabulary, bytes_apart=shape.tokenizer == "llama")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    if shape.tokenizer == "llama":
        writer.add_token_scores([-float(place) for place in range(len(tokens))])
    else:
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_merges([f"{token[:3]} {token[3:]}" for token in tokens if len(token) > 3])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)


def _vocabulary(count: int, *, bytes_apart: bool) -> tuple[list[str], list[int]]:
    """Tokens of the usual length, with every byte among them, and their types."""
    import gguf

    special = ["<unk>", "<s>", "</s>"]
    # As GPT-2 writes bytes that are no printable character: from U+0100 on.
    single = [f"<0x{byte:02X}>" if bytes_apart else chr(0x100 + byte) for byte in range(256)]
    words = [f"t{place:06x}" for place in range(count - len(special) - len(single))]
    kinds = gguf.TokenType
    types = [int(kinds.CONTROL)] * len(special)
    types += [int(kinds.BYTE if bytes_apart else kinds.NORMAL)] * len(single)
    return special + single + words, types + [int(kinds.NORMAL)] * len(words)
