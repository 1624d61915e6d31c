"""Bringing a model in, inside a worker process: fetched, verified, entered into the library."""

import time
from dataclasses import dataclass
from typing import Protocol

from core.base.errors import JsonValue
from core.base.left_out import LeftOut, left_out_json
from core.hub.fetch import Download, FetchedFile
from core.hub.order import DownloadOrder
from core.jobs.worker import WorkerContext
from core.library.arrivals import arrived_problem, enter_download
from core.library.library import Library
from core.vendor.kinds import kind_of_name


class LibraryParts(Protocol):
    """What of the house this stage needs."""

    @property
    def library(self) -> Library:
        """The models on this computer."""
        ...


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came.

    Attributes:
        files: all files of the order, verified, in its folder.
        left_out: files of the repository whose names have no place here.
        bytes_fetched: came over the line now; the others were there.
        seconds: all of it took.
    """

    files: tuple[FetchedFile, ...]
    left_out: tuple[LeftOut, ...]
    bytes_fetched: int
    seconds: float


def bring(context: WorkerContext, order: DownloadOrder, library: Library) -> Arrival:
    """Fetch what is missing of an order and enter it.

    Raises:
        RKDeckError: as `core.hub.fetch.Download.run` and `core.library.library.Library.register`.
    """
    began_s = time.monotonic()
    download = Download(context, order)
    fetched = download.run()
    context.finish()
    enter_download(library, order, fetched, download.left_out)
    return Arrival(fetched, download.left_out, download.bytes_fetched, time.monotonic() - began_s)


def run_download(context: WorkerContext, order: DownloadOrder, parts: LibraryParts) -> dict[str, JsonValue]:
    """The download job; returns the `download` result of the command line.

    Raises:
        RKDeckError: as `bring`.
    """
    arrival = bring(context, order, parts.library)
    # A ready-made file is what somebody came for; of anything else it matters whether it can be converted.
    converted = any(kind_of_name(file.name) for file in arrival.files)
    problem = None if converted else arrived_problem(order.folder)
    return {
        "repo": order.plan.repo,
        "revision": order.plan.commit,
        "path": str(order.folder),
        "files": [
            {"name": file.name, "size_bytes": file.size_bytes, "sha256": file.sha256}
            for file in arrival.files
        ],
        "left_out": left_out_json(arrival.left_out),
        "problem": None if problem is None else problem.to_json(),
        "bytes_fetched": arrival.bytes_fetched,
        "seconds": arrival.seconds,
    }
