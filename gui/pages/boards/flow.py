"""A layout that fills rows with cards of equal width and goes on in the next row."""

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QLayoutItem, QWidget


class FlowLayout(QLayout):
    """Cards side by side, each as tall as the tallest of its row."""

    def __init__(self, parent: QWidget | None = None, card_px: int = 330, spacing_px: int = 12) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self._card_px = card_px
        self.setSpacing(spacing_px)

    def addItem(self, item: QLayoutItem) -> None:  # Qt's name
        """Take an item over."""
        self._items.append(item)

    def count(self) -> int:
        """How many items there are."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        """The item at a place."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        """Take the item out."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:  # Qt's name
        """Does not grow by itself."""
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:  # Qt's name
        """The narrower, the taller."""
        return True

    def heightForWidth(self, width: int) -> int:  # Qt's name
        """The height all rows take."""
        return self._arrange(QRect(0, 0, width, 0), move=False)

    def setGeometry(self, rectangle: QRect) -> None:  # Qt's name
        """Place the items."""
        super().setGeometry(rectangle)
        self._arrange(rectangle, move=True)

    def sizeHint(self) -> QSize:  # Qt's name
        """One card wide at least."""
        return self.minimumSize()

    def minimumSize(self) -> QSize:  # Qt's name
        """One card."""
        height = max((item.minimumSize().height() for item in self._items), default=0)
        return QSize(self._card_px, height)

    def _arrange(self, rectangle: QRect, *, move: bool) -> int:
        gap = self.spacing()
        columns = max(1, (rectangle.width() + gap) // (self._card_px + gap))
        width = (rectangle.width() - gap * (columns - 1)) // columns
        width = min(width, self._card_px + 90)
        top = rectangle.top()
        for first in range(0, len(self._items), columns):
            items = self._items[first : first + columns]
            height = max(
                item.heightForWidth(width) if item.hasHeightForWidth() else item.sizeHint().height()
                for item in items
            )
            if move:
                for column, item in enumerate(items):
                    place = QPoint(rectangle.left() + column * (width + gap), top)
                    item.setGeometry(QRect(place, QSize(width, height)))
            top += height + gap
        return max(0, top - gap - rectangle.top())
