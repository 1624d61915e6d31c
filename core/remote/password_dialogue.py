"""Answering a server that wants a new password: in its login questions, or from `passwd` on a terminal."""

import re
from collections.abc import Sequence

import paramiko

# How PAM and shadow's passwd word their questions, in the languages boards are sold with.
_AGAIN = re.compile(
    r"retype|re-?enter|again|repeat|confirm|verify|vuelva|repita|de nuevo|wiederhol|retapez|ripet|redigite|ponownie"
    r"|повтор|重新|再次|确认|もう一度|다시",
    re.IGNORECASE,
)
_NEW = re.compile(r"\bnew\b|nueva|neues|nouveau|nuova|\bnova\b|\bnowe\b|нов|新|새", re.IGNORECASE)
_MAX_SAID = 16


class AsksForNewPasswordError(paramiko.SSHException):
    """The server wants a new password and there is none to give."""


class Answers:
    """The old and the new password, each given only to the question it belongs to, and once.

    Attributes:
        said: what the server remarked beside its questions; hostile text.
        asked_for_new: whether it wanted a new password.
        asked_again: whether it repeated a question, as it does when an answer was wrong.
    """

    def __init__(self, old: str, new: str | None) -> None:
        self._old = old
        self._new = new
        self._given: list[str] = []
        self.said: list[str] = []
        self.asked_for_new = False
        self.asked_again = False

    @property
    def new_was_given(self) -> bool:
        """Whether the new password was given twice, as servers want it."""
        return self._given.count("again") > 0

    def to_prompt(self, prompt: str) -> str | None:
        """The answer to one question; None: none, because it asks for something anew that was refused."""
        kind = "again" if _AGAIN.search(prompt) else "new" if _NEW.search(prompt) else "old"
        if kind in self._given:
            self.asked_again = True
            return None
        if kind != "old":
            self.asked_for_new = True
            if self._new is None:
                raise AsksForNewPasswordError("asked for a new password")
        self._given.append(kind)
        return self._old if kind == "old" else self._new

    def to_questions(self, title: str, instructions: str, fields: Sequence[tuple[str, bool]]) -> list[str]:
        """The answers to one round of keyboard-interactive questions (RFC 4256)."""
        if len(self.said) < _MAX_SAID:
            self.said += [text[:500] for text in (title, instructions) if text]
        answers = []
        for prompt, _echo in fields:
            answer = self.to_prompt(prompt)
            if answer is None:
                raise paramiko.AuthenticationException("asked for the same again")
            answers.append(answer)
        return answers
