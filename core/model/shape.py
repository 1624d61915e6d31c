"""A model's shape: how many weights are read, kept and cached, as the memory and speed formulas need it."""

from dataclasses import dataclass

from core.base.errors import RKDeckError
from core.base.names import printable
from core.base.notes import Note, note
from core.model.facts import ModelFacts
from core.model.fallback import tensors_from_config
from core.model.families import kept_elements
from core.model.files import WeightsKind, refusal_of
from core.model.naming import architecture_of
from core.model.tensors import LinearLayer, SortedTensors, elements, sort_tensors
from core.model.textconfig import TextConfig, names_classes_oddly, read_text_config
from core.vendor.architectures import Architecture, newest_toolkit


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The language part of a model, in elements (not bytes) unless named otherwise.

    Attributes:
        architecture: class name of config.json, made printable; its `model_type` where it names none.
        family: kind of model (resources/architectures.toml), `unknown` for a class RKDeck does not know.
        known: the toolkit lists the class; `since` is the version that brought it.
        modelled: keys and values are known, so memory and speed can be computed.
        benchmarked: the vendor publishes rows of this class.
        from_headers: counted from tensor headers; otherwise computed from config.json.
        parameters: all parameters of the language part, a tied head counted once.
        w_linear: weights of all matrix products, output head included, tied or not.
        w_body, w_head: the same without the head, and the head alone.
        w_active: weights one token reads: all but the experts it is not routed to.
        embedding: elements of the token embedding.
        kv_elements_per_token: cached elements a token, None when the family has no model.
        n_matmul, n_matmul_active: matrix products in the file, and those one token goes through.
        recurrent_state_elements: what a recurrence keeps, whatever the context.
        mixing_layers: layers that mix each token with the one before, stream by stream (RWKV).
        altup_layers: layers that run several predicted streams (Gemma 3n).
        layer_inputs: layers with an embedding of their own (Gemma 3n and 4).
        max_positions: tokens the model was trained for, as config.json says.
        linear: the layers behind w_body, in file order.
        quantization: how the checkpoint is already quantized, or None.
        weights: the form of the weights (`core.model.files`).
        config_encoding: of config.json, where transformers cannot read it.
        odd_classes: config.json names its classes as rkllm-toolkit does not read them.
    """

    architecture: str
    family: str
    known: bool
    since: str | None
    modelled: bool
    benchmarked: bool
    from_headers: bool
    parameters: int
    w_linear: int
    w_body: int
    w_head: int
    w_active: int
    embedding: int
    vocab: int
    hidden: int
    layers: int
    intermediate: int
    kv_elements_per_token: int | None
    n_matmul: int
    n_matmul_active: float
    recurrent_state_elements: int
    mixing_layers: int
    altup_layers: int
    layer_inputs: int
    max_positions: int | None
    tied: bool
    linear: tuple[LinearLayer, ...]
    quantization: str | None
    weights: WeightsKind
    config_encoding: str | None
    odd_classes: bool
    notes: tuple[Note, ...]

    def indivisible_by(self, group_size: int, *, inputs: bool) -> LinearLayer | None:
        """Return a layer whose outputs (or inputs) the group size does not divide, or None.

        The head is never grouped.
        """
        return next(
            (layer for layer in self.linear if (layer.inputs if inputs else layer.outputs) % group_size), None
        )


def build_shape(facts: ModelFacts) -> ModelShape:
    """Work out a model's shape from its facts.

    Raises:
        RKDeckError: `estimate.bad_shape` when the tensors are not a language model's, `estimate.no_shapes`
            when there are no headers and config.json alone is not enough.
        RefusedError: `model.gguf_only` and the like, where that is because the weights are of another kind.
    """
    config = read_text_config(facts.config)
    architecture = architecture_of(config) or Architecture("unknown", None, False, None, False)
    found, from_headers = _tensors(facts, config, architecture)
    embedding = found.embedding
    if embedding is None or not found.body or not found.layers:
        raise RKDeckError("estimate.bad_shape", missing="embedding and layers")
    head = found.head or embedding
    tied = _tied(found, config, architecture, from_headers=from_headers)
    body = elements(found.body)
    active_share = _active_share(config)
    kept = kept_elements(found, config, architecture)
    return ModelShape(
        architecture=config.class_name,
        family=architecture.family,
        known=architecture.since is not None,
        since=architecture.since,
        modelled=kept is not None,
        benchmarked=architecture.benchmarked,
        from_headers=from_headers,
        parameters=_parameters(found, body, embedding, 0 if tied else head.elements),
        w_linear=body + head.elements,
        w_body=body,
        w_head=head.elements,
        w_active=head.elements + round(_weighted(found.body, active_share, modules=False)),
        embedding=embedding.elements,
        vocab=head.outputs,
        hidden=embedding.inputs,
        layers=len(found.layers),
        intermediate=config.intermediate or _widest(found.body),
        kv_elements_per_token=kept.kv_per_token if kept else None,
        n_matmul=1 + sum(layer.modules for layer in found.body),
        n_matmul_active=1 + _weighted(found.body, active_share, modules=True),
        recurrent_state_elements=kept.state if kept else 0,
        mixing_layers=len(found.layers) if architecture.family == "recurrent" else 0,
        altup_layers=len(found.layers) if config.altup else 0,
        layer_inputs=len(found.layers) if found.layer_embeddings else 0,
        max_positions=config.max_positions,
        tied=tied,
        linear=tuple(found.body),
        quantization=printable(facts.quantization, 40) if facts.quantization else None,
        weights=facts.weights,
        config_encoding=facts.config_encoding,
        odd_classes=names_classes_oddly(facts.config),
        notes=_notes(facts, config, architecture, found, from_headers=from_headers, known=kept is not None),
    )


def _tensors(facts: ModelFacts, config: TextConfig, architecture: Architecture) -> tuple[SortedTensors, bool]:
    # The tensors of a quantized checkpoint are packed: their shapes say nothing of the model's.
    if facts.tensors and facts.quantization is None:
        return sort_tensors(facts.tensors, config.layers, config.kv_shared_layers), True
    found = tensors_from_config(config, architecture.layout)
    if found is None:
        # A converter's stub of a config.json beside GGUF: what is wrong is not the stub.
        raise refusal_of(facts.form, facts.model) or RKDeckError(
            "estimate.no_shapes", architecture=config.class_name
        )
    return found, False


def _tied(
    found: SortedTensors, config: TextConfig, architecture: Architecture, *, from_headers: bool
) -> bool:
    if from_headers and found.head is None:
        return True
    return architecture.tied if config.tied is None else config.tied


def _parameters(found: SortedTensors, body: int, embedding: LinearLayer, head: int) -> int:
    others = found.small + found.layer_embeddings + found.unrecognised + found.unused
    return body + embedding.elements + head + others


def _active_share(config: TextConfig) -> float:
    """Share of the routed experts that one token uses; all of them when config.json does not say."""
    if config.experts and config.experts_per_token:
        return min(1.0, config.experts_per_token / config.experts)
    return 1.0


def _weighted(layers: list[LinearLayer], share: float, *, modules: bool) -> float:
    plain = sum(layer.modules if modules else layer.elements for layer in layers if not layer.expert)
    routed = sum(layer.modules if modules else layer.elements for layer in layers if layer.expert)
    return plain + share * routed


def _widest(body: list[LinearLayer]) -> int:
    return max((max(layer.outputs, layer.inputs) for layer in body if not layer.expert), default=0)


def _notes(
    facts: ModelFacts,
    config: TextConfig,
    architecture: Architecture,
    found: SortedTensors,
    *,
    from_headers: bool,
    known: bool,
) -> tuple[Note, ...]:
    name = config.class_name
    notes: list[Note] = []
    if architecture.since is None:
        notes.append(note("unknown_architecture", architecture=name))
    elif _version(architecture.since) > _version(newest_toolkit()):
        notes.append(note("newer_toolkit", architecture=name, since=architecture.since))
    if architecture.since is not None and not config.class_named:
        notes.append(note("by_model_type", model_type=name))
    if not known:
        notes.append(note("no_memory_model", architecture=name, family=architecture.family))
    elif architecture.since is not None and not architecture.benchmarked:
        notes.append(note("not_benchmarked", architecture=name))
    if architecture.family == "moe":
        notes.append(note("mixture"))
    if facts.weights == "unindexed":
        notes.append(note("unindexed"))
    if facts.tokenizer is False and facts.hollow is None:
        notes.append(note("no_tokenizer"))
    elif facts.tokenizer is False:
        notes.append(note("hollow_tokenizer", file=printable(facts.hollow_file)))
    if facts.quantization:
        notes.append(note("quantized_source", method=printable(facts.quantization, 40)))
    elif not from_headers:
        notes.append(note("config_only"))
    if found.other_parts:
        notes.append(note("towers_excluded", parameters=found.other_parts))
    if found.unrecognised:
        notes.append(
            note("unrecognised_tensors", count=found.unrecognised_tensors, parameters=found.unrecognised)
        )
    if config.layers is not None and config.layers != len(found.layers):
        notes.append(note("layers_differ", config=config.layers, tensors=len(found.layers)))
    return tuple(notes)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
