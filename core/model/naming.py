"""Whether weights stand under the names, and have the shapes, that their architecture has for them.

A loader looks for names and goes on without the tensors it does not find: transformers fills them with random numbers
and says so in a line of its log. What programs put around a name has no end (`module.`, `student.`, `.linear.`), so it
is not looked for: the linear layers of every block have to be there, the embedding, and a head where config.json says
that it is none of the embedding's (resources/architectures.toml). Of an architecture whose names are not known for
certain nothing is said. A shape that is not config.json's ends a loader (torch, `load_state_dict`: size mismatch).
"""

from collections.abc import Iterable, Mapping

from core.base.errors import JsonValue, RefusedError
from core.base.names import printable
from core.model.headers import TensorInfo
from core.model.textconfig import TextConfig, language_part, read_text_config
from core.vendor.architectures import Architecture, Cut, find_architecture, find_by_model_type

# As transformers and the authors' own code call it: `output` InternLM2's, `output_layer` ChatGLM's.
_HEADS = ("lm_head.weight", "output.weight", "output_layer.weight")
Tensors = Mapping[str, TensorInfo]


def architecture_of(config: TextConfig) -> Architecture | None:
    """Return what is known of a model's class, or of its `model_type` where none is named."""
    find = find_architecture if config.class_named else find_by_model_type
    return find(config.class_name)


def refuse_misnamed(config: Mapping[str, JsonValue], tensors: Iterable[TensorInfo], model: str) -> None:
    """Refuse weights in which a tensor that the architecture must have is not there, or not as config.json says.

    Args:
        config: config.json.
        tensors: of all files, unpacked: quantizers give names of their own.
        model: a Hub id or a folder, for the words.

    Raises:
        RefusedError: `model.wrapped` where they stand behind a prefix, `model.incomplete` where some are
            missing, `model.misnamed` where another one stands in a place, `model.other_shape`.
    """
    # DeepSpeed's ZeRO-3 leaves tensors of no elements where nobody gathered them.
    found = {tensor.name: tensor for tensor in tensors if tensor.elements}
    text = read_text_config(config)
    architecture = architecture_of(text)
    if architecture is None or not architecture.blocks or not found:
        return
    block, cut = _layout(architecture, text, found, model)
    embedding = _embedding(block, cut)
    if embedding not in found:
        raise _refusal(embedding, _around(found, embedding) or _of_its_shape(found, text), model)
    if language_part(config).get("tie_word_embeddings") is False and not any(map(_is_head, found)):
        rest = {name: tensor for name, tensor in found.items() if name != embedding}
        raise _refusal(_HEADS[0], _around(rest, _HEADS[0]) or _of_its_shape(rest, text), model)
    _check_shapes(found, block, cut, text, model)


def _layout(architecture: Architecture, text: TextConfig, found: Tensors, model: str) -> tuple[str, Cut]:
    """The way the blocks are named in these weights.

    Raises:
        RefusedError: for none of the ways there are.
    """
    lacking: list[tuple[str, Cut, str]] = []
    for cut in architecture.cuts:
        # The experts of a mixture have names of their own, and its first blocks may have none.
        linears = [name for name in cut.linears if not (text.experts and name.startswith("mlp."))]
        for block in architecture.blocks:
            missing = _first_missing(found, block, linears, text.layers or 1)
            if missing is None:
                return block, cut
            lacking.append((block, cut, missing))
    # Of several layouts the one is told of which something is there.
    block, cut, missing = next((way for way in lacking if _any_begins(found, way[0])), lacking[0])
    instead = _around(found, missing) or _in_the_block(found, block, cut, missing)
    raise _wrapped(architecture, found, model) or _refusal(missing, instead, model)


def _first_missing(found: Tensors, block: str, linears: Iterable[str], layers: int) -> str | None:
    """The first linear layer that is not there; however many config.json speaks of, the names end the search."""
    wanted = (f"{block}{layer}.{linear}.weight" for layer in range(layers) for linear in linears)
    return next((name for name in wanted if name not in found), None)


def _embedding(block: str, cut: Cut) -> str:
    """The embedding's name: beside `model.layers.` lies `model.embed_tokens.weight`."""
    parts, name = block.split(".")[:-2], cut.embedding
    while name.startswith("../"):
        parts, name = parts[:-1], name.removeprefix("../")
    return ".".join([*parts, name, "weight"])


