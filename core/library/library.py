"""The library: items are sets of files with provenance, listed in the database, kept where they are."""

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from uuid import uuid4

from core.base import foreign
from core.base.database import Database
from core.base.digest import sha256_of
from core.base.errors import JsonValue, RefusedError, RKDeckError, UsageError
from core.base.foreign import members
from core.base.left_out import LeftOut, left_out_json
from core.base.names import leaves_folder, printable, refusal
from core.base.trouble import reason_of
from core.library.cached import cached_from, check_links, snapshot_of
from core.library.records import FORMERLY, SOURCE, LibraryFile, LibraryItem
from core.model.facts import load_local_facts, local_names, local_weight_files, why_no_source
from core.model.files import CONFIG_NAME, shapeless, weight_files

# Entries of RKDeck 0.1.0 have none.
_WRITTEN = "written_unix_us"


class Library:
    """The items of one home folder."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder

    def list(self) -> list[LibraryItem]:
        """All items, the newest first."""
        rows = self._database.query("SELECT * FROM library_items ORDER BY created_unix_s DESC, id")
        return [self._item(row) for row in rows]

    def get(self, item_id: str) -> LibraryItem:
        """One item.

        Raises:
            UsageError: `library.unknown`.
        """
        rows = self._database.query("SELECT * FROM library_items WHERE id = ?", (item_id,))
        if not rows:
            raise UsageError("library.unknown", item=item_id)
        return self._item(rows[0])

    def find(self, text: str) -> LibraryItem | None:
        """The newest item with that id, Hub id, path or title; a model and what was made of it have the same Hub id."""
        return next((item for item in self.list() if item.is_called(text)), None)

    def find_source(self, text: str) -> LibraryItem | None:
        """As `find`, among the sources."""
        return next((item for item in self.list() if item.is_called(text) and item.is_source), None)

    def find_file(self, text: str) -> LibraryItem | None:
        """As `find`, among the files that a board runs."""
        found = (item for item in self.list() if item.is_called(text) and item.model_kind is not None)
        return next(found, None)

    def model_at(self, path: Path) -> LibraryItem | None:
        """The model file that lies there, whichever way leads to it (a link, `..`, a second name).

        None also when another file lies in its place by now: of another size, or written at another time.
        """
        there = _status(path)
        if there is None:
            return None
        for item in self._models():
            # Only files of this size are looked at: asking for every one would wait for every disk.
            same = [file for file in item.files if file.size_bytes == there.st_size]
            found = (_status(item.folder / file.name) for file in same)
            if any(status is not None and os.path.samestat(status, there) for status in found):
                return item if self._is_unchanged(item) else None
        return None

    def models_of(self, sizes: Sequence[int]) -> tuple[LibraryItem, ...]:
        """The models whose files have these sizes in bytes, the newest first; the files' digests are in their order."""
        return tuple(
            item for item in self._models() if [file.size_bytes for file in item.files] == list(sizes)
        )

    def _models(self) -> Iterator[LibraryItem]:
        return (item for item in self.list() if item.model_kind is not None)

    def _is_unchanged(self, item: LibraryItem) -> bool:
        """Whether nobody wrote to a model's files since they were entered."""
        written = _written(item.folder / file.name for file in item.files)
        return item.provenance.get(_WRITTEN, written) == written

    def register(
        self,
        *,
        kind: str,
        title: str,
        path: Path,
        files: Iterable[LibraryFile],
        repo: str | None = None,
        revision: str | None = None,
        provenance: dict[str, JsonValue] | None = None,
    ) -> LibraryItem:
        """Enter an item; an earlier entry of the same path is replaced and keeps its id and its repository's names.

        Raises:
            RefusedError: `names.unsafe_path` for a path that is not text.
        """
        _text(path)
        kept = tuple(files)
        size_bytes = sum(file.size_bytes or 0 for file in kept)
        written = _written(path.parent / file.name for file in kept) if kind != SOURCE else None
        if written is not None:
            provenance = {**(provenance or {}), _WRITTEN: written}
        with self._database.transaction() as connection:
            row = connection.execute("SELECT * FROM library_items WHERE path = ?", (str(path),)).fetchone()
            item_id: str = row["id"] if row else uuid4().hex[:12]
            earlier = self._item(row) if row else None
            if earlier is not None and earlier.former_repos and repo is not None and earlier.is_of(repo):
                # A job that was ordered under the earlier name does not bring it back.
                repo = earlier.repo
                provenance = {**(provenance or {}), FORMERLY: list(earlier.former_repos)}
            connection.execute("DELETE FROM library_items WHERE id = ?", (item_id,))
            connection.execute(
                "INSERT INTO library_items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    item_id, kind, title, repo, revision, str(path), size_bytes, time.time(),
                    json.dumps(provenance or {}),
                ),
            )  # fmt: skip
            connection.executemany(
                "INSERT INTO library_files VALUES (?, ?, ?, ?)",
                [(item_id, file.name, file.size_bytes, file.sha256) for file in kept],
            )
        return self.get(item_id)

    def rename_repo(self, earlier: str, present: str) -> None:
        """A repository has another name: its items get it, stay what and where they are, and are found under both."""
        for item in self.list():
            if item.repo == earlier and earlier != present:
                formerly = [name for name in (*item.former_repos, earlier) if name != present]
                self._database.execute(
                    "UPDATE library_items SET repo = ?, provenance = ? WHERE id = ?",
                    (present, json.dumps({**item.provenance, FORMERLY: formerly}), item.id),
                )

    def add_source_folder(self, path: Path) -> LibraryItem:
        """Enter a model folder (config.json and weights) where it lies; headers are read, digests not computed.

        Files whose names a download would leave out stay out of the item too; its provenance tells them as `left_out`.

        Raises:
            RefusedError: `library.not_a_model`; as `core.model.facts.why_no_source`; `names.unsafe_path` for weights
                with such a name, or a folder whose path is not text.
            RKDeckError: as `core.model.facts.load_local_facts`.
            As `core.library.cached.snapshot_of` and `check_links`, for a folder of huggingface_hub's cache.
        """
        folder = snapshot_of(path.absolute())
        names = local_names(folder)
        missing = _missing(names)
        if missing is not None:
            raise RefusedError("library.not_a_model", path=str(path), missing=missing)
        files, left_out = _sort_out(folder)
        check_links(folder, [folder / file.name for file in files])
        unfit = why_no_source(load_local_facts(folder))
        if unfit is not None:
            raise unfit
        weights = local_weight_files(folder, names).files
        for item in left_out:
            if item.path in weights:
                raise item.refusal()
        provenance: dict[str, JsonValue] = {"added_from": str(folder)}
        if left_out:
            provenance["left_out"] = left_out_json(left_out)
        repo, revision = cached_from(folder)
        title = repo.rpartition("/")[2] if repo else folder.name
        return self.register(
            kind=SOURCE, title=title, path=folder, files=files, repo=repo, revision=revision,
            provenance=provenance,
        )  # fmt: skip

    def remove(self, item_id: str) -> LibraryItem:
        """Forget an item; its files are deleted only when they are in the library's own folder.

        Files that belong to another item as well, or lie below the folder of one, stay.

        Returns:
            The item that is gone.

        Raises:
            UsageError: `library.unknown`.
            RKDeckError: `library.cannot_delete`; the item is then still listed.
        """
        item = self.get(item_id)
        if self._is_ours(item.path):
            try:
                self._delete_files(item)
            except OSError as error:
                raise RKDeckError(
                    "library.cannot_delete", path=str(item.path), reason=reason_of(error)
                ) from error
        self._database.execute("DELETE FROM library_items WHERE id = ?", (item_id,))
        return item

    def _delete_files(self, item: LibraryItem) -> None:
        others = [other for other in self.list() if other.id != item.id]
        kept = {other.folder / file.name for other in others for file in other.files}
        if item.path.is_symlink() or not item.path.is_dir():
            parts = {item.folder / file.name for file in item.files if leaves_folder(file.name) is None}
            for path in sorted({item.path} | (parts - kept)):
                path.unlink(missing_ok=True)
            item.path.with_name(item.path.name + ".json").unlink(missing_ok=True)
            return
        kept |= {path.with_name(path.name + ".json") for path in kept}
        if not any(path.is_relative_to(item.path) for path in kept):
            shutil.rmtree(item.path)
            return
        for path in sorted(item.path.rglob("*"), reverse=True):
            if path.is_symlink() or not path.is_dir():
                if path not in kept:
                    path.unlink()
            elif not any(path.iterdir()):
                path.rmdir()

    def verify(self, item_id: str) -> tuple[RKDeckError, ...]:
        """Compare sizes, and digests where they are known; returns what is wrong."""
        item = self.get(item_id)
        try:
            item.path.stat()
        except UnicodeEncodeError:
            raise  # the shell's alphabet has no letters for it: that is told as it is everywhere
        except (OSError, ValueError) as gone:  # ValueError: a name with a NUL
            # Without rows of files nothing below would look at it.
            name = printable(item.path.name)
            return (RKDeckError("library.file_unreadable", file=name, reason=reason_of(gone)),)
        return tuple(error for file in item.files if (error := _check(item.folder, file)) is not None)

    def _is_ours(self, path: Path) -> bool:
        # The real places are compared, so that a link inside the library cannot lead a deletion outside.
        ours, theirs = self._folder.resolve(), path.parent.resolve() / path.name
        return theirs.is_relative_to(ours) and theirs != ours

    def _item(self, row: sqlite3.Row) -> LibraryItem:
        files = self._database.query(
            "SELECT name, size_bytes, sha256 FROM library_files WHERE item_id = ? ORDER BY name", (row["id"],)
        )
        return LibraryItem(
            id=row["id"],
            kind=row["kind"],
            title=row["title"],
            repo=row["repo"],
            revision=row["revision"],
            path=Path(row["path"]),
            size_bytes=foreign.size_bytes(row["size_bytes"]),
            created_unix_s=foreign.unix_s(row["created_unix_s"]),
            provenance=members(row["provenance"]),
            files=tuple(
                LibraryFile(file["name"], foreign.size_bytes(file["size_bytes"]), file["sha256"])
                for file in files
            ),
        )


