"""The supervisor's readers: any bytes, cut anywhere."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import RefusedError
from core.base.paths import AppPaths
from core.jobs.inbox import MAX_LINE_BYTES, Inbox
from core.jobs.lanes import Lane
from core.jobs.model import JobSpec, WorkerCommand
from core.jobs.output import Blotter, secrets_of
from core.jobs.protocol._wire import Wire
from core.jobs.store import EventWriter, JobStore

EVENTS = st.sampled_from(
    [
        b'{"event": "progress", "phase": "p", "done": 1, "total": 2, "unit": "bytes"}\n',
        b'{"event": "log", "text": "\xc3\xa9"}\n',
        b'{"event": "step", "step": "s", "event_": 1}\n',
        b'{"event": "state", "state": "failed"}\n',
        b'{"event": "result", "result": {"a": 1}}\n',
        b'{"event": "error", "error": 5}\n',
        b'{"event": ["log"]}\n',
        b"[[[[\n",
        b"\n",
    ]
)
STREAMS = st.lists(EVENTS | st.binary(max_size=30), max_size=12).map(b"".join)


class Recorder(EventWriter):
    """Keeps what would be written."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def append(self, event: str, /, **data: object) -> None:
        self.written.append(json.dumps([event, data], allow_nan=False))


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[begin:end] for begin, end in pairwise(edges)]


def read(stream: list[bytes]) -> tuple[list[str], bytes, object, str]:
    writer, kept = Recorder(), bytearray()
    inbox = Inbox(writer, kept.extend)
    for piece in stream:
        inbox.take(piece)
    inbox.close()
    return writer.written, bytes(kept), inbox.result, str(inbox.error)


@given(STREAMS, st.lists(st.integers(0, 500), max_size=8))
def test_any_bytes_are_taken_and_cuts_make_no_difference(data: bytes, cuts: list[int]) -> None:
    assert read(pieces(data, cuts)) == read([data])


@pytest.mark.parametrize("extra", [0, 1])
def test_longest_line_is_read_and_a_longer_one_is_told(extra: int) -> None:
    frame = len(b'{"event": "log", "text": ""}')
    line = b'{"event": "log", "text": "%s"}' % (b"x" * (MAX_LINE_BYTES - frame + extra))
    written, kept, _, _ = read([line, b"\n"])
    assert [json.loads(event)[1].get("level") for event in written] == ["warning" if extra else None]
    assert kept == (b"[... an event of %d bytes left out ...]\n" % len(line) if extra else b"")


@given(
    st.text("xy", min_size=4, max_size=6),
    st.text("xyz", max_size=40),
    st.lists(st.integers(0, 99), max_size=8),
)
def test_secret_is_blotted_out_wherever_it_is_cut(secret: str, text: str, cuts: list[int]) -> None:
    blotter = Blotter([secret.encode()])
    shown = b"".join(blotter.take(piece) for piece in pieces(text.encode(), cuts)) + blotter.rest()
    assert shown == text.replace(secret, "[redacted]").encode()


def test_secrets_are_the_line_and_the_texts_in_it() -> None:
    assert secrets_of(b"hunter2\n") == {b"hunter2"}
    assert secrets_of(b'{"password": "pass word", "n": ["deep one", 5]}\n') >= {b"pass word", b"deep one"}
    assert secrets_of(b"\n") == secrets_of(b"abc\n") == frozenset()


def lanes(paths: AppPaths) -> tuple[Lane, Lane, Lane]:
    return (
        Lane(paths.lanes, "board-a", "first", 1.0),
        Lane(paths.lanes, "board-a", "second", 2.0),
        Lane(paths.lanes, "board-a", "third", 3.0),
    )


def test_the_older_job_goes_first_even_when_it_comes_later(paths: AppPaths) -> None:
    first, second, third = lanes(paths)
    assert third.try_enter()
    assert not second.try_enter()
    assert not first.try_enter()
    third.leave()
    assert not second.try_enter()
    assert first.try_enter()
    first.leave()
    assert second.try_enter()
    second.leave()
    assert not list((paths.lanes / "board-a").glob("ticket-*"))


def test_lost_ticket_is_taken_again_with_the_same_place(paths: AppPaths) -> None:
    first, second, third = lanes(paths)
    assert third.try_enter()
    assert not first.try_enter()
    next((paths.lanes / "board-a").glob("ticket-*-first")).unlink()
    assert not first.try_enter()
    assert not second.try_enter()
    third.leave()
    assert not second.try_enter()
    assert first.try_enter()
    first.leave()


def test_ticket_is_never_seen_without_its_lock(paths: AppPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = lanes(paths)
    assert third.try_enter()
    replace = Path.replace

    def looked_at(self: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", replace)
        assert not second.try_enter()
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", looked_at)
    assert not first.try_enter()
    third.leave()
    assert not second.try_enter()
    assert first.try_enter()
    first.leave()
    second.leave()


def test_wire_refuses_what_is_no_json(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file, pytest.raises(ValueError, match="JSON"):
        Wire(file.fileno()).send("step", value=float("nan"))
    assert (tmp_path / "out").read_bytes() == b""


def test_writer_takes_members_of_any_name(paths: AppPaths) -> None:
    folder = JobStore(paths.jobs).create(JobSpec("a", "t", "x", "t", {}, WorkerCommand(module="m")))
    EventWriter(folder).append("step", self=1, folder=2)
    assert folder.events()[0][0].data["self"] == 1


@pytest.mark.parametrize("figure", ["1" + "0" * 30, "NaN", "1e400"])
def test_a_refusal_is_not_lost_for_a_figure_that_is_none(figure: str) -> None:
    writer = Recorder()
    inbox = Inbox(writer, bytearray().extend)
    facts = f'{{"needed_bytes": {figure}, "free_bytes": 5}}'
    inbox.take(
        f'{{"event": "error", "error": {{"code": "a.b", "kind": "refused", "facts": {facts}}}}}\n'.encode()
    )
    inbox.close()
    assert isinstance(inbox.error, RefusedError)
    assert inbox.error.facts == {"needed_bytes": None, "free_bytes": 5}
    assert writer.written == []
