"""Rules about room for a file: the board's memory when it is served, the store's disk when it is sent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from core.base.names import printable
from core.base.units import format_bytes
from core.boards.doctor.examination import Examination
from core.boards.doctor.findings import Facts, Finding, Verdict, finding
from core.estimate.constants import estimate_limits
from core.estimate.fit import fit_board
from core.estimate.gguf import gguf_fit, gguf_memory
from core.estimate.ready import guess_ram
from core.estimate.records import Basis, Fit, Fits, Number
from core.fitness.candidate import Candidate
from core.fitness.gguf_rules import opened_context
from core.fitness.sight import board_now
from core.model.gguf import GgufHeader
from core.transfer.upload import RESERVE_BYTES
from core.vendor.platforms import context_limits, load_platforms

# Free on the disk after the file arrived, as a share of the whole: less is tight.
_TIGHT_SHARE = 0.10
# What an estimate says of memory is a verdict like any other.
VERDICT_OF: Mapping[Fits, Verdict] = {"yes": "ok", "tight": "warning", "no": "failed"}
_KNOWN: Mapping[Fits, str] = {
    "yes": "doctor.model_memory_ok", "tight": "doctor.model_memory_tight", "no": "doctor.model_memory_no",
}  # fmt: skip
_FORECAST: Mapping[Fits, str] = {
    "yes": "doctor.model_memory_header_ok",
    "tight": "doctor.model_memory_header_tight",
    "no": "doctor.model_memory_header_no",
}
_GUESSED: Mapping[Fits, str] = {
    "yes": "doctor.model_memory_guess_ok",
    "tight": "doctor.model_memory_guess_tight",
    "no": "doctor.model_memory_guess_no",
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
    """The memory a file needs, by the best that is known: its model's shape, else its header, else its size.

    None when neither the file nor the board tells for which SoC, and of what cannot be served at all.
    """
    inspection, need, known = candidate.inspection, candidate.need, load_platforms()
    if inspection.gguf is not None:
        return _by_header(candidate, inspection.gguf, seen) if inspection.is_model else None
    if need is not None:
        basis: Basis = "calibrated" if need.calibrated else "extrapolated"
        ram = Number(need.ram_bytes, need.ram_low_bytes, need.ram_high_bytes, basis)
    elif known.get((inspection.platform or "").lower()) or known.get(seen.facts.soc or ""):
        context = candidate.context or inspection.max_context or context_limits().usual
        ram = guess_ram(inspection.size_bytes, context)
    else:
        return None
    return MemoryNeed(ram, need is None, _fit(ram, seen))


def _by_header(candidate: Candidate, header: GgufHeader, seen: Examination) -> MemoryNeed | None:
    context, size_bytes = opened_context(candidate), candidate.size_bytes
    found, total = gguf_memory(header, context, size_bytes=size_bytes), seen.facts.mem_total_bytes
    if found is None:
        return None
    fit = None
    if total is not None:
        fit = gguf_fit(header, context, total, size_bytes=size_bytes, now=board_now(seen))
    return MemoryNeed(found.need, guessed=False, fit=fit)


def _fit(ram: Number, seen: Examination) -> Fit | None:
    total, need = seen.facts.mem_total_bytes, int(ram.value)
    # What a shorter context would save is not known of a file.
    return None if total is None else fit_board(need, int(ram.high), total, lambda _: need, board_now(seen))


def memory(candidate: Candidate, seen: Examination) -> Iterator[Finding]:
    """Whether it can be served; what only the moment forbids is a warning."""
    if seen.facts.mem_total_bytes is None:
        yield finding("model_memory", "unknown", "doctor.memory_unknown")
        return
    need = memory_need(candidate, seen)
    by_header = candidate.inspection.gguf is not None
    if need is None and by_header:
        yield finding("model_memory", "unknown", "doctor.model_memory_untold")
    if need is None or need.fit is None:
        return
    low, middle, high = (format_bytes(size) for size in (need.ram.low, need.ram.value, need.ram.high))
    code = (_FORECAST if by_header else _GUESSED if need.guessed else _KNOWN)[need.fit.verdict]
    shown: Facts = {
        "need": f"{low} .. {high}" if need.guessed or by_header else middle,
        "reason": need.fit.reason.to_json(),
    }
    if by_header:
        shown["context"] = opened_context(candidate)
    yield Finding("model_memory", VERDICT_OF[need.fit.verdict], code, shown)


def disk(candidate: Candidate, seen: Examination) -> Iterator[Finding]:
    """Whether it can be sent; the reserve is the one that sending keeps (`core.transfer.upload.upload`)."""
    place, after = seen.store, disk_free_after(candidate, seen)
    if place is None or place.free_bytes is None or after is None:
        return
    sent = candidate.size_bytes - (candidate.there_bytes or 0)
    shown: Facts = {
        "file": printable(candidate.name),
        "need": format_bytes(sent + RESERVE_BYTES),
        "free": format_bytes(place.free_bytes),
    }
    if candidate.is_there:
        yield finding("model_disk", "ok", "doctor.model_disk_there", file=printable(candidate.name))
    elif after < RESERVE_BYTES and candidate.there_bytes is None:
        yield finding("model_disk", "warning", "doctor.model_disk_unless_there", **shown)
    elif after < RESERVE_BYTES:
        yield finding("model_disk", "failed", "doctor.model_disk_full", **shown)
    elif place.total_bytes is not None and after < _TIGHT_SHARE * place.total_bytes:
        yield finding("model_disk", "warning", "doctor.model_disk_tight", left=format_bytes(after), **shown)
    else:
        yield finding("model_disk", "ok", "doctor.model_disk_ok", **shown)


def disk_free_after(candidate: Candidate, seen: Examination) -> int | None:
    """Bytes left in the store when the file has arrived, negative when it does not fit; None is unknown.

    Where nobody knows whether the board has the file already, it is counted as if all of it had to be sent.
    """
    if seen.store is None or seen.store.free_bytes is None:
        return None
    return seen.store.free_bytes - max(0, candidate.size_bytes - (candidate.there_bytes or 0))


def ram_free_after(candidate: Candidate, seen: Examination) -> int | None:
    """Bytes of memory left when the file is served; None is unknown, as it is where its need is only guessed."""
    need, total, free = candidate.need, seen.facts.mem_total_bytes, seen.facts.mem_available_bytes
    if need is None or total is None:
        return None
    return (free if free is not None else total - estimate_limits().os_headless_bytes) - need.ram_bytes
