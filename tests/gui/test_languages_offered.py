"""The window offers every language that has a folder, and shows it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from gui.desk import Desk
from gui.pages.settings.page import SettingsPage
from gui.text import tr, use_language
from tests.support.languages import third_language


@pytest.fixture
def third(tmp_path: Path) -> Iterator[None]:
    with third_language(tmp_path):
        yield
        use_language("en")


@pytest.mark.usefixtures("third")
def test_a_third_language_stands_in_the_list_of_the_settings_page(desk: Desk, qtbot: QtBot) -> None:
    page = SettingsPage(desk)
    qtbot.addWidget(page)
    box = page.language
    assert [box.itemText(row) for row in range(1, box.count())] == ["English", "Español", "Xxish"]
    assert box.itemData(box.count() - 1) == "xx"
    use_language("xx")
    assert tr("Copy all") == "Copiar todo"
