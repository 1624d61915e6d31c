"""Which toolkit converts: the ones that are known, and adding one by the Python of its environment."""

from pathlib import Path

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from core.base.errors import RKDeckError
from core.base.names import printable
from core.convert.records import Toolkit
from core.usecases import conversion as use
from gui.bridge import Task
from gui.desk import Desk
from gui.pages.convert.fields import QuietWheel, box, refill
from gui.text import tr, word_error
from gui.widgets.basic import StateLabel, button, label, row
from gui.widgets.elided import breakable


class ToolkitField(QWidget):
    """A box of toolkits and a button that adds one; what came of that stands below.

    Signals:
        changed: another toolkit, or the first.
    """

    changed = Signal()

    def __init__(self, desk: Desk, wheel: QuietWheel) -> None:
        super().__init__()
        self._desk = desk
        self._dialog: QFileDialog | None = None
        self._listing: Task | None = None
        self._wanted: str | None = None
        self.toolkits: tuple[Toolkit, ...] | None = None
        self.box = box("toolkitBox", tr("Toolkit"))
        self.box.currentIndexChanged.connect(self._on_chosen)
        wheel.calm(self.box)
        self.add = button(tr("Add"), icon_name="plus", tip=tr("Choose the Python of a toolkit's environment"))
        self.add.setObjectName("addToolkitButton")
        self.add.setAccessibleName(tr("Add a toolkit"))
        self.add.clicked.connect(self.ask)
        self.state = StateLabel()
        self.state.setObjectName("toolkitState")
        self.message = label(role="muted", wrap=True, selectable=True)
        self.message.setObjectName("toolkitMessage")
        line = row(self.box, self.add)
        line.setStretch(0, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(line)
        layout.addWidget(self.state)
        layout.addWidget(self.message)
        self._say("", "")

    @property
    def python(self) -> Path | None:
        """The chosen toolkit's Python."""
        data = self.box.currentData()
        return Path(data) if isinstance(data, str) else None

    def load(self) -> None:
        """Read which toolkits are known; of two readings under way the later one counts."""
        self._listing = self._desk.bridge.run(
            use.list_toolkits, self._desk.services, done=self._on_listed, instead_of=self._listing
        )

    @Slot()
    def ask(self) -> None:
        """Ask for the Python of an environment."""
        if self._dialog is not None:
            return
        self._dialog = QFileDialog(self, tr("The Python of the toolkit's environment"))
        self._dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        # A venv's python is a link, and the link is what makes it the venv's.
        self._dialog.setOption(QFileDialog.Option.DontResolveSymlinks, on=True)
        self._dialog.fileSelected.connect(self._on_python)
        self._dialog.finished.connect(self._on_finished)
        self._dialog.open()

    @Slot(str)
    def _on_python(self, path: str) -> None:
        self._wanted = path
        self.add.setEnabled(False)
        self._say("info", tr("Asking it what it has ..."), path)
        self._desk.bridge.run(
            use.add_toolkit, self._desk.services, Path(path), done=self._on_added, failed=self._on_failed
        )

    @Slot(int)
    def _on_finished(self, _result: int) -> None:
        if self._dialog is not None:
            self._dialog.deleteLater()
            self._dialog = None

    def _on_added(self, toolkit: Toolkit) -> None:
        self.add.setEnabled(True)
        self._wanted = str(toolkit.python)
        self._say("ok", tr("rkllm-toolkit {version} was added", version=printable(toolkit.version, 40)))
        self.load()

    def _on_failed(self, error: RKDeckError) -> None:
        self.add.setEnabled(True)
        message, hint = word_error(error)
        self._say("bad", tr("Not added"), f"{message} {hint}")

    def _on_listed(self, toolkits: tuple[Toolkit, ...]) -> None:
        first, before = self.toolkits is None, self.box.currentData()
        self.toolkits = toolkits
        refill(self.box, [(_title(toolkit), str(toolkit.python)) for toolkit in toolkits])
        place = self.box.findData(self._wanted) if self._wanted is not None else -1
        if place >= 0:
            self._wanted = None
            self.box.setCurrentIndex(place)
        self.box.setEnabled(bool(toolkits))
        self._explain()
        if first or self.box.currentData() != before:
            self.changed.emit()

    def _explain(self) -> None:
        if not self.toolkits and self.state.state != "bad":
            self._say(
                "warn",
                tr("No toolkit yet"),
                tr(
                    "Converting takes Rockchip's rkllm-toolkit, in a Python environment of its own on this "
                    "computer (Linux, x86_64). Add shows RKDeck that environment's Python."
                ),
            )
        elif self.toolkits and self.state.state == "warn":
            self._say("", "")

    def _say(self, state: str, word: str, text: str = "") -> None:
        if state:
            self.state.show_state(state, word)
        else:
            self.state.show_state("muted", "")
        self.state.setVisible(bool(word))
        self.message.setText(breakable(text))
        self.message.setVisible(bool(text))

    @Slot(int)
    def _on_chosen(self, _place: int) -> None:
        self.changed.emit()


def _title(toolkit: Toolkit) -> str:
    version = printable(toolkit.version, 40)
    return f"{version} ({tr('SIMULATED@@model')})" if toolkit.simulated else version
