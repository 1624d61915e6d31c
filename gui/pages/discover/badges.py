"""Whether search results fit the active board: guessed at once, exact for the rows in view, by and by."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from core.base.errors import RKDeckError
from core.fitness.badge import Badge
from core.fitness.target import FitTarget
from core.hub.records import ModelSummary
from core.usecases import fitting
from gui.bridge import Task
from gui.desk import Desk

_AT_ONCE = 3
_MOST_KEPT = 20_000
_STEP_BYTES = 256 << 20


class Badges(QObject):
    """Asks the Hub for the headers of what is looked at, three models at a time; what is scrolled away is dropped.

    Signals:
        changed: (repository, Badge) an exact badge has arrived.
        reset: another board or context counts; every badge is another one.
        moved: the board's free memory is another; who shows rows should want them again.
    """

    changed = Signal(str, object)
    reset = Signal()
    moved = Signal()

    def __init__(self, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        # With what each was judged for: when only the free memory moved, the old answer stands until the new one.
        self._exact: OrderedDict[str, tuple[Badge | None, FitTarget]] = OrderedDict()
        self._guessed: OrderedDict[str, Badge] = OrderedDict()
        self._wanted: list[ModelSummary] = []
        self._running: dict[str, _Look] = {}
        self.target = self._current()
        desk.active.changed.connect(self._on_target)
        desk.settings.changed.connect(self._on_target)

    def of(self, model: ModelSummary) -> Badge:
        """The best that is known of a model; never reads anything."""
        key = _key(model)
        exact, _ = self._exact.get(key, (None, None))
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
            model for model in models if not self._is_known(model) and _key(model) not in self._running
        ]
        self._next()

    def _is_known(self, model: ModelSummary) -> bool:
        badge, target = self._exact.get(_key(model), (None, None))
        # What could not be read for one board cannot be read for another.
        return target is not None and (badge is None or target == self.target)

    def settle(self, model: ModelSummary, badge: Badge | None, target: FitTarget) -> None:
        """A look has ended; None: its headers tell nothing, so the guess stays, and it is not asked again."""
        key = _key(model)
        look = self._running.pop(key, None)
        if look is not None:
            look.deleteLater()
        before, _ = self._exact.pop(key, (None, None))
        self._exact[key] = badge, target
        _shorten(self._exact)
        if badge is not None and badge != before:
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
        only_moved = replace(target, now=None) == replace(self.target, now=None)
        self.target = target
        for look in self._running.values():
            look.drop()
        self._running.clear()
        self._wanted.clear()
        if only_moved:
            self.moved.emit()
            return
        self._exact.clear()
        self._guessed.clear()
        self.reset.emit()

    def _current(self) -> FitTarget:
        target = self._desk.active.target.fit(self._desk.settings.value.default_context)
        if target.now is None:
            return target
        # Verdicts do not hang on a few MiB, and every step has the rows in view judged anew.
        free_bytes = target.now.free_bytes // _STEP_BYTES * _STEP_BYTES
        return replace(target, now=replace(target.now, free_bytes=free_bytes))


class _Look(QObject):
    """One model being looked at: an error alone does not tell whose it is."""

    def __init__(self, model: ModelSummary, badges: Badges) -> None:
        super().__init__(badges)
        self.model = model
        self._badges = badges
        self._task: Task | None = None
        self._target = badges.target

    def start(self, desk: Desk, target: FitTarget) -> None:
        self._target = target
        self._task = desk.bridge.run(
            fitting.exact_badge, desk.services, self.model, target, done=self._on_done, failed=self._on_failed
        )

    def drop(self) -> None:
        """Nobody looks at it any more."""
        if self._task is not None:
            self._task.drop()
        self.deleteLater()

    def _on_done(self, badge: Badge) -> None:
        self._badges.settle(self.model, badge, self._target)

    def _on_failed(self, _error: RKDeckError) -> None:
        # The model's own page says why its headers cannot be read (gated, other formats, no network).
        self._badges.settle(self.model, None, self._target)


def _key(model: ModelSummary) -> str:
    return f"{model.repo}@{model.commit}"


def _shorten(known: "OrderedDict[str, Any]") -> None:
    while len(known) > _MOST_KEPT:
        known.popitem(last=False)
