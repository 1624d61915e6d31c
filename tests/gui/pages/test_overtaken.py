"""What is closed, clicked twice or chosen anew while the answer is still on its way."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from core.base.errors import CancelledError, RKDeckError
from core.boards.doctor.remedies import Remedy
from core.jobs.model import JobState
from core.services import Services
from core.usecases import boards as boards_use
from core.usecases import deployment, reaching, serving
from core.usecases import doctor as doctor_use
from gui.desk import Desk
from gui.dialogs.new_password import NewPasswordDialog
from gui.dialogs.remedy import RemedyDialog
from gui.pages.boards.chat import ChatPanel
from gui.pages.boards.deployments import DeploymentsPanel
from gui.pages.boards.doctor import DoctorPanel
from gui.shell.drawer import Drawer
from tests.gui.conftest import flush
from tests.gui.page_parts import SLACK_MS, Ear, rows
from tests.support.held import HeldBack
from tests.support.sshd import SshServer, demo_board
from tests.support.tiny_model import write_tiny_model

JOB_S = 90
BOARD = "desk"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    with demo_board(tmp_path / "board", "--soc", "rk3588") as found:
        yield found


@pytest.fixture
def visited(server: SshServer, services: Services, desk: Desk, tmp_path: Path, qtbot: QtBot) -> Desk:
    """A desk that has looked at a simulated board with the model `tiny`."""
    folder = server.home.parent
    draft = boards_use.BoardDraft(
        BOARD, f"{server.user}@{server.host}:{server.port}", server.key_file, store=str(folder / "store"),
        sysroot=str(folder / "root"),
    )  # fmt: skip
    boards_use.add_board(services, draft, server.fingerprint)
    deploy(services, tmp_path, 1)
    desk.boards.reload()
    qtbot.waitUntil(lambda: _is_settled(desk), timeout=SLACK_MS)
    return desk


def deploy(services: Services, folder: Path, *seeds: int) -> None:
    for seed in seeds:
        path = write_tiny_model(folder / "tiny.rkllm", seed=seed)
        (job,) = deployment.start_deploys(services, path, [BOARD])
        services.jobs.attach(job).result(JOB_S)


@pytest.fixture
def three(visited: Desk, services: Services, tmp_path: Path, qtbot: QtBot) -> Desk:
    """The same with three versions of it."""
    services.settings = replace(services.settings, keep_deployments=5)
    deploy(services, tmp_path, 2, 3)
    visited.boards.visit(BOARD)
    qtbot.waitUntil(lambda: in_use(visited) == [False, False, True], timeout=SLACK_MS)
    qtbot.waitUntil(lambda: _is_settled(visited), timeout=SLACK_MS)
    return visited


def _is_settled(desk: Desk) -> bool:
    view = desk.boards.get(BOARD)
    return view is not None and view.status is not None and not view.visiting


def in_use(desk: Desk) -> list[bool]:
    """Of each version, the oldest first, whether it is the live one."""
    view = desk.boards.get(BOARD)
    assert view is not None
    assert view.status is not None
    return [version.current for version in view.status.versions]


def shown(widget: QWidget, qtbot: QtBot) -> None:
    widget.resize(420, 640)
    widget.show()
    qtbot.waitExposed(widget)


def gone(widget: QWidget) -> None:
    widget.close()
    widget.deleteLater()
    flush()


def deployments(desk: Desk, qtbot: QtBot) -> DeploymentsPanel:
    view = desk.boards.get(BOARD)
    assert view is not None
    panel = DeploymentsPanel(desk, view)
    shown(panel, qtbot)
    return panel


def test_rolling_back_with_a_double_click_goes_back_once(three: Desk, qtbot: QtBot) -> None:
    panel = deployments(three, qtbot)
    panel.table.selectRow(0)
    for _ in range(2):
        qtbot.mouseClick(panel.back, Qt.MouseButton.LeftButton)
    buttons = (panel.serve, panel.back, panel.tidy, panel.off)
    assert [button.isEnabled() for button in buttons] == [False] * 4
    qtbot.waitUntil(lambda: in_use(three) != [False, False, True], timeout=SLACK_MS)
    qtbot.waitUntil(panel.back.isEnabled, timeout=SLACK_MS)
    assert in_use(three) == [False, True, False]
    assert rows(panel.table, 3) == ["", "✓", ""]
    gone(panel)


def test_a_change_counts_when_its_panel_was_closed(three: Desk, qtbot: QtBot) -> None:
    panel = deployments(three, qtbot)
    panel.table.selectRow(2)
    qtbot.mouseClick(panel.back, Qt.MouseButton.LeftButton)
    gone(panel)
    qtbot.waitUntil(lambda: in_use(three) == [True, False, False], timeout=SLACK_MS)
    qtbot.waitUntil(lambda: _is_settled(three), timeout=SLACK_MS)


def test_a_change_that_fails_is_told_when_its_panel_was_closed(
    visited: Desk, tmp_path: Path, qtbot: QtBot
) -> None:
    ear = Ear(visited)
    folder = tmp_path / "lying-around"
    folder.mkdir()
    model = write_tiny_model(folder / "other.rkllm", seed=9)
    panel = deployments(visited, qtbot)
    panel.adopting.folder.setText(str(folder))
    panel.adopting.look.click()
    qtbot.waitUntil(panel.adopting.take.isVisible, timeout=SLACK_MS)
    model.unlink()
    panel.adopting.take.click()
    assert not any(part.isEnabled() for part in (panel.adopting.take, panel.adopting.found))
    gone(panel)
    qtbot.waitUntil(lambda: [notice.kind for notice in ear.noticed] == ["bad"], timeout=SLACK_MS)
    assert "other.rkllm" in ear.noticed[0].text
    qtbot.waitUntil(lambda: _is_settled(visited), timeout=SLACK_MS)


def test_the_doctor_speaks_of_the_file_chosen_last(
    visited: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    held = HeldBack()
    monkeypatch.setattr(doctor_use, "check_file", held.around(doctor_use.check_file))
    view = visited.boards.get(BOARD)
    assert view is not None
    panel = DoctorPanel(visited, view, [])
    shown(panel, qtbot)
    panel.take_model(tmp_path / "gone.rkllm")  # its error would also take the second choice back
    flush()
    panel.take_model(write_tiny_model(tmp_path / "second.rkllm", seed=5))
    qtbot.waitUntil(lambda: bool(panel._about_file), timeout=SLACK_MS)
    held.let_go.set()
    qtbot.wait(200)
    assert panel._file == tmp_path / "second.rkllm"
    assert panel._about_file
    gone(panel)


def test_a_remedy_left_while_it_runs_is_broken_off_and_said(visited: Desk, qtbot: QtBot) -> None:
    ear = Ear(visited)
    done: list[object] = []
    remedy = Remedy("performance", ("sleep 60",), ("true",), as_root=False)
    dialog = RemedyDialog(visited, BOARD, remedy, "direct")
    dialog.done_well.connect(done.append)
    shown(dialog, qtbot)
    qtbot.mouseClick(dialog.run, Qt.MouseButton.LeftButton)
    qtbot.wait(500)
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not dialog.isVisible(), timeout=SLACK_MS)
    assert done == []
    assert [notice.text for notice in ear.noticed] == [
        "Broken off on desk. What was done by then stays; the doctor looks again."
    ]
    gone(dialog)
    qtbot.waitUntil(lambda: _is_settled(visited), timeout=SLACK_MS)


def test_a_remedy_that_was_through_when_it_was_left_can_be_taken_back(
    visited: Desk, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    held = HeldBack()
    monkeypatch.setattr(doctor_use, "apply_remedy", held.around(doctor_use.apply_remedy))
    done: list[object] = []
    remedy = Remedy("performance", ("true",), ("true",), as_root=False)
    dialog = RemedyDialog(visited, BOARD, remedy, "direct")
    dialog.done_well.connect(done.append)
    shown(dialog, qtbot)
    qtbot.mouseClick(dialog.run, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(held.has_looked.is_set, timeout=SLACK_MS)
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    held.let_go.set()
    qtbot.waitUntil(lambda: not dialog.isVisible(), timeout=SLACK_MS)
    assert done == [remedy]
    gone(dialog)


def test_an_answer_nobody_reads_any_more_is_ended(
    visited: Desk, services: Services, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    serving.serve(services, BOARD, "tiny")
    ends: list[BaseException | None] = []
    monkeypatch.setattr(serving, "ask", _noting(serving.ask, ends))
    panel, drawer = ChatPanel(visited, BOARD), Drawer()
    drawer.fill(panel)
    shown(drawer, qtbot)
    panel.prompt.setPlainText("Tell me all there is to tell.")
    qtbot.keyClick(panel.prompt, Qt.Key.Key_Return)
    qtbot.waitUntil(panel.stop.isEnabled, timeout=SLACK_MS)
    drawer.fill(None)
    qtbot.waitUntil(lambda: bool(ends), timeout=SLACK_MS)
    assert isinstance(ends[0], CancelledError)
    serving.stop(services, BOARD)
    gone(drawer)


def _noting(function: Callable[..., object], ends: list[BaseException | None]) -> Callable[..., object]:
    """The real function; how it ended is noted."""

    def call(*args: object, **kwargs: object) -> object:
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            ends.append(error)
            raise
        ends.append(None)
        return result

    return call


def test_a_job_that_is_asked_twice_runs_again_once(
    visited: Desk, services: Services, tmp_path: Path, qtbot: QtBot
) -> None:
    ear = Ear(visited)
    visited.jobs.start()
    path = write_tiny_model(tmp_path / "late.rkllm", seed=7)
    (job,) = deployment.start_deploys(services, path, [BOARD])
    services.jobs.attach(job).cancel()
    qtbot.waitUntil(
        lambda: (record := visited.jobs.get(job)) is not None and record.state.is_terminal, timeout=SLACK_MS
    )
    for _ in range(2):
        visited.jobs.retry(job)

    def has_arrived() -> bool:
        record = visited.jobs.get(job)
        return record is not None and record.state is JobState.SUCCEEDED

    qtbot.waitUntil(has_arrived, timeout=SLACK_MS)
    qtbot.waitUntil(lambda: _is_settled(visited), timeout=SLACK_MS)
    assert [notice for notice in ear.noticed if notice.kind == "bad"] == []


def test_a_password_being_set_is_waited_for(
    visited: Desk, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    held = HeldBack()
    monkeypatch.setattr(reaching, "renew_board_password", held.around(reaching.renew_board_password))
    error = RKDeckError("remote.password_expired", user="root", host="desk")
    dialog = NewPasswordDialog(visited, BOARD, error)
    shown(dialog, qtbot)
    for field in (dialog.new, dialog.again):
        field.setText("Aa1!newer-than-new")
    qtbot.mouseClick(dialog.set, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(held.has_looked.is_set, timeout=SLACK_MS)
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert dialog.isVisible()
    assert "please wait" in dialog.problem.text()
    held.let_go.set()
    qtbot.waitUntil(dialog.set.isEnabled, timeout=SLACK_MS)
    assert "please wait" not in dialog.problem.text(), "this board's password has not expired, which it says"
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    gone(dialog)
    qtbot.waitUntil(lambda: _is_settled(visited), timeout=SLACK_MS)
