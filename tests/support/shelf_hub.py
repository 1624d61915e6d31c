"""A second hub for tests, with an API unlike the Hugging Face Hub's, and its adapter: what a further hub costs.

`GET /find?q=WORDS&page=N&size=M`, `/models/OWNER/NAME?at=VERSION` and `/bytes/OWNER/NAME/VERSION?file=PATH` (with
`X-From` for the first byte) over the folders of a demo hub; the token goes as `?key=`.
"""

import contextlib
import http.client
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from core.base.errors import RKDeckError, UsageError
from core.demo.hub.repos import HubRepo
from core.hub.addresses import ModelId, check_revision, own_id
from core.hub.errors import http_error
from core.hub.hubs import HubEntry
from core.hub.protocol import FileBody, check_page
from core.hub.records import ModelDetail, ModelSummary, RepoFile, SearchPage, SearchQuery

NAME = "shelf"
ENTRY = HubEntry("Shelf", "tests.support.shelf_hub", "https://shelf.invalid", "SHELF_ENDPOINT", "SHELF_TOKEN")
_PIECE_BYTES = 1 << 16
_BEYOND_THE_END = 204
_MISSING = {b"model": "hub.not_found", b"version": "hub.revision_not_found", b"file": "hub.file_not_found"}


class ShelfHub:
    """The adapter."""

    name = NAME

    def __init__(self, endpoint: str, token: str | None, timeout_s: float) -> None:
        if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
            raise UsageError("hub.bad_token")
        self.endpoint = endpoint.rstrip("/")
        self._token = token
        self._timeout_s = timeout_s

    def search_page(self, query: SearchQuery, cursor: str | None = None) -> SearchPage:
        check_page(query)
        page = int(cursor or 1)
        found = self._json("search", "/find", q=query.text, page=page, size=query.limit)
        with _strange():
            models = tuple(_summary(entry) for entry in found["hits"])
            return SearchPage(models, str(page + 1) if found["more"] else None)

    def details(self, repo: str, revision: str | None = None) -> ModelDetail:
        if revision is not None:
            check_revision(revision)
        asked = {} if revision is None else {"at": revision}
        found = self._json(repo, f"/models/{own_id(NAME, repo).repo}", **asked)
        with _strange():
            files = tuple(
                RepoFile(file["name"], file["bytes"], None, file["sha256"]) for file in found["files"]
            )
            return ModelDetail(repo, found["version"], _summary(found), files)

    def read_range(self, repo: str, commit: str, path: str, start: int, length: int) -> bytes:
        with self._bytes(repo, commit, path, start) as pieces:
            data = b""
            while pieces is not None and len(data) < length and (piece := next(pieces, b"")):
                data += piece
            return data[:length]

    @contextlib.contextmanager
    def open_file(
        self, repo: str, commit: str, path: str, start: int, size_bytes: int
    ) -> Iterator[FileBody | None]:
        with self._bytes(repo, commit, path, start) as pieces:
            yield None if pieces is None else FileBody(pieces, is_sure=True)

    def close(self) -> None:
        pass

    @contextlib.contextmanager
    def _bytes(self, repo: str, commit: str, path: str, start: int) -> Iterator[Iterator[bytes] | None]:
        model = own_id(NAME, repo).repo
        check_revision(commit)
        with self._get(path, f"/bytes/{model}/{commit}", start, file=path) as response:
            yield None if response.status == _BEYOND_THE_END else self._pieces(response)

    def _json(self, what: str, path: str, **params: object) -> Any:  # noqa: ANN401  # JSON
        with self._get(what, path, 0, **params) as response:
            data = b"".join(self._pieces(response))
        with _strange():
            return json.loads(data)

    def _get(self, what: str, path: str, start: int, **params: object) -> http.client.HTTPResponse:
        """Ask. Only our own asking and reading is translated: what is raised by whoever holds the file is theirs."""
        asked = urllib.parse.urlencode({**params, **({"key": self._token} if self._token else {})})
        request = urllib.request.Request(f"{self.endpoint}{path}?{asked}", headers={"X-From": str(start)})
        with self._line():
            try:
                response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=self._timeout_s)
                return response
            except urllib.error.HTTPError as error:
                with error:
                    missing = _MISSING.get(error.read(100)) if error.code == 404 else None
                if missing is not None:
                    raise RKDeckError(missing, what=what) from None
                raise http_error(error.code, None, self.endpoint, what) from None

    def _pieces(self, response: http.client.HTTPResponse) -> Iterator[bytes]:
        while True:
            with self._line():
                piece = response.read1(_PIECE_BYTES)
                # urllib does not tell an answer that was cut from one that has ended.
                if not piece and response.length:
                    raise http.client.IncompleteRead(b"", response.length)
            if not piece:
                return
            yield piece

    @contextlib.contextmanager
    def _line(self) -> Iterator[None]:
        try:
            yield
        except (OSError, http.client.HTTPException) as error:
            raise RKDeckError("hub.unreachable", endpoint=self.endpoint, reason=str(error)) from error


