"""The boards as a list: what is stored, what a visit found, what the monitor sees now, and the job on each."""

import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from PySide6.QtCore import QObject, Signal, Slot

from core.base.errors import CancelledError, RKDeckError
from core.base.observable import ObservableList
from core.boards.records import Board
from core.jobs.model import JobRecord, JobState
from core.jobs.order import Makes
from core.monitor.sample import BoardSample
from core.plans.kinds import makes
from core.services import Services
from gui.bridge import Bridge, Task, lives
from gui.feeds.jobs import JobsFeed
from gui.feeds.monitor import MonitorHub

if TYPE_CHECKING:
    from core.serve.records import Serving
    from core.usecases.boards import BoardStatus

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class BoardView:
    """One board as the window knows it.

    Attributes:
        status: of the last visit that succeeded, None before.
        sample: the newest of the monitor, None before the first.
        error: why the last visit failed, None when it did not.
        job: its deploy job that runs, or ended last while the window was open.
        visiting: whether a visit is under way.
    """

    board: Board
    status: "BoardStatus | None" = None
    sample: BoardSample | None = None
    error: RKDeckError | None = None
    job: JobRecord | None = None
    visiting: bool = False

    @property
    def name(self) -> str:
        """The board's name."""
        return self.board.name

    @property
    def is_online(self) -> bool | None:
        """Whether it answers now; None while nobody has tried."""
        if self.sample is not None:
            return self.sample.is_up
        if self.status is not None:
            return True
        return False if self.error is not None else None


