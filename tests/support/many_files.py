"""A hub with one repository of many small files, answered from memory; as a process of its own, or in this one."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

REPO = "someone/many"
COMMIT = "c" * 40
_ROOT = Path(__file__).parents[2]
_PER_FOLDER = 1000


class ManyFilesHub:
    """The hub.

    Args:
        count: of files with something in them.
        empty: name of one more, with nothing in it.

    Attributes:
        files: what it has, by name; what is changed here after its start is sent, and not told.
        asked: the files that were asked for.
        connections: how often somebody connected.
        delay_s: before each file.
        limited: so many questions for files are answered "too many requests", with a pause of 2 s.
    """

    def __init__(self, count: int, empty: str | None = None) -> None:
        noise = os.urandom(4096)
        self.files = {
            f"part-{number // _PER_FOLDER:03}/file-{number:06}.json":
            number.to_bytes(8, "big") + noise[: 92 + number % 3900]
            for number in range(count)
        }  # fmt: skip
        if empty is not None:
            self.files[empty] = b""
        self.asked: list[str] = []
        self.connections = 0
        self.delay_s = 0.0
        self.limited = 0
        self.lock = threading.Lock()
        told = [(name, len(data), _blob_id(data)) for name, data in self.files.items()]
        siblings = [{"rfilename": name, "size": size, "blobId": oid} for name, size, oid in told]
        self.document = json.dumps({"id": REPO, "sha": COMMIT, "siblings": siblings, "tags": []}).encode()
        self.tree = json.dumps(
            [{"type": "file", "path": name, "size": size, "oid": oid} for name, size, oid in told]
        ).encode()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.hub = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "ManyFilesHub":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    hub: ManyFilesHub

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  # the base class's own
        if not isinstance(sys.exc_info()[1], OSError):  # who asked is gone: killed, often
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave together
    timeout = 30
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.hub.connections += 1

    def do_GET(self) -> None:
        hub, path = self.server.hub, unquote(urlsplit(self.path).path)
        prefix = f"/{REPO}/resolve/{COMMIT}/"
        if path.startswith("/api/models/"):
            self._send(200, hub.tree if "/tree/" in path else hub.document, {})
            return
        data = hub.files.get(path.removeprefix(prefix)) if path.startswith(prefix) else None
        if data is None:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        with hub.lock:
            limited, hub.limited = hub.limited > 0, max(0, hub.limited - 1)
        if limited:
            self._send(429, b"", {"Retry-After": "2"})
            return
        hub.asked.append(path.removeprefix(prefix))
        if hub.delay_s:
            threading.Event().wait(hub.delay_s)
        self._send_file(data)

    do_HEAD = do_GET

    def _send_file(self, data: bytes) -> None:
        headers = {"ETag": f'"{_blob_id(data)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        asked = self.headers.get("Range", "")
        if not asked:
            self._send(200, data, headers)
            return
        start = int(asked.removeprefix("bytes=").partition("-")[0])
        span = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self._send(206, data[start:], headers | {"Content-Range": span})

    def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        pass


@contextlib.contextmanager
def served(count: int) -> Iterator[str]:
    """The address of such a hub in a process of its own, which takes no time from the one that asks."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.many_files", str(count)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT,
    )  # fmt: skip
    assert server.stdout is not None
    with server:  # closes its standard input, and waits
        yield server.stdout.readline().decode().strip()


def _blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


if __name__ == "__main__":
    with ManyFilesHub(int(sys.argv[1])) as many:
        print(many.url, flush=True)
        sys.stdin.read()
