"""The stand-in runtime as its own process: what it computes, what it refuses, when it ends."""

import contextlib
import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from core.demo.board.state import BUSY_FOLDER, BoardState
from core.demo.runtime.install import install_runtime
from tests.support.tiny_model import write_tiny_model
from tests.support.waiting import wait_until

_TOKEN = "correct-horse"
_DEADLINE_S = 30.0


@dataclass
class Runtime:
    """A running runtime."""

    process: subprocess.Popen[bytes]
    root: Path
    state_file: Path
    log_file: Path
    life: int
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def log(self) -> list[str]:
        return self.log_file.read_text().splitlines()

    @property
    def busy(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            (self.root / BUSY_FOLDER / f"npu-busy-{self.process.pid}.json").read_text()
        )
        return found

    @contextlib.contextmanager
    def request(
        self, method: str, path: str, body: object = None, token: str | None = _TOKEN
    ) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.state["port"], timeout=_DEADLINE_S)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        with contextlib.closing(connection):
            connection.request(method, path, body=data, headers=headers)
            with connection.getresponse() as response:
                yield response

    def json(
        self, method: str, path: str, body: object = None, token: str | None = _TOKEN
    ) -> tuple[int, Any]:
        with self.request(method, path, body, token) as response:
            return response.status, json.loads(response.read())

    def chat(self, prompt: str, **options: object) -> dict[str, Any]:
        body = {"messages": [{"role": "user", "content": prompt}], "max_tokens": 8, **options}
        status, answer = self.json("POST", "/v1/chat/completions", body)
        assert status == 200, answer
        found: dict[str, Any] = answer
        return found

    def events(self, prompt: str, **options: object) -> list[Any]:
        body = {"messages": [{"role": "user", "content": prompt}], "max_tokens": 8, "stream": True, **options}
        with self.request("POST", "/v1/chat/completions", body) as response:
            assert response.status == 200
            lines = [line for line in response.read().split(b"\n") if line.startswith(b"data: ")]
        assert lines[-1] == b"data: [DONE]"
        return [json.loads(line.removeprefix(b"data: ")) for line in lines[:-1]]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("board with a blank's name") / "root"
    BoardState(root)
    install_runtime(root)
    return root


@contextlib.contextmanager
def _started(board: Path, model: Path, folder: Path, *options: str, ready: bool = True) -> Iterator[Runtime]:
    launcher = board / "usr/local/lib/rkdeck/runtimes/rkllm-runtime-simulated"
    state_file, log_file = folder / "state.json", folder / "log.txt"
    read_end, write_end = os.pipe()
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [launcher, "serve", "--model", model, "--token-stdin", "--state-file", state_file, *options],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=(read_end,),
            env={"PATH": os.environ["PATH"], "RKDECK_BOARD_FD": str(read_end)},
            cwd=folder,
        )
    os.close(read_end)
    runtime = Runtime(process, board, state_file, log_file, write_end)
    try:
        assert process.stdin is not None
        with process.stdin:
            process.stdin.write(f"{_TOKEN}\n".encode())
        if ready:
            wait_until(lambda: state_file.exists() or process.poll() is not None, _DEADLINE_S, "not ready")
            assert process.poll() is None, runtime.log
            runtime.state = json.loads(state_file.read_text())
        yield runtime
    finally:
        process.kill()
        process.wait()
        with contextlib.suppress(OSError):
            os.close(runtime.life)


