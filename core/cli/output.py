"""What the command line prints: results on stdout, everything else on stderr.

Nothing printed here steers the terminal, whoever wrote it; names on one line are also made visible where they are told.

With `--json` stdout carries one JSON document, or JSON lines for the verbs that report events.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from typing import TextIO

from core.base.errors import JsonValue, RKDeckError
from core.base.foreign import json_text
from core.base.names import printable, without_steering
from core.base.trouble import reason_of
from core.words import PLAIN, counted, field_name, label, word

SCHEMA = 1


class Output:
    """One command's voice.

    Attributes:
        json: whether stdout must be JSON.
        lines: whether this verb prints JSON lines (events), not one document.
        language: of everything that people read; English with `--json`.
    """

    def __init__(
        self,
        *,
        as_json: bool,
        lines: bool = False,
        language: str = PLAIN,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> None:
        self.json = as_json
        self.lines = lines
        self.language = PLAIN if as_json else language
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._bar_shown = False
        self._lock = threading.Lock()

    def tr(self, text: str, /, **facts: object) -> str:
        """Return an English text in the language of this command; `{name}` stands for a fact."""
        return label(text, self.language, **facts)

    def trn(self, one: str, many: str, count: int, /, **facts: object) -> str:
        """Return a text that counts: `one` for exactly one, `many` else; `{n}` is the number."""
        return counted(one, many, count, self.language, **facts)

    def sentence(self, error: RKDeckError) -> str:
        """Return what happened in the language of this command, without the advice."""
        return word(error, self.language)[0]

    def text(self, line: str = "") -> None:
        """Print a line of a result for people; nothing with `--json`.

        Raises:
            RKDeckError: `cli.cannot_print`, here and wherever a result is printed.
            BrokenPipeError: when who read it left.
        """
        self.piece(line + "\n")

    def piece(self, text: str) -> None:
        """Print a part of a line of a result for people, as it comes; nothing with `--json`."""
        if not self.json:
            self._print_result(without_steering(text))

    def note(self, line: str) -> None:
        """Print a message on stderr."""
        with self._lock:
            self._clear_bar()
            self._say(without_steering(line) + "\n")

    def document(self, value: JsonValue) -> None:
        """Print the one JSON document; nothing without `--json`."""
        if self.json:
            self._print_result(json_text(value) + "\n")

    def event(self, event: str, /, **data: JsonValue) -> None:
        """Print one JSON line of a reporting verb; nothing without `--json`."""
        if self.json and self.lines:
            t_unix_s = data.pop("t_unix_s", None) or time.time()
            self.document({"schema": SCHEMA, "event": event, **_first(data), "t_unix_s": t_unix_s, **data})

    def result(self, result: dict[str, JsonValue], /, **data: JsonValue) -> None:
        """Print the closing line of a reporting verb: the result's members, also together under `result`."""
        header = {key: value for key, value in data.items() if value is not None}
        self.event("result", **{**result, **header, "result": result})

    def progress(self, line: str) -> None:
        """Show progress on stderr: redrawn in place on a terminal, silent elsewhere."""
        if self._err.isatty():
            with self._lock:
                self._say(f"\r\x1b[K{without_steering(line)}")
                self._bar_shown = True

    def error(self, error: RKDeckError, /, **data: JsonValue) -> None:
        """Report a failure: sentence and advice on stderr, the document on stdout with `--json`.

        The sentence is what counts: that its document could not be printed is no second error.
        """
        message, hint = word(error, self.language)
        if error.facts.get("overridable") is True:
            may_force = self.sentence(RKDeckError("cli.may_force"))
            hint = f"{hint} ({may_force})" if hint else may_force
        self.note(f"rkdeck: {message}" + (f"\n  {hint}" if hint else ""))
        document: dict[str, JsonValue] = {
            "code": error.code,
            "message": message,
            "hint": hint,
            "facts": dict(error.facts),
        }
        with contextlib.suppress(RKDeckError):
            if self.json and self.lines:
                self.event("error", **data, error=document)
            else:
                self.document({"error": document})

    def members(self, rows: Sequence[tuple[str, str]]) -> None:
        """Print members of a document, each with its name (`core.words.field_name`) on the left."""
        names = [field_name(name, self.language) for name, _ in rows]
        width = max(map(len, names), default=0)
        for name, (_, value) in zip(names, rows, strict=True):
            self.text(f"{name:>{width}}  {value}")

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> None:
        """Print aligned columns; those numbered in `right` are aligned to the right; the header is translated."""
        cells = [
            [self.tr(title) for title in header],
            *([printable(cell, limit=160) for cell in row] for row in rows),
        ]
        widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
        for row in cells:
            aligned = [
                cell.rjust(widths[column]) if column in right else cell.ljust(widths[column])
                for column, cell in enumerate(row)
            ]
            self.text("  ".join(aligned).rstrip())

    def _print_result(self, text: str) -> None:
        """Write at once and whole: several boards are followed by several threads."""
        with self._lock:
            self._clear_bar()
            try:
                self._out.write(text)
                self._out.flush()
            except BrokenPipeError:
                raise
            except OSError as error:
                raise RKDeckError("cli.cannot_print", reason=reason_of(error)) from error

    def _say(self, text: str) -> None:
        # Where standard error is closed or full nobody can be told; the exit code still tells.
        with contextlib.suppress(OSError):
            self._err.write(text)
            self._err.flush()

    def _clear_bar(self) -> None:
        if self._bar_shown:
            self._say("\r\x1b[K")
            self._bar_shown = False


def _first(data: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Take job and board out of `data`, so that every line begins alike."""
    return {key: data.pop(key) for key in ("job", "board") if data.get(key) is not None}
