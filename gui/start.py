"""From a command line to the window; still without Qt at module level, so that its absence can be explained."""

import argparse
import contextlib
import logging
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import CancelledError, RKDeckError
from core.base.log import redact
from core.base.paths import AppPaths, resolve_home
from core.base.temporary import temporary_folder
from core.base.trouble import system_said
from core.cli.main import terminal_language
from core.cli.output import Output

if TYPE_CHECKING:
    from core.showcase.parts import DemoParts

# What Qt's window needs besides PySide6 on a bare Debian or Ubuntu (.ci/system-packages installs the same).
PACKAGES = "libegl1 libgl1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 fontconfig fonts-dejavu-core"


def open_window(arguments: Sequence[str]) -> int:
    """Open the window on the user's home, or on the demo's built-in parts."""
    options = _parser().parse_args(list(arguments))
    output = Output(as_json=False, language=terminal_language(options.home))
    # Without a handler Python would print records to the terminal; the home's log is opened with the services.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        return _guarded(options, output)
    except RKDeckError as error:
        with contextlib.suppress(OSError):  # a closed terminal: there is nobody to tell, the exit code stays
            output.error(error)
        # That the window is open already is what was wanted.
        return 0 if error.code == "window.already_open" else error.exit_code


def _guarded(options: argparse.Namespace, output: Output) -> int:
    """Open the window and stay; what nobody expected, on the way in or out, goes to the log, and out in words."""
    try:
        _check_display()
        if options.verb == "demo":
            return _open_demo(options.home, output)
        return _open(AppPaths(resolve_home(options.home, os.environ)))
    except RKDeckError:
        raise
    except KeyboardInterrupt as error:
        raise CancelledError("cli.interrupted") from error
    except Exception as error:
        logging.getLogger(__name__).exception("the window could not open or close")
        fault = RKDeckError("window.fault", fault=type(error).__name__, text=redact(str(error))[:500])
        raise system_said(error) or fault from error


def tour(output: Output, parts: "DemoParts", paths: AppPaths, shots: Path | None) -> None:
    """Drive the real widgets, off the screen, through the path, and write a picture of every page.

    Raises:
        RKDeckError: `window.no_qt`, or what went wrong on the way.
    """
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    _check_qt()
    from gui.walk.tour import run_tour

    run_tour(output, parts, paths, shots)


def _open(paths: AppPaths) -> int:
    _check_qt()
    from gui.app import run_window

    return run_window(paths)


def _open_demo(home: str | None, output: Output) -> int:
    _check_qt()
    if home is not None:
        return _open_demo_in(Path(home).expanduser().absolute(), output)
    with temporary_folder("demo") as folder:
        return _open_demo_in(folder, output)


def _open_demo_in(home: Path, output: Output) -> int:
    from core.services import Services
    from core.showcase.parts import isolate_demo, prepare, running_parts
    from gui.app import WindowOptions, run_window

    paths = AppPaths(home)
    paths.ensure()
    with running_parts(home / "demo") as parts:
        isolate_demo(parts)
        beside = f"HF_ENDPOINT={parts.hub_url} rkdeck search wonderland --home {shlex.quote(str(home))}"
        output.note(output.tr("For the command line beside this window: {command}", command=beside))

        def ready(services: Services) -> None:
            prepare(services, parts)

        return run_window(paths, WindowOptions(simulated=True, prepare=ready))


def _check_display() -> None:
    if not os.environ.get("QT_QPA_PLATFORM") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        raise RKDeckError("window.no_display")


def _check_qt() -> None:
    try:
        import PySide6.QtSvg
        import PySide6.QtWidgets  # noqa: F401  # whether its libraries can be loaded
    except ImportError as error:
        raise RKDeckError("window.no_qt", reason=str(error), packages=PACKAGES) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rkdeck")
    parser.add_argument("--home", metavar="DIR")
    parser.add_argument("verb", nargs="?", choices=("demo",))
    # Not on the subparser alone: `rkdeck demo --home DIR` and `rkdeck --home DIR demo` are the same.
    return parser
