"""What a hub tells, as records. Every text comes from strangers; `repo` is a model id (`core.hub.addresses`)."""

from dataclasses import asdict, dataclass
from typing import Literal

from core.base.errors import JsonValue, RKDeckError
from core.base.left_out import LeftOut
from core.hub.addresses import parse_id
from core.model.files import WeightsKind
from core.vendor.kinds import ModelKind, model_kinds

Sort = Literal["downloads", "likes", "updated", "created", "match"]


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What to look for.

    Attributes:
        kind: only repositories tagged as holding files of this kind.
        author: only repositories of this user or organisation.
    """

    text: str
    sort: Sort = "downloads"
    limit: int = 20
    kind: ModelKind | None = None
    author: str | None = None


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """One search result; None is unknown.

    Attributes:
        parameters: from the safetensors headers, as the Hub counted them.
        updated: ISO 8601.
        commit: of its newest revision.
        architectures: classes of its config.json; model_type: what it calls itself beside, or instead.
        weights: their form where the hub tells one the toolkit is not given; None for all others.
        quantization: how they are packed, as config.json or the types of the tensors tell; None when they are not.
        gated: whether the Hub asks for an account's agreement.
    """

    repo: str
    downloads: int | None
    likes: int | None
    parameters: int | None
    license: str | None
    updated: str | None
    gated: bool
    tags: tuple[str, ...]
    commit: str | None = None
    architectures: tuple[str, ...] = ()
    model_type: str | None = None
    weights: WeightsKind | None = None
    quantization: str | None = None

    @property
    def kinds(self) -> tuple[ModelKind, ...]:
        """The kinds of files for boards it holds, as its tags say."""
        return tuple(kind for kind in model_kinds().values() if kind.hub_filter in self.tags)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the document's member."""
        return {**asdict(self), "tags": list(self.tags), "architectures": list(self.architectures)}


@dataclass(frozen=True, slots=True)
class SearchPage:
    """One page of search results.

    Attributes:
        next_cursor: what asks for the page after it (it means nothing to anybody but the Hub); None at the end.
    """

    models: tuple[ModelSummary, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class RepoFile:
    """One file of a repository.

    Attributes:
        blob_id: git blob id (SHA-1 over header and content), None when the Hub does not tell.
        sha256: of the content, for LFS files only.
    """

    path: str
    size_bytes: int
    blob_id: str | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class ModelDetail:
    """One repository at one commit.

    Attributes:
        repo: as it was asked for.
        base: id, on the same hub, of the model its files were made from; None where it does not say.
        left_out: files of which it tells what cannot be, and which nobody needs to use the model.
    """

    repo: str
    commit: str
    summary: ModelSummary
    files: tuple[RepoFile, ...]
    base: str | None = None
    left_out: tuple[LeftOut, ...] = ()

    @property
    def present_repo(self) -> str:
        """What its hub calls it: a renamed repository is found under its earlier names too."""
        try:
            told, asked = parse_id(self.summary.repo), parse_id(self.repo)
        except RKDeckError:  # a name that cannot be asked for again
            return self.repo
        return str(told) if told.hub == asked.hub else self.repo
