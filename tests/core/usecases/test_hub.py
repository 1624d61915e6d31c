"""What a front end asks of the Hub: reports with the reason for what is not known, cards, downloads."""

import json
import re
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.errors import RKDeckError, UsageError
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.demo.hub.server import DemoHub
from core.estimate.table import estimate_model
from core.hub.records import SearchQuery
from core.model.facts import load_local_facts
from core.services import Services
from core.usecases import hub as use
from core.vendor.platforms import get_platform
from core.words import word
from tests.support.models import write_random_model
from tests.support.tiny_model import write_tiny_model

SLACK_S = 60.0
COMMIT = "c" * 40


def folder_with(folder: Path, **files: bytes) -> Path:
    """A folder with files; `__` in a name stands for a dot."""
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name.replace("__", ".")).write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_random_model(tmp_path_factory.mktemp("model") / "tiny")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Tiny\n")
    return folder


@pytest.fixture(scope="module")
def hub(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoHub]:
    root = tmp_path_factory.mktemp("repos")
    config = (model / "config.json").read_bytes()
    damaged = write_random_model(root / "damaged")
    (damaged / "model.safetensors").write_bytes(b"\xff" * 8 + b"{" + b"x" * 5000)
    index = json.dumps({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}).encode()
    repos = {
        "some/tiny": model,
        "some/locked": model,
        "some/damaged": damaged,
        "some/gguf": folder_with(root / "gguf", config__json=config, tiny_Q4__gguf=b"GGUF" + bytes(100)),
        "some/converted": folder_with(root / "converted", b__RKLLM=b"x"),
        "some/both": folder_with(root / "both", config__json=config, a__rkllm=b"RKLLM", m__gguf=b"GGUF"),
        "some/adapter": folder_with(
            root / "adapter", adapter_config__json=b'{"base_model_name_or_path": "some/tiny"}'
        ),
        "some/odd-adapter": folder_with(root / "odd-adapter", adapter_config__json=b"[[["),
        "some/only-gguf": folder_with(root / "only-gguf", tiny_Q4__gguf=b"GGUF" + bytes(100)),
        "some/bin": folder_with(root / "bin", config__json=config, pytorch_model__bin=bytes(200)),
        "some/weightless": folder_with(root / "weightless", config__json=config),
        "some/nonsense": folder_with(root / "nonsense", config__json=b"[]"),
        "some/shards": folder_with(
            root / "shards",
            config__json=config,
            model__safetensors__index__json=index,
            one__safetensors=(model / "model.safetensors").read_bytes(),
        ),
        "some/empty": folder_with(root / "empty"),
        "some/unsafe": folder_with(
            root / "unsafe",
            config__json=config,
            **{"weights\u202e__safetensors": (model / "model.safetensors").read_bytes()},
        ),
    }
    write_tiny_model(repos["some/converted"] / "a.rkllm", "w8a8")
    with DemoHub(repos, gated=frozenset({"some/locked"}), catalogue=250) as hub:
        yield hub


@pytest.fixture
def services(paths: AppPaths, hub: DemoHub) -> Iterator[Services]:
    with Services(paths, Settings(hub_endpoint=hub.url)) as services:
        yield services


def test_a_report_has_what_the_estimate_and_a_download_need(services: Services, model: Path) -> None:
    report = use.hub_report(services, "some/tiny")
    assert report.problem is None
    assert report.facts is not None
    assert report.detail is not None
    assert report.facts.tensors == load_local_facts(model).tensors
    assert 0 < report.facts.bytes_fetched < 200_000
    assert report.download_bytes == sum(
        file.stat().st_size for file in model.iterdir() if not file.name.startswith(".")
    )
    assert (report.item, report.ready_files) == (None, ())
    estimate = estimate_model(report.facts, get_platform("rk3588"), context=256)
    assert estimate.row("w8a8") is not None
    again = use.hub_report(services, "some/tiny", report.detail.commit)
    # A commit never changes: its headers are read once.
    assert again == replace(report, facts=replace(report.facts, bytes_fetched=0))


