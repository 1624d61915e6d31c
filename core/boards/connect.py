"""From a board of the registry to a verified, logged-in session."""

from core.base.secrets import SecretStore
from core.boards.records import Board
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from core.remote.sshconfig import with_config
from core.remote.target import SshTarget


def target_of(board: Board, password: str | None = None) -> SshTarget:
    """How to log in to a board, with what `~/.ssh/config` says about its host.

    Raises:
        RefusedError: as `with_config`.
    """
    return with_config(SshTarget(board.host, board.port, board.user, board.identity_file, password))


def board_password(board: Board, secrets: SecretStore | None) -> str | None:
    """The board's stored password (or its key's passphrase), if there is one."""
    return secrets.get(board.secret_name) if secrets is not None else None


def connect(
    board: Board,
    host_keys: HostKeys,
    secrets: SecretStore | None = None,
    *,
    password: str | None = None,
    accept_fingerprint: str | None = None,
    replace_fingerprint: str | None = None,
) -> SshSession:
    """Connect to a board.

    Args:
        board: of the registry.
        host_keys: the keys known so far.
        secrets: where its password may be kept.
        password: instead of the kept one; workers are given it by their front end.
        accept_fingerprint: `SHA256:...` the user has compared, for the first contact.
        replace_fingerprint: of another key than before that the user lets pass this once.

    Raises:
        RKDeckError: as `SshSession.connect`.
    """
    if password is None:
        password = board_password(board, secrets)
    return SshSession.connect(
        target_of(board, password), host_keys, accept_fingerprint, replace_fingerprint=replace_fingerprint
    )
