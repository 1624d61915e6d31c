"""Model files that are on a board already: found in a folder there, and made deployments without being sent."""

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QComboBox, QLineEdit, QVBoxLayout, QWidget

from core.base.errors import RKDeckError
from core.base.names import printable
from core.base.units import format_bytes
from core.deploy.layout import Deployment
from core.deploy.records import FoundFile
from core.usecases import deployment as use
from gui.desk import Desk
from gui.text import tr, word_error
from gui.widgets.basic import button, label, row


class AdoptBox(QWidget):
    """Looks in a folder of the board and adopts what is chosen."""

    def __init__(self, desk: Desk, board: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._board = board
        self.folder = QLineEdit()
        self.folder.setObjectName("adoptFolder")
        self.folder.setPlaceholderText(tr("Folder on the board, such as /home/orangepi/models"))
        self.folder.setAccessibleName(tr("Folder on the board"))
        self.folder.returnPressed.connect(self._on_look)
        self.look = button(tr("Find models there"), icon_name="discover")
        self.look.setObjectName("findAdoptable")
        self.look.clicked.connect(self._on_look)
        self.found = QComboBox()
        self.found.setObjectName("adoptable")
        self.found.setAccessibleName(tr("Model files on the board"))
        self.found.setMinimumContentsLength(16)
        self.take = button(
            tr("Adopt"), icon_name="plus", tip=tr("Nothing is sent: the board computes the checksum")
        )
        self.take.setObjectName("adoptButton")
        self.take.clicked.connect(self._on_take)
        self.state = label(role="muted", wrap=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.addWidget(label(tr("Models that are on the board already"), "heading"))
        first = row(self.folder, self.look)
        first.setStretch(0, 1)
        layout.addLayout(first)
        second = row(self.found, self.take)
        second.setStretch(0, 1)
        layout.addLayout(second)
        layout.addWidget(self.state)
        self._show(())
        self.state.setText("")

    @Slot()
    def _on_look(self) -> None:
        if not self.look.isEnabled():  # Enter in the field while it looks already, or the board computes
            return
        self.look.setEnabled(False)
        self.take.setEnabled(False)
        self.state.setText(tr("Looking ..."))
        self._desk.bridge.run(
            use.find_adoptable, self._desk.services, self._board, self.folder.text().strip() or None,
            done=self._show, failed=self._on_failed,
        )  # fmt: skip

    def _show(self, files: tuple[FoundFile, ...]) -> None:
        self.found.clear()
        for file in files:
            self.found.addItem(f"{printable(file.path, 200)}  ({format_bytes(file.size_bytes)})", file.path)
        for widget in (self.found, self.take):
            widget.setVisible(bool(files))
        self._free()
        self.state.setText("" if files else tr("No .rkllm files there that RKDeck does not know."))

    @Slot()
    def _on_take(self) -> None:
        path = self.found.currentData()
        if isinstance(path, str):
            for widget in (self.take, self.found, self.look):
                widget.setEnabled(False)
            self.state.setText(tr("The board computes the checksum; large files take minutes ..."))
            self._desk.boards.change(
                self._board, use.adopt, path, done=self._on_adopted, failed=self._on_failed
            )

    def _on_adopted(self, deployment: Deployment) -> None:
        self.found.removeItem(self.found.currentIndex())
        self._free()
        self.state.setText(tr("{name} is deployed; nothing was sent.", name=deployment.name))

    def _on_failed(self, error: RKDeckError) -> None:
        self._free()
        self.state.setText(" ".join(word_error(error)))

    def _free(self) -> None:
        """Something else can be asked for."""
        self.look.setEnabled(True)
        for widget in (self.found, self.take):
            widget.setEnabled(self.found.count() > 0)
