"""Ready-made .rkllm files on the Hub: looked at before the download, judged for a board, sent there in one step."""

from dataclasses import dataclass
from pathlib import Path

from core.base.errors import RKDeckError, UsageError
from core.boards.doctor.examination import Examination
from core.deploy.layout import Deployment
from core.fitness.candidate import Candidate
from core.fitness.judge import Judgement, judge
from core.hub.addresses import ModelId, parse_id
from core.hub.records import ModelDetail, RepoFile
from core.model.facts import ModelFacts
from core.model.inspect import Inspection
from core.services import Services
from core.usecases.deployment import as_held, deploy_order
from core.usecases.fitting import cached_facts
from core.usecases.hub import inspect_repo_file, order_into_library

_BASE_TAG = "base_model:"


@dataclass(frozen=True, slots=True)
class ReadyReport:
    """What a file's first and last bytes tell, and its base model's headers.

    Attributes:
        base: id of the model it was made from, as its repository says; None when it does not say.
        facts: of the base; None when it is not known or cannot be read.
    """

    repo: str
    commit: str
    file: RepoFile
    inspection: Inspection
    base: str | None
    facts: ModelFacts | None


def inspect_ready(services: Services, detail: ModelDetail, file: RepoFile) -> ReadyReport:
    """Look at a file without downloading it: at most 256 KiB of it, and the headers of its base model.

    Raises:
        RKDeckError: as the Hub answers for the file itself; a base that cannot be read is left out.
    """
    inspection = inspect_repo_file(services, detail, file)
    base = base_model(detail)
    return ReadyReport(detail.repo, detail.commit, file, inspection, base, _base_facts(services, base))


def base_model(detail: ModelDetail) -> str | None:
    """The model a repository says its files were made from: `base_model:ID` or `base_model:quantized:ID`."""
    for tag in sorted(detail.summary.tags, key=len, reverse=True):
        if tag.startswith(_BASE_TAG):
            try:  # on the same hub as the files
                base = str(parse_id(str(ModelId(parse_id(detail.repo).hub, tag.rpartition(":")[2]))))
            except UsageError:
                continue
            if base != detail.repo:
                return base
    return None


def _base_facts(services: Services, base: str | None) -> ModelFacts | None:
    if base is None:
        return None
    try:
        return cached_facts(services, services.hubs.of(base).details(base))
    except RKDeckError:
        # Gated, gone, or of a kind that cannot be read: the size of the file tells less, but something.
        return None


def judge_ready(
    report: ReadyReport,
    seen: Examination,
    *,
    board: str,
    context: int,
    versions: tuple[Deployment, ...] = (),
) -> Judgement:
    """Whether a file would run on a board; pure and quick.

    Args:
        report: the file.
        seen: the board, as far as it is known (`core.fitness.sight`).
        board: its name, or what people call one of the catalogue.
        context: in tokens, for a file that does not tell the one it was built for.
        versions: what is deployed there.
    """
    inspection = report.inspection
    name = report.file.path.rpartition("/")[2]
    candidate = Candidate(
        name,
        inspection,
        title=name.removesuffix(".rkllm"),
        base=report.facts,
        context=context if inspection.max_context is None else None,
        sha256=report.file.sha256,
    )
    return judge(as_held(candidate, versions), seen, board=board)


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
    plan = plan_download(detail, include=[_literal(report.file.path)])
    download = order_into_library(services, detail, plan)
    deploy = deploy_order(
        services, arriving(download), found.name, title=Path(report.file.path).stem, force=force
    )
    return services.submit(RunOrder(download, deploy, serve)).id


def _literal(path: str) -> str:
    """A shell pattern that fits just this path."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in path)
