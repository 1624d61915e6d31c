"""Removing what a broken-off upload left on a board, unless somebody is at it."""

import hashlib

from core.base.errors import RKDeckError
from core.remote.session import SshSession
from core.transfer.receiving import Receiver

_NOTHING = hashlib.sha256().hexdigest()


def discard_part(session: SshSession, remote_partial: str, size_bytes: int) -> bool:
    """Remove a part that still has `size_bytes`; False for one that somebody sends, or has gone on with since.

    It is received anew, as an empty file with a digest that none has: so the one script that writes parts does it,
    under the lock that every sender takes, on whatever computer.

    Raises:
        RKDeckError: what keeps the board from it (`remote.not_writable`, `remote.closed`, ...).
    """
    receiver = Receiver(session, remote_partial, "receive.sh", [remote_partial, "0", "none", "0", "", ""])
    try:
        have = receiver.have(0)
        # Gone meanwhile: the script has made an empty one.
        if have is None or have.size_bytes not in {0, size_bytes}:
            return False
        receiver.begin(0)
        receiver.finish(0, _NOTHING)
    except RKDeckError as error:
        if error.code == "remote.upload_busy":
            return False
        raise
    finally:
        receiver.close()
    return True
