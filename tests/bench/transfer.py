"""Sending one file: RKDeck beside scp, rsync and paramiko's put, on loopback and on a line of 1 Gbit/s.

Dropbear, on loopback, is asked once over one connection and once over as many as pay.

`python -m tests.bench.transfer --mib 1024 --rounds 3`. RKDeck's time includes what the others do not do: the digest
computed on the receiving side and compared, and the data flushed to the disk (`sending` leaves both out). CPU seconds
are of the sender, an interpreter's start included, and of everything the server started. The slow line needs root, `ip`
and `tc`.
"""

import argparse
import contextlib
import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import paramiko
import psutil

from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession, SshTarget
from core.transfer.sharing import Sharing
from core.transfer.upload import upload
from tests.support.sshd import ROOT, SshServer, dropbear, openssh

_METHODS = ("scp", "scp aes128-gcm", "rsync", "paramiko put", "RKDeck")
# Dropbear has neither AES-GCM nor, on most boards, an SFTP server.
_DROPBEAR_METHODS = ("scp -O", "RKDeck, one", "RKDeck")
_HERE, _THERE = "10.213.77.1", "10.213.77.2"
_RATE = "1gbit"


@dataclass(frozen=True, slots=True)
class Line:
    """A way to the server: an address, and what to put before a client's command."""

    name: str
    host: str
    prefix: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """One transfer: seconds in all, seconds of sending (None: the same), CPU seconds here and there, connections."""

    seconds: float
    sending_s: float | None
    client_cpu_s: float
    server_cpu_s: float
    connections: int


