"""What `core.hub.protocol.Hub` promises, asked of every hub: of its own server, and of one that keeps no rules."""

import errno
import importlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from core.base.errors import RKDeckError
from core.hub.hubs import HUBS
from core.hub.protocol import Hub
from core.hub.records import SearchQuery
from tests.support.hub_stands import STANDS, Stand
from tests.support.models import write_random_model
from tests.support.odd_hub import OddHub, reply

COMMIT = "c" * 40
NAMES = ("some/tinier", "some/tiny", "some/twin")
GARBLED = (
    b"<html>log in to the hotel's network</html>", b"", b"null", b"5", b'"text"', b"[5]", b"[[]]", b'{"id": 5}',
    b"[" * 100_000, b"\xff\xfe",
)  # fmt: skip


@pytest.fixture(params=STANDS, ids=lambda stand: stand.name)
def stand(request: pytest.FixtureRequest) -> Stand:
    found: Stand = request.param
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("promises") / "tiny")


@pytest.fixture
def hub(stand: Stand, folder: Path) -> Iterator[Hub]:
    with stand.serve(dict.fromkeys(NAMES, folder)) as server:
        yield opened(stand, server.url)


@pytest.fixture
def odd() -> Iterator[OddHub]:
    with OddHub() as odd:
        yield odd


def opened(stand: Stand, url: str, token: str | None = None, timeout_s: float = 20.0) -> Hub:
    found: Hub = importlib.import_module(stand.entry.adapter).open_hub(url, token, timeout_s)
    return found


def asks(stand: Stand, hub: Hub) -> dict[str, Callable[[], object]]:
    """Every question that waits for the network."""
    repo = stand.id("some/tiny")

    def read() -> bytes:
        with hub.open_file(repo, COMMIT, "config.json", 0, 100) as body:
            return b"" if body is None else b"".join(body.pieces)

    return {
        "search": lambda: hub.search_page(SearchQuery("tiny")),
        "details": lambda: hub.details(repo),
        "range": lambda: hub.read_range(repo, COMMIT, "config.json", 0, 50),
        "file": read,
    }


def code_of(ask: Callable[[], object]) -> str:
    with pytest.raises(RKDeckError) as caught:
        ask()
    return caught.value.code


def test_every_hub_of_the_table_is_asked() -> None:
    assert set(HUBS) <= {stand.name for stand in STANDS}, "a row in tests/support/hub_stands.py"


def test_a_search_ends_and_gives_each_model_once(stand: Stand, hub: Hub) -> None:
    found, cursor = [], None
    for _ in range(10):
        page = hub.search_page(SearchQuery("some", limit=1), cursor)
        found += [model.repo for model in page.models]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert cursor is None
    assert sorted(found) == [stand.id(name) for name in NAMES]
    assert [model.repo for model in hub.search_page(SearchQuery("tinier")).models] == [
        stand.id("some/tinier")
    ]
    assert hub.search_page(SearchQuery("no such thing")).models == ()


def test_details_tell_the_files_and_pin_them(stand: Stand, hub: Hub, folder: Path) -> None:
    detail = hub.details(stand.id("some/tiny"))
    assert detail.repo == detail.summary.repo == stand.id("some/tiny")
    assert hub.details(detail.repo, detail.commit) == detail
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert {file.path: file.size_bytes for file in detail.files} == sizes


def test_bytes_are_exact_and_short_only_at_the_end(stand: Stand, hub: Hub, folder: Path) -> None:
    repo, name = stand.id("some/tiny"), "model.safetensors"
    commit, data = hub.details(repo).commit, (folder / name).read_bytes()
    assert hub.read_range(repo, commit, name, 100, 100_000) == data[100:100_100]
    assert hub.read_range(repo, commit, name, len(data) - 5, 100) == data[-5:]
    assert hub.read_range(repo, commit, name, len(data), 5) == b""
    with hub.open_file(repo, commit, name, 1000, len(data)) as body:
        assert body is not None
        assert b"".join(body.pieces) == data[1000:]
    with hub.open_file(repo, commit, name, len(data) + 1, len(data)) as body:
        assert body is None


def test_what_is_missing_is_named(stand: Stand, hub: Hub) -> None:
    repo, none = stand.id("some/tiny"), stand.id("some/none")
    commit = hub.details(repo).commit
    assert code_of(lambda: hub.details(none)) == "hub.not_found"
    assert code_of(lambda: hub.details(repo, "e" * 40)) == "hub.revision_not_found"
    assert code_of(lambda: hub.read_range(repo, commit, "no.txt", 0, 5)) == "hub.file_not_found"


