"""Choosing a board that announced itself: it fills the form, and never the user's own words."""

from pathlib import Path

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from core.boards.discovery import Candidate
from core.usecases.discovery import Found
from gui.desk import Desk
from gui.dialogs.add_board import AddBoardDialog
from gui.theme import ThemeSwitch
from tests.gui.conftest import flush

ORANGE = Found(Candidate("Orange Pi 5", "orangepi5.local", ("192.168.1.40",), 22, ("ssh",)), None)
ODD = Found(Candidate("$(reboot)\\x1b", None, ("192.168.1.41",), 2222, ("ssh",)), "desk")


def test_what_was_announced_fills_the_form_and_the_user_stays(
    desk: Desk, themes: ThemeSwitch, qtbot: QtBot, tmp_path: Path
) -> None:
    dialog = AddBoardDialog(desk)
    dialog.show()
    dialog.address.setText("pi@")
    dialog.nearby._on_one(ORANGE)
    dialog.nearby._on_one(ODD)
    assert dialog.nearby.boards.isVisible()
    assert "known as desk" in dialog.nearby.boards.itemText(1)
    dialog.nearby.boards.setCurrentIndex(0)
    dialog.nearby.boards.activated.emit(0)
    assert dialog.address.text() == "pi@192.168.1.40"
    assert dialog.name.text() == "Orange-Pi-5"
    dialog.nearby.boards.activated.emit(1)
    assert dialog.address.text() == "pi@192.168.1.41:2222"
    assert dialog.name.text() == "Orange-Pi-5"  # what stands there is the user's by now
    dialog.close()
    dialog.deleteLater()
    flush()


def test_listening_ends_with_the_dialog(desk: Desk, themes: ThemeSwitch, qtbot: QtBot) -> None:
    dialog = AddBoardDialog(desk)
    dialog.show()
    qtbot.mouseClick(dialog.nearby.look, Qt.MouseButton.LeftButton)
    assert not dialog.nearby.look.isEnabled()
    task = dialog.nearby._task
    assert task is not None
    dialog.reject()
    assert not task.is_wanted
    dialog.deleteLater()
    flush()
