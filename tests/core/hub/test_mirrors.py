"""Mirrors that leave sizes out of a repository's document: they are read from its tree, else asked for one by one."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

import pytest

from core.base.errors import RKDeckError
from core.hub.huggingface.client import HubClient
from core.hub.records import RepoFile
from tests.support.odd_hub import OddHub, document, reply

COMMIT, BLOB, SHA256 = "c" * 40, "b" * 40, "a" * 64
NAMES = ["config.json", "sub/model.safetensors"]
TREE: list[dict[str, Any]] = [
    {"type": "directory", "oid": BLOB, "size": 0, "path": "sub"},
    {"type": "file", "oid": BLOB, "size": 12, "path": NAMES[0]},
    {"type": "file", "oid": BLOB, "size": 3456, "path": NAMES[1], "lfs": {"oid": SHA256, "size": 3456}},
]


@pytest.fixture
def odd() -> Iterator[OddHub]:
    with OddHub() as odd:
        yield odd


def mirror(odd: OddHub, tree: dict[str, Any], sizes: dict[str, int], **size: None) -> None:
    """Serve the details without sizes, pages of the tree by their cursor, and the sizes of files."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        if "/tree/" in parts.path:
            page = parts.query.partition("cursor=")[2]
            link = {"Link": f'<{odd.url}{parts.path}?cursor=two>; rel="next"'} if page + "." in tree else {}
            if page in tree:
                reply(200, json.dumps(tree[page]).encode(), **link)(handler)
            else:
                reply(404, b"")(handler)
        elif "/resolve/" in parts.path:
            name = parts.path.partition(f"/resolve/{COMMIT}/")[2]
            told = {"Content_Length": str(sizes[name])} if name in sizes else {}
            reply(200 if name in sizes else 404, b"", **told)(handler)
        else:
            siblings = [{"rfilename": name, **size} for name in NAMES]
            document({"id": "a/b", "sha": COMMIT, "siblings": siblings})(handler)

    odd.answer = answer


@pytest.mark.parametrize("size", [{}, {"size": None}])
def test_sizes_are_read_from_the_tree(odd: OddHub, size: dict[str, None]) -> None:
    mirror(odd, {"": TREE}, {}, **size)
    assert HubClient(odd.url, None).details("a/b").files == (
        RepoFile(NAMES[0], 12, BLOB, None),
        RepoFile(NAMES[1], 3456, BLOB, SHA256),
    )


def test_a_tree_of_several_pages_is_read_to_its_end(odd: OddHub) -> None:
    mirror(odd, {"": TREE[:2], ".": None, "two": TREE[2:]}, {})
    assert [file.size_bytes for file in HubClient(odd.url, None).details("a/b").files] == [12, 3456]


def test_sizes_are_asked_for_where_there_is_no_tree(odd: OddHub) -> None:
    mirror(odd, {}, {NAMES[0]: 12, NAMES[1]: 3456})
    files = HubClient(odd.url, None).details("a/b").files
    assert [(file.size_bytes, file.sha256) for file in files] == [(12, None), (3456, None)]


def test_a_size_that_nobody_tells_is_named(odd: OddHub) -> None:
    mirror(odd, {"": []}, {NAMES[0]: 12})
    with pytest.raises(RKDeckError) as caught:
        HubClient(odd.url, None).details("a/b")
    assert caught.value.code in {"hub.strange_answer", "hub.http_status"}


def test_the_usual_hub_is_asked_once(odd: OddHub) -> None:
    siblings = [{"rfilename": "x", "size": 1}]
    odd.answer = document({"id": "a/b", "sha": COMMIT, "siblings": siblings})
    HubClient(odd.url, None).details("a/b")
    assert len(odd.asked) == 1
