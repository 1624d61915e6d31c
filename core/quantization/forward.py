"""Forward pass of Llama and Qwen2 style models, self-contained (standard library and numpy).

RMSNorm, rotary positions (transformers' half-split layout), grouped-query attention, optional biases,
SwiGLU, tied or separate head: the arithmetic of transformers' `LlamaForCausalLM` and `Qwen2ForCausalLM`, in
float32. Slow next to any engine, and exact enough to say what fewer bits cost.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Weights = Mapping[str, npt.NDArray[Any]]

MODEL_TYPES = ("llama", "qwen2")
_ACTIVATION_TOP = 127.0


class ForwardError(ValueError):
    """A model or input this forward pass cannot compute; `code` names the reason, `facts` the details."""

    def __init__(self, code: str, **facts: int | str) -> None:
        super().__init__(code, facts)
        self.code = code
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Shape:
    """The numbers of config.json the computation needs."""

    layers: int
    hidden: int
    intermediate: int
    vocabulary: int
    heads: int
    kv_heads: int
    head_dim: int
    positions: int
    rms_eps: float
    rope_theta: float
    tied: bool


class Forward:
    """One model with its key-value cache.

    `logits` computes a whole sequence and leaves the cache alone; `prefill`, `step` and `reset` decode token
    by token. With `activation_bits=8` the input of every linear layer is rounded to int8 with one symmetric
    scale per token (dynamic quantization), as a w8a8 engine does.
    """

    def __init__(
        self, config: Mapping[str, Any], weights: Weights, *, activation_bits: int | None = None
    ) -> None:
        """Check config and tensors, and hold the weights as float32.

        Raises:
            ForwardError: `forward.unsupported`, `forward.config` (missing or impossible number),
                `forward.tensor_missing`, `forward.tensor_shape`, `forward.activation_bits`.
        """
        if activation_bits not in {None, 8}:
            raise ForwardError("forward.activation_bits", bits=str(activation_bits))
        self.shape = read_shape(config)
        self._quantized_inputs = activation_bits == 8
        self._weights = _read_weights(self.shape, weights)
        self._frequencies = _frequencies(self.shape)
        self._cache = _Cache(self.shape)

    @property
    def position(self) -> int:
        """Number of tokens in the cache."""
        return self._cache.length

    def logits(self, tokens: Sequence[int] | npt.NDArray[np.integer[Any]]) -> Float32:
        """Return float32 (tokens, vocabulary): row i scores the token after tokens[0..i]."""
        return self._head(self._run(tokens, _Cache(self.shape)))

    def prefill(self, tokens: Sequence[int] | npt.NDArray[np.integer[Any]]) -> Float32:
        """Append tokens to the cache and return the scores (vocabulary,) of the token after the last one."""
        scores: Float32 = self._head(self._run(tokens, self._cache)[-1:])[0]
        return scores

    def step(self, token: int) -> Float32:
        """Append one token and return the scores (vocabulary,) of the next."""
        return self.prefill([token])

    def reset(self) -> None:
        """Forget every token."""
        self._cache = _Cache(self.shape)

    def _run(self, tokens: Sequence[int] | npt.NDArray[np.integer[Any]], cache: "_Cache") -> Float32:
        """Return the hidden states (tokens, hidden) before the head; the cache grows by these tokens."""
        ids = self._checked_tokens(tokens, cache.length)
        hidden = self._weights["model.embed_tokens.weight"][ids]
        angles = (
            np.arange(cache.length, cache.length + len(ids), dtype=np.float32)[:, None] * self._frequencies
        )
        rotation = np.cos(angles)[:, None, :], np.sin(angles)[:, None, :]
        for layer in range(self.shape.layers):
            prefix = f"model.layers.{layer}."
            hidden = hidden + self._attention(
                self._norm(hidden, prefix + "input_layernorm"), layer, rotation, cache
            )
            hidden = hidden + self._mlp(
                self._norm(hidden, prefix + "post_attention_layernorm"), prefix + "mlp."
            )
        cache.length += len(ids)
        return self._norm(hidden, "model.norm")

    def _checked_tokens(
        self, tokens: Sequence[int] | npt.NDArray[np.integer[Any]], past: int
    ) -> npt.NDArray[np.int64]:
        ids = np.asarray(tokens, np.int64)
        if ids.ndim != 1 or ids.size == 0:
            raise ForwardError("forward.no_tokens")
        if int(ids.min()) < 0 or int(ids.max()) >= self.shape.vocabulary:
            raise ForwardError("forward.token_range", vocabulary=self.shape.vocabulary)
        if past + ids.size > self.shape.positions:
            raise ForwardError(
                "forward.context_full", tokens=past + int(ids.size), context=self.shape.positions
            )
        return ids

    def _attention(
        self, x: Float32, layer: int, rotation: tuple[Float32, Float32], cache: "_Cache"
    ) -> Float32:
        shape, prefix, count = self.shape, f"model.layers.{layer}.self_attn.", len(x)
        query = self._linear(x, prefix + "q_proj").reshape(count, shape.heads, shape.head_dim)
        key = self._linear(x, prefix + "k_proj").reshape(count, shape.kv_heads, shape.head_dim)
        value = self._linear(x, prefix + "v_proj").reshape(count, shape.kv_heads, shape.head_dim)
        keys, values = cache.append(layer, _rotate(key, rotation), value)
        grouped = (
            _rotate(query, rotation).reshape(count, shape.kv_heads, -1, shape.head_dim).transpose(1, 2, 0, 3)
        )
        scores = grouped @ keys.transpose(1, 2, 0)[:, None] / np.float32(math.sqrt(shape.head_dim))
        # Row i of this call sits at position past + i and sees nothing after itself.
        hidden = np.triu(np.ones((count, keys.shape[0]), np.bool_), keys.shape[0] - count + 1)
        mixed = _softmax(np.where(hidden, np.float32(-np.inf), scores)) @ values.transpose(1, 0, 2)[:, None]
        return self._linear(
            mixed.transpose(2, 0, 1, 3).reshape(count, shape.heads * shape.head_dim), prefix + "o_proj"
        )

    def _mlp(self, x: Float32, prefix: str) -> Float32:
        gate, up = self._linear(x, prefix + "gate_proj"), self._linear(x, prefix + "up_proj")
        return self._linear(gate * _sigmoid(gate) * up, prefix + "down_proj")

    def _head(self, hidden: Float32) -> Float32:
        return self._linear(hidden, "model.embed_tokens" if self.shape.tied else "lm_head")

    def _norm(self, x: Float32, name: str) -> Float32:
        mean_square = np.mean(np.square(x), axis=-1, keepdims=True)
        scaled: Float32 = x / np.sqrt(mean_square + np.float32(self.shape.rms_eps))
        return scaled * self._weights[name + ".weight"]

    def _linear(self, x: Float32, name: str) -> Float32:
        weight = self._weights[name + ".weight"]
        if self._quantized_inputs:
            integers, scale = quantize_tokens(x)
            y = (integers @ weight.T) * scale
        else:
            y = x @ weight.T
        bias = self._weights.get(name + ".bias")
        return y if bias is None else y + bias


class _Cache:
    """Keys and values of each layer, (positions, kv heads, head_dim); grows by doubling up to the context."""

    def __init__(self, shape: Shape) -> None:
        self.length = 0
        self._shape = shape
        empty = np.zeros((0, shape.kv_heads, shape.head_dim), np.float32)
        self._keys = [empty] * shape.layers
        self._values = [empty] * shape.layers

    def append(self, layer: int, keys: Float32, values: Float32) -> tuple[Float32, Float32]:
        """Store the new rows of one layer and return all rows so far; `length` is moved by the caller."""
        end = self.length + len(keys)
        self._keys[layer] = self._grown(self._keys[layer], end)
        self._values[layer] = self._grown(self._values[layer], end)
        self._keys[layer][self.length : end] = keys
        self._values[layer][self.length : end] = values
        return self._keys[layer][:end], self._values[layer][:end]

    def _grown(self, rows: Float32, needed: int) -> Float32:
        if needed <= len(rows):
            return rows
        larger = np.zeros(
            (min(self._shape.positions, max(needed, 2 * len(rows))), *rows.shape[1:]), np.float32
        )
        larger[: self.length] = rows[: self.length]
        return larger


def quantize_tokens(x: Float32) -> tuple[Float32, Float32]:
    """Round each row to int8 with its own symmetric scale; return integers (as float32) and scales (rows, 1).

    Products of int8 by float32 weights are computed in float32; int32 sums would differ by float rounding
    only.
    """
    scale = np.max(np.abs(x), axis=-1, keepdims=True) / np.float32(_ACTIVATION_TOP)
    scale = np.where(scale > 0, scale, np.float32(1.0))
    return np.rint(x / scale), scale


def window_losses(
    forward: Forward, tokens: Sequence[int] | npt.NDArray[np.integer[Any]], window: int
) -> Iterator[tuple[float, int]]:
    """Yield (sum of negative log likelihoods in nats, predicted tokens) for each separate window of tokens.

    Inside a window each token but the first is predicted from the window's earlier tokens; a last window of
    one token predicts nothing and is left out.

    Raises:
        ForwardError: `forward.window` when the window has no room for a prediction or exceeds the context.
    """
    if not 2 <= window <= forward.shape.positions:
        raise ForwardError("forward.window", window=window, context=forward.shape.positions)
    ids = np.asarray(tokens, np.int64)
    for start in range(0, len(ids) - 1, window):
        part = ids[start : start + window]
        scores = forward.logits(part)[:-1].astype(np.float64)
        top = scores.max(axis=-1, keepdims=True)
        log_total = np.log(np.exp(scores - top).sum(axis=-1)) + top[:, 0]
        yield float(np.sum(log_total - scores[np.arange(len(scores)), part[1:]])), len(scores)


def perplexity(forward: Forward, tokens: Sequence[int] | npt.NDArray[np.integer[Any]], window: int) -> float:
    """Return exp(mean negative log likelihood) over all windows of `window_losses`.

    Raises:
        ForwardError: as `window_losses`, and `forward.no_tokens` for fewer than two tokens.
    """
    losses = list(window_losses(forward, tokens, window))
    if not losses:
        raise ForwardError("forward.no_tokens")
    return math.exp(math.fsum(loss for loss, _ in losses) / sum(count for _, count in losses))


def read_shape(config: Mapping[str, Any]) -> Shape:
    """Read and check a config.json of transformers 4 or 5.

    Raises:
        ForwardError: `forward.unsupported` for another architecture, `forward.config` for a bad number.
    """
    _refuse_unsupported(config)
    hidden, heads = _positive(config, "hidden_size"), _positive(config, "num_attention_heads")
    kv_heads = _positive(config, "num_key_value_heads", heads)
    head_dim = _positive(config, "head_dim", max(1, hidden // heads))
    if heads % kv_heads or head_dim % 2:
        raise ForwardError("forward.config", field="num_key_value_heads" if heads % kv_heads else "head_dim")
    return Shape(
        layers=_positive(config, "num_hidden_layers"),
        hidden=hidden,
        intermediate=_positive(config, "intermediate_size"),
        vocabulary=_positive(config, "vocab_size"),
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        positions=_positive(config, "max_position_embeddings"),
        rms_eps=_real(config, "rms_norm_eps", 1e-6),
        rope_theta=_real({**config, **_rope(config)}, "rope_theta", 10000.0),
        tied=bool(config.get("tie_word_embeddings", False)),
    )


def linear_names(shape: Shape) -> tuple[str, ...]:
    """Return the names of the linear weight tensors: those of every layer and, unless tied, the head."""
    parts = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
             "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")  # fmt: skip
    names = [f"model.layers.{layer}.{part}.weight" for layer in range(shape.layers) for part in parts]
    return tuple(names if shape.tied else [*names, "lm_head.weight"])


def _refuse_unsupported(config: Mapping[str, Any]) -> None:
    rope = _rope(config)
    rope_type = rope.get("rope_type", rope.get("type", "default"))
    limits = (
        ("model_type", config.get("model_type"), config.get("model_type") in MODEL_TYPES),
        ("hidden_act", config.get("hidden_act", "silu"), config.get("hidden_act", "silu") == "silu"),
        ("rope_type", rope_type, rope_type == "default"),
        ("use_sliding_window", config.get("use_sliding_window"), not config.get("use_sliding_window")),
    )
    for field, value, supported in limits:
        if not supported:
            raise ForwardError("forward.unsupported", field=field, value=str(value)[:100])


def _rope(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return transformers 5's `rope_parameters` or transformers 4's `rope_scaling`, whichever is there."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(rope, Mapping):
        raise ForwardError("forward.config", field="rope_parameters")
    return rope


def _positive(config: Mapping[str, Any], field: str, default: int | None = None) -> int:
    value = config.get(field)
    value = default if value is None else value
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**31:
        raise ForwardError("forward.config", field=field)
    return value


def _real(config: Mapping[str, Any], field: str, default: float) -> float:
    value = config.get(field, default)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise ForwardError("forward.config", field=field)
    return float(value)


def _expected_tensors(shape: Shape) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield every required tensor with its shape; lazily, for a config may claim billions of layers."""
    attention, kv, hidden = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim, shape.hidden
    yield "model.embed_tokens.weight", (shape.vocabulary, hidden)
    yield "model.norm.weight", (hidden,)
    if not shape.tied:
        yield "lm_head.weight", (shape.vocabulary, hidden)
    parts: dict[str, tuple[int, ...]] = {
        "input_layernorm": (hidden,),
        "post_attention_layernorm": (hidden,),
        "self_attn.q_proj": (attention, hidden),
        "self_attn.k_proj": (kv, hidden),
        "self_attn.v_proj": (kv, hidden),
        "self_attn.o_proj": (hidden, attention),
        "mlp.gate_proj": (shape.intermediate, hidden),
        "mlp.up_proj": (shape.intermediate, hidden),
        "mlp.down_proj": (hidden, shape.intermediate),
    }
    for layer in range(shape.layers):
        for part, expected in parts.items():
            yield f"model.layers.{layer}.{part}.weight", expected


