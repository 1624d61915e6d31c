"""From an address to a greeted SSH server: the first half of a connection, and its end."""

import errno
import re
import socket

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from core.base.errors import RKDeckError
from core.base.names import printable
from core.base.notes import because
from core.base.trouble import reason_of
from core.remote.hostkeys import HostKey
from core.remote.paramiko_setup import NotingTransport
from core.remote.target import SshTarget

# A pulled board is noticed when bytes stay unacknowledged for this long (tcp(7), TCP_USER_TIMEOUT).
_UNACKNOWLEDGED_MS = 45_000
_CLOSE_TIMEOUT_S = 5.0
# What OpenSSH says before it hangs up: MaxStartups, PerSourcePenalties (sshd_config(5)), TCP wrappers.
_TURNED_AWAY = re.compile(rb"Exceeded MaxStartups|Not allowed at this time|too many", re.IGNORECASE)
_NO_ROUTE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})


def open_socket(target: SshTarget, timeout_s: float) -> socket.socket:
    """Connect over TCP, with Nagle's algorithm off.

    Raises:
        RKDeckError: `remote.unknown_host`, `remote.refused`, `remote.timeout`, `remote.no_route`,
            `remote.closed_at_once`, `remote.no_connection`.
    """
    host, port = target.host, target.port
    try:
        link = socket.create_connection((target.reached, port), timeout=timeout_s)
    except (socket.gaierror, UnicodeError) as error:
        reason = reason_of(error)
        raise RKDeckError("remote.unknown_host", host=target.reached, reason=reason) from error
    except ConnectionRefusedError as error:
        raise RKDeckError("remote.refused", host=host, port=port) from error
    except TimeoutError as error:
        raise RKDeckError("remote.timeout", host=host, port=port, seconds=timeout_s) from error
    except ConnectionResetError as error:
        raise RKDeckError("remote.closed_at_once", host=host, port=port) from error
    except OSError as error:
        if error.errno in _NO_ROUTE:
            raise RKDeckError("remote.no_route", host=host, port=port) from error
        reason = reason_of(error)
        raise RKDeckError("remote.no_connection", host=host, port=port, reason=reason) from error
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
    return link


def greet(transport: NotingTransport, target: SshTarget, timeout_s: float) -> HostKey:
    """Exchange versions and keys; the caller must check the returned host key before anything else.

    Raises:
        RKDeckError: `remote.not_ssh`, `remote.hung`, `remote.closed_at_once`, `remote.locked_out`,
            `remote.no_common_algorithm`, `remote.closed`.
    """
    host, port = target.host, target.port
    try:
        # start_client returns silently when its time is over; the handshake watches its own.
        transport.start_client(timeout=timeout_s * 2)
        key = transport.get_remote_server_key()
    except IncompatiblePeer as error:
        reason = printable(str(error))
        raise RKDeckError("remote.no_common_algorithm", host=host, port=port, reason=reason) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise _greeting_error(transport, target, error, timeout_s) from error
    return HostKey(key.get_name(), key.asbytes())


def _greeting_error(
    transport: NotingTransport, target: SshTarget, error: BaseException, timeout_s: float
) -> RKDeckError:
    """Tell a mute server, one that hangs up and something that is no SSH server apart."""
    host, port, reason = target.host, target.port, printable(str(error))
    greeting = transport.greeting
    if b"SSH-" in greeting:
        if transport.is_overdue or reason == "No existing session":
            return RKDeckError("remote.hung", host=host, port=port, seconds=timeout_s)
        why = printable(transport.farewell or "") or reason or because("ended_greeting")
        return RKDeckError("remote.closed", host=host, port=port, reason=why)
    said = printable(greeting.decode("utf-8", "replace").strip(), limit=120)
    if _TURNED_AWAY.search(greeting):
        return RKDeckError("remote.locked_out", host=host, port=port, user=target.user, reason=said)
    if greeting:
        return RKDeckError("remote.not_ssh", host=host, port=port, reason=said)
    if isinstance(error.__context__, TimeoutError) or reason == "No existing session":
        return RKDeckError("remote.hung", host=host, port=port, seconds=timeout_s)
    return RKDeckError("remote.closed_at_once", host=host, port=port)


def end(transport: paramiko.Transport) -> None:
    """Close a transport, its socket and its thread."""
    transport.close()
    if transport.ident is not None:
        transport.join(_CLOSE_TIMEOUT_S)
    transport.sock.close()
