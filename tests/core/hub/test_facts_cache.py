"""Facts that were read before: whole, of the right commit, and never in the way."""

import gzip
import os
from dataclasses import replace
from pathlib import Path

import pytest

from core.demo.hub.server import DemoHub
from core.estimate.known_models import known_models
from core.hub import facts_cache
from core.hub.facts import fetch_model_facts
from core.hub.facts_cache import FactsCache
from core.hub.huggingface.client import HubClient
from core.model.facts import ModelFacts
from core.model.headers import TensorInfo
from tests.support.models import write_random_model

HUB, COMMIT = "https://hub", "c" * 40


def some(name: str = "a/b") -> ModelFacts:
    return replace(known_models()["Qwen3-0.6B"].facts(), model=name, bytes_fetched=1234)


def test_what_is_kept_comes_back_whole(tmp_path: Path) -> None:
    cache = FactsCache(tmp_path / "facts")
    assert cache.get(HUB, "a/b", COMMIT) is None
    cache.put(HUB, COMMIT, some())
    found = cache.get(HUB, "a/b", COMMIT)
    assert found == replace(some(), bytes_fetched=0)
    assert isinstance(found.tensors[0], TensorInfo)
    assert isinstance(found.tensors[0].shape, tuple)


def test_what_is_read_from_a_hub_survives_the_way_to_the_disk(tmp_path: Path) -> None:
    model = write_random_model(tmp_path / "model")
    with DemoHub({"some/model": model}) as hub:
        client = HubClient(hub.url, None)
        read = fetch_model_facts(client, "some/model")
    cache = FactsCache(tmp_path / "facts")
    cache.put(HUB, COMMIT, read)
    assert cache.get(HUB, "some/model", COMMIT) == replace(read, bytes_fetched=0)


@pytest.mark.parametrize(
    ("hub", "repo", "commit"),
    [("https://other", "a/b", COMMIT), (HUB, "a/c", COMMIT), (HUB, "a/b", "d" * 40)],
)
def test_another_hub_model_or_commit_is_another_thing(
    tmp_path: Path, hub: str, repo: str, commit: str
) -> None:
    cache = FactsCache(tmp_path)
    cache.put(HUB, COMMIT, some())
    assert cache.get(hub, repo, commit) is None


@pytest.mark.parametrize(
    ("damage", "packed"),
    [
        (b"", False), (b"not packed", False), (b"[]", True), (b"{", True), (b'{"schema": 99}', True),
        (b'{"schema": 1, "tensors": [{"name": 1}]}', True), (b"[" * 100_000, True),
    ],
    ids=range(7),
)  # fmt: skip
def test_a_damaged_file_is_as_none(tmp_path: Path, damage: bytes, packed: bool) -> None:
    cache = FactsCache(tmp_path)
    cache.put(HUB, COMMIT, some())
    (path,) = tmp_path.glob("*.json.gz")
    path.write_bytes(gzip.compress(damage) if packed else damage)
    assert cache.get(HUB, "a/b", COMMIT) is None
    path.write_bytes(gzip.compress(b"{}")[:-4])
    assert cache.get(HUB, "a/b", COMMIT) is None
    cache.put(HUB, COMMIT, some())
    assert cache.get(HUB, "a/b", COMMIT) is not None


def test_the_ones_used_longest_ago_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_cache, "_MAX_FILES", 3)
    cache = FactsCache(tmp_path)
    for number in range(3):
        cache.put(HUB, COMMIT, some(f"a/{number}"))
        for path in tmp_path.glob("*.json.gz"):
            stat = path.stat()
            os.utime(path, (stat.st_atime, stat.st_mtime - 10))
    assert cache.get(HUB, "a/0", COMMIT) is not None  # used now
    cache.put(HUB, COMMIT, some("a/3"))
    known = [number for number in range(4) if cache.get(HUB, f"a/{number}", COMMIT) is not None]
    assert known == [0, 2, 3]


def test_a_cache_that_cannot_be_written_is_only_slower(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = FactsCache(tmp_path / "file" / "facts")
    cache.put(HUB, COMMIT, some())
    assert cache.get(HUB, "a/b", COMMIT) is None
