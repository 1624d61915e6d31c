"""Boards as a front end uses them: add, visit, remove."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from core.base.errors import RKDeckError, UsageError
from core.base.log import register_secret
from core.base.opening import is_missing
from core.base.secrets import Place
from core.base.tasks import CancelToken
from core.boards.address import read_address
from core.boards.connect import connect
from core.boards.doctor.examination import Examination
from core.boards.doctor.findings import Finding
from core.boards.doctor.kind_rules import weigh
from core.boards.doctor.rules import check_board
from core.boards.facts import BoardFacts, Mount
from core.boards.probe import probe_board
from core.boards.records import DEFAULT_PORT, DEFAULT_USER, Board
from core.deploy.deployments import read_store
from core.deploy.layout import Deployment, StoreListing, UnreadableManifest
from core.fitness.candidate import Holdings
from core.fitness.sight import look_over
from core.remote.sshconfig import settings_for
from core.serve.records import Serving
from core.serve.service import current_serving
from core.services import Services
from core.usecases.sessions import ended_by


@dataclass(frozen=True, slots=True)
class BoardDraft:
    """A board as somebody typed it in.

    Attributes:
        address: as `read_address` takes it; the host may be a name of `~/.ssh/config`.
        identity_file: private key; `~` is the home folder.
        password: or the key's passphrase; kept only when the board was reached.
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
        t_unix_s: when it was found, by this computer's clock.
        seen: everything the visit read; None for a status that was made without one.
        findings: what the doctor says of it.
        unreadable: versions whose manifest cannot be read.
        held: the model files there; None where nobody looked.
    """

    board: Board
    versions: tuple[Deployment, ...]
    serving: Serving | None
    tenants: tuple[tuple[int, str], ...]
    mount: Mount | None
    same_hardware_as: tuple[str, ...]
    t_unix_s: float
    seen: Examination | None = None
    findings: tuple[Finding, ...] = ()
    unreadable: tuple[UnreadableManifest, ...] = ()
    held: Holdings | None = None

    @property
    def facts(self) -> BoardFacts:
        """What the probe found."""
        assert self.board.facts is not None
        return self.board.facts

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        """The version in use of each deployment."""
        return tuple(version for version in self.versions if version.current)

    @property
    def store_free_bytes(self) -> int | None:
        """Room on the store's file system for ordinary users."""
        return self.mount.free_bytes if self.mount is not None else None

    @property
    def store_total_bytes(self) -> int | None:
        """Size of the store's file system."""
        return self.mount.total_bytes if self.mount is not None else None

    @property
    def store_medium(self) -> str | None:
        """What the store lies on: nvme, emmc, sd, ... (`core.boards.facts.Mount`)."""
        return self.mount.medium if self.mount is not None else None


def list_boards(services: Services) -> tuple[Board, ...]:
    """All boards, in the order they were added."""
    return tuple(services.boards.list())


def add_board(
    services: Services,
    draft: BoardDraft,
    accept_fingerprint: str | None = None,
    *,
    cancel: CancelToken | None = None,
    on_password_kept: Callable[[Place], None] | None = None,
) -> Board:
    """Reach a board, probe it and remember it; on any failure nothing is kept, a kill included.

    Args:
        services: the core.
        draft: what was typed in.
        accept_fingerprint: `SHA256:...` the user has compared, for the first contact.
        cancel: called off, nothing is kept.
        on_password_kept: hears where the password is kept: "memory" lasts for this session only.

    Raises:
        RefusedError: `remote.host_key_unknown` with the fingerprint to compare, `remote.host_key_changed`.
        UsageError: `boards.bad_name`, `boards.bad_address`, `boards.exists`, ...
        CancelledError: `base.cancelled`; RKDeckError: as connecting and probing do.
    """
    token = cancel or CancelToken()
    if draft.password:
        register_secret(draft.password)
    board = services.boards.check(board_of(draft))
    was_known = bool(services.host_keys.lookup(board.host, board.port))
    try:
        # Without the kept secrets: one left over from an earlier board of this name is not for this host.
        session = connect(
            board, services.host_keys, password=draft.password or None, accept_fingerprint=accept_fingerprint
        )
        with session, ended_by(token, session):
            facts = probe_board(session, board.sysroot, board.store)
        store = board.store or facts.store_proposal
        board = services.boards.add(replace(board, store=store, identity=facts.identity, facts=facts))
        try:
            _keep_password(services, board, draft.password, on_password_kept)
        except BaseException:
            services.boards.remove(board.name)
            services.secrets.delete(board.secret_name)
            raise
    except BaseException:
        if not was_known:
            forget_key(services, board)
        raise
    return board


