"""Talking to a serving: requests in OpenAI's form, answers with the runtime's own figures."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.base.errors import RKDeckError
from core.base.foreign import number, whole
from core.base.notes import because
from core.remote.session import SshSession
from core.serve.records import Answer, Serving, TokenLogprob
from core.serve.status import read_status
from core.serve.tunnel import ChatTunnel

DEFAULT_MAX_TOKENS = 256
DEFAULT_TIMEOUT_S = 300.0
# The slowest board with the largest model it holds gives out a token in some seconds.
_SLOWEST_TOKEN_S = 20.0
_PATH = "/v1/chat/completions"
_RUN_SUFFIX = "/run/serving"


def ask(
    session: SshSession,
    serving: Serving,
    prompt: str,
    max_tokens: int = DEFAULT_MAX_TOKENS,
    *,
    system: str | None = None,
    temperature: float = 0.0,
    top_logprobs: int | None = None,
    on_text: Callable[[str], None] | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> Answer:
    """Ask one question; see `chat`."""
    first = [] if system is None else [{"role": "system", "content": system}]
    return chat(
        session,
        serving,
        [*first, {"role": "user", "content": prompt}],
        max_tokens,
        temperature=temperature,
        top_logprobs=top_logprobs,
        on_text=on_text,
        timeout_s=timeout_s,
    )


def chat(
    session: SshSession,
    serving: Serving,
    messages: Sequence[Mapping[str, str]],
    max_tokens: int = DEFAULT_MAX_TOKENS,
    *,
    temperature: float = 0.0,
    top_logprobs: int | None = None,
    on_text: Callable[[str], None] | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> Answer:
    """Send a conversation and return the answer.

    Args:
        session: the connection to the board.
        serving: what runs there.
        messages: `{"role", "content"}` each, the newest last.
        max_tokens: of the answer.
        temperature: 0 takes the most likely token each time.
        top_logprobs: how many likely tokens to report at each place; None reports no probabilities.
        on_text: hears the answer piece by piece while it is computed.
        timeout_s: longest silence of the runtime; the first token of a long prompt takes its time.

    Raises:
        RKDeckError: `serve.not_running`, `serve.busy`, `serve.no_answer`, `serve.no_end`, `serve.bad_answer`,
            `serve.unauthorized`, `serve.runtime_error`; RefusedError `serve.request_refused`, such as a
            prompt longer than the context.
    """
    token = _token(session, serving)
    body: dict[str, Any] = {
        "model": serving.model,
        "messages": [dict(message) for message in messages],
        "max_tokens": max_tokens,
        "temperature": temperature,
        "stream": on_text is not None,
    }
    if top_logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": top_logprobs}
    whole_s = timeout_s + max_tokens * _SLOWEST_TOKEN_S
    with ChatTunnel(session, serving.port, token, timeout_s, whole_s) as tunnel:
        if on_text is None:
            return _answer(tunnel.call("POST", _PATH, body))
        return _streamed(tunnel, body, on_text)


def models(session: SshSession, serving: Serving, timeout_s: float = 10.0) -> tuple[str, ...]:
    """Return the ids the runtime lists: the health check."""
    with ChatTunnel(session, serving.port, _token(session, serving), timeout_s, timeout_s) as tunnel:
        listed = tunnel.call("GET", "/v1/models").get("data")
    entries = listed if isinstance(listed, list) else []
    return tuple(str(entry.get("id")) for entry in entries if isinstance(entry, dict))


def _token(session: SshSession, serving: Serving) -> str:
    store = serving.run_folder.removesuffix(_RUN_SUFFIX)
    status = read_status(session, serving.board, store, with_token=True)
    now = status.serving
    if now is None or (now.pid, now.start_ticks) != (serving.pid, serving.start_ticks):
        raise RKDeckError("serve.not_running", board=serving.board, model=serving.model)
    if status.token is None:
        raise RKDeckError("serve.unauthorized")
    return status.token


def _streamed(tunnel: ChatTunnel, body: dict[str, Any], on_text: Callable[[str], None]) -> Answer:
    text: list[str] = []
    logprobs: list[Any] = []
    last: dict[str, Any] = {}
    reason: object = None
    for event in tunnel.stream(_PATH, body):
        choice = _choice(event)
        delta = choice.get("delta")
        piece = delta.get("content") if isinstance(delta, dict) else None
        if isinstance(piece, str) and piece:
            text.append(piece)
            on_text(piece)
        logprobs += _entries(choice)
        reason = choice.get("finish_reason") or reason
        last = event
    choice = {
        "message": {"content": "".join(text)},
        "finish_reason": reason,
        "logprobs": {"content": logprobs} if "logprobs" in body else None,
    }
    return _answer({**last, "choices": [choice]})


def _answer(document: dict[str, Any]) -> Answer:
    choice = _choice(document)
    message = choice.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, str):
        raise RKDeckError("serve.bad_answer", reason=because("answer_no_text"))
    usage, figures = (_mapping(document.get(key)) for key in ("usage", "rkdeck"))
    reason = choice.get("finish_reason")
    logprobs = choice.get("logprobs")
    return Answer(
        text=content,
        tokens=whole(usage.get("completion_tokens")),
        prompt_tokens=whole(usage.get("prompt_tokens")),
        ttft_ms=number(figures.get("ttft_ms"), 0),
        tokens_per_s=number(figures.get("tokens_per_s"), 0),
        finish_reason=reason if isinstance(reason, str) else None,
        logprobs=None if logprobs is None else tuple(_logprob(entry) for entry in _entries(choice)),
    )


def _choice(document: dict[str, Any]) -> dict[str, Any]:
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise RKDeckError("serve.bad_answer", reason=because("answer_no_choice"))
    return choices[0]


def _entries(choice: dict[str, Any]) -> list[Any]:
    content = _mapping(choice.get("logprobs")).get("content")
    return content if isinstance(content, list) else []


def _logprob(entry: object) -> TokenLogprob:
    fields = _mapping(entry)
    others = fields.get("top_logprobs")
    top = [_mapping(other) for other in others] if isinstance(others, list) else []
    return TokenLogprob(
        token=_piece(fields),
        logprob=_required(fields),
        top=tuple((_piece(other), _required(other)) for other in top),
    )


def _piece(fields: dict[str, Any]) -> str:
    token = fields.get("token")
    return token if isinstance(token, str) else ""


def _required(fields: dict[str, Any]) -> float:
    value = number(fields.get("logprob"))
    if value is None:
        raise RKDeckError("serve.bad_answer", reason=because("answer_bad_logprob"))
    return value


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
