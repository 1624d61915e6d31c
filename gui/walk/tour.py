"""The window's own walk through the path, off the screen: real widgets, real mouse and key events, real parts.

`rkdeck demo --headless` takes it after the command line's walk, in a home folder of its own: search, download,
convert, drop the result onto the demo board, serve, ask, watch. Each step says what the widgets show; with a folder
for pictures every page is drawn in each theme and language, and all of them together on one sheet.
"""

import sys
import time
from pathlib import Path
from typing import get_args

from PySide6.QtCore import (
    QMessageLogContext,
    QMimeData,
    QPointF,
    Qt,
    QtMsgType,
    QUrl,
    Slot,
    qInstallMessageHandler,
)
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QSpinBox,
    QWidget,
)

from core.base.errors import JsonValue, RKDeckError
from core.base.paths import AppPaths
from core.base.units import format_duration
from core.boards.doctor.findings import Verdict
from core.cli.output import Output
from core.convert.order import ConvertOrder
from core.deploy.order import DeployOrder
from core.hub.order import DownloadOrder
from core.jobs.model import JobRecord, JobState
from core.jobs.order import JobOrder
from core.lab.order import AnalyzeOrder
from core.library.records import LibraryItem
from core.services import Services
from core.showcase.parts import BOARD_NAME, DEMO_REPO, DemoParts, prepare
from core.words import PLAIN, languages
from gui.app import Shell, WindowOptions, install_language, make_application
from gui.desk import Desk, Notice
from gui.gc_guard import GcGuard
from gui.shell.window import PAGES, MainWindow
from gui.theme import DARK, LIGHT, ThemeSwitch
from gui.walk.contact_sheet import contact_sheet
from gui.walk.hand import Hand
from gui.walk.loop_watch import empty_loop_ms

DTYPE, CONTEXT_TOKENS = "w8a8_g128", 512
PROMPT = "Who stole the tarts?"
_WATCH_S = 12.0
_SETTLE_S = 0.8
_EMPTY_S = 1.0
_SIZE = (1280, 800)


def run_tour(output: Output, parts: DemoParts, paths: AppPaths, shots: Path | None) -> None:
    """Take the tour.

    Raises:
        RKDeckError: `demo.tour_failed` naming the step that did not come about.
    """
    qInstallMessageHandler(_on_qt_message)
    application = QApplication.instance() or make_application(["rkdeck"])
    assert isinstance(application, QApplication)
    install_language(application, "en")
    paths.ensure()
    guard = GcGuard(application)
    with Services.build(paths) as services:
        prepare(services, parts)
        themes = ThemeSwitch(application)
        themes.use(LIGHT)
        shell = Shell(application, services, themes, WindowOptions(simulated=True))
        shell.window.resize(*_SIZE)
        shell.open()
        guard.start()
        tour = Tour(shell.window, shell.desk, output)
        try:
            tour.take()
            if shots is not None:
                _draw(tour, shell, themes, application, shots)
        finally:
            guard.stop()
            shell.close()


def _on_qt_message(kind: QtMsgType, _context: QMessageLogContext, text: str) -> None:
    """Pass on what Qt says, but for what the offscreen platform says of every window."""
    if "This plugin does not support" not in text:
        sys.stderr.write(f"Qt {kind.name}: {text}\n")


