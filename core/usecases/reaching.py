"""A board that is not reached as before: another host key, another address, an expired password."""

from dataclasses import dataclass, replace

from core.base.errors import RefusedError, RKDeckError
from core.base.secrets import Place
from core.base.tasks import CancelToken
from core.boards.connect import connect, target_of
from core.boards.identity import Match, compare
from core.boards.probe import probe_board
from core.boards.registry import DEFAULT_PORT, Board, split_address
from core.remote.expired import change_expired_password
from core.remote.sshconfig import settings_for
from core.services import Services
from core.usecases.boards import BoardDraft, board_of, forget_key
from core.usecases.sessions import ended_by


@dataclass(frozen=True, slots=True)
class Recognised:
    """A board that was met again.

    Attributes:
        match: "same" when its hardware says that it is the same board; "unknown" when there was nothing to compare.
    """

    board: Board
    match: Match


def accept_new_key(
    services: Services,
    name: str,
    fingerprint: str,
    *,
    replaced: bool = False,
    cancel: CancelToken | None = None,
) -> Recognised:
    """Take another host key for a board, as after a new card: the user has compared the fingerprint.

    The board is probed first. Only when its hardware is the one remembered (or none is) does the new key replace the
    old one; otherwise the old one stays and nothing is changed.

    Args:
        services: the core.
        name: of the board.
        fingerprint: `SHA256:...` of the new key, as `remote.host_key_changed` shows it.
        replaced: the user says that other hardware bears this name from now on.
        cancel: called off, nothing is changed.

    Raises:
        RefusedError: `remote.host_key_changed` when the server shows yet another key, `boards.other_hardware`,
            `boards.unclear_hardware`.
        UsageError: `boards.unknown`; CancelledError: `base.cancelled`; RKDeckError: as connecting and probing do.
    """
    board = services.boards.get(name)
    with connect(
        board,
        services.host_keys,
        services.secrets,
        accept_fingerprint=fingerprint,
        replace_fingerprint=fingerprint,
    ) as session:
        with ended_by(cancel or CancelToken(), session):
            facts = probe_board(session, board.sysroot, board.store)
        match = compare(board.identity, board.facts, facts)
        board = services.boards.remember(name, facts, replaced=replaced)
        services.host_keys.replace(board.host, board.port, session.host_key)
    return Recognised(board, match)


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
    user, host, port = split_address(address.strip())
    settings = settings_for(host)
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
