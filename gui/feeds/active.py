"""The active board: what every "fits" speaks about, a board of the user's or one from the catalogue."""

from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal, Slot

from core.estimate.fit import BoardNow
from core.fitness.target import FitTarget, SoldBoard, catalogue, usual_board
from core.vendor.platforms import Platform, get_platform, load_platforms
from gui.feeds.boards import BoardsFeed, BoardView
from gui.feeds.settings import SettingsKeeper


@dataclass(frozen=True, slots=True)
class Target:
    """One board to judge for.

    Attributes:
        board: name of a board of the user's, None for one of the catalogue.
        ram_bytes: what its Linux sees (MemTotal), or of the catalogue entry; None is unknown.
        free_bytes: available now; None when not connected.
        nominal_gib: as sold, for catalogue entries.
        served: name of the model it serves now, with what that holds.
    """

    key: str
    platform: Platform
    board: str | None = None
    ram_bytes: int | None = None
    free_bytes: int | None = None
    nominal_gib: int | None = None
    simulated: bool = False
    served: str | None = None
    served_bytes: int | None = None

    def fit(self, context: int) -> FitTarget:
        """What the core judges for."""
        now = None
        if self.free_bytes is not None:
            now = BoardNow(self.free_bytes, self.served, self.served_bytes)
        return FitTarget(self.platform, context, self.ram_bytes, now)


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
    sample = view.sample
    serving = view.status.serving if view.status is not None else None
    held = next(
        (
            process.rss_bytes
            for process in (sample.processes if sample is not None else ())
            if serving is not None and process.pid == serving.pid
        ),
        None,
    )
    return Target(
        key=view.name,
        platform=get_platform(facts.soc),
        board=view.name,
        ram_bytes=facts.mem_total_bytes,
        free_bytes=_coarse(sample.mem_available_bytes) if sample is not None and sample.is_up else None,
        simulated=facts.simulated,
        served=serving.model if serving is not None else None,
        served_bytes=_coarse(held),
    )


def sold_target(board: SoldBoard) -> Target:
    """The target a board of the catalogue makes."""
    return Target(key=board.key, platform=board.platform, ram_bytes=board.ram_bytes, nominal_gib=board.gib)


def _coarse(size_bytes: int | None) -> int | None:
    """Steps of 64 MiB: every verdict would be made anew each second otherwise."""
    step = 64 << 20
    return None if size_bytes is None else size_bytes // step * step
