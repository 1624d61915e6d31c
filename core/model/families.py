"""What a kind of model keeps between tokens: keys and values, recurrent state.

Shapes after the model classes in transformers (modeling_qwen3_5, modeling_gemma3n, modeling_gemma4, modeling_lfm2) and
flash-linear-attention (rwkv7); that the runtime keeps them so follows from the vendor's memory figures.
"""

from dataclasses import dataclass

from core.model.tensors import SortedTensors
from core.model.textconfig import TextConfig
from core.vendor.architectures import Architecture


@dataclass(frozen=True, slots=True)
class Kept:
    """Elements kept between tokens.

    Attributes:
        kv_per_token: keys and values of one token, over all layers that make their own.
        state: recurrent state, whatever the context.
    """

    kv_per_token: int
    state: int = 0


def kept_elements(found: SortedTensors, config: TextConfig, architecture: Architecture) -> Kept | None:
    """Return what the model keeps, or None when that is not known for this kind."""
    if architecture.family == "mla":
        return _latent(found, config)
    if architecture.family == "recurrent":
        return _recurrent(found, config)
    if architecture.family in {"hybrid-linear-attention", "hybrid-short-convolution"}:
        return _hybrid(found, config, architecture)
    if architecture.family == "per-layer-embedding":
        return _shared(found, config)
    return _attention(found, config, architecture)


def _attention(found: SortedTensors, config: TextConfig, architecture: Architecture) -> Kept | None:
    layers = len(found.layers)
    if architecture.family != "unknown" and not architecture.modelled:
        return None
    # Two tensors in every layer: the shapes themselves say what is cached, whatever config.json leaves out.
    if len(found.kv) == layers and all(len(outputs) == 2 for outputs in found.kv.values()):
        return Kept(_kv_outputs(found))
    # In some layers only: a hybrid, whatever its class says. In none: fused, which only a known class may be.
    if found.kv or found.state_layers or architecture.family == "unknown":
        return None
    if not (config.kv_heads and config.head_dim):
        return None
    return Kept(2 * layers * config.kv_heads * config.head_dim)


def _latent(found: SortedTensors, config: TextConfig) -> Kept | None:
    """Keys and values are cached expanded, one by one for each head (the vendor's figures rule out the latent)."""
    if not (config.heads and config.mla_width):
        return None
    return Kept(len(found.layers) * config.heads * config.mla_width)


def _recurrent(found: SortedTensors, config: TextConfig) -> Kept | None:
    state = _state_of_layer(config)
    if state is None or found.state_layers != found.layers:
        return None
    return Kept(0, len(found.layers) * state)


def _hybrid(found: SortedTensors, config: TextConfig, architecture: Architecture) -> Kept | None:
    """Attention in some layers, a recurrence in all others; a layer that is neither is not known."""
    if set(found.kv) | found.state_layers != found.layers or set(found.kv) & found.state_layers:
        return None
    if not found.state_layers:
        return None
    if not all(len(outputs) == 2 for outputs in found.kv.values()):
        return None
    if architecture.family == "hybrid-short-convolution":
        return Kept(_kv_outputs(found))  # its state is a few vectors
    state = _state_of_layer(config)
    return None if state is None else Kept(_kv_outputs(found), len(found.state_layers) * state)


def _shared(found: SortedTensors, config: TextConfig) -> Kept | None:
    """The last layers reuse the keys and values of earlier ones.

    Gemma 4's full-attention layers may use their keys as values; the projection is then one, its outputs count twice.
    """
    making = len(found.layers) - config.kv_shared_layers
    if (
        not found.layer_embeddings
        or len(found.kv) != making
        or any(len(outputs) > 2 for outputs in found.kv.values())
    ):
        return None
    return Kept(sum(2 * max(outputs) for outputs in found.kv.values()))


def _state_of_layer(config: TextConfig) -> int | None:
    if not (config.state_heads and config.state_keys and config.state_values):
        return None
    return config.state_heads * config.state_keys * config.state_values


def _kv_outputs(found: SortedTensors) -> int:
    return sum(sum(outputs) for outputs in found.kv.values())
