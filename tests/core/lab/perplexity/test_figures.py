"""The definition: windows, the one number, how sure it is; against independent computations."""

import itertools
import math
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import RKDeckError, UsageError
from core.base.records import record
from core.demo.checkpoint import forward_at
from core.demo.corpus import load_corpus
from core.lab.perplexity.checkpoint import load_checkpoint
from core.lab.perplexity.figures import PerplexityResult, Span, WindowScore, spans, summarize
from core.lab.perplexity.own_engine import span_loss
from core.quantization.forward import perplexity, window_losses

MODEL = Path(str(resources.files("resources"))) / "demo" / "wonderland-1m"
MEAN, SPREAD = 2.0, 0.25


@given(st.integers(0, 400), st.integers(2, 60), st.integers(1, 60), st.none() | st.integers(1, 5))
def test_each_token_counts_once_at_its_first_chance(
    tokens: int, window: int, stride: int, limit: int | None
) -> None:
    stride = min(stride, window)
    found = spans(tokens, window, stride, limit)
    counted = list(itertools.chain.from_iterable(range(span.first, span.end) for span in found))
    assert len(counted) == len(set(counted))
    assert counted == sorted(counted)
    for span in found:
        assert 0 <= span.start < span.first < span.end <= tokens
        assert span.end - span.start <= window
        assert span.start % stride == 0
    if limit is None and tokens >= 2:
        uncounted = set(range(1, tokens)) - set(counted)
        # Only separate windows leave their first token out.
        assert uncounted == (set(range(window, tokens, window)) if stride == window else set())
    if limit is not None:
        assert found == spans(tokens, window, stride)[:limit]


def test_windows_by_hand() -> None:
    assert spans(10, 4) == (Span(0, 4, 1), Span(4, 8, 5), Span(8, 10, 9))
    assert spans(9, 4) == (Span(0, 4, 1), Span(4, 8, 5))  # a last window of one token predicts nothing
    assert spans(9, 4, 2) == (Span(0, 4, 1), Span(2, 6, 4), Span(4, 8, 6), Span(6, 9, 8))
    assert spans(1, 4) == spans(0, 4) == ()


@pytest.mark.parametrize(
    ("window", "stride", "limit"), [(1, None, None), (4, 5, None), (4, 0, None), (4, 4, 0)]
)
def test_impossible_windows_are_refused(window: int, stride: int | None, limit: int | None) -> None:
    with pytest.raises(UsageError) as caught:
        spans(100, window, stride, limit)
    assert caught.value.code == "perplexity.bad_window"


def test_the_number_and_its_interval() -> None:
    scores = [WindowScore(1, 20.0, 10, 0.5), WindowScore(0, 60.0, 20, 0.25)]
    result = summarize("fp16", scores, simulated_activations=False)
    assert result.perplexity == pytest.approx(math.exp(80 / 30))
    assert (result.tokens, result.windows, result.seconds) == (30, 2, 0.75)
    # Ratio estimator by hand: residuals 20 - 26.67 and 60 - 53.33.
    error = math.sqrt(2 / 1 * 2 * (20 / 3) ** 2) / 30
    assert result.standard_error == pytest.approx(error)
    assert result.low == pytest.approx(math.exp(80 / 30 - 1.959964 * error))
    assert result.high == pytest.approx(math.exp(80 / 30 + 1.959964 * error))
    assert record(PerplexityResult, result.to_json()) == result
    alone = summarize("fp16", scores[:1], simulated_activations=True)
    assert (alone.low, alone.high, alone.standard_error) == (None, None, None)


def test_the_interval_holds_what_it_promises() -> None:
    chance = np.random.default_rng(5)
    inside, rounds = 0, 400
    for _ in range(rounds):
        losses = chance.normal(MEAN, SPREAD, 30) * 50
        scores = [WindowScore(index, float(loss), 50, 0.0) for index, loss in enumerate(losses)]
        result = summarize("fp16", scores, simulated_activations=False)
        assert result.low is not None
        assert result.high is not None
        inside += result.low <= math.exp(MEAN) <= result.high
    assert 0.90 < inside / rounds < 0.98


def test_levels_are_compared_window_by_window() -> None:
    chance = np.random.default_rng(6)
    losses = chance.normal(MEAN, SPREAD, 30) * 50
    first = [WindowScore(index, float(loss), 50, 0.0) for index, loss in enumerate(losses)]
    worse = [WindowScore(score.index, score.nll + 0.5, 50, 0.0) for score in first]
    result = summarize("w4a16", worse, simulated_activations=False, reference=("fp16", first))
    assert result.reference == "fp16"
    assert result.ratio == pytest.approx(math.exp(0.01))
    assert result.ratio_low == pytest.approx(result.ratio_high)
    # Each perplexity by itself is far less certain.
    assert result.low is not None
    assert result.high is not None
    assert result.high / result.low > 1.1
    other = summarize("w4a16", worse, simulated_activations=False, reference=("fp16", first[1:]))
    assert other.ratio is None
    assert summarize("fp16", first, simulated_activations=False, reference=("fp16", first)).ratio is None


@pytest.mark.parametrize("nll", [math.inf, math.nan, 1e9])
def test_losses_that_are_no_numbers_are_an_error(nll: float) -> None:
    with pytest.raises(RKDeckError) as caught:
        summarize("fp16", [WindowScore(0, nll, 10, 0.0)], simulated_activations=False)
    assert caught.value.code == "perplexity.not_finite"


def test_a_window_against_plain_arithmetic() -> None:
    """One token at a time, each probability by itself in double precision."""
    model = load_checkpoint(MODEL)
    forward = forward_at(model.weights, "w4a16_g32")
    ids = np.asarray(model.tokenizer.ids(load_corpus().held_out[:400]), np.int64)
    span = Span(3, 40, 9)
    loss = 0.0
    for place in range(span.first, span.end):
        scores = forward.logits(ids[span.start : place])[-1].astype(np.float64)
        shares = np.exp(scores - scores.max())
        loss -= math.log(shares[ids[place]] / shares.sum())
    nll, tokens = span_loss(forward, (), ids, span)
    assert tokens == span.scored == 31
    assert nll == pytest.approx(loss, rel=1e-5)
    prefixed, _ = span_loss(forward, (0,), ids, span)
    assert prefixed != pytest.approx(nll, rel=1e-5)


@pytest.mark.parametrize("window", [64, 150])
def test_separate_windows_are_those_of_the_forward_pass(window: int) -> None:
    model = load_checkpoint(MODEL)
    forward = forward_at(model.weights, "fp16")
    ids = np.asarray(model.tokenizer.ids(load_corpus().held_out[:900]), np.int64)
    ours = [span_loss(forward, (), ids, span) for span in spans(len(ids), window)]
    assert ours == list(window_losses(forward, ids, window))
    scores = [WindowScore(index, *loss, 0.0) for index, loss in enumerate(ours)]
    result = summarize("fp16", scores, simulated_activations=False)
    assert result.perplexity == pytest.approx(perplexity(forward, ids, window))
