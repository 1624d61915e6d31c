"""Putting a version of a program below a board's store: complete, with the right digest, or not there at all."""

import re
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import RKDeckError
from core.programs.table import Program, is_version
from core.remote.scripts import PLAIN, rows
from core.remote.session import SshSession
from core.transfer.upload import upload

_MAX_VERSIONS = 100
_TIMEOUT_S = 60.0
_SHA256 = re.compile(r"[0-9a-f]{64}")
# $1 file.
_REMOVE = 'set -e\n[ -e "$1" ] || exit 0\n'
# $1 folder, $2 file. Prints `VERSION<tab>SHA256` for each version that is there whole.
_LIST = rf"""{PLAIN}
cd "$1" 2>/dev/null || exit 0
for d in *; do
 plain "$d" && [ -f "$d/$2" ] && [ ! -L "$d" ] || continue
 h=$(sha256sum <"$d/$2") && printf '%s\t%s\n' "$d" "${{h%% *}}"
done
"""


@dataclass(frozen=True, slots=True)
class Placed:
    """A version on a board; `sha256` is of the file as it lies there now."""

    version: str
    path: str
    sha256: str


def place(session: SshSession, store: str, program: Program, version: str, local: Path, sha256: str) -> str:
    """Send a version; what arrived of it in an earlier try is used, a right file that is there is left alone.

    Args:
        session: to the board.
        store: the board's folder.
        program: of the table.
        version: of the file.
        local: the file here.
        sha256: its digest, hexadecimal.

    Returns:
        Its path on the board.

    Raises:
        RefusedError, RKDeckError: as `core.transfer.upload.upload`; `programs.not_executable`.
    """
    path = program.path(store, version)
    upload(session, local, f"{path}.partial", sha256, final=path)
    if program.executable:
        result = session.run(["chmod", "755", path], timeout_s=_TIMEOUT_S)
        if result.exit_status != 0:
            raise RKDeckError("programs.not_executable", path=path, reason=result.why)
    return path


def placed(session: SshSession, store: str, program: Program) -> tuple[Placed, ...]:
    """The versions below a store, each with its digest."""
    result = session.run(_LIST, [program.place(store), program.file], timeout_s=_TIMEOUT_S)
    return tuple(
        Placed(version, program.path(store, version), sha256)
        for version, sha256 in rows(result.text, 2, _MAX_VERSIONS)
        if is_version(version) and _SHA256.fullmatch(sha256)
    )


def remove(session: SshSession, store: str, program: Program, version: str) -> None:
    """Take a version away; harmless when it is not there.

    Raises:
        RKDeckError: `programs.not_removed`.
    """
    script = "\n".join(program.removal(store, version))
    result = session.run(_REMOVE + script, [program.path(store, version)], timeout_s=_TIMEOUT_S)
    if result.exit_status != 0:
        raise RKDeckError("programs.not_removed", path=program.path(store, version), reason=result.why)