def _written(paths: Iterable[Path]) -> int | None:
    """When a model's files were last written to, by their own file system's clock: only compared with itself.

    None where one of them is not there.
    """
    found = [_status(path) for path in paths]
    times = [status.st_mtime_ns // 1000 for status in found if status is not None]
    return max(times) if times and len(times) == len(found) else None


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (OSError, ValueError):  # ValueError: a name with a NUL
        return None


def _missing(names: tuple[str, ...]) -> str | None:
    """What a folder lacks that every model has; None for a model, and for weights with a refusal of their own."""
    found = weight_files(names)
    if CONFIG_NAME not in names and shapeless(found, "", has_config=False) is None:
        return CONFIG_NAME
    return "*.safetensors" if found.kind == "none" else None


def _text(path: Path) -> str:
    """The path as text; Linux allows names of any bytes, the database only text."""
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RefusedError("names.unsafe_path", path=printable(text), why="odd_character") from error
    return text


def _sort_out(folder: Path) -> tuple[list[LibraryFile], list[LeftOut]]:
    """The files of a model folder, and those whose names have no place in the library."""
    files: list[LibraryFile] = []
    left_out: list[LeftOut] = []
    for path in _files_below(folder):
        name = str(path.relative_to(folder))
        why = refusal(name)
        if why is None:
            files.append(LibraryFile(name, path.stat().st_size, None))
        else:
            left_out.append(LeftOut(name, why))
    return files, left_out


def _files_below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def _check(folder: Path, file: LibraryFile) -> RKDeckError | None:
    name = printable(file.name)
    # Not all that `refusal` asks of a new name: a file is judged by what is in it, not by when it came.
    why = leaves_folder(file.name)
    if why is not None:
        return RefusedError("names.unsafe_path", path=name, why=why)
    path = folder / file.name
    try:
        size_bytes = path.stat().st_size
        if size_bytes != file.size_bytes:
            return RKDeckError("library.size_differs", file=name, wanted=file.size_bytes, found=size_bytes)
        if file.sha256 is not None and sha256_of(path) != file.sha256:
            return RKDeckError("library.digest_differs", file=name)
    except OSError as error:
        return RKDeckError("library.file_unreadable", file=name, reason=reason_of(error))
    return None
