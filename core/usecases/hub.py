"""The Hub as a front end uses it: search page by page, look at one model, read its card, download it."""

import codecs
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import RefusedError, RKDeckError, UsageError
from core.hub.addresses import parse_id
from core.hub.pasted import read_model_id
from core.hub.records import ModelDetail, RepoFile, SearchPage, SearchQuery
from core.library.records import LibraryItem
from core.model.facts import ModelFacts, why_no_source
from core.model.inspect import Inspection
from core.model.need import ServedNeed
from core.model.parts import siblings_of
from core.model.shape import ModelShape, build_shape
from core.services import Services
from core.usecases.fitting import cached_facts
from core.usecases.needs import inspect_repo_file, needs_of
from core.vendor.kinds import kind_of_name

if TYPE_CHECKING:
    from core.hub.download import DownloadPlan
    from core.hub.order import DownloadOrder
    from core.jobs.manager import JobHandle

_CARD_NAME = "README.md"
# What says what a model is and how it may be used, at the top of its repository.
_SAYING = ("README.md", "LICENSE*", "LICENCE*", "NOTICE*")
_MAX_CARD_BYTES = 256 << 10
_FENCE = re.compile(r"---[ \t]*(?:\n|$)")
# Controls but tab and line end, and what turns the direction of writing.
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What is known of one model, on the Hub or on this computer; None is unknown.

    Attributes:
        repo: the Hub id; None for a local model that did not come from the Hub.
        detail: the repository at its commit; None for a local model.
        item: the source model in the library: the newest of that repository, or the local one itself.
        facts: what the estimate needs.
        shape: made of the facts; None when nothing can be made of them.
        problem: why `facts`, `shape` or `download_bytes` is None.
        download_bytes: of the files a download would fetch; None for a local model.
        ready_files: ready-made files of the repository.
    """

    repo: str | None
    detail: ModelDetail | None
    item: LibraryItem | None
    facts: ModelFacts | None
    problem: RKDeckError | None
    download_bytes: int | None
    ready_files: tuple[RepoFile, ...]
    shape: ModelShape | None = None

    @property
    def can_convert(self) -> bool | None:
        """Whether the toolkit is given the model's weights; None while nobody knows, as where the Hub is away."""
        if self.facts is not None:
            return why_no_source(self.facts) is None
        refused = isinstance(self.problem, RefusedError) and self.problem.code.startswith("model.")
        return False if refused else None


def search(services: Services, query: SearchQuery, cursor: str | None = None) -> SearchPage:
    """One page of `query.limit` (1 to 100) models; see `core.hub.hubs.Hubs.searched_by`.

    Raises:
        UsageError: `hub.no_model_page` for the address of a page that is no model's.
    """
    hub, asked = services.hubs.searched_by(replace(query, text=split_file(read_model_id(query.text))[0]))
    return hub.search_page(asked, cursor)


def hub_report(services: Services, repo: str, revision: str | None = None) -> ModelReport:
    """Look at a model on the Hub; only its details, config.json and headers are read.

    Raises:
        UsageError: `hub.bad_id`, `hub.bad_revision`.
        RKDeckError: when the Hub does not even tell the details: `hub.not_found`, `hub.unreachable`, ...
    """
    from core.hub.download import plan_download

    detail = services.hubs.of(repo).details(repo, revision)
    ready_files = tuple(file for file in detail.files if kind_of_name(file.path))
    facts: ModelFacts | None = None
    download_bytes: int | None = None
    problem: RKDeckError | None = None
    try:
        download_bytes = plan_download(detail).size_bytes
    except RKDeckError as error:
        problem = error
    shape: ModelShape | None = None
    try:
        facts = cached_facts(services, detail)
        shape = build_shape(facts)
        problem = problem or _no_source(facts)
    except RKDeckError as error:
        problem = error
    item = _source_of(services, detail)
    return ModelReport(detail.repo, detail, item, facts, problem, download_bytes, ready_files, shape)


def stop_waiting(services: Services) -> None:
    """Nobody wants to wait any longer for a hub that asked to; whoever waits gets the hub's error."""
    services.hubs.stop_waiting()


def model_card(services: Services, repo: str, commit: str) -> str:
    """Read the README.md of a model without its YAML head, at most 256 KiB; empty when there is none.

    It is a stranger's Markdown: made harmless as text, but its links and pictures lead anywhere.

    Raises:
        RKDeckError: `hub.gated`, `hub.unreachable`, ...
    """
    try:
        data = services.hubs.of(repo).read_range(repo, commit, _CARD_NAME, 0, _MAX_CARD_BYTES)
    except RKDeckError as error:
        if error.code == "hub.file_not_found":
            return ""
        raise
    return card_text(data)


def card_text(data: bytes) -> str:
    """The text of a README.md without its YAML head."""
    # An incremental decoder leaves out a last character that was cut in two.
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(data).removeprefix("\ufeff")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _FENCE.match(text):
        end = re.search(r"^---[ \t]*$", text[3:], re.MULTILINE)
        text = text[3 + end.end() :] if end else text
    return _UNSEEN.sub("", text).strip()


def inspect_on_hub(services: Services, text: str) -> Inspection:
    """Inspect `OWNER/NAME/FILE` on the Hub by its first and last bytes; nothing is downloaded.

    Raises:
        UsageError: `convert.bad_hub_file`; RKDeckError: as the Hub answers.
    """
    parts = read_model_id(text).split("/", 2)
    if len(parts) != 3:
        raise UsageError("convert.bad_hub_file", file=text)
    repo, name = "/".join(parts[:2]), parts[2]
    detail = services.hubs.of(repo).details(repo)
    file = next((file for file in detail.files if file.path == name), None)
    if file is None:
        raise RKDeckError("hub.file_not_found", what=text)
    return inspect_repo_file(services, detail, file)


