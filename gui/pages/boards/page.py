"""The Boards page: a card per board; a model is dropped onto one, or sent by keyboard and menu."""

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QMimeData, Qt, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QFrame,
    QInputDialog,
    QLineEdit,
    QMessageBox,
    QScrollArea,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from core.base.names import printable
from core.boards.doctor.remedies import Remedy
from core.boards.records import Board
from core.jobs.model import JobRecord, JobState
from core.jobs.order import Makes
from core.plans.kinds import makes
from core.usecases import boards as use
from gui.desk import Desk, Destination
from gui.dialogs.add_board import AddBoardDialog
from gui.dialogs.changed_key import ChangedKeyDialog
from gui.dialogs.move_board import MoveBoardDialog
from gui.dialogs.new_password import NewPasswordDialog, password_kept
from gui.dialogs.remedy import remedy_words
from gui.dialogs.remedy_offer import remedy_dialog
from gui.feeds.boards import BoardView
from gui.pages.boards.card import BoardCard
from gui.pages.boards.chat import ChatPanel
from gui.pages.boards.deployments import DeploymentsPanel
from gui.pages.boards.doctor import DoctorPanel
from gui.pages.boards.drops import DropDesk
from gui.pages.boards.flow import FlowLayout
from gui.pages.boards.serving import ServingControl
from gui.pages.page import Page
from gui.text import tr
from gui.widgets.basic import button, label, row
from gui.widgets.drag import local_files
from gui.widgets.empty_state import EmptyState
from gui.widgets.plain import InputDialog, MessageBox, set_title


@dataclass(frozen=True, slots=True)
class DeployWish:
    """A file that waits for a board to be chosen."""

    path: Path


