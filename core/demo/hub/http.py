"""Request handlers of the demo hub and of its CDN."""

import json
import re
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from core.demo.hub.faults import Fault
from core.demo.hub.repos import HubFile, HubRepo, tree_entry
from core.demo.hub.requests import Request, Served, requests_json
from core.demo.hub.search import BadQueryError, search

_MAX_BODY_BYTES = 1 << 20
_CHUNK_BYTES = 64 << 10
_STALL_S = 60.0
# Whoever reads a header asks for a little more than it has.
_ZEROS_BYTES = 1 << 20
_FACTS_ONLY = "This repository holds facts only: there are no weights to download."
_CONTROL = frozenset({"/__faults__", "/__requests__"})
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_MODEL = re.compile(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/([^/]+)(?:/(.+))?)?")
_RESOLVE = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
_DATA = re.compile(r"/data/([^/]+/[^/]+)/(.+)")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_name = "hub"
    # Head and body leave in two pieces; the second would wait for the first one's acknowledgement.
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401  # the base class's own signature
        """Say nothing; the request log is kept in memory."""

    @property
    def hub(self) -> Served:
        """The hub this connection belongs to."""
        state: Served = self.server.state  # type: ignore[attr-defined]  # set by DemoHub
        return state

    def setup(self) -> None:
        """Close kept-alive connections that fall silent, so that no thread stays for ever."""
        super().setup()
        self.connection.settimeout(30)

    def parse_request(self) -> bool:
        """Drop everything while the hub plays dead, but hear who revives it or asks for the log."""
        if not super().parse_request():
            return False
        if self.hub.faults.dead.is_set() and urlsplit(self.path).path not in _CONTROL:
            self.close_connection = True
            return False
        return True

    def send_json(self, value: Any, status: int = 200) -> None:  # noqa: ANN401  # any JSON document
        """Answer with a document."""
        self.send_body(json.dumps(value).encode(), status, {"Content-Type": "application/json"})

    def send_body(self, data: bytes, status: int, headers: dict[str, str]) -> None:
        """Answer with a small body."""
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        sent = 0
        if self.command != "HEAD":
            self.wfile.write(data)
            sent = len(data)
        self.note(status, sent)

    def refuse(self, code: str, status: int = 404) -> None:
        """Answer as the Hub does for what it does not have."""
        self.send_body(b"", status, {"X-Error-Code": code, "X-Error-Message": code})

    def note(self, status: int, sent: int) -> None:
        """Enter this request into the log."""
        path = unquote(urlsplit(self.path).path)
        asked, auth = self.headers.get("Range", ""), "Authorization" in self.headers
        self.hub.note(Request(self.server_name, self.command, path, asked, status, sent, auth))

    def send_file(self, file: HubFile, headers: dict[str, str]) -> None:
        """Answer with a file or the asked range of it, spoiled by a planned fault."""
        fault = self.hub.faults.take(file.name) if self.command == "GET" else None
        if fault is not None and fault.kind == "http_503":
            self.send_body(b"", HTTPStatus.SERVICE_UNAVAILABLE, {})
            return
        asked = None if fault is not None and fault.kind == "no_ranges" else self.headers.get("Range")
        span = _span(asked, file.size_bytes)
        if span is None:
            self.send_body(b"", 416, {"Content-Range": f"bytes */{file.size_bytes}"})
            return
        start, end = span
        if file.is_facts_only and end > file.path.stat().st_size + _ZEROS_BYTES:
            said = {"X-Error-Code": "FactsOnly", "X-Error-Message": _FACTS_ONLY}
            self.send_body(b"", HTTPStatus.FORBIDDEN, said)
            return
        partial = asked is not None
        self.send_response(206 if partial else 200)
        extra = {"Content-Range": f"bytes {start}-{end - 1}/{file.size_bytes}"} if partial else {}
        length = {"Content-Length": str(end - start), "Accept-Ranges": "bytes"}
        for name, value in {**headers, **extra, **length}.items():
            self.send_header(name, value)
        self.end_headers()
        sent = 0
        try:
            if self.command == "GET":
                for sent in self._write(file, start, end, fault):  # noqa: B007  # the last value is what was sent
                    pass
        finally:
            self.note(206 if partial else 200, sent)

    def _write(self, file: HubFile, start: int, end: int, fault: Fault | None) -> Any:  # noqa: ANN401
        """Send bytes, yielding how many went out so far."""
        sent = 0
        stop = fault.after_bytes if fault is not None and fault.kind in {"cut", "kill", "stall"} else None
        with file.path.open("rb") as source:
            source.seek(start)
            while sent < end - start:
                wanted = min(_CHUNK_BYTES, end - start - sent)
                if stop is not None:
                    wanted = min(wanted, stop - sent)
                    if wanted <= 0:
                        self._break_off(fault)
                        return
                data = source.read(wanted)
                if file.is_facts_only:
                    data = data.ljust(wanted, b"\0")
                if fault is not None and fault.kind == "corrupt" and sent == 0:
                    data = bytes([data[0] ^ 1]) + data[1:]
                self.wfile.write(data)
                sent += len(data)
                yield sent
                if fault is not None and fault.kind == "slow":
                    time.sleep(len(data) / fault.bytes_per_s)

    def _break_off(self, fault: Fault | None) -> None:
        assert fault is not None
        if fault.kind == "kill":
            self.hub.faults.dead.set()
        if fault.kind == "stall":
            deadline = time.monotonic() + _STALL_S
            while time.monotonic() < deadline and not self.hub.faults.dead.is_set():
                time.sleep(0.1)
        self.close_connection = True


