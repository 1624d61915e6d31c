"""One file, one board, one answer, whoever is asked: hovering, on the Hub, before the job, on arrival, the doctor."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from core.base.errors import RefusedError
from core.boards.doctor.examination import Examination, RuntimeLibrary, StorePlace, Tenant
from core.boards.doctor.findings import Verdict, overall
from core.boards.facts import Library, Mount, RuntimeInfo, unknown_facts
from core.boards.records import Board
from core.deploy.plan import LocalModel, plan_deployment
from core.estimate.ready import need_of
from core.estimate.table import estimate_model
from core.fitness.candidate import Candidate, Holdings
from core.fitness.judge import OVERRIDABLE
from core.fitness.sight import board_seen, board_sold
from core.hub.records import RepoFile
from core.model.inspect import Inspection
from core.usecases.boards import BoardStatus
from core.usecases.deployment import judge_drop
from core.usecases.doctor import said_of
from core.usecases.ready import ReadyReport, judge_ready
from core.vendor.platforms import get_platform
from core.words import messages, word
from tests.core.estimate.samples import facts as model_facts
from tests.core.fitness import gguf_cases
from tests.support.needs import need_of_bytes

GIB = 1 << 30
SHA = "ab" * 32
NAME = "Qwen3_W8A8_RK3588.rkllm"
DISK = Mount("/", "/dev/nvme0n1p2", "ext4", "nvme", True, 100 * GIB, 50 * GIB)
FACTS = replace(
    unknown_facts(),
    soc="rk3588", npu_cores=3, npu_driver="rknpu", npu_driver_version="0.9.8", kernel="6.1.43", machine="aarch64",
    mounts=(DISK,), mem_total_bytes=8 * GIB, mem_available_bytes=7 * GIB + GIB // 2,
)  # fmt: skip
INSPECTION = Inspection(
    "rkllm", 2 * GIB, toolkit_version="1.3.0", platform="rk3588", dtype="w8a8", max_context=4096, npu_cores=3
)
FILE = Candidate(NAME, INSPECTION, "Qwen3", need=need_of_bytes(3 * GIB, GIB))
SIMULATED = replace(FILE, inspection=replace(INSPECTION, kind="rkllm-simulated"))


def board(*libraries: str | None, free_bytes: int = 50 * GIB, **facts: object) -> Examination:
    """A board as the doctor and the probe would have read it."""
    mount = replace(DISK, free_bytes=free_bytes)
    shown = [(f"/usr/lib/{place}/librkllmrt.so", version) for place, version in enumerate(libraries)]
    return Examination(
        replace(
            FACTS,
            libraries=tuple(Library(path, version) for path, version in shown),
            mounts=(mount,),
            **facts,  # type: ignore[arg-type]
        ),
        libraries=tuple(RuntimeLibrary(path, 7 << 20, 64, None, None, version) for path, version in shown),
        store=StorePlace("/srv/store", True, mount, free_bytes, 100 * GIB),
        vendor_media=True,
    )


BOARD = board("1.3.0")


def both_widths(right: str, other: str) -> Examination:
    """A system for two processors: a library of 64 bits, and one of 32."""
    seen = board(right, other)
    kinds = [(entry, bits) for entry, bits in zip(seen.libraries, (64, 32), strict=True)]
    return replace(
        seen,
        libraries=tuple(replace(entry, bits=bits) for entry, bits in kinds),
        facts=replace(
            seen.facts, libraries=tuple(Library(entry.path, entry.version, bits) for entry, bits in kinds)
        ),
    )


def model(**inspection: object) -> Candidate:
    return replace(FILE, inspection=replace(INSPECTION, **inspection))  # type: ignore[arg-type]


def unknown_need(**inspection: object) -> Candidate:
    return replace(model(**inspection), need=None)


@dataclass(frozen=True)
class Answer:
    """What one door says: every code it has, its verdict, and what refuses (None: nothing does)."""

    codes: frozenset[str]
    verdict: Verdict
    refused: str | None


def held(candidate: Candidate) -> Holdings | None:
    """What the board holds; candidates of which something is there have a digest."""
    there = candidate.there_bytes
    if there is None:
        return None
    sizes = {SHA: there} if there else {}
    return Holdings(sizes) if candidate.is_there else Holdings(parts=sizes)


def status_of(where: Board, candidate: Candidate, seen: Examination | None) -> BoardStatus:
    """What a visit left."""
    seen = seen if where.facts is not None else None
    return BoardStatus(where, (), None, (), None, (), 0.0, seen, held=held(candidate))


def hover(candidate: Candidate, seen: Examination) -> Answer:
    """A board that was visited in this session."""
    where = Board("desk", "host", store="/srv/store", facts=seen.facts if seen.depth != "none" else None)
    found = judge_drop(replace(candidate, there_bytes=0), where, status_of(where, candidate, seen))
    refused = found.refused(force=False)
    return Answer(
        frozenset(entry.code for entry in found.findings), found.verdict, refused.code if refused else None
    )


def remembered(candidate: Candidate, seen: Examination) -> Answer:
    """`rkdeck deploy`, before the job: by what the board said last, in whatever session."""
    where = Board("desk", "host", store="/srv/store", facts=seen.facts if seen.depth != "none" else None)
    kept = replace(where, facts=where.facts and replace(where.facts, mem_available_bytes=None))
    found = judge_drop(candidate, kept, status_of(kept, candidate, None))
    refused = found.refused(force=False)
    return Answer(
        frozenset(entry.code for entry in found.findings), found.verdict, refused.code if refused else None
    )


def ready(candidate: Candidate, seen: Examination) -> Answer:
    """The same file on the Hub, where its need is known by its base model."""
    file = RepoFile(candidate.name, candidate.size_bytes, None, candidate.sha256)
    report = ReadyReport("o/r", "c" * 40, file, candidate.inspection, None, candidate.need,
                         others=candidate.others, missing=candidate.missing)  # fmt: skip
    found = judge_ready(report, seen, board="desk", held=held(candidate))
    refused = found.refused(force=False)
    return Answer(
        frozenset(entry.code for entry in found.findings), found.verdict, refused.code if refused else None
    )


def arrival(candidate: Candidate, seen: Examination) -> Answer:
    """The job, also of the one step and of what is adopted: they all make this plan."""
    local = LocalModel(Path(candidate.name), SHA, candidate.size_bytes, candidate.title)
    refused = None
    try:
        plan_deployment(candidate.held_by(held(candidate)), [local], seen, board="desk")
    except RefusedError as error:
        refused = error.code
    try:
        found = plan_deployment(
            candidate.held_by(held(candidate)), [local], seen, board="desk", force=True
        ).judgement
    except RefusedError as error:
        return Answer(frozenset({error.code}), "failed", refused)
    return Answer(frozenset(entry.code for entry in found.findings), found.verdict, refused)


def doctor(candidate: Candidate, seen: Examination) -> Answer:
    """Its findings about the file, with those about the board that forbid one."""
    said = said_of(seen, candidate.held_by(held(candidate)), board="desk")
    found = tuple(entry for entry in said if entry.verdict == "failed" or entry.check.startswith("model_"))
    first = sorted(
        (entry for entry in found if entry.verdict == "failed"), key=lambda entry: entry.code in OVERRIDABLE
    )
    return Answer(frozenset(entry.code for entry in found), overall(found), first[0].code if first else None)


Door = Callable[[Candidate, Examination], Answer]
DOORS: dict[str, Door] = {
    "hover": hover, "ready": ready, "deploy": remembered, "arrival": arrival, "doctor": doctor,
}  # fmt: skip

STAND_IN = RuntimeInfo("stand-in", "1.3.0+simulated", "/x", simulated=True)
# File and board, the verdict, what refuses it. All that counts here is known at every door.
TABLE: dict[str, tuple[Candidate, Examination, Verdict, str | None]] = {
    "it runs": (unknown_need(size_bytes=GIB), BOARD, "ok", None),
    "a level the SoC cannot run": (unknown_need(dtype="w4a16"), BOARD, "failed", "doctor.model_dtype_refused"),
    "no librkllmrt at all": (unknown_need(), board(), "failed", "doctor.model_no_library"),
    "a librkllmrt too old": (unknown_need(), board("1.2.3"), "failed", "doctor.model_runtime_old"),
    "a library of the other width beside the right one": (
        unknown_need(size_bytes=GIB), both_widths("1.3.0", "1.3.0"), "ok", None,
    ),
    "the right one too old, that of the other width new": (
        unknown_need(), both_widths("1.2.3", "1.3.0"), "failed", "doctor.model_runtime_old",
    ),
    "9 GiB and a need nobody knows": (
        unknown_need(size_bytes=9 * GIB), BOARD, "warning", None,
    ),
    "14 GiB on a board of 8": (
        unknown_need(size_bytes=14 * GIB), BOARD, "failed", "doctor.model_memory_guess_no",
    ),
    "for another SoC": (unknown_need(platform="rk3576"), BOARD, "failed", "deploy.wrong_platform"),
    "damaged": (unknown_need(problems=("inspect.truncated",)), BOARD, "failed", "deploy.damaged_file"),
    "no model": (unknown_need(kind="html"), BOARD, "failed", "deploy.not_a_model"),
    "a full disk": (
        replace(unknown_need(), there_bytes=0), board("1.3.0", free_bytes=GIB), "failed", "doctor.model_disk_full",
    ),
    "a full disk, and nobody looked what is there": (
        unknown_need(), board("1.3.0", free_bytes=GIB), "warning", None,
    ),
    "a full disk that has the file": (
        replace(unknown_need(), sha256=SHA, there_bytes=2 * GIB), board("1.3.0", free_bytes=GIB), "ok", None,
    ),
    "room for the half that is missing": (
        replace(unknown_need(), sha256=SHA, there_bytes=GIB), board("1.3.0", free_bytes=3 * GIB // 2), "warning", None,
    ),
    "no context told": (unknown_need(max_context=None), BOARD, "warning", None),
    "a board that hides its chip": (
        unknown_need(), board("1.3.0", soc=None), "failed", "doctor.model_soc_unknown",
    ),
    "the mainline driver": (
        unknown_need(), board("1.3.0", npu_driver="rocket"), "failed", "doctor.driver_rocket",
    ),
    "an unknown SoC": (
        unknown_need(), board("1.3.0", soc=None, compatibles=("some,soc",)), "failed", "doctor.soc_unsupported",
    ),
    "missing tools": (
        unknown_need(), board("1.3.0", missing_tools=("sha256sum",)), "failed", "doctor.programs_missing",
    ),
    "a simulated file on a real board": (
        replace(SIMULATED, need=None), BOARD, "failed", "deploy.simulated_file",
    ),
    "a simulated file on a simulated board without any library": (
        replace(SIMULATED, need=None),
        board(simulated=True, runtimes=(STAND_IN,)), "ok", None,
    ),
    **gguf_cases.TABLE,
}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("case", TABLE)
def test_every_door_says_the_same(case: str, door: str) -> None:
    candidate, seen, verdict, refused = TABLE[case]
    found = DOORS[door](candidate, seen)
    assert (found.verdict, found.refused) == (verdict, refused)


@pytest.mark.parametrize("door", DOORS)
def test_a_need_of_7_of_8_gib_is_tight_at_every_door(door: str) -> None:
    found = DOORS[door](replace(FILE, need=need_of_bytes(7 * GIB)), board("1.3.0", mem_available_bytes=None))
    assert "doctor.model_memory_tight" in found.codes
    assert (found.verdict, found.refused) == ("warning", None)


BASE = model_facts("Qwen3-1.7B")
_ROWS = estimate_model(BASE, get_platform("rk3588"), context=4096).rows
ROW = next(row for row in _ROWS if row.dtype == "w8a8")
assert ROW.ram is not None
assert ROW.file_bytes is not None
NEED = int(ROW.ram.value)
_NEED = need_of(BASE, get_platform("rk3588"), "w8a8", context=4096)
BASED = replace(model(size_bytes=ROW.file_bytes), need=_NEED)
NOBODY_LOOKED = Examination(unknown_facts(), depth="none")
BUSY = board("1.3.0", mem_total_bytes=16 * GIB, mem_available_bytes=1 << 20)
# A file and a board for each thing there is to say of a file. A new code fails the test until it is here.
CASES: dict[str, tuple[Candidate, Examination]] = {
    "doctor.model_board_unseen": (FILE, NOBODY_LOOKED),
    "doctor.model_platform_ok": (FILE, BOARD),
    "doctor.model_platform_unknown": (model(platform=None), BOARD),
    "doctor.model_soc_unknown": (FILE, board("1.3.0", soc=None)),
    "doctor.model_dtype_ok": (FILE, BOARD),
    "doctor.model_dtype_unknown": (model(dtype=None), BOARD),
    "doctor.model_dtype_refused": (model(dtype="w4a16"), BOARD),
    "doctor.model_runtime_ok": (FILE, BOARD),
    "doctor.model_runtime_old": (model(toolkit_version="1.3.1"), BOARD),
    "doctor.model_runtime_pair": (model(toolkit_version="1.2.2"), BOARD),
    "doctor.model_runtime_unknown": (FILE, board(None)),
    "doctor.model_no_library": (FILE, board()),
    "doctor.model_no_stand_in": (SIMULATED, board(simulated=True)),
    "doctor.model_context_ok": (FILE, BOARD),
    "doctor.model_context_large": (replace(FILE, context=8192), BOARD),
    "doctor.model_context_unknown": (model(max_context=None), BOARD),
    "doctor.model_cores_ok": (FILE, BOARD),
    "doctor.model_cores_more": (FILE, board("1.3.0", npu_cores=2)),
    "doctor.model_npu_ok": (FILE, BOARD),
    "doctor.model_npu_several": (unknown_need(size_bytes=7 * GIB), BOARD),
    "doctor.model_npu_large": (unknown_need(size_bytes=5 * GIB), board("1.3.0", npu_driver_version="0.9.7")),
    "doctor.model_npu_old_driver": (unknown_need(size_bytes=3 * GIB), board("1.3.0", npu_driver_version="0.9.2")),
    "doctor.model_memory_ok": (BASED, board("1.3.0", mem_total_bytes=64 * GIB, mem_available_bytes=63 * GIB)),
    "doctor.model_memory_tight": (BASED, board("1.3.0", mem_total_bytes=NEED + GIB, mem_available_bytes=None)),
    "doctor.model_memory_no": (BASED, board("1.3.0", mem_total_bytes=NEED, mem_available_bytes=None)),
    "doctor.model_memory_guess_ok": (unknown_need(), BOARD),
    "doctor.model_memory_guess_tight": TABLE["9 GiB and a need nobody knows"][:2],
    "doctor.model_memory_guess_no": (unknown_need(size_bytes=14 * GIB), BOARD),
    "doctor.model_disk_ok": (FILE, BOARD),
    "doctor.model_disk_tight": (FILE, board("1.3.0", free_bytes=4 * GIB)),
    "doctor.model_disk_full": (replace(FILE, there_bytes=0), board("1.3.0", free_bytes=GIB)),
    "doctor.model_disk_unless_there": (FILE, board("1.3.0", free_bytes=GIB)),
    "doctor.model_disk_there": (replace(FILE, sha256=SHA, there_bytes=2 * GIB), board("1.3.0", free_bytes=GIB)),
    **gguf_cases.CASES,
}  # fmt: skip
# What cannot happen at a door, and why.
NEVER: dict[str, dict[str, str]] = {
    "doctor.model_context_large": dict.fromkeys(
        ("hover", "ready", "deploy", "arrival"), "a context is asked for at the doctor only"
    ),
    "doctor.model_limit_beyond": dict.fromkeys(
        ("hover", "ready", "deploy", "arrival"), "a context is asked for at the doctor only"
    ),
    "doctor.model_board_unseen": dict.fromkeys(("arrival", "doctor"), "they look at the board"),
}


def test_every_code_about_a_file_has_its_case() -> None:
    assert {code for code in messages() if code.startswith("doctor.model_")} == set(CASES)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("code", CASES)
def test_each_finding_comes_through_each_door(code: str, door: str) -> None:
    if door in NEVER.get(code, {}):
        candidate, seen = CASES["doctor.model_context_ok"]
        assert code not in DOORS[door](candidate, seen).codes
        return
    candidate, seen = CASES[code]
    assert code in DOORS[door](candidate, seen).codes


def test_what_force_may_pass_has_words_and_fails() -> None:
    assert set(messages()) >= OVERRIDABLE
    final = {"deploy.not_a_model", "deploy.simulated_file", "deploy.file_too_large_for_fat", "doctor.programs_missing",
             "doctor.model_disk_full", "doctor.store_none", "doctor.store_read_only"}  # fmt: skip
    assert not final & OVERRIDABLE


def test_a_board_of_the_catalogue_is_judged_by_what_is_sold_and_nothing_else() -> None:
    sold = board_sold(get_platform("rk3588"), 8 * GIB)
    assert ready(unknown_need(), sold).verdict == "ok"
    assert ready(replace(SIMULATED, need=None), sold).refused is None
    assert ready(unknown_need(dtype="w4a16"), sold).refused == "doctor.model_dtype_refused"
    assert ready(unknown_need(platform="rk3576"), sold).refused == "deploy.wrong_platform"
    assert ready(unknown_need(size_bytes=14 * GIB), sold).refused == "doctor.model_memory_guess_no"


def test_a_probe_alone_proves_no_absence_of_a_driver() -> None:
    """The kernel's log, where a driver without files is seen, is read by the doctor only."""
    bare = replace(
        FACTS, npu_driver=None, npu_driver_version=None, kernel="6.18.0", libraries=BOARD.facts.libraries
    )
    where = Board("desk", "host", store="/srv/store", facts=bare)
    assert judge_drop(unknown_need(), where).refused(force=False) is None
    read = replace(BOARD, facts=bare, vendor_media=False)
    assert hover(unknown_need(), read).refused == "doctor.driver_none"


