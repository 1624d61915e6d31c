from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.database import Database
from core.base.paths import AppPaths
from core.convert.toolkits import ToolkitRegistry
from core.demo.toolkit_env import create_toolkit_env


@pytest.fixture
def registry(paths: AppPaths) -> Iterator[ToolkitRegistry]:
    database = Database(paths.database_file)
    yield ToolkitRegistry(database)
    database.close()


@pytest.fixture(scope="session")
def toolkit_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the stand-in toolkit."""
    return create_toolkit_env(tmp_path_factory.mktemp("toolkit") / "env")
