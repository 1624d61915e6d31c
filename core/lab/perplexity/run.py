"""The measurement itself, in its worker process: by our forward pass or by a program under another Python."""

import os
from typing import Protocol

from core.base.errors import JsonValue, RefusedError, RKDeckError
from core.base.trouble import reason_of
from core.jobs.worker import WorkerContext
from core.lab.perplexity import texts
from core.lab.perplexity.fingerprint import fingerprint
from core.lab.perplexity.journal import WindowJournal
from core.lab.perplexity.measurement import Measurement
from core.lab.perplexity.order import PerplexityOrder
from core.lab.perplexity.store import PerplexityStore


class PerplexityParts(Protocol):
    """What of the house this stage needs."""

    @property
    def perplexities(self) -> PerplexityStore:
        """What was measured of models."""
        ...


def run_perplexity(
    context: WorkerContext, order: PerplexityOrder, parts: PerplexityParts
) -> dict[str, JsonValue]:
    """Measure what is missing, keep the run with the model; returns the `perplexity` result.

    Raises:
        RefusedError: `perplexity.model_changed`; RKDeckError: `perplexity.cannot_write` and what the engines say.
    """
    context.progress("read_model", 0, None, unit="windows")
    if fingerprint(order.source) != order.fingerprint:
        raise RefusedError("perplexity.model_changed", model=order.title)
    words = texts.load(order.text_name, order.text_path, order.text_sha256)
    measurement = Measurement(order, WindowJournal(context.job_dir / "windows.jsonl"), context)
    if order.engine == "numpy":
        # Before numpy is imported. More threads gain nothing on matrices this small, and on a busy computer they
        # wait for each other (measured on two busy cores: two threads take 15 to 22 times as long as one).
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
        from core.lab.perplexity.own_engine import run_numpy

        run_numpy(measurement, words)
    else:
        from core.lab.perplexity.foreign import run_toolkit, run_torch

        run = run_torch if order.engine == "torch" else run_toolkit
        run(measurement, words, context.job_dir, _print)
    result, store = measurement.finish(context.job_id), parts.perplexities
    try:
        store.add(order.item, order.source, result)
    except OSError as error:
        raise RKDeckError(
            "perplexity.cannot_write", file=str(store.folder), reason=reason_of(error)
        ) from error
    return result


def _print(data: bytes) -> None:
    """Into the job's log."""
    os.write(1, data)