@pytest.mark.parametrize(
    ("repo", "code"),
    [
        ("some/locked", "hub.gated"),
        ("some/only-gguf", "model.gguf_only"),
        ("some/converted", "model.rkllm_only"),
        ("some/adapter", "model.adapter_only"),
        ("some/odd-adapter", "model.adapter_without_base"),
        ("some/nonsense", "estimate.bad_config"),
        ("some/damaged", "estimate.header_too_large"),
        ("some/shards", "hub.shard_missing"),
        ("some/empty", "hub.no_config"),
    ],
)
def test_what_keeps_the_facts_away_is_told_beside_the_details(
    services: Services, repo: str, code: str
) -> None:
    report = use.hub_report(services, repo)
    assert report.facts is None
    assert report.problem is not None
    assert report.problem.code == code
    assert all(word(report.problem))
    assert report.detail is not None
    assert (report.download_bytes is None) == (repo == "some/empty")


@pytest.mark.parametrize(
    ("repo", "code"),
    [("some/gguf", "model.gguf_only"), ("some/bin", "model.pickle_only"), ("some/both", None)],
)
def test_other_weights_are_estimated_from_the_configuration_alone_and_less_certainly(
    services: Services, repo: str, code: str | None
) -> None:
    report = use.hub_report(services, repo)
    assert report.facts is not None
    assert report.facts.tensors == ()
    assert (report.problem.code if report.problem else None) == code
    estimate = estimate_model(report.facts, get_platform("rk3588"), context=256, shape=report.shape)
    assert "config_only" in {note.code for note in estimate.notes}
    assert estimate.confidence != "calibrated"
    row = estimate.row("w8a8")
    assert row is not None
    assert row.ram is not None


def test_an_adapter_names_its_base(services: Services) -> None:
    problem = use.hub_report(services, "some/adapter").problem
    assert problem is not None
    assert "some/tiny" in word(problem)[0]


def test_ready_made_files_are_named_so_that_they_can_be_inspected(services: Services) -> None:
    report = use.hub_report(services, "some/converted")
    assert [file.path for file in report.ready_files] == ["a.rkllm", "b.RKLLM"]
    inspection = use.inspect_on_hub(services, "some/converted/a.rkllm")
    assert (inspection.is_model, inspection.platform, inspection.dtype) == (True, "rk3588", "w8a8")
    assert inspection.size_bytes == report.ready_files[0].size_bytes
    assert [file.path for file in use.hub_report(services, "some/both").ready_files] == ["a.rkllm", "m.gguf"]


def test_a_download_that_cannot_be_is_a_problem_even_when_the_facts_are_known(services: Services) -> None:
    report = use.hub_report(services, "some/unsafe")
    assert report.facts is not None
    assert report.problem is not None
    assert (report.problem.code, report.download_bytes) == ("names.unsafe_path", None)


def test_a_config_alone_gives_facts_of_less_certainty(services: Services) -> None:
    report = use.hub_report(services, "rkdeck-demo/catalogue-00042")
    assert report.facts is not None
    assert report.facts.tensors == ()
    notes = {note.code for note in estimate_model(report.facts, get_platform("rk3588")).notes}
    assert "config_only" in notes


@pytest.mark.parametrize(
    ("repo", "revision", "code"),
    [
        ("some/nothing", None, "hub.not_found"),
        ("some/tiny", "other", "hub.revision_not_found"),
        ("../../etc", None, "hub.bad_id"),
        ("some/tiny", "../x", "hub.bad_revision"),
    ],
)
def test_without_details_there_is_no_report(
    services: Services, repo: str, revision: str | None, code: str
) -> None:
    with pytest.raises(RKDeckError) as caught:
        use.hub_report(services, repo, revision)
    assert caught.value.code == code


def test_reports_side_by_side_count_their_own_bytes(services: Services) -> None:
    alone = use.hub_report(services, "some/tiny").facts
    assert alone is not None
    shutil.rmtree(services.paths.cache / "facts")
    barrier = threading.Barrier(8)

    def ask(_: int) -> int:
        barrier.wait(SLACK_S)
        facts = use.hub_report(services, "some/tiny").facts
        assert facts is not None
        return facts.bytes_fetched

    with ThreadPoolExecutor(8) as pool:
        counted = set(pool.map(ask, range(8)))
    assert alone.bytes_fetched in counted
    assert counted <= {0, alone.bytes_fetched}  # 0: another one had just kept them


