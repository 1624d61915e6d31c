"""Ready-made .rkllm files on the Hub: looked at before the download, judged for a board, sent there in one step."""

from dataclasses import dataclass

from core.base.errors import RKDeckError, UsageError
from core.base.notes import Note, reason_note
from core.boards.facts import BoardFacts
from core.estimate.ready import ReadyEstimate, estimate_ready
from core.estimate.records import Verdict
from core.fitness.runtime import RuntimeMatch, match_runtime
from core.hub.client import check_id
from core.hub.records import ModelDetail, RepoFile
from core.model.facts import ModelFacts
from core.model.inspect import Inspection
from core.services import Services
from core.usecases.fitting import FitTarget, cached_facts
from core.vendor.platforms import get_platform, load_platforms

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


@dataclass(frozen=True, slots=True)
class ReadyVerdict:
    """A file against the active board.

    Attributes:
        verdict: None when too little is known.
        reason: the most important one.
        estimate: None for a file that is no model.
        runtime: None for a board of the catalogue.
        problems: codes of what is wrong with the file.
    """

    verdict: Verdict | None
    reason: Note | None
    estimate: ReadyEstimate | None
    runtime: RuntimeMatch | None
    problems: tuple[str, ...]


def inspect_ready(services: Services, detail: ModelDetail, file: RepoFile) -> ReadyReport:
    """Look at a file without downloading it: at most 256 KiB of it, and the headers of its base model.

    Raises:
        RKDeckError: as the Hub answers for the file itself; a base that cannot be read is left out.
    """
    inspection = services.inspect_repo_file(detail, file)
    base = base_model(detail)
    return ReadyReport(detail.repo, detail.commit, file, inspection, base, _base_facts(services, base))


def base_model(detail: ModelDetail) -> str | None:
    """The model a repository says its files were made from: `base_model:ID` or `base_model:quantized:ID`."""
    for tag in sorted(detail.summary.tags, key=len, reverse=True):
        if tag.startswith(_BASE_TAG):
            base = tag.rpartition(":")[2]
            try:
                check_id(base)
            except UsageError:
                continue
            if base != detail.repo:
                return base
    return None


def _base_facts(services: Services, base: str | None) -> ModelFacts | None:
    if base is None:
        return None
    try:
        return cached_facts(services, services.hub.details(base))
    except RKDeckError:
        # Gated, gone, or of a kind that cannot be read: the size of the file tells less, but something.
        return None


def judge_ready(report: ReadyReport, target: FitTarget, board: BoardFacts | None = None) -> ReadyVerdict:
    """Whether a file fits the active board; pure and quick.

    Args:
        report: the file.
        target: the active board.
        board: its facts, None for one of the catalogue.
    """
    inspection = report.inspection
    if not inspection.is_model:
        return ReadyVerdict("no", None, None, None, inspection.problems or ("inspect.not_a_model",))
    runtime = (
        None
        if board is None
        else match_runtime(board, inspection.toolkit_version, simulated=inspection.simulated)
    )
    built = inspection.platform
    made_for = get_platform(built) if built and built in load_platforms() else target.platform
    estimate = estimate_ready(
        inspection.size_bytes,
        inspection.dtype,
        made_for,
        context=inspection.max_context or target.context,
        base=report.facts,
        board_ram_bytes=target.board_ram_bytes,
        now=target.now,
    )
    if built is not None and made_for.name != target.platform.name:
        reason = reason_note("other_soc", built=made_for.display_name, soc=target.platform.display_name)
        return ReadyVerdict("no", reason, estimate, runtime, ())
    if runtime is not None and runtime.match == "too_old":
        reason = reason_note(
            "runtime_old", toolkit=str(runtime.toolkit_version), runtime=str(runtime.runtime_version)
        )
        return ReadyVerdict("no", reason, estimate, runtime, ())
    if estimate.fit is None:
        return ReadyVerdict(None, estimate.reason, estimate, runtime, ())
    return ReadyVerdict(estimate.fit.verdict, estimate.fit.reason, estimate, runtime, ())


def start_ready_run(
    services: Services, report: ReadyReport, board: str, *, serve: bool = False, force: bool = False
) -> str:
    """Start the job that brings the file into the library, onto a board and, if wanted, into service.

    Returns:
        the job's id.

    Raises:
        UsageError: `boards.unknown`; RKDeckError: as `core.hub.download.plan_download`.
    """
    from core.base.secrets import hub_token
    from core.hub.download import plan_download
    from core.plans.run import start_run

    found = services.boards.get(board)
    detail = services.hub.details(report.repo, report.commit)
    plan = plan_download(detail, include=[_literal(report.file.path)])
    return start_run(
        services.jobs,
        found,
        services.hub.endpoint,
        plan,
        library_folder=services.paths.library,
        serve=serve,
        force=force,
        token=hub_token(),
        password=services.secrets.get(found.secret_name),
    ).id


def _literal(path: str) -> str:
    """A shell pattern that fits just this path."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in path)
