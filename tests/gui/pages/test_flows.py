"""The pages on real parts: hub, toolkit and board of the demo; what goes wrong on the way, and what may be stopped."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QListView, QPushButton
from pytestqt.qtbot import QtBot

from core.convert.recipe import Recipe
from core.demo.container import MAGIC
from core.services import Services
from core.showcase.parts import BOARD_NAME, DEMO_REPO, DemoParts, prepare, running_parts
from core.usecases.library import add_path
from gui.desk import Desk
from gui.dialogs.add_board import AddBoardDialog
from gui.dialogs.host_key import HostKeyDialog
from gui.pages.boards.card import BoardCard
from gui.pages.boards.chat import ChatPanel
from gui.pages.boards.page import BoardsPage
from gui.pages.convert.page import ConvertPage
from gui.pages.discover.page import DiscoverPage
from tests.gui.conftest import flush

ROOT = Path(__file__).parents[3]
SLACK_MS = 30_000


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoParts]:
    with running_parts(tmp_path_factory.mktemp("parts")) as running:
        yield running


@pytest.fixture
def ready(services: Services, parts: DemoParts) -> Services:
    """A home that knows the demo's hub, toolkit and board."""
    services.settings = replace(services.settings, hub_endpoint=parts.hub_url)
    prepare(services, parts)
    return services


@pytest.fixture
def catalogue() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-m", "core.demo.hub.server", "--catalogue", "230"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as hub:  # fmt: skip
        assert hub.stdout is not None
        assert hub.stdin is not None
        yield json.loads(hub.stdout.readline())["url"]
        hub.stdin.close()
        hub.wait(15)


def discover(desk: Desk) -> DiscoverPage:
    page = DiscoverPage(desk)
    page.resize(1000, 650)
    page.show()
    page.enter(None)
    return page


def close(widget: BoardsPage | DiscoverPage | ConvertPage) -> None:
    widget.close()
    widget.deleteLater()
    flush()


def test_results_go_on_to_the_last_one_and_none_comes_twice(
    services: Services, catalogue: str, qtbot: QtBot
) -> None:
    services.settings = replace(services.settings, hub_endpoint=catalogue)
    desk = Desk(services)
    page = discover(desk)
    view = page.findChild(QListView, "resultsView")
    assert isinstance(view, QListView)

    def all_there() -> bool:
        view.verticalScrollBar().setValue(view.verticalScrollBar().maximum())
        return view.model().rowCount() == 230

    qtbot.waitUntil(all_there, timeout=SLACK_MS)
    names = [model.repo for model in page.results.records]
    assert len(set(names)) == 230
    assert not page.results.has_more
    page.search.setText("catalogue-00007")
    page._on_return()
    qtbot.waitUntil(
        lambda: [m.repo for m in page.results.records] == ["rkdeck-demo/catalogue-00007"], timeout=SLACK_MS
    )
    close(page)
    desk.close()
    desk.deleteLater()
    flush()


def test_an_absent_hub_is_said_in_place_and_can_be_tried_again(
    services: Services, parts: DemoParts, qtbot: QtBot
) -> None:
    services.settings = replace(services.settings, hub_endpoint="http://127.0.0.1:9")
    desk = Desk(services)
    page = discover(desk)
    qtbot.waitUntil(page._message.action.isVisible, timeout=SLACK_MS)
    assert "127.0.0.1:9" in page._message.title.text()
    close(page)
    desk.close()
    desk.deleteLater()
    flush()


def test_an_answer_for_a_model_no_longer_selected_is_dropped(
    ready: Services, desk: Desk, qtbot: QtBot
) -> None:
    page = discover(desk)
    page.pane.show_model("nobody/nothing")
    page.pane.show_model(DEMO_REPO)
    qtbot.waitUntil(lambda: page.pane.memory.estimate is not None, timeout=SLACK_MS)
    assert not page.pane.problem.isVisible()
    level = page.pane.memory.table.selected()
    assert level is not None
    assert level.dtype == "w8a8"
    page.pane.memory.context.setValue(512)
    qtbot.waitUntil(
        lambda: (e := page.pane.memory.estimate) is not None and e.context == 512, timeout=SLACK_MS
    )
    close(page)


@pytest.fixture
def boards(ready: Services, desk: Desk, qtbot: QtBot) -> Iterator[BoardsPage]:
    page = BoardsPage(desk)
    page.resize(1000, 650)
    page.show()
    desk.start()
    qtbot.waitUntil(lambda: BOARD_NAME in page._cards, timeout=SLACK_MS)
    qtbot.waitUntil(lambda: page._cards[BOARD_NAME].view.status is not None, timeout=SLACK_MS)
    yield page
    close(page)


def card_of(page: BoardsPage) -> BoardCard:
    return page._cards[BOARD_NAME]


def mime_of(*paths: Path) -> QMimeData:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return mime


