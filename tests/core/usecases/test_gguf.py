"""GGUF files of a hub as rows: read by ranges and kept, parts joined, one recommended, just that one fetched."""

from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

from core.base.errors import RKDeckError
from core.base.paths import AppPaths
from core.demo.hub.faults import Fault
from core.demo.hub.repos import NOTES
from core.demo.hub.server import DemoHub
from core.fitness.sight import board_sold
from core.hub.records import ModelDetail, RepoFile, SearchQuery
from core.model.inspect import Inspection
from core.services import Services
from core.showcase.models import GGUF_REPO, PARTS_REPO, write_gguf_files
from core.usecases import gguf, ready
from core.usecases import hub as hub_use
from core.usecases.ready_rows import ReadyRow, ready_rows
from core.vendor.kinds import model_kinds
from core.vendor.platforms import get_platform
from tests.support.gguf_files import header, keys, tensor, texts, value
from tests.support.hub_fixtures import hub_client

LARGE, FILE = "some/large-GGUF", "large-Q4_K_M.gguf"
VOCABULARY, MIB, GIB = 150_000, 1 << 20, 1 << 30
SIZE_BYTES = 8 * GIB
Q4_K, F32 = 12, 0


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoHub]:
    root = tmp_path_factory.mktemp("repos")
    model = Path(str(resources.files("resources") / "demo" / "wonderland-1m"))
    large = root / "large"
    large.mkdir()
    (large / FILE).write_bytes(large_header())
    (large / NOTES).write_text(f'{{"sizes_bytes": {{"{FILE}": {SIZE_BYTES}}}}}')
    with DemoHub(
        {LARGE: large, **write_gguf_files(root / "gguf", model, "rkdeck-demo/wonderland-1m")}
    ) as hub:
        yield hub


def large_header() -> bytes:
    """Of 8 GB, with a vocabulary as the largest families have: its texts and merges make 6 MB."""
    shape = {"embedding_length": 4096, "attention.head_count": 32, "attention.head_count_kv": 8}
    members = keys() | {f"llama.{name}": value(number) for name, number in shape.items()}
    members["tokenizer.ggml.tokens"] = texts(f"token-{number:07}" for number in range(VOCABULARY))
    members["tokenizer.ggml.merges"] = texts(f"tok {number:08}" for number in range(VOCABULARY))
    members["tokenizer.chat_template"] = value("{{ messages }}")
    rows = SIZE_BYTES * 15 // 16 // (4096 // 256 * 144)
    return header(members, [tensor("output.weight", (4096, rows), Q4_K, 0)])