@pytest.fixture(scope="module")
def runtime(board: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("run")
    with _started(board, write_tiny_model(folder / "tiny.rkllm"), folder) as running:
        yield running


def test_it_describes_itself(board: Path) -> None:
    launcher = board / "usr/local/lib/rkdeck/runtimes/rkllm-runtime-simulated"
    done = subprocess.run([launcher, "describe"], capture_output=True, check=True, cwd="/")
    facts = json.loads(done.stdout)
    assert facts["name"] == "rkllm-runtime-simulated"
    assert facts["simulated"] is True
    assert [path.name for path in launcher.parent.iterdir()] == [launcher.name]


def test_it_logs_as_the_real_one_and_says_that_it_is_not(runtime: Runtime) -> None:
    log = runtime.log
    assert log[0].startswith("SIMULATED: ")
    assert log[1] == (
        "I rkllm: rkllm-runtime version: 1.3.0+simulated, rknpu driver version: 0.9.8, platform: RK3588"
    )
    assert log[2].startswith("I rkllm: loading rkllm model from /")
    assert log[3] == (
        "I rkllm: rkllm-toolkit version: 1.3.0+simulated, max_context_limit: 256, npu_core_num: 3, "
        "target_platform: RK3588, model_dtype: W8A8"
    )
    assert log[4] == "rkllm init success"
    assert _TOKEN not in "".join(log)


def test_state_file_is_private_and_holds_no_secret(runtime: Runtime) -> None:
    assert stat.S_IMODE(runtime.state_file.stat().st_mode) == 0o600
    text = runtime.state_file.read_text()
    assert _TOKEN not in text
    assert runtime.state["pid"] == runtime.process.pid
    assert runtime.state["model"] == "tiny"
    assert runtime.state["simulated"] is True
    assert len(runtime.state["sha256"]) == 64
    assert runtime.state["started_uptime_s"] >= 60


def test_the_token_is_nowhere_in_the_process(runtime: Runtime) -> None:
    for name in ("cmdline", "environ"):
        assert _TOKEN.encode() not in Path(f"/proc/{runtime.process.pid}/{name}").read_bytes()


@pytest.mark.parametrize("token", [None, "", "wrong", _TOKEN + "x", _TOKEN[:-1]])
@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions", "/"])
def test_without_the_token_nothing_is_told(runtime: Runtime, token: str | None, path: str) -> None:
    for method in ("GET", "POST"):
        status, answer = runtime.json(method, path, {} if method == "POST" else None, token)
        assert status == 401
        assert set(answer) == {"error"}


def test_it_lists_its_model(runtime: Runtime) -> None:
    status, answer = runtime.json("GET", "/v1/models")
    assert status == 200
    assert [entry["id"] for entry in answer["data"]] == ["tiny"]


def test_it_listens_on_loopback_only(runtime: Runtime) -> None:
    port = f":{runtime.state['port']:04X} "
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if port in line]
    assert "0100007F" in {address.partition(":")[0] for address in listening}
    assert "00000000" not in {address.partition(":")[0] for address in listening}


def test_the_same_question_has_the_same_answer_and_another_one_another(runtime: Runtime) -> None:
    first, again, other = (runtime.chat(prompt) for prompt in ("hello", "hello", "good bye then"))
    text = first["choices"][0]["message"]["content"]
    assert text
    assert again["choices"][0]["message"]["content"] == text
    assert other["choices"][0]["message"]["content"] != text
    assert first["usage"]["completion_tokens"] == 8
    assert first["choices"][0]["finish_reason"] == "length"
    assert first["rkdeck"]["ttft_ms"] > 0
    assert first["rkdeck"]["tokens_per_s"] > 0
    state = json.loads(runtime.state_file.read_text())
    assert state["last"]["tokens_per_s"] == other["rkdeck"]["tokens_per_s"]


@pytest.mark.parametrize("count", [1, 7, 40])
def test_stream_equals_the_whole_answer(runtime: Runtime, count: int) -> None:
    whole = runtime.chat("once upon", max_tokens=count, logprobs=True, top_logprobs=3)
    events = runtime.events("once upon", max_tokens=count, logprobs=True, top_logprobs=3)
    text = "".join(event["choices"][0]["delta"].get("content", "") for event in events)
    assert text == whole["choices"][0]["message"]["content"]
    assert events[0]["choices"][0]["delta"]["role"] == "assistant"
    assert events[-1]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert events[-1]["usage"] == whole["usage"]
    entries = [
        entry for event in events for entry in (event["choices"][0]["logprobs"] or {"content": []})["content"]
    ]
    assert entries == whole["choices"][0]["logprobs"]["content"]
    assert len(entries) == count
    for entry in entries:
        assert entry["logprob"] == max(other["logprob"] for other in entry["top_logprobs"])
        assert len(entry["top_logprobs"]) == 3


def test_who_has_an_answer_may_ask_again_at_once(runtime: Runtime) -> None:
    for _ in range(40):
        assert runtime.chat("tell", max_tokens=1)["choices"]


