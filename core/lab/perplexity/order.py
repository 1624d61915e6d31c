"""What one perplexity job is to do, as its params keep it, and what its engine is told."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, Self, cast, get_args

from core.base.errors import JsonValue
from core.jobs.members import JsonObject, Members
from core.jobs.model import WorkerCommand
from core.jobs.order import JobKind
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

    kind: ClassVar[JobKind] = JobKind(
        name="perplexity",
        worker=WorkerCommand(module="core.workers.perplexity"),
        lane="perplexity",
        resumable=True,
        survives_front_end=True,
    )
    job_board: ClassVar[None] = None
    job_repo: ClassVar[None] = None

    @property
    def job_title(self) -> str:
        """The model."""
        return self.title

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

    @classmethod
    def from_json(cls, value: JsonObject) -> Self:
        """Read a job's params.

        Raises:
            RKDeckError: `jobs.order_lacks`, `jobs.bad_order`.
        """
        members = Members(cls.kind.name, value)
        text, levels = members.inner("text"), members.texts("levels")
        if not levels:
            raise members.refuse("levels")
        engine = cast("Engine", members.choice("engine", get_args(Engine)))
        python, calls = members.optional(members.path, "python"), members.json("calls")
        if engine != "numpy" and python is None:
            raise members.refuse("python")
        if engine == "toolkit" and not set(levels) <= set(calls):
            raise members.refuse("calls")
        return cls(
            source=members.path("source"),
            item=members.optional(members.text, "item"),
            title=members.text("title"),
            revision=members.optional(members.text, "revision"),
            fingerprint=members.text("fingerprint"),
            text_name=text.text("name"),
            text_path=text.optional(text.path, "path"),
            text_language=text.optional(text.text, "language"),
            text_sha256=text.text("sha256"),
            window=members.whole("window", 1),
            stride=members.whole("stride", 1),
            limit=members.optional(members.whole, "limit"),
            levels=levels,
            prompt=members.optional(members.text, "prompt"),
            answer_tokens=members.whole("answer_tokens"),
            engine=engine,
            python=python,
            device=members.text("device"),
            calls=calls,
            toolkit=members.json("toolkit"),
        )
