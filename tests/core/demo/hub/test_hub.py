"""The demo hub's protocol, spoken to by plain HTTP: what huggingface_hub and our own client rely on."""

import hashlib
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from core.demo.hub.repos import HubRepo
from core.demo.hub.server import DemoHub
from tests.support.hub_fixtures import small_repo
from tests.support.waiting import wait_until

REPO = "someone/tiny"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_repo(tmp_path_factory.mktemp("hub") / "tiny")


@pytest.fixture
def hub(folder: Path) -> Iterator[DemoHub]:
    with DemoHub({REPO: folder, "someone/locked": folder}, gated=frozenset({"someone/locked"})) as hub:
        yield hub


def ask(
    url: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """One request without following anything: status, headers in lower case, body."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request(
            method, parts.path + (f"?{parts.query}" if parts.query else ""), body, headers=headers
        )
        response = connection.getresponse()
        return response.status, {key.lower(): value for key, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def ask_json(url: str, method: str = "GET", body: bytes | None = None) -> Any:  # noqa: ANN401  # any JSON
    status, _, data = ask(url, method, body)
    assert status == 200
    return json.loads(data)


def test_info_tells_siblings_with_sizes_and_lfs_digests_only_when_asked(hub: DemoHub, folder: Path) -> None:
    plain = ask_json(f"{hub.url}/api/models/{REPO}")
    assert all(set(entry) == {"rfilename"} for entry in plain["siblings"])
    full = ask_json(f"{hub.url}/api/models/{REPO}/revision/{plain['sha']}?blobs=true")
    entries = {entry["rfilename"]: entry for entry in full["siblings"]}
    weights = (folder / "model.safetensors").read_bytes()
    assert entries["model.safetensors"]["lfs"]["sha256"] == hashlib.sha256(weights).hexdigest()
    assert entries["model.safetensors"]["size"] == len(weights)
    assert "lfs" not in entries["config.json"]
    config = (folder / "config.json").read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(config) + config, usedforsecurity=False).hexdigest()
    assert entries["config.json"]["blobId"] == blob
    assert "rkdeck-demo" in full["tags"]


def test_commit_follows_the_content(folder: Path, tmp_path: Path) -> None:
    copy = small_repo(tmp_path / "copy")
    first, second = HubRepo(REPO, folder), HubRepo(REPO, copy)
    assert first.commit(first.files()) == second.commit(second.files())
    (copy / "config.json").write_text("{}")
    assert first.commit(first.files()) != second.commit(second.files())


def test_tree_and_paths_info_agree(hub: DemoHub) -> None:
    tree = ask_json(f"{hub.url}/api/models/{REPO}/tree/main?recursive=True")
    asked = json.dumps({"paths": [entry["path"] for entry in tree]}).encode()
    assert ask_json(f"{hub.url}/api/models/{REPO}/paths-info/main", "POST", asked) == tree


def test_large_files_go_to_the_cdn_with_their_digest_in_the_headers(hub: DemoHub, folder: Path) -> None:
    url = f"{hub.url}/{REPO}/resolve/main/model.safetensors"
    data = (folder / "model.safetensors").read_bytes()
    for method in ("HEAD", "GET"):
        status, headers, body = ask(url, method)
        assert (status, body) == (302, b"")
        assert headers["x-linked-etag"] == f'"{hashlib.sha256(data).hexdigest()}"'
        assert headers["x-linked-size"] == str(len(data))
        assert headers["x-repo-commit"] == ask_json(f"{hub.url}/api/models/{REPO}")["sha"]
        assert urlsplit(headers["location"]).port != urlsplit(hub.url).port
        assert ask(headers["location"])[2] == data


def test_small_files_come_directly(hub: DemoHub, folder: Path) -> None:
    status, headers, body = ask(f"{hub.url}/{REPO}/resolve/main/config.json", "HEAD")
    assert (status, body) == (200, b"")
    assert headers["content-length"] == str((folder / "config.json").stat().st_size)
    assert headers["etag"]


@pytest.mark.parametrize(
    ("asked", "status", "start", "end"),
    [
        ("bytes=0-9", 206, 0, 10),
        ("bytes=10-", 206, 10, None),
        ("bytes=-7", 206, -7, None),
        ("bytes=5-99999999", 206, 5, None),
    ],
)
def test_ranges(hub: DemoHub, folder: Path, asked: str, status: int, start: int, end: int | None) -> None:
    data = (folder / "config.json").read_bytes()
    found, headers, body = ask(f"{hub.url}/{REPO}/resolve/main/config.json", Range=asked)
    assert (found, body) == (status, data[start:end])
    first = len(data) + start if start < 0 else start
    assert headers["content-range"] == f"bytes {first}-{first + len(body) - 1}/{len(data)}"


def test_a_range_beyond_the_end_is_refused_with_the_size(hub: DemoHub, folder: Path) -> None:
    size_bytes = (folder / "config.json").stat().st_size
    status, headers, body = ask(f"{hub.url}/{REPO}/resolve/main/config.json", Range=f"bytes={size_bytes}-")
    assert (status, body, headers["content-range"]) == (416, b"", f"bytes */{size_bytes}")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/models/someone/else", "RepoNotFound"),
        (f"/api/models/{REPO}/revision/other", "RevisionNotFound"),
        (f"/{REPO}/resolve/main/absent", "EntryNotFound"),
        (f"/{REPO}/resolve/main/..%2f..%2fetc%2fpasswd", "EntryNotFound"),
        (f"/{REPO}/resolve/main/.hidden", "EntryNotFound"),
        ("/api/whoami-v2", "RepoNotFound"),
        ("/", "RepoNotFound"),
    ],
)
def test_what_it_does_not_have_is_404_at_once(hub: DemoHub, path: str, code: str) -> None:
    status, headers, _ = ask(hub.url + path)
    assert (status, headers["x-error-code"]) == (404, code)


def test_gated_files_need_a_token_and_the_log_tells_who_brought_one(hub: DemoHub) -> None:
    url = f"{hub.url}/someone/locked/resolve/main/config.json"
    status, headers, _ = ask(url)
    assert (status, headers["x-error-code"]) == (401, "GatedRepo")
    wait_until(lambda: len(hub.requests) == 1)  # it is logged after the answer left, by a thread of its own
    assert ask(url, Authorization="Bearer hf_x")[0] == 200
    wait_until(lambda: len(hub.requests) == 2)
    assert [request["had_auth"] for request in ask_json(f"{hub.url}/__requests__")] == [False, True]


def test_planned_faults_spoil_so_many_answers_and_the_log_counts_what_went_out(
    hub: DemoHub, folder: Path
) -> None:
    url = f"{hub.url}/{REPO}/resolve/main/config.json"
    data = (folder / "config.json").read_bytes()
    planned = {
        "cut": [{"path": "config.json", "after_bytes": 10}],
        "http_503": [{"path": "config.json"}],
        "corrupt": [{"path": "config.json"}],
    }
    assert ask_json(f"{hub.url}/__faults__", "POST", json.dumps(planned).encode()) == {"ok": True}
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(url)
    assert caught.value.partial == data[:10]
    assert ask(url)[0] == 503
    status, _, body = ask(url)
    assert status == 200
    assert [index for index in range(len(data)) if data[index] != body[index]] == [0]
    assert ask(url)[2] == data
    wait_until(lambda: hub.bytes_sent("config.json") == 10 + 2 * len(data))


def test_a_killed_hub_answers_nobody_until_it_is_revived(hub: DemoHub) -> None:
    url = f"{hub.url}/{REPO}/resolve/main/config.json"
    planned = {"kill": [{"path": "config.json", "after_bytes": 1}]}
    ask_json(f"{hub.url}/__faults__", "POST", json.dumps(planned).encode())
    with pytest.raises(http.client.IncompleteRead):
        ask(url)
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        ask(url)
    hub.faults.dead.clear()
    assert ask(url)[0] == 200


def test_the_program_tells_its_address_and_ends_with_its_standard_input(folder: Path) -> None:
    command = [sys.executable, "-m", "core.demo.hub.server", "--model", f"{REPO}={folder}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        url = json.loads(program.stdout.readline())["url"]
        assert [entry["id"] for entry in ask_json(f"{url}/api/models?search=tiny")] == [REPO]
        program.stdin.close()
        assert program.wait(10) == 0
    with pytest.raises(ConnectionRefusedError):
        ask(url)
