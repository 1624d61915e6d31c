"""One model file on one board: what the doctor says of it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from core.boards.doctor.examination import Examination, RuntimeLibrary, StorePlace
from core.boards.doctor.findings import Finding
from core.boards.facts import BoardFacts, Mount, RuntimeInfo
from core.boards.probe import facts_of, parse_lines
from core.fitness.candidate import Candidate
from core.fitness.rules import check_model
from core.model.inspect import Inspection, inspect_file
from core.words import messages, word
from tests.core.deploy.models import real_file
from tests.support.needs import need_of_bytes

GIB = 1 << 30
DISK = Mount("/", "/dev/nvme0n1p2", "ext4", "nvme", True, 100 * GIB, 50 * GIB)
FACTS: BoardFacts = replace(
    facts_of(parse_lines("probe:1\nend:1")),
    soc="rk3588", npu_cores=3, npu_driver="rknpu", npu_driver_version="0.9.8", kernel="6.1.43", missing_tools=(),
    mounts=(DISK,), mem_total_bytes=16 * GIB, mem_available_bytes=14 * GIB,
)  # fmt: skip
LIBRARY = RuntimeLibrary("/usr/lib/librkllmrt.so", 7 << 20, 64, "0" * 40, "1.3.0", None)
BOARD = Examination(
    FACTS, libraries=(LIBRARY,), store=StorePlace("/srv/store", True, DISK, 50 * GIB, 100 * GIB)
)
INSPECTION = Inspection(
    "rkllm", 2 * GIB, toolkit_version="1.3.0", platform="rk3588", dtype="w8a8", max_context=4096, npu_cores=3
)
MODEL = Candidate("Qwen3-1.7B.rkllm", INSPECTION, need=need_of_bytes(3 * GIB, int(1.7e9)))


def board(**facts: object) -> Examination:
    return replace(BOARD, facts=replace(FACTS, **facts))  # type: ignore[arg-type]


def model(
    ram_bytes: int | None = 3 * GIB, npu_bytes: int | None = int(1.7e9), **inspection: object
) -> Candidate:
    changed = replace(INSPECTION, **inspection)  # type: ignore[arg-type]
    need = need_of_bytes(ram_bytes, npu_bytes) if ram_bytes is not None else None
    return replace(MODEL, inspection=changed, need=need, there_bytes=0)


def check(candidate: Candidate, seen: Examination = BOARD) -> tuple[Finding, ...]:
    found = check_model(candidate, seen, board="desk")
    for entry in found:
        message, hint = messages()[entry.code]
        assert set(re.findall(r"\{(\w+)\}", message + hint)) <= set(entry.facts), entry.code
        assert "{" not in word(entry.statement)[0]
    return found


def one(candidate: Candidate, name: str, seen: Examination = BOARD) -> tuple[str, str]:
    return next((entry.verdict, entry.code) for entry in check(candidate, seen) if entry.check == name)


def test_a_model_that_runs() -> None:
    found = check(MODEL)
    assert {entry.verdict for entry in found} == {"ok"}
    assert [entry.check for entry in found] == [
        "model_platform", "model_dtype", "model_runtime", "model_context", "model_cores", "model_npu", "model_memory",
        "model_disk",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("candidate", "seen", "name", "expected"),
    [
        (model(dtype="w4a16"), BOARD, "model_dtype", ("failed", "doctor.model_dtype_refused")),
        (model(dtype=None), BOARD, "model_dtype", ("unknown", "doctor.model_dtype_unknown")),
        (model(platform=None), BOARD, "model_platform", ("unknown", "doctor.model_platform_unknown")),
        (model(platform="rk3576"), BOARD, "model_file", ("failed", "deploy.wrong_platform")),
        (model(toolkit_version="1.3.1"), BOARD, "model_runtime", ("failed", "doctor.model_runtime_old")),
        (model(toolkit_version="1.2.2"), BOARD, "model_runtime", ("warning", "doctor.model_runtime_pair")),
        (model(toolkit_version=None), BOARD, "model_runtime", ("unknown", "doctor.model_runtime_unknown")),
        (MODEL, replace(BOARD, libraries=()), "model_runtime", ("failed", "doctor.model_no_library")),
        (replace(MODEL, context=8192), BOARD, "model_context", ("failed", "doctor.model_context_large")),
        (replace(MODEL, context=4096), BOARD, "model_context", ("ok", "doctor.model_context_ok")),
        (model(max_context=None), BOARD, "model_context", ("unknown", "doctor.model_context_unknown")),
        (MODEL, board(npu_cores=2), "model_cores", ("warning", "doctor.model_cores_more")),
        (model(npu_bytes=3 * GIB), board(npu_driver_version="0.9.2"), "model_npu",
         ("failed", "doctor.model_npu_old_driver")),
        (MODEL, board(npu_driver_version="0.9.2"), "model_npu", ("ok", "doctor.model_npu_ok")),
        (model(npu_bytes=5 * GIB), board(npu_driver_version="0.9.7"), "model_npu",
         ("warning", "doctor.model_npu_large")),
        (model(npu_bytes=7 * GIB), BOARD, "model_npu", ("ok", "doctor.model_npu_several")),
        (model(npu_bytes=None, size_bytes=7 * GIB), BOARD, "model_npu", ("ok", "doctor.model_npu_several")),
        (model(ram_bytes=13 * GIB), BOARD, "model_memory", ("ok", "doctor.model_memory_ok")),
        (model(ram_bytes=5 * GIB), board(mem_available_bytes=4 * GIB), "model_memory",
         ("warning", "doctor.model_memory_tight")),
        (model(ram_bytes=20 * GIB), BOARD, "model_memory", ("failed", "doctor.model_memory_no")),
        (model(ram_bytes=None), BOARD, "model_memory", ("ok", "doctor.model_memory_guess_ok")),
        (model(ram_bytes=None, size_bytes=30 * GIB), BOARD, "model_memory",
         ("failed", "doctor.model_memory_guess_no")),
        (MODEL, board(mem_total_bytes=None), "model_memory", ("unknown", "doctor.memory_unknown")),
        (model(size_bytes=42 * GIB), BOARD, "model_disk", ("warning", "doctor.model_disk_tight")),
        (model(size_bytes=60 * GIB), BOARD, "model_disk", ("failed", "doctor.model_disk_full")),
        (replace(MODEL, there_bytes=2 * GIB), BOARD, "model_disk", ("ok", "doctor.model_disk_there")),
    ],
)  # fmt: skip
def test_every_rule(candidate: Candidate, seen: Examination, name: str, expected: tuple[str, str]) -> None:
    assert one(candidate, name, seen) == expected


def test_the_library_that_is_missing_can_be_copied() -> None:
    found = check(model(toolkit_version="1.3.1"))
    remedy = next(entry.remedy for entry in found if entry.check == "model_runtime")
    assert remedy is not None
    assert (remedy.id, remedy.needs_file, remedy.facts["version"]) == ("library", True, "1.3.1")


def test_a_simulated_file_wants_a_stand_in() -> None:
    simulated = model(kind="rkllm-simulated")
    assert one(simulated, "model_file") == ("failed", "deploy.simulated_file")
    stand_in = RuntimeInfo("s", "1.3.0+simulated", "/x", simulated=True)
    there = board(simulated=True, runtimes=(stand_in,))
    assert one(simulated, "model_runtime", there) == ("ok", "doctor.model_runtime_ok")
    bare = board(simulated=True)
    found = next(entry for entry in check(simulated, bare) if entry.check == "model_runtime")
    assert (found.code, found.remedy) == ("doctor.model_no_stand_in", None)


@pytest.mark.parametrize("kind", ["lfs-pointer", "html", "empty", "fake-rkllm", "unknown"])
def test_no_model_at_all_is_said_once(kind: str) -> None:
    found = check(model(kind=kind, problems=("inspect.not_a_model",)))
    assert {entry.code for entry in found} <= {"deploy.not_a_model", "deploy.damaged_file"}
    assert found[0].code == "deploy.not_a_model"


def test_a_real_looking_file(tmp_path: Path) -> None:
    path = real_file(tmp_path / "Qwen3-W8A8-rk3588.rkllm")
    inspection = inspect_file(path)
    assert not inspection.problems
    found = check(Candidate(path.name, inspection))
    assert {entry.check: entry.verdict for entry in found} == {
        "model_platform": "ok", "model_dtype": "ok", "model_runtime": "warning", "model_context": "unknown",
        "model_npu": "ok", "model_memory": "ok", "model_disk": "ok",
    }  # fmt: skip


def test_what_is_there_already_is_not_written_to_a_fat_disk() -> None:
    """A file on the board's other disk is adopted: the store refers to it."""
    fat = Mount("/srv", "/dev/mmcblk0p1", "vfat", "sd", True, 64 << 30, 32 << 30)
    seen = replace(BOARD, store=StorePlace("/srv/store", True, fat, 32 << 30, 64 << 30))
    large = replace(MODEL, inspection=replace(MODEL.inspection, size_bytes=5 << 30))
    refused = "deploy.file_too_large_for_fat"
    assert refused in {entry.code for entry in check(large, seen)}
    there = replace(large, there_bytes=large.size_bytes)
    assert refused not in {entry.code for entry in check(there, seen)}
