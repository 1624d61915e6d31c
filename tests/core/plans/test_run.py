"""The plan "from the Hub onto a board": its steps, what a kill in the middle leaves, and what it never writes down."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.paths import AppPaths
from core.base.settings import Settings
from core.demo.hub.faults import Fault
from core.demo.hub.server import DemoHub
from core.jobs import process
from core.jobs.model import JobState
from core.services import Services
from core.usecases import boards, ready, serving
from core.usecases.ready import ReadyReport
from tests.support.boards import add_demo_board
from tests.support.sshd import SshServer, demo_board
from tests.support.tiny_model import write_tiny_model
from tests.support.waiting import wait_until

NAME = "Tiny_W8A8_RK3588.rkllm"
TIMEOUT_S = 120
TOKEN, PASSWORD = "hf_atokenofthistest", "a password of this test"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoHub]:
    made = tmp_path_factory.mktemp("repos") / "made"
    made.mkdir()
    write_tiny_model(made / NAME)
    with DemoHub({"some/made": made}) as hub:
        yield hub


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with demo_board(tmp_path_factory.mktemp("demo"), "--soc", "rk3588") as server:
        yield server


@pytest.fixture
def desk(paths: AppPaths, hub: DemoHub, server: SshServer, tmp_path: Path) -> Iterator[Services]:
    with Services(paths, Settings(hub_endpoint=hub.url)) as services:
        yield add_demo_board(services, server, tmp_path)


def look(desk: Services) -> ReadyReport:
    detail = desk.hub.details("some/made")
    return ready.inspect_ready(desk, detail, next(file for file in detail.files if file.path == NAME))


def test_each_step_is_told_with_its_figures_in_its_turn(desk: Services) -> None:
    job = ready.start_ready_run(desk, look(desk), "desk", serve=True)
    result = desk.jobs.attach(job).result(TIMEOUT_S)
    serving.stop(desk, "desk")
    events, _ = desk.jobs.store.folder(job).events()
    steps = {str(event.data["step"]): event.data for event in events if event.event == "step"}
    order = ["fetched", "probed", "planned", "verified", "activated", "serving"]
    assert [step for step in steps if step in order] == order
    assert steps["fetched"]["bytes_fetched"] == result["downloaded_bytes"]
    assert steps["verified"]["bytes_sent"] == result["bytes_sent"]


def test_a_plan_killed_while_it_fetches_is_interrupted_and_goes_on_with_what_is_there(
    desk: Services, hub: DemoHub
) -> None:
    report = look(desk)
    hub.faults.plan(Fault("stall", NAME, after_bytes=20_000))
    job = ready.start_ready_run(desk, report, "desk")
    partials = desk.paths.library.rglob
    wait_until(lambda: any(path.stat().st_size for path in partials("*.partial")), what="the first bytes")
    for worker in process.marked(desk.paths.jobs / job):
        os.kill(worker.pid, signal.SIGKILL)
    record = desk.jobs.attach(job).wait(TIMEOUT_S)
    assert (record.state, record.reason) == (JobState.INTERRUPTED, "worker_killed")
    assert boards.refresh_board(desk, "desk").versions == ()
    (partial,) = partials("*.partial")
    there_bytes = partial.stat().st_size
    result = desk.jobs.resume(job).result(TIMEOUT_S)
    assert result["bytes_sent"] == report.file.size_bytes
    assert result["downloaded_bytes"] == report.file.size_bytes - there_bytes, "nothing was fetched twice"
    assert not list(partials("*.partial"))


def test_the_token_and_the_boards_password_are_in_no_file_of_the_home(
    desk: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    desk.secrets.set(desk.boards.get("desk").secret_name, PASSWORD)
    job = ready.start_ready_run(desk, look(desk), "desk")
    desk.jobs.attach(job).result(TIMEOUT_S)
    kept = [path for path in desk.paths.home.rglob("*") if path.is_file()]
    assert len(kept) > 5
    for path in kept:
        data = path.read_bytes()
        assert TOKEN.encode() not in data, path
        assert PASSWORD.encode() not in data, path