def test_what_cannot_be_asked_is_not_sent(stand: Stand, odd: OddHub) -> None:
    hub = opened(stand, odd.url + "/")
    repo, other = stand.id("some/tiny"), "else:some/tiny"
    assert (hub.name, hub.endpoint) == (stand.name, odd.url)
    assert code_of(lambda: hub.details(other)) == "hub.bad_id"
    assert code_of(lambda: hub.read_range(other, COMMIT, "x", 0, 1)) == "hub.bad_id"
    assert code_of(lambda: hub.details(repo, "../main")) == "hub.bad_revision"
    assert code_of(lambda: hub.read_range(repo, "../main", "x", 0, 1)) == "hub.bad_revision"
    for limit in (0, 101):
        query = SearchQuery("x", limit=limit)
        assert code_of(lambda query=query: hub.search_page(query)) == "hub.bad_limit"  # type: ignore[misc]
    assert code_of(lambda: opened(stand, odd.url, "two words\n")) == "hub.bad_token"
    assert odd.asked == []


@pytest.mark.parametrize("body", GARBLED, ids=lambda body: repr(body[:20]))
@pytest.mark.parametrize("ask", ["search", "details"])
def test_a_garbled_answer_is_a_strange_one(stand: Stand, odd: OddHub, ask: str, body: bytes) -> None:
    odd.answer = reply(200, body, Content_Type="application/json")
    # A page may also be told as one, whatever kind it says it is.
    fitting = {"hub.strange_answer"} | ({"hub.login_page"} if body.startswith(b"<html") else set())
    assert code_of(asks(stand, opened(stand, odd.url))[ask]) in fitting


@pytest.mark.parametrize("ask", ["search", "details", "range", "file"])
@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "hub.forbidden"), (429, "hub.rate_limited"), (503, "hub.server_error"), (418, "hub.http_status")],
)
def test_a_status_has_its_error(stand: Stand, odd: OddHub, ask: str, status: int, code: str) -> None:
    odd.answer = reply(status, b"")
    assert code_of(asks(stand, opened(stand, odd.url))[ask]) == code


@pytest.mark.parametrize("ask", ["search", "details", "range", "file"])
def test_a_dead_line_is_told(stand: Stand, odd: OddHub, ask: str) -> None:
    over = threading.Event()

    def say_nothing(handler: BaseHTTPRequestHandler) -> None:
        over.wait(20)

    odd.answer = say_nothing
    codes = [code_of(asks(stand, opened(stand, odd.url, timeout_s=0.3))[ask])]
    over.set()
    codes.append(code_of(asks(stand, opened(stand, "http://127.0.0.1:9"))[ask]))
    assert codes == ["hub.unreachable"] * 2


@pytest.mark.parametrize("ask", ["search", "details", "range", "file"])
def test_an_answer_that_breaks_off_is_no_whole_one(stand: Stand, odd: OddHub, ask: str) -> None:
    odd.answer = reply(200, b"[", Content_Length="100")
    # A line that is closed before its time is a dead one; of a document one may also say that it is none.
    assert code_of(asks(stand, opened(stand, odd.url))[ask]) in {"hub.unreachable", "hub.strange_answer"}


def test_what_the_reader_raises_is_not_the_hubs(stand: Stand, hub: Hub) -> None:
    repo = stand.id("some/tiny")
    detail = hub.details(repo)
    size_bytes = next(file.size_bytes for file in detail.files if file.path == "config.json")
    where = (repo, detail.commit, "config.json", 0, size_bytes)
    for error in (OSError(errno.ENOSPC, "full"), TimeoutError("mine"), ValueError("mine")):
        with pytest.raises(type(error)) as caught, hub.open_file(*where):
            raise error
        assert caught.value is error


@pytest.mark.parametrize("ask", ["search", "details", "range", "file"])
def test_a_token_goes_to_the_hub_alone(stand: Stand, odd: OddHub, ask: str) -> None:
    with OddHub() as other:
        other.answer = reply(404, b"")
        odd.answer = reply(302, b"", Location=f"{other.url}/elsewhere")
        code_of(asks(stand, opened(stand, odd.url, "a-secret-key"))[ask])
        assert "a-secret-key" in str(odd.asked)
        assert "a-secret-key" not in str(other.asked)


def test_many_threads_may_ask(stand: Stand, hub: Hub) -> None:
    repo = stand.id("some/tiny")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: hub.details(repo), range(24)))
    assert len(set(found)) == 1
