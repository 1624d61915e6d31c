"""The error of each level on one tensor: sums, and the measures people read off them."""

import math
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import local
from types import TracebackType
from typing import Self

from core.base.errors import JsonValue, RKDeckError
from core.base.names import printable
from core.lab.kernel import Sums, Workspace, measure_rows, rows_per_block
from core.lab.records import TensorRef
from core.lab.scheme import Scheme, scheme_of
from core.lab.weights import Place, blocks, check_readable, read_rows
from core.vendor.levels import Level

# More threads wait for Python's lock longer than they compute (`python -m tests.bench quantization`).
THREADS = 2
# What is wrong with a tensor itself; anything else (a cancellation, a disk that fails) ends the measuring.
_PROBLEMS = frozenset({"lab.not_linear", "lab.empty", "lab.dtype", "lab.row_too_long", "lab.not_finite"})

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class LevelError:
    """What one level does to some weights: a tensor's, or a model's.

    Attributes:
        dtype: name of the level.
        weights: how many; signal: sum of their squares; noise: of the squared errors; cross: of weight x error.
        max_abs_error: largest absolute difference.
        worst_channel: output channel with the lowest SQNR, counted through all experts; None when nothing is lost
            (or for a whole model); worst_channel_sqnr_db: its SQNR.
    """

    dtype: str
    weights: int
    signal: float
    noise: float
    cross: float
    max_abs_error: float
    worst_channel: int | None = None
    worst_channel_sqnr_db: float | None = None

    @property
    def mse(self) -> float:
        """Mean squared error."""
        return self.noise / self.weights

    @property
    def sqnr_db(self) -> float | None:
        """10 log10(signal / noise); None when nothing is lost, or when there is nothing but zeros."""
        return decibels(self.signal, self.noise)

    @property
    def cosine(self) -> float | None:
        """Cosine of the angle between weights and what is stored of them; None when one of them is all zero."""
        restored = self.signal + 2 * self.cross + self.noise
        if self.signal <= 0 or restored <= 0:
            return None
        return min(1.0, (self.signal + self.cross) / math.sqrt(self.signal * restored))

    def to_json(self) -> dict[str, JsonValue]:
        """Return the document's member."""
        return {
            "dtype": self.dtype,
            "mse": self.mse,
            "sqnr_db": self.sqnr_db,
            "cosine": self.cosine,
            "max_abs_error": self.max_abs_error,
            "worst_channel": self.worst_channel,
            "worst_channel_sqnr_db": self.worst_channel_sqnr_db,
        }


@dataclass(frozen=True, slots=True)
class TensorErrors:
    """One tensor and what each level does to it.

    Attributes:
        kind, layer: as `TensorRef`.
        dtype: how it is stored. weights: how many.
        rms: root mean square; lowest, highest: extremes; None when the tensor could not be measured.
        outlier_share: share of weights beyond 4 root mean squares of their channel (0.00006 of a bell curve).
        levels: those whose groups fit; empty when the tensor could not be measured.
        problem: why it could not be measured.
    """

    name: str
    kind: str
    layer: int | None
    shape: tuple[int, ...]
    dtype: str
    weights: int
    rms: float | None
    lowest: float | None
    highest: float | None
    outlier_share: float | None
    levels: tuple[LevelError, ...]
    problem: RKDeckError | None = None

    def level(self, dtype: str) -> LevelError | None:
        """Return the error of one level, None when it was not measured."""
        return next((level for level in self.levels if level.dtype == dtype), None)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the document's member."""
        return {
            "name": self.name,
            "kind": self.kind,
            "layer": self.layer,
            "shape": list(self.shape),
            "stored_dtype": self.dtype,
            "weights": self.weights,
            "rms": self.rms,
            "lowest": self.lowest,
            "highest": self.highest,
            "outlier_share": self.outlier_share,
            "levels": [level.to_json() for level in self.levels],
            "problem": self.problem.to_json() if self.problem else None,
        }


def decibels(signal: float, noise: float) -> float | None:
    """Return 10 log10(signal / noise), None unless both are positive."""
    return 10 * math.log10(signal / noise) if signal > 0 and noise > 0 else None


