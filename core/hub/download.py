"""From a repository to what is to be downloaded: which files, how much, where."""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import RefusedError
from core.base.names import printable, safe_component, safe_relative_path
from core.hub.addresses import parse_id
from core.hub.protocol import TIMEOUT_S
from core.hub.records import ModelDetail, RepoFile
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


def library_place(library_folder: Path, plan: DownloadPlan) -> Path:
    """Where the library keeps a commit; each part apart, so that a/b-c and a-b/c stay two folders."""
    whose = "--".join(safe_component(part) for part in parse_id(plan.repo).parts)
    return library_folder / "hub" / whose / safe_component(plan.commit[:12])
