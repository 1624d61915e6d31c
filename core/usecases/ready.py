"""Ready-made model files on the Hub: looked at before the download, judged for a board, sent there in one step."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from core.boards.doctor.examination import Examination
from core.fitness.candidate import Candidate, Holdings, PartFile
from core.fitness.judge import Judgement, judge
from core.hub.records import ModelDetail, RepoFile
from core.model.inspect import Inspection
from core.model.need import ServedNeed
from core.model.parts import siblings_of, title_of
from core.services import Services
from core.usecases.deployment import deploy_order
from core.usecases.hub import order_into_library
from core.usecases.needs import base_facts, inspect_repo_file, need_of_ready


@dataclass(frozen=True, slots=True)
class ReadyReport:
    """What a file's first and last bytes tell, and its base model's headers.

    Attributes:
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
    """Look at a file without downloading it: at most 256 KiB of it, and the headers of its base model.

    Raises:
        RKDeckError: as the Hub answers for the file itself; a base that cannot be read is left out.
    """
    inspection = inspect_repo_file(services, detail, file)
    need = need_of_ready(base_facts(services, detail.base), inspection)
    listed = {entry.path: entry for entry in detail.files}
    others = [name for name in siblings_of(file.path) if name != file.path]
    return ReadyReport(
        detail.repo, detail.commit, file, inspection, detail.base, need,
        # Their headers would cost requests for each, and hold next to nothing.
        others=tuple(_unread(listed[name], inspection.kind) for name in others if name in listed),
        missing=tuple(PurePosixPath(name).name for name in others if name not in listed),
    )  # fmt: skip


def _unread(file: RepoFile, kind: str) -> PartFile:
    return PartFile(PurePosixPath(file.path).name, Inspection(kind, file.size_bytes), file.sha256)


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
    parts = siblings_of(report.file.path)
    plan = plan_download(detail, include=[_literal(path) for path in parts])
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


def _literal(path: str) -> str:
    """A shell pattern that fits just this path."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in path)
