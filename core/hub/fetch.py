"""The download itself, in its worker process: ranged GETs into NAME.partial, verified, then renamed.

Beside each partial file lies a sidecar with what it is a part of. After a cut, a kill or a power failure the
next run checks the sidecar, reads the bytes that are there for the digest, and asks for the rest.

Small files come several at once, since each of them is mostly waiting: for the answer, and for the disk. Each is
flushed before it gets its name; its sidecar never is (without one a small part is fetched anew), and its folder once
for all of them.
"""

import contextlib
import errno
import hashlib
import json
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, wait
from dataclasses import dataclass, replace
from pathlib import Path

from core.base import atomic
from core.base.errors import JsonValue, RefusedError, RKDeckError
from core.base.left_out import LeftOut, tellings
from core.base.locks import FileLock
from core.base.names import MAX_COMPONENT_BYTES, printable, safe_relative_path
from core.base.opening import regular_only, touch_regular
from core.base.paths import AppPaths
from core.base.tasks import TaskPool
from core.base.trouble import reason_of
from core.hub.addresses import parse_id
from core.hub.digests import Digests
from core.hub.download import is_needed
from core.hub.errors import OF_ONE_FILE
from core.hub.hubs import open_hub
from core.hub.on_disk import clear_trial, fit_to_disk, fit_to_room
from core.hub.order import DownloadOrder
from core.hub.records import RepoFile
from core.hub.tally import Tally
from core.hub.waiting import MAX_WAIT_S, asked_wait_s, count_down
from core.jobs.leaves import read_leaves, write_leaves
from core.jobs.worker import WorkerContext
from core.model.files import weight_files
from core.words import tell

