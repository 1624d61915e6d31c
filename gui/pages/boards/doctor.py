"""The doctor in the drawer: what was found on a board, what to do about it, and what RKDeck can do itself."""

from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QVBoxLayout,
    QWidget,
)

from core.base.errors import RKDeckError
from core.base.names import printable
from core.boards.doctor.findings import Finding, Verdict, overall
from core.boards.doctor.remedies import Remedy, way_of
from core.usecases import doctor as use
from core.usecases.boards import BoardStatus
from gui.bridge import Task
from gui.desk import Desk
from gui.dialogs.remedy import RemedyDialog, remedy_words
from gui.dialogs.remedy_offer import remedy_dialog
from gui.feeds.boards import BoardView
from gui.pages.boards.finding_row import FindingRow
from gui.phrases import VERDICT_ROLES, ago_text
from gui.text import tr, trn, word_error
from gui.widgets.basic import StateLabel, button, clear_layout, label, row
from gui.widgets.elided import breakable
from gui.widgets.plain import set_title
from gui.widgets.scrolled import Column, scrolled

_ORDER = ("failed", "unknown", "warning", "ok")


def verdict_words(verdict: Verdict) -> str:
    """What all findings come to, in words."""
    return {
        "ok": tr("ready for models"),
        "warning": tr("works, with reservations"),
        "failed": tr("cannot run models as it is"),
        "unknown": tr("not enough is known"),
    }[verdict]


