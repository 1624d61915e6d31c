"""Serving and asking as a front end uses it; both can be called off."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence

from core.base.errors import RKDeckError
from core.base.tasks import CancelToken
from core.deploy.deployments import resolve
from core.remote.session import SshSession
from core.serve.records import Answer, Serving
from core.serve.service import chat, current_serving, start_serving, stop_serving
from core.services import Services

DEFAULT_MAX_TOKENS = 512


def serve(
    services: Services,
    board: str,
    deployment: str,
    *,
    cancel: CancelToken | None = None,
    on_wait: Callable[[float], None] | None = None,
) -> Serving:
    """Start serving a deployment.

    Args:
        services: the core.
        board: its name.
        deployment: name of what is deployed there.
        cancel: called off, the runtime that was started is stopped again.
        on_wait: hears the seconds waited so far.

    Raises:
        CancelledError: `base.cancelled`; RefusedError, RKDeckError: as `core.serve.service.start_serving`.
    """

    def waiting(seconds: float) -> None:
        if cancel is not None:
            cancel.raise_if_cancelled()
        if on_wait is not None:
            on_wait(seconds)

    found = services.boards.get(board)
    with services.connect(found) as session:
        target = resolve(session, found.store or "", deployment, board=board)
        return start_serving(session, found, target, on_wait=waiting)


def stop(services: Services, board: str) -> Serving | None:
    """Stop what a board serves; returns what that was, None when nothing ran."""
    found = services.boards.get(board)
    with services.connect(found) as session:
        return stop_serving(session, found)


def ask(
    services: Services,
    board: str,
    messages: Sequence[Mapping[str, str]],
    *,
    max_tokens: int = DEFAULT_MAX_TOKENS,
    on_text: Callable[[str], None] | None = None,
    cancel: CancelToken | None = None,
) -> Answer:
    """Ask what a board serves.

    Args:
        services: the core.
        board: its name.
        messages: `{"role", "content"}` each, the newest last.
        max_tokens: of the answer.
        on_text: hears the answer piece by piece, on the calling thread.
        cancel: called off, the connection is closed, so that the wait ends at once.

    Raises:
        CancelledError: `base.cancelled`; RKDeckError: `serve.nothing_served`, and as `core.serve.chat.chat`.
    """
    found = services.boards.get(board)
    with services.connect(found) as session, _ended_by(cancel, session):
        serving = current_serving(session, found)
        if serving is None:
            raise RKDeckError("serve.nothing_served", board=board)
        return chat(session, serving, messages, max_tokens, on_text=on_text)


@contextlib.contextmanager
def _ended_by(cancel: CancelToken | None, session: SshSession) -> Iterator[None]:
    """Close the session when it is called off; what then fails is the cancellation."""
    if cancel is None:
        yield
        return
    cancel.raise_if_cancelled()
    forget = cancel.on_cancel(session.close)
    try:
        yield
    except Exception:
        cancel.raise_if_cancelled()
        raise
    finally:
        forget()