def test_what_stands_in_the_way_now_is_named() -> None:
    ours = Tenant(7, "server", "maps", 1000, 6 * GIB, ours=True)
    busy = replace(BUSY, serving="Other-7B", tenants=(ours,))
    found = judge_drop(FILE, Board("desk", "host", store="/srv/store", facts=busy.facts), None)
    assert found.verdict == "ok"  # what was free on another day says nothing
    where = Board("desk", "host", store="/srv/store", facts=busy.facts)
    now = judge_drop(FILE, where, BoardStatus(where, (), None, (), None, (), 0.0, busy))
    assert (now.verdict, now.refusals) == ("warning", ())
    assert "stop Other-7B first, it holds 6.00 GiB" in word(now.worst.statement)[0]


@pytest.mark.parametrize(
    ("seen", "toolkit", "release"),
    [(board(), "1.3.0", "1.3.0"), (board("1.1.4"), "1.2.3", "1.2.3"), (board(), "99.0", None),
     (board(machine="riscv64"), "1.3.0", None)],
)  # fmt: skip
def test_a_library_rkdeck_can_install_is_offered_with_the_refusal(
    seen: Examination, toolkit: str, release: str | None
) -> None:
    where = Board("desk", "host", store="/srv/store", facts=seen.facts)
    found = judge_drop(model(toolkit_version=toolkit), where)
    assert found.remedy is not None
    error = found.refusals[0].error
    assert error.facts["release"] == release
    assert error.facts["remedy"] == ("library" if release else None)
    assert error.hint == ("deploy.offer_library" if release else None)


def test_a_stand_in_is_not_a_library_to_copy() -> None:
    bare = board(simulated=True)
    where = Board("desk", "host", store="/srv/store", facts=bare.facts)
    found = judge_drop(SIMULATED, where)
    assert found.refusals[0].error.code == "doctor.model_no_stand_in"
    assert found.remedy is None


def test_what_was_remembered_is_the_same_board() -> None:
    """Only versions by their text, no word of who may write: still the same answer."""
    where = Board("desk", "host", store="/srv/store", facts=BOARD.facts)
    seen = board_seen(where)
    assert seen.depth == "probe"
    assert [entry.version for entry in seen.rkllm_libraries] == ["1.3.0"]
    assert seen.store is not None
    assert (seen.store.free_bytes, seen.store.writable) == (50 * GIB, None)


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("code", gguf_cases.CASES)
def test_words_about_a_gguf_name_all_their_facts_and_nothing_of_rkllm(code: str, language: str) -> None:
    candidate, seen = CASES[code]
    (found,) = (entry for entry in said_of(seen, candidate, board="desk") if entry.code == code)
    told = " ".join(map(str, word(found.statement, language)))
    assert "{" not in told
    assert not [name for name in ("toolkit", "NPU", "librkllmrt", "rkllm") if name in told]
