"""One run from the engine's side: what is still to do, and where finished windows go."""

import math
import time
from typing import Protocol

from core.base.errors import JsonValue, RefusedError, RKDeckError
from core.lab.perplexity.figures import (
    MIN_SCORED_TOKENS,
    Answer,
    PerplexityResult,
    Span,
    WindowScore,
    spans,
    summarize,
)
from core.lab.perplexity.journal import WindowJournal
from core.lab.perplexity.order import PerplexityOrder
from core.vendor.levels import get_level
from core.words import tell

_REFERENCE_BITS = 16


class Reporter(Protocol):
    """Hears how far the run is (a worker's context)."""

    def progress(
        self,
        phase: str,
        done: float,
        total: float | None,
        unit: str = "bytes",
        *,
        facts: dict[str, JsonValue] | None = None,
    ) -> None:
        """So much is done."""

    def log(self, text: str, level: str = "info", *, error: RKDeckError | None = None) -> None:
        """A line worth reading."""

    def step(self, step: str, /, **figures: JsonValue) -> None:
        """A level is measured."""


class Measurement:
    """Takes an engine's findings, checks them, keeps them, and says what is missing."""

    def __init__(self, order: PerplexityOrder, journal: WindowJournal, reporter: Reporter) -> None:
        self.order = order
        self._journal = journal
        self._reporter = reporter
        self._spans: tuple[Span, ...] = ()
        self._began_s = time.monotonic()

    def prepared(self, tokens: int, context: int | None, engine: dict[str, JsonValue]) -> tuple[Span, ...]:
        """The engine has read model and text: so many tokens, so much context, and what it is.

        Returns:
            The windows of the run.

        Raises:
            RefusedError: `perplexity.window_too_long`, `perplexity.text_too_few_tokens`.
            RKDeckError: `perplexity.model_changed` when an earlier part of this run found other tokens.
        """
        order = self.order
        if context is not None and order.window > context:
            raise RefusedError("perplexity.window_too_long", window=order.window, context=context)
        self._spans = spans(tokens, order.window, order.stride, order.limit)
        if sum(span.scored for span in self._spans) < MIN_SCORED_TOKENS:
            raise RefusedError(
                "perplexity.text_too_few_tokens",
                text=order.text_name,
                tokens=tokens,
                needed=MIN_SCORED_TOKENS,
            )
        begun = self._journal.begun
        if begun is None:
            self._journal.begin({"tokens": tokens, "engine": engine})
        elif begun.get("tokens") != tokens:
            raise RKDeckError("perplexity.model_changed", model=order.title)
        elif begun.get("engine") != engine:
            # Numbers of two versions must not be mixed in one mean.
            raise RKDeckError("perplexity.engine_changed", model=order.title)
        self._tell(order.levels[0])
        return self._spans

    def todo(self, level: str) -> tuple[int, ...]:
        """Indices of the windows that are missing at a level."""
        done = self._journal.scores.get(level, {})
        return tuple(index for index in range(len(self._spans)) if index not in done)

    def done(self) -> dict[str, list[int]]:
        """Level -> windows that an earlier part of this run has finished."""
        return {level: sorted(scores) for level, scores in self._journal.scores.items()}

    def answered(self) -> tuple[str, ...]:
        """Levels whose answer is there."""
        return tuple(self._journal.answers)

    def wants_answer(self, level: str) -> bool:
        """Whether a level's answer is missing."""
        return self.order.prompt is not None and level not in self._journal.answers

    def window(self, level: str, index: int, nll: float, tokens: int, seconds: float) -> None:
        """A window is finished.

        Raises:
            RKDeckError: `perplexity.not_finite`; `perplexity.engine_fault` for a window that is none of ours.
        """
        if level not in self.order.levels or not 0 <= index < len(self._spans):
            raise RKDeckError("perplexity.engine_fault", what=f"window {index} at {level[:50]}")
        if tokens != self._spans[index].scored:
            raise RKDeckError("perplexity.engine_fault", what=f"{tokens} tokens in window {index}")
        if not math.isfinite(nll):
            raise RKDeckError("perplexity.not_finite", level=level, window=index)
        self._journal.add_window(level, WindowScore(index, nll, tokens, seconds))
        self._tell(level)
        if not self.todo(level):
            self._reporter.step("level", **self._result(level).to_json())

    def answer(self, answer: Answer) -> None:
        """A level's answer is there."""
        if answer.level not in self.order.levels:
            raise RKDeckError("perplexity.engine_fault", what=f"an answer at {answer.level[:50]}")
        self._journal.add_answer(answer)
        self._reporter.step("answer", **answer.to_json())

    def warn(self, error: RKDeckError) -> None:
        """Something that went another way than was asked."""
        tell(self._reporter.log, error, "warning")

    def finish(self, job: str) -> dict[str, JsonValue]:
        """Return the run as it is stored and as the job's result.

        Raises:
            RKDeckError: `perplexity.engine_fault` when the engine ended early.
        """
        missing = [level for level in self.order.levels if not self._spans or self.todo(level)]
        if missing:
            raise RKDeckError("perplexity.engine_fault", what="no end at " + ", ".join(missing))
        begun = self._journal.begun or {}
        params = self.order.to_json()
        kept = ("item", "title", "revision", "fingerprint", "source", "text", "window", "stride", "prompt")
        return {
            **{name: params[name] for name in kept},
            "windows": len(self._spans),
            "text_tokens": begun.get("tokens"),
            "engine": self.order.engine,
            "engine_facts": begun.get("engine"),
            "levels": [self._result(level).to_json() for level in self.order.levels],
            "answers": [
                self._journal.answers[level].to_json()
                for level in self.order.levels
                if level in self._journal.answers
            ],
            "created_unix_s": time.time(),
            "seconds": time.monotonic() - self._began_s,
            "job": job,
        }

    def _result(self, level: str) -> PerplexityResult:
        scores = self._journal.scores
        reference = self._reference()
        compared = None
        if reference is not None and reference in scores:
            compared = reference, tuple(scores[reference].values())
        return summarize(
            level,
            tuple(scores[level].values()),
            simulated_activations=get_level(level).activation_bits < _REFERENCE_BITS,
            reference=compared,
        )

    def _reference(self) -> str | None:
        """The first unquantized level of the run."""
        return next((name for name in self.order.levels if get_level(name).bits >= _REFERENCE_BITS), None)

    def _tell(self, level: str) -> None:
        done = sum(len(self._journal.scores.get(name, {})) for name in self.order.levels)
        total = len(self._spans) * len(self.order.levels)
        self._reporter.progress("measure", done, total, unit="windows", facts={"level": level})