class BoardsFeed(QObject):
    """Boards in the order they were added.

    Signals:
        loaded: the registry was read.
        changed: a BoardView that differs.
    """

    loaded = Signal()
    changed = Signal(object)

    def __init__(
        self,
        services: Services,
        bridge: Bridge,
        jobs: JobsFeed,
        monitor: MonitorHub,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.views: ObservableList[BoardView] = ObservableList()
        self.is_loaded = False
        self._services = services
        self._bridge = bridge
        self._monitor = monitor
        self._listing: Task | None = None
        self._visitors: dict[str, _Visitor] = {}
        self._outdated: set[str] = set()
        monitor.sampled.connect(self._on_sampled)
        jobs.changed.connect(self._on_job_changed)
        jobs.ended.connect(self._on_job_ended)

    def get(self, name: str) -> BoardView | None:
        """A board by its name."""
        return next((view for view in self.views if view.name == name), None)

    @Slot()
    def reload(self) -> None:
        """Read the registry again; of two readings under way the later one counts."""
        self._listing = self._bridge.run(
            _list_boards, self._services, done=self._on_listed, instead_of=self._listing
        )

    def visit(self, name: str) -> None:
        """Connect to a board and look: facts, deployments, what it serves.

        Asked for while a visit is under way, something has changed that it may have looked at before: it is thrown
        away then, and the board looked at once more.
        """
        view = self.get(name)
        if view is None:
            return
        self._put(replace(view, visiting=True))
        if name in self._visitors:
            self._outdated.add(name)
        else:
            self._send_visitor(name)

    def look_anew(self, name: str) -> None:
        """Visit, and have the monitor try a board that is down again now."""
        self._monitor.retry(name)
        self.visit(name)

    def visit_all(self) -> None:
        """Look at every board."""
        for view in list(self.views):
            self.visit(view.name)

    def change(
        self,
        name: str,
        function: Callable[..., Result],
        *args: object,
        done: Callable[[Result], None] | None = None,
        failed: Callable[[RKDeckError], None] | None = None,
        **kwargs: object,
    ) -> None:
        """Change something on a board, or how it is reached, by `function(services, name, *args)`; then look at it.

        `done` and `failed` are held weakly, as `Bridge.run` does; that the board is looked at, and that a failure is
        told, does not hang on whether the panel that asked is still open.
        """
        call = partial(function, self._services, name, *args, **kwargs)
        _Change(name, self, done, failed).start(self._bridge, call)

    def know_serving(self, name: str, serving: "Serving | None") -> None:
        """What a start or stop on the board has just come to: shown at once, and looked at."""
        view = self.get(name)
        if view is not None and view.status is not None:
            self._put(replace(view, status=replace(view.status, serving=serving)))
        self.visit(name)

    def settle(self, name: str, outcome: "BoardStatus | RKDeckError") -> None:
        """A visit has ended."""
        self._visitors.pop(name).deleteLater()
        view = self.get(name)
        outdated = name in self._outdated
        self._outdated.discard(name)
        if view is None:
            return
        if outdated:
            self._send_visitor(name)
        elif isinstance(outcome, RKDeckError):
            self._put(replace(view, visiting=False, error=outcome))
        else:
            self._put(replace(view, visiting=False, error=None, status=outcome, board=outcome.board))

    def _send_visitor(self, name: str) -> None:
        visitor = self._visitors[name] = _Visitor(name, self)
        visitor.start(self._services, self._bridge)

    def _on_listed(self, boards: tuple[Board, ...]) -> None:
        known = {view.name: view for view in self.views}
        views = [
            replace(known[board.name], board=board) if board.name in known else BoardView(board)
            for board in boards
        ]
        self.views.replace_all(views, key=_name)
        self._monitor.watch([board.name for board in boards])
        self.is_loaded = True
        self.loaded.emit()
        for view in views:
            if view.name not in known:
                self.visit(view.name)

    @Slot(object)
    def _on_sampled(self, sample: BoardSample) -> None:
        view = self.get(sample.board)
        if view is None:
            return
        came_back = view.sample is not None and not view.sample.is_up and sample.is_up
        self._put(replace(view, sample=sample))
        if came_back:
            self.visit(view.name)

    @Slot(object)
    def _on_job_changed(self, record: JobRecord) -> None:
        view = None if record.spec.board is None else self.get(record.spec.board)
        if view is None or not makes(record.spec, Makes.DEPLOYMENT):
            return
        if not record.state.is_terminal or (view.job is not None and view.job.spec.id == record.spec.id):
            self._put(replace(view, job=record))

    @Slot(object)
    def _on_job_ended(self, record: JobRecord) -> None:
        if record.spec.board is not None and record.state is JobState.SUCCEEDED:
            self.visit(record.spec.board)

    def _put(self, view: BoardView) -> None:
        for place, known in enumerate(self.views):
            if known.name == view.name:
                if known != view:
                    self.views.change(place, view)
                    self.changed.emit(view)
                return


class _Visitor(QObject):
    """Carries one visit's outcome back with the board's name: an error alone does not tell whose it is."""

    def __init__(self, name: str, feed: BoardsFeed) -> None:
        super().__init__(feed)
        self._name = name
        self._feed = feed

    def start(self, services: Services, bridge: Bridge) -> None:
        bridge.run(_refresh_board, services, self._name, done=self._on_done, failed=self._on_done)

    def _on_done(self, outcome: "BoardStatus | RKDeckError") -> None:
        self._feed.settle(self._name, outcome)


class _Change(QObject):
    """Carries the outcome of a change on a board to who asked for it, if they are there, and to the feed."""

    def __init__(
        self,
        name: str,
        feed: BoardsFeed,
        done: Callable[[Any], None] | None,
        failed: Callable[[RKDeckError], None] | None,
    ) -> None:
        super().__init__(feed)
        self._name = name
        self._feed = feed
        self._done = None if done is None else weakref.WeakMethod(done)
        self._failed = None if failed is None else weakref.WeakMethod(failed)
        self._bridge: Bridge | None = None

    def start(self, bridge: Bridge, call: Callable[[], object]) -> None:
        self._bridge = bridge
        bridge.run(call, done=self._on_done, failed=self._on_failed)

    def _on_done(self, result: object) -> None:
        self._tell(self._done, result)
        self._end()

    def _on_failed(self, error: RKDeckError) -> None:
        if (
            not self._tell(self._failed, error)
            and self._bridge is not None
            and not isinstance(error, CancelledError)
        ):
            self._bridge.failed.emit(error)
        self._end()

    def _tell(self, receiver: "weakref.WeakMethod[Callable[[Any], None]] | None", value: object) -> bool:
        slot = receiver() if receiver is not None else None
        if slot is None or not lives(slot):
            return False
        slot(value)
        return True

    def _end(self) -> None:
        self._feed.look_anew(self._name)
        self.deleteLater()


def _list_boards(services: Services) -> tuple[Board, ...]:
    """On a thread of the pool, and so is the import: an SSH library is not what a first window waits for."""
    from core.usecases.boards import list_boards

    return list_boards(services)


def _refresh_board(services: Services, name: str) -> "BoardStatus":
    from core.usecases.boards import refresh_board

    return refresh_board(services, name)


def _name(view: BoardView) -> str:
    return view.name
