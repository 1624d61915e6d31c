"""The Lab page: a model, what each level does to its weights, one tensor in detail, and what it does to words."""

from PySide6.QtCore import Slot
from PySide6.QtWidgets import (
    QComboBox,
    QLineEdit,
    QProgressBar,
    QStackedLayout,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from core.base.errors import RKDeckError, error_from_json
from core.base.names import printable
from core.jobs.model import JobRecord, JobState
from core.jobs.order import order_in
from core.lab.order import AnalyzeOrder
from core.lab.records import HubModel
from core.usecases import lab, lab_view
from core.usecases.lab_view import LabView
from gui.bridge import Task
from gui.desk import Desk
from gui.pages.lab.overview import Overview
from gui.pages.lab.perplexity import PerplexityTab
from gui.pages.lab.tensor import TensorTab
from gui.pages.page import Page
from gui.phrases import job_line
from gui.shell.status import show_progress
from gui.text import tr, word_error
from gui.widgets.basic import button, label, row
from gui.widgets.empty_state import EmptyState

_EMPTY, _FILLED = 0, 1


class LabPage(Page):
    """What fewer bits do to this model."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(desk, parent)
        self._task: Task | None = None
        self._hub: HubModel | None = None
        self._wanted: str | None = None
        self.view: LabView | None = None
        self.models = QComboBox()
        self.models.setObjectName("labModelBox")
        self.models.setAccessibleName(tr("Model"))
        self.models.setMinimumContentsLength(22)
        self.models.currentIndexChanged.connect(self._on_model)
        self.hub = QLineEdit()
        self.hub.setObjectName("labHubField")
        self.hub.setPlaceholderText(tr("or owner/name on the Hub"))
        self.hub.setAccessibleName(tr("A model on the Hub"))
        self.hub.returnPressed.connect(self._on_hub)
        self.look = button(tr("Look at a tensor"), icon_name="discover")
        self.look.setObjectName("labHubButton")
        self.look.clicked.connect(self._on_hub)
        self.measure = button(tr("Measure the weights"), "primary", "lab")
        self.measure.setObjectName("analyzeButton")
        self.measure.clicked.connect(self._on_measure)
        self.stop = button(tr("Stop"), icon_name="stop")
        self.stop.clicked.connect(self._on_stop)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(tr("Progress of the measurement"))
        self.state = label(role="muted", wrap=True)
        self.overview = Overview()
        self.overview.measure_wanted.connect(self._on_measure)
        self.overview.tensor_picked.connect(self._on_tensor_picked)
        self.tensor = TensorTab(desk)
        self.perplexity = PerplexityTab(desk)
        self.perplexity.measured.connect(self._read)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self.overview, tr("Weights"))
        self.tabs.addTab(self.tensor, tr("One tensor"))
        self.tabs.addTab(self.perplexity, tr("Perplexity"))
        self._empty = EmptyState(
            "lab", tr("No model to look at yet"),
            tr("Download a model, or look at a tensor of one that is still on the Hub: only that tensor is fetched."),
            tr("Find a model"),
        )  # fmt: skip
        self._empty.acted.connect(self._on_discover)
        self._lay_out()
        desk.library.loaded.connect(self._fill_models)
        desk.jobs.changed.connect(self._on_job)
        desk.jobs.ended.connect(self._on_job_ended)
        desk.active.changed.connect(self._on_target)
        self._fill_models()

    def _lay_out(self) -> None:
        bar = row(label(tr("Model"), "muted"), self.models, self.hub, self.look, self.measure, self.stop)
        bar.setStretch(1, 2)
        bar.setStretch(2, 2)
        holder = QWidget()
        self._stack = QStackedLayout(holder)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.tabs)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(bar)
        layout.addWidget(self.bar)
        layout.addWidget(self.state)
        layout.addWidget(holder, 1)

    def enter(self, payload: object) -> None:
        """Show an item of the library by its id, or a model on the Hub by its name."""
        if isinstance(payload, str):
            place = self.models.findData(payload)
            if place >= 0:
                self.models.setCurrentIndex(place)
            elif "/" in payload:
                self.hub.setText(payload)
                self._on_hub()
            else:
                self._wanted = payload

    def focus_first(self) -> None:
        """The choice of the model."""
        self.models.setFocus()

    def retint(self) -> None:
        """Another theme."""
        self._empty.retint()
        self.overview.retint()
        self.tensor.retint()

    @Slot()
    def _fill_models(self) -> None:
        chosen = self._wanted or self.models.currentData()
        self.models.blockSignals(True)
        self.models.clear()
        for item in self.desk.library.items:
            if item.is_source:
                self.models.addItem(printable(item.title, 60), item.id)
        place = self.models.findData(chosen)
        self.models.setCurrentIndex(max(0, place) if self.models.count() else -1)
        self.models.blockSignals(False)
        if place >= 0:
            self._wanted = None
        if self.models.currentData() != (self.view.item.id if self.view is not None else None):
            self._read()
        self._show()

    @Slot(int)
    def _on_model(self, _place: int) -> None:
        self._hub = None
        self._read()

    @Slot()
    def _read(self) -> None:
        if self._task is not None:
            self._task.drop()
            self._task = None
        item_id = self.models.currentData()
        if self._hub is not None or not isinstance(item_id, str):
            self._show()
            return
        self._task = self.desk.bridge.run(
            lab_view.lab_view, self.desk.services, item_id, self.desk.active.target.platform.name,
            self.desk.settings.value.default_context, done=self._on_view, failed=self._on_failed,
        )  # fmt: skip

    def _on_view(self, view: LabView) -> None:
        self._task = None
        self.view = view
        self.overview.show_view(view, self.desk.active.target.platform)
        self.tensor.show_source(view.item)
        self.perplexity.show_item(view.item, view.runs)
        self._show()

    def _on_failed(self, error: RKDeckError) -> None:
        self._task = None
        self.view = None
        self.overview.show_view(None)
        self.perplexity.show_item(None, ())
        self.desk.report(error)
        self._show()

    def _show(self) -> None:
        local = self._hub is None
        self._stack.setCurrentIndex(_FILLED if self.models.count() or not local else _EMPTY)
        for tab in (self.overview, self.perplexity):
            self.tabs.setTabVisible(self.tabs.indexOf(tab), local)
        self._show_job()

    def _job(self) -> JobRecord | None:
        """The newest measurement of this model's weights."""
        path = self.view.item.path if self.view is not None else None
        return next(
            (
                record
                for record in self.desk.jobs.records
                if (order := order_in(record.spec, AnalyzeOrder)) is not None and order.source == path
            ),
            None,
        )

    def _show_job(self) -> None:
        record = self._job() if self._hub is None else None
        running = record is not None and not record.state.is_terminal
        known = self.view is not None and self.view.analysis is not None
        self.measure.setVisible(not running)
        self.measure.setEnabled(self._hub is None and self.view is not None)
        self.measure.setText(tr("Measure again") if known else tr("Measure the weights"))
        self.stop.setVisible(running)
        self.bar.setVisible(running)
        text = ""
        if record is not None and running:
            show_progress(self.bar, record)
            text = job_line(record)
        elif record is not None and record.state is JobState.FAILED:
            text = " ".join(word_error(error_from_json(record.error or {})))
        elif self._hub is not None:
            text = tr(
                "{repo} on the Hub: only the tensor you look at is fetched.", repo=printable(self._hub.repo)
            )
        self.state.setText(text)
        self.state.setVisible(bool(text))

    @Slot(object)
    def _on_job(self, record: JobRecord) -> None:
        if record.spec.kind == AnalyzeOrder.kind.name:
            self._show_job()

    @Slot(object)
    def _on_job_ended(self, record: JobRecord) -> None:
        if record.spec.kind == AnalyzeOrder.kind.name and record.state is JobState.SUCCEEDED:
            self._read()

    @Slot(object)
    def _on_target(self, _target: object) -> None:
        self._read()

    @Slot()
    def _on_measure(self) -> None:
        if self.view is not None and self._hub is None:
            self.measure.setEnabled(False)
            self.desk.bridge.run(
                lab.start_analysis, self.desk.services, self.view.item.id,
                done=self._on_started, failed=self._on_refused,
            )  # fmt: skip

    def _on_started(self, _job_id: str) -> None:
        self.desk.jobs.look_now()

    def _on_refused(self, error: RKDeckError) -> None:
        self.desk.report(error)
        self._show_job()

    @Slot()
    def _on_stop(self) -> None:
        record = self._job()
        if record is not None:
            self.desk.jobs.cancel(record.spec.id)

    @Slot()
    def _on_hub(self) -> None:
        repo = self.hub.text().strip()
        if not repo:
            self.hub.setFocus()
            return
        self._hub = HubModel(repo)
        self.tensor.show_source(self._hub)
        self._show()
        self.tabs.setCurrentWidget(self.tensor)

    @Slot(str)
    def _on_tensor_picked(self, name: str) -> None:
        self.tensor.pick(name)
        self.tabs.setCurrentWidget(self.tensor)

    @Slot()
    def _on_discover(self) -> None:
        self.desk.go("discover")
