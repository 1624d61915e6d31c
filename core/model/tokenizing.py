"""A model's tokenizer (`tokenizer.json`), in a process of its own within bounds of time and memory.

Such a file is a stranger's: sixty replacements of one letter by two, one after the other, make 2**60 letters of one,
and where memory ends the tokenizers library (Rust) ends the whole process it works in, no matter what catches errors.
So the library is loaded here alone, in a program that limits itself first, one for each question.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.base.errors import JsonValue, RefusedError
from core.base.foreign import whole
from core.base.names import printable
from core.base.notes import because
from core.base.opening import read_regular
from core.base.trouble import reason_of

TOKENIZER_NAME = "tokenizer.json"
# The largest known ones (256,000 tokens and their merges) have some 35 MB and take 1 GiB.
_MAX_FILE_BYTES = 128 << 20
_MEMORY_BYTES = 2 << 30
# Of processor time, and of the wait for it on a computer that is busy; 16 million characters take some ten seconds.
_CPU_S, _TIMEOUT_S = 60, 180.0
_LENGTH_BYTES = 8
# The numbers of two million tokens; the longest text that is asked about has fewer characters.
_MAX_ANSWER_BYTES = 16 << 20
# SIGXCPU, then SIGKILL (signal(7)).
_TIME_SIGNALS = frozenset({-24, -9})


class ModelTokenizer:
    """The tokenizer of a model folder.

    Raises:
        RefusedError: `perplexity.bad_tokenizer`, `perplexity.tokenizer_beyond`; every question may.
    """

    def __init__(self, folder: Path) -> None:
        """Read the file; what is wrong in it is found by the first question."""
        try:
            self._file = read_regular(folder / TOKENIZER_NAME, _MAX_FILE_BYTES)
        except OSError as error:
            raise _bad(reason_of(error)) from error

    def counts(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has, with those the tokenizer puts around it."""
        return _numbers(self._ask("counts", list(texts)), len(texts))

    def ids(self, text: str) -> list[int]:
        """The tokens of a text and no others."""
        return _numbers(self._ask("ids", text))

    def prefix(self) -> tuple[int, ...]:
        """The tokens it puts before any text by itself: the difference special tokens make."""
        told = self._ask("around", "a")
        if not isinstance(told, list) or len(told) != 2:
            raise _bad(because("answer_other"))
        plain, full = map(_numbers, told)
        for start in range(len(full) - len(plain) + 1):
            if full[start : start + len(plain)] == plain:
                return tuple(full[:start])
        return ()

    def text(self, ids: Sequence[int]) -> str:
        """The text of tokens, without special ones."""
        told = self._ask("text", list(ids))
        if not isinstance(told, str):
            raise _bad(because("answer_other"))
        return told

    def _ask(self, question: str, about: object) -> JsonValue:
        order = json.dumps([_MEMORY_BYTES, _CPU_S, question, about]).encode()
        asked = len(order).to_bytes(_LENGTH_BYTES) + order + self._file
        with subprocess.Popen(
            [sys.executable, "-B", "-P", "-m", __name__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        ) as program:  # fmt: skip
            try:
                told, _ = program.communicate(asked, timeout=_TIMEOUT_S)
            except subprocess.TimeoutExpired as error:
                raise RefusedError(
                    "perplexity.tokenizer_beyond", file=TOKENIZER_NAME, bound="time"
                ) from error
            finally:
                program.kill()
        try:
            why, answer = json.loads(told)
        except (ValueError, TypeError, RecursionError) as error:
            # Over its processor time a program is ended by SIGXCPU or SIGKILL, without memory by SIGABRT or an error.
            bound = "time" if program.returncode in _TIME_SIGNALS else "memory"
            if bound == "memory" and _has_less_than(_MEMORY_BYTES):
                raise MemoryError from error  # it is not the file that asks for too much
            raise RefusedError("perplexity.tokenizer_beyond", file=TOKENIZER_NAME, bound=bound) from error
        if why:
            raise _bad(printable(str(why), limit=200))
        checked: JsonValue = answer
        return checked


def _has_less_than(memory_bytes: int) -> bool:
    """Whether whoever started RKDeck gave it less memory (`ulimit -v`)."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return soft != resource.RLIM_INFINITY and soft < memory_bytes


def _numbers(told: JsonValue, count: int | None = None) -> list[int]:
    """Tokens, or how many of them: whole numbers, of which there are `count`."""
    numbers = [whole(item) for item in told] if isinstance(told, list) else [None]
    found = [number for number in numbers if number is not None]
    if len(found) != len(numbers) or count not in {None, len(found)}:
        raise _bad(because("answer_other"))
    return found


def _bad(reason: JsonValue) -> RefusedError:
    return RefusedError("perplexity.bad_tokenizer", file=TOKENIZER_NAME, reason=reason)


def main() -> None:
    """The program: bounds, question and file on standard input, `[reason or "", answer]` on standard output."""
    from tokenizers import Tokenizer

    size = int.from_bytes(sys.stdin.buffer.read(_LENGTH_BYTES))
    memory_bytes, cpu_s, question, about = json.loads(sys.stdin.buffer.read(size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not _has_less_than(memory_bytes):
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    file = sys.stdin.buffer.read()
    try:
        told: list[object] = ["", _answer(Tokenizer.from_buffer(file), question, about)]
    except MemoryError:
        sys.exit(1)
    except BaseException as error:  # noqa: BLE001  # the library raises Exception, and panics as a BaseException
        told = [str(error) or type(error).__name__, None]
    answer = json.dumps(told)
    if len(answer) > _MAX_ANSWER_BYTES:
        sys.exit(1)  # as if it had no memory: whoever asked would be the next to have none
    sys.stdout.write(answer)


def _answer(tokenizer: Any, question: str, about: Any) -> object:  # noqa: ANN401  # as it came
    if question == "counts":
        return [len(tokenizer.encode(text).ids) for text in about]
    if question == "ids":
        return tokenizer.encode(about, add_special_tokens=False).ids
    if question == "around":
        return [tokenizer.encode(about, add_special_tokens=special).ids for special in (False, True)]
    return tokenizer.decode(about, skip_special_tokens=True)


if __name__ == "__main__":
    main()
