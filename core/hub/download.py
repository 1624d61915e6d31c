"""From a repository to what is to be downloaded: which files, how much, where."""

import fnmatch
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import RefusedError
from core.base.left_out import LeftOut
from core.base.names import refusal, safe_component
from core.hub.addresses import parse_id
from core.hub.protocol import TIMEOUT_S
from core.hub.records import ModelDetail, RepoFile
from core.model.files import WeightFiles, is_read_beside, weight_files

# What the download itself writes beside each file.
_OURS = (".partial", ".partial.json")
# What a repository calls itself that has configuration and headers to look at, but no weights behind them.
_FACTS_ONLY = "facts-only"
# Of the endings that loaders read (`is_read_beside`), what only people and trainers write.
_FOR_PEOPLE = re.compile(
    r"(?:license|notice|readme|requirements|use_policy)[\w.-]*\.txt|(?:trainer_state|training_args|\w+_results)\.json",
    re.IGNORECASE | re.ASCII,
)


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
    """What a download will fetch.

    Attributes:
        left_out: files that were chosen and are not stored here; nobody needs them to use the model.
    """

    repo: str
    commit: str
    files: tuple[RepoFile, ...]
    left_out: tuple[LeftOut, ...] = ()

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
        RefusedError: `names.unsafe_path` where weights, or everything asked for, have names that do harm;
            `hub.nothing_to_download`, `hub.no_files`, `hub.facts_only`.
    """
    if _FACTS_ONLY in detail.summary.tags:
        raise RefusedError("hub.facts_only", repo=detail.repo)
    weights = weight_files(file.path for file in detail.files)
    chosen = [file for file in detail.files if _wanted(file.path, weights.superfluous, include, exclude)]
    strange = [item for item in detail.left_out if _wanted(item.path, weights.superfluous, include, exclude)]
    if not chosen:
        if strange:
            raise strange[0].refusal()
        code = "hub.nothing_to_download" if include or exclude else "hub.no_files"
        raise RefusedError(code, repo=detail.repo)
    kept: dict[str, RepoFile] = {}
    folders: set[str] = set()
    left_out: list[LeftOut] = []
    for file in chosen:
        why = _why_left_out(file, kept, folders)
        if why is None:
            kept[file.path] = file
            folders.update(_folders(file.path))
        else:
            left_out.append(LeftOut(file.path, why))
    refuse_needed(left_out, kept, weights)
    return DownloadPlan(detail.present_repo, detail.commit, tuple(kept.values()), (*left_out, *strange))


def _why_left_out(file: RepoFile, kept: Mapping[str, RepoFile], folders: Collection[str]) -> str | None:
    if any(part.endswith(_OURS) for part in file.path.casefold().split("/")):
        return "reserved"
    why = refusal(file.path)
    if why is not None:
        return why
    # No git makes such lists: one name with two contents, or as a file and as a folder. The first is taken.
    taken = (
        kept.get(file.path, file) != file or file.path in folders or any(map(kept.get, _folders(file.path)))
    )
    return "same_place" if taken else None


def _folders(path: str) -> Iterator[str]:
    """The folders a path leads through."""
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))


def refuse_needed(left_out: Sequence[LeftOut], kept: Collection[str], weights: WeightFiles) -> None:
    """Refuse to leave out what the model, or whoever asked, cannot do without.

    Of weights in several files every one is needed; of ready-made files one is as good as another.

    Raises:
        RefusedError: `names.unsafe_path`.
    """
    lost = [item for item in left_out if item.path in weights.files]
    if lost and (weights.is_source or not any(path in kept for path in weights.files)):
        raise lost[0].refusal()
    if left_out and not kept:
        raise left_out[0].refusal()


def is_needed(path: str, weights: WeightFiles, others: Collection[str] = ()) -> bool:
    """Whether a model is not whole without one of its files.

    Args:
        path: the file.
        weights: of all its files.
        others: what else there is for sure: of ready-made files one is as good as another.
    """
    if path in weights.files:
        return weights.is_source or not any(name in others for name in weights.files if name != path)
    name = path.rpartition("/")[2]
    return path == weights.index or (is_read_beside(path) and not _FOR_PEOPLE.fullmatch(name))


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


def place_in_library(library_folder: Path, path: Path) -> Path | None:
    """The folder of a commit (`library_place`) that a path is or lies in; None for one outside."""
    hub = library_folder / "hub"
    parts = path.relative_to(hub).parts[:2] if path.is_relative_to(hub) else ()
    return hub.joinpath(*parts) if len(parts) == 2 else None
