"""Entry point `rkdeck`: imports no Qt, so that the command line works where Qt's libraries are missing."""

import sys
from collections.abc import Sequence

from core.base.signals import usual_signals


def main(arguments: Sequence[str] | None = None) -> int:
    """Run RKDeck; returns the exit code.

    No verb, or `demo` without `--headless`, opens the window; everything else is the command line.
    """
    usual_signals()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if _wants_window(given):
        from gui.start import open_window

        return open_window(given)
    from core.cli.main import run
    from gui.start import tour

    return run(given, tour=tour)


def _wants_window(arguments: Sequence[str]) -> bool:
    if any(argument in {"-h", "--help", "--headless", "--json"} for argument in arguments):
        return False
    rest = list(arguments)
    while rest and rest[0].startswith("--home"):
        del rest[: 1 if "=" in rest[0] else 2]
    return not rest or rest[0] == "demo"


if __name__ == "__main__":
    sys.exit(main())