def start_model_download(
    services: Services,
    repo: str,
    *,
    revision: str | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    to: Path | None = None,
    file: str | None = None,
) -> str:
    """Start the job that brings a model into the library; returns its id.

    Args:
        services: the core.
        repo: a Hub id, or `OWNER/NAME/FILE` for one model of it (`split_file`), as `model_patterns` chooses.
        revision: branch, tag or commit; None for the newest.
        include: shell patterns of the files wanted; none means all but duplicates of the weights.
        exclude: shell patterns of files to leave out.
        to: a folder instead of the library's own.
        file: a path in the repository: just that file, or that model.

    Raises:
        RKDeckError: as `core.hub.protocol.Hub.details` and `core.hub.download.plan_download`;
            `hub.file_not_found`, `hub.parts_missing`.
    """
    return download(services, repo, revision=revision, include=include, exclude=exclude, to=to, file=file)[
        0
    ].id


def download(
    services: Services,
    repo: str,
    *,
    revision: str | None,
    include: Sequence[str],
    exclude: Sequence[str],
    to: Path | None,
    file: str | None = None,
) -> "tuple[JobHandle, DownloadPlan]":
    """`start_model_download` for who wants to follow the job; returns what it will fetch as well."""
    from core.hub.download import plan_download

    repo, path = split_file(repo) if file is None else (repo, file)
    detail = services.hubs.of(repo).details(repo, revision)
    if path is not None:
        include = (*include, *model_patterns(detail, path))
    plan = plan_download(detail, include=include, exclude=exclude)
    order = order_into_library(services, detail, plan)
    return services.submit(order if to is None else replace(order, folder=to)), plan


def split_file(text: str) -> tuple[str, str | None]:
    """`OWNER/NAME/FILE` as its repository and the file in it; anything else has none."""
    head, _, name = text.partition(":") if ":" in text.split("/", 1)[0] else ("", "", text)
    parts = name.split("/", 2)
    if len(parts) < 3 or kind_of_name(parts[2]) is None:
        return text, None
    return (f"{head}:" if head else "") + "/".join(parts[:2]), parts[2]


def model_patterns(detail: ModelDetail, path: str) -> tuple[str, ...]:
    """Shell patterns of one file; of a model that a board runs all its parts, and what says what it is.

    Raises:
        As `part_patterns`.
    """
    return (*part_patterns(detail, path), *(_SAYING if kind_of_name(path) is not None else ()))


def part_patterns(detail: ModelDetail, path: str) -> tuple[str, ...]:
    """Shell patterns that fit just the files of one model that a board runs, all its parts.

    Raises:
        RKDeckError: `hub.file_not_found`, `hub.parts_missing`.
    """
    paths = {file.path for file in detail.files}
    if path not in paths:
        raise RKDeckError("hub.file_not_found", what=f"{detail.repo}/{path}")
    parts = siblings_of(path)
    missing = [part for part in parts if part not in paths]
    if missing:
        raise RKDeckError("hub.parts_missing", file=path, count=len(missing), first=missing[0])
    return tuple(map(_literal, parts))


def _literal(path: str) -> str:
    """A shell pattern that fits just this path."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in path)


def order_into_library(
    services: Services,
    detail: ModelDetail,
    plan: "DownloadPlan",
    needs: Mapping[str, ServedNeed] | None = None,
) -> "DownloadOrder":
    """The order for a download into the library's own folder: the one that has this commit already, if there is one.

    A repository that was renamed is one model: what the library has of it gets the present name first. What can be
    known of the memory its ready-made files need goes with them: nobody asks the Hub when they are dropped. It is found
    out here unless the caller has it already (`needs`, by their paths).
    """
    from core.hub.download import place_in_library
    from core.hub.order import library_download

    library = services.library
    library.rename_repo(detail.repo, plan.repo)
    for earlier in {item.repo for item in library.list() if item.repo and item.revision == plan.commit}:
        if _is_called_now(services, earlier, plan.repo):
            library.rename_repo(earlier, plan.repo)
    endpoint = services.hubs.of(plan.repo).endpoint
    order = library_download(services.paths.library, endpoint, plan)
    order = replace(order, needs=needs_of(services, detail, plan.files) if needs is None else needs)
    for item in library.list():
        known = place_in_library(services.paths.library, item.path)
        if known is not None and (item.repo, item.revision) == (plan.repo, plan.commit):
            return replace(order, folder=known)
    return order


def _is_called_now(services: Services, earlier: str, present: str) -> bool:
    """Whether a repository is called otherwise by now; asked of its hub, since forks have the same commits."""
    if earlier == present or parse_id(earlier).hub != parse_id(present).hub:
        return False
    try:
        return services.hubs.of(earlier).details(earlier).present_repo == present
    except RKDeckError:  # gone, or the hub does not tell: then it is another model
        return False


def _no_source(facts: ModelFacts) -> RKDeckError | None:
    """What stands against converting a repository whose shape is known all the same."""
    # Ready-made files are no fault: they are offered beside the estimate.
    return None if facts.weights == "rkllm" else why_no_source(facts)


def _source_of(services: Services, detail: ModelDetail) -> LibraryItem | None:
    found = (
        item
        for item in services.library.list()
        if item.is_source and (item.is_of(detail.repo) or item.is_of(detail.present_repo))
    )
    return next(found, None)
