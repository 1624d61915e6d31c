"""Rules about what runs models on the board: the library, the programs, the limits of the account."""

from collections.abc import Iterator

from core.boards.doctor.examination import Examination
from core.boards.doctor.findings import Finding, finding
from core.boards.doctor.npu_rules import is_foreign
from core.boards.doctor.remedies import copy_library, raise_open_files
from core.vendor.board_limits import board_limits
from core.vendor.releases import version_key


def library(seen: Examination) -> Iterator[Finding]:
    """librkllmrt.so: there, of which version, and just one of it."""
    for runtime in seen.facts.runtimes:
        if runtime.simulated:
            yield finding(
                "runtime", "ok", "doctor.runtime_simulated", name=runtime.name, version=runtime.version
            )
    found = seen.rkllm_libraries
    if not found:
        if not seen.facts.simulated and not is_foreign(seen):
            yield finding("library", "warning", "doctor.library_none").with_remedy(copy_library(None))
        return
    loadable = seen.loadable_libraries
    if not loadable:
        yield finding(
            "library", "failed", "doctor.library_wrong_bits",
            path=found[0].path, bits=found[0].bits, machine=seen.facts.machine,
        ).with_remedy(copy_library(None))  # fmt: skip
    found = loadable or found
    versions = {entry.version for entry in found}
    if len(versions) > 1:
        shown = ", ".join(f"{entry.path} ({entry.version or 'unknown version'})" for entry in found)
        yield finding("library", "warning", "doctor.library_several", libraries=shown)
        return
    first = found[0]
    if first.release is not None:
        yield finding("library", "ok", "doctor.library_ok", version=first.release, path=first.path)
    elif first.text_version is not None:
        yield finding("library", "ok", "doctor.library_by_text", version=first.text_version, path=first.path)
    else:
        yield finding("library", "unknown", "doctor.library_unknown", path=first.path).with_remedy(
            copy_library(None)
        )


def programs(seen: Examination) -> Iterator[Finding]:
    """The programs RKDeck needs there, and the system around them."""
    facts = seen.facts
    if facts.missing_tools:
        yield finding("programs", "failed", "doctor.programs_missing", tools=", ".join(facts.missing_tools))
    if seen.python is None:
        yield finding("python", "warning", "doctor.python_none", wanted=board_limits().python)
    elif version_key(seen.python) < version_key(board_limits().python):
        yield finding(
            "python", "warning", "doctor.python_old", version=seen.python, wanted=board_limits().python
        )
    else:
        yield finding("python", "ok", "doctor.python_ok", version=seen.python)


def system(seen: Examination) -> Iterator[Finding]:
    """What system it is and how its account becomes root: nothing to judge."""
    yield finding(
        "system", "ok", "doctor.system",
        os=seen.facts.os, machine=seen.facts.machine, init="systemd" if seen.systemd else "no systemd",
        user=seen.facts.user, sudo="root" if seen.is_root else seen.facts.sudo,
    )  # fmt: skip


def open_files(seen: Examination) -> Iterator[Finding]:
    """How many files a runtime may open: RKLLM needs thousands for large models."""
    hard, wanted = seen.open_files[1], board_limits().open_files
    if hard is None or seen.facts.simulated:  # a simulated board's limits are this computer's
        return
    if hard >= wanted:
        yield finding("open_files", "ok", "doctor.open_files_ok", limit=hard)
    else:
        remedy = raise_open_files(seen)
        yield finding(
            "open_files", "warning", "doctor.open_files_low", limit=hard, wanted=wanted
        ).with_remedy(remedy)
