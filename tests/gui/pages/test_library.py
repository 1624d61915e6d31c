"""The Library page on the real core: shown, filtered, verified, removed, dropped in, dragged out, sent to a board."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QDrag, QDragEnterEvent, QDropEvent, QGuiApplication, QMouseEvent
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QLabel,
    QMenu,
    QMessageBox,
    QPushButton,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from core.base.errors import JsonValue
from core.base.paths import AppPaths
from core.jobs.model import JobState
from core.library.library import LibraryFile, LibraryItem
from core.services import Services
from core.usecases import boards as boards_use
from core.usecases import library as use
from gui.desk import Desk, Destination, Notice
from gui.pages.boards.page import DeployWish
from gui.pages.library.page import LibraryPage
from gui.theme import ThemeSwitch
from gui.widgets.drag import ITEM_MIME
from tests.gui.conftest import flush
from tests.support.models import write_random_model
from tests.support.sshd import SshServer, demo_board
from tests.support.tiny_model import write_tiny_model

SLACK_MS = 20_000
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support grabbing the keyboard")


class Ear:
    """Hears where the pages want to go and what they say."""

    def __init__(self, desk: Desk) -> None:
        self.went: list[Destination] = []
        self.noticed: list[Notice] = []
        desk.went.connect(self.went.append)
        desk.noticed.connect(self.noticed.append)


@pytest.fixture
def ear(desk: Desk) -> Ear:
    return Ear(desk)


@pytest.fixture
def source(services: Services, tmp_path: Path) -> LibraryItem:
    return use.add_path(services, write_random_model(tmp_path / "Tiny-Source"))


@pytest.fixture
def ready(services: Services, tmp_path: Path) -> LibraryItem:
    return use.add_path(services, write_tiny_model(tmp_path / "Tiny_W8A8_RK3588.rkllm"))


@pytest.fixture
def page(desk: Desk, ear: Ear, themes: ThemeSwitch, qtbot: QtBot) -> Iterator[LibraryPage]:
    made = LibraryPage(desk)
    made.resize(1090, 690)
    made.show()
    qtbot.waitExposed(made)
    desk.start()
    qtbot.waitUntil(lambda: desk.library.is_loaded and desk.boards.is_loaded, timeout=SLACK_MS)
    yield made
    made.close()
    made.deleteLater()
    flush()


def titles(page: LibraryPage) -> list[str]:
    model = page.view.model()
    return [str(model.index(row, 0).data()) for row in range(model.rowCount())]


def select(page: LibraryPage, item: LibraryItem) -> None:
    page.enter(item.id)
    assert page.detail.item is not None
    assert page.detail.item.id == item.id


def row_centre(page: LibraryPage, text: str) -> QPoint:
    row = next(row for row, title in enumerate(titles(page)) if text in title)
    return page.view.visualRect(page.view.model().index(row, 0)).center()


def texts(widget: QWidget) -> str:
    flush()  # what was put into a layout just now is shown by the event loop
    return "\n".join(
        getattr(part, "full_text", part.text()) for part in widget.findChildren(QLabel) if part.isVisible()
    )


def question(page: LibraryPage, qtbot: QtBot) -> QMessageBox:
    qtbot.waitUntil(lambda: bool(page.findChildren(QMessageBox)))
    return page.findChildren(QMessageBox)[0]


def press(box: QMessageBox, name: str, qtbot: QtBot) -> None:
    found = next(made for made in box.buttons() if made.objectName() == name)
    qtbot.mouseClick(found, Qt.MouseButton.LeftButton)


def test_an_empty_library_says_why_and_leads_on(page: LibraryPage, ear: Ear, qtbot: QtBot) -> None:
    assert "No models yet" in texts(page)
    page.focus_first()
    focused = QApplication.focusWidget()
    assert isinstance(focused, QPushButton)
    qtbot.keyClick(focused, Qt.Key.Key_Space)
    assert ear.went == [Destination("discover")]


def test_a_table_of_what_there_is(
    source: LibraryItem, ready: LibraryItem, page: LibraryPage, check_model: Callable[..., None]
) -> None:
    model = page.view.model()
    check_model(model)
    assert titles(page) == ["Tiny_W8A8_RK3588 (SIMULATED)", "Tiny-Source"]
    cells = [[str(model.index(row, column).data()) for column in range(1, 5)] for row in range(2)]
    assert cells[0][:3] == [".rkllm", "w8a8", "RK3588"]
    assert cells[1][:3] == ["source", "-", "-"]
    assert all("iB" in row[3] for row in cells)
    assert page.detail.item is not None
    assert page.detail.item.id == ready.id
    assert page.detail.deploy.isVisible()
    assert not page.detail.convert.isVisible()


def test_filter_by_name_and_kind_and_back(
    source: LibraryItem, ready: LibraryItem, page: LibraryPage, qtbot: QtBot, check_model: Callable[..., None]
) -> None:
    check_model(page.view.model())
    qtbot.keyClicks(page.search, "w8a8 tiny")
    assert titles(page) == ["Tiny_W8A8_RK3588 (SIMULATED)"]
    page.search.clear()
    page.kind.setCurrentIndex(page.kind.findData("source"))
    assert titles(page) == ["Tiny-Source"]
    assert page.detail.item is not None
    assert page.detail.item.id == source.id
    qtbot.keyClicks(page.search, "nothing like it")
    assert titles(page) == []
    assert "Select a model" in page.detail.title.text()
    assert "No model matches" in texts(page)
    show_all = next(made for made in page.findChildren(QPushButton) if made.text() == "Show all models")
    qtbot.mouseClick(show_all, Qt.MouseButton.LeftButton)
    assert len(titles(page)) == 2
    assert page.search.text() == ""


def test_a_click_on_a_header_sorts_and_the_selection_stays(
    source: LibraryItem, ready: LibraryItem, page: LibraryPage, qtbot: QtBot, check_model: Callable[..., None]
) -> None:
    check_model(page.view.model())
    select(page, ready)
    header = page.view.horizontalHeader()

    def click(column: int) -> None:
        place = QPoint(header.sectionViewportPosition(column) + 20, header.height() // 2)
        qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=place)

    click(0)
    assert titles(page) == ["Tiny-Source", "Tiny_W8A8_RK3588 (SIMULATED)"]
    click(0)
    assert titles(page)[0].startswith("Tiny_W8A8")
    assert str(page.view.model().headerData(0, Qt.Orientation.Horizontal)) == "Model ↓"
    click(4)
    assert titles(page)[0] == "Tiny-Source"  # the larger one
    assert page.detail.item is not None
    assert page.detail.item.id == ready.id


def test_a_narrow_table_gives_up_columns_but_not_the_title(
    source: LibraryItem, page: LibraryPage, qtbot: QtBot
) -> None:
    page.resize(760, 480)
    qtbot.waitUntil(lambda: page.view.isColumnHidden(3))
    assert page.view.columnWidth(0) >= 200
    shown = [column for column in range(6) if not page.view.isColumnHidden(column)]
    assert {0, 4} <= set(shown)
    assert sum(page.view.columnWidth(column) for column in shown) <= page.view.viewport().width()
    page.resize(1500, 690)
    qtbot.waitUntil(lambda: not any(page.view.isColumnHidden(column) for column in range(6)))


def converted(services: Services, paths: AppPaths) -> LibraryItem:
    """A file of the library's own folder, as a conversion leaves one."""
    folder = paths.library / "rkllm"
    folder.mkdir(parents=True, exist_ok=True)
    path = write_tiny_model(folder / "Own_W8A8_RK3588.rkllm")
    added = use.add_path(services, path)
    recipe: dict[str, JsonValue] = {"platform": "rk3588", "dtype": "w8a8", "context": 256, "lora": None}
    provenance: dict[str, JsonValue] = {
        **added.provenance, "recipe": recipe, "simulated": True, "ram_bytes": 3 << 30,
        "toolkit": {"python": "/x/python", "version": "1.3.0+simulated", "simulated": True},
    }  # fmt: skip
    return services.library.register(
        kind="rkllm", title="Own_W8A8_RK3588", path=path, files=added.files, repo="Qwen/Qwen3-1.7B",
        revision="0123456789abcdef0123456789abcdef01234567", provenance=provenance,
    )  # fmt: skip