@contextlib.contextmanager
def _strange() -> Iterator[None]:
    """Whatever a document lacks or holds too much of; a real hub also checks each value's type and bounds."""
    try:
        yield
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise RKDeckError("hub.strange_answer", what=type(error).__name__) from error


def open_hub(endpoint: str, token: str | None, timeout_s: float) -> ShelfHub:
    return ShelfHub(endpoint, token, timeout_s)


def token_file(environ: Mapping[str, str]) -> Path | None:
    return None


def _summary(entry: dict[str, Any]) -> ModelSummary:
    return ModelSummary(
        repo=str(ModelId(NAME, f"{entry['owner']}/{entry['name']}")),
        downloads=entry["loads"], likes=None, parameters=None, license=None, updated=None, gated=False, tags=(),
    )  # fmt: skip


class ShelfServer:
    """The hub itself; `keys` are the tokens that came."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self.repos = {repo: HubRepo(repo, folder) for repo, folder in folders.items()}
        self.keys: set[str] = set()
        shelf = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urllib.parse.urlsplit(self.path)
                asked = dict(urllib.parse.parse_qsl(parts.query))
                shelf.keys |= {asked["key"]} if "key" in asked else set()
                status, answer = shelf.answer(parts.path, asked, int(self.headers.get("X-From", "0")))
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # who asked had enough
                    self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})

    def answer(self, path: str, asked: dict[str, str], start: int) -> tuple[int, bytes]:
        """Status and body; of what is missing, its name."""
        if path == "/find":
            hits = [repo for name, repo in sorted(self.repos.items()) if asked.get("q", "") in name]
            page, size = int(asked["page"]), int(asked["size"])
            shown = [_entry(repo) for repo in hits[(page - 1) * size : page * size]]
            return 200, json.dumps({"hits": shown, "more": page * size < len(hits)}).encode()
        verb, owner, name, *at = path.removeprefix("/").split("/")
        repo = self.repos.get(f"{owner}/{name}")
        if repo is None:
            return 404, b"model"
        entry = _entry(repo)
        if {*at, asked.get("at", entry["version"])} != {entry["version"]}:
            return 404, b"version"
        if verb == "models":
            return 200, json.dumps(entry).encode()
        data = [file.path.read_bytes()[start:] for file in repo.files() if file.name == asked["file"]]
        return (200 if data[0] else _BEYOND_THE_END, data[0]) if data else (404, b"file")

    def __enter__(self) -> "ShelfServer":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def _entry(repo: HubRepo) -> dict[str, Any]:
    owner, name = repo.repo.split("/")
    files = [{"name": file.name, "bytes": file.size_bytes, "sha256": file.sha256} for file in repo.files()]
    return {"owner": owner, "name": name, "loads": 7, "version": repo.commit(repo.files()), "files": files}
