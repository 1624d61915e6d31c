"""Problems of a recipe, each with its advice and, where there is a sure remedy, a button that applies it."""

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from core.convert.recipe import Problem, Recipe
from gui.text import noop, tr, word_error
from gui.widgets.basic import StateLabel, button, clear_layout, label, row
from gui.widgets.elided import breakable

# What only the user can give: a button leads to where it is given.
_HELP = {
    "convert.no_toolkit": noop("Add a toolkit"),
    "convert.toolkit_unknown": noop("Add a toolkit"),
    "convert.toolkit_too_old": noop("Add a toolkit"),
    "convert.no_dataset": noop("Choose calibration data"),
}


class ProblemList(QWidget):
    """The problems in their order.

    Signals:
        fixed: the Recipe that mends one of them.
        help_wanted: the code of a problem whose remedy the user has to choose.
    """

    fixed = Signal(object)
    help_wanted = Signal(object)

    def __init__(self, name: str = "problemList", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)
        self._fixes: dict[QPushButton, Recipe] = {}
        self._helps: dict[QPushButton, str] = {}
        self.problems: tuple[Problem, ...] = ()

    @property
    def buttons(self) -> tuple[QPushButton, ...]:
        """The buttons that mend or help, from above."""
        return (*self._fixes, *self._helps)

    def show_problems(
        self, problems: tuple[Problem, ...], recipe: Recipe | None, *, anew: bool = False
    ) -> None:
        """Show problems; `recipe` is what the remedies are compared with. The same ones stay as they are."""
        if problems == self.problems and not anew:
            return
        self.problems = problems
        self._fixes.clear()
        self._helps.clear()
        clear_layout(self._layout)
        for problem in problems:
            self._add(problem, recipe)
        self.setVisible(bool(problems))

    def _add(self, problem: Problem, recipe: Recipe | None) -> None:
        message, hint = word_error(problem.error)
        severe = problem.severity == "error"
        state = StateLabel()
        state.show_state("bad" if severe else "warn", tr("Problem") if severe else tr("Note"))
        self._layout.addWidget(state)
        self._layout.addWidget(label(breakable(message), wrap=True, selectable=True))
        if hint:
            self._layout.addWidget(label(breakable(hint), "muted", wrap=True, selectable=True))
        if problem.remedy is not None:
            remedy = button(_remedy_text(problem.remedy, recipe), icon_name="check")
            remedy.setObjectName("fixButton")
            remedy.clicked.connect(self._on_fix)
            self._fixes[remedy] = problem.remedy
            self._layout.addLayout(row(remedy, None))
        elif problem.error.code in _HELP:
            found = button(tr(_HELP[problem.error.code]))
            found.setObjectName("helpButton")
            found.clicked.connect(self._on_help)
            self._helps[found] = problem.error.code
            self._layout.addLayout(row(found, None))
        self._layout.addSpacing(4)

    @Slot()
    def _on_fix(self) -> None:
        pressed = self.sender()
        if isinstance(pressed, QPushButton) and pressed in self._fixes:
            self.fixed.emit(self._fixes[pressed])

    @Slot()
    def _on_help(self) -> None:
        pressed = self.sender()
        if isinstance(pressed, QPushButton) and pressed in self._helps:
            self.help_wanted.emit(self._helps[pressed])


def _remedy_text(remedy: Recipe, recipe: Recipe | None) -> str:
    if recipe is None or remedy.dtype != recipe.dtype:
        return tr("Use {value}", value=remedy.dtype)
    if remedy.context != recipe.context:
        return tr("Use a context of {value}", value=remedy.context)
    if remedy.cores != recipe.cores:
        return (
            tr("Use all NPU cores")
            if remedy.cores is None
            else tr("Use {value} NPU cores", value=remedy.cores)
        )
    return tr("Use {value}", value=remedy.algorithm)
