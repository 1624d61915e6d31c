"""A board that is not reached as before: another host key, another address, an expired password."""

from dataclasses import dataclass, replace

from core.base.errors import RefusedError, RKDeckError
from core.base.secrets import Place
from core.base.tasks import CancelToken
from core.boards.address import read_address
from core.boards.connect import connect, target_of
from core.boards.identity import Match, compare
from core.boards.probe import probe_board
from core.boards.records import DEFAULT_PORT, Board
from core.remote.expired import change_expired_password
from core.remote.hostkeys import HostKey, HostKeys, host_name
from core.remote.session import SshSession
from core.remote.sshconfig import settings_for
from core.services import Services
from core.usecases.boards import BoardDraft, board_of, forget_key
from core.usecases.sessions import ended_by


@dataclass(frozen=True, slots=True)
class Recognised:
    """A board that was met again.

    Attributes:
        match: "same" when its hardware says that it is the same board; "unknown" when there was nothing to compare.
        hop: the host on the way whose key was taken; None: the board's own.
    """

    board: Board
    match: Match
    hop: str | None = None


def accept_new_key(
    services: Services,
    name: str,
    fingerprint: str,
    *,
    place: tuple[str, int] | None = None,
    replaced: bool = False,
    cancel: CancelToken | None = None,
) -> Recognised:
    """Take another host key, as after a new card: the user has compared the fingerprint.

    The board's own: it is probed first. Only when its hardware is the one remembered (or none is) does the new key
    replace the old one; otherwise the old one stays and nothing is changed.

    A jump host's, on the way to the board: RKDeck remembers no hardware of it, so there is nothing to compare and the
    user's consent alone decides. It must show that very key and let us log in; then its key is replaced, and no other
    host's. The board is not asked anything.

    Args:
        services: the core.
        name: of the board.
        fingerprint: `SHA256:...` of the new key, as `remote.host_key_changed` shows it.
        place: host and port of the server that shows it (`place_of_key`); None: the board.
        replaced: the user says that other hardware bears this name from now on.
        cancel: called off, nothing is changed.

    Raises:
        RefusedError: `remote.host_key_changed` when the server shows yet another key, or a host before it does,
            `remote.not_on_the_way`, `boards.other_hardware`, `boards.unclear_hardware`.
        UsageError: `boards.unknown`; CancelledError: `base.cancelled`; RKDeckError: as connecting and probing do.
    """
    board = services.boards.get(name)
    token = cancel or CancelToken()
    if place is not None and host_name(*place) != host_name(board.host, board.port):
        return accept_jump_key(services, board, fingerprint, place, cancel=token)
    with (
        connect(board, services.host_keys, services.secrets, replace_fingerprint=fingerprint) as session,
        ended_by(token, session),
    ):
        facts = probe_board(session, board.sysroot)
    match = compare(board.identity, board.facts, facts)
    board = services.boards.remember(name, facts, replaced=replaced)
    _replace_key(services.host_keys, board.host, board.port, session.host_key)
    return Recognised(board, match)


def accept_jump_key(
    services: Services,
    board: Board | BoardDraft,
    fingerprint: str,
    place: tuple[str, int],
    *,
    cancel: CancelToken | None = None,
) -> Recognised:
    """Take another key for a host on the way to a board, which need not have been added yet; see `accept_new_key`.

    Raises:
        RefusedError: `remote.not_on_the_way`, and as connecting does; CancelledError: `base.cancelled`;
        UsageError: as `board_of` for a draft.
    """
    board = board_of(board) if isinstance(board, BoardDraft) else board
    hop = target_of(board).jump
    while hop is not None and host_name(hop.host, hop.port) != host_name(*place):
        hop = hop.jump
    if hop is None:
        raise RefusedError("remote.not_on_the_way", host=place[0], port=place[1], board=board.name)
    with (
        SshSession.connect(hop, services.host_keys, replace_fingerprint=fingerprint) as session,
        ended_by(cancel or CancelToken(), session),
    ):
        _replace_key(services.host_keys, hop.host, hop.port, session.host_key)
    return Recognised(board, "unknown", hop.host)


