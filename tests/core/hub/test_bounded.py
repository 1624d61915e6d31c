"""Every read of an answer has a size and a deadline for the whole, errors, redirects and headers included."""

import contextlib
import gzip
import json
import resource
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from core.base.errors import RefusedError, RKDeckError
from core.hub import facts
from core.hub.huggingface.client import HubClient
from core.hub.protocol import search
from core.hub.records import SearchQuery
from tests.support.odd_hub import Answer, OddHub, document, reply

COMMIT = "c" * 40
TIMEOUT_S = 0.5
SLACK_S = 30.0
MIB = 1 << 20


@pytest.fixture
def odd() -> Iterator[OddHub]:
    with OddHub() as odd:
        yield odd


def ask(odd: OddHub, verb: str) -> RKDeckError:
    """Ask a question that ends in an error, in a few times the wait for one byte and without filling the memory."""
    client = HubClient(odd.url, None, timeout_s=TIMEOUT_S)
    asks: dict[str, Callable[[], object]] = {
        "search": lambda: search(client, SearchQuery("x")),
        "details": lambda: client.details("a/b"),
        "read_range": lambda: client.read_range("a/b", COMMIT, "f", 0, 1000),
        "open_file": lambda: open_all(client),
    }
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began_s = time.monotonic()
    with pytest.raises(RKDeckError) as caught:
        asks[verb]()
    assert time.monotonic() - began_s < SLACK_S
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 200 << 10
    return caught.value


def open_all(client: HubClient) -> bytes:
    with client.open_file("a/b", COMMIT, "f", 0, 1 << 40) as body:
        assert body is not None
        return b"".join(body.pieces)


def without_end(status: int, piece: bytes, pause_s: float = 0.0, **headers: str) -> Answer:
    """A body that goes on for as long as somebody listens."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        with contextlib.suppress(OSError):
            while True:
                handler.wfile.write(piece)
                time.sleep(pause_s)

    return answer


VERBS = ["search", "details", "read_range", "open_file"]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "hub.forbidden"), (404, "hub.http_status"), (500, "hub.server_error"), (429, "hub.rate_limited")],
)
def test_an_error_without_end_is_told_by_its_status(odd: OddHub, verb: str, status: int, code: str) -> None:
    odd.answer = without_end(status, b"x" * MIB)
    assert ask(odd, verb).code == code


@pytest.mark.parametrize("verb", VERBS)
def test_a_redirect_with_a_body_without_end_is_followed_unread(odd: OddHub, verb: str) -> None:
    odd.answer = without_end(302, b"x" * MIB, Location="/elsewhere")
    assert ask(odd, verb).code == "hub.in_circles"
    assert len(odd.asked) <= 6


@pytest.mark.parametrize("verb", ["search", "details"])
def test_a_document_without_end_is_left(odd: OddHub, verb: str) -> None:
    odd.answer = without_end(200, b"[" * MIB)
    assert ask(odd, verb).code == "hub.strange_answer"


@pytest.mark.parametrize("verb", ["search", "details"])
@pytest.mark.parametrize("packing", ["gzip", "gzip, gzip", "br"])
def test_a_packed_document_is_unpacked_up_to_its_limit(odd: OddHub, verb: str, packing: str) -> None:
    bomb = gzip.compress(gzip.compress(b" " * (256 * MIB)) if "," in packing else b" " * (256 * MIB))
    odd.answer = reply(200, bomb, Content_Encoding=packing)
    assert ask(odd, verb).code == "hub.strange_answer"


def test_a_packed_document_arrives(odd: OddHub) -> None:
    odd.answer = reply(200, gzip.compress(json.dumps([{"id": "a/b"}]).encode()), Content_Encoding="gzip")
    assert [model.repo for model in search(HubClient(odd.url, None), SearchQuery("x"))] == ["a/b"]
    assert odd.asked[0][1]["accept-encoding"] == "gzip"


@pytest.mark.parametrize("verb", VERBS)
def test_one_byte_at_a_time_does_not_hold_a_question_for_ever(odd: OddHub, verb: str) -> None:
    odd.answer = without_end(200, b"[", pause_s=TIMEOUT_S / 5)
    assert ask(odd, verb).code in {"hub.unreachable", "hub.too_slow", "hub.strange_answer"}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("line", [b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
def test_headers_without_end_do_not_hold_a_question_for_ever(odd: OddHub, verb: str, line: bytes) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        with contextlib.suppress(OSError):
            handler.wfile.write(line)
            while True:
                handler.wfile.write(line if line.endswith(b"\r\n") else b"x")
                time.sleep(TIMEOUT_S / 5)

    odd.answer = answer
    assert ask(odd, verb).code == "hub.unreachable"


def test_what_an_error_says_reaches_no_terminal(odd: OddHub, capfd: pytest.CaptureFixture[str]) -> None:
    odd.answer = reply(404, b"{}", X_HF_Warning="topic; \x1b[2Jhello", X_Error_Message="\x1b[2J")
    ask(odd, "details")
    assert "\x1b" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("verb", VERBS)
def test_nothing_but_the_question_is_sent(odd: OddHub, verb: str) -> None:
    odd.answer = document(5) if verb in {"search", "details"} else reply(404, b"")
    ask(odd, verb)
    assert len(odd.asked) == 1
    assert odd.asked[0][1]["user-agent"].startswith("rkdeck/")


BIG = (1 << 60) + 1


@pytest.mark.parametrize("sizes", ["1e30", "9" * 19, str(BIG), f"{1 << 59}, {1 << 59}, 1"])
def test_a_size_that_no_disk_holds_is_refused(odd: OddHub, sizes: str) -> None:
    files = ", ".join(
        f'{{"rfilename": "model-{n}.safetensors", "size": {size}}}'
        for n, size in enumerate(sizes.split(", "))
    )
    odd.answer = reply(200, f'{{"id": "a/b", "sha": "{COMMIT}", "siblings": [{files}]}}'.encode())
    with pytest.raises(RefusedError) as caught:
        HubClient(odd.url, None).details("a/b")
    assert caught.value.code == "hub.impossible_size"
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("size", ["-1", "true", '"12"', "1.5", "[]", "-1e30"])
def test_what_is_no_size_is_a_strange_answer(odd: OddHub, size: str) -> None:
    files = f'[{{"rfilename": "f", "size": {size}}}]'
    odd.answer = reply(200, f'{{"id": "a/b", "sha": "{COMMIT}", "siblings": {files}}}'.encode())
    assert ask(odd, "details").code == "hub.strange_answer"


def test_counts_that_cannot_be_are_unknown(odd: OddHub) -> None:
    odd.answer = reply(200, b'[{"id": "a/b", "downloads": 1' + b"0" * 400 + b', "likes": -1}]')
    (model,) = search(HubClient(odd.url, None), SearchQuery("x"))
    assert (model.downloads, model.likes) == (None, None)


def test_facts_of_many_files_have_one_deadline_for_all(odd: OddHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "_MAX_SECONDS", 0.05)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if "/resolve/" not in handler.path:
            names = ["config.json", *(f"model-{n:05}-of-00500.safetensors" for n in range(1, 501))]
            siblings = [{"rfilename": name, "size": 1 << 20} for name in names]
            document({"id": "a/b", "sha": COMMIT, "siblings": siblings})(handler)
        else:
            time.sleep(0.06)
            reply(200, b"{}")(handler)

    odd.answer = answer
    with pytest.raises(RKDeckError) as caught:
        facts.fetch_model_facts(HubClient(odd.url, None), "a/b")
    assert caught.value.code == "hub.too_slow"
    assert len(odd.asked) <= 3
