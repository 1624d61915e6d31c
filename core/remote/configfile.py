"""Reading the settings of ssh: which lines are for a host, in the words of ssh_config(5) and the order of OpenSSH.

No command is run to find out where to connect: a block behind `Match exec`, or behind a criterion that is not known
here, is left out and named (`Found.left_out`), but only where everything else about it fits.
"""

import glob
import os
import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.base.errors import RefusedError
from core.base.names import printable
from core.base.notes import NotedError, because
from core.base.opening import open_regular
from core.base.trouble import reason_of
from core.base.units import format_bytes

_MAX_FILE_BYTES = 1 << 20
_MAX_FILES = 512  # ssh has no limit, and some keep a file for each host
_MAX_DEPTH = 16  # as OpenSSH
_BLANKS = " \t\r"
_LINE = re.compile(
    r'[ \t\r]*(?:"([A-Za-z0-9]+)"|([A-Za-z0-9]+)(?:[ \t\r]*=|(?=[ \t\r"])|$))[ \t\r]*(.*)', re.DOTALL
)
# Their values are the rest of the line, as it stands.
# A host on the way, as ssh reads it; only behind `ssh://` may a slash end it.
HOP = re.compile(
    r"(?:(?P<url>ssh://)|(?!ssh://))(?:(?P<user>.+)@)?(?:\[(?P<literal>[^\]]+)\]|(?P<name>[^:@\[\]/]+))"
    r"(?::(?P<service>[^:/@]*))?(?(url)/?)"
)
_RAW = frozenset({"proxycommand", "proxyjump", "localcommand", "remotecommand", "knownhostscommand"})
_ALIASES = {"identityfile2": "identityfile"}  # readconf.c, of OpenSSH 2
# They have one value, and it is not empty.
_SINGLE = frozenset(
    {
        "certificatefile", "hostname", "identitiesonly", "identityagent", "identityfile", "port",
        "serveralivecountmax", "serveraliveinterval", "user",
    }
)  # fmt: skip
_FLAGS = frozenset({"yes", "true", "no", "false"})
_MAX_PORT = 65535
# Each further value is added; of all others the first one counts.
_LISTS = frozenset({"identityfile", "certificatefile"})


