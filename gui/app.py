"""The window's program: hooks, application, services, window, event loop, orderly end."""

import faulthandler
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from types import FrameType

from PySide6.QtCore import (
    QCoreApplication,
    QEvent,
    QLibraryInfo,
    QLocale,
    QMessageLogContext,
    QObject,
    QTimer,
    QtMsgType,
    QTranslator,
    Slot,
    qInstallMessageHandler,
)
from PySide6.QtWidgets import QApplication

from core.base.errors import RKDeckError
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.cli.output import Output
from core.services import Services
from core.usecases import jobs, preferences
from core.words import PLAIN, known, unusable_words
from gui.crash import CrashHooks
from gui.desk import Desk
from gui.gc_guard import GcGuard
from gui.icons import application_icon
from gui.shell.window import MainWindow
from gui.single_instance import InstanceGate, claim
from gui.text import use_language
from gui.theme import ThemeSwitch

_log = logging.getLogger(__name__)
DESKTOP_ID = "io.github.rkdeck.RKDeck"
_SIGNAL_POLL_MS = 200


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """How to open the window.

    Attributes:
        simulated: the built-in parts are in use; the window says so.
        first_page: shown when the window's former state is not known.
        prepare: called with the services before the window is built.
    """

    simulated: bool = False
    first_page: str = "discover"
    prepare: Callable[[Services], None] | None = None


def make_application(arguments: list[str]) -> QApplication:
    """The QApplication with RKDeck's names.

    Qt ends the process where it finds no way to draw (a platform that is not installed, a display that is gone):
    that is said in words first, and ends with 1.
    """
    before = qInstallMessageHandler(_on_start_message)
    try:
        application = QApplication(arguments)
    finally:
        qInstallMessageHandler(before)
    application.setApplicationName("rkdeck")
    application.setApplicationDisplayName("RKDeck")
    application.setDesktopFileName(DESKTOP_ID)
    application.setWindowIcon(application_icon())
    return application


def _on_start_message(kind: QtMsgType, _context: QMessageLogContext, text: str) -> None:
    if kind is not QtMsgType.QtFatalMsg:
        _start_messages.append(text)
        return
    # Qt aborts as soon as this returns, so nothing is left to unwind to: nothing was opened yet.
    platform = os.environ.get("QT_QPA_PLATFORM") or os.environ.get("DISPLAY") or "?"
    reason = (_start_messages or [text])[-1]
    Output(as_json=False).error(RKDeckError("window.no_platform", platform=platform, reason=reason))
    os._exit(RKDeckError.exit_code)


_start_messages: list[str] = []


def choose_language(wanted: str) -> str:
    """The language to show: the setting, else the system's when there is a translation, else English."""
    return known(_wanted(wanted))


def _wanted(setting: str) -> str:
    return setting or QLocale.system().name()


def install_language(application: QApplication, code: str) -> None:
    """Use a language for our texts and for Qt's own."""
    use_language(code)
    QLocale.setDefault(QLocale(code))
    for old in application.findChildren(QTranslator):
        application.removeTranslator(old)
        old.deleteLater()
    translator = QTranslator(application)
    if code != PLAIN and translator.load(
        f"qtbase_{code}", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
    ):
        application.installTranslator(translator)


def run_window(paths: AppPaths, options: WindowOptions | None = None) -> int:
    """Open the window and stay until it is closed; returns the exit code.

    Raises:
        RKDeckError: `base.home_unusable`, `base.bad_settings`, `base.settings_unreadable`; `window.already_open` when
            another window has this home (it was raised).
    """
    options = options or WindowOptions()
    faulthandler.enable(all_threads=True)
    application = make_application(sys.argv[:1])
    paths.ensure()
    give_back = claim(paths)
    hooks = CrashHooks(application)
    hooks.install()
    guard = GcGuard(application)
    try:
        with Services.build(paths) as services:
            if options.prepare is not None:
                options.prepare(services)
            try:
                _run(application, services, guard, options)
            except RKDeckError:
                raise
            except Exception:
                _log.exception("the window could not open or close")  # as long as the home's log is open
                raise
    finally:
        guard.stop()
        hooks.remove()
        give_back()
    return 0


def _run(application: QApplication, services: Services, guard: GcGuard, options: WindowOptions) -> None:
    install_language(application, choose_language(services.settings.language))
    themes = ThemeSwitch(application)
    themes.use(services.settings.theme)
    shell = Shell(application, services, themes, options)
    gate = InstanceGate(services.paths.home, application)
    gate.raised.connect(shell.bring_to_front)
    with ExitStack() as ending:
        # Also when opening fails: threads and workers would keep the process for ever.
        ending.callback(shell.close)
        ending.callback(gate.close)
        shell.open()
        guard.start()
        application.exec()


class Shell(QObject):
    """The window over one desk; a change of language builds the window anew."""

    def __init__(
        self, application: QApplication, services: Services, themes: ThemeSwitch, options: WindowOptions
    ) -> None:
        super().__init__()
        self._application = application
        self._services = services
        self._themes = themes
        self._options = options
        self._settings = services.settings
        self.desk = Desk(services, self)
        self.desk.settings.changed.connect(self._on_settings_changed)
        self.window = self._make_window(options.first_page)
        # Python runs signal handlers only between its own instructions: the timer gives it some.
        self._signal_timer = QTimer(self)
        self._signal_timer.timeout.connect(self._on_signal_tick)

    def open(self) -> None:
        """Show the window, then begin to read what it shows."""
        self.window.restore(preferences.window_state(self._services))
        self.window.show()
        self.desk.start()
        self._tell_words()
        signal.signal(signal.SIGINT, _leave)
        signal.signal(signal.SIGTERM, _leave)
        self._signal_timer.start(_SIGNAL_POLL_MS)

    @Slot()
    def bring_to_front(self) -> None:
        """Raise the window."""
        self.window.bring_to_front()

    def close(self) -> None:
        """After the event loop: keep the window's state, end threads, stop the jobs if that was wanted.

        Each step is taken whatever became of the others; the first error is raised at the end.
        """
        self._signal_timer.stop()
        running = [record.spec.id for record in self.desk.jobs.running()]
        with ExitStack() as steps:  # from the last to the first
            steps.callback(self._delete)
            if self.window.stop_everything:
                for job_id in running:
                    steps.callback(jobs.cancel, self._services, job_id)
            steps.callback(self.desk.close)
            steps.callback(preferences.keep_window_state, self._services, self.window.state())

    def _delete(self) -> None:
        self.window.deleteLater()
        self.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)

    def _make_window(self, page: str) -> MainWindow:
        made = MainWindow(self.desk, self._themes, page)
        if self._options.simulated:
            made.status.mark_simulated()
        return made

    @Slot(object)
    def _on_settings_changed(self, settings: Settings) -> None:
        old, self._settings = self._settings, settings
        if settings.theme != old.theme:
            self._themes.use(settings.theme)
        if settings.language != old.language:
            install_language(self._application, choose_language(settings.language))
            former = self.window
            self.window = self._make_window("settings")
            self.window.setGeometry(former.geometry())
            self.window.show()
            self._tell_words()
            former.hide()
            former.deleteLater()

    def _tell_words(self) -> None:
        """Say which words are English because the language's own cannot be used."""
        for error in unusable_words(_wanted(self._services.settings.language)):
            self.desk.report(error)

    @Slot()
    def _on_signal_tick(self) -> None:
        """Nothing: it was enough to run."""


def _leave(_number: int, _frame: FrameType | None) -> None:
    """Ctrl+C and SIGTERM end the program in order; jobs that can go on do so."""
    QApplication.quit()
