"""What llama.cpp knows and where a ready-made one runs: data from `resources/llama_cpp.toml`."""

from dataclasses import dataclass
from functools import cache

from core.base import tomldata

_FILE = "llama_cpp.toml"


@dataclass(frozen=True, slots=True)
class LlamaCpp:
    """Facts of llama.cpp.

    Attributes:
        release: whose list of architectures this is.
        architectures: as GGUF files call them.
        machines: processors (`uname -m`) with a ready-made one that needs no compiler on the board.
        python: the oldest that a ready-made one works with.
        library: it needs beside the C and C++ libraries every system has.
    """

    release: str
    architectures: frozenset[str]
    machines: frozenset[str]
    python: str
    library: str


@cache
def llama_cpp() -> LlamaCpp:
    """The facts."""
    table = tomldata.load_toml(_FILE)
    ready = tomldata.subtable(table, "ready_made", _FILE)
    return LlamaCpp(
        release=tomldata.text(table, "release", _FILE),
        architectures=frozenset(tomldata.texts(table, "architectures", _FILE)),
        machines=frozenset(tomldata.texts(ready, "machines", _FILE)),
        python=tomldata.text(ready, "python", _FILE),
        library=tomldata.text(ready, "library", _FILE),
    )