def _is_head(name: str) -> bool:
    return any(name == head or name.endswith(f".{head}") for head in _HEADS)


def _check_shapes(found: Tensors, block: str, cut: Cut, text: TextConfig, model: str) -> None:
    """The embedding has config.json's vocabulary and width, and the first block reads and has that width too."""
    reads = f"{block}0.{cut.linears[0]}.weight"
    gate = "" if text.experts else f"{block}0.mlp.gate_proj.weight"
    for name, rows, columns in (
        (_embedding(block, cut), text.vocab, text.hidden),
        (reads, None, text.hidden),
        (gate, text.intermediate, text.hidden),
    ):
        shape = found[name].shape if name in found else ()
        if len(shape) != 2:  # something of another make, of which nothing is known
            continue
        if (rows or shape[0]) != shape[0] or (columns or shape[1]) != shape[1]:
            raise RefusedError(
                "model.other_shape", model=model, tensor=name, shape=_times(*shape),
                wanted=_times(rows or "?", columns or "?"),
            )  # fmt: skip


def _times(*sizes: int | str) -> str:
    return " x ".join(map(str, sizes))


def _wrapped(architecture: Architecture, found: Tensors, model: str) -> RefusedError | None:
    firsts = [
        f"{block}0.{cut.linears[0]}.weight" for cut in architecture.cuts for block in architecture.blocks
    ]
    behind = None if any(name in found for name in firsts) else _behind_a_prefix(found, firsts)
    if behind is None:
        return None
    prefix, tensor = behind
    return RefusedError("model.wrapped", model=model, prefix=printable(prefix), tensor=printable(tensor))


def _refusal(missing: str, instead: str | None, model: str) -> RefusedError:
    """Say what stands in the place of a missing tensor; that it is not there at all, where nothing does."""
    if instead is None:
        return RefusedError("model.incomplete", model=model, missing=missing)
    return RefusedError("model.misnamed", model=model, missing=missing, tensor=printable(instead))


def _around(found: Tensors, missing: str) -> str | None:
    """A tensor with something put around the name of the missing one: `q_proj.linear.weight`."""
    place, _, last = missing.removesuffix(".weight").rpartition(".")
    beginning = f"{place}." if place else ""
    near = (name for name in found if name.startswith(beginning) and last in name.split("."))
    return min(near, default=None)


def _in_the_block(found: Tensors, block: str, cut: Cut, missing: str) -> str | None:
    """What has the place of a block's missing layer: its name elsewhere in the block, else a matrix nobody looks for.

    Nothing, where there are such blocks and this one or the layer is just not there; of other blocks the nearest name.
    """
    layer = missing.removeprefix(block).partition(".")[0]
    beside, _, last = missing.removesuffix(".weight").rpartition(".")
    known = {f"{block}{layer}.{linear}.weight" for linear in cut.linears}
    inside = [name for name in found if name.startswith(f"{block}{layer}.") and name not in known]
    moved = (name for name in inside if last in name.split("."))
    strange = (name for name in inside if name.startswith(f"{beside}.") and len(found[name].shape) == 2)
    return (
        min(moved, default=None)
        or min(strange, default=None)
        or (None if _any_begins(found, block) else _nearest(found, missing))
    )


def _of_its_shape(found: Tensors, text: TextConfig) -> str | None:
    """A tensor that can be the embedding or the head, by config.json."""
    return min((name for name in found if found[name].shape == (text.vocab, text.hidden)), default=None)


def _any_begins(found: Tensors, beginning: str) -> bool:
    return any(name.startswith(beginning) for name in found)


def _behind_a_prefix(found: Tensors, wanted: Iterable[str]) -> tuple[str, str] | None:
    """The prefix in front of a wanted name, and the two together."""
    for end in wanted:
        name = min((name for name in found if name.endswith(f".{end}")), default=None)
        if name is not None:
            return name.removesuffix(end), name
    return None


def _nearest(found: Tensors, lacking: str) -> str:
    """What stands in the place of a missing tensor, as far as names tell: it shares the most parts with it."""
    wanted = set(lacking.split("."))
    return max(sorted(found), key=lambda name: len(wanted.intersection(name.split("."))))