def test_chance_needs_a_temperature_and_follows_its_seed(runtime: Runtime) -> None:
    def text(**options: object) -> str:
        answer = runtime.chat("tell", max_tokens=20, **options)
        return str(answer["choices"][0]["message"]["content"])

    assert text(seed=1) == text(seed=2)
    assert text(temperature=1.5, seed=1) == text(temperature=1.5, seed=1)
    assert text(temperature=1.5, seed=1) != text(temperature=1.5, seed=2)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "not JSON"),
        (b"[]", 400, "not a JSON object"),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "user"}]}, 400, "role and a content"),
        ({"messages": [{"role": "user", "content": "x"}], "max_tokens": 0}, 400, "max_tokens"),
        ({"messages": [{"role": "user", "content": "x"}], "temperature": "hot"}, 400, "temperature"),
        ({"messages": [{"role": "user", "content": "x"}], "top_logprobs": 1000}, 400, "top_logprobs"),
        (
            {"messages": [{"role": "user", "content": "fox " * 400}]},
            400,
            "the length of prompt is greater than max context",
        ),
    ],
)
def test_bad_requests_are_answered_in_words(runtime: Runtime, body: object, status: int, words: str) -> None:
    found, answer = runtime.json("POST", "/v1/chat/completions", body)
    assert found == status
    assert words in answer["error"]["message"]
    assert runtime.chat("still there?")["choices"]


@pytest.mark.parametrize("length", ["", "-1", "1e9", "99999999999", "0" * 20 + "9" * 20])
def test_bad_lengths_are_refused(runtime: Runtime, length: str) -> None:
    with socket.create_connection(("127.0.0.1", runtime.state["port"]), timeout=_DEADLINE_S) as link:
        link.sendall(
            f"POST /v1/chat/completions HTTP/1.1\r\nAuthorization: Bearer {_TOKEN}\r\n"
            f"Content-Length: {length}\r\n\r\n".encode()
        )
        assert link.recv(12) == b"HTTP/1.1 400"


def test_a_large_unwanted_body_gets_its_answer(runtime: Runtime) -> None:
    status, _ = runtime.json("POST", "/v1/chat/completions", b"x" * (2 << 20), "wrong")
    assert status == 401


def test_an_answer_ends_with_the_context(runtime: Runtime) -> None:
    answer = runtime.chat("hello", max_tokens=100_000)
    assert answer["usage"]["total_tokens"] == 256
    assert answer["choices"][0]["finish_reason"] == "length"


def test_dtypes_give_different_numbers(board: Path, tmp_path: Path) -> None:
    found = {}
    for dtype in ("fp16_rkllm", "w8a8", "w4a16", "w4a16_g32"):
        folder = tmp_path / dtype
        folder.mkdir()
        with _started(board, write_tiny_model(folder / "m.rkllm", dtype), folder) as running:
            answer = running.chat("hello", max_tokens=1, logprobs=True, top_logprobs=20)
            content = answer["choices"][0]["logprobs"]["content"][0]
            found[dtype] = tuple(entry["logprob"] for entry in content["top_logprobs"])
    assert len(set(found.values())) == 4
    worse = max(abs(a - b) for a, b in zip(found["fp16_rkllm"], found["w4a16"], strict=True))
    close = max(abs(a - b) for a, b in zip(found["fp16_rkllm"], found["w8a8"], strict=True))
    assert close < worse


def _refused(board: Path, model: Path, folder: Path, *options: str) -> dict[str, Any]:
    with _started(board, model, folder, *options, ready=False) as running:
        status = running.process.wait(_DEADLINE_S)
        assert status not in {0, None}
        error: dict[str, Any] = json.loads(running.state_file.read_text())["error"]
        assert f"E rkllm: {error['message']}" in running.log
        assert "rkllm init failed" in running.log
    assert not list((board / BUSY_FOLDER).glob(f"*-{running.process.pid}.json"))
    return error


@pytest.mark.parametrize("place", [0.0, 0.01, 0.3, 0.6, 0.95, 0.9999])
def test_a_flipped_byte_is_refused(board: Path, tmp_path: Path, place: float) -> None:
    path = write_tiny_model(tmp_path / "m.rkllm")
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 0x10
    path.write_bytes(data)
    error = _refused(board, path, tmp_path)
    assert "invalid rkllm model!" in error["message"]
    if 0.01 <= place <= 0.95:
        assert error["code"] == "container.digest"


def test_models_that_do_not_fit_are_refused(board: Path, tmp_path: Path) -> None:
    other = write_tiny_model(tmp_path / "other.rkllm", platform="rk3576")
    assert "target_platform does not match" in _refused(board, other, tmp_path)["message"]
    good = write_tiny_model(tmp_path / "good.rkllm")
    error = _refused(board, good, tmp_path, "--max-context", "512")
    assert error["message"] == "max_context[512] must be less than the model's max_context_limit[256]"
    strange = write_tiny_model(tmp_path / "strange.rkllm", npu_cores="many")
    assert _refused(board, strange, tmp_path)["code"] == "content"
    assert _refused(board, tmp_path / "absent.rkllm", tmp_path)["code"] == "unreadable"
    (tmp_path / "text.rkllm").write_text("hello")
    assert _refused(board, tmp_path / "text.rkllm", tmp_path)["code"] == "container.not_simulated"


