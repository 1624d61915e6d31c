"""Plain pages to test the window around them."""

from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from gui.desk import Desk
from gui.pages.page import Page
from gui.shell.rail import PageEntry

ENTRIES = tuple(
    PageEntry(name, title, __name__, "FirstPage" if name == "discover" else "SecondPage")
    for name, title in (
        ("discover", "Discover"), ("library", "Library"), ("convert", "Convert"), ("boards", "Boards"),
        ("monitor", "Monitor"), ("jobs", "Jobs"), ("settings", "Settings"),
    )
)  # fmt: skip
built: list[str] = []


class PlainPage(Page):
    """Remembers what was asked of it."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(desk, parent)
        built.append(type(self).__name__)
        self.entered: list[object] = []
        self.left = 0
        self.retinted = 0
        self.field = QLineEdit(self)
        layout = QVBoxLayout(self)
        layout.addWidget(self.field)

    def enter(self, payload: object) -> None:
        self.entered.append(payload)

    def leave(self) -> None:
        self.left += 1

    def focus_first(self) -> None:
        self.field.setFocus()

    def retint(self) -> None:
        self.retinted += 1


class FirstPage(PlainPage):
    """One."""


class SecondPage(PlainPage):
    """Another."""