def _replace_key(host_keys: HostKeys, host: str, port: int, key: HostKey) -> None:
    """Remember the key instead of those known; one that is known already leaves the others alone."""
    if key not in host_keys.lookup(host, port):
        host_keys.replace(host, port, key)


def move_board(
    services: Services,
    name: str,
    address: str,
    accept_fingerprint: str | None = None,
    *,
    cancel: CancelToken | None = None,
) -> Recognised:
    """Reach a board under another address from now on, when it is this board that answers there.

    Args:
        services: the core.
        name: of the board.
        address: `[USER@]HOST[:PORT]`; the user stays when none is given.
        accept_fingerprint: of the key at the new address; the key it showed at the old one needs no new consent.
        cancel: called off, nothing is changed.

    Raises:
        RefusedError: `remote.host_key_unknown`, `remote.host_key_changed`, `boards.other_hardware`,
            `boards.unclear_hardware`.
        UsageError: `boards.unknown`, `boards.bad_address`; CancelledError: `base.cancelled`;
        RKDeckError: as connecting and probing do.
    """
    before = services.boards.get(name)
    user, host, port = read_address(address)
    settings = settings_for(host, user=user or before.user, port=port)
    there = replace(before, host=host, port=port or settings.port or DEFAULT_PORT, user=user or before.user)
    known = [key.fingerprint for key in services.host_keys.lookup(before.host, before.port)]
    accepted = ",".join([*known, accept_fingerprint or ""])
    was_known = bool(services.host_keys.lookup(there.host, there.port))
    try:
        session = connect(there, services.host_keys, services.secrets, accept_fingerprint=accepted)
        with session, ended_by(cancel or CancelToken(), session):
            facts = probe_board(session, there.sysroot, there.store)
        match = compare(before.identity, before.facts, facts)
        services.boards.remember(name, facts)
        board = services.boards.move(name, there.host, there.port, there.user)
    except BaseException:
        if not was_known:
            forget_key(services, there)
        raise
    forget_key(services, before)
    return Recognised(board, match)


def renew_password(
    services: Services, draft: BoardDraft, new_password: str, accept_fingerprint: str | None = None
) -> BoardDraft:
    """Give an account whose first password has expired a new one, before its board is added.

    Args:
        services: the core.
        draft: with the expired password.
        new_password: the one to set.
        accept_fingerprint: `SHA256:...` the user has compared, for the first contact.

    Returns:
        the draft with the new password, to be added.

    Raises:
        RefusedError, UsageError, RKDeckError: as `change_expired_password`.
    """
    board = board_of(draft)
    was_known = bool(services.host_keys.lookup(board.host, board.port))
    try:
        change_expired_password(
            target_of(board),
            services.host_keys,
            draft.password or "",
            new_password,
            accept_fingerprint=accept_fingerprint,
        )
    except BaseException:
        if not was_known:
            forget_key(services, board)
        raise
    return replace(draft, password=new_password)


def renew_board_password(
    services: Services, name: str, new_password: str, old_password: str | None = None
) -> Place:
    """The same for a board that was added; the new password is kept in place of the old one.

    Args:
        services: the core.
        name: of the board.
        new_password: the one to set.
        old_password: the expired one; None: the one that is kept.

    Returns:
        where it is kept.

    Raises:
        UsageError: `boards.unknown`; and as `change_expired_password`.
    """
    board = services.boards.get(name)
    old = old_password or services.secrets.get(board.secret_name) or ""
    change_expired_password(target_of(board), services.host_keys, old, new_password)
    return services.secrets.set(board.secret_name, new_password)


def is_changed_key(error: RKDeckError) -> bool:
    """Whether a failure asks whether another host key is meant to be there."""
    return isinstance(error, RefusedError) and error.code == "remote.host_key_changed"


def is_changed_jump_key(error: RKDeckError) -> bool:
    """Whether it asks that of a host on the way."""
    return is_changed_key(error) and "jump_to" in error.facts


def place_of_key(error: RKDeckError) -> tuple[str, int] | None:
    """Host and port of the server a failure about its key speaks of: the board, or a host on the way to it."""
    host, port = error.facts.get("host"), error.facts.get("port")
    return (host, port) if isinstance(host, str) and isinstance(port, int) else None
