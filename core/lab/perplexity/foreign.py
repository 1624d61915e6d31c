"""The engines that compute under another Python: torch, and rkllm-toolkit's own simulation of its build.

Both programs are of core/workers/foreign. What they tell is checked here: a lie, a crash and a kill end in one
clear error, and every finished window is on the disk before the next message is read.
"""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.base import atomic
from core.base.errors import JsonValue, RefusedError, RKDeckError, error_from_json
from core.base.foreign import number, required, whole
from core.base.trouble import reason_of
from core.jobs.foreign import Message, run_foreign
from core.lab.perplexity.figures import Answer
from core.lab.perplexity.measurement import Measurement
from core.lab.perplexity.order import PerplexityOrder
from core.model.tokenizing import ModelTokenizer
from core.quantization.affine import is_symmetric
from core.vendor.levels import Level

_SIGKILL = 9
_LAST_BYTES = 4000
_ERROR = re.compile(r"\bERROR:\s*(.+)")
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

Output = Callable[[bytes], None]


def run_torch(measurement: Measurement, words: str, job_dir: Path, on_output: Output) -> None:
    """Measure what is missing with torch and transformers of the order's Python.

    Args:
        measurement: the order, and where findings go.
        words: the text.
        job_dir: where the program's order is written.
        on_output: hears what the program prints.

    Raises:
        RKDeckError: what the program refused (`perplexity.*`), or how it ended.
    """
    order = measurement.order
    text = job_dir / "text.txt"
    atomic.write_text(text, words)
    levels: list[JsonValue] = [level_json(level) for level in order.levels_found()]
    done: dict[str, JsonValue] = {
        level: list[JsonValue](indices) for level, indices in measurement.done().items()
    }
    orders: dict[str, JsonValue] = {
        **order.to_json(), "text": str(text), "levels": levels, "done": done,
        "answered": list(measurement.answered()),
    }  # fmt: skip
    _Program(measurement, on_output).run("perplexity.py", orders, job_dir)


def run_toolkit(measurement: Measurement, words: str, job_dir: Path, on_output: Output) -> None:
    """Measure what is missing with the logits of rkllm-toolkit after its own build of each level.

    The toolkit's manual (1.3.0, 3.1.8) evaluates so: `get_logits({"input_ids": tokens})` between `build` and
    export. Each level is built in a process of its own.

    Raises:
        RKDeckError: `perplexity.toolkit_failed`, and as `run_torch`.
    """
    order = measurement.order
    tokenizer = ModelTokenizer(order.source)
    prefix, ids = tokenizer.prefix(), tokenizer.ids(words)
    windows = measurement.prepared(len(ids), None, dict(order.toolkit))
    for level in order.levels:
        todo: list[JsonValue] = []
        for index in measurement.todo(level):
            span = windows[index]
            part: list[JsonValue] = [*prefix, *ids[span.start : span.end]]
            todo.append({"index": index, "ids": part, "first": len(prefix) + span.first - span.start})
        if todo:
            orders: dict[str, JsonValue] = {"level": level, "calls": order.calls[level], "windows": todo}
            _Program(measurement, on_output).run("toolkit_logits.py", orders, job_dir)


def level_json(level: Level) -> JsonValue:
    """Say to a program what a level does to weights and inputs."""
    return {
        "name": level.name, "bits": level.bits, "activation_bits": level.activation_bits,
        "group_size": level.group_size, "rounding": level.rounding, "symmetric": is_symmetric(level.bits),
    }  # fmt: skip


class _Program:
    """One run of a program: its messages, its output, its end."""

    def __init__(self, measurement: Measurement, on_output: Output) -> None:
        self._measurement = measurement
        self._order: PerplexityOrder = measurement.order
        self._pass_on = on_output
        self._stage = "start"
        self._refused: RKDeckError | None = None
        self._returned: str | None = None
        self._done = False
        self._last = b""

    def run(self, program: str, orders: dict[str, JsonValue], job_dir: Path) -> None:
        python = self._order.python
        assert python is not None
        file = job_dir / "order.json"
        atomic.write_json(file, orders)
        try:
            code = run_foreign(
                python, program, [str(file)], on_message=self._on_message, on_output=self._on_output
            )
        except OSError as error:
            raise RKDeckError(
                "perplexity.python_gone", python=str(python), reason=reason_of(error)
            ) from error
        self._judge(python, code)

    def _on_output(self, data: bytes) -> None:
        self._pass_on(data)
        self._last = (self._last + data)[-_LAST_BYTES:]

    def _on_message(self, message: Message) -> None:
        event = message.get("event")
        if event == "stage":
            self._stage = str(message.get("name"))
        elif event == "refused":
            self._refused = error_from_json({**message, "kind": "refused"})
        elif event == "returned":
            self._returned = str(message.get("code"))
        elif event == "done":
            self._done = True
        elif event in {"prepared", "window", "answer"}:
            try:
                self._take(str(event), message)
            except (KeyError, ValueError) as error:
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
                str(message["level"]), _whole(message["index"]), _loss(message["nll"]),
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
            # The program does not know under which name it was started.
            facts: dict[str, Any] = {**self._refused.facts, "python": str(python)}
            raise RefusedError(self._refused.code, **facts)
        said = self._said()
        if self._returned is not None:
            raise RKDeckError(
                "perplexity.toolkit_failed", stage=self._stage, returned=self._returned, said=said
            )
        if code == -_SIGKILL:
            raise RKDeckError("perplexity.out_of_memory", stage=self._stage)
        if code != 0 or not self._done:
            raise RKDeckError("perplexity.engine_ended", stage=self._stage, exit_code=code, said=said)

    def _said(self) -> str:
        """The last error line, or the last line with any text."""
        text = _COLOURS.sub("", self._last.decode("utf-8", "replace"))
        errors = _ERROR.findall(text)
        lines = [line.strip() for line in re.split(r"[\r\n]", text) if line.strip()]
        return str(errors[-1] if errors else lines[-1] if lines else "").strip()[:500]


def _loss(value: JsonValue) -> float:
    """A loss; the wire has no word for what is no number (NaN), and tells it as null."""
    return math.nan if value is None else _number(value)


def _whole(value: JsonValue) -> int:
    return required(whole(value), "a whole number")


def _number(value: JsonValue) -> float:
    return required(number(value), "a number")
