"""Worker: one measurement of perplexity, by our forward pass or by a Python that has torch."""

import os
from pathlib import Path
from typing import Any

from core.base import atomic
from core.base.errors import JsonValue, RefusedError, RKDeckError, error_from_json
from core.base.paths import AppPaths
from core.jobs.foreign import Message, run_foreign
from core.jobs.worker import WorkerContext, run_worker
from core.lab import texts
from core.lab.fingerprint import fingerprint
from core.lab.journal import Journal
from core.lab.measurement import Measurement
from core.lab.perplexity import Answer
from core.lab.perplexity_order import PerplexityOrder, order_from_json
from core.lab.perplexity_store import PerplexityStore

_SIGKILL = 9
_LAST_BYTES = 2000


def main(context: WorkerContext) -> dict[str, JsonValue]:
    """Measure what is missing, keep the run with the model; returns the `perplexity` result."""
    order = order_from_json(context.params)
    context.progress("Reading the model", 0, None, unit="windows")
    if fingerprint(order.source) != order.fingerprint:
        raise RefusedError("perplexity.model_changed", model=order.title)
    words = texts.load(order.text_name, order.text_path, order.text_sha256)
    measurement = Measurement(order, Journal(context.job_dir / "windows.jsonl"), context)
    if order.engine == "numpy":
        # Before numpy is imported. More threads gain nothing on matrices this small, and on a busy computer they
        # wait for each other (measured: 50 times slower).
        os.environ["OPENBLAS_NUM_THREADS"] = "2"
        from core.lab.perplexity_numpy import run_numpy

        run_numpy(measurement, words)
    else:
        _Torch(context, order, measurement).run(words)
    run = measurement.finish(context.job_id)
    store = PerplexityStore(AppPaths(context.home).perplexity)
    try:
        store.add(order.item, order.source, run)
    except OSError as error:
        raise RKDeckError(
            "perplexity.cannot_write", file=str(store.folder), reason=error.strerror or str(error)
        ) from error
    return run


class _Torch:
    """The frame around the program that runs under the other Python."""

    def __init__(self, context: WorkerContext, order: PerplexityOrder, measurement: Measurement) -> None:
        self._context = context
        self._order = order
        self._measurement = measurement
        self._stage = "start"
        self._refused: RKDeckError | None = None
        self._done = False
        self._last = b""

    def run(self, words: str) -> None:
        """Run it to its end.

        Raises:
            RKDeckError: what the program refused, or how it ended.
        """
        order = self._order
        assert order.python is not None
        text, file = self._context.job_dir / "text.txt", self._context.job_dir / "order.json"
        atomic.write_text(text, words)
        levels: list[JsonValue] = [
            {
                "name": level.name, "bits": level.bits, "activation_bits": level.activation_bits,
                "group_size": level.group_size,
            }
            for level in order.levels_found()
        ]  # fmt: skip
        done: dict[str, JsonValue] = {
            level: list[JsonValue](indices) for level, indices in self._measurement.done().items()
        }
        atomic.write_json(
            file,
            {
                **order.to_json(), "text": str(text), "levels": levels, "done": done,
                "answered": list(self._measurement.answered()),
            },
        )  # fmt: skip
        try:
            code = run_foreign(
                order.python, "perplexity.py", [str(file)],
                on_message=self._on_message, on_output=self._on_output,
            )  # fmt: skip
        except OSError as error:
            raise RKDeckError(
                "perplexity.python_gone", python=str(order.python), reason=error.strerror or str(error)
            ) from error
        self._judge(order.python, code)

    def _on_output(self, data: bytes) -> None:
        os.write(1, data)
        self._last = (self._last + data)[-_LAST_BYTES:]

    def _on_message(self, message: Message) -> None:
        event = message.get("event")
        if event == "stage":
            self._stage = str(message.get("name"))
        elif event == "refused":
            self._refused = error_from_json({**message, "kind": "refused"})
        elif event == "done":
            self._done = True
        elif event in {"prepared", "window", "answer"}:
            try:
                self._take(str(event), message)
            except (KeyError, TypeError, ValueError) as error:
                raise RKDeckError("perplexity.engine_fault", what=f"a bad {event} message") from error

    def _take(self, event: str, message: Message) -> None:
        measurement = self._measurement
        if event == "prepared":
            facts, context = message["engine"], message["context"]
            measurement.prepared(
                _whole(message["tokens"]),
                None if context is None else _whole(context),
                dict(facts) if isinstance(facts, dict) else {},
            )
        elif event == "window":
            measurement.window(
                str(message["level"]), _whole(message["index"]), _number(message["nll"]),
                _whole(message["tokens"]), _number(message["seconds"]),
            )  # fmt: skip
        else:
            measurement.answer(
                Answer(
                    str(message["level"]), str(message["text"]), _whole(message["tokens"]),
                    _number(message["seconds"]), message["ended"] is True,
                )
            )  # fmt: skip

    def _judge(self, python: Path, code: int) -> None:
        """Turn the end of the program into silence or one clear error."""
        if self._refused is not None:
            # Only the program's own interpreter can say which one it was.
            facts: dict[str, Any] = {**self._refused.facts, "python": str(python)}
            raise RefusedError(self._refused.code, **facts)
        lines = self._last.decode("utf-8", "replace").strip().splitlines()
        said = lines[-1][:500] if lines else ""
        if code == -_SIGKILL:
            raise RKDeckError("perplexity.out_of_memory", stage=self._stage)
        if code != 0 or not self._done:
            raise RKDeckError("perplexity.engine_ended", stage=self._stage, exit_code=code, said=said)


def _whole(value: JsonValue) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("not a whole number")
    return value


def _number(value: JsonValue) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    return float(value)


if __name__ == "__main__":
    run_worker(main)
