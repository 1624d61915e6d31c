"""Whether weights stand under the names their architecture has for them (resources/architectures.toml).

A loader looks for names and goes on without the tensors it does not find: transformers fills them with random numbers
and says so in a line of its log. What programs put around a name has no end (`module.`, `student.`, `.linear.`), so it
is not looked for: the linear layers of every block have to be there. Of an architecture whose names are not known for
certain nothing is said.
"""

from collections.abc import Iterable, Mapping

from core.base.errors import JsonValue, RefusedError
from core.base.names import printable
from core.model.headers import TensorInfo
from core.model.textconfig import TextConfig, read_text_config
from core.vendor.architectures import Architecture, find_architecture, find_by_model_type


def architecture_of(config: TextConfig) -> Architecture | None:
    """Return what is known of a model's class, or of its `model_type` where none is named."""
    find = find_architecture if config.class_named else find_by_model_type
    return find(config.class_name)


def refuse_misnamed(config: Mapping[str, JsonValue], tensors: Iterable[TensorInfo], model: str) -> None:
    """Refuse weights in which a block's linear layers are not where the architecture has them.

    Args:
        config: config.json.
        tensors: of all files, unpacked: quantizers give names of their own.
        model: a Hub id or a folder, for the words.

    Raises:
        RefusedError: `model.wrapped` where they stand behind a prefix, `model.incomplete` where some are
            missing, `model.misnamed` where none stands in its place.
    """
    # DeepSpeed's ZeRO-3 leaves tensors of no elements where nobody gathered them.
    names = frozenset(tensor.name for tensor in tensors if tensor.elements)
    text = read_text_config(config)
    architecture = architecture_of(text)
    if architecture is None or not architecture.blocks or not text.layers or not names:
        return
    lacking: list[tuple[str, str]] = []
    for cut in architecture.cuts:
        # The experts of a mixture have names of their own, and its first blocks may have none.
        linears = [name for name in cut if not (text.experts and name.startswith("mlp."))]
        for block in architecture.blocks:
            missing = _first_missing(names, block, linears, text.layers)
            if missing is None:
                return
            lacking.append((block, missing))
    # Of several layouts the one is told of which something is there.
    block, missing = next((way for way in lacking if _any_begins(names, way[0])), lacking[0])
    raise _wrapped(architecture, names, model) or _refusal(names, block, missing, model)


def _first_missing(names: frozenset[str], block: str, linears: Iterable[str], layers: int) -> str | None:
    """The first linear layer that is not there; however many config.json speaks of, the names end the search."""
    wanted = (f"{block}{layer}.{linear}.weight" for layer in range(layers) for linear in linears)
    return next((name for name in wanted if name not in names), None)


def _wrapped(architecture: Architecture, names: frozenset[str], model: str) -> RefusedError | None:
    firsts = [f"{block}0.{cut[0]}.weight" for cut in architecture.cuts for block in architecture.blocks]
    found = None if names.intersection(firsts) else _behind_a_prefix(names, firsts)
    if found is None:
        return None
    prefix, tensor = found
    return RefusedError("model.wrapped", model=model, prefix=printable(prefix), tensor=printable(tensor))


def _refusal(names: frozenset[str], block: str, missing: str, model: str) -> RefusedError:
    layer, *_, linear, _weight = missing.removeprefix(block).split(".")
    inside = [name for name in names if name.startswith(f"{block}{layer}.") and linear in name.split(".")]
    if not inside and _any_begins(names, block):
        return RefusedError("model.incomplete", model=model, missing=missing)
    instead = min(inside, default=None) or _nearest(names, missing)
    return RefusedError("model.misnamed", model=model, missing=missing, tensor=printable(instead))


def _any_begins(names: frozenset[str], beginning: str) -> bool:
    return any(name.startswith(beginning) for name in names)


def _behind_a_prefix(names: frozenset[str], wanted: Iterable[str]) -> tuple[str, str] | None:
    """The prefix in front of a wanted name, and the two together."""
    for end in wanted:
        found = min((name for name in names if name.endswith(f".{end}")), default=None)
        if found is not None:
            return found.removesuffix(end), found
    return None


def _nearest(names: frozenset[str], lacking: str) -> str:
    """What stands in the place of a missing tensor, as far as names tell: it shares the most parts with it."""
    wanted = set(lacking.split("."))
    return max(sorted(names), key=lambda name: len(wanted.intersection(name.split("."))))
