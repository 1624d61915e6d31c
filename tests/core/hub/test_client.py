"""The client, and the stock huggingface_hub, against the loopback hub."""

import hashlib
from pathlib import Path

import pytest
from huggingface_hub import HfApi, hf_hub_download

from core.base.errors import RKDeckError
from core.demo.hub.faults import Fault
from core.demo.hub.requests import Request
from core.demo.hub.server import DemoHub
from core.hub.download import plan_download
from core.hub.facts import fetch_model_facts
from core.hub.huggingface.client import HubClient
from core.hub.protocol import read_file, search
from core.hub.records import ModelDetail, ModelSummary, RepoFile, SearchQuery
from core.model.facts import load_local_facts
from core.vendor.kinds import model_kinds
from tests.support.waiting import wait_until

from .conftest import BIG_BYTES, REPO  # noqa: TID252


def test_search_finds_by_words_and_by_tag(hub: DemoHub) -> None:
    client = HubClient(hub.url, None)
    found = search(client, SearchQuery("tiny"))
    assert [model.repo for model in found] == [REPO]
    assert found[0].parameters is not None
    assert found[0].parameters > 100_000
    assert "rkdeck-demo" in found[0].tags
    assert search(client, SearchQuery("no such thing")) == []
    assert len(search(client, SearchQuery("", kind=model_kinds()["rkllm"], limit=1))) == 1


def test_details_pin_a_commit_and_tell_sizes_and_digests(hub: DemoHub, model: Path) -> None:
    detail = HubClient(hub.url, None).details(REPO)
    files = {file.path: file for file in detail.files}
    assert len(detail.commit) == 40
    assert files["big.rkllm"].size_bytes == BIG_BYTES
    assert files["big.rkllm"].sha256 == hashlib.sha256((model / "big.rkllm").read_bytes()).hexdigest()
    assert files["config.json"].sha256 is None
    assert files["config.json"].blob_id
    assert HubClient(hub.url, None).details(REPO, detail.commit).commit == detail.commit


def test_stock_library_can_use_the_hub(hub: DemoHub, model: Path, tmp_path: Path) -> None:
    api = HfApi(endpoint=hub.url)
    assert "config.json" in api.list_repo_files(REPO)
    assert [entry.path for entry in api.get_paths_info(REPO, ["config.json"])] == ["config.json"]
    for name in ("config.json", "big.rkllm"):
        path = hf_hub_download(REPO, name, endpoint=hub.url, cache_dir=tmp_path)
        assert Path(path).read_bytes() == (model / name).read_bytes()


def test_ranges_are_exact_and_bounded(hub: DemoHub, model: Path) -> None:
    client = HubClient(hub.url, None)
    commit = client.details(REPO).commit
    data = (model / "big.rkllm").read_bytes()
    assert client.read_range(REPO, commit, "big.rkllm", 1000, 10) == data[1000:1010]
    assert client.read_range(REPO, commit, "big.rkllm", BIG_BYTES - 5, 100) == data[-5:]
    assert client.read_range(REPO, commit, "big.rkllm", BIG_BYTES, 5) == b""
    assert client.bytes_fetched == 15
    with pytest.raises(RKDeckError) as caught:
        read_file(client, REPO, commit, "big.rkllm", 1000)
    assert caught.value.code == "hub.file_too_large"


def test_token_is_not_sent_to_another_host(hub: DemoHub) -> None:
    client = HubClient(hub.url, "hf_averysecrettoken")
    commit = client.details("someone/locked").commit
    client.read_range("someone/locked", commit, "big.rkllm", 0, 10)

    def asked() -> list[Request]:
        return [request for request in hub.requests if request.path.endswith("big.rkllm")]

    # The server notes a request when it has sent the last byte, which may be after we read it.
    wait_until(lambda: len(asked()) == 2)
    assert {request.server: request.had_auth for request in asked()} == {"hub": True, "cdn": False}


def test_facts_by_range_are_those_of_the_folder(hub: DemoHub, model: Path) -> None:
    client = HubClient(hub.url, None)
    facts = fetch_model_facts(client, REPO)
    local = load_local_facts(model)
    assert facts.tensors == local.tensors
    assert facts.config == local.config
    assert 0 < facts.bytes_fetched < 200_000
    assert client.requests_count <= 4


@pytest.mark.parametrize(
    ("repo", "revision", "code"),
    [
        ("someone/nothing", None, "hub.not_found"),
        (REPO, "nobranch", "hub.revision_not_found"),
        ("../../etc", None, "hub.bad_id"),
        ("$(reboot)/x", None, "hub.bad_id"),
        ("a/b/c", None, "hub.bad_id"),
        ("a\nb/c", None, "hub.bad_id"),
        ("x" * 300 + "/y", None, "hub.bad_id"),
        (REPO, "../../x", "hub.bad_revision"),
    ],
)
def test_bad_questions_get_their_own_error(hub: DemoHub, repo: str, revision: str | None, code: str) -> None:
    with pytest.raises(RKDeckError) as caught:
        HubClient(hub.url, None).details(repo, revision)
    assert caught.value.code == code


def test_gated_absent_and_broken_hubs_say_so(hub: DemoHub) -> None:
    client = HubClient(hub.url, None)
    commit = client.details("someone/locked").commit
    with pytest.raises(RKDeckError) as caught:
        read_file(client, "someone/locked", commit, "config.json", 10_000)
    assert caught.value.code == "hub.gated"
    with pytest.raises(RKDeckError) as caught:
        read_file(client, "someone/locked", commit, "nofile", 10_000)
    assert caught.value.code in {"hub.gated", "hub.file_not_found"}
    hub.faults.plan(Fault("http_503", "config.json", times=5))
    with pytest.raises(RKDeckError) as caught:
        read_file(client, REPO, client.details(REPO).commit, "config.json", 10_000)
    assert caught.value.code == "hub.server_error"
    with pytest.raises(RKDeckError) as caught:
        search(HubClient("http://127.0.0.1:9", None), SearchQuery("x"))
    assert caught.value.code == "hub.unreachable"


def _detail(*paths: str) -> ModelDetail:
    files = tuple(RepoFile(path, 10, "0" * 40, None) for path in paths)
    return ModelDetail("a/b", "c" * 40, ModelSummary("a/b", None, None, None, None, None, False, ()), files)


def test_plan_leaves_out_duplicates_of_the_weights_and_keeps_what_was_asked_for() -> None:
    detail = _detail(
        "config.json", "model.safetensors", "pytorch_model.bin", "onnx/model.onnx", ".gitattributes"
    )
    assert [file.path for file in plan_download(detail).files] == ["config.json", "model.safetensors"]
    assert [file.path for file in plan_download(detail, include=["*.bin"]).files] == ["pytorch_model.bin"]
    assert len(plan_download(detail, exclude=["*.json"]).files) == 1
    with pytest.raises(RKDeckError) as caught:
        plan_download(detail, include=["nothing*"])
    assert caught.value.code == "hub.nothing_to_download"
    with pytest.raises(RKDeckError) as caught:
        plan_download(_detail())
    assert caught.value.code == "hub.no_files"
