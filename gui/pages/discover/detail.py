"""One model of the Hub: what it is, what fits, its files, its card, and the way into the library."""

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QProgressBar, QTabWidget, QVBoxLayout, QWidget

from core.base.errors import RKDeckError, error_from_json
from core.base.names import printable
from core.base.units import format_bytes, format_count
from core.hub.order import DownloadOrder
from core.hub.records import ModelSummary, RepoFile
from core.jobs.model import JobRecord, JobState
from core.jobs.order import order_in
from core.library.records import LibraryItem
from core.usecases import hub as use
from core.usecases.hub import ModelReport
from gui.bridge import Task
from gui.desk import Desk
from gui.pages.discover.files_tab import FilesTab
from gui.pages.discover.memory_tab import MemoryTab
from gui.pages.discover.ready_tab import ReadyTab
from gui.phrases import job_line
from gui.shell.status import show_progress
from gui.text import tr, word_error
from gui.widgets.basic import button, label, retint_button, row, set_role
from gui.widgets.card_view import CardView
from gui.widgets.empty_state import EmptyState


class ModelPane(QWidget):
    """Shows the selected model; answers for one that is no longer selected are dropped."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.repo: str | None = None
        self._report: ModelReport | None = None
        self._tasks: list[Task] = []
        self.title = label(role="heading", wrap=True, selectable=True)
        self.about = label(role="muted", wrap=True)
        self.download = button(tr("Download"), "primary", "download")
        self.download.setObjectName("downloadButton")
        self.download.clicked.connect(self._on_download)
        self.convert = button(tr("Convert"), "primary", "convert")
        self.convert.setObjectName("convertFoundButton")
        self.convert.clicked.connect(self._on_convert)
        self.state = label(wrap=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(tr("Progress of the download"))
        self.problem = label(role="problem", wrap=True, selectable=True)
        self.memory, self.files, self.card = MemoryTab(desk), FilesTab(), CardView()
        self.ready = ReadyTab(desk)
        self.ready.wanted.connect(self._on_file_wanted)
        self.files.wanted.connect(self._on_file_wanted)
        self.tabs = QTabWidget()
        self.tabs.addTab(self.memory, tr("Memory"))
        self.tabs.addTab(self.ready, tr("Ready-made"))
        self.tabs.addTab(self.files, tr("Files"))
        self.tabs.addTab(self.card, tr("Card"))
        self.tabs.setDocumentMode(True)
        self.empty = EmptyState(
            "discover", tr("Select a model"),
            tr("What fits the active board, and how fast, is shown before the download."),
        )  # fmt: skip
        self._filled = QWidget()
        inner = QVBoxLayout(self._filled)
        inner.setContentsMargins(8, 0, 0, 0)
        inner.setSpacing(6)
        for widget in (self.title, self.about):
            inner.addWidget(widget)
        inner.addLayout(row(self.download, self.convert, self.state, None))
        inner.addWidget(self.bar)
        inner.addWidget(self.problem)
        inner.addWidget(self.tabs, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.empty)
        layout.addWidget(self._filled)
        desk.jobs.changed.connect(self._on_job)
        desk.library.loaded.connect(self._show_state)
        self.show_model(None)

    def show_model(self, model: ModelSummary | str | None) -> None:
        """Show a model of a search, or one by its id."""
        for task in self._tasks:
            task.drop()
        self._tasks = []
        self._report = None
        self.repo = model.repo if isinstance(model, ModelSummary) else model
        self.empty.setVisible(model is None)
        self._filled.setVisible(model is not None)
        if self.repo is None:
            return
        self.title.setText(printable(self.repo))
        self.about.setText(_about(model) if isinstance(model, ModelSummary) else "")
        self.problem.hide()
        self.memory.show_facts(None)
        self.memory.summary.setText(tr("Reading the model's headers ..."))
        self.files.show_files(())
        self.ready.show_files(None)
        if self.tabs.currentWidget() is self.ready:
            self.tabs.setCurrentWidget(self.memory)
        self.tabs.setTabVisible(self.tabs.indexOf(self.ready), False)
        self.card.setPlainText("")
        self._show_state()
        self._tasks.append(
            self._desk.bridge.run(
                use.hub_report, self._desk.services, self.repo, done=self._on_report, failed=self._on_failed
            )
        )

    def _on_report(self, report: ModelReport) -> None:
        self._report = report
        detail = report.detail
        if detail is not None:
            self.about.setText(_about(detail.summary))
            self.files.show_files(detail.files)
            self._tasks.append(
                self._desk.bridge.run(
                    use.model_card, self._desk.services, detail.repo, detail.commit,
                    done=self._on_card, failed=self._on_card_failed,
                )
            )  # fmt: skip
        self.memory.summary.setText("")
        self.memory.show_facts(report.facts if report.shape is not None else None, report.shape)
        if report.problem is not None:
            self._show_problem(report.problem)
        if report.ready_files:
            self.tabs.setTabVisible(self.tabs.indexOf(self.ready), True)
            self.ready.show_files(detail)
            if not report.can_convert:
                # Nothing to convert here: what is ready is what one came for.
                self.problem.hide()
                self.tabs.setCurrentWidget(self.ready)
        self._show_state()

    def _on_failed(self, error: RKDeckError) -> None:
        self.memory.summary.setText("")
        self._show_problem(error)
        self._show_state()

    def _on_card(self, text: str) -> None:
        self.card.show_card(text or tr("This model has no card."))

    def _on_card_failed(self, error: RKDeckError) -> None:
        self.card.setPlainText(" ".join(word_error(error)))

    def _show_problem(self, error: RKDeckError) -> None:
        self.problem.setText(" ".join(word_error(error)))
        self.problem.show()

    def _names(self) -> set[str | None]:
        """The model's names: the one it is shown under, and the one its hub calls it by now."""
        detail = self._report.detail if self._report is not None else None
        return {self.repo, detail.present_repo if detail is not None else self.repo}

    def _item(self) -> LibraryItem | None:
        """The model in the library, as a source."""
        sources = (item for item in self._desk.library.items if item.kind == "source")
        return next((item for item in sources if any(map(item.is_of, self._names()))), None)

    def _job(self) -> JobRecord | None:
        """The newest download of this model."""
        return next(
            (
                record
                for record in self._desk.jobs.records
                if (order := order_in(record.spec, DownloadOrder)) is not None
                and order.plan.repo in self._names()
            ),
            None,
        )

    @Slot()
    def _show_state(self) -> None:
        if self.repo is None:
            return
        record = self._job()
        running = record is not None and not record.state.is_terminal
        item = self._item()
        size = self._report.download_bytes if self._report is not None else None
        self.download.setText(
            tr("Download {size}", size=format_bytes(size)) if size is not None else tr("Download")
        )
        self.download.setVisible(item is None)
        self.download.setEnabled(size is not None and not running)
        report = self._report
        self.convert.setVisible(item is not None)
        # What is known to be refused is said above; a button that leads there would promise otherwise.
        self.convert.setEnabled(report is None or report.can_convert is not False)
        ready_only = report is not None and bool(report.ready_files) and not report.can_convert
        # The one thing to do with ready-made files is on their own tab.
        set_role(self.download, "" if ready_only else "primary")
        retint_button(self.download)
        self.bar.setVisible(running)
        text = ""
        if running and record is not None:
            show_progress(self.bar, record)
            text = job_line(record)
        elif item is not None:
            text = tr("In the library")
        elif record is not None and record.state is JobState.FAILED:
            text = word_error(error_from_json(record.error or {}))[0]
        elif record is not None and record.state is JobState.INTERRUPTED:
            text = tr("An earlier download was interrupted; Download goes on with it.")
        self.state.setText(text)

    @Slot(object)
    def _on_job(self, record: JobRecord) -> None:
        if record.spec.kind == DownloadOrder.kind.name:
            self._show_state()

    @Slot()
    def _on_download(self) -> None:
        record = self._job()
        if record is not None and record.state is JobState.INTERRUPTED:
            self.download.setEnabled(False)
            self._desk.jobs.resume(record.spec.id)
            return
        self._start(None)

    @Slot(object)
    def _on_file_wanted(self, file: RepoFile) -> None:
        self._start(file.path)

    def _start(self, file: str | None) -> None:
        if self.repo is not None:
            self.download.setEnabled(False)
            self._desk.bridge.run(
                use.start_model_download, self._desk.services, self.repo, file=file,
                done=self._on_started, failed=self._on_start_failed,
            )  # fmt: skip

    def _on_started(self, _job_id: str) -> None:
        self._desk.jobs.look_now()

    def _on_start_failed(self, error: RKDeckError) -> None:
        self._desk.report(error)
        self._show_state()

    @Slot()
    def _on_convert(self) -> None:
        item = self._item()
        if item is not None:
            self._desk.go("convert", item.id)


def _about(model: ModelSummary) -> str:
    parts = []
    if model.parameters:
        parts.append(tr("{count} parameters", count=format_count(model.parameters)))
    parts.append(printable(model.license, 40) if model.license else tr("licence unknown"))
    if model.downloads is not None:
        parts.append(tr("{count} downloads", count=format_count(model.downloads)))
    if model.updated:
        parts.append(tr("updated {date}", date=model.updated[:10]))
    if model.gated:
        parts.append(tr("gated: needs an account that was granted access"))
    return " · ".join(parts)
