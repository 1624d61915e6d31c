"""Discover on a real hub: badges guessed and exact, what the filter leaves out, files that are ready for a board."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from PySide6.QtCore import QAbstractItemModel, Qt
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from core.demo.hub.repos import HubRepo
from core.demo.hub.server import DemoHub
from core.jobs.model import JobState
from core.services import Services
from core.showcase.models import GGUF_REPO, PARTS_REPO, write_gguf_files
from core.showcase.parts import BOARD_NAME, DemoParts, prepare, running_parts
from gui.desk import Desk
from gui.pages.discover.delegate import badge_text, badge_tip, memory_text
from gui.pages.discover.page import DiscoverPage
from gui.pages.discover.ready_tab import ReadyTab
from gui.theme import ThemeSwitch
from tests.core.deploy.models import real_file
from tests.gui.conftest import flush
from tests.gui.page_parts import SLACK_MS, Ear, rows, texts
from tests.support.models import write_random_model
from tests.support.tiny_model import write_tiny_model

FITS, STRANGE, CONVERTED, BROKEN = "some/fits", "some/strange", "some/converted", "some/broken"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoHub]:
    root = tmp_path_factory.mktemp("repos")
    write_random_model(root / "fits")
    write_random_model(root / "strange", architectures=["NobodysForCausalLM"])
    broken = write_random_model(root / "broken")
    (broken / "model.safetensors").write_bytes(b"\xff" * 5000)
    converted = root / "converted"
    converted.mkdir()
    write_tiny_model(converted / "Tiny_W8A8_RK3588.rkllm")
    real_file(converted / "Real_W4A16_RK3576.rkllm")
    repos = {FITS: root / "fits", STRANGE: root / "strange", CONVERTED: converted, BROKEN: broken}
    with DemoHub(repos) as hub:
        yield hub


@pytest.fixture
def found(services: Services, hub: DemoHub) -> Services:
    services.settings = replace(services.settings, hub_endpoint=hub.url, default_context=512)
    return services


@pytest.fixture
def page(found: Services, discover_page: DiscoverPage, qtbot: QtBot) -> DiscoverPage:
    discover_page.enter(None)
    qtbot.waitUntil(lambda: len(discover_page.results.records) == 4, timeout=SLACK_MS)
    return discover_page


def wait_exact(page: DiscoverPage, repo: str, qtbot: QtBot) -> str:
    model = next(model for model in page.results.records if model.repo == repo)
    qtbot.waitUntil(lambda: page.badges.of(model).exact, timeout=SLACK_MS)
    return badge_text(page.badges.of(model))


def test_rows_in_view_get_their_exact_badge_by_and_by(page: DiscoverPage, qtbot: QtBot) -> None:
    assert wait_exact(page, FITS, qtbot) == "fits w8a8"
    assert wait_exact(page, STRANGE, qtbot) == "not for the NPU"
    model = next(model for model in page.results.records if model.repo == FITS)
    badge = page.badges.of(model)
    assert memory_text(badge).endswith("iB")
    assert "~" not in memory_text(badge)
    assert "headers" in badge_tip(badge)


def test_what_cannot_be_read_keeps_its_guess_and_is_asked_once(
    page: DiscoverPage, hub: DemoHub, qtbot: QtBot
) -> None:
    wait_exact(page, FITS, qtbot)
    wait_exact(page, STRANGE, qtbot)
    qtbot.waitUntil(lambda: not page.badges._running and not page.badges._wanted, timeout=SLACK_MS)
    broken = next(model for model in page.results.records if model.repo == BROKEN)
    badge = page.badges.of(broken)
    assert not badge.exact
    requests = len(hub.requests)
    page._look_at_view()
    flush()
    assert not page.badges._running
    assert len(hub.requests) == requests


def test_the_second_look_at_a_commit_reads_nothing(
    page: DiscoverPage, desk: Desk, hub: DemoHub, qtbot: QtBot
) -> None:
    wait_exact(page, FITS, qtbot)
    wait_exact(page, STRANGE, qtbot)
    qtbot.waitUntil(lambda: not page.badges._running, timeout=SLACK_MS)
    header_reads = [line for line in hub.requests if "model.safetensors" in str(line) and FITS in str(line)]
    desk.active.choose("rk3576:4")
    assert page.badges.target.platform.name == "rk3576"
    assert wait_exact(page, FITS, qtbot).startswith("fits w8a8")
    again = [line for line in hub.requests if "model.safetensors" in str(line) and FITS in str(line)]
    assert again == header_reads


def test_the_filter_leaves_out_what_does_not_fit_and_says_how_many(page: DiscoverPage, qtbot: QtBot) -> None:
    wait_exact(page, STRANGE, qtbot)
    qtbot.mouseClick(page.fitting, Qt.MouseButton.LeftButton)
    assert STRANGE not in rows(page.view)
    assert FITS in rows(page.view)
    assert "1 does not fit" in page.status.text()
    qtbot.mouseClick(page.fitting, Qt.MouseButton.LeftButton)
    assert STRANGE in rows(page.view)
    assert "does not fit" not in page.status.text()


def test_a_row_that_turns_out_not_to_fit_goes_while_the_filter_is_on(
    page: DiscoverPage, desk: Desk, qtbot: QtBot
) -> None:
    page.fitting.setChecked(True)
    qtbot.waitUntil(lambda: STRANGE not in rows(page.view), timeout=SLACK_MS)
    assert FITS in rows(page.view)


def test_a_board_without_memory_to_spare_leaves_nothing_and_says_so(
    page: DiscoverPage, desk: Desk, qtbot: QtBot
) -> None:
    page.search.setText("strange")
    page._on_return()
    qtbot.waitUntil(lambda: rows(page.view) == [STRANGE], timeout=SLACK_MS)
    wait_exact(page, STRANGE, qtbot)
    page.fitting.setChecked(True)
    assert "Nothing that fits" in texts(page)
    page.fitting.setChecked(False)
    assert rows(page.view) == [STRANGE]
    assert page.view.isVisible()


def test_results_with_badges_are_painted_in_each_theme(
    page: DiscoverPage, themes: ThemeSwitch, qtbot: QtBot, shots: Callable[[QWidget, str], Path]
) -> None:
    wait_exact(page, FITS, qtbot)
    for theme in ("light", "dark"):
        themes.use(theme)
        page.retint()
        assert shots(page, f"discover-badges-{theme}").stat().st_size > 5000


def select(page: DiscoverPage, repo: str, qtbot: QtBot) -> None:
    page._select(rows(page.view).index(repo))
    qtbot.waitUntil(lambda: page.pane.repo == repo, timeout=SLACK_MS)


def open_ready(page: DiscoverPage, qtbot: QtBot) -> ReadyTab:
    select(page, CONVERTED, qtbot)
    ready = page.pane.ready
    qtbot.waitUntil(lambda: ready.isVisible() and ready._judgement is not None, timeout=SLACK_MS)
    return ready


def test_ready_made_files_come_first_for_the_boards_soc_and_are_looked_at(
    page: DiscoverPage,
    qtbot: QtBot,
    check_model: Callable[[QAbstractItemModel], None],
    shots: Callable[[QWidget, str], Path],
) -> None:
    ready = open_ready(page, qtbot)
    check_model(ready.view.model())
    assert rows(ready.view) == ["Tiny_W8A8_RK3588.rkllm", "Real_W4A16_RK3576.rkllm"]
    assert rows(ready.view, 1) == ["RK3588", "RK3576"]
    assert "RK3588 with 8 GB: in order" in texts(ready)
    assert not ready.put.isEnabled()  # no board of one's own yet
    assert ready.boards.isVisible()
    shots(page, "discover-ready-fits")
    ready.view.selectRow(1)
    qtbot.waitUntil(lambda: "RK3588 with 8 GB: problem" in texts(ready), timeout=SLACK_MS)
    assert "was converted for rk3576" in texts(ready)
    assert "inferred from its name" in texts(ready)
    assert "read in the file" in texts(ready)
    shots(page, "discover-ready-other-soc")


@pytest.fixture
def gguf_page(page: DiscoverPage, hub: DemoHub, tmp_path: Path, qtbot: QtBot) -> Iterator[DiscoverPage]:
    model = Path(str(resources.files("resources") / "demo" / "wonderland-1m"))
    made = {
        repo: HubRepo(repo, folder)
        for repo, folder in write_gguf_files(tmp_path / "gguf", model, "rkdeck-demo/wonderland-1m").items()
    }
    hub.repos |= made
    page.kind.setCurrentIndex(page.kind.findText(".gguf files"))
    qtbot.waitUntil(lambda: sorted(rows(page.view)) == sorted(made), timeout=SLACK_MS)
    yield page
    for repo in made:
        del hub.repos[repo]


def test_gguf_rows_come_from_the_headers_with_one_recommended_for_the_board(
    gguf_page: DiscoverPage,
    qtbot: QtBot,
    check_model: Callable[[QAbstractItemModel], None],
    shots: Callable[[QWidget, str], Path],
) -> None:
    select(gguf_page, GGUF_REPO, qtbot)
    ready = gguf_page.pane.ready
    qtbot.waitUntil(lambda: ready.isVisible() and ready._judgement is not None, timeout=SLACK_MS)
    check_model(ready.view.model())
    named = dict(
        zip(rows(ready.view), zip(rows(ready.view, 2), rows(ready.view, 4), strict=True), strict=True)
    )
    assert named == {
        "wonderland-1m-F16.gguf": ("f16", "fits"),
        "wonderland-1m-Q4_0.gguf": ("q4_0", "fits"),
        "wonderland-1m-Q8_0.gguf": ("q8_0", "fits · recommended"),
        "mmproj-wonderland-1m-F16.gguf": ("f16", "part of a model"),
    }
    assert rows(ready.view)[-1].startswith("mmproj")
    assert set(rows(ready.view, 1)) == {"any"}
    assert ready._report is not None
    assert ready._report.file.path == "wonderland-1m-Q8_0.gguf"  # the recommended one is selected
    assert "wonderland-1m-Q8_0.gguf" in ready.best.text()
    assert "NPU cores" not in texts(ready)
    shots(gguf_page, "discover-gguf")
    ready.view.selectRow(3)
    assert "by itself it runs on no board" in texts(ready)
    assert not ready.put.isEnabled()
    assert ready.download.isEnabled()


def test_a_model_in_parts_is_one_row_and_comes_whole(
    gguf_page: DiscoverPage, found: Services, desk: Desk, qtbot: QtBot
) -> None:
    select(gguf_page, PARTS_REPO, qtbot)
    ready = gguf_page.pane.ready
    qtbot.waitUntil(lambda: ready.isVisible() and ready._judgement is not None, timeout=SLACK_MS)
    assert rows(ready.view) == ["wonderland-1m-Q8_0.gguf"]
    qtbot.mouseClick(ready.download, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(found.library.list()) == 1, timeout=60_000)
    (item,) = found.library.list()
    assert (item.kind, len(item.files)) == ("gguf", 3)


def test_a_repository_of_gguf_files_is_no_refusal_to_the_filter_of_what_fits(
    gguf_page: DiscoverPage, qtbot: QtBot
) -> None:
    gguf_page.fitting.setChecked(True)
    assert sorted(rows(gguf_page.view)) == sorted([GGUF_REPO, PARTS_REPO])


def test_a_page_of_one_repository_says_nothing_of_the_next(page: DiscoverPage, qtbot: QtBot) -> None:
    open_ready(page, qtbot)
    select(page, FITS, qtbot)
    qtbot.waitUntil(lambda: page.pane.memory.estimate is not None, timeout=SLACK_MS)
    assert not page.pane.tabs.isTabVisible(page.pane.tabs.indexOf(page.pane.ready))
    assert page.pane.ready._report is None


def test_why_lines_say_what_would_change_it(page: DiscoverPage, qtbot: QtBot, desk: Desk) -> None:
    select(page, FITS, qtbot)
    memory = page.pane.memory
    qtbot.waitUntil(lambda: memory.estimate is not None, timeout=SLACK_MS)
    assert "fits:" in memory.why.text()
    assert "Largest context that fits: 16384 tokens" in memory.why.text()
    place = rows(memory.table).index("w4a16")
    memory.table.selectRow(place)
    assert "refuses w4a16 on RK3588" in memory.why.text()
    assert "w8a8 fits" in memory.why.text()


def test_a_file_goes_from_the_hub_into_service_with_one_click(
    found: Services,
    tmp_path_factory: pytest.TempPathFactory,
    themes: ThemeSwitch,
    qtbot: QtBot,
    qapp: QApplication,
) -> None:
    with running_parts(tmp_path_factory.mktemp("parts")) as parts:
        endpoint = found.settings.hub_endpoint
        _prepare(found, parts, str(endpoint))
        desk = Desk(found)
        heard = Ear(desk)
        page = DiscoverPage(desk)
        page.resize(1080, 680)
        page.show()
        desk.start()
        qtbot.waitUntil(lambda: desk.active.target.board == BOARD_NAME, timeout=SLACK_MS)
        page.enter(CONVERTED)
        ready = page.pane.ready
        qtbot.waitUntil(lambda: ready._judgement is not None and ready.put.isEnabled(), timeout=SLACK_MS)
        assert ready.put.text() == f"Put on {BOARD_NAME}"
        qtbot.mouseClick(ready.put, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: ready._job() is not None, timeout=SLACK_MS)
        assert not ready.put.isEnabled()
        qtbot.waitUntil(lambda: "It is on" in ready.state.text(), timeout=90_000)
        record = ready._job()
        assert record is not None
        assert record.state is JobState.SUCCEEDED
        assert record.result is not None
        assert record.result["serving"]
        qtbot.waitUntil(lambda: any(item.kind == "rkllm" for item in desk.library.items), timeout=SLACK_MS)
        assert not [notice for notice in heard.noticed if notice.kind == "bad"]
        from core.usecases.serving import stop

        stop(found, BOARD_NAME)
        page.close()
        page.deleteLater()
        desk.close()
        desk.deleteLater()
        flush()


def _prepare(services: Services, parts: DemoParts, endpoint: str) -> None:
    prepare(services, parts)
    services.settings = replace(services.settings, hub_endpoint=endpoint)
