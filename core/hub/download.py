"""From a repository to a download job: which files, how much, where."""

import fnmatch
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from core.base.errors import JsonValue, RefusedError, RKDeckError
from core.base.names import printable, safe_component, safe_relative_path
from core.hub.addresses import parse_id
from core.hub.protocol import TIMEOUT_S
from core.hub.records import ModelDetail, RepoFile
from core.jobs.manager import JobHandle, JobManager
from core.jobs.model import WorkerCommand
from core.model.files import weight_files

# What a repository calls itself that has configuration and headers to look at, but no weights behind them.
_FACTS_ONLY = "facts-only"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a download puts up with a bad line before it ends with an error.

    Attributes:
        stall_timeout_s: a line without a byte for so long is left and opened again.
        first_pause_s: before the second try; each further pause is twice as long, 30 s at most.
        tries: how often in a row nothing may arrive; any progress starts the count again.
    """

    stall_timeout_s: float = TIMEOUT_S
    first_pause_s: float = 0.5
    tries: int = 6


@dataclass(frozen=True, slots=True)
class DownloadPlan:
    """What a download will fetch."""

    repo: str
    commit: str
    files: tuple[RepoFile, ...]

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(file.size_bytes for file in self.files)


def plan_download(
    detail: ModelDetail, include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> DownloadPlan:
    """Choose the files of a repository.

    Args:
        detail: the repository at its commit.
        include: shell patterns over the path; none means everything but duplicates of the weights.
        exclude: patterns of files to leave out.

    Raises:
        RefusedError: `names.unsafe_path` for a path that leaves its folder, `hub.name_collision` for names
            that differ only in case, `hub.nothing_to_download`, `hub.facts_only`.
    """
    if _FACTS_ONLY in detail.summary.tags:
        raise RefusedError("hub.facts_only", repo=detail.repo)
    superfluous = weight_files(file.path for file in detail.files).superfluous
    chosen = [file for file in detail.files if _wanted(file.path, superfluous, include, exclude)]
    if not chosen:
        raise RefusedError("hub.nothing_to_download", repo=detail.repo)
    seen: dict[str, str] = {}
    for file in chosen:
        safe_relative_path(file.path)
        safe_relative_path(f"{file.path}.partial.json")  # there must be room for its sidecar's name
        if file.path.endswith((".partial", ".partial.json")):
            raise RefusedError("names.unsafe_path", path=printable(file.path), why="reserved")
        other = seen.get(file.path.casefold())
        if other is not None:
            raise RefusedError("hub.name_collision", first=printable(other), second=printable(file.path))
        seen[file.path.casefold()] = file.path
    return DownloadPlan(detail.repo, detail.commit, tuple(chosen))


def _wanted(path: str, superfluous: frozenset[str], include: Sequence[str], exclude: Sequence[str]) -> bool:
    if any(fnmatch.fnmatchcase(path, pattern) for pattern in exclude):
        return False
    if include:
        return any(fnmatch.fnmatchcase(path, pattern) for pattern in include)
    # No model needs hidden files, and `.ssh/authorized_keys` must not arrive in a folder of the user's.
    if any(part.startswith(".") and part != ".." for part in path.split("/")):
        return False
    return path not in superfluous


def start_download(
    jobs: JobManager,
    endpoint: str,
    plan: DownloadPlan,
    *,
    library_folder: Path,
    to: Path | None = None,
    token: str | None = None,
    patience: Patience | None = None,
) -> JobHandle:
    """Start the download job; it stops with the front end and is resumed later.

    Params of the job: `endpoint`, `repo`, `commit`, `folder`, `files` (path, size_bytes, blob_id, sha256),
    `patience`.
    """
    return jobs.submit(
        kind="download",
        lane="download",
        title=plan.repo,
        params=params_of(endpoint, plan, to or library_place(library_folder, plan), patience),
        worker=WorkerCommand(module="core.workers.download"),
        resumable=True,
        secret=token,
    )


def library_place(library_folder: Path, plan: DownloadPlan) -> Path:
    """Where the library keeps a commit; each part apart, so that a/b-c and a-b/c stay two folders."""
    whose = "--".join(safe_component(part) for part in parse_id(plan.repo).parts)
    return library_folder / "hub" / whose / safe_component(plan.commit[:12])


def params_of(
    endpoint: str, plan: DownloadPlan, folder: Path, patience: Patience | None = None
) -> dict[str, JsonValue]:
    """What a job needs to know of a download; `plan_from_params` and `patience_from_params` read it back."""
    files: list[JsonValue] = [
        {"path": file.path, "size_bytes": file.size_bytes, "blob_id": file.blob_id, "sha256": file.sha256}
        for file in plan.files
    ]
    return {
        "endpoint": endpoint, "repo": plan.repo, "commit": plan.commit, "folder": str(folder),
        "files": files, "patience": asdict(patience or Patience()),
    }  # fmt: skip


def plan_from_params(params: dict[str, JsonValue]) -> tuple[str, Path, DownloadPlan]:
    """Read a job's params back: endpoint, folder, plan.

    Raises:
        RKDeckError: `hub.bad_params`.
    """
    files = params.get("files")
    if not isinstance(files, list):
        raise RKDeckError("hub.bad_params")
    found = []
    for file in files:
        if not isinstance(file, dict) or not isinstance(file["size_bytes"], int):
            raise RKDeckError("hub.bad_params")
        blob_id, sha256 = file["blob_id"], file["sha256"]
        found.append(
            RepoFile(
                str(file["path"]),
                file["size_bytes"],
                blob_id if isinstance(blob_id, str) else None,
                sha256 if isinstance(sha256, str) else None,
            )
        )
    plan = DownloadPlan(str(params["repo"]), str(params["commit"]), tuple(found))
    return str(params["endpoint"]), Path(str(params["folder"])), plan


def patience_from_params(params: dict[str, JsonValue]) -> Patience:
    """Read a job's patience back; a job of an earlier version has the usual one.

    Raises:
        RKDeckError: `hub.bad_params`.
    """
    found = params.get("patience")
    if found is None:
        return Patience()
    if not isinstance(found, dict):
        raise RKDeckError("hub.bad_params")
    stall, pause, tries = (found.get(name) for name in ("stall_timeout_s", "first_pause_s", "tries"))
    if not isinstance(stall, int | float) or not isinstance(pause, int | float) or not isinstance(tries, int):
        raise RKDeckError("hub.bad_params")
    return Patience(stall, pause, tries)
