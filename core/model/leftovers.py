"""What names of tensors and files tell of a model that is not as its makers had it (resources/checkpoints.toml)."""

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from core.base import tomldata
from core.base.errors import RefusedError
from core.base.names import printable
from core.model.headers import TensorInfo

_FILE = "checkpoints.toml"


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What to look for in names.

    Attributes:
        begins: how a part of a name (between dots) begins that is an adapter's.
        parts: whole parts that are an adapter's.
        wrappers: what stands in front of every name of a wrapped model, its last dot with it.
        inner: those of them that may stand in the middle, too.
    """

    begins: tuple[str, ...]
    parts: frozenset[str]
    wrappers: tuple[str, ...]
    inner: tuple[str, ...]

    def is_adapters(self, name: str) -> bool:
        """Whether a tensor of that name is an adapter's, or lies where an adapter was wired in."""
        parts = name.split(".")
        return not self.parts.isdisjoint(parts) or any(part.startswith(self.begins) for part in parts)

    def wrapper_of(self, name: str) -> str | None:
        """The wrapper's part of a tensor's name; None where there is none."""
        found = next((prefix for prefix in self.wrappers if name.startswith(prefix)), None)
        return found or next((prefix for prefix in self.inner if f".{prefix}" in name), None)


@cache
def leftovers() -> Leftovers:
    """Return what to look for.

    Raises:
        RKDeckError: `estimate.bad_data_file`.
    """
    table = tomldata.load_toml(_FILE)
    adapters, wrappers = (tomldata.subtables(table, key, _FILE) for key in ("adapter", "wrapper"))
    prefixes = {
        tomldata.text(entry, "prefix", _FILE): tomldata.flag(entry, "anywhere", _FILE) for entry in wrappers
    }
    return Leftovers(
        begins=tuple(_listed(adapters, "begins")),
        parts=frozenset(_listed(adapters, "parts")),
        wrappers=tuple(prefixes),
        inner=tuple(prefix for prefix, anywhere in prefixes.items() if anywhere),
    )


def _listed(entries: Iterable[tomldata.Table], key: str) -> list[str]:
    return [text for entry in entries if key in entry for text in tomldata.texts(entry, key, _FILE)]


@cache
def quantizers_files() -> Mapping[str, str]:
    """Return which files, beside config.json, tell that weights are quantized, and how.

    Raises:
        RKDeckError: `estimate.bad_data_file`.
    """
    entries = tomldata.subtables(tomldata.load_toml(_FILE), "quantizer", _FILE)
    return MappingProxyType(
        {tomldata.text(entry, "file", _FILE): tomldata.text(entry, "method", _FILE) for entry in entries}
    )


@cache
def _forms() -> tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]:
    """Name, endings and patterns of each form."""
    return tuple(
        (
            tomldata.text(entry, "name", _FILE),
            tuple(_listed([entry], "endings")),
            tuple(_listed([entry], "files")),
        )
        for entry in tomldata.subtables(tomldata.load_toml(_FILE), "form", _FILE)
    )


def form_of(name: str) -> str | None:
    """What weights are called that the toolkit does not read, by their file's name; None for a file of any other kind.

    Some forms are folders, so every part of the name is looked at.

    Raises:
        RKDeckError: `estimate.bad_data_file`.
    """
    parts = name.lower().split("/")
    for form, endings, patterns in _forms():
        if any(part.endswith(endings) for part in parts):
            return form
        if any(fnmatch.fnmatchcase(parts[-1], pattern) for pattern in patterns):
            return form
    return None


def refuse_leftovers(tensors: Iterable[TensorInfo], model: str) -> None:
    """Refuse weights under names no loader looks for: of an adapter never merged, of a wrapper never taken off.

    An adapter comes first: PEFT wraps, too, and taking its wrapper off would not merge it.

    Args:
        tensors: of all shards.
        model: a Hub id or a folder, for the words.

    Raises:
        RefusedError: `model.adapter_unmerged`, `model.wrapped`.
    """
    known = leftovers()
    wrapped: tuple[str, str] | None = None
    for tensor in tensors:
        if known.is_adapters(tensor.name):
            raise RefusedError("model.adapter_unmerged", model=model, tensor=printable(tensor.name))
        prefix = known.wrapper_of(tensor.name) if wrapped is None else None
        if prefix is not None:
            wrapped = prefix, tensor.name
    if wrapped is not None:
        raise RefusedError("model.wrapped", model=model, prefix=wrapped[0], tensor=printable(wrapped[1]))
