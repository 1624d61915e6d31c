"""The demo's hub beside its one real model: headers without weights, and files that are ready-made."""

import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from core.base.errors import RefusedError, RKDeckError
from core.demo.hub.server import DemoHub
from core.demo.toolkit_env import create_toolkit_env
from core.estimate.known_models import known_models
from core.estimate.table import estimate_model
from core.hub.download import plan_download
from core.hub.facts import fetch_facts
from core.hub.huggingface.client import HubClient
from core.hub.protocol import search
from core.hub.records import SearchQuery
from core.model.inspect import inspect_file
from core.showcase import models as demo_models
from core.showcase.models import (
    GGUF_REPO,
    PARTS_REPO,
    write_gguf_files,
    write_known_models,
    write_ready_files,
)
from core.vendor.kinds import model_kinds
from core.vendor.platforms import get_platform
from tests.support.models import write_random_model
from tests.support.waiting import wait_until

LLAMA = "meta-llama/Meta-Llama-3-8B-Instruct"
MIB = 1 << 20


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoHub]:
    with DemoHub(write_known_models(tmp_path_factory.mktemp("known"))) as hub:
        yield hub


@pytest.fixture
def client(hub: DemoHub) -> HubClient:
    return HubClient(hub.url, None)


def test_a_search_finds_them_with_their_parameters_classes_and_what_they_are(client: HubClient) -> None:
    found = {model.repo: model for model in search(client, SearchQuery("", limit=100))}
    assert len(found) >= 14
    llama = found[LLAMA]
    assert llama.architectures == ("LlamaForCausalLM",)
    assert abs((llama.parameters or 0) / 8.03e9 - 1) < 0.01
    assert llama.license == "llama3"
    assert llama.downloads is None  # nobody counted them here
    assert all("facts-only" in model.tags for model in found.values())


def test_headers_give_what_the_retyped_table_has(client: HubClient) -> None:
    for model in known_models().values():
        if model.repo not in {found.repo for found in search(client, SearchQuery("", limit=100))}:
            continue
        facts = fetch_facts(client, client.details(model.repo))
        assert set(facts.tensors) == set(model.tensors)
        assert facts.config == dict(model.config)


def test_an_8b_in_four_shards_costs_a_few_requests_and_less_than_a_mebibyte(
    client: HubClient, hub: DemoHub
) -> None:
    before = len(hub.requests)
    facts = fetch_facts(client, client.details(LLAMA))
    # Details, config.json, the index, and each shard's header by way of the redirect to the CDN. The hub notes a
    # request when its answer has left, which may be a moment after it was read here.
    wait_until(lambda: len(hub.requests) >= before + 3 + 4 * 2)
    asked = hub.requests[before:]
    assert len(asked) == 3 + 4 * 2
    assert sum(request.bytes_sent for request in asked) < MIB
    row = estimate_model(facts, get_platform("rk3588")).row("w8a8")
    assert row is not None
    assert row.ram is not None


def test_the_body_is_zeros_for_a_moment_and_then_refused_in_words(client: HubClient) -> None:
    detail = client.details(LLAMA)
    shard = next(file for file in detail.files if file.path.endswith(".safetensors"))
    assert shard.size_bytes > 3 << 30
    with pytest.raises(RKDeckError):
        client.read_range(detail.repo, detail.commit, shard.path, shard.size_bytes - 64, 64)
    with pytest.raises(RKDeckError):
        client.read_range(detail.repo, detail.commit, shard.path, 0, shard.size_bytes)


def test_a_download_is_refused_before_it_begins(client: HubClient) -> None:
    with pytest.raises(RefusedError) as caught:
        plan_download(client.details(LLAMA))
    assert caught.value.code == "hub.facts_only"


@pytest.mark.parametrize(
    ("repo", "code"),
    [
        ("rkdeck-demo/already-quantized-1.5b", "quantized_source"),
        ("rkdeck-demo/unknown-architecture-3b", "unknown_architecture"),
    ],
)
def test_two_show_what_is_said_of_odd_ones(client: HubClient, repo: str, code: str) -> None:
    estimate = estimate_model(fetch_facts(client, client.details(repo)), get_platform("rk3588"))
    assert code in {note.code for note in estimate.notes}
    assert not any(row.supported for row in estimate.rows if row.kind == "rkllm")


def test_ready_made_files_are_made_once_and_tagged_with_their_base(tmp_path: Path) -> None:
    model = write_random_model(tmp_path / "tiny", max_position_embeddings=512)
    python = create_toolkit_env(tmp_path / "toolkit")
    folder = write_ready_files(tmp_path / "ready", model, "some/tiny", python)
    files = sorted(folder.glob("*.rkllm"))
    assert [(found.platform, found.dtype) for found in map(inspect_file, files)] == [
        ("rk3576", "w4a16_g32"), ("rk3588", "w8a8"),
    ]  # fmt: skip
    made = [file.stat().st_mtime_ns for file in files]
    write_ready_files(folder, model, "some/tiny", Path("/no/such/python"))
    assert [file.stat().st_mtime_ns for file in files] == made
    with DemoHub({"some/ready": folder}) as hub:
        tags = HubClient(hub.url, None).details("some/ready").summary.tags
    assert {"rkllm", "base_model:some/tiny"} <= set(tags)


def test_a_conversion_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_models, "_CONVERT", "raise SystemExit(3)")
    with pytest.raises(RKDeckError) as caught:
        write_ready_files(tmp_path / "ready", tmp_path, "some/tiny", Path(sys.executable))
    assert caught.value.code == "demo.part_failed"


def test_gguf_repositories_are_found_by_their_kind_and_name_the_model_they_were_made_of(
    tmp_path: Path,
) -> None:
    model = Path(str(resources.files("resources") / "demo" / "wonderland-1m"))
    with DemoHub({"some/tiny": model, **write_gguf_files(tmp_path / "gguf", model, "some/tiny")}) as hub:
        client = HubClient(hub.url, None)
        found = search(client, SearchQuery("", kind=model_kinds()["gguf"]))
        assert sorted(summary.repo for summary in found) == sorted([GGUF_REPO, PARTS_REPO])
        assert all([kind.name for kind in summary.kinds] == ["gguf"] for summary in found)
        assert search(client, SearchQuery("", kind=model_kinds()["rkllm"])) == []
        detail = client.details(PARTS_REPO)
        assert detail.base == "some/tiny"
        assert "base_model:quantized:some/tiny" in detail.summary.tags
