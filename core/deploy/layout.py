"""The store on a board: which files lie where, and what a manifest says. Drawn in `docs/board-store.md`.

What a board answers is hostile text: names must match the patterns below, and the path of a blob is always
computed from its digest, never read.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from core.base import foreign
from core.base.errors import JsonValue
from core.fitness.candidate import Holdings
from core.fitness.gguf_rules import MOST_PARTS
from core.vendor.kinds import ModelKind, model_kinds

SCHEMA = 2
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
VERSION = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{12}")
DIGEST = re.compile(r"[0-9a-f]{64}")
_TIME = "%Y%m%dT%H%M%SZ"
_MAX_FILES = 64
_FIRST_KIND = "rkllm"
_FILE_ENDING = ".file"
# A manifest that is longer is not read back (`scripts.LIST`).
_MAX_RECIPE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class DeployedFile:
    """A file that belongs to a deployment; `name` is what it is called beside the model."""

    name: str
    sha256: str
    size_bytes: int

    def to_json(self) -> dict[str, JsonValue]:
        """The member of the manifest."""
        return {"name": self.name, "sha256": self.sha256, "size_bytes": self.size_bytes}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a model came from and how it was made, as far as that is known.

    Attributes:
        files: of the set, without the model itself.
        repo, revision: on the Hub.
        licence: as its publisher names it.
        chat_template_sha256: of the template's text.
        recipe: what it was converted with.
    """

    files: tuple[DeployedFile, ...] = ()
    repo: str | None = None
    revision: str | None = None
    licence: str | None = None
    chat_template_sha256: str | None = None
    recipe: dict[str, JsonValue] | None = field(default=None, hash=False)

    def to_json(self) -> dict[str, JsonValue]:
        """The members of the manifest; a recipe too long for it is left out."""
        recipe = self.recipe
        if recipe is not None and len(json.dumps(recipe)) > _MAX_RECIPE_BYTES:
            recipe = None
        return {
            "files": [file.to_json() for file in self.files],
            "repo": self.repo,
            "revision": self.revision,
            "licence": self.licence,
            "chat_template_sha256": self.chat_template_sha256,
            "recipe": recipe,
        }


@dataclass(frozen=True, slots=True)
class Deployment:
    """One version of a model under a name on a board.

    Attributes:
        kind: of the file.
        path: of the model file on the board, of one in parts the first.
        sha256: of that file; `size_bytes` are of all parts together.
        dtype, platform, toolkit_version, max_context: of the file, as far as it was known when it was sent.
        simulated: a file of the stand-in toolkit.
        current: whether this version is the one in use.
        origin: what else belongs to it.
        parts: of a model in several files, in order, what each is called for a runtime that looks for the others by
            the name of the first; empty for one file.
    """

    name: str
    version: str
    kind: ModelKind
    path: str
    sha256: str
    size_bytes: int
    dtype: str | None
    platform: str | None
    simulated: bool
    title: str
    toolkit_version: str | None = None
    max_context: int | None = None
    deployed_unix_s: float | None = None
    current: bool = True
    origin: Origin = Origin()
    parts: tuple[DeployedFile, ...] = ()

    @property
    def model_digests(self) -> tuple[str, ...]:
        """Of the model's files, in order."""
        return tuple(part.sha256 for part in self.parts) or (self.sha256,)

    @property
    def model_paths(self) -> tuple[str, ...]:
        """Where they lie, in order."""
        folder = self.path.rpartition("/")[0]
        return tuple(f"{folder}/{digest}{self.kind.ending}" for digest in self.model_digests)

    @property
    def digests(self) -> frozenset[str]:
        """Of everything in the store it needs."""
        return frozenset({*self.model_digests, *(file.sha256 for file in self.origin.files)})

    def to_json(self) -> dict[str, JsonValue]:
        """The members, as `rkdeck deployments --json` shows them."""
        return {**self.manifest(), "path": self.path, "current": self.current}

    def manifest(self) -> dict[str, JsonValue]:
        """What is written on the board."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "version": self.version,
            "title": self.title,
            "kind": self.kind.name,
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
            **({"parts": [part.to_json() for part in self.parts]} if self.parts else {}),
            "dtype": self.dtype,
            "platform": self.platform,
            "simulated": self.simulated,
            "toolkit_version": self.toolkit_version,
            "max_context": self.max_context,
            "deployed_unix_s": self.deployed_unix_s,
            **self.origin.to_json(),
        }


def next_version(now: datetime, sha256: str, earlier: Iterable[str]) -> str:
    """The name of a new version: the time and the file; it sorts after all earlier ones of its deployment.

    So it does within one second, and when the clock of who deployed before was ahead.

    Args:
        now: the time, in UTC.
        sha256: of the file, hexadecimal.
        earlier: versions of the same deployment.
    """
    later = [time for version in earlier if (time := _just_after(version)) is not None]
    now = max([now.replace(microsecond=0), *later])
    return f"{now:{_TIME}}-{sha256[:12]}"


def _just_after(version: str) -> datetime | None:
    """A second after a version was made, by its name; None when a board shows a name that is no time."""
    try:
        made = datetime.strptime(version.partition("-")[0], _TIME).replace(tzinfo=UTC)
        return made + timedelta(seconds=1)
    except (ValueError, OverflowError):
        return None


def blob_path(store: str, sha256: str, kind: ModelKind) -> str:
    """Where a model file lies."""
    return f"{store}/blobs/{sha256}{kind.ending}"


def blob_endings() -> tuple[str, ...]:
    """Of all files in `blobs`."""
    return (*(kind.ending for kind in model_kinds().values()), _FILE_ENDING)


def file_blob_path(store: str, sha256: str) -> str:
    """Where a file that belongs to a model lies."""
    return f"{store}/blobs/{sha256}{_FILE_ENDING}"


def partial_path(store: str, sha256: str) -> str:
    """Where a model file arrives."""
    return f"{store}/incoming/{sha256}.partial"


def deployment_folder(store: str, name: str) -> str:
    """The folder of a deployment's versions."""
    return f"{store}/deployments/{name}"


