"""Whatever lies where facts of models, and what a download left, are kept: used, or read anew, never a trace."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.base.errors import JsonValue
from core.estimate.known_models import known_models
from core.hub.facts_cache import FactsCache
from core.hub.fetch import _continues, _sidecar
from core.model.facts import ModelFacts

HUB, COMMIT = "https://hub", "c" * 40
_again = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
_CHANGES = st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=6)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def some() -> ModelFacts:
    known = known_models()["Qwen3-0.6B"].facts()
    return replace(known, model="a/b", tensors=known.tensors[:3])


def kept(folder: Path) -> tuple[FactsCache, Path]:
    cache = FactsCache(folder)
    cache.put(HUB, COMMIT, some())
    return cache, next(folder.glob("*.json.gz"))


def damaged(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    result = bytearray(data)
    for place, byte in changes:
        result[place % len(result)] = byte
    return bytes(result)


@_again
@given(changes=_CHANGES, packed=st.booleans(), cut=st.none() | st.integers(0, 2000))
def test_any_damage_to_facts_that_were_kept(
    tmp_path: Path, changes: list[tuple[int, int]], packed: bool, cut: int | None
) -> None:
    cache, file = kept(tmp_path / "facts")
    data = file.read_bytes()
    whole = damaged(data, changes) if packed else gzip.compress(damaged(gzip.decompress(data), changes))
    file.write_bytes(whole[:cut])
    found = cache.get(HUB, "a/b", COMMIT)
    assert found is None or found.model == "a/b"


@_again
@given(data=st.binary(max_size=200) | _JSON.map(lambda value: json.dumps(value).encode()))
def test_any_note_beside_a_download_that_was_broken_off(tmp_path: Path, data: bytes) -> None:
    partial = tmp_path / "m.safetensors.partial"
    partial.write_bytes(b"x" * 10)
    _sidecar(partial).write_bytes(data)
    identity: dict[str, JsonValue] = {"size_bytes": 100, "sha256": "0" * 64, "blob_id": None}
    assert not _continues(partial, identity, 100)
    assert not _continues(partial, identity, 5)
