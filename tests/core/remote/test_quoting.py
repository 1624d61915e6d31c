import shutil
import subprocess

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.base.errors import RefusedError
from core.remote.quoting import quote, remote_command, script_with_arguments

SHELLS = [
    shell
    for shell in (["sh"], ["dash"], ["bash"], ["busybox", "sh"], ["zsh"])
    if shutil.which(shell[0]) is not None
]
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
NASTY = [
    "",
    "a b",
    "it's",
    "$(reboot)",
    "`id`",
    "a\nb",
    "\n",
    "!!",
    "*",
    "~",
    "-n",
    "\\",
    "'\\''",
    "\x1b[2J",
    "é\u202e",
]


def run(shell: list[str], text: str) -> bytes:
    return subprocess.run([*shell, "-c", text], capture_output=True, check=True).stdout


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_nasty_words_arrive_unchanged(shell: list[str]) -> None:
    output = run(shell, remote_command(["printf", "%s\\0", *NASTY]))
    assert output.split(b"\0")[:-1] == [word.encode() for word in NASTY]


@given(st.lists(WORDS, min_size=1, max_size=5))
@example(["$(reboot)", "\n", "'"])
def test_any_words_arrive_unchanged(words: list[str]) -> None:
    output = run(["sh"], remote_command(["printf", "%s\\0", *words]))
    assert output.split(b"\0")[:-1] == [word.encode() for word in words]


@given(WORDS)
def test_any_word_is_a_script_argument(word: str) -> None:
    text = script_with_arguments('printf %s "$1"', [word])
    assert subprocess.run(["sh", "-s"], input=text.encode(), capture_output=True).stdout == word.encode()


@pytest.mark.parametrize("word", ["if", "A=b", "while", "{", "!"])
def test_first_word_is_never_shell_syntax(word: str) -> None:
    done = subprocess.run(["sh", "-c", remote_command([word])], capture_output=True, text=True)
    assert done.returncode == 127
    assert "not found" in done.stderr


def test_script_runs_only_when_it_arrived_whole() -> None:
    text = script_with_arguments("echo first\necho second")
    for length in range(len(text) - len("rkdeck_main  </dev/null\nexit $?\n")):
        cut = subprocess.run(["sh", "-s"], input=text[:length].encode(), capture_output=True)
        assert cut.stdout == b"", text[:length]


def test_script_cannot_eat_itself() -> None:
    text = script_with_arguments("cat\necho after\nexit 7")
    done = subprocess.run(["sh", "-s"], input=text.encode(), capture_output=True)
    assert (done.returncode, done.stdout) == (7, b"after\n")


@pytest.mark.parametrize("argv", [["a\0b"], ["\ud800"], [], [""]])
def test_what_no_argument_can_carry_is_refused(argv: list[str]) -> None:
    with pytest.raises(RefusedError) as caught:
        remote_command(argv)
    assert caught.value.code == "remote.unsafe_argument"


def test_quote_always_quotes() -> None:
    assert quote("plain") == "'plain'"
