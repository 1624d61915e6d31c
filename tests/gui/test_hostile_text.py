"""Every page, panel, dialog, menu and message, filled by a stranger: nothing of it is markup, a key, or unseen."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QMenu, QWidget
from pytestqt.qtbot import QtBot

from core.base.errors import RKDeckError
from core.boards.discovery import Candidate as Neighbour
from core.boards.doctor.findings import Finding
from core.boards.doctor.remedies import Remedy
from core.boards.facts import BoardFacts
from core.boards.records import Board
from core.convert.recipe import Problem
from core.convert.records import Toolkit
from core.deploy.layout import Deployment
from core.deploy.records import Pruning
from core.fitness.badge import Badge
from core.fitness.candidate import Candidate
from core.fitness.judge import Judgement, Refusal
from core.hub.records import ModelDetail, ModelSummary, RepoFile, SearchPage
from core.jobs.model import JobRecord, JobState, Progress
from core.lab.summary import HeatMap
from core.library.records import LibraryItem
from core.monitor.sample import BoardSample
from core.services import Services
from core.usecases.boards import BoardStatus
from core.usecases.discovery import Found
from core.usecases.hub import ModelReport
from core.usecases.ready import ReadyReport
from gui.desk import Desk, Notice
from gui.dialogs.add_board import AddBoardDialog
from gui.dialogs.changed_key import ChangedKeyDialog
from gui.dialogs.host_key import HostKeyDialog
from gui.dialogs.move_board import MoveBoardDialog
from gui.dialogs.new_password import NewPasswordDialog
from gui.dialogs.remedy import RemedyDialog
from gui.feeds.boards import BoardView
from gui.pages.boards.card import BoardCard
from gui.pages.boards.chat import ChatPanel
from gui.pages.boards.deployments import DeploymentsPanel
from gui.pages.boards.doctor import DoctorPanel
from gui.pages.boards.page import BoardsPage
from gui.pages.boards.verdict import judgement_line
from gui.pages.convert.page import ConvertPage
from gui.pages.discover.delegate import badge_tip
from gui.pages.discover.page import DiscoverPage
from gui.pages.jobs.page import JobsPage
from gui.pages.lab.page import LabPage
from gui.pages.library.page import LibraryPage
from gui.pages.monitor.charts import CHARTS
from gui.pages.monitor.page import MonitorPage
from gui.pages.settings.page import SettingsPage
from gui.shell.closing import ask_before_closing
from gui.shell.window import PAGES, MainWindow
from gui.theme import ThemeSwitch
from gui.widgets.drag import _picture
from gui.widgets.plain import plain_tip
from tests.gui.conftest import flush
from tests.gui.hostile import TEXTS, complaints, made
from tests.gui.page_parts import SLACK_MS

KINDS = ("download", "convert", "deploy", "run", "analyze", "perplexity", "odd")


@pytest.fixture(params=sorted(TEXTS))
def text(request: pytest.FixtureRequest) -> str:
    return TEXTS[request.param]


@pytest.fixture
def window(services: Services, desk: Desk, themes: ThemeSwitch, qtbot: QtBot) -> Iterator[MainWindow]:
    """All pages, built; the feeds are not started, so that what a test puts there stays."""
    services.settings = replace(services.settings, hub_endpoint="http://127.0.0.1:9")
    shown = MainWindow(desk, themes, "settings")
    shown.resize(1280, 800)
    shown.show()
    qtbot.waitExposed(shown)
    for entry in PAGES:
        shown.page(entry.name)
    yield shown
    shown._may_close = True
    shown.close()
    shown.deleteLater()
    flush()


def error(text: str, code: str = "hub.unreachable") -> RKDeckError:
    names = (
        "host", "reason", "endpoint", "name", "path", "board", "user", "fingerprint", "known_fingerprint", "key_type",
        "model", "wanted", "version", "file", "repo", "detail", "what",
    )  # fmt: skip
    return RKDeckError(code, **dict.fromkeys(names, text))


def jobs(text: str) -> list[JobRecord]:
    """Running, failed and done ones of each kind."""
    found = []
    for kind in KINDS:
        for state in (JobState.RUNNING, JobState.FAILED, JobState.SUCCEEDED, JobState.INTERRUPTED):
            record = made(JobRecord, text, state=state, progress=made(Progress, text, unit="bytes"))
            params: dict[str, object] = dict.fromkeys(("title", "file", "output", "repo", "model"), text)
            spec = replace(record.spec, id=f"{kind}-{state}", kind=kind, params=params, board="desk")  # type: ignore[arg-type]
            told = error(text).to_json() | {"message": text, "hint": text}
            result = {"path": text, "name": text, "seconds": 1e300, "size_bytes": float("nan")}
            found.append(replace(record, spec=spec, error=told, result=result))  # type: ignore[arg-type]
    return found


def board_view(text: str, code: str = "remote.timeout") -> BoardView:
    facts = made(BoardFacts, text, soc="rk3588", identity="x")
    board = made(Board, text, name="desk", port=22, facts=facts)
    versions = tuple(made(Deployment, text, version=f"v{n}", sha256=text, current=n == 0) for n in range(2))
    findings = tuple(
        Finding(f"check{n}", "failed", "doctor.model_no_library", error(text).facts, _remedy(text))
        for n in range(3)
    )
    status = made(
        BoardStatus, text, board=board, versions=versions, findings=findings, tenants=((1, text),), seen=None
    )
    sample = made(BoardSample, text, board="desk", link="up", missing={"npu_load": text, "serving": text})
    job = next(job for job in jobs(text) if job.spec.kind == "deploy")
    return BoardView(board, status, sample, error(text, code), job)


def _remedy(text: str) -> Remedy:
    return made(Remedy, text, id="groups", facts=dict.fromkeys(("groups", "user", "path", "group"), text))


def fill_boards(desk: Desk, view: BoardView) -> None:
    desk.boards.views.replace_all([view], key=lambda known: known.name)
    desk.boards.is_loaded = True
    desk.boards.loaded.emit()
    desk.boards.changed.emit(view)


def check(*roots: QWidget) -> None:
    flush()
    for root in roots:
        root.grab()  # painting is part of it: delegates, elided texts
    found = complaints(*roots)
    assert not found, "\n".join(found)


def close(*widgets: QWidget) -> None:
    for widget in widgets:
        widget.close()
        widget.deleteLater()
    flush()


def test_discover(window: MainWindow, text: str) -> None:
    page = window.page("discover")
    assert isinstance(page, DiscoverPage)
    window.show_page("discover")
    summary = made(ModelSummary, text, commit="c")
    files = (made(RepoFile, text), made(RepoFile, text, path=f"{text}.rkllm"))
    detail = made(ModelDetail, text, summary=summary, files=files)
    page._on_page(SearchPage((summary,), None))
    page.pane.show_model(summary)
    page.pane._on_report(
        made(
            ModelReport,
            text,
            detail=detail,
            item=None,
            shape=None,
            facts=None,
            problem=error(text),
            ready_files=files,
        )
    )
    check(page)
    for tab in range(page.pane.tabs.count()):
        page.pane.tabs.setCurrentIndex(tab)
        check(page)
    page.pane.ready._on_report(made(ReadyReport, text, file=files[1], facts=None))
    check(page)
    page.pane.ready._on_failed(error(text))
    page.pane._on_card_failed(error(text))
    page._on_failed(error(text))
    check(page)
    assert "<img" not in plain_tip(badge_tip(made(Badge, text)))


def show_every_page(window: MainWindow) -> None:
    """Whatever the feeds hold now may be on any page, also on one that has no test of its own here."""
    for entry in PAGES:
        window.show_page(entry.name)
        check(window)


def test_jobs_and_the_question_before_closing(window: MainWindow, desk: Desk, text: str) -> None:
    page = window.page("jobs")
    assert isinstance(page, JobsPage)
    records = jobs(text)
    desk.jobs.records.replace_all(records, key=lambda job: job.spec.id)
    desk.jobs.counted.emit()
    window.show_page("jobs")
    for record in records:
        desk.jobs.changed.emit(record)
        page.detail.show_job(record)
        check(page.detail)
    page.detail.log.text.setPlainText("")
    check(window)
    show_every_page(window)
    box = ask_before_closing(window, records)
    check(box)
    close(box)
    desk.jobs.found_interrupted.emit(tuple(records))
    check(*window.notices.cards)


def test_library(window: MainWindow, desk: Desk, text: str, qtbot: QtBot) -> None:
    page = window.page("library")
    assert isinstance(page, LibraryPage)
    provenance = {
        "inspection": dict.fromkeys(("dtype", "platform", "architecture"), text), "simulated": True,
        "toolkit": {"version": text, "simulated": True}, "recipe": {text: text},
    }  # fmt: skip
    items = tuple(
        made(LibraryItem, text, id=kind, kind=kind, provenance=provenance) for kind in ("source", "rkllm")
    )
    desk.library._on_listed(items)
    window.show_page("library")
    for item in items:
        page.detail.show_item(item)
        page.detail._on_verified((error(text),))
        check(page)
        _picture(page, item.title)
    page._removal.ask(items[0])
    fill_boards(desk, board_view(text))
    menu = page.detail.deploy_menu if hasattr(page.detail, "deploy_menu") else None
    menus = page.findChildren(QMenu)
    for made_menu in menus:
        made_menu.aboutToShow.emit()
    page._on_menu(QPoint(5, 5))
    check(page, *menus, *([menu] if menu is not None else []))
    for made_menu in menus:
        made_menu.close()
    show_every_page(window)
    desk.report(error(text))
    qtbot.waitUntil(lambda: bool(window.notices.cards), timeout=SLACK_MS)
    check(window)


@pytest.mark.parametrize("code", ["remote.timeout", "remote.host_key_changed", "remote.password_expired"])
def test_boards(window: MainWindow, desk: Desk, text: str, code: str) -> None:
    page = window.page("boards")
    assert isinstance(page, BoardsPage)
    view = board_view(text, code)
    fill_boards(desk, view)
    window.show_page("boards")
    (card,) = page.findChildren(BoardCard)
    card._fill_serve_menu()
    assert view.status is not None
    findings = view.status.findings
    for refusals in ((made(Refusal, text, finding=findings[0]),), ()):
        judgement = made(Judgement, text, findings=findings, refusals=refusals)
        card.show_judgement(judgement, judgement_line(judgement, made(Candidate, text)), offer=True)
        check(window, *card.findChildren(QMenu))
    card.show_starting(text)
    window.picker._fill_menu()
    check(window, *window.picker.findChildren(QMenu))
    page._ask_removal("desk")
    page._ask_password("desk")
    check(window)


def test_panels_of_a_board(window: MainWindow, desk: Desk, text: str) -> None:
    view = board_view(text)
    fill_boards(desk, view)
    window.show_page("boards")
    panel = DeploymentsPanel(desk, view)
    desk.fill_drawer(panel)
    panel._on_counted(made(Pruning, text))
    panel._on_off()
    panel.adopting._on_failed(error(text))
    check(window, panel)
    doctor = DoctorPanel(desk, view, [_remedy(text)])
    desk.fill_drawer(doctor)
    check(window, doctor)
    chat = ChatPanel(desk, "desk")
    desk.fill_drawer(chat)
    chat._messages.append({"role": "user", "content": text})
    chat._on_failed(error(text))
    check(window, chat)
    desk.fill_drawer(None)
    flush()


def test_dialogs_of_a_board(window: MainWindow, desk: Desk, text: str) -> None:
    told = error(text, "remote.host_key_changed")
    board = board_view(text).board
    adding = AddBoardDialog(desk, window)
    adding.nearby._on_one(Found(made(Neighbour, text, port=22), text))
    adding.nearby._on_failed(error(text))
    dialogs = [
        adding, HostKeyDialog(told, window), ChangedKeyDialog(desk, "desk", told, window),
        NewPasswordDialog(desk, "desk", told, window), MoveBoardDialog(desk, board, told, window),
        RemedyDialog(desk, "desk", _remedy(text), "sudo", window),
    ]  # fmt: skip
    for dialog in dialogs:
        dialog.show()
        for answer in ("_on_failed", "_on_refused"):
            if hasattr(dialog, answer):
                getattr(dialog, answer)(error(text))
    check(*dialogs)
    close(*dialogs)


def test_monitor(window: MainWindow, desk: Desk, text: str, qtbot: QtBot) -> None:
    from core.monitor.history import History, HistoryEvent

    page = window.page("monitor")
    assert isinstance(page, MonitorPage)
    view = board_view(text)
    history = desk.monitor.histories["desk"] = History()
    assert view.sample is not None
    for t_unix_s in (1.0, 2.0):
        history.add(replace(view.sample, t_unix_s=t_unix_s, temps_c={text[:500]: 50.0}))
    history._events.append(HistoryEvent(2.0, text, {"model": text}))
    fill_boards(desk, view)
    window.show_page("monitor")
    qtbot.waitUntil(lambda: len(page.charts) == len(CHARTS), timeout=SLACK_MS)
    page._draw()
    page._on_pointed(1.5)
    check(window)


def test_settings_lab_and_convert(window: MainWindow, desk: Desk, text: str, qtbot: QtBot) -> None:
    settings, lab, convert = (window.page(name) for name in ("settings", "lab", "convert"))
    assert isinstance(settings, SettingsPage)
    assert isinstance(lab, LabPage)
    assert isinstance(convert, ConvertPage)
    window.show_page("settings")
    toolkit = made(Toolkit, text)
    settings.toolkits._on_listed((toolkit,))
    settings.toolkits._on_added(toolkit)
    check(settings)
    settings.toolkits._on_failed(error(text))
    settings.toolkits.message.setText(text)
    settings.endpoint_problem.setText(text)
    check(settings)
    window.show_page("lab")
    lab._on_failed(error(text))
    lab.findChild(QWidget, "heatView").show_map(  # type: ignore[union-attr]
        made(HeatMap, text, layers=(1,), kinds=(text,), cells=((7.0,),), names=((text,),))
    )
    check(lab)
    window.show_page("convert")
    convert.problems.show_problems((Problem("error", error(text)),), None)
    convert.form.dataset.show_path(Path("/data") / text.replace("/", "_").replace("\x00", ""))
    convert.why_not.show_text(text)
    check(convert)


def test_messages(window: MainWindow, desk: Desk, text: str) -> None:
    desk.noticed.emit(Notice(text, text, kind="bad", action=text))
    desk.report(error(text))
    check(window, *window.notices.cards)
