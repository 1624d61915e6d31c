"""Boards as a front end uses them: add, visit, remove."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.base.errors import RKDeckError, UsageError
from core.boards.facts import BoardFacts, Mount
from core.boards.probe import probe_board
from core.boards.registry import DEFAULT_USER, Board, parse_address
from core.deploy.deployments import list_versions
from core.deploy.layout import Deployment
from core.serve.records import Serving
from core.serve.service import current_serving, npu_tenants
from core.services import Services


@dataclass(frozen=True, slots=True)
class BoardDraft:
    """A board as somebody typed it in.

    Attributes:
        address: `[USER@]HOST[:PORT]`.
        password: kept only when the board was reached.
        store: folder for models on the board; None: the one the probe proposes.
        sysroot: prefix of /proc and the like; empty on a real board.
    """

    name: str
    address: str
    identity_file: Path | None = None
    password: str | None = None
    store: str | None = None
    sysroot: str = ""


@dataclass(frozen=True, slots=True)
class BoardStatus:
    """What a visit found.

    Attributes:
        versions: of every deployment, by name, the oldest first.
        tenants: pid and name of the processes that visibly use the NPU.
        mount: the file system the store lies on, None when it is not known.
        same_hardware_as: names of other boards of the registry that are this very one.
    """

    board: Board
    versions: tuple[Deployment, ...]
    serving: Serving | None
    tenants: tuple[tuple[int, str], ...]
    mount: Mount | None
    same_hardware_as: tuple[str, ...]
    t_unix_s: float

    @property
    def facts(self) -> BoardFacts:
        """What the probe found."""
        assert self.board.facts is not None
        return self.board.facts

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        """The version in use of each deployment."""
        return tuple(version for version in self.versions if version.current)


def list_boards(services: Services) -> tuple[Board, ...]:
    """All boards, in the order they were added."""
    return tuple(services.boards.list())


def add_board(services: Services, draft: BoardDraft, accept_fingerprint: str | None = None) -> Board:
    """Reach a board, probe it and remember it; on any failure nothing is kept.

    Args:
        services: the core.
        draft: what was typed in.
        accept_fingerprint: `SHA256:...` the user has compared, for the first contact.

    Raises:
        RefusedError: `remote.host_key_unknown` with the fingerprint to compare, `remote.host_key_changed`.
        UsageError: `boards.bad_name`, `boards.bad_address`, `boards.exists`, ...
        RKDeckError: as connecting and probing do.
    """
    user, host, port = parse_address(draft.address.strip())
    board = services.boards.add(
        Board(
            name=draft.name.strip(),
            host=host,
            port=port,
            user=user or DEFAULT_USER,
            identity_file=draft.identity_file,
            store=draft.store or None,
            sysroot=draft.sysroot,
        )
    )
    try:
        if draft.password:
            services.secrets.set(board.secret_name, draft.password)
        with services.connect(board, accept_fingerprint) as session:
            facts = probe_board(session, board.sysroot)
        return services.boards.remember(board.name, facts)
    except BaseException:
        # A board that was never reached is not kept: the next try starts clean.
        services.boards.remove(board.name)
        services.secrets.delete(board.secret_name)
        raise


def refresh_board(services: Services, name: str, accept_fingerprint: str | None = None) -> BoardStatus:
    """Visit a board over one connection: facts, deployments, what it serves.

    Raises:
        RKDeckError: as connecting, probing and reading the store do.
    """
    board = services.boards.get(name)
    with services.connect(board, accept_fingerprint) as session:
        facts = probe_board(session, board.sysroot)
        board = services.boards.remember(name, facts)
        versions = list_versions(session, board.store) if board.store else []
        serving = current_serving(session, board) if board.store else None
        tenants = npu_tenants(session, board)
    twins = services.boards.with_identity(board.identity)
    return BoardStatus(
        board=board,
        versions=tuple(versions),
        serving=serving,
        tenants=tenants,
        mount=facts.mount_of(board.store) if board.store else None,
        same_hardware_as=tuple(twin.name for twin in twins if twin.name != name),
        t_unix_s=time.time(),
    )


def remove_board(services: Services, name: str) -> Board:
    """Forget a board, its password and, when nobody else lives at its address, its host key."""
    board = services.boards.remove(name)
    services.secrets.delete(board.secret_name)
    if not any((other.host, other.port) == (board.host, board.port) for other in services.boards.list()):
        # The next board at this address shows its key anew.
        services.host_keys.forget(board.host, board.port)
    return board


def set_password(services: Services, name: str, password: str) -> Literal["keyring", "memory"]:
    """Keep a board's password; returns where: without a keyring it lives for this session only.

    Raises:
        UsageError: `boards.unknown`, `cli.password_missing` for an empty one.
    """
    if not password:
        raise UsageError("cli.password_missing")
    return services.secrets.set(services.boards.get(name).secret_name, password)


def is_unknown_key(error: RKDeckError) -> bool:
    """Whether a failure only asks for a fingerprint to be compared."""
    return error.code == "remote.host_key_unknown"