@dataclass(frozen=True, slots=True)
class UnreadableManifest:
    """A version whose manifest cannot be read, is none, or speaks of another one; `path` is where it lies."""

    name: str
    version: str
    path: str

    def to_json(self) -> dict[str, JsonValue]:
        """The member of `rkdeck deployments --json`."""
        return {"name": self.name, "version": self.version, "path": self.path}


@dataclass(frozen=True, slots=True)
class StoreListing:
    """Everything in a store.

    Attributes:
        versions: of every deployment, by name, the oldest version first.
        unreadable: versions of which nothing more is known.
        held: the files themselves.
    """

    versions: tuple[Deployment, ...]
    unreadable: tuple[UnreadableManifest, ...] = ()
    held: Holdings = Holdings()  # noqa: RUF009  # frozen


def read_manifest(text: str, store: str, name: str, version: str, *, current: bool) -> Deployment | None:
    """Read a manifest; None when it is not one, or belongs to another name or version."""
    value = foreign.members(text)
    if value.get("name") != name or value.get("version") != version:
        return None
    sha256, size = value.get("sha256"), foreign.size_bytes(value.get("size_bytes"))
    # Manifests of RKDeck 0.1.0 name no kind: it knew of one.
    kind = model_kinds().get(str(value.get("kind", _FIRST_KIND)))
    if kind is None or size is None or not isinstance(sha256, str) or not DIGEST.fullmatch(sha256):
        return None
    parts = _parts(value, sha256, size)
    if parts is None:
        return None
    return Deployment(
        name=name,
        version=version,
        kind=kind,
        path=blob_path(store, sha256, kind),
        sha256=sha256,
        size_bytes=size,
        dtype=foreign.text(value.get("dtype")),
        platform=foreign.text(value.get("platform")),
        simulated=value.get("simulated") is not False,
        title=foreign.text(value.get("title")) or name,
        toolkit_version=foreign.text(value.get("toolkit_version")),
        max_context=foreign.whole(value.get("max_context"), 1),
        deployed_unix_s=foreign.unix_s(value.get("deployed_unix_s")),
        current=current,
        origin=_origin(value),
        parts=parts,
    )


def _parts(value: dict[str, JsonValue], sha256: str, size_bytes: int) -> tuple[DeployedFile, ...] | None:
    """The parts of a model; None where they cannot be told, or are not those of this model: without one it is none."""
    listed = value.get("parts", [])
    if not isinstance(listed, list) or len(listed) > MOST_PARTS:
        return None
    found = tuple(part for entry in listed if (part := _file(entry)) is not None)
    if not listed:
        return ()
    whole = len(found) == len(listed) and found[0].sha256 == sha256
    return found if whole and sum(part.size_bytes for part in found) == size_bytes else None


def _origin(value: dict[str, JsonValue]) -> Origin:
    template, recipe, files = (value.get(key) for key in ("chat_template_sha256", "recipe", "files"))
    found = [_file(entry) for entry in files[:_MAX_FILES]] if isinstance(files, list) else []
    return Origin(
        files=tuple(file for file in found if file is not None),
        repo=foreign.text(value.get("repo")),
        revision=foreign.text(value.get("revision")),
        licence=foreign.text(value.get("licence")),
        chat_template_sha256=template if isinstance(template, str) and DIGEST.fullmatch(template) else None,
        recipe=recipe if isinstance(recipe, dict) else None,
    )


def _file(value: object) -> DeployedFile | None:
    if not isinstance(value, dict):
        return None
    name, sha256, size = value.get("name"), value.get("sha256"), foreign.size_bytes(value.get("size_bytes"))
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return None
    if not isinstance(sha256, str) or not DIGEST.fullmatch(sha256):
        return None
    if size is None:
        return None
    return DeployedFile(name, sha256, size)
