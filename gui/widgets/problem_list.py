"""Problems of a recipe, each with its advice and, where there is a sure cure, a button that applies it."""

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from core.convert.recipe import Problem, Recipe
from gui.text import language, tr
from gui.widgets.basic import StateLabel, button, clear_layout, label, row
from gui.wording import word_error


class ProblemList(QWidget):
    """The problems, errors first.

    Signals:
        fixed: the Recipe that cures one of them.
    """

    fixed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("problemList")
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(6)
        self._fixes: dict[QPushButton, Recipe] = {}
        self.problems: tuple[Problem, ...] = ()

    def show_problems(self, problems: tuple[Problem, ...], recipe: Recipe | None) -> None:
        """Show problems; `recipe` is what the cures are compared with."""
        if problems == self.problems:
            return
        self.problems = problems
        self._fixes.clear()
        clear_layout(self._layout)
        for problem in problems:
            message, hint = word_error(problem.error, language())
            state = StateLabel()
            state.show_state(
                "bad" if problem.severity == "error" else "warn",
                tr("Problem") if problem.severity == "error" else tr("Note"),
            )
            self._layout.addWidget(state)
            self._layout.addWidget(label(message, wrap=True, selectable=True))
            if hint:
                self._layout.addWidget(label(hint, "muted", wrap=True, selectable=True))
            if problem.fix is not None:
                fix = button(_fix_text(problem.fix, recipe))
                fix.setObjectName("fixButton")
                fix.clicked.connect(self._on_fix)
                self._fixes[fix] = problem.fix
                self._layout.addLayout(row(fix, None))

    @Slot()
    def _on_fix(self) -> None:
        pressed = self.sender()
        if isinstance(pressed, QPushButton) and pressed in self._fixes:
            self.fixed.emit(self._fixes[pressed])


def _fix_text(fix: Recipe, recipe: Recipe | None) -> str:
    if recipe is None or fix.dtype != recipe.dtype:
        return tr("Use {value}", value=fix.dtype)
    if fix.context != recipe.context:
        return tr("Use a context of {value}", value=fix.context)
    if fix.cores != recipe.cores:
        return tr("Use all NPU cores") if fix.cores is None else tr("Use {value} NPU cores", value=fix.cores)
    return tr("Use {value}", value=fix.algorithm)
