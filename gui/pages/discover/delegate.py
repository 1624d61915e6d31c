"""Painting a search result: name, and below it what helps to choose; on the right whether it fits."""

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFont, QHelpEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from core.base.names import printable
from core.base.units import GIB, format_bytes, format_count
from core.fitness.badge import Badge
from core.hub.records import ModelSummary
from gui.icons import pixmap
from gui.models.list_model import RECORD_ROLE
from gui.pages.discover.badges import Badges
from gui.phrases import VERDICT_ROLES, note_text, verdict_text
from gui.text import tr
from gui.theme import colour
from gui.widgets.plain import show_tip

Index = QModelIndex | QPersistentModelIndex
ROW_PX = 54
_PAD_PX = 12
_SHAPES = {"ok": "check", "warn": "warning", "bad": "cross", "muted": "unknown"}


class ResultDelegate(QStyledItemDelegate):
    """Two lines, each with a part on the left and one on the right."""

    def __init__(self, badges: Badges, parent: object = None) -> None:
        super().__init__(parent)  # type: ignore[arg-type]  # a QObject
        self._badges = badges

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # Qt's name
        """All rows are of one height."""
        return QSize(200, ROW_PX)

    def helpEvent(  # Qt's name
        self, event: QHelpEvent, view: QAbstractItemView, option: QStyleOptionViewItem, index: Index
    ) -> bool:
        """Why a badge says what it says."""
        model = index.data(RECORD_ROLE)
        if event.type() == QEvent.Type.ToolTip and isinstance(model, ModelSummary):
            show_tip(event.globalPos(), badge_tip(self._badges.of(model)), view)
            return True
        return super().helpEvent(event, view, option, index)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one result."""
        model = index.data(RECORD_ROLE)
        if not isinstance(model, ModelSummary):
            return
        QApplication.style().drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter)
        whole: QRect = option.rect.adjusted(_PAD_PX, 6, -_PAD_PX, -6)
        upper = QRect(whole.left(), whole.top(), whole.width(), whole.height() // 2)
        lower = upper.translated(0, upper.height())
        badge = self._badges.of(model)
        painter.setFont(option.font)
        left = upper.adjusted(0, 0, -_paint_verdict(painter, upper, badge, ready=bool(model.kinds)), 0)
        bold = QFont(option.font)
        bold.setWeight(QFont.Weight.DemiBold)
        painter.setFont(bold)
        painter.setPen(colour("text"))
        name = painter.fontMetrics().elidedText(
            printable(model.repo), Qt.TextElideMode.ElideMiddle, left.width()
        )
        painter.drawText(left, Qt.AlignmentFlag.AlignVCenter, name)
        painter.setFont(option.font)
        painter.setPen(colour("muted"))
        memory = memory_text(badge)
        painter.drawText(lower, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, memory)
        taken = painter.fontMetrics().horizontalAdvance(memory) + 12 if memory else 0
        rest = lower.adjusted(0, 0, -taken, 0)
        about = painter.fontMetrics().elidedText(_about(model), Qt.TextElideMode.ElideRight, rest.width())
        painter.drawText(rest, Qt.AlignmentFlag.AlignVCenter, about)
        painter.setPen(colour("line"))
        painter.drawLine(option.rect.bottomLeft(), option.rect.bottomRight())


def _paint_verdict(painter: QPainter, line: QRect, badge: Badge, *, ready: bool) -> int:
    """Shape and words at the right end of a line; returns the room they take.

    Where no level is judged, files that are `ready` are the road: each of them has its own verdict.
    """
    role, text = VERDICT_ROLES[badge.verdict], badge_text(badge)
    shape = _SHAPES[role]
    if ready and badge.dtype is None:
        role, shape, text = "accent", "file", tr("ready-made")
    width = painter.fontMetrics().horizontalAdvance(text) + 22
    place = QRect(line.right() - width, line.top(), width, line.height())
    painter.drawPixmap(place.left(), place.center().y() - 7, pixmap(shape, role, 16))
    painter.setPen(colour(role))
    painter.drawText(place.adjusted(20, 0, 2, 0), Qt.AlignmentFlag.AlignVCenter, text)
    return width + 8


def badge_text(badge: Badge) -> str:
    """The verdict and the level it is about; a guess says so by its mark."""
    if badge.fits is None:
        return tr("not known yet") if not badge.exact else tr("unknown")
    if badge.dtype is None:
        return tr("not for the NPU")
    text = verdict_text(badge.fits)
    if badge.verdict != "failed":
        text = f"{text} {badge.dtype}"
    return text if badge.exact else f"~ {text}"


def memory_text(badge: Badge) -> str:
    """Expected memory: a number, or the bounds of a guess in GiB; empty when nothing is known."""
    if badge.ram_bytes is None or badge.ram_low_bytes is None or badge.ram_high_bytes is None:
        return ""
    if badge.exact:
        return format_bytes(badge.ram_bytes)
    return f"~ {badge.ram_low_bytes / GIB:.1f}-{badge.ram_high_bytes / GIB:.1f} GiB"


def badge_tip(badge: Badge) -> str:
    """Why, in a sentence."""
    basis = (
        tr("computed from the model's headers")
        if badge.exact
        else tr("a guess from the number of parameters; the exact answer follows when the row is in view")
    )
    return "\n".join(text for text in (note_text(badge.reason) if badge.reason else "", basis) if text)


def _about(model: ModelSummary) -> str:
    parts = [
        tr("{count} parameters", count=format_count(model.parameters))
        if model.parameters
        else tr("size unknown")
    ]
    if model.license:
        parts.append(printable(model.license, 30))
    if model.downloads is not None:
        parts.append(tr("{count} downloads", count=format_count(model.downloads)))
    if model.gated:
        parts.append(tr("gated"))
    parts += [tr("{ending} files", ending=kind.ending) for kind in model.kinds]
    return " · ".join(parts)
