"""What is deployed on a board: versions, back, off, serve; in the drawer."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHeaderView, QMessageBox, QTableView, QVBoxLayout, QWidget

from core.base.errors import RKDeckError
from core.base.names import printable
from core.base.observable import ObservableList
from core.base.units import format_bytes
from core.deploy.layout import Deployment, UnreadableManifest
from core.deploy.records import Pruning
from core.usecases import deployment as use
from gui.desk import Desk
from gui.feeds.boards import BoardView
from gui.models.list_model import Column, RecordModel
from gui.pages.boards.adopting import AdoptBox
from gui.phrases import ago_text
from gui.text import tr
from gui.widgets.basic import button, label, row
from gui.widgets.plain import MessageBox, set_title
from gui.widgets.tables import dress_table


class DeploymentsPanel(QWidget):
    """The versions on one board.

    Signals:
        serve_wanted: name of a deployment (str as object).
    """

    serve_wanted = Signal(object)

    def __init__(self, desk: Desk, view: BoardView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_title(self, tr("On {board}", board=view.name))
        self._desk = desk
        self.board = view.name
        self._question: QMessageBox | None = None
        self._counting = self._changing = self._changed = False
        self._versions: ObservableList[Deployment] = ObservableList()
        columns = (
            Column[Deployment](tr("Name"), _name, tip=_about),
            Column[Deployment](tr("Level"), _level),
            Column[Deployment](tr("Size"), _size, right=True),
            Column[Deployment](tr("In use"), _use),
        )
        self._model = RecordModel(self._versions, columns, self)
        self.table = QTableView()
        self.table.setModel(self._model)
        dress_table(self.table, "deploymentsView", tr("Deployments"))
        self.table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, width in ((1, 104), (2, 80), (3, 60)):
            self.table.setColumnWidth(column, width)
        self.table.selectionModel().currentRowChanged.connect(self._on_selected)
        self.about = label(role="muted", wrap=True, selectable=True)
        self.damaged = label(role="muted", wrap=True, selectable=True)
        self._damaged: tuple[UnreadableManifest, ...] = ()
        self.serve = button(tr("Serve"), icon_name="play")
        self.serve.clicked.connect(self._on_serve)
        self.back = button(
            tr("Roll back"), icon_name="undo", tip=tr("Go back to the version before the one in use")
        )
        self.back.setObjectName("rollbackButton")
        self.back.clicked.connect(self._on_back)
        self.off = button(tr("Remove"), "danger", "trash")
        self.off.setObjectName("undeployButton")
        self.off.clicked.connect(self._on_off)
        self.tidy = button(
            tr("Free space ..."), icon_name="trash", tip=tr("Old versions, and files nobody refers to, go")
        )
        self.tidy.setObjectName("pruneButton")
        self.tidy.clicked.connect(self._on_tidy)
        self.adopting = AdoptBox(desk, view.name)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.about)
        layout.addWidget(self.damaged)
        layout.addLayout(row(self.serve, self.back, None))
        layout.addLayout(row(self.tidy, None, self.off))
        layout.addWidget(self.adopting)
        self.setFocusProxy(self.table)
        desk.boards.changed.connect(self._on_board_changed)
        self._show(view)

    @Slot(object)
    def _on_board_changed(self, view: BoardView) -> None:
        if view.name != self.board:
            return
        if self._changed and not view.visiting:
            self._changing = self._changed = False
        self._show(view)

    def _show(self, view: BoardView) -> None:
        versions = view.status.versions if view.status is not None else ()
        self._damaged = view.status.unreadable if view.status is not None else ()
        self.damaged.setVisible(bool(self._damaged))
        names = ", ".join(f"{entry.name} {entry.version} ({entry.path})" for entry in self._damaged)
        self.damaged.setText(tr("Cannot be read: {names}", names=printable(names, limit=500)))
        newest_first = sorted(versions, key=lambda version: (version.name, version.version), reverse=True)
        self._versions.replace_all(newest_first, key=_key)
        if not self.table.currentIndex().isValid() and len(self._versions):
            self.table.selectRow(0)
        self._on_selected()

    def _selected(self) -> Deployment | None:
        return self._model.record(self.table.currentIndex())

    @Slot()
    def _on_selected(self) -> None:
        chosen = self._selected()
        older = chosen is not None and sum(version.name == chosen.name for version in self._versions) > 1
        free = not self._changing
        self.serve.setEnabled(free and chosen is not None)
        # Any version that is not in use can be chosen; of the one that is, the one before it.
        another = chosen is not None and not chosen.current
        self.back.setEnabled(free and (older or another))
        self.back.setText(tr("Use this version") if another else tr("Roll back"))
        self.tidy.setEnabled(free and not self._counting and len(self._versions) > 0)
        self.off.setEnabled(free and chosen is not None)
        self.about.setText(_about(chosen) if chosen is not None else self._none_chosen())

    def _none_chosen(self) -> str:
        return "" if self._damaged else tr("Nothing is deployed here yet.")

    @Slot()
    def _on_serve(self) -> None:
        chosen = self._selected()
        if chosen is not None:
            self.serve_wanted.emit(chosen.name)

    @Slot()
    def _on_back(self) -> None:
        chosen = self._selected()
        if chosen is not None:
            version = None if chosen.current else chosen.version
            self._change(use.rollback, chosen.name, version)

    @Slot()
    def _on_tidy(self) -> None:
        """Ask the board first what would go."""
        self._counting = True
        self._on_selected()
        self._desk.bridge.run(
            use.prune, self._desk.services, self.board, dry_run=True,
            done=self._on_counted, failed=self._on_count_failed,
        )  # fmt: skip

    def _on_counted(self, pruning: Pruning) -> None:
        self._counting = False
        self._on_selected()
        if pruning.is_empty:
            self._desk.notice(tr("Nothing on {board} is old enough to go.", board=self.board))
            return
        names = ", ".join(sorted({printable(version.name, 60) for version in pruning.versions}))
        box = MessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        set_title(box, tr("Free space on {board}", board=self.board))
        box.setText(
            tr(
                "Remove {n} old versions and free {size}?",
                n=len(pruning.versions), size=format_bytes(pruning.freed_bytes),
            )
        )  # fmt: skip
        box.setInformativeText(
            (f"{names}. " if names else "")
            + tr("What is in use stays; Settings say how many versions are kept.")
        )
        remove = box.addButton(tr("Remove"), QMessageBox.ButtonRole.DestructiveRole)
        remove.setObjectName("confirmPrune")
        keep = box.addButton(tr("Keep"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        box.finished.connect(self._on_tidy_answered)
        self._question = box
        box.open()

    @Slot(int)
    def _on_tidy_answered(self, _result: int) -> None:
        box, self._question = self._question, None
        if box is None:
            return
        pressed = box.clickedButton()
        if pressed and pressed.objectName() == "confirmPrune":
            self._change(use.prune, done=self._on_tidied)
        box.deleteLater()

    def _on_tidied(self, pruning: Pruning) -> None:
        self._desk.notice(
            tr("{size} freed on {board}.", size=format_bytes(pruning.freed_bytes), board=self.board),
            kind="ok",
        )
        self._on_changed()

    def _on_count_failed(self, error: RKDeckError) -> None:
        self._counting = False
        self._on_selected()
        self._desk.report(error)

    @Slot()
    def _on_off(self) -> None:
        chosen = self._selected()
        if chosen is None:
            return
        size = sum(version.size_bytes for version in self._versions if version.name == chosen.name)
        box = MessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        set_title(box, tr("Remove from the board"))
        box.setText(
            tr(
                "Remove {name} ({size}) from {board}?",
                name=chosen.name,
                size=format_bytes(size),
                board=self.board,
            )
        )
        box.setInformativeText(tr("All its versions go. The model on this computer stays."))
        remove = box.addButton(tr("Remove"), QMessageBox.ButtonRole.DestructiveRole)
        remove.setObjectName("confirmUndeploy")
        keep = box.addButton(tr("Keep"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        box.setProperty("deployment", chosen.name)
        box.finished.connect(self._on_answered)
        self._question = box
        box.open()

    @Slot(int)
    def _on_answered(self, _result: int) -> None:
        box, self._question = self._question, None
        if box is None:
            return
        pressed = box.clickedButton()
        if pressed and pressed.objectName() == "confirmUndeploy":
            name = str(box.property("deployment"))
            self._change(use.undeploy, name)
        box.deleteLater()

    def _change(
        self,
        function: Callable[..., object],
        *args: object,
        done: Callable[[Any], None] | None = None,
    ) -> None:
        """Change something on the board; nothing else until it has been looked at again.

        A second click on "Roll back" would else go back one version more.
        """
        self._changing, self._changed = True, False
        self._on_selected()
        self._desk.boards.change(
            self.board, function, *args, done=done or self._on_changed, failed=self._on_failed
        )

    def _on_changed(self, _result: object = None) -> None:
        self._changed = True

    def _on_failed(self, error: RKDeckError) -> None:
        self._desk.report(error)
        self._on_changed()


def _key(version: Deployment) -> tuple[str, str]:
    return version.name, version.version


def _name(version: Deployment) -> str:
    return printable(version.title, 80)


def _level(version: Deployment) -> str:
    return version.dtype or tr("unknown")


def _size(version: Deployment) -> str:
    return format_bytes(version.size_bytes)


def _use(version: Deployment) -> str:
    return "✓" if version.current else ""


def _about(version: Deployment) -> str:
    when = ago_text(version.deployed_unix_s) if version.deployed_unix_s is not None else tr("unknown")
    simulated = f" · {tr('SIMULATED')}" if version.simulated else ""
    return f"{version.name} · {when} · sha256 {version.sha256[:16]}…{simulated}"
