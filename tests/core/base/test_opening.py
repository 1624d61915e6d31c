"""What has a file's name and is none is never waited for, at no place that reads a file."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.base import atomic
from core.base.digest import sha256_of
from core.base.errors import RKDeckError
from core.base.opening import NotRegularError, open_regular, read_regular, remove_any
from core.base.paths import AppPaths
from core.base.settings_file import load_settings
from core.base.trouble import system_said
from core.lab.perplexity.checkpoint import load_checkpoint
from core.model.inspect import inspect_file

# None of these may hold a test: pytest-timeout ends a read of a pipe.
pytestmark = pytest.mark.timeout(20)


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket has 107 bytes at most
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def make_device_link(path: Path) -> None:
    path.symlink_to("/dev/zero")


MAKERS: dict[str, Callable[[Path], None]] = {
    "pipe": make_pipe, "folder": Path.mkdir, "socket": make_socket, "device": make_device_link
}  # fmt: skip


@pytest.mark.parametrize("found", MAKERS)
def test_what_is_no_file_is_named_and_not_read(tmp_path: Path, found: str) -> None:
    path = tmp_path / "name"
    MAKERS[found](path)
    for read in (open_regular, sha256_of, atomic.read_json, lambda path: read_regular(path, 10)):
        with pytest.raises(NotRegularError) as caught:
            read(path)
        assert caught.value.found == found
    with pytest.raises(RKDeckError) as told:
        inspect_file(path)
    assert told.value.code == "convert.unreadable"
    with pytest.raises(RKDeckError) as told:
        load_settings(path)
    assert told.value.code.startswith("base.")
    remove_any(path)
    assert not os.path.lexists(path)
    assert Path("/dev/zero").exists()


def test_a_link_to_a_file_is_followed_unless_it_must_not_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    link = tmp_path / "link"
    link.symlink_to("file")
    assert read_regular(link, 100) == b"content"
    with pytest.raises(NotRegularError) as caught:
        open_regular(link, follow=False)
    assert caught.value.found == "link"
    remove_any(link)
    assert (tmp_path / "file").exists()


def test_the_null_device_is_an_empty_file_where_people_name_it() -> None:
    assert read_regular(Path(os.devnull), 10) == b""
    with pytest.raises(NotRegularError):
        open_regular(Path(os.devnull), follow=False)


def test_a_larger_file_than_asked_for_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_regular(path, 5) == b"12345"
    with pytest.raises(OSError, match="too large"):
        read_regular(path, 4)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "model.safetensors"])
def test_a_model_with_a_pipe_in_it_is_refused(tmp_path: Path, name: str) -> None:
    for other in ("config.json", "tokenizer_config.json"):
        (tmp_path / other).write_text(json.dumps({}))
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(RKDeckError):
        load_checkpoint(tmp_path)


def test_sweeping_removes_what_a_killed_writer_left_and_nothing_of_a_living_one(tmp_path: Path) -> None:
    program = """
import os, sys
from pathlib import Path
from core.base import atomic
with atomic._aside(Path(sys.argv[1])) as (file, temporary):
    print(temporary.name, flush=True)
    sys.stdin.readline()
    os.kill(os.getpid(), 9)
"""
    (tmp_path / ".rkdeck-mine.txt").touch()
    os.mkfifo(tmp_path / ".rkdeck-pipe.new")
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=Path(__file__).parents[3], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as writer:  # fmt: skip
        assert writer.stdout is not None
        assert writer.stdin is not None
        name = writer.stdout.readline().strip()
        atomic.sweep(tmp_path)
        assert (tmp_path / name).exists()
        writer.stdin.write("\n")
        writer.stdin.close()
        writer.wait()
    assert (tmp_path / name).exists()
    atomic.sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".rkdeck-mine.txt", ".rkdeck-pipe.new"]


def test_a_home_is_tried_out_beside_what_lies_in_it(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("keep")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".writable").symlink_to(kept)
    AppPaths(home).ensure()
    assert kept.read_text() == "keep"
    (home / ".writable").unlink()
    make_pipe(home / ".writable")
    AppPaths(home).ensure()
    assert [path.name for path in home.iterdir() if path.name.startswith(".")] == [".writable"]


def test_what_is_no_file_is_no_fault_of_ours_wherever_it_is_met(tmp_path: Path) -> None:
    make_pipe(tmp_path / "pipe")
    with pytest.raises(NotRegularError) as caught:
        read_regular(tmp_path / "pipe", 10)
    told = system_said(caught.value)
    assert told is not None
    assert (told.code, told.facts["file"]) == ("base.place_unusable", str(tmp_path / "pipe"))


def test_a_key_of_a_thousand_parts_is_no_setting(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(".".join("a" * 20_000) + " = 1")
    with pytest.raises(RKDeckError) as caught:
        load_settings(tmp_path / "settings.toml")
    assert caught.value.code == "base.settings_unreadable"
