"""The Library page on the real core: shown, filtered, sorted, verified, removed; by mouse and by keys."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import (
    QApplication,
    QLabel,
    QMenu,
    QPushButton,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from core.base.errors import JsonValue
from core.base.paths import AppPaths
from core.library.records import LibraryFile, LibraryItem
from core.services import Services
from core.usecases import library as use
from gui.desk import Desk, Destination
from gui.pages.library.page import LibraryPage
from gui.theme import ThemeSwitch
from tests.gui.conftest import flush
from tests.gui.page_parts import (
    SLACK_MS,
    Ear,
    press,
    question,
    rows,
    texts,
)
from tests.support.models import write_random_model
from tests.support.tiny_model import write_tiny_model

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support grabbing the keyboard")


def select(page: LibraryPage, item: LibraryItem) -> None:
    page.enter(item.id)
    assert page.detail.item is not None
    assert page.detail.item.id == item.id


def test_an_empty_library_says_why_and_leads_on(library_page: LibraryPage, ear: Ear, qtbot: QtBot) -> None:
    page = library_page
    assert "No models yet" in texts(page)
    page.focus_first()
    focused = QApplication.focusWidget()
    assert isinstance(focused, QPushButton)
    qtbot.keyClick(focused, Qt.Key.Key_Space)
    assert ear.went == [Destination("discover")]


def test_a_table_of_what_there_is(
    source_item: LibraryItem,
    rkllm_item: LibraryItem,
    library_page: LibraryPage,
    check_model: Callable[..., None],
) -> None:
    page = library_page
    model = page.view.model()
    check_model(model)
    assert rows(page.view) == ["Tiny_W8A8_RK3588 (SIMULATED)", "Tiny"]
    cells = [[str(model.index(row, column).data()) for column in range(1, 5)] for row in range(2)]
    assert cells[0][:3] == [".rkllm", "w8a8", "RK3588"]
    assert cells[1][:3] == ["source", "-", "-"]
    assert all("iB" in row[3] for row in cells)
    assert page.detail.item is not None
    assert page.detail.item.id == rkllm_item.id
    assert page.detail.deploy.isVisible()
    assert not page.detail.convert.isVisible()


def test_filter_by_name_and_kind_and_back(
    source_item: LibraryItem,
    rkllm_item: LibraryItem,
    library_page: LibraryPage,
    qtbot: QtBot,
    check_model: Callable[..., None],
) -> None:
    page = library_page
    check_model(page.view.model())
    qtbot.keyClicks(page.search, "w8a8 tiny")
    assert rows(page.view) == ["Tiny_W8A8_RK3588 (SIMULATED)"]
    page.search.clear()
    page.kind.setCurrentIndex(page.kind.findData(True))
    assert rows(page.view) == ["Tiny"]
    assert page.detail.item is not None
    assert page.detail.item.id == source_item.id
    qtbot.keyClicks(page.search, "nothing like it")
    assert rows(page.view) == []
    assert "Select a model" in page.detail.title.text()
    assert "No model matches" in texts(page)
    show_all = next(made for made in page.findChildren(QPushButton) if made.text() == "Show all models")
    qtbot.mouseClick(show_all, Qt.MouseButton.LeftButton)
    assert len(rows(page.view)) == 2
    assert page.search.text() == ""


def test_a_click_on_a_header_sorts_and_the_selection_stays(
    source_item: LibraryItem,
    rkllm_item: LibraryItem,
    library_page: LibraryPage,
    qtbot: QtBot,
    check_model: Callable[..., None],
) -> None:
    page = library_page
    check_model(page.view.model())
    select(page, rkllm_item)
    header = page.view.horizontalHeader()

    def click(column: int) -> None:
        place = QPoint(header.sectionViewportPosition(column) + 20, header.height() // 2)
        qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=place)

    click(0)
    assert rows(page.view) == ["Tiny", "Tiny_W8A8_RK3588 (SIMULATED)"]
    click(0)
    assert rows(page.view)[0].startswith("Tiny_W8A8")
    assert str(page.view.model().headerData(0, Qt.Orientation.Horizontal)) == "Model ↓"
    click(4)
    assert rows(page.view)[0] == "Tiny"  # the larger one
    assert page.detail.item is not None
    assert page.detail.item.id == rkllm_item.id


def test_a_narrow_table_gives_up_columns_but_not_the_title(
    source_item: LibraryItem, library_page: LibraryPage, qtbot: QtBot
) -> None:
    page = library_page
    page.resize(760, 480)
    qtbot.waitUntil(lambda: page.view.isColumnHidden(3), timeout=SLACK_MS)
    assert page.view.columnWidth(0) >= 200
    shown = [column for column in range(6) if not page.view.isColumnHidden(column)]
    assert {0, 4} <= set(shown)
    assert sum(page.view.columnWidth(column) for column in shown) <= page.view.viewport().width()
    page.resize(1500, 690)
    qtbot.waitUntil(
        lambda: not any(page.view.isColumnHidden(column) for column in range(6)), timeout=SLACK_MS
    )


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
    services: Services, paths: AppPaths, desk: Desk, library_page: LibraryPage, qtbot: QtBot
) -> None:
    page = library_page
    item = converted(services, paths)
    with qtbot.waitSignal(desk.library.loaded, timeout=SLACK_MS):
        desk.library.refresh()
    select(page, item)
    shown = texts(page.detail)
    for expected in (
        "Qwen/Qwen3-1.7B", "0123456789ab", "rkllm-toolkit 1.3.0+simulated (SIMULATED)", "level w8a8", "3.00 GiB",
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
    services: Services, desk: Desk, library_page: LibraryPage, tmp_path: Path
) -> None:
    page = library_page
    files = [LibraryFile(f"part-{number:03d}.safetensors", 1 << 30, None) for number in range(120)]
    item = services.library.register(kind="source", title="Big", path=tmp_path / "big", files=files)
    desk.library.items.insert(0, [item])
    page._update()
    select(page, item)
    assert "120 files" in texts(page.detail)
    assert "and 80 more" in texts(page.detail)


def test_verify_tells_in_place(rkllm_item: LibraryItem, library_page: LibraryPage, qtbot: QtBot) -> None:
    page = library_page
    detail = page.detail
    qtbot.mouseClick(detail.verify, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: detail.outcome.state == "ok", timeout=SLACK_MS)
    assert detail.outcome.text() == "Everything is as it was stored."
    content = bytearray(rkllm_item.path.read_bytes())
    content[-1] ^= 1
    rkllm_item.path.write_bytes(content)
    qtbot.mouseClick(detail.verify, Qt.MouseButton.LeftButton)
    assert not detail.verify.isEnabled()
    qtbot.waitUntil(lambda: detail.outcome.state == "bad", timeout=SLACK_MS)
    assert "its checksum differs" in detail.message.text()
    assert detail.verify.isEnabled()


def test_a_verification_survives_a_refresh_and_is_dropped_with_the_selection(
    source_item: LibraryItem, rkllm_item: LibraryItem, desk: Desk, library_page: LibraryPage, qtbot: QtBot
) -> None:
    page = library_page
    select(page, rkllm_item)
    page.detail.verify.click()
    with qtbot.waitSignal(desk.library.loaded, timeout=SLACK_MS):
        desk.library.refresh()
    qtbot.waitUntil(lambda: page.detail.outcome.state == "ok", timeout=SLACK_MS)
    page.detail.verify.click()
    select(page, source_item)
    assert not page.detail.outcome.isVisible()
    assert page.detail.verify.isEnabled()
    page.detail.verify.click()
    qtbot.waitUntil(lambda: "no checksums" in page.detail.outcome.text(), timeout=SLACK_MS)


def test_removing_asks_with_name_and_size_and_leaves_foreign_files(
    rkllm_item: LibraryItem, desk: Desk, ear: Ear, library_page: LibraryPage, qtbot: QtBot
) -> None:
    page = library_page
    page.activateWindow()
    page.focus_first()
    qtbot.waitUntil(page.view.hasFocus, timeout=SLACK_MS)
    qtbot.keyClick(page.view, Qt.Key.Key_Delete)
    box = question(page, qtbot)
    assert "Tiny_W8A8_RK3588" in box.text()
    assert "KiB" in box.text()
    assert "stay where they are" in box.informativeText()
    assert box.defaultButton().text() == "Keep"
    qtbot.keyClick(box, Qt.Key.Key_Escape)
    flush()
    assert rows(page.view) == ["Tiny_W8A8_RK3588 (SIMULATED)"]
    qtbot.mouseClick(page.detail.remove, Qt.MouseButton.LeftButton)
    press(question(page, qtbot), "confirmRemove", qtbot)
    qtbot.waitUntil(lambda: rows(page.view) == [], timeout=SLACK_MS)
    assert rkllm_item.path.exists()
    assert ear.noticed[-1].text == "Removed Tiny_W8A8_RK3588."
    assert page.detail.item is None


def test_removing_deletes_what_is_in_our_own_folder(
    services: Services, paths: AppPaths, desk: Desk, library_page: LibraryPage, qtbot: QtBot
) -> None:
    page = library_page
    item = converted(services, paths)
    with qtbot.waitSignal(desk.library.loaded, timeout=SLACK_MS):
        desk.library.refresh()
    select(page, item)
    page.detail.remove.click()
    box = question(page, qtbot)
    assert "deleted from this computer" in box.informativeText()
    press(box, "confirmRemove", qtbot)
    qtbot.waitUntil(lambda: not item.path.exists(), timeout=SLACK_MS)
    qtbot.waitUntil(lambda: rows(page.view) == [], timeout=SLACK_MS)


def test_keys_do_what_the_mouse_does(
    source_item: LibraryItem, rkllm_item: LibraryItem, library_page: LibraryPage, ear: Ear, qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    page = library_page
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    page.focus_first()
    select(page, source_item)
    qtbot.keyClick(page.view, Qt.Key.Key_Return)
    assert ear.went == [Destination("convert", source_item.id)]
    qtbot.keyClick(page.view, Qt.Key.Key_Up)
    assert page.detail.item is not None
    assert page.detail.item.id == rkllm_item.id
    page.detail.folder.click()
    assert opened == [str(rkllm_item.path.parent)]
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
    assert QGuiApplication.clipboard().text() == str(rkllm_item.path)
    menu.close()


def test_names_of_strangers_are_never_markup(
    services: Services, desk: Desk, library_page: LibraryPage, qtbot: QtBot, tmp_path: Path
) -> None:
    page = library_page
    title = "<b>bold</b><img src='file:///x.png'>"
    item = services.library.register(
        kind="rkllm", title=title, path=tmp_path / "<i>x.rkllm", files=[LibraryFile("x", 1, None)]
    )
    with qtbot.waitSignal(desk.library.loaded, timeout=SLACK_MS):
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


def test_the_page_is_freed_with_an_item_shown(
    rkllm_item: LibraryItem, desk: Desk, freed_on_delete: Callable[..., None], qtbot: QtBot
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
    width: int, height: int, spanish: None, services: Services, paths: AppPaths, source_item: LibraryItem,
    rkllm_item: LibraryItem, desk: Desk, themes: ThemeSwitch, qtbot: QtBot, shots: Callable[[QWidget, str], Path],
) -> None:  # fmt: skip
    item = converted(services, paths)
    page = LibraryPage(desk)
    page.resize(width, height)
    page.show()
    desk.start()
    qtbot.waitUntil(lambda: len(rows(page.view)) == 3, timeout=SLACK_MS)
    select(page, item)
    assert "SIMULADO" in texts(page)
    assert "plataforma rk3588, nivel w8a8, contexto 256" in texts(page)
    assert page.detail.deploy.text() == "Desplegar"
    assert shots(page, f"library-es-{width}").stat().st_size > 5000
    page.close()
    page.deleteLater()
    flush()


def test_ten_thousand_items_are_filtered_without_a_wait(
    desk: Desk, library_page: LibraryPage, qtbot: QtBot, tmp_path: Path
) -> None:
    page = library_page
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
    assert time.perf_counter() - began < 3  # a proxy that asks Python for each row takes much longer
    assert len(rows(page.view)) == 111


def test_files_left_out_for_their_names_are_among_the_facts(
    services: Services, library_page: LibraryPage, tmp_path: Path, qtbot: QtBot,
    themes: ThemeSwitch, shots: Callable[[QWidget, str], Path],
) -> None:  # fmt: skip
    folder = write_random_model(tmp_path / "Odd")
    for name in ("turned\u202etxt.exe", "two\nlines.txt", "screenshot 9.41\u202fAM.png"):
        (folder / name).write_text("x")
    item = use.add_path(services, folder)
    library_page.desk.library.refresh()
    qtbot.waitUntil(lambda: len(rows(library_page.view)) == 1, timeout=SLACK_MS)
    select(library_page, item)
    shown = texts(library_page)
    assert "Left out\nturned\\u202etxt.exe, two\\nlines.txt" in shown
    for theme in ("light", "dark"):
        themes.use(theme)
        assert shots(library_page, f"library-left-out-{theme}").stat().st_size > 5000
