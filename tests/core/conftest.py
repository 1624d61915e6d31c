"""What tests of several rooms use: the jobs and the library of a home of their own."""

from collections.abc import Iterator

import pytest

from core.base.database import Database
from core.base.paths import AppPaths
from core.jobs.manager import JobManager
from core.library.library import Library


@pytest.fixture
def jobs(paths: AppPaths) -> Iterator[JobManager]:
    manager = JobManager(paths)
    yield manager
    manager.close()


@pytest.fixture
def library(paths: AppPaths) -> Iterator[Library]:
    database = Database(paths.database_file)
    yield Library(database, paths.library)
    database.close()
