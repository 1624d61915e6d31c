"""Whatever the process of a tokenizer answers: what was asked for, or an error with words."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.base.errors import RKDeckError
from core.model import tokenizing
from core.model.tokenizing import TOKENIZER_NAME, ModelTokenizer
from core.words import languages, word
from tests.support.peak import PEAK

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
WHY = st.just("") | ANY
TOLD = (
    st.tuples(WHY, ANY | st.lists(st.integers(0, 300), max_size=3)).map(
        lambda told: json.dumps(told).encode()
    )
    | ANY.map(lambda told: json.dumps(told).encode())
    | st.binary(max_size=40)
)
QUESTIONS: dict[str, Callable[[ModelTokenizer], object]] = {
    "counts": lambda tokenizer: tokenizer.counts(["a", "b"]),
    "ids": lambda tokenizer: tokenizer.ids("a"),
    "prefix": lambda tokenizer: tokenizer.prefix(),
    "text": lambda tokenizer: tokenizer.text([1]),
}


class Program:
    """A process that has answered."""

    def __init__(self, told: bytes, returncode: int) -> None:
        self.returncode = returncode
        self._told = told

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def communicate(self, asked: bytes, timeout: float) -> tuple[bytes, None]:
        return self._told, None

    def kill(self) -> None:
        pass


@pytest.mark.parametrize("question", QUESTIONS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=TOLD, returncode=st.sampled_from([0, 1, -6, -9, -24]))
@example(told=b"[" * 200_000, returncode=0)
@example(told=b'["", [NaN, 1e999]]', returncode=0)
@example(told=b'["", [1, true]]', returncode=0)
@example(told=b'["", [[1], [1, 2], [3]]]', returncode=0)
@example(told=b'["", "12"]', returncode=0)
@example(told=b'["", {"1": 2}]', returncode=0)
@example(told=b'[{"\\u202e": 1}, []]', returncode=0)
@example(told=b"", returncode=0)
def test_any_answer_is_what_was_asked_for_or_an_error_with_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, question: str, told: bytes, returncode: int
) -> None:
    (tmp_path / TOKENIZER_NAME).write_bytes(b"{}")
    answering = SimpleNamespace(
        Popen=lambda *_, **__: Program(told, returncode), PIPE=subprocess.PIPE, DEVNULL=subprocess.DEVNULL,
        TimeoutExpired=subprocess.TimeoutExpired,
    )  # fmt: skip
    monkeypatch.setattr(tokenizing, "subprocess", answering)
    found, refused = None, None
    try:
        found = QUESTIONS[question](ModelTokenizer(tmp_path))
    except RKDeckError as error:
        refused = error
    if refused is not None:
        assert refused.code in {"perplexity.bad_tokenizer", "perplexity.tokenizer_beyond"}
        for language in languages():
            assert all(text.isprintable() for text in word(refused, language))
        return
    if question == "text":
        assert isinstance(found, str)
        return
    assert isinstance(found, list | tuple)
    assert all(type(number) is int and number >= 0 for number in found)
    assert question != "counts" or len(found) == 2


def test_the_process_itself_answers_any_question_in_bounded_memory(tmp_path: Path) -> None:
    """Of the asking program, as the kernel kept it (VmHWM): nothing of the other's comes over."""
    (tmp_path / TOKENIZER_NAME).write_bytes(b"[" * (32 << 20))
    asks = (
        "import sys, pathlib; from core.model.tokenizing import ModelTokenizer\n"
        "it = ModelTokenizer(pathlib.Path(sys.argv[1]))\n"
        "try: it.ids('a')\nexcept Exception as error: print(error.code)\n" + PEAK
    )
    done = subprocess.run(
        [sys.executable, "-c", asks, str(tmp_path)], capture_output=True, text=True, timeout=100
    )
    code, peak_kib = done.stdout.split()
    assert code in {"perplexity.bad_tokenizer", "perplexity.tokenizer_beyond"}
    assert int(peak_kib) < 250 << 10
