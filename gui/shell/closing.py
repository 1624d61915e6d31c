"""The question before the window closes while jobs run."""

from PySide6.QtWidgets import QMessageBox, QPushButton, QWidget

from core.jobs.model import JobRecord
from gui.phrases import job_title, kind_text
from gui.text import tr
from gui.widgets.plain import MessageBox, set_title

_MOST_NAMED = 5


def ask_before_closing(parent: QWidget, running: list[JobRecord]) -> QMessageBox:
    """Make the question; open it with `open()`.

    The button that was pressed has the object name "keep", "stop" or "stay".
    """
    lasting = [record for record in running if record.spec.survives_front_end]
    passing = [record for record in running if not record.spec.survives_front_end]
    box = MessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    set_title(box, tr("Close RKDeck?"))
    box.setText(tr("Work is still going on."))
    parts = []
    if lasting:
        parts.append(tr("These can go on without the window:") + "\n" + _names(lasting))
    if passing:
        parts.append(tr("These pause, and can be resumed where they stopped:") + "\n" + _names(passing))
    box.setInformativeText("\n\n".join(parts))
    keep_text = tr("Close, keep it running") if lasting else tr("Close, resume later")
    keep = _button(box, keep_text, QMessageBox.ButtonRole.AcceptRole, "keep")
    _button(box, tr("Close and stop everything"), QMessageBox.ButtonRole.DestructiveRole, "stop")
    stay = _button(box, tr("Do not close"), QMessageBox.ButtonRole.RejectRole, "stay")
    box.setDefaultButton(keep)
    box.setEscapeButton(stay)
    return box


def _button(box: QMessageBox, text: str, role: QMessageBox.ButtonRole, name: str) -> QPushButton:
    made = box.addButton(text, role)
    made.setObjectName(name)
    return made


def _names(records: list[JobRecord]) -> str:
    lines = [f"• {kind_text(record.spec.kind)}: {job_title(record)}" for record in records]
    if len(lines) > _MOST_NAMED:
        lines = [*lines[:_MOST_NAMED], tr("… and {n} more", n=len(records) - _MOST_NAMED)]
    return "\n".join(lines)
