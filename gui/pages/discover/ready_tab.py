"""Ready-made files of a repository: what each one is, whether it fits the active board, and the way onto it."""

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHeaderView,
    QProgressBar,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from core.base.errors import RKDeckError, error_from_json
from core.base.names import printable
from core.base.observable import ObservableList
from core.base.units import format_bytes
from core.fitness.judge import Judgement
from core.fitness.sight import board_seen, board_sold
from core.hub.records import ModelDetail, RepoFile
from core.jobs.model import JobRecord, JobState
from core.jobs.order import order_in
from core.model.inspect import fields_of_name
from core.plans.order import RunOrder
from core.usecases import ready as use
from core.usecases.ready import ReadyReport
from gui.bridge import Task
from gui.desk import Desk
from gui.models.list_model import Column, RecordModel
from gui.pages.boards.finding_row import finding_words
from gui.phrases import VERDICT_ROLES, job_line
from gui.shell.status import show_progress
from gui.text import tr, word_error
from gui.widgets.basic import StateLabel, button, clear_layout, label, row
from gui.widgets.tables import dress_table


class ReadyTab(QWidget):
    """The .rkllm files of one repository; the selected one is looked at by its first and last bytes.

    Signals:
        wanted: a RepoFile to download alone.
    """

    wanted = Signal(object)

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._detail: ModelDetail | None = None
        self._report: ReadyReport | None = None
        self._judgement: Judgement | None = None
        self._task: Task | None = None
        self._files: ObservableList[RepoFile] = ObservableList()
        columns = (
            Column[RepoFile](tr("File"), _name, tip=_name),
            Column[RepoFile](tr("For"), _platform),
            Column[RepoFile](tr("Level"), _dtype),
            Column[RepoFile](tr("Size"), _size, right=True),
        )
        self._model = RecordModel(self._files, columns, self)
        self.view = QTableView()
        self.view.setModel(self._model)
        dress_table(self.view, "readyView", tr("Ready-made files"))
        self.view.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, width in ((1, 84), (2, 104), (3, 86)):
            self.view.setColumnWidth(column, width)
        self.view.setMinimumHeight(84)
        self.view.selectionModel().currentRowChanged.connect(self._on_selected)
        self.verdict = StateLabel()
        self.reason = label(wrap=True)
        self.facts = QGridLayout()
        self.facts.setColumnStretch(2, 1)
        self.facts.setHorizontalSpacing(16)
        self.put = button("", "primary", "upload")
        self.put.setObjectName("putOnBoardButton")
        self.put.clicked.connect(self._on_put)
        self.serve = QCheckBox(tr("and start serving it"))
        self.serve.setObjectName("serveAfterBox")
        self.serve.setChecked(True)
        self.download = button(tr("Download only"), icon_name="download")
        self.download.setObjectName("downloadReadyButton")
        self.download.clicked.connect(self._on_download)
        self.boards = button(tr("Go to your boards"), "link")
        self.boards.clicked.connect(self._on_boards)
        self.hint = label(role="muted", wrap=True)
        self.state = label(wrap=True)
        self.state.setObjectName("readyState")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(tr("Progress onto the board"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.verdict)
        layout.addWidget(self.reason)
        layout.addLayout(self.facts)
        layout.addLayout(row(self.put, self.serve, None))
        layout.addLayout(row(self.download, self.boards, None))
        layout.addWidget(self.hint)
        layout.addWidget(self.bar)
        layout.addWidget(self.state)
        desk.active.changed.connect(self._on_target)
        desk.jobs.changed.connect(self._on_job)
        self.show_files(None, ())

    def show_files(self, detail: ModelDetail | None, files: tuple[RepoFile, ...]) -> None:
        """Show a repository's ready-made files; those for the active board's SoC come first."""
        self._detail = detail
        platform = self._desk.active.target.platform.name
        ordered = sorted(files, key=lambda file: (_platform(file).lower() != platform, file.path))
        self._files.replace_all(ordered, key=_path)
        if ordered:
            self.view.selectRow(0)
        self._look()

    @Slot()
    def _on_selected(self) -> None:
        self._look()

    def _look(self) -> None:
        if self._task is not None:
            self._task.drop()
            self._task = None
        self._report = self._judgement = None
        file = self._model.record(self.view.currentIndex())
        if file is not None and self._detail is not None:
            self.verdict.show_state("muted", tr("Reading the file's first and last bytes ..."))
            self._task = self._desk.bridge.run(
                use.inspect_ready, self._desk.services, self._detail, file,
                done=self._on_report, failed=self._on_failed,
            )  # fmt: skip
        self._show()

    def _on_report(self, report: ReadyReport) -> None:
        self._task = None
        self._report = report
        self._judge()

    def _on_failed(self, error: RKDeckError) -> None:
        self._task = None
        message, hint = word_error(error)
        self.verdict.show_state("bad", tr("The file cannot be looked at"))
        self.reason.setText(f"{message} {hint}".strip())

    @Slot(object)
    def _on_target(self, _target: object) -> None:
        self._judge()

    def _judge(self) -> None:
        report, target = self._report, self._desk.active.target
        if report is not None:
            view = None if target.board is None else self._desk.boards.get(target.board)
            status = view.status if view is not None else None
            if view is None:
                seen = board_sold(target.platform, target.ram_bytes)
            else:
                seen = board_seen(view.board, status.seen if status is not None else None, view.sample)
            self._judgement = use.judge_ready(
                report, seen, board=_target_name(self._desk), held=status.held if status is not None else None
            )  # fmt: skip
        self._show()

    def _show(self) -> None:
        clear_layout(self.facts)
        judgement, report = self._judgement, self._report
        self.verdict.setVisible(bool(len(self._files)))
        self.reason.setText("")
        if judgement is not None and report is not None:
            self._show_judgement(judgement)
            self._show_fields(report, judgement)
        self.reason.setVisible(bool(self.reason.text()))
        self._show_actions()
        self._show_job()

    def _show_judgement(self, judgement: Judgement) -> None:
        words = finding_words(judgement.verdict)
        board = _target_name(self._desk)
        self.verdict.show_state(VERDICT_ROLES[judgement.verdict], f"{board}: {words}")
        said = judgement.refusals[0].error if judgement.refusals else judgement.worst.statement
        message, advice = word_error(said)
        self.reason.setText(message if judgement.verdict == "ok" else f"{message} {advice}".strip())

    def _show_fields(self, report: ReadyReport, judgement: Judgement) -> None:
        found = report.inspection
        need = judgement.memory
        lines = [
            (tr("Made for"), (found.platform or "").upper(), found.fields.get("platform")),
            (tr("Level"), found.dtype, found.fields.get("dtype")),
            (tr("Context"), _tokens(found.max_context), found.fields.get("max_context")),
            (tr("NPU cores"), _text(found.npu_cores), found.fields.get("npu_cores")),
            (tr("rkllm-toolkit"), found.toolkit_version, found.fields.get("toolkit_version")),
            (tr("Runtime"), _runtime(judgement), None),
            (tr("Base model"), printable(report.base) if report.base else None, None),
        ]
        if need is not None:
            ram = need.ram
            expected = f"{format_bytes(ram.value)} ({format_bytes(ram.low)} - {format_bytes(ram.high)})"
            basis = tr("guessed from the file's size") if need.guessed else tr("from the base model's shape")
            lines.append((tr("Memory"), f"{expected}, {basis}", None))
        for place, (title, value, source) in enumerate(lines):
            words = {"read": tr("read in the file"), "inferred": tr("inferred from its name")}
            shown = printable(value) if value else tr("unknown")
            self.facts.addWidget(label(title, "muted"), place, 0)
            if source is None:
                self.facts.addWidget(label(shown, selectable=True), place, 1, 1, 2)
            else:
                self.facts.addWidget(label(shown, selectable=True), place, 1)
                self.facts.addWidget(label(words[source], "muted"), place, 2)

    def _show_actions(self) -> None:
        board = self._desk.active.target.board
        judgement = self._judgement
        running = self._running() is not None
        self.put.setText(
            tr("Put on {board}", board=printable(board, 40)) if board is not None else tr("Put on a board")
        )
        may_go = judgement is not None and not judgement.refusals
        self.put.setEnabled(may_go and board is not None and not running)
        self.serve.setEnabled(self.put.isEnabled())
        self.download.setEnabled(self._model.record(self.view.currentIndex()) is not None and not running)
        self.boards.setVisible(board is None)
        self.hint.setText(
            "" if board is not None else tr("Choose one of your own boards above to bring a file onto it.")
        )
        self.hint.setVisible(board is None)

    def _running(self) -> JobRecord | None:
        record = self._job()
        return record if record is not None and not record.state.is_terminal else None

    def _job(self) -> JobRecord | None:
        """The newest job that brought, or brings, a file of this repository to a board."""
        repo = self._detail.repo if self._detail is not None else None
        return next(
            (
                record
                for record in self._desk.jobs.records
                if (order := order_in(record.spec, RunOrder)) is not None and order.download.plan.repo == repo
            ),
            None,
        )

    def _show_job(self) -> None:
        record = self._job() if self._detail is not None else None
        running = record is not None and not record.state.is_terminal
        self.bar.setVisible(running)
        text = ""
        if record is not None:
            text = job_line(record)
            if running:
                show_progress(self.bar, record)
            elif record.state is JobState.FAILED:
                text = " ".join(word_error(error_from_json(record.error or {})))
            elif record.state is JobState.SUCCEEDED:
                text = tr("It is on {board}.", board=printable(record.spec.board or "", 40))
        self.state.setText(text)
        self.state.setVisible(bool(text))

    @Slot(object)
    def _on_job(self, record: JobRecord) -> None:
        if record.spec.kind == RunOrder.kind.name:
            self._show_actions()
            self._show_job()

    @Slot()
    def _on_put(self) -> None:
        board = self._desk.active.target.board
        if self._report is not None and board is not None:
            self.put.setEnabled(False)
            self._desk.bridge.run(
                use.start_ready_run, self._desk.services, self._report, board, serve=self.serve.isChecked(),
                done=self._on_started, failed=self._on_start_failed,
            )  # fmt: skip

    def _on_started(self, _job_id: str) -> None:
        self._desk.jobs.look_now()

    def _on_start_failed(self, error: RKDeckError) -> None:
        self._desk.report(error)
        self._show_actions()

    @Slot()
    def _on_download(self) -> None:
        file = self._model.record(self.view.currentIndex())
        if file is not None:
            self.wanted.emit(file)

    @Slot()
    def _on_boards(self) -> None:
        self._desk.go("boards")


def _target_name(desk: Desk) -> str:
    target = desk.active.target
    if target.board is not None:
        return printable(target.board, 40)
    return tr("{soc} with {gib} GB", soc=target.platform.display_name, gib=target.nominal_gib)


def _runtime(judgement: Judgement) -> str | None:
    """What the board has to run the file with, in few words; None where nobody looked."""
    found = next((entry for entry in judgement.findings if entry.check == "model_runtime"), None)
    if found is None:
        return None
    if found.code == "doctor.model_no_library":
        return tr("none found on the board")
    version = printable(str(found.facts.get("runtime") or ""), 40)
    if found.verdict == "failed":
        return tr("{version} on the board is too old", version=version)
    if found.verdict == "unknown":
        return tr("version not known")
    return tr("{version} on the board takes it", version=version)


def _path(file: RepoFile) -> str:
    return file.path


def _name(file: RepoFile) -> str:
    return printable(file.path, 300)


def _platform(file: RepoFile) -> str:
    return str(fields_of_name(file.path).get("platform", "?")).upper()


def _dtype(file: RepoFile) -> str:
    return str(fields_of_name(file.path).get("dtype", "?"))


def _size(file: RepoFile) -> str:
    return format_bytes(file.size_bytes)


def _tokens(context: int | None) -> str | None:
    return None if context is None else tr("{n} tokens", n=context)


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
