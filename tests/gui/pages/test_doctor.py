"""The doctor in the window: findings of real accounts, a model beside them, remedies and their way back."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QPushButton, QWidget
from pytestqt.exceptions import TimeoutError as qtbot_timeout
from pytestqt.qtbot import QtBot

from core.base.errors import RKDeckError
from core.boards.doctor.library_file import git_blob
from core.boards.doctor.remedies import Remedy
from core.services import Services
from core.usecases import boards
from core.usecases.boards import BoardDraft
from core.usecases.doctor import LibraryOffer
from core.vendor.releases import runtime_releases
from gui.desk import Desk
from gui.dialogs.remedy import RemedyDialog
from gui.dialogs.runtime_library import LibraryDialog
from gui.pages.boards.doctor import DoctorPanel
from gui.pages.boards.page import BoardsPage
from gui.theme import ThemeSwitch
from tests.core.boards.trees import hostile, orange_pi, user_of_rk3576, write_tree
from tests.core.deploy.models import real_file
from tests.gui.conftest import flush
from tests.gui.page_parts import SLACK_MS, Ear, answer_files, child, texts
from tests.support.libraries import library_bytes
from tests.support.odd_hub import OddHub, reply
from tests.support.sshd import SshServer, openssh


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with openssh(tmp_path_factory.mktemp("sshd")) as running:
        yield running


def add(services: Services, server: SshServer, tree: Path, store: Path) -> None:
    draft = BoardDraft(
        "lab", f"{server.user}@127.0.0.1:{server.port}", server.key_file, store=str(store), sysroot=str(tree)
    )
    boards.add_board(services, draft, server.fingerprint)


class Room:
    """A board, a desk that has visited it, and the panel."""

    def __init__(self, desk: Desk, qtbot: QtBot, ear: Ear) -> None:
        self.desk, self.qtbot, self.ear = desk, qtbot, ear
        self.applied: list[Remedy] = []
        desk.start()
        self.wait(lambda: (view := desk.boards.get("lab")) is not None and view.status is not None)
        view = desk.boards.get("lab")
        assert view is not None
        self.panel = DoctorPanel(desk, view, self.applied)
        self.panel.resize(400, 760)
        self.panel.show()
        qtbot.waitExposed(self.panel)

    def wait(self, condition: Callable[[], bool]) -> None:
        try:
            self.qtbot.waitUntil(condition, timeout=SLACK_MS)
        except qtbot_timeout:
            shown = [texts(widget) for widget in (self.panel, *self.panel.findChildren(QDialog))]
            raise AssertionError("\n---\n".join(shown)) from None

    def press(self, name: str, parent: QWidget | None = None) -> None:
        self.qtbot.mouseClick(child(parent or self.panel, name), Qt.MouseButton.LeftButton)

    def dialog(self) -> RemedyDialog:
        self.wait(lambda: any(made.isVisible() for made in self.panel.findChildren(QDialog, "remedyDialog")))
        found = next(made for made in self.panel.findChildren(QDialog, "remedyDialog") if made.isVisible())
        assert isinstance(found, RemedyDialog)
        return found

    def close(self) -> None:
        self.panel.close()
        self.panel.deleteLater()
        flush()


@pytest.fixture
def room(
    services: Services,
    server: SshServer,
    desk: Desk,
    ear: Ear,
    themes: ThemeSwitch,
    qtbot: QtBot,
    tmp_path: Path,
) -> Iterator[Room]:
    add(services, server, user_of_rk3576(tmp_path / "root"), tmp_path / "store")
    made = Room(desk, qtbot, ear)
    yield made
    made.close()


def test_what_needs_somebody_comes_first(room: Room, shots: Callable[[QWidget, str], Path]) -> None:
    verdicts = [row.finding.verdict for row in room.panel.rows]
    assert verdicts == sorted(verdicts, key=["failed", "unknown", "warning", "ok"].index)
    shown = texts(room.panel)
    assert "The NPU driver is rknpu 0.9.6; Rockchip asks for 0.9.8." in shown
    assert "The NPU stands at 300 of 950 MHz" in shown
    assert "checks in order" in shown
    assert "rkdeck " not in shown.replace("rkdeck-ci", ""), "the window names no commands"
    shots(room.panel, "doctor")


def test_full_speed_is_shown_done_and_taken_back(room: Room, tmp_path: Path) -> None:
    governor = tmp_path / "root/sys/class/devfreq/27700000.npu/governor"
    room.press("remedy:performance")
    dialog = room.dialog()
    commands = dialog.commands.toPlainText().splitlines()
    assert len(commands) == 3
    assert all("'performance' > " in line for line in commands)
    assert not dialog.password.isVisible(), "this account may write the files itself"
    assert governor.read_text() == "rknpu_ondemand\n", "nothing runs before it is wanted"
    room.press("runRemedy", dialog)
    room.wait(lambda: bool(room.applied))
    assert governor.read_text() == "performance\n"
    room.wait(lambda: "Done: Full speed until the next restart" in texts(room.panel))
    room.wait(
        lambda: "stand at full speed" in texts(room.panel) or "The NPU stands at 300" in texts(room.panel)
    )
    room.press("takeBack:performance")
    back = room.dialog()
    assert "'rknpu_ondemand' > " in back.commands.toPlainText()
    room.press("runRemedy", back)
    room.wait(lambda: not room.applied)
    assert governor.read_text() == "rknpu_ondemand\n"
    assert [notice.kind for notice in room.ear.noticed] == ["ok", "ok"]


def test_other_figures_leave_everything_in_its_place(room: Room, tmp_path: Path) -> None:
    rows = list(room.panel.rows)
    write_tree(tmp_path / "root", {"sys/class/thermal/thermal_zone0/temp": "88000\n"})
    room.press("lookAgain")
    room.wait(lambda: "soc-thermal is at 88 °C" in texts(room.panel))
    assert room.panel.rows == rows
    write_tree(tmp_path / "root", {"sys/class/thermal/thermal_zone0/temp": "44000\n"})
    room.press("lookAgain")
    room.wait(lambda: "Hottest at 44 °C" in texts(room.panel))
    assert room.panel.rows != rows


def test_leaving_the_dialog_changes_nothing(room: Room, tmp_path: Path) -> None:
    room.press("remedy:performance")
    dialog = room.dialog()
    room.qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    room.wait(lambda: not dialog.isVisible())
    assert (tmp_path / "root/sys/class/devfreq/27700000.npu/governor").read_text() == "rknpu_ondemand\n"
    assert not room.applied


def test_a_board_that_refuses_is_quoted(room: Room, tmp_path: Path) -> None:
    room.press("remedy:performance")
    dialog = room.dialog()
    policy = tmp_path / "root/sys/devices/system/cpu/cpufreq/policy0"
    for path in policy.iterdir():
        path.unlink()
    policy.rmdir()
    room.press("runRemedy", dialog)
    room.wait(dialog.problem.isVisible)
    assert "The board refused" in dialog.problem.text()
    assert dialog.run.isEnabled()
    room.qtbot.keyClick(dialog, Qt.Key.Key_Escape)


def test_with_a_model(room: Room, tmp_path: Path, shots: Callable[[QWidget, str], Path]) -> None:
    file = real_file(tmp_path / "Qwen3_w8a8_rk3588.rkllm")
    models = room.panel.models
    models.setCurrentIndex(models.count() - 1)
    models.activated.emit(models.currentIndex())
    answer_files(room.panel, file)
    room.wait(lambda: "was converted for rk3588, but lab has an rk3576" in texts(room.panel))
    assert "The file needs a runtime library" in texts(room.panel)
    assert room.panel.models.currentData() == str(file)
    shots(room.panel, "doctor-model")
    models.setCurrentIndex(0)
    models.activated.emit(0)
    room.wait(lambda: "was converted for" not in texts(room.panel))


def library_dialog(room: Room) -> LibraryDialog:
    room.press("remedy:library")
    room.wait(lambda: any(made.isVisible() for made in room.panel.findChildren(LibraryDialog)))
    dialog = next(made for made in room.panel.findChildren(LibraryDialog) if made.isVisible())
    room.wait(lambda: dialog.releases.count() > 0)
    return dialog


def test_a_release_is_proposed(room: Room, shots: Callable[[QWidget, str], Path]) -> None:
    dialog = library_dialog(room)
    newest = runtime_releases("aarch64")[0]
    assert dialog.releases.currentText() == f"{newest.version}  ({newest.released}) · matches"
    assert newest.licence_url in texts(dialog)
    assert dialog.send.isEnabled()
    shots(dialog, "library")
    room.qtbot.keyClick(dialog, Qt.Key.Key_Escape)


def test_the_library_is_chosen_and_sent(room: Room, tmp_path: Path) -> None:
    chosen = tmp_path / "librkllmrt.so"
    chosen.write_bytes(library_bytes("1.3.1"))
    dialog = library_dialog(room)
    room.press("chooseLibrary", dialog)
    answer_files(dialog, chosen)
    room.wait(lambda: str(chosen) in texts(dialog))
    room.press("sendLibrary", dialog)
    room.wait(lambda: bool(room.applied))
    (sent,) = (tmp_path / "store/lib").glob("*/librkllmrt.so")
    assert sent.read_bytes() == chosen.read_bytes()
    room.wait(lambda: "Runtime library 1.3.1" in texts(room.panel))
    room.press("takeBack:library")
    room.press("runRemedy", room.dialog())
    room.wait(lambda: not room.applied)
    assert not sent.parent.exists()


def test_the_library_is_fetched_and_sent(room: Room, tmp_path: Path) -> None:
    content = library_bytes("1.3.0")
    dialog = library_dialog(room)
    with OddHub() as vendor:
        vendor.answer = reply(200, content)
        known = runtime_releases("aarch64")[0]
        ours = replace(known, blob=git_blob(content), url=f"{vendor.url}/librkllmrt.so")
        dialog._on_offers((LibraryOffer(ours, kept=False, proposed=True),))
        room.press("sendLibrary", dialog)
        room.wait(lambda: bool(room.applied))
    (sent,) = (tmp_path / "store/lib").glob("*/librkllmrt.so")
    assert sent.read_bytes() == content


def test_a_library_that_cannot_be_fetched(room: Room, tmp_path: Path) -> None:
    dialog = library_dialog(room)
    known = replace(runtime_releases("aarch64")[0], url="http://127.0.0.1:9/librkllmrt.so")
    dialog._on_offers((LibraryOffer(known, kept=False, proposed=True),))
    room.press("sendLibrary", dialog)
    room.wait(dialog.problem.isVisible)
    assert "could not be fetched" in texts(dialog)
    assert dialog.send.isEnabled()
    assert not (tmp_path / "store").exists()
    room.qtbot.keyClick(dialog, Qt.Key.Key_Escape)


def test_a_password_is_asked_where_sudo_wants_one(desk: Desk, themes: ThemeSwitch, qtbot: QtBot) -> None:
    remedy = Remedy(
        "groups",
        ("'usermod' '-a' '-G' 'render' 'pi'",),
        ("x",),
        as_root=True,
        facts={"user": "pi", "groups": "render"},
    )
    for way, password, runs in (
        ("sudo", False, True),
        ("sudo_password", True, True),
        ("impossible", False, False),
    ):
        dialog = RemedyDialog(desk, "lab", remedy, way)  # type: ignore[arg-type]
        dialog.show()
        qtbot.waitExposed(dialog)
        assert dialog.windowTitle() == "Add pi to render"
        assert "as root" in texts(dialog)
        assert (dialog.password.isVisible(), dialog.run.isEnabled()) == (password, runs)
        dialog.close()
        dialog.deleteLater()
        flush()


def test_sudo_that_turned_out_to_want_a_password(desk: Desk, themes: ThemeSwitch, qtbot: QtBot) -> None:
    remedy = Remedy("groups", ("x",), (), as_root=True, facts={"user": "pi", "groups": "render"})
    dialog = RemedyDialog(desk, "lab", remedy, "sudo")
    dialog.show()
    dialog._on_failed(RKDeckError("doctor.sudo_password_needed", host="h", user="pi"))
    assert dialog.password.isVisible()
    dialog.close()
    dialog.deleteLater()
    flush()


def test_card_tells_and_opens_it(
    services: Services,
    server: SshServer,
    desk: Desk,
    ear: Ear,
    themes: ThemeSwitch,
    qtbot: QtBot,
    tmp_path: Path,
) -> None:
    add(services, server, user_of_rk3576(tmp_path / "root"), tmp_path / "store")
    page = BoardsPage(desk)
    page.resize(900, 600)
    page.show()
    desk.start()
    panels: list[object] = []
    desk.drawer_filled.connect(panels.append)
    qtbot.waitUntil(lambda: "look after" in texts(page) or "problem" in texts(page), timeout=SLACK_MS)
    qtbot.mouseClick(child(page, "doctorButton"), Qt.MouseButton.LeftButton)
    (panel,) = panels
    assert isinstance(panel, DoctorPanel)
    panel.deleteLater()
    page.close()
    page.deleteLater()
    flush()


@pytest.mark.usefixtures("spanish")
def test_in_spanish(
    services: Services, server: SshServer, desk: Desk, ear: Ear, themes: ThemeSwitch, qtbot: QtBot, tmp_path: Path,
    shots: Callable[[QWidget, str], Path],
) -> None:  # fmt: skip
    add(services, server, user_of_rk3576(tmp_path / "root"), tmp_path / "store")
    room = Room(desk, qtbot, ear)
    assert "La NPU está a 300 de 950 MHz" in texts(room.panel)
    assert "Núcleo 6.1.84-8-rk2410 (del fabricante)" in texts(room.panel)
    for made in room.panel.findChildren(QPushButton):
        if made.isVisible():
            assert made.width() >= made.sizeHint().width(), made.text()
    shots(room.panel, "doctor-es")
    room.close()


def test_hostile_board_is_only_text(
    services: Services,
    server: SshServer,
    desk: Desk,
    ear: Ear,
    themes: ThemeSwitch,
    qtbot: QtBot,
    tmp_path: Path,
) -> None:
    tree = write_tree(
        hostile(tmp_path / "root"),
        {
            "sys/class/devfreq/fdab0000.npu/governor": "$(reboot)\n",
            "sys/class/devfreq/fdab0000.npu/available_governors": "performance ;reboot\n",
            "sys/class/devfreq/x;reboot.npu/governor": "powersave\n",
            "proc/77/maps": "x /usr/lib/librkllmrt.so\n",
            "proc/77/comm": "\x1b[31m<b>$(reboot)\n",
        },
    )
    add(services, server, tree, tmp_path / "store")
    room = Room(desk, qtbot, ear)
    shown = texts(room.panel)
    assert not any(character in shown for character in "\x1b\x07\u202e")
    commands = [line for row in room.panel.rows if row.finding.remedy for line in row.finding.remedy.commands]
    assert not any("reboot" in line for line in commands)
    room.close()


def test_a_well_board_is_ready(
    services: Services,
    server: SshServer,
    desk: Desk,
    ear: Ear,
    themes: ThemeSwitch,
    qtbot: QtBot,
    tmp_path: Path,
) -> None:
    tree = write_tree(
        orange_pi(tmp_path / "root"),
        {
            "usr/lib/librkllmrt.so": library_bytes("1.2.3"),
            "dev/dri/renderD129": "",
            "proc/swaps": "Filename\n",
        },
    )
    add(services, server, tree, tmp_path / "store")
    room = Room(desk, qtbot, ear)
    assert room.panel.state.state in {"ok", "warn"}
    assert "Orange Pi 5 Plus: RK3588 with 3 NPU cores and 8 CPUs." in texts(room.panel)
    room.close()
