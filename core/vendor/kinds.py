"""The kinds of model files that boards run: one record a kind, data from `resources/kinds.toml`.

Whoever has to know goes by these records: what a file is, what it fits, which lists it is in, what it is called.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from core.base import tomldata

_FILE = "kinds.toml"


@dataclass(frozen=True, slots=True)
class ModelKind:
    """One kind.

    Attributes:
        name: `rkllm`, ...: as the library, manifests and JSON call it.
        ending: of its files' names, with the dot.
        formats: of inspections (`core.model.inspect.Inspection.kind`) that are of this kind.
        simulated: those of them that only a simulated board runs.
        engine: what runs it on a board.
        rules: names of the rules about such a file on a board, in the order people read them.
        board_checks: the doctor's checks of a board that forbid such a file where they fail.
        engine_checks: the doctor's checks of a board that are about that engine alone, and forbid nothing.
        hub_filter: the tag hubs list its repositories by.
    """

    name: str
    ending: str
    formats: frozenset[str]
    simulated: frozenset[str]
    engine: str
    rules: tuple[str, ...]
    board_checks: frozenset[str]
    engine_checks: frozenset[str]
    hub_filter: str

    def is_named(self, name: str) -> bool:
        """Whether a file says by its name that it is of this kind."""
        return name.lower().endswith(self.ending)


@cache
def model_kinds() -> Mapping[str, ModelKind]:
    """All of them by name, the one nearest to a board's NPU first."""
    rows = tomldata.subtables(tomldata.load_toml(_FILE), "kind", _FILE)
    return {kind.name: kind for kind in map(_kind, rows)}


def kind_of_format(found: str) -> ModelKind | None:
    """The kind of a file that an inspection calls so; None of what no board runs."""
    return next((kind for kind in model_kinds().values() if found in kind.formats), None)


def kind_of_name(name: str) -> ModelKind | None:
    """The kind a file's name says it is of; None where it says none."""
    return next((kind for kind in model_kinds().values() if kind.is_named(name)), None)


def _kind(row: tomldata.Table) -> ModelKind:
    return ModelKind(
        name=tomldata.text(row, "name", _FILE),
        ending=tomldata.text(row, "ending", _FILE),
        formats=frozenset(tomldata.texts(row, "formats", _FILE)),
        simulated=frozenset(tomldata.texts(row, "simulated", _FILE)),
        engine=tomldata.text(row, "engine", _FILE),
        rules=tomldata.texts(row, "rules", _FILE),
        board_checks=frozenset(tomldata.texts(row, "board_checks", _FILE)),
        engine_checks=frozenset(tomldata.texts(row, "engine_checks", _FILE)),
        hub_filter=tomldata.text(row, "hub_filter", _FILE),
    )
