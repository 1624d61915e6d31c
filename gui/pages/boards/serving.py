"""Starting and stopping what a board serves, with a word on its card meanwhile."""

from PySide6.QtCore import QObject, Signal

from core.base.errors import CancelledError, RKDeckError
from core.base.tasks import CancelToken
from core.serve.records import Serving
from core.usecases import serving as use
from gui.bridge import Task
from gui.desk import Desk
from gui.text import tr


class ServingControl(QObject):
    """One board's start or stop under way.

    Signals:
        said: what is going on, "" when it is over.
    """

    said = Signal(object)

    def __init__(self, desk: Desk, board: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.board = board
        self._task: Task | None = None
        self._waited = desk.bridge.sink(self._on_wait, key=_one)

    def start(self, deployment: str) -> None:
        """Start serving; the runtime loads the model, which takes its time."""
        if self._task is not None:
            return
        self.said.emit(tr("starting {name} ...", name=deployment))
        self._task = self._desk.bridge.run(
            use.serve, self._desk.services, self.board, deployment, cancel=CancelToken(), on_wait=self._waited,
            done=self._on_started, failed=self._on_failed,
        )  # fmt: skip

    def stop(self) -> None:
        """Stop what is served."""
        if self._task is None:
            self.said.emit(tr("stopping ..."))
            self._task = self._desk.bridge.run(
                use.stop, self._desk.services, self.board, done=self._on_stopped, failed=self._on_failed
            )

    def cancel(self) -> None:
        """Give a start up."""
        if self._task is not None:
            self._task.cancel()

    def _on_wait(self, seconds: float) -> None:
        if self._task is not None and seconds >= 1:
            self.said.emit(tr("loading the model, {seconds} s so far ...", seconds=int(seconds)))

    def _on_started(self, serving: Serving) -> None:
        self._end()
        self._desk.boards.know_serving(self.board, serving)

    def _on_stopped(self, _stopped: Serving | None) -> None:
        self._end()
        self._desk.boards.know_serving(self.board, None)

    def _on_failed(self, error: RKDeckError) -> None:
        if not isinstance(error, CancelledError):
            self._desk.report(error)
        self._end()
        self._desk.boards.visit(self.board)

    def _end(self) -> None:
        self._task = None
        self.said.emit("")


def _one(_seconds: float) -> str:
    return "waited"