@dataclass(slots=True)
class Found:
    """What is written for one host.

    Attributes:
        values: by keyword in small letters, in the order of the file.
        left_out: criteria that could not be judged and may have been meant for this host ("Match exec").
        sources: the file each keyword was first found in.
    """

    values: dict[str, list[str]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    sources: dict[str, Path] = field(default_factory=dict)

    def first(self, keyword: str) -> str | None:
        """The value that counts; None: there is none."""
        values = self.values.get(keyword)
        return values[0] if values else None


def look_up(files: Sequence[Path], name: str, local_user: str, given: dict[str, str]) -> Found:
    """Read files, and those they include, for one host; what an earlier one says counts.

    Args:
        files: the user's, then that of the computer; none need exist.
        name: as the user wrote it.
        local_user: on this computer.
        given: values that count before those of the file (`user`, `port`).

    Raises:
        RefusedError: `remote.ssh_config_unusable`.
    """
    reader = _Reader(files, name, local_user, given)
    reader.read_all()
    if reader.wants_final:
        reader.read_again()
    return reader.found


def port_number(text: str) -> int:
    """A port, as its number or as the name of its service (services(5)).

    Raises:
        ValueError: it is none.
    """
    if text.isascii() and text.isdecimal():
        port = int(text) if len(text.lstrip("0")) <= len(str(_MAX_PORT)) else 0
    else:
        try:
            port = socket.getservbyname(text, "tcp")
        except (OSError, ValueError):
            port = 0
    if not 1 <= port <= _MAX_PORT:
        raise NotedError("no_port", port=printable(text))
    return port


def fill_in(text: str, tokens: dict[str, str]) -> str:
    """The text with its tokens ("%h") replaced in one go; `%%` is always known.

    Raises:
        ValueError: a token is unknown, as it is to ssh.
    """

    def replaced(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        if match[0] not in tokens:
            raise NotedError("no_token", token=printable(match[0]))
        return tokens[match[0]]

    return re.sub("%.?", replaced, text, flags=re.DOTALL)


def split_words(text: str) -> list[str]:
    """The words of a value: blanks part them, quotes hold them together, `#` ends them (OpenSSH's argv_split).

    Raises:
        ValueError: a quote is not closed.
    """
    words: list[str] = []
    word: str | None = None
    quote = ""
    characters = iter(range(len(text)))
    for at in characters:
        character = text[at]
        follows = text[at + 1 : at + 2]
        if word is None and not quote:
            if character in " \t":
                continue
            if character == "#":
                break
            word = ""
        word = word or ""
        if character == "\\" and follows and (follows in "'\"\\" or (follows == " " and not quote)):
            word += follows
            next(characters)
        elif not quote and character in " \t":
            words.append(word)
            word = None
        elif not quote and character in "'\"":
            quote = character
        elif character == quote:
            quote = ""
        else:
            word += character
    if quote:
        raise NotedError("open_quote")
    return words if word is None else [*words, word]


def unusable(file: Path, error: BaseException) -> RefusedError:
    """The error for a file that cannot be used, with the reason."""
    return RefusedError("remote.ssh_config_unusable", file=str(file), reason=reason_of(error))


class _Reader:
    """One look for one host. A second one, with the address found, follows when a block is for the final pass."""

    def __init__(self, files: Sequence[Path], name: str, local_user: str, given: dict[str, str]) -> None:
        self.found = Found({keyword: [value] for keyword, value in given.items()})
        self.wants_final = False
        self._files = files
        self._root = files[0]
        self._name = name
        self._host = name  # what Host lines speak of
        self._local_user = local_user
        self._is_final = False
        self._seen = 0

    def read_all(self) -> None:
        """Take what is for the host from each file."""
        for file in self._files:
            self._root = file
            self.read(file, 0)

    def read_again(self) -> None:
        """The final pass, in which Host speaks of the address found; what was found before counts before."""
        self._host = self._address()
        self._is_final, self._seen = True, 0
        self.found.left_out.clear()
        self.read_all()

    def read(self, file: Path, depth: int) -> None:
        """Take what is for the host."""
        self._seen += 1
        if depth > _MAX_DEPTH or self._seen > _MAX_FILES:
            raise RefusedError(
                "remote.ssh_config_unusable", file=str(file), reason=because("too_many_includes")
            )
        is_for_us = True
        for keyword, rest in _lines(file, is_needed=depth == 0 and file == self._files[0]):
            try:
                if keyword == "host":
                    is_for_us = self._is_host(split_words(rest))
                elif keyword == "match":
                    is_for_us = self._is_match(split_words(rest))
                elif not is_for_us:
                    continue
                elif keyword == "include":
                    for path in self._included(split_words(rest)):
                        self.read(path, depth + 1)
                else:
                    self._take(keyword, rest)
            except ValueError as error:
                raise unusable(file, error) from error

    def _take(self, keyword: str, rest: str) -> None:
        value = _value(keyword, rest)
        values = self.found.values.setdefault(keyword, [])
        if values and (keyword not in _LISTS or value in values):
            return
        if not values and self._is_way_decided(keyword):
            return
        if keyword == "hostname" and self._is_final:
            return  # the address is settled before the final pass (ssh.c, `main`)
        values.append(value)
        self.found.sources.setdefault(keyword, self._root)

    def _is_way_decided(self, keyword: str) -> bool:
        """ProxyJump and ProxyCommand are one question: the first answer counts, but a jump over `none` is no answer."""
        first = self.found.first
        if keyword == "proxyjump":
            return first("proxycommand") is not None
        jump = first("proxyjump") if keyword == "proxycommand" else None
        return jump is not None and jump.lower() != "none"

    def _included(self, patterns: list[str]) -> Iterator[Path]:
        # As OpenSSH: of the user, wherever the file itself is; of the computer, beside its own.
        folder = Path.home() / ".ssh" if self._root == self._files[0] else self._root.parent
        for pattern in patterns:
            full = os.path.expanduser(pattern) if pattern.startswith("~") else str(folder / pattern)
            if not full.startswith("~"):  # as OpenSSH: of a user who is not known, nothing is included
                yield from map(Path, sorted(glob.glob(full)))

    def _is_host(self, patterns: list[str]) -> bool:
        return _matches(patterns, self._host)

    def _is_match(self, words: list[str]) -> bool:
        """Whether all criteria fit; those that cannot be judged are noted when only they are in doubt."""
        fits, doubts = True, []
        while words:
            word, _, value = words.pop(0).partition("=")
            criterion = word.lower().lstrip("!")
            if criterion == "all":
                result: bool | None = True
            elif criterion in {"canonical", "final"}:
                self.wants_final |= criterion == "final"
                result = self._is_final
            else:
                if not value and not words:
                    raise NotedError("no_value", keyword=f"Match {criterion}")
                result = self._judge(criterion, value or words.pop(0))
            if result is None:
                doubts.append(f"Match {printable(criterion, limit=30)}")
            elif result == word.startswith("!"):
                fits = False
        if fits:
            self.found.left_out += [doubt for doubt in doubts if doubt not in self.found.left_out]
        return fits and not doubts

    def _address(self) -> str:
        return fill_in(self.found.first("hostname") or "%h", {"%h": self._name}).lower()

    def _judge(self, criterion: str, value: str) -> bool | None:
        """Whether one criterion fits; None: nobody knows."""
        found = self.found.first
        subjects = {
            "host": self._address(),
            "originalhost": self._name.lower(),
            "user": found("user") or self._local_user,
            "localuser": self._local_user,
        }
        subject = subjects.get(criterion)
        if subject is None:
            return None
        return _matches((value.lower() if criterion.endswith("host") else value).split(","), subject)


def _matches(patterns: list[str], subject: str) -> bool:
    """Whether one pattern fits and none that is negated does."""
    fits = False
    for pattern in patterns:
        parts = [{"*": ".*", "?": "."}.get(part) or re.escape(part) for part in pattern.lstrip("!")]
        if re.fullmatch("".join(parts), subject, re.DOTALL):
            if pattern.startswith("!"):
                return False
            fits = True
    return fits


def _value(keyword: str, rest: str) -> str:
    """What stands behind a keyword, in the form that is kept.

    Raises:
        ValueError: ssh would not take it.
    """
    words = split_words(rest)  # also where the line is taken as it stands, its quotes must be closed
    if keyword in _RAW:
        rest = rest.lstrip(_BLANKS + "=")
    if keyword == "proxyjump":
        rest = _checked_jumps(rest)
        words = [rest] if rest else []
    if not words or (keyword in _SINGLE and not words[0]):
        raise NotedError("no_value", keyword=keyword)
    if keyword in _SINGLE and len(words) > 1:
        raise NotedError("several_values", keyword=keyword)
    if keyword == "port":
        return str(port_number(words[0]))
    if keyword == "identitiesonly" and words[0].lower() not in _FLAGS:
        raise NotedError("no_flag", value=printable(words[0]))
    return " ".join(words)


def _checked_jumps(text: str) -> str:
    """The hosts of ProxyJump, up to a remark or a blank, where ssh stops reading.

    Raises:
        ValueError: one of them is none.
    """
    jumps = re.split(r"[#\s]", text, maxsplit=1, flags=re.ASCII)[0]
    for hop in [] if jumps.lower() in {"", "none"} else jumps.split(","):
        match = HOP.fullmatch(hop)
        if match is None:
            raise NotedError("no_jump", text=printable(hop))
        if match["service"]:
            port_number(match["service"])
    return jumps


def _lines(file: Path, *, is_needed: bool) -> Iterator[tuple[str, str]]:
    """Keyword and value of each line that is no comment."""
    for whole in _read(file, is_needed=is_needed).split("\n"):
        line = whole.partition("\0")[0].rstrip(_BLANKS + "\f")
        if not line.strip(_BLANKS) or line.lstrip(_BLANKS).startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise unusable(file, NotedError("no_setting", line=printable(line.strip(), limit=60)))
        keyword = (match[1] or match[2]).lower()
        if not match[3]:
            raise unusable(file, NotedError("no_value", keyword=keyword))
        yield _ALIASES.get(keyword, keyword), match[3]


def _read(file: Path, *, is_needed: bool) -> str:
    try:
        with open_regular(file) as opened:
            data = opened.read(_MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return ""
    except OSError as error:
        if not is_needed:
            return ""  # as OpenSSH: what cannot be read is not included
        raise unusable(file, error) from error
    if len(data) > _MAX_FILE_BYTES:
        raise RefusedError(
            "remote.ssh_config_unusable",
            file=str(file),
            reason=because("larger_than", size=format_bytes(_MAX_FILE_BYTES)),
        )
    return data.decode("utf-8", "replace")
