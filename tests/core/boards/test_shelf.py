"""Runtime libraries on this computer: which release matches, how it comes, and what is never kept."""

import contextlib
import gzip
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from core.base.errors import CancelledError, RKDeckError
from core.base.tasks import CancelToken
from core.boards.doctor.library_file import MAX_BYTES, git_blob, read_library
from core.boards.doctor.shelf import LibraryShelf, arch_of, matching_release
from core.vendor.releases import RuntimeRelease, release_of_blob, runtime_releases
from tests.support.libraries import library_bytes
from tests.support.odd_hub import OddHub, reply

CONTENT = library_bytes("1.3.0")


@pytest.fixture
def vendor() -> Iterator[OddHub]:
    with OddHub() as running:
        running.answer = reply(200, CONTENT)
        yield running


@pytest.fixture
def release(vendor: OddHub) -> RuntimeRelease:
    """A release whose bytes are ours, published on loopback."""
    known = runtime_releases("aarch64")[0]
    return replace(known, blob=git_blob(CONTENT), url=f"{vendor.url}/{known.version}/librkllmrt.so")


@pytest.fixture
def shelf(tmp_path: Path) -> LibraryShelf:
    return LibraryShelf(tmp_path / "runtimes")


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_table() -> None:
    known = runtime_releases("aarch64")
    assert [release.released for release in known] == sorted((r.released for r in known), reverse=True)
    assert len({release.blob for release in known}) == len(known) >= 12
    assert all(release_of_blob(release.blob) == release.version for release in known)
    by_version = {release.version: release for release in known}
    start = "https://raw.githubusercontent.com/airockchip/rknn-llm/release-v"
    assert by_version["1.3.0"].url == (f"{start}1.3.0/rkllm-runtime/Linux/librkllm_api/aarch64/librkllmrt.so")
    assert by_version["1.1.3"].url.startswith(f"{start}1.1.3/rkllm-runtime/runtime/Linux/")
    assert {release.version for release in runtime_releases("armhf")} < set(by_version)
    assert runtime_releases("riscv64") == ()


@pytest.mark.parametrize(
    ("toolkit", "expected"),
    [
        ("1.2.3", "1.2.3"),
        ("1.2.1", "1.2.1"),
        ("1.2.1b1", "1.2.1b1"),
        ("1.1.9", "1.2.0"),
        (None, "1.3.0"),
        ("1.3.1", None),
    ],
)  # fmt: skip
def test_what_matches(toolkit: str | None, expected: str | None) -> None:
    found = matching_release("aarch64", toolkit)
    assert (found.version if found else None) == expected


def test_processors() -> None:
    assert [arch_of(machine) for machine in ("aarch64", "armv7l", "x86_64", None)] == [
        "aarch64",
        "armhf",
        None,
        None,
    ]


def test_fetched_once(shelf: LibraryShelf, release: RuntimeRelease, vendor: OddHub, tmp_path: Path) -> None:
    heard: list[tuple[int, int | None]] = []
    assert shelf.find(release) is None
    library = shelf.fetch(release, on_progress=lambda done, total: heard.append((done, total)))
    assert library.path == tmp_path / "runtimes" / release.version / "aarch64" / "librkllmrt.so"
    assert library.path.read_bytes() == CONTENT
    assert heard[-1] == (len(CONTENT), len(CONTENT))
    assert shelf.find(release) == library
    library.path.write_bytes(CONTENT + b"x")
    assert shelf.find(release) is None, "a file that was changed is none of the vendor's"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (reply(200, CONTENT[:-1]), "doctor.library_other_bytes"),
        (reply(200, b"<html>sign in</html>"), "doctor.library_other_bytes"),
        (reply(404, b"no"), "doctor.library_not_fetched"),
        (reply(302, b"", Location="ftp://x/y"), "doctor.library_not_fetched"),
        (reply(302, b"", Location="/again"), "doctor.library_not_fetched"),
        (reply(200, b"short", Content_Length="99999"), "doctor.library_not_fetched"),
        (reply(200, bytes(MAX_BYTES + 1)), "doctor.library_not_fetched"),
    ],
    ids=["cut", "a proxy's page", "404", "elsewhere", "a loop", "broken off", "endless"],
)
def test_nothing_else_is_kept(
    answer: object, code: str, shelf: LibraryShelf, release: RuntimeRelease, vendor: OddHub, tmp_path: Path
) -> None:
    vendor.answer = answer  # type: ignore[assignment]
    with pytest.raises(RKDeckError) as caught:
        shelf.fetch(release)
    assert caught.value.code == code
    assert files(tmp_path) == []


def test_nobody_there(shelf: LibraryShelf, release: RuntimeRelease, tmp_path: Path) -> None:
    with pytest.raises(RKDeckError) as caught:
        shelf.fetch(replace(release, url="http://127.0.0.1:9/x"))
    assert caught.value.code == "doctor.library_not_fetched"
    assert files(tmp_path) == []


def test_called_off(shelf: LibraryShelf, release: RuntimeRelease, vendor: OddHub, tmp_path: Path) -> None:
    token = CancelToken()
    with pytest.raises(CancelledError):
        shelf.fetch(release, cancel=token, on_progress=lambda _done, _total: token.cancel())
    assert files(tmp_path) == []


def test_a_chosen_file_is_kept(shelf: LibraryShelf, tmp_path: Path) -> None:
    chosen = tmp_path / "download.so"
    chosen.write_bytes(library_bytes("1.3.1", machine=40))
    kept = shelf.keep(read_library(chosen))
    assert kept.path.parent.name == "armhf"
    assert kept.path.read_bytes() == chosen.read_bytes()


def test_a_place_that_cannot_be_written(release: RuntimeRelease, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RKDeckError) as caught:
        LibraryShelf(tmp_path / "file").fetch(release)
    assert caught.value.code == "doctor.library_not_kept"


def drip(handler: BaseHTTPRequestHandler, first: bytes, again: bytes) -> None:
    with contextlib.suppress(OSError):
        handler.wfile.write(first)
        while True:
            handler.wfile.write(again)
            time.sleep(0.05)


@pytest.mark.parametrize(
    ("first", "again"),
    [(b"HTTP/1.1 200 OK\r\n\r\n", b"x"), (b"", b"H")],
    ids=["a slow body", "slow headers"],
)
def test_a_server_that_never_comes_to_an_end_is_left(
    shelf: LibraryShelf, release: RuntimeRelease, vendor: OddHub, monkeypatch: pytest.MonkeyPatch,
    first: bytes, again: bytes,
) -> None:  # fmt: skip
    monkeypatch.setattr("core.boards.doctor.shelf._WHOLE_S", 1.0)
    vendor.answer = lambda handler: drip(handler, first, again)
    with pytest.raises(RKDeckError) as caught:
        shelf.fetch(release)
    assert caught.value.code == "doctor.library_not_fetched"


def test_a_packed_answer_is_not_unpacked(
    shelf: LibraryShelf, release: RuntimeRelease, vendor: OddHub
) -> None:
    vendor.answer = reply(200, gzip.compress(CONTENT), Content_Encoding="gzip")
    with pytest.raises(RKDeckError) as caught:
        shelf.fetch(release)
    assert caught.value.code == "doctor.library_other_bytes"
    assert [headers["accept-encoding"] for _, headers in vendor.asked] == ["identity"]
