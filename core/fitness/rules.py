"""The doctor's rules about one model file on one board: would it load, and would there be room.

Whatever refuses to send a file (`core.fitness.checks.checks`) is said in the same words here. Facts: platform and dtype
matrix of the toolkit (resources/platforms.toml); a library loads files of its own and of older toolkits (rknn-llm #129,
#235); the context is bounded by the one a file was built for; the NPU's addresses have 32 bits a domain (#335, #195).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from core.base.names import printable
from core.base.units import format_bytes
from core.boards.doctor.examination import Examination
from core.boards.doctor.findings import Facts, Finding, Verdict, finding
from core.boards.doctor.fixes import copy_library
from core.estimate.fit import BoardNow, fit_board
from core.estimate.ready import estimate_ready
from core.estimate.records import Fit
from core.estimate.records import Verdict as Fits
from core.fitness.checks import checks
from core.fitness.runtime import match_versions, stand_ins
from core.model.inspect import Inspection
from core.transfer.upload import RESERVE_BYTES
from core.vendor.board_limits import limits
from core.vendor.platforms import Platform, load_platforms
from core.vendor.releases import version_key

# What findings of their own say: about the board alone, and about versions.
_SAID_ELSEWHERE = frozenset(
    {
        "deploy.missing_tools", "deploy.unknown_soc", "deploy.no_rknpu_driver", "deploy.store_in_memory",
        "deploy.runtime_too_old",
    }
)  # fmt: skip
_MEMORY: Mapping[Fits, tuple[Verdict, str]] = {
    "yes": ("ok", "doctor.model_memory_ok"),
    "tight": ("warning", "doctor.model_memory_tight"),
    "no": ("failed", "doctor.model_memory_no"),
}
_MEMORY_GUESS: Mapping[Fits, tuple[Verdict, str]] = {
    "yes": ("ok", "doctor.model_memory_guess_ok"),
    "tight": ("warning", "doctor.model_memory_guess_tight"),
    "no": ("failed", "doctor.model_memory_guess_no"),
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model file somebody wants to run.

    Attributes:
        inspection: what its bytes say.
        ram_bytes, npu_bytes: it needs when served, estimated at its conversion; None when it was made elsewhere.
        context: the user wants, in tokens; None: the one it was built for.
        sha256: where the library knows it.
        is_there: the board has the file already.
    """

    name: str
    inspection: Inspection
    ram_bytes: int | None = None
    npu_bytes: int | None = None
    context: int | None = None
    sha256: str | None = None
    is_there: bool = False


def check_model(candidate: Candidate, seen: Examination, store: str, *, board: str) -> tuple[Finding, ...]:
    """Every finding about a file on a board; pure.

    Args:
        candidate: the file.
        seen: the board.
        store: its folder for models.
        board: its name, for messages.
    """
    refusals = tuple(_refusals(candidate, seen, store, board))
    if not candidate.inspection.is_model:
        return refusals
    rules = (_platform, _dtype, _versions, _context, _cores, _npu, _memory, _disk)
    return (*refusals, *(entry for rule in rules for entry in rule(candidate, seen)))


def _refusals(candidate: Candidate, seen: Examination, store: str, board: str) -> Iterator[Finding]:
    inspection = candidate.inspection
    for check in checks(
        inspection, seen.facts, store, board=board, file_name=candidate.name, size_bytes=inspection.size_bytes
    ):
        refusal = check.refusal
        if refusal.code not in _SAID_ELSEWHERE:
            yield Finding("model_file", "failed", refusal.code, dict(refusal.facts))


def _platform_of(seen: Examination) -> Platform | None:
    return load_platforms().get(seen.facts.soc or "")


def _platform(candidate: Candidate, seen: Examination) -> Iterator[Finding]:
    """A file for another SoC is a refusal already."""
    built, platform = candidate.inspection.platform, _platform_of(seen)
    if built is None:
        yield finding("model_platform", "unknown", "doctor.model_platform_unknown")
    elif platform is not None and built.lower() == platform.name:
        yield finding("model_platform", "ok", "doctor.model_platform_ok", soc=platform.display_name)


def _dtype(candidate: Candidate, seen: Examination) -> Iterator[Finding]:
    dtype, platform = candidate.inspection.dtype, _platform_of(seen)
    if platform is None:
        return
    shown: Facts = {"dtype": dtype, "soc": platform.display_name}
    if dtype is None:
        yield finding("model_dtype", "unknown", "doctor.model_dtype_unknown")
    elif dtype in platform.dtypes:
        yield finding("model_dtype", "ok", "doctor.model_dtype_ok", **shown)
    else:
        offered = ", ".join(platform.dtypes)
        yield finding("model_dtype", "failed", "doctor.model_dtype_refused", offered=offered, **shown)


