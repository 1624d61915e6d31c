"""Parts of the recipe's form: boxes that the wheel does not change by accident, and a field for a path."""

from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import QComboBox, QFileDialog, QFormLayout, QHBoxLayout, QToolButton, QWidget

from core.base.names import printable
from gui.text import tr
from gui.widgets.basic import button, label, retint_button
from gui.widgets.plain import set_tip

_CAPTION_PX = 116
_LEAST_PX = 90


class QuietWheel(QObject):
    """Lets the wheel scroll the form instead of changing a field the mouse happens to be over."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # Qt's name
        """Ignore the wheel on fields without the keyboard."""
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return super().eventFilter(watched, event)

    def calm(self, widget: QWidget) -> None:
        """Watch a field."""
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        widget.installEventFilter(self)


class PathField(QWidget):
    """A button that shows the chosen path or "none", and one that takes the choice back.

    Signals:
        changed: another path, or none.
    """

    changed = Signal()

    def __init__(self, name: str, title: str, mode: QFileDialog.FileMode, names: str = "") -> None:
        super().__init__()
        self._title, self._mode, self._names = title, mode, names
        self._path: Path | None = None
        self._dialog: QFileDialog | None = None
        self.choose = button("")
        self.choose.setObjectName(name)
        self.choose.clicked.connect(self.ask)
        self.clear = QToolButton()
        self.clear.setObjectName(f"{name}Clear")
        self.clear.setProperty("iconName", "cross")
        retint_button(self.clear)
        set_tip(self.clear, tr("Take back the choice"))
        self.clear.setAccessibleName(tr("{what}: take back the choice", what=title))
        self.clear.clicked.connect(self._on_clear)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.choose, 1)
        layout.addWidget(self.clear)
        self.choose.setMinimumWidth(_LEAST_PX)
        self.show_path(None)

    @property
    def path(self) -> Path | None:
        """The chosen path."""
        return self._path

    def show_path(self, path: Path | None) -> None:
        """Choose a path without telling of it."""
        self._path = path
        text = tr("none; choose ...") if path is None else printable(path.name, 32)
        self.choose.setText(text)
        self.choose.setAccessibleName(f"{self._title}: {text}")
        set_tip(self.choose, printable(str(path), 500) if path is not None else "")
        self.clear.setVisible(path is not None)

    @Slot()
    def ask(self) -> None:
        """Open the file dialog."""
        if self._dialog is not None:
            return
        self._dialog = QFileDialog(self, self._title)
        self._dialog.setFileMode(self._mode)
        if self._names:
            self._dialog.setNameFilter(self._names)
        self._dialog.fileSelected.connect(self._on_chosen)
        self._dialog.finished.connect(self._on_finished)
        self._dialog.open()

    @Slot(str)
    def _on_chosen(self, path: str) -> None:
        self.show_path(Path(path))
        self.changed.emit()

    @Slot()
    def _on_clear(self) -> None:
        self.show_path(None)
        self.choose.setFocus()
        self.changed.emit()

    @Slot(int)
    def _on_finished(self, _result: int) -> None:
        if self._dialog is not None:
            self._dialog.deleteLater()
            self._dialog = None


def box(name: str, accessible: str) -> QComboBox:
    """A box that gives way in narrow windows."""
    made = QComboBox()
    made.setObjectName(name)
    made.setAccessibleName(accessible)
    made.setMinimumContentsLength(4)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    made.setMinimumWidth(_LEAST_PX)
    return made


def caption(text: str) -> QWidget:
    """The words before a field, in a column of their own width."""
    made = label(text, "muted")
    made.setMinimumWidth(_CAPTION_PX)
    return made


def form(*rows: tuple[str, QWidget]) -> QFormLayout:
    """Fields below each other."""
    made = QFormLayout()
    made.setContentsMargins(0, 0, 0, 0)
    made.setHorizontalSpacing(10)
    made.setVerticalSpacing(6)
    made.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for text, widget in rows:
        made.addRow(caption(text), widget)
    return made


def refill(box: QComboBox, entries: list[tuple[str, str]]) -> bool:
    """Offer these (text, data); what was chosen stays chosen if it can. Returns whether it could not."""
    if [(box.itemText(place), box.itemData(place)) for place in range(box.count())] == entries:
        return False
    chosen = box.currentData()
    blocker = QSignalBlocker(box)
    box.clear()
    for text, data in entries:
        box.addItem(text, data)
    box.setCurrentIndex(max(0, box.findData(chosen)) if entries else -1)
    blocker.unblock()
    return bool(box.currentData() != chosen)
