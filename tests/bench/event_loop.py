"""The longest block of the event loop: 10,000 search rows, a log of 200,000 lines, 12 moving charts, an empty loop.

Run as `python -m tests.bench event_loop`; the test of the same name asserts the quarter of a second.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import json

from PySide6.QtCore import QEventLoop
from PySide6.QtWidgets import QListView

from core.base.paths import AppPaths
from core.jobs.model import JobState, WorkerCommand
from core.monitor.history import History
from core.monitor.sample import BoardSample
from core.services import Services
from gui.app import install_language, make_application
from gui.desk import Desk
from gui.gc_guard import GcGuard
from gui.shell.window import MainWindow
from gui.theme import LIGHT, ThemeSwitch
from gui.walk.loop_watch import LoopWatch, empty_loop_ms
from tests.support.orders import made_up

ROOT = Path(__file__).parents[2]
ROWS, LOG_LINES, CHARTS = 10_000, 200_000, 12
_STEP_S = 120.0


class Bench:
    """A window over a fresh home and a demo hub with a large catalogue."""

    def __init__(self, folder: Path, hub_url: str) -> None:
        self.application = make_application(["rkdeck"])
        install_language(self.application, "en")
        self.themes = ThemeSwitch(self.application)
        self.themes.use(LIGHT)
        paths = AppPaths(folder)
        paths.ensure()
        self.services = Services.build(paths)
        self.services.settings = replace(self.services.settings, hub_endpoint=hub_url)
        self.desk = Desk(self.services)
        self.window = MainWindow(self.desk, self.themes)
        self.window.show()
        self.desk.start()
        self.guard = GcGuard()
        self.guard.start()
        self.watch = LoopWatch()

    def turn(self) -> None:
        """One turn of the event loop."""
        QEventLoop().processEvents(
            QEventLoop.ProcessEventsFlag.AllEvents | QEventLoop.ProcessEventsFlag.WaitForMoreEvents
        )

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Let the window live until something is so."""
        deadline = time.monotonic() + _STEP_S
        while not condition():
            assert time.monotonic() < deadline, what
            self.turn()

    def measure(self, what: str, act: Callable[[], None]) -> "Block":
        """The longest block while `act` runs."""
        self.watch.longest_ms = self.watch.longest_work_ms = 0.0
        self.watch.over_50_ms = 0
        self.watch.start()
        act()
        self.watch.stop()
        return Block(what, self.watch.longest_ms, self.watch.longest_work_ms, self.watch.over_50_ms)

    def close(self) -> None:
        """End everything."""
        self.guard.stop()
        self.window._may_close = True  # nothing is asked in a bench
        self.window.close()
        self.desk.close()
        self.services.close()

    def search(self) -> None:
        """Scroll through ten thousand search results."""
        self.window.show_page("discover")
        page = self.window.page("discover")
        view = page.findChild(QListView, "resultsView")
        assert isinstance(view, QListView)
        self.wait_until(lambda: view.model().rowCount() > 0, "the first results")

        def scrolled() -> bool:
            view.verticalScrollBar().setValue(view.verticalScrollBar().maximum())
            return view.model().rowCount() >= ROWS

        self.wait_until(scrolled, f"{ROWS} rows")

    def log(self) -> None:
        """Follow a job that prints two hundred thousand lines."""
        script = ROOT / "tests" / "support" / "noisy_worker.py"
        worker = WorkerCommand(script=str(script))
        job = self.services.jobs.submit(made_up(worker, {"lines": LOG_LINES}, lane="bench", title="noise"))
        self.window.show_page("jobs", job.id)
        self.wait_until(lambda: (record := self.desk.jobs.get(job.id)) is not None, "the job in the list")
        self.window.show_page("jobs", job.id)
        from gui.widgets.log_view import LogView

        view = self.window.page("jobs").findChild(LogView)
        assert view is not None

        def read() -> bool:
            record = self.desk.jobs.get(job.id)
            ended = record is not None and record.state is JobState.SUCCEEDED
            return ended and f"line {LOG_LINES - 1}" in view.text.document().lastBlock().text()

        self.wait_until(read, "the last line")

    def charts(self) -> None:
        """Twelve charts over an hour of samples, moving for ten seconds."""
        from PySide6.QtWidgets import QGridLayout, QWidget

        from gui.widgets.plot import Curve, LiveChart

        holder = QWidget()
        grid = QGridLayout(holder)
        charts = []
        for number in range(CHARTS):
            self.turn()
            chart = LiveChart(f"chart {number}", "%", 100.0, 0)
            grid.addWidget(chart, number // 4, number % 4)
            charts.append(chart)
        holder.resize(1280, 800)
        holder.show()
        history = History()
        began = time.time() - 3600
        for second in range(3600):
            history.add(sample(began + second))
        deadline, tick = time.monotonic() + 10.0, 0
        while time.monotonic() < deadline:
            tick += 1
            history.add(sample(began + 3600 + tick))
            for chart in charts:
                names = [name for name in history.names if name.startswith(("npu", "cpu", "temp"))][:8]
                curves = [Curve(name, name, *history.window(name, 3600, 300)) for name in names]
                chart.show_curves(curves, began + tick, began + 3600 + tick, "")
                self.turn()
            until = time.monotonic() + 0.25
            while time.monotonic() < until:
                self.turn()
        holder.hide()
        holder.deleteLater()


def sample(t_unix_s: float) -> BoardSample:
    """Made-up figures that move."""
    from math import sin

    waves = [50 + 45 * sin(t_unix_s / (3 + number)) for number in range(8)]
    return BoardSample(
        board="bench", t_unix_s=t_unix_s, link="up", uptime_s=t_unix_s,
        npu_load_percent=tuple(int(value) for value in waves[:3]),
        cpu_load_percent=tuple(waves), temps_c={f"zone{number}": value for number, value in enumerate(waves)},
    )  # fmt: skip


@contextlib.contextmanager
def catalogue_hub() -> Iterator[str]:
    """The demo hub with a large catalogue of made-up entries."""
    with subprocess.Popen(
        [sys.executable, "-m", "core.demo.hub.server", "--catalogue", str(ROWS)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as hub:  # fmt: skip
        assert hub.stdout is not None
        assert hub.stdin is not None
        try:
            yield json.loads(hub.stdout.readline())["url"]
        finally:
            hub.stdin.close()
            hub.wait(15)


class Block(NamedTuple):
    """The longest block under a load; of it, `work_ms` is the thread's own work; and how many were over 50 ms."""

    what: str
    longest_ms: float
    work_ms: float
    over_50_ms: int


def run() -> tuple[float, list[Block]]:
    """The empty loop's longest block, and those of each load."""
    with tempfile.TemporaryDirectory() as folder, catalogue_hub() as url:
        bench = Bench(Path(folder), url)
        try:
            empty = empty_loop_ms(3.0)
            found = [
                bench.measure(f"{ROWS:,} search rows", bench.search),
                bench.measure(f"a log of {LOG_LINES:,} lines", bench.log),
                bench.measure(f"{CHARTS} moving charts, 8 lines each", bench.charts),
            ]
        finally:
            bench.close()
    return empty, found


def main() -> None:
    """Print the figures."""
    empty, found = run()
    print(f"{'empty loop':36} longest block {empty:6.1f} ms")
    for block in found:
        print(
            f"{block.what:36} longest block {block.longest_ms:6.1f} ms, most work {block.work_ms:6.1f} ms, "
            f"{block.over_50_ms} over 50 ms"
        )


if __name__ == "__main__":
    main()
