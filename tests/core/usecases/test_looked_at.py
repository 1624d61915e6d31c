"""A file is looked at before it is dropped: what it is, what the library knows of it, what cannot be sent."""

import os
import shutil
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.errors import RKDeckError
from core.services import Services
from core.usecases import deployment as use
from core.usecases.library import add_path
from core.words import word
from tests.core.deploy.models import real_file
from tests.core.usecases.test_deployment import BOARD, GIB, services
from tests.support.needs import need_of_bytes
from tests.support.tiny_model import write_tiny_model

__all__ = ["services"]


def test_a_model_is_looked_at_by_its_ends_only(services: Services, tmp_path: Path) -> None:
    path = real_file(tmp_path / "Qwen_w8a8_rk3588.rkllm")
    footer = path.read_bytes()[-28:]
    with path.open("r+b") as file:
        # 200 GiB of nothing: whoever reads all of it does not come back.
        file.seek(200 * GIB)
        file.write(footer)
    began = time.perf_counter()
    found = use.inspect_for_drop(services, path)
    assert time.perf_counter() - began < 20
    assert found.size_bytes == 200 * GIB + 28
    assert (found.title, found.need, found.sha256) == ("Qwen_w8a8_rk3588", None, None)
    assert (found.inspection.kind, found.inspection.platform, found.inspection.dtype) == (
        "rkllm", "rk3588", "w8a8",
    )  # fmt: skip


def test_the_library_knows_more_about_its_own(services: Services, tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "tiny.rkllm")
    item = add_path(services, path)
    services.library.register(
        kind="rkllm", title="Tiny one", path=path, files=item.files, provenance={"ram_bytes": 12345}
    )
    found = use.inspect_for_drop(services, path)
    need = replace(need_of_bytes(12345), context=None)
    assert (found.title, found.need, found.sha256) == ("Tiny one", need, item.files[0].sha256)
    with path.open("ab") as file:
        file.write(b"another file by now")
    other = use.inspect_for_drop(services, path)
    assert (other.title, other.need, other.sha256) == ("tiny", None, None)


def test_the_library_knows_its_own_by_whatever_way_leads_to_it(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    path = write_tiny_model(tmp_path / "models" / "tiny.rkllm")
    gone = write_tiny_model(tmp_path / "models" / "gone.rkllm")
    item = add_path(services, path)
    add_path(services, gone)
    gone.unlink()
    (tmp_path / "link.rkllm").symlink_to(path)
    (tmp_path / "elsewhere").symlink_to(tmp_path / "models")
    (tmp_path / "second.rkllm").hardlink_to(path)
    monkeypatch.chdir(tmp_path / "models")
    for way in (
        tmp_path / "link.rkllm",
        tmp_path / "elsewhere" / "tiny.rkllm",
        tmp_path / "second.rkllm",
        Path("../models/tiny.rkllm"),
        Path("tiny.rkllm"),
    ):
        assert use.inspect_for_drop(services, way).sha256 == item.files[0].sha256, way
    copy = shutil.copy(path, tmp_path / "copy.rkllm")
    assert use.inspect_for_drop(services, Path(copy)).sha256 is None


def test_another_file_of_the_same_size_is_not_the_librarys(services: Services, tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "tiny.rkllm")
    item = add_path(services, path)
    assert use.inspect_for_drop(services, path).sha256 == item.files[0].sha256
    later = (item.created_unix_s or 0) + 60
    os.utime(path, (later, later))  # as whoever wrote another one there left it
    assert use.inspect_for_drop(services, path).sha256 is None


@pytest.mark.parametrize("value", [True, "12345", 0, -1, 1.5, None])
def test_a_need_that_is_no_number_of_bytes_is_unknown(
    services: Services, tmp_path: Path, value: bool | str | float | None
) -> None:
    path = write_tiny_model(tmp_path / "tiny.rkllm")
    item = add_path(services, path)
    services.library.register(
        kind="rkllm", title="x", path=path, files=item.files, provenance={"ram_bytes": value}
    )
    assert use.inspect_for_drop(services, path).need is None


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.gguf", b"GGUF" + b"\0" * 100, "gguf"),
        ("page.rkllm", b"<!DOCTYPE html><html>", "html"),
        ("pointer.rkllm", b"version https://git-lfs.github.com/spec/v1\n", "lfs-pointer"),
        ("empty.rkllm", b"", "empty"),
        ("notes.txt", b"buy milk", "unknown"),
    ],
)
def test_what_is_no_model_says_what_it_is(
    services: Services, tmp_path: Path, name: str, content: bytes, kind: str
) -> None:
    (tmp_path / name).write_bytes(content)
    found = use.inspect_for_drop(services, tmp_path / name)
    assert found.inspection.kind == kind
    assert use.judge_drop(found, BOARD).verdict == "failed"


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _linked_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))


def _loop(path: Path) -> None:
    path.symlink_to(path.with_name("b"))
    path.with_name("b").symlink_to(path)


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def _nothing(path: Path) -> None:
    assert not path.exists()


@pytest.mark.timeout(20)  # a look at a pipe would wait for ever
@pytest.mark.parametrize(
    ("make", "code"),
    [
        (_folder, "deploy.not_a_file"),
        (_pipe, "deploy.not_a_file"),
        (_linked_pipe, "deploy.not_a_file"),
        (_socket, "deploy.not_a_file"),
        (_loop, "convert.unreadable"),
        (_dangling, "convert.unreadable"),
        (_nothing, "convert.unreadable"),
    ],
)
def test_what_cannot_be_sent_is_refused_at_once(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: object, code: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.rkllm"
    assert callable(make)
    make(path)
    with pytest.raises(RKDeckError) as refused:
        use.inspect_for_drop(services, path)
    assert refused.value.code == code
    assert "model.rkllm" in word(refused.value)[0]


@pytest.mark.parametrize("name", ["a\0b.rkllm", "x" * 300 + ".rkllm", "/dev/null", "/dev/zero"])
@pytest.mark.timeout(20)
def test_odd_names_and_devices_are_refused(services: Services, tmp_path: Path, name: str) -> None:
    with pytest.raises(RKDeckError, match=r"convert\.unreadable|deploy\.not_a_file"):
        use.inspect_for_drop(services, tmp_path / name)


def test_a_name_that_is_no_text_is_no_trap(services: Services, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(str(tmp_path / "odd")) + b"\xff\x1b[2J.rkllm"))
    shutil.copy(write_tiny_model(tmp_path / "tiny.rkllm"), path)
    found = use.inspect_for_drop(services, path)
    assert found.inspection.is_model
    verdict = use.judge_drop(found, BOARD)
    assert verdict.refusals
    assert all(word(refusal.error)[0].isprintable() for refusal in verdict.refusals)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_refused(services: Services, tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "tiny.rkllm")
    path.chmod(0)
    with pytest.raises(RKDeckError, match=r"convert\.unreadable"):
        use.inspect_for_drop(services, path)


# Sending and taking back
