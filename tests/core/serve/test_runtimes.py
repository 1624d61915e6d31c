"""What `docs/runtime-protocol.md` asks of a runtime, asked of every one: a further program is a row of `PROGRAMS`."""

import json
import os
import secrets
import shutil
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.base.errors import RefusedError, RKDeckError
from core.base.paths import AppPaths
from core.base.runtime_protocol import ABI, StartRefusal, read_description, read_state
from core.serve import service
from core.serve.records import Runtime, Serving
from tests.support.serving import Place, place_on
from tests.support.sshd import SshServer, demo_board
from tests.support.waiting import wait_until

SUPPORT = Path(__file__).parents[2] / "support"
# Name and program; the stand-in is on the demo board already.
PROGRAMS: dict[str, Path | None] = {"stand-in": None, "echo": SUPPORT / "echo_runtime.py"}
_DEADLINE_S = 30.0


@pytest.fixture(scope="module", params=PROGRAMS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    program, folder = PROGRAMS[request.param], tmp_path_factory.mktemp("board")
    with demo_board(folder, *(("--soc", "rk3588") if program is None else ())) as server:
        if program is not None:
            place = server.home.parent / "root/usr/local/lib/rkdeck/runtimes" / request.param
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(program, place)
            place.chmod(0o755)
        yield server


@pytest.fixture
def place(server: SshServer, paths: AppPaths) -> Iterator[Place]:
    yield from place_on(server, paths)


@pytest.fixture
def runtime(place: Place) -> Runtime:
    (found,) = service.find_runtimes(place.session, place.board)
    return found


@pytest.fixture
def serving(place: Place) -> Serving:
    return service.start_serving(place.session, place.board, place.deploy("--alice's $(model)"))


def test_it_describes_itself_in_one_line(place: Place, runtime: Runtime) -> None:
    told = place.session.run([runtime.path, "describe"])
    assert told.exit_status == 0
    assert len(told.text.splitlines()) == 1
    assert len(told.text) <= 4096
    description = read_description(told.text)
    assert description is not None
    assert (description.simulated, description.abi) == (True, ABI)


def test_it_answers_whole_and_in_pieces(place: Place, serving: Serving) -> None:
    assert service.models(place.session, serving) == (serving.name,)
    prompt = "who stole the tarts of the queen of hearts"
    whole = service.ask(place.session, serving, prompt, 5)
    pieces: list[str] = []
    streamed = service.ask(place.session, serving, prompt, 5, on_text=pieces.append)
    assert "".join(pieces) == streamed.text == whole.text
    assert len(pieces) > 1
    for answer in (whole, streamed):
        assert (answer.tokens, answer.finish_reason) == (5, "length")
        assert None not in (answer.prompt_tokens, answer.ttft_ms, answer.tokens_per_s)
    logged = service.ask(place.session, serving, prompt, 3, top_logprobs=2)
    assert logged.logprobs is not None
    assert [len(entry.top) for entry in logged.logprobs] == [2, 2, 2]
    now = service.current_serving(place.session, place.board)
    assert now is not None
    assert (now.ttft_ms, now.tokens_per_s) == (logged.ttft_ms, logged.tokens_per_s)


def test_it_refuses_in_words(place: Place, serving: Serving) -> None:
    with pytest.raises(RefusedError) as refused:
        service.ask(place.session, serving, "fox " * 5000)
    assert refused.value.code == "serve.request_refused"
    assert refused.value.facts["reason"]
    (place.run_folder / "token").write_text(secrets.token_urlsafe(32) + "\n")
    with pytest.raises(RKDeckError, match=r"serve\.unauthorized"):
        service.models(place.session, serving)
    with pytest.raises(RKDeckError, match=r"serve\.unauthorized"):
        service.ask(place.session, serving, "hello")


def test_what_it_writes_is_private_and_tells_no_token(place: Place, serving: Serving) -> None:
    service.ask(place.session, serving, "hello", 2)
    token = (place.run_folder / "token").read_text().strip()
    assert stat.S_IMODE((place.run_folder / "state.json").stat().st_mode) == 0o600
    process = psutil.Process(serving.pid)
    texts = [*process.cmdline(), str(process.environ())]
    texts += [(place.run_folder / name).read_text() for name in ("log.txt", "state.json")]
    assert not [text for text in texts if token in text]
    listening = [one.laddr for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    assert [(address.ip, address.port) for address in listening] == [("127.0.0.1", serving.port)]


def test_a_hang_up_is_no_end_and_a_request_to_end_is(place: Place, serving: Serving) -> None:
    os.kill(serving.pid, signal.SIGHUP)
    assert service.ask(place.session, serving, "hello", 1).tokens == 1
    os.kill(serving.pid, signal.SIGTERM)
    wait_until(lambda: not (place.run_folder / "state.json").exists(), 5.0, "the state file stays")
    wait_until(lambda: service.current_serving(place.session, place.board) is None, 5.0, "it goes on")
    again = service.start_serving(place.session, place.board, place.deploy("bob"))
    assert service.stop_serving(place.session, place.board) == again


def test_how_it_ends_says_why(place: Place, runtime: Runtime, tmp_path: Path) -> None:
    state, model = tmp_path / "state.json", place.deploy("alice").path
    given = [
        runtime.path,
        "serve",
        "--model",
        model,
        "--token-stdin",
        "--state-file",
        str(state),
        "--title=m",
    ]
    assert place.session.run([*given, "--no-such-option"], stdin=b"token\n").exit_status == 2
    refused = place.session.run([*given, "--max-context", "1000000"], stdin=b"token\n")
    assert refused.exit_status == 1
    why = read_state(json.dumps(json.loads(state.read_text())))
    assert isinstance(why, StartRefusal)
    assert "1000000" in str(why.message)
