"""What goes in and out of the Library page: dropped, chosen, dragged, sent to a board."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QDrag
from PySide6.QtWidgets import QFileDialog, QMenu
from pytestqt.qtbot import QtBot

from core.jobs.model import JobState
from core.library.records import LibraryItem
from core.services import Services
from core.usecases import boards as boards_use
from core.usecases import library as use
from gui.desk import Desk, Destination
from gui.pages.boards.page import DeployWish
from gui.pages.library.page import LibraryPage
from gui.widgets.drag import ITEM_MIME
from tests.gui.conftest import flush
from tests.gui.page_parts import (
    SLACK_MS,
    Ear,
    drop,
    mime_of,
    press,
    press_and_move,
    question,
    row_centre,
    rows,
)
from tests.support.models import write_random_model
from tests.support.sshd import SshServer, demo_board
from tests.support.tiny_model import write_tiny_model

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support grabbing the keyboard")


def select(page: LibraryPage, item: LibraryItem) -> None:
    page.enter(item.id)
    assert page.detail.item is not None
    assert page.detail.item.id == item.id


def test_folders_and_files_dropped_in_are_added(
    library_page: LibraryPage, ear: Ear, qtbot: QtBot, tmp_path: Path, check_model: Callable[..., None]
) -> None:
    page = library_page
    check_model(page.view.model())
    folder = write_random_model(tmp_path / "Dropped")
    file = write_tiny_model(tmp_path / "Dropped_W8A8.rkllm")
    assert drop(page, mime_of(folder, file))
    assert page.busy.isVisible()
    assert page.busy.text() == "Reading Dropped ... 1 more waits"
    qtbot.waitUntil(lambda: len(rows(page.view)) == 2, timeout=SLACK_MS)
    qtbot.waitUntil(lambda: not page.busy.isVisible(), timeout=SLACK_MS)
    assert [notice.text for notice in ear.noticed] == ["Added Dropped.", "Added Dropped_W8A8."]
    qtbot.waitUntil(lambda: page.detail.item is not None and page.detail.item.path == file, timeout=SLACK_MS)


def test_what_is_no_model_is_refused_in_words_and_the_rest_is_added(
    library_page: LibraryPage, ear: Ear, qtbot: QtBot, tmp_path: Path
) -> None:
    page = library_page
    wrong, page_file = tmp_path / "holiday", tmp_path / "page.rkllm"
    wrong.mkdir()
    page_file.write_text("<!DOCTYPE html><html><body>404</body></html>")
    good = write_random_model(tmp_path / "Good")
    assert drop(page, mime_of(wrong, page_file, good))
    qtbot.waitUntil(lambda: rows(page.view) == ["Good"], timeout=SLACK_MS)
    told = [notice for notice in ear.noticed if notice.kind == "bad"]
    assert "holiday is not a model folder: it has no config.json." in told[0].text
    assert "page.rkllm" in told[1].text
    assert all(notice.hint for notice in told)


def test_text_and_our_own_rows_are_not_taken(library_page: LibraryPage, rkllm_item: LibraryItem) -> None:
    page = library_page
    text = QMimeData()
    text.setText("/etc/passwd")
    assert not drop(page, text)
    web = QMimeData()
    web.setUrls([QUrl("https://example.org/model.rkllm")])
    assert not drop(page, web)
    own = mime_of(rkllm_item.path)
    own.setData(ITEM_MIME, rkllm_item.id.encode())
    assert not drop(page, own)


def test_a_folder_is_chosen_in_a_dialog(library_page: LibraryPage, qtbot: QtBot, tmp_path: Path) -> None:
    page = library_page
    folder = write_random_model(tmp_path / "Chosen")
    qtbot.mouseClick(page.add, Qt.MouseButton.LeftButton)
    dialog = page.findChild(QFileDialog)
    assert dialog is not None
    dialog.setDirectory(str(tmp_path))
    dialog.selectFile(str(folder))
    dialog.accept()
    qtbot.waitUntil(lambda: rows(page.view) == ["Chosen"], timeout=SLACK_MS)
    flush()
    assert page.findChild(QFileDialog) is None


@pytest.fixture
def drags(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], str, bool]]:
    """What the window system is given to carry: addresses, item id, whether there is a picture."""
    carried: list[tuple[list[str], str, bool]] = []

    def carry(drag: QDrag, *_actions: object) -> Qt.DropAction:
        mime = drag.mimeData()
        item = bytes(mime.data(ITEM_MIME).data()).decode()
        carried.append(([url.toLocalFile() for url in mime.urls()], item, not drag.pixmap().isNull()))
        return Qt.DropAction.IgnoreAction

    monkeypatch.setattr(QDrag, "exec", carry)
    return carried


def test_a_ready_model_is_carried_out_and_a_source_is_not(
    source_item: LibraryItem,
    rkllm_item: LibraryItem,
    library_page: LibraryPage,
    drags: list[tuple[list[str], str, bool]],
) -> None:
    page = library_page
    press_and_move(page.view.viewport(), row_centre(page.view, "Tiny"))
    assert drags == []
    press_and_move(page.view.viewport(), row_centre(page.view, "Tiny_W8A8_RK3588 (SIMULATED)"))
    assert drags == [([str(rkllm_item.path)], rkllm_item.id, True)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with demo_board(tmp_path_factory.mktemp("board"), "--soc", "rk3588") as found:
        yield found


@pytest.fixture
def board(server: SshServer, services: Services, desk: Desk, qtbot: QtBot) -> Iterator[str]:
    """A simulated board in the registry, visited once; no visit outlives the test."""
    folder = server.home.parent
    draft = boards_use.BoardDraft(
        "desk", f"{server.user}@{server.host}:{server.port}", server.key_file, store=str(folder / "store"),
        sysroot=str(folder / "root"),
    )  # fmt: skip
    yield boards_use.add_board(services, draft, server.fingerprint).name
    qtbot.waitUntil(lambda: not any(view.visiting for view in desk.boards.views), timeout=SLACK_MS)


def open_deploy_menu(page: LibraryPage, qtbot: QtBot) -> QMenu:
    qtbot.mouseClick(page.detail.deploy, Qt.MouseButton.LeftButton)
    menu = page.detail.boards
    qtbot.waitUntil(menu.isVisible, timeout=SLACK_MS)
    qtbot.waitUntil(lambda: page.detail.boards.judgement("desk") is not None, timeout=SLACK_MS)
    return menu


def test_deploy_names_the_verdict_of_each_board_and_sends(
    board: str, rkllm_item: LibraryItem, library_page: LibraryPage, desk: Desk, ear: Ear, qtbot: QtBot
) -> None:
    page = library_page
    menu = open_deploy_menu(page, qtbot)
    assert menu.actions()[0].text().startswith("desk: It will use about")
    assert "of disk free after" in menu.actions()[0].toolTip()
    assert menu.actions()[-1].text() == "Choose on the Boards page"
    qtbot.keyClick(menu, Qt.Key.Key_Down)
    qtbot.keyClick(menu, Qt.Key.Key_Return)
    qtbot.waitUntil(
        lambda: [record.state for record in desk.jobs.records] == [JobState.SUCCEEDED], timeout=SLACK_MS
    )
    assert desk.jobs.records[0].spec.board == board
    told = next(notice for notice in ear.noticed if notice.text.startswith("Sending"))
    assert told.text == "Sending Tiny_W8A8_RK3588 to desk."
    assert told.destination == Destination("boards", "desk")
    menu = open_deploy_menu(page, qtbot)
    menu.actions()[-1].trigger()
    menu.close()
    assert ear.went[-1] == Destination("boards", DeployWish(rkllm_item.path))


def test_a_file_for_another_soc_is_sent_only_after_a_question(
    board: str, services: Services, desk: Desk, library_page: LibraryPage, qtbot: QtBot, tmp_path: Path
) -> None:
    page = library_page
    item = use.add_path(services, write_tiny_model(tmp_path / "Other_RK3576.rkllm", platform="rk3576"))
    with qtbot.waitSignal(desk.library.loaded, timeout=SLACK_MS):
        desk.library.refresh()
    select(page, item)
    menu = open_deploy_menu(page, qtbot)
    entry = menu.actions()[0]
    assert entry.isEnabled()
    assert "RK3576" in entry.text().upper()
    entry.trigger()
    menu.close()
    box = question(page, qtbot)
    assert "Other_RK3576 to desk" in box.text()
    assert "RK3576" in box.informativeText().upper()
    qtbot.keyClick(box, Qt.Key.Key_Escape)
    flush()
    assert len(desk.jobs.records) == 0
    menu = open_deploy_menu(page, qtbot)
    menu.actions()[0].trigger()
    menu.close()
    press(question(page, qtbot), "confirmForce", qtbot)
    qtbot.waitUntil(lambda: len(desk.jobs.records) == 1, timeout=SLACK_MS)
    assert desk.jobs.records[0].spec.params["force"] is True
    qtbot.waitUntil(lambda: desk.jobs.records[0].state.is_terminal, timeout=SLACK_MS)


def test_what_no_board_can_load_cannot_be_chosen_and_says_why(
    board: str, services: Services, desk: Desk, library_page: LibraryPage, qtbot: QtBot, tmp_path: Path
) -> None:
    page = library_page
    path = write_tiny_model(tmp_path / "Gone.rkllm")
    item = use.add_path(services, path)
    path.write_text("<!DOCTYPE html><html></html>")
    with qtbot.waitSignal(desk.library.loaded, timeout=SLACK_MS):
        desk.library.refresh()
    select(page, item)
    menu = open_deploy_menu(page, qtbot)
    assert not menu.actions()[0].isEnabled()
    assert "Gone.rkllm" in menu.actions()[0].text()
    menu.close()
