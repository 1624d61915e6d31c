"""Discover on a model the toolkit is not given: every part of the page says so."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from core.demo.hub.server import DemoHub
from core.services import Services
from gui.desk import Desk
from gui.pages.discover.page import DiscoverPage
from tests.gui.page_parts import SLACK_MS, texts
from tests.support.models import write_random_model


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[DemoHub]:
    packed = write_random_model(tmp_path / "packed", quantization_config={"quant_method": "awq"})
    with DemoHub({"some/packed": packed, "some/plain": write_random_model(tmp_path / "plain")}) as hub:
        yield hub


@pytest.fixture
def page(services: Services, hub: DemoHub, discover_page: DiscoverPage, qtbot: QtBot) -> DiscoverPage:
    services.settings = replace(services.settings, hub_endpoint=hub.url, default_context=256)
    discover_page.enter(None)
    qtbot.waitUntil(lambda: len(discover_page.results.records) == 2, timeout=SLACK_MS)
    return discover_page


@pytest.mark.parametrize("repo", ["some/packed", "some/plain"])
def test_a_packed_model_is_refused_by_badge_table_words_and_button(
    page: DiscoverPage, services: Services, desk: Desk, qtbot: QtBot, tmp_path: Path, repo: str
) -> None:
    packed = repo == "some/packed"
    folder = tmp_path / repo.removeprefix("some/")
    services.library.register(kind="source", title=repo, path=folder, files=(), repo=repo)
    desk.library.refresh()
    model = next(model for model in page.results.records if model.repo == repo)
    assert page.badges.of(model).fits == ("no" if packed else "yes"), "before any header"
    page.pane.show_model(model)
    qtbot.waitUntil(lambda: page.pane.memory.estimate is not None, timeout=SLACK_MS)
    qtbot.waitUntil(page.pane.convert.isVisible, timeout=SLACK_MS)
    estimate = page.pane.memory.estimate
    assert estimate is not None
    assert any(row.supported for row in estimate.rows) is not packed
    assert ("already quantized (awq)" in texts(page.pane)) is packed
    assert page.pane.convert.isEnabled() is not packed
