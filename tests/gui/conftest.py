"""Rules for every test of the window: nothing left behind, nothing said by Qt, no exception in a slot."""

import gc
import os
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest
from PySide6.QtCore import QAbstractAnimation, QAbstractItemModel, QCoreApplication, QEvent, QObject, QTimer
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

if TYPE_CHECKING:
    from pytestqt.modeltest import ModelTester

from core.base.paths import AppPaths
from core.services import Services
from gui.app import install_language
from gui.desk import Desk
from gui.text import use_language
from gui.theme import ThemeSwitch


@pytest.fixture(scope="session")
def qapp_args() -> list[str]:
    """Name the application as the program does."""
    return ["rkdeck"]


@pytest.fixture(autouse=True)
def _leaves_no_qt_objects(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the guilty test when it leaves a top-level widget, a running timer or an animation behind.

    Qt would reach for their memory in some later test, which would then be blamed.
    """
    if "qapp" not in request.fixturenames:
        yield
        return
    before = set(map(id, QApplication.topLevelWidgets()))
    timers = _TimerSpy()
    timers.install()
    # As in the program (gui/gc_guard.py): collecting on a worker thread would finalise widgets there.
    gc.disable()
    yield
    timers.remove()
    flush()
    # Menus of a chart are in cycles with it: collected here, on the main thread.
    gc.collect()
    gc.enable()
    flush()
    left = [widget for widget in QApplication.topLevelWidgets() if id(widget) not in before]
    running = timers.running()
    described = [f"{type(item).__name__} {item.objectName()!r}" for item in (*left, *running)]
    for widget in left:
        widget.deleteLater()
    for item in running:
        item.stop()
    flush()
    if described:
        pytest.fail("left behind: " + ", ".join(described))


@pytest.fixture
def services(paths: AppPaths) -> Iterator[Services]:
    """The core over a fresh home folder."""
    with Services.build(paths) as built:
        yield built


@pytest.fixture
def desk(qapp: QApplication, services: Services) -> Iterator[Desk]:
    """A desk; it is started by the test that needs its feeds."""
    made = Desk(services)
    yield made
    made.close()
    made.deleteLater()
    flush()


@pytest.fixture
def themes(qapp: QApplication) -> Iterator[ThemeSwitch]:
    """The light theme, applied; a page that is shown without its window has the window's style sheet, too."""
    switch = ThemeSwitch(qapp)
    switch.changed.connect(lambda: qapp.setStyleSheet(switch.sheet))
    switch.use("light")
    yield switch
    qapp.setStyleSheet("")
    switch.deleteLater()
    flush()


@pytest.fixture
def spanish(qapp: QApplication) -> Iterator[None]:
    """Texts made during the test are Spanish."""
    install_language(qapp, "es")
    yield
    install_language(qapp, "en")
    use_language("en")


@pytest.fixture
def check_model(qtbot: QtBot) -> Iterator[Callable[[QAbstractItemModel], None]]:
    """Attach both model testers: each finds faults the other misses. They watch until the test ends."""
    attached: list[QObject] = []

    def attach(model: QAbstractItemModel) -> None:
        from pytestqt.modeltest import ModelTester  # the plugin has to be configured first

        python = ModelTester(None)
        python.check(model, force_py=True)
        attached.append(QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal))
        if model.rowCount():
            assert model.rowCount(model.index(0, 0)) == 0
        testers.append(python)

    testers: list[ModelTester] = []
    yield attach
    for python in testers:
        # It would go on to look at a model that is being deleted, which takes the process down.
        python._cleanup()
    for tester in attached:
        tester.deleteLater()
    flush()


@pytest.fixture
def freed_on_delete(qtbot: QtBot) -> Callable[[Callable[[], QWidget]], None]:
    """Check that a widget dies by reference count alone once it is deleted (no lambda or partial holds it)."""

    def check(make: Callable[[], QWidget]) -> None:
        widget = make()
        widget.show()
        reference = weakref.ref(widget)
        gc.collect()
        assert not gc.isenabled()
        widget.close()
        widget.deleteLater()
        del widget
        flush()
        assert reference() is None, f"still referred to by {gc.get_referrers(reference())}"

    return check


@pytest.fixture
def shots(tmp_path: Path) -> Callable[[QWidget, str], Path]:
    """Save a picture of a widget; kept where RKDECK_SHOTS says, for a person to look at."""
    folder = Path(os.environ.get("RKDECK_SHOTS") or tmp_path)

    def save(widget: QWidget, name: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.png"
        assert widget.grab().save(str(path))
        return path

    return save


def flush() -> None:
    """Deliver deferred deletions and what they cause."""
    for _ in range(3):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        QCoreApplication.processEvents()


class _TimerSpy:
    """Remembers the timers and animations that are started, to find those that still run at the end."""

    def __init__(self) -> None:
        self._started: list[weakref.ref[QTimer] | weakref.ref[QAbstractAnimation]] = []
        self._timer_start = QTimer.start
        self._animation_start = QAbstractAnimation.start

    def install(self) -> None:
        started, timer_start, animation_start = self._started, self._timer_start, self._animation_start

        def start_timer(timer: QTimer, *args: int) -> None:
            started.append(weakref.ref(timer))
            timer_start(timer, *args)

        def start_animation(animation: QAbstractAnimation, *args: object) -> None:
            started.append(weakref.ref(animation))
            animation_start(animation, *args)  # type: ignore[arg-type]  # passed on as given

        QTimer.start = start_timer  # type: ignore[method-assign]  # restored at the test's end
        QAbstractAnimation.start = start_animation  # type: ignore[method-assign,assignment]

    def remove(self) -> None:
        QTimer.start = self._timer_start  # type: ignore[method-assign]
        QAbstractAnimation.start = self._animation_start  # type: ignore[method-assign]

    def running(self) -> list[QTimer | QAbstractAnimation]:
        found: list[QTimer | QAbstractAnimation] = []
        for reference in self._started:
            item = reference()
            if item is None:
                continue
            try:
                active = item.isActive() if isinstance(item, QTimer) else item.state().value != 0
            except RuntimeError:  # its C++ side is deleted: it runs no more
                continue
            if active and item not in found:
                found.append(item)
        return found
