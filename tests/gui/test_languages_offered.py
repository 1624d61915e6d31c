"""The window offers every language that has a folder, and shows it."""

import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from core.words import language as one_language
from core.words.tables import forget
from gui.desk import Desk
from gui.pages.settings.page import SettingsPage
from gui.text import tr, use_language

SHIPPED = Path(str(resources.files("resources") / "translations"))


@pytest.fixture
def third(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "translations"
    shutil.copytree(SHIPPED, folder)
    shutil.copytree(folder / "es", folder / "xx")
    (folder / "xx" / "language.toml").write_text('name = "Xxish"\nplural = [{ n = [1] }, {}]\n')
    monkeypatch.setattr(one_language, "folder", lambda: folder)
    monkeypatch.setattr("core.words.tables.folder", lambda: folder)
    forget()
    yield
    use_language("en")
    monkeypatch.undo()
    forget()


@pytest.mark.usefixtures("third")
def test_a_third_language_stands_in_the_list_of_the_settings_page(desk: Desk, qtbot: QtBot) -> None:
    page = SettingsPage(desk)
    qtbot.addWidget(page)
    box = page.language
    assert [box.itemText(row) for row in range(1, box.count())] == ["English", "Español", "Xxish"]
    assert box.itemData(box.count() - 1) == "xx"
    use_language("xx")
    assert tr("Copy all") == "Copiar todo"
