"""Composition root: builds the core from a home folder. No globals; every room gets what it needs here."""

import contextlib
import logging
import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from core.base import atomic
from core.base.database import Database
from core.base.events import EventHub
from core.base.log import setup_logging
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.base.settings_file import load_settings

if TYPE_CHECKING:
    from core.base.secrets import SecretStore
    from core.boards.doctor.shelf import LibraryShelf
    from core.boards.records import Board
    from core.boards.registry import BoardRegistry
    from core.convert.toolkits import ToolkitRegistry
    from core.hub.facts_cache import FactsCache
    from core.hub.hubs import Hubs
    from core.hub.protocol import Hub
    from core.jobs.manager import JobHandle, JobManager
    from core.jobs.model import JobRecord
    from core.jobs.order import JobOrder, JobSecrets
    from core.lab.perplexity.store import PerplexityStore
    from core.lab.store import AnalysisStore
    from core.library.library import Library
    from core.remote.hostkeys import HostKeys
    from core.remote.session import SshSession


Part = TypeVar("Part")
LogTo = Callable[[Path], logging.Handler]


class _built_once(cached_property[Part]):  # a decorator, as the one it extends
    """A cached property that two threads asking at once build only once (since Python 3.12 none is)."""

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> Part: ...
    def __get__(self, instance: object, owner: type[Any] | None = None) -> Self | Part:
        if not isinstance(instance, Services):
            return self
        with instance._building:  # noqa: SLF001  # its own services
            return super().__get__(instance, owner)