def main() -> None:
    """Print one table per line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("loopback", "line", "Dropbear"))
    options = parser.parse_args(sys.argv[1:] if sys.argv[0].endswith("transfer.py") else [])
    with tempfile.TemporaryDirectory(prefix="rkdeck-bench-") as text:
        folder = Path(text)
        file = _file(folder / "model.rkllm", options.mib)
        with contextlib.ExitStack() as stack:
            lines = [Line("loopback", "127.0.0.1", ())]
            listen = []
            if os.geteuid() == 0 and shutil.which("ip") and shutil.which("tc"):
                lines.append(stack.enter_context(_slow_line()))
                listen = [f"ListenAddress {_HERE}"]
            else:
                print("the line of 1 Gbit/s needs root, ip and tc: not run")
            server = stack.enter_context(openssh(folder / "server", *listen))
            for line in lines:
                if options.only in {None, line.name.split()[0]}:
                    _table(line, server, file, folder, options.rounds, _METHODS)
            if options.only in {None, "Dropbear"}:
                if shutil.which("dropbear", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
                    print("Dropbear is not installed")
                    return
                small = stack.enter_context(dropbear(folder / "dropbear"))
                line = Line("Dropbear on loopback", "127.0.0.1", ())
                _table(line, small, file, folder, options.rounds, _DROPBEAR_METHODS)


def _table(
    line: Line, server: SshServer, file: Path, folder: Path, rounds: int, methods: tuple[str, ...]
) -> None:
    size = file.stat().st_size
    runs: dict[str, list[Run]] = {method: [] for method in methods}
    for _ in range(rounds):
        for method in methods:
            if method == "rsync" and shutil.which("rsync") is None:
                continue
            runs[method].append(_run(line, server, method, file, folder))
    print(
        f"\n{line.name}, {size >> 20} MiB, {rounds} rounds; MB/s: median (best); load {os.getloadavg()[0]:.1f}"
    )
    print(
        f"{'':16}{'MB/s':>16}{'of scp':>9}{'sending':>9}{'client CPU s':>14}{'server CPU s':>14}{'connections':>13}"
    )
    base = _rate(size, runs[methods[0]])
    for method, found in runs.items():
        if not found:
            print(f"{method:16}   not installed")
            continue
        rate, best = _rate(size, found), size / 1e6 / min(run.seconds for run in found)
        sending = [run.sending_s for run in found if run.sending_s is not None]
        shown = f"{size / 1e6 / statistics.median(sending):9.0f}" if sending else f"{'':9}"
        client = statistics.median(run.client_cpu_s for run in found)
        there = statistics.median(run.server_cpu_s for run in found)
        figures = f"{rate:8.0f} ({best:5.0f}){rate / base:9.2f}{shown}{client:14.2f}{there:14.2f}"
        print(f"{method:16}{figures}{max(run.connections for run in found):13}")


def _rate(size: int, runs: list[Run]) -> float:
    return size / 1e6 / statistics.median(run.seconds for run in runs)


def _run(line: Line, server: SshServer, method: str, file: Path, folder: Path) -> Run:
    target, account = folder / "arrived", f"{server.user}@{line.host}"
    target.unlink(missing_ok=True)
    options = ["-i", str(server.key_file), "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR"]
    options += ["-o", f"UserKnownHostsFile={folder / 'known'}", "-o", "IdentitiesOnly=yes"]
    scp = ["scp", "-q", "-P", str(server.port), *options]
    commands = {
        "scp": [*scp, str(file), f"{account}:{target}"],
        "scp -O": [*scp, "-O", str(file), f"{account}:{target}"],
        "scp aes128-gcm": [*scp, "-c", "aes128-gcm@openssh.com", str(file), f"{account}:{target}"],
        "rsync": [
            "rsync",
            "-e",
            f"ssh -p {server.port} {' '.join(options)}",
            str(file),
            f"{account}:{target}",
        ],
    }
    own = [sys.executable, "-m", "tests.bench.transfer", "--client", method, line.host, str(server.port)]
    own += [server.user, str(server.key_file), server.fingerprint, str(file), str(target)]
    before, there, started = (
        resource.getrusage(resource.RUSAGE_CHILDREN),
        _server_cpu(server),
        time.monotonic(),
    )
    done = subprocess.run(
        [*line.prefix, *commands.get(method, own)], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    seconds, sending, connections = time.monotonic() - started, None, 1
    if method not in commands:  # without the interpreter's start
        told = json.loads(done.stdout)
        seconds, sending, connections = told["seconds"], told["sending_s"], told["connections"]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if target.stat().st_size != file.stat().st_size:
        raise SystemExit(f"{method}: not everything arrived")
    return Run(seconds, sending, cpu, _server_cpu(server) - there, connections)


def _server_cpu(server: SshServer) -> float:
    """CPU seconds of the server's connections that have ended."""
    times = psutil.Process(server.pid).cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def _client(
    method: str, host: str, port: str, user: str, key: str, fingerprint: str, file: str, target: str
) -> None:
    """Send once, as a process of its own, and print the seconds as JSON."""
    sha256 = hashlib.sha256()
    ours, connections = method.startswith("RKDeck"), 1
    if ours:  # known before, as for a file of the library
        with open(file, "rb") as source:
            sha256 = hashlib.file_digest(source, "sha256")
    moments: list[float] = []
    started = time.monotonic()
    if ours:
        account = SshTarget(host, int(port), user, Path(key), use_agent=False, use_default_keys=False)
        with tempfile.TemporaryDirectory() as known:
            keys = HostKeys(Path(known) / "known")
            with SshSession.connect(account, keys, accept_fingerprint=fingerprint) as session:
                result = upload(
                    session, Path(file), target + ".partial", sha256.hexdigest(), final=target,
                    progress=lambda *_: moments.append(time.monotonic()),
                    sharing=Sharing() if method == "RKDeck" else Sharing(most=1),
                )  # fmt: skip
                connections = result.connections
                seconds = time.monotonic() - started
    else:
        transport = paramiko.Transport((host, int(port)))
        transport.connect(username=user, pkey=paramiko.Ed25519Key.from_private_key_file(key))
        client = paramiko.SFTPClient.from_transport(transport)
        assert client is not None
        client.put(file, target)
        seconds = time.monotonic() - started
        transport.close()
    sending = moments[-1] - moments[0] if moments else None
    print(json.dumps({"seconds": seconds, "sending_s": sending, "connections": connections}))


def _file(path: Path, mib: int) -> Path:
    noise = os.urandom(1 << 20)
    with path.open("wb") as file:
        for number in range(mib):
            file.write(number.to_bytes(8, "big") + noise[8:])
    return path


@contextlib.contextmanager
def _slow_line() -> Iterator[Line]:
    """A network namespace behind a pair of devices that sends no faster than 1 Gbit/s."""
    space, here, there = f"rkdeck{os.getpid()}", f"rkh{os.getpid()}", f"rkt{os.getpid()}"
    inside = ("ip", "netns", "exec", space)
    shape = (
        "tc",
        "qdisc",
        "add",
        "dev",
        there,
        "root",
        "tbf",
        "rate",
        _RATE,
        "burst",
        "256kb",
        "latency",
        "50ms",
    )
    steps = (
        ("ip", "netns", "add", space),
        ("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", space),
        ("ip", "addr", "add", f"{_HERE}/30", "dev", here),
        ("ip", "link", "set", here, "up"),
        (*inside, "ip", "addr", "add", f"{_THERE}/30", "dev", there),
        (*inside, "ip", "link", "set", there, "up"),
        (*inside, *shape),
    )  # fmt: skip
    try:
        for step in steps:
            subprocess.run(step, check=True)
        yield Line("line of 1 Gbit/s", _HERE, inside)
    finally:
        subprocess.run(("ip", "netns", "delete", space), check=False)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--client"]:
        _client(*sys.argv[2:])
    else:
        main()
