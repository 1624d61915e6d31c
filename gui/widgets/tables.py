"""The look and the keys that every small table of a page has."""

from PySide6.QtWidgets import QAbstractItemView, QTableView

from gui.theme import number_font


def dress_table(view: QTableView, name: str, title: str, *, row_px: int = 26, striped: bool = False) -> None:
    """Whole rows, one at a time; no grid, no row numbers, figures that line up; Tab leaves the table.

    Args:
        view: the table.
        name: its object name.
        title: what a screen reader calls it.
        row_px: height of a row.
        striped: every other row is tinted: for many columns of numbers.
    """
    view.setObjectName(name)
    view.setAccessibleName(title)
    view.setFont(number_font(view.font()))
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    view.setShowGrid(False)
    view.setWordWrap(False)  # in a row of one line it would cut a text at a word: "model → …"
    view.setAlternatingRowColors(striped)
    view.setTabKeyNavigation(False)
    view.verticalHeader().hide()
    view.verticalHeader().setDefaultSectionSize(row_px)
    view.horizontalHeader().setHighlightSections(False)