class Services:
    """The core as one object; each service is built when it is first asked for (start-up stays short).

    Any thread may ask.

    Attributes:
        settings: in use; put another in its place to change them, `core.usecases.preferences` keeps them.
        keeping_settings: held by whoever writes them.
        events: what the core tells its front end, from any thread.
        interrupted: jobs that were found dead when jobs or library were first asked for, and marked so.
    """

    def __init__(
        self, paths: AppPaths, settings: Settings, log: LogTo = setup_logging, *, repairs: bool = True
    ) -> None:
        self.paths = paths
        self._settled = not repairs
        self.settings = settings
        self.keeping_settings = threading.Lock()
        self._log_handler = log(paths.logs)
        self._opened: list[Database | Hubs | JobManager] = []
        self._building = threading.RLock()
        self.events = EventHub()
        self.interrupted: tuple[JobRecord, ...] = ()

    @classmethod
    def build(cls, paths: AppPaths, log: LogTo = setup_logging, *, repairs: bool = True) -> Self:
        """Open the home folder and read its settings.

        Args:
            paths: of the home folder.
            log: where this process logs (`core.base.log`): a front end to the home's file, a worker to
                standard error.
            repairs: whether what dead jobs left is repaired before the library or the jobs are looked at: a front
                end does so, a job's worker leaves other jobs alone.

        Raises:
            RKDeckError: `base.home_unusable`, `base.bad_settings`, `base.settings_unreadable`.
        """
        paths.ensure()
        return cls(paths, load_settings(paths.settings_file), log, repairs=repairs)

    @_built_once
    def database(self) -> Database:
        """The database of library, boards and toolkits."""
        database = Database(self.paths.database_file)
        self._opened.append(database)
        return database

    @_built_once
    def secrets(self) -> "SecretStore":
        """Passwords and passphrases."""
        from core.base.secrets import SecretStore

        return SecretStore()

    @_built_once
    def hubs(self) -> "Hubs":
        """The hubs, each with the token found for it on this computer."""
        from core.hub.addresses import DEFAULT_HUB
        from core.hub.hubs import Hubs
        from core.hub.waiting import Waits

        def chosen(name: str) -> str:
            return self.settings.hub_endpoint if name == DEFAULT_HUB else ""

        hubs = Hubs(chosen, Waits(self.events))
        self._opened.append(hubs)
        return hubs

    @property
    def hub(self) -> "Hub":
        """The default hub; a model's own is `hubs.of(repo)`."""
        return self.hubs.get()

    @_built_once
    def facts_cache(self) -> "FactsCache":
        """What was read of models on the Hub."""
        from core.hub.facts_cache import FactsCache

        return FactsCache(self.paths.cache / "facts")

    @_built_once
    def library(self) -> "Library":
        """The models on this computer."""
        self._settle()
        return self._library()

    def _library(self) -> "Library":
        from core.library.library import Library

        return Library(self.database, self.paths.library)

    @_built_once
    def jobs(self) -> "JobManager":
        """Jobs of this home folder, whichever process started them."""
        from core.jobs.manager import JobManager

        manager = JobManager(self.paths)
        self._opened.append(manager)
        self._settle()
        return manager

    def _settle(self) -> None:
        """See to the jobs that are dead, once: mark them, finish or remove what they left."""
        if self._settled:
            return
        self._settled = True
        from core.jobs.store import JobStore

        store = JobStore(self.paths.jobs)
        self.interrupted = store.reconcile()
        if store.unsettled():
            from core.plans.repair import repair_jobs

            repair_jobs(store, self._library)
        for folder in self.paths.written:
            atomic.sweep(folder)

    @_built_once
    def toolkits(self) -> "ToolkitRegistry":
        """Python environments with rkllm-toolkit."""
        from core.convert.toolkits import ToolkitRegistry

        return ToolkitRegistry(self.database)

    @_built_once
    def boards(self) -> "BoardRegistry":
        """The boards the user added."""
        from core.boards.registry import BoardRegistry

        return BoardRegistry(self.database)

    @_built_once
    def host_keys(self) -> "HostKeys":
        """Host keys of boards."""
        from core.remote.hostkeys import HostKeys

        return HostKeys(self.paths.known_hosts)

    @_built_once
    def analyses(self) -> "AnalysisStore":
        """What fewer bits do to models."""
        from core.lab.store import AnalysisStore

        return AnalysisStore(self.paths.analyses)

    @_built_once
    def perplexities(self) -> "PerplexityStore":
        """What was measured of models."""
        from core.lab.perplexity.store import PerplexityStore

        return PerplexityStore(self.paths.perplexity)

    @_built_once
    def runtimes(self) -> "LibraryShelf":
        """Runtime libraries for boards that are kept on this computer."""
        from core.boards.doctor.shelf import LibraryShelf

        return LibraryShelf(self.paths.runtimes)

    def connect(
        self, board: "Board", accept_fingerprint: str | None = None, *, password: str | None = None
    ) -> "SshSession":
        """Open a session to a board, with this password, else with the one kept for it."""
        from core.boards.connect import connect

        return connect(
            board, self.host_keys, self.secrets, password=password, accept_fingerprint=accept_fingerprint
        )

    def submit(self, order: "JobOrder") -> "JobHandle":
        """Start a job, its worker told the secrets that its kind needs."""
        return self.jobs.submit(order, self.secrets_for(order))

    def secrets_for(self, order: "JobOrder") -> "JobSecrets":
        """What a job's worker is told on its standard input, each time it runs.

        Raises:
            UsageError: `boards.unknown` when the board was removed meanwhile.
        """
        from core.jobs.order import JobSecrets, Secret

        token, password = None, None
        if Secret.HUB_TOKEN in order.kind.secrets and order.job_repo is not None:
            from core.hub.hubs import token_for

            token = token_for(order.job_repo)
        if Secret.BOARD_PASSWORD in order.kind.secrets and order.job_board is not None:
            password = self.secrets.get(self.boards.get(order.job_board).secret_name)
        return JobSecrets(token, password)

    def close(self) -> None:
        """Close what was opened, the latest first; jobs that end with the program are interrupted here.

        One that cannot be closed keeps no other open.
        """
        with contextlib.ExitStack() as stack:
            stack.callback(self._close_log)
            while self._opened:
                stack.callback(self._opened.pop(0).close)

    def _close_log(self) -> None:
        logging.getLogger().removeHandler(self._log_handler)
        self._log_handler.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except Exception as second:
            if error is None:
                raise
            # What went wrong first is told; this goes along with it.
            error.add_note(f"closing failed as well: {second}")