def test_the_detail_tells_where_it_came_from_and_copies_the_digest(
    services: Services, paths: AppPaths, desk: Desk, page: LibraryPage, qtbot: QtBot
) -> None:
    item = converted(services, paths)
    with qtbot.waitSignal(desk.library.loaded):
        desk.library.refresh()
    select(page, item)
    shown = texts(page.detail)
    for expected in (
        "Qwen/Qwen3-1.7B", "0123456789ab", "rkllm-toolkit 1.3.0+simulated (SIMULATED)", "dtype w8a8", "3.00 GiB",
        "256 tokens", "LlamaForCausalLM", str(item.path),
    ):  # fmt: skip
        assert expected in shown
    assert "lora" not in shown
    digest = item.files[0].sha256
    assert digest is not None
    assert digest not in shown
    assert f"{digest[:12]}…" in shown
    copy = page.detail.findChild(QToolButton, "copy:sha256")
    qtbot.mouseClick(copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == digest


def test_many_files_are_listed_in_part(
    services: Services, desk: Desk, page: LibraryPage, tmp_path: Path
) -> None:
    files = [LibraryFile(f"part-{number:03d}.safetensors", 1 << 30, None) for number in range(120)]
    item = services.library.register(kind="source", title="Big", path=tmp_path / "big", files=files)
    desk.library.items.insert(0, [item])
    page._update()
    select(page, item)
    assert "120 files" in texts(page.detail)
    assert "and 80 more" in texts(page.detail)


def test_verify_tells_in_place(ready: LibraryItem, page: LibraryPage, qtbot: QtBot) -> None:
    detail = page.detail
    qtbot.mouseClick(detail.verify, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: detail.outcome.state == "ok", timeout=SLACK_MS)
    assert detail.outcome.text() == "Everything is as it was stored."
    content = bytearray(ready.path.read_bytes())
    content[-1] ^= 1
    ready.path.write_bytes(content)
    qtbot.mouseClick(detail.verify, Qt.MouseButton.LeftButton)
    assert not detail.verify.isEnabled()
    qtbot.waitUntil(lambda: detail.outcome.state == "bad", timeout=SLACK_MS)
    assert "its checksum differs" in detail.message.text()
    assert detail.verify.isEnabled()


def test_a_verification_survives_a_refresh_and_is_dropped_with_the_selection(
    source: LibraryItem, ready: LibraryItem, desk: Desk, page: LibraryPage, qtbot: QtBot
) -> None:
    select(page, ready)
    page.detail.verify.click()
    with qtbot.waitSignal(desk.library.loaded):
        desk.library.refresh()
    qtbot.waitUntil(lambda: page.detail.outcome.state == "ok", timeout=SLACK_MS)
    page.detail.verify.click()
    select(page, source)
    assert not page.detail.outcome.isVisible()
    assert page.detail.verify.isEnabled()
    page.detail.verify.click()
    qtbot.waitUntil(lambda: "no checksums" in page.detail.outcome.text(), timeout=SLACK_MS)


def test_removing_asks_with_name_and_size_and_leaves_foreign_files(
    ready: LibraryItem, desk: Desk, ear: Ear, page: LibraryPage, qtbot: QtBot
) -> None:
    page.activateWindow()
    page.focus_first()
    qtbot.waitUntil(page.view.hasFocus)
    qtbot.keyClick(page.view, Qt.Key.Key_Delete)
    box = question(page, qtbot)
    assert "Tiny_W8A8_RK3588" in box.text()
    assert "KiB" in box.text()
    assert "stay where they are" in box.informativeText()
    assert box.defaultButton().text() == "Keep"
    qtbot.keyClick(box, Qt.Key.Key_Escape)
    flush()
    assert titles(page) == ["Tiny_W8A8_RK3588 (SIMULATED)"]
    qtbot.mouseClick(page.detail.remove, Qt.MouseButton.LeftButton)
    press(question(page, qtbot), "confirmRemove", qtbot)
    qtbot.waitUntil(lambda: titles(page) == [], timeout=SLACK_MS)
    assert ready.path.exists()
    assert ear.noticed[-1].text == "Removed Tiny_W8A8_RK3588."
    assert page.detail.item is None


def test_removing_deletes_what_is_in_our_own_folder(
    services: Services, paths: AppPaths, desk: Desk, page: LibraryPage, qtbot: QtBot
) -> None:
    item = converted(services, paths)
    with qtbot.waitSignal(desk.library.loaded):
        desk.library.refresh()
    select(page, item)
    page.detail.remove.click()
    box = question(page, qtbot)
    assert "deleted from this computer" in box.informativeText()
    press(box, "confirmRemove", qtbot)
    qtbot.waitUntil(lambda: not item.path.exists(), timeout=SLACK_MS)
    qtbot.waitUntil(lambda: titles(page) == [], timeout=SLACK_MS)


def mime_of(*paths: Path) -> QMimeData:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return mime


def drop(page: LibraryPage, mime: QMimeData) -> bool:
    """Carry something over the table and let go; returns whether it was taken."""
    target, place = page, QPointF(page.view.geometry().center())
    actions = Qt.DropAction.CopyAction | Qt.DropAction.MoveAction
    enter = QDragEnterEvent(
        place.toPoint(), actions, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(target, enter)
    if not enter.isAccepted():
        return False
    event = QDropEvent(place, actions, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(target, event)
    # A move would have the file manager delete what it gave.
    assert event.dropAction() == Qt.DropAction.CopyAction
    return event.isAccepted()


def test_folders_and_files_dropped_in_are_added(
    page: LibraryPage, ear: Ear, qtbot: QtBot, tmp_path: Path, check_model: Callable[..., None]
) -> None:
    check_model(page.view.model())
    folder = write_random_model(tmp_path / "Dropped")
    file = write_tiny_model(tmp_path / "Dropped_W8A8.rkllm")
    assert drop(page, mime_of(folder, file))
    assert page.busy.isVisible()
    assert page.busy.text() == "Reading Dropped ... 1 more waits"
    qtbot.waitUntil(lambda: len(titles(page)) == 2, timeout=SLACK_MS)
    qtbot.waitUntil(lambda: not page.busy.isVisible(), timeout=SLACK_MS)
    assert [notice.text for notice in ear.noticed] == ["Added Dropped.", "Added Dropped_W8A8."]
    qtbot.waitUntil(lambda: page.detail.item is not None and page.detail.item.path == file, timeout=SLACK_MS)


def test_what_is_no_model_is_refused_in_words_and_the_rest_is_added(
    page: LibraryPage, ear: Ear, qtbot: QtBot, tmp_path: Path
) -> None:
    wrong, page_file = tmp_path / "holiday", tmp_path / "page.rkllm"
    wrong.mkdir()
    page_file.write_text("<!DOCTYPE html><html><body>404</body></html>")
    good = write_random_model(tmp_path / "Good")
    assert drop(page, mime_of(wrong, page_file, good))
    qtbot.waitUntil(lambda: titles(page) == ["Good"], timeout=SLACK_MS)
    told = [notice for notice in ear.noticed if notice.kind == "bad"]
    assert "holiday is not a model folder: it has no config.json." in told[0].text
    assert "page.rkllm" in told[1].text
    assert all(notice.hint for notice in told)


def test_text_and_our_own_rows_are_not_taken(page: LibraryPage, ready: LibraryItem) -> None:
    text = QMimeData()
    text.setText("/etc/passwd")
    assert not drop(page, text)
    web = QMimeData()
    web.setUrls([QUrl("https://example.org/model.rkllm")])
    assert not drop(page, web)
    own = mime_of(ready.path)
    own.setData(ITEM_MIME, ready.id.encode())
    assert not drop(page, own)


def test_a_folder_is_chosen_in_a_dialog(page: LibraryPage, qtbot: QtBot, tmp_path: Path) -> None:
    folder = write_random_model(tmp_path / "Chosen")
    qtbot.mouseClick(page.add, Qt.MouseButton.LeftButton)
    dialog = page.findChild(QFileDialog)
    assert dialog is not None
    dialog.setDirectory(str(tmp_path))
    dialog.selectFile(str(folder))
    dialog.accept()
    qtbot.waitUntil(lambda: titles(page) == ["Chosen"], timeout=SLACK_MS)
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


def press_and_move(page: LibraryPage, start: QPoint, steps: int = 6) -> None:
    """The mouse goes down on a row and moves while it is held, as a hand does."""
    viewport = page.view.viewport()

    def send(kind: QEvent.Type, place: QPoint, buttons: Qt.MouseButton) -> None:
        button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
        over_all = QPointF(viewport.mapToGlobal(place))
        event = QMouseEvent(kind, QPointF(place), over_all, button, buttons, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(viewport, event)

    send(QEvent.Type.MouseButtonPress, start, Qt.MouseButton.LeftButton)
    for step in range(1, steps + 1):
        send(QEvent.Type.MouseMove, start + QPoint(8 * step, 3 * step), Qt.MouseButton.LeftButton)
    send(QEvent.Type.MouseButtonRelease, start + QPoint(8 * steps, 3 * steps), Qt.MouseButton.NoButton)


def test_a_ready_model_is_carried_out_and_a_source_is_not(
    source: LibraryItem, ready: LibraryItem, page: LibraryPage, drags: list[tuple[list[str], str, bool]]
) -> None:
    press_and_move(page, row_centre(page, "Tiny-Source"))
    assert drags == []
    press_and_move(page, row_centre(page, "Tiny_W8A8"))
    assert drags == [([str(ready.path)], ready.id, True)]


def test_keys_do_what_the_mouse_does(
    source: LibraryItem, ready: LibraryItem, page: LibraryPage, ear: Ear, qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    page.focus_first()
    select(page, source)
    qtbot.keyClick(page.view, Qt.Key.Key_Return)
    assert ear.went == [Destination("convert", source.id)]
    qtbot.keyClick(page.view, Qt.Key.Key_Up)
    assert page.detail.item is not None
    assert page.detail.item.id == ready.id
    page.detail.folder.click()
    assert opened == [str(ready.path.parent)]
    qtbot.keyClick(page.view, Qt.Key.Key_Return)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    assert [action.text() for action in menu.actions()] == ["Add a board first"]
    qtbot.keyClick(menu, Qt.Key.Key_Down)
    qtbot.keyClick(menu, Qt.Key.Key_Return)
    assert ear.went[-1] == Destination("boards")
    page._on_menu(QPoint(5, 5))
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    assert [action.text() for action in menu.actions() if action.text()] == [
        "Deploy", "Verify", "Copy the path", "Open the folder", "Remove",
    ]  # fmt: skip
    next(action for action in menu.actions() if action.text() == "Copy the path").trigger()
    assert QGuiApplication.clipboard().text() == str(ready.path)
    menu.close()


def test_names_of_strangers_are_never_markup(
    services: Services, desk: Desk, page: LibraryPage, qtbot: QtBot, tmp_path: Path
) -> None:
    title = "<b>bold</b><img src='file:///x.png'>"
    item = services.library.register(
        kind="rkllm", title=title, path=tmp_path / "<i>x.rkllm", files=[LibraryFile("x", 1, None)]
    )
    with qtbot.waitSignal(desk.library.loaded):
        desk.library.refresh()
    select(page, item)
    labels = [label for label in page.detail.findChildren(QLabel) if label.text()]
    assert all(label.textFormat() is Qt.TextFormat.PlainText for label in labels)
    tip = str(page.view.model().index(0, 0).data(Qt.ItemDataRole.ToolTipRole))
    assert "&lt;i&gt;" in tip
    page.detail.remove.click()
    box = question(page, qtbot)
    assert box.textFormat() is Qt.TextFormat.PlainText
    assert title in box.text()
    qtbot.keyClick(box, Qt.Key.Key_Escape)
    flush()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with demo_board(tmp_path_factory.mktemp("board"), "--soc", "rk3588") as found:
        yield found


@pytest.fixture
def board(server: SshServer, services: Services) -> str:
    """A simulated board in the registry, visited once."""
    folder = server.home.parent
    draft = boards_use.BoardDraft(
        "desk", f"{server.user}@{server.host}:{server.port}", server.key_file, store=str(folder / "store"),
        sysroot=str(folder / "root"),
    )  # fmt: skip
    return boards_use.add_board(services, draft, server.fingerprint).name


def open_deploy_menu(page: LibraryPage, qtbot: QtBot) -> QMenu:
    qtbot.mouseClick(page.detail.deploy, Qt.MouseButton.LeftButton)
    menu = page.detail.boards
    qtbot.waitUntil(menu.isVisible)
    qtbot.waitUntil(lambda: page.detail.boards.verdict("desk") is not None, timeout=SLACK_MS)
    return menu


def test_deploy_names_the_verdict_of_each_board_and_sends(
    board: str, ready: LibraryItem, page: LibraryPage, desk: Desk, ear: Ear, qtbot: QtBot
) -> None:
    menu = open_deploy_menu(page, qtbot)
    assert menu.actions()[0].text().startswith("desk: fits")
    assert "fits" in menu.actions()[0].toolTip()
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
    assert ear.went[-1] == Destination("boards", DeployWish(ready.path))


def test_a_file_for_another_soc_is_sent_only_after_a_question(
    board: str, services: Services, desk: Desk, page: LibraryPage, qtbot: QtBot, tmp_path: Path
) -> None:
    item = use.add_path(services, write_tiny_model(tmp_path / "Other_RK3576.rkllm", platform="rk3576"))
    with qtbot.waitSignal(desk.library.loaded):
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
    board: str, services: Services, desk: Desk, page: LibraryPage, qtbot: QtBot, tmp_path: Path
) -> None:
    path = write_tiny_model(tmp_path / "Gone.rkllm")
    item = use.add_path(services, path)
    path.write_text("<!DOCTYPE html><html></html>")
    with qtbot.waitSignal(desk.library.loaded):
        desk.library.refresh()
    select(page, item)
    menu = open_deploy_menu(page, qtbot)
    assert not menu.actions()[0].isEnabled()
    assert "Gone.rkllm" in menu.actions()[0].text()
    menu.close()


def test_the_page_is_freed_with_an_item_shown(
    ready: LibraryItem, desk: Desk, freed_on_delete: Callable[..., None], qtbot: QtBot
) -> None:
    desk.start()
    qtbot.waitUntil(lambda: desk.library.is_loaded, timeout=SLACK_MS)

    def make() -> LibraryPage:
        made = LibraryPage(desk)
        made._on_menu(QPoint(1, 1))
        made._menu.close()
        made.detail.boards._fill()
        return made

    freed_on_delete(make)


@pytest.mark.parametrize(("width", "height"), [(1090, 690), (766, 470)])
def test_pictures_in_spanish(
    width: int, height: int, spanish: None, services: Services, paths: AppPaths, source: LibraryItem,
    ready: LibraryItem, desk: Desk, themes: ThemeSwitch, qtbot: QtBot, shots: Callable[[QWidget, str], Path],
) -> None:  # fmt: skip
    item = converted(services, paths)
    page = LibraryPage(desk)
    page.resize(width, height)
    page.show()
    desk.start()
    qtbot.waitUntil(lambda: len(titles(page)) == 3, timeout=SLACK_MS)
    select(page, item)
    assert "SIMULADO" in texts(page)
    assert page.detail.deploy.text() == "Desplegar"
    assert shots(page, f"library-es-{width}").stat().st_size > 5000
    page.close()
    page.deleteLater()
    flush()


def test_ten_thousand_items_are_filtered_without_a_wait(
    desk: Desk, page: LibraryPage, qtbot: QtBot, tmp_path: Path
) -> None:
    items = [
        LibraryItem(
            id=f"{number:05d}", kind="source", title=f"model-{number}", repo=None, revision=None,
            path=tmp_path / str(number), size_bytes=number, created_unix_s=float(number), provenance={}, files=(),
        )
        for number in range(10_000)
    ]  # fmt: skip
    desk.library.items.replace_all(items, key=lambda item: item.id)
    page._update()
    began = time.perf_counter()
    page.search.setText("model-99")
    assert time.perf_counter() - began < 0.5
    assert len(titles(page)) == 111
