"""The Jobs page: a table of all jobs, and the selected one beside it."""

from PySide6.QtCore import QItemSelectionModel, Qt, Slot
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QSplitter,
    QStackedLayout,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from core.base.observable import ObservableList
from core.jobs.model import JobRecord, JobState
from core.plans.kinds import ORDERS
from gui.desk import Desk
from gui.models.list_model import RecordModel
from gui.pages.jobs.columns import PROGRESS, STATE, WIDTHS, job_columns
from gui.pages.jobs.detail import JobDetail
from gui.pages.page import Page
from gui.phrases import kind_text
from gui.text import tr
from gui.widgets.basic import label, row
from gui.widgets.empty_state import EmptyState
from gui.widgets.job_delegates import ProgressDelegate, StateDelegate

_KIND_PAD_PX = 18
_ALL, _RUNNING, _TROUBLE = "all", "running", "trouble"


class JobsPage(Page):
    """All jobs of the home folder, the newest first."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(desk, parent)
        self._shown: ObservableList[JobRecord] = ObservableList()
        self._model = RecordModel(self._shown, job_columns(), self)
        self._filter = QComboBox()
        self._filter.setAccessibleName(tr("Which jobs"))
        for text, data in (
            (tr("All jobs"), _ALL),
            (tr("Running"), _RUNNING),
            (tr("Failed or cut off"), _TROUBLE),
        ):
            self._filter.addItem(text, data)
        self._filter.currentIndexChanged.connect(self._update)
        self._state_delegate, self._progress_delegate = StateDelegate(self), ProgressDelegate(self)
        self.view = self._table()
        self.detail = JobDetail(desk)
        self._empty = EmptyState(
            "jobs", tr("No jobs yet"),
            tr("Downloads, conversions and deployments appear here, also those of a terminal."), tr("Find a model"),
        )  # fmt: skip
        self._empty.acted.connect(self._on_discover)
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.addWidget(self.view)
        splitter.addWidget(self.detail)
        splitter.setSizes([300, 380])
        splitter.setChildrenCollapsible(False)
        filled = QWidget()
        inner = QVBoxLayout(filled)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addLayout(row(label(tr("Show")), self._filter, None))
        inner.addWidget(splitter, 1)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(filled)
        desk.jobs.counted.connect(self._update)
        desk.jobs.changed.connect(self._on_changed)
        self._update()

    def _table(self) -> QTableView:
        view = QTableView()
        view.setObjectName("jobsView")
        view.setModel(self._model)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        view.setShowGrid(False)
        view.setWordWrap(False)  # in a row of one line it would cut a title at a word
        view.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        view.setAlternatingRowColors(True)
        view.setTabKeyNavigation(False)
        view.verticalHeader().hide()
        view.verticalHeader().setDefaultSectionSize(32)
        view.setItemDelegateForColumn(STATE, self._state_delegate)
        view.setItemDelegateForColumn(PROGRESS, self._progress_delegate)
        header = view.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        for column, width in WIDTHS.items():
            view.setColumnWidth(column, width)
        words = max(view.fontMetrics().horizontalAdvance(kind_text(order.kind.name)) for order in ORDERS)
        view.setColumnWidth(0, words + _KIND_PAD_PX)
        view.selectionModel().currentRowChanged.connect(self._on_selected)
        view.setAccessibleName(tr("Jobs"))
        return view

    def enter(self, payload: object) -> None:
        """Show a job by its id."""
        if isinstance(payload, str):
            if not any(record.spec.id == payload for record in self._shown):
                self._filter.setCurrentIndex(0)
            self._select(payload)

    def focus_first(self) -> None:
        """The table."""
        self.view.setFocus()

    def retint(self) -> None:
        """Another theme."""
        self._empty.retint()
        self.detail.show_job(self.detail.record)

    def _select(self, job_id: str) -> None:
        for number, record in enumerate(self._shown):
            if record.spec.id == job_id:
                self.view.selectionModel().setCurrentIndex(
                    self._model.index(number, 0),
                    QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows,
                )

    @Slot()
    @Slot(int)
    def _update(self, _index: int = 0) -> None:
        wanted = self._filter.currentData()
        self._shown.replace_all(
            [record for record in self.desk.jobs.records if _belongs(record, wanted)], key=_job_id
        )
        self._stack.setCurrentIndex(1 if len(self.desk.jobs.records) else 0)
        if not self.view.currentIndex().isValid() and len(self._shown):
            self._select(self._shown[0].spec.id)

    @Slot(object)
    def _on_changed(self, record: JobRecord) -> None:
        if self.detail.record is not None and record.spec.id == self.detail.record.spec.id:
            self.detail.show_job(record)

    @Slot()
    def _on_selected(self) -> None:
        self.detail.show_job(self._model.record(self.view.currentIndex()))

    @Slot()
    def _on_discover(self) -> None:
        self.desk.go("discover")


def _belongs(record: JobRecord, wanted: object) -> bool:
    if wanted == _RUNNING:
        return not record.state.is_terminal
    if wanted == _TROUBLE:
        return record.state in {JobState.FAILED, JobState.INTERRUPTED}
    return True


def _job_id(record: JobRecord) -> str:
    return record.spec.id
