"""What a list shows while it is empty: why, and what to do about it."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from gui.icons import pixmap
from gui.widgets.basic import button, label
from gui.widgets.plain import PlainLabel


class EmptyState(QWidget):
    """An icon, a sentence, an advice and a button.

    Signals:
        acted: the button was pressed.
    """

    acted = Signal()

    def __init__(
        self, icon_name: str, title: str, advice: str = "", action: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._picture = PlainLabel()
        self._icon_name = icon_name
        self._picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.title = label(title, "heading", wrap=True)
        self.advice = label(advice, "muted", wrap=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 24)
        layout.setSpacing(10)
        layout.addStretch(2)
        layout.addWidget(self._picture)
        for text in (self.title, self.advice):
            text.setAlignment(Qt.AlignmentFlag.AlignCenter)
            layout.addWidget(text)
        self.advice.setVisible(bool(advice))
        self.action = button(action, "primary")
        self.action.setVisible(bool(action))
        self.action.clicked.connect(self.acted)
        layout.addWidget(self.action, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(3)
        self.retint()

    def say(self, title: str, advice: str = "", action: str = "") -> None:
        """Show other words."""
        self.title.setText(title)
        self.advice.setText(advice)
        self.advice.setVisible(bool(advice))
        self.action.setText(action)
        self.action.setVisible(bool(action))

    def retint(self) -> None:
        """Paint the icon in the theme's colour."""
        self._picture.setPixmap(pixmap(self._icon_name, "disabled", 40))
