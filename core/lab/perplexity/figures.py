"""Perplexity: which tokens count, how window losses become one number, and how sure that number is.

    perplexity = exp(sum of negative log likelihoods / number of predicted tokens)        (nats)

A text's tokens are cut into windows of `window` tokens that begin every `stride` tokens. Inside a window each
token is predicted from the earlier tokens of the same window only. With `stride == window` (the default, and
how the demo model's card measures) the windows are separate and the first token of each is not predicted. With
a smaller stride windows overlap: a token is counted once, in the first window that predicts it, so that later
windows give it more context. Windows that predict nothing are left out. These are the rules of
huggingface.co/docs/transformers/perplexity.

Windows are the samples of the standard error: losses inside a window depend on each other. Levels are compared
window by window, on the same tokens, which is far more certain than either perplexity by itself.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.base.errors import JsonValue, RKDeckError, UsageError

DEFAULT_WINDOW = 256
# Fewer predictions than this say nothing about a model.
MIN_SCORED_TOKENS = 32
# Above exp(700) a double overflows; no language model is that wrong, its arithmetic is.
_MAX_MEAN_NLL = 700.0
_Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Span:
    """One window: tokens `start` to `end` are read, those from `first` on are predicted and counted."""

    start: int
    end: int
    first: int

    @property
    def scored(self) -> int:
        """Number of tokens that count."""
        return self.end - self.first


@dataclass(frozen=True, slots=True)
class WindowScore:
    """What one window gave: summed negative log likelihood in nats, over so many tokens."""

    index: int
    nll: float
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class PerplexityResult:
    """One level's perplexity.

    Attributes:
        level: name of the level (`core.vendor.levels`).
        perplexity: exp(mean_nll).
        low, high: 95 % interval over windows; None with fewer than two.
        mean_nll: nats per token; standard_error: of it, None with fewer than two windows.
        tokens: predicted tokens; windows: how many they came in.
        seconds: time the windows took.
        simulated_activations: whether inputs of linear layers were rounded to 8 bits as well.
        reference: the level `ratio` compares with; None where there is none (and for itself).
        ratio: this perplexity over the reference's, on the same windows; low and high bound it (95 %).
    """

    level: str
    perplexity: float
    low: float | None
    high: float | None
    mean_nll: float
    standard_error: float | None
    tokens: int
    windows: int
    seconds: float
    simulated_activations: bool
    reference: str | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """Return the member of the `perplexity` document."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Answer:
    """A greedy answer at one level; `ended` tells whether the model came to an end by itself."""

    level: str
    text: str
    tokens: int
    seconds: float
    ended: bool

    def to_json(self) -> dict[str, JsonValue]:
        """Return the member of the `perplexity` document."""
        return {name: getattr(self, name) for name in self.__slots__}


def spans(tokens: int, window: int, stride: int | None = None, limit: int | None = None) -> tuple[Span, ...]:
    """Return the windows over a text of so many tokens, at most `limit` of them.

    Raises:
        UsageError: `perplexity.bad_window` for a window below 2, a stride not within 1..window, a limit below 1.
    """
    step = window if stride is None else stride
    if window < 2 or not 1 <= step <= window or (limit is not None and limit < 1):
        raise UsageError("perplexity.bad_window", window=window, stride=step, windows=limit)
    found: list[Span] = []
    counted = 1  # the text's first token has nothing before it
    for start in range(0, tokens, step):
        end = min(start + window, tokens)
        span = Span(start, end, max(counted, start + 1))
        if span.scored > 0:
            found.append(span)
        counted = end
        if end == tokens or len(found) == limit:
            break
    return tuple(found)


def summarize(
    level: str,
    scores: Sequence[WindowScore],
    *,
    simulated_activations: bool,
    reference: tuple[str, Sequence[WindowScore]] | None = None,
) -> PerplexityResult:
    """Turn the windows of one level into its result.

    Args:
        level: its name.
        scores: at least one, each window once.
        simulated_activations: as in the result.
        reference: another level's name and its scores of the same windows.

    Raises:
        RKDeckError: `perplexity.not_finite` when the losses are no usable numbers.
    """
    ordered = sorted(scores, key=lambda score: score.index)
    mean, error, tokens = _mean(ordered)
    if not math.isfinite(mean) or mean > _MAX_MEAN_NLL:
        raise RKDeckError("perplexity.not_finite", level=level, window=None)
    low, high = _interval(mean, error)
    result = PerplexityResult(
        level, math.exp(mean), low, high, mean, error, tokens, len(ordered),
        math.fsum(score.seconds for score in ordered), simulated_activations,
    )  # fmt: skip
    return result if reference is None else _compared(result, ordered, *reference)


def _compared(
    result: PerplexityResult, scores: Sequence[WindowScore], name: str, others: Sequence[WindowScore]
) -> PerplexityResult:
    other = {score.index: score for score in others}
    if name == result.level or set(other) != {score.index for score in scores}:
        return result
    differences = [
        WindowScore(score.index, score.nll - other[score.index].nll, score.tokens, 0.0) for score in scores
    ]
    mean, error, _ = _mean(differences)
    if abs(mean) > _MAX_MEAN_NLL:
        return result
    low, high = _interval(mean, error)
    members = {field: getattr(result, field) for field in result.__slots__}
    return PerplexityResult(
        **{
            **members, "reference": name, "ratio": math.exp(mean), "ratio_low": low, "ratio_high": high,
        }
    )  # fmt: skip


def _mean(scores: Sequence[WindowScore]) -> tuple[float, float | None, int]:
    """Mean loss per token, its standard error with windows as clusters (ratio estimator), and the tokens."""
    tokens, count = sum(score.tokens for score in scores), len(scores)
    mean = math.fsum(score.nll for score in scores) / tokens
    if count < 2:
        return mean, None, tokens
    squares = math.fsum((score.nll - mean * score.tokens) ** 2 for score in scores)
    return mean, math.sqrt(squares * count / (count - 1)) / tokens, tokens


def _interval(mean: float, error: float | None) -> tuple[float | None, float | None]:
    if error is None or mean + _Z_95 * error > _MAX_MEAN_NLL:
        return None, None
    return math.exp(mean - _Z_95 * error), math.exp(mean + _Z_95 * error)