_CHUNK_BYTES = 1 << 20
_RESERVE_BYTES = 256 << 20
_LOCK_POLL_S = 0.2
_MAX_PAUSE_S = 30.0
# The data is flushed this often, so that a power cut costs at most this much again.
_SYNC_BYTES = 64 << 20
_SMALL_BYTES = 1 << 20
# More of them would only make the Hub count faster (`snapshot_download` takes as many).
_SMALL_AT_ONCE = 8
# Those under way when one of them fails; who is stuck in the network for longer ends with the process.
_GRACE_S = 1.0
_LONGEST_ENDING = ".partial.json"
# What another try may mend; a log-in page and what else comes in the file's place were refused unread.
_LASTING = frozenset(
    {"hub.unreachable", "hub.elsewhere_unreachable", "hub.server_error", "hub.rate_limited"}
    | {"hub.broken_off", "hub.too_slow", "hub.login_page", "hub.other_size", "hub.packed"}
)


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A verified file in its place."""

    name: str
    size_bytes: int
    sha256: str


class Download:
    """One run over the files of an order."""

    def __init__(self, context: WorkerContext, order: DownloadOrder) -> None:
        self._context = context
        self._folder = order.folder
        self._plan = order.plan
        self._patience = order.patience
        hub, token = parse_id(order.plan.repo).hub, context.secrets.hub_token
        self._hub = open_hub(hub, order.endpoint, token, order.patience.stall_timeout_s)
        self._tally = Tally(self._report)
        self._total_bytes = order.plan.size_bytes
        self._weights = weight_files(file.path for file in order.plan.files)
        self._telling = threading.Lock()
        self._told_until_s = 0.0

    @property
    def bytes_fetched(self) -> int:
        """Body bytes of files that came over the line."""
        return self._tally.bytes_fetched

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Files of the repository that are not stored here; complete when `run` has ended."""
        return self._plan.left_out

    def run(self) -> tuple[FetchedFile, ...]:
        """Fetch what is missing; returns all files of the plan but those that this disk has no place for.

        Raises:
            RefusedError: `hub.disk_full_ahead` for what is needed; `hub.would_overwrite` for another file of the same
                name in a folder that is not the library's; `names.unsafe_path` for weights whose name the disk does
                not take.
            RKDeckError: `hub.digest_differs`, `hub.disk_full`, `hub.cannot_write`, `hub.broken_off`,
                `hub.no_ranges` and what the Hub answers.
        """
        try:
            write_leaves(self._context.job_dir)
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with contextlib.closing(self._hub), self._alone():
                self._plan = fit_to_disk(self._plan, self._folder)
                self._total_bytes = self._plan.size_bytes
                verified = self._verified()
                self._plan = fit_to_room(
                    self._plan, self._folder, self._missing_bytes(verified), _RESERVE_BYTES
                )
                self._total_bytes = self._plan.size_bytes
                for telling in tellings(self._plan.left_out):
                    tell(self._context.log, telling, "warning")
                missing = [file for file in self._plan.files if file.path not in verified]
                fetched = verified | self._fetch_small([file for file in missing if _is_small(file)])
                for file in missing:
                    if not _is_small(file):
                        fetched |= self._fetch_or_leave(file)
                return tuple(fetched[file.path] for file in self._plan.files)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise RKDeckError("hub.disk_full", folder=str(self._folder)) from error
            raise RKDeckError(
                "hub.cannot_write", folder=str(self._folder), reason=reason_of(error)
            ) from error

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait until no other download writes into this folder."""
        lock = _lock(self._context.home, self._folder)
        if not lock.try_acquire():
            self._context.progress("wait_same_model", 0, None, unit="steps")
            while not lock.try_acquire():
                time.sleep(_LOCK_POLL_S)
        try:
            yield
        finally:
            lock.release()

    def _verified(self) -> dict[str, FetchedFile]:
        """The files that are in place already, and right; read before anything is fetched or written."""
        verified = {}
        for file in self._plan.files:
            target = self._target(file)
            self._refuse_foreign_partial(file)
            if not target.exists():
                continue
            present = self._present_and_right(file, target)
            if present is not None:
                verified[file.path] = present
                if _sidecar(_partial(target)).exists():  # a kill between the renaming and its removal left it
                    _forget(_partial(target))
            elif self._is_ours():
                tell(self._context.log, RKDeckError("hub.fetches_again", file=file.path), "warning")
            else:
                raise self._would_overwrite(file.path)
        return verified

    def _refuse_foreign_partial(self, file: RepoFile) -> None:
        # Ours has a sidecar, written before its first byte; without one it is somebody else's file.
        partial = _partial(self._target(file))
        if partial.exists() and not _sidecar(partial).exists() and not self._is_ours():
            raise self._would_overwrite(f"{file.path}.partial")

    def _would_overwrite(self, name: str) -> RefusedError:
        return RefusedError("hub.would_overwrite", file=printable(name), folder=str(self._folder))

    def _is_ours(self) -> bool:
        return self._folder.resolve().is_relative_to(AppPaths(self._context.home).library.resolve())

    def _missing_bytes(self, verified: dict[str, FetchedFile]) -> dict[str, int]:
        """How much of each file is still to come."""
        return {
            file.path: file.size_bytes - self._present(file)
            for file in self._plan.files
            if file.path not in verified
        }

    def _present(self, file: RepoFile) -> int:
        with contextlib.suppress(FileNotFoundError):
            return min(_partial(self._target(file)).stat().st_size, file.size_bytes)
        return 0

    def _target(self, file: RepoFile) -> Path:
        return self._folder / safe_relative_path(file.path)

    def _fetch_small(self, files: Sequence[RepoFile]) -> dict[str, FetchedFile]:
        """Fetch several at once; returns them by their names.

        Raises:
            As `_fetch`, for the first that fails; the others of its time may have arrived.
        """
        pool = TaskPool(_SMALL_AT_ONCE)
        futures = [pool.submit(self._fetch_or_leave, file) for file in files]
        try:
            for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                future.result()
        finally:
            pool.close()
            wait([future for future in futures if future.running()], timeout=_GRACE_S)
        for folder in {folder for file in files for folder in self._folders_of(file)}:
            atomic.fsync_folder(folder)
        return {path: found for future in futures for path, found in future.result().items()}

    def _folders_of(self, file: RepoFile) -> Iterator[Path]:
        """The folders that hold a file, from its own up to the download's."""
        folder = self._target(file).parent
        while folder != self._folder:
            yield folder
            folder = folder.parent
        yield folder

    def _fetch_or_leave(self, file: RepoFile) -> dict[str, FetchedFile]:
        """The file by its path; nothing where the hub does not give it as it told, and nobody needs it: it is left out.

        Raises:
            As `_fetch`, for a file the model needs, or the last one of all.
        """
        try:
            return {file.path: self._fetch(file)}
        except RKDeckError as error:
            if error.code not in OF_ONE_FILE or is_needed(file.path, self._weights):
                raise
            left = LeftOut(file.path, "strange")
            with self._telling:
                rest = tuple(other for other in self._plan.files if other.path != file.path)
                if not rest:
                    raise
                self._plan = replace(self._plan, files=rest, left_out=(*self._plan.left_out, left))
                self._total_bytes = self._plan.size_bytes
            _forget(_partial(self._target(file)))
            for telling in tellings([left]):
                tell(self._context.log, telling, "warning")
            return {}

    def _fetch(self, file: RepoFile) -> FetchedFile:
        try:
            fetched = self._fetch_whole(file)
        except BaseException:
            self._tally.end(file.path, 0)
            raise
        self._tally.end(file.path, file.size_bytes)
        return fetched

    def _fetch_whole(self, file: RepoFile) -> FetchedFile:
        target = self._target(file)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        digests = self._fetch_partial(file, _partial(target))
        problem = digests.problem()
        if problem is not None:
            _forget(_partial(target))
            raise RKDeckError(
                "hub.digest_differs", file=printable(file.path), wanted=problem[0], found=problem[1]
            )
        replace = atomic.replace_flushed if _is_small(file) else atomic.replace_durably
        replace(_partial(target), target)
        _sidecar(_partial(target)).unlink(missing_ok=True)
        return FetchedFile(file.path, file.size_bytes, digests.sha256)

    def _present_and_right(self, file: RepoFile, target: Path) -> FetchedFile | None:
        if target.stat().st_size != file.size_bytes:
            return None
        digests = Digests(file)
        self._read_existing(file, target, digests)
        right = digests.problem() is None
        self._tally.end(file.path, file.size_bytes if right else 0)
        if not right:
            return None
        return FetchedFile(file.path, file.size_bytes, digests.sha256)

    def _fetch_partial(self, file: RepoFile, partial: Path) -> Digests:
        digests = self._begin(file, partial)
        tries, pause_s, started_again = 0, self._patience.first_pause_s, False
        while digests.size_bytes < file.size_bytes:
            before = digests.size_bytes
            try:
                self._fetch_rest(file, partial, digests)
            except RKDeckError as error:
                if error.code == "hub.no_ranges" and not started_again:
                    # Once only: with every further cut all would be fetched again, for ever.
                    started_again = True
                    again = RKDeckError("hub.starts_again", file=file.path, cause=error.to_json())
                    tell(self._context.log, again, "warning")
                    partial.unlink()
                    digests.restart()
                    continue
                if error.code not in _LASTING:
                    raise
                if digests.size_bytes > before:
                    tries, pause_s = 0, self._patience.first_pause_s
                tries += 1
                if tries >= self._patience.tries:
                    raise
                self._pause(error, pause_s)
                pause_s = min(_MAX_PAUSE_S, pause_s * 2)
        if file.size_bytes == 0:
            touch_regular(partial)
        return digests

    def _pause(self, error: RKDeckError, pause_s: float) -> None:
        """Wait before the next try, as long as the Hub asks to where it does.

        Raises:
            RKDeckError: the same, where the Hub asks for more than a download waits.
        """
        asked_s = asked_wait_s(error)
        if asked_s is not None and asked_s > MAX_WAIT_S:
            raise error
        wait_s = max(pause_s, asked_s or 0)
        if self._tell_pause(error, wait_s) and asked_s is not None:
            count_down(wait_s, self._report_wait, time.sleep)
        else:
            time.sleep(wait_s)

    def _tell_pause(self, error: RKDeckError, wait_s: float) -> bool:
        """Tell that something is tried again, once for all that wait at the same time; returns whether it was told."""
        with self._telling:
            now = time.monotonic()
            if now < self._told_until_s:
                return False
            self._told_until_s = now + wait_s
        again = RKDeckError("hub.tries_again", seconds=wait_s, cause=error.to_json())
        tell(self._context.log, again, "warning")
        return True

    def _begin(self, file: RepoFile, partial: Path) -> Digests:
        """Take up what is there of the same content, else start at nothing."""
        identity: dict[str, JsonValue] = {
            "repo": self._plan.repo,
            "commit": self._plan.commit,
            "size_bytes": file.size_bytes,
            "blob_id": file.blob_id,
            "sha256": file.sha256,
        }
        if partial.exists() and not _continues(partial, identity, file.size_bytes):
            tell(self._context.log, RKDeckError("hub.other_version", file=file.path), "warning")
            _forget(partial)
        if file.sha256 is None and file.blob_id is None:
            tell(self._context.log, RKDeckError("hub.no_checksum", file=file.path), "warning")
        if _is_small(file):
            atomic.write_unflushed(_sidecar(partial), json.dumps(identity))
        else:
            atomic.write_json(_sidecar(partial), identity)
        digests = Digests(file)
        if partial.exists():
            self._read_existing(file, partial, digests)
        return digests

    def _fetch_rest(self, file: RepoFile, partial: Path, digests: Digests) -> None:
        """Append what is missing; ends early only by an error."""
        start = digests.size_bytes
        where = (self._plan.repo, self._plan.commit, file.path)
        with self._hub.open_file(*where, start, file.size_bytes) as body:
            if body is None:
                raise RKDeckError("hub.strange_answer", what="the file ends before its told size")
            try:
                if self._append(file, partial, digests, body.pieces):
                    return
            finally:
                if not body.is_sure and digests.size_bytes < file.size_bytes:
                    # A few bytes of anything; the rest, asked for behind them, would be fetched for nothing.
                    partial.unlink(missing_ok=True)
                    digests.restart()
        raise RKDeckError("hub.broken_off", file=printable(file.path), at_bytes=digests.size_bytes)

    def _append(self, file: RepoFile, partial: Path, digests: Digests, pieces: Iterator[bytes]) -> bool:
        """Write what arrives; returns whether the file is whole."""
        with open(partial, "ab", opener=regular_only) as target:
            # What was written and not yet counted (a kill between the two) is cut off.
            target.truncate(digests.size_bytes)
            unsynced = 0
            for piece in pieces:
                wanted = piece[: file.size_bytes - digests.size_bytes]
                target.write(wanted)
                target.flush()
                digests.update(wanted)
                self._tally.came(len(piece))
                unsynced += len(wanted)
                if unsynced >= _SYNC_BYTES:
                    unsynced = 0
                    atomic.fsync_file(target)
                self._tally.report("download", file.path, digests.size_bytes)
                if digests.size_bytes == file.size_bytes:
                    if _is_small(file):
                        # Read to its end, an answer leaves its connection to the next file.
                        next(pieces, None)
                    return True
        return False

    def _report(self, phase: str, done_bytes: int) -> None:
        self._context.progress(phase, done_bytes, self._total_bytes)

    def _report_wait(self, left_s: int) -> None:
        facts: dict[str, JsonValue] = {"seconds": left_s}
        self._tally.between(lambda: self._context.progress("wait_hub", 0, None, unit="steps", facts=facts))

    def _read_existing(self, file: RepoFile, path: Path, digests: Digests) -> None:
        digests.read(path, lambda done: self._tally.report("check", file.path, done))


