"""What the memory and speed of a GGUF file in llama.cpp depend on, from its header.

Names of keys and their defaults: ggml-org/llama.cpp, gguf-py/gguf/constants.py; src/llama-model.cpp, `load_hparams`.
What a layer keeps of each token is known for plain attention only. Where some layers keep less (a window, a state, a
compressed cache) and the header does not say which or how, both ends are given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.base import foreign
from core.model.gguf import GgufHeader

# Layers, heads, and widths of one: more than any model has, so that what is multiplied here stays a number.
_MOST_LAYERS, _MOST_HEADS, _MOST_WIDTH = 65_536, 65_536, 1 << 24
_CACHE_BYTES = 2  # of one element: llama.cpp keeps keys and values in F16 unless it is told otherwise
_STATE_BYTES = 4  # recurrent states are kept in F32
_EMBEDDING, _HEAD = "token_embd.weight", "output.weight"
_EXPERTS = "_exps."
# With one of these, layers keep a state instead of keys and values: some, or all of them.
_RECURRENT = ("ssm.inner_size", "wkv.head_size", "shortconv.l_cache", "full_attention_interval")


@dataclass(frozen=True, slots=True)
class GgufShape:
    """Dimensions of one language model.

    Attributes:
        layers, hidden: of the model.
        queries: width of all query heads together; 0 where there is no attention.
        feed_forward: width of the feed-forward part one token goes through, the largest of all layers.
        tokens: of the vocabulary; None where the header was not read that far.
        merges: of its tokenizer; None likewise.
        cache_bytes: kept of one token for certain.
        unsure_bytes: kept of one token besides, by layers that may keep it only for `window` tokens.
        window: tokens those layers keep at least.
        state_bytes: recurrent layers keep at most, whatever the context.
        has_experts: whether a token goes through some of the feed-forward parts only.
        trained_context: tokens; None where it is not said.
    """

    layers: int
    hidden: int
    queries: int
    feed_forward: int
    tokens: int | None
    merges: int | None
    cache_bytes: int
    unsure_bytes: int = 0
    window: int = 0
    state_bytes: int = 0
    has_experts: bool = False
    trained_context: int | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the cache is known to the byte, and the layers are of the kind that was measured."""
        return not (self.unsure_bytes or self.state_bytes or self.has_experts)


def gguf_shape(header: GgufHeader) -> GgufShape | None:
    """The dimensions of a model; None where the header does not say them, or is of no language model."""
    if header.role != "model":
        return None
    layers = _number(header, "block_count", _MOST_LAYERS)
    hidden = _number(header, "embedding_length", _MOST_WIDTH)
    if not layers or not hidden:
        return None
    heads = _by_layer(header, "attention.head_count", layers, _MOST_HEADS)
    recurrent = [name for name in _RECURRENT if f"{header.architecture}.{name}" in header.values]
    if heads is None or not any(heads):
        if not recurrent:
            return None
        heads = [0] * layers
    cache = _cache(header, layers, hidden, heads, has_states=bool(recurrent))
    if cache is None:
        return None
    known, unsure, window = cache
    return GgufShape(
        layers,
        hidden,
        max(heads) * _key_width(header, hidden, heads),
        _feed_forward(header, layers),
        _tokens(header),
        header.lengths.get("tokenizer.ggml.merges", 0) if _is_past_vocabulary(header) else None,
        known,
        unsure,
        window,
        _state_bytes(header, layers, hidden) if recurrent else 0,
        bool(_number(header, "expert_count", _MOST_WIDTH)),
        header.of_architecture("context_length"),
    )


def is_tied(header: GgufHeader) -> bool:
    """Whether the embedding is the output head, too; of a header that is whole."""
    return all(tensor.name != _HEAD for tensor in header.tensors)


def copied_bytes(header: GgufHeader, types: Sequence[str]) -> tuple[int, int]:
    """What a build that keeps matrices of these types in an order of its own copies of a whole header's tensors.

    Returns:
        Bytes copied, and bytes of the file that stay mapped beside them: from the first to the last tensor that is not
        copied, whatever lies between. An embedding is looked up in the file; as a tied head it is copied, too.
    """
    copied, kept = 0, [0, 0]
    for tensor in sorted(header.tensors, key=lambda tensor: tensor.offset):
        size = tensor.size_bytes or 0
        is_copied = len(tensor.shape) > 1 and tensor.type is not None and tensor.type.name in types
        if is_copied and (tensor.name != _EMBEDDING or is_tied(header)):
            copied += size
        if not is_copied or tensor.name == _EMBEDDING:
            kept = [kept[0] if kept[1] else tensor.offset, tensor.offset + size]
    return copied, kept[1] - kept[0]


