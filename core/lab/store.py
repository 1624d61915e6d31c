"""Analyses that were made, one JSON file each in the home folder, and what tells that they are still true."""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from core.base import atomic, foreign
from core.base.errors import JsonValue, RKDeckError, error_from_json
from core.base.foreign import lines
from core.base.names import safe_component
from core.base.opening import read_regular, regular_only
from core.base.records import record
from core.base.trouble import reason_of
from core.lab.analysis import Analysis, Kept, LeftOut
from core.lab.errors import LevelError, TensorErrors
from core.model.facts import local_names
from core.model.files import CONFIG_NAME, weight_files

SCHEMA = 1
# A mixture of experts with 18,000 tensors takes 20 MB.
_MAX_BYTES = 128 << 20


class AnalysisStore:
    """The analyses in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def file(self, key: str) -> Path:
        """Where the analysis of that key is, or would be."""
        return self._folder / f"{safe_component(key)}.json"

    def save(self, key: str, stamp: str, analysis: Analysis) -> Path:
        """Keep an analysis; an earlier one of the same key is replaced in one step.

        Raises:
            RKDeckError: `lab.cannot_write`.
        """
        path = self.file(key)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            atomic.write_bytes(path, json.dumps(_analysis_json(stamp, analysis)).encode())
        except OSError as error:
            raise _cannot_write(path, error) from error
        return path

    def forget(self, item_id: str) -> None:
        """Drop what is kept of a library item, of whatever revision."""
        for path in self._folder.glob(f"{safe_component(item_id)}-*.json"):
            path.unlink(missing_ok=True)

    def load(self, key: str, stamp: str) -> Analysis | None:
        """Return the analysis, None when there is none or it was made of other files.

        Raises:
            RKDeckError: `lab.bad_result` for a damaged file.
        """
        path = self.file(key)
        try:
            value = atomic.read_json(path, _MAX_BYTES)
            assert isinstance(value, dict)
            if value["schema"] != SCHEMA or value["stamp"] != stamp:
                return None
            return _analysis(value)
        except FileNotFoundError:
            return None
        except (
            AssertionError,
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
            OSError,
            RKDeckError,
        ) as error:
            reason = error.facts.get("reason") if isinstance(error, RKDeckError) else reason_of(error)
            raise RKDeckError("lab.bad_result", file=str(path), reason=reason) from error


def item_key(item_id: str, revision: str | None) -> str:
    """The key of a library item: a new revision under the same id is another model."""
    return f"{item_id}-{(revision or 'local')[:40]}"


def folder_key(folder: Path) -> str:
    """The key of a model folder that is not in the library."""
    return (
        "folder-" + hashlib.sha256(str(folder.absolute()).encode("utf-8", "surrogateescape")).hexdigest()[:24]
    )


def stamp_of(folder: Path) -> str:
    """Return what changes when a model's files change: their names, sizes and times.

    Raises:
        RKDeckError: `lab.unreadable`.
    """
    digest = hashlib.sha256()
    try:
        found = weight_files(local_names(folder))
        for name in sorted({CONFIG_NAME, *found.files, *([found.index] if found.index else [])}):
            path = folder / name
            if path.is_file():
                state = path.stat()
                digest.update(
                    f"{name}\0{state.st_size}\0{state.st_mtime_ns}\0".encode("utf-8", "surrogateescape")
                )
    except OSError as error:
        raise RKDeckError("lab.unreadable", file=str(folder), problem=reason_of(error)) from error
    return digest.hexdigest()


class TensorJournal:
    """Measured tensors of a running analysis, a line each: who is killed goes on behind the last of them."""

    def __init__(self, path: Path, stamp: str) -> None:
        self._path = path
        self._stamp = stamp

    def read(self) -> Iterator[TensorErrors]:
        """Yield what an earlier run of the same files measured; a torn last line is left out."""
        try:
            written = lines(read_regular(self._path, _MAX_BYTES))
        except FileNotFoundError:
            return
        for line in written:
            try:
                value: dict[str, Any] = foreign.members(line)
                if value["stamp"] == self._stamp and value["schema"] == SCHEMA:
                    yield _tensor(value["tensor"])
            except (AssertionError, AttributeError, KeyError, RecursionError, TypeError, ValueError):
                continue

    def add(self, tensor: TensorErrors) -> None:
        """Write a measured tensor down.

        Raises:
            RKDeckError: `lab.cannot_write`.
        """
        line = json.dumps({"schema": SCHEMA, "stamp": self._stamp, "tensor": _tensor_json(tensor)})
        try:
            with open(self._path, "ab", opener=regular_only) as file:
                # After a torn line the next begins on one of its own.
                file.write(b"\n" + line.encode() + b"\n")
        except OSError as error:
            raise _cannot_write(self._path, error) from error


def _cannot_write(path: Path, error: OSError) -> RKDeckError:
    return RKDeckError("lab.cannot_write", file=str(path), reason=reason_of(error))


def _analysis_json(stamp: str, analysis: Analysis) -> dict[str, JsonValue]:
    return {
        "schema": SCHEMA,
        "stamp": stamp,
        "made_unix_s": time.time(),
        "model": analysis.model,
        "tensors": [_tensor_json(tensor) for tensor in analysis.tensors],
        "levels": [_level_json(level) for level in analysis.levels],
        "left_out": [left.to_json() for left in analysis.left_out],
        "kept": [kept.to_json() for kept in analysis.kept],
        "weights": analysis.weights,
        "bytes_read": analysis.bytes_read,
        "seconds": analysis.seconds,
    }


def _analysis(value: dict[str, Any]) -> Analysis:
    return Analysis(
        model=str(value["model"]),
        tensors=tuple(_tensor(tensor) for tensor in value["tensors"]),
        levels=tuple(_level(level) for level in value["levels"]),
        left_out=tuple(
            LeftOut(left["dtype"], error_from_json(left["problem"])) for left in value["left_out"]
        ),
        kept=tuple(
            Kept(kept["name"], kept["role"], kept["kind"], tuple(kept["shape"])) for kept in value["kept"]
        ),
        weights=_whole(value["weights"]),
        bytes_read=_whole(value["bytes_read"]),
        seconds=foreign.required(foreign.number(value["seconds"]), "a number"),
    )


def _tensor_json(tensor: TensorErrors) -> dict[str, JsonValue]:
    return {
        "name": tensor.name,
        "kind": tensor.kind,
        "layer": tensor.layer,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "weights": tensor.weights,
        "figures": [tensor.rms, tensor.lowest, tensor.highest, tensor.outlier_share],
        "levels": [_level_json(level) for level in tensor.levels],
        "problem": tensor.problem.to_json() if tensor.problem else None,
    }


def _tensor(value: dict[str, Any]) -> TensorErrors:
    rms, lowest, highest, outliers = (_real(figure) for figure in value["figures"])
    return TensorErrors(
        name=str(value["name"]),
        kind=str(value["kind"]),
        layer=None if value["layer"] is None else _whole(value["layer"]),
        shape=tuple(_whole(size) for size in value["shape"]),
        dtype=str(value["dtype"]),
        weights=_whole(value["weights"]),
        rms=rms,
        lowest=lowest,
        highest=highest,
        outlier_share=outliers,
        levels=tuple(_level(level) for level in value["levels"]),
        problem=error_from_json(value["problem"]) if value["problem"] else None,
    )


def _level_json(level: LevelError) -> list[JsonValue]:
    return [
        level.dtype, level.weights, level.signal, level.noise, level.cross, level.max_abs_error,
        level.worst_channel, level.worst_channel_sqnr_db,
    ]  # fmt: skip


def _level(value: Sequence[Any]) -> LevelError:
    level = record(LevelError, dict(zip(LevelError.__slots__, value, strict=True)))
    assert level.weights > 0
    return level


def _whole(value: object) -> int:
    return foreign.required(foreign.size_bytes(value), "a whole number")


def _real(value: object) -> float | None:
    found = foreign.number(value, -foreign.MAX_REAL, foreign.MAX_REAL)
    return None if value is None else foreign.required(found, "a number")
