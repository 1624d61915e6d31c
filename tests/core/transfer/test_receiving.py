"""The receiving script by itself, in every shell there is: killed before each of its commands, crossed by another."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from core.base.errors import RKDeckError
from core.remote.hostkeys import HostKeys
from core.transfer.upload import upload
from tests.support.sshd import ROOT, openssh

SCRIPT = (ROOT / "resources/board/receive.sh").read_text("utf-8")
DATA = os.urandom((3 << 20) + 5)
SHA256 = hashlib.sha256(DATA).hexdigest()
_COMMANDS = ("mkdir", "mv", "rm", "rmdir", "sync", "cat", "dd", "ls", "df", "sleep", "sha256sum")
# A shell function in front of each command; the script ends, as by kill -9, before the N-th of them.
_KILLED = "".join(
    f'{name}() {{ N=$((N-1)); [ "$N" = 0 ] && kill -9 $$; command {name} "$@"; }}\n' for name in _COMMANDS
)
BUSY = 75


@dataclass(frozen=True, slots=True)
class Outcome:
    status: int
    answers: tuple[str, ...]
    complaint: str


@pytest.fixture(params=["dash", "bash", "busybox"])
def shell(request: pytest.FixtureRequest) -> list[str]:
    program = shutil.which(request.param)
    if program is None:
        pytest.skip(f"{request.param} is not installed")
    return [program, "sh"] if request.param == "busybox" else [program]


def receive(shell: list[str], script: str, folder: Path) -> Outcome:
    """Send DATA to the script as `upload` does: what it has already, and has right, is not sent again."""
    words = [str(folder / "incoming/x.partial"), str(len(DATA)), SHA256, "0", str(folder / "blobs/x"), "me"]
    with subprocess.Popen(
        [*shell, "-c", script, "rkdeck-receive", *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        answers = []
        # It may have been killed, and then reads no more; what it started ends with its input.
        with contextlib.suppress(BrokenPipeError), process.stdin as there:
            for line in process.stdout:
                answers.append(line.decode().strip())
                if answers[-1].startswith("@have"):
                    _, size, digest, *_ = answers[-1].split()
                    right = int(size) > 0 and digest == hashlib.sha256(DATA[: int(size)]).hexdigest()
                    start = int(size) if right else 0
                    there.write(f"{start}\n".encode() + DATA[start:])
                    there.close()
        answers += [line.decode().strip() for line in process.stdout]
        process.wait()  # what it started looks whether it is still there
        complaint = process.stderr.read().decode()
    return Outcome(process.returncode, tuple(answers), complaint)


def test_killed_at_any_step_it_goes_on_and_leaves_nothing(shell: list[str], tmp_path: Path) -> None:
    for step in count(1):
        folder = tmp_path / str(step)
        first = receive(shell, f"N={step}\n{_KILLED}{SCRIPT}", folder)
        assert first.status in {0, -9}, first
        final = folder / "blobs/x"
        assert not final.exists() or final.read_bytes() == DATA
        again = receive(shell, SCRIPT, folder)
        for _ in range(50):  # what the killed one started may take a moment to end
            if again.status != BUSY:
                break
            time.sleep(0.1)
            again = receive(shell, SCRIPT, folder)
        assert again.status == 0, again
        assert final.read_bytes() == DATA
        assert sorted(path.name for path in folder.rglob("*")) == ["blobs", "incoming", "x"]
        if first.status == 0:
            assert step > 5
            break


def test_sender_that_ends_just_now_is_no_folder_that_cannot_be_written(
    shell: list[str], tmp_path: Path
) -> None:
    """Its lock was there when this one wanted it, and is gone when this one looks."""
    gone = 'mkdir() { case $1 in *.lock) n=$((n+1)); [ $n -gt 2 ] || return 1;; esac; command mkdir "$@"; }\nn=0\n'
    outcome = receive(shell, gone + SCRIPT, tmp_path)
    assert (outcome.status, outcome.answers[-1]) == (0, f"@sum {SHA256}")


@pytest.mark.needs_root
def test_disk_that_is_full_already_is_said_to_be(tmp_path: Path, host_keys: HostKeys) -> None:
    disk, local = tmp_path / "disk", tmp_path / "model.rkllm"
    local.write_bytes(DATA)
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=True)
    try:
        (disk / "in").mkdir()
        with pytest.raises(OSError), (disk / "rest").open("wb", buffering=0) as rest:
            while True:
                rest.write(bytes(4096))
        with openssh(tmp_path / "server") as server, server.connect(host_keys) as session:
            for _ in range(2):
                with pytest.raises(RKDeckError) as caught:
                    upload(session, local, str(disk / "in/x.partial"), SHA256, reserve_bytes=-(1 << 30))
                assert caught.value.code == "remote.disk_full"
        assert list((disk / "in").iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)
