"""What the doctor says: a finding for each check, worded by the front ends from its code."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from core.base.errors import JsonValue, RKDeckError
from core.boards.doctor.remedies import Remedy

Verdict = Literal["ok", "warning", "failed", "unknown"]
Facts = dict[str, JsonValue]
# Without these nothing can be said about the rest: of a board, and of a file on one.
_DECISIVE = frozenset({"soc", "driver", "model_board", "model_memory"})
_WORST_FIRST: tuple[Verdict, ...] = ("failed", "warning", "unknown", "ok")


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: which one, a stable name.
        code: of its sentence and its remedy, in the same tables as the errors' (`core.words`).
        facts: what fills them.
        remedy: what RKDeck can do about it when the user says so.
    """

    check: str
    verdict: Verdict
    code: str
    facts: dict[str, JsonValue]
    remedy: Remedy | None = None

    def with_remedy(self, remedy: Remedy | None) -> "Finding":
        """The same finding with a remedy RKDeck can carry out, if there is one."""
        return replace(self, remedy=remedy)

    @property
    def statement(self) -> RKDeckError:
        """What the wording of errors takes: code and facts."""
        return RKDeckError(self.code, hint=None, **self.facts)

    def to_json(self) -> dict[str, JsonValue]:
        """The finding without its words, which belong to the front ends."""
        return {
            "check": self.check,
            "verdict": self.verdict,
            "code": self.code,
            "facts": dict(self.facts),
            "fix": self.remedy.to_json() if self.remedy is not None else None,
        }


def finding(check: str, verdict: Verdict, code: str, /, **facts: JsonValue) -> Finding:
    """A finding; the code must be a literal, so that a test can see that it has words."""
    return Finding(check, verdict, code, facts)


def overall(findings: Iterable[Finding]) -> Verdict:
    """What all findings come to: the worst, and unknown when a decisive one is."""
    found = list(findings)
    if any(entry.verdict == "failed" for entry in found):
        return "failed"
    if any(entry.verdict == "unknown" and entry.check in _DECISIVE for entry in found):
        return "unknown"
    return "warning" if any(entry.verdict in {"warning", "unknown"} for entry in found) else "ok"


def worst(findings: Iterable[Finding]) -> Finding | None:
    """The one finding that decides what all come to (`overall`); of several the first, None of none."""
    found = list(findings)
    verdict = overall(found)
    deciding = [
        entry
        for entry in found
        if entry.verdict == verdict and (verdict != "unknown" or entry.check in _DECISIVE)
    ]
    # Several unknowns that decide nothing come to a warning.
    return min(deciding or found, key=lambda entry: _WORST_FIRST.index(entry.verdict), default=None)
