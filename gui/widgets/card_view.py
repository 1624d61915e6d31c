"""A model card as its author wrote it, without anything that reaches out of it or holds the window up."""

import re

from PySide6.QtCore import QEvent, QUrl, Slot
from PySide6.QtGui import QDesktopServices, QHelpEvent, QImage, QTextDocument
from PySide6.QtWidgets import QTextBrowser, QWidget

from gui.icons import pixmap
from gui.text import tr
from gui.widgets.plain import show_tip

_SCHEMES = {"http", "https"}
_MOST_CHARACTERS = 40_000
# Qt's reader of Markdown takes time with the square of the list items, table cells, links and the like: 27,000 cells
# take 17 s, these few 0.2 s.
_MOST_MARKS = 1_500
_MARKS = re.compile(r"[|<\[`]")
# A word without end is laid out letter by letter; so is text that changes its direction again and again.
_ENDLESS_WORD = re.compile(r"\S{400}")
_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class CardView(QTextBrowser):
    """Markdown; links open in the browser, images and other resources are never fetched."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("cardView")
        self.setOpenLinks(False)
        self.setOpenExternalLinks(False)
        self.anchorClicked.connect(self._on_link)

    def show_card(self, text: str) -> None:
        """Show a card, as much of it as can be read at once."""
        shown = shortened(text)
        if len(shown) < len(text):
            shown += "\n\n---\n\n" + tr("The card is longer; all of it is on the Hub.")
        self.setMarkdown(_ENDLESS_WORD.sub("\\g<0> ", _DIRECTIONS.sub("", shown)))

    def loadResource(self, kind: int, name: QUrl | str) -> object:  # Qt's name
        """Load nothing: a card must not tell its author who reads it, nor read files of this computer.

        An image is answered with one of ours: where there is no answer Qt opens the file of that name itself, and
        does not come back from a pipe or from /dev/zero.
        """
        del name
        return _no_image() if kind == QTextDocument.ResourceType.ImageResource.value else None

    def viewportEvent(self, event: QEvent) -> bool:  # Qt's name
        """Over a link: where it leads. Qt would show the title its author gave it, as markup."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            show_tip(event.globalPos(), self.anchorAt(event.pos()), self)
            return True
        return super().viewportEvent(event)

    @Slot(QUrl)
    def _on_link(self, url: QUrl) -> None:
        if url.scheme() in _SCHEMES:
            QDesktopServices.openUrl(url)


def shortened(text: str) -> str:
    """The first lines of a card, as many as Qt reads without holding the window up."""
    marks, end = 0, 0
    for line in text[:_MOST_CHARACTERS].splitlines(keepends=True):
        marks += len(_MARKS.findall(line)) + 1
        if marks > _MOST_MARKS:
            break
        end += len(line)
    return text[:end]


def _no_image() -> QImage:
    return pixmap("file", "muted", 16).toImage()
