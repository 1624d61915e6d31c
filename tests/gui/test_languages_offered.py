"""The window offers every language that has a folder, and shows it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from core.services import Services
from gui.app import Shell, WindowOptions, install_language
from gui.desk import Desk, Notice
from gui.pages.settings.page import SettingsPage
from gui.text import tr, use_language
from gui.theme import ThemeSwitch
from tests.support.languages import forget, third_language


@pytest.fixture
def third(tmp_path: Path) -> Iterator[Path]:
    with third_language(tmp_path) as folder:
        yield folder
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


def test_the_window_says_which_words_are_english_because_a_file_cannot_be_used(
    third: Path, qapp: QApplication, services: Services, themes: ThemeSwitch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gui.app.signal.signal", lambda *_: None)  # the process's own, which would stay
    (third / "xx" / "names.toml").write_text("[kind]\n\ndownload = \n")
    forget()
    services.settings = replace(services.settings, language="xx")
    install_language(qapp, "xx")
    shell = Shell(qapp, services, themes, WindowOptions())
    told: list[Notice] = []
    shell.desk.noticed.connect(told.append)
    shell.open()
    assert ["names.toml" in notice.text and "(línea 3)" in notice.text for notice in told] == [True]
    shell.close()