class BoardsPage(Page):
    """Cards in rows; each is a drop target."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(desk, parent)
        self._cards: dict[str, BoardCard] = {}
        self._controls: dict[str, ServingControl] = {}
        self._drops = DropDesk(desk, self)
        self._drops.read.connect(self._on_file_read)
        self._applied: dict[str, list[Remedy]] = {}
        self._hovered: BoardCard | None = None
        self._waiting = False
        self._dialog: AddBoardDialog | None = None
        self._files: QFileDialog | None = None
        self._question: QMessageBox | None = None
        self._password: QInputDialog | None = None
        self._asked_for = ""
        self.banner = label(wrap=True)
        self.add = button(tr("Add a board"), icon_name="plus")
        self.add.setObjectName("addBoardButton")
        self.add.clicked.connect(self._on_add)
        self._flow = FlowLayout()
        content = QWidget()
        content.setLayout(self._flow)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidget(content)
        filled = QWidget()
        inner = QVBoxLayout(filled)
        inner.setContentsMargins(0, 0, 0, 0)
        bar = row(self.banner, self.add)
        bar.setStretch(0, 1)
        inner.addLayout(bar)
        inner.addWidget(area, 1)
        self._empty = EmptyState(
            "boards", tr("No boards yet"),
            tr("RKDeck reaches a board over SSH. You need its address, a user name, and a password or key."),
            tr("Add a board"),
        )  # fmt: skip
        self._empty.acted.connect(self._on_add)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(filled)
        desk.boards.loaded.connect(self._on_loaded)
        desk.boards.changed.connect(self._on_changed)
        desk.jobs.ended.connect(self._on_job_ended)
        self._say_banner()
        self._on_loaded()

    def enter(self, payload: object) -> None:
        """Show a board by its name, or offer a file to the boards."""
        if isinstance(payload, DeployWish):
            self._waiting = True
            self._take(payload.path)
            self._say_banner()
            self._judge_all()
        elif isinstance(payload, str) and payload in self._cards:
            self._cards[payload].setFocus()

    def focus_first(self) -> None:
        """The first card."""
        if self._cards:
            next(iter(self._cards.values())).setFocus()
        else:
            self._empty.action.setFocus()

    def retint(self) -> None:
        """Another theme."""
        self._empty.retint()
        for card in self._cards.values():
            card.show_view(card.view)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # Qt's name
        """Arrows go from card to card; Escape lets a waiting file go."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Up: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Down: 1}
        cards = list(self._cards.values())
        focused = next((number for number, card in enumerate(cards) if card.hasFocus()), None)
        if event.key() in steps and focused is not None:
            cards[(focused + steps[Qt.Key(event.key())]) % len(cards)].setFocus()
        elif event.key() == Qt.Key.Key_Escape and self._waiting:
            self._let_go()
        else:
            super().keyPressEvent(event)

    @Slot()
    def _on_loaded(self) -> None:
        views = {view.name: view for view in self.desk.boards.views}
        for name in [name for name in self._cards if name not in views]:
            card = self._cards.pop(name)
            self._flow.removeWidget(card)
            card.hide()
            card.deleteLater()
        for name, view in views.items():
            if name not in self._cards:
                self._cards[name] = self._make_card(view)
                self._flow.addWidget(self._cards[name])
        self._stack.setCurrentIndex(1 if views or not self.desk.boards.is_loaded else 0)

    def _make_card(self, view: BoardView) -> BoardCard:
        card = BoardCard(view)
        card.hovered.connect(self._on_hovered)
        card.left.connect(self._on_left)
        card.dropped.connect(self._on_dropped)
        card.asked.connect(self._on_asked)
        card.serve_wanted.connect(self._on_serve_wanted)
        return card

    @Slot(object)
    def _on_changed(self, view: BoardView) -> None:
        card = self._cards.get(view.name)
        if card is not None:
            card.show_view(view)
            if self._drops.file is not None and (self._waiting or card.is_offering):
                self._judge(card, offer=card.is_offering)  # something was done about what it lacked, perhaps

    @Slot(object, object)
    def _on_hovered(self, card: BoardCard, mime: QMimeData) -> None:
        files = local_files(mime)
        if len(files) != 1:
            return
        self._hovered = card
        self._take(files[0])
        self._judge(card)

    def _take(self, path: Path) -> None:
        """Look at a file; what cards offered of another file is withdrawn, for their buttons would send this one."""
        if path != self._drops.path:
            for card in self._cards.values():
                card.show_judgement(None)
        self._drops.take(path)

    @Slot(object)
    def _on_left(self, card: BoardCard) -> None:
        self._hovered = None
        if not self._waiting:
            card.show_judgement(None)

    @Slot(object)
    def _on_dropped(self, card: BoardCard) -> None:
        self._hovered = None
        self._send(card)

    def _send(self, card: BoardCard) -> None:
        judgement = self._drops.judgement(card.view)
        if judgement is not None and judgement.refusals:
            card.show_judgement(judgement, self._drops.line(judgement), offer=judgement.overridable)
            return
        self._drops.send(card.view.name, force=False)
        self._let_go()

    def _let_go(self) -> None:
        self._waiting = False
        self._say_banner()
        for card in self._cards.values():
            card.show_judgement(None)

    def _judge(self, card: BoardCard, *, offer: bool = False) -> None:
        judgement = self._drops.judgement(card.view)
        if judgement is None:
            card.show_reading()
        else:
            card.show_judgement(judgement, self._drops.line(judgement), offer=offer)

    def _judge_all(self) -> None:
        for card in self._cards.values():
            self._judge(card)

    @Slot()
    def _on_file_read(self) -> None:
        if self._waiting:
            self._judge_all()
            self._say_banner()
        elif self._hovered is not None:
            self._judge(self._hovered)

    def _say_banner(self) -> None:
        path = self._drops.path
        if self._waiting and path is not None:
            title = self._drops.file.title if self._drops.file is not None else path.name
            self.banner.setText(
                tr(
                    "Deploy {title}: choose a board and press Enter; Escape leaves it.",
                    title=printable(title, 80),
                )
            )
        else:
            self.banner.setText(tr("Drop a .rkllm file on a card to deploy it."))

    @Slot(object, object)
    def _on_asked(self, card: BoardCard, what: str) -> None:
        name = card.view.name
        actions = {
            "chat": self._chat, "panel": self._panel, "refresh": self._visit, "deploy": self._choose_file,
            "remove": self._ask_removal, "password": self._ask_password, "stop": self._stop,
            "cancel_start": self._cancel_start, "new_key": self._compare_keys, "doctor": self._doctor,
            "renew": self._renew_password, "move": self._change_address,
        }  # fmt: skip
        if what in actions:
            actions[what](name)
        elif what == "enter":
            if self._waiting:
                self._send(card)
            else:
                self._panel(name)
        elif what == "force":
            refused = card.judgement is not None and bool(card.judgement.refusals)
            self._drops.send(name, force=refused)
            self._let_go()
        elif what == "remedy":
            self._cure(card)
        elif what == "forget_offer":
            card.show_judgement(None)
        elif what in {"cancel_job", "retry_job"} and card.view.job is not None:
            job_id, state = card.view.job.spec.id, card.view.job.state
            if what == "cancel_job":
                self.desk.jobs.cancel(job_id)
            elif state is JobState.INTERRUPTED:
                self.desk.jobs.resume(job_id)
            else:
                self.desk.jobs.retry(job_id)

    def _compare_keys(self, name: str) -> None:
        view = self.desk.boards.get(name)
        if view is not None and view.error is not None:
            self._open(ChangedKeyDialog(self.desk, name, view.error, self))

    def _renew_password(self, name: str) -> None:
        view = self.desk.boards.get(name)
        if view is not None and view.error is not None:
            self._open(NewPasswordDialog(self.desk, name, view.error, self))

    def _change_address(self, name: str) -> None:
        view = self.desk.boards.get(name)
        if view is not None:
            self._open(MoveBoardDialog(self.desk, view.board, view.error, self))

    def _open(self, dialog: QDialog) -> None:
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _visit(self, name: str) -> None:
        self.desk.boards.look_anew(name)

    def _chat(self, name: str) -> None:
        self.desk.fill_drawer(ChatPanel(self.desk, name))

    def _panel(self, name: str) -> None:
        view = self.desk.boards.get(name)
        if view is not None:
            panel = DeploymentsPanel(self.desk, view)
            panel.serve_wanted.connect(self._on_panel_serve)
            self.desk.fill_drawer(panel)

    def _doctor(self, name: str) -> None:
        view = self.desk.boards.get(name)
        if view is not None:
            self.desk.fill_drawer(DoctorPanel(self.desk, view, self._applied.setdefault(name, [])))

    def _cure(self, card: BoardCard) -> None:
        """Do something about what a file lacks here; without a visit in this session the doctor's panel tells more."""
        status, remedy = card.view.status, card.judgement.remedy if card.judgement is not None else None
        if status is None or status.seen is None or remedy is None:
            self._doctor(card.view.name)
            return
        self._asked_for = card.view.name
        dialog = remedy_dialog(self.desk, card.view.name, status.seen, remedy, self)
        dialog.done_well.connect(self._on_remedied)
        dialog.open()

    @Slot(object)
    def _on_remedied(self, remedy: Remedy) -> None:
        self._applied.setdefault(self._asked_for, []).append(remedy)
        self.desk.notice(tr("Done: {what}", what=remedy_words(remedy)[0]), kind="ok")
        self.desk.boards.visit(self._asked_for)

    def _control(self, name: str) -> ServingControl:
        if name not in self._controls:
            made = self._controls[name] = ServingControl(self.desk, name, self)
            made.said.connect(self._on_said)
        return self._controls[name]

    @Slot(object)
    def _on_said(self, text: str) -> None:
        control = self.sender()
        if isinstance(control, ServingControl) and control.board in self._cards:
            self._cards[control.board].show_starting(text)

    @Slot(object, object)
    def _on_serve_wanted(self, card: BoardCard, deployment: str) -> None:
        self._control(card.view.name).start(deployment)

    @Slot(object)
    def _on_panel_serve(self, deployment: str) -> None:
        panel = self.sender()
        if isinstance(panel, DeploymentsPanel):
            self._control(panel.board).start(deployment)

    def _stop(self, name: str) -> None:
        self._control(name).stop()

    def _cancel_start(self, name: str) -> None:
        self._control(name).cancel()

    @Slot(object)
    def _on_job_ended(self, record: JobRecord) -> None:
        if (
            makes(record.spec, Makes.DEPLOYMENT)
            and record.state is JobState.SUCCEEDED
            and record.spec.board is not None
        ):
            name = printable(str((record.result or {}).get("name")), 80)
            self.desk.notice(
                tr("{name} is live on {board}.", name=name, board=record.spec.board), kind="ok",
                action=tr("Show"), destination=Destination("boards", record.spec.board),
            )  # fmt: skip

    @Slot()
    def _on_add(self) -> None:
        if self._dialog is None:
            self._dialog = AddBoardDialog(self.desk, self.window())
            self._dialog.added.connect(self._on_added)
            self._dialog.finished.connect(self._on_dialog_finished)
            self._dialog.open()

    @Slot(object)
    def _on_added(self, _board: Board) -> None:
        self.desk.boards.reload()

    @Slot(int)
    def _on_dialog_finished(self, _result: int) -> None:
        if self._dialog is not None:
            self._dialog.deleteLater()
            self._dialog = None

    def _choose_file(self, name: str) -> None:
        self._asked_for = name
        self._files = QFileDialog(self, tr("A model for {board}", board=name))
        self._files.setFileMode(QFileDialog.FileMode.ExistingFile)
        self._files.setNameFilter("RKLLM (*.rkllm)")
        self._files.setDirectory(str(self.desk.services.paths.library))
        self._files.fileSelected.connect(self._on_file_chosen)
        self._files.finished.connect(self._on_files_finished)
        self._files.open()

    @Slot(str)
    def _on_file_chosen(self, path: str) -> None:
        self.enter(DeployWish(Path(path)))
        if self._asked_for in self._cards:
            self._cards[self._asked_for].setFocus()

    @Slot(int)
    def _on_files_finished(self, _result: int) -> None:
        if self._files is not None:
            self._files.deleteLater()
            self._files = None

    def _ask_removal(self, name: str) -> None:
        self._asked_for = name
        box = MessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        set_title(box, tr("Remove the board"))
        box.setText(tr("Remove {board} from RKDeck?", board=name))
        box.setInformativeText(tr("Nothing changes on the board itself; what was deployed stays there."))
        remove = box.addButton(tr("Remove"), QMessageBox.ButtonRole.DestructiveRole)
        remove.setObjectName("confirmRemoveBoard")
        keep = box.addButton(tr("Keep"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        box.finished.connect(self._on_removal_answered)
        self._question = box
        box.open()

    @Slot(int)
    def _on_removal_answered(self, _result: int) -> None:
        box, self._question = self._question, None
        if box is None:
            return
        pressed = box.clickedButton()
        if pressed and pressed.objectName() == "confirmRemoveBoard":
            self.desk.bridge.run(use.remove_board, self.desk.services, self._asked_for, done=self._on_removed)
        box.deleteLater()

    def _on_removed(self, _board: Board) -> None:
        self.desk.boards.reload()

    def _ask_password(self, name: str) -> None:
        self._asked_for = name
        dialog = InputDialog(self)
        set_title(dialog, tr("Password of {board}", board=name))
        dialog.setLabelText(tr("Password, or passphrase of its key:"))
        dialog.setTextEchoMode(QLineEdit.EchoMode.Password)
        dialog.textValueSelected.connect(self._on_password)
        dialog.finished.connect(self._on_password_finished)
        self._password = dialog
        dialog.open()

    @Slot(str)
    def _on_password(self, password: str) -> None:
        self.desk.boards.change(self._asked_for, use.set_password, password, done=self._on_password_kept)

    def _on_password_kept(self, place: str) -> None:
        self.desk.notice(password_kept(place), kind="ok" if place == "keyring" else "warn")

    @Slot(int)
    def _on_password_finished(self, _result: int) -> None:
        if self._password is not None:
            self._password.deleteLater()
            self._password = None
