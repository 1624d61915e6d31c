"""Model files in parts: which names are one model's.

`NAME-00001-of-00003.gguf` is how llama.cpp's splitter names them and how its loader looks for the others (llama.cpp,
`llama_split_path`): from the first part's name, in the same folder. So the names decide, and each header tells its own
number once more (`core.model.gguf.GgufHeader.part`).
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

_PART = re.compile(
    r"(?P<stem>.+)-(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})(?P<ending>\.gguf)", re.IGNORECASE
)
# More are no model anybody split; 512 parts of 50 GB hold the largest there are many times.
_MAX_PARTS = 512


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """One model: a file, or its parts in order.

    Attributes:
        name: to show: the path without what numbers the parts.
        paths: of what is there, the first part first.
        missing: parts the names speak of that are not there.
    """

    name: str
    paths: tuple[str, ...]
    missing: tuple[str, ...] = ()

    @property
    def first(self) -> str:
        """The file that a runtime is given, and that tells what the model is."""
        return self.paths[0]


def join_parts(paths: Iterable[str]) -> tuple[ModelFiles, ...]:
    """Files as models, those in parts as one each, in the order of their names.

    A set whose first part is missing is one as well: its `first` is then another part, and `missing` begins with it.

    Args:
        paths: of files a board runs, relative to one place, parts joined by `/`.
    """
    found: list[ModelFiles] = []
    sets: dict[tuple[str, int], dict[int, str]] = defaultdict(dict)
    for path in paths:
        part = _part(path)
        if part is None:
            found.append(ModelFiles(path, (path,)))
        else:
            name, number, count = part
            sets[name, count][number] = path
    for (name, count), parts in sets.items():
        missing = tuple(
            wanted for number, wanted in enumerate(part_names(name, count), 1) if number not in parts
        )
        found.append(ModelFiles(name, tuple(parts[number] for number in sorted(parts)), missing))
    return tuple(sorted(found, key=lambda files: files.name))


def siblings_of(path: str) -> tuple[str, ...]:
    """The names of all parts of the model that a file is a part of, in order; the file alone where it is no part."""
    part = _part(path)
    return (path,) if part is None else part_names(part[0], part[2])


def part_names(name: str, count: int) -> tuple[str, ...]:
    """The names of a model's parts, in order, by what it would be called in one file."""
    stem, dot, ending = name.rpartition(".")
    return tuple(f"{stem}-{number:05}-of-{count:05}{dot}{ending}" for number in range(1, count + 1))


def title_of(name: str) -> str:
    """What to call a model by the name of its file, or of any part: without the ending and what numbers the parts."""
    part = _part(name)
    whole = name if part is None or part[2] == 1 else part[0]
    return whole.rpartition(".")[0] or whole


def _part(path: str) -> tuple[str, int, int] | None:
    """What the whole would be called, and which part of how many this is; None for a file that is no part."""
    match = _PART.fullmatch(path)
    if match is None:
        return None
    number, count = int(match["number"]), int(match["count"])
    return (match["stem"] + match["ending"], number, count) if 1 <= number <= count <= _MAX_PARTS else None
