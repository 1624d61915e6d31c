"""Whether a process of some size runs on a board, the system's own need added."""

from collections.abc import Callable
from dataclasses import dataclass

from core.base.names import printable
from core.base.notes import Note, note
from core.base.units import GIB, format_bytes
from core.estimate.constants import estimate_limits
from core.estimate.records import Fit, Fits
from core.vendor.platforms import context_limits


@dataclass(frozen=True, slots=True)
class BoardNow:
    """What is seen of a board's memory at this moment.

    Attributes:
        free_bytes: MemAvailable.
        served: name of the model that is being served there, None when there is none.
        served_bytes: what that holds (VmRSS), None when it is not known.
    """

    free_bytes: int
    served: str | None = None
    served_bytes: int | None = None


def fits_boards(ram_bytes: int, ram_high_bytes: int) -> dict[str, Fits]:
    """Return the verdict for boards sold with 4, 8, 16 and 32 GiB, whose Linux sees a little less."""
    return {
        str(size): judge_memory(ram_bytes, ram_high_bytes, usable_bytes(size))
        for size in estimate_limits().board_gib
    }


def usable_bytes(gib: float) -> int:
    """What Linux sees (MemTotal) of a board that is sold with so many GiB."""
    return int(gib * GIB * estimate_limits().usable_fraction)


def fit_board(
    ram_bytes: int,
    ram_high_bytes: int,
    board_ram_bytes: int,
    ram_at: Callable[[int], int],
    now: BoardNow | None = None,
) -> Fit:
    """Return the verdict for one board.

    "no" means that the board is too small. What only the moment forbids is "tight", with what stands in the way:
    somebody who looks for a model to download can stop another one, but cannot buy memory.

    Args:
        ram_bytes: the expected need.
        ram_high_bytes: its upper bound.
        board_ram_bytes: the board's MemTotal.
        ram_at: the expected memory at another context; it must not fall when the context grows.
        now: of a connected board.
    """
    verdict = judge_memory(ram_bytes, ram_high_bytes, board_ram_bytes)
    room = board_ram_bytes - estimate_limits().os_headless_bytes
    if now is not None and verdict != "no":
        if ram_bytes > now.free_bytes:
            return Fit("tight", _busy(ram_bytes, board_ram_bytes, now), _largest_context(room, ram_at))
        room = min(room, now.free_bytes)
        shown = "fits_now" if ram_high_bytes <= now.free_bytes and verdict == "yes" else "tight_now"
        reason = note(
            shown,
            need=format_bytes(ram_high_bytes if shown == "fits_now" else ram_bytes),
            free=format_bytes(now.free_bytes),
            have=format_bytes(board_ram_bytes),
        )
        return Fit("yes" if shown == "fits_now" else "tight", reason, _largest_context(room, ram_at))
    known = estimate_limits()
    shown = {"yes": "fits", "tight": "tight", "no": "does_not_fit"}[verdict]
    need = ram_high_bytes if verdict == "yes" else ram_bytes
    system = known.os_desktop_bytes if verdict == "yes" else known.os_headless_bytes
    reason = note(shown, need=format_bytes(need), os=format_bytes(system), have=format_bytes(board_ram_bytes))
    return Fit(verdict, reason, _largest_context(room, ram_at))


def judge_memory(ram_bytes: int, ram_high_bytes: int, have_bytes: int) -> Fits:
    """Return the verdict for a board whose Linux sees `have_bytes`, with nothing else running."""
    known = estimate_limits()
    if ram_high_bytes + known.os_desktop_bytes <= have_bytes:
        return "yes"
    if ram_bytes + known.os_headless_bytes <= have_bytes:
        return "tight"
    return "no"


def _busy(ram_bytes: int, board_ram_bytes: int, now: BoardNow) -> Note:
    need, free, have = format_bytes(ram_bytes), format_bytes(now.free_bytes), format_bytes(board_ram_bytes)
    if now.served is None:
        return note("busy", need=need, free=free, have=have)
    served = printable(now.served, 60)
    if now.served_bytes is None:
        return note("busy_serving", need=need, free=free, have=have, model=served)
    held = format_bytes(now.served_bytes)
    return note("busy_serving_holds", need=need, free=free, have=have, model=served, held=held)


def _largest_context(room_bytes: int, ram_at: Callable[[int], int]) -> int | None:
    bounds = context_limits()
    low, high = bounds.min // bounds.multiple, bounds.max // bounds.multiple
    if ram_at(low * bounds.multiple) > room_bytes:
        return None
    while low < high:
        middle = (low + high + 1) // 2
        if ram_at(middle * bounds.multiple) <= room_bytes:
            low = middle
        else:
            high = middle - 1
    return low * bounds.multiple
