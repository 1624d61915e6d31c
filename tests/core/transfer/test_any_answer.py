"""Whatever the receiving script of a board answers: what it has, a number within bounds, or an error with words."""

import itertools
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.base.errors import RKDeckError
from core.base.foreign import can_be_told
from core.remote.session import SshSession
from core.transfer import receiving
from core.transfer.receiving import Receiver
from core.words import languages, word

SHA = "a" * 64
WORDS = st.sampled_from(
    [
        "0",
        "1",
        "7",
        "-",
        SHA,
        "9" * 18,
        "9" * 19,
        "9" * 5000,
        "-1",
        "1e9",
        "NaN",
        "٣",
        "²",
        "\x1b[2J",
        "\u202e",
        "\0",
    ]
) | st.text(max_size=6)
KINDS = st.sampled_from([
    "have", "there", "wrote", "sum", "ok", "cpu", "busy", "full", "failed", "readonly", "missing", "",
]) | st.text(max_size=5)  # fmt: skip
LINES = st.builds(lambda kind, words: f"@{' '.join([kind, *words])}\n", KINDS, st.lists(WORDS, max_size=5))
ANSWERS = st.lists(
    LINES.map(lambda line: line.encode("utf-8", "replace")) | st.binary(max_size=40), max_size=5
)


class Board:
    """A session whose script prints what it is given; the rest of it is as a broken connection has it."""

    def __init__(self, pieces: list[bytes], complaint: bytes) -> None:
        self.target = SimpleNamespace(host="desk")
        self.is_open = True
        self._pieces, self.stderr_tail = pieces, complaint

    def open_script(self, script: str, arguments: object, mark: str) -> SimpleNamespace:
        told = itertools.chain([f"\n{mark}\n".encode()], filter(None, self._pieces), itertools.repeat(b""))
        channel = SimpleNamespace(get_transport=lambda: SimpleNamespace(packetizer=None), out_window_size=1)
        return SimpleNamespace(
            channel=channel, receive=lambda _: next(told), stderr_tail=self.stderr_tail, send_timeout_s=1.0,
            exit_status=lambda: 1, end_input=lambda: None, close=lambda: None,
        )  # fmt: skip

    def closed_error(self, error: object) -> RKDeckError:
        return RKDeckError("remote.closed", host="desk")


def told(error: RKDeckError) -> None:
    assert can_be_told(error.to_json())
    for language in languages():
        assert all(text.isprintable() for text in word(error, language))


@pytest.mark.parametrize("ask", ["have", "answer", "finish"])
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=ANSWERS, complaint=st.binary(max_size=40) | st.just(b"\x1b[2J\xff"))
@example(pieces=[f"@have {'9' * 19} {SHA} - -\n".encode()], complaint=b"")
@example(pieces=[f"@have 1 {SHA} 999999999999999999 7\n".encode()], complaint=b"")
@example(pieces=[b"@wrote " + b"9" * 4000 + b"\n"], complaint=b"")
def test_any_answer_is_a_record_or_an_error_with_words(
    monkeypatch: pytest.MonkeyPatch, ask: str, pieces: list[bytes], complaint: bytes
) -> None:
    monkeypatch.setattr(receiving, "board_script", lambda name: "")
    receiver = Receiver(cast("SshSession", Board(pieces, complaint)), "/x.partial", "receive.sh", [])
    try:
        if ask == "have":
            have = receiver.have(10)
            assert have is None or (0 <= have.size_bytes < 10**18 and can_be_told(have.free_bytes))
        elif ask == "answer":
            assert 0 <= receiver.answer("ok", 60.0) < 10**18
        else:
            receiver.finish(7, SHA)
    except RKDeckError as error:
        told(error)
