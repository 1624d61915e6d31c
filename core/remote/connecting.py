"""From an address to a greeted SSH server: the first half of a connection, and its end."""

import errno
import socket

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from core.base.errors import RKDeckError
from core.base.names import printable
from core.remote.hostkeys import HostKey
from core.remote.target import SshTarget

# A pulled board is noticed when bytes stay unacknowledged for this long (tcp(7), TCP_USER_TIMEOUT).
_UNACKNOWLEDGED_MS = 45_000
_CLOSE_TIMEOUT_S = 5.0
_NO_ROUTE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})


def open_socket(target: SshTarget, timeout_s: float) -> socket.socket:
    """Connect over TCP, with Nagle's algorithm off.

    Raises:
        RKDeckError: `remote.unknown_host`, `remote.refused`, `remote.timeout`, `remote.no_route`,
            `remote.no_connection`.
    """
    host, port = target.host, target.port
    try:
        link = socket.create_connection((host, port), timeout=timeout_s)
    except socket.gaierror as error:
        reason = error.strerror or str(error)
        raise RKDeckError("remote.unknown_host", host=host, reason=reason) from error
    except ConnectionRefusedError as error:
        raise RKDeckError("remote.refused", host=host, port=port) from error
    except TimeoutError as error:
        raise RKDeckError("remote.timeout", host=host, port=port, seconds=timeout_s) from error
    except OSError as error:
        if error.errno in _NO_ROUTE:
            raise RKDeckError("remote.no_route", host=host, port=port) from error
        reason = error.strerror or str(error)
        raise RKDeckError("remote.no_connection", host=host, port=port, reason=reason) from error
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
    return link


def greet(transport: paramiko.Transport, target: SshTarget, timeout_s: float) -> HostKey:
    """Exchange versions and keys; the caller must check the returned host key before anything else.

    Raises:
        RKDeckError: `remote.not_ssh`, `remote.no_common_algorithm`, `remote.timeout`, `remote.closed`.
    """
    host, port = target.host, target.port
    try:
        # start_client returns silently when its time is over; the handshake watches its own.
        transport.start_client(timeout=timeout_s * 2)
        key = transport.get_remote_server_key()
    except IncompatiblePeer as error:
        reason = printable(str(error))
        raise RKDeckError("remote.no_common_algorithm", host=host, port=port, reason=reason) from error
    except paramiko.SSHException as error:
        reason = printable(str(error))
        if "banner" in reason or "protocol version" in reason:
            raise RKDeckError("remote.not_ssh", host=host, port=port, reason=reason) from error
        if reason == "No existing session":
            raise RKDeckError("remote.timeout", host=host, port=port, seconds=timeout_s) from error
        raise RKDeckError("remote.closed", host=host, port=port, reason=reason) from error
    except (EOFError, OSError) as error:
        reason = str(error) or "the server ended the connection while greeting"
        raise RKDeckError("remote.closed", host=host, port=port, reason=reason) from error
    return HostKey(key.get_name(), key.asbytes())


def end(transport: paramiko.Transport) -> None:
    """Close a transport, its socket and its thread."""
    transport.close()
    if transport.ident is not None:
        transport.join(_CLOSE_TIMEOUT_S)
    transport.sock.close()
