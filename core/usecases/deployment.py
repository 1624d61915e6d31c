"""Sending models to boards as a front end uses it: look at a file once, judge it for each board, send, undo."""

import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from core.base.errors import RefusedError, RKDeckError
from core.base.names import printable
from core.base.units import GIB
from core.boards.facts import BoardFacts, Mount
from core.boards.probe import probe_board
from core.boards.registry import Board
from core.deploy import deployments
from core.deploy.adopting import FoundFile, find_files
from core.deploy.adopting import adopt as adopt_file
from core.deploy.layout import Deployment
from core.deploy.pruning import Pruning
from core.deploy.pruning import prune as remove_old
from core.deploy.start import start_deploy
from core.estimate.constants import limits
from core.estimate.fit import fit_board
from core.fitness.checks import Check, checks, not_a_model
from core.library.library import LibraryItem
from core.model.inspect import Inspection, inspect_file
from core.monitor.sample import BoardSample
from core.services import Services
from core.transfer.upload import RESERVE_BYTES
from core.usecases.boards import BoardStatus

Level = Literal["yes", "tight", "no", "unknown"]
# Free after the file arrived, or after the model is loaded, as a share of the whole: less is tight.
_TIGHT_SHARE = 0.10


@dataclass(frozen=True, slots=True)
class DropFile:
    """A file over a board, looked at once.

    Attributes:
        title: what people call it: the library's, else the file's name.
        inspection: what its bytes say.
        ram_bytes: memory it needs when served, None when nothing is known of that.
        npu_bytes: of weights on the NPU, None likewise.
        sha256: hexadecimal, where the library knows it.
    """

    path: Path
    title: str
    inspection: Inspection
    size_bytes: int
    ram_bytes: int | None
    sha256: str | None = None
    npu_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class DeployVerdict:
    """Whether a file can go to a board; None is unknown.

    Attributes:
        level: "unknown" when the board was never visited: the file is then checked on arrival.
        dtype, platform, size_bytes: of the file.
        ram_bytes: memory it needs when served.
        error: why not, for "no".
        overridable: whether it can be sent all the same.
        ram_free_after_bytes, disk_free_after_bytes: left over when the model is served, and in the store.
    """

    board: str
    title: str
    level: Level
    dtype: str | None
    platform: str | None
    size_bytes: int
    ram_bytes: int | None
    error: RKDeckError | None = None
    overridable: bool = False
    ram_free_after_bytes: int | None = None
    disk_free_after_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class _Room:
    """What there is of memory or disk for a file.

    Attributes:
        room_bytes: may be used.
        after_bytes: is left of that, negative when it is too little.
    """

    room_bytes: int
    after_bytes: int
    level: Level


