"""What a card says of serving is what is so, also when a slow look at the board is overtaken by a start or stop."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from core.services import Services
from core.usecases import boards as boards_use
from core.usecases import deployment
from core.usecases import library as library_use
from gui.desk import Desk
from gui.feeds.boards import BoardView
from gui.pages.boards.serving import ServingControl
from tests.gui.page_parts import SLACK_MS
from tests.support.held import HeldBack
from tests.support.models import write_random_model
from tests.support.sshd import SshServer, demo_board
from tests.support.tiny_model import write_tiny_model

JOB_S = 90


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with demo_board(tmp_path_factory.mktemp("board"), "--soc", "rk3588") as found:
        yield found


@pytest.fixture
def name(server: SshServer, services: Services, desk: Desk, tmp_path: Path, qtbot: QtBot) -> str:
    """The name of a simulated board with one model on it, and of the model; the window has looked at it."""
    folder = server.home.parent
    draft = boards_use.BoardDraft(
        "desk", f"{server.user}@{server.host}:{server.port}", server.key_file, store=str(folder / "store"),
        sysroot=str(folder / "root"),
    )  # fmt: skip
    boards_use.add_board(services, draft, server.fingerprint)
    (job,) = deployment.start_deploys(services, write_tiny_model(tmp_path / "tiny.rkllm"), ["desk"])
    services.jobs.attach(job).result(JOB_S)
    desk.boards.reload()
    qtbot.waitUntil(lambda: _is_settled(desk, "desk"), timeout=SLACK_MS)
    return "desk"


def _view(desk: Desk, name: str) -> BoardView:
    view = desk.boards.get(name)
    assert view is not None
    return view


def _is_settled(desk: Desk, name: str) -> bool:
    view = desk.boards.get(name)
    return view is not None and view.status is not None and not view.visiting


def _serves(desk: Desk, name: str) -> bool:
    status = _view(desk, name).status
    assert status is not None
    return status.serving is not None


def test_a_look_that_was_overtaken_is_thrown_away(
    name: str, desk: Desk, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    control = ServingControl(desk, name, desk)
    said: list[object] = []
    control.said.connect(said.append)
    for act, serves in ((lambda: control.start("tiny"), True), (control.stop, False)):
        held = HeldBack()
        with monkeypatch.context() as patch:
            patch.setattr(boards_use, "refresh_board", held.around(boards_use.refresh_board))
            desk.boards.visit(name)
            qtbot.waitUntil(held.has_looked.is_set, timeout=SLACK_MS)
            act()
            qtbot.waitUntil(lambda: said[-1] == "", timeout=JOB_S * 1000)
            assert _serves(desk, name) is serves, "shown at once"
            held.let_go.set()
            qtbot.waitUntil(lambda: _is_settled(desk, name), timeout=SLACK_MS)
        assert (_serves(desk, name), held.calls) == (serves, 2)


def test_many_wishes_for_a_look_come_to_one_more(
    name: str, desk: Desk, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    held = HeldBack()
    monkeypatch.setattr(boards_use, "refresh_board", held.around(boards_use.refresh_board))
    for _ in range(5):
        desk.boards.visit(name)
    held.let_go.set()
    qtbot.waitUntil(lambda: _is_settled(desk, name), timeout=SLACK_MS)
    assert held.calls == 2


def test_the_library_shows_the_later_of_two_readings(
    services: Services, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    held = HeldBack()
    monkeypatch.setattr(library_use, "list_items", held.around(library_use.list_items))
    desk.library.refresh()
    qtbot.waitUntil(held.has_looked.is_set, timeout=SLACK_MS)
    item = library_use.add_path(services, write_random_model(tmp_path / "Tiny"))
    desk.library.refresh()
    qtbot.waitUntil(lambda: list(desk.library.items) == [item], timeout=SLACK_MS)
    held.let_go.set()
    assert held.has_returned.wait(JOB_S)
    qtbot.wait(100)  # from there to the window
    assert list(desk.library.items) == [item]


def test_boards_are_listed_by_the_later_of_two_readings(
    server: SshServer, services: Services, desk: Desk, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    held = HeldBack()
    monkeypatch.setattr(boards_use, "list_boards", held.around(boards_use.list_boards))
    desk.boards.reload()
    qtbot.waitUntil(held.has_looked.is_set, timeout=SLACK_MS)
    draft = boards_use.BoardDraft(
        "late", f"{server.user}@{server.host}:{server.port}", server.key_file, store="/tmp/none"
    )
    boards_use.add_board(services, draft, server.fingerprint)
    desk.boards.reload()
    qtbot.waitUntil(lambda: desk.boards.get("late") is not None, timeout=SLACK_MS)
    held.let_go.set()
    qtbot.waitUntil(lambda: _is_settled(desk, "late"), timeout=SLACK_MS)
    assert [view.name for view in desk.boards.views] == ["late"]
