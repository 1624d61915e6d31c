"""Carrying a model file: out of the library, and what came from outside."""

from pathlib import Path

from PySide6.QtCore import QByteArray, QMimeData, QPoint, QRect, Qt, QUrl
from PySide6.QtGui import QColor, QDrag, QPainter, QPixmap
from PySide6.QtWidgets import QWidget

from core.base.names import printable
from core.library.records import LibraryItem
from gui.icons import pixmap
from gui.theme import colour

ITEM_MIME = "application/x-rkdeck-item"
_HEIGHT_PX, _MOST_PX = 34, 320


def item_mime(item: LibraryItem) -> QMimeData:
    """A library item as a file (for boards and file managers) and by its id (for RKDeck)."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(item.path))])
    mime.setData(ITEM_MIME, QByteArray(item.id.encode()))
    return mime


def local_files(mime: QMimeData) -> list[Path]:
    """The local files of a drag; a drag of anything else has none."""
    if not mime.hasUrls():
        return []
    return [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile() and url.toLocalFile()]


def start_item_drag(source: QWidget, item: LibraryItem) -> None:
    """Carry an item until the button is let go; the window system runs its own loop meanwhile."""
    drag = QDrag(source)
    drag.setMimeData(item_mime(item))
    drag.setPixmap(_picture(source, printable(item.title, 120)))
    drag.setHotSpot(QPoint(16, _HEIGHT_PX // 2))
    drag.exec(Qt.DropAction.CopyAction, Qt.DropAction.CopyAction)


def _picture(source: QWidget, title: str) -> QPixmap:
    metrics = source.fontMetrics()
    width = min(_MOST_PX, metrics.horizontalAdvance(title) + 46)
    ratio = source.devicePixelRatioF()
    picture = QPixmap(round(width * ratio), round(_HEIGHT_PX * ratio))
    picture.setDevicePixelRatio(ratio)
    picture.fill(QColor(0, 0, 0, 0))
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(colour("surface"))
    painter.setPen(colour("accent"))
    painter.drawRoundedRect(QRect(1, 1, width - 3, _HEIGHT_PX - 3), 6, 6)
    painter.drawPixmap(10, (_HEIGHT_PX - 16) // 2, pixmap("file", "accent", 16))
    painter.setPen(colour("text"))
    text = metrics.elidedText(title, Qt.TextElideMode.ElideMiddle, width - 42)
    painter.drawText(QRect(32, 0, width - 38, _HEIGHT_PX), Qt.AlignmentFlag.AlignVCenter, text)
    painter.end()
    return picture
