"""Whatever a board answers, a look into its run folder gives a status or a typed error."""

import json
from dataclasses import dataclass
from typing import cast

from hypothesis import example, given
from hypothesis import strategies as st

from core.base.errors import RKDeckError
from core.remote.session import SshSession
from core.serve.status import TOKEN, read_status
from tests.core.base.test_foreign import VALUES

TICKS = 12345
ALIVE = f"stat 7 (a) b) S {' '.join(['0'] * 18)} {TICKS} 0 0"
STATE = {"pid": 7, "port": 8080, "start_ticks": TICKS, "model": "m"}
TRUE = f"state {json.dumps(STATE)}\n{ALIVE}\nours 7\n"
NAMES = st.sampled_from(["state", "deployment", "token", "stat", "ours", "log", "", "other"])
KEYS = st.sampled_from([*STATE, "sha256", "dtype", "last", "error", "name", "version", "simulated"])
TEXTS = st.one_of(
    st.text(max_size=60), st.dictionaries(KEYS, VALUES, max_size=6).map(json.dumps), st.just(ALIVE[5:]),
    st.just(json.dumps(STATE)), st.just("7"), st.just("t" * 43),
)  # fmt: skip
LINES = st.lists(st.tuples(NAMES, TEXTS).map(" ".join), max_size=8).map("\n".join)


@dataclass(frozen=True)
class Answer:
    """What a command gave: the fields of a session's result that a look reads."""

    text: str
    exit_status: int = 0
    complaint: str = "none"


@dataclass(frozen=True)
class Told:
    """A board that answers every command with the same text."""

    text: str

    def run(self, *_: object) -> Answer:
        return Answer(self.text)


def test_a_whole_answer_is_a_serving() -> None:
    seen = read_status(cast("SshSession", Told(TRUE)), "desk", "/store")
    assert seen.serving is not None
    assert (seen.serving.pid, seen.serving.port) == (7, 8080)


@given(LINES | st.text())
@example(TRUE.replace("ours", "\u2028ours"))
def test_any_answer_is_a_status_or_a_typed_error(text: str) -> None:
    try:
        seen = read_status(cast("SshSession", Told(text)), "desk", "/store")
    except RKDeckError:
        return
    assert all("\n" not in line for line in seen.log)
    assert seen.token is None or TOKEN.fullmatch(seen.token)
    if seen.serving is not None:
        # Only what the script itself wrote at the beginning of a line says that a process is ours.
        assert f"\nours {seen.serving.pid}" in f"\n{text}"
