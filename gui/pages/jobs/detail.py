"""One job: where it stands, what went wrong, what came out, its log and what can be done with it."""

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from core.base.errors import error_from_json
from core.base.names import printable
from core.base.units import format_bytes, format_duration
from core.jobs.model import JobRecord, JobState
from gui.desk import Desk
from gui.phrases import STATE_ROLES, job_line, job_title, kind_text, state_text
from gui.shell.status import show_progress
from gui.text import tr, word_error
from gui.widgets.basic import StateLabel, button, label
from gui.widgets.log_view import LogView

_RUNS_AGAIN = {JobState.FAILED, JobState.CANCELLED}


class JobDetail(QWidget):
    """Shows the selected job."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._record: JobRecord | None = None
        self.title = label(role="heading", wrap=True)
        self.state = StateLabel()
        self.line = label(role="muted", wrap=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(tr("Progress"))
        self.message = label(wrap=True, selectable=True)
        self.hint = label(role="muted", wrap=True, selectable=True)
        self.cancel = button(tr("Stop"), icon_name="stop")
        self.cancel.setObjectName("cancelButton")
        self.cancel.clicked.connect(self._on_cancel)
        self.resume = button(tr("Resume"), icon_name="play")
        self.resume.setObjectName("resumeButton")
        self.resume.clicked.connect(self._on_resume)
        self.retry = button(tr("Run again"), icon_name="refresh")
        self.retry.setObjectName("retryButton")
        self.retry.clicked.connect(self._on_retry)
        self.log = LogView(desk)
        buttons = QHBoxLayout()
        for made in (self.cancel, self.resume, self.retry):
            buttons.addWidget(made)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        for widget in (self.title, self.state, self.bar, self.line, self.message, self.hint):
            layout.addWidget(widget)
        layout.addLayout(buttons)
        layout.addWidget(self.log, 1)
        self.show_job(None)

    @property
    def record(self) -> JobRecord | None:
        """The job that is shown."""
        return self._record

    def show_job(self, record: JobRecord | None) -> None:
        """Show a job as it is now."""
        self._record = record
        shown: tuple[QWidget, ...] = (self.state, self.line, self.cancel, self.resume, self.retry)
        for widget in shown:
            widget.setVisible(record is not None)
        self.log.show_job(None if record is None else record.spec.id)
        if record is None:
            self.title.setText(tr("Select a job to see its progress and its log."))
            hidden: tuple[QWidget, ...] = (self.bar, self.message, self.hint)
            for widget in hidden:
                widget.hide()
            return
        self.title.setText(f"{kind_text(record.spec.kind)}: {job_title(record)}")
        self.state.show_state(STATE_ROLES[record.state], state_text(record.state))
        show_progress(self.bar, record)
        self._show_outcome(record)
        self.cancel.setEnabled(not record.state.is_terminal and record.state is not JobState.CANCELLING)
        self.resume.setEnabled(record.state is JobState.INTERRUPTED)
        self.resume.setText(tr("Resume") if record.spec.resumable else tr("Start again from the beginning"))
        self.retry.setEnabled(record.state in _RUNS_AGAIN)

    def _show_outcome(self, record: JobRecord) -> None:
        message, hint = "", ""
        if record.state is JobState.FAILED:
            message, hint = word_error(error_from_json(record.error or {}))
        elif record.state is JobState.INTERRUPTED:
            message = tr("It was cut off, by a closed window, a crash or a reboot.")
            hint = (
                tr("What has arrived is kept; it goes on from there.")
                if record.spec.resumable
                else tr("This kind of work has no middle to go on from: it starts again from the beginning.")
            )
        self.message.setText(message)
        self.message.setVisible(bool(message))
        self.hint.setText(hint)
        self.hint.setVisible(bool(hint))
        self.line.setText(job_line(record) if not record.state.is_terminal else _result_line(record))

    @Slot()
    def _on_cancel(self) -> None:
        if self._record is not None:
            self._desk.jobs.cancel(self._record.spec.id)

    @Slot()
    def _on_resume(self) -> None:
        if self._record is not None:
            self._desk.jobs.resume(self._record.spec.id)

    @Slot()
    def _on_retry(self) -> None:
        if self._record is not None:
            self._desk.jobs.retry(self._record.spec.id)


def _result_line(record: JobRecord) -> str:
    result = record.result or {}
    parts = []
    size = result.get("size_bytes", result.get("bytes_fetched"))
    if isinstance(size, int | float):
        parts.append(format_bytes(size))
    seconds = result.get("seconds")
    if isinstance(seconds, int | float):
        parts.append(format_duration(seconds))
    path = result.get("path")
    if isinstance(path, str):
        parts.append(printable(path, 300))
    return " · ".join(parts)
