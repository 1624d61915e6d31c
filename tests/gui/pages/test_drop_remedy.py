"""A file over a board that lacks something: said on the card, mended from there, and sent."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from core.jobs.model import JobState
from core.services import Services
from core.usecases import boards as use
from core.usecases.boards import BoardDraft
from gui.desk import Desk
from gui.dialogs.runtime_library import LibraryDialog
from gui.pages.boards.card import BoardCard
from gui.pages.boards.page import BoardsPage, DeployWish
from gui.theme import ThemeSwitch
from tests.core.deploy.models import real_file
from tests.core.deploy.site import plain_board
from tests.gui.conftest import flush
from tests.gui.page_parts import SLACK_MS, answer_files, child, drop, enter, mime_of
from tests.support.libraries import library_bytes
from tests.support.sshd import openssh


@pytest.fixture
def page(
    services: Services, desk: Desk, themes: ThemeSwitch, qtbot: QtBot, tmp_path: Path
) -> Iterator[BoardsPage]:
    """Two boards without any librkllmrt.so, visited."""
    root = plain_board(tmp_path / "root")
    (root / "usr/lib/librkllmrt.so").unlink()
    with openssh(tmp_path / "server") as server:
        draft = BoardDraft(
            "lab", f"{server.user}@127.0.0.1:{server.port}", server.key_file,
            store=str(tmp_path / "store"), sysroot=str(root),
        )  # fmt: skip
        use.add_board(services, draft, server.fingerprint)
        use.add_board(
            services, replace(draft, name="shed", store=str(tmp_path / "other")), server.fingerprint
        )
        made = BoardsPage(desk)
        made.resize(1000, 650)
        made.show()
        desk.start()
        qtbot.waitUntil(
            lambda: len(made._cards) == 2 and all(view.status is not None for view in desk.boards.views),
            timeout=SLACK_MS,
        )
        yield made
        qtbot.waitUntil(lambda: not any(view.visiting for view in desk.boards.views), timeout=SLACK_MS)
        made.close()
        made.deleteLater()
        flush()


def test_a_missing_library_is_offered_on_the_card_and_the_file_goes_when_it_is_there(
    page: BoardsPage, desk: Desk, qtbot: QtBot, tmp_path: Path, shots: Callable[[QWidget, str], Path]
) -> None:
    card = page._cards["lab"]
    page.enter(DeployWish(real_file(tmp_path / "m_w8a8_rk3588.rkllm")))
    qtbot.waitUntil(lambda: card.judgement is not None, timeout=SLACK_MS)
    assert card.property("drop") == "failed"
    assert "The file needs a runtime library as new as toolkit 1.2.3" in card.verdict_label.text()
    assert "You may send it all the same." in card.verdict_label.text()
    assert card.remedy.isVisible()
    assert card.remedy.text() == "Copy a library ..."
    qtbot.waitUntil(lambda: card.remedy.width() >= card.remedy.sizeHint().width(), timeout=SLACK_MS)
    shots(page, "drop-remedy")
    qtbot.mouseClick(card.remedy, Qt.MouseButton.LeftButton)
    dialog = page.findChild(LibraryDialog)
    assert dialog is not None
    qtbot.waitUntil(lambda: dialog.releases.count() > 0, timeout=SLACK_MS)
    assert dialog.releases.currentText().startswith("1.2.3")
    own = tmp_path / "librkllmrt.so"
    own.write_bytes(library_bytes("1.2.3"))
    qtbot.mouseClick(child(dialog, "chooseLibrary"), Qt.MouseButton.LeftButton)
    answer_files(dialog, own)
    qtbot.mouseClick(child(dialog, "sendLibrary"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: card.judgement is not None and not card.judgement.refusals, timeout=SLACK_MS)
    assert not card.remedy.isVisible()
    assert [remedy.id for remedy in page._applied["lab"]] == ["library"]
    shots(page, "drop-mended")
    card.setFocus()
    qtbot.keyClick(card, Qt.Key.Key_Return)
    qtbot.waitUntil(
        lambda: [record.state for record in desk.jobs.records] == [JobState.SUCCEEDED], timeout=SLACK_MS
    )
    assert desk.jobs.records[0].spec.params["force"] is False


def test_an_offered_file_is_judged_anew_when_the_board_was_looked_at(
    page: BoardsPage, desk: Desk, qtbot: QtBot, tmp_path: Path
) -> None:
    card = page._cards["lab"]
    page.enter(DeployWish(real_file(tmp_path / "m_w8a8_rk3588.rkllm")))
    qtbot.waitUntil(lambda: card.judgement is not None, timeout=SLACK_MS)
    card.setFocus()
    qtbot.keyClick(card, Qt.Key.Key_Return)
    assert card.is_offering
    assert card.force.text() == "Deploy anyway"
    (tmp_path / "root/usr/lib/librkllmrt.so").write_bytes(library_bytes("1.3.0"))
    desk.boards.visit("lab")
    qtbot.waitUntil(lambda: card.judgement is not None and not card.judgement.refusals, timeout=SLACK_MS)
    assert card.force.text() == "Deploy"
    card.leave.click()
    qtbot.waitUntil(lambda: not card.is_offering, timeout=SLACK_MS)


def test_what_one_card_offers_is_never_another_file_that_was_carried_since(
    page: BoardsPage, desk: Desk, qtbot: QtBot, tmp_path: Path
) -> None:
    lab, shed = page._cards["lab"], page._cards["shed"]
    first, second = (real_file(tmp_path / f"{name}_w8a8_rk3588.rkllm") for name in ("first", "second"))

    def offer(card: BoardCard, file: Path) -> None:
        assert enter(card, mime_of(file))
        qtbot.waitUntil(lambda: card.judgement is not None, timeout=SLACK_MS)
        assert drop(card, mime_of(file))
        assert card.is_offering

    offer(lab, first)
    offer(shed, second)
    assert not lab.is_offering
    assert lab.judgement is None
    desk.boards.visit("lab")
    qtbot.waitUntil(lambda: not any(view.visiting for view in desk.boards.views), timeout=SLACK_MS)
    assert not lab.is_offering
