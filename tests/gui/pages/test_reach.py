"""Dialogs that reach a board: an expired first password, another key on the way, another address, other hardware."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from core.base.errors import RKDeckError
from core.services import Services
from core.usecases import boards as use
from core.usecases.boards import BoardDraft
from gui.desk import Desk
from gui.dialogs.add_board import AddBoardDialog
from gui.dialogs.changed_key import ChangedKeyDialog
from gui.dialogs.host_key import HostKeyDialog
from gui.dialogs.move_board import MoveBoardDialog
from gui.dialogs.new_password import NewPasswordDialog
from gui.dialogs.reach import ReachDialog
from gui.pages.boards.card import BoardCard
from gui.pages.boards.page import BoardsPage
from gui.pages.boards.reach_remedies import remedy_for
from gui.theme import ThemeSwitch
from tests.core.boards.trees import orange_pi, write_tree
from tests.core.remote.test_expired import NEW, OLD, expired
from tests.core.usecases.test_key_on_the_way import write_config
from tests.core.usecases.test_reaching import OTHER_KEY, SERIAL, draft
from tests.gui.conftest import flush
from tests.gui.page_parts import SLACK_MS, Ear, texts
from tests.support.sshd import SshServer, openssh

Asked = TypeVar("Asked", bound=QWidget)
EXPIRED = RKDeckError("remote.password_expired", user="root", host="orangepi5")


@pytest.fixture
def page(desk: Desk, themes: ThemeSwitch, qtbot: QtBot) -> Iterator[BoardsPage]:
    made = BoardsPage(desk)
    made.resize(1000, 640)
    yield made
    made.close()
    made.deleteLater()
    desk.close()
    flush()


def card_of(page: BoardsPage, desk: Desk, qtbot: QtBot) -> BoardCard:
    """Show the page; the card of the board `kitchen` once it says what is wrong."""
    page.show()
    desk.start()
    page.enter(None)
    qtbot.waitUntil(lambda: "kitchen" in page._cards, timeout=SLACK_MS)
    card = page._cards["kitchen"]
    qtbot.waitUntil(card.reach_remedy.isVisible, timeout=SLACK_MS)
    return card


def asked(dialog: ReachDialog, kind: type[Asked], qtbot: QtBot) -> Asked:
    qtbot.waitUntil(lambda: isinstance(dialog._asking, kind), timeout=SLACK_MS)
    assert isinstance(dialog._asking, kind)
    return dialog._asking


def press(dialog: QWidget, name: str, qtbot: QtBot) -> None:
    found = dialog.findChild(QPushButton, name)
    assert found is not None
    qtbot.mouseClick(found, Qt.MouseButton.LeftButton)


def test_another_key_on_the_way_to_a_new_board(
    services: Services, desk: Desk, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with openssh(tmp_path / "gate") as gate, openssh(tmp_path / "board") as board:
        monkeypatch.setenv("RKDECK_SSH_CONFIG", str(write_config(tmp_path, gate, board)))
        services.host_keys.replace("gate", gate.port, OTHER_KEY)
        dialog = AddBoardDialog(desk)
        qtbot.addWidget(dialog)
        dialog.show()
        dialog.name.setText("kitchen")
        dialog.address.setText("board")
        dialog.key_file.setText(str(board.key_file))
        qtbot.mouseClick(dialog.connect_button, Qt.MouseButton.LeftButton)
        changed = asked(dialog, ChangedKeyDialog, qtbot)
        shown = texts(changed)
        for words in ("gate", "kitchen", gate.fingerprint, OTHER_KEY.fingerprint):
            assert words in shown
        press(changed, "takeKeyButton", qtbot)
        new = asked(dialog, HostKeyDialog, qtbot)
        assert new.fingerprint == board.fingerprint
        assert [key.fingerprint for key in services.host_keys.lookup("gate", gate.port)] == [gate.fingerprint]
        with qtbot.waitSignal(dialog.added, timeout=SLACK_MS):
            press(new, "acceptKeyButton", qtbot)
        assert [board.name for board in services.boards.list()] == ["kitchen"]


def test_a_password_is_typed_twice_and_the_same(desk: Desk, themes: ThemeSwitch, qtbot: QtBot) -> None:
    dialog = NewPasswordDialog(desk, BoardDraft("kitchen", "root@orangepi5", password="1234"), EXPIRED)
    qtbot.addWidget(dialog)
    dialog.show()
    assert "root@orangepi5" in dialog.windowTitle()
    assert not dialog.old.isVisible()  # it was typed in
    assert not dialog.set.isEnabled()
    qtbot.keyClicks(dialog.new, "good password")
    qtbot.keyClicks(dialog.again, "good pass")
    assert not dialog.set.isEnabled()
    assert not dialog.problem.isVisible()  # not at its end yet
    qtbot.keyClicks(dialog.again, "ed")
    assert dialog.problem.isVisible()
    assert not dialog.set.isEnabled()
    dialog.again.setText("good password")
    assert dialog.set.isEnabled()
    assert not dialog.problem.isVisible()
    unknown = NewPasswordDialog(desk, BoardDraft("kitchen", "root@orangepi5"), EXPIRED)
    qtbot.addWidget(unknown)
    unknown.show()
    assert unknown.old.isVisible()  # a key let us in; nobody has said the password


# An sshd without privileges cannot hand out a terminal.
@pytest.mark.needs_root
def test_an_expired_first_password_while_a_board_is_added(
    services: Services, desk: Desk, qtbot: QtBot, tmp_path: Path
) -> None:
    with expired(tmp_path) as server:
        dialog = AddBoardDialog(desk)
        qtbot.addWidget(dialog)
        dialog.show()
        dialog.name.setText("kitchen")
        dialog.address.setText(f"{server.user}@{server.host}:{server.port}")
        dialog.key_file.setText(str(server.key_file))
        dialog.password.setText(OLD)
        qtbot.mouseClick(dialog.connect_button, Qt.MouseButton.LeftButton)
        press(asked(dialog, HostKeyDialog, qtbot), "acceptKeyButton", qtbot)
        chosen = asked(dialog, NewPasswordDialog, qtbot)
        for password in ("kurz", NEW):
            chosen.new.setText(password)
            chosen.again.setText(password)
            if password == NEW:
                with qtbot.waitSignal(dialog.added, timeout=SLACK_MS):
                    press(chosen, "setPasswordButton", qtbot)
            else:
                press(chosen, "setPasswordButton", qtbot)
                qtbot.waitUntil(chosen.problem.isVisible, timeout=SLACK_MS)
                assert "longer password" in chosen.problem.text()
                assert password not in chosen.problem.text()
        assert services.secrets.get("board:kitchen") == NEW
        assert [board.name for board in services.boards.list()] == ["kitchen"]


@pytest.mark.needs_root
def test_an_expired_password_of_a_known_board_is_renewed_on_its_card(
    services: Services, desk: Desk, page: BoardsPage, qtbot: QtBot, tmp_path: Path
) -> None:
    root = orange_pi(tmp_path / "root")
    with expired(tmp_path) as server:
        (tmp_path / "state.done").touch()
        use.add_board(services, replace(draft("kitchen", server, root), password=OLD), server.fingerprint)
        (tmp_path / "state.done").unlink()
        card = card_of(page, desk, qtbot)
        assert "password" in card.reach_remedy.text()
        qtbot.mouseClick(card.reach_remedy, Qt.MouseButton.LeftButton)
        dialog = page.findChild(NewPasswordDialog)
        assert dialog is not None
        dialog.new.setText(NEW)
        dialog.again.setText(NEW)
        press(dialog, "setPasswordButton", qtbot)
        qtbot.waitUntil(lambda: not card.reach_remedy.isVisible(), timeout=SLACK_MS)
        assert services.secrets.get("board:kitchen") == NEW


def test_a_board_that_moved_is_found_at_its_new_address(
    services: Services, desk: Desk, page: BoardsPage, qtbot: QtBot, tmp_path: Path
) -> None:
    root = orange_pi(tmp_path / "root")
    with openssh(tmp_path / "first") as first:
        use.add_board(services, draft("kitchen", first, root), first.fingerprint)
    with openssh(tmp_path / "second") as second:
        card = card_of(page, desk, qtbot)
        assert remedy_for(card.view.error) == ("move", card.reach_remedy.text())
        ear = Ear(desk)
        qtbot.mouseClick(card.reach_remedy, Qt.MouseButton.LeftButton)
        dialog = page.findChild(MoveBoardDialog)
        assert dialog is not None
        assert dialog.address.text() == f"{first.user}@{first.host}:{first.port}"
        assert not dialog.replaced.isVisible()
        # Nobody there: said, and nothing changes.
        press(dialog, "connectButton", qtbot)
        qtbot.waitUntil(lambda: str(first.port) in dialog.message.text(), timeout=SLACK_MS)
        services.host_keys.forget(second.host, second.port)
        dialog.address.setText(f"{second.user}@{second.host}:{second.port}")
        with_key(services, second)
        press(dialog, "connectButton", qtbot)
        key = asked(dialog, HostKeyDialog, qtbot)
        press(key, "acceptKeyButton", qtbot)
        qtbot.waitUntil(lambda: any(str(second.port) in said.text for said in ear.noticed), timeout=SLACK_MS)
        assert services.boards.get("kitchen").port == second.port
        qtbot.waitUntil(lambda: not card.reach_remedy.isVisible(), timeout=SLACK_MS)


def with_key(services: Services, server: SshServer) -> None:
    """Let the account of a second server in with the board's key."""
    authorized = server.key_file.parent / "authorized_keys"
    key = services.boards.get("kitchen").identity_file
    assert key is not None
    with authorized.open("a") as file:
        file.write(key.with_name(key.name + ".pub").read_text())


