"""The Convert page: recipe, problems and forecast above, the queue with its log below."""

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from core.base.errors import RKDeckError
from core.convert.recipe import Recipe
from core.usecases import conversion as use
from core.usecases.conversion import RecipeCheck
from gui.desk import Desk
from gui.pages.convert.checker import RecipeChecker
from gui.pages.convert.forecast import ForecastPanel
from gui.pages.convert.form import RecipeForm
from gui.pages.convert.queue import ConversionQueue
from gui.pages.page import Page
from gui.text import tr, word_error
from gui.widgets.basic import StateLabel, button, card, label, row
from gui.widgets.elided import ElidedLabel
from gui.widgets.plain import set_tip
from gui.widgets.problem_list import ProblemList
from gui.widgets.scrolled import Column, scrolled

_MARGINS = 14, 10, 14, 10


class ConvertPage(Page):
    """A recipe is checked while it is written; Convert starts the job."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(desk, parent)
        self._wanted_id: str | None = None
        self._starting = False
        target = desk.active.target
        first = Recipe(
            target.platform.name, target.platform.usual_level.name, desk.settings.value.default_context
        )
        self.form = RecipeForm(desk, first)
        self.checker = RecipeChecker(desk, self)
        self.problems, self.notes = ProblemList(), ProblemList("noteList")
        self.forecast = ForecastPanel()
        self.state = StateLabel()
        self.state.setObjectName("recipeState")
        self.nothing = label(
            tr("There is no source model on this computer yet. Download one on the Discover page."),
            "muted",
            wrap=True,
        )
        self.discover = button(tr("Find a model"), icon_name="discover")
        self.discover.setObjectName("findModelButton")
        self.start = button(tr("Convert"), "primary", "convert")
        self.start.setObjectName("convertButton")
        self.why_not = ElidedLabel(role="muted", mode=Qt.TextElideMode.ElideRight)
        self.why_not.setObjectName("whyNotLabel")
        self.queue = ConversionQueue(desk)
        self._lay_out()
        self._connect()
        self.form.follow(target)
        self._on_library()

    def _lay_out(self) -> None:
        recipe = card()
        left = QVBoxLayout(recipe)
        left.setContentsMargins(*_MARGINS)
        left.addWidget(label(tr("Recipe"), "heading"))
        left.addWidget(scrolled(self.form), 1)
        foot = row(self.why_not, self.start)
        foot.setStretch(0, 1)
        left.addLayout(foot)
        result = card()
        right = QVBoxLayout(result)
        right.setContentsMargins(*_MARGINS)
        right.addLayout(row(label(tr("Before it starts"), "heading"), None, self.state))
        inner = Column()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 6, 0)
        column.addWidget(self.nothing)
        column.addLayout(row(self.discover, None))
        for part in (self.problems, self.forecast, self.notes):
            column.addWidget(part)
        column.addStretch(1)
        right.addWidget(scrolled(inner), 1)
        upper = QWidget()
        side_by_side = QHBoxLayout(upper)
        side_by_side.setContentsMargins(0, 0, 0, 0)
        side_by_side.addWidget(recipe, 1)
        side_by_side.addWidget(result, 1)
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.addWidget(upper)
        splitter.addWidget(self.queue)
        splitter.setSizes([440, 240])
        splitter.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(splitter)

    def _connect(self) -> None:
        self.form.changed.connect(self._on_changed)
        self.checker.answered.connect(self._on_checked)
        for part in (self.problems, self.notes):
            part.fixed.connect(self.form.show_recipe)
            part.help_wanted.connect(self._on_help_wanted)
        self.discover.clicked.connect(self._on_discover)
        self.start.clicked.connect(self._on_start)
        self.desk.library.loaded.connect(self._on_library)
        self.desk.active.changed.connect(self._on_active)

    def enter(self, payload: object) -> None:
        """Convert a source model by its id."""
        self.form.toolkit.load()
        if isinstance(payload, str) and not self.form.choose_source(payload):
            self._wanted_id = payload
            self.desk.library.refresh()
        self._on_changed()

    def leave(self) -> None:
        """Nobody looks at the forecast."""
        self.checker.pause()

    def showEvent(self, event: QShowEvent) -> None:  # Qt's name
        """What changed unseen is checked now."""
        super().showEvent(event)
        self._on_changed()

    def focus_first(self) -> None:
        """The model, or where to find one."""
        if self.form.source.isEnabled():
            self.form.source.setFocus()
        else:
            self.discover.setFocus()

    def retint(self) -> None:
        """Another theme."""
        self._show_check(anew=True)
        self.queue.retint()

    @Slot()
    def _on_library(self) -> None:
        self.form.show_sources([item for item in self.desk.library.items if item.kind == "source"])
        if self._wanted_id is not None and self.desk.library.is_loaded:
            self.form.choose_source(self._wanted_id)
            self._wanted_id = None
        self._on_changed()

    @Slot(object)
    def _on_active(self, _target: object) -> None:
        self.form.follow(self.desk.active.target)
        self._on_changed()

    @Slot()
    def _on_changed(self) -> None:
        """Have the form's order checked, again if need be: the board and this computer may differ by now."""
        self.checker.want(self.form.order, self._board_ram_bytes())
        if not self.isVisible():
            self.checker.pause()
        nothing = self.form.order is None and self.desk.library.is_loaded
        self.nothing.setVisible(nothing)
        self.discover.setVisible(nothing)
        if self.form.order is None:
            self.problems.show_problems((), None)
            self.notes.show_problems((), None)
            self.forecast.show_forecast(None)
        self._show_start()

    def _board_ram_bytes(self) -> int | None:
        target = self.desk.active.target
        return target.ram_bytes if target.platform.name == self.form.platform.currentData() else None

    @Slot(object)
    def _on_checked(self, _check: RecipeCheck) -> None:
        self._show_check()
        self._show_start()

    def _show_check(self, *, anew: bool = False) -> None:
        check, recipe = self.checker.check, self.form.recipe()
        if check is not None:
            errors = tuple(problem for problem in check.problems if problem.severity == "error")
            notes = tuple(problem for problem in check.problems if problem.severity != "error")
            self.problems.show_problems(errors, recipe, anew=anew)
            self.notes.show_problems(notes, recipe, anew=anew)
            last = self.start
            for made in (*self.problems.buttons, *self.notes.buttons):
                self.setTabOrder(last, made)  # made just now, they would come after everything else
                last = made
            self.forecast.show_forecast(check.forecast)

    def _show_start(self) -> None:
        """Convert can be pressed when the newest answer allows it; else it says what is missing."""
        check, text = self.checker.check, ""
        if self.form.order is None:
            text = tr("A source model is needed first.") if self.desk.library.is_loaded else ""
            self.state.show_state("muted", "")
        elif check is not None:
            errors = [problem for problem in check.problems if problem.severity == "error"]
            text = word_error(errors[0].error)[0] if errors else ""
            self.state.show_state(*(("bad", tr("cannot start")) if errors else ("ok", tr("can start"))))
        self.state.setVisible(self.form.order is not None and check is not None)
        self.start.setEnabled(check is not None and check.can_start and not self._starting)
        self.why_not.show_text(text)
        set_tip(self.start, text)

    @Slot(object)
    def _on_help_wanted(self, code: str) -> None:
        if code == "convert.no_dataset":
            self.form.dataset.ask()
        else:
            self.form.toolkit.ask()

    @Slot()
    def _on_discover(self) -> None:
        self.desk.go("discover")

    @Slot()
    def _on_start(self) -> None:
        order = self.form.order
        if order is None:
            return
        self._starting = True
        self._show_start()
        self.desk.bridge.run(
            use.start, self.desk.services, order.item_id, order.recipe, order.toolkit_python,
            done=self._on_started, failed=self._on_start_failed,
        )  # fmt: skip

    def _on_started(self, job_id: str) -> None:
        self._starting = False
        self.queue.want(job_id)
        self.desk.jobs.look_now()
        self._on_changed()

    def _on_start_failed(self, error: RKDeckError) -> None:
        self._starting = False
        self.desk.report(error)
        self._on_changed()
