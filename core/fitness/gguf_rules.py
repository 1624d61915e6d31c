"""The rules that only a GGUF file brings: what it is for, whether all of it is there, whether llama.cpp knows it.

Facts: llama.cpp loads the other parts of a split file by the names of the first, each must bear its number, and
all together as many tensors as every one says (`llama_model_loader`); an mmproj or adapter file goes with a model.
"""

from collections.abc import Iterator

from core.base.errors import RefusedError
from core.base.names import printable
from core.boards.doctor.examination import Examination
from core.boards.doctor.findings import Finding, finding
from core.boards.facts import unknown_facts
from core.fitness.candidate import Candidate, PartFile
from core.model.gguf import GgufHeader
from core.model.parts import siblings_of
from core.vendor.llama_cpp import llama_cpp
from core.vendor.platforms import context_limits

# A manifest names them all (`core.deploy.layout`), and is at most 16 KiB.
MOST_PARTS = 64


def check_whole(candidate: Candidate) -> None:
    """Refuse what is no model by itself, for who keeps a file before there is a board.

    Raises:
        RefusedError: `doctor.model_role_mmproj`, `doctor.model_role_adapter`, `doctor.model_role_other`,
            `doctor.model_parts_missing`, `doctor.model_parts_differ`, `doctor.model_parts_many`.
    """
    nobody = Examination(unknown_facts(), depth="none")
    for entry in (*role(candidate, nobody), *parts(candidate, nobody)):
        if entry.verdict == "failed":
            raise RefusedError(entry.code, hint=None, **entry.facts)


def role(candidate: Candidate, seen: Examination) -> Iterator[Finding]:
    """Whether it is a model, and no part for one."""
    found, shown = candidate.inspection.role, printable(candidate.name)
    if found in {None, "model"}:
        return
    if found == "mmproj":
        yield finding("model_role", "failed", "doctor.model_role_mmproj", file=shown)
    elif found == "adapter":
        yield finding("model_role", "failed", "doctor.model_role_adapter", file=shown)
    else:
        yield finding("model_role", "failed", "doctor.model_role_other", file=shown, role=found)


def parts(candidate: Candidate, seen: Examination) -> Iterator[Finding]:
    """Whether all parts of it are there, and are of one model."""
    files, shown = candidate.files, printable(candidate.name)
    count = len(files) + len(candidate.missing)
    if candidate.missing:
        names = ", ".join(printable(name) for name in candidate.missing[:8])
        yield finding(
            "model_parts", "failed", "doctor.model_parts_missing",
            file=shown, count=count, missing=len(candidate.missing), names=names,
        )  # fmt: skip
        return
    strange = next((file for file in files if not _is_its_part(file)), None)
    if strange is not None:
        yield finding(
            "model_parts", "failed", "doctor.model_parts_differ",
            file=printable(strange.name), said=_said(strange), named=_named(strange),
        )  # fmt: skip
    elif (different := _other_set(files)) is not None:
        yield finding("model_parts", "failed", "doctor.model_parts_other", file=printable(different.name))
    elif count > MOST_PARTS:
        yield finding(
            "model_parts", "failed", "doctor.model_parts_many", file=shown, count=count, most=MOST_PARTS
        )
    elif count > 1:
        yield finding("model_parts", "ok", "doctor.model_parts_ok", count=count)


def architecture(candidate: Candidate, seen: Examination) -> Iterator[Finding]:
    """Whether llama.cpp knows what is in it: newer ones know more than this list, so nothing is refused."""
    found = candidate.inspection.architecture
    if found is None:
        yield finding("model_architecture", "unknown", "doctor.model_architecture_untold")
    elif found in llama_cpp().architectures:
        yield finding("model_architecture", "ok", "doctor.model_architecture_ok", architecture=found)
    else:
        yield finding(
            "model_architecture", "unknown", "doctor.model_architecture_new",
            architecture=found, release=llama_cpp().release,
        )  # fmt: skip


def limit(candidate: Candidate, seen: Examination) -> Iterator[Finding]:
    """The context it is served with against the one it was trained for."""
    most, wanted = candidate.inspection.max_context, opened_context(candidate)
    if most is None:
        yield finding("model_context", "unknown", "doctor.model_limit_unknown", context=wanted)
    elif wanted > most:
        yield finding("model_context", "warning", "doctor.model_limit_beyond", context=wanted, limit=most)
    else:
        yield finding("model_context", "ok", "doctor.model_limit_ok", context=wanted, limit=most)


def engine(candidate: Candidate, seen: Examination) -> Iterator[Finding]:
    """Whether there is a ready-made llama.cpp for the board's processor."""
    machine = seen.facts.machine
    if machine is not None and machine not in llama_cpp().machines:
        yield finding("model_engine", "warning", "doctor.model_engine_machine", machine=machine)


def opened_context(candidate: Candidate) -> int:
    """Tokens it is served with: as wanted, else the usual number, or all it knows where that is less."""
    usual = context_limits().usual
    return candidate.context or min(candidate.inspection.max_context or usual, usual)


def _header_part(header: GgufHeader) -> tuple[int, int] | None:
    """What a header says which part it is; (0, 0) where that was not reached."""
    return header.part if header.is_whole or "split.count" in header.values else (0, 0)


def _is_its_part(file: PartFile) -> bool:
    header = file.inspection.gguf
    return header is None or _header_part(header) in {(0, 0), _number_of(file.name)}


def _number_of(name: str) -> tuple[int, int]:
    names = siblings_of(name)
    return names.index(name) + 1, len(names)


def _named(file: PartFile) -> str:
    return "{}/{}".format(*_number_of(file.name))


def _said(file: PartFile) -> str | None:
    part = file.inspection.gguf and _header_part(file.inspection.gguf)
    return "{}/{}".format(*part) if part else None


def _other_set(files: tuple[PartFile, ...]) -> PartFile | None:
    """A part whose set has another number of tensors, or the last one where they are not so many together."""
    headers = [file.inspection.gguf for file in files]
    if len(files) == 1 or None in headers:
        return None
    known = [header for header in headers if header is not None]
    wanted = [header.whole("split.tensors.count") for header in known]
    told = [number for number in wanted if number is not None]
    for file, number in zip(files, wanted, strict=True):
        if number is not None and number != told[0]:
            return file
    if told and sum(header.tensor_count for header in known) != told[0]:
        return files[-1]
    return None