def test_search_gives_pages(services: Services) -> None:
    query = SearchQuery("catalogue", limit=100)
    names, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        page = use.search(services, query, cursor)
        names += [model.repo for model in page.models]
        cursor, pages = page.next_cursor, pages + 1
    assert (pages, len(set(names))) == (3, 250)
    with pytest.raises(UsageError):
        use.search(services, SearchQuery("x", limit=101))


def test_a_download_ends_in_the_library_and_the_report_knows_it(services: Services, model: Path) -> None:
    job_id = use.start_model_download(services, "some/tiny", exclude=["README*"])
    result = services.jobs.attach(job_id).result(SLACK_S)
    path = Path(str(result["path"]))
    assert path.is_relative_to(services.paths.library)
    assert (path / "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()
    assert not (path / "README.md").exists()
    report = use.hub_report(services, "some/tiny")
    assert report.item is not None
    assert report.detail is not None
    assert (report.item.path, report.item.revision) == (path, report.detail.commit)
    assert use.hub_report(services, "some/gguf").item is None


def test_a_download_of_nothing_starts_no_job(services: Services) -> None:
    with pytest.raises(RKDeckError) as caught:
        use.start_model_download(services, "some/tiny", include=["*.nothing"])
    assert caught.value.code == "hub.nothing_to_download"
    assert services.jobs.store.list() == []


def test_a_card_comes_without_its_head_and_is_empty_when_there_is_none(services: Services) -> None:
    def card(repo: str) -> str:
        detail = use.hub_report(services, repo).detail
        assert detail is not None
        return use.model_card(services, repo, detail.commit)

    assert card("some/tiny") == "# Tiny"
    assert card("some/weightless") == ""
    assert "does not exist" in card("rkdeck-demo/catalogue-00001")
    with pytest.raises(RKDeckError) as caught:
        card("some/locked")
    assert caught.value.code == "hub.gated"
    with pytest.raises(RKDeckError) as caught:
        use.model_card(services, "some/tiny", COMMIT)
    assert caught.value.code == "hub.revision_not_found"


def test_a_long_card_is_cut(services: Services, hub: DemoHub, model: Path) -> None:
    long = folder_with(model.parent / "long", README__md=b"a" + "é".encode() * 300_000)
    with DemoHub({"some/long": long}) as other:
        services.settings = Settings(hub_endpoint=other.url)
        detail = services.hub.details("some/long")
        text = use.model_card(services, "some/long", detail.commit)
    assert set(text) == {"a", "é"}
    assert len(text) == 128 << 10


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"# Title", "# Title"),
        (b"---\na: b\n---\n\n# Title\n", "# Title"),
        (b"---  \r\na: b\r\n---\r\n# Title\r\n", "# Title"),
        (b"\xef\xbb\xbf---\na: b\n---\n# Title", "# Title"),
        (b"---\n---\ntext", "text"),
        (b"---", "---"),
        (b"---\nnever closed: 1\n# Title", "---\nnever closed: 1\n# Title"),
        (b"-----\nno head\n---\n", "-----\nno head\n---"),
        (b"text\n---\na: b\n---\n", "text\n---\na: b\n---"),
        (b"---\na: |\n  ---\nb: 1\n---\ntext", "text"),
        (b"a\x00b\x1b[2Jc\td\n", "ab[2Jc\td"),
        ("a\u202eb\u2066c".encode(), "abc"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_heads_of_cards(data: bytes, text: str) -> None:
    assert use.card_text(data) == text


def test_a_card_is_read_in_linear_time() -> None:
    for data in (b"---\n" + b"- " * (128 << 10), b"---\n" * (64 << 10), b"---\n" + b"--- x\n" * 40_000):
        assert not re.search("[\x00-\x08]", use.card_text(data))
