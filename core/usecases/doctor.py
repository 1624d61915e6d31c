"""The doctor as a front end uses it: look at a board, say what is found, carry out what the user chose."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from core.base.errors import RefusedError
from core.base.tasks import CancelToken
from core.boards.doctor.applying import run_commands
from core.boards.doctor.examination import Examination
from core.boards.doctor.findings import Finding, Verdict, overall
from core.boards.doctor.kind_rules import weigh
from core.boards.doctor.library_file import read_library
from core.boards.doctor.records import LibraryFile
from core.boards.doctor.remedies import Remedy, Way, library_remedy, way_of
from core.boards.doctor.rules import check_board
from core.boards.doctor.shelf import arch_of, matching_release
from core.boards.records import Board
from core.deploy.deployments import read_held
from core.fitness.candidate import Candidate, look_at
from core.fitness.judge import judge
from core.fitness.rules import check_model
from core.fitness.sight import look_over
from core.programs.placing import place
from core.programs.table import RUNTIME_LIBRARY
from core.services import Services
from core.usecases.boards import BoardStatus
from core.usecases.sessions import ended_by
from core.vendor.releases import RuntimeRelease, runtime_releases


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What one visit found.

    Attributes:
        model: the file that was asked about, None without one.
        seconds: from the first question to the answer.
        t_unix_s: when, by this computer's clock.
    """

    board: Board
    seen: Examination
    findings: tuple[Finding, ...]
    model: Path | None
    seconds: float
    t_unix_s: float

    @property
    def verdict(self) -> Verdict:
        """What it comes to."""
        return overall(self.findings)

    @property
    def refuses_model(self) -> bool:
        """Whether deploying the model that was asked about would be refused; False without one."""
        return self.model is not None and any(entry.verdict == "failed" for entry in self.findings)

    def way(self, remedy: Remedy) -> Way:
        """How a remedy can be carried out there."""
        return way_of(self.seen, as_root=remedy.as_root)


def diagnose(
    services: Services,
    name: str,
    model: Path | None = None,
    *,
    context: int | None = None,
    accept_fingerprint: str | None = None,
    cancel: CancelToken | None = None,
) -> Diagnosis:
    """Look at a board in one round trip (and one more for a model file, if it is given); nothing is changed.

    Args:
        services: the core.
        name: of the board.
        model: a file on this computer.
        context: wanted for it, in tokens; None: the one it was built for.
        accept_fingerprint: `SHA256:...` the user has compared, for the first contact.
        cancel: called off, the connection is closed.

    Raises:
        UsageError: `boards.unknown`; RefusedError, RKDeckError: as connecting, probing and inspecting do.
    """
    board = services.boards.get(name)
    candidate = replace(look_at(services.library, model), context=context) if model is not None else None
    began_s = time.monotonic()
    with (
        services.connect(board, accept_fingerprint) as session,
        ended_by(cancel or CancelToken(), session),
    ):
        seen = look_over(session, board)
        board = services.boards.remember(name, seen.facts)
        if candidate is not None:
            candidate = candidate.held_by(read_held(session, board.store))
    seconds = time.monotonic() - began_s
    return Diagnosis(board, seen, said_of(seen, candidate, board=name), model, seconds, time.time())


def said_of(seen: Examination, candidate: Candidate | None, *, board: str) -> tuple[Finding, ...]:
    """Every finding about a board, and about a file on it where there is one; pure."""
    if candidate is None:
        return weigh(check_board(seen))
    about_board = weigh(check_board(seen), candidate.kind)
    return (*about_board, *check_model(candidate, seen, board=board))


def check_file(
    services: Services, status: BoardStatus, path: Path, context: int | None = None
) -> tuple[Finding, ...]:
    """What the doctor says of a file on a board that was visited; reads the file's ends, asks the board nothing.

    What of the board forbids such a file comes first.

    Raises:
        RefusedError: `boards.no_store`; RefusedError, RKDeckError: as `core.fitness.candidate.look_at`.
    """
    board = status.board
    if board.store is None or status.seen is None:
        raise RefusedError("boards.no_store", name=board.name, user=board.user)
    candidate = replace(look_at(services.library, path), context=context).held_by(status.held)
    return judge(candidate, status.seen, board=board.name).findings


