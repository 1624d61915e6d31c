"""The rail: the pages of the work one below the other, the last page at the foot."""

from itertools import pairwise

import pytest
from pytestqt.qtbot import QtBot

from gui.shell.rail import PageEntry, Rail
from gui.shell.window import PAGES

FURTHER = (*PAGES[:-1], PageEntry("file", "Library", "", ""), PAGES[-1])


@pytest.mark.parametrize("entries", [PAGES, FURTHER], ids=["today", "one more"])
def test_only_the_last_page_stands_at_the_foot(entries: tuple[PageEntry, ...], qtbot: QtBot) -> None:
    rail = Rail(entries)
    qtbot.addWidget(rail)
    rail.resize(158, 900)
    rail.show()
    tops = [rail.button(entry.name).y() for entry in entries]
    steps = [below - above for above, below in pairwise(tops)]
    assert len(set(steps[:-1])) == 1
    assert steps[-1] > 2 * steps[0]