def enter(card: BoardCard, mime: QMimeData) -> bool:
    event = QDragEnterEvent(
        card.rect().center(),
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(card, event)
    return event.isAccepted()


def move(card: BoardCard, mime: QMimeData) -> bool:
    event = QDragMoveEvent(
        card.rect().center(),
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(card, event)
    return event.isAccepted()


def drop(card: BoardCard, mime: QMimeData) -> bool:
    event = QDropEvent(
        QPointF(card.rect().center()), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QApplication.sendEvent(card, event)
    return event.isAccepted()


def test_words_and_several_files_are_no_model(boards: BoardsPage, tmp_path: Path) -> None:
    words = QMimeData()
    words.setText("a model")
    assert not enter(card_of(boards), words)
    assert not enter(card_of(boards), mime_of(tmp_path / "a.rkllm", tmp_path / "b.rkllm"))
    assert not card_of(boards).verdict_label.isVisible()


def test_a_file_that_is_no_model_is_refused_while_it_hovers(
    boards: BoardsPage, desk: Desk, tmp_path: Path, qtbot: QtBot
) -> None:
    file, card = tmp_path / "notes.rkllm", card_of(boards)
    file.write_bytes(b"GGUF" + b"\0" * 8000)
    enter(card, mime_of(file))
    qtbot.waitUntil(lambda: card.property("drop") == "failed", timeout=SLACK_MS)
    assert "gguf" in card.verdict_label.text().lower()
    assert not move(card, mime_of(file))
    assert not drop(card, mime_of(file))
    assert not [record for record in desk.jobs.records if record.spec.kind == "deploy"]


def test_a_refusal_that_can_be_overridden_asks_on_the_card(
    boards: BoardsPage, desk: Desk, tmp_path: Path, qtbot: QtBot
) -> None:
    file, card = tmp_path / "damaged.rkllm", card_of(boards)
    file.write_bytes(MAGIC + b"\0" * 8000)
    enter(card, mime_of(file))
    qtbot.waitUntil(lambda: card.judgement is not None, timeout=SLACK_MS)
    assert card.judgement is not None
    assert card.judgement.verdict == "failed"
    if card.judgement.overridable:
        assert drop(card, mime_of(file))
        assert card.force.isVisible()
        card.leave.click()
    assert not card.force.isVisible()
    assert not [record for record in desk.jobs.records if record.spec.kind == "deploy"]


def test_a_board_is_added_after_its_key_was_compared_and_not_before(
    ready: Services, parts: DemoParts, desk: Desk, qtbot: QtBot
) -> None:
    ready.boards.remove(BOARD_NAME)
    ready.host_keys.forget("127.0.0.1", int(str(parts.board["port"])))
    dialog = AddBoardDialog(desk)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.name.setText("bench-board")
    dialog.address.setText(f"{parts.board['user']}@127.0.0.1:{parts.board['port']}")
    dialog.key_file.setText(str(parts.identity_file))

    def ask() -> HostKeyDialog:
        qtbot.mouseClick(dialog.connect_button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: isinstance(dialog._asking, HostKeyDialog), timeout=SLACK_MS)
        assert isinstance(dialog._asking, HostKeyDialog)
        return dialog._asking

    first = ask()
    assert str(parts.board["host_key_sha256"]) in first.key.text()
    first.reject()
    assert ready.boards.list() == []
    assert dialog.name.text() == "bench-board"
    second = ask()
    accept = second.findChild(QPushButton, "acceptKeyButton")
    assert accept is not None
    with qtbot.waitSignal(dialog.added, timeout=SLACK_MS):
        qtbot.mouseClick(accept, Qt.MouseButton.LeftButton)
    assert [board.name for board in ready.boards.list()] == ["bench-board"]
    ready.boards.remove("bench-board")


def test_a_board_that_cannot_be_reached_is_said_in_the_dialog(
    ready: Services, desk: Desk, qtbot: QtBot
) -> None:
    dialog = AddBoardDialog(desk)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.name.setText("nowhere")
    dialog.address.setText("root@127.0.0.1:9")
    qtbot.mouseClick(dialog.connect_button, Qt.MouseButton.LeftButton)
    message = dialog.findChild(QLabel, "addBoardMessage")
    assert message is not None
    qtbot.waitUntil(lambda: "127.0.0.1" in message.text(), timeout=SLACK_MS)
    assert dialog.isVisible()
    assert "nowhere" not in [board.name for board in ready.boards.list()]


def test_asking_where_nothing_is_served_is_said_and_the_question_can_be_put_again(
    ready: Services, desk: Desk, qtbot: QtBot
) -> None:
    panel = ChatPanel(desk, BOARD_NAME)
    qtbot.addWidget(panel)
    panel.show()
    panel.prompt.setPlainText("Anybody there?")
    qtbot.keyClick(panel.prompt, Qt.Key.Key_Return)
    assert panel.stop.isEnabled()
    qtbot.waitUntil(panel.send.isEnabled, timeout=SLACK_MS)
    assert BOARD_NAME in panel.figures.text()
    assert panel._messages == []


def test_a_problem_of_a_recipe_is_cured_by_its_button(ready: Services, desk: Desk, qtbot: QtBot) -> None:
    add_path(ready, ROOT / "resources" / "demo" / "wonderland-1m")
    page = ConvertPage(desk)
    page.resize(1000, 650)
    page.show()
    desk.start()
    page.enter(None)
    qtbot.waitUntil(page.start.isEnabled, timeout=SLACK_MS)
    page.form.show_recipe(Recipe("rk3588", "w8a8", 4096, algorithm="gdq"))
    qtbot.waitUntil(lambda: page.findChild(QPushButton, "fixButton") is not None, timeout=SLACK_MS)
    assert not page.start.isEnabled()
    remedy = page.findChild(QPushButton, "fixButton")
    assert remedy is not None
    remedy.click()
    qtbot.waitUntil(page.start.isEnabled, timeout=SLACK_MS)
    assert page.form.recipe().algorithm == "normal"
    close(page)


def test_search_field_leads_into_the_results_by_key(ready: Services, desk: Desk, qtbot: QtBot) -> None:
    page = discover(desk)
    qtbot.waitUntil(lambda: len(page.results.records) > 0, timeout=SLACK_MS)
    field = page.findChild(QLineEdit, "searchField")
    assert field is not None
    field.setFocus()
    qtbot.keyClick(field, Qt.Key.Key_Down)
    assert page.view.hasFocus()
    assert page.pane.repo == page.results.records[0].repo
    close(page)
