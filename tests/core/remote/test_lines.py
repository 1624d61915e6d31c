"""What a board prints for ever is bounded in time and size, however it comes."""

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.base.errors import RKDeckError
from core.remote.exchange import TooMuchError, TooSlowError
from core.remote.hostkeys import HostKeys
from core.remote.lines import MAX_SKIPPED_BYTES, BoundedLines
from core.transfer.upload import upload
from tests.support.sshd import openssh_running

SHA256 = "0" * 64


def source(*pieces: bytes, again: bytes = b"") -> Callable[[float], bytes]:
    """Gives out the pieces, then `again` for ever (empty: the end)."""
    stream: Iterator[bytes] = itertools.chain(pieces, itertools.repeat(again))
    return lambda _: next(stream)


def soon() -> float:
    return time.monotonic() + 60


def test_chatter_before_the_mark_is_nobody_s_answer() -> None:
    lines = BoundedLines(source(b"@welcome\n@have 1", b"\n\nrkdeck-1\nx\n@ok 2\n"), "rkdeck-1")
    assert lines.find(b"@", soon()) == b"@ok 2"
    assert lines.has_begun


def test_mark_within_a_line_is_no_mark() -> None:
    lines = BoundedLines(source(b"sh -c '...' rkdeck-1\n@no\n"), "rkdeck-1")
    assert lines.find(b"@", soon()) is None
    assert not lines.has_begun
    assert lines.said_before == b"sh -c '...' rkdeck-1\n@no\n"


@pytest.mark.parametrize("piece", [b"y\n", b"y" * 1000, b"\0" * 999, b"\xff\xfe\n", b"\n" * 5000])
@pytest.mark.parametrize("mark", ["", "rkdeck-1"])
def test_endless_output_is_too_much(piece: bytes, mark: str) -> None:
    taken = 0
    receive = source(again=piece)

    def count(timeout_s: float) -> bytes:
        nonlocal taken
        taken += len(piece)
        return receive(timeout_s)

    with pytest.raises(TooMuchError):
        BoundedLines(count, mark).find(b"@", soon())
    assert taken <= MAX_SKIPPED_BYTES + 2 * len(piece) + 1


def test_drops_without_end_do_not_push_the_deadline_away() -> None:
    """One byte now and then: each wait is short, the whole is not."""

    def drip(_: float) -> bytes:
        time.sleep(0.01)
        return b"y\n"

    with pytest.raises(TooSlowError):
        BoundedLines(drip, "rkdeck-1").find(b"@", time.monotonic() + 0.2)


ENDLESS = {
    "lines": "while :; do echo yyyyyyyy; done",
    "no newline": "while :; do printf yyyyyyyyyyyyyyyy; done",
    "zeros": "exec cat /dev/zero",
    "noise": "exec cat /dev/urandom",
    "answers": "while :; do echo '@have 0 - - 7'; done",
    "complaints": "while :; do echo yyyyyyyy >&2; done",
    "slow": "while :; do printf y; sleep 0.2; done",
}


@pytest.mark.parametrize("how", sorted(ENDLESS))
def test_deployment_to_a_board_that_prints_for_ever_ends(
    tmp_path: Path, host_keys: HostKeys, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr("core.transfer.receiving._ANSWER_TIMEOUT_S", 1.0)
    local = tmp_path / "model"
    local.write_bytes(b"x" * 1000)
    with (
        openssh_running(tmp_path, ENDLESS[how]) as server,
        server.connect(host_keys) as session,
        pytest.raises(RKDeckError) as caught,
    ):
        upload(session, local, str(tmp_path / "x.partial"), SHA256)
    assert caught.value.code in {"remote.unexpected_answer", "remote.stalled"}