def inspect_for_drop(services: Services, path: Path) -> DropFile:
    """Look at a file that may be dropped; reads its first and last bytes only, and never waits for a pipe.

    Raises:
        RefusedError: `deploy.not_a_file` for folders, pipes and devices.
        RKDeckError: `convert.unreadable`.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        reason = getattr(error, "strerror", None) or str(error)
        raise RKDeckError("convert.unreadable", file=printable(path.name), reason=reason) from error
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        kind = "folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
        raise RefusedError("deploy.not_a_file", file=printable(path.name), kind=kind)
    inspection = inspect_file(path)
    item = _item_at(services, path, inspection.size_bytes)
    return DropFile(
        path=path,
        title=item.title if item is not None else path.stem,
        inspection=inspection,
        size_bytes=inspection.size_bytes,
        ram_bytes=_estimated(item, "ram_bytes"),
        sha256=item.files[0].sha256 if item is not None else None,
        npu_bytes=_estimated(item, "npu_bytes"),
    )


def _estimated(item: LibraryItem | None, name: str) -> int | None:
    """A size that was estimated when the file was converted."""
    value = item.provenance.get(name) if item is not None else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _item_at(services: Services, path: Path, size_bytes: int) -> LibraryItem | None:
    """What the library knows of a file, unless another one lies in its place by now."""
    place = path.absolute()
    for item in services.library.list():
        if item.kind == "rkllm" and item.path == place and len(item.files) == 1:
            return item if item.files[0].size_bytes == size_bytes else None
    return None


def judge(
    file: DropFile, board: Board, status: BoardStatus | None = None, sample: BoardSample | None = None
) -> DeployVerdict:
    """Whether a file can go to a board, from what is known by now; pure and quick, for hovering.

    "no": a check of `core.fitness.checks` refuses, or disk or memory cannot hold it. "tight": less than a tenth
    of disk or memory would be left, or the board could not run a desktop beside it. What is not known (its
    need of memory, the room on the disk) is in no one's way: the job checks again on arrival.

    Args:
        file: the file, looked at.
        board: with the facts of its last visit.
        status: of the last visit in this session, for what is there already.
        sample: the newest of the monitor, for the memory that is free now.
    """
    inspection, facts = file.inspection, board.facts
    verdict = DeployVerdict(
        board=board.name,
        title=file.title,
        level="unknown",
        dtype=inspection.dtype,
        platform=inspection.platform,
        size_bytes=file.size_bytes,
        ram_bytes=file.ram_bytes,
    )
    refusal = not_a_model(inspection, file.path.name)
    if refusal is not None:
        return replace(verdict, level="no", error=refusal)
    if facts is None:
        return verdict
    if board.store is None:
        return replace(
            verdict, level="no", error=RefusedError("boards.no_store", name=board.name, user=board.user)
        )
    disk, memory = _disk(file, facts.mount_of(board.store), status), _memory(file, facts, sample)
    verdict = replace(
        verdict,
        disk_free_after_bytes=disk.after_bytes if disk is not None else None,
        ram_free_after_bytes=memory.after_bytes if memory is not None else None,
    )
    check = next(_refusals(file, board.name, facts, board.store, disk, memory), None)
    if check is not None:
        return replace(verdict, level="no", error=check.refusal, overridable=check.overridable)
    tight = any(room is not None and room.level == "tight" for room in (disk, memory))
    return replace(verdict, level="tight" if tight else "yes")


def _refusals(
    file: DropFile, board: str, facts: BoardFacts, store: str, disk: _Room | None, memory: _Room | None
) -> Iterator[Check]:
    """Everything that says no, what nobody can override first."""
    found = checks(
        file.inspection, facts, store, board=board, file_name=file.path.name, size_bytes=file.size_bytes
    )
    shown = printable(file.path.name)
    yield from (check for check in found if not check.overridable)
    if disk is not None and disk.level == "no":
        needed, free = _gib(file.size_bytes + RESERVE_BYTES), _gib(disk.room_bytes)
        yield Check(
            RefusedError("deploy.no_room", file=shown, board=board, needed_gib=needed, free_gib=free), False
        )
    yield from (check for check in found if check.overridable)
    if memory is not None and memory.level == "no" and file.ram_bytes is not None:
        needed, free = _gib(file.ram_bytes), _gib(memory.room_bytes)
        # It may be sent all the same: what uses the memory now may be gone when it is served.
        yield Check(
            RefusedError("deploy.no_memory", file=shown, board=board, needed_gib=needed, free_gib=free), True
        )


def _disk(file: DropFile, mount: Mount | None, status: BoardStatus | None) -> _Room | None:
    """The store's disk; the reserve is the one that sending keeps (`core.transfer.upload.upload`)."""
    if mount is None or mount.free_bytes is None:
        return None
    versions = status.versions if status is not None and file.sha256 is not None else ()
    if any(version.sha256 == file.sha256 for version in versions):
        return _Room(mount.free_bytes, mount.free_bytes, "yes")  # it is there: nothing is sent
    after = mount.free_bytes - file.size_bytes
    if after < RESERVE_BYTES:
        return _Room(mount.free_bytes, after, "no")
    return _Room(mount.free_bytes, after, _share_level(after, mount.total_bytes))


def _memory(file: DropFile, facts: BoardFacts, sample: BoardSample | None) -> _Room | None:
    """The board's memory: what is free now where that is seen, else all of it by the rules of the estimate."""
    need, total = file.ram_bytes, facts.mem_total_bytes
    if need is None:
        return None
    if sample is not None and sample.is_up and sample.mem_available_bytes is not None:
        room = sample.mem_available_bytes
        level: Level = "no" if need > room else _share_level(room - need, sample.mem_total_bytes or total)
    elif total is not None:
        room = total - limits().os_headless_bytes
        # The file's context is what it was converted for: its need is the same at every other one.
        level = fit_board(need, need, total, lambda _context: need).verdict
    else:
        return None
    return _Room(room, room - need, level)


def _share_level(after_bytes: int, total_bytes: int | None) -> Level:
    return "tight" if total_bytes is not None and after_bytes < _TIGHT_SHARE * total_bytes else "yes"


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
        title: what people call the model; None: the file's name without its ending.
        name: of the deployment; None: made from the title.
        force: go on where a check can be overridden.
        limit_bytes_per_s: for each board; None: what the settings say, 0: as fast as the line.

    Returns:
        The jobs' ids, in the order of the boards.

    Raises:
        UsageError: `boards.unknown`, before any job was started.
    """
    found = [services.boards.get(board) for board in dict.fromkeys(boards)]
    if limit_bytes_per_s is None:
        limit_bytes_per_s = services.settings.upload_limit_bytes_per_s
    return tuple(
        start_deploy(
            services.jobs,
            board,
            path.absolute(),
            name=name,
            title=title,
            force=force,
            secret=services.secrets.get(board.secret_name),
            limit_bytes_per_s=limit_bytes_per_s,
            keep=services.settings.keep_deployments,
            budget_bytes=services.settings.deployments_budget_bytes,
        ).id
        for board in found
    )


def list_versions(services: Services, board: str) -> tuple[Deployment, ...]:
    """Every version of every deployment on a board."""
    found = services.boards.get(board)
    with services.connect(found) as session:
        return tuple(deployments.list_versions(session, found.store)) if found.store else ()


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
        facts = probe_board(session, found.sysroot, found.store)
        found = services.boards.remember(found.name, facts)
        return adopt_file(session, facts, store_of(found), path, board=board, name=name, force=force)


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


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / GIB:.2f}"
