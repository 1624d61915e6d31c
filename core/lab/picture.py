"""What a window draws of one tensor at one scheme: plain numbers, no drawing.

Histograms are taken from at most `SAMPLED_WEIGHTS` weights (whole output channels, evenly spread), which each
record says; the chosen channel, its grid and its formula are exact.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.base.errors import RKDeckError
from core.base.names import printable
from core.lab.kernel import LARGEST
from core.lab.records import TensorRef
from core.lab.scheme import Scheme
from core.lab.weights import Place, check_readable, read_rows
from core.quantization.affine import Float32, dequantize, integer_range, quantize_linear
from core.quantization.approximate import round_to_bfloat16
from core.quantization.storage import widen_into

SAMPLED_WEIGHTS = 1 << 19
BINS = 128
# Weights of a channel drawn original beside restored.
SHOWN_WEIGHTS = 256
_READ_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of values; `edges` is one longer than `counts`."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """The values one group (or channel) can take.

    Attributes:
        scale, zero_point: S and Z. qmin, qmax: range of W_int.
        positions: (W_int - Z) x S for every W_int from qmin to qmax: 16 or 255 of them.
    """

    scale: float
    zero_point: int
    qmin: int
    qmax: int
    positions: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Walk:
    """One weight through `W_int = clip(round(W / S) + Z)` and back.

    Attributes:
        quotient: W / S; rounded: to the nearest whole number, ties to the even one; shifted: rounded + Z;
            integer: shifted, clipped to qmin..qmax; restored: (integer - Z) x S; error: restored - weight.
    """

    channel: int
    column: int
    weight: float
    quotient: float
    rounded: int
    shifted: int
    integer: int
    restored: float
    error: float


@dataclass(frozen=True, slots=True)
class TensorPicture:
    """One tensor at one scheme.

    Attributes:
        weights: of the tensor; sampled: how many of them the three histograms of the tensor count.
        histogram: of the sampled weights; errors: of restored - weight of the same.
        bell: root mean square of the sampled weights, to draw a bell curve over the histogram.
        channel: output channel that was chosen; group: its group that holds the chosen column, and the columns
            `first_column` to `last_column` (inclusive) it spans: the whole channel without groups.
        group_histogram: of exactly that group, to lay the grid over.
        grid, walk: None for float levels, which have no S and Z.
        originals, restored: up to 256 weights of the group and what comes back of them.
        sqnr_db: of the sampled weights; None when nothing is lost.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    dtype: str
    scheme: Scheme
    weights: int
    sampled: int
    bell: float
    histogram: Histogram
    errors: Histogram
    channel: int
    group: int
    first_column: int
    last_column: int
    group_histogram: Histogram
    grid: Grid | None
    walk: Walk | None
    originals: tuple[float, ...]
    restored: tuple[float, ...]
    sqnr_db: float | None


def draw(place: Place, tensor: TensorRef, scheme: Scheme, channel: int = 0, column: int = 0) -> TensorPicture:
    """Take the numbers of a picture from a tensor.

    Args:
        place: where the bytes are.
        tensor: a matrix.
        scheme: how it is rounded.
        channel: output channel, counted through all experts.
        column: a weight of that channel.

    Raises:
        RKDeckError: what makes a tensor unreadable, `lab.group_does_not_fit`, `lab.no_channel`, `lab.no_input`,
            `lab.not_finite`, `lab.beyond_float16`.
    """
    check_readable(tensor)
    _check_choice(tensor, scheme, channel, column)
    row = _float32(place, tensor, channel, 1)
    sample = _sample(place, tensor)
    _check_finite(tensor, sample, row)
    restored = restore(tensor, sample, scheme)
    noise = restored - sample
    width = scheme.group_size or tensor.inputs
    group = column // width
    part = row[0, group * width : (group + 1) * width]
    grid = _grid(part, scheme)
    shown = _shown(width, column - group * width)
    back = restore(tensor, part[None, :], scheme)[0]
    return TensorPicture(
        name=tensor.name,
        kind=tensor.kind,
        shape=tensor.shape,
        dtype=tensor.dtype,
        scheme=scheme,
        weights=tensor.elements,
        sampled=int(sample.size),
        bell=math.sqrt(_mean_square(sample)),
        histogram=_histogram(sample),
        errors=_histogram(noise),
        channel=channel,
        group=group,
        first_column=group * width,
        last_column=(group + 1) * width - 1,
        group_histogram=_histogram(part),
        grid=grid,
        walk=None if grid is None else follow(float(row[0, column]), grid, channel, column),
        originals=_floats(part[shown]),
        restored=_floats(back[shown]),
        sqnr_db=_sqnr(sample, noise),
    )


