"""What tests of several rooms use: the services, the jobs and the library of a home of their own."""

from collections.abc import Iterator

import pytest

from core.base.database import Database
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.jobs.manager import JobManager
from core.library.library import Library
from core.services import Services


@pytest.fixture
def services(paths: AppPaths) -> Iterator[Services]:
    with Services(paths, Settings()) as services:
        yield services


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
