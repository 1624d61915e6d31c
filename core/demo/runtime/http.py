"""The stand-in runtime's chat API on the board's loopback: OpenAI's shapes, a token, one answer at a time."""

import hmac
import json
import math
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from core.demo.runtime.engine import MAX_TOP_LOGPROBS, Engine, Piece, RequestError, Run, Sampling

_MAX_BODY_BYTES = 4 << 20
_LENGTH_DIGITS = 12
_SOCKET_TIMEOUT_S = 60.0
_MAX_MESSAGES = 1000


class ChatServer(ThreadingHTTPServer):
    """Listens on a free port of 127.0.0.1.

    Attributes:
        on_run: hears the figures of every finished answer; set it before the first is asked for.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, engine: Engine, title: str, token: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.engine = engine
        self.title = title
        self.token = token
        self.on_run: Callable[[Run], None] = _nobody
        self.busy = threading.Lock()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server_address[1])


def _nobody(_run: Run) -> None:
    """Nobody wants to know."""


class _Handler(BaseHTTPRequestHandler):
    server: ChatServer
    protocol_version = "HTTP/1.1"
    timeout = _SOCKET_TIMEOUT_S
    server_version = "rkllm-runtime-simulated"
    sys_version = ""

    def log_message(self, *_: object) -> None:
        """Say nothing: a request's line is nobody's business, and its token is a secret."""

    def do_GET(self) -> None:
        """Answer `/v1/models`."""
        self._guarded(self._models)

    def do_POST(self) -> None:
        """Answer `/v1/chat/completions`."""
        self._guarded(self._chat)

    def _guarded(self, answer: Callable[[], None]) -> None:
        try:
            # Read first, whoever asks: closing a socket with unread input would reset our answer away.
            self._body = self._read_body() if self.command == "POST" else b""
            self._check_token()
            answer()
        except RequestError as error:
            self.close_connection = True
            self._send(error.status, {"error": {"message": error.message, "code": error.code}})
        except (ConnectionError, TimeoutError):
            # The client left; what it asked for is dropped.
            self.close_connection = True

    def _check_token(self) -> None:
        given = self.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.server.token}".encode()):
            raise RequestError(401, "unauthorized", "the bearer token is missing or wrong")

    def _models(self) -> None:
        if self.path != "/v1/models":
            raise RequestError(404, "not_found", "no such path")
        model = {"id": self.server.title, "object": "model", "owned_by": "rkdeck-simulated"}
        self._send(200, {"object": "list", "data": [model]})

    def _chat(self) -> None:
        if self.path != "/v1/chat/completions":
            raise RequestError(404, "not_found", "no such path")
        request = _document(self._body)
        messages, sampling = _messages(request), _sampling(request)
        if not self.server.busy.acquire(blocking=False):
            # The words of the vendor's flask_server.py.
            message = "RKLLM_Server is busy! Maybe you can try again later."
            raise RequestError(503, "busy", message)
        with ExitStack() as turn:
            turn.callback(self.server.busy.release)
            prompt = self.server.engine.prompt_tokens(messages)
            self._answer(prompt, sampling, turn, stream=request.get("stream") is True)

    def _answer(self, prompt: list[int], sampling: Sampling, turn: ExitStack, *, stream: bool) -> None:
        """Compute and send; the turn ends before the last words leave: who has read them may ask again at once."""
        run = Run()
        shell = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": self.server.title,
        }
        pieces = self.server.engine.generate(prompt, sampling, run)
        if stream:
            self._stream(pieces, shell, run, turn)
        else:
            kept = list(pieces)
            choice = {
                "index": 0,
                "message": {"role": "assistant", "content": "".join(piece.text for piece in kept)},
                "logprobs": _logprobs(kept) if sampling.logprobs else None,
                "finish_reason": run.finish_reason,
            }
            self.server.on_run(run)
            turn.close()
            self._send(200, {**shell, "object": "chat.completion", "choices": [choice], **_figures(run)})

    def _stream(self, pieces: Iterator[Piece], shell: dict[str, Any], run: Run, turn: ExitStack) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        shell = {**shell, "object": "chat.completion.chunk"}
        role: dict[str, Any] = {"role": "assistant"}
        for piece in pieces:
            logprobs = None if piece.entry is None else {"content": [piece.entry]}
            choice = {"index": 0, "delta": {**role, "content": piece.text}, "logprobs": logprobs}
            self._event({**shell, "choices": [{**choice, "finish_reason": None}]})
            role = {}
        last = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": run.finish_reason}
        self.server.on_run(run)
        turn.close()
        self._event({**shell, "choices": [last], **_figures(run)})
        self._chunk(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, value: dict[str, Any]) -> None:
        self._chunk(b"data: " + json.dumps(value).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _read_body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        known = length.isascii() and length.isdigit() and len(length) <= _LENGTH_DIGITS
        if not known or int(length) > _MAX_BODY_BYTES:
            raise RequestError(400, "bad_length", f"a body of at most {_MAX_BODY_BYTES} bytes is needed")
        return self.rfile.read(int(length))

    def _send(self, status: int, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)


def _document(body: bytes) -> dict[str, Any]:
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(400, "bad_json", "the body is not JSON") from error
    if not isinstance(request, dict):
        raise RequestError(400, "bad_json", "the body is not a JSON object")
    return request


def _figures(run: Run) -> dict[str, Any]:
    usage = {
        "prompt_tokens": run.prompt_tokens,
        "completion_tokens": run.completion_tokens,
        "total_tokens": run.prompt_tokens + run.completion_tokens,
    }
    return {"usage": usage, "rkdeck": {"ttft_ms": run.ttft_ms, "tokens_per_s": run.tokens_per_s}}


def _logprobs(pieces: list[Piece]) -> dict[str, Any]:
    return {"content": [piece.entry for piece in pieces if piece.entry is not None]}


def _messages(request: dict[str, Any]) -> list[dict[str, str]]:
    messages = request.get("messages")
    if not isinstance(messages, list) or not 0 < len(messages) <= _MAX_MESSAGES:
        raise RequestError(400, "bad_messages", "messages must be a list that is not empty")
    kept = []
    for message in messages:
        role = message.get("role") if isinstance(message, dict) else None
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(role, str) or not isinstance(content, str):
            raise RequestError(400, "bad_messages", "every message needs a role and a content, both text")
        kept.append({"role": role, "content": content})
    return kept


def _sampling(request: dict[str, Any]) -> Sampling:
    max_tokens = request.get("max_tokens", request.get("max_completion_tokens"))
    seed = request.get("seed")
    return Sampling(
        max_tokens=None if max_tokens is None else _whole(max_tokens, "max_tokens", 1, 1 << 20),
        temperature=_real(request.get("temperature", 0.0), "temperature", 0.0, 10.0),
        top_p=_real(request.get("top_p", 1.0), "top_p", 1e-6, 1.0),
        seed=None if seed is None else _whole(seed, "seed", 0, 1 << 62),
        logprobs=request.get("logprobs") is True,
        top_logprobs=_whole(request.get("top_logprobs") or 0, "top_logprobs", 0, MAX_TOP_LOGPROBS),
    )


def _whole(value: object, name: str, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise RequestError(400, f"bad_{name}", f"{name} must be a whole number from {low} to {high}")
    return value


def _real(value: object, name: str, low: float, high: float) -> float:
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not low <= number <= high:
        raise RequestError(400, f"bad_{name}", f"{name} must be a number from {low:g} to {high:g}")
    return number
