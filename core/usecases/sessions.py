"""Waits on a board that can be called off."""

import contextlib
import threading
from collections.abc import Iterator

from core.base.tasks import CancelToken
from core.remote.session import SshSession


@contextlib.contextmanager
def ended_by(token: CancelToken, session: SshSession) -> Iterator[None]:
    """Close the session when it is called off; what then fails, or ends well, is the cancellation.

    Raises:
        CancelledError: `base.cancelled`.
    """
    forget = token.on_cancel(lambda: _close_aside(session))
    try:
        token.raise_if_cancelled()
        yield
        token.raise_if_cancelled()
    except Exception:
        token.raise_if_cancelled()
        raise
    finally:
        forget()


def _close_aside(session: SshSession) -> None:
    """Close a session without waiting for its end: who calls off may be the thread that draws."""
    threading.Thread(target=session.close, name="close-session", daemon=True).start()
