"""Calibration data before a conversion: whether the toolkit can read it, entry by entry.

The toolkit wants a JSON list of `{"input": prompt, "target": answer}` (SDK manual 1.3.0, table 3-3). It reads the file
only after it has loaded the model, an hour into a conversion of a large one, so what a look can tell is told before.
"""

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from core.base.errors import RefusedError
from core.base.foreign import has_too_many
from core.base.names import printable
from core.base.opening import open_regular
from core.base.trouble import reason_of
from core.convert.lengths import tokens_of_long

# 64 samples of 16K tokens are some 4 MB; the toolkit's memory ends long before this limit.
MAX_BYTES = 64 << 20
# As many commas has prose of that size at most; lists of nothing would take all memory.
_MAX_MARKS = MAX_BYTES >> 5
_KEYS = ("input", "target")
_LINES = frozenset({".jsonl", ".ndjson"})
_LONE = re.compile("[\ud800-\udfff]")  # half a character: JSON may escape it, no tokenizer takes it
_NAMED = 8  # entries, or keys, one message names
_OTHER_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "UTF-32"), (codecs.BOM_UTF32_BE, "UTF-32"), (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"), (codecs.BOM_UTF8, "UTF-8 with a byte order mark"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a look at a file of calibration data tells.

    Attributes:
        samples: entries of the list; None when the file is none.
        errors: what makes the toolkit fail; one for all entries with the same fault.
        long: samples that are longer than the context, which may cost memory or be cut.
        warnings: what it takes, but is hardly meant.
    """

    samples: int | None
    errors: tuple[RefusedError, ...] = ()
    long: tuple[RefusedError, ...] = ()
    warnings: tuple[RefusedError, ...] = ()


def check_calibration(path: Path, context: int | None = None, folder: Path | None = None) -> Calibration:
    """Read a file of calibration data as the toolkit will; whatever it is, this only tells. Entries count from 1.

    Args:
        path: the file.
        context: in tokens, that no sample should be longer than; None leaves lengths alone.
        folder: of the model, whose tokenizer counts; None when nobody knows it.
    """
    try:
        entries = _entries(path)
    except RefusedError as error:
        return Calibration(None, (error,))
    faults: dict[tuple[str, str], list[int]] = {}
    samples: dict[int, tuple[str, str]] = {}
    for number, entry in enumerate(entries, 1):
        found = tuple(_faults(entry))
        for fault in found:
            faults.setdefault(fault, []).append(number)
        if not found and isinstance(entry, dict):
            samples[number] = (entry["input"], entry["target"])
    errors = tuple(
        RefusedError(code, entries=_named(numbers), count=len(numbers), found=found)
        for (code, found), numbers in faults.items()
    )
    long, maybe_long = _lengths(samples, context, folder)
    return Calibration(len(entries), errors, long, _repeats(samples) + maybe_long)


def _repeats(samples: dict[int, tuple[str, str]]) -> tuple[RefusedError, ...]:
    first: dict[tuple[str, str], int] = {}
    repeated = [number for number, sample in samples.items() if first.setdefault(sample, number) != number]
    if not repeated:
        return ()
    return (RefusedError("convert.dataset_repeats", entries=_named(repeated), count=len(repeated)),)


def _lengths(
    samples: dict[int, tuple[str, str]], context: int | None, folder: Path | None
) -> tuple[tuple[RefusedError, ...], tuple[RefusedError, ...]]:
    """What is longer than the context, and what may be."""
    if context is None:
        return (), ()
    texts = {number: prompt + answer for number, (prompt, answer) in samples.items()}
    tokens = tokens_of_long(texts, context, folder)
    long = {number: count for number, count in tokens.items() if count is not None and count > context}
    unknown = [number for number, count in tokens.items() if count is None]
    error = RefusedError(
        "convert.dataset_entry_long",
        entries=_named(list(long)), count=len(long), context=context, longest=max(long.values(), default=0),
    )  # fmt: skip
    warning = RefusedError(
        "convert.dataset_maybe_long", entries=_named(unknown), count=len(unknown), context=context
    )
    return (error,) if long else (), (warning,) if unknown else ()


def _entries(path: Path) -> list[object]:
    name = str(path)
    text = _text(path)
    if has_too_many(text, _MAX_MARKS):
        raise RefusedError("convert.dataset_odd_json", path=name)
    try:
        value = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        if _is_json_lines(text):
            raise RefusedError("convert.dataset_json_lines", path=name) from error
        line = error.lineno if isinstance(error, json.JSONDecodeError) else None
        if line is None:
            raise RefusedError("convert.dataset_odd_json", path=name) from error
        raise RefusedError("convert.dataset_not_json", path=name, line=line) from error
    if not isinstance(value, list):
        # One line of JSON lines is a whole document as well.
        is_line = isinstance(value, dict) and path.suffix.lower() in _LINES
        raise RefusedError("convert.dataset_json_lines" if is_line else "convert.dataset_not_list", path=name)
    if not value:
        raise RefusedError("convert.dataset_empty", path=name)
    return value


def _text(path: Path) -> str:
    try:
        # A pipe or a device would keep the reader waiting.
        if not path.is_file():
            raise RefusedError("convert.dataset_no_file", path=str(path))
        with open_regular(path) as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RefusedError("convert.unreadable", file=str(path), reason=reason_of(error)) from error
    if len(data) > MAX_BYTES:
        raise RefusedError("convert.dataset_too_large", path=str(path), limit_bytes=MAX_BYTES)
    for mark, encoding in _OTHER_ENCODINGS:
        if data.startswith(mark):
            raise RefusedError("convert.dataset_encoding", path=str(path), encoding=encoding)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RefusedError("convert.dataset_not_utf8", path=str(path), line=line) from error


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are no JSON


def _is_json_lines(text: str) -> bool:
    """Whether the first line is an object by itself, and the next begins one: that one may be the damaged one."""
    text = text.lstrip()
    try:
        first, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return False
    rest = text[end:].lstrip(" \t\r")
    return (
        isinstance(first, dict)
        and "\n" not in text[:end]
        and rest.startswith("\n")
        and rest.lstrip().startswith("{")
    )


def _faults(entry: object) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with an entry: a code, and what was found there."""
    if not isinstance(entry, dict):
        yield "convert.dataset_entry_no_object", ""
        return
    if any(key not in entry for key in _KEYS):
        names = ", ".join(printable(key, 40) for key in list(entry)[:_NAMED])
        yield "convert.dataset_entry_keys", names
        return
    for key in _KEYS:
        value = entry[key]
        if not isinstance(value, str):
            yield "convert.dataset_entry_no_text", key
        elif not value.strip():
            yield "convert.dataset_entry_blank", key
        elif _LONE.search(value):
            yield "convert.dataset_entry_half", key


def _named(numbers: list[int]) -> str:
    more = ", …" if len(numbers) > _NAMED else ""
    return ", ".join(map(str, numbers[:_NAMED])) + more
