"""The one place that builds text for a shell on a board.

Names come from the Hub, from boards and from files, so every argument is quoted, always: a single-quoted
string has no special character but the quote itself (POSIX.1-2017, Shell Command Language 2.2.2), and a
quoted first word is never a reserved word, an alias or an assignment.
"""

from collections.abc import Sequence

from core.base.errors import RefusedError
from core.base.names import printable


def quote(text: str) -> str:
    """Return `text` as one word of a POSIX shell.

    Raises:
        RefusedError: `remote.unsafe_argument` for what no argument can carry: NUL, and surrogates that have
            no UTF-8 form.
    """
    if "\0" in text:
        raise RefusedError("remote.unsafe_argument", argument=printable(text), why="NUL")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RefusedError("remote.unsafe_argument", argument=printable(text), why="not UTF-8") from error
    return "'" + text.replace("'", "'\\''") + "'"


def remote_command(argv: Sequence[str]) -> str:
    """Return the command line that runs exactly `argv`.

    Raises:
        RefusedError: `remote.unsafe_argument`, also for an empty command.
    """
    if not argv or not argv[0]:
        raise RefusedError("remote.unsafe_argument", argument="", why="empty command")
    return " ".join(map(quote, argv))


def write_line(text: str, path: str) -> str:
    """Return the command line that makes `text` the only line of a file.

    Raises:
        RefusedError: `remote.unsafe_argument`.
    """
    return f"printf '%s\\n' {quote(text)} > {quote(path)}"


def script_with_arguments(script: str, arguments: Sequence[str] = ()) -> str:
    """Return text for the input of `sh -s` that runs `script` as a whole, with `$1`, `$2`, ... set.

    The script becomes the body of a function: a shell runs it only when all of it arrived, so a connection
    cut half-way never runs half a script, and its commands cannot read the rest of the script as input.

    Raises:
        RefusedError: `remote.unsafe_argument`.
    """
    words = " ".join(map(quote, arguments))
    return f"rkdeck_main() {{\n{script}\n}}\nrkdeck_main {words} </dev/null\nexit $?\n"