class Measurer:
    """Measures tensors with a few threads; a context manager that ends them."""

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads or max(1, min(THREADS, os.cpu_count() or 1))
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="lab")
        self._own = local()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def measure(
        self, place: Place, tensor: TensorRef, levels: Sequence[Level], advance: Advance | None = None
    ) -> TensorErrors:
        """Measure one matrix, or say in `problem` why that is not possible.

        Args:
            place: where its bytes are.
            tensor: what it is.
            levels: those whose groups do not divide its inputs are left out.
            advance: told after each block how many more bytes of the tensor are done.

        Raises:
            RKDeckError: `lab.unreadable`: what cannot be read now may be readable later.
        """
        fitting = [(level, found) for level in levels if (found := _fitting(level, tensor)) is not None]
        try:
            check_readable(tensor)
            sums = self._sums(place, tensor, [found for _, found in fitting], advance or _nothing)
            return _errors(tensor, [level for level, _ in fitting], sums)
        except RKDeckError as error:
            if error.code not in _PROBLEMS:
                raise
            return _unmeasured(tensor, error)

    def _sums(self, place: Place, tensor: TensorRef, schemes: list[Scheme], advance: Advance) -> Sums:
        total, waiting = Sums(), deque[tuple[int, Future[Sums]]]()
        row_bytes = tensor.inputs * check_readable(tensor)
        for first, rows in blocks(tensor):
            part = self._pool.submit(self._block, place, tensor, first, rows, schemes)
            waiting.append((rows * row_bytes, part))
            # Two for each thread: one being computed, one in hand. More would only fill memory.
            if len(waiting) >= 2 * self._threads:
                _take(total, waiting, advance)
        while waiting:
            _take(total, waiting, advance)
        return total

    def _block(self, place: Place, tensor: TensorRef, first: int, rows: int, schemes: list[Scheme]) -> Sums:
        if not hasattr(self._own, "work"):
            self._own.work = Workspace()
        stored, sums = read_rows(place, tensor, first, rows), Sums()
        step = rows_per_block(tensor.inputs)
        for start in range(0, rows, step):
            part = stored[start : start + step]
            sums.add(measure_rows(part, tensor.dtype, first + start, schemes, self._own.work))
        return sums


def _take(total: Sums, waiting: deque[tuple[int, "Future[Sums]"]], advance: Advance) -> None:
    size_bytes, part = waiting.popleft()
    total.add(part.result())
    advance(size_bytes)


def _nothing(_size_bytes: int) -> None:
    pass


def _fitting(level: Level, tensor: TensorRef) -> Scheme | None:
    found = scheme_of(level)
    return found if found is not None and found.divides(tensor.inputs) else None


def _errors(tensor: TensorRef, levels: list[Level], sums: Sums) -> TensorErrors:
    if sums.not_finite:
        raise RKDeckError("lab.not_finite", tensor=printable(tensor.name), count=sums.not_finite)
    found = [
        LevelError(
            dtype=level.name,
            weights=sums.weights,
            signal=sums.signal,
            noise=part.noise,
            cross=part.cross,
            max_abs_error=part.largest,
            worst_channel=part.worst_channel,
            worst_channel_sqnr_db=decibels(1.0, part.worst_ratio),
        )
        for level, part in zip(levels, sums.schemes, strict=True)
        if not part.overflow
    ]
    return TensorErrors(
        name=tensor.name,
        kind=tensor.kind,
        layer=tensor.layer,
        shape=tensor.shape,
        dtype=tensor.dtype,
        weights=sums.weights,
        rms=math.sqrt(sums.signal / sums.weights),
        lowest=sums.lowest,
        highest=sums.highest,
        outlier_share=sums.outliers / sums.weights,
        levels=tuple(found),
    )


def _unmeasured(tensor: TensorRef, problem: RKDeckError) -> TensorErrors:
    return TensorErrors(
        tensor.name, tensor.kind, tensor.layer, tensor.shape, tensor.dtype, tensor.elements,
        None, None, None, None, (), problem,
    )  # fmt: skip
