"""A file over a board: looked at once, judged while it hovers, sent, taken back."""

import builtins
import io
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.errors import RefusedError, UsageError
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.boards.facts import BoardFacts, Library, Mount, RuntimeInfo, unknown_facts
from core.boards.records import Board
from core.deploy.plan import LocalModel, plan_deployment
from core.estimate.constants import estimate_limits
from core.fitness.candidate import Candidate, Holdings
from core.fitness.sight import board_seen
from core.model.inspect import Inspection
from core.monitor.sample import BoardSample
from core.services import Services
from core.transfer.upload import RESERVE_BYTES
from core.usecases import boards
from core.usecases import deployment as use
from core.usecases.boards import BoardStatus
from core.usecases.library import add_path
from core.words import word
from tests.support.boards import add_demo_board
from tests.support.needs import need_of_bytes
from tests.support.sshd import SshServer, demo_board
from tests.support.tiny_model import write_tiny_model

GIB = 1 << 30
DISK = Mount("/", "/dev/nvme0n1p2", "ext4", "nvme", True, 100 * GIB, 50 * GIB)
FACTS = replace(
    unknown_facts(),
    soc="rk3588", npu_driver="rknpu", kernel="6.1.43", machine="aarch64", name="Orange Pi 5", mounts=(DISK,),
    mem_total_bytes=8 * GIB, libraries=(Library("/usr/lib/librkllmrt.so", "1.3.0"),),
    runtimes=(RuntimeInfo("stand-in", "1.3.0+simulated", "/x", simulated=True),),
)  # fmt: skip
BOARD = Board("desk", "192.168.1.40", user="pi", store="/srv/store", facts=FACTS)
REAL = Inspection(
    "rkllm", 3 * GIB, toolkit_version="1.3.0", platform="rk3588", dtype="w8a8", max_context=4096, npu_cores=3
)
SIMULATED = replace(REAL, kind="rkllm-simulated")
SHA = "ab" * 32
NAME = "Qwen3-4B_W8A8_RK3588.rkllm"
FILE = Candidate(NAME, REAL, "Qwen3-4B", need=need_of_bytes(4 * GIB), sha256=SHA)

EMPTY = BoardStatus(BOARD, (), None, (), DISK, (), 0.0, held=Holdings())


def board(**facts: object) -> Board:
    return replace(BOARD, facts=replace(FACTS, **facts))  # type: ignore[arg-type]


def sample(available_bytes: int | None, link: str = "up") -> BoardSample:
    return BoardSample("desk", 0.0, link, mem_total_bytes=8 * GIB, mem_available_bytes=available_bytes)


def test_what_fits_well_is_said_with_what_is_left() -> None:
    found = use.judge_drop(FILE, BOARD, None, sample(6 * GIB))
    assert (found.verdict, found.refusals, found.overridable, found.remedy) == ("ok", (), False, None)
    assert found.worst.code == "doctor.model_memory_ok"
    assert found.ram_free_after_bytes == 2 * GIB
    assert found.disk_free_after_bytes == 47 * GIB


FAT = replace(DISK, path="/srv", filesystem="vfat")
MEMORY = replace(DISK, path="/srv", filesystem="tmpfs", medium="tmpfs")
LARGE = replace(FILE, inspection=replace(REAL, size_bytes=5 * GIB))
FULL = replace(DISK, free_bytes=3 * GIB + RESERVE_BYTES - 1)


