"""Sending models to boards as a front end uses it: look at a file once, judge it for each board, send, undo."""

from collections.abc import Sequence
from pathlib import Path

from core.base.errors import RefusedError, RKDeckError
from core.base.names import printable
from core.boards.records import Board
from core.deploy import deployments
from core.deploy.adopting import adopt as adopt_file
from core.deploy.adopting import find_files
from core.deploy.deployments import read_held
from core.deploy.layout import Deployment, StoreListing
from core.deploy.order import DeployOrder
from core.deploy.pruning import prune as remove_old
from core.deploy.records import FoundFile, Pruning
from core.fitness.candidate import Candidate, look_at
from core.fitness.judge import Judgement, judge
from core.fitness.sight import board_seen, look_over
from core.monitor.sample import BoardSample
from core.remote.session import SshSession
from core.serve.service import choose_runtime
from core.services import Services
from core.usecases.boards import BoardStatus
from core.vendor.kinds import ModelKind


def inspect_for_drop(services: Services, path: Path) -> Candidate:
    """Look at a file that may be dropped.

    Raises:
        RefusedError, RKDeckError: as `core.fitness.candidate.look_at`.
    """
    return look_at(services.library, path)


def judge_drop(
    file: Candidate, board: Board, status: BoardStatus | None = None, sample: BoardSample | None = None
) -> Judgement:
    """Whether a file can go to a board, from what is known by now; pure and quick, for hovering.

    Args:
        file: the file, looked at.
        board: with the facts of its last visit.
        status: of the last visit in this session, for what is there already.
        sample: the newest of the monitor, for the memory that is free now.
    """
    seen = status.seen if status is not None else None
    file = file.held_by(status.held if status is not None else None)
    return judge(file, board_seen(board, seen, sample), board=board.name)


def refusal_beforehand(
    services: Services, path: Path, board: str, *, force: bool = False, serve: bool = False
) -> RKDeckError | None:
    """Why a deployment would be refused, asked before a job is made of it; None when nothing is known against it.

    What the board said last may be out of date (a library was copied there since, another model was stopped): by that
    alone nothing is refused. The board is looked at once more then, also where only it can tell whether there is room;
    one that does not answer is left to the job, which tells so and can be tried again.

    Args:
        services: the core.
        path: the file.
        board: its name.
        force: go on where a check can be overridden.
        serve: it shall be served there at once, so there must be what serves it.

    Raises:
        UsageError: `boards.unknown`; RefusedError, RKDeckError: as `core.fitness.candidate.look_at`.
    """
    file, found = inspect_for_drop(services, path), services.boards.get(board)
    said = judge_drop(file, found)
    refused = said.refused(force=force)
    if file.kind is None or not (serve or (found.facts and (refused or said.is_open))):
        return refused
    try:
        with services.connect(found) as session:
            lacking = _lacking(session, found, file, file.kind) if serve else None
            seen = look_over(session, found)
            found = services.boards.remember(board, seen.facts)
            held = read_held(session, found.store)
    except RKDeckError:
        return None
    return judge(file.held_by(held), seen, board=board).refused(force=force) or lacking


def _lacking(session: SshSession, board: Board, file: Candidate, kind: ModelKind) -> RKDeckError | None:
    """Why nothing on a board would serve a file of that kind."""
    try:
        choose_runtime(session, board, kind, printable(file.title), simulated=file.inspection.simulated)
    except RKDeckError as error:
        if error.code not in {"serve.no_engine", "serve.no_runtime", "serve.runtime_abi"}:
            raise
        return error
    return None


def start_deploys(
    services: Services,
    path: Path,
    boards: Sequence[str],
    *,
    title: str | None = None,
    name: str | None = None,
    force: bool = False,
    limit_bytes_per_s: int | None = None,
) -> tuple[str, ...]:
    """Start one job per board, so that a failing board does not hold the others.

    Args:
        services: the core.
        path: the file.
        boards: their names; one named twice counts once.
        title: what people call the model; None: the library's, else the file's name without its ending.
        name: of the deployment; None: made from the title.
        force: go on where a check can be overridden.
        limit_bytes_per_s: for each board; None: what the settings say, 0: as fast as the line.

    Returns:
        The jobs' ids, in the order of the boards.

    Raises:
        UsageError: `boards.unknown`, before any job was started.
    """
    found = [services.boards.get(board).name for board in dict.fromkeys(boards)]
    orders = [
        deploy_order(
            services, path.absolute(), board,
            title=title, name=name, force=force, limit_bytes_per_s=limit_bytes_per_s,
        )
        for board in found
    ]  # fmt: skip
    return tuple(services.submit(order).id for order in orders)


