"""Labels, lines and buttons with a role the style sheet knows."""

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLayout,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from gui.icons import icon, pixmap
from gui.widgets.plain import PlainButton, PlainLabel, set_tip

_STATE_ICONS = {"ok": "check", "warn": "warning", "bad": "cross", "muted": "unknown", "info": "info"}


def set_role(widget: QWidget, role: str, name: str = "role") -> None:
    """Give a widget a property of the style sheet and have it styled anew."""
    if widget.property(name) != role:
        widget.setProperty(name, role)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def label(text: str = "", role: str = "", *, wrap: bool = False, selectable: bool = False) -> PlainLabel:
    """A label with a role."""
    made = PlainLabel(text)
    made.setWordWrap(wrap)
    if wrap:
        made.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    if selectable:
        made.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
    if role:
        made.setProperty("role", role)
    return made


def button(text: str, role: str = "", icon_name: str = "", tip: str = "") -> QPushButton:
    """A button; `role` is "primary", "danger", "link" or nothing."""
    made = PlainButton(text)
    if role:
        made.setProperty("role", role)
    if icon_name:
        made.setProperty("iconName", icon_name)
        retint_button(made)
    if tip:
        set_tip(made, tip)
    made.setAccessibleName(text)
    return made


def retint_button(made: QAbstractButton) -> None:
    """Paint a button's icon in the theme in use."""
    name = made.property("iconName")
    if isinstance(name, str):
        made.setIcon(icon(name, "accent_text" if made.property("role") == "primary" else "text"))


def card() -> QFrame:
    """A framed surface."""
    made = QFrame()
    made.setProperty("role", "card")
    return made


def line() -> QFrame:
    """A thin horizontal line."""
    made = QFrame()
    made.setProperty("role", "line")
    return made


def row(*widgets: QWidget | int | None, spacing: int = 8) -> QHBoxLayout:
    """Widgets side by side; None is a stretch, a number a space in px."""
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    for widget in widgets:
        if widget is None:
            layout.addStretch(1)
        elif isinstance(widget, int):
            layout.addSpacing(widget)
        else:
            layout.addWidget(widget)
    return layout


def clear_layout(layout: QLayout) -> None:
    """Take every widget out of a layout and delete it when the event loop comes to it."""
    if isinstance(layout, QFormLayout):
        while layout.rowCount():
            layout.removeRow(0)
        return
    while (entry := layout.takeAt(0)) is not None:
        widget = entry.widget()
        if widget is not None:
            widget.hide()
            widget.deleteLater()
        inner = entry.layout()
        if inner is not None:
            clear_layout(inner)


class StateLabel(QWidget):
    """A word with a shape and a colour: states are readable without colour."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon = PlainLabel()
        self._text = label()
        layout = row(self._icon, self._text, None, spacing=5)
        self.setLayout(layout)
        self._state = ""

    @property
    def state(self) -> str:
        """`ok`, `warn`, `bad`, `muted` or `info`."""
        return self._state

    def text(self) -> str:
        """The word shown."""
        return self._text.text()

    def show_state(self, state: str, text: str) -> None:
        """Show a state: "ok", "warn", "bad", "muted" (unknown) or "info"."""
        self._state = state
        self._text.setText(text)
        set_role(self._text, state)
        tint = {"info": "accent"}.get(state, state)
        self._icon.setPixmap(pixmap(_STATE_ICONS[state], tint, 16))
        self.setAccessibleName(text)

    def changeEvent(self, event: QEvent) -> None:  # Qt's name
        """Another theme: the shape in its colour."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._state:
            self.show_state(self._state, self._text.text())
