"""Sorting a checkpoint's tensors: linear layers, embedding, head, and what does not go into a .rkllm file."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from core.model.headers import TensorInfo

# Parts that do not become part of the language .rkllm: towers and projectors, and extra prediction heads.
_OTHER_PARTS = frozenset(
    (
        *("visual", "vision", "vision_tower", "vision_model", "vision_encoder", "vision_embed_tokens", "vpm"),
        *(
            "resampler",
            "audio_tower",
            "audio_model",
            "apm",
            "tts",
            "sam_model",
            "embed_vision",
            "embed_audio",
        ),
        *("multi_modal_projector", "mm_projector", "projector", "aligner", "connector", "mlp1"),
        *(
            "gen_vision_model",
            "gen_aligner",
            "gen_head",
            "gen_embed",
            "image_newline",
            "view_seperator",
            "mtp",
        ),
    )
)
_EMBEDDINGS = frozenset(
    ("embed_tokens", "tok_embeddings", "word_embeddings", "wte", "embeddings", "embed_in")
)
_HEADS = frozenset(("lm_head", "output", "output_layer", "embed_out", "head"))
_LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks)\.(\d{1,6})\.")
_KEYS_VALUES = frozenset(("k_proj", "v_proj"))
# Gated DeltaNet (Qwen3.5), short convolution (LFM2), low-rank decay (RWKV7): a block's part that keeps a state.
_RECURRENT = frozenset(("linear_attn", "conv", "w_lora"))
# Matrix products outside of the blocks: Gemma 3n's and 4's per-layer inputs and predicted streams.
_OUTER_LINEAR = frozenset(("per_layer_model_projection", "altup_projections", "altup_unembed_projections"))


@dataclass(frozen=True, slots=True)
class LinearLayer:
    """One matrix product of a token's way through the model.

    Attributes:
        outputs, inputs: its dimensions; of each expert when `modules` > 1.
        modules: how many such products the tensor holds (experts stored in one tensor).
        expert: whether it belongs to a routed expert.
    """

    name: str
    outputs: int
    inputs: int
    modules: int = 1
    expert: bool = False

    @property
    def elements(self) -> int:
        """Number of weights."""
        return self.outputs * self.inputs * self.modules


@dataclass(slots=True)
class SortedTensors:
    """The tensors of a checkpoint by what they are. Counts are elements unless named otherwise.

    Attributes:
        kv: layer -> outputs of its separate key and value projections.
        state_layers: layers with a recurrence in the place of attention.
        unused: key and value projections of layers that reuse those of earlier ones.
    """

    body: list[LinearLayer] = field(default_factory=list)
    head: LinearLayer | None = None
    embedding: LinearLayer | None = None
    layers: set[int] = field(default_factory=set)
    kv: dict[int, list[int]] = field(default_factory=dict)
    state_layers: set[int] = field(default_factory=set)
    unused: int = 0
    small: int = 0
    layer_embeddings: int = 0
    other_parts: int = 0
    unrecognised: int = 0
    unrecognised_tensors: int = 0


def sort_tensors(
    tensors: Iterable[TensorInfo], layers: int | None, kv_shared_layers: int = 0
) -> SortedTensors:
    """Sort tensors by name and shape.

    Args:
        tensors: of all shards.
        layers: config.json's count; further blocks are extra prediction heads.
        kv_shared_layers: the last so many layers make no keys and values of their own, although a checkpoint
            may carry the projections (Gemma 3n).
    """
    found = SortedTensors()
    kv_layers = layers - kv_shared_layers if layers is not None and kv_shared_layers else None
    for tensor in tensors:
        _sort_one(found, tensor, layers, kv_layers)
    return found


def _sort_one(found: SortedTensors, tensor: TensorInfo, layers: int | None, kv_layers: int | None) -> None:
    parts = tensor.name.split(".")
    layer = _LAYER.search(tensor.name)
    if not _OTHER_PARTS.isdisjoint(parts) or (layer and layers is not None and int(layer[1]) >= layers):
        found.other_parts += tensor.elements
    elif layer is not None:
        number = int(layer[1])
        found.layers.add(number)
        if kv_layers is not None and number >= kv_layers and not _KEYS_VALUES.isdisjoint(parts):
            found.unused += tensor.elements
        else:
            _sort_layer_tensor(found, tensor, parts, number)
    elif len(tensor.shape) == 2 and not _EMBEDDINGS.isdisjoint(parts):
        found.embedding = _linear(tensor)
    elif "embed_tokens_per_layer" in parts:
        found.layer_embeddings += tensor.elements
    elif len(tensor.shape) == 2 and not _OUTER_LINEAR.isdisjoint(parts):
        found.body.append(_linear(tensor))
    elif len(tensor.shape) == 2 and parts[-1] == "weight" and parts[-2:-1] and parts[-2] in _HEADS:
        found.head = _linear(tensor)
    elif len(tensor.shape) <= 1:
        found.small += tensor.elements
    else:
        found.unrecognised += tensor.elements
        found.unrecognised_tensors += 1


def _sort_layer_tensor(found: SortedTensors, tensor: TensorInfo, parts: list[str], number: int) -> None:
    expert = "experts" in parts
    if len(tensor.shape) == 3 and expert:
        modules, inputs, outputs = tensor.shape
        found.body.append(LinearLayer(tensor.name, outputs, inputs, modules, expert=True))
    elif len(tensor.shape) == 2 and parts[-1] == "weight":
        found.body.append(_linear(tensor, expert=expert))
        if not _RECURRENT.isdisjoint(parts):
            found.state_layers.add(number)
        elif parts[-2] in _KEYS_VALUES:
            found.kv.setdefault(number, []).append(tensor.shape[0])
    else:
        # Norms, biases, convolutions, decay vectors: kept beside the matrices in FP32, tiny.
        found.small += tensor.elements


def _linear(tensor: TensorInfo, *, expert: bool = False) -> LinearLayer:
    outputs, inputs = tensor.shape
    return LinearLayer(tensor.name, outputs, inputs, expert=expert)


def elements(layers: Iterable[LinearLayer]) -> int:
    """Return the number of weights of several layers."""
    return sum(layer.elements for layer in layers)
