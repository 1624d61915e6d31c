"""How long calibration samples are: in the model's own tokens where its tokenizer can be read, else only at most.

The toolkit takes prompt and answer of a sample as one text of at most `max_context` tokens, and its memory grows with
the longest (public reports of samples of 16K tokens: over 90 GiB).
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from core.base.errors import RefusedError
from core.model.tokenizing import TOKENIZER_NAME, ModelTokenizer

# Beyond this samples are not counted, only bounded: some ten seconds of work.
_MAX_COUNTED_CHARACTERS = 16 << 20


def tokens_of_long(texts: Mapping[int, str], context: int, folder: Path | None) -> dict[int, int | None]:
    """The tokens of each text that may have more than `context`; None where nobody can count them.

    Args:
        texts: by their numbers.
        context: in tokens.
        folder: of the model whose tokenizer counts; None where there is none.
    """
    # No token stands for less than a byte, and special ones are few. A lone half of a UTF-16 pair, which JSON can
    # write, is no text to a tokenizer.
    plain = {number: text.encode("utf-8", "replace") for number, text in texts.items()}
    maybe = {number: text.decode("utf-8") for number, text in plain.items() if len(text) > context}
    counted: dict[int, str] = {}
    characters = 0
    for number, text in maybe.items():
        if characters > _MAX_COUNTED_CHARACTERS:
            break
        characters += len(text)
        counted[number] = text
    counts = _counts(folder, tuple(counted.values())) if folder is not None and counted else None
    return {**dict.fromkeys(maybe), **({} if counts is None else dict(zip(counted, counts, strict=True)))}


def _counts(folder: Path, texts: tuple[str, ...]) -> list[int] | None:
    try:
        state = (folder / TOKENIZER_NAME).stat()
    except OSError:
        return None
    return _counted(folder, state.st_mtime_ns, state.st_size, texts)


@lru_cache(maxsize=1)
def _counted(folder: Path, _mtime_ns: int, _size_bytes: int, texts: tuple[str, ...]) -> list[int] | None:
    """Kept, as a recipe is checked at each change of the form."""
    try:
        return ModelTokenizer(folder).counts(texts)
    except RefusedError:
        return None
