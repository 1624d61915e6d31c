"""Composition root: builds the core from a home folder. No globals; every room gets what it needs here."""

import logging
import threading
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from core.base.database import Database
from core.base.errors import JsonValue, RefusedError, RKDeckError, UsageError
from core.base.events import EventHub
from core.base.log import setup_logging
from core.base.paths import AppPaths
from core.base.settings import Settings, load_settings

if TYPE_CHECKING:
    from core.base.secrets import SecretStore
    from core.boards.registry import Board, BoardRegistry
    from core.convert.toolkits import ToolkitRegistry
    from core.hub.facts_cache import FactsCache
    from core.hub.hubs import Hubs
    from core.hub.protocol import Hub
    from core.hub.records import ModelDetail, RepoFile
    from core.jobs.manager import JobManager
    from core.jobs.model import JobRecord, JobSpec
    from core.library.library import Library, LibraryItem
    from core.model.inspect import Inspection
    from core.remote.hostkeys import HostKeys
    from core.remote.session import SshSession


Part = TypeVar("Part")


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
        interrupted: jobs that were found dead when the job service was built, and marked so.
    """

    def __init__(self, paths: AppPaths, settings: Settings) -> None:
        self.paths = paths
        self.settings = settings
        self.keeping_settings = threading.Lock()
        self._log_handler = setup_logging(paths.logs)
        self._opened: list[Database | Hubs | JobManager] = []
        self._building = threading.RLock()
        self.events = EventHub()
        self.interrupted: tuple[JobRecord, ...] = ()

    @classmethod
    def build(cls, paths: AppPaths) -> Self:
        """Open the home folder and read its settings.

        Raises:
            RKDeckError: `base.home_unusable`, `base.bad_settings`.
        """
        paths.ensure()
        return cls(paths, load_settings(paths.settings_file))

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

        def chosen(name: str) -> str:
            return self.settings.hub_endpoint if name == DEFAULT_HUB else ""

        hubs = Hubs(chosen)
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
        from core.library.library import Library

        return Library(self.database, self.paths.library)

    @_built_once
    def jobs(self) -> "JobManager":
        """Jobs of this home folder, whichever process started them."""
        from core.jobs.manager import JobManager

        manager = JobManager(self.paths)
        self._opened.append(manager)
        self.interrupted = manager.store.reconcile()
        return manager

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

    def connect(self, board: "Board", accept_fingerprint: str | None = None) -> "SshSession":
        """Open a session to a board, with the password kept for it."""
        from core.boards.connect import connect

        return connect(board, self.host_keys, self.secrets, accept_fingerprint=accept_fingerprint)

    def secret_for(self, spec: "JobSpec") -> str | None:
        """The secret a job's worker needs on its standard input when it runs again."""
        if spec.kind == "run" and spec.board is not None:
            from core.hub.hubs import token_for
            from core.plans.run import pack_secrets

            return pack_secrets(
                token_for(str(spec.params["repo"])), self.secrets.get(self.boards.get(spec.board).secret_name)
            )
        if spec.board is not None:
            return self.secrets.get(self.boards.get(spec.board).secret_name)
        if spec.kind == "download":
            from core.hub.hubs import token_for

            return token_for(str(spec.params["repo"]))
        return None

    def add_to_library(self, path: Path) -> "LibraryItem":
        """Enter a model folder or a .rkllm file where it lies.

        Raises:
            RefusedError: `library.not_a_model` for a folder without a model, `convert.not_a_model` for a file
                that is none.
        """
        from core.base.digest import sha256_of
        from core.library.library import LibraryFile
        from core.model.inspect import inspect_file

        if path.is_dir():
            return self.library.add_source_folder(path)
        inspection = inspect_file(path)
        if not inspection.is_model:
            raise RefusedError("convert.not_a_model", file=path.name, kind=inspection.kind)
        file = LibraryFile(path.name, path.stat().st_size, sha256_of(path))
        provenance: dict[str, JsonValue] = {"added_from": str(path), "inspection": inspection.to_json()}
        return self.library.register(
            kind="rkllm", title=path.stem, path=path.absolute(), files=(file,), provenance=provenance
        )

    def inspect_on_hub(self, text: str) -> "Inspection":
        """Inspect `OWNER/NAME/FILE` on the Hub by its first and last bytes; nothing is downloaded.

        Raises:
            UsageError: `convert.bad_hub_file`; RKDeckError: as the Hub answers.
        """
        parts = text.split("/", 2)
        if len(parts) != 3:
            raise UsageError("convert.bad_hub_file", file=text)
        repo, name = "/".join(parts[:2]), parts[2]
        detail = self.hubs.of(repo).details(repo)
        file = next((file for file in detail.files if file.path == name), None)
        if file is None:
            raise RKDeckError("hub.file_not_found", what=text)
        return self.inspect_repo_file(detail, file)

    def inspect_repo_file(self, detail: "ModelDetail", file: "RepoFile") -> "Inspection":
        """Inspect a file of a repository: at most 256 KiB of it are read.

        Raises:
            RKDeckError: as the Hub answers.
        """
        from core.model.inspect import HEAD_BYTES, TAIL_BYTES, inspect_bytes

        hub, where = self.hubs.of(detail.repo), (detail.repo, detail.commit, file.path)
        head = hub.read_range(*where, 0, min(HEAD_BYTES, file.size_bytes))
        start = max(0, file.size_bytes - TAIL_BYTES)
        tail = head[start:] if file.size_bytes <= len(head) else hub.read_range(*where, start, TAIL_BYTES)
        return inspect_bytes(head, tail, file.size_bytes, file.path.rsplit("/", maxsplit=1)[-1])

    def close(self) -> None:
        """Close what was opened, the latest first; jobs that end with the program are interrupted here."""
        while self._opened:
            self._opened.pop().close()
        logging.getLogger().removeHandler(self._log_handler)
        self._log_handler.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
