"""The navigation rail: one button per page, icon and word, Ctrl+1 and so on."""

from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QFrame,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.icons import icon
from gui.text import tr
from gui.widgets.plain import set_tip

_LINGER_MS = 300


@dataclass(frozen=True, slots=True)
class PageEntry:
    """A page of the window: its name, which is also its icon, and where its class is."""

    name: str
    title: str
    module: str
    cls: str


class RailButton(QToolButton):
    """A page's button; a file dragged over it for a moment opens its page, so that it can be dropped there."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAcceptDrops(True)
        self._linger = QTimer(self)
        self._linger.setSingleShot(True)
        self._linger.setInterval(_LINGER_MS)
        self._linger.timeout.connect(self.click)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # Qt's name
        """Open the page unless the drag moves on at once."""
        if event.mimeData().hasUrls():
            event.accept()
            self._linger.start()
        else:
            event.ignore()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:  # Qt's name
        """The drag moved on."""
        self._linger.stop()
        super().dragLeaveEvent(event)

    def dropEvent(self, event: QDropEvent) -> None:  # Qt's name
        """Nothing is dropped on a button: what was carried goes back."""
        self._linger.stop()
        event.ignore()


class Rail(QFrame):
    """The pages, top to bottom in the order of the work; the last one stands at the foot.

    Signals:
        chosen: name of the page that was chosen (str, as object).
    """

    chosen = Signal(object)

    def __init__(self, entries: tuple[PageEntry, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("rail")
        self._entries = entries
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self._buttons: dict[str, QToolButton] = {}
        self._shortcuts: list[QShortcut] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 12, 8, 8)
        layout.setSpacing(4)
        for number, entry in enumerate(entries):
            if number == len(entries) - 1:
                layout.addStretch(1)
            layout.addWidget(self._button(number, entry))
        self._group.idClicked.connect(self._on_clicked)
        self.retint()

    def check(self, name: str) -> None:
        """Mark the page that is shown."""
        self._buttons[name].setChecked(True)

    def button(self, name: str) -> QAbstractButton:
        """The button of a page."""
        return self._buttons[name]

    def retint(self) -> None:
        """Tint the icons for the theme."""
        for name, button in self._buttons.items():
            button.setIcon(icon(name, "muted"))

    def _button(self, number: int, entry: PageEntry) -> QToolButton:
        made = RailButton()
        made.setText(tr(entry.title))
        made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        made.setIconSize(QSize(20, 20))
        made.setCheckable(True)
        made.setObjectName(f"railButton:{entry.name}")
        made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        keys = f"Ctrl+{number + 1}"
        set_tip(made, f"{tr(entry.title)} ({keys})")
        shortcut = QShortcut(QKeySequence(keys), self)
        shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
        shortcut.activated.connect(made.click)
        self._shortcuts.append(shortcut)
        self._group.addButton(made, number)
        self._buttons[entry.name] = made
        return made

    @Slot(int)
    def _on_clicked(self, number: int) -> None:
        self.chosen.emit(self._entries[number].name)
