"""Serving and asking as a front end uses it, called off at every point; over both kinds of SSH server."""

import shlex
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from core.base.errors import CancelledError, RefusedError, RKDeckError, UsageError
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.base.tasks import CancelToken
from core.demo.runtime.install import install_runtime
from core.serve.records import Serving, state_file
from core.services import Services
from core.usecases import boards
from core.usecases import serving as use
from tests.support.boards import add_alice
from tests.support.sshd import SERVERS, SshServer, demo_board
from tests.support.waiting import wait_until

# The model goes on until it may not any more: so long an answer takes 9 s on an idle machine, and longer on a busy one.
LONG = 2000
CALLED_OFF_S = 4.0
HELLO = ({"role": "user", "content": "hello"},)


_LISTENER = """
import json, os, socket, sys, time
s = socket.create_server(("127.0.0.1", 0))
ticks = int(open("/proc/self/stat").read().rpartition(")")[2].split()[19])
state = {"pid": os.getpid(), "port": s.getsockname()[1], "start_ticks": ticks, "model": "m", "simulated": True}
open(sys.argv[1] + ".new", "w").write(json.dumps(state))
os.rename(sys.argv[1] + ".new", sys.argv[1])
c, _ = s.accept()
c.recv(65536)
open(sys.argv[1] + ".asked", "w").close()
"""
# Three words and the end, in one go: the asker has them all before it hears the first.
_AT_ONCE = r"""
head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
word = b'data: {"choices": [{"delta": {"content": "word"}, "finish_reason": "stop"}]}\n\n'
c.sendall(head + 3 * word + b"data: [DONE]\n\n")
time.sleep(600)
"""


@dataclass(frozen=True)
class Desk:
    """A board called "desk" where "alice" is deployed."""

    services: Services
    root: Path

    def runtime(self, script: str) -> None:
        """Replace the runtime by one that behaves as `script` says; `$state` is its state file."""
        folder = self.root / "usr/local/lib/rkdeck/runtimes"
        for path in folder.iterdir():
            path.unlink()
        about = '{"name": "odd", "version": "1", "simulated": true, "abi": 1}'
        path = folder / "odd"
        path.write_text(
            f"#!/bin/sh\nif [ \"$1\" = describe ]; then echo '{about}'; exit; fi\n"
            f'while [ $# -gt 1 ]; do [ "$1" = --state-file ] && state=$2; shift; done\n{script}\n'
        )
        path.chmod(0o755)

    def listener(self, after_question: str) -> Serving:
        """Serve by a program that takes one question and goes on as `after_question` says, with `c` the socket."""
        program = self.root / "listener.py"
        program.write_text(_LISTENER + after_question)
        self.runtime(f'exec {shlex.quote(sys.executable)} -I {program} "$state"')
        return use.serve(self.services, "desk", "alice")

    def answer(self, tokens: int = 2) -> str:
        return use.ask(self.services, "desk", HELLO, max_tokens=tokens).text


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with demo_board(tmp_path_factory.mktemp("demo"), "--soc", "rk3588") as server:
        yield server


