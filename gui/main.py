"""Entry point `rkdeck`: imports no Qt, so that the command line works where Qt's libraries are missing."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run RKDeck; returns the exit code."""
    from core.cli.main import run

    return run(list(sys.argv[1:] if arguments is None else arguments))


if __name__ == "__main__":
    sys.exit(main())
