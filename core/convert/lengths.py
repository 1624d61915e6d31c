"""How long calibration samples are: in the model's own tokens where its tokenizer can be read, else only at most.

The toolkit takes prompt and answer of a sample as one text of at most `max_context` tokens, and its memory grows with
the longest (public reports of samples of 16K tokens: over 90 GiB).
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import RefusedError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Beyond this samples are not counted, only bounded: some ten seconds of work.
_MAX_COUNTED_CHARACTERS = 16 << 20


class SampleLengths:
    """Compares samples with a context; the tokenizer is read when the first sample could be too long.

    Attributes:
        longest: tokens of the longest sample that was found too long; 0 when none was.
    """

    def __init__(self, context: int, folder: Path | None) -> None:
        """Measure for a context in tokens, by the tokenizer of a model folder, None where there is none."""
        self.longest = 0
        self._context = context
        self._folder = folder
        self._counted = 0

    def too_long(self, text: str) -> bool | None:
        """Whether a text has more tokens than the context; None where it may, and nobody can count."""
        # No token stands for less than a byte, and special ones are few.
        if len(text.encode("utf-8", "replace")) <= self._context:
            return False
        tokenizer = self._tokenizer()
        if tokenizer is None or self._counted > _MAX_COUNTED_CHARACTERS:
            return None
        self._counted += len(text)
        # A lone half of a UTF-16 pair, which JSON can write, is no text to a tokenizer.
        count = len(tokenizer.encode(text.encode("utf-8", "replace").decode("utf-8")).ids)
        if count > self._context:
            self.longest = max(self.longest, count)
        return count > self._context

    def _tokenizer(self) -> "Tokenizer | None":
        if self._folder is None:
            return None
        from core.lab.perplexity.checkpoint import TOKENIZER_NAME

        try:
            state = (self._folder / TOKENIZER_NAME).stat()
        except OSError:
            return None
        return _load(self._folder, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1)
def _load(folder: Path, _mtime_ns: int, _size_bytes: int) -> "Tokenizer | None":
    """The tokenizer of a folder; kept, as a recipe is checked at each change of the form."""
    from core.lab.perplexity.checkpoint import load_tokenizer

    try:
        return load_tokenizer(folder)[0]
    except RefusedError:
        return None
