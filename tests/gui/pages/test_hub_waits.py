"""Discover beside a hub that asks to come back later: the wait is counted down, goes on, and another search ends it."""

from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler

import pytest
from pytestqt.qtbot import QtBot

from core.services import Services
from gui.pages.discover.page import DiscoverPage
from tests.gui.page_parts import SLACK_MS
from tests.support.odd_hub import OddHub, document, reply


@pytest.fixture
def odd() -> Iterator[OddHub]:
    with OddHub() as odd:
        yield odd


@pytest.fixture
def page(services: Services, odd: OddHub, discover_page: DiscoverPage) -> Iterator[DiscoverPage]:
    services.settings = replace(services.settings, hub_endpoint=odd.url)
    yield discover_page
    services.hubs.stop_waiting()


def repos(page: DiscoverPage) -> list[str]:
    return [model.repo for model in page.results.records]


def test_a_wait_is_counted_down_and_the_search_goes_on(page: DiscoverPage, odd: OddHub, qtbot: QtBot) -> None:
    limited = iter([True])

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if next(limited, False):
            reply(429, b"", RateLimit='"api";r=0;t=2')(handler)
        else:
            document([{"id": "a/b"}])(handler)

    odd.answer = answer
    page.enter(None)
    qtbot.waitUntil(lambda: "asks to wait" in page.status.text(), timeout=SLACK_MS)
    qtbot.waitUntil(lambda: repos(page) == ["a/b"], timeout=SLACK_MS)
    assert "asks to wait" not in page.status.text()


def test_another_search_ends_a_wait(page: DiscoverPage, odd: OddHub, qtbot: QtBot) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if "search=other" in handler.path:
            document([{"id": "a/other"}])(handler)
        else:
            reply(429, b"", Retry_After="250")(handler)

    odd.answer = answer
    page.enter(None)
    qtbot.waitUntil(lambda: "asks to wait" in page.status.text(), timeout=SLACK_MS)
    page.search.setText("other")
    page.search.returnPressed.emit()
    qtbot.waitUntil(lambda: repos(page) == ["a/other"], timeout=SLACK_MS)
    assert "asks to wait" not in page.status.text()
