"""Ready-made files on the Hub: looked at, judged, and brought to a board in one job."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.base.errors import RKDeckError
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.boards.doctor.examination import Examination
from core.boards.facts import Library, unknown_facts
from core.boards.records import Board
from core.demo.hub.faults import Fault
from core.demo.hub.server import DemoHub
from core.deploy.order import DeployOrder
from core.fitness.judge import Judgement
from core.fitness.runtime import match_versions
from core.fitness.sight import board_seen, board_sold
from core.fitness.target import FitTarget
from core.jobs.order import JobOrder
from core.plans.order import RunOrder
from core.services import Services
from core.usecases import boards, deployment, fitting, ready
from core.usecases import hub as hub_use
from core.usecases.ready import ReadyReport
from core.vendor.platforms import get_platform
from core.words import word
from tests.core.deploy.models import real_file
from tests.support.boards import add_demo_board
from tests.support.hub_fixtures import hub_client
from tests.support.models import write_random_model
from tests.support.sshd import SshServer, demo_board
from tests.support.tiny_model import write_tiny_model

GIB = 1 << 30
NAME = "Tiny_W8A8_RK3588.rkllm"
TARGET = FitTarget(get_platform("rk3588"), 512, 8 * GIB)
SOLD = board_sold(get_platform("rk3588"), 8 * GIB)


def judged(report: ReadyReport, seen: Examination = SOLD) -> Judgement:
    return ready.judge_ready(report, seen, board="desk")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoHub]:
    root = tmp_path_factory.mktemp("repos")
    made = root / "made"
    made.mkdir()
    write_tiny_model(made / NAME)
    real_file(made / "Real_W4A16_RK3576.rkllm")
    (made / "page.rkllm").write_text("<!DOCTYPE html><html>")
    write_random_model(root / "base")
    with DemoHub({"some/made": made, "some/base": root / "base"}) as hub:
        yield hub


@pytest.fixture
def services(paths: AppPaths, hub: DemoHub) -> Iterator[Services]:
    with Services(paths, Settings(hub_endpoint=hub.url)) as services:
        yield services


def look(services: Services, name: str = NAME) -> ReadyReport:
    detail = services.hub.details("some/made")
    (file,) = (file for file in detail.files if file.path == name)
    return ready.inspect_ready(services, detail, file)


def test_a_file_is_looked_at_by_its_ends_only(services: Services) -> None:
    report = look(services, "Real_W4A16_RK3576.rkllm")
    assert hub_client(services).bytes_fetched <= (256 << 10) + 64
    found = report.inspection
    assert (found.kind, found.platform, found.dtype, found.toolkit_version) == (
        "rkllm", "rk3576", "w4a16", "1.2.3",
    )  # fmt: skip
    assert found.fields["toolkit_version"] == "read"
    assert found.fields["platform"] == "inferred"


def test_a_file_for_another_soc_is_refused_with_both_names(services: Services) -> None:
    found = judged(look(services, "Real_W4A16_RK3576.rkllm"))
    assert found.verdict == "failed"
    assert (found.worst.code, found.worst.facts["platform"], found.worst.facts["soc"]) == (
        "deploy.wrong_platform", "rk3576", "rk3588",
    )  # fmt: skip
    assert found.memory is not None  # what it needs is known all the same


def test_what_is_no_model_is_no(services: Services) -> None:
    found = judged(look(services, "page.rkllm"))
    assert (found.verdict, found.worst.code, found.memory) == ("failed", "deploy.not_a_model", None)


def test_the_size_and_what_is_free_decide(services: Services) -> None:
    report = look(services)
    assert judged(report).verdict == "ok"
    large = replace(report, inspection=replace(report.inspection, size_bytes=14 * GIB))
    assert judged(large).worst.code == "doctor.model_memory_guess_no"
    busy = replace(SOLD, facts=replace(SOLD.facts, mem_available_bytes=100 << 20), serving="other")
    found = judged(report, busy)
    assert (found.verdict, found.worst.code) == ("warning", "doctor.model_memory_guess_tight")
    assert "stop other first" in word(found.worst.statement)[0]
    nobody = judged(report, board_sold(get_platform("rk3588"), None))
    assert (nobody.verdict, nobody.worst.code) == ("unknown", "doctor.memory_unknown")
    assert nobody.memory is not None
    assert nobody.memory.guessed


BOARD = replace(unknown_facts(), soc="rk3576", machine="aarch64", mem_total_bytes=8 * GIB)


@pytest.mark.parametrize(
    ("libraries", "toolkit", "match"),
    [
        ((), "1.3.0", "no_library"),
        (("1.3.0",), "1.3.0", "ok"),
        (("1.2.0", "1.3.1"), "1.3.0", "ok"),
        (("1.2.3",), "1.3.0", "too_old"),
        (("1.2.10",), "1.2.9", "ok"),
        (("1.2.1b1",), "1.2.1", "ok"),
        ((None,), "1.3.0", "unknown"),
        (("1.3.0",), None, "unknown"),
    ],
)
def test_a_library_takes_files_of_its_own_and_older_toolkits(
    libraries: tuple[str | None, ...], toolkit: str | None, match: str
) -> None:
    assert match_versions(libraries, toolkit).match == match


def test_a_runtime_too_old_for_the_file_is_no_with_what_to_do(services: Services) -> None:
    report = look(services, "Real_W4A16_RK3576.rkllm")
    facts = replace(BOARD, libraries=(Library("/usr/lib/librkllmrt.so", "1.2.0"),))
    found = judged(report, board_seen(Board("desk", "h", store="/srv/s", facts=facts)))
    assert found.worst.code == "doctor.model_runtime_old"
    assert (found.worst.facts["toolkit"], found.worst.facts["runtime"]) == ("1.2.3", "1.2.0")
    assert found.remedy is not None
    assert found.refusals[0].error.facts["release"] == "1.2.3"


def test_a_base_that_is_not_there_is_left_out(services: Services) -> None:
    detail = services.hub.details("some/made")
    tagged = replace(detail, base="no/such")
    (file,) = (file for file in detail.files if file.path == NAME)
    report = ready.inspect_ready(services, tagged, file)
    assert (report.base, report.need) == ("no/such", None)
    tagged = replace(detail, base="some/base")
    known = ready.inspect_ready(services, tagged, file)
    assert known.base == "some/base"


def test_facts_are_read_once_for_a_commit(services: Services) -> None:
    detail = services.hub.details("some/base")
    first = fitting.cached_facts(services, detail)
    requests = hub_client(services).requests_count
    again = fitting.summary_facts(services, detail.summary)
    assert hub_client(services).requests_count == requests
    assert again == replace(first, bytes_fetched=0)
    badge = fitting.exact_badge(services, detail.summary, TARGET)
    assert badge.exact
    assert fitting.guess(detail.summary, TARGET).exact is False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with demo_board(tmp_path_factory.mktemp("demo"), "--soc", "rk3588") as server:
        yield server


@pytest.fixture
def desk(services: Services, server: SshServer, tmp_path: Path) -> Services:
    """The services, with the demo board as "desk" and a store of its own."""
    return add_demo_board(services, server, tmp_path)


def test_one_step_from_the_hub_to_a_served_model(desk: Services) -> None:
    report = look(desk)
    assert judged(report, board_seen(desk.boards.get("desk"))).verdict == "ok"
    job = ready.start_ready_run(desk, report, "desk", serve=True)
    result = desk.jobs.attach(job).result(120)
    assert result["downloaded_bytes"] == report.file.size_bytes
    assert result["bytes_sent"] == report.file.size_bytes
    serving = result["serving"]
    assert isinstance(serving, dict)
    assert serving["model"]
    (item,) = desk.library.list()
    assert (item.kind, item.repo) == ("rkllm", "some/made")
    status = boards.refresh_board(desk, "desk")
    assert status.serving is not None
    from core.usecases.serving import stop

    assert stop(desk, "desk") is not None
    again = desk.jobs.attach(ready.start_ready_run(desk, report, "desk")).result(120)
    assert (again["downloaded_bytes"], again["bytes_sent"], again.get("serving")) == (0, 0, None)
    record = desk.jobs.store.get(job)
    assert json.dumps(record.spec.to_json()).count("password") == 0


def test_a_board_that_is_gone_costs_no_second_download(desk: Services, hub: DemoHub) -> None:
    report = look(desk)
    board = desk.boards.get("desk")
    shutil.rmtree(str(board.store))
    Path(str(board.store)).write_text("no folder")  # nothing can be stored there
    job = ready.start_ready_run(desk, report, "desk")
    with pytest.raises(RKDeckError):
        desk.jobs.attach(job).result(120)
    (item,) = desk.library.list()
    assert item.path.is_file()
    Path(str(board.store)).unlink()
    Path(str(board.store)).mkdir()
    again = desk.jobs.retry(job).result(120)
    assert again["downloaded_bytes"] == 0


def test_a_cut_on_the_way_is_gone_over(desk: Services, hub: DemoHub) -> None:
    report = look(desk)
    hub.faults.plan(Fault("cut", path=NAME, after_bytes=1000))
    result = desk.jobs.attach(ready.start_ready_run(desk, report, "desk")).result(120)
    assert result["size_bytes"] == report.file.size_bytes


def test_every_setting_of_a_deployment_arrives_in_the_job_from_the_hub_too(
    desk: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.settings = replace(
        desk.settings,
        upload_limit_bytes_per_s=50_000_000,
        keep_deployments=3,
        deployments_budget_bytes=8 * GIB,
    )
    ordered: list[JobOrder] = []

    def take(order: JobOrder) -> SimpleNamespace:
        ordered.append(order)
        return SimpleNamespace(id="taken")

    monkeypatch.setattr(desk, "submit", take)
    report = look(desk)
    ready.start_ready_run(desk, report, "desk", serve=True, force=True)
    (run,) = ordered
    assert isinstance(run, RunOrder)
    title = Path(NAME).stem
    deployment.start_deploys(desk, run.deploy.file, ["desk"], title=title, force=True)
    assert run.deploy == ordered[-1]
    # What the worker reads, not only what was meant.
    read = RunOrder.from_json(json.loads(json.dumps(run.to_json())))
    assert read.deploy == DeployOrder("desk", run.deploy.file, None, title, True, 50_000_000, 3, 8 * GIB)
    assert read.serve


def test_the_job_from_the_hub_tidies_as_the_settings_say(desk: Services, tmp_path: Path) -> None:
    older = write_tiny_model(tmp_path / "older.rkllm", seed=2)
    (sent,) = deployment.start_deploys(desk, older, ["desk"], name=Path(NAME).stem)
    desk.jobs.attach(sent).result(120)
    desk.settings = replace(desk.settings, keep_deployments=1)
    job = desk.jobs.attach(ready.start_ready_run(desk, look(desk), "desk"))
    job.result(120)
    (pruned,) = (event.data for event in job.follow() if event.data.get("step") == "pruned")
    assert pruned["versions"] == 1


def test_a_file_name_is_no_pattern(services: Services) -> None:
    assert hub_use._literal("a[1]*?.rkllm") == "a[[]1][*][?].rkllm"
