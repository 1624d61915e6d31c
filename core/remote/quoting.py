"""The one place that builds text for a shell on a board.

Names come from the Hub, from boards and from files, so every argument is quoted, always: a single-quoted
string has no special character but the quote itself (POSIX.1-2017, Shell Command Language 2.2.2), and a
quoted first word is never a reserved word, an alias or an assignment.

The account's login shell need not be a POSIX shell, though: csh ends a quoted word at a line's end and looks for `!` in
it, fish halves its backslashes. So the login shell is only ever given a line that means the same to all of them
(`exec sh -s`, `loader`); what is to be done follows on standard input, which `sh` alone reads.
"""

import secrets
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


def script_with_arguments(script: str, arguments: Sequence[str] = (), mark: str = "") -> str:
    """Return text for the input of `sh -s` that runs `script` as a whole, with `$1`, `$2`, ... set.

    The script becomes the body of a function: a shell runs it only when all of it arrived, so a connection
    cut half-way never runs half a script, and its commands cannot read the rest of the script as input.

    Args:
        script: its text.
        arguments: of the script.
        mark: printed around its output (`between_marks`); empty: nothing is.

    Raises:
        RefusedError: `remote.unsafe_argument`.
    """
    call = " ".join(["rkdeck_main", *map(quote, arguments), "</dev/null"])
    end = between_marks(call, mark) if mark else f"{call}\nexit $?\n"
    return f"rkdeck_main() {{\n{script}\n}}\n{end}"


def between_marks(command: str, mark: str) -> str:
    """Return the line that runs `command` with a line before and one behind its output, and ends as it ended.

    What comes before the first mark was printed by a login script, without the second one the shell did not get to
    the end. The line ends with the signal that ended the command, so that it is reported as one.

    Args:
        command: one line, or words that are quoted.
        mark: nobody else can know it.
    """
    return (
        f"printf '\\n%s\\n' {mark}; ( {command} ); s=$?; printf '\\n%s\\n' {mark}.end;"
        ' [ "$s" -le 128 ] || kill -$((s - 128)) $$ 2>/dev/null; exit $s\n'
    )


def loader(mark: str) -> str:
    """Return a command line, the same to every shell, that runs the script which `loaded` sends on standard input.

    `read` takes a pipe byte by byte, so what follows the script is left to the script.
    """
    return (
        """sh -c 'n=$(printf "\\012x"); n=${n%x}; s=; while IFS= read -r l; do case $l in "$0") eval "$s"; exit;; """
        f"""esac; s=$s$l$n; done; exit 127' {mark}.all"""
    )


def loaded(script: str, arguments: Sequence[str], mark: str) -> str:
    """Return what `loader` reads: a script that says `mark` when it begins, runs as a whole, and may read on.

    Raises:
        RefusedError: `remote.unsafe_argument`.
    """
    words = " ".join(map(quote, arguments))
    return whole(f"set -- {words}\nprintf '\\n%s\\n' {mark}\n{script}\n", mark)


def whole(text: str, mark: str) -> str:
    """Return lines for `loader` with the one behind them that says that they have all arrived."""
    return f"{text}{mark}.all\n"


def new_mark() -> str:
    """A word that nobody can print by chance or know beforehand."""
    return f"rkdeck-{secrets.token_hex(8)}"
