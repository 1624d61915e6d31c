"""One of the user's toolkits."""

from dataclasses import dataclass
from pathlib import Path

from core.base.errors import JsonValue


@dataclass(frozen=True, slots=True)
class Toolkit:
    """An environment with rkllm-toolkit.

    Attributes:
        python: its interpreter (not resolved: a venv's link is what makes it the venv's).
        version: of the distribution, such as `1.3.0`.
        simulated: whether it is RKDeck's stand-in.
        facts: what the check found besides.
    """

    python: Path
    version: str
    simulated: bool
    facts: dict[str, JsonValue]

    def to_json(self) -> dict[str, JsonValue]:
        """Return the document of `rkdeck toolkit --json`."""
        return {
            "python": str(self.python),
            "version": self.version,
            "simulated": self.simulated,
            "facts": self.facts,
        }
