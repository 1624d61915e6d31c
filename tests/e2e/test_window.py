"""The path by hand: a real screen, a real mouse, a real keyboard, on the demo's built-in parts."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.base.paths import AppPaths
from core.jobs.model import JobState
from core.jobs.store import JobStore
from tests.support.desktop import Desktop, screen
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(420),
    pytest.mark.skipif(
        not all(map(shutil.which, ("Xvfb", "openbox", "xdotool"))), reason="needs Xvfb, openbox and xdotool"
    ),
]
REPO = "rkdeck-demo/wonderland-1m"
BOARD = "demo-board"
PROMPT = "Who stole the tarts?"


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    with screen() as name:
        yield name


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    folder = os.environ.get("RKDECK_SHOTS")
    return Path(folder) if folder else tmp_path / "shots"


@pytest.fixture
def window(display: str, tmp_path: Path) -> Iterator[Desktop]:
    with Desktop(display, tmp_path / "run", "demo", "--home", str(tmp_path / "home")) as opened:
        yield opened


def wait_job(home: Path, kind: str, state: JobState = JobState.SUCCEEDED) -> str:
    store = JobStore(AppPaths(home).jobs)
    found: list[str] = []

    def ended() -> bool:
        found[:] = [
            record.spec.id for record in store.list() if record.spec.kind == kind and record.state is state
        ]
        return bool(found)

    wait_until(ended, 90, f"a {kind} job that is {state}")
    return found[0]


def test_the_path_by_mouse(window: Desktop, tmp_path: Path, shots: Path) -> None:
    home = tmp_path / "home"
    window.click("searchField")
    window.type("wonderland")
    window.key("Return")
    window.row_at("resultsView", REPO, 0)
    window.click_row("resultsView", REPO)
    window.row("levelTable", "w8a8")
    window.shot(shots / "mouse-1-found.png")
    window.click("downloadButton")
    wait_job(home, "download")
    window.key("ctrl+2")
    window.click_row("libraryView", "wonderland")
    window.click("convertItemButton")
    window.wait("convertButton", lambda found: found["enabled"])
    window.shot(shots / "mouse-2-convert.png")
    window.click("convertButton")
    wait_job(home, "convert")
    window.key("ctrl+5")
    window.wait(f"boardCard:{BOARD}", lambda found: "RK3588" in found["text"])
    window.key("ctrl+2")
    # Library and boards are two pages: the model is carried over the rail, which opens the page under the mouse.
    start = (
        window.row("libraryView", ".rkllm") if window.ask("row", name="libraryView", text=".rkllm") else None
    )
    start = start or window.row("libraryView", "W8A8")
    window.shot(shots / "mouse-3-before-drop.png")
    drag_to_card(window, start, shots)
    wait_job(home, "deploy")
    window.shot(shots / "mouse-5-after-drop.png")
    window.click(f"boardCard:{BOARD}/serveButton")
    if window.ask("menu"):
        window.click_menu("wonderland")
    window.click(f"boardCard:{BOARD}/chatButton")
    window.click("promptField")
    window.type(PROMPT)
    window.click("sendButton")
    window.wait("drawer", lambda found: "tokens/s" in found["text"])
    window.shot(shots / "mouse-6-asked.png")
    window.key("ctrl+6")
    window.wait("chart:npu")
    time.sleep(2)  # the picture is to show charts that have moved
    window.shot(shots / "mouse-7-watched.png")


def drag_to_card(window: Desktop, start: tuple[int, int], shots: Path) -> None:
    """Carry a row over the rail's Boards button, wait for the page, hover over the card, let go."""
    rail = window.wait("railButton:boards")
    over_rail = (rail["x"] + rail["width"] // 2, rail["y"] + rail["height"] // 2)
    window.press_and_move(start, over_rail)
    card = window.wait(f"boardCard:{BOARD}")
    target = (card["x"] + card["width"] // 2, card["y"] + card["height"] // 2)
    window.move(over_rail, target)
    verdict = window.wait(
        f"boardCard:{BOARD}/verdictLabel", lambda found: "of memory free after" in found["text"]
    )
    window.shot(shots / "mouse-4-hover.png")
    assert verdict["text"]
    window.hand("mouseup", 1)


def test_the_path_by_keyboard_alone(window: Desktop, tmp_path: Path, shots: Path) -> None:
    home = tmp_path / "home"
    window.key("ctrl+1")
    wait_until(lambda: (window.ask("focus") or {}).get("name") == "searchField", 20)
    window.type("wonderland")
    window.key("Return")
    window.row_at("resultsView", REPO, 0)
    window.key("Down", "Down")
    window.row("levelTable", "w8a8")
    window.key("Return")
    wait_job(home, "download")
    window.key("ctrl+2")
    window.row("libraryView", "wonderland")
    window.key("ctrl+Home", "Return")
    window.wait("convertButton", lambda found: found["enabled"])
    focus(window, "convertButton")
    window.key("space")
    wait_job(home, "convert")
    window.key("ctrl+5")
    window.wait(f"boardCard:{BOARD}", lambda found: "RK3588" in found["text"])
    window.key("ctrl+2")
    window.row("libraryView", "W8A8")
    window.key("ctrl+Home")
    focus(window, "deployItemButton")
    window.key("space")
    choose_in_menu(window, BOARD)
    wait_job(home, "deploy")
    window.shot(shots / "keyboard-1-deployed.png")
    window.key("ctrl+5")
    focus(window, "serveButton")
    window.key("space")
    wait_until(lambda: window.ask("menu") or window.ask("where", name="chatButton"), 60)
    if window.ask("menu"):
        window.key("Down", "Return")
    window.wait(f"boardCard:{BOARD}/chatButton", lambda found: found["enabled"])
    focus(window, "chatButton")
    window.key("space")
    wait_until(lambda: (window.ask("focus") or {}).get("name") == "promptField", 20)
    window.type(PROMPT)
    window.key("Return")
    window.wait("drawer", lambda found: "tokens/s" in found["text"])
    window.key("Escape", "ctrl+6")
    window.wait("chart:npu")
    time.sleep(2)
    window.shot(shots / "keyboard-2-watched.png")


def focus(window: Desktop, name: str) -> None:
    """Press Tab until a widget has the keyboard, as somebody without a mouse does."""
    for _ in range(80):
        if (window.ask("focus") or {}).get("name") == name:
            return
        window.key("Tab")
    raise AssertionError(f"{name} cannot be reached by Tab")


def choose_in_menu(window: Desktop, text: str) -> None:
    """Walk down an open menu to an entry."""
    wait_until(lambda: any(text in entry["text"] for entry in window.ask("menu")), 30)
    names = [entry["text"] for entry in window.ask("menu") if entry["text"]]
    place = next(number for number, entry in enumerate(names) if text in entry)
    window.key(*["Down"] * (place + 1), "Return")


def test_a_killed_window_loses_nothing_and_the_next_one_goes_on(
    window: Desktop, display: str, tmp_path: Path, shots: Path
) -> None:
    home = tmp_path / "home"
    window.click("searchField")
    window.type("wonderland")
    window.key("Return")
    window.row_at("resultsView", REPO, 0)
    window.click_row("resultsView", REPO)
    window.click("downloadButton")
    wait_job(home, "download")
    window.key("ctrl+2")
    window.click_row("libraryView", "wonderland")
    window.click("convertItemButton")
    window.click("convertButton")
    wait_until(lambda: any(r.spec.kind == "convert" for r in JobStore(AppPaths(home).jobs).list()), 60)
    os.kill(window.process.pid, signal.SIGKILL)
    window.process.wait(10)
    job_id = wait_job(home, "convert")
    with Desktop(display, tmp_path / "again", "--home", str(home)) as again:
        again.key("ctrl+2")
        again.row("libraryView", "W8A8")
        again.key("ctrl+7")
        again.row("jobsView", "wonderland")
        again.shot(shots / "killed-reopened.png")
        assert JobStore(AppPaths(home).jobs).get(job_id).state is JobState.SUCCEEDED


def test_a_second_start_raises_the_first(window: Desktop, display: str, tmp_path: Path) -> None:
    second = Desktop(display, tmp_path / "second", "--home", str(tmp_path / "home"))
    assert second.process.wait(60) == 0
    assert "already open" in second.log.read_text()
    assert window.process.poll() is None


def test_two_starts_at_the_same_moment_open_one_window(display: str, tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    both = [Desktop(display, tmp_path / name, "--home", home) for name in ("one", "two")]
    try:
        wait_until(lambda: any(start.process.poll() is not None for start in both), 90, "one start gives way")
        second, first = sorted(both, key=lambda start: start.process.poll() is None)
        assert second.process.returncode == 0
        assert "already open" in second.log.read_text()
        assert first.process.poll() is None
        with first:
            first.wait("searchField")
    finally:
        for start in both:
            start.__exit__()


def test_closing_ends_every_process(window: Desktop) -> None:
    own = psutil.Process(window.process.pid)
    window.wait("searchField")
    children = own.children(recursive=True)
    assert children
    window.close_window()
    assert window.process.wait(30) == 0
    gone, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    assert gone
