"""What a demo board runs, when the connection breaks at an odd moment."""

import subprocess
import threading
from types import SimpleNamespace
from typing import cast

import paramiko
import pytest

from core.demo.board.processes import _Attached


@pytest.mark.parametrize("broken", [EOFError, OSError])
def test_a_connection_that_breaks_while_it_is_read_hangs_up_as_sshd_does(broken: type[Exception]) -> None:
    def recv(_: int) -> bytes:
        raise broken

    closed = threading.Event()
    closed.set()
    channel = cast("paramiko.Channel", SimpleNamespace(recv=recv, status_event=closed))
    with subprocess.Popen(["sleep", "100"], stdin=subprocess.PIPE, start_new_session=True) as process:
        try:
            _Attached(channel, process, lambda: None, set())._feed()
            assert process.wait(30) == -1
        finally:
            process.kill()