@pytest.fixture(scope="module", params=["demo", "openssh"])
def each_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SshServer]:
    with SERVERS[request.param](tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def desk(each_server: SshServer, paths: AppPaths, tmp_path: Path) -> Iterator[Desk]:
    yield from _desk(each_server, paths, tmp_path)


@pytest.fixture
def demo_desk(demo: SshServer, paths: AppPaths, tmp_path: Path) -> Iterator[Desk]:
    yield from _desk(demo, paths, tmp_path)


def _desk(server: SshServer, paths: AppPaths, tmp_path: Path) -> Iterator[Desk]:
    """Each test has a sysroot, a store and a runtime of its own on the module's server."""
    with Services(paths, Settings()) as services:
        root = add_alice(services, server, tmp_path, hidden=256, layers=6)
        try:
            yield Desk(services, root)
        finally:
            use.stop(services, "desk")


def test_from_serving_to_stopping(desk: Desk) -> None:
    services = desk.services
    with pytest.raises(RKDeckError, match=r"serve\.nothing_served"):
        use.ask(services, "desk", HELLO)
    waits: list[float] = []
    serving = use.serve(services, "desk", "alice", cancel=CancelToken(), on_wait=waits.append)
    assert (serving.board, serving.name, serving.simulated) == ("desk", "alice", True)
    assert waits == sorted(waits)
    pieces: list[str] = []
    answer = use.ask(services, "desk", HELLO, max_tokens=8, on_text=pieces.append, cancel=CancelToken())
    assert "".join(pieces) == answer.text
    assert (answer.tokens, answer.finish_reason) == (8, "length")
    assert answer.tokens_per_s is not None
    assert use.ask(services, "desk", HELLO, max_tokens=8).text == answer.text
    with pytest.raises(RefusedError, match=r"serve\.already_serving"):
        use.serve(services, "desk", "alice")
    stopped = use.stop(services, "desk")
    assert stopped is not None
    assert (stopped.pid, stopped.name) == (serving.pid, "alice")
    assert use.stop(services, "desk") is None


def test_the_whole_conversation_counts(demo_desk: Desk) -> None:
    use.serve(demo_desk.services, "desk", "alice")
    talk = [
        {"role": "system", "content": "fox"},
        {"role": "user", "content": "the quick brown"},
        {"role": "assistant", "content": "dog"},
        {"role": "user", "content": "hello"},
    ]
    short = use.ask(demo_desk.services, "desk", talk[3:], max_tokens=4)
    long = use.ask(demo_desk.services, "desk", talk, max_tokens=4)
    assert short.prompt_tokens is not None
    assert long.prompt_tokens is not None
    assert long.prompt_tokens > short.prompt_tokens
    serving, logged = use.converse(demo_desk.services, "desk", talk, max_tokens=3, top_logprobs=2)
    assert serving.name == "alice"
    assert logged.logprobs is not None
    assert [len(entry.top) for entry in logged.logprobs] == [2, 2, 2]


def test_what_is_not_deployed_is_not_served(demo_desk: Desk) -> None:
    with pytest.raises(UsageError) as refused:
        use.serve(demo_desk.services, "desk", "bob")
    assert refused.value.code == "deploy.unknown_deployment"
    assert refused.value.facts["known"] == "alice"


@pytest.mark.parametrize("streamed", [True, False])
def test_an_answer_is_called_off_at_once_and_the_runtime_is_free_again(desk: Desk, streamed: bool) -> None:
    runtime = psutil.Process(use.serve(desk.services, "desk", "alice").pid)
    token, pieces = CancelToken(), list[str]()
    worked_s = sum(runtime.cpu_times()[:2])
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(
            use.ask, desk.services, "desk", HELLO, max_tokens=LONG, cancel=token,
            on_text=pieces.append if streamed else None,
        )  # fmt: skip
        wait_until(
            lambda: pieces if streamed else sum(runtime.cpu_times()[:2]) > worked_s + 0.1,
            what="the answer never began",
        )
        began = time.monotonic()
        token.cancel()
        with pytest.raises(CancelledError, match=r"base\.cancelled"):
            asking.result(CALLED_OFF_S)
    heard = len(pieces)
    assert heard < LONG
    still_s = max(0.1, CALLED_OFF_S - (time.monotonic() - began))
    wait_until(lambda: not _is_busy(desk), still_s, "the runtime still works on what nobody wants")
    assert desk.answer()
    assert len(pieces) == heard


def _is_busy(desk: Desk) -> bool:
    try:
        desk.answer(1)
    except RKDeckError as error:
        return error.code == "serve.busy"
    return False


@pytest.mark.parametrize("at", [1, 2, 3])
def test_nothing_is_heard_after_it_was_called_off(demo_desk: Desk, at: int) -> None:
    """Not even what had arrived already; and at the last word, the answer is called off as well."""
    demo_desk.listener(_AT_ONCE)
    token, pieces = CancelToken(), list[str]()

    def hear(text: str) -> None:
        pieces.append(text)
        if len(pieces) == at:
            token.cancel()

    with pytest.raises(CancelledError, match=r"base\.cancelled"):
        use.ask(demo_desk.services, "desk", HELLO, on_text=hear, cancel=token)
    assert len(pieces) == at


def test_a_silent_runtime_is_left_at_once(demo_desk: Desk) -> None:
    """One that takes the question and says nothing: the wait itself must end."""
    asked = Path(demo_desk.listener("time.sleep(600)\n").state_file + ".asked")
    token = CancelToken()
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(use.ask, demo_desk.services, "desk", HELLO, cancel=token)
        wait_until(asked.exists)
        began = time.monotonic()
        token.cancel()
        with pytest.raises(CancelledError, match=r"base\.cancelled"):
            asking.result(10)
        assert time.monotonic() - began < 1


_TRICKLE = r"""
c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
for _ in range(400):
    c.sendall(b": still here\n\n")
    time.sleep(0.05)
"""


def test_a_runtime_that_only_keeps_the_line_open_is_left_when_it_is_called_off(demo_desk: Desk) -> None:
    asked = Path(demo_desk.listener(_TRICKLE).state_file + ".asked")
    token, heard = CancelToken(), list[str]()
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(use.ask, demo_desk.services, "desk", HELLO, on_text=heard.append, cancel=token)
        wait_until(asked.exists)
        token.cancel()
        with pytest.raises(CancelledError, match=r"base\.cancelled"):
            asking.result(10)
    assert heard == []


@pytest.mark.parametrize("what", ["serve", "ask"])
def test_what_was_called_off_before_does_not_begin(demo_desk: Desk, what: str) -> None:
    token = CancelToken()
    token.cancel()
    calls: dict[str, Callable[[], object]] = {
        "serve": lambda: use.serve(demo_desk.services, "desk", "alice", cancel=token),
        "ask": lambda: use.ask(demo_desk.services, "desk", HELLO, cancel=token),
    }
    with pytest.raises(CancelledError, match=r"base\.cancelled"):
        calls[what]()
    assert boards.refresh_board(demo_desk.services, "desk").serving is None


def test_a_start_is_called_off_while_the_model_loads(desk: Desk) -> None:
    desk.runtime(f"echo $$ >{desk.root}/started\nexec sleep 600")
    token = CancelToken()
    began = 0.0

    def waiting(_seconds: float) -> None:
        nonlocal began
        began = began or time.monotonic()
        token.cancel()

    with pytest.raises(CancelledError, match=r"base\.cancelled"):
        use.serve(desk.services, "desk", "alice", cancel=token, on_wait=waiting)
    assert time.monotonic() - began < 3
    pid = int((desk.root / "started").read_text())
    wait_until(lambda: not _alive(pid), what="the runtime still runs")
    assert boards.refresh_board(desk.services, "desk").serving is None
    install_runtime(desk.root)
    (desk.root / "usr/local/lib/rkdeck/runtimes/odd").unlink()
    assert use.serve(desk.services, "desk", "alice").name == "alice"


def test_a_start_that_is_called_off_as_it_becomes_ready_is_stopped(demo_desk: Desk) -> None:
    token, store = CancelToken(), demo_desk.services.boards.get("desk").store
    assert store is not None

    def waiting(_seconds: float) -> None:
        wait_until(Path(state_file(store)).exists)
        token.cancel()

    with pytest.raises(CancelledError, match=r"base\.cancelled"):
        use.serve(demo_desk.services, "desk", "alice", cancel=token, on_wait=waiting)
    assert token.is_cancelled
    assert boards.refresh_board(demo_desk.services, "desk").serving is None
    assert use.serve(demo_desk.services, "desk", "alice").name == "alice"


def test_errors_of_a_call_that_was_not_called_off_stay_what_they_are(demo_desk: Desk) -> None:
    use.serve(demo_desk.services, "desk", "alice")
    with pytest.raises(RefusedError, match=r"serve\.request_refused"):
        use.ask(
            demo_desk.services, "desk", [{"role": "user", "content": "fox " * 5000}], cancel=CancelToken()
        )

    def fail(_text: str) -> None:
        raise LookupError("the front end's own")

    with pytest.raises(LookupError):
        use.ask(demo_desk.services, "desk", HELLO, on_text=fail, cancel=CancelToken())
    wait_until(lambda: not _is_busy(demo_desk), 30)


def test_the_token_of_an_answer_that_is_over_closes_nothing(demo_desk: Desk) -> None:
    use.serve(demo_desk.services, "desk", "alice")
    token = CancelToken()
    threads = threading.active_count()
    assert use.ask(demo_desk.services, "desk", HELLO, max_tokens=2, cancel=token).tokens == 2
    token.cancel()
    assert threading.active_count() <= threads


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
