"""One model of the library: where it came from, how it was made, and what can be done with it."""

from PySide6.QtCore import QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.base.errors import RKDeckError
from core.library.records import LibraryItem
from core.usecases import library as use
from gui.bridge import Task
from gui.desk import Desk
from gui.pages.library.columns import is_simulated, plain_title
from gui.pages.library.deploying import DeployMenu
from gui.pages.library.facts import FactsPanel
from gui.text import tr, word_error
from gui.widgets.basic import StateLabel, button, label, line, row
from gui.widgets.elided import breakable
from gui.widgets.scrolled import scrolled

_MOST_WRONG = 10
_LEAST_PX = 300


class LibraryDetail(QWidget):
    """Shows the selected item.

    Signals:
        removal_wanted: the LibraryItem to remove.
    """

    removal_wanted = Signal(object)

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumWidth(_LEAST_PX)
        self._desk = desk
        self._item: LibraryItem | None = None
        self._task: Task | None = None
        self.title = label(role="heading", wrap=True)
        self.simulated = label(tr("SIMULATED@@model"), "simulated")
        self.outcome = StateLabel()
        self.outcome.setObjectName("verifyState")
        self.message = label(wrap=True, selectable=True)
        self.message.setObjectName("verifyMessage")
        self._make_buttons()
        self._area = scrolled(QWidget())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.title)
        layout.addLayout(row(self.simulated, None))
        layout.addLayout(row(self.convert, self.deploy, self.verify, None))
        layout.addLayout(row(self.folder, self.remove, None))
        layout.addWidget(self.outcome)
        layout.addWidget(self.message)
        layout.addWidget(line())
        layout.addWidget(self._area, 1)
        self._show_nothing()

    def _make_buttons(self) -> None:
        self.convert = button(tr("Convert"), "primary", "convert")
        self.convert.setObjectName("convertItemButton")
        self.convert.clicked.connect(self._on_convert)
        self.deploy = button(tr("Deploy"), "primary", "upload")
        self.deploy.setObjectName("deployItemButton")
        self.boards = DeployMenu(self._desk, self)
        self.deploy.setMenu(self.boards)
        self.verify = button(
            tr("Verify"), icon_name="check", tip=tr("Compare sizes and checksums with what was stored")
        )
        self.verify.setObjectName("verifyItemButton")
        self.verify.clicked.connect(self._on_verify)
        self.folder = button(tr("Open the folder"), icon_name="folder")
        self.folder.setObjectName("openFolderButton")
        self.folder.clicked.connect(self._on_folder)
        self.remove = button(tr("Remove"), "danger", "trash")
        self.remove.setObjectName("removeItemButton")
        self.remove.clicked.connect(self._on_remove)

    @property
    def item(self) -> LibraryItem | None:
        """The item that is shown."""
        return self._item

    def show_item(self, item: LibraryItem | None) -> None:
        """Show an item; None asks to select one. What is under way for the same item goes on."""
        if item == self._item:
            return
        before, self._item = self._item, item
        self.boards.show_item(item)
        if item is None:
            self._forget_verification()
            self._show_nothing()
            return
        if before is None or before.id != item.id:
            self._forget_verification()
        self.title.setText(breakable(plain_title(item)))
        self.simulated.setVisible(is_simulated(item))
        for made in (self.verify, self.folder, self.remove):
            made.show()
        self.convert.setVisible(item.is_source)
        self.deploy.setVisible(item.model_kind is not None)
        self._show_facts(FactsPanel(item))

    def retint(self) -> None:
        """Another theme."""
        if self._item is not None:
            self._show_facts(FactsPanel(self._item))

    def _show_nothing(self) -> None:
        self.title.setText(tr("Select a model to see where it came from and what can be done with it."))
        hidden: tuple[QWidget, ...] = (
            self.simulated, self.convert, self.deploy, self.verify, self.folder, self.remove,
            self.outcome, self.message,
        )  # fmt: skip
        for widget in hidden:
            widget.hide()
        self._show_facts(QWidget())

    def _show_facts(self, panel: QWidget) -> None:
        old = self._area.takeWidget()
        if old is not None:
            old.deleteLater()
        self._area.setWidget(panel)

    def _forget_verification(self) -> None:
        if self._task is not None:
            self._task.drop()
            self._task = None
        self.verify.setEnabled(True)
        self.outcome.hide()
        self.message.hide()

    @Slot()
    def _on_convert(self) -> None:
        if self._item is not None:
            self._desk.go("convert", self._item.id)

    @Slot()
    def _on_verify(self) -> None:
        if self._item is None or self._task is not None:
            return
        self.verify.setEnabled(False)
        self._say("info", tr("Comparing checksums ..."))
        self._task = self._desk.bridge.run(
            use.verify_item,
            self._desk.services,
            self._item.id,
            done=self._on_verified,
            failed=self._on_failed,
        )

    def _on_verified(self, wrong: tuple[RKDeckError, ...]) -> None:
        self._task = None
        self.verify.setEnabled(True)
        if wrong:
            lines = [" ".join(word_error(error)) for error in wrong[:_MOST_WRONG]]
            if len(wrong) > _MOST_WRONG:
                lines.append(tr("… and {n} more", n=len(wrong) - _MOST_WRONG))
            self._say("bad", tr("Not as it was stored"), "\n".join(lines))
        elif self._item is not None and any(file.sha256 is None for file in self._item.files):
            self._say("ok", tr("Sizes are right; no checksums are known."))
        else:
            self._say("ok", tr("Everything is as it was stored."))

    def _on_failed(self, error: RKDeckError) -> None:
        self._task = None
        self.verify.setEnabled(True)
        self._say("bad", tr("Could not be verified"), " ".join(word_error(error)))

    def _say(self, state: str, word: str, text: str = "") -> None:
        self.outcome.show_state(state, word)
        self.outcome.show()
        self.message.setText(text)
        self.message.setVisible(bool(text))

    @Slot()
    def _on_folder(self) -> None:
        if self._item is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._item.folder)))

    @Slot()
    def _on_remove(self) -> None:
        if self._item is not None:
            self.removal_wanted.emit(self._item)

    @Slot()
    def copy_path(self) -> None:
        """Put the item's path on the clipboard."""
        if self._item is not None:
            QGuiApplication.clipboard().setText(str(self._item.path))