@pytest.mark.parametrize(
    ("file", "where", "code", "overridable"),
    [
        (replace(FILE, inspection=replace(REAL, kind="html")), BOARD, "deploy.not_a_model", False),
        (replace(FILE, inspection=SIMULATED), BOARD, "deploy.simulated_file", False),
        (FILE, board(missing_tools=("sha256sum",)), "doctor.programs_missing", False),
        (LARGE, board(mounts=(FAT,)), "deploy.file_too_large_for_fat", False),
        (FILE, replace(BOARD, store=None), "doctor.store_none", False),
        (FILE, board(mounts=(FULL,)), "doctor.model_disk_full", False),
        (
            replace(FILE, inspection=replace(REAL, problems=("inspect.truncated",))),
            BOARD, "deploy.damaged_file", True,
        ),
        (FILE, board(simulated=True), "deploy.real_file_to_simulated_board", True),
        (FILE, board(soc=None), "doctor.model_soc_unknown", True),
        (FILE, board(soc="rk3576"), "deploy.wrong_platform", True),
        (FILE, board(npu_driver="rocket"), "doctor.driver_rocket", True),
        (FILE, board(mounts=(MEMORY,)), "doctor.store_in_memory", True),
        (FILE, board(mem_total_bytes=4 * GIB), "doctor.model_memory_no", True),
        (FILE, board(libraries=()), "doctor.model_no_library", True),
        (replace(FILE, inspection=replace(REAL, toolkit_version="1.3.1")), BOARD, "doctor.model_runtime_old", True),
        (replace(FILE, inspection=replace(REAL, dtype="w4a16")), BOARD, "doctor.model_dtype_refused", True),
    ],
)  # fmt: skip
def test_each_refusal(file: Candidate, where: Board, code: str, overridable: bool) -> None:
    found = use.judge_drop(file, where, EMPTY)
    assert found.verdict == "failed"
    first = found.refusals[0]
    assert (found.worst.code, first.error.code, first.overridable) == (code, code, overridable)
    assert first.error.facts["overridable"] is overridable
    message, hint = word(first.error)
    assert "{" not in message + hint


def test_what_force_cannot_help_comes_first() -> None:
    """A wrong platform may be forced, but not onto a full disk."""
    found = use.judge_drop(FILE, board(soc="rk3576", mounts=(FULL,)), EMPTY)
    assert (found.refusals[0].error.code, found.overridable) == ("doctor.model_disk_full", False)
    assert found.disk_free_after_bytes == RESERVE_BYTES - 1
    refused = found.refused(force=True)
    assert refused is not None
    assert refused.code == "doctor.model_disk_full"


@pytest.mark.parametrize("inspection", [REAL, SIMULATED, replace(REAL, platform="rk3576", problems=("x",))])
@pytest.mark.parametrize("facts", [FACTS, replace(FACTS, simulated=True), replace(FACTS, soc=None)])
@pytest.mark.parametrize("force", [False, True])
def test_the_verdict_is_what_the_plan_will_say(
    inspection: Inspection, facts: BoardFacts, force: bool
) -> None:
    file, where = replace(FILE, inspection=inspection), replace(BOARD, facts=facts)
    refused = use.judge_drop(file, where).refused(force=force)
    model = LocalModel(Path("/models", NAME), SHA, FILE.size_bytes, FILE.title)
    refusal: RefusedError | None = None
    try:
        plan_deployment(file, [model], board_seen(where), board="desk", force=force)
    except RefusedError as error:
        refusal = error
    assert (refused and refused.to_json()) == (refusal and refusal.to_json())


def test_a_board_nobody_visited_is_unknown() -> None:
    found = use.judge_drop(FILE, replace(BOARD, facts=None), None, sample(GIB))
    assert (found.verdict, found.worst.code) == ("unknown", "doctor.model_board_unseen")
    assert (found.ram_free_after_bytes, found.disk_free_after_bytes) == (None, None)
    assert found.refused(force=False) is None


def test_what_is_no_model_needs_no_visit_to_be_refused() -> None:
    verdict = use.judge_drop(
        replace(FILE, inspection=replace(REAL, kind="html")), replace(BOARD, facts=None, store=None)
    )
    assert (verdict.verdict, verdict.worst.code) == ("failed", "deploy.not_a_model")
    assert not verdict.overridable


@pytest.mark.parametrize(
    ("available", "verdict", "after"),
    [
        (8 * GIB, "ok", 4 * GIB),
        (4 * GIB, "ok", 0),
        # What only the moment forbids, stopping another program allows.
        (4 * GIB - 1, "warning", -1),
    ],
)
def test_memory_that_is_free_now(available: int, verdict: str, after: int) -> None:
    found = use.judge_drop(FILE, BOARD, None, sample(available))
    assert (found.verdict, found.ram_free_after_bytes) == (verdict, after)