class DoctorPanel(QWidget):
    """A board's findings, those that need somebody first.

    Args:
        applied: what was done on this board since the program started; shared with the page, so that it can be
            taken back after the panel was closed.

    Attributes:
        rows: the findings shown, from above.
    """

    def __init__(
        self, desk: Desk, view: BoardView, applied: list[Remedy], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("doctorPanel")
        set_title(self, tr("Doctor: {board}", board=printable(view.name, 40)))
        self._desk = desk
        self.board = view.name
        self._applied = applied
        self._view = view
        self._outline: object = None
        self.rows: list[FindingRow] = []
        self._file: Path | None = None
        self._checking: Task | None = None
        self._about_file: tuple[Finding, ...] = ()
        self._files: QFileDialog | None = None
        self.state = StateLabel()
        self.when = label(role="muted")
        self.again = button(tr("Look again"), icon_name="refresh")
        self.again.setObjectName("lookAgain")
        self.again.clicked.connect(self._on_again)
        self.models = QComboBox()
        self.models.setObjectName("doctorModel")
        self.models.setAccessibleName(tr("With a model"))
        self.models.setMinimumContentsLength(16)
        self.models.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._fill_models()
        self.models.activated.connect(self._on_model)
        self._list = QVBoxLayout()
        self._list.setSpacing(2)
        column = Column()
        column.setLayout(self._list)
        self._list.setContentsMargins(0, 0, 6, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.state)
        layout.addLayout(row(self.when, None, self.again))
        chooser = row(label(tr("With a model")), self.models)
        chooser.setStretch(1, 1)
        layout.addLayout(chooser)
        layout.addWidget(scrolled(column), 1)
        self.setFocusProxy(self.models)
        desk.boards.changed.connect(self._on_board_changed)
        desk.library.loaded.connect(self._fill_models)
        self._show(view)

    @Slot(object)
    def _on_board_changed(self, view: BoardView) -> None:
        if view.name == self.board:
            self._show(view)

    def _show(self, view: BoardView) -> None:
        fresh = view.status is not self._view.status
        self._view = view
        self.again.setEnabled(not view.visiting)
        if fresh and self._file is not None:
            self._ask_about_file()
        self._show_findings()

    def _show_findings(self) -> None:
        status = self._view.status
        if status is not None:
            self.when.setText(tr("looked at {ago}", ago=ago_text(status.t_unix_s)))
        if status is None or not status.findings:
            self._show_nothing()
            return
        verdict = overall((*self._about_file, *status.findings))
        self.state.show_state(VERDICT_ROLES[verdict], verdict_words(verdict))
        groups = self._groups(status.findings)
        outline = (
            tuple(self._applied),
            [(title, [_shape(entry) for entry in found]) for title, found in groups],
        )
        if (
            outline == self._outline
        ):  # other figures only: everything stays where it is, and as it is scrolled
            findings = [entry for _, found in groups for entry in found]
            for made, entry in zip(self.rows, findings, strict=True):
                made.show_finding(entry)
            return
        self._outline = outline
        self.rows.clear()
        clear_layout(self._list)
        for remedy in self._applied:
            self._add_applied(remedy)
        for title, found in groups:
            self._add_group(title, found)
        self._list.addStretch(1)

    def _show_nothing(self) -> None:
        error = self._view.error
        text = word_error(error)[0] if error is not None else ""
        self.state.show_state("muted", tr("not visited yet"))
        self._outline = None
        self.rows.clear()
        clear_layout(self._list)
        self._list.addWidget(
            label(text or tr("RKDeck looks at the board as soon as it is reached."), wrap=True)
        )
        self._list.addStretch(1)

    def _groups(self, findings: tuple[Finding, ...]) -> list[tuple[str, list[Finding]]]:
        """What is shown together, those that need somebody first."""
        groups = []
        if self._file is not None:
            groups.append((printable(self._file.name, 60), sorted(self._about_file, key=_rank)))
        open_ones = sorted((entry for entry in findings if entry.verdict != "ok"), key=_rank)
        if open_ones:
            title = trn("{n} thing to look after", "{n} things to look after", len(open_ones))
            groups.append((title, open_ones))
        fine = [entry for entry in findings if entry.verdict == "ok"]
        groups.append((trn("{n} check in order", "{n} checks in order", len(fine)), fine))
        return groups

    def _add_group(self, title: str, findings: list[Finding]) -> None:
        self._list.addSpacing(6)
        self._list.addWidget(label(breakable(title), "heading", wrap=True))
        for finding in findings:
            made = FindingRow(finding)
            made.remedy_wanted.connect(self._on_remedy_wanted)
            self._list.addWidget(made)
            self.rows.append(made)

    def _add_applied(self, remedy: Remedy) -> None:
        mark = StateLabel()
        mark.show_state("ok", "")
        back = button(tr("Take it back ..."), "link")
        back.setObjectName(f"takeBack:{remedy.id}")
        back.setProperty("place", self._applied.index(remedy))
        back.clicked.connect(self._on_take_back)
        line = row(mark, label(tr("Done: {what}", what=remedy_words(remedy)[0]), wrap=True), back, spacing=4)
        line.setStretch(1, 1)
        self._list.addLayout(line)

    @Slot()
    def _on_again(self) -> None:
        self._desk.boards.visit(self.board)

    @Slot()
    def _fill_models(self) -> None:
        chosen = self.models.currentData()
        self.models.clear()
        self.models.addItem(tr("no model"), None)
        for item in self._desk.library.items:
            if item.model_kind is not None:
                self.models.addItem(printable(item.title, 60), str(item.path))
        if self._file is not None and self.models.findData(str(self._file)) < 0:
            self.models.addItem(printable(self._file.name, 60), str(self._file))
        self.models.addItem(tr("Choose a file ..."), "")
        self.models.setCurrentIndex(max(0, self.models.findData(chosen)))

    @Slot(int)
    def _on_model(self, _place: int) -> None:
        chosen = self.models.currentData()
        if chosen == "":
            self._choose()
            return
        self._file = Path(chosen) if chosen else None
        self._about_file = ()
        self._ask_about_file()

    def take_model(self, path: Path) -> None:
        """Ask about a file, too."""
        self._file = path
        self._fill_models()
        self.models.setCurrentIndex(self.models.findData(str(path)))
        self._ask_about_file()

    def _ask_about_file(self) -> None:
        if self._checking is not None:  # of another file, or against what the board was before
            self._checking.drop()
            self._checking = None
        status = self._view.status
        if self._file is None or status is None:
            self._about_file = ()
            self._show_findings()
            return
        self._checking = self._desk.bridge.run(
            use.check_file,
            self._desk.services,
            status,
            self._file,
            done=self._on_checked,
            failed=self._on_unreadable,
        )

    def _on_checked(self, findings: tuple[Finding, ...]) -> None:
        self._about_file = findings
        self._show_findings()

    def _on_unreadable(self, error: RKDeckError) -> None:
        self._file = None
        self._fill_models()
        self._on_checked(())
        self._desk.report(error)

    @Slot(object)
    def _on_remedy_wanted(self, remedy: Remedy) -> None:
        status = self._view.status
        if status is not None and status.seen is not None:
            dialog = remedy_dialog(self._desk, self.board, status.seen, remedy, self)
            dialog.done_well.connect(self._on_applied)
            dialog.open()

    @Slot()
    def _on_take_back(self) -> None:
        place = self.sender().property("place")
        if isinstance(place, int) and place < len(self._applied):
            self._undo(self._applied[place])

    def _undo(self, remedy: Remedy) -> None:
        status = self._view.status
        if status is None or status.seen is None:
            return
        way = way_of(status.seen, as_root=remedy.as_root)
        dialog = RemedyDialog(self._desk, self.board, remedy, way, self, undo=True)
        dialog.done_well.connect(self._on_undone)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    @Slot(object)
    def _on_applied(self, remedy: Remedy) -> None:
        self._applied.append(remedy)
        self._desk.notice(tr("Done: {what}", what=remedy_words(remedy)[0]), kind="ok")
        self._desk.boards.visit(self.board)

    @Slot(object)
    def _on_undone(self, remedy: Remedy) -> None:
        if remedy in self._applied:
            self._applied.remove(remedy)
        self._desk.notice(tr("Taken back: {what}", what=remedy_words(remedy)[0]), kind="ok")
        self._desk.boards.visit(self.board)

    def _choose(self) -> None:
        self._files = QFileDialog(self, tr("A model for {board}", board=self.board))
        self._files.setFileMode(QFileDialog.FileMode.ExistingFile)
        self._files.setNameFilter("RKLLM (*.rkllm)")
        self._files.fileSelected.connect(self._on_file_selected)
        self._files.finished.connect(self._on_files_finished)
        self._files.open()

    @Slot(str)
    def _on_file_selected(self, path: str) -> None:
        self.take_model(Path(path))

    @Slot(int)
    def _on_files_finished(self, _result: int) -> None:
        if self._files is not None:
            self._files.deleteLater()
            self._files = None
        if self.models.currentData() == "":
            self.models.setCurrentIndex(max(0, self.models.findData(str(self._file)) if self._file else 0))


def _rank(finding: Finding) -> int:
    return _ORDER.index(finding.verdict)


def _shape(finding: Finding) -> tuple[str, str, str | None]:
    """What makes a row look as it does, its figures aside."""
    return finding.check, finding.code, finding.remedy.id if finding.remedy is not None else None


def summary(status: BoardStatus) -> tuple[str, str]:
    """State and words for a card: the worst there is, and how much of it."""
    failed = sum(entry.verdict == "failed" for entry in status.findings)
    careful = sum(entry.verdict == "warning" for entry in status.findings)
    if failed:
        return "bad", trn("{n} problem", "{n} problems", failed)
    if careful:
        return "warn", trn("{n} thing to look after", "{n} things to look after", careful)
    return VERDICT_ROLES[overall(status.findings)], verdict_words(overall(status.findings))