def restore(tensor: TensorRef, rows: Float32, scheme: Scheme) -> Float32:
    """Return what comes back of some output channels.

    Raises:
        RKDeckError: `lab.beyond_float16`.
    """
    if scheme.rounding == "bfloat16":
        return round_to_bfloat16(rows)
    if scheme.rounding == "float16":
        with np.errstate(over="ignore"):
            rounded = rows.astype(np.float16).astype(np.float32)
        if not np.isfinite(rounded).all():
            raise RKDeckError("lab.beyond_float16", tensor=printable(tensor.name), level=scheme.rounding)
        return rounded
    group = scheme.group_size if rows.shape[1] != scheme.group_size else None
    return dequantize(quantize_linear(rows, scheme.bits, group))


def follow(weight: float, grid: Grid, channel: int, column: int) -> Walk:
    """Follow one weight through the mapping, in float32 as it is computed."""
    quotient = float(np.float32(weight) / np.float32(grid.scale))
    rounded = int(np.rint(np.float32(quotient)))
    shifted = rounded + grid.zero_point
    integer = min(grid.qmax, max(grid.qmin, shifted))
    restored = float(np.float32(integer - grid.zero_point) * np.float32(grid.scale))
    return Walk(channel, column, weight, quotient, rounded, shifted, integer, restored, restored - weight)


def _grid(part: Float32, scheme: Scheme) -> Grid | None:
    if scheme.rounding != "integer":
        return None
    quantized = quantize_linear(part[None, :], scheme.bits)
    scale, zero = float(quantized.scale[0]), int(quantized.zero_point[0])
    low, high = integer_range(scheme.bits, symmetric=scheme.symmetric)
    return Grid(scale, zero, low, high, tuple((integer - zero) * scale for integer in range(low, high + 1)))


def _check_choice(tensor: TensorRef, scheme: Scheme, channel: int, column: int) -> None:
    name, channels = printable(tensor.name), tensor.outputs * tensor.modules
    if not scheme.divides(tensor.inputs):
        raise RKDeckError(
            "lab.group_does_not_fit", tensor=name, group_size=scheme.group_size, inputs=tensor.inputs
        )
    if not 0 <= channel < channels:
        raise RKDeckError("lab.no_channel", tensor=name, channel=channel, last=channels - 1)
    if not 0 <= column < tensor.inputs:
        raise RKDeckError("lab.no_input", tensor=name, column=column, last=tensor.inputs - 1)


def _sample(place: Place, tensor: TensorRef) -> Float32:
    """Evenly spread runs of output channels, read a few at a time."""
    channels = tensor.outputs * tensor.modules
    wanted = max(1, min(channels, SAMPLED_WEIGHTS // tensor.inputs))
    if wanted == channels and not tensor.turned:
        return _float32(place, tensor, 0, channels)
    if tensor.turned:
        # One module has to be read whole, whatever is taken of it: the first stands for all.
        return _float32(place, tensor, 0, min(tensor.outputs, wanted))
    numbers = np.linspace(0, channels - 1, wanted).round().astype(int)
    return np.concatenate([_float32(place, tensor, int(number), 1) for number in numbers])


def _float32(place: Place, tensor: TensorRef, first: int, rows: int) -> Float32:
    stored = read_rows(place, tensor, first, rows)
    out = np.empty(stored.shape, np.float32)
    widen_into(stored, tensor.dtype, out)
    return out


def _check_finite(tensor: TensorRef, *arrays: Float32) -> None:
    for array in arrays:
        bad = int(np.count_nonzero(~(np.abs(array) <= LARGEST)))
        if bad:
            raise RKDeckError("lab.not_finite", tensor=printable(tensor.name), count=bad)


def _shown(width: int, near: int) -> slice:
    """A run of weights around the chosen one."""
    start = max(0, min(near - SHOWN_WEIGHTS // 2, width - SHOWN_WEIGHTS))
    return slice(start, min(width, start + SHOWN_WEIGHTS))


def _histogram(values: npt.NDArray[np.float32]) -> Histogram:
    counts, edges = np.histogram(values.astype(np.float64).reshape(-1), BINS)
    return Histogram(_floats(edges), tuple(int(count) for count in counts))


def _floats(values: npt.NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _mean_square(values: Float32) -> float:
    return float(np.mean(np.square(values, dtype=np.float64)))


def _sqnr(sample: Float32, noise: Float32) -> float | None:
    signal, lost = _mean_square(sample), _mean_square(noise)
    return 10 * math.log10(signal / lost) if signal > 0 and lost > 0 else None
