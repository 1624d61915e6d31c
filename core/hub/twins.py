"""Files whose names one disk tells apart and another does not: README.md and readme.md."""

import contextlib
import shutil
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from core.base.left_out import LeftOut
from core.hub.download import DownloadPlan
from core.hub.records import RepoFile
from core.model.files import KNOWN_NAMES, weight_files

_TRIAL = ".rkdeck-names"


def fit_to_disk(plan: DownloadPlan, folder: Path) -> DownloadPlan:
    """The plan without files that would take another one's place in `folder`.

    Only a disk knows what it tells apart, so it is asked, with empty files in a hidden folder; and only when there are
    names to ask about. One download at a time may do so in a folder; what a dead one left is cleared.

    Raises:
        OSError: as the disk says.
    """
    with _trial(folder) as same_place:
        return without_twins(plan, same_place)


def without_twins(plan: DownloadPlan, same_place: Callable[[str, str], bool]) -> DownloadPlan:
    """The plan without files whose place is another one's; of such names the best known stays.

    Args:
        plan: of a download.
        same_place: whether two names lead to one place; asked only of names that some disk takes for one.
    """
    lost = {path for group in _similar(plan.files) for path in _lost(group, same_place)}
    if not lost:
        return plan
    return replace(
        plan,
        files=tuple(file for file in plan.files if file.path not in lost),
        left_out=(*plan.left_out, *(LeftOut(path, "same_place") for path in sorted(lost))),
    )


def _similar(files: Sequence[RepoFile]) -> list[list[str]]:
    """Names that some disk takes for one, in the order in which they are wanted."""
    wanted = {*KNOWN_NAMES, *weight_files(file.path for file in files).files}
    groups: dict[str, list[str]] = {}
    for file in sorted(files, key=lambda file: file.path not in wanted):
        plain = unicodedata.normalize("NFKC", file.path).casefold()
        groups.setdefault(unicodedata.normalize("NFKC", plain), []).append(file.path)
    return [group for group in groups.values() if len(group) > 1]


def _lost(group: Sequence[str], same_place: Callable[[str, str], bool]) -> Iterator[str]:
    kept: list[str] = []
    for path in group:
        if any(same_place(path, other) for other in kept):
            yield path
        else:
            kept.append(path)


@contextlib.contextmanager
def _trial(folder: Path) -> Iterator[Callable[[str, str], bool]]:
    """A question to the disk under `folder`: do two names lead to one place?"""
    trial = folder / _TRIAL

    def same_place(path: str, other: str) -> bool:
        _clear(trial)
        (trial / other).parent.mkdir(parents=True)
        (trial / other).touch()
        return (trial / path).exists()

    try:
        yield same_place
    finally:
        _clear(trial)


def _clear(trial: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(trial)