def _read_weights(shape: Shape, weights: Weights) -> dict[str, Float32]:
    held: dict[str, Float32] = {}
    for name, expected in _expected_tensors(shape):
        if name not in weights:
            raise ForwardError("forward.tensor_missing", tensor=name)
        held[name] = _as_float32(name, weights[name], expected)
        bias = name.removesuffix("weight") + "bias"
        if len(expected) == 2 and bias in weights:
            held[bias] = _as_float32(bias, weights[bias], expected[:1])
    return held


def _as_float32(name: str, array: npt.NDArray[Any], expected: tuple[int, ...]) -> Float32:
    if tuple(array.shape) != expected or array.dtype.kind != "f":
        found = f"{array.dtype} {tuple(array.shape)}"
        raise ForwardError("forward.tensor_shape", tensor=name, found=found, expected=str(expected))
    return np.ascontiguousarray(array, np.float32)


def _frequencies(shape: Shape) -> Float32:
    exponents = np.arange(0, shape.head_dim, 2, dtype=np.float32) / np.float32(shape.head_dim)
    return (1.0 / np.float32(shape.rope_theta) ** exponents).astype(np.float32)


def _rotate(x: Float32, rotation: tuple[Float32, Float32]) -> Float32:
    """Rotate (tokens, heads, head_dim); element i of the first half is paired with that of the second."""
    cosine, sine = rotation
    half = x.shape[-1] // 2
    first, second = x[..., :half], x[..., half:]
    return np.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


def _softmax(scores: Float32) -> Float32:
    powers: Float32 = np.exp(scores - scores.max(axis=-1, keepdims=True))
    powers /= powers.sum(axis=-1, keepdims=True)
    return powers


def _sigmoid(x: Float32) -> Float32:
    # tanh saturates where exp(-x) would overflow.
    half = np.float32(0.5)
    gate: Float32 = half + half * np.tanh(half * x)
    return gate
