"""A whole model, level by level: every linear weight measured, summed up by parameters."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from core.base.errors import JsonValue, RKDeckError
from core.base.names import printable
from core.estimate.table import group_refusal
from core.lab.errors import LevelError, Measurer, TensorErrors
from core.lab.records import TensorRef
from core.lab.scheme import analysed_levels, scheme_of
from core.lab.weights import WeightFolder
from core.model.facts import why_no_source
from core.vendor.levels import Level

# Bytes done, bytes in all, the tensor in hand.
Progress = Callable[[int, int, str], None]
Done = Callable[[TensorErrors], None]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A level that some tensor cannot take, and why.

    Attributes:
        problem: `lab.toolkit_refuses`, `lab.group_does_not_fit` or `lab.beyond_float16`.
    """

    dtype: str
    problem: RKDeckError

    def to_json(self) -> dict[str, JsonValue]:
        """Return the document's member."""
        return {"dtype": self.dtype, "problem": self.problem.to_json()}


@dataclass(frozen=True, slots=True)
class Kept:
    """A tensor the toolkit does not quantize."""

    name: str
    role: str
    kind: str
    shape: tuple[int, ...]

    def to_json(self) -> dict[str, JsonValue]:
        """Return the document's member."""
        return {"name": self.name, "role": self.role, "kind": self.kind, "shape": list(self.shape)}


@dataclass(frozen=True, slots=True)
class Analysis:
    """What each level does to a model's linear weights.

    Attributes:
        model: what was asked for.
        tensors: every linear weight, also those with a problem.
        levels: of all measured weights together; only levels that every tensor can take.
        left_out: the other levels, each with the first tensor that cannot take it.
        kept: embeddings, norms and the rest, which stay as they are.
        weights, bytes_read, seconds: how much work it was.
    """

    model: str
    tensors: tuple[TensorErrors, ...]
    levels: tuple[LevelError, ...]
    left_out: tuple[LeftOut, ...]
    kept: tuple[Kept, ...]
    weights: int
    bytes_read: int
    seconds: float

    def level(self, dtype: str) -> LevelError | None:
        """Return the summary of one level, None when it was left out."""
        return next((level for level in self.levels if level.dtype == dtype), None)

    @property
    def problems(self) -> tuple[RKDeckError, ...]:
        """What was wrong with tensors that could not be measured."""
        return tuple(tensor.problem for tensor in self.tensors if tensor.problem is not None)


def analyse(
    folder: WeightFolder,
    *,
    levels: Sequence[Level] | None = None,
    progress: Progress | None = None,
    done: Done | None = None,
    known: Iterable[TensorErrors] = (),
) -> Analysis:
    """Measure every linear weight of a model.

    Args:
        folder: the model.
        levels: None is all of `analysed_levels`.
        progress: told about every quarter of a million weights.
        done: told every tensor that was measured, for who wants to go on after a cut.
        known: tensors an earlier run told; they are not measured again.

    Raises:
        RefusedError: `model.already_quantized`: stored weights are integers of somebody's format.
        RKDeckError: `lab.no_linear`, `lab.unreadable`.
    """
    began_s = time.monotonic()
    refusal = why_no_source(folder.facts)
    if refusal is not None:
        raise refusal
    chosen = analysed_levels() if levels is None else tuple(levels)
    refs = folder.linear
    if not refs:
        raise RKDeckError("lab.no_linear", model=printable(folder.facts.model))
    sizes = {ref.name: folder.places[ref.name].info.size_bytes for ref in refs}
    total, earlier = sum(sizes.values()), {tensor.name: tensor for tensor in known}
    found: list[TensorErrors] = []
    position, read = 0, 0
    with Measurer() as measurer:
        for ref in refs:
            if ref.name not in earlier:
                told = _Told(progress, position, total, ref.name)
                tensor = measurer.measure(folder.places[ref.name], ref, chosen, told)
                read += sizes[ref.name]
                if done is not None:
                    done(tensor)
            else:
                tensor = earlier[ref.name]
            found.append(tensor)
            position += sizes[ref.name]
            if progress is not None:
                progress(position, total, ref.name)
    return Analysis(
        model=folder.facts.model,
        tensors=tuple(found),
        levels=summarise(found, chosen),
        left_out=tuple(_left_out(refs, found, chosen)),
        kept=tuple(
            Kept(ref.name, ref.role, ref.kind, ref.shape) for ref in folder.tensors if ref.role != "linear"
        ),
        weights=sum(tensor.weights for tensor in found),
        bytes_read=read,
        seconds=time.monotonic() - began_s,
    )


def summarise(tensors: Iterable[TensorErrors], levels: Iterable[Level]) -> tuple[LevelError, ...]:
    """Add up each level over all measured tensors, which weights them by their parameters.

    Levels that a measured tensor does not have are left out: sums over other weights do not compare.
    """
    measured = [tensor for tensor in tensors if tensor.problem is None]
    found = []
    for level in levels:
        parts = [part for tensor in measured if (part := tensor.level(level.name)) is not None]
        if parts and len(parts) == len(measured):
            found.append(add_up(level.name, parts))
    return tuple(found)


def add_up(dtype: str, parts: Sequence[LevelError]) -> LevelError:
    """Return the error over several tensors together."""
    return LevelError(
        dtype=dtype,
        weights=sum(part.weights for part in parts),
        signal=sum(part.signal for part in parts),
        noise=sum(part.noise for part in parts),
        cross=sum(part.cross for part in parts),
        max_abs_error=max(part.max_abs_error for part in parts),
    )


def _left_out(
    refs: Sequence[TensorRef], tensors: Sequence[TensorErrors], levels: Iterable[Level]
) -> Iterable[LeftOut]:
    for level in levels:
        for ref, tensor in zip(refs, tensors, strict=True):
            if tensor.problem is None and tensor.level(level.name) is None:
                yield LeftOut(level.name, why_not(ref, level))
                break


def why_not(ref: TensorRef, level: Level) -> RKDeckError:
    """Say why a level was not measured on a tensor that others were measured on."""
    scheme, name = scheme_of(level), printable(ref.name)
    if scheme is None or scheme.divides(ref.inputs):
        return RKDeckError("lab.beyond_float16", tensor=name, level=level.name)
    assert scheme.group_size is not None
    # What the toolkit refuses as well is told as the estimate tells it; the lab's own bound is another dimension.
    refused = group_refusal(ref.name, ref.outputs, ref.inputs, scheme.group_size)
    if refused is not None:
        return RKDeckError("lab.toolkit_refuses", reason=refused.to_json())
    return RKDeckError("lab.group_does_not_fit", tensor=name, group_size=scheme.group_size, inputs=ref.inputs)


class _Told:
    """Turns the bytes of one tensor's blocks into progress of the whole."""

    def __init__(self, progress: Progress | None, start: int, total: int, name: str) -> None:
        self._progress, self._position, self._total, self._name = progress, start, total, name

    def __call__(self, size_bytes: int) -> None:
        self._position += size_bytes
        if self._progress is not None:
            self._progress(min(self._position, self._total), self._total, self._name)