def _versions(candidate: Candidate, seen: Examination) -> Iterator[Finding]:
    """The library against the toolkit that made the file."""
    inspection = candidate.inspection
    found = (
        stand_ins(seen.facts) if inspection.simulated else [entry.version for entry in seen.rkllm_libraries]
    )
    match = match_versions(found, inspection.toolkit_version)
    toolkit, runtime = match.toolkit_version, match.runtime_version
    fix = None if inspection.simulated else copy_library(toolkit)
    shown: Facts = {"toolkit": toolkit, "runtime": runtime}
    if match.match == "no_library":
        yield finding("model_runtime", "failed", "doctor.model_no_library", toolkit=toolkit).cured_by(fix)
    elif match.match == "unknown":
        yield finding("model_runtime", "unknown", "doctor.model_runtime_unknown", **shown)
    elif match.match == "too_old":
        yield finding("model_runtime", "failed", "doctor.model_runtime_old", **shown).cured_by(fix)
    elif _misbehaves(runtime, toolkit):
        yield finding("model_runtime", "warning", "doctor.model_runtime_pair", **shown)
    else:
        yield finding("model_runtime", "ok", "doctor.model_runtime_ok", **shown)


def _misbehaves(runtime: str | None, toolkit: str | None) -> bool:
    """Whether this very pair loads and then answers wrongly."""
    return toolkit is not None and any(
        pair.runtime == runtime and version_key(toolkit) < version_key(pair.toolkit_below)
        for pair in limits().pairs
    )


def _context(candidate: Candidate, seen: Examination) -> Iterator[Finding]:
    built, wanted = candidate.inspection.max_context, candidate.context
    if built is None:
        yield finding("model_context", "unknown", "doctor.model_context_unknown")
    elif wanted is not None and wanted > built:
        yield finding("model_context", "failed", "doctor.model_context_large", wanted=wanted, built=built)
    else:
        yield finding("model_context", "ok", "doctor.model_context_ok", context=wanted or built, built=built)


def _cores(candidate: Candidate, seen: Examination) -> Iterator[Finding]:
    built, have = candidate.inspection.npu_cores, seen.facts.npu_cores
    if built is None or have is None:
        return
    if built > have:
        yield finding("model_cores", "warning", "doctor.model_cores_more", built=built, have=have)
    else:
        yield finding("model_cores", "ok", "doctor.model_cores_ok", built=built, have=have)


def _npu(candidate: Candidate, seen: Examination) -> Iterator[Finding]:
    """What the runtime will ask the NPU's driver for: known for models RKDeck converted, bounded by the file else."""
    if candidate.inspection.simulated or seen.facts.npu_driver != "rknpu":
        return
    need, known = candidate.npu_bytes, limits()
    at_most = need if need is not None else candidate.inspection.size_bytes
    version = seen.facts.npu_driver_version
    shown: Facts = {"need": format_bytes(need) if need is not None else None, "driver": version}
    old = version is not None and version_key(version) < version_key(known.driver_accepted)
    if old and at_most >= known.large_model_npu_bytes:
        yield finding(
            "model_npu", "failed", "doctor.model_npu_old_driver", most=format_bytes(at_most), **shown
        )
    elif at_most < known.npu_domain_bytes:
        yield finding("model_npu", "ok", "doctor.model_npu_ok", most=format_bytes(at_most), **shown)
    elif version is None or version_key(version) < version_key(known.driver_wanted):
        yield finding(
            "model_npu", "warning", "doctor.model_npu_large",
            most=format_bytes(at_most), wanted=known.driver_wanted, **shown,
        )  # fmt: skip
    else:
        yield finding("model_npu", "ok", "doctor.model_npu_several", most=format_bytes(at_most), **shown)


def _memory(candidate: Candidate, seen: Examination) -> Iterator[Finding]:
    total = seen.facts.mem_total_bytes
    if total is None:
        yield finding("model_memory", "unknown", "doctor.memory_unknown")
        return
    free = seen.facts.mem_available_bytes
    now = None if free is None else BoardNow(free, seen.serving, _served_bytes(seen))
    need = candidate.ram_bytes
    if need is not None:
        fit = fit_board(need, need, total, lambda _context: need, now)
        yield _fit_finding(fit, format_bytes(need), _MEMORY)
        return
    platform = _platform_of(seen)
    if platform is None:
        return
    inspection = candidate.inspection
    guess = estimate_ready(
        inspection.size_bytes, inspection.dtype, platform,
        context=candidate.context or inspection.max_context or 4096, board_ram_bytes=total, now=now,
    )  # fmt: skip
    if guess.fit is not None:
        shown = f"{format_bytes(guess.ram.low)} .. {format_bytes(guess.ram.high)}"
        yield _fit_finding(guess.fit, shown, _MEMORY_GUESS)


def _served_bytes(seen: Examination) -> int | None:
    return next((tenant.rss_bytes for tenant in seen.tenants if tenant.ours), None)


def _fit_finding(fit: Fit, need: str, words: Mapping[Fits, tuple[Verdict, str]]) -> Finding:
    verdict, code = words[fit.verdict]
    return Finding("model_memory", verdict, code, {"need": need, "reason": fit.reason.text()})


def _disk(candidate: Candidate, seen: Examination) -> Iterator[Finding]:
    place = seen.store
    if place is None or place.free_bytes is None:
        return
    need = candidate.inspection.size_bytes + RESERVE_BYTES
    shown: Facts = {
        "file": printable(candidate.name),
        "need": format_bytes(need),
        "free": format_bytes(place.free_bytes),
    }
    if candidate.is_there:
        yield finding("model_disk", "ok", "doctor.model_disk_there", file=printable(candidate.name))
    elif place.free_bytes < need:
        yield finding("model_disk", "failed", "doctor.model_disk_full", **shown)
    else:
        yield finding("model_disk", "ok", "doctor.model_disk_ok", **shown)
