"""What to change when a level of a model does not fit a board."""

from core.base.notes import Note, note
from core.base.units import format_bytes
from core.estimate.records import Estimate, Fits, LevelEstimate
from core.vendor.levels import get_level

_RANKS: dict[Fits, int] = {"yes": 0, "tight": 1, "no": 2}


def advise(estimate: Estimate, row: LevelEstimate) -> tuple[Note, ...]:
    """Ways to make it fit: a shorter context, another level, a larger board. Empty when it fits or cannot."""
    if row.kind != "rkllm" or (row.supported and (row.fit is None or row.fit.verdict == "yes")):
        return ()
    advice: list[Note] = []
    largest = row.fit.largest_context if row.fit is not None else None
    if row.supported and largest is not None and largest < estimate.context:
        advice.append(note("shorter_context", context=largest))
    other = _better_level(estimate, row)
    if other is not None and other.ram is not None:
        advice.append(note("other_level", dtype=other.dtype, need=format_bytes(other.ram.value)))
    if row.supported and row.fit is not None and row.fit.verdict == "no" and row.fits is not None:
        sizes = [int(size) for size, verdict in row.fits.items() if verdict != "no"]
        if sizes:
            advice.append(note("larger_board", gib=min(sizes)))
    return tuple(advice)


def _better_level(estimate: Estimate, row: LevelEstimate) -> LevelEstimate | None:
    """The supported level with the best verdict, when that is better than this one's."""
    mine = _RANKS[row.fit.verdict] if row.supported and row.fit is not None else _RANKS["no"]
    found = [
        (other, _RANKS[other.fit.verdict])
        for other in estimate.rows
        if other.kind == "rkllm" and other.supported and other.fit is not None and other.bits <= 8
    ]
    better = [(other, rank) for other, rank in found if rank < mine]
    return (
        min(
            better, key=lambda pair: (pair[1], -pair[0].bits, get_level(pair[0].dtype).group_size is not None)
        )[0]
        if better
        else None
    )
