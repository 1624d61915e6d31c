"""Which kinds of model files a board could run, and what that makes of the findings about it.

What one kind needs and the board has not is no failure of the board while it runs another: a board without an NPU for
RKLLM runs GGUF files on its CPU.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from core.boards.doctor.examination import Examination
from core.boards.doctor.findings import Finding, finding
from core.vendor.kinds import ModelKind, model_kinds
from core.vendor.llama_cpp import llama_cpp
from core.vendor.releases import version_key


def llama(seen: Examination) -> Iterator[Finding]:
    """Whether llama.cpp could be brought there ready-made, or is there."""
    known, machine = llama_cpp(), seen.facts.machine
    if seen.llama_server is not None:
        yield finding("llama", "ok", "doctor.llama_server", path=seen.llama_server)
        return
    if machine is not None and machine not in known.machines:
        yield finding("llama", "warning", "doctor.llama_machine", machine=machine)
        return
    if seen.python is not None and version_key(seen.python) < version_key(known.python):
        yield finding("llama", "warning", "doctor.llama_python", version=seen.python, wanted=known.python)
    if seen.has_libgomp is False:
        yield finding("llama", "warning", "doctor.llama_library", library=known.library)


def kinds(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Of each kind whether the board could run it, by what was found."""
    found = tuple(findings)
    for kind in model_kinds().values():
        if _runs(kind, found):
            yield finding("kinds", "ok", "doctor.kind_runs", kind=kind.name, engine=kind.engine)
        else:
            yield finding("kinds", "warning", "doctor.kind_cannot", kind=kind.name, engine=kind.engine)


def weigh(findings: Iterable[Finding], asked: ModelKind | None = None) -> tuple[Finding, ...]:
    """Findings about a board as they weigh on it.

    Args:
        findings: all of them.
        asked: the kind of a file that somebody wants to run there; what that one needs keeps its weight.
    """
    found = tuple(findings)
    running = [kind for kind in model_kinds().values() if _runs(kind, found)]
    return tuple(_weighed(entry, running, asked) for entry in found)


def _runs(kind: ModelKind, findings: tuple[Finding, ...]) -> bool:
    return not any(entry.verdict == "failed" and entry.check in kind.board_checks for entry in findings)


def _weighed(entry: Finding, running: list[ModelKind], asked: ModelKind | None) -> Finding:
    if entry.verdict == "failed" and not (asked and entry.check in asked.board_checks):
        needed_by = [kind for kind in model_kinds().values() if entry.check in kind.board_checks]
        return replace(entry, verdict="warning") if needed_by and set(running) - set(needed_by) else entry
    if entry.verdict == "warning" and not (asked and entry.check in asked.engine_checks):
        served_by = [kind for kind in model_kinds().values() if entry.check in kind.engine_checks]
        return replace(entry, verdict="ok") if served_by and set(running) - set(served_by) else entry
    return entry
