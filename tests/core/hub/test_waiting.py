"""A hub that asks to come back later: in seconds, by a date, by its own header; waited for, counted down, given up."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import RKDeckError
from core.base.events import EventHub
from core.base.paths import AppPaths
from core.hub.download import DownloadPlan, Patience
from core.hub.huggingface.client import HubClient
from core.hub.protocol import search
from core.hub.records import RepoFile, SearchQuery
from core.hub.waiting import HubWait, PatientHub, Waits, told_wait_s
from core.jobs.manager import JobManager
from tests.support.odd_hub import Answer, OddHub, document, reply
from tests.support.orders import start_download

ROOT = Path(__file__).parents[3]
COMMIT = "c" * 40
NOW = 1_800_000_000.0
SLACK_S = 60.0


@pytest.fixture
def odd() -> Iterator[OddHub]:
    with OddHub() as odd:
        yield odd


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"RateLimit": '"resolvers";r=0;t=30'}, 30),
        ({"RateLimit": '"api";r=7;t=20, "resolvers" ; r=0 ; t=31'}, 31),
        ({"RateLimit": '"api";r=7;t=20', "Retry-After": "5"}, 5),
        ({"RateLimit": '"api";r=0;t=' + "9" * 3000, "Retry-After": "5"}, 5),
        ({"Retry-After": "120"}, 120),
        ({"Retry-After": " 120 "}, 120),
        ({"Retry-After": formatdate(NOW + 40, usegmt=True)}, 40),
        ({"Retry-After": formatdate(NOW - 40, usegmt=True)}, 0),
        ({"Retry-After": "9" * 3000}, None),
        ({"Retry-After": "1000000001"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Fri, 99 Foo 99999 99:99:99 GMT"}, None),
        ({}, None),
    ],
)
def test_what_a_hub_says_about_waiting(headers: dict[str, str], seconds: float | None) -> None:
    # The hub's clock counts, by its own `Date`; this computer's is of another year.
    assert told_wait_s({"Date": formatdate(NOW, usegmt=True), **headers}) == seconds


def test_a_date_without_the_hubs_own_is_taken_by_this_computers_clock() -> None:
    found = told_wait_s({"Retry-After": formatdate(time.time() + 4000, usegmt=True), "Date": "soon"})
    assert found is not None
    assert 3000 < found <= 4001


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=300))
def test_any_header_is_seconds_within_bounds_or_none(limit: str, after: str, date: str) -> None:
    found = told_wait_s({"RateLimit": limit, "Retry-After": f"{after}GMT", "Date": date})
    assert found is None or 0 <= found <= 1_000_000_000


def later(times: int, then: Answer, status: int = 429, **headers: str) -> Answer:
    """So many answers that ask to wait, then another."""
    left = iter(range(times))

    def answer(handler: BaseHTTPRequestHandler) -> None:
        (reply(status, b"", **headers) if next(left, None) is not None else then)(handler)

    return answer


VERBS: dict[str, tuple[Callable[[PatientHub], object], Answer]] = {
    "search": (lambda hub: search(hub, SearchQuery("x")), document([])),
    "details": (lambda hub: hub.details("a/b"), document({"id": "a/b", "sha": COMMIT, "siblings": []})),
    "facts": (lambda hub: hub.read_range("a/b", COMMIT, "config.json", 0, 2), reply(200, b"{}")),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("status", "headers"),
    [(429, {"RateLimit": '"resolvers";r=0;t=2'}), (429, {"Retry_After": "2"}), (503, {"Retry_After": "2"})],
)
def test_a_question_is_asked_again_when_the_hub_says(
    odd: OddHub, verb: str, status: int, headers: dict[str, str]
) -> None:
    ask, then = VERBS[verb]
    odd.answer = later(1, then, status, **headers)
    events, told = EventHub(), list[int]()
    events.subscribe(HubWait, lambda wait: told.append(wait.left_s))
    began_s = time.monotonic()
    ask(PatientHub(HubClient(odd.url, None), Waits(events)))
    assert time.monotonic() - began_s >= 2
    assert len(odd.asked) == 2
    assert told[0] == 2
    assert told[-1] == 0
    assert told == sorted(told, reverse=True)


@pytest.mark.parametrize("after", ["301", "1000000000", "9" * 3000])
def test_a_wait_that_is_too_long_is_told_at_once(odd: OddHub, after: str) -> None:
    odd.answer = reply(429, b"", Retry_After=after)
    with pytest.raises(RKDeckError) as caught:
        PatientHub(HubClient(odd.url, None), Waits()).details("a/b")
    assert caught.value.code == "hub.rate_limited"
    assert caught.value.facts["retry_after_s"] == (None if len(after) > 100 else int(after))
    assert caught.value.hint == (None if len(after) > 100 else "hub.again_later")
    assert len(odd.asked) == 1


def test_a_hub_that_always_asks_to_wait_is_left_in_the_end(odd: OddHub) -> None:
    odd.answer = reply(429, b"", RateLimit='"api";r=0;t=0')
    with pytest.raises(RKDeckError):
        PatientHub(HubClient(odd.url, None), Waits()).details("a/b")
    assert len(odd.asked) <= 10


def test_a_wait_that_nobody_wants_any_more_ends_with_the_hubs_error(odd: OddHub) -> None:
    odd.answer = reply(429, b"", Retry_After="200")
    events = EventHub()
    waits = Waits(events)
    threading.Timer(0.5, waits.give_up).start()
    began_s = time.monotonic()
    with pytest.raises(RKDeckError) as caught:
        PatientHub(HubClient(odd.url, None), waits).details("a/b")
    assert caught.value.code == "hub.rate_limited"
    assert time.monotonic() - began_s < SLACK_S


def test_a_download_waits_as_told_and_counts_down(odd: OddHub, jobs: JobManager, paths: AppPaths) -> None:
    odd.answer = later(1, reply(200, b"12345"), RateLimit='"resolvers";r=0;t=3')
    plan = DownloadPlan("a/b", COMMIT, (RepoFile("f", 5, None, None),))
    quick = Patience(stall_timeout_s=1.0, first_pause_s=0.05, tries=3)
    handle = start_download(jobs, odd.url, plan, library_folder=paths.library, patience=quick)
    handle.result(SLACK_S)
    told = [event.data for event in handle.follow() if event.data.get("phase") == "wait_hub"]
    assert [data["facts"] for data in told] == [{"seconds": 3}, {"seconds": 2}, {"seconds": 1}]


def test_a_download_that_waits_can_be_cancelled(odd: OddHub, jobs: JobManager, paths: AppPaths) -> None:
    odd.answer = reply(429, b"", Retry_After="250")
    plan = DownloadPlan("a/b", COMMIT, (RepoFile("f", 5, None, None),))
    handle = start_download(jobs, odd.url, plan, library_folder=paths.library)
    seen = False
    for event in handle.follow():
        if event.data.get("phase") == "wait_hub" and not seen:
            seen = True
            handle.cancel()
    assert seen
    with pytest.raises(RKDeckError) as caught:
        handle.result(SLACK_S)
    assert caught.value.exit_code == 130


def test_the_command_line_says_that_it_waits(odd: OddHub, tmp_path: Path) -> None:
    odd.answer = later(1, document([]), Retry_After="2")
    done = subprocess.run(
        [sys.executable, "-m", "gui.main", "--home", str(tmp_path), "search", "x"],
        cwd=ROOT, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "HF_ENDPOINT": odd.url},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "asks to wait: 2 s left" in done.stderr
