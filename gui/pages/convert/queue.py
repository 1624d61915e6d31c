"""The conversions that run and ran, with the selected one's log."""

from PySide6.QtCore import QItemSelectionModel, Qt, Slot
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from core.base.errors import error_from_json
from core.base.observable import ObservableList
from core.jobs.model import JobRecord, JobState
from gui.desk import Desk
from gui.models.list_model import Column, RecordModel
from gui.pages.jobs.columns import job_columns
from gui.text import language, tr
from gui.widgets.basic import button, label
from gui.widgets.job_delegates import ProgressDelegate, StateDelegate
from gui.widgets.log_view import LogView
from gui.wording import word_error

KIND = "convert"
_STATE, _PROGRESS = 1, 2
_MOST_ENDED = 20


class ConversionQueue(QWidget):
    """A table, the buttons for the selected job, and its log."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._jobs: ObservableList[JobRecord] = ObservableList()
        self._model = RecordModel(self._jobs, _columns(), self)
        self._delegates = StateDelegate(self), ProgressDelegate(self)
        self.view = self._table()
        self.log = LogView(desk)
        self.message = label(wrap=True, selectable=True)
        self.message.hide()
        self.cancel = button(tr("Stop"), icon_name="stop")
        self.cancel.setObjectName("cancelConversion")
        self.cancel.clicked.connect(self._on_cancel)
        self.retry = button(tr("Run again"), icon_name="refresh")
        self.retry.clicked.connect(self._on_retry)
        self.show_result = button(tr("Show in the library"), icon_name="library")
        self.show_result.setObjectName("showResultButton")
        self.show_result.clicked.connect(self._on_show)
        buttons = QHBoxLayout()
        for made in (self.show_result, self.cancel, self.retry):
            buttons.addWidget(made)
        buttons.addStretch(1)
        side = QWidget()
        layout = QVBoxLayout(side)
        layout.setContentsMargins(6, 0, 0, 0)
        layout.addWidget(self.message)
        layout.addLayout(buttons)
        layout.addWidget(self.log, 1)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(self.view)
        splitter.addWidget(side)
        splitter.setSizes([560, 500])
        splitter.setChildrenCollapsible(False)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(splitter)
        desk.jobs.counted.connect(self._update)
        self._update()

    def _table(self) -> QTableView:
        view = QTableView()
        view.setObjectName("queueView")
        view.setModel(self._model)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        view.setShowGrid(False)
        view.setTabKeyNavigation(False)
        view.verticalHeader().hide()
        view.verticalHeader().setDefaultSectionSize(32)
        view.setItemDelegateForColumn(_STATE, self._delegates[0])
        view.setItemDelegateForColumn(_PROGRESS, self._delegates[1])
        header = view.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, width in ((1, 112), (2, 180), (3, 92)):
            view.setColumnWidth(column, width)
        view.selectionModel().currentRowChanged.connect(self._on_selected)
        view.setAccessibleName(tr("Conversions"))
        return view

    def select(self, job_id: str) -> None:
        """Select a conversion."""
        for number, record in enumerate(self._jobs):
            if record.spec.id == job_id:
                flags = QItemSelectionModel.SelectionFlag
                self.view.selectionModel().setCurrentIndex(
                    self._model.index(number, 0), flags.ClearAndSelect | flags.Rows
                )

    @Slot()
    def _update(self) -> None:
        ours = [record for record in self._desk.jobs.records if record.spec.kind == KIND]
        running = [record for record in ours if not record.state.is_terminal]
        ended = [record for record in ours if record.state.is_terminal][:_MOST_ENDED]
        newest_is_new = bool(running) and all(record.spec.id != running[0].spec.id for record in self._jobs)
        self._jobs.replace_all(running + ended, key=_job_id)
        if newest_is_new:
            self.select(running[0].spec.id)
        elif not self.view.currentIndex().isValid() and len(self._jobs):
            self.select(self._jobs[0].spec.id)
        self._on_selected()

    @Slot()
    def _on_selected(self) -> None:
        record = self._model.record(self.view.currentIndex())
        self.log.show_job(None if record is None else record.spec.id)
        state = None if record is None else record.state
        self.cancel.setEnabled(record is not None and not record.state.is_terminal)
        self.retry.setEnabled(state in {JobState.FAILED, JobState.CANCELLED, JobState.INTERRUPTED})
        self.show_result.setEnabled(state is JobState.SUCCEEDED)
        text = ""
        if record is not None and state is JobState.FAILED:
            text = " ".join(word_error(error_from_json(record.error or {}), language()))
        elif state is JobState.INTERRUPTED:
            text = tr("It was cut off. The toolkit has no checkpoints: it starts again from the beginning.")
        self.message.setText(text)
        self.message.setVisible(bool(text))

    @Slot()
    def _on_cancel(self) -> None:
        record = self._model.record(self.view.currentIndex())
        if record is not None:
            self._desk.jobs.cancel(record.spec.id)

    @Slot()
    def _on_retry(self) -> None:
        record = self._model.record(self.view.currentIndex())
        if record is not None:
            self._desk.jobs.retry(record.spec.id)

    @Slot()
    def _on_show(self) -> None:
        record = self._model.record(self.view.currentIndex())
        made = (record.result or {}).get("path") if record is not None else None
        item = next((item for item in self._desk.library.items if str(item.path) == made), None)
        self._desk.go("library", item.id if item is not None else None)


def _columns() -> tuple[Column[JobRecord], ...]:
    kept = job_columns()
    return kept[1], kept[2], kept[3], kept[5]


def _job_id(record: JobRecord) -> str:
    return record.spec.id
