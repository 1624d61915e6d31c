"""A job's log: the end first, then followed while the job runs; bounded, searchable, never blocking."""

from collections import deque

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QFontDatabase, QKeySequence, QShortcut, QTextCursor
from PySide6.QtWidgets import QApplication, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from core.base.units import format_bytes
from core.jobs.model import JobRecord, LogChunk
from core.usecases import jobs as use
from gui.bridge import Task
from gui.desk import Desk
from gui.text import tr
from gui.widgets.basic import button, label, row

MAX_LINES = 50_000
_LINES_PER_TURN = 400
_POLL_MS = 400
_TAIL_BYTES = 2 << 20


class LogView(QWidget):
    """Shows one job's log, or nothing."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("logPanel")
        self._desk = desk
        self._job_id: str | None = None
        self._offset = 0
        self._task: Task | None = None
        self._follows = True
        # A log is read to its end once more after its job has ended: the last lines come with the end.
        self._ended = self._done = self._reading_since_end = self._read_since_end = False
        self._pending: deque[str] = deque()
        self.text = QPlainTextEdit()
        self.text.setObjectName("logView")
        self.text.setReadOnly(True)
        self.text.setProperty("role", "log")
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setMaximumBlockCount(MAX_LINES)
        self.text.setUndoRedoEnabled(False)
        self.text.setAccessibleName(tr("Log of the job"))
        self.text.setTabChangesFocus(True)
        self.text.verticalScrollBar().valueChanged.connect(self._on_scrolled)
        self._left_out = label(role="muted")
        self._left_out.hide()
        self._find = QLineEdit()
        self._find.setPlaceholderText(tr("Find in the log (Ctrl+F)"))
        self._find.setClearButtonEnabled(True)
        self._find.returnPressed.connect(self.find_next)
        self._follow = button(
            tr("Follow"), icon_name="download", tip=tr("Stay at the end while lines arrive")
        )
        self._follow.clicked.connect(self._on_follow)
        self._copy = button(tr("Copy all"), icon_name="copy")
        self._copy.clicked.connect(self._on_copy)
        self._find_keys = self._shortcut(QKeySequence.StandardKey.Find)
        self._find_keys.activated.connect(self._find.setFocus)
        self._next_keys = self._shortcut(QKeySequence(Qt.Key.Key_F3))
        self._next_keys.activated.connect(self.find_next)
        bar = row(self._find, self._follow, self._copy)
        bar.setStretch(0, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(bar)
        layout.addWidget(self._left_out)
        layout.addWidget(self.text, 1)
        self._poll = QTimer(self)
        self._poll.setInterval(_POLL_MS)
        self._poll.timeout.connect(self._read)
        self._drain = QTimer(self)
        self._drain.setInterval(0)
        self._drain.timeout.connect(self._append_some)
        desk.jobs.changed.connect(self._on_job_changed)
        self._show_state()

    @property
    def job_id(self) -> str | None:
        """The job that is shown."""
        return self._job_id

    def show_job(self, job_id: str | None) -> None:
        """Show a job's log from its end on; None shows nothing."""
        if job_id == self._job_id:
            return
        self._stop()
        self._job_id = job_id
        self._offset = 0
        self._follows = True
        self._ended = self._done = self._reading_since_end = self._read_since_end = False
        self._pending.clear()
        self.text.clear()
        self._left_out.hide()
        self._show_state()
        if job_id is None:
            return
        record = self._desk.jobs.get(job_id)
        self._ended = record is not None and record.state.is_terminal
        self._task = self._desk.bridge.run(
            use.read_log, self._desk.services, job_id, 0, _TAIL_BYTES, tail=True,
            done=self._on_chunk, failed=self._on_failed,
        )  # fmt: skip

    def hideEvent(self, event: object) -> None:  # Qt's name
        """Read nothing while nobody looks."""
        self._poll.stop()
        super().hideEvent(event)  # type: ignore[arg-type]  # a QHideEvent

    def showEvent(self, event: object) -> None:  # Qt's name
        """Go on reading."""
        super().showEvent(event)  # type: ignore[arg-type]  # a QShowEvent
        if self._job_id is not None and not self._done:
            self._poll.start()

    def _stop(self) -> None:
        self._poll.stop()
        self._drain.stop()
        if self._task is not None:
            self._task.drop()
            self._task = None

    @Slot()
    def _read(self) -> None:
        if self._task is None and self._job_id is not None and len(self._pending) < MAX_LINES:
            self._reading_since_end = self._ended
            self._task = self._desk.bridge.run(
                use.read_log, self._desk.services, self._job_id, self._offset,
                done=self._on_chunk, failed=self._on_failed,
            )  # fmt: skip

    def _on_chunk(self, chunk: LogChunk) -> None:
        self._task = None
        self._read_since_end = self._reading_since_end
        if chunk.skipped_bytes:
            self._left_out.setText(
                tr("{size} before this are left out", size=format_bytes(chunk.skipped_bytes))
            )
            self._left_out.show()
        self._offset = chunk.next_offset
        self._pending.extend(chunk.lines)
        if self._pending:
            self._drain.start()
        if not chunk.complete:
            self._read()
        elif self._ended and self._read_since_end and not chunk.lines:
            self._poll.stop()
            self._done = True
        elif not self._poll.isActive() and self.isVisible():
            self._poll.start()

    def _on_failed(self, _error: object) -> None:
        self._task = None  # the job was removed: there is nothing more to read
        self._poll.stop()

    @Slot()
    def _append_some(self) -> None:
        lines = [self._pending.popleft() for _ in range(min(_LINES_PER_TURN, len(self._pending)))]
        if lines:
            bar = self.text.verticalScrollBar()
            place = bar.value()
            self.text.appendPlainText("\n".join(lines))
            bar.setValue(bar.maximum() if self._follows else place)
        if not self._pending:
            self._drain.stop()

    @Slot(object)
    def _on_job_changed(self, record: JobRecord) -> None:
        if record.spec.id == self._job_id:
            self._ended, self._done = record.state.is_terminal, False
            if self.isVisible():
                self._poll.start()

    @Slot(int)
    def _on_scrolled(self, _value: int) -> None:
        if not self._drain.isActive():
            bar = self.text.verticalScrollBar()
            self._follows = bar.value() >= bar.maximum() - 1
            self._show_state()

    @Slot()
    def _on_follow(self) -> None:
        self._follows = True
        bar = self.text.verticalScrollBar()
        bar.setValue(bar.maximum())
        self._show_state()

    @Slot()
    def _on_copy(self) -> None:
        QApplication.clipboard().setText(self.text.toPlainText())

    @Slot()
    def find_next(self) -> None:
        """Go to the next place of the text in the find field, from the top again after the last."""
        wanted = self._find.text()
        if wanted and not self.text.find(wanted):
            self.text.moveCursor(QTextCursor.MoveOperation.Start)
            self.text.find(wanted)

    def _show_state(self) -> None:
        self._follow.setEnabled(self._job_id is not None and not self._follows)
        self._copy.setEnabled(self._job_id is not None)
        self.text.setPlaceholderText(
            tr("No job is selected.") if self._job_id is None else tr("Nothing printed yet.")
        )

    def _shortcut(self, keys: QKeySequence | QKeySequence.StandardKey) -> QShortcut:
        made = QShortcut(keys, self)
        made.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        return made
