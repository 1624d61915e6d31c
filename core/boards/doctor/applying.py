"""Running a remedy's commands on a board: as the account, or as root through sudo, all of them shown before.

sudo is asked whether it wants a password (`sudo -n true`) before one is sent. The script travels as an argument of
`sh -c`, never on the input the password takes: where sudo wants none, the line is left unread and nothing runs it.
"""

from collections.abc import Sequence

from core.base.errors import RefusedError, RKDeckError
from core.base.log import register_secret
from core.base.notes import because
from core.remote.session import RemoteResult, SshSession

_TIMEOUT_S = 60.0
_MAX_OUTPUT_BYTES = 64 << 10


def run_commands(
    session: SshSession, commands: Sequence[str], *, as_root: bool, password: str | None = None
) -> None:
    """Run lines of sh one after the other, up to the first that fails.

    Args:
        session: to the board.
        commands: from `core.boards.doctor.remedies`.
        as_root: run them through sudo.
        password: of the account, for a sudo that wants one; used once and kept nowhere.

    Raises:
        RefusedError: `doctor.sudo_password_needed`, `doctor.sudo_password_wrong`, `doctor.no_sudo`.
        RKDeckError: `doctor.fix_failed` with the board's own words; as `SshSession.run`.
    """
    script = "\n".join(["set -e", *commands])
    argv = ["sh", "-c", script]
    if not as_root:
        _check(session, _run(session, argv))
        return
    status = _run(session, ["sudo", "-n", "true"]).exit_status
    if status == 0:
        _check(session, _run(session, ["sudo", "-n", *argv]))
        return
    if status == 127:
        raise RefusedError("doctor.no_sudo", host=session.target.host, user=session.target.user)
    if not password:
        raise RefusedError("doctor.sudo_password_needed", host=session.target.host, user=session.target.user)
    register_secret(password)
    # One line, then the end of the input: after a wrong password sudo finds no further one to try.
    result = _run(session, ["sudo", "-k", "-S", "-p", "", *argv], f"{password}\n".encode())
    if result.exit_status == 1 and b"password" in result.stderr:
        raise RefusedError("doctor.sudo_password_wrong", host=session.target.host, user=session.target.user)
    _check(session, result)


def _run(session: SshSession, argv: Sequence[str], stdin: bytes = b"") -> RemoteResult:
    return session.run(argv, stdin=stdin, timeout_s=_TIMEOUT_S, max_output_bytes=_MAX_OUTPUT_BYTES)


def _check(session: SshSession, result: RemoteResult) -> None:
    if result.exit_status != 0:
        raise RKDeckError(
            "doctor.fix_failed",
            host=session.target.host,
            status=result.exit_status,
            reason=result.complaint or because("no_reason"),
        )
