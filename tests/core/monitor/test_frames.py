"""The stream from the shell: torn, garbled, endless."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import RKDeckError
from core.monitor.frames import MAX_FRAME_BYTES, FrameReader

_STREAM = (
    b"motd: welcome\r\n@I\n./proc/device-tree/model:\nBoard\n\n@U 0\n@J\n"
    b"@T 1\n/proc/uptime:1.0 2.0\n/proc/stat:cpu0 1 2 3 4\n/proc/stat:cpu1 1 2 3 4\n@E 1\n"
    b"@T 2\n/proc/uptime:2.0 3.0\n@E 2\n"
)


def _numbers(chunks: list[bytes]) -> list[int | None]:
    reader = FrameReader()
    return [frame.number for chunk in chunks for frame in reader.feed(chunk)]


@given(st.lists(st.integers(0, len(_STREAM)), max_size=20))
def test_any_cut_of_the_stream_gives_the_same_frames(cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(_STREAM)]
    assert _numbers([_STREAM[a:b] for a, b in itertools.pairwise(ends)]) == [None, 1, 2]


def test_a_torn_frame_is_dropped_and_the_next_one_counts() -> None:
    torn = b"@T 1\n/proc/uptime:1.0\n@T 2\n/proc/uptime:2.0\n@E 1\n@E 2\n@T 3\n/proc/uptime:3.0\n@E 3\n"
    assert _numbers([torn]) == [3]


@given(st.binary(max_size=2000))
def test_garbage_never_breaks_the_reader(data: bytes) -> None:
    reader = FrameReader()
    list(reader.feed(data))
    found = list(reader.feed(b"\n@T 7\n/proc/uptime:1.0\n@E 7\n"))
    assert [frame.number for frame in found][-1] == 7


def test_escape_codes_and_control_characters_go() -> None:
    frames = list(FrameReader().feed(b"@T 1\n/a:\x1b[31mred\x1b[0m\x07 \x1b]0;title\x07x\r\n@E 1\n"))
    assert frames[0].files()["/a"] == ("red x",)


@pytest.mark.parametrize("line", [b"x" * 4096 + b"\n", b"x" * 65536, b"/proc/stat:1\n"])
def test_endless_output_is_refused_after_a_bounded_amount(line: bytes) -> None:
    reader = FrameReader()
    sent = 0
    with pytest.raises(RKDeckError, match=r"monitor\.flood"):
        for _ in range(10_000_000):
            sent += len(line)
            list(reader.feed(b"@T 1\n" if sent == len(line) else line))
    assert sent <= 3 * MAX_FRAME_BYTES


def test_a_long_line_is_dropped_alone() -> None:
    stream = b"@T 1\n/a:" + b"x" * 100_000 + b"\n/b:1\n@E 1\n"
    (frame,) = list(FrameReader().feed(stream))
    assert frame.files() == {"/b": ("1",)}


def test_paths_lose_the_prefix_and_the_watched_file_may_hold_colons() -> None:
    lines = b"@T 1\n./proc/uptime:1.0\n/srv/a:b/run state.json:{}\nFilesystem 1024-blocks\n@E 1\n"
    (frame,) = list(FrameReader().feed(lines))
    files = frame.files(".", "/srv/a:b/run state.json")
    assert files == {"/proc/uptime": ("1.0",), "/srv/a:b/run state.json": ("{}",)}
