"""Serving and asking as a front end uses it; both can be called off."""

from collections.abc import Callable, Mapping, Sequence

from core.base.errors import RKDeckError
from core.base.tasks import CancelToken
from core.deploy.deployments import resolve
from core.serve.records import Answer, Serving
from core.serve.service import chat, current_serving, start_serving, stop_serving
from core.services import Services
from core.usecases.sessions import ended_by

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
    token = cancel or CancelToken()

    def waiting(seconds: float) -> None:
        token.raise_if_cancelled()
        if on_wait is not None:
            on_wait(seconds)

    found = services.boards.get(board)
    token.raise_if_cancelled()
    with services.connect(found) as session:
        target = resolve(session, found.store or "", deployment, board=board)
        token.raise_if_cancelled()
        serving = start_serving(session, found, target, on_wait=waiting)
        if token.is_cancelled:  # in the very moment it became ready
            stop_serving(session, found)
            token.raise_if_cancelled()
        return serving


def stop(services: Services, board: str) -> Serving | None:
    """Stop what a board serves; returns what that was, None when nothing ran.

    Raises:
        RKDeckError: as `core.serve.service.stop_serving`.
    """
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
    """Ask what a board serves; see `converse`."""
    return converse(services, board, messages, max_tokens=max_tokens, on_text=on_text, cancel=cancel)[1]


def converse(
    services: Services,
    board: str,
    messages: Sequence[Mapping[str, str]],
    *,
    max_tokens: int = DEFAULT_MAX_TOKENS,
    top_logprobs: int | None = None,
    on_text: Callable[[str], None] | None = None,
    cancel: CancelToken | None = None,
) -> tuple[Serving, Answer]:
    """Ask what a board serves; returns also what that is.

    Args:
        services: the core.
        board: its name.
        messages: `{"role", "content"}` each, the newest last.
        max_tokens: of the answer.
        top_logprobs: how many likely tokens to report at each place; None reports no probabilities.
        on_text: hears the answer piece by piece, on the calling thread; nothing more once it is called off.
        cancel: called off, the connection is closed, so that the wait ends at once.

    Raises:
        CancelledError: `base.cancelled`; RKDeckError: `serve.nothing_served`, and as `core.serve.chat.chat`.
    """
    token = cancel or CancelToken()

    def heard(text: str) -> None:
        token.raise_if_cancelled()
        if on_text is not None:
            on_text(text)

    found = services.boards.get(board)
    token.raise_if_cancelled()
    with services.connect(found) as session, ended_by(token, session):
        serving = current_serving(session, found)
        if serving is None:
            raise RKDeckError("serve.nothing_served", board=board)
        answer = chat(
            session,
            serving,
            messages,
            max_tokens,
            top_logprobs=top_logprobs,
            # A runtime that streams sees at its next word that nobody listens any more.
            on_text=None if on_text is None and cancel is None else heard,
        )
        return serving, answer
