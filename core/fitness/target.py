"""What every "fits" speaks about before there is a file: a SoC with some memory; and the boards that are sold."""

from dataclasses import dataclass

from core.estimate.constants import estimate_limits
from core.estimate.fit import BoardNow, usable_bytes
from core.vendor.platforms import Platform, load_platforms

_USUAL_GIB = 8


@dataclass(frozen=True, slots=True)
class FitTarget:
    """A board an estimate is made for.

    Attributes:
        context: in tokens.
        board_ram_bytes: MemTotal of the board, of a usual one of the catalogue when none is connected.
        now: what is free on it, when it is connected.
    """

    platform: Platform
    context: int
    board_ram_bytes: int | None
    now: BoardNow | None = None


@dataclass(frozen=True, slots=True)
class SoldBoard:
    """A board of the catalogue.

    Attributes:
        gib: of memory, as it is sold.
    """

    platform: Platform
    gib: int

    @property
    def key(self) -> str:
        """By which the settings name it."""
        return f"{self.platform.name}:{self.gib}"

    @property
    def ram_bytes(self) -> int:
        """What its Linux sees."""
        return usable_bytes(self.gib)


def catalogue() -> tuple[SoldBoard, ...]:
    """Boards as they are sold: every platform with every size of memory."""
    return tuple(
        SoldBoard(platform, size)
        for platform in load_platforms().values()
        for size in estimate_limits().board_gib
    )


def usual_board(platform: Platform) -> SoldBoard:
    """The one to speak of while nobody has chosen."""
    sizes = estimate_limits().board_gib
    return SoldBoard(platform, _USUAL_GIB if _USUAL_GIB in sizes else sizes[0])
