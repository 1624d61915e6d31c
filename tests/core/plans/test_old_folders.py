"""Job folders that were written before orders were typed: cut off then, run to their end now."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.errors import JsonValue, RKDeckError
from core.base.paths import AppPaths
from core.demo.hub.server import DemoHub
from core.demo.toolkit_env import create_toolkit_env
from core.jobs.model import JobState
from core.services import Services
from core.usecases import jobs as use
from tests.support.boards import add_demo_board
from tests.support.job_folders import put_interrupted, stored_spec
from tests.support.models import write_random_model
from tests.support.sshd import SshServer, demo_board
from tests.support.tiny_model import write_tiny_model

SLACK_S = 120.0
READY = "Tiny_W8A8_RK3588.rkllm"


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The models that the folders speak of, made as they were made then."""
    root = tmp_path_factory.mktemp("places")
    (root / "made").mkdir()
    write_tiny_model(root / "made" / READY)
    return {"model": write_random_model(root / "tiny"), "made": root / "made"}


@pytest.fixture(scope="module")
def hub(places: dict[str, Path]) -> Iterator[DemoHub]:
    with DemoHub({"someone/tiny": places["model"], "some/made": places["made"]}) as hub:
        yield hub


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with demo_board(tmp_path_factory.mktemp("demo"), "--soc", "rk3588") as server:
        yield server


def go_on(services: Services, kind: str, **places: str | Path) -> dict[str, JsonValue]:
    """Put the folder of that kind into the home and resume its job; returns the job's result."""
    spec = stored_spec(kind, home=services.paths.home, **places)
    job = put_interrupted(services.paths.jobs, spec)
    file = services.paths.jobs / job / "spec.json"
    before = file.read_bytes()
    try:
        return services.jobs.attach(use.resume(services, job)).result(SLACK_S)
    finally:
        assert file.read_bytes() == before, "an intent is never changed"


def test_a_download_goes_on(services: Services, hub: DemoHub, places: dict[str, Path]) -> None:
    result = go_on(services, "download", hub=hub.url)
    weights = "model.safetensors"
    assert (Path(str(result["path"])) / weights).read_bytes() == (places["model"] / weights).read_bytes()
    (item,) = services.library.list()
    assert (item.kind, item.repo) == ("source", "someone/tiny")


def test_a_conversion_starts_again(services: Services, places: dict[str, Path], tmp_path: Path) -> None:
    toolkit = create_toolkit_env(tmp_path / "toolkit")
    result = go_on(services, "convert", model=places["model"], toolkit=toolkit)
    (item,) = services.library.list()
    assert str(item.path) == result["path"]
    assert item.provenance["ram_bytes"] == 29961617


def test_a_deployment_goes_on(
    services: Services, server: SshServer, places: dict[str, Path], tmp_path: Path
) -> None:
    result = go_on(add_demo_board(services, server, tmp_path), "deploy", made=places["made"])
    assert (result["board"], result["name"]) == ("desk", "Tiny")
    assert result["bytes_sent"] == (places["made"] / READY).stat().st_size


def test_a_job_from_the_hub_onto_a_board_goes_on(
    services: Services, hub: DemoHub, server: SshServer, tmp_path: Path
) -> None:
    result = go_on(add_demo_board(services, server, tmp_path), "run", hub=hub.url)
    assert (result["board"], result["name"]) == ("desk", Path(READY).stem)
    assert result["downloaded_bytes"] == result["bytes_sent"] == result["size_bytes"]


def test_an_analysis_goes_on(services: Services) -> None:
    assert Path(str(go_on(services, "analyze")["path"])).parent == services.paths.analyses


def test_a_measurement_of_perplexity_goes_on(services: Services) -> None:
    levels = go_on(services, "perplexity")["levels"]
    assert isinstance(levels, list)
    assert [level["level"] for level in levels if isinstance(level, dict)] == ["fp16", "w8a8"]


def test_a_self_test_answers(services: Services) -> None:
    assert int(str(go_on(services, "selftest")["pid"])) > 0


def test_a_worker_logs_into_its_job_and_not_into_the_home_folders_log(
    services: Services, paths: AppPaths
) -> None:
    spec = replace(stored_spec("analyze"), id="analyze-1")
    spec.params["source"] = "/nowhere"
    job = put_interrupted(paths.jobs, spec)
    with pytest.raises(RKDeckError):
        services.jobs.attach(use.retry(services, job)).result(SLACK_S)
    assert services.jobs.store.get(job).state is JobState.FAILED
    assert not (paths.logs / "rkdeck.log").exists()
    assert json.loads((paths.jobs / job / "spec.json").read_text())["params"]["source"] == "/nowhere"