@pytest.mark.parametrize("seen", [None, sample(None), sample(7 * GIB, link="down")])
def test_without_a_look_at_it_memory_is_judged_by_the_rules_of_the_estimate(seen: BoardSample | None) -> None:
    total, known = 8 * GIB, estimate_limits()
    for need, verdict in (
        (total - known.os_desktop_bytes, "ok"),
        (total - known.os_desktop_bytes + 1, "warning"),
        (total - known.os_headless_bytes, "warning"),
        (total - known.os_headless_bytes + 1, "failed"),
    ):
        found = use.judge_drop(
            replace(FILE, need=need_of_bytes(need)), board(mem_available_bytes=1), None, seen
        )
        assert (found.verdict, found.ram_free_after_bytes) == (
            verdict, total - known.os_headless_bytes - need,
        )  # fmt: skip


def test_a_need_nobody_knows_is_guessed_from_the_size_and_is_no_number() -> None:
    for seen, code in (
        (None, "doctor.model_memory_guess_ok"),
        (sample(1), "doctor.model_memory_guess_tight"),
    ):
        found = use.judge_drop(replace(FILE, need=None), BOARD, None, seen)
        assert (found.worst.code, found.ram_free_after_bytes) == (code, None)
    unknown = use.judge_drop(FILE, board(mem_total_bytes=None))
    assert (unknown.verdict, unknown.worst.code) == ("unknown", "doctor.memory_unknown")
    assert unknown.ram_free_after_bytes is None


@pytest.mark.parametrize(
    ("free", "total", "expected", "after"),
    [
        (50 * GIB, 100 * GIB, "ok", 47 * GIB),
        (13 * GIB, 100 * GIB, "ok", 10 * GIB),
        (13 * GIB - 1, 100 * GIB, "warning", 10 * GIB - 1),
        (3 * GIB + RESERVE_BYTES, 100 * GIB, "warning", RESERVE_BYTES),
        (3 * GIB + RESERVE_BYTES - 1, 100 * GIB, "failed", RESERVE_BYTES - 1),
        (4 * GIB, None, "ok", GIB),
        (None, 100 * GIB, "ok", None),
        (0, 100 * GIB, "failed", -3 * GIB),
    ],
)
def test_room_on_the_disk(free: int | None, total: int | None, expected: str, after: int | None) -> None:
    mount = replace(DISK, free_bytes=free, total_bytes=total)
    found = use.judge_drop(FILE, board(mounts=(mount,)), EMPTY)
    assert (found.verdict, found.disk_free_after_bytes) == (expected, after)


def test_the_disk_is_the_one_the_store_lies_on() -> None:
    card = replace(DISK, path="/srv", medium="sd", free_bytes=GIB)
    assert use.judge_drop(FILE, board(mounts=(DISK, card)), EMPTY).verdict == "failed"
    assert use.judge_drop(FILE, board(mounts=())).disk_free_after_bytes is None


