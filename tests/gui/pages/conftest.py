"""The Library, Convert and Discover pages on a fresh home, and what they need: models, a toolkit."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from core.demo.toolkit_env import create_toolkit_env
from core.library.records import LibraryItem
from core.services import Services
from core.usecases import conversion, library
from gui.desk import Desk
from gui.pages.convert.page import ConvertPage
from gui.pages.discover.page import DiscoverPage
from gui.pages.library.page import LibraryPage
from gui.theme import ThemeSwitch
from tests.gui.conftest import flush
from tests.gui.page_parts import SLACK_MS, Ear
from tests.support.models import write_random_model
from tests.support.tiny_model import write_tiny_model


@pytest.fixture(scope="session")
def toolkit_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the stand-in toolkit."""
    return create_toolkit_env(tmp_path_factory.mktemp("toolkit") / "env")


@pytest.fixture
def toolkit(services: Services, toolkit_python: Path) -> Path:
    """The stand-in toolkit, added."""
    return conversion.add_toolkit(services, toolkit_python).python


@pytest.fixture
def source_item(services: Services, tmp_path: Path) -> LibraryItem:
    """A source model in the library."""
    return library.add_path(services, write_random_model(tmp_path / "Tiny"))


@pytest.fixture
def rkllm_item(services: Services, tmp_path: Path) -> LibraryItem:
    """A file for RK3588 boards in the library, where the user keeps it."""
    return library.add_path(services, write_tiny_model(tmp_path / "Tiny_W8A8_RK3588.rkllm"))


@pytest.fixture
def ear(desk: Desk) -> Ear:
    """What the pages ask of the window."""
    return Ear(desk)


@pytest.fixture
def library_page(desk: Desk, ear: Ear, themes: ThemeSwitch, qtbot: QtBot) -> Iterator[LibraryPage]:
    """The Library page, with everything read."""
    made = LibraryPage(desk)
    made.resize(1090, 690)
    made.show()
    qtbot.waitExposed(made)
    desk.start()
    qtbot.waitUntil(lambda: desk.library.is_loaded and desk.boards.is_loaded, timeout=SLACK_MS)
    yield made
    made.close()
    made.deleteLater()
    flush()


@pytest.fixture
def convert_page(desk: Desk, ear: Ear, themes: ThemeSwitch, qtbot: QtBot) -> Iterator[ConvertPage]:
    """The Convert page, with everything read."""
    made = ConvertPage(desk)
    made.resize(1090, 690)
    made.show()
    qtbot.waitExposed(made)
    desk.start()
    made.enter(None)
    field = made.form.toolkit
    qtbot.waitUntil(lambda: desk.library.is_loaded and field.toolkits is not None, timeout=SLACK_MS)
    yield made
    made.leave()
    made.close()
    made.deleteLater()
    flush()


@pytest.fixture
def discover_page(desk: Desk, themes: ThemeSwitch, qtbot: QtBot) -> Iterator[DiscoverPage]:
    """The Discover page, shown and not entered yet."""
    made = DiscoverPage(desk)
    made.resize(1080, 680)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.close()
    made.deleteLater()
    flush()


@pytest.fixture
def ready_page(
    source_item: LibraryItem, toolkit: Path, convert_page: ConvertPage, qtbot: QtBot
) -> ConvertPage:
    """The Convert page with a model and a toolkit: Convert can be pressed."""
    convert_page.form.context.setValue(256)
    qtbot.waitUntil(convert_page.start.isEnabled, timeout=SLACK_MS)
    return convert_page
