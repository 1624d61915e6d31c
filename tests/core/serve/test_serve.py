"""Serving over SSH: start, ask, watch, stop on the demo board; and every way in which a runtime can fail."""

import json
import os
import signal
import stat
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from core.base.errors import CancelledError, RefusedError, RKDeckError
from core.base.log import redact
from core.base.paths import AppPaths
from core.base.runtime_protocol import ABI
from core.monitor.sample import BoardSample
from core.monitor.sampler import BoardSampler
from core.remote.hostkeys import HostKeys
from core.serve import service
from core.serve.records import Serving
from core.serve.scripts import STATUS, STOP
from core.serve.status import read_status
from core.vendor.kinds import model_kinds
from core.words import word
from tests.support.serving import HostBoard, Place
from tests.support.sshd import demo_board
from tests.support.waiting import wait_until

_DEADLINE_S = 30.0
# Where `str.splitlines` ends a line and no script does.
ODD_ENDS = ["\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


def _alive(pid: int) -> bool:
    """Whether the process runs; a zombie waits for whoever is process 1 here."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_from_start_to_stop(place: Place) -> None:
    deployment = replace(place.deploy("alice"), name="--alice's $(model)")
    assert service.current_serving(place.session, place.board) is None
    serving = service.start_serving(place.session, place.board, deployment)
    assert (serving.name, serving.model, serving.dtype) == (deployment.name, deployment.name, "w8a8")
    assert serving.simulated
    assert service.current_serving(place.session, place.board) == serving
    assert service.models(place.session, serving) == (deployment.name,)
    answer = service.ask(place.session, serving, "hello", 12)
    assert answer.tokens == 12
    assert answer.ttft_ms is not None
    assert answer.tokens_per_s is not None
    pieces: list[str] = []
    streamed = service.ask(place.session, serving, "hello", 12, on_text=pieces.append)
    assert "".join(pieces) == streamed.text == answer.text
    assert len(pieces) > 1
    logged = service.ask(place.session, serving, "hello", 3, top_logprobs=2)
    assert logged.logprobs is not None
    assert [len(entry.top) for entry in logged.logprobs] == [2, 2, 2]
    now = service.current_serving(place.session, place.board)
    assert now is not None
    assert now.tokens_per_s == logged.tokens_per_s
    stopped = service.stop_serving(place.session, place.board)
    assert stopped is not None
    assert not _alive(serving.pid)
    assert service.current_serving(place.session, place.board) is None
    assert service.stop_serving(place.session, place.board) is None
    assert sorted(path.name for path in place.run_folder.iterdir()) == ["lock", "log.txt"]
    with pytest.raises(RKDeckError, match=r"serve\.not_running"):
        service.ask(place.session, serving, "hello")


def test_the_npu_is_busy_while_it_answers_and_idle_before_and_after(place: Place) -> None:
    serving = service.start_serving(place.session, place.board, place.deploy("big", hidden=256, layers=6))
    store = place.board.store or ""
    sampler = BoardSampler(
        place.session, place.board.sysroot, board="desk", serving_file=service.state_file(store)
    )
    # The window of its first sample may hold the work of its start.
    wait_until(lambda: sampler.sample().npu_load_percent == (0, 0, 0), _DEADLINE_S, "the NPU has no rest")
    idle = sampler.sample()
    samples: list[BoardSample] = []
    stop = threading.Event()

    def talk() -> None:
        with place.connect() as session:
            while not stop.is_set():
                service.ask(session, serving, "talk to me", 100)

    speaker = threading.Thread(target=talk)
    speaker.start()

    def seen() -> bool:
        samples.append(sampler.sample())
        load = samples[-1].npu_load_percent
        return load is not None and min(load) > 20 and samples[-1].serving is not None

    try:
        wait_until(seen, _DEADLINE_S, "the NPU never became busy")
    finally:
        stop.set()
        speaker.join()
    busy = samples[-1]
    assert busy.npu_source == "debugfs"
    assert busy.npu_active_cores == (0, 1, 2)
    assert busy.missing == {}
    assert busy.serving is not None
    assert busy.serving.model == "big"
    assert [process.pid for process in busy.processes] == [serving.pid]
    assert busy.processes[0].name == "rkllm-simulated"
    assert busy.processes[0].rss_bytes
    assert busy.mem_available_bytes is not None
    assert idle.mem_total_bytes == 8 << 30
    wait_until(lambda: sampler.sample().npu_load_percent == (0, 0, 0), _DEADLINE_S, "the NPU has no rest")
    service.stop_serving(place.session, place.board)
    wait_until(lambda: sampler.sample().processes == (), _DEADLINE_S, "the stopped process is still shown")
    last = sampler.sample()
    assert last.serving is None
    assert max(last.temps_c.values()) > 38
    sampler.close()


def test_the_token_is_private_and_nowhere_else(place: Place) -> None:
    serving = service.start_serving(place.session, place.board, place.deploy("alice"))
    token_file = place.run_folder / "token"
    token = token_file.read_text().strip()
    assert len(token) >= 40
    assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.run_folder.stat().st_mode) == 0o700
    service.ask(place.session, serving, "hello", 2)
    for process in psutil.process_iter():
        try:
            text = " ".join(process.cmdline()) + str(process.environ())
        except psutil.Error:
            continue
        assert token not in text
    for name in ("log.txt", "state.json", "deployment.json"):
        assert token not in (place.run_folder / name).read_text()
    assert token not in json.dumps(serving.to_json())


def test_a_second_tenant_is_refused_and_the_first_is_named(place: Place) -> None:
    serving = service.start_serving(place.session, place.board, place.deploy("alice"))
    with pytest.raises(RefusedError) as refused:
        service.start_serving(place.session, place.board, place.deploy("bob"))
    assert refused.value.code == "serve.already_serving"
    assert refused.value.facts["model"] == "alice"
    assert service.current_serving(place.session, place.board) == serving


def test_two_starts_at_once_give_one_serving(place: Place) -> None:
    outcomes: list[Serving | RKDeckError] = []

    def start(name: str) -> None:
        with place.connect() as session:
            try:
                outcomes.append(service.start_serving(session, place.board, deployments[name]))
            except RKDeckError as error:
                outcomes.append(error)

    deployments = {name: place.deploy(name) for name in ("a", "b", "c")}
    threads = [threading.Thread(target=start, args=(name,)) for name in deployments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    servings = [outcome for outcome in outcomes if isinstance(outcome, Serving)]
    errors = [outcome.code for outcome in outcomes if isinstance(outcome, RKDeckError)]
    assert len(servings) == 1
    assert set(errors) <= {"serve.already_serving", "serve.already_starting"}
    assert service.current_serving(place.session, place.board) == servings[0]


def test_an_npu_held_by_others_is_refused_with_their_name(place: Place) -> None:
    other = Path(place.board.sysroot) / "proc/4242"
    other.mkdir(parents=True)
    (other / "maps").write_text("7f00-7f01 r-xp 0 b3:01 77 /usr/lib/librkllmrt.so\n")
    (other / "comm").write_text("rkllama_server\n")
    try:
        with pytest.raises(RefusedError) as refused:
            service.start_serving(place.session, place.board, place.deploy("alice"))
    finally:
        (other / "maps").unlink()
        (other / "comm").unlink()
        other.rmdir()
    assert refused.value.code == "serve.npu_taken"
    assert refused.value.facts == {"board": "desk", "process": "rkllama_server", "pid": 4242}


def test_a_killed_runtime_is_not_running_and_does_not_block_the_next(place: Place) -> None:
    serving = service.start_serving(place.session, place.board, place.deploy("alice"))
    os.kill(serving.pid, signal.SIGKILL)
    wait_until(
        lambda: service.current_serving(place.session, place.board) is None, _DEADLINE_S, "still running"
    )
    again = service.start_serving(place.session, place.board, place.deploy("alice"))
    assert again.pid != serving.pid
    assert service.ask(place.session, again, "hello", 1).tokens == 1


def test_it_outlives_the_connection_that_started_it(place: Place) -> None:
    with place.connect() as session:
        serving = service.start_serving(session, place.board, place.deploy("alice"))
    assert service.current_serving(place.session, place.board) == serving
    assert service.ask(place.session, serving, "hello", 1).tokens == 1


def test_a_damaged_file_is_refused_in_the_runtimes_words(place: Place) -> None:
    deployment = place.deploy("alice")
    data = bytearray(Path(deployment.path).read_bytes())
    data[len(data) // 2] ^= 1
    Path(deployment.path).write_bytes(data)
    with pytest.raises(RKDeckError) as failed:
        service.start_serving(place.session, place.board, deployment)
    assert failed.value.code == "serve.start_failed"
    assert "does not match its digest" in str(failed.value.facts["reason"])
    assert sorted(path.name for path in place.run_folder.iterdir()) == ["lock", "log.txt"]


def test_the_runtimes_refusals_reach_the_asker(place: Place) -> None:
    serving = service.start_serving(place.session, place.board, place.deploy("alice"))
    with pytest.raises(RefusedError) as refused:
        service.ask(place.session, serving, "fox " * 5000)
    assert refused.value.facts["reason"] == "the length of prompt is greater than max context"
    (place.run_folder / "token").write_text("another\n")
    with pytest.raises(RKDeckError, match=r"serve\.unauthorized"):
        service.ask(place.session, serving, "hello")


def test_a_busy_runtime_says_so(place: Place) -> None:
    serving = service.start_serving(place.session, place.board, place.deploy("big", hidden=256, layers=6))
    codes: list[str] = []

    def interrupt(_: str) -> None:
        if not codes:
            with place.connect() as session:
                try:
                    service.ask(session, serving, "me too", 1)
                except RKDeckError as error:
                    codes.append(error.code)
                else:
                    codes.append("answered")

    service.ask(place.session, serving, "talk", 60, on_text=interrupt)
    assert codes == ["serve.busy"]


def test_a_simulated_file_never_meets_a_true_runtime_nor_a_true_file_a_simulated_one(
    bare: Place, place: Place
) -> None:
    with pytest.raises(RKDeckError, match=r"serve\.no_runtime"):
        service.start_serving(bare.session, bare.board, bare.deploy("alice"))
    bare.runtime("true-runtime", "exit 0", simulated=False)
    with pytest.raises(RKDeckError, match=r"serve\.no_runtime"):
        service.start_serving(bare.session, bare.board, bare.deploy("alice"))
    with pytest.raises(RKDeckError, match=r"serve\.no_runtime"):
        service.start_serving(place.session, place.board, replace(place.deploy("alice"), simulated=False))


@pytest.mark.parametrize("abi", [ABI + 1, "rkdeck-chat-1", None])
def test_a_runtime_of_another_form_of_the_protocol_is_named_and_not_started(
    bare: Place, abi: int | str | None
) -> None:
    bare.runtime("newer", "touch started", abi=abi)
    with pytest.raises(RKDeckError) as caught:
        service.start_serving(bare.session, bare.board, bare.deploy("alice"))
    assert caught.value.code == "serve.runtime_abi"
    found = {"runtime": "newer", "version": "1", "abi": abi if isinstance(abi, int) else None, "wanted": ABI}
    assert found.items() <= caught.value.facts.items()
    assert not list(bare.run_folder.glob("started"))
    bare.runtime("older-but-fitting", 'echo \'{"error": {"message": "asked"}}\' >"$state"; exit 1')
    with pytest.raises(RKDeckError, match=r"serve\.start_failed"):
        service.start_serving(bare.session, bare.board, bare.deploy("alice"))


def test_other_things_in_the_runtimes_folder_are_passed_over(bare: Place) -> None:
    folder = bare.runtimes
    (folder / "a folder").mkdir()
    (folder / "README").write_text("text")
    for name, script in (("silent", "exit 1"), ("chatty", "yes"), ("number", "echo 5")):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    bare.runtime("good", "exit 0")
    assert [runtime.name for runtime in service.find_runtimes(bare.session, bare.board)] == ["good"]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 3", "it ended without a word"),
        (
            "echo 'I rkllm: hello'; echo 'E rkllm: Query platform error!'; echo bye; exit 1",
            "Query platform error!",
        ),
        ("echo segfault >&2; kill -9 $$", "segfault"),
        ('echo \'{"error": {"message": "no memory"}}\' >"$state"; exit 0', "no memory"),
        ("printf 'E rkllm: \\033[2J\\033[1;1Hwiped\\n'; exit 1", "\\x1b[2J"),
    ],
)
def test_a_runtime_that_fails_is_quoted(bare: Place, script: str, reason: str) -> None:
    bare.runtime("failing", script)
    with pytest.raises(RKDeckError) as failed:
        service.start_serving(bare.session, bare.board, bare.deploy("alice"))
    assert failed.value.code == "serve.start_failed"
    assert reason in word(failed.value)[0]
    assert service.current_serving(bare.session, bare.board) is None


def test_last_words_that_come_during_the_look_are_quoted(
    bare: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = """one state state.json
[ -f looked ] || { : >looked; sleep 1; echo '{"error": {"message": "no memory"}}' >state.json; }"""
    monkeypatch.setattr("core.serve.status.STATUS", STATUS.replace("one state state.json", late))
    bare.runtime("failing", "exit 0")
    with pytest.raises(RKDeckError) as failed:
        service.start_serving(bare.session, bare.board, bare.deploy("alice"))
    assert failed.value.facts["reason"] == "no memory"


def test_a_runtime_that_never_gets_ready_is_stopped_again(bare: Place) -> None:
    bare.runtime("slow", "trap '' TERM; echo $$ >\"$state.pid\"; while :; do sleep 0.1; done")
    with pytest.raises(RKDeckError, match=r"serve\.start_timeout"):
        service.start_serving(bare.session, bare.board, bare.deploy("alice"), timeout_s=0.5)
    pid = int((bare.run_folder / "state.json.pid").read_text())
    wait_until(lambda: not _alive(pid), _DEADLINE_S, "still running")


def test_waiting_can_be_called_off(bare: Place) -> None:
    bare.runtime("slow", 'echo $$ >"$state.pid"; exec sleep 60')

    def cancel(_: float) -> None:
        if (bare.run_folder / "state.json.pid").exists():
            raise CancelledError("serve.cancelled_in_test")

    with pytest.raises(CancelledError):
        service.start_serving(bare.session, bare.board, bare.deploy("alice"), on_wait=cancel)
    pid = int((bare.run_folder / "state.json.pid").read_text())
    wait_until(lambda: not _alive(pid), _DEADLINE_S, "still running")


def test_stop_kills_what_does_not_listen_and_nobody_else(bare: Place) -> None:
    bare.runtime(
        "stubborn",
        "trap '' TERM\nt=$(sed 's/^.*) //' /proc/$$/stat | cut -d' ' -f20)\n"
        'echo "{\\"pid\\": $$, \\"port\\": 9, \\"start_ticks\\": $t, \\"model\\": \\"m\\"}" >"$state"\n'
        "while :; do sleep 0.1; done",
    )
    serving = service.start_serving(bare.session, bare.board, bare.deploy("alice"))
    state = (bare.run_folder / "state.json").read_text()
    # A state file that names an innocent process (ours) with other start ticks is not believed.
    (bare.run_folder / "state.json").write_text(state.replace(str(serving.pid), str(os.getpid())))
    assert service.stop_serving(bare.session, bare.board) is None
    assert _alive(serving.pid)
    (bare.run_folder / "state.json").write_text(state)
    assert service.stop_serving(bare.session, bare.board, timeout_s=0.3) == serving
    wait_until(lambda: not _alive(serving.pid), _DEADLINE_S, "still running")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"pid": 1, "port": "x", "start_ticks": 1}', "\x00"])
def test_foreign_state_files_are_no_serving(bare: Place, text: str) -> None:
    bare.run_folder.mkdir(parents=True)
    (bare.run_folder / "state.json").write_text(text)
    assert service.current_serving(bare.session, bare.board) is None


def test_a_board_without_a_store_cannot_serve(bare: Place) -> None:
    with pytest.raises(RKDeckError, match=r"serve\.no_store"):
        service.current_serving(bare.session, replace(bare.board, store=None))


def test_the_end_of_the_board_is_the_end_of_its_runtime(tmp_path: Path, paths: AppPaths) -> None:
    with demo_board(tmp_path / "short", "--soc", "rk3588") as server:
        folder = server.home.parent
        board = HostBoard("short", str(folder / "store"), str(folder / "root"))
        with server.connect(HostKeys(paths.known_hosts)) as session:
            place = Place(server, board, session, paths.known_hosts)
            serving = service.start_serving(session, board, place.deploy("alice"))
            assert _alive(serving.pid)
    assert not _alive(serving.pid)


@pytest.mark.parametrize(
    "args", [["sleep", "60"], ["sh", "-c", "exec sleep 60", "serve", "--state-file", "state.json"]]
)
def test_a_state_file_that_names_another_process_stops_nothing(bare: Place, args: list[str]) -> None:
    """Whoever may write there could have any process of the account killed."""
    bare.run_folder.mkdir(parents=True)
    with subprocess.Popen(args) as victim:
        try:
            fields = Path(f"/proc/{victim.pid}/stat").read_text().rpartition(")")[2].split()
            state = {"pid": victim.pid, "port": 8080, "start_ticks": int(fields[19]), "model": "m"}
            (bare.run_folder / "state.json").write_text(json.dumps(state))
            assert service.current_serving(bare.session, bare.board) is None
            assert service.stop_serving(bare.session, bare.board) is None
            arguments = [str(bare.run_folder), str(victim.pid), fields[19], "1"]
            assert bare.session.run(STOP, arguments).exit_status == 0
            assert victim.poll() is None
            assert not (bare.run_folder / "state.json").exists()
        finally:
            victim.kill()


@pytest.mark.parametrize("end", ODD_ENDS, ids=ascii)
def test_a_state_file_tells_its_own_line_and_no_other(bare: Place, end: str) -> None:
    """Behind an odd end of a line it could say that a process is ours, how it does, and what the token is."""
    bare.run_folder.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as victim:
        try:
            told = Path(f"/proc/{victim.pid}/stat").read_text().strip()
            ticks = int(told.rpartition(")")[2].split()[19])
            state = json.dumps({"pid": victim.pid, "port": 8080, "start_ticks": ticks, "model": "m"})
            lines = [state, f"ours {victim.pid}", f"stat {told}", f"token {'t' * 43}", "log all is well", ""]
            (bare.run_folder / "state.json").write_text(end.join(lines), newline="")
            seen = read_status(bare.session, "desk", bare.board.store or "", with_token=True)
            assert (seen.serving, seen.token, seen.log) == (None, None, ())
            assert service.current_serving(bare.session, bare.board) is None
            assert service.stop_serving(bare.session, bare.board) is None
            assert victim.poll() is None
        finally:
            victim.kill()


@pytest.mark.parametrize(
    "token", ["the", "error", "x" * 42, "x" * 44, "connection refused " * 3, "é" * 43, "a b" * 20]
)
def test_a_token_file_cannot_blot_words_out_of_the_log(bare: Place, token: str) -> None:
    bare.run_folder.mkdir(parents=True)
    (bare.run_folder / "token").write_text(token + "\n")
    assert read_status(bare.session, "desk", bare.board.store or "", with_token=True).token is None
    assert redact(f"{token} was said") == f"{token} was said"


def test_a_gguf_file_never_meets_a_runtime_for_rkllm_and_the_missing_engine_is_named(bare: Place) -> None:
    gguf = replace(bare.deploy("alice"), simulated=False, kind=model_kinds()["gguf"])
    for name in ("true-runtime", "stand-in"):
        bare.runtime(name, "touch started", simulated=name == "stand-in")
    with pytest.raises(RefusedError) as caught:
        service.start_serving(bare.session, bare.board, gguf)
    assert caught.value.code == "serve.no_engine"
    assert (caught.value.facts["engine"], caught.value.facts["kind"]) == ("llama.cpp", "gguf")
    assert "llama.cpp is missing" in word(caught.value)[0]
    assert not list(bare.run_folder.glob("started"))


def test_a_runtime_gets_the_kinds_it_names_and_no_other(bare: Place) -> None:
    bare.runtime("llama", "exit 7", simulated=False, kinds=["gguf"])
    kinds = model_kinds()
    chosen = service.choose_runtime(bare.session, bare.board, kinds["gguf"], "m", simulated=False)
    assert (chosen.name, chosen.kinds) == ("llama", ("gguf",))
    with pytest.raises(RKDeckError, match=r"serve\.no_runtime"):
        service.choose_runtime(bare.session, bare.board, kinds["rkllm"], "m", simulated=False)