def test_a_verdict_reads_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for at every move of the mouse, on the thread that draws."""
    status = BoardStatus(BOARD, (), None, (), DISK, (), 0.0)
    first = use.judge_drop(FILE, BOARD, status, None)

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("a file is touched")

    with monkeypatch.context() as patch:
        for where, name in ((builtins, "open"), (io, "open"), (os, "open"), (os, "stat")):
            patch.setattr(where, name, refuse)
        again = use.judge_drop(FILE, BOARD, status, None)
    assert again == first


# Looking at files


@pytest.fixture
def services(paths: AppPaths) -> Iterator[Services]:
    with Services(paths, Settings()) as services:
        yield services


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with demo_board(tmp_path_factory.mktemp("demo"), "--soc", "rk3588") as server:
        yield server


@pytest.fixture
def desk(services: Services, server: SshServer, tmp_path: Path) -> Services:
    """The services, with the demo board as "desk" and a store of its own."""
    return add_demo_board(services, server, tmp_path)


def test_from_a_drop_to_two_versions_and_back(desk: Services, tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "Tiny Alice.rkllm")
    found = use.inspect_for_drop(desk, path)
    status = boards.refresh_board(desk, "desk")
    assert use.judge_drop(found, status.board, status).verdict in {"ok", "warning"}
    for seed in (1, 2):
        write_tiny_model(path, seed=seed)
        (job_id,) = use.start_deploys(desk, path, ["desk", "desk"])
        assert desk.jobs.attach(job_id).result(60)["name"] == "Tiny-Alice"
    first, second = use.list_versions(desk, "desk")
    assert (first.current, second.current) == (False, True)
    assert boards.refresh_board(desk, "desk").versions == (first, second)
    back = use.rollback(desk, "desk", "Tiny-Alice")
    assert back.version == first.version
    with pytest.raises(RefusedError, match=r"deploy\.no_older_version"):
        use.rollback(desk, "desk", "Tiny-Alice")
    assert use.undeploy(desk, "desk", "Tiny-Alice").name == "Tiny-Alice"
    assert use.list_versions(desk, "desk") == ()
    with pytest.raises(UsageError, match=r"deploy\.unknown_deployment"):
        use.undeploy(desk, "desk", "Tiny-Alice")


def test_versions_are_in_the_order_in_which_they_were_sent(desk: Services, tmp_path: Path) -> None:
    """Also within one second; an older file that is sent again is the newest version."""
    path, sent = tmp_path / "alice.rkllm", list[object]()
    desk.settings = replace(desk.settings, keep_deployments=0)
    for seed in (1, 2, 3, 4, 1):
        write_tiny_model(path, seed=seed)
        (job_id,) = use.start_deploys(desk, path, ["desk"])
        sent.append(desk.jobs.attach(job_id).result(60)["sha256"])
    versions = use.list_versions(desk, "desk")
    assert [version.sha256 for version in versions] == sent
    assert [version.current for version in versions] == [False, False, False, False, True]
    assert use.rollback(desk, "desk", "alice").sha256 == sent[3]


def test_the_same_file_has_room_on_a_disk_that_is_full_by_now(desk: Services, tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "alice.rkllm")
    add_path(desk, path)
    (job_id,) = use.start_deploys(desk, path, ["desk"], title="Alice", name="a")
    assert desk.jobs.attach(job_id).result(60)["name"] == "a"
    status = boards.refresh_board(desk, "desk")
    assert status.mount is not None
    assert status.versions[0].title == "Alice"
    full = replace(status.facts, mounts=(replace(status.mount, free_bytes=1),))
    found, where = use.inspect_for_drop(desk, path), replace(status.board, facts=full)
    status = replace(status, seen=None)  # what is remembered of the board counts
    assert use.judge_drop(found, where, status).verdict == "ok"
    unknown = use.judge_drop(replace(found, sha256=None), where, status)
    assert unknown.worst.code == "doctor.model_disk_unless_there"


def test_what_the_plan_refuses_the_job_refuses_and_force_overrides(desk: Services, tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "other.rkllm", platform="rk3576")
    verdict = use.judge_drop(use.inspect_for_drop(desk, path), desk.boards.get("desk"))
    assert (verdict.worst.code, verdict.overridable) == ("deploy.wrong_platform", True)
    (refused,) = use.start_deploys(desk, path, ["desk"])
    with pytest.raises(RefusedError, match=r"deploy\.wrong_platform"):
        desk.jobs.attach(refused).result(60)
    (forced,) = use.start_deploys(desk, path, ["desk"], force=True)
    assert desk.jobs.attach(forced).result(60)["board"] == "desk"


def test_a_file_of_the_library_has_one_name_on_every_road(desk: Services, tmp_path: Path) -> None:
    """Dropped it is called by its title; a path on the command line names the same file, and no second deployment."""
    path = write_tiny_model(tmp_path / "tiny.rkllm")
    item = add_path(desk, path)
    desk.library.register(kind="rkllm", title="Tiny one", path=path, files=item.files)
    link = tmp_path / "link.rkllm"
    link.symlink_to(path)
    for way, title in ((path, use.inspect_for_drop(desk, path).title), (path, None), (link, None)):
        (job_id,) = use.start_deploys(desk, way, ["desk"], title=title)
        desk.jobs.attach(job_id).result(60)
    assert {version.name for version in use.list_versions(desk, "desk")} == {"Tiny-one"}


def test_an_unknown_board_starts_no_job_at_all(desk: Services, tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "alice.rkllm")
    with pytest.raises(UsageError, match=r"boards\.unknown"):
        use.start_deploys(desk, path, ["desk", "nobody"])
    assert list(desk.jobs.store.list()) == []


def test_a_relative_path_is_the_callers(
    desk: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny_model(tmp_path / "alice.rkllm")
    monkeypatch.chdir(tmp_path)
    (job_id,) = use.start_deploys(desk, Path("alice.rkllm"), ["desk"])
    assert desk.jobs.attach(job_id).result(60)["name"] == "alice"
