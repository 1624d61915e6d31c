"""What the window expects of a page."""

from PySide6.QtWidgets import QWidget

from gui.desk import Desk


class Page(QWidget):
    """A page of the window; built on its first visit.

    A page lays out and listens; what it shows comes from the desk's feeds and from calls through the bridge.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self.desk = desk

    def enter(self, payload: object) -> None:
        """The page is shown; `payload` is what to show on it, None for "as it was"."""

    def leave(self) -> None:
        """Another page is shown: stop timers and repaints."""

    def focus_first(self) -> None:
        """Put the keyboard where work on this page begins."""
        self.setFocus()

    def retint(self) -> None:
        """The theme changed: icons and self-painted parts are to be made anew."""
