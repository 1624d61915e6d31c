"""Files of a model that are not stored here: a name that does harm, or a size that cannot be, costs that file only."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from core.base.errors import JsonValue, RefusedError, RKDeckError
from core.base.names import printable

_MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One of them.

    Attributes:
        path: as its author calls it; hostile text.
        why: value of a fact of that name: what `core.base.names.refusal` says, or "reserved", "same_place",
            "disk_refuses", "no_room"; "strange" where a hub tells of it what cannot be.
    """

    path: str
    why: str

    def to_json(self) -> dict[str, JsonValue]:
        """Return the member of an order."""
        return asdict(self)

    def refusal(self) -> RefusedError:
        """`names.unsafe_path`, for a file that cannot be done without."""
        return RefusedError("names.unsafe_path", path=printable(self.path), why=self.why)


def tellings(left_out: Iterable[LeftOut]) -> tuple[RKDeckError, ...]:
    """What is to be told of them, for each reason one `names.left_out` with the first names."""
    names: dict[str, list[str]] = {}
    for item in left_out:
        names.setdefault(item.why, []).append(printable(item.path))
    return tuple(
        RKDeckError(
            "names.left_out", count=len(found), why=why,
            files=[*found[:_MOST_TOLD], *(["…"] if len(found) > _MOST_TOLD else [])],
        )
        for why, found in names.items()
    )  # fmt: skip


def left_out_json(left_out: Iterable[LeftOut]) -> list[JsonValue]:
    """Return the member `left_out` of results and provenance: every file, its name made printable."""
    return [{"name": printable(item.path), "why": item.why} for item in left_out]
