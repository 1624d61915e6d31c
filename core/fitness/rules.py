"""The rules about one model file on one board: would it load, and would there be room. Everybody asks these.

Facts: platform and dtype matrix of the toolkit (resources/platforms.toml); a library loads files of its own and of
older toolkits (rknn-llm #129, #235); the context is bounded by the one a file was built for; the NPU's addresses have
32 bits a domain (#335, #195); FAT ends files at 4 GiB.
"""

from collections.abc import Callable, Iterator, Mapping

from core.base.names import printable
from core.base.units import format_bytes
from core.boards.doctor.examination import Examination
from core.boards.doctor.findings import Facts, Finding, finding
from core.boards.doctor.remedies import copy_library
from core.fitness import gguf_rules
from core.fitness.candidate import Candidate
from core.fitness.room import disk, memory
from core.fitness.runtime import match_versions
from core.vendor.board_limits import board_limits
from core.vendor.kinds import ModelKind
from core.vendor.platforms import Platform, load_platforms
from core.vendor.releases import version_key

Rule = Callable[[Candidate, Examination], Iterator[Finding]]

# Rules that ask no more of a file than its size and its header's word for what it is.
_OF_ANY_FILE = frozenset({"role", "parts", "disk"})
_FAT = frozenset({"vfat", "msdos"})
_FAT_LIMIT_BYTES = (4 << 30) - 1


def check_model(candidate: Candidate, seen: Examination, *, board: str) -> tuple[Finding, ...]:
    """Every finding about a file on a board; pure.

    Args:
        candidate: the file.
        seen: the board.
        board: its name, for messages.
    """
    strange, kind = candidate.strange_file, candidate.kind
    if strange is not None or kind is None:
        assert strange is not None
        shown, found = printable(strange.name), strange.inspection.kind
        return (finding("model_file", "failed", "deploy.not_a_model", file=shown, kind=found),)
    findings = [*_file(candidate, kind, seen, board)]
    # What is damaged, or no model by itself, tells nothing else that could be relied on.
    whole = candidate.inspection.is_model and not candidate.problems
    rules = [RULES[name] for name in kind.rules if whole or name in _OF_ANY_FILE]
    if seen.depth == "none" and seen.facts.soc is None:
        findings.append(finding("model_board", "unknown", "doctor.model_board_unseen", board=board))
        rules = []
    return (*findings, *(entry for rule in rules for entry in rule(candidate, seen)))


def _file(candidate: Candidate, kind: ModelKind, seen: Examination, board: str) -> Iterator[Finding]:
    """Whether this is a file for this board at all."""
    inspection, facts, shown = candidate.inspection, seen.facts, printable(candidate.name)
    looked = seen.depth != "none"  # who has not does not know whether the board is a simulated one
    if looked and inspection.simulated and not facts.simulated:
        yield finding(
            "model_file", "failed", "deploy.simulated_file", file=shown, board=board, model=facts.title
        )
    for file in candidate.files:
        if file.inspection.problems:
            problems, damaged = ", ".join(file.inspection.problems), printable(file.name)
            yield finding("model_file", "failed", "deploy.damaged_file", file=damaged, problems=problems)
    if looked and facts.simulated and kind.simulated and not inspection.simulated:
        yield finding("model_file", "failed", "deploy.real_file_to_simulated_board", file=shown, board=board)
    built = inspection.platform
    if facts.soc is not None and built is not None and built.lower() != facts.soc:
        yield finding(
            "model_file",
            "failed",
            "deploy.wrong_platform",
            file=shown,
            platform=built,
            board=board,
            soc=facts.soc,
        )
    place = seen.store
    is_fat = place is not None and place.mount is not None and place.mount.filesystem in _FAT
    # What is on the board already (on another disk, when it is adopted) is not written to this one.
    largest = max(candidate.files, key=lambda file: file.inspection.size_bytes)
    too_large = largest.inspection.size_bytes > _FAT_LIMIT_BYTES
    if place is not None and is_fat and too_large and not candidate.is_there:
        shown = printable(largest.name)
        yield finding(
            "model_file", "failed", "deploy.file_too_large_for_fat", file=shown, board=board, store=place.path
        )


def _platform_of(seen: Examination) -> Platform | None:
    return load_platforms().get(seen.facts.soc or "")


def _platform(candidate: Candidate, seen: Examination) -> Iterator[Finding]:
    """A file for another SoC is a refusal already, and so is a board of an unsupported one."""
    built, platform, facts = candidate.inspection.platform, _platform_of(seen), seen.facts
    if seen.depth != "none" and facts.soc is None and not facts.compatibles:
        yield finding("model_platform", "failed", "doctor.model_soc_unknown", file=printable(candidate.name))
    elif built is None:
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
    if seen.depth == "none" or (inspection.simulated and not seen.facts.simulated):
        return  # nobody looked which ones there are, or nothing there would run it
    # Where all are of the wrong width, the doctor of the board says so; their age is looked at all the same.
    libraries = seen.loadable_libraries or seen.rkllm_libraries
    found: list[str | None] = [entry.version for entry in libraries]
    if inspection.simulated:  # a stand-in runtime serves it, and needs no library
        found = [runtime.version for runtime in seen.facts.runtimes if runtime.simulated]
    match = match_versions(found, inspection.toolkit_version)
    toolkit, runtime = match.toolkit_version, match.runtime_version
    remedy = None if inspection.simulated else copy_library(toolkit)
    shown: Facts = {"toolkit": toolkit, "runtime": runtime}
    if match.match == "no_library" and inspection.simulated:
        yield finding("model_runtime", "failed", "doctor.model_no_stand_in")
    elif match.match == "no_library":
        yield finding("model_runtime", "failed", "doctor.model_no_library", toolkit=toolkit).with_remedy(
            remedy
        )
    elif match.match == "unknown":
        yield finding("model_runtime", "unknown", "doctor.model_runtime_unknown", **shown)
    elif match.match == "too_old":
        yield finding("model_runtime", "failed", "doctor.model_runtime_old", **shown).with_remedy(remedy)
    elif _misbehaves(runtime, toolkit):
        yield finding("model_runtime", "warning", "doctor.model_runtime_pair", **shown)
    else:
        yield finding("model_runtime", "ok", "doctor.model_runtime_ok", **shown)


def _misbehaves(runtime: str | None, toolkit: str | None) -> bool:
    """Whether this very pair loads and then answers wrongly."""
    return toolkit is not None and any(
        pair.runtime == runtime and version_key(toolkit) < version_key(pair.toolkit_below)
        for pair in board_limits().pairs
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
    need, known = candidate.need.npu_bytes if candidate.need is not None else None, board_limits()
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


# By the names in resources/kinds.toml, which has those of each kind in the order people read them; a front end shows
# the first of the worst.
RULES: Mapping[str, Rule] = {
    "platform": _platform, "dtype": _dtype, "versions": _versions, "context": _context, "cores": _cores, "npu": _npu,
    "memory": memory, "disk": disk, "role": gguf_rules.role, "parts": gguf_rules.parts,
    "architecture": gguf_rules.architecture, "limit": gguf_rules.limit, "engine": gguf_rules.engine,
}  # fmt: skip
