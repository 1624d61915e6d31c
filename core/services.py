"""Composition root: builds the core from a home folder. No globals; every room gets what it needs here."""

import os
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from core.base.database import Database
from core.base.log import setup_logging
from core.base.paths import AppPaths
from core.base.settings import Settings, load_settings

if TYPE_CHECKING:
    from core.base.secrets import SecretStore
    from core.boards.registry import BoardRegistry
    from core.convert.toolkits import ToolkitRegistry
    from core.hub.client import HubClient
    from core.jobs.manager import JobManager
    from core.library.library import Library
    from core.remote.hostkeys import HostKeys


class Services:
    """The core as one object; each service is built when it is first asked for (start-up stays short)."""

    def __init__(self, paths: AppPaths, settings: Settings) -> None:
        self.paths = paths
        self.settings = settings
        self._log_handler = setup_logging(paths.logs)
        self._opened: list[Database | HubClient | JobManager] = []

    @classmethod
    def build(cls, paths: AppPaths) -> Self:
        """Open the home folder and read its settings.

        Raises:
            RKDeckError: `base.home_unusable`, `base.bad_settings`.
        """
        paths.ensure()
        return cls(paths, load_settings(paths.settings_file))

    @cached_property
    def database(self) -> Database:
        """The database of library, boards and toolkits."""
        database = Database(self.paths.database_file)
        self._opened.append(database)
        return database

    @cached_property
    def secrets(self) -> "SecretStore":
        """Passwords and passphrases."""
        from core.base.secrets import SecretStore

        return SecretStore()

    @cached_property
    def hub(self) -> "HubClient":
        """The Hub, with the token found on this computer."""
        from core.base.secrets import hub_token
        from core.hub.client import HubClient

        client = HubClient(self.settings.hub_endpoint or os.environ.get("HF_ENDPOINT"), hub_token())
        self._opened.append(client)
        return client

    @cached_property
    def library(self) -> "Library":
        """The models on this computer."""
        from core.library.library import Library

        return Library(self.database, self.paths.library)

    @cached_property
    def jobs(self) -> "JobManager":
        """Jobs of this home folder, whichever process started them."""
        from core.jobs.manager import JobManager

        manager = JobManager(self.paths)
        self._opened.append(manager)
        return manager

    @cached_property
    def toolkits(self) -> "ToolkitRegistry":
        """Python environments with rkllm-toolkit."""
        from core.convert.toolkits import ToolkitRegistry

        return ToolkitRegistry(self.database)

    @cached_property
    def boards(self) -> "BoardRegistry":
        """The boards the user added."""
        from core.boards.registry import BoardRegistry

        return BoardRegistry(self.database)

    @cached_property
    def host_keys(self) -> "HostKeys":
        """Host keys of boards."""
        from core.remote.hostkeys import HostKeys

        return HostKeys(self.paths.known_hosts)

    def close(self) -> None:
        """Close what was opened, the latest first; jobs that end with the program are interrupted here."""
        while self._opened:
            self._opened.pop().close()
        import logging

        logging.getLogger().removeHandler(self._log_handler)
        self._log_handler.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
