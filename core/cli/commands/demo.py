"""`rkdeck demo --headless`: one model through all stages, on the built-in parts, each step with its figures."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import RKDeckError, UsageError
from core.base.paths import AppPaths
from core.base.temporary import temporary_folder
from core.cli.command import Command, Context
from core.words import word

if TYPE_CHECKING:
    from core.showcase.parts import DemoParts


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--headless", action="store_true")
    parser.add_argument("--shots", metavar="DIR")


def _run(context: Context) -> int:
    if not context.options.headless:
        raise UsageError("cli.no_window")
    home = getattr(context.options, "home", None)
    if home is not None:
        return _walk_in(context, Path(home).expanduser().absolute())
    with temporary_folder("demo") as folder:
        return _walk_in(context, folder)


def _walk_in(context: Context, home: Path) -> int:
    from core.cli.demo_path import walk
    from core.services import Services
    from core.showcase.parts import isolate_demo, running_parts

    paths = AppPaths(home)
    paths.ensure()
    with running_parts(home / "demo") as parts:
        isolate_demo(parts)
        with Services.build(paths) as services:
            walk(Context(context.options, context.output, services), parts)
        _tour(context, parts, AppPaths(home / "window"))
    return 0


def _tour(context: Context, parts: "DemoParts", paths: AppPaths) -> None:
    """The same path by the window's own widgets, in a home of its own."""
    shots = Path(context.options.shots).expanduser().absolute() if context.options.shots else None
    if context.tour is None:
        return
    try:
        context.tour(context.output, parts, paths, shots)
    except RKDeckError as error:
        # The command line's half of the demo works without Qt's libraries; pictures do not.
        if error.code != "window.no_qt" or shots is not None:
            raise
        told = " ".join(word(error, context.output.language))
        context.output.note(context.output.tr("the window was left out: {text}", text=told))


COMMANDS = (Command("demo", _configure, _run, needs_services=False, lines=True),)
