"""A model card as its author wrote it, without anything that reaches out of it."""

from PySide6.QtCore import QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QTextBrowser, QWidget

_SCHEMES = {"http", "https"}


class CardView(QTextBrowser):
    """Markdown; links open in the browser, images and other resources are never fetched."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("cardView")
        self.setOpenLinks(False)
        self.setOpenExternalLinks(False)
        self.anchorClicked.connect(self._on_link)

    def loadResource(self, kind: int, name: QUrl | str) -> object:  # Qt's name
        """Load nothing: a card must not tell its author who reads it, nor read files of this computer."""
        del kind, name
        return None

    @Slot(QUrl)
    def _on_link(self, url: QUrl) -> None:
        if url.scheme() in _SCHEMES:
            QDesktopServices.openUrl(url)
