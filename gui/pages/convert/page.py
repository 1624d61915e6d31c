"""The Convert page: recipe, problems and forecast above, the queue with its log below."""

from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QSplitter, QVBoxLayout, QWidget

from core.base.errors import RKDeckError
from core.convert.recipe import Recipe
from core.convert.toolkits import Toolkit
from core.estimate.platforms import get_platform
from core.usecases import conversion as use
from core.usecases.conversion import RecipeCheck
from gui.bridge import Task
from gui.desk import Desk
from gui.pages.convert.forecast import ForecastPanel
from gui.pages.convert.form import RecipeForm
from gui.pages.convert.queue import ConversionQueue
from gui.pages.page import Page
from gui.text import language, tr
from gui.widgets.basic import button, card, label, row
from gui.widgets.problem_list import ProblemList
from gui.wording import word_error

_CHECK_DELAY_MS = 150


class ConvertPage(Page):
    """A recipe is checked while it is written; Convert starts the job."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(desk, parent)
        self._wanted_id: str | None = None
        self._task: Task | None = None
        self._check: RecipeCheck | None = None
        self._toolkits: tuple[Toolkit, ...] | None = None
        self.form = RecipeForm(self._first_recipe())
        self.form.changed.connect(self._on_changed)
        self.form.toolkit_wanted.connect(self._on_toolkit_wanted)
        self.problems = ProblemList()
        self.problems.fixed.connect(self._on_fixed)
        self.forecast = ForecastPanel()
        self.status = label(role="muted", wrap=True)
        self.start = button(tr("Convert"), "primary", "convert")
        self.start.setObjectName("convertButton")
        self.start.clicked.connect(self._on_start)
        self.queue = ConversionQueue(desk)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_CHECK_DELAY_MS)
        self._timer.timeout.connect(self._check_now)
        self._lay_out()
        desk.library.loaded.connect(self._on_library)
        desk.active.changed.connect(self._on_active)
        self._on_library()

    def _first_recipe(self) -> Recipe:
        settings, target = self.desk.settings.value, self.desk.active.target
        return Recipe(target.platform.name, "w8a8", settings.default_context)

    def _lay_out(self) -> None:
        recipe = card()
        left = QVBoxLayout(recipe)
        left.setContentsMargins(14, 12, 14, 12)
        left.addWidget(label(tr("Recipe"), "heading"))
        left.addWidget(_scrolled(self.form), 1)
        left.addLayout(row(None, self.start))
        result = card()
        right = QVBoxLayout(result)
        right.setContentsMargins(14, 12, 14, 12)
        right.addWidget(label(tr("Before it starts"), "heading"))
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 6, 0)
        column.addWidget(self.status)
        column.addWidget(self.problems)
        column.addWidget(self.forecast)
        column.addStretch(1)
        right.addWidget(_scrolled(inner), 1)
        upper = QWidget()
        side_by_side = QHBoxLayout(upper)
        side_by_side.setContentsMargins(0, 0, 0, 0)
        side_by_side.addWidget(recipe, 1)
        side_by_side.addWidget(result, 1)
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.addWidget(upper)
        splitter.addWidget(self.queue)
        splitter.setSizes([420, 250])
        splitter.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(splitter)

    def enter(self, payload: object) -> None:
        """Convert a source model by its id."""
        self.desk.bridge.run(use.list_toolkits, self.desk.services, done=self._on_toolkits)
        if isinstance(payload, str) and not self.form.choose_source(payload):
            self._wanted_id = payload
            self.desk.library.refresh()

    def focus_first(self) -> None:
        """The model."""
        self.form.source.setFocus()

    @Slot()
    def _on_library(self) -> None:
        self.form.show_sources([item for item in self.desk.library.items if item.kind == "source"])
        if self._wanted_id is not None and self.form.choose_source(self._wanted_id):
            self._wanted_id = None
        self._on_changed()

    @Slot(object)
    def _on_active(self, _target: object) -> None:
        self._on_changed()

    @Slot()
    def _on_changed(self) -> None:
        self.start.setEnabled(False)
        self._timer.start()

    @Slot()
    def _check_now(self) -> None:
        if self._task is not None:
            self._task.drop()
            self._task = None
        item_id = self.form.item_id
        if item_id is None:
            self._show_nothing()
            return
        self._task = self.desk.bridge.run(
            use.check_recipe, self.desk.services, item_id, self.form.recipe(), self.form.toolkit_python,
            board_ram_bytes=self._board_ram(), done=self._on_checked, failed=self._on_check_failed,
        )  # fmt: skip

    def _board_ram(self) -> int | None:
        target = self.desk.active.target
        same = get_platform(self.form.recipe().platform).name == target.platform.name
        return target.ram_bytes if same else None

    def _show_nothing(self) -> None:
        self._check = None
        loaded = self.desk.library.is_loaded
        self.status.setText(
            tr("There is no source model on this computer yet. Download one on the Discover page.")
            if loaded
            else ""
        )
        self.problems.show_problems((), None)
        self.forecast.show_forecast(None)

    def _on_checked(self, check: RecipeCheck) -> None:
        self._task, self._check = None, check
        errors = sum(problem.severity == "error" for problem in check.problems)
        self.status.setText("" if errors or check.problems else tr("Nothing stands against it."))
        self.status.setVisible(bool(self.status.text()))
        self.problems.show_problems(check.problems, self.form.recipe())
        self.forecast.show_forecast(check.forecast)
        self.start.setEnabled(check.can_start)
        self.start.setToolTip("" if check.can_start else tr("See the problems on the right"))

    def _on_check_failed(self, error: RKDeckError) -> None:
        self._task = None
        self.status.setText(" ".join(word_error(error, language())))
        self.status.show()

    def _on_toolkits(self, toolkits: tuple[Toolkit, ...]) -> None:
        self._toolkits = toolkits
        self.form.show_toolkits(toolkits)
        self._on_changed()

    @Slot(object)
    def _on_toolkit_wanted(self, python: Path) -> None:
        self.status.setText(tr("Asking {python} what it has ...", python=python))
        self.status.show()
        self.desk.bridge.run(
            use.add_toolkit,
            self.desk.services,
            python,
            done=self._on_toolkit_added,
            failed=self._on_check_failed,
        )

    def _on_toolkit_added(self, _toolkit: Toolkit) -> None:
        self.desk.bridge.run(use.list_toolkits, self.desk.services, done=self._on_toolkits)

    @Slot(object)
    def _on_fixed(self, recipe: Recipe) -> None:
        self.form.show_recipe(recipe)

    @Slot()
    def _on_start(self) -> None:
        item_id = self.form.item_id
        if item_id is None:
            return
        self.start.setEnabled(False)
        self.desk.bridge.run(
            use.start, self.desk.services, item_id, self.form.recipe(), self.form.toolkit_python,
            done=self._on_started, failed=self._on_start_failed,
        )  # fmt: skip

    def _on_started(self, _job_id: str) -> None:
        self.desk.jobs.look_now()
        self._on_changed()

    def _on_start_failed(self, error: RKDeckError) -> None:
        self.desk.report(error)
        self._on_changed()


def _scrolled(widget: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(widget)
    return area
