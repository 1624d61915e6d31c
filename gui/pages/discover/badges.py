"""Whether search results fit the active board: guessed at once, exact for the rows in view, by and by."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from core.base.errors import RKDeckError
from core.estimate.badge import Badge
from core.hub.records import ModelSummary
from core.usecases import fitting
from core.usecases.fitting import FitTarget
from gui.bridge import Task
from gui.desk import Desk

_AT_ONCE = 2
_MOST_KEPT = 2000


class Badges(QObject):
    """Asks the Hub for the headers of what is looked at, two models at a time; what is scrolled away is dropped.

    Signals:
        changed: (repository, Badge) an exact badge has arrived.
        reset: another board or context counts; every badge is another one.
    """

    changed = Signal(str, object)
    reset = Signal()

    def __init__(self, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._exact: OrderedDict[str, Badge | None] = OrderedDict()
        self._guessed: OrderedDict[str, Badge] = OrderedDict()
        self._wanted: list[ModelSummary] = []
        self._running: dict[str, _Look] = {}
        self.target = self._current()
        desk.active.changed.connect(self._on_target)
        desk.settings.changed.connect(self._on_target)

    def of(self, model: ModelSummary) -> Badge:
        """The best that is known of a model; never reads anything."""
        key = _key(model)
        exact = self._exact.get(key)
        if exact is not None:
            return exact
        if key not in self._guessed:
            self._guessed[key] = fitting.guess(model, self.target)
            _shorten(self._guessed)
        return self._guessed[key]

    def want(self, models: Sequence[ModelSummary]) -> None:
        """These are in view: look at those that were not looked at; forget about all others."""
        keys = {_key(model) for model in models}
        for key in [key for key in self._running if key not in keys]:
            self._running.pop(key).drop()
        self._wanted = [
            model for model in models if _key(model) not in self._exact and _key(model) not in self._running
        ]
        self._next()

    def settle(self, model: ModelSummary, badge: Badge | None) -> None:
        """A look has ended; None: its headers tell nothing, so the guess stays, and it is not asked again."""
        key = _key(model)
        look = self._running.pop(key, None)
        if look is not None:
            look.deleteLater()
        self._exact[key] = badge
        _shorten(self._exact)
        if badge is not None:
            self.changed.emit(model.repo, badge)
        self._next()

    def _next(self) -> None:
        while self._wanted and len(self._running) < _AT_ONCE:
            model = self._wanted.pop(0)
            look = self._running[_key(model)] = _Look(model, self)
            look.start(self._desk, self.target)

    @Slot()
    @Slot(object)
    def _on_target(self, _value: object = None) -> None:
        target = self._current()
        if target == self.target:
            return
        self.target = target
        wanted = [look.model for look in self._running.values()] + self._wanted
        for look in self._running.values():
            look.drop()
        self._running.clear()
        self._exact.clear()
        self._guessed.clear()
        self.reset.emit()
        self.want(wanted)

    def _current(self) -> FitTarget:
        return self._desk.active.target.fit(self._desk.settings.value.default_context)


class _Look(QObject):
    """One model being looked at: an error alone does not tell whose it is."""

    def __init__(self, model: ModelSummary, badges: Badges) -> None:
        super().__init__(badges)
        self.model = model
        self._badges = badges
        self._task: Task | None = None

    def start(self, desk: Desk, target: FitTarget) -> None:
        self._task = desk.bridge.run(
            fitting.exact_badge, desk.services, self.model, target, done=self._on_done, failed=self._on_failed
        )

    def drop(self) -> None:
        """Nobody looks at it any more."""
        if self._task is not None:
            self._task.drop()
        self.deleteLater()

    def _on_done(self, badge: Badge) -> None:
        self._badges.settle(self.model, badge)

    def _on_failed(self, _error: RKDeckError) -> None:
        # The model's own page says why its headers cannot be read (gated, other formats, no network).
        self._badges.settle(self.model, None)


def _key(model: ModelSummary) -> str:
    return f"{model.repo}@{model.commit}"


def _shorten(known: "OrderedDict[str, Any]") -> None:
    while len(known) > _MOST_KEPT:
        known.popitem(last=False)
