"""A second hub for tests, with an API unlike the Hugging Face Hub's, and its adapter: what a further hub costs.

`GET /find?q=WORDS&page=N&size=M`, `/models/OWNER/NAME?at=VERSION` and `/bytes/OWNER/NAME/VERSION?file=PATH` (with
`X-From` for the first byte) over the folders of a demo hub; the token goes as `?key=`.
"""

import contextlib
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from core.base.errors import RKDeckError
from core.demo.hub.repos import HubRepo
from core.hub.addresses import ModelId, check_revision, own_id
from core.hub.errors import http_error
from core.hub.hubs import HubEntry
from core.hub.protocol import check_page
from core.hub.records import ModelDetail, ModelSummary, RepoFile, SearchPage, SearchQuery

NAME = "shelf"
ENTRY = HubEntry("Shelf", "tests.support.shelf_hub", "https://shelf.invalid", "SHELF_ENDPOINT", "SHELF_TOKEN")
_PIECE_BYTES = 1 << 16


class ShelfHub:
    """The adapter."""

    name = NAME

    def __init__(self, endpoint: str, token: str | None, timeout_s: float) -> None:
        self.endpoint = endpoint.rstrip("/")
        self._token = token
        self._timeout_s = timeout_s

    def search_page(self, query: SearchQuery, cursor: str | None = None) -> SearchPage:
        check_page(query)
        page = int(cursor or 1)
        found = self._json("search", "/find", q=query.text, page=page, size=query.limit)
        models = tuple(_summary(entry) for entry in found["hits"])
        return SearchPage(models, str(page + 1) if found["more"] else None)

    def details(self, repo: str, revision: str | None = None) -> ModelDetail:
        if revision is not None:
            check_revision(revision)
        found = self._json(
            repo, f"/models/{own_id(NAME, repo).repo}", **({} if revision is None else {"at": revision})
        )
        files = tuple(RepoFile(file["name"], file["bytes"], None, file["sha256"]) for file in found["files"])
        return ModelDetail(repo, found["version"], _summary(found), files)

    def read_range(self, repo: str, commit: str, path: str, start: int, length: int) -> bytes:
        with self.open_file(repo, commit, path, start) as pieces:
            data = b""
            while pieces is not None and len(data) < length and (piece := next(pieces, b"")):
                data += piece
            return data[:length]

    @contextlib.contextmanager
    def open_file(self, repo: str, commit: str, path: str, start: int) -> Iterator[Iterator[bytes] | None]:
        with self._get(path, f"/bytes/{own_id(NAME, repo).repo}/{commit}", start, file=path) as response:
            yield None if response.status == 204 else iter(lambda: response.read(_PIECE_BYTES), b"")

    def close(self) -> None:
        pass

    def _json(self, what: str, path: str, **params: object) -> Any:  # noqa: ANN401  # JSON
        with self._get(what, path, 0, **params) as response:
            return json.load(response)

    @contextlib.contextmanager
    def _get(self, what: str, path: str, start: int, **params: object) -> Iterator[Any]:
        asked = urllib.parse.urlencode({**params, **({"key": self._token} if self._token else {})})
        request = urllib.request.Request(f"{self.endpoint}{path}?{asked}", headers={"X-From": str(start)})
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as response:
                yield response
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    raise RKDeckError("hub.not_found", what=what) from None
                raise http_error(error.code, None, self.endpoint, what) from None
        except urllib.error.URLError as error:
            raise RKDeckError("hub.unreachable", endpoint=self.endpoint, reason=str(error.reason)) from error


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
                answer = shelf.answer(parts.path, asked, int(self.headers.get("X-From", "0")))
                self.send_response(404 if answer is None else 200 if answer else 204)
                self.send_header("Content-Length", str(len(answer or b"")))
                self.end_headers()
                self.wfile.write(answer or b"")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})

    def answer(self, path: str, asked: dict[str, str], start: int) -> bytes | None:
        if path == "/find":
            hits = [repo for name, repo in sorted(self.repos.items()) if asked["q"] in name]
            page, size = int(asked["page"]), int(asked["size"])
            shown = [_entry(repo) for repo in hits[(page - 1) * size : page * size]]
            return json.dumps({"hits": shown, "more": page * size < len(hits)}).encode()
        verb, _, rest = path.removeprefix("/").partition("/")
        repo = self.repos.get("/".join(rest.split("/")[:2]))
        if repo is None:
            return None
        if verb == "models":
            return json.dumps(_entry(repo)).encode()
        file = next(file for file in repo.files() if file.name == asked["file"])
        return file.path.read_bytes()[start:]

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
