"""GGUF files of a hub's repository: what their headers say, read by ranges and kept, and which one to take."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from core.base import tomldata
from core.base.errors import RKDeckError
from core.base.notes import Note, note
from core.boards.doctor.findings import Verdict
from core.estimate.gguf import gguf_memory
from core.hub.records import ModelDetail, RepoFile
from core.model.gguf import MAX_HEADER_BYTES, GgufError, GgufHeader, read_gguf
from core.model.inspect import Inspection, inspection_of
from core.model.need import ServedNeed
from core.services import Services
from core.usecases.needs import inspect_repo_file
from core.usecases.ready_rows import ReadyRow
from core.vendor.platforms import context_limits

# The keys before the vocabulary mostly lie in the first; a template or a licence among them may be longer.
_GLANCES_BYTES = (64 << 10, 1 << 20)
_NO_GGUF = "inspect.not_a_model"
_FILE = "gguf.toml"


class Rule(NamedTuple):
    """Which quantizations to take first, of files up to a size; `why` is the code of a note."""

    up_to_bytes: int | None
    order: tuple[str, ...]
    why: str


def inspect_gguf(
    services: Services, detail: ModelDetail, file: RepoFile, *, whole: bool = False
) -> Inspection:
    """What a GGUF file of a repository is, by its header; kept for the next time.

    Args:
        services: the core.
        detail: the repository.
        file: of it.
        whole: whether the vocabulary is walked through, megabytes long, for the tensors behind it: else a page or two
            tell what the file calls itself.

    Raises:
        RKDeckError: as the Hub answers.
    """
    try:
        return inspection_of(repo_header(services, detail, file, whole=whole), file.size_bytes)
    except GgufError as error:
        if str(error) == _NO_GGUF:
            return inspect_repo_file(services, detail, file)
        return Inspection("gguf", file.size_bytes, problems=(str(error),))


def repo_header(
    services: Services, detail: ModelDetail, file: RepoFile, *, whole: bool = False
) -> GgufHeader:
    """The header of a file, as far as it is wanted; `whole` as for `inspect_gguf`.

    Raises:
        GgufError: as `core.model.gguf.read_gguf`; RKDeckError: as the Hub answers.
    """
    hub = services.hubs.of(detail.repo)
    where = (detail.repo, detail.commit, file.path)
    known = services.facts_cache.header(hub.endpoint, *where)
    if known is not None and (known.is_whole or not whole):
        return known

    def read(start: int, length: int) -> bytes:
        return hub.read_range(*where, start, length)

    budgets = (MAX_HEADER_BYTES,) if whole else _GLANCES_BYTES
    looks = (read_gguf(read, file.size_bytes, budget_bytes=budget_bytes) for budget_bytes in budgets)
    header = next(looks)
    while not header.is_whole and not _tells_its_shape(header) and (further := next(looks, None)) is not None:
        header = further
    services.facts_cache.put_header(hub.endpoint, *where, header)
    return header


def gguf_need(header: GgufHeader, size_bytes: int, context: int) -> ServedNeed | None:
    """What llama.cpp takes with a file, by the estimate: the peak of its resident set.

    Args:
        header: of the file, or of its first part.
        size_bytes: of it, or of all parts.
        context: wanted, in tokens; no more is opened than the model was trained for.

    Returns:
        None where the header does not tell the cache's shape.
    """
    context = min(context, header.of_architecture("context_length") or context)
    memory = gguf_memory(header, context, size_bytes=size_bytes)
    if memory is None:
        return None
    value, low, high = (round(number) for number in (memory.ram.value, memory.ram.low, memory.ram.high))
    return ServedNeed(value, low, high, None, context, memory.ram.basis == "calibrated")


def wanted_context(services: Services) -> int:
    """Tokens a model is opened with where nobody says otherwise."""
    return services.settings.default_context or context_limits().usual


def gguf_rows(services: Services, detail: ModelDetail, rows: Iterable[ReadyRow]) -> tuple[ReadyRow, ...]:
    """Look at the headers of models whose parts are all there: a request or two each, of 64 KiB mostly.

    Where the Hub refuses one it would refuse all; that one tells why, and the others stay as their names say.
    """
    found: list[ReadyRow] = []
    refused = False
    for row in rows:
        if row.missing or refused:
            found.append(row)
            continue
        try:
            inspection = inspect_gguf(services, detail, row.first)
        except RKDeckError as error:
            refused = True
            found.append(replace(row, problem=error))
            continue
        found.append(with_header(row, inspection, wanted_context(services)))
    return tuple(found)


def with_header(row: ReadyRow, inspection: Inspection, context: int) -> ReadyRow:
    """A row with what its first file's header says of all its files together."""
    header = inspection.gguf
    need = gguf_need(header, row.size_bytes, context) if header is not None else None
    return replace(row, inspection=replace(inspection, size_bytes=row.size_bytes), need=need)


def recommended(rows: Sequence[ReadyRow], verdicts: Mapping[str, Verdict]) -> tuple[ReadyRow, Note] | None:
    """The one to take on the board the verdicts are about, and why; None where none of them fits with room.

    Args:
        rows: of a repository; parts for pictures, damaged files and what no header was read of are left out.
        verdicts: of the rows, by their names.
    """
    fitting = [row for row in rows if row.is_model and verdicts.get(row.name) == "ok"]
    for rule in recommendation_rules():
        small = [row for row in fitting if rule.up_to_bytes is None or row.size_bytes <= rule.up_to_bytes]
        for wanted in rule.order:
            found = next((row for row in small if row.level == wanted), None)
            if found is not None:
                return found, note(rule.why, level=wanted)
    largest = max(fitting, key=lambda row: row.size_bytes, default=None)
    if largest is None or largest.level is None:
        return None
    return largest, note("gguf_largest", level=largest.level)


@cache
def recommendation_rules() -> tuple[Rule, ...]:
    """Which to take first, the first rule first."""
    rows = tomldata.subtables(tomldata.load_toml(_FILE), "recommended", _FILE)
    return tuple(
        Rule(
            tomldata.integer(row, "up_to_bytes", _FILE) if "up_to_bytes" in row else None,
            tomldata.texts(row, "order", _FILE),
            tomldata.text(row, "why", _FILE),
        )
        for row in rows
    )


def _tells_its_shape(header: GgufHeader) -> bool:
    return header.architecture is not None and header.of_architecture("context_length") is not None
