"""Sending models to boards as a front end uses it: look at a file once, judge it for each board, send, undo."""

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.base.errors import RefusedError, RKDeckError
from core.base.names import printable
from core.base.units import GIB
from core.boards.registry import Board
from core.convert.inspect import Inspection, inspect_file
from core.deploy import deployments
from core.deploy.layout import Deployment
from core.deploy.plan import LocalModel, check_file
from core.deploy.start import start_deploy
from core.estimate.constants import limits
from core.monitor.sample import BoardSample
from core.remote.transfer import RESERVE_BYTES
from core.services import Services
from core.usecases.boards import BoardStatus

Level = Literal["yes", "tight", "no", "unknown"]
# Free after the file arrived, or after the model is loaded, as a share of the whole: less is tight.
_TIGHT_SHARE = 0.10


@dataclass(frozen=True, slots=True)
class DropFile:
    """A file over a board, looked at once.

    Attributes:
        inspection: what its bytes say.
        ram_bytes: memory it needs when served, None when nothing is known of that.
    """

    path: Path
    title: str
    inspection: Inspection
    size_bytes: int
    ram_bytes: int | None


@dataclass(frozen=True, slots=True)
class DeployVerdict:
    """Whether a file can go to a board; None is unknown.

    Attributes:
        level: "unknown" when the board was never visited: it is then checked on arrival.
        error: why not, for "no".
        overridable: whether it can be sent all the same.
        ram_free_after_bytes, disk_free_after_bytes: left over when the model is served, and in the store.
    """

    board: str
    level: Level
    error: RKDeckError | None = None
    overridable: bool = False
    ram_free_after_bytes: int | None = None
    disk_free_after_bytes: int | None = None


def inspect_for_drop(services: Services, path: Path) -> DropFile:
    """Look at a file that may be dropped; reads its first and last bytes only.

    Raises:
        RefusedError: `deploy.not_a_file` for folders, pipes and devices.
        RKDeckError: `convert.unreadable`.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise RKDeckError(
            "convert.unreadable", file=printable(path.name), reason=error.strerror or str(error)
        ) from error
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        kind = "folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
        raise RefusedError("deploy.not_a_file", file=printable(path.name), kind=kind)
    item = services.library.find(str(path))
    title = item.title if item is not None else path.stem
    ram = item.provenance.get("ram_bytes") if item is not None else None
    return DropFile(
        path=path,
        title=title,
        inspection=inspect_file(path),
        size_bytes=status.st_size,
        ram_bytes=ram if isinstance(ram, int) and not isinstance(ram, bool) else None,
    )


def judge(
    file: DropFile, board: Board, status: BoardStatus | None, sample: BoardSample | None
) -> DeployVerdict:
    """Whether a file can go to a board, from what is known by now; pure and quick, for hovering.

    Args:
        file: the file, looked at.
        board: with the facts of its last visit.
        status: of the last visit in this session, for the room on its disk.
        sample: the newest of the monitor, for the memory that is free now.
    """
    facts = board.facts
    if facts is None:
        return DeployVerdict(board.name, "unknown")
    shown = printable(file.path.name)
    local = LocalModel(file.path, "", file.size_bytes, file.title)
    check = check_file(file.inspection, local, facts, board.store, board=board.name)
    if check is not None:
        return DeployVerdict(board.name, "no", check.refusal, check.overridable)
    mount = status.mount if status is not None else facts.mount_of(board.store or "")
    disk_after = None
    if mount is not None and mount.free_bytes is not None and not _holds(file, status):
        disk_after = mount.free_bytes - file.size_bytes
        if disk_after < RESERVE_BYTES:
            error = RefusedError(
                "deploy.no_room", file=shown, board=board.name, needed_gib=_gib(file.size_bytes),
                free_gib=_gib(mount.free_bytes),
            )  # fmt: skip
            return DeployVerdict(board.name, "no", error, disk_free_after_bytes=disk_after)
    room = _memory_room(board, sample)
    ram_after = room - file.ram_bytes if room is not None and file.ram_bytes is not None else None
    if ram_after is not None and ram_after < 0 and file.ram_bytes is not None:
        error = RefusedError(
            "deploy.no_memory",
            file=shown,
            board=board.name,
            needed_gib=_gib(file.ram_bytes),
            free_gib=_gib(room or 0),
        )
        # It may be sent all the same: what uses the memory now may be gone when it is served.
        return DeployVerdict(board.name, "no", error, True, ram_after, disk_after)
    tight = (
        (ram_after is not None and facts.mem_total_bytes and ram_after < _TIGHT_SHARE * facts.mem_total_bytes)
        or (disk_after is not None and mount and mount.total_bytes and disk_after < _TIGHT_SHARE * mount.total_bytes)
    )  # fmt: skip
    return DeployVerdict(board.name, "tight" if tight else "yes", None, False, ram_after, disk_after)


def start_deploys(
    services: Services,
    path: Path,
    boards: Sequence[str],
    *,
    title: str | None = None,
    name: str | None = None,
    force: bool = False,
) -> tuple[str, ...]:
    """Start one job per board; a failing board does not hold the others. Returns the jobs' ids."""
    if title is None:
        item = services.library.find(str(path))
        title = item.title if item is not None else None
    found = [services.boards.get(board) for board in dict.fromkeys(boards)]
    return tuple(
        start_deploy(
            services.jobs, board, path, name=name, title=title, force=force,
            secret=services.secrets.get(board.secret_name),
        ).id
        for board in found
    )  # fmt: skip


def list_versions(services: Services, board: str) -> tuple[Deployment, ...]:
    """Every version of every deployment on a board."""
    found = services.boards.get(board)
    with services.connect(found) as session:
        return tuple(deployments.list_versions(session, found.store)) if found.store else ()


def rollback(services: Services, board: str, name: str) -> Deployment:
    """Go back to the version before the one in use.

    Raises:
        UsageError, RefusedError, RKDeckError: as `core.deploy.deployments.rollback`.
    """
    found = services.boards.get(board)
    with services.connect(found) as session:
        return deployments.rollback(session, found.store or "", name, board=board)


def undeploy(services: Services, board: str, name: str) -> Deployment:
    """Remove a deployment with all its versions.

    Raises:
        UsageError, RKDeckError: as `core.deploy.deployments.undeploy`.
    """
    found = services.boards.get(board)
    with services.connect(found) as session:
        return deployments.undeploy(session, found.store or "", name, board=board)


def _holds(file: DropFile, status: BoardStatus | None) -> bool:
    """Whether a version of this size and name's title is there already: then hardly anything is sent."""
    return status is not None and any(
        version.size_bytes == file.size_bytes and version.title == file.title for version in status.versions
    )


def _memory_room(board: Board, sample: BoardSample | None) -> int | None:
    """Memory a model may use: what is free now, else what the board has without its system."""
    if sample is not None and sample.is_up and sample.mem_available_bytes is not None:
        return sample.mem_available_bytes
    total = board.facts.mem_total_bytes if board.facts is not None else None
    return None if total is None else total - limits().os_headless_bytes


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / GIB:.2f}"
