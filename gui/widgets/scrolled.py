"""A column that scrolls up and down when it has to, and never sideways."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget


class Column(QWidget):
    """What is scrolled: as tall as its contents are at the width there is.

    Qt would take the sum of what wrapped labels need at their narrowest, and show a scroll bar for nothing.
    """

    def minimumSizeHint(self) -> QSize:  # Qt's name
        """Any size: the scroll area asks for the height at its width."""
        return QSize(0, 0) if self.hasHeightForWidth() else super().minimumSizeHint()

    def hasHeightForWidth(self) -> bool:  # Qt's name
        """Whether a part of it wraps."""
        layout = self.layout()
        return layout is not None and layout.hasHeightForWidth()


def scrolled(column: QWidget) -> QScrollArea:
    """A scroll area around a column."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(column)
    return area
