"""A hand for the tour: finds widgets by name, clicks, chooses and waits, by real events in the window's own loop."""

import time
from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import QEvent, QEventLoop, QObject, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QLabel,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

from core.base.errors import RKDeckError
from gui.walk.loop_watch import LoopWatch

STEP_S = 120.0
Found = TypeVar("Found", bound=QWidget)


class Hand(QObject):
    """Acts on widgets and lets the window live meanwhile.

    Attributes:
        watch: measures the event loop; its note says which step is under way.
        complaint: what the window complained of last; "" while it has not.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.watch = LoopWatch(self)
        self.complaint = ""

    def click(self, name: str, within: QWidget) -> None:
        """Click a button once it can be clicked."""
        made = self.get(QAbstractButton, name, within)
        self.wait_until(lambda: made.isEnabled() and made.isVisible(), f"the button {name}")
        QTest.mouseClick(made, Qt.MouseButton.LeftButton)

    def choose(self, box: QComboBox, text: str) -> None:
        """Choose the entry of a box whose text begins so, or whose data it is."""

        def place() -> int:
            texts = [box.itemText(row) for row in range(box.count())]
            data = [box.itemData(row) for row in range(box.count())]
            return (
                data.index(text)
                if text in data
                else next((row for row, shown in enumerate(texts) if shown.split(" ")[0] == text), -1)
            )

        self.wait_until(lambda: place() >= 0, f"the entry {text}")
        box.setCurrentIndex(place())
        box.activated.emit(place())

    def row_with(self, view: QAbstractItemView, text: str) -> int | None:
        """The first row that shows a text."""
        model = view.model()
        for row in range(model.rowCount()):
            if any(
                text in str(model.index(row, column).data() or "") for column in range(model.columnCount())
            ):
                return row
        return None

    def click_row(self, view: QAbstractItemView, text: str) -> None:
        """Click the row that shows a text."""
        row = self.row_with(view, text)
        assert row is not None
        centre = view.visualRect(view.model().index(row, 0)).center()
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=centre)

    def shown_text(self, widget: QWidget) -> str:
        """All text a widget shows."""
        parts = [widget, *widget.findChildren(QWidget)]
        texts = [part.toPlainText() for part in parts if isinstance(part, QPlainTextEdit | QTextEdit)]
        return " ".join(
            [*texts, *(part.text() for part in parts if isinstance(part, QLabel) and part.isVisible())]
        )

    def get(self, cls: type[Found], name: str, within: QWidget) -> Found:
        """A visible widget by its object name, waited for."""
        self.wait_until(lambda: self.find_widget(cls, name, within) is not None, name)
        found = self.find_widget(cls, name, within)
        assert found is not None
        return found

    def find_widget(self, cls: type[Found], name: str, within: QWidget) -> Found | None:
        """A visible widget by its object name, or None."""
        return next((widget for widget in within.findChildren(cls, name) if widget.isVisible()), None)

    def wait_until(self, condition: Callable[[], object], what: str, timeout_s: float = STEP_S) -> None:
        """Let the window live until something is so.

        Raises:
            RKDeckError: `demo.tour_failed` after `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                raise self.failure(what)
            self.turn()

    def failure(self, what: str) -> RKDeckError:
        """The error `demo.tour_failed`, with what the window said of it."""
        complaint = self.complaint or "-"
        return RKDeckError("demo.tour_failed", step=self.watch.current_note, what=what, complaint=complaint)

    def pause(self, seconds: float) -> None:
        """Let the window live for a while: charts need time to move."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.turn()

    def turn(self) -> None:
        """One turn of the event loop."""
        loop = QEventLoop()
        loop.processEvents(
            QEventLoop.ProcessEventsFlag.AllEvents | QEventLoop.ProcessEventsFlag.WaitForMoreEvents
        )
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