@pytest.fixture
def services(hub: DemoHub, paths: AppPaths, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    with Services.build(paths) as services:
        yield services


def detail_of(services: Services, repo: str) -> ModelDetail:
    return services.hubs.of(repo).details(repo)


def rows_of(services: Services, repo: str) -> dict[str, ReadyRow]:
    detail = detail_of(services, repo)
    return {row.name: row for row in ready.glance(services, detail, ready_rows(detail))}


def asked(services: Services) -> tuple[int, int]:
    """Requests and bytes of ranges so far."""
    client = hub_client(services)
    return client.requests_count, client.bytes_fetched


def test_a_glance_at_8_gb_is_a_page_and_the_whole_header_few_requests(services: Services) -> None:
    before = asked(services)
    (row,) = rows_of(services, LARGE).values()
    glance = [after - then for after, then in zip(asked(services), before, strict=True)]
    found = row.inspection
    assert found is not None
    assert (found.architecture, found.max_context, found.dtype) == ("llama", 8192, "q4_k_m")
    assert found.fields["dtype"] == "stated"
    assert row.need is not None
    before = asked(services)
    report = ready.inspect_ready(services, detail_of(services, LARGE), row.first)
    whole = [after - then for after, then in zip(asked(services), before, strict=True)]
    print(f"header of 8 GB: glance {glance[0]} requests, {glance[1]} bytes; whole {whole[0]}, {whole[1]}")
    assert report.inspection.gguf is not None
    assert report.inspection.gguf.is_whole
    assert report.inspection.fields["dtype"] == "read"
    assert glance[1] < MIB
    assert glance[0] <= 4  # redirects to where large files lie are counted
    assert whole[0] <= 24
    assert whole[1] < 12 * MIB


def test_what_was_read_of_a_commit_is_not_asked_for_again(services: Services) -> None:
    detail = detail_of(services, LARGE)
    first = gguf.repo_header(services, detail, detail.files[0], whole=True)
    before = asked(services)
    again = gguf.repo_header(services, detail, detail.files[0], whole=True)
    assert asked(services) == before
    assert again == replace(first, bytes_read=0)
    assert rows_of(services, LARGE)[FILE].inspection is not None
    assert asked(services) == before


def test_each_model_is_one_row_and_the_part_for_pictures_is_told_apart(services: Services) -> None:
    rows = rows_of(services, GGUF_REPO)
    assert {name: (row.level, row.level_claimed, row.role) for name, row in rows.items()} == {
        "wonderland-1m-F16.gguf": ("f16", False, "model"),
        "wonderland-1m-Q8_0.gguf": ("q8_0", False, "model"),
        "wonderland-1m-Q4_0.gguf": ("q4_0", False, "model"),
        "mmproj-wonderland-1m-F16.gguf": ("f16", False, "mmproj"),
    }
    assert not rows["mmproj-wonderland-1m-F16.gguf"].is_model
    (parts,) = rows_of(services, PARTS_REPO).values()
    assert (parts.name, len(parts.files), parts.level) == ("wonderland-1m-Q8_0.gguf", 3, "q8_0")
    assert parts.inspection is not None
    assert parts.size_bytes == parts.inspection.size_bytes == sum(file.size_bytes for file in parts.files)


def test_before_its_header_is_read_a_row_says_what_its_name_claims(services: Services) -> None:
    rows = {row.name: row for row in ready_rows(detail_of(services, GGUF_REPO))}
    row = rows["wonderland-1m-Q8_0.gguf"]
    assert (row.level, row.level_claimed, row.is_model, row.need) == ("q8_0", True, False, None)


def test_missing_parts_are_named_and_cost_no_request(services: Services) -> None:
    detail = detail_of(services, PARTS_REPO)
    cut = replace(detail, files=tuple(file for file in detail.files if "00002" not in file.path))
    before = asked(services)
    (row,) = ready.glance(services, cut, ready_rows(cut))
    assert row.missing == ("wonderland-1m-Q8_0-00002-of-00003.gguf",)
    assert asked(services) == before
    with pytest.raises(RKDeckError) as caught:
        hub_use.model_patterns(cut, row.first.path)
    assert caught.value.code == "hub.parts_missing"


def test_a_refusal_of_the_hub_is_told_once_and_the_names_stay(hub: DemoHub, services: Services) -> None:
    detail = detail_of(services, GGUF_REPO)
    fault = Fault("http_503", "mmproj-wonderland-1m-F16.gguf", times=50)
    hub.faults.plan(fault)
    rows = ready.glance(services, detail, ready_rows(detail))
    fault.times = 0
    assert [(row.problem is not None, row.level) for row in rows] == [
        (True, "f16"), (False, "f16"), (False, "q4_0"), (False, "q8_0"),
    ]  # fmt: skip


def row(level: str, size_bytes: int) -> ReadyRow:
    name = f"m-{level}.gguf"
    inspection = Inspection("gguf", size_bytes, dtype=level, role="model")
    return ReadyRow(
        name, model_kinds()["gguf"], (RepoFile(name, size_bytes, None, None),), inspection=inspection
    )


@pytest.mark.parametrize(
    ("sizes", "too_large", "wanted"),
    [
        ({"q4_k_m": 1_000_000_000, "q8_0": 1_900_000_000, "f16": 3_500_000_000}, {"f16"}, ("q8_0", "gguf_small")),
        ({"q4_k_m": 4_000_000_000, "q8_0": 8_000_000_000}, set(), ("q4_k_m", "gguf_usual")),
        ({"q2_k": 2_500_000_000, "q4_k_m": 4_000_000_000}, {"q4_k_m"}, ("q2_k", "gguf_largest")),
    ],
)  # fmt: skip
def test_one_that_fits_with_room_is_recommended_with_its_reason(
    sizes: dict[str, int], too_large: set[str], wanted: tuple[str, str]
) -> None:
    rows = [row(level, size) for level, size in sizes.items()]
    found = gguf.recommended(rows, {row.name: "failed" if row.level in too_large else "ok" for row in rows})
    assert found is not None
    assert (found[0].level, found[1].code) == wanted
    assert gguf.recommended(rows, dict.fromkeys((row.name for row in rows), "failed")) is None


def test_just_the_wanted_model_arrives_with_all_its_parts_and_what_says_what_it_is(
    services: Services,
) -> None:
    handle, plan = hub_use.download(
        services, f"{PARTS_REPO}/wonderland-1m-Q8_0-00001-of-00003.gguf",
        revision=None, include=(), exclude=(), to=None,
    )  # fmt: skip
    handle.result(120)
    assert len(plan.files) == 4
    (item,) = services.library.list()
    assert (item.kind, item.title, len(item.files)) == ("gguf", "wonderland-1m-Q8_0", 3)
    assert item.path.name == "wonderland-1m-Q8_0-00001-of-00003.gguf"
    assert (item.path.parent / "README.md").is_file()
    assert services.library.verify(item.id) == ()
    alone = hub_use.start_model_download(services, f"{GGUF_REPO}/wonderland-1m-Q4_0.gguf")
    services.jobs.attach(alone).result(120)
    assert sorted(item.title for item in services.library.list()) == [
        "wonderland-1m-Q4_0",
        "wonderland-1m-Q8_0",
    ]


def test_a_file_is_inspected_where_it_lies_also_by_its_address(services: Services) -> None:
    name = f"{GGUF_REPO}/wonderland-1m-Q8_0.gguf"
    for text in (name, f"https://huggingface.co/{GGUF_REPO}/blob/main/wonderland-1m-Q8_0.gguf"):
        found = hub_use.inspect_on_hub(services, text)
        assert (found.dtype, found.parameters is not None, found.problems) == ("q8_0", True, ())


def test_a_pasted_address_of_a_file_searches_for_its_repository(services: Services) -> None:
    address = f"https://huggingface.co/{PARTS_REPO}/resolve/main/wonderland-1m-Q8_0-00001-of-00003.gguf"
    found = hub_use.search(services, SearchQuery(address))
    assert [summary.repo for summary in found.models] == [PARTS_REPO]


def test_every_model_gets_a_judgement_for_a_board(services: Services) -> None:
    detail = detail_of(services, GGUF_REPO)
    seen = board_sold(get_platform("rk3588"), 8 * GIB)
    models = [found for found in rows_of(services, GGUF_REPO).values() if found.is_model]
    assert len(models) == 3
    for found in models:
        judgement = ready.judge_ready(ready.report_of(detail, found), seen, board="desk")
        assert (judgement.verdict, judgement.refusals) == ("ok", ())
        assert judgement.memory is not None
