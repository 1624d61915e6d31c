"""A runtime that answers without end is left: the whole of an answer has a time and a size, whatever form it takes."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from core.base.errors import RKDeckError
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from core.serve import tunnel
from core.serve.tunnel import ChatTunnel
from tests.support.remote_fixtures import host_keys
from tests.support.sshd import openssh

__all__ = ["host_keys"]

SILENCE_S, WHOLE_S, SLACK_S = 1.0, 2.0, 30.0
OK = b"HTTP/1.1 200 OK\r\n"
# What comes first, what comes again and again, and the pause before each.
ANSWERS = {
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, 0.0),
    "slow headers": (b"", b"H", 0.1),
    "a slow body": (OK + b"\r\n", b" ", 0.1),
    "comments in a stream": (OK + b"\r\n", b": still here\n", 0.1),
    "trailers": (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * 1000, 0.0),
}


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshSession]:
    folder = tmp_path_factory.mktemp("endless")
    with openssh(folder / "server") as server, server.connect(HostKeys(folder / "known")) as connected:
        yield connected


@contextlib.contextmanager
def runtime(first: bytes, again: bytes, pause_s: float) -> Iterator[int]:
    """A port on which one question is answered for as long as somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            link, _ = server.accept()
            with link, contextlib.suppress(OSError):
                link.recv(1 << 16)
                link.sendall(first)
                while again:
                    link.sendall(again)
                    time.sleep(pause_s)
                link.recv(1)  # silence, until who asked has left

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        thread.join(SLACK_S)
        assert not thread.is_alive()


def ask(session: SshSession, port: int, *, streamed: bool) -> RKDeckError:
    with ChatTunnel(session, port, "x", SILENCE_S, WHOLE_S) as asked, pytest.raises(RKDeckError) as caught:
        list(asked.stream("/v1", {})) if streamed else asked.call("GET", "/v1/models")
    return caught.value


@pytest.mark.timeout(60)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("how", ANSWERS)
def test_an_answer_without_end_ends_at_its_time(session: SshSession, how: str, streamed: bool) -> None:
    with runtime(*ANSWERS[how]) as port:
        error = ask(session, port, streamed=streamed)
    assert (error.code, error.facts["seconds"]) == ("serve.no_end", WHOLE_S)


@pytest.mark.timeout(60)
def test_what_stands_around_an_answer_is_bounded_too(
    session: SshSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnel, "_MAX_RAW_BYTES", 1 << 16)
    with runtime(*ANSWERS["trailers"]) as port:
        assert ask(session, port, streamed=False).code == "serve.bad_answer"


@pytest.mark.timeout(60)
def test_silence_is_told_as_such(session: SshSession) -> None:
    with runtime(OK, b"", 0.0) as port:
        assert ask(session, port, streamed=False).code == "serve.no_answer"
