"""Sending a model from the library: a menu of boards, each with what the file would do there."""

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QMessageBox, QWidget

from core.base.errors import RefusedError, RKDeckError
from core.base.names import printable
from core.fitness.judge import Judgement
from core.library.records import LibraryItem
from core.usecases import deployment as use
from gui.desk import Desk, Destination
from gui.feeds.boards import BoardView
from gui.pages.boards.drops import DropDesk
from gui.pages.boards.verdict import worst_line
from gui.text import tr, word_error
from gui.widgets.plain import MessageBox, literal, menu_entry, set_tip, set_title

_MOST_PX = 460
_ADD, _CHOOSE = "add", "choose"


class DeployMenu(QMenu):
    """The user's boards with verdicts; what a check forbids cannot be chosen, and says why.

    Signals:
        sent: a tuple (LibraryItem, name of the board): its job was started.
    """

    sent = Signal(object)

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("deployMenu")
        self.setToolTipsVisible(True)
        self._desk = desk
        self._item: LibraryItem | None = None
        self._drops = DropDesk(desk, self)
        self._drops.read.connect(self._judge)
        self._question: QMessageBox | None = None
        self._asked: tuple[LibraryItem, str] | None = None
        self.aboutToShow.connect(self._fill)
        self.triggered.connect(self._on_triggered)

    def show_item(self, item: LibraryItem | None) -> None:
        """Offer this item; its file is looked at now, so that the verdicts are there when the menu opens."""
        self._item = item if item is not None and item.model_kind is not None else None
        if self._item is None:
            self._drops.forget()
        else:
            self._drops.take(self._item.path)

    def judgement(self, board: str) -> Judgement | None:
        """What the file would do on a board; None while it is not known."""
        view = self._desk.boards.get(board)
        return None if view is None else self._drops.judgement(view)

    @Slot()
    def _fill(self) -> None:
        self.clear()
        views = list(self._desk.boards.views)
        for view in views:
            menu_entry(self, "", ("board", view.name))
        if views:
            self.addSeparator()
            menu_entry(self, tr("Choose on the Boards page"), (_CHOOSE, ""))
        else:
            menu_entry(self, tr("Add a board first"), (_ADD, ""))
        self._judge()

    @Slot()
    def _judge(self) -> None:
        """Say of each board what is known by now; the menu may be open meanwhile."""
        for action in self.actions():
            what, name = action.data() or ("", "")
            view = self._desk.boards.get(name) if what == "board" else None
            if view is None:
                continue
            judgement = self._drops.judgement(view)
            text = f"{name}: {worst_line(judgement) if judgement else tr('Reading the file ...')}"
            cut = self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, _MOST_PX)
            action.setText(literal(cut))
            set_tip(action, self._drops.line(judgement) if judgement is not None else "")
            action.setEnabled(judgement is None or not judgement.refusals or judgement.overridable)

    @Slot(QAction)
    def _on_triggered(self, action: QAction) -> None:
        what, name = action.data() or ("", "")
        if what == _ADD:
            self._desk.go("boards")
        elif what == _CHOOSE and self._item is not None:
            from gui.pages.boards.page import DeployWish  # a page's module is imported when it is needed

            self._desk.go("boards", DeployWish(self._item.path))
        elif what == "board" and self._item is not None:
            self.deploy(self._item, name)

    def deploy(self, item: LibraryItem, board: str) -> None:
        """Send it; where a check says no that may be overridden, ask first."""
        view = self._desk.boards.get(board)
        judgement = self._drops.judgement(view) if view is not None and item == self._item else None
        if judgement is not None and judgement.refusals:
            if judgement.overridable and view is not None:
                self._ask(item, view, judgement.refusals[0].error)
            return
        self._start(item, board, force=False)

    def _ask(self, item: LibraryItem, view: BoardView, error: RefusedError) -> None:
        box = MessageBox(self.parentWidget())
        box.setIcon(QMessageBox.Icon.Warning)
        set_title(box, tr("Deploy anyway"))
        box.setText(
            tr("Send {title} to {board} all the same?", title=printable(item.title, 80), board=view.name)
        )
        box.setInformativeText(" ".join(word_error(error)))
        force = box.addButton(tr("Deploy anyway"), QMessageBox.ButtonRole.AcceptRole)
        force.setObjectName("confirmForce")
        leave = box.addButton(tr("Leave it"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(leave)
        box.setEscapeButton(leave)
        box.finished.connect(self._on_answered)
        self._question, self._asked = box, (item, view.name)
        box.open()

    @Slot(int)
    def _on_answered(self, _result: int) -> None:
        box, asked = self._question, self._asked
        self._question = self._asked = None
        if box is None or asked is None:
            return
        pressed = box.clickedButton()
        if pressed and pressed.objectName() == "confirmForce":
            self._start(*asked, force=True)
        box.deleteLater()

    def _start(self, item: LibraryItem, board: str, *, force: bool) -> None:
        _Sending(self._desk, self, item, board).start(force=force)

    def settle(self, item: LibraryItem, board: str) -> None:
        """A job was started."""
        self._desk.jobs.look_now()
        self._desk.notice(
            tr("Sending {title} to {board}.", title=printable(item.title, 80), board=board),
            action=tr("Show"), destination=Destination("boards", board),
        )  # fmt: skip
        self.sent.emit((item, board))


class _Sending(QObject):
    """Carries the outcome of one start back with what it was about."""

    def __init__(self, desk: Desk, menu: DeployMenu, item: LibraryItem, board: str) -> None:
        super().__init__(menu)
        self._desk, self._menu, self._item, self._board = desk, menu, item, board

    def start(self, *, force: bool) -> None:
        self._desk.bridge.run(
            use.start_deploys, self._desk.services, self._item.path, [self._board], title=self._item.title,
            force=force, done=self._on_done, failed=self._on_failed,
        )  # fmt: skip

    def _on_done(self, _job_ids: tuple[str, ...]) -> None:
        self._menu.settle(self._item, self._board)
        self.deleteLater()

    def _on_failed(self, error: RKDeckError) -> None:
        self._desk.report(error)
        self.deleteLater()
