"""The demo hub as the stock huggingface_hub sees it beyond downloads: trees, authors; and how it is revived."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import EntryNotFoundError

from core.demo.hub.server import DemoHub
from core.hub.huggingface.client import HubClient
from core.hub.protocol import search
from core.hub.records import SearchQuery
from tests.support.hub_fixtures import small_repo

REPO = "someone/tiny"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[DemoHub]:
    folder = small_repo(tmp_path / "tiny")
    (folder / "more" / "deep").mkdir(parents=True)
    (folder / "more" / "notes.txt").write_text("notes")
    (folder / "more" / "deep" / "x.txt").write_text("x")
    with DemoHub({REPO: folder, "else/tiny": folder}) as hub:
        yield hub


def test_stock_library_lists_trees_level_by_level(hub: DemoHub) -> None:
    api = HfApi(endpoint=hub.url)

    def names(folder: str | None, recursive: bool) -> list[str]:
        return [entry.path for entry in api.list_repo_tree(REPO, folder, recursive=recursive)]

    assert names(None, recursive=False) == ["more", "config.json", "model.safetensors"]
    assert names("more", recursive=False) == ["more/deep", "more/notes.txt"]
    assert names("more", recursive=True) == ["more/deep/x.txt", "more/notes.txt"]
    assert set(names(None, recursive=True)) > {"more/deep/x.txt", "config.json"}
    with pytest.raises(EntryNotFoundError):
        names("absent", recursive=False)


def test_search_by_author(hub: DemoHub) -> None:
    client = HubClient(hub.url, None)
    assert {model.repo for model in search(client, SearchQuery("tiny"))} == {REPO, "else/tiny"}
    assert [model.repo for model in search(client, SearchQuery("tiny", author="else"))] == ["else/tiny"]
    assert search(client, SearchQuery("", author="some")) == []
    assert [model.id for model in HfApi(endpoint=hub.url).list_models(author="else")] == ["else/tiny"]


def _post(url: str, body: bytes) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_dead_hub_hears_who_revives_it_from_another_process(hub: DemoHub) -> None:
    hub.faults.dead.set()
    with pytest.raises(OSError, match=r"."):
        urllib.request.urlopen(f"{hub.url}/api/models", timeout=10)
    with urllib.request.urlopen(f"{hub.url}/__requests__", timeout=10) as answer:
        assert json.load(answer) == []
    assert _post(f"{hub.url}/__faults__", b'{"revive": []}') == 200
    with urllib.request.urlopen(f"{hub.url}/api/models", timeout=10) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"cut": [{"nothing": 1}]}', b'{"cut": 5}'])
def test_faults_that_make_no_sense_are_told(hub: DemoHub, body: bytes) -> None:
    assert _post(f"{hub.url}/__faults__", body) == 400
