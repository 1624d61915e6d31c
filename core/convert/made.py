"""The last millimetre of a conversion: a file is made, checked, named and entered, in steps that a start repairs.

1. `leaves.json` in the job's folder says that the toolkit is to write a hidden file (`begin`).
2. The file is whole, checked and flushed: the note now says what it is, inode included (`keep`).
3. It gets its name; 4. its sidecar; 5. its entry in the library (`enter`). Each may be done twice.

A worker that dies before 2 has left a part of a file, which `repair` removes; one that dies later has lost nothing:
`repair` does what is left to do.
"""

from dataclasses import dataclass
from pathlib import Path

from core.base import atomic, foreign
from core.base.errors import JsonValue
from core.base.names import safe_component
from core.base.opening import remove_any
from core.base.paths import AppPaths
from core.convert.order import ConvertOrder
from core.convert.plan import output_folder
from core.jobs.leaves import forget_leaves, read_leaves, write_leaves
from core.jobs.mark import job_mark
from core.library.library import Library
from core.library.records import LibraryFile


@dataclass(frozen=True, slots=True)
class Made:
    """A whole, checked file.

    Attributes:
        device, inode: which file it is, whatever its name.
        result: of the job, with `size_bytes` and `sha256`.
        provenance: for the sidecar and the library.
    """

    device: int
    inode: int
    result: dict[str, JsonValue]
    provenance: dict[str, JsonValue]

    def to_json(self) -> dict[str, JsonValue]:
        """Return the note's member."""
        return {
            "device": self.device, "inode": self.inode, "result": self.result, "provenance": self.provenance
        }  # fmt: skip

    def is_at(self, path: Path) -> bool:
        """Whether this very file has that name, as long as it was."""
        try:
            status = path.lstat()
        except OSError:
            return False
        found = (status.st_dev, status.st_ino, status.st_size)
        return found == (self.device, self.inode, self.result["size_bytes"])


def begin(job_folder: Path, order: ConvertOrder) -> Path:
    """Write down that the toolkit is about to write; returns the hidden path for it, where nothing is now.

    Raises:
        OSError: as the file system says.
    """
    partial = _partial(order, job_mark(job_folder))
    write_leaves(job_folder, made=None)
    remove_any(partial)
    return partial


def keep(job_folder: Path, made: Made) -> None:
    """Write down that the file is whole.

    Raises:
        OSError: as the file system says.
    """
    write_leaves(job_folder, made=made.to_json())


def discard(job_folder: Path, partial: Path) -> None:
    """Remove what there is of a file that was not finished.

    Raises:
        OSError: when it cannot be removed; a start tries again.
    """
    remove_any(partial)
    forget_leaves(job_folder)


def enter(order: ConvertOrder, partial: Path, made: Made, library: Library) -> None:
    """Name the file, write its sidecar, enter it into the library; what was done before is done again.

    Raises:
        OSError: as the file system says.
        RKDeckError: as `Library.register`.
    """
    target = order.output
    if made.is_at(partial):
        partial.replace(target)
        atomic.fsync_folder(target.parent)
    sha256 = str(made.result["sha256"])
    atomic.write_json(target.with_name(target.name + ".json"), {**made.provenance, "sha256": sha256})
    library.register(
        kind="rkllm",
        title=target.stem,
        path=target,
        files=(LibraryFile(target.name, int(str(made.result["size_bytes"])), sha256),),
        repo=order.repo,
        revision=order.revision,
        provenance=made.provenance,
    )


def repair(job_folder: Path, order: ConvertOrder, library: Library) -> dict[str, JsonValue] | None:
    """Finish or remove what a dead conversion left; returns the job's result when its file is there after all.

    Raises:
        OSError: as the file system says.
        RKDeckError: as `Library.register`.
    """
    leaves, ours = read_leaves(job_folder)
    made, target = _made(leaves.get("made")), order.output
    partial = _partial(order, job_mark(job_folder) if ours else safe_component(str(leaves["mark"])))
    # A name that was taken meanwhile is somebody else's file.
    if ours and made and (made.is_at(target) or (made.is_at(partial) and not target.exists())):
        enter(order, partial, made, library)
        atomic.sweep(target.parent)
        return made.result
    for path in [partial] if ours else _copies(partial, job_folder.parents[1]):
        remove_any(path)
    atomic.sweep(target.parent)
    return None


def _partial(order: ConvertOrder, mark: str) -> Path:
    """Where a job's toolkit writes. The mark is in the name: a copy of the home that runs it writes another file."""
    return order.output.with_name(f".{order.output.name}.{mark}.partial")


def _copies(partial: Path, home: Path) -> list[Path]:
    """Where a copy of the home has its copy of such a file; outside it lies the original's, at work maybe."""
    places = {partial, output_folder(AppPaths(home).library) / partial.name}
    return [path for path in places if path.parent.resolve().is_relative_to(home.resolve())]


def _made(value: JsonValue) -> Made | None:
    if not isinstance(value, dict):
        return None
    device, inode = foreign.whole(value.get("device")), foreign.whole(value.get("inode"), high=(1 << 64) - 1)
    result, provenance = value.get("result"), value.get("provenance")
    if device is None or inode is None or not isinstance(result, dict) or not isinstance(provenance, dict):
        return None
    if foreign.size_bytes(result.get("size_bytes")) is None or not isinstance(result.get("sha256"), str):
        return None
    return Made(device, inode, result, provenance)
