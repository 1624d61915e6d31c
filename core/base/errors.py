"""Typed errors: a code, facts and an optional hint code, never a sentence.

Front ends word them (`core/words`, later the window's own wording), so that one error speaks every
language and a worker process can send it as JSON without losing anything.
"""

from collections.abc import Mapping
from typing import ClassVar

from core.base.blot import BLOT, without_secrets

_MAX_FACTS_CHARACTERS = 1 << 20
_kinds: dict[str, "type[RKDeckError]"] = {}

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]


class RKDeckError(Exception):
    """Something went wrong that a person must hear about.

    Attributes:
        code: stable identifier `room.what_happened`.
        facts: JSON values that fill the sentence and the `--json` document; secrets in their texts (`core.base.blot`)
            are blotted out here, before an error is shown, logged, kept with a job or sent.
        hint: code of another advice than the code's own, or None.
    """

    exit_code: ClassVar[int] = 1
    kind: ClassVar[str] = "error"

    def __init__(self, code: str, /, *, hint: str | None = None, **facts: JsonValue) -> None:
        self.code = code
        blotter = _Blotter()
        self.facts: dict[str, JsonValue] = {key: blotter.blotted(fact) for key, fact in facts.items()}
        super().__init__(code, self.facts)
        self.hint = hint

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "kind" in cls.__dict__:  # one that inherits it does not stand for it when an error is read
            _kinds[cls.kind] = cls

    def __str__(self) -> str:
        facts = ", ".join(f"{key}={value!r}" for key, value in self.facts.items())
        return f"{self.code}({facts})"

    def to_json(self) -> dict[str, JsonValue]:
        """Return the wire form: `{"code", "kind", "facts", "hint"}`."""
        return {"code": self.code, "kind": self.kind, "facts": dict(self.facts), "hint": self.hint}


class UsageError(RKDeckError):
    """The command or call itself makes no sense (exit 2)."""

    exit_code = 2
    kind = "usage"


class RefusedError(RKDeckError):
    """A check said no before anything was changed (exit 3)."""

    exit_code = 3
    kind = "refused"


class CancelledError(RKDeckError):
    """The user, or the program that asked, called it off (exit 130)."""

    exit_code = 130
    kind = "cancelled"


def error_from_json(value: Mapping[str, object]) -> RKDeckError:
    """Rebuild an error from its wire form; tolerates missing and wrongly typed members.

    A document that is not an error at all becomes `base.malformed_error`, so that a worker's garbage is
    still reported as a failure.
    """
    code, kind, facts, hint = (value.get(key) for key in ("code", "kind", "facts", "hint"))
    if not isinstance(code, str) or not code:
        return RKDeckError("base.malformed_error", text=repr(dict(value))[:500])
    cls = _kinds.get(kind, RKDeckError) if isinstance(kind, str) else RKDeckError
    known = {str(key): _plain(item) for key, item in facts.items()} if isinstance(facts, Mapping) else {}
    known.pop("hint", None)
    return cls(code, hint=hint if isinstance(hint, str) else None, **known)


def _plain(value: object) -> JsonValue:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return repr(value)


class _Blotter:
    """Blots secrets out of one error's facts. Nobody reads a megabyte of them: texts beyond that are not kept."""

    def __init__(self) -> None:
        self._left = _MAX_FACTS_CHARACTERS

    def blotted(self, value: JsonValue) -> JsonValue:
        """The fact without its secrets."""
        if isinstance(value, str):
            self._left -= len(value)
            return without_secrets(value) if self._left >= 0 else BLOT
        if isinstance(value, dict):
            return {key: self.blotted(item) for key, item in value.items()}
        return [self.blotted(item) for item in value] if isinstance(value, list) else value
