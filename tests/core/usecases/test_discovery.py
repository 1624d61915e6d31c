"""Boards that announce themselves, beside those that are known."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from core.base.paths import AppPaths
from core.base.settings import Settings
from core.base.tasks import CancelToken
from core.boards.probe import facts_of, parse_lines
from core.boards.records import Board
from core.services import Services
from core.usecases.discovery import Found, discover_boards
from tests.core.boards.test_discovery import LOOPBACK, SERVICES, announced


@pytest.fixture
def services(paths: AppPaths) -> Iterator[Services]:
    with Services(paths, Settings()) as services:
        yield services


def test_known_boards_are_marked(services: Services) -> None:
    facts = replace(facts_of(parse_lines("probe:1\nend:1")), mac="00:e0:4c:68:00:02")
    services.boards.add(Board("kitchen", "10.0.0.5"))
    services.boards.add(Board("garage", "192.168.7.7", facts=facts))
    services.boards.add(Board("cellar", "10.0.0.7"))  # SSH is announced there on another port
    services.boards.add(Board("attic", "v6.local"))
    token, heard = CancelToken(), list[Found]()

    def hear(entry: Found) -> None:
        heard.append(entry)
        if len(heard) == len(SERVICES) - 1:
            token.cancel()

    with announced(*SERVICES):
        found = discover_boards(services, 30.0, cancel=token, interfaces=LOOPBACK, on_found=hear)
    told = {entry.candidate.name.split(" ")[0]: (entry.board, entry.moved) for entry in found}
    assert told["orangepi5"] == ("kitchen", False)
    assert told["rock-5b"] == ("garage", True)
    assert told["odd"] == (None, False)
    assert told["v6"] == ("attic", False)
    assert found[0].to_json().keys() >= {"name", "host", "addresses", "port", "board", "moved", "address"}
