"""One line of text that gives way: what does not fit is left out in the middle and shown in full by the mouse."""

import re

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.base.names import printable
from gui.widgets.plain import PlainLabel, set_tip

_LEAST_PX = 48
_MOST_CHARACTERS = 1_000
_LONG_WORD = re.compile(r"\S{20,}")
_MARKS = re.compile(r"[/_.-]")


class ElidedLabel(PlainLabel):
    """A label as wide as there is room; `full_text` is what it is about."""

    def __init__(
        self,
        text: str = "",
        role: str = "",
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideMiddle,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent=parent)
        self._mode = mode
        self.full_text = ""
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        if role:
            self.setProperty("role", role)
        self.show_text(text)

    def show_text(self, text: str) -> None:
        """Show another text."""
        self.full_text = printable(text, _MOST_CHARACTERS)
        self.setAccessibleName(self.full_text)
        self._elide()

    def sizeHint(self) -> QSize:  # Qt's name
        """As much as the whole text takes."""
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self.full_text) + 2, metrics.height() + 2)

    def minimumSizeHint(self) -> QSize:  # Qt's name
        """A few letters."""
        return QSize(_LEAST_PX, self.fontMetrics().height() + 2)

    def resizeEvent(self, event: QResizeEvent) -> None:  # Qt's name
        """More or less of the text fits."""
        super().resizeEvent(event)
        self._elide()

    def changeEvent(self, event: QEvent) -> None:  # Qt's name
        """Another font makes letters of another width."""
        super().changeEvent(event)
        if event.type() in {QEvent.Type.FontChange, QEvent.Type.StyleChange}:
            self._elide()

    def _elide(self) -> None:
        shown = self.fontMetrics().elidedText(self.full_text, self._mode, self.width())
        if shown != self.text():
            self.setText(shown)
        set_tip(self, self.full_text if shown != self.full_text else "")


def breakable(text: str) -> str:
    """The text with places to break lines in its longest words (paths, names of files); for labels only."""
    return _LONG_WORD.sub(lambda word: _MARKS.sub("\\g<0>\u200b", word[0]), text)
