"""The active board: what every "fits" speaks about, a board of the user's or one from the catalogue."""

from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, Signal, Slot

from core.estimate.fit import BoardNow
from core.fitness.sight import board_now, board_seen
from core.fitness.target import FitTarget, SoldBoard, catalogue, usual_board
from core.vendor.platforms import Platform, get_platform, load_platforms
from gui.feeds.boards import BoardsFeed, BoardView
from gui.feeds.settings import SettingsKeeper

_STEP_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Target:
    """One board to judge for.

    Attributes:
        board: name of a board of the user's, None for one of the catalogue.
        ram_bytes: what its Linux sees (MemTotal), or of the catalogue entry; None is unknown.
        now: what is free, and what is served; None when not connected.
        nominal_gib: as sold, for catalogue entries.
    """

    key: str
    platform: Platform
    board: str | None = None
    ram_bytes: int | None = None
    now: BoardNow | None = None
    nominal_gib: int | None = None
    simulated: bool = False

    def fit(self, context: int) -> FitTarget:
        """What the core judges for."""
        return FitTarget(self.platform, context, self.ram_bytes, self.now)


class ActiveBoard(QObject):
    """Chooses the target; remembers it in the settings.

    Signals:
        changed: the Target that counts from now on (another board, or other facts of the same).
    """

    changed = Signal(object)

    def __init__(self, settings: SettingsKeeper, boards: BoardsFeed, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._boards = boards
        self.target = sold_target(self._usual())
        boards.loaded.connect(self._on_boards_changed)
        boards.changed.connect(self._on_boards_changed)

    def choices(self) -> list[Target]:
        """The user's boards first, then the catalogue."""
        own = [found for view in self._boards.views if (found := board_target(view)) is not None]
        return own + [sold_target(board) for board in catalogue()]

    def choose(self, key: str) -> None:
        """Make another board the active one."""
        self._settings.change(active_board=key)
        self._update()

    @Slot(object)
    @Slot()
    def _on_boards_changed(self, _view: object = None) -> None:
        self._update()

    def _update(self) -> None:
        choices = self.choices()
        wanted = self._settings.value.active_board
        found = next((target for target in choices if target.key == wanted), None)
        if found is None:
            own = [target for target in choices if target.board is not None]
            found = own[0] if own and not wanted else self._default(choices)
        if found != self.target:
            self.target = found
            self.changed.emit(found)

    def _default(self, choices: list[Target]) -> Target:
        usual = self._usual().key
        return next((target for target in choices if target.key == usual), choices[-1])

    def _usual(self) -> SoldBoard:
        return usual_board(get_platform(self._settings.value.default_platform))


def board_target(view: BoardView) -> Target | None:
    """The target a board makes; None while its SoC is unknown."""
    facts = view.board.facts
    if facts is None or facts.soc is None or facts.soc not in load_platforms():
        return None
    now = board_now(
        board_seen(view.board, view.status.seen if view.status is not None else None, view.sample)
    )
    return Target(
        key=view.name,
        platform=get_platform(facts.soc),
        board=view.name,
        ram_bytes=facts.mem_total_bytes,
        now=_coarse(now) if now is not None else None,
        simulated=facts.simulated,
    )


def sold_target(board: SoldBoard) -> Target:
    """The target a board of the catalogue makes."""
    return Target(key=board.key, platform=board.platform, ram_bytes=board.ram_bytes, nominal_gib=board.gib)


def _coarse(now: BoardNow) -> BoardNow:
    """In steps of 64 MiB: every verdict would be made anew each second otherwise."""
    held = now.served_bytes
    return replace(
        now,
        free_bytes=now.free_bytes // _STEP_BYTES * _STEP_BYTES,
        served_bytes=None if held is None else held // _STEP_BYTES * _STEP_BYTES,
    )
