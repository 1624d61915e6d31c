"""The sizes of a model's language part as its config.json states them."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.base.errors import JsonValue
from core.base.foreign import whole
from core.base.names import printable

# Where models of several parts keep the language part's own configuration.
_NESTED = ("text_config", "llm_config", "language_config")
_LARGEST = 1 << 31
_MAX_CLASSES = 10


@dataclass(frozen=True, slots=True)
class TextConfig:
    """Sizes stated by config.json; None where it is silent or says something impossible.

    Attributes:
        class_name: the first of `architectures`; where none is named, the `model_type`.
        class_named: whether it is a class.
        kv_heads, head_dim: heads of the key and value cache, and the width of one.
        mla_width: elements one MLA head caches a token (keys nope + rope, and values), None for others.
        tied: whether the head shares the embedding's weights; None when config.json does not say.
        experts, experts_per_token: routed experts of a mixture.
        max_positions: tokens the model was trained for.
        kv_shared_layers: last layers that reuse the keys and values of earlier ones (Gemma 3n and 4).
        altup: whether the blocks run several predicted streams (Gemma 3n).
        state_heads, state_keys, state_values: of a linear-attention layer's state (Qwen3.5), or of a RWKV layer's.
    """

    class_name: str
    class_named: bool
    hidden: int | None
    layers: int | None
    heads: int | None
    kv_heads: int | None
    head_dim: int | None
    intermediate: int | None
    vocab: int | None
    tied: bool | None
    experts: int | None
    experts_per_token: int | None
    mla_width: int | None
    max_positions: int | None
    kv_shared_layers: int = 0
    altup: bool = False
    state_heads: int | None = None
    state_keys: int | None = None
    state_values: int | None = None


def read_text_config(config: Mapping[str, JsonValue]) -> TextConfig:
    """Read the language part's sizes, nested or at the top; never raises."""
    table = language_part(config)
    hidden = _size(table, "hidden_size", "n_embd")
    heads = _size(table, "num_attention_heads", "n_head")
    head_dim = _size(table, "head_dim", "kv_channels", "attention_head_dim")
    if head_dim is None and hidden and heads and hidden % heads == 0:
        head_dim = hidden // heads
    stated = next(iter(stated_classes(config)), None)
    return TextConfig(
        class_name=stated or stated_model_type(config) or "unknown",
        class_named=stated is not None,
        hidden=hidden,
        layers=_size(table, "num_hidden_layers", "num_layers", "n_layer"),
        heads=heads,
        kv_heads=_kv_heads(table, heads),
        head_dim=head_dim,
        intermediate=_size(table, "intermediate_size", "ffn_hidden_size", "n_inner"),
        vocab=_size(table, "padded_vocab_size", "vocab_size"),
        tied=_flag(table, "tie_word_embeddings", config),
        experts=_size(table, "num_experts", "num_local_experts", "n_routed_experts"),
        experts_per_token=_size(table, "num_experts_per_tok", "num_experts_per_token"),
        mla_width=_mla_width(table, hidden, heads),
        max_positions=_size(table, "max_position_embeddings", "seq_length"),
        kv_shared_layers=_size(table, "num_kv_shared_layers") or 0,
        altup=_size(table, "altup_num_inputs") is not None,
        **_state(table, hidden),
    )


def _state(table: Mapping[str, JsonValue], hidden: int | None) -> dict[str, int | None]:
    """Sizes of one layer's recurrent state; a RWKV layer keeps a square of the head's width per head."""
    heads, width = _size(table, "linear_num_value_heads"), _size(table, "head_dim", "head_size")
    if heads is not None:
        return {
            "state_heads": heads,
            "state_keys": _size(table, "linear_key_head_dim"),
            "state_values": _size(table, "linear_value_head_dim"),
        }
    count = _size(table, "num_heads") or (hidden // width if hidden and width else None)
    return {"state_heads": count, "state_keys": width, "state_values": width}


def language_part(config: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """Return what config.json says of the language part: a table in it, or all of it."""
    for key in _NESTED:
        nested = config.get(key)
        if isinstance(nested, dict) and "hidden_size" in nested:
            return nested
    return config


def stated_classes(config: Mapping[str, JsonValue]) -> tuple[str, ...]:
    """Return config.json's `architectures`, at most ten; one that is no list but a text counts as one of one."""
    stated = config.get("architectures")
    names = stated if isinstance(stated, list) else [stated]
    return tuple(printable(name, 100) for name in names[:_MAX_CLASSES] if isinstance(name, str) and name)


def names_classes_oddly(config: Mapping[str, JsonValue]) -> bool:
    """Whether `architectures` is there and no list of texts: who takes its first finds a letter, or nothing."""
    stated = config.get("architectures")
    if stated is None:
        return False
    return not isinstance(stated, list) or not all(isinstance(name, str) for name in stated)


def stated_model_type(config: Mapping[str, JsonValue]) -> str | None:
    """Return config.json's `model_type`, None when it has none that is text."""
    model_type = config.get("model_type")
    return printable(model_type, 100) if isinstance(model_type, str) and model_type else None


def _size(table: Mapping[str, JsonValue], *keys: str) -> int | None:
    for key in keys:
        value = whole(table.get(key), 1, _LARGEST)
        if value is not None:
            return value
    return None


def _flag(table: Mapping[str, JsonValue], key: str, outer: Mapping[str, JsonValue]) -> bool | None:
    for owner in (table, outer):
        value = owner.get(key)
        if isinstance(value, bool):
            return value
    return None


def _kv_heads(table: Mapping[str, JsonValue], heads: int | None) -> int | None:
    if table.get("multi_query_attention") is True:
        return _size(table, "multi_query_group_num")
    return _size(table, "num_key_value_heads", "num_kv_heads") or heads


def _mla_width(table: Mapping[str, JsonValue], hidden: int | None, heads: int | None) -> int | None:
    nope, rope = _size(table, "qk_nope_head_dim"), _size(table, "qk_rope_head_dim")
    value = _size(table, "v_head_dim") or (hidden // heads if hidden and heads else None)
    return nope + rope + value if nope and rope and value else None
