"""Whatever a program on a board prints, in whatever pieces: its lines within their bounds, or a typed error."""

import itertools
import time
from collections.abc import Iterator

from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.remote.exchange import TooMuchError, TooSlowError
from core.remote.lines import MAX_LINE_BYTES, MAX_SKIPPED_BYTES, BoundedLines

MARK = "rkdeck-1"
PIECES = st.lists(
    st.sampled_from([
        b"\n", b"\r\n", b"@", b"@ok 1\n", b"@have 1 - - 7\n", MARK.encode(), MARK.encode() + b"\n", b"\xff\n", b"\0",
        b"y" * (MAX_LINE_BYTES - 1), b"y" * (MAX_LINE_BYTES + 1), b"\n" * 5000, b"z" * (MAX_SKIPPED_BYTES // 2),
    ])
    | st.binary(min_size=1, max_size=20),
    max_size=12,
)  # fmt: skip
FOR_EVER = (b"", b"y" * 500, b"y" * 50 + b"\n", b"y" * 70_000)


def printed(pieces: list[bytes], again: bytes) -> Iterator[bytes]:
    return itertools.chain((piece for piece in pieces if piece), itertools.repeat(again))


@settings(max_examples=60)
@given(pieces=PIECES, again=st.sampled_from(FOR_EVER), mark=st.sampled_from(["", MARK]))
@example(pieces=[b"x" * 200_000, b"\n", MARK.encode(), b"\n@ok"], again=b"", mark=MARK)
def test_any_output_is_lines_or_a_typed_error(pieces: list[bytes], again: bytes, mark: str) -> None:
    whole, told, taken = b"".join(pieces), printed(pieces, again), 0

    def receive(timeout_s: float) -> bytes:
        nonlocal taken
        assert timeout_s > 0
        piece = next(told)
        taken += len(piece)
        return piece

    lines, found, over = BoundedLines(receive, mark), list[bytes](), False
    while not over and len(found) < 50:
        before = taken
        try:
            line = lines.find(b"@", time.monotonic() + 60)
        except TooMuchError:
            break
        over = line is None
        found += [] if line is None else [line]
        assert taken - before <= MAX_SKIPPED_BYTES + MAX_LINE_BYTES + 2 * max(70_000, *map(len, pieces), 0)
    begin = whole if not mark else whole.partition(f"{MARK}\n".encode())[2]
    wanted = [line for line in begin.split(b"\n")[:-1] if line.startswith(b"@")]
    assert found == wanted[: len(found)]
    assert all(len(line) <= MAX_LINE_BYTES for line in found)
    assert not over or found == wanted
    assert len(lines.said_before) <= MAX_LINE_BYTES


@settings(max_examples=30)
@given(pieces=PIECES)
def test_after_the_deadline_nothing_is_an_answer(pieces: list[bytes]) -> None:
    told = printed(pieces, b"y\n")
    try:
        BoundedLines(lambda _: next(told)).find(b"@", time.monotonic() - 1)
    except TooSlowError:
        return
    raise AssertionError("a line after the deadline")
