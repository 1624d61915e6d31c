"""Any document, near a hub's own or far from it, becomes records within bounds or an error of ours."""

import json
from collections.abc import Callable
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import RKDeckError
from core.base.foreign import MAX_BYTES, MAX_WHOLE, json_text, read_json
from core.hub.huggingface.answers import (
    next_cursor,
    parse_detail,
    parse_summaries,
    parse_tree,
    unsized_paths,
)
from core.hub.records import ModelSummary

COMMIT, SHA256 = "c" * 40, "a" * 64
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from([10**400, -1, 1 << 60, (1 << 60) + 1, 1e30, COMMIT, SHA256, "12", "a/b", "file", "2026-01-01"])
)  # fmt: skip
ANY = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)


def some(**members: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """An object with some of these members, each mostly as it should be."""
    return st.fixed_dictionaries({}, optional={name: value | ANY for name, value in members.items()})


COUNT = st.integers(0, MAX_WHOLE)
LFS = some(sha256=st.just(SHA256), oid=st.just(SHA256), size=COUNT)
SIBLING = some(rfilename=st.text(max_size=20), size=COUNT, blobId=st.just(COMMIT), lfs=LFS)
ENTRY = some(type=st.just("file"), path=st.text(max_size=20), size=COUNT, oid=st.just(COMMIT), lfs=LFS)
MODEL = some(
    id=st.just("a/b"), sha=st.just(COMMIT), siblings=st.lists(SIBLING, max_size=4), downloads=COUNT, likes=COUNT,
    tags=st.lists(st.text(max_size=8), max_size=4), safetensors=some(total=COUNT), gated=st.booleans(),
    config=some(architectures=st.lists(st.text(max_size=8), max_size=4)), lastModified=st.just("2026-01-01"),
)  # fmt: skip


def read(value: object) -> object:
    """A document as it arrives: as text, with numbers of any size."""
    return read_json(json.dumps(value))


def parsed(parse: Callable[[], object]) -> object:
    """What is read; None for a typed error, whose facts can be written."""
    refused: RKDeckError | None = None
    try:
        found = parse()
    except RKDeckError as error:
        refused, found = error, None
    if refused is not None:
        assert refused.code in {"hub.strange_answer", "hub.impossible_size", "hub.too_many_files"}
        assert "NaN" not in json_text(refused.to_json())
    return found


def check_summary(summary: ModelSummary) -> None:
    for count in (summary.downloads, summary.likes, summary.parameters):
        assert count is None or 0 <= count <= MAX_WHOLE
    assert read_json(json_text(summary.to_json())) is not None


@given(ANY | st.lists(MODEL | ANY, max_size=4))
def test_any_search_result(value: object) -> None:
    found = parsed(lambda: parse_summaries(read(value), 3))
    if isinstance(found, list):
        assert len(found) <= 3
        for summary in found:
            check_summary(summary)


@given(MODEL | ANY)
def test_any_details(value: object) -> None:
    found = parsed(lambda: parse_detail("a/b", read(value)))
    if found is not None:
        assert found.commit == COMMIT  # type: ignore[attr-defined]
        check_summary(found.summary)  # type: ignore[attr-defined]
        assert sum(file.size_bytes for file in found.files) <= MAX_BYTES  # type: ignore[attr-defined]
        json.dumps([asdict(file) for file in found.files])  # type: ignore[attr-defined]


@given(MODEL | ANY)
def test_any_details_without_sizes(value: object) -> None:
    parsed(lambda: unsized_paths(read(value)))


@given(st.lists(ENTRY | ANY, max_size=4) | ANY)
def test_any_tree(value: object) -> None:
    found = parsed(lambda: parse_tree("a/b", read(value)))
    if isinstance(found, dict):
        assert all(0 <= file.size_bytes <= MAX_BYTES for file in found.values())


@given(
    st.text(max_size=200) | st.text(max_size=50).map(lambda text: f'<http://h/api?cursor={text}>; rel="next"')
)
def test_any_link(link: str) -> None:
    found = next_cursor(link, "http://h/api")
    assert found is None or (found.isprintable() and 0 < len(found) <= 4096)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "1" * 1_000_000, '"\\ud800"', "\ufeff[]"])
def test_a_document_of_any_depth_or_length_of_number_is_read_in_time(text: str) -> None:
    parsed(lambda: parse_detail("a/b", read_json(text)))
