"""What one perplexity job is to do, as its params keep it, and what its engine is told."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from core.base.errors import JsonValue, RKDeckError
from core.vendor.levels import Level, get_level

Engine = Literal["numpy", "torch", "toolkit"]


@dataclass(frozen=True, slots=True)
class PerplexityOrder:
    """One job's work.

    Attributes:
        source: the model's folder; item: its library id, title and revision for people.
        fingerprint: of the model when the job was started (`core.lab.perplexity.fingerprint`).
        text_name, text_path, text_language, text_sha256: the text; no path for a built-in one.
        window, stride: tokens; limit: most windows, None for the whole text.
        levels: names, in the order they are measured.
        prompt: to be answered greedily at each level, None for no answers.
        answer_tokens: most tokens of an answer.
        engine: who computes; python: the interpreter with torch or the toolkit, device: where it computes.
        calls: level -> the toolkit's calls before its logits; toolkit: what it is; both for that engine only.
    """

    source: Path
    item: str | None
    title: str
    revision: str | None
    fingerprint: str
    text_name: str
    text_path: Path | None
    text_language: str | None
    text_sha256: str
    window: int
    stride: int
    limit: int | None
    levels: tuple[str, ...]
    prompt: str | None
    answer_tokens: int
    engine: Engine
    python: Path | None
    device: str
    calls: dict[str, JsonValue] = field(default_factory=dict)
    toolkit: dict[str, JsonValue] = field(default_factory=dict)

    def levels_found(self) -> tuple[Level, ...]:
        """The levels themselves."""
        return tuple(get_level(name) for name in self.levels)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the job's params."""
        return {
            "source": str(self.source),
            "item": self.item,
            "title": self.title,
            "revision": self.revision,
            "fingerprint": self.fingerprint,
            "text": {
                "name": self.text_name,
                "path": str(self.text_path) if self.text_path else None,
                "language": self.text_language,
                "sha256": self.text_sha256,
            },
            "window": self.window,
            "stride": self.stride,
            "limit": self.limit,
            "levels": list(self.levels),
            "prompt": self.prompt,
            "answer_tokens": self.answer_tokens,
            "engine": self.engine,
            "python": str(self.python) if self.python else None,
            "device": self.device,
            "calls": self.calls,
            "toolkit": self.toolkit,
        }


def order_from_json(value: dict[str, JsonValue]) -> PerplexityOrder:
    """Read a job's params.

    Raises:
        RKDeckError: `perplexity.bad_order`.
    """
    try:
        text, levels = value["text"], value["levels"]
        assert isinstance(text, dict)
        assert isinstance(levels, list)
        engine = str(value["engine"])
        assert engine in {"numpy", "torch", "toolkit"}
        return PerplexityOrder(
            source=Path(str(value["source"])),
            item=_optional(value["item"]),
            title=str(value["title"]),
            revision=_optional(value["revision"]),
            fingerprint=str(value["fingerprint"]),
            text_name=str(text["name"]),
            text_path=_path(text["path"]),
            text_language=_optional(text["language"]),
            text_sha256=str(text["sha256"]),
            window=_whole(value["window"]),
            stride=_whole(value["stride"]),
            limit=None if value["limit"] is None else _whole(value["limit"]),
            levels=tuple(str(level) for level in levels),
            prompt=_optional(value["prompt"]),
            answer_tokens=_whole(value["answer_tokens"]),
            engine=cast("Engine", engine),
            python=_path(value["python"]),
            device=str(value["device"]),
            calls=_members(value["calls"]),
            toolkit=_members(value["toolkit"]),
        )
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise RKDeckError("perplexity.bad_order", reason=str(error) or "wrong type") from error


def _members(value: JsonValue) -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def _optional(value: JsonValue) -> str | None:
    return None if value is None else str(value)


def _path(value: JsonValue) -> Path | None:
    return None if value is None else Path(str(value))


def _whole(value: JsonValue) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("not a whole number")
    return value
