"""A third language for tests: a copy of Spanish under another code, beside the shipped ones."""

import contextlib
import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from core.words import language as one_language
from core.words import messages, tables
from core.words.values import worded_values

SHIPPED = Path(str(resources.files("resources") / "translations"))
PLURAL = "[{ mod10 = [1], not_mod100 = [11] }, { mod10 = [2, 3, 4], not_mod100 = [12, 13, 14] }, {}]"


def forget() -> None:
    """Forget what was read, so that a changed folder is read anew."""
    one_language.forget()
    tables.forget()
    for cached in (messages, worded_values):
        cached.cache_clear()


@contextlib.contextmanager
def third_language(place: Path) -> Iterator[Path]:
    """A folder of languages with a third one, `xx`, in use until the end."""
    folder = place / "translations"
    shutil.copytree(SHIPPED, folder)
    shutil.copytree(folder / "es", folder / "xx")
    (folder / "xx" / "language.toml").write_text(f'name = "Xxish"\nplural = {PLURAL}\n')
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(one_language, "folder", lambda: folder)
        patched.setattr(tables, "folder", lambda: folder)
        forget()
        yield folder
    forget()
