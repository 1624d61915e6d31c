"""What a command of the command line is, and what it is given."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import RKDeckError
from core.cli.output import Output

if TYPE_CHECKING:
    from core.base.paths import AppPaths
    from core.services import Services
    from core.showcase.parts import DemoParts

# Drives a window through the demo's path in a home folder of its own; writes pictures when it is given a folder.
Tour = Callable[[Output, "DemoParts", "AppPaths", Path | None], None]


@dataclass(frozen=True, slots=True)
class Context:
    """One call: the parsed options, the voice and the services."""

    options: argparse.Namespace
    output: Output
    services_or_none: "Services | None"
    tour: Tour | None = None

    @property
    def services(self) -> "Services":
        """The services.

        Raises:
            RKDeckError: `cli.no_services` when the command declared that it needs none.
        """
        if self.services_or_none is None:
            raise RKDeckError("cli.no_services")
        return self.services_or_none


@dataclass(frozen=True, slots=True)
class Command:
    """One verb; what its help says is in the word tables (`core.cli.parsing`).

    Attributes:
        lines: with `--json` it prints JSON lines (events) instead of one document.
        needs_services: whether the home folder is opened before it runs.
    """

    name: str
    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Context], int]
    lines: bool = False
    needs_services: bool = True
