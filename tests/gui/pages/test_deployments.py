"""A board in the window: another version, space, files that are there already, a key that has changed."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from core.deploy.layout import UnreadableManifest
from core.services import Services
from core.showcase.parts import BOARD_NAME, DemoParts, prepare, running_parts
from core.usecases import deployment
from gui.desk import Desk
from gui.dialogs.changed_key import ChangedKeyDialog
from gui.pages.boards.deployments import DeploymentsPanel
from gui.pages.boards.page import BoardsPage
from gui.theme import ThemeSwitch
from tests.core.usecases.test_reaching import OTHER_KEY
from tests.gui.conftest import flush
from tests.gui.page_parts import SLACK_MS, Ear, rows
from tests.support.tiny_model import write_tiny_model

JOB_S = 90


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoParts]:
    with running_parts(tmp_path_factory.mktemp("parts")) as running:
        yield running


@pytest.fixture
def ready(services: Services, parts: DemoParts, tmp_path: Path) -> Services:
    """A board with two versions of one model, both of this test alone."""
    services.settings = replace(services.settings, hub_endpoint=parts.hub_url, keep_deployments=5)
    prepare(services, parts)
    path = tmp_path / f"{tmp_path.name}.rkllm"
    for seed in (1, 2):
        write_tiny_model(path, seed=seed)
        (job,) = deployment.start_deploys(services, path, [BOARD_NAME])
        services.jobs.attach(job).result(JOB_S)
    return services


@pytest.fixture
def panel(ready: Services, desk: Desk, themes: ThemeSwitch, qtbot: QtBot) -> Iterator[DeploymentsPanel]:
    desk.start()
    qtbot.waitUntil(lambda: _visited(desk), timeout=SLACK_MS)
    view = desk.boards.get(BOARD_NAME)
    assert view is not None
    made = DeploymentsPanel(desk, view)
    made.resize(420, 640)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.close()
    made.deleteLater()
    flush()


def _visited(desk: Desk) -> bool:
    view = desk.boards.get(BOARD_NAME)
    return view is not None and view.status is not None


def mine(panel: DeploymentsPanel, tmp_path: Path) -> list[int]:
    """Rows of this test's deployment."""
    return [place for place, name in enumerate(rows(panel.table)) if name == tmp_path.name]


def wait_count(panel: DeploymentsPanel, tmp_path: Path, wanted: int, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: len(mine(panel, tmp_path)) == wanted, timeout=SLACK_MS)


def test_what_cannot_be_read_is_shown_as_such(
    panel: DeploymentsPanel, desk: Desk, tmp_path: Path, shots: Callable[[QWidget, str], Path]
) -> None:
    """One damaged manifest hides no other, and is plain text whatever its path says."""
    assert not panel.damaged.isVisible()
    view = desk.boards.get(BOARD_NAME)
    assert view is not None
    assert view.status is not None
    damaged = UnreadableManifest("m", "20260101T000000Z-0123456789ab", "/srv/<b>store</b>/m\x1b.json")
    desk.boards.changed.emit(replace(view, status=replace(view.status, unreadable=(damaged,))))
    assert panel.damaged.isVisible()
    assert "/srv/<b>store</b>/m\\x1b.json" in panel.damaged.text()
    assert len(mine(panel, tmp_path)) == 2
    flush()
    shots(panel, "unreadable")
    desk.boards.changed.emit(view)
    assert not panel.damaged.isVisible()


def test_an_older_version_is_used_again(
    panel: DeploymentsPanel, tmp_path: Path, qtbot: QtBot, shots: Callable[[QWidget, str], Path]
) -> None:
    newest, oldest = mine(panel, tmp_path)
    panel.table.selectRow(newest)
    assert panel.back.text() == "Roll back"
    panel.table.selectRow(oldest)
    assert panel.back.text() == "Use this version"
    shots(panel, "deployments")
    qtbot.mouseClick(panel.back, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: rows(panel.table, 3)[oldest] == "✓", timeout=SLACK_MS)
    assert rows(panel.table, 3)[newest] == ""


