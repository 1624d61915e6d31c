"""What a ready-made file of the Hub needs is found out once and stays with the file: every later door knows it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.paths import AppPaths
from core.base.settings import Settings
from core.boards.facts import Library, unknown_facts
from core.boards.records import Board
from core.demo.hub.repos import NOTES
from core.demo.hub.server import DemoHub
from core.deploy.plan import LocalModel, plan_deployment
from core.estimate.ready import need_of
from core.estimate.table import estimate_model
from core.fitness.sight import board_seen
from core.hub.order import DownloadOrder
from core.model.facts import load_local_facts
from core.services import Services
from core.usecases import deployment, hub, library, ready
from core.usecases.doctor import said_of
from core.usecases.fitting import cached_facts
from core.usecases.needs import needs_of
from core.vendor.platforms import get_platform
from tests.core.deploy.models import real_file
from tests.support.models import write_random_model

MIB = 1 << 20
NAME = "Tiny_W8A8_RK3588_ctx256.rkllm"
LOUD = "Tiny_W8A8_RK3588_ctx256_again.RKLLM"
OTHER = "Huge_W8A8_RK3588.rkllm"
TAGS = ["rkllm", "base_model:some/base"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoHub]:
    root = tmp_path_factory.mktemp("repos")
    made, base = root / "made", write_random_model(root / "base")
    made.mkdir()
    rows = estimate_model(load_local_facts(base), get_platform("rk3588"), context=256).rows
    size = next(row.file_bytes for row in rows if row.dtype == "w8a8")
    assert size is not None
    real_file(made / NAME, size - 32)
    real_file(made / LOUD, size - 32)
    real_file(made / OTHER, 3 * size)
    (made / NOTES).write_text(json.dumps({"tags": TAGS}))
    with DemoHub({"some/made": made, "some/base": base}) as hub:
        yield hub


@pytest.fixture
def services(paths: AppPaths, address: DemoHub) -> Iterator[Services]:
    with Services(paths, Settings(hub_endpoint=address.url, default_context=256)) as services:
        yield services


def bring(services: Services, name: str = NAME) -> Path:
    """The file as a download leaves it in the library."""
    job = hub.start_model_download(services, "some/made", include=[name])
    result = services.jobs.attach(job).result(60)
    return Path(str(result["path"])) / name


@pytest.mark.parametrize("mib", [512, 1000, 1300, 1700, 4096])
def test_a_file_is_judged_alike_before_and_after_it_came(services: Services, mib: int) -> None:
    detail = services.hub.details("some/made")
    (file,) = (file for file in detail.files if file.path == NAME)
    report = ready.inspect_ready(services, detail, file)
    assert report.need is not None
    facts = replace(
        unknown_facts(), soc="rk3588", mem_total_bytes=mib * MIB, npu_driver="rknpu", npu_driver_version="0.9.8",
        libraries=(Library("/usr/lib/librkllmrt.so", "1.3.0"),),
    )  # fmt: skip
    where = Board("desk", "host", store="/srv/store", facts=facts)
    seen = board_seen(where)
    before = ready.judge_ready(report, seen, board="desk")
    assert before.memory is not None
    assert not before.memory.guessed
    path = bring(services)
    # The file does not tell its context, and is none the longer for what its user prefers by now.
    services.settings = replace(services.settings, default_context=16384)
    assert ready.inspect_ready(services, detail, file) == report
    found = deployment.inspect_for_drop(services, path)
    assert found.need == report.need
    after = deployment.judge_drop(found, where)
    assert (after.findings, after.memory) == (before.findings, before.memory)
    said = said_of(seen, found, board="desk")
    assert all(entry in said for entry in after.findings)
    model = LocalModel(path, str(found.sha256), found.size_bytes, "Tiny")
    assert plan_deployment(found, [model], seen, board="desk", force=True).judgement.memory == before.memory


def test_what_was_found_out_is_not_asked_again_when_the_job_starts(
    services: Services, address: DemoHub
) -> None:
    services.boards.add(Board("desk", "localhost", store="/srv/store"))
    detail = services.hub.details("some/made")
    (file,) = (file for file in detail.files if file.path == NAME)
    report = ready.inspect_ready(services, detail, file)
    assert report.need is not None
    asked = len(address.requests)
    job = ready.start_ready_run(services, report, "desk")
    services.jobs.cancel(job)
    assert [entry.path for entry in address.requests[asked:] if "some/base" in entry.path] == []


def test_a_file_is_ready_made_in_capitals_too(services: Services) -> None:
    path = bring(services, LOUD)
    assert [(item.kind, item.path) for item in library.list_items(services)] == [("rkllm", path)]
    detail = services.hub.details("some/made")
    (file,) = (file for file in detail.files if file.path == LOUD)
    report = ready.inspect_ready(services, detail, file)
    assert report.need is not None
    assert deployment.inspect_for_drop(services, path).need == report.need


def test_a_file_that_cannot_be_made_of_its_base_is_guessed(services: Services) -> None:
    detail = services.hub.details("some/made")
    assert set(needs_of(services, detail, detail.files)) == {NAME, LOUD}


def test_without_ready_made_files_the_hub_is_asked_nothing_more(services: Services, address: DemoHub) -> None:
    detail = services.hub.details("some/base")
    asked = len(address.requests)
    assert needs_of(services, detail, detail.files) == {}
    assert len(address.requests) == asked


def test_a_job_carries_it(services: Services) -> None:
    job = hub.start_model_download(services, "some/made", include=[NAME])
    services.jobs.attach(job).result(60)
    order = DownloadOrder.from_json(services.jobs.attach(job).record().spec.params)
    facts = cached_facts(services, services.hub.details("some/base"))
    need = need_of(facts, get_platform("rk3588"), "w8a8", context=4096)
    assert need is not None
    assert order.needs == {NAME: need}
    (item,) = library.list_items(services)
    assert item.provenance["ram_bytes"] == need.ram_bytes
