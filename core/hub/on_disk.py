"""Names as one disk takes them: README.md and readme.md may be one place, and a colon may be no name at all."""

import contextlib
import errno
import shutil
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from core.base.errors import RefusedError
from core.base.left_out import LeftOut
from core.hub.download import DownloadPlan, is_needed, refuse_needed
from core.hub.records import RepoFile
from core.model.files import weight_files

_CAPITALS = frozenset({"README", "LICENSE", "NOTICE"})
_TRIAL = ".rkdeck-names"
# What the disks of Windows and of cameras refuse in a name, or cut off at its end.
_REFUSED_SOMEWHERE = frozenset('<>:"|?*')
_CUT_SOMEWHERE = " ."
# Of eCryptfs, in which Linux kept encrypted home folders; others have 255.
_SHORTEST_LIMIT_BYTES = 143
# exfat and vfat say "invalid argument" for a colon, others "illegal byte sequence" for what is no name.
_NO_SUCH_NAME = frozenset({errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG})


class Disk(Protocol):
    """What is asked of a disk."""

    def takes(self, path: str) -> bool:
        """Whether a file of that name can be there."""

    def same_place(self, path: str, other: str) -> bool:
        """Whether two names lead to one place."""


def fit_to_disk(plan: DownloadPlan, folder: Path) -> DownloadPlan:
    """The plan as the disk under `folder` can hold it; see `fit`.

    Only a disk knows what it takes and what it tells apart, so it is asked, with empty files in a hidden folder. One
    download at a time may do so in a folder; what a dead one left is cleared.

    Raises:
        RefusedError: as `fit`. OSError: as the disk says.
    """
    with _trial(folder) as disk:
        return fit(plan, disk)


def fit(plan: DownloadPlan, disk: Disk) -> DownloadPlan:
    """The plan without files that a disk does not take, or that would take another one's place.

    Of names for one place the best known stays. The disk is asked only about names that some disk finds odd.

    Raises:
        RefusedError: as `core.hub.download.refuse_needed`.
    """
    weights = weight_files(file.path for file in plan.files)
    refused = {file.path for file in plan.files if _is_odd(file.path) and not disk.takes(file.path)}
    left_out = [LeftOut(path, "disk_refuses") for path in sorted(refused)]
    files = [file for file in plan.files if file.path not in refused]
    lost = {path for group in _similar(files, weights.files) for path in _lost(group, disk)}
    left_out += [LeftOut(path, "same_place") for path in sorted(lost)]
    kept = tuple(file for file in files if file.path not in lost)
    refuse_needed(left_out, {file.path for file in kept}, weights)
    return replace(plan, files=kept, left_out=(*plan.left_out, *left_out)) if left_out else plan


def fit_to_room(
    plan: DownloadPlan, folder: Path, missing_bytes: Mapping[str, int], reserve_bytes: int
) -> DownloadPlan:
    """The plan without files that nobody needs, the largest first, as far as the disk has no room for them.

    Args:
        plan: what is to lie in `folder`.
        folder: it exists.
        missing_bytes: how much of a file is still to come, by its path; files that are not named lie there.
        reserve_bytes: what must stay free.

    Raises:
        RefusedError: `hub.disk_full_ahead`: not even what is needed fits.
        OSError: as the disk says.
    """
    free_bytes = shutil.disk_usage(folder).free
    weights = weight_files(file.path for file in plan.files)
    spare = [path for path in missing_bytes if not is_needed(path, weights)]
    spare = [] if len(spare) == len(plan.files) else spare  # they are what was asked for
    needed_bytes, lost = sum(missing_bytes.values()), set[str]()
    for path in sorted(spare, key=lambda path: (-missing_bytes[path], path)):
        if needed_bytes + reserve_bytes <= free_bytes:
            break
        needed_bytes -= missing_bytes[path]
        lost.add(path)
    if needed_bytes and needed_bytes + reserve_bytes > free_bytes:
        raise RefusedError(
            "hub.disk_full_ahead",
            folder=str(folder), needed_bytes=needed_bytes, free_bytes=free_bytes, reserve_bytes=reserve_bytes,
        )  # fmt: skip
    left_out = (LeftOut(path, "no_room") for path in sorted(lost))
    files = tuple(file for file in plan.files if file.path not in lost)
    return replace(plan, files=files, left_out=(*plan.left_out, *left_out)) if lost else plan


def _is_odd(path: str) -> bool:
    return not _REFUSED_SOMEWHERE.isdisjoint(path) or any(
        part.endswith(tuple(_CUT_SOMEWHERE)) or len(part.encode()) > _SHORTEST_LIMIT_BYTES
        for part in path.split("/")
    )


def _similar(files: Sequence[RepoFile], weights: Sequence[str]) -> list[list[str]]:
    """Names that some disk takes for one, in the order in which they are wanted: weights, usual names, the others."""
    groups: dict[str, list[str]] = {}
    for file in sorted(
        files, key=lambda file: (file.path not in weights, not _is_usual(file.path), file.path)
    ):
        plain = "/".join(part.rstrip(_CUT_SOMEWHERE) for part in file.path.split("/"))
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", plain).casefold())
        groups.setdefault(folded, []).append(file.path)
    return [group for group in groups.values() if len(group) > 1]


def _is_usual(path: str) -> bool:
    """Whether a name is spelled as programs ask for it: in small letters, or one of the few that people write large."""
    name = path.rpartition("/")[2]
    return name == name.lower() or name.partition(".")[0] in _CAPITALS


def _lost(group: Sequence[str], disk: Disk) -> Iterator[str]:
    kept: list[str] = []
    for path in group:
        if any(disk.same_place(path, other) for other in kept):
            yield path
        else:
            kept.append(path)


class _Trial:
    """A disk that is asked in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def takes(self, path: str) -> bool:
        self.clear()
        self._folder.mkdir()
        try:
            self._make(path)
        except OSError as error:
            if error.errno in _NO_SUCH_NAME:
                return False
            raise
        return True

    def same_place(self, path: str, other: str) -> bool:
        self.clear()
        self._folder.mkdir()
        self._make(other)
        return (self._folder / path).exists()

    def clear(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._folder)

    def _make(self, path: str) -> None:
        place = self._folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()


def clear_trial(folder: Path) -> None:
    """Remove what a dead download asked the disk with.

    Raises:
        OSError: as the file system says.
    """
    _Trial(folder / _TRIAL).clear()


@contextlib.contextmanager
def _trial(folder: Path) -> Iterator[_Trial]:
    trial = _Trial(folder / _TRIAL)
    try:
        yield trial
    finally:
        trial.clear()