def test_space_is_freed_only_when_somebody_agrees(
    panel: DeploymentsPanel, ready: Services, tmp_path: Path, qtbot: QtBot
) -> None:
    assert len(mine(panel, tmp_path)) == 2
    ready.settings = replace(ready.settings, keep_deployments=1)
    for answer, wanted in (("Keep", 2), ("Remove", 1)):
        qtbot.mouseClick(panel.tidy, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: panel._question is not None, timeout=SLACK_MS)
        box = panel._question
        assert isinstance(box, QMessageBox)
        assert "free" in box.text()
        next(button for button in box.buttons() if button.text() == answer).click()
        wait_count(panel, tmp_path, wanted, qtbot)


def test_a_file_on_the_board_becomes_a_deployment_without_being_sent(
    panel: DeploymentsPanel, parts: DemoParts, desk: Desk, tmp_path: Path, qtbot: QtBot
) -> None:
    ear = Ear(desk)
    folder = Path(str(parts.board["store"])).parent / f"found-{tmp_path.name}"
    folder.mkdir()
    write_tiny_model(folder / "Lying_Around_W8A8_RK3588.rkllm", seed=9)
    panel.adopting.folder.setText(str(folder))
    qtbot.keyClick(panel.adopting.folder, Qt.Key.Key_Return)
    qtbot.waitUntil(panel.adopting.take.isVisible, timeout=SLACK_MS)
    qtbot.mouseClick(panel.adopting.take, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "nothing was sent" in panel.adopting.state.text(), timeout=SLACK_MS)
    qtbot.waitUntil(lambda: any("Lying" in name for name in rows(panel.table)), timeout=SLACK_MS)
    assert not [notice for notice in ear.noticed if notice.kind == "bad"]


def test_a_folder_that_is_not_there_is_told(panel: DeploymentsPanel, qtbot: QtBot) -> None:
    panel.adopting.folder.setText("/no/such/folder")
    panel.adopting.look.click()
    qtbot.waitUntil(lambda: "/no/such/folder" in panel.adopting.state.text(), timeout=SLACK_MS)
    assert panel.adopting.look.isEnabled()


def test_a_changed_key_is_compared_and_taken_with_the_same_hardware(
    ready: Services, desk: Desk, themes: ThemeSwitch, qtbot: QtBot, shots: Callable[[QWidget, str], Path]
) -> None:
    board = ready.boards.get(BOARD_NAME)
    (present,) = ready.host_keys.lookup(board.host, board.port)
    ready.host_keys.replace(board.host, board.port, OTHER_KEY)
    ear = Ear(desk)
    page = BoardsPage(desk)
    page.resize(1000, 640)
    page.show()
    desk.start()
    page.enter(None)
    qtbot.waitUntil(lambda: BOARD_NAME in page._cards, timeout=SLACK_MS)
    card = page._cards[BOARD_NAME]
    qtbot.waitUntil(card.reach_remedy.isVisible, timeout=SLACK_MS)
    shots(page, "boards-changed-key")
    qtbot.mouseClick(card.reach_remedy, Qt.MouseButton.LeftButton)
    dialog = page.findChild(ChangedKeyDialog)
    assert isinstance(dialog, ChangedKeyDialog)
    assert dialog.old_key.text() == OTHER_KEY.fingerprint
    assert dialog.new_key.text() == present.fingerprint
    shots(dialog, "changed-key")
    qtbot.mouseClick(dialog.take, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(
        lambda: any("its hardware says so" in notice.text for notice in ear.noticed), timeout=SLACK_MS
    )
    assert [key.fingerprint for key in ready.host_keys.lookup(board.host, board.port)] == [
        present.fingerprint
    ]
    qtbot.waitUntil(lambda: not card.reach_remedy.isVisible(), timeout=SLACK_MS)
    page.close()
    page.deleteLater()
    flush()
