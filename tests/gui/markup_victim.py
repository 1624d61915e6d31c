"""Rests the mouse on foreign text in a real window; run as a program of its own, with its memory bounded.

    python markup_victim.py PLACE SOURCE

PLACE is where a stranger's `<img src=SOURCE>` stands. Says "survived" when the window was painted and the tip shown.
"""

import resource
import sys

from PySide6.QtCore import QEvent, QPoint
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QApplication, QToolTip, QWidget

_MEMORY_BYTES = 3 << 30


def _rest_mouse_on(viewport: QWidget, place: QPoint) -> None:
    event = QHelpEvent(QEvent.Type.ToolTip, place, viewport.mapToGlobal(place))
    QApplication.sendEvent(viewport, event)
    QApplication.processEvents()


def file_name(source: str) -> None:
    """The name of a file on the Hub, as a row of the Files tab."""
    from core.hub.records import RepoFile
    from gui.pages.discover.files_tab import FilesTab

    tab = FilesTab()
    tab.resize(600, 400)
    tab.show_files((RepoFile(f"<img src='{source}'>.bin", 5, None, None),))
    tab.show()
    QApplication.processEvents()
    _rest_mouse_on(tab.view.viewport(), tab.view.visualRect(tab.view.model().index(0, 0)).center())
    assert "img" in QToolTip.text()


def card_image(source: str) -> None:
    """A picture in a model's card."""
    from gui.widgets.card_view import CardView

    card = CardView()
    card.resize(400, 300)
    card.show()
    card.show_card(f"![x]({source}) <img src='{source}'>\n\n<img src='{source}' width=100>")
    QApplication.processEvents()
    card.grab()


def card_title(source: str) -> None:
    """The title of a link in a model's card, which Qt shows as a tip."""
    from gui.widgets.card_view import CardView

    card = CardView()
    card.resize(400, 300)
    card.show()
    card.show_card(f"[{'link ' * 40}](https://example.org/ \"<img src='{source}'>\")")
    QApplication.processEvents()
    card.grab()
    _rest_mouse_on(card.viewport(), QPoint(30, 15))
    assert QToolTip.text() == "https://example.org/"


def badge(source: str) -> None:
    """The reason of a search result's badge."""
    from gui.widgets.plain import show_tip

    window = QWidget()
    window.show()
    show_tip(window.mapToGlobal(QPoint(5, 5)), f"<img src='{source}'>", window)
    QApplication.processEvents()


def message(source: str) -> None:
    """A question with a foreign name in both of its texts."""
    from gui.widgets.plain import MessageBox

    box = MessageBox()
    box.setText(f"<img src='{source}'>")
    box.setInformativeText(f"<img src='{source}'>")
    box.open()
    QApplication.processEvents()
    box.grab()
    assert box.informativeText().startswith("<img")  # as it is, not escaped a second time


PLACES = {made.__name__: made for made in (file_name, card_image, card_title, badge, message)}

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    application = QApplication([])
    PLACES[sys.argv[1]](sys.argv[2])
    print("survived")
