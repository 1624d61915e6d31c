"""The drawer on the right: one panel for the selected thing, with a title and a way to close it."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QHideEvent, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import QFrame, QToolButton, QVBoxLayout, QWidget

from gui.icons import icon
from gui.text import tr
from gui.widgets.basic import label, row
from gui.widgets.plain import set_tip

WIDTH_PX = 400


class Drawer(QFrame):
    """Holds at most one panel and owns it.

    Signals:
        closed: the user closed the drawer.
        shown: it appeared or went.
    """

    closed = Signal()
    shown = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("drawer")
        self.setFixedWidth(WIDTH_PX)
        self._panel: QWidget | None = None
        self._title = label(role="heading")
        self._close = QToolButton()
        set_tip(self._close, tr("Close (Esc)"))
        self._close.setAccessibleName(tr("Close the drawer"))
        self._close.clicked.connect(self._on_close)
        self._escape = QShortcut(QKeySequence(Qt.Key.Key_Escape), self)
        self._escape.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self._escape.activated.connect(self._on_close)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(16, 12, 12, 12)
        self._layout.addLayout(row(self._title, None, self._close))
        self.retint()
        self.hide()

    @property
    def panel(self) -> QWidget | None:
        """What is shown."""
        return self._panel

    def fill(self, panel: QWidget | None) -> None:
        """Show a panel instead of the one before, which is deleted; None closes the drawer."""
        if self._panel is not None and self._panel is not panel:
            self._layout.removeWidget(self._panel)
            self._panel.close()
            self._panel.deleteLater()
        had_focus = self.focusWidget() is not None
        self._panel = panel
        if panel is None:
            self.hide()
            if had_focus:
                self.window().setFocus()
            return
        self._title.setText(panel.windowTitle())
        self._layout.addWidget(panel, 1)
        panel.show()
        self.show()
        panel.setFocus()

    def showEvent(self, event: QShowEvent) -> None:  # Qt's name
        """Tell."""
        super().showEvent(event)
        self.shown.emit(True)

    def hideEvent(self, event: QHideEvent) -> None:  # Qt's name
        """Tell."""
        super().hideEvent(event)
        self.shown.emit(False)

    def retint(self) -> None:
        """Tint the icon for the theme."""
        self._close.setIcon(icon("cross", "muted"))

    @Slot()
    def _on_close(self) -> None:
        self.fill(None)
        self.closed.emit()
