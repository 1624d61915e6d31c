"""The conversions that run and ran, with the selected one's log and what can be done with it."""

from PySide6.QtCore import QItemSelectionModel, QPoint, Qt, Slot
from PySide6.QtGui import QAction, QKeySequence, QShortcut
from PySide6.QtWidgets import QMenu, QPushButton, QSplitter, QStackedLayout, QVBoxLayout, QWidget

from core.base.errors import error_from_json
from core.base.observable import ObservableList
from core.convert.order import ConvertOrder
from core.jobs.model import JobRecord, JobState
from core.library.records import LibraryItem
from gui.desk import Desk
from gui.models.list_model import RecordModel
from gui.pages.convert.queue_view import QueueView, queue_columns
from gui.text import tr, word_error
from gui.widgets.basic import button, label, row
from gui.widgets.elided import breakable
from gui.widgets.empty_state import EmptyState
from gui.widgets.log_view import LogView
from gui.widgets.plain import menu_entry

_MOST_ENDED = 20
_JOBS = "jobs"
_RUNS_AGAIN = {JobState.FAILED, JobState.CANCELLED, JobState.INTERRUPTED}


class ConversionQueue(QWidget):
    """A table, the buttons for the selected job, and its log."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._wanted_id: str | None = None
        self._jobs: ObservableList[JobRecord] = ObservableList()
        self._model = RecordModel(self._jobs, queue_columns(), self)
        self.view = QueueView()
        self.view.setModel(self._model)
        self.view.lay_out_columns()
        self.view.selectionModel().currentRowChanged.connect(self._on_selected)
        self.view.activated.connect(self._on_activated)
        self.view.customContextMenuRequested.connect(self._on_menu)
        self.log = LogView(desk)
        self.message = label(wrap=True, selectable=True)
        self.message.setObjectName("conversionMessage")
        self._make_buttons()
        self._menu = QMenu(self)
        self._menu.triggered.connect(self._on_action)
        self._delete = QShortcut(QKeySequence(Qt.Key.Key_Delete), self.view)
        self._delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        self._delete.activated.connect(self.cancel.click)
        self._lay_out()
        desk.jobs.counted.connect(self._update)
        desk.library.loaded.connect(self._on_selected)
        self._update()

    def _make_buttons(self) -> None:
        self.show_result = button(tr("Show in the library"), icon_name="library")
        self.show_result.setObjectName("showResultButton")
        self.show_result.clicked.connect(self._on_show)
        self.deploy = button(tr("Deploy"), icon_name="upload")
        self.deploy.setObjectName("deployResultButton")
        self.deploy.clicked.connect(self._on_deploy)
        self.cancel = button(tr("Stop"), icon_name="stop")
        self.cancel.setObjectName("cancelConversion")
        self.cancel.clicked.connect(self._on_cancel)
        self.retry = button(tr("Run again"), icon_name="refresh")
        self.retry.setObjectName("retryConversion")
        self.retry.clicked.connect(self._on_retry)

    def _lay_out(self) -> None:
        self._empty = EmptyState(
            "convert", tr("No conversions yet"),
            tr("They run here one after the other, and go on when RKDeck is closed."),
        )  # fmt: skip
        side = QWidget()
        layout = QVBoxLayout(side)
        layout.setContentsMargins(6, 0, 0, 0)
        layout.addWidget(self.message)
        layout.addLayout(row(self.show_result, self.deploy, self.cancel, self.retry, None))
        layout.addWidget(self.log, 1)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(self.view)
        splitter.addWidget(side)
        splitter.setSizes([530, 530])
        splitter.setChildrenCollapsible(False)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(splitter)

    def want(self, job_id: str) -> None:
        """Select a conversion as soon as it is in the list."""
        self._wanted_id = job_id
        self._select_wanted()

    def retint(self) -> None:
        """Another theme."""
        self._empty.retint()

    @property
    def selected(self) -> JobRecord | None:
        """The conversion whose log is shown."""
        return self._model.record(self.view.currentIndex())

    @Slot()
    def _update(self) -> None:
        ours = [record for record in self._desk.jobs.records if record.spec.kind == ConvertOrder.kind.name]
        running = [record for record in ours if not record.state.is_terminal]
        running.sort(key=_runs_first)
        ended = [record for record in ours if record.state.is_terminal][:_MOST_ENDED]
        self._jobs.replace_all(running + ended, key=_job_id)
        self._stack.setCurrentIndex(1 if len(self._jobs) else 0)
        self._select_wanted()
        if not self.view.currentIndex().isValid() and len(self._jobs):
            self._select(0)
        self._on_selected()

    def _select_wanted(self) -> None:
        for number, record in enumerate(self._jobs):
            if record.spec.id == self._wanted_id:
                self._wanted_id = None
                self._select(number)
                return

    def _select(self, number: int) -> None:
        flags = QItemSelectionModel.SelectionFlag
        self.view.selectionModel().setCurrentIndex(
            self._model.index(number, 0), flags.ClearAndSelect | flags.Rows
        )

    @Slot()
    def _on_selected(self) -> None:
        record = self.selected
        self.log.show_job(None if record is None else record.spec.id)
        state = None if record is None else record.state
        stops = state in {JobState.QUEUED, JobState.RUNNING}
        done = state is JobState.SUCCEEDED
        self.cancel.setVisible(not done and state not in _RUNS_AGAIN)
        self.cancel.setEnabled(stops)
        self.retry.setVisible(state in _RUNS_AGAIN)
        for made in (self.show_result, self.deploy):
            made.setVisible(done)
            made.setEnabled(self._result() is not None)
        text = breakable(_outcome(record)) if record is not None else ""
        if text != self.message.text():
            self.message.setText(text)
        self.message.setVisible(bool(text))

    def _result(self) -> LibraryItem | None:
        """What the selected conversion made, unless it was removed from the library."""
        record = self.selected
        made = (record.result or {}).get("path") if record is not None else None
        return next((item for item in self._desk.library.items if str(item.path) == made), None)

    @Slot()
    def _on_activated(self) -> None:
        for made in (self.show_result, self.retry):
            if made.isVisible() and made.isEnabled():
                made.click()
                return

    @Slot(QPoint)
    def _on_menu(self, place: QPoint) -> None:
        if self.selected is None:
            return
        self._menu.clear()
        for made in self._buttons():
            if made.isVisible():
                action = menu_entry(self._menu, made.text(), made.objectName())
                action.setEnabled(made.isEnabled())
        menu_entry(self._menu, tr("Show on the Jobs page"), _JOBS)
        self._menu.popup(self.view.viewport().mapToGlobal(place))

    @Slot(QAction)
    def _on_action(self, action: QAction) -> None:
        if action.data() == _JOBS and self.selected is not None:
            self._desk.go("jobs", self.selected.spec.id)
        for made in self._buttons():
            if made.objectName() == action.data():
                made.click()

    def _buttons(self) -> tuple[QPushButton, ...]:
        return self.show_result, self.deploy, self.cancel, self.retry

    @Slot()
    def _on_cancel(self) -> None:
        if self.selected is not None:
            self._desk.jobs.cancel(self.selected.spec.id)

    @Slot()
    def _on_retry(self) -> None:
        record = self.selected
        if record is not None and record.state is JobState.INTERRUPTED:
            self._desk.jobs.resume(record.spec.id)
        elif record is not None:
            self._desk.jobs.retry(record.spec.id)

    @Slot()
    def _on_show(self) -> None:
        item = self._result()
        if item is not None:
            self._desk.go("library", item.id)

    @Slot()
    def _on_deploy(self) -> None:
        from gui.pages.boards.page import DeployWish  # a page's module is imported when it is needed

        item = self._result()
        if item is not None:
            self._desk.go("boards", DeployWish(item.path))


def _outcome(record: JobRecord) -> str:
    if record.state is JobState.FAILED:
        return "\n".join(word_error(error_from_json(record.error or {})))
    if record.state is JobState.INTERRUPTED:
        return tr("It was cut off. The toolkit has no checkpoints: it starts again from the beginning.")
    return ""


def _runs_first(record: JobRecord) -> tuple[bool, float]:
    """The running one, then those that wait in the order they will run."""
    return record.state is JobState.QUEUED, record.spec.created_unix_s


def _job_id(record: JobRecord) -> str:
    return record.spec.id
