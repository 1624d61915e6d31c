"""Real SSH servers on loopback, run by and for whoever runs the tests: OpenSSH's sshd and Dropbear."""

import getpass
import json
import os
import pwd
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from core.base.errors import RKDeckError
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from core.remote.target import SshTarget
from tests.support.processes import command_of

ROOT = Path(__file__).parents[2]
_START_TIMEOUT_S = 15.0
_SFTP_SERVER = Path("/usr/lib/openssh/sftp-server")


@dataclass(frozen=True, slots=True)
class SshServer:
    """A running server, the account on it and a key that opens it."""

    kind: str
    port: int
    user: str
    key_file: Path
    fingerprint: str
    pid: int
    log_file: Path
    home: Path

    @property
    def host(self) -> str:
        return "127.0.0.1"

    def target(self, **changes: object) -> SshTarget:
        """The account, reached with the right key only; `changes` replace fields."""
        values: dict[str, object] = {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "identity_file": self.key_file,
            "use_agent": False,
            "use_default_keys": False,
        }
        return SshTarget(**{**values, **changes})  # type: ignore[arg-type]

    def connect(self, host_keys: HostKeys, **changes: object) -> SshSession:
        """Connect as a user who has compared the fingerprint."""
        return SshSession.connect(self.target(**changes), host_keys, accept_fingerprint=self.fingerprint)

    def connect_when_free(self, host_keys: HostKeys) -> SshSession:
        """Connect to a server with few places: whoever looked whether it is up may still be leaving."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        while True:
            try:
                return self.connect(host_keys)
            except RKDeckError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def children(self) -> list[psutil.Process]:
        """Processes of its connections."""
        found = psutil.Process(self.pid).children(recursive=True)
        return [process for process in found if not _is_keeper(process)]

    def kill_connections(self) -> None:
        """End every connection at once, as a pulled cable and a rebooted board do."""
        for process in self.children():  # parents first: a server that lives on would report the end
            with _gone_is_fine():
                process.send_signal(signal.SIGKILL)


def _is_keeper(process: psutil.Process) -> bool:
    try:
        return any("board_keeper" in word for word in command_of(process))
    except psutil.Error:
        return False


def fingerprint_of(public_key: Path) -> str:
    """`SHA256:...` as ssh-keygen says it."""
    keygen = find_program("ssh-keygen")
    text = subprocess.run(
        [keygen, "-l", "-E", "sha256", "-f", str(public_key)], capture_output=True, text=True, check=True
    ).stdout
    return text.split()[1]


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    try:
        yield
    except psutil.NoSuchProcess:
        return


def find_program(name: str) -> str:
    """The absolute path of a server program (sshd insists on one); skips the test when it is missing."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return str(Path(found).absolute())


def new_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """Make a key pair with ssh-keygen."""
    keygen = find_program("ssh-keygen")
    subprocess.run(
        [keygen, "-q", "-t", kind, "-N", passphrase, "-C", "rkdeck test", "-f", str(path)], check=True
    )
    return path


def free_port() -> int:
    """A port nobody listens on; another process may still take it, so starters try again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def openssh(
    folder: Path, *options: str, sftp: bool = True, like: SshServer | None = None
) -> Iterator[SshServer]:
    """Run OpenSSH's server below `folder`; `options` are lines of sshd_config, `like` lends its keys."""
    program = find_program("sshd")
    separation = Path("/run/sshd")
    if os.geteuid() == 0 and not separation.exists():
        separation.mkdir(mode=0o755)
    key, host_key, authorized = _keys(folder, like)
    config = folder / "sshd_config"
    # Whoever runs the tests keeps their home and their shell's start-up files out of this.
    home = folder / "account"
    home.mkdir(mode=0o700)

    def command(port: int) -> list[str]:
        lines = [
            f"Port {port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {host_key}",
            f"AuthorizedKeysFile {authorized}",
            "PidFile none",
            "StrictModes no",
            # The first value counts, so what a test wants stands above what it may leave out.
            *options,
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "LogLevel VERBOSE",
            f'SetEnv HOME="{home}"',
        ]
        if sftp:
            lines.append(f"Subsystem sftp {_SFTP_SERVER}")
        config.write_text("\n".join(lines) + "\n")
        return [program, "-D", "-e", "-f", str(config)]

    with _running("openssh", folder, command, key, host_key, home) as server:
        yield server


@contextmanager
def openssh_running(folder: Path, script: str, *options: str) -> Iterator[SshServer]:
    """Run OpenSSH's server with a script in place of the board's shell; what was asked is `$SSH_ORIGINAL_COMMAND`.

    Args:
        folder: for the script and the server's files.
        script: lines of sh, or a whole program that begins with `#!`.
        options: what is given to it.
    """
    folder.mkdir(exist_ok=True)
    login = folder / "login.sh"
    login.write_text(script if script.startswith("#!") else f"#!/bin/sh\n{script}\n")
    login.chmod(0o755)
    with openssh(folder / "server", " ".join(["ForceCommand", str(login), *options])) as server:
        yield server


