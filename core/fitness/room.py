"""Rules about room for a file: the board's memory when it is served, the store's disk when it is sent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from core.base.names import printable
from core.base.units import format_bytes
from core.boards.doctor.examination import Examination
from core.boards.doctor.findings import Facts, Finding, Verdict, finding
from core.estimate.constants import estimate_limits
from core.estimate.fit import BoardNow, fit_board
from core.estimate.ready import estimate_ready
from core.estimate.records import Fit, Fits, Number
from core.fitness.candidate import Candidate
from core.transfer.upload import RESERVE_BYTES
from core.vendor.platforms import load_platforms
from core.words import note_text

# Free on the disk after the file arrived, as a share of the whole: less is tight.
_TIGHT_SHARE = 0.10
_USUAL_CONTEXT = 4096
_KNOWN: Mapping[Fits, tuple[Verdict, str]] = {
    "yes": ("ok", "doctor.model_memory_ok"),
    "tight": ("warning", "doctor.model_memory_tight"),
    "no": ("failed", "doctor.model_memory_no"),
}
_GUESSED: Mapping[Fits, tuple[Verdict, str]] = {
    "yes": ("ok", "doctor.model_memory_guess_ok"),
    "tight": ("warning", "doctor.model_memory_guess_tight"),
    "no": ("failed", "doctor.model_memory_guess_no"),
}


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """What a file needs when it is served.

    Attributes:
        ram: peak resident set of the serving process, in bytes.
        guessed: from the file's size alone.
        fit: on the board that was asked about; None when its memory is not known.
    """

    ram: Number
    guessed: bool
    fit: Fit | None


def memory_need(candidate: Candidate, seen: Examination) -> MemoryNeed | None:
    """The memory a file needs, by the best that is known: its conversion, its base model, its size.

    None when neither the file nor the board tells for which SoC.
    """
    total, now = seen.facts.mem_total_bytes, _now(seen)
    need = candidate.ram_bytes
    if need is not None:
        fit = None if total is None else fit_board(need, need, total, lambda _context: need, now)
        return MemoryNeed(Number(need, need, need, "calibrated"), guessed=False, fit=fit)
    inspection, known = candidate.inspection, load_platforms()
    platform = known.get((inspection.platform or "").lower()) or known.get(seen.facts.soc or "")
    if platform is None:
        return None
    estimate = estimate_ready(
        inspection.size_bytes, inspection.dtype, platform, base=candidate.base,
        context=candidate.context or inspection.max_context or _USUAL_CONTEXT, board_ram_bytes=total, now=now,
    )  # fmt: skip
    return MemoryNeed(estimate.ram, estimate.row is None, estimate.fit)


def _now(seen: Examination) -> BoardNow | None:
    free = seen.facts.mem_available_bytes
    held = next((tenant.rss_bytes for tenant in seen.tenants if tenant.ours), None)
    return None if free is None else BoardNow(free, seen.serving, held)


def memory(candidate: Candidate, seen: Examination) -> Iterator[Finding]:
    """Whether it can be served; what only the moment forbids is a warning."""
    if seen.facts.mem_total_bytes is None:
        yield finding("model_memory", "unknown", "doctor.memory_unknown")
        return
    need = memory_need(candidate, seen)
    if need is None or need.fit is None:
        return
    low, middle, high = (format_bytes(size) for size in (need.ram.low, need.ram.value, need.ram.high))
    verdict, code = (_GUESSED if need.guessed else _KNOWN)[need.fit.verdict]
    shown: Facts = {
        "need": f"{low} .. {high}" if need.guessed else middle,
        "reason": note_text(need.fit.reason),
    }
    yield Finding("model_memory", verdict, code, shown)


def disk(candidate: Candidate, seen: Examination) -> Iterator[Finding]:
    """Whether it can be sent; the reserve is the one that sending keeps (`core.transfer.upload.upload`)."""
    place, after = seen.store, disk_free_after(candidate, seen)
    if place is None or place.free_bytes is None or after is None:
        return
    sent = candidate.size_bytes - candidate.there_bytes
    shown: Facts = {
        "file": printable(candidate.name),
        "need": format_bytes(sent + RESERVE_BYTES),
        "free": format_bytes(place.free_bytes),
    }
    if candidate.is_there:
        yield finding("model_disk", "ok", "doctor.model_disk_there", file=printable(candidate.name))
    elif after < RESERVE_BYTES:
        yield finding("model_disk", "failed", "doctor.model_disk_full", **shown)
    elif place.total_bytes is not None and after < _TIGHT_SHARE * place.total_bytes:
        yield finding("model_disk", "warning", "doctor.model_disk_tight", left=format_bytes(after), **shown)
    else:
        yield finding("model_disk", "ok", "doctor.model_disk_ok", **shown)


def disk_free_after(candidate: Candidate, seen: Examination) -> int | None:
    """Bytes left in the store when the file has arrived, negative when it does not fit; None is unknown."""
    if seen.store is None or seen.store.free_bytes is None:
        return None
    return seen.store.free_bytes - max(0, candidate.size_bytes - candidate.there_bytes)


def ram_free_after(candidate: Candidate, seen: Examination) -> int | None:
    """Bytes of memory left when the file is served; None is unknown, as it is where its need is only guessed."""
    need, total, free = candidate.ram_bytes, seen.facts.mem_total_bytes, seen.facts.mem_available_bytes
    if need is None or total is None:
        return None
    return (free if free is not None else total - estimate_limits().os_headless_bytes) - need
