"""Telling something in a job's log: as code and facts, with the English beside it for who reads the events."""

from typing import Protocol

from core.base.errors import RKDeckError
from core.words.errors import sentence


class Log(Protocol):
    """A log of a job (`WorkerContext.log`)."""

    def __call__(self, text: str, level: str = "info", *, error: RKDeckError | None = None) -> None:
        """Write a line."""


def tell(log: Log, what: RKDeckError, level: str = "info") -> None:
    """Write a line that every front end shows in its language.

    Args:
        log: of the job.
        what: code and facts; an error that caused it is a fact too, as `cause=error.to_json()`.
        level: "info", "warning" or "error".
    """
    log(sentence(what), level, error=what)
