"""Ready-made files of a repository: what each one is, whether it fits the active board, and the way onto it."""

from collections.abc import Mapping
from dataclasses import dataclass

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
from core.boards.doctor.findings import Verdict
from core.fitness.judge import Judgement
from core.fitness.sight import board_seen, board_sold
from core.hub.records import ModelDetail
from core.jobs.model import JobRecord, JobState
from core.jobs.order import order_in
from core.plans.order import RunOrder
from core.usecases import ready as use
from core.usecases.gguf import recommended
from core.usecases.ready import ReadyReport
from core.usecases.ready_rows import ReadyRow, ready_rows
from core.vendor.kinds import kind_of_name
from gui.bridge import Task
from gui.desk import Desk
from gui.models.list_model import Column, RecordModel
from gui.pages.boards.finding_row import finding_words
from gui.phrases import VERDICT_ROLES, job_line, note_text, verdict_text
from gui.shell.status import show_progress
from gui.text import tr, trn, word_error
from gui.widgets.basic import StateLabel, button, clear_layout, label, row
from gui.widgets.tables import dress_table

_FITS: Mapping[Verdict, str] = {"ok": "yes", "warning": "tight", "failed": "no", "unknown": "unknown"}


@dataclass(frozen=True, slots=True)
class _Shown:
    """A row, whether it runs on the active board (None while nobody knows), and whether it is the one to take."""

    row: ReadyRow
    verdict: Verdict | None = None
    is_best: bool = False