def probe(
    services: Services, name: str, accept_fingerprint: str | None = None, *, replaced: bool = False
) -> Board:
    """Ask a board anew what it is, and remember that.

    Args:
        services: the core.
        name: of the board.
        accept_fingerprint: `SHA256:...` the user has compared, for the first contact.
        replaced: the user says that other hardware bears this name from now on.

    Raises:
        RefusedError: `boards.other_hardware`, `boards.unclear_hardware`, and as connecting does.
        RKDeckError: as connecting and probing do.
    """
    board = services.boards.get(name)
    with services.connect(board, accept_fingerprint) as session:
        return services.boards.remember(
            name, probe_board(session, board.sysroot, board.store), replaced=replaced
        )


def refresh_board(services: Services, name: str, accept_fingerprint: str | None = None) -> BoardStatus:
    """Visit a board over one connection: what the doctor sees, deployments, what it serves.

    Raises:
        RefusedError: `boards.other_hardware`, and as connecting does.
        RKDeckError: as connecting, probing and reading the store do.
    """
    board = services.boards.get(name)
    with services.connect(board, accept_fingerprint) as session:
        seen = look_over(session, board)
        board = services.boards.remember(name, seen.facts)
        listing = read_store(session, board.store) if board.store else StoreListing(())
        serving = current_serving(session, board) if board.store else None
    return BoardStatus(
        board=board,
        versions=listing.versions,
        unreadable=listing.unreadable,
        held=listing.held,
        serving=serving,
        tenants=tuple((tenant.pid, tenant.name) for tenant in seen.tenants if tenant.sign == "maps"),
        mount=seen.facts.mount_of(board.store) if board.store else None,
        same_hardware_as=same_hardware(services, board),
        t_unix_s=time.time(),
        seen=seen,
        findings=weigh(check_board(seen)),
    )


def same_hardware(services: Services, board: Board) -> tuple[str, ...]:
    """Names of the other boards of the registry that are this very one, reached in another way."""
    twins = services.boards.with_identity(board.identity)
    return tuple(twin.name for twin in twins if twin.name != board.name)


def remove_board(services: Services, name: str) -> Board:
    """Forget a board, its password and, when nobody else lives at its address, its host key.

    Raises:
        UsageError: `boards.unknown`.
    """
    board = services.boards.remove(name)
    services.secrets.delete(board.secret_name)
    forget_key(services, board)
    return board


def set_password(services: Services, name: str, password: str) -> Place:
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


def board_of(draft: BoardDraft) -> Board:
    """The board as it would be entered; user and port that are not given come from `~/.ssh/config`.

    Raises:
        UsageError: `boards.bad_address`, `remote.bad_*`, `remote.identity_missing`; RefusedError:
            `remote.ssh_config_unusable`, `remote.proxy_command`.
    """
    user, host, port = read_address(draft.address)
    settings = settings_for(host, user=user, port=port)
    return Board(
        name=draft.name.strip(),
        host=host,
        port=port or settings.port or DEFAULT_PORT,
        user=user or settings.user or DEFAULT_USER,
        identity_file=_key_file(draft.identity_file) if draft.identity_file is not None else None,
        store=draft.store or None,
        sysroot=draft.sysroot,
    )


def _key_file(path: Path) -> Path:
    """The file of a private key; its public half may lie there alone, while an agent holds the other."""
    try:
        found = path.expanduser().absolute()
        gone = is_missing(found) and is_missing(found.with_name(f"{found.name}.pub"))
    except (RuntimeError, ValueError) as error:  # "~nobody", a name that can be none
        raise UsageError("remote.identity_missing", file=str(path)) from error
    if gone:
        raise UsageError("remote.identity_missing", file=str(path))
    return found


def _keep_password(
    services: Services, board: Board, password: str | None, on_kept: Callable[[Place], None] | None
) -> None:
    if not password:
        services.secrets.delete(board.secret_name)
        return
    place = services.secrets.set(board.secret_name, password)
    if on_kept is not None:
        on_kept(place)


def forget_key(services: Services, board: Board) -> None:
    """The next board at this address shows its key anew, unless one of the registry lives there."""
    if not any((other.host, other.port) == (board.host, board.port) for other in services.boards.list()):
        services.host_keys.forget(board.host, board.port)
