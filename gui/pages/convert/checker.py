"""Checks the recipe while it is written: a moment after the last change, and only the newest answer counts."""

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from core.base.errors import RKDeckError
from core.convert.recipe import Problem, Recipe
from core.usecases import conversion as use
from core.usecases.conversion import RecipeCheck
from gui.bridge import Task
from gui.desk import Desk

_DELAY_MS = 150


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be converted, and how."""

    item_id: str
    recipe: Recipe
    toolkit_python: Path | None


class RecipeChecker(QObject):
    """Knows what stands against the order that is in the form now.

    Signals:
        answered: the RecipeCheck of the newest order.
    """

    answered = Signal(object)

    def __init__(self, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._task: Task | None = None
        self._board_ram_bytes: int | None = None
        self.order: Order | None = None
        self.check: RecipeCheck | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_DELAY_MS)
        self._timer.timeout.connect(self._ask)

    def want(self, order: Order | None, board_ram_bytes: int | None) -> None:
        """Check this order soon; an answer to another one does not count any more.

        The same order is checked again, because memory, disk and board may differ by now; until then its answer
        holds.
        """
        self._board_ram_bytes = board_ram_bytes
        if order != self.order:
            self.order, self.check = order, None
            self._drop()
        if order is not None:
            self._timer.start()

    def pause(self) -> None:
        """Nobody looks: ask nothing more."""
        self._timer.stop()

    def _drop(self) -> None:
        self._timer.stop()
        if self._task is not None:
            self._task.drop()
            self._task = None

    @Slot()
    def _ask(self) -> None:
        self._drop()
        order = self.order
        if order is not None:
            self._task = self._desk.bridge.run(
                use.check_recipe, self._desk.services, order.item_id, order.recipe, order.toolkit_python,
                board_ram_bytes=self._board_ram_bytes, done=self._on_done, failed=self._on_failed,
            )  # fmt: skip

    def _on_done(self, check: RecipeCheck) -> None:
        self._task = None
        self.check = check
        self.answered.emit(check)

    def _on_failed(self, error: RKDeckError) -> None:
        # The model is gone from the library: that stands against it like any other problem.
        self._on_done(RecipeCheck((Problem("error", error),), None, None))
