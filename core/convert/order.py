"""What a conversion job is to do."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from core.base.errors import JsonValue
from core.jobs.members import JsonObject, Members
from core.jobs.model import WorkerCommand
from core.jobs.order import JobKind, Makes
from core.model.need import ServedNeed


@dataclass(frozen=True, slots=True)
class UsedToolkit:
    """The toolkit that does it.

    Attributes:
        python: its interpreter.
        version: of the distribution.
        simulated: whether it is RKDeck's stand-in.
    """

    python: Path
    version: str
    simulated: bool

    def to_json(self) -> dict[str, JsonValue]:
        """Return the stored form."""
        return {"python": str(self.python), "version": self.version, "simulated": self.simulated}


@dataclass(frozen=True, slots=True)
class ConvertOrder:
    """One conversion; it goes on without the front end, and starts from the beginning after a cut.

    Attributes:
        source: the model's folder.
        source_item, repo, revision: what the library knows of it; title: its name for people.
        recipe: as it was asked for, kept with the result as it is (`core.convert.recipe.Recipe.to_json`).
        platform, dtype: the names the file must bear afterwards.
        toolkit: that does it.
        calls: the toolkit's calls with their arguments; the last is the export, whose path the worker fills in.
        output: where the file goes.
        need: what it will need on a board, by the estimate; None is unknown.
        warnings: errors in their wire form that may disappoint, but stop nothing.
    """

    source: Path
    source_item: str | None
    repo: str | None
    revision: str | None
    title: str
    recipe: dict[str, JsonValue]
    platform: str
    dtype: str
    toolkit: UsedToolkit
    calls: tuple[dict[str, JsonValue], ...]
    output: Path
    need: ServedNeed | None
    warnings: tuple[dict[str, JsonValue], ...]

    kind: ClassVar[JobKind] = JobKind(
        name="convert",
        worker=WorkerCommand(module="core.workers.convert"),
        lane="convert",
        survives_front_end=True,
        makes=Makes.LIBRARY_ITEM,
    )
    job_board: ClassVar[None] = None
    job_repo: ClassVar[None] = None

    @property
    def job_title(self) -> str:
        """Which model to which file."""
        return f"{self.title} → {self.output.name}"

    def to_json(self) -> dict[str, JsonValue]:
        """Return the job's params."""
        return {
            "source": str(self.source),
            "source_item": self.source_item,
            "repo": self.repo,
            "revision": self.revision,
            "title": self.title,
            "recipe": self.recipe,
            "platform": self.platform,
            "dtype": self.dtype,
            "toolkit": self.toolkit.to_json(),
            "calls": list[JsonValue](self.calls),
            "output": str(self.output),
            **({"ram_bytes": None} if self.need is None else self.need.to_json()),
            "warnings": list[JsonValue](self.warnings),
        }

    @classmethod
    def from_json(cls, value: JsonObject) -> Self:
        """Read a job's params.

        Raises:
            RKDeckError: `jobs.order_lacks`, `jobs.bad_order`.
        """
        members = Members(cls.kind.name, value)
        toolkit, calls = members.inner("toolkit"), members.json_rows("calls")
        if not calls:
            raise members.refuse("calls")
        for call in members.rows("calls"):
            call.text("method")
            call.json("arguments")
        return cls(
            source=members.path("source"),
            source_item=members.optional(members.text, "source_item"),
            repo=members.optional(members.text, "repo"),
            revision=members.optional(members.text, "revision"),
            title=members.text("title"),
            recipe=members.json("recipe"),
            platform=members.text("platform"),
            dtype=members.text("dtype"),
            toolkit=UsedToolkit(toolkit.path("python"), toolkit.text("version"), toolkit.flag("simulated")),
            calls=calls,
            output=members.path("output"),
            need=ServedNeed.ordered(members),
            warnings=members.json_rows("warnings"),
        )
