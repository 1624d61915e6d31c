"""The status bar: running jobs (click: Jobs) and what the active board is."""

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QWidget

from core.base.units import permille
from core.jobs.model import JobRecord
from gui.desk import Desk
from gui.phrases import activity_text, job_title, kind_text
from gui.text import tr, trn
from gui.widgets.basic import label, set_role
from gui.widgets.plain import PlainButton


class StatusBar(QFrame):
    """One line at the foot of the window."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("statusBar")
        self._desk = desk
        self._jobs = PlainButton()
        self._jobs.setProperty("role", "link")
        self._jobs.clicked.connect(self._on_jobs_clicked)
        self._progress = QProgressBar()
        self._progress.setFixedWidth(160)
        self._progress.setTextVisible(False)
        self._progress.setAccessibleName(tr("Progress of the newest running job"))
        self._simulated = label(tr("SIMULATED parts: built-in hub, board and toolkit"), "simulated")
        self._simulated.hide()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 3, 12, 3)
        layout.addWidget(self._jobs)
        layout.addWidget(self._progress)
        layout.addStretch(1)
        layout.addWidget(self._simulated)
        desk.jobs.counted.connect(self._update)
        desk.jobs.changed.connect(self._update)
        self._update()

    def mark_simulated(self) -> None:
        """Say that hub, board and toolkit are the built-in stand-ins."""
        self._simulated.show()

    @Slot()
    def _on_jobs_clicked(self) -> None:
        running = self._desk.jobs.running()
        self._desk.go("jobs", running[0].spec.id if running else None)

    @Slot()
    @Slot(object)
    def _update(self, _record: object = None) -> None:
        running = self._desk.jobs.running()
        if not running:
            self._jobs.setText(tr("No jobs running"))
            self._progress.hide()
            return
        record = running[0]
        text = f"{kind_text(record.spec.kind)}: {job_title(record)}"
        if len(running) > 1:
            text = trn("{n} job running", "{n} jobs running", len(running)) + f" · {text}"
        if record.progress is not None:
            text += f" · {activity_text(record.progress)}"
        self._jobs.setText(text)
        show_progress(self._progress, record)


def show_progress(bar: QProgressBar, record: JobRecord) -> None:
    """Show a job's progress: determinate when the total is known, moving while it is not."""
    progress = record.progress
    done = permille(progress.done, progress.total) if progress is not None else None
    bar.setVisible(not record.state.is_terminal)
    bar.setRange(0, 1000 if done is not None else 0)
    if done is not None:
        bar.setValue(done)
    set_role(bar, "")