class CdnHandler(_Handler):
    """Serves the bytes of LFS files."""

    server_name = "cdn"

    def do_GET(self) -> None:
        """Serve a file's bytes."""
        found = _DATA.fullmatch(unquote(urlsplit(self.path).path))
        repo = self.hub.repos.get(found[1]) if found else None
        file = _file(repo, found[2]) if repo and found else None
        if file is None:
            self.refuse("EntryNotFound")
            return
        self.send_file(file, {"ETag": f'"{file.etag}"'})

    do_HEAD = do_GET


class HubHandler(_Handler):
    """Serves the API and small files; sends the client to the CDN for large ones."""

    def do_GET(self) -> None:
        """Route a request."""
        path = unquote(urlsplit(self.path).path)
        if self._led_on(path):
            return
        if path == "/api/models":
            self._search()
        elif path == "/__requests__":
            self.send_json(requests_json(self.hub))
        elif found := _MODEL.fullmatch(path):
            self._model(found[1], found[2] or "revision", found[3] or "main", found[4] or "")
        elif found := _RESOLVE.fullmatch(path):
            self._resolve(found[1], found[2], found[3])
        else:
            self.refuse("RepoNotFound")

    do_HEAD = do_GET

    def _led_on(self, path: str) -> bool:
        """Redirect who asks for a renamed repository."""
        found = _MODEL.fullmatch(path) or _RESOLVE.fullmatch(path)
        name = self.hub.renamed.get(found[1]) if found else None
        if found is None or name is None:
            return False
        self.send_body(b"", 307, {"Location": self.path.replace(found[1], name, 1)})
        return True

    def do_POST(self) -> None:
        """Take planned faults and paths-info questions."""
        path = unquote(urlsplit(self.path).path)
        length = min(int(self.headers.get("Content-Length", "0")), _MAX_BODY_BYTES)
        body = self.rfile.read(length)
        if path == "/__faults__":
            try:
                self.hub.faults.plan_json(json.loads(body))
            except (ValueError, TypeError, AttributeError) as error:
                self.send_json({"ok": False, "error": str(error)}, 400)
            else:
                self.send_json({"ok": True})
        elif (found := _MODEL.fullmatch(path)) and found[2] == "paths-info":
            fields = parse_qs(body.decode()) if not body.startswith(b"{") else json.loads(body)
            repo = self._repo(found[1], found[3])
            if repo is not None:
                wanted = set(fields.get("paths", []))
                self.send_json([tree_entry(file) for file in repo.files() if file.name in wanted])
        else:
            self.refuse("RepoNotFound")

    def _search(self) -> None:
        try:
            found = search(self.hub.repos, urlsplit(self.path).query)
        except BadQueryError as error:
            self.send_json({"error": str(error)}, HTTPStatus.BAD_REQUEST)
            return
        headers = {"Content-Type": "application/json"}
        if found.next_query is not None:
            headers["Link"] = f'<{self.hub.url}/api/models?{found.next_query}>; rel="next"'
        self.send_body(json.dumps(found.entries).encode(), 200, headers)

    def _model(self, name: str, verb: str, revision: str, folder: str) -> None:
        repo = self._repo(name, revision)
        if repo is None:
            return
        query = parse_qs(urlsplit(self.path).query)
        if verb == "tree":
            entries = repo.tree(folder, recursive=query.get("recursive", ["false"])[0].lower() == "true")
            if folder and not entries:
                self.refuse("EntryNotFound")
            else:
                self.send_json(entries)
            return
        if folder:
            self.refuse("RepoNotFound")
            return
        self.send_json(repo.info(blobs=query.get("blobs", ["false"])[0].lower() == "true"))

    def _repo(self, name: str, revision: str) -> HubRepo | None:
        """The repository at that revision; answers the refusal itself when there is none."""
        repo = self.hub.repos.get(name)
        if repo is None:
            self.refuse("RepoNotFound")
            return None
        if revision not in {"main", repo.commit(repo.files())}:
            self.refuse("RevisionNotFound")
            return None
        return repo

    def _resolve(self, name: str, revision: str, path: str) -> None:
        repo = self._repo(name, revision)
        if repo is None:
            return
        if repo.gated and "Authorization" not in self.headers:
            self.refuse("GatedRepo", 401)
            return
        file = _file(repo, path)
        if file is None:
            self.refuse("EntryNotFound")
            return
        headers = {"ETag": f'"{file.blob_id}"', "X-Repo-Commit": repo.commit(repo.files())}
        if file.sha256 is None:
            self.send_file(file, headers)
            return
        linked = {"X-Linked-Etag": f'"{file.sha256}"', "X-Linked-Size": str(file.size_bytes)}
        location = f"{self.hub.cdn_url}/data/{quote(name)}/{quote(path)}"
        self.send_body(b"", 302, {**headers, **linked, "Location": location})


def _file(repo: HubRepo, path: str) -> HubFile | None:
    return next((file for file in repo.files() if file.name == path), None)


def _span(header: str | None, size_bytes: int) -> tuple[int, int] | None:
    """Start and end (exclusive) of a Range header, None when it cannot be satisfied (RFC 9110 section 14)."""
    if header is None:
        return 0, size_bytes
    found = _RANGE.fullmatch(header.strip())
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return max(0, size_bytes - int(found[2])), size_bytes
    start = int(found[1])
    end = min(int(found[2]) + 1, size_bytes) if found[2] else size_bytes
    return (start, end) if start < end else None
