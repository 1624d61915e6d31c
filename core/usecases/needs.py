"""What ready-made files of the Hub will need on a board, found out before they are downloaded."""

from collections.abc import Iterable

from core.base.errors import RKDeckError
from core.estimate.ready import need_of
from core.hub.records import ModelDetail, RepoFile
from core.model.facts import ModelFacts
from core.model.inspect import Inspection, inspect_ranges
from core.model.need import ServedNeed
from core.services import Services
from core.usecases.fitting import cached_facts
from core.vendor.kinds import kind_of_name
from core.vendor.platforms import context_limits, load_platforms

# Of a repository with more of them the need of the others stays unknown: each costs two requests before the download.
_MOST_FILES = 32


def inspect_repo_file(services: Services, detail: ModelDetail, file: RepoFile) -> Inspection:
    """Inspect a file of a repository: 256 KiB of it are read, of a GGUF file all of its header.

    Raises:
        RKDeckError: as the Hub answers.
    """
    hub, where = services.hubs.of(detail.repo), (detail.repo, detail.commit, file.path)

    def read(start: int, length: int) -> bytes:
        return hub.read_range(*where, start, length)

    return inspect_ranges(read, file.size_bytes, file.path.rsplit("/", maxsplit=1)[-1])


def base_facts(services: Services, base: str | None) -> ModelFacts | None:
    """Headers of the model files were made from, kept for the next time; None where they cannot be read."""
    if base is None:
        return None
    try:
        return cached_facts(services, services.hubs.of(base).details(base))
    except RKDeckError:
        # Gated, gone, or of a kind that cannot be read: the size of the file tells less, but something.
        return None


def need_of_ready(base: ModelFacts | None, inspection: Inspection) -> ServedNeed | None:
    """What a file needs that is said to be made of a model; None when the file or the model does not tell enough.

    Args:
        base: facts of that model, None when they are not known.
        inspection: of the file.
    """
    platform = load_platforms().get((inspection.platform or "").lower())
    if base is None or platform is None or inspection.dtype is None:
        return None
    try:
        return need_of(
            base, platform, inspection.dtype, cores=inspection.npu_cores, size_bytes=inspection.size_bytes,
            context=inspection.max_context or context_limits().usual,
        )  # fmt: skip
    except RKDeckError:  # a base of a kind that is not estimated
        return None


def needs_of(services: Services, detail: ModelDetail, files: Iterable[RepoFile]) -> dict[str, ServedNeed]:
    """What the ready-made ones of some files of a repository need, by their paths, as far as that can be known."""
    ready, base = [file for file in files if _is_for_a_platform(file)], detail.base
    facts = base_facts(services, base) if ready else None
    if facts is None:
        return {}
    needs: dict[str, ServedNeed] = {}
    for file in ready[:_MOST_FILES]:
        try:
            inspection = inspect_repo_file(services, detail, file)
        except RKDeckError:  # the download tells what is wrong with the file, or with the line
            continue
        need = need_of_ready(facts, inspection)
        if need is not None:
            needs[file.path] = need
    return needs


def _is_for_a_platform(file: RepoFile) -> bool:
    """Whether it is built for one SoC, whose estimate tells what it needs; others tell it themselves."""
    kind = kind_of_name(file.path)
    return kind is not None and "platform" in kind.rules
