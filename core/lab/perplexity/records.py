"""One measurement of a model's perplexity as it is kept."""

from dataclasses import dataclass

from core.base.errors import JsonValue
from core.lab.perplexity.figures import Answer, PerplexityResult


@dataclass(frozen=True, slots=True)
class PerplexityRun:
    """What one set of conditions gave: a row of levels, side by side.

    Attributes:
        text: name of the text; text_sha256, text_language: which it was.
        window, stride, windows: tokens of a window, tokens between their beginnings, how many were measured.
        text_tokens: tokens of the whole text.
        engine: "numpy", "torch" or "toolkit"; engine_facts: versions and the like.
        results: in the order measured; answers: to `prompt`, the same levels.
        created_unix_s: of the newest result.
        current: whether the model's files are still those that were measured.
    """

    title: str
    revision: str | None
    text: str
    text_sha256: str
    text_language: str | None
    window: int
    stride: int
    windows: int
    text_tokens: int | None
    engine: str
    engine_facts: dict[str, JsonValue]
    results: tuple[PerplexityResult, ...]
    prompt: str | None
    answers: tuple[Answer, ...]
    created_unix_s: float
    current: bool

    def to_json(self) -> dict[str, JsonValue]:
        """Return the member of the `perplexity --stored` document."""
        return {
            "title": self.title,
            "revision": self.revision,
            "text": {"name": self.text, "sha256": self.text_sha256, "language": self.text_language},
            "window": self.window,
            "stride": self.stride,
            "windows": self.windows,
            "text_tokens": self.text_tokens,
            "engine": self.engine,
            "engine_facts": self.engine_facts,
            "levels": [result.to_json() for result in self.results],
            "prompt": self.prompt,
            "answers": [answer.to_json() for answer in self.answers],
            "created_unix_s": self.created_unix_s,
            "current": self.current,
        }

    def result(self, level: str) -> PerplexityResult | None:
        """The result at a level."""
        return next((result for result in self.results if result.level == level), None)

    def answer(self, level: str) -> Answer | None:
        """The answer at a level."""
        return next((answer for answer in self.answers if answer.level == level), None)
