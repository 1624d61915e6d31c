"""A run's finished windows on disk, one line each: what a killed job has done is done."""

import json
import os
from pathlib import Path
from typing import Any

from core.base import atomic
from core.base.errors import JsonValue, RKDeckError
from core.base.foreign import lines, members
from core.base.opening import open_regular, regular_only
from core.base.records import record
from core.base.trouble import reason_of
from core.lab.perplexity.figures import Answer, WindowScore

_MAX_BYTES = 64 << 20


class WindowJournal:
    """Scores and answers so far. One process at a time writes it (the job's lock sees to that).

    Attributes:
        begun: what the run found out before its first window (tokens of the text, the engine), None before.
        scores: level -> window index -> score; a window that was written twice counts once.
        answers: level -> answer.
    """

    def __init__(self, path: Path) -> None:
        """Read what is there; a torn last line (a killed writer, a full disk) is cut off.

        Raises:
            RKDeckError: `perplexity.bad_journal` for lines that no run of ours wrote.
        """
        self._path = path
        self.begun: dict[str, JsonValue] | None = None
        self.scores: dict[str, dict[int, WindowScore]] = {}
        self.answers: dict[str, Answer] = {}
        self._read()

    def begin(self, facts: dict[str, JsonValue]) -> None:
        """Keep what the run found out."""
        self.begun = facts
        self._append({"kind": "begin", "facts": facts})

    def add_window(self, level: str, score: WindowScore) -> bool:
        """Keep a window; returns False, and changes nothing, when it is there already."""
        if score.index in self.scores.get(level, {}):
            return False
        self._append(
            {
                "kind": "window", "level": level, "index": score.index, "nll": score.nll,
                "tokens": score.tokens, "seconds": score.seconds,
            }
        )  # fmt: skip
        self.scores.setdefault(level, {})[score.index] = score
        return True

    def add_answer(self, answer: Answer) -> None:
        """Keep an answer."""
        if answer.level not in self.answers:
            self._append({"kind": "answer", **answer.to_json()})
            self.answers[answer.level] = answer

    def _append(self, value: dict[str, JsonValue]) -> None:
        line = json.dumps(value, ensure_ascii=True, allow_nan=False) + "\n"
        try:
            with open(self._path, "ab", opener=regular_only) as file:
                file.write(line.encode())
                atomic.fsync_file(file)
        except OSError as error:
            raise RKDeckError(
                "perplexity.cannot_write", file=str(self._path), reason=reason_of(error)
            ) from error

    def _read(self) -> None:
        try:
            with open_regular(self._path) as file:
                data = file.read(_MAX_BYTES + 1)
        except FileNotFoundError:
            return
        end = data.rfind(b"\n") + 1
        if len(data) > _MAX_BYTES:
            raise RKDeckError("perplexity.bad_journal", file=str(self._path), line=0)
        if end < len(data):
            os.truncate(self._path, end)
        for number, line in enumerate(lines(data[:end]), 1):
            try:
                self._take(members(line))
            except (AssertionError, KeyError, ValueError) as error:
                raise RKDeckError("perplexity.bad_journal", file=str(self._path), line=number) from error

    def _take(self, value: dict[str, Any]) -> None:
        kind = value["kind"]
        if kind == "begin":
            assert isinstance(value["facts"], dict)
            self.begun = value["facts"]
        elif kind == "window":
            score = record(WindowScore, value)
            assert score.tokens > 0
            self.scores.setdefault(str(value["level"]), {}).setdefault(score.index, score)
        elif kind == "answer":
            answer = record(Answer, value)
            self.answers.setdefault(answer.level, answer)
        else:
            raise ValueError(kind)