def _is_small(file: RepoFile) -> bool:
    return file.size_bytes <= _SMALL_BYTES


def _partial(target: Path) -> Path:
    name = target.name
    if len(f"{name}{_LONGEST_ENDING}".encode()) > MAX_COMPONENT_BYTES:
        # The disk has room for the name, but not for it and more: cut, and told apart by a digest of the whole.
        ending = "-" + hashlib.sha256(name.encode()).hexdigest()[:16]
        room = MAX_COMPONENT_BYTES - len(ending) - len(_LONGEST_ENDING)
        name = name.encode()[:room].decode(errors="ignore") + ending
    return target.with_name(name + ".partial")


def _sidecar(partial: Path) -> Path:
    return partial.with_name(partial.name + ".json")


def _continues(partial: Path, identity: dict[str, JsonValue], size_bytes: int) -> bool:
    if partial.stat().st_size > size_bytes:
        return False
    try:
        before = atomic.read_json(_sidecar(partial))
    except (FileNotFoundError, RKDeckError):
        return False
    if not isinstance(before, dict):
        return False
    # The same content under a newer commit (an edited README) is still the same content.
    digest = "sha256" if identity["sha256"] is not None else "blob_id"
    names = ("size_bytes", digest) if identity[digest] is not None else tuple(identity)
    return all(before.get(name) == identity[name] for name in names)


def _forget(partial: Path) -> None:
    partial.unlink(missing_ok=True)
    _sidecar(partial).unlink(missing_ok=True)


def _lock(home: Path, folder: Path) -> FileLock:
    """Held by the one download that writes into this folder."""
    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:32]
    return FileLock(AppPaths(home).locks / f"download-{name}")


def repair(job_folder: Path, order: DownloadOrder) -> None:
    """Remove what a dead download left beside its parts: sidecars without one, what it wrote aside, its trial of names.

    The parts themselves stay, as the next download goes on with them. A copy of the home leaves the folders of the
    original alone; a folder in which another download is at work is that one's.

    Raises:
        OSError: as the file system says.
    """
    _, ours = read_leaves(job_folder)
    lock = _lock(job_folder.parents[1], order.folder)
    if not ours or not lock.try_acquire():
        return
    try:
        clear_trial(order.folder)
        targets = [order.folder / safe_relative_path(file.path) for file in order.plan.files]
        for partial in map(_partial, targets):
            if not partial.exists():
                _sidecar(partial).unlink(missing_ok=True)
        for folder in {target.parent for target in targets}:
            atomic.sweep(folder)
    finally:
        lock.release()