def test_an_unknown_platform_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    install_runtime(root)
    error = _refused(root, write_tiny_model(tmp_path / "m.rkllm"), tmp_path)
    assert error["message"] == "Query platform error!"


def test_a_smaller_context_holds(board: Path, tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "m.rkllm")
    with _started(board, model, tmp_path, "--max-context", "32") as running:
        assert running.state["max_context"] == 32
        assert running.chat("hello", max_tokens=999)["usage"]["total_tokens"] == 32


def test_it_answers_one_request_at_a_time(board: Path, tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "m.rkllm", hidden=256, layers=6, context=2048)
    with _started(board, model, tmp_path) as running:
        body = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 2000, "stream": True}
        with running.request("POST", "/v1/chat/completions", body) as first:
            assert first.readline().startswith(b"data: ")
            status, answer = running.json(
                "POST", "/v1/chat/completions", {"messages": [{"role": "user", "content": "y"}]}
            )
            assert status == 503
            assert "busy" in answer["error"]["message"]
        # The first client has left in the middle: its answer is dropped, and the next one is served.
        wait_until(lambda: running.busy["since_s"] is None, _DEADLINE_S, "still computing")

        def served() -> bool:
            body = {"messages": [{"role": "user", "content": "y"}], "max_tokens": 1}
            return running.json("POST", "/v1/chat/completions", body)[0] == 200

        wait_until(served, _DEADLINE_S, "the runtime stays busy for a client that left")


def test_busy_time_moves_only_while_computing(runtime: Runtime) -> None:
    before = runtime.busy
    assert runtime.busy == before
    runtime.json("GET", "/v1/models")
    assert runtime.busy == before
    began = time.monotonic()
    runtime.chat("hello", max_tokens=50)
    elapsed_s = time.monotonic() - began
    after = runtime.busy
    assert after["since_s"] is None
    used_s = after["busy_s"][0] - before["busy_s"][0]
    assert 0 < used_s <= elapsed_s
    assert after["jobs"][0] - before["jobs"][0] == 50 * 2  # 1 prefill and 49 steps through 2 layers
    assert after["busy_s"] == [after["busy_s"][0]] * 3


def test_sigterm_takes_state_and_report_away(board: Path, tmp_path: Path) -> None:
    with _started(board, write_tiny_model(tmp_path / "m.rkllm"), tmp_path) as running:
        report = board / BUSY_FOLDER / f"npu-busy-{running.process.pid}.json"
        assert report.exists()
        running.process.send_signal(signal.SIGHUP)
        assert running.chat("a hang-up is no reason to go")["choices"]
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(_DEADLINE_S) == 0
        assert not running.state_file.exists()
        assert not report.exists()


def test_it_dies_with_its_board_even_while_computing(board: Path, tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "m.rkllm", hidden=256, layers=6, context=4096)
    with _started(board, model, tmp_path) as running:
        body = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 4000, "stream": True}
        with running.request("POST", "/v1/chat/completions", body) as response:
            response.readline()
            os.close(running.life)
            running.process.wait(_DEADLINE_S)
        assert not running.state_file.exists()


def test_without_a_token_it_does_not_start(board: Path, tmp_path: Path) -> None:
    launcher = board / "usr/local/lib/rkdeck/runtimes/rkllm-runtime-simulated"
    model = write_tiny_model(tmp_path / "m.rkllm")
    command = [str(launcher), "serve", "--model", str(model), "--token-stdin"]
    command += ["--state-file", str(tmp_path / "s.json")]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == 1
    assert json.loads((tmp_path / "s.json").read_text())["error"]["code"] == "no_token"


def test_the_program_is_a_copy_that_needs_no_checkout(board: Path, tmp_path: Path) -> None:
    program = board / "usr/local/lib/rkdeck/rkllm-runtime-simulated"
    files = {str(path.relative_to(program)) for path in program.rglob("*.py")}
    assert {"main.py", "core/demo/runtime/main.py", "core/demo/container.py"} <= files
    # Of what RKDeck itself stands on, only the protocol and what that needs comes along.
    base = {name.rpartition("/")[2] for name in files if name.startswith("core/base/")}
    assert base == {
        "__init__.py",
        "blot.py",
        "errors.py",
        "foreign.py",
        "names.py",
        "runtime_protocol.py",
        "_render.py",
    }
    assert not any("board_state" in name for name in files)
