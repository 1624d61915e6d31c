"""A jump host whose key changed, on the card of the board behind it."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from core.base.errors import JsonValue, RefusedError
from core.services import Services
from core.usecases import boards as use
from core.usecases.boards import BoardDraft
from gui.desk import Desk
from gui.dialogs.changed_key import ChangedKeyDialog
from gui.dialogs.host_key import HostKeyDialog
from gui.pages.boards.page import BoardsPage
from gui.theme import ThemeSwitch
from tests.core.boards.trees import orange_pi
from tests.core.usecases.test_key_on_the_way import write_config
from tests.core.usecases.test_reaching import OTHER_KEY
from tests.gui.conftest import flush
from tests.gui.page_parts import SLACK_MS, Ear, texts
from tests.support.sshd import openssh


@pytest.mark.parametrize("language", ["english", "spanish"])
def test_the_dialog_speaks_of_the_host_on_the_way_and_takes_its_key(
    services: Services,
    desk: Desk,
    themes: ThemeSwitch,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    language: str,
) -> None:
    if language == "spanish":
        request.getfixturevalue("spanish")
    root = orange_pi(tmp_path / "root")
    with openssh(tmp_path / "gate") as gate, openssh(tmp_path / "board") as board:
        monkeypatch.setenv("RKDECK_SSH_CONFIG", str(write_config(tmp_path, gate, board)))
        draft = BoardDraft("kitchen", "board", board.key_file, store=f"{root}-store", sysroot=str(root))
        use.add_board(services, draft, f"{gate.fingerprint},{board.fingerprint}")
        services.host_keys.replace("gate", gate.port, OTHER_KEY)
        ear, page = Ear(desk), BoardsPage(desk)
        page.show()
        desk.start()
        page.enter(None)
        qtbot.waitUntil(lambda: "kitchen" in page._cards, timeout=SLACK_MS)
        card = page._cards["kitchen"]
        qtbot.waitUntil(card.reach_remedy.isVisible, timeout=SLACK_MS)
        qtbot.mouseClick(card.reach_remedy, Qt.MouseButton.LeftButton)
        dialog = page.findChild(ChangedKeyDialog)
        assert isinstance(dialog, ChangedKeyDialog)
        assert "gate" in dialog.windowTitle()
        shown = texts(dialog)
        for words in ("gate", "kitchen", gate.fingerprint, OTHER_KEY.fingerprint):
            assert words in shown
        assert dialog.new_key.width() >= dialog.new_key.sizeHint().width()  # to the last character
        qtbot.mouseClick(dialog.take, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: any("gate" in notice.text for notice in ear.noticed), timeout=SLACK_MS)
        known = services.host_keys
        assert [key.fingerprint for key in known.lookup("gate", gate.port)] == [gate.fingerprint]
        assert [key.fingerprint for key in known.lookup("board", board.port)] == [board.fingerprint]
        qtbot.waitUntil(lambda: not card.reach_remedy.isVisible(), timeout=SLACK_MS)
        page.close()
        page.deleteLater()
        desk.close()
        flush()


def test_the_widest_fingerprint_is_shown_to_its_end(desk: Desk, themes: ThemeSwitch, qtbot: QtBot) -> None:
    wide = "SHA256:" + "W" * 43
    facts: dict[str, JsonValue] = {
        "host": "board", "port": 22, "fingerprint": wide, "known_fingerprint": wide, "key_type": "ssh-ed25519",
    }  # fmt: skip
    changed = ChangedKeyDialog(desk, "kitchen", RefusedError("remote.host_key_changed", hint=None, **facts))
    new = HostKeyDialog(RefusedError("remote.host_key_unknown", hint=None, **facts))
    for dialog, key in ((changed, changed.new_key), (new, new.key)):
        dialog.show()
        qtbot.waitExposed(dialog)
        assert wide in key.text()
        assert key.width() >= key.sizeHint().width()
        assert dialog.rect().contains(dialog.mapFromGlobal(key.mapToGlobal(key.rect().bottomRight())))
        dialog.close()
        dialog.deleteLater()
    flush()
