"""Live samples of all boards, and their history, on the main thread."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from core.monitor.sample import BoardSample
from core.services import Services
from gui.bridge import Bridge

if TYPE_CHECKING:
    from core.monitor.history import History
    from core.usecases.monitoring import LiveSamples


class MonitorHub(QObject):
    """One worker process samples every board; its samples arrive here.

    Attributes:
        histories: by board name; a board that is watched has one.

    Signals:
        sampled: a BoardSample, already in the history.
    """

    sampled = Signal(object)

    def __init__(self, services: Services, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.histories: dict[str, History] = {}
        self._services = services
        self._bridge = bridge
        self._sink: Callable[[BoardSample], None] = bridge.sink(self._on_sample)
        self._feed: LiveSamples | None = None
        self._opening = False
        self._wanted: tuple[str, ...] = ()

    def watch(self, boards: Iterable[str]) -> None:
        """Watch exactly these boards; nothing is started while there is none."""
        self._wanted = tuple(boards)
        if not self._wanted and self._feed is None:
            return
        # numpy comes with the history: not before there is a board to watch.
        from core.monitor.history import History
        from core.usecases.monitoring import open_feed

        for name in self._wanted:
            self.histories.setdefault(name, History())
        if self._feed is not None:
            self._feed.watch(self._wanted)
        elif self._wanted and not self._opening:
            self._opening = True
            self._bridge.run(open_feed, self._services, self._sink, self._wanted, done=self._on_opened)

    def retry(self, board: str) -> None:
        """Try a board again now: its password, key or address has changed."""
        if self._feed is not None:
            self._feed.retry(board)

    def close(self) -> None:
        """End the worker."""
        if self._feed is not None:
            self._feed.close()

    def _on_opened(self, feed: "LiveSamples") -> None:
        self._feed = feed
        feed.watch(self._wanted)

    def _on_sample(self, sample: BoardSample) -> None:
        history = self.histories.get(sample.board)
        if history is None or sample.board not in self._wanted:
            return
        history.add(sample)
        self.sampled.emit(sample)