class ReadyTab(QWidget):
    """The models of one repository that boards run; headers that tell all in a page are read, others when selected.

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
        self._glance: Task | None = None
        self._rows: tuple[ReadyRow, ...] = ()
        self._files: ObservableList[_Shown] = ObservableList()
        columns = (
            Column[_Shown](tr("File"), _name, tip=_name),
            Column[_Shown](tr("For"), _platform),
            Column[_Shown](tr("Level"), _level),
            Column[_Shown](tr("Size"), _size, right=True),
            Column[_Shown](tr("On the board"), _fits, tip=_fits),
        )
        self._model = RecordModel(self._files, columns, self)
        self.view = QTableView()
        self.view.setModel(self._model)
        dress_table(self.view, "readyView", tr("Ready-made files"))
        self.view.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, width in ((1, 72), (2, 84), (3, 86), (4, 172)):
            self.view.setColumnWidth(column, width)
        self.view.setMinimumHeight(84)
        self.view.selectionModel().currentRowChanged.connect(self._on_selected)
        self.best = label(wrap=True)
        self.best.setObjectName("recommendedModel")
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
        layout.addWidget(self.best)
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
        self.show_files(None)

    def show_files(self, detail: ModelDetail | None) -> None:
        """Show a repository's ready-made models; those for the active board come first, parts for models last."""
        if self._glance is not None:
            self._glance.drop()
            self._glance = None
        self._detail = detail
        platform = self._desk.active.target.platform.name
        rows = ready_rows(detail) if detail is not None else ()
        self._rows = tuple(
            sorted(rows, key=lambda row: (row.is_beside, row.is_bound and row.platform != platform, row.name))
        )
        self.view.selectionModel().clearCurrentIndex()
        self._show_rows()
        if detail is not None and any(use.is_glanced(row) for row in self._rows):
            self._glance = self._desk.bridge.run(
                use.glance, self._desk.services, detail, self._rows,
                done=self._on_glanced, failed=self._on_glance_failed,
            )  # fmt: skip
            self.verdict.show_state("muted", tr("Reading the headers of the files ..."))
        else:
            self._select(None)
        self._look()

    def _on_glanced(self, rows: tuple[ReadyRow, ...]) -> None:
        self._glance = None
        self._rows = rows
        self._select(self._show_rows())

    def _on_glance_failed(self, error: RKDeckError) -> None:
        self._glance = None
        self._on_failed(error)

    def _select(self, row: ReadyRow | None) -> None:
        """Select a row, the first where none is wanted; what a person selected meanwhile stays."""
        if self._rows and not self.view.currentIndex().isValid():
            self.view.selectRow(self._rows.index(row) if row is not None else 0)

    def _show_rows(self) -> ReadyRow | None:
        """Judge what was read for the active board; returns the one to take there."""
        detail = self._detail
        verdicts = {
            row.name: self._judged(use.report_of(detail, row)).verdict
            for row in self._rows
            if detail is not None and row.is_model
        }
        found = recommended(self._rows, verdicts)
        best = found[0] if found is not None else None
        shown = [_Shown(row, verdicts.get(row.name), is_best=row is best) for row in self._rows]
        self._files.replace_all(shown, key=_name)
        if found is not None:
            why, board = note_text(found[1]), _target_name(self._desk)
            name = printable(found[0].name, 120)
            self.best.setText(tr("Recommended for {board}: {name}. {why}.", board=board, name=name, why=why))
        self.best.setVisible(found is not None)
        return best

    @Slot()
    def _on_selected(self) -> None:
        self._look()

    def _look(self) -> None:
        if self._task is not None:
            self._task.drop()
            self._task = None
        self._report = self._judgement = None
        shown = self._model.record(self.view.currentIndex())
        if shown is not None and shown.row.is_beside:
            self.verdict.show_state("muted", tr("A part for a model; by itself it runs on no board"))
        elif shown is not None and self._detail is not None:
            if shown.row.inspection is not None:
                self._on_report(use.report_of(self._detail, shown.row))
                return
            self.verdict.show_state("muted", tr("Reading the file's first and last bytes ..."))
            self._task = self._desk.bridge.run(
                use.inspect_ready, self._desk.services, self._detail, shown.row.first,
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
        self._show_rows()
        self._judge()

    def _judge(self) -> None:
        if self._report is not None:
            self._judgement = self._judged(self._report)
        self._show()

    def _judged(self, report: ReadyReport) -> Judgement:
        target = self._desk.active.target
        view = None if target.board is None else self._desk.boards.get(target.board)
        status = view.status if view is not None else None
        if view is None:
            seen = board_sold(target.platform, target.ram_bytes)
        else:
            seen = board_seen(view.board, status.seen if status is not None else None, view.sample)
        held = status.held if status is not None else None
        return use.judge_ready(report, seen, board=_target_name(self._desk), held=held)

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
            (tr("Made for"), (found.platform or "").upper(), found.fields.get("platform"), "platform"),
            (tr("Architecture"), found.architecture, found.fields.get("architecture"), "context"),
            (tr("Level"), found.dtype, found.fields.get("dtype"), "context"),
            (tr("Context"), _tokens(found.max_context), found.fields.get("max_context"), "context"),
            (tr("NPU cores"), _text(found.npu_cores), found.fields.get("npu_cores"), "cores"),
            (tr("rkllm-toolkit"), found.toolkit_version, found.fields.get("toolkit_version"), "versions"),
            (tr("Runtime"), _runtime(judgement), None, "versions"),
            (tr("Base model"), printable(report.base) if report.base else None, None, "context"),
        ]
        kind = kind_of_name(report.file.path)
        if need is not None:
            ram = need.ram
            expected = f"{format_bytes(ram.value)} ({format_bytes(ram.low)} - {format_bytes(ram.high)})"
            basis = tr("guessed from the file's size") if need.guessed else tr("from the base model's shape")
            if kind is not None and "platform" not in kind.rules and not need.guessed:
                basis = tr("from the file's header")
            lines.append((tr("Memory"), f"{expected}, {basis}", None, "memory"))
        # What no rule of the kind asks for, no file of it has.
        told = [line[:3] for line in lines if kind is None or line[3] in kind.rules]
        for place, (title, value, source) in enumerate(told):
            words = {
                "read": tr("read in the file"),
                "inferred": tr("inferred from its name"),
                "stated": tr("as the file calls it"),
            }
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
        shown = self._model.record(self.view.currentIndex())
        if shown is not None:
            self.wanted.emit(shown.row.first)

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


def _name(shown: _Shown) -> str:
    return printable(shown.row.name, 300)


def _platform(shown: _Shown) -> str:
    if not shown.row.is_bound:
        return tr("any")
    return (shown.row.platform or "?").upper()


def _level(shown: _Shown) -> str:
    level = shown.row.level or "?"
    # Only its name says so.
    return f"{level} ?" if shown.row.level_claimed and level != "?" and not shown.row.is_bound else level


def _size(shown: _Shown) -> str:
    return format_bytes(shown.row.size_bytes)


def _fits(shown: _Shown) -> str:
    row, verdict = shown.row, shown.verdict
    if row.missing:
        return trn("{n} part missing", "{n} parts missing", len(row.missing))
    if row.is_beside:
        return tr("part of a model")
    if row.problem is not None:
        return tr("cannot be read")
    if verdict is None:
        return ""
    text = verdict_text(_FITS[verdict])
    return tr("{verdict} · recommended", verdict=text) if shown.is_best else text


def _tokens(context: int | None) -> str | None:
    return None if context is None else tr("{n} tokens", n=context)


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
