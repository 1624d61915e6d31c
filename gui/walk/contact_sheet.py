"""Many pictures on one sheet, each with its name, to be looked at side by side."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QImage, QPainter

from core.base.errors import RKDeckError

_WIDTH_PX, _HEIGHT_PX = 640, 400
_CAPTION_PX, _GAP_PX = 22, 8


def contact_sheet(pictures: Sequence[Path], target: Path, columns: int) -> None:
    """Draw the pictures, half their size, in rows.

    Raises:
        RKDeckError: `demo.not_drawn` when the sheet cannot be saved.
    """
    rows = -(-len(pictures) // columns)
    cell_width, cell_height = _WIDTH_PX + _GAP_PX, _HEIGHT_PX + _CAPTION_PX + _GAP_PX
    sheet = QImage(columns * cell_width + _GAP_PX, rows * cell_height + _GAP_PX, QImage.Format.Format_RGB32)
    sheet.fill(QColor("#808890"))
    painter = QPainter(sheet)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.setPen(QColor("#ffffff"))
    for number, picture in enumerate(pictures):
        left = _GAP_PX + number % columns * cell_width
        top = _GAP_PX + number // columns * cell_height
        painter.drawText(
            QRect(left, top, _WIDTH_PX, _CAPTION_PX), Qt.AlignmentFlag.AlignVCenter, picture.stem
        )
        painter.drawImage(QRect(left, top + _CAPTION_PX, _WIDTH_PX, _HEIGHT_PX), QImage(str(picture)))
    painter.end()
    if not sheet.save(str(target)):
        raise RKDeckError("demo.not_drawn", file=str(target))
