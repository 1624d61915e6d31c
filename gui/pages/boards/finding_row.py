"""One finding of the doctor as a row: a shape, its sentence, its remedy, and the button of what RKDeck can do."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QGridLayout, QPushButton, QWidget

from core.boards.doctor.findings import Finding, Verdict
from gui.dialogs.remedy import remedy_words
from gui.dialogs.remedy_offer import button_words
from gui.phrases import VERDICT_ROLES
from gui.text import tr, word_error
from gui.widgets.basic import StateLabel, button, label, row
from gui.widgets.elided import breakable
from gui.widgets.plain import set_tip


def finding_words(verdict: Verdict) -> str:
    """What one finding says, in a word."""
    return {
        "ok": tr("in order"), "warning": tr("attention"), "failed": tr("problem"), "unknown": tr("unknown"),
    }[verdict]  # fmt: skip


class FindingRow(QWidget):
    """What was found, and what to do about it.

    Signals:
        remedy_wanted: the Remedy.
    """

    remedy_wanted = Signal(object)

    def __init__(self, finding: Finding, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.finding = finding
        self._state = StateLabel()
        self._text = label(wrap=True, selectable=True)
        self._advice = label(role="muted", wrap=True, selectable=True)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 4, 0, 4)
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self._state, 0, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self._text, 0, 1)
        grid.addWidget(self._advice, 1, 1)
        self.remedy: QPushButton | None = None
        if finding.remedy is not None:
            self.remedy = button(button_words(finding.remedy), tip=remedy_words(finding.remedy)[0])
            self.remedy.setObjectName(f"remedy:{finding.remedy.id}")
            self.remedy.clicked.connect(self._on_remedy)
            grid.addLayout(row(self.remedy, None), 2, 1)
        self.show_finding(finding)

    def show_finding(self, finding: Finding) -> None:
        """Show the same check's finding of another visit (with a remedy only where the first had one)."""
        self.finding = finding
        message, advice = word_error(finding.statement)
        self._state.show_state(VERDICT_ROLES[finding.verdict], "")
        set_tip(self._state, finding_words(finding.verdict))
        self._text.setText(breakable(message))
        self._text.setAccessibleName(f"{finding_words(finding.verdict)}: {message}")
        self._advice.setText(breakable(advice))
        self._advice.setVisible(bool(advice) and (finding.verdict != "ok" or finding.remedy is not None))

    @Slot()
    def _on_remedy(self) -> None:
        self.remedy_wanted.emit(self.finding.remedy)