def active_bytes(header: GgufHeader) -> Mapping[str, float] | None:
    """Bytes of matrices that are read for one token, by the name of their type; vectors are next to nothing.

    All but an embedding that is no head, and experts that are not used. None where not all tensors are known.
    """
    if header.tensor_bytes is None or header.part != (1, 1) or not header.tensors:
        return None
    experts, used = (_number(header, name, _MOST_WIDTH) for name in ("expert_count", "expert_used_count"))
    if experts and not used:
        return None
    tied = is_tied(header)
    found: dict[str, float] = {}
    for tensor in header.tensors:
        if len(tensor.shape) > 1 and tensor.type is not None and (tensor.name != _EMBEDDING or tied):
            share = min(used / experts, 1.0) if experts and used and _EXPERTS in tensor.name else 1.0
            name = tensor.type.name
            found[name] = found.get(name, 0.0) + share * (tensor.size_bytes or 0)
    return found


def _number(header: GgufHeader, name: str, most: int) -> int | None:
    return foreign.whole(header.values.get(f"{header.architecture}.{name}"), 0, most)


def _by_layer(header: GgufHeader, name: str, layers: int, most: int) -> list[int] | None:
    """One number for each layer: the key is a number or a list of them."""
    listed = header.lists.get(f"{header.architecture}.{name}")
    if listed is None:
        number = _number(header, name, most)
        return None if number is None else [number] * layers
    numbers = [number for item in listed if (number := foreign.whole(item, 0, most)) is not None]
    return numbers[:layers] if len(numbers) == len(listed) >= layers else None


def _cache(
    header: GgufHeader, layers: int, hidden: int, heads: list[int], *, has_states: bool
) -> tuple[int, int, int] | None:
    """Bytes of a token's keys and values that are certain, those that are not, and the window of the latter."""
    in_list = f"{header.architecture}.attention.head_count_kv" in header.lengths
    kv_heads = _by_layer(header, "attention.head_count_kv", layers, _MOST_HEADS)
    if kv_heads is None:
        if in_list:
            return None
        kv_heads = heads  # as llama.cpp has it where nothing is said
    key = _key_width(header, hidden, heads)
    value = _number(header, "attention.value_length", _MOST_WIDTH) or key
    full = _CACHE_BYTES * sum(kv_heads) * (key + value)
    compressed = _number(header, "attention.kv_lora_rank", _MOST_WIDTH)
    if compressed:
        turned = _number(header, "rope.dimension_count", _MOST_WIDTH) or 0
        least = _CACHE_BYTES * layers * (compressed + turned)
        return min(least, full), abs(full - least), 0
    window = _number(header, "attention.sliding_window", foreign.MAX_WHOLE)
    if window:
        return 0, full, window
    # Layers with a state have no heads where there is a list of them; else nobody says which layers those are.
    return (full, 0, 0) if in_list or not has_states else (0, full, 0)


def _key_width(header: GgufHeader, hidden: int, heads: list[int]) -> int:
    said = _number(header, "attention.key_length", _MOST_WIDTH)
    return said or (hidden // max(heads) if max(heads) else 0)


def _feed_forward(header: GgufHeader, layers: int) -> int:
    plain = max(_by_layer(header, "feed_forward_length", layers, _MOST_WIDTH) or [0])
    used = _number(header, "expert_used_count", _MOST_WIDTH) or 0
    each = _number(header, "expert_feed_forward_length", _MOST_WIDTH) or (plain if used else 0)
    return max(plain, used * each)


def _tokens(header: GgufHeader) -> int | None:
    listed = header.lengths.get("tokenizer.ggml.tokens")
    return _number(header, "vocab_size", foreign.MAX_WHOLE) if listed is None else listed


def _is_past_vocabulary(header: GgufHeader) -> bool:
    return header.is_whole or "tokenizer.ggml.merges" in header.lengths


def _state_bytes(header: GgufHeader, layers: int, hidden: int) -> int:
    """The most that layers with a state keep: the widest of those that are known, in every layer."""
    inner = _number(header, "ssm.inner_size", _MOST_WIDTH) or 0
    state = _number(header, "ssm.state_size", _MOST_WIDTH) or 0
    groups = _number(header, "ssm.group_count", _MOST_WIDTH) or 1
    taps = max(_number(header, "ssm.conv_kernel", _MOST_WIDTH) or 1, 1)
    scanned = inner * state + (taps - 1) * (inner + 2 * groups * state)
    head = _number(header, "wkv.head_size", _MOST_WIDTH)
    mixed = hidden * (head + 2) if head else 0
    convolved = hidden * (_number(header, "shortconv.l_cache", _MOST_WIDTH) or 0)
    return _STATE_BYTES * layers * max(scanned, mixed, convolved)
