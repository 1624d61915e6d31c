"""A hub, mirror or CDN that does not keep the rules: silent, garbled, without ranges, with wrong ranges."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from core.base.errors import RKDeckError
from core.hub.huggingface.client import HubClient
from core.hub.protocol import search
from core.hub.records import SearchQuery
from tests.support.odd_hub import OddHub, document, reply

COMMIT = "c" * 40


@pytest.fixture
def odd() -> Iterator[OddHub]:
    with OddHub() as odd:
        yield odd


GOOD: dict[str, Any] = {"id": "a/b", "sha": COMMIT, "siblings": []}


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'"text"',
        b"null",
        json.dumps({"sha": COMMIT}).encode(),
        json.dumps({**GOOD, "sha": None}).encode(),
        json.dumps({**GOOD, "sha": "../../x"}).encode(),
        json.dumps({**GOOD, "siblings": 5}).encode(),
        json.dumps({**GOOD, "siblings": [{}]}).encode(),
        json.dumps({**GOOD, "siblings": [{"rfilename": 5, "size": 1}]}).encode(),
        json.dumps({**GOOD, "siblings": [{"rfilename": "x", "size": "1"}]}).encode(),
        json.dumps({**GOOD, "siblings": [{"rfilename": "x", "size": -1}]}).encode(),
        json.dumps({**GOOD, "siblings": [{"rfilename": "x", "size": 1, "lfs": {"sha256": 5}}]}).encode(),
        json.dumps({**GOOD, "siblings": [{"rfilename": "x", "size": 1, "blobId": []}]}).encode(),
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_garbled_details_are_a_strange_answer(odd: OddHub, body: bytes) -> None:
    odd.answer = reply(200, body, Content_Type="application/json")
    with pytest.raises(RKDeckError) as caught:
        HubClient(odd.url, None).details("a/b")
    assert caught.value.code == "hub.strange_answer"


@pytest.mark.parametrize(
    "value",
    [{}, "x", [5], [{}], [{"id": 5}], [{"id": "a/b", "tags": "text"}]],
)  # fmt: skip
def test_garbled_search_results_are_a_strange_answer(odd: OddHub, value: object) -> None:
    odd.answer = document(value)
    with pytest.raises(RKDeckError) as caught:
        search(HubClient(odd.url, None), SearchQuery("x"))
    assert caught.value.code == "hub.strange_answer"


def test_one_huge_answer_does_not_make_more_results_than_asked_for(odd: OddHub) -> None:
    odd.answer = document([{"id": f"a/{number}"} for number in range(1000)])
    assert len(search(HubClient(odd.url, None), SearchQuery("x", limit=3))) == 3


@pytest.mark.parametrize(("status", "code"), [(429, "hub.rate_limited"), (503, "hub.server_error")])
def test_statuses_have_their_own_errors(odd: OddHub, status: int, code: str) -> None:
    odd.answer = reply(status, b"", Retry_After="7")
    client = HubClient(odd.url, None)
    asks: list[Callable[[], object]] = [
        lambda: search(client, SearchQuery("x")),
        lambda: client.details("a/b"),
        lambda: client.read_range("a/b", COMMIT, "f", 0, 10),
    ]
    for ask in asks:
        with pytest.raises(RKDeckError) as caught:
            ask()
        assert caught.value.code == code


def test_a_bad_token_is_told_from_a_missing_model(odd: OddHub) -> None:
    odd.answer = reply(401, b"", X_Error_Message="Invalid credentials in Authorization header")
    with pytest.raises(RKDeckError) as caught:
        HubClient(odd.url, "hf_wrong").details("a/b")
    assert caught.value.code == "hub.forbidden"


@pytest.mark.parametrize("verb", ["search", "details", "read_range"])
def test_a_silent_hub_is_given_up(odd: OddHub, verb: str) -> None:
    over = threading.Event()

    def say_nothing(handler: BaseHTTPRequestHandler) -> None:
        over.wait(20)

    odd.answer = say_nothing
    client = HubClient(odd.url, None, timeout_s=0.3)
    asks: dict[str, Callable[[], object]] = {
        "search": lambda: search(client, SearchQuery("x")),
        "details": lambda: client.details("a/b"),
        "read_range": lambda: client.read_range("a/b", COMMIT, "f", 0, 10),
    }
    began_s = time.monotonic()
    with pytest.raises(RKDeckError) as caught:
        asks[verb]()
    took_s = time.monotonic() - began_s
    over.set()
    assert caught.value.code == "hub.unreachable"
    assert took_s < 10


def test_a_server_that_ignores_the_range_cannot_fill_the_memory(odd: OddHub) -> None:
    odd.answer = reply(200, b"x" * 100_000)
    client = HubClient(odd.url, None)
    assert client.read_range("a/b", COMMIT, "f", 0, 10) == b"x" * 10
    with pytest.raises(RKDeckError) as caught:
        client.read_range("a/b", COMMIT, "f", 5, 10)
    assert caught.value.code == "hub.no_ranges"


@pytest.mark.parametrize("span", ["bytes 0-9/100", "bytes 6-15/100", "garbage", ""])
def test_another_range_than_asked_is_refused(odd: OddHub, span: str) -> None:
    odd.answer = reply(206, b"0123456789", **({"Content_Range": span} if span else {}))
    with pytest.raises(RKDeckError) as caught:
        HubClient(odd.url, None).read_range("a/b", COMMIT, "f", 5, 10)
    assert caught.value.code == "hub.strange_answer"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "//"])
def test_redirects_elsewhere_than_to_http_are_refused(odd: OddHub, target: str) -> None:
    odd.answer = reply(302, b"", Location=target)
    with pytest.raises(RKDeckError) as caught:
        HubClient(odd.url, "hf_secret").read_range("a/b", COMMIT, "f", 0, 10)
    assert caught.value.code in {"hub.strange_answer", "hub.unreachable", "hub.in_circles"}


def test_a_circle_of_redirects_ends(odd: OddHub) -> None:
    odd.answer = lambda handler: reply(302, b"", Location=handler.path)(handler)
    with pytest.raises(RKDeckError) as caught:
        HubClient(odd.url, None).read_range("a/b", COMMIT, "f", 0, 10)
    assert caught.value.code == "hub.in_circles"
    assert len(odd.asked) <= 10


@pytest.mark.parametrize("verb", ["details", "search", "read_range"])
def test_the_token_never_follows_to_another_host(odd: OddHub, verb: str) -> None:
    with OddHub() as other:
        other.answer = document([] if verb == "search" else GOOD)
        odd.answer = lambda handler: reply(302, b"", Location=other.url + handler.path)(handler)
        client = HubClient(odd.url, "hf_secret")
        asks: dict[str, Callable[[], object]] = {
            "search": lambda: search(client, SearchQuery("x")),
            "details": lambda: client.details("a/b"),
            "read_range": lambda: client.read_range("a/b", COMMIT, "f", 0, 10),
        }
        asks[verb]()
    assert odd.asked[0][1]["authorization"] == "Bearer hf_secret"
    assert other.asked
    assert not any("hf_secret" in str(headers) for _, headers in other.asked)
