"""A server that answers every question with one function: for hubs that do not keep the rules."""

import contextlib
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[BaseHTTPRequestHandler], None]


class OddHub:
    """Answers every GET, HEAD and CONNECT (of those who take it for a proxy) with one function."""

    def __init__(self) -> None:
        self.answer: Answer = lambda handler: handler.send_error(404)
        self.asked: list[tuple[str, dict[str, str]]] = []
        odd = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                odd.asked.append((self.path, {key.lower(): value for key, value in self.headers.items()}))
                odd.answer(self)

            do_HEAD = do_CONNECT = do_GET

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> "OddHub":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def reply(status: int, body: bytes, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        if handler.command == "HEAD":
            return
        with contextlib.suppress(ConnectionError):  # who asked had enough
            handler.wfile.write(body)

    return answer


def document(value: Any) -> Answer:  # noqa: ANN401  # any JSON document
    return reply(200, json.dumps(value).encode(), Content_Type="application/json")
