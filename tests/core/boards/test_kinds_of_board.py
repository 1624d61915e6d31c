"""What a board could run, by kind; and that a board fails only by what no kind can do without."""

from dataclasses import replace

import pytest

from core.boards.doctor.examination import Examination, StorePlace
from core.boards.doctor.findings import Finding, overall
from core.boards.doctor.kind_rules import weigh
from core.boards.doctor.rules import check_board
from core.boards.facts import Mount, unknown_facts
from core.usecases.doctor import Diagnosis, said_of
from core.vendor.kinds import model_kinds
from core.words import word
from tests.core.fitness import gguf_cases

DISK = Mount("/", "/dev/mmcblk0p2", "ext4", "emmc", True, 64 << 30, 32 << 30)
FACTS = replace(
    unknown_facts(), kernel="6.18.2", machine="aarch64", compatibles=("radxa,zero3", "rockchip,rk3566"), mounts=(DISK,),
    mem_total_bytes=4 << 30, mem_available_bytes=3 << 30, user="me",
)  # fmt: skip
RK3566 = Examination(
    FACTS, store=StorePlace("/srv/store", True, DISK, 32 << 30, 64 << 30), python="3.11.2", has_libgomp=True,
    open_files=(1024, 1 << 20), systemd=True,
)  # fmt: skip


RKLLM = replace(gguf_cases.FILE, inspection=replace(gguf_cases.FILE.inspection, kind="rkllm", gguf=None))


def with_facts(seen: Examination, **facts: object) -> Examination:
    return replace(seen, facts=replace(seen.facts, **facts))  # type: ignore[arg-type]


COMPUTER = with_facts(RK3566, machine="x86_64", compatibles=(), kernel="6.1.0-28-amd64")
MAINLINE = with_facts(RK3566, soc="rk3588", compatibles=("rockchip,rk3588",), npu_cores=3)
ROCKET = with_facts(MAINLINE, npu_driver="rocket")


def kinds(found: tuple[Finding, ...]) -> dict[object, str]:
    return {entry.facts["kind"]: entry.code for entry in found if entry.check == "kinds"}


@pytest.mark.parametrize("seen", [RK3566, COMPUTER, MAINLINE, ROCKET])
def test_what_rkllm_cannot_do_is_told_and_is_no_failure_of_the_board(seen: Examination) -> None:
    found = weigh(check_board(seen))
    assert overall(found) == "warning"
    assert kinds(found) == {"rkllm": "doctor.kind_cannot", "gguf": "doctor.kind_runs"}
    assert any(entry.verdict == "warning" and entry.check in {"soc", "driver"} for entry in found)
    for entry in found:
        assert word(entry.statement)[0]


def test_a_chip_that_rkllm_does_not_know_is_told_once() -> None:
    for seen in (RK3566, COMPUTER):
        found = weigh(check_board(seen))
        assert not [entry for entry in found if entry.check in {"driver", "library", "access"}]


@pytest.mark.parametrize("seen", [RK3566, COMPUTER, MAINLINE])
def test_asked_about_a_file_what_its_kind_lacks_fails(seen: Examination) -> None:
    for kind, verdict in (("rkllm", "failed"), ("gguf", "warning")):
        assert overall(weigh(check_board(seen), model_kinds()[kind])) == verdict


def test_a_board_without_a_place_for_files_fails_for_all() -> None:
    found = weigh(check_board(replace(RK3566, store=None)))
    assert overall(found) == "failed"
    assert set(kinds(found).values()) == {"doctor.kind_cannot"}


def test_the_exit_code_follows_what_refuses_the_file() -> None:
    for seen, candidate, refuses in (
        (RK3566, gguf_cases.FILE, False),
        (COMPUTER, gguf_cases.FILE, False),
        (with_facts(RK3566, mem_total_bytes=1 << 30), gguf_cases.FILE, True),
        (RK3566, RKLLM, True),
    ):  # fmt: skip
        said = said_of(seen, candidate, board="desk")
        made = Diagnosis(None, seen, said, gguf_cases.PATH, 0.0, 0.0)  # type: ignore[arg-type]
        assert made.refuses_model is refuses


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (with_facts(RK3566, machine="armv7l"), "doctor.llama_machine"),
        (replace(RK3566, python="3.9.2"), "doctor.llama_python"),
        (replace(RK3566, has_libgomp=False), "doctor.llama_library"),
    ],
)
def test_what_a_ready_made_llama_cpp_lacks_weighs_where_nothing_else_runs(
    seen: Examination, code: str
) -> None:
    (found,) = (entry for entry in weigh(check_board(seen)) if entry.code == code)
    assert found.verdict == "warning"
    served = replace(seen, llama_server="/usr/local/bin/llama-server")
    assert "doctor.llama_server" in {entry.code for entry in check_board(served)}
    assert code not in {entry.code for entry in check_board(served)}


def test_on_a_board_that_rkllm_knows_it_is_only_said() -> None:
    seen = replace(with_facts(MAINLINE, npu_driver="rknpu", npu_driver_version="0.9.8"), has_libgomp=False)
    (found,) = (entry for entry in weigh(check_board(seen)) if entry.check == "llama")
    assert found.verdict == "ok"
    asked = weigh(check_board(seen), model_kinds()["gguf"])
    assert [entry.verdict for entry in asked if entry.check == "llama"] == ["warning"]
