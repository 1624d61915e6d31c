"""What the library knows of a model and of its files."""

from dataclasses import dataclass
from pathlib import Path

from core.base.errors import JsonValue
from core.base.left_out import LeftOut
from core.vendor.kinds import ModelKind, model_kinds

# An item of this kind is a folder of unconverted weights; all others are files of a kind that boards run.
SOURCE = "source"
FORMERLY = "formerly"


@dataclass(frozen=True, slots=True)
class LibraryFile:
    """One file of an item; `name` is relative to the item's folder. None is unknown."""

    name: str
    size_bytes: int | None
    sha256: str | None

    def to_json(self) -> dict[str, JsonValue]:
        """Return the document's member."""
        return {"name": self.name, "size_bytes": self.size_bytes, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class LibraryItem:
    """A model on this computer.

    Attributes:
        kind: "source", or the name of a model kind (`core.vendor.kinds`).
        path: a folder (of a source) or a file; of a model in parts the first.
        size_bytes, created_unix_s: None where the database tells what cannot be.
        provenance: where it came from and how it was made.
    """

    id: str
    kind: str
    title: str
    repo: str | None
    revision: str | None
    path: Path
    size_bytes: int | None
    created_unix_s: float | None
    provenance: dict[str, JsonValue]
    files: tuple[LibraryFile, ...]

    @property
    def is_source(self) -> bool:
        """Whether it is a model as its authors made it, to be measured and converted."""
        return self.kind == SOURCE

    @property
    def model_kind(self) -> ModelKind | None:
        """The kind of file that a board runs; None of a source, and of a kind that a newer RKDeck wrote down."""
        return model_kinds().get(self.kind)

    @property
    def former_repos(self) -> tuple[str, ...]:
        """What its repository was called before; it is found under these names too."""
        names = self.provenance.get(FORMERLY)
        return tuple(str(name) for name in names) if isinstance(names, list) else ()

    def is_of(self, repo: str | None) -> bool:
        """Whether it came from that repository, under its present name or an earlier one."""
        return repo is not None and repo in {self.repo, *self.former_repos}

    def is_called(self, text: str) -> bool:
        """Whether text is its id, title or path, or a name of its repository."""
        # Any part of a model stands for it.
        parts = (
            {str(self.folder / file.name) for file in self.files} if self.model_kind is not None else set()
        )
        return text in {self.id, str(self.path), self.title, *parts} or self.is_of(text)

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self.path if self.is_source else self.path.parent

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Files of the model that are not in the item, for their names."""
        rows = self.provenance.get("left_out")
        return tuple(
            LeftOut(str(row["name"]), str(row["why"]))
            for row in (rows if isinstance(rows, list) else ())
            if isinstance(row, dict) and row.keys() >= {"name", "why"}
        )

    def to_json(self) -> dict[str, JsonValue]:
        """Return the document of `rkdeck library --json`."""
        return {
            "id": self.id,
            "kind": self.kind,
            "title": self.title,
            "repo": self.repo,
            "revision": self.revision,
            "path": str(self.path),
            "size_bytes": self.size_bytes,
            "created_unix_s": self.created_unix_s,
            "provenance": self.provenance,
            "files": [file.to_json() for file in self.files],
        }