class Tour(Hand):
    """Acts on a window and waits for what it shows."""

    def __init__(self, window: MainWindow, desk: Desk, output: Output) -> None:
        super().__init__(window)
        self.window = window
        self.desk = desk
        self._output = output
        desk.noticed.connect(self._on_noticed)

    @Slot(object)
    def _on_noticed(self, notice: Notice) -> None:
        if notice.kind == "bad":
            self.complaint = f"{notice.text} {notice.hint}".strip()

    def take(self) -> None:
        """All steps, one after the other."""
        began_s = time.monotonic()
        self.watch.start()
        self.find()
        self.download()
        self.weigh()
        item = self.convert()
        self.drop(item)
        self.ask()
        self.look()
        self.watch.stop()
        took = format_duration(time.monotonic() - began_s)
        empty_ms = empty_loop_ms(_EMPTY_S)
        self.say(
            "window",
            f"the same path by its widgets in {took}; longest event-loop block {self.watch.longest_ms:.0f} ms "
            f"({self.watch.at}), {self.watch.over_50_ms} over 50 ms; of an empty loop here {empty_ms:.0f} ms",
            longest_block_ms=round(self.watch.longest_ms, 1),
            longest_work_ms=round(self.watch.longest_work_ms, 1),
            blocks_over_50_ms=self.watch.over_50_ms,
            empty_loop_ms=round(empty_ms, 1),
        )

    def find(self) -> None:
        """Search the demo hub by keyboard."""
        self.step("searching")
        page = self.open("discover")
        field = self.get(QLineEdit, "searchField", page)
        field.clear()
        QTest.keyClicks(field, "wonderland")
        QTest.keyClick(field, Qt.Key.Key_Return)
        view = self.get(QAbstractItemView, "resultsView", page)
        self.wait_until(lambda: self.row_with(view, DEMO_REPO) is not None, "the search result")
        self.click_row(view, DEMO_REPO)
        table = self.get(QAbstractItemView, "levelTable", page)
        self.wait_until(lambda: self.row_with(table, "w8a8") is not None, "the level table")
        self.say(
            "window", f"found {DEMO_REPO}; {table.model().rowCount()} levels estimated before the download"
        )

    def download(self) -> None:
        """Press the button and wait for the model in the library."""
        self.step("downloading")
        self.click("downloadButton", self.window.page("discover"))
        record = self.wait_job(DownloadOrder)
        self.wait_until(
            lambda: any(item.repo == DEMO_REPO for item in self.desk.library.items), "the library"
        )
        self.say("window", f"downloaded {record.spec.title}")

    def weigh(self) -> None:
        """Measure in the lab what each level does to the weights."""
        self.step("measuring")
        page = self.open("lab")
        self.click("analyzeButton", page)
        self.wait_job(AnalyzeOrder)
        levels = self.get(QAbstractItemView, "labLevels", page)
        self.wait_until(lambda: self.row_with(levels, "w4a16") is not None, "the measured levels")
        heat = self.get(QAbstractItemView, "heatView", page)
        self.wait_until(lambda: heat.model().rowCount() > 0, "the map of the layers")
        self.say("window", f"measured what {levels.model().rowCount()} levels do to its weights")

    def convert(self) -> LibraryItem:
        """Choose a level and convert; returns the new item."""
        self.step("converting")
        source = next(item for item in self.desk.library.items if item.repo == DEMO_REPO)
        self.desk.go("convert", source.id)
        page = self.window.page("convert")
        self.choose(self.get(QComboBox, "dtypeBox", page), DTYPE)
        self.get(QSpinBox, "contextBox", page).setValue(CONTEXT_TOKENS)
        self.click("convertButton", page)
        record = self.wait_job(ConvertOrder)
        made = str((record.result or {}).get("path"))
        self.wait_until(
            lambda: any(str(item.path) == made for item in self.desk.library.items), "the new model"
        )
        item = next(item for item in self.desk.library.items if str(item.path) == made)
        self.say("window", f"converted to {item.path.name}")
        return item

    def drop(self, item: LibraryItem) -> None:
        """Drag the model over the board's card, read the verdict, let go, watch it arrive."""
        self.step("dropping")
        page = self.open("boards")
        card = self.get(QWidget, f"boardCard:{BOARD_NAME}", page)
        self.wait_until(
            lambda: (view := self.desk.boards.get(BOARD_NAME)) is not None and view.status is not None,
            "the board",
        )
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(item.path))])
        verdict = self.hover(card, mime)
        self.release(card, mime)
        record = self.wait_job(DeployOrder)
        self.say("window", f"dropped onto {BOARD_NAME}: {verdict}", verdict=verdict, job=record.spec.id)

    def hover(self, card: QWidget, mime: QMimeData) -> str:
        """Enter a card with a drag and wait for its verdict; returns the words."""
        centre = card.rect().center()
        actions, buttons, keys = (
            Qt.DropAction.CopyAction,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(card, QDragEnterEvent(centre, actions, mime, buttons, keys))

        def known() -> bool:
            QApplication.sendEvent(card, QDragMoveEvent(centre, actions, mime, buttons, keys))
            return card.property("drop") in get_args(Verdict)

        self.wait_until(known, "the verdict")
        return " ".join(self.get(QLabel, "verdictLabel", card).text().split())

    def release(self, card: QWidget, mime: QMimeData) -> None:
        """Let go over a card."""
        event = QDropEvent(
            QPointF(card.rect().center()), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )  # fmt: skip
        QApplication.sendEvent(card, event)
        if not event.isAccepted():
            raise self.failure("the drop")

    def ask(self) -> None:
        """Serve the newest deployment and ask it something in the drawer."""
        self.step("serving")
        page = self.open("boards")
        card = self.get(QWidget, f"boardCard:{BOARD_NAME}", page)
        self.wait_until(lambda: self.deployments() > 0, "the deployment on the card")
        self.press_serve(card)
        self.wait_until(lambda: self.serving() is not None, "the model being served")
        self.step("asking")
        self.click("chatButton", card)
        field = self.get(QWidget, "promptField", self.window)
        QTest.keyClicks(field, PROMPT)
        self.click("sendButton", self.window)
        answer = self.get(QWidget, "answerView", self.window)
        self.wait_until(lambda: self.figures_shown(answer), "the answer")
        text = " ".join(self.shown_text(answer).split())
        self.say("window", f"asked {PROMPT!r}: {text[-90:]}", prompt=PROMPT)

    def press_serve(self, card: QWidget) -> None:
        """Press Serve, and the first entry of its menu where it has one."""
        from PySide6.QtWidgets import QMenu, QPushButton, QToolButton

        serve = self.get(QAbstractButton, "serveButton", card)
        menu = serve.menu() if isinstance(serve, QPushButton | QToolButton) else None
        if isinstance(menu, QMenu):
            menu.aboutToShow.emit()
            menu.actions()[0].trigger()
        else:
            self.click("serveButton", card)

    def look(self) -> None:
        """Watch the monitor move."""
        self.step("watching")
        self.open("monitor")
        history = self.desk.monitor.histories[BOARD_NAME]

        def busiest() -> float:
            _, values = history.window("npu0", 120, 240)
            return max((value for value in values.tolist() if value == value), default=0.0)

        self.wait_until(lambda: busiest() > 0, "the NPU at work", _WATCH_S * 5)
        self.pause(2.0)
        self.say("window", f"watched: NPU core 0 up to {busiest():.0f} % while it answered")

    def is_visited(self) -> bool:
        """Whether the board has been looked at."""
        view = self.desk.boards.get(BOARD_NAME)
        return view is not None and view.status is not None

    def deployments(self) -> int:
        """How many versions the board's last visit found."""
        view = self.desk.boards.get(BOARD_NAME)
        return len(view.status.versions) if view is not None and view.status is not None else 0

    def serving(self) -> object:
        """What the board's last visit found being served."""
        view = self.desk.boards.get(BOARD_NAME)
        return view.status.serving if view is not None and view.status is not None else None

    def figures_shown(self, answer: QWidget) -> bool:
        """Whether the answer has come to its end with the runtime's own figures."""
        return "tokens/s" in self.shown_text(self.window.drawer)

    def open(self, name: str) -> QWidget:
        """Go to a page by its button."""
        QTest.mouseClick(self.window.rail.button(name), Qt.MouseButton.LeftButton)
        self.wait_until(lambda: self.window.current is self.window.page(name), f"the page {name}")
        return self.window.page(name)

    def wait_job(self, order: type[JobOrder]) -> JobRecord:
        """Wait for the newest job of a kind to succeed.

        Raises:
            RKDeckError: the job's own error.
        """
        kind = order.kind.name
        self.wait_until(
            lambda: any(record.spec.kind == kind for record in self.desk.jobs.records), f"a {kind} job"
        )
        job_id = next(record.spec.id for record in self.desk.jobs.records if record.spec.kind == kind)

        def ended() -> bool:
            record = self.desk.jobs.get(job_id)
            return record is not None and record.state.is_terminal

        self.wait_until(ended, f"the end of {job_id}")
        record = self.desk.jobs.get(job_id)
        assert record is not None
        if record.state is not JobState.SUCCEEDED:
            from core.base.errors import error_from_json

            raise error_from_json(record.error or {})
        return record

    def show_filled(self, name: str) -> None:
        """Show a page with something selected on it, and let it settle."""
        self.open(name)
        if name == "discover":
            self.desk.go("discover", DEMO_REPO)
        if name == "library":
            self.desk.go("library", self.desk.library.items[0].id)
        if name == "boards":
            self.click("doctorButton", self.get(QWidget, f"boardCard:{BOARD_NAME}", self.window.page(name)))
        if name == "jobs":
            self.desk.go("jobs", self.desk.jobs.records[0].spec.id)
        self.pause(_SETTLE_S)

    def step(self, name: str) -> None:
        """Say where the tour is, for the loop watch and for failures."""
        self.watch.note(name)

    def say(self, step: str, text: str, /, **figures: JsonValue) -> None:
        """Tell of a step, as the command line's walk does."""
        self._output.text(f"{step:>10}  {text}")
        self._output.event("step", **{"step": step, "text": text, **figures})


def _draw(tour: Tour, shell: Shell, themes: ThemeSwitch, application: QApplication, folder: Path) -> None:
    """Every page in each language and theme, and one sheet of all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    for code in languages():
        if code != PLAIN:
            shell.desk.settings.change(language=code)
            tour.window = shell.window
        for theme in (LIGHT, DARK):
            themes.use(theme)
            for number, entry in enumerate(PAGES, 1):
                tour.show_filled(entry.name)
                path = folder / f"{number}-{entry.name}-{code}-{theme}.png"
                # What arrived in the last turn has set its texts, and only asked for room for them.
                QApplication.sendPostedEvents()
                if not shell.window.grab().save(str(path)):
                    raise RKDeckError("demo.not_drawn", file=str(path))
                made.append(path)
    sheet = folder / "sheet.png"
    contact_sheet(made, sheet, columns=len(PAGES))
    tour.say("window", f"{len(made)} pictures and {sheet.name} in {folder}", sheet=str(sheet))
