"""The window's program: hooks, application, services, window, event loop, orderly end."""

import faulthandler
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

from PySide6.QtCore import QCoreApplication, QEvent, QLibraryInfo, QLocale, QObject, QTimer, QTranslator, Slot
from PySide6.QtWidgets import QApplication

from core.base.paths import AppPaths
from core.base.settings import Settings
from core.services import Services
from core.usecases import preferences
from gui.crash import CrashHooks
from gui.desk import Desk
from gui.gc_guard import GcGuard
from gui.icons import application_icon
from gui.shell.window import MainWindow
from gui.single_instance import InstanceGate, claim
from gui.text import LANGUAGES, use_language
from gui.theme import ThemeSwitch

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
    """The QApplication with RKDeck's names."""
    application = QApplication(arguments)
    application.setApplicationName("rkdeck")
    application.setApplicationDisplayName("RKDeck")
    application.setDesktopFileName(DESKTOP_ID)
    application.setWindowIcon(application_icon())
    return application


def choose_language(wanted: str) -> str:
    """The language to show: the setting, else the system's when there is a translation, else English."""
    code = wanted or QLocale.system().name().split("_")[0]
    return code if code in LANGUAGES else "en"


def install_language(application: QApplication, code: str) -> None:
    """Use a language for our texts and for Qt's own."""
    use_language(code)
    QLocale.setDefault(QLocale(code))
    for old in application.findChildren(QTranslator):
        application.removeTranslator(old)
        old.deleteLater()
    translator = QTranslator(application)
    if code != "en" and translator.load(
        f"qtbase_{code}", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
    ):
        application.installTranslator(translator)


def run_window(paths: AppPaths, options: WindowOptions | None = None) -> int:
    """Open the window and stay until it is closed; returns the exit code.

    Raises:
        RKDeckError: `base.home_unusable`, `base.bad_settings`; `window.already_open` when another window has
            this home (it was raised).
    """
    options = options or WindowOptions()
    faulthandler.enable(all_threads=True)
    application = make_application(sys.argv[:1])
    paths.ensure()
    lock = claim(paths)
    hooks = CrashHooks(application)
    hooks.install()
    guard = GcGuard(application)
    try:
        with Services.build(paths) as services:
            if options.prepare is not None:
                options.prepare(services)
            _run(application, services, guard, options)
    finally:
        guard.stop()
        hooks.remove()
        lock.release()
    return 0


def _run(application: QApplication, services: Services, guard: GcGuard, options: WindowOptions) -> None:
    install_language(application, choose_language(services.settings.language))
    themes = ThemeSwitch(application)
    themes.use(services.settings.theme)
    shell = Shell(application, services, themes, options)
    gate = InstanceGate(services.paths.home, application)
    gate.raised.connect(shell.bring_to_front)
    shell.open()
    guard.start()
    try:
        application.exec()
    finally:
        gate.close()
        shell.close()


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
        signal.signal(signal.SIGINT, _leave)
        signal.signal(signal.SIGTERM, _leave)
        self._signal_timer.start(_SIGNAL_POLL_MS)

    @Slot()
    def bring_to_front(self) -> None:
        """Raise the window."""
        self.window.bring_to_front()

    def close(self) -> None:
        """After the event loop: keep the window's state, end threads, stop the jobs if that was wanted."""
        self._signal_timer.stop()
        preferences.keep_window_state(self._services, self.window.state())
        running = [record.spec.id for record in self.desk.jobs.running()]
        self.desk.close()
        if self.window.stop_everything:
            for job_id in running:
                self._services.jobs.cancel(job_id)
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
            former.hide()
            former.deleteLater()

    @Slot()
    def _on_signal_tick(self) -> None:
        """Nothing: it was enough to run."""


def _leave(_number: int, _frame: FrameType | None) -> None:
    """Ctrl+C and SIGTERM end the program in order; jobs that can go on do so."""
    QApplication.quit()
