"""One finding of the doctor as a row: a shape, its sentence, its remedy, and the button of what RKDeck can do."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QGridLayout, QPushButton, QWidget

from core.boards.doctor.findings import Finding, Verdict
from gui.dialogs.cure import cure_words
from gui.dialogs.remedy import fix_words
from gui.text import tr, word_error
from gui.widgets.basic import StateLabel, button, label, row
from gui.widgets.elided import breakable
from gui.widgets.plain import set_tip

STATES = {"ok": "ok", "warning": "warn", "failed": "bad", "unknown": "muted"}


def finding_words(verdict: Verdict) -> str:
    """What one finding says, in a word."""
    return {
        "ok": tr("in order"), "warning": tr("attention"), "failed": tr("problem"), "unknown": tr("unknown"),
    }[verdict]  # fmt: skip


class FindingRow(QWidget):
    """What was found, and what to do about it.

    Signals:
        fix_wanted: the Fix.
    """

    fix_wanted = Signal(object)

    def __init__(self, finding: Finding, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.finding = finding
        self._state = StateLabel()
        self._text = label(wrap=True, selectable=True)
        self._remedy = label(role="muted", wrap=True, selectable=True)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 4, 0, 4)
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self._state, 0, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self._text, 0, 1)
        grid.addWidget(self._remedy, 1, 1)
        self.cure: QPushButton | None = None
        if finding.fix is not None:
            self.cure = button(cure_words(finding.fix), tip=fix_words(finding.fix)[0])
            self.cure.setObjectName(f"cure:{finding.fix.id}")
            self.cure.clicked.connect(self._on_cure)
            grid.addLayout(row(self.cure, None), 2, 1)
        self.show_finding(finding)

    def show_finding(self, finding: Finding) -> None:
        """Show the same check's finding of another visit (with a remedy only where the first had one)."""
        self.finding = finding
        message, remedy = word_error(finding.statement)
        self._state.show_state(STATES[finding.verdict], "")
        set_tip(self._state, finding_words(finding.verdict))
        self._text.setText(breakable(message))
        self._text.setAccessibleName(f"{finding_words(finding.verdict)}: {message}")
        self._remedy.setText(breakable(remedy))
        self._remedy.setVisible(bool(remedy) and (finding.verdict != "ok" or finding.fix is not None))

    @Slot()
    def _on_cure(self) -> None:
        self.fix_wanted.emit(self.finding.fix)
