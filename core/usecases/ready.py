"""Ready-made model files on the Hub: looked at before the download, judged for a board, sent there in one step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath

from core.boards.doctor.examination import Examination
from core.fitness.candidate import Candidate, Holdings, PartFile
from core.fitness.judge import Judgement, judge
from core.hub.records import ModelDetail, RepoFile
from core.model.inspect import Inspection
from core.model.need import ServedNeed
from core.model.parts import title_of
from core.services import Services
from core.usecases.deployment import deploy_order
from core.usecases.gguf import gguf_rows, inspect_gguf, wanted_context, with_header
from core.usecases.hub import order_into_library, part_patterns
from core.usecases.needs import base_facts, inspect_repo_file, need_of_ready
from core.usecases.ready_rows import ReadyRow, ready_rows

# Kinds whose files tell by ranges what they are and need; of all others their first and last bytes are looked at.
_LOOKS: Mapping[str, Callable[[Services, ModelDetail, RepoFile], Inspection]] = {
    "gguf": partial(inspect_gguf, whole=True),
}
_GLANCES: Mapping[str, Callable[[Services, ModelDetail, Sequence[ReadyRow]], tuple[ReadyRow, ...]]] = {
    "gguf": gguf_rows,
}


@dataclass(frozen=True, slots=True)
class ReadyReport:
    """What a model's header tells, and its base model's headers.

    Attributes:
        file: the model, or its first part.
        base: id of the model it was made from, as its repository says; None when it does not say.
        need: on a board, by the base; None when it is not known, cannot be read or cannot be the base.
        others: further parts of a model whose first one is `file`; of those read in the listing only their size.
        missing: names of parts the repository has not.
    """

    repo: str
    commit: str
    file: RepoFile
    inspection: Inspection
    base: str | None
    need: ServedNeed | None
    others: tuple[PartFile, ...] = ()
    missing: tuple[str, ...] = ()


def inspect_ready(services: Services, detail: ModelDetail, file: RepoFile) -> ReadyReport:
    """Look at a file without downloading it: its header, and where that does not tell what it needs its base's.

    Raises:
        RKDeckError: as the Hub answers for the file itself; a base that cannot be read is left out.
    """
    row = next((row for row in ready_rows(detail) if file in row.files), None)
    look = _LOOKS.get(row.kind.name) if row is not None else None
    if row is not None and look is not None:
        seen = with_header(row, look(services, detail, row.first), wanted_context(services))
        return report_of(detail, seen)
    inspection = inspect_repo_file(services, detail, file)
    need = need_of_ready(base_facts(services, detail.base), inspection)
    return ReadyReport(detail.repo, detail.commit, file, inspection, detail.base, need)


def _unread(file: RepoFile, kind: str) -> PartFile:
    """A part whose header would cost requests of its own, and holds next to nothing."""
    return PartFile(PurePosixPath(file.path).name, Inspection(kind, file.size_bytes), file.sha256)


def glance(services: Services, detail: ModelDetail, rows: Sequence[ReadyRow]) -> tuple[ReadyRow, ...]:
    """Rows with what the first page of their headers tells, for the kinds of which it tells enough; else unchanged."""
    seen: dict[str, ReadyRow] = {}
    for name, look in _GLANCES.items():
        found = look(services, detail, [row for row in rows if row.kind.name == name])
        seen |= {row.name: row for row in found}
    return tuple(seen.get(row.name, row) for row in rows)


def is_glanced(row: ReadyRow) -> bool:
    """Whether `glance` tells something of it."""
    return row.kind.name in _GLANCES


def report_of(detail: ModelDetail, row: ReadyRow) -> ReadyReport:
    """The report of a row whose header was read."""
    assert row.inspection is not None
    kind = row.inspection.kind
    # A row's inspection speaks of all files together, a report's of the first.
    inspection = replace(row.inspection, size_bytes=row.first.size_bytes)
    return ReadyReport(
        detail.repo, detail.commit, row.first, inspection, detail.base, row.need,
        others=tuple(_unread(file, kind) for file in row.files if file != row.first),
        missing=tuple(PurePosixPath(name).name for name in row.missing),
    )  # fmt: skip


def judge_ready(
    report: ReadyReport,
    seen: Examination,
    *,
    board: str,
    held: Holdings | None = None,
) -> Judgement:
    """Whether a file would run on a board; pure and quick.

    Args:
        report: the file.
        seen: the board, as far as it is known (`core.fitness.sight`).
        board: its name, or what people call one of the catalogue.
        held: which files are there; None where nobody looked.
    """
    name = PurePosixPath(report.file.path)
    candidate = Candidate(
        name.name,
        report.inspection,
        title=title_of(name.name),
        need=report.need,
        sha256=report.file.sha256,
        others=report.others,
        missing=report.missing,
    )
    return judge(candidate.held_by(held), seen, board=board)


def start_ready_run(
    services: Services, report: ReadyReport, board: str, *, serve: bool = False, force: bool = False
) -> str:
    """Start the job that brings the file into the library, onto a board and, if wanted, into service.

    Returns:
        the job's id.

    Raises:
        UsageError: `boards.unknown`; RKDeckError: as `core.hub.download.plan_download`.
    """
    from core.hub.download import plan_download
    from core.plans.order import RunOrder, arriving

    found = services.boards.get(board)
    detail = services.hubs.of(report.repo).details(report.repo, report.commit)
    plan = plan_download(detail, include=part_patterns(detail, report.file.path))
    needs = {report.file.path: report.need} if report.need is not None else None
    download = order_into_library(services, detail, plan, needs)
    deploy = deploy_order(
        services,
        arriving(download),
        found.name,
        title=title_of(PurePosixPath(report.file.path).name),
        force=force,
    )
    return services.submit(RunOrder(download, deploy, serve)).id