def apply_remedy(
    services: Services,
    name: str,
    remedy: Remedy,
    *,
    password: str | None = None,
    undo: bool = False,
    cancel: CancelToken | None = None,
) -> None:
    """Carry out a remedy the user has seen and chosen, or take it back.

    Args:
        services: the core.
        name: of the board.
        remedy: exactly as it was shown; not one that needs a file (`send_library`).
        password: of the account, where sudo wants one; used once.
        undo: run the commands that take it back.
        cancel: called off, the connection is closed; what was run stays.

    Raises:
        RefusedError, RKDeckError: as `core.boards.doctor.applying.run_commands` and connecting do.
    """
    commands = remedy.undo if undo else remedy.commands
    with services.connect(services.boards.get(name)) as session, ended_by(cancel or CancelToken(), session):
        run_commands(session, commands, as_root=remedy.as_root, password=password)


@dataclass(frozen=True, slots=True)
class LibraryOffer:
    """A release that could be copied to a board.

    Attributes:
        kept: it is on this computer; else it comes from `release.url` first.
        proposed: the one that matches what was found.
    """

    release: RuntimeRelease
    kept: bool
    proposed: bool


def offer_libraries(
    services: Services, seen: Examination, toolkit_version: str | None = None
) -> tuple[LibraryOffer, ...]:
    """The releases for a board's processor, the newest first; reads those that are kept on this computer.

    Args:
        services: the core.
        seen: the board.
        toolkit_version: of the file that is to run; None: any.
    """
    arch = arch_of(seen.facts.machine)
    if arch is None:
        return ()
    proposed, shelf = matching_release(arch, toolkit_version), services.runtimes
    return tuple(
        LibraryOffer(release, shelf.find(release) is not None, release == proposed)
        for release in runtime_releases(arch)
    )


def get_library(
    services: Services,
    release: RuntimeRelease,
    *,
    cancel: CancelToken | None = None,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> LibraryFile:
    """A release, from this computer or from where the vendor publishes it.

    Raises:
        CancelledError: `base.cancelled`; RKDeckError: as `LibraryShelf.fetch`.
    """
    shelf = services.runtimes
    return shelf.find(release) or shelf.fetch(release, cancel=cancel, on_progress=on_progress)


def take_library(services: Services, path: Path, seen: Examination) -> LibraryFile:
    """A library the user chose: looked at, and kept for the next board.

    Raises:
        RefusedError: `doctor.not_a_library`, `doctor.library_for_other_cpu`; RKDeckError: `doctor.library_unreadable`,
            `doctor.library_not_kept`.
    """
    library = read_library(path)
    library.check_machine(seen.facts.machine)
    return services.runtimes.keep(library)


def plan_library(services: Services, name: str, library: LibraryFile, seen: Examination) -> Remedy:
    """What sending a library would do.

    Raises:
        UsageError: `boards.unknown`; RefusedError: `boards.no_store`, `doctor.library_for_other_cpu`.
    """
    board = services.boards.get(name)
    if board.store is None:
        raise RefusedError("boards.no_store", name=name, user=board.user)
    library.check_machine(seen.facts.machine)
    return library_remedy(board.store, library.folder_name, library.size_bytes)


def send_library(
    services: Services, name: str, library: LibraryFile, *, cancel: CancelToken | None = None
) -> Remedy:
    """Put a runtime library beside the models; nothing else on the board is touched.

    Returns:
        what was done, with what takes it back.

    Raises:
        UsageError: `boards.unknown`; RefusedError: `boards.no_store`; RKDeckError: as `core.programs.placing.place`.
    """
    board = services.boards.get(name)
    if board.store is None:
        raise RefusedError("boards.no_store", name=name, user=board.user)
    version = library.folder_name
    with services.connect(board) as session, ended_by(cancel or CancelToken(), session):
        place(session, board.store, RUNTIME_LIBRARY, version, library.path, library.sha256)
    return library_remedy(board.store, library.folder_name, library.size_bytes)