def deploy_order(
    services: Services,
    path: Path,
    board: str,
    *,
    title: str | None,
    name: str | None = None,
    force: bool = False,
    limit_bytes_per_s: int | None = None,
) -> DeployOrder:
    """What a deployment is to do: as asked for, the rest as the settings say. Every road to a board takes this one.

    Args:
        services: the core.
        path: the file, where it is or will be when it is sent; absolute.
        board: its name.
        title: what people call the model; None: the library's, else the file's name without its ending.
        name: of the deployment; None: made from the title.
        force: go on where a check can be overridden.
        limit_bytes_per_s: None: what the settings say, 0: as fast as the line.
    """
    settings = services.settings
    return DeployOrder(
        board=board,
        file=path,
        name=name,
        title=title,
        force=force,
        limit_bytes_per_s=settings.upload_limit_bytes_per_s
        if limit_bytes_per_s is None
        else limit_bytes_per_s,
        keep=settings.keep_deployments,
        budget_bytes=settings.deployments_budget_bytes,
    )


def read_store(services: Services, board: str) -> StoreListing:
    """Everything deployed on a board, and which versions cannot be read."""
    found = services.boards.get(board)
    with services.connect(found) as session:
        return deployments.read_store(session, found.store) if found.store else StoreListing(())


def list_versions(services: Services, board: str) -> tuple[Deployment, ...]:
    """Every version of every deployment on a board."""
    return read_store(services, board).versions


def list_deployments(services: Services, board: str) -> tuple[Deployment, ...]:
    """The deployments on a board, each in the version in use."""
    return tuple(version for version in list_versions(services, board) if version.current)


def rollback(services: Services, board: str, name: str, version: str | None = None) -> Deployment:
    """Go back to the version before the one in use, or to a named one.

    Raises:
        UsageError, RefusedError, RKDeckError: as `core.deploy.deployments.rollback`.
    """
    found = services.boards.get(board)
    with services.connect(found) as session:
        return deployments.rollback(session, store_of(found), name, version, board=board)


def undeploy(services: Services, board: str, name: str) -> Deployment:
    """Remove a deployment with all its versions.

    Raises:
        UsageError, RKDeckError: as `core.deploy.deployments.undeploy`.
    """
    found = services.boards.get(board)
    with services.connect(found) as session:
        return deployments.undeploy(session, store_of(found), name, board=board)


def find_adoptable(services: Services, board: str, folder: str | None = None) -> tuple[FoundFile, ...]:
    """Model files on a board that could become deployments without being sent; the store's own are left out.

    Args:
        services: the core.
        board: its name.
        folder: absolute, on the board; None: the store.

    Raises:
        RefusedError, RKDeckError: as `core.deploy.adopting.find_files`.
    """
    found = services.boards.get(board)
    store = store_of(found)
    with services.connect(found) as session:
        files = find_files(session, folder or store)
    ours = (f"{store}/blobs/", f"{store}/incoming/")
    return tuple(file for file in files if not file.path.startswith(ours))


def adopt(
    services: Services, board: str, path: str, *, name: str | None = None, force: bool = False
) -> Deployment:
    """Make a model file that is on a board already the current version of a deployment; nothing is sent.

    The board computes its digest, which takes a while for large files.

    Raises:
        RefusedError, RKDeckError: as `core.deploy.adopting.adopt`.
    """
    found = services.boards.get(board)
    with services.connect(found) as session:
        seen = look_over(session, found)
        found = services.boards.remember(found.name, seen.facts)
        return adopt_file(session, seen, path, board=board, name=name, force=force, library=services.library)


def prune(
    services: Services,
    board: str,
    *,
    keep: int | None = None,
    budget_bytes: int | None = None,
    dry_run: bool = False,
) -> Pruning:
    """Remove old versions from a board and the files nobody refers to; what is in use always stays.

    Args:
        services: the core.
        board: its name.
        keep: newest versions of each deployment that stay; None: what the settings say, 0: all.
        budget_bytes: for all files; None: what the settings say, 0: no budget.
        dry_run: only say what would go and how much that would free.

    Raises:
        RKDeckError: as `core.deploy.pruning.prune`.
    """
    found, settings = services.boards.get(board), services.settings
    keep = settings.keep_deployments if keep is None else keep
    budget_bytes = settings.deployments_budget_bytes if budget_bytes is None else budget_bytes
    with services.connect(found) as session:
        return remove_old(session, store_of(found), keep, budget_bytes, dry_run=dry_run)


def store_of(board: Board) -> str:
    """The folder for models on a board.

    Raises:
        RefusedError: `boards.no_store`.
    """
    if board.store is None:
        raise RefusedError("boards.no_store", name=board.name, user=board.user)
    return board.store
