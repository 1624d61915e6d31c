"""Whom to connect to, and with what."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from core.base.errors import UsageError
from core.base.log import register_secret
from core.base.names import printable

# Host names, IPv4, IPv6 with a zone. International names are given in their ASCII form.
_HOST = re.compile(r"[A-Za-z0-9_.:%-]{1,253}")
_USER = re.compile(r"[A-Za-z0-9_.@$+\\-]{1,128}")
_MAX_PORT = 65535
SSH_PORT = 22
# A connection on which nothing comes for a minute, three questions notwithstanding, is dead.
ALIVE_INTERVAL_S = 15.0
ALIVE_COUNT = 3


@dataclass(frozen=True, slots=True)
class SshTarget:
    """One account on one server.

    Attributes:
        host: name or address, under which its key is remembered; checked, since it becomes part of known_hosts.
        identity_file: private key; None: the agent's keys and the usual files in ~/.ssh.
        password: of the account; also tried as the key's passphrase when there is no other.
        passphrase: of `identity_file`.
        use_agent: whether keys of a running ssh-agent are offered.
        use_default_keys: whether ~/.ssh/id_* are offered when there is no `identity_file`.
        address: where the name leads (HostName of ~/.ssh/config), as seen from the last host on the way; None: `host`.
        identity_files: further keys, offered where they exist, instead of the usual files.
        jump: the host through which it is reached; it logs in with keys only, never with this password.
        identities_only: no other keys than `identity_file`, else those of `identity_files`, even from the agent.
        certificate_files: of keys named here; one beside its key needs no mention.
        agent_socket: of the agent; None: the one of SSH_AUTH_SOCK.
        not_followed: what `~/.ssh/config` says that matters for logging in, connecting and host keys, and is not done.
        alive_interval_s: seconds of silence after which the server is asked for a sign of life.
        alive_count: questions in a row that may stay without an answer; one interval later the connection is given up.
    """

    host: str
    port: int = SSH_PORT
    user: str = "root"
    identity_file: Path | None = None
    password: str | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)
    use_agent: bool = True
    use_default_keys: bool = True
    address: str | None = None
    identity_files: tuple[Path, ...] = ()
    jump: "SshTarget | None" = None
    alive_interval_s: float = ALIVE_INTERVAL_S
    alive_count: int = ALIVE_COUNT
    identities_only: bool = False
    certificate_files: tuple[Path, ...] = ()
    agent_socket: Path | None = None
    not_followed: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]] = ((), (), ())

    def __post_init__(self) -> None:
        for host in (self.host, self.reached):
            if not _HOST.fullmatch(host) or host.startswith("-"):
                raise UsageError("remote.bad_host", host=printable(host))
        if not _USER.fullmatch(self.user) or self.user.startswith("-"):
            raise UsageError("remote.bad_user", user=printable(self.user))
        if not 1 <= self.port <= _MAX_PORT:
            raise UsageError("remote.bad_port", port=self.port)
        for secret in (self.password, self.passphrase):
            if secret:
                register_secret(secret)

    @property
    def reached(self) -> str:
        """The name or address that is connected to."""
        return self.host if self.address is None else self.address
