"""The stand-in runtime `rkllm-runtime-simulated`: a program on the imaginary board, like the real runtime.

    describe                                            print one JSON line about itself
    serve --model PATH --token-stdin --state-file F [--title NAME] [--max-context N]
                                                        answer chats until told to stop

It computes every token from the weights in the file with a numpy forward pass and says that it is simulated.
The state file appears when it is ready, or holds the reason why it is not; SIGTERM takes it away.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from core.base.errors import JsonValue
from core.base.runtime_protocol import Description, RuntimeState, StartRefusal
from core.demo.runtime.refusals import StartError

NAME = "rkllm-runtime-simulated"
VERSION = "1.3.0+simulated"
BOARD_FD = "RKDECK_BOARD_FD"
_MAX_TOKEN_BYTES = 4096


class StateFile:
    """The small JSON file that tells others how this process is doing; written in one step, private."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Reentrant: the signal handler that removes the file may interrupt a write of the same thread.
        self._lock = threading.RLock()
        self._closed = False

    def write(self, value: Mapping[str, JsonValue]) -> None:
        """Replace the file, unless it was taken away for good."""
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}.new")
        with self._lock:
            if self._closed:
                return
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(json.dumps(dict(value)) + "\n")
            temporary.replace(self._path)

    def remove(self) -> None:
        """Take the file away; nothing is written afterwards."""
        with self._lock:
            self._closed = True
            self._path.unlink(missing_ok=True)


def main(argv: Sequence[str], sysroot: Path) -> int:
    """Run one of the two verbs; `sysroot` is the board's root folder. Returns the exit status."""
    parser = argparse.ArgumentParser(prog=NAME)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("describe")
    serve_parser = verbs.add_parser("serve")
    serve_parser.add_argument("--model", type=Path, required=True)
    serve_parser.add_argument("--token-stdin", action="store_true", required=True)
    serve_parser.add_argument("--state-file", type=Path, required=True)
    serve_parser.add_argument("--title", help="what to call the model")
    serve_parser.add_argument("--max-context", type=int)
    options = parser.parse_args(argv)
    if options.verb == "describe":
        _say(json.dumps(Description(NAME, VERSION, simulated=True).to_json()))
        return 0
    state = StateFile(options.state_file)
    try:
        return _serve(options, state, sysroot)
    except StartError as error:
        _say(f"E rkllm: {error.line}")
        _say("rkllm init failed")
        state.write(StartRefusal(error.code, error.line).to_json())
        return 1


def _serve(options: argparse.Namespace, state: StateFile, sysroot: Path) -> int:
    # Imported late, so that `describe` answers in milliseconds.
    from core.demo.runtime.engine import Engine, Model, Run
    from core.demo.runtime.http import ChatServer
    from core.demo.runtime.model import check_fit, load_model
    from core.demo.runtime.npu import NpuMeter

    leaving = _Leaving(state.remove)
    leaving.arm()
    # What process lists show instead of "python"; the kernel keeps 15 characters.
    Path("/proc/self/comm").write_text("rkllm-simulated")
    token = _read_token()
    platform = board_platform(sysroot)
    _say("SIMULATED: this is RKDeck's stand-in runtime; it computes on a CPU, no NPU is used")
    _say(
        f"I rkllm: rkllm-runtime version: {VERSION}, rknpu driver version: {_driver_version(sysroot)}, "
        f"platform: {platform or 'unknown'}"
    )
    _say(f"I rkllm: loading rkllm model from {options.model}")
    model: Model = load_model(options.model)
    title = (options.title or model.title)[:200]
    _say(
        f"I rkllm: rkllm-toolkit version: {model.toolkit_version}, max_context_limit: {model.max_context}, "
        f"npu_core_num: {model.npu_cores}, target_platform: {model.platform.upper()}, "
        f"model_dtype: {model.dtype.upper()}"
    )
    model = check_fit(model, platform, options.max_context)
    meter = NpuMeter(sysroot, model.npu_cores)
    leaving.add(meter.close)
    try:
        engine = Engine(model, meter)
    except ValueError as error:  # ForwardError among them: config and tensors do not fit each other
        raise StartError("content", f"invalid rkllm model! {error}"[:400]) from error
    server = ChatServer(engine, title, token)
    ready = RuntimeState(
        pid=os.getpid(),
        start_ticks=own_start_ticks(),
        port=server.port,
        model=title,
        sha256=model.sha256,
        dtype=model.dtype,
        max_context=model.max_context,
        runtime=NAME,
        version=VERSION,
        simulated=True,
        started_uptime_s=_uptime_s(sysroot),
    )

    def remember(run: Run) -> None:
        state.write(replace(ready, tokens_per_s=run.tokens_per_s, ttft_ms=run.ttft_ms).to_json())

    server.on_run = remember
    state.write(ready.to_json())
    _say("rkllm init success")
    server.serve_forever(poll_interval=0.1)
    return 0


class _Leaving:
    """Ends the process at once, tidily, on SIGTERM and when the board it lives on is gone."""

    def __init__(self, *cleanups: Callable[[], None]) -> None:
        self._cleanups = list(cleanups)

    def add(self, cleanup: Callable[[], None]) -> None:
        """Call this, too, before the end."""
        self._cleanups.append(cleanup)

    def arm(self) -> None:
        """Listen for the reasons to leave."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.leave())
        # A hang-up means that whoever started it logged out, which is no reason.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        descriptor = os.environ.get(BOARD_FD, "")
        if descriptor.isdecimal():
            threading.Thread(target=self._watch, args=(int(descriptor),), daemon=True).start()

    def leave(self) -> NoReturn:
        """Tidy up and end, whatever other threads compute."""
        for cleanup in self._cleanups:
            with contextlib.suppress(OSError):
                cleanup()
        os._exit(0)

    def _watch(self, descriptor: int) -> None:
        """The imaginary board holds the other end of this pipe; its end is the board's."""
        with contextlib.suppress(OSError):
            while os.read(descriptor, 4096):
                pass
        self.leave()


def board_platform(sysroot: Path) -> str | None:
    """The SoC in the board's device tree, such as `RK3588`; None when it names none."""
    try:
        names = (sysroot / "proc/device-tree/compatible").read_text("utf-8", "replace").split("\0")
    except OSError:
        return None
    socs = [
        name.removeprefix("rockchip,") for name in names if name.startswith(("rockchip,rk", "rockchip,rv"))
    ]
    return socs[-1].upper() if socs else None


def own_start_ticks() -> int:
    """When this process began, in clock ticks since the computer's boot: field 22 of `/proc/self/stat`."""
    return int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])


def _driver_version(sysroot: Path) -> str:
    try:
        return (sysroot / "sys/module/rknpu/version").read_text().strip()
    except OSError:
        return "unknown"


def _uptime_s(sysroot: Path) -> float | None:
    try:
        return float((sysroot / "proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def _read_token() -> str:
    token = sys.stdin.buffer.readline(_MAX_TOKEN_BYTES).decode("utf-8", "replace").strip()
    if not token:
        raise StartError("no_token", "no token on standard input")
    return token


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
