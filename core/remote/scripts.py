"""Our shell scripts for boards (`resources/board`): they travel as text and leave nothing there.

What they print is lines of fields with tabs between them, and among the fields are names that others gave. A name with
a line's end in it would be two lines, the second of which says whatever its author likes. So: a script asks `plain`
before it prints a name, prints it with `printf %s` (the `echo` of some shells makes a line's end of a backslash and an
n), and what it prints is read by `rows`.
"""

from collections.abc import Iterator
from importlib import resources

from core.base.foreign import lines

# Whether a name can stand in a line; for the beginning of a script. Names with controls are none that RKDeck gives.
PLAIN = """
LC_ALL=C; export LC_ALL
plain() { case $1 in *[[:cntrl:]]*) return 1;; esac; }
"""


def rows(text: str, fields: int, most: int | None = None) -> Iterator[list[str]]:
    """The lines of a script's answer that have so many fields, at most so many lines; others are left out."""
    for line in lines(text, most):
        row = line.split("\t")
        if len(row) == fields:
            yield row


def board_script(*names: str) -> str:
    """Scripts one behind the other, without their comment lines, which nobody reads over there."""
    folder = resources.files("resources") / "board"
    kept = (line for name in names for line in lines((folder / name).read_text("utf-8")))
    return "".join(f"{line}\n" for line in kept if not line.startswith("#"))
