"""A shell on this machine in the place of one over SSH: real processes, real pipes."""

import os
import select
import subprocess
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
OWN_TREES = REPOSITORY / "tests" / "data" / "captures"
PUBLIC_TREES = REPOSITORY.parent / "shared" / "data" / "board-captures"


class LocalShell:
    """`argv` with pipes."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
        self.received = 0

    def send(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def receive(self, timeout_s: float) -> bytes:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], timeout_s)
        if not ready:
            raise TimeoutError
        data = os.read(self.process.stdout.fileno(), 1 << 16)
        self.received += len(data)
        return data

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class LocalSession:
    """Opens local shells; `interpreter` replaces `sh`, `fault` replaces the whole command."""

    def __init__(self, interpreter: Sequence[str] = ("sh",)) -> None:
        self.interpreter = list(interpreter)
        self.fault: list[str] | None = None
        self.sudo_works = False
        self.sudo_refuses_shells = False
        self.shells: list[LocalShell] = []
        self.asked: list[list[str]] = []

    def open_shell(self, argv: Sequence[str] = ("sh", "-s")) -> LocalShell:
        self.asked.append(list(argv))
        refused = ["false"] if argv[0] == "sudo" and self.sudo_refuses_shells else None
        shell = LocalShell(self.fault or refused or [*self.interpreter, "-s"])
        self.shells.append(shell)
        return shell

    def succeeds(self, argv: Sequence[str], timeout_s: float) -> bool:
        return self.sudo_works
