"""Files of a board: found there, or of its store and to be removed."""

from dataclasses import dataclass

from core.base.errors import JsonValue
from core.deploy.layout import Deployment


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A model file on a board; `path` is hostile text until it was made printable."""

    path: str
    size_bytes: int

    def to_json(self) -> dict[str, JsonValue]:
        """The member of `rkdeck adopt --json`."""
        return {"path": self.path, "size_bytes": self.size_bytes}


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of the store.

    Attributes:
        size_bytes: on the disk; 0 for one that also lies elsewhere on the board, since removing it frees nothing.
        settled: nobody wrote to it for an hour, so no deployment is about to refer to it.
        aside: somebody who tidied up was killed at it, or is at it now; it is brought back before anything goes.
    """

    name: str
    sha256: str
    size_bytes: int
    settled: bool
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """What a broken-off upload left, and nobody went on with for a week by the board's clock."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Pruning:
    """What is, or would be, removed.

    Attributes:
        versions: of deployments, never one in use.
        blobs: files nobody refers to then.
        freed_bytes: on the board's disk.
        kept_bytes: of the store's files that stay.
        parts: of uploads that nobody goes on with.
    """

    versions: tuple[Deployment, ...]
    blobs: tuple[Blob, ...]
    freed_bytes: int
    kept_bytes: int
    parts: tuple[Part, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remove."""
        return not (self.versions or self.blobs or self.parts)

    def to_json(self) -> dict[str, JsonValue]:
        """The document of `rkdeck prune --json`."""
        return {
            "versions": [{"name": entry.name, "version": entry.version} for entry in self.versions],
            "blobs": [blob.name for blob in self.blobs],
            "parts": [part.sha256 for part in self.parts],
            "freed_bytes": self.freed_bytes,
            "kept_bytes": self.kept_bytes,
        }