def test_other_hardware_is_taken_only_when_the_user_says_so(
    services: Services,
    desk: Desk,
    page: BoardsPage,
    qtbot: QtBot,
    tmp_path: Path,
    shots: Callable[[QWidget, str], Path],
) -> None:
    root = orange_pi(tmp_path / "root")
    with openssh(tmp_path / "server") as server:
        before = use.add_board(services, draft("kitchen", server, root), server.fingerprint)
        write_tree(root, {SERIAL: b"00c0ffee00c0ffee\0"})
        card = card_of(page, desk, qtbot)
        qtbot.mouseClick(card.reach_remedy, Qt.MouseButton.LeftButton)
        dialog = page.findChild(MoveBoardDialog)
        assert dialog is not None
        assert "another board answers" in dialog.message.text()
        assert services.boards.get("kitchen").identity == before.identity
        shots(dialog, "other-hardware")
        press(dialog, "replacedButton", qtbot)
        qtbot.waitUntil(lambda: not card.reach_remedy.isVisible(), timeout=SLACK_MS)
        assert services.boards.get("kitchen").identity != before.identity


@pytest.mark.parametrize("language", ["english", "spanish"])
def test_every_dialog_shows_its_texts_in_full(
    desk: Desk, services: Services, themes: ThemeSwitch, qtbot: QtBot, request: pytest.FixtureRequest, language: str,
    tmp_path: Path, shots: Callable[[QWidget, str], Path],
) -> None:  # fmt: skip
    if language == "spanish":
        request.getfixturevalue("spanish")
    board = services.boards.add(use.board_of(BoardDraft("kitchen", "orangepi@192.168.1.40")))
    other = RKDeckError("boards.other_hardware", name="kitchen", host="192.168.1.40", model="Radxa ROCK 5B")
    dialogs: tuple[QWidget, ...] = (
        AddBoardDialog(desk),
        MoveBoardDialog(desk, board),
        MoveBoardDialog(desk, board, other),
        NewPasswordDialog(desk, "kitchen", EXPIRED),
    )
    for number, dialog in enumerate(dialogs):
        qtbot.addWidget(dialog)
        dialog.show()
        qtbot.waitExposed(dialog)
        shots(dialog, f"reach-{language}-{number}")
        for button in dialog.findChildren(QPushButton):
            assert not button.isVisible() or button.width() >= button.sizeHint().width(), button.text()
        for label in dialog.findChildren(QLabel):
            if label.isVisible() and label.wordWrap():
                assert label.height() >= label.heightForWidth(label.width()), label.text()