@contextmanager
def dropbear(folder: Path) -> Iterator[SshServer]:
    """Run Dropbear below `folder`.

    It reads keys from the account's home only, so it gets a passwd file with another home in a mount
    namespace of its own; skipped where the kernel forbids that.
    """
    program, converter = find_program("dropbear"), find_program("dropbearconvert")
    unshare = find_program("unshare")
    key, host_key, authorized = _keys(folder)
    converted = folder / "dropbear_host_key"
    subprocess.run(
        [converter, "openssh", "dropbear", str(host_key), str(converted)], check=True, capture_output=True
    )
    home = folder / "account"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    home.chmod(0o700)
    shutil.copy(authorized, home / ".ssh/authorized_keys")
    (home / ".ssh/authorized_keys").chmod(0o600)
    account = pwd.getpwuid(os.getuid())
    # A whole /etc: a mount on the file passwd alone is undone when somebody adds a user meanwhile.
    etc = folder / "etc"
    etc.mkdir()
    (etc / "passwd").write_text(
        f"{account.pw_name}:x:{account.pw_uid}:{account.pw_gid}:test:{home}:/bin/sh\n"
    )
    (etc / "group").write_text(f"{account.pw_name}:x:{account.pw_gid}:\n")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
    (etc / "shells").write_text("/bin/sh\n")
    inner = f"mount --bind {shlex.quote(str(etc))} /etc"
    namespace = [unshare, "--mount", "--propagation", "private"]
    back: list[str] = []
    if account.pw_uid != 0:
        namespace.insert(1, "--map-root-user")
        back = [unshare, "--user", f"--map-user={account.pw_uid}", f"--map-group={account.pw_gid}"]
    if subprocess.run([*namespace, "sh", "-c", inner], capture_output=True).returncode:
        pytest.skip("this kernel lets no ordinary user mount (needed to give Dropbear a home of its own)")

    def command(port: int) -> list[str]:
        server = [program, "-F", "-E", "-s", "-r", str(converted), "-p", f"127.0.0.1:{port}"]
        server += ["-P", str(folder / "dropbear.pid")]
        return [*namespace, "sh", "-c", f"{inner} && exec {shlex.join([*back, *server])}"]

    with _running("dropbear", folder, command, key, host_key, home) as server:
        yield server


@contextmanager
def demo_board(folder: Path, *options: str) -> Iterator[SshServer]:
    """Run RKDeck's own demo board as a program, without its simulated figures."""
    folder.mkdir(parents=True, exist_ok=True)
    key = new_key(folder / "user_key")
    log = folder / "server.log"
    public = (folder / "user_key.pub").read_text().strip()
    command = [sys.executable, "-m", "core.demo.board.main", "--folder", str(folder / "board")]
    command += ["--authorized-key", public, *(options or ("--bare",))]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output
        )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        line = process.stdout.readline()
        try:
            assert line, log.read_text()
            facts = json.loads(line)
            yield SshServer(
                "demo",
                facts["port"],
                facts["user"],
                key,
                facts["host_key_sha256"],
                process.pid,
                log,
                folder / "board/home",
            )
        finally:
            process.stdin.close()
            process.wait(timeout=30)


SERVERS: dict[str, Callable[[Path], AbstractContextManager[SshServer]]] = {
    "openssh": openssh,
    "openssh-no-sftp": lambda folder: openssh(folder, sftp=False),
    "dropbear": dropbear,
    "demo": demo_board,
}


def _keys(folder: Path, like: SshServer | None = None) -> tuple[Path, Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    if like is None:
        key, host_key = new_key(folder / "user_key"), new_key(folder / "host_key")
    else:
        for name in ("user_key", "user_key.pub", "host_key", "host_key.pub"):
            shutil.copy(like.key_file.parent / name, folder / name)
        key, host_key = folder / "user_key", folder / "host_key"
    authorized = folder / "authorized_keys"
    authorized.write_text((folder / "user_key.pub").read_text())
    authorized.chmod(0o600)
    return key, host_key, authorized


@contextmanager
def _running(
    kind: str, folder: Path, command: Callable[[int], list[str]], key: Path, host_key: Path, home: Path
) -> Iterator[SshServer]:
    log = folder / "server.log"
    for _ in range(3):
        port = free_port()
        with log.open("wb") as output:
            process = subprocess.Popen(
                command(port), stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder
            )
        if _answers(process, port):
            break
        process.kill()
        process.wait()
    else:
        pytest.fail(f"{kind} did not start: {log.read_text()}")
    fingerprint = fingerprint_of(host_key.with_name(host_key.name + ".pub"))
    server = SshServer(kind, port, getpass.getuser(), key, fingerprint, process.pid, log, home)
    try:
        yield server
    finally:
        server.kill_connections()
        process.kill()
        process.wait()


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1.0) as link:
                return link.recv(4) == b"SSH-"
        except OSError:
            time.sleep(0.02)
    return False
