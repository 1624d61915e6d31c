"""What a GGUF file takes of a board's memory: mapped weights, keys and values, and a margin for the rest."""

from core.base.units import MIB
from core.estimate.constants import guess_constants
from core.estimate.records import Number
from core.model.gguf import GgufHeader

_CACHE_BYTES = 2  # of a number of keys and values: f16, unless somebody asks llama.cpp for less
# Program, vocabulary and buffers of the computation: tens to hundreds of MiB, more with a larger vocabulary or batch.
_REST_BYTES = (50 * MIB, 150 * MIB, 500 * MIB)


def guess_need(header: GgufHeader, context: int, *, size_bytes: int) -> Number:
    """What has to stay in memory while a file is served: a guess with its bounds.

    Args:
        header: of the file, or of the first part of a split one.
        context: opened, in tokens.
        size_bytes: of the file, or of all its parts together.
    """
    caches = [context * each for each in _cache_bytes_per_token(header)]
    low, middle, high = (size_bytes + cache + rest for cache, rest in zip(caches, _REST_BYTES, strict=True))
    return Number(middle, low, high, "extrapolated")


def _cache_bytes_per_token(header: GgufHeader) -> tuple[float, ...]:
    """Of keys and values, with bounds; where the header does not tell, those of usual models."""
    names = ("block_count", "attention.head_count_kv", "attention.head_count", "embedding_length")
    layers, kept, heads, width = (header.of_architecture(name) for name in names)
    if not layers or not heads or not width:
        return guess_constants().kv_bytes_per_token
    one = layers * _CACHE_BYTES * _head_width(header, width // heads)
    # Keys and values of each head where nobody says of how many; of one at least.
    return (kept * one, kept * one, kept * one) if kept else (one, heads * one, heads * one)


def _head_width(header: GgufHeader, usual: int) -> int:
    """Of a key and a value together."""
    key = header.of_architecture("attention.key_length") or usual
    return key + (header.of_architecture("attention.value_length") or usual)
