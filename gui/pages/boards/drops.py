"""Files over boards: looked at once per drag, judged for each board, sent when they are let go."""

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from core.base.errors import RKDeckError
from core.fitness.candidate import Candidate
from core.fitness.judge import Judgement, judge_unreadable
from core.usecases import deployment as use
from gui.bridge import Task
from gui.desk import Desk
from gui.feeds.boards import BoardView
from gui.pages.boards.verdict import judgement_line


class DropDesk(QObject):
    """Knows the file that is being carried, or waits for a board.

    Signals:
        read: the file was looked at (or could not be: then `error` says why).
    """

    read = Signal()

    def __init__(self, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._path: Path | None = None
        self._task: Task | None = None
        self.file: Candidate | None = None
        self.error: RKDeckError | None = None

    @property
    def path(self) -> Path | None:
        """The file in question."""
        return self._path

    def take(self, path: Path) -> None:
        """Look at a file, unless it is the one that was looked at last."""
        if path == self._path and (self.file is not None or self._task is not None):
            return
        self.forget()
        self._path = path
        self._task = self._desk.bridge.run(
            use.inspect_for_drop, self._desk.services, path, done=self._on_read, failed=self._on_failed
        )

    def forget(self) -> None:
        """There is no file any more."""
        if self._task is not None:
            self._task.drop()
        self._path = self._task = self.file = self.error = None

    def judgement(self, view: BoardView) -> Judgement | None:
        """What the file would do on a board; None while it is not known yet."""
        if self.error is not None:
            return judge_unreadable(self.error)
        if self.file is None:
            return None
        return use.judge_drop(self.file, view.board, view.status, view.sample)

    def line(self, judgement: Judgement) -> str:
        """The same for people, in a sentence or two."""
        return judgement_line(judgement, self.file)

    def send(self, board: str, *, force: bool) -> None:
        """Start the deployment."""
        if self._path is None:
            return
        title = self.file.title if self.file is not None else None
        self._desk.bridge.run(
            use.start_deploys,
            self._desk.services,
            self._path,
            [board],
            title=title,
            force=force,
            done=self._on_started,
        )

    def _on_read(self, file: Candidate) -> None:
        self._task, self.file = None, file
        self.read.emit()

    def _on_failed(self, error: RKDeckError) -> None:
        self._task, self.error = None, error
        self.read.emit()

    def _on_started(self, _job_ids: tuple[str, ...]) -> None:
        self._desk.jobs.look_now()
