"""The demo hub: a loopback server with enough of the Hub's HTTP API for the real huggingface_hub.

Search, model info, tree, paths-info, resolve with ranges, etags, LFS headers and the commit header. LFS files
are redirected to a second port, the "CDN", where no token must arrive. Anything else is 404 at once.

`python -m core.demo.hub.server --model REPO=DIR ... [--catalogue N]` prints a JSON line with the URL and ends with its
standard input.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from core.demo.hub.catalogue import catalogue as made_up
from core.demo.hub.catalogue import write_catalogue_folder
from core.demo.hub.faults import Faults
from core.demo.hub.http import CdnHandler, HubHandler
from core.demo.hub.repos import HubRepo
from core.demo.hub.requests import Request


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A kept-alive connection's thread ends with its client or after 30 s of silence; stop() does not wait for it.
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  # the base class's own
        """A client that goes away in mid-answer is everyday life; anything else is told."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class DemoHub:
    """The hub and its CDN in this process.

    Args:
        repos: folders to serve, by their ids.
        gated: ids whose files need a token.
        catalogue: how many made-up entries there are besides.
    """

    def __init__(
        self, repos: Mapping[str, Path], gated: frozenset[str] = frozenset(), catalogue: int = 0
    ) -> None:
        self.repos = {repo: HubRepo(repo, folder, repo in gated) for repo, folder in repos.items()}
        self._shared = tempfile.TemporaryDirectory(prefix="rkdeck-catalogue-") if catalogue else None
        if self._shared is not None:
            write_catalogue_folder(Path(self._shared.name))
            self.repos |= made_up(Path(self._shared.name), catalogue)
        self.renamed: dict[str, str] = {}
        self.faults = Faults()
        self._requests: list[Request] = []
        self._lock = threading.Lock()
        self._hub, self._cdn = _Server(("127.0.0.1", 0), HubHandler), _Server(("127.0.0.1", 0), CdnHandler)
        for server in (self._hub, self._cdn):
            server.state = self  # type: ignore[attr-defined]  # how http.server's handlers reach their owner
        self._threads = [
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
            for server in (self._hub, self._cdn)
        ]

    @property
    def url(self) -> str:
        """What huggingface_hub calls the endpoint."""
        return f"http://127.0.0.1:{self._hub.server_address[1]}"

    @property
    def cdn_url(self) -> str:
        """Where LFS files are really served: another origin, since the port differs."""
        return f"http://127.0.0.1:{self._cdn.server_address[1]}"

    @property
    def requests(self) -> list[Request]:
        """What was asked so far."""
        with self._lock:
            return list(self._requests)

    def rename(self, repo: str, name: str) -> None:
        """Call a repository otherwise; who asks for its earlier name is led on, as by the Hub."""
        known = self.repos.pop(repo)
        self.repos[name] = replace(known, repo=name, born=known.born or repo)
        self.renamed[repo] = name

    def note(self, request: Request) -> None:
        """Remember a request."""
        with self._lock:
            self._requests.append(request)

    def bytes_sent(self, path: str) -> int:
        """Body bytes sent of a file, over all requests."""
        return sum(request.bytes_sent for request in self.requests if request.path.endswith("/" + path))

    def start(self) -> None:
        """Begin to serve."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop serving and free the ports."""
        for server in (self._hub, self._cdn):
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()
        if self._shared is not None:
            self._shared.cleanup()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def main() -> int:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="core.demo.hub.server")
    parser.add_argument("--model", action="append", default=[], metavar="REPO=DIR")
    parser.add_argument("--catalogue", type=int, default=0, metavar="N", help="made-up entries besides")
    options = parser.parse_args()
    pairs = (text.split("=", 1) for text in options.model)
    repos = {repo: Path(folder) for repo, folder in pairs}
    with DemoHub(repos, catalogue=options.catalogue) as hub:
        sys.stdout.write(json.dumps({"url": hub.url, "simulated": True, "t_unix_s": time.time()}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
