"""Whether a process of some size runs on a board, the system's own need added."""

from collections.abc import Callable

from core.base.units import GIB
from core.estimate.constants import limits
from core.estimate.notes import reason_note
from core.estimate.platforms import context_limits
from core.estimate.records import Fit, Verdict


def fits_boards(ram_bytes: int, ram_high_bytes: int) -> dict[str, Verdict]:
    """Return the verdict for boards sold with 4, 8, 16 and 32 GiB, whose Linux sees a little less."""
    known = limits()
    return {
        str(size): _verdict(ram_bytes, ram_high_bytes, int(size * GIB * known.usable_fraction))
        for size in known.board_gib
    }


def fit_board(ram_bytes: int, ram_high_bytes: int, board_ram_bytes: int, ram_at: Callable[[int], int]) -> Fit:
    """Return the verdict for one board.

    `board_ram_bytes` is the board's MemTotal; `ram_at(context)` gives the expected memory at another context
    and must not fall when the context grows.
    """
    verdict = _verdict(ram_bytes, ram_high_bytes, board_ram_bytes)
    known = limits()
    shown = {"yes": "fits", "tight": "tight", "no": "does_not_fit"}[verdict]
    need = ram_high_bytes if verdict == "yes" else ram_bytes
    system = known.os_desktop_bytes if verdict == "yes" else known.os_headless_bytes
    reason = reason_note(shown, need=_gib(need), os=_gib(system), have=_gib(board_ram_bytes))
    return Fit(verdict, reason, _largest_context(board_ram_bytes - known.os_headless_bytes, ram_at))


def _verdict(ram_bytes: int, ram_high_bytes: int, have_bytes: int) -> Verdict:
    known = limits()
    if ram_high_bytes + known.os_desktop_bytes <= have_bytes:
        return "yes"
    if ram_bytes + known.os_headless_bytes <= have_bytes:
        return "tight"
    return "no"


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


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / GIB:.1f}"
