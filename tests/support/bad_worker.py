"""A worker program for the tests: behaves as its job's params say."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from core.base.errors import JsonValue, RefusedError
from core.jobs.worker import WorkerContext, run_worker

SLEEP = "import time; time.sleep(120)"


_params: dict[str, JsonValue] = {}


def main(context: WorkerContext, params: dict[str, JsonValue]) -> dict[str, JsonValue]:
    _params.update(params)
    mode = str(params["mode"])
    (context.home / f"started-{context.job_id}").write_text(str(os.getpid()))
    return _MODES[mode](context)


def result(context: WorkerContext) -> dict[str, JsonValue]:
    for number in range(11):
        context.progress("counting", number * 1_500_000_000, 15_000_000_000)
    context.step("counted", size_bytes=15_000_000_000)
    print("hello from the worker")
    return {"secret_length": len(context.secrets.board_password or ""), "size_bytes": 15_000_000_000}


def fast_progress(context: WorkerContext) -> dict[str, JsonValue]:
    end = time.monotonic() + 1.0
    count = 0
    while time.monotonic() < end:
        count += 1
        context.progress("spinning", count, None, unit="steps")
    return {"calls": count}


def refused(context: WorkerContext) -> dict[str, JsonValue]:
    raise RefusedError("names.unsafe_path", path="x", why="empty")


def fault(context: WorkerContext) -> dict[str, JsonValue]:
    raise ZeroDivisionError("a fault")


def garbage(context: WorkerContext) -> dict[str, JsonValue]:
    descriptor = context.wire._descriptor
    os.write(descriptor, b'\xff\xfe{not json}\n[1,2]\n{"event": 5}\n{"event": "state", "state": "failed"}\n')
    os.write(descriptor, b"x" * (3 << 20) + b"\n")
    for _ in range(100):
        os.write(descriptor, b"noise\n" * 1000)
    os.write(1, os.urandom(10_000) + b"\x1b[2J\r\r\r\n")
    return {"ok": True}


def flood(context: WorkerContext) -> dict[str, JsonValue]:
    for _ in range(200):
        os.write(1, b"y" * (1 << 20))
    os.write(1, b"\nthe end\n")
    return {"ok": True}


def hang(context: WorkerContext) -> dict[str, JsonValue]:
    time.sleep(120)
    return {}


def stubborn(context: WorkerContext) -> dict[str, JsonValue]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(120)
    return {}


def fork(context: WorkerContext) -> dict[str, JsonValue]:
    children = [subprocess.Popen([sys.executable, "-c", SLEEP]) for _ in range(3)]
    time.sleep(120)
    return {"children": len(children)}


def daemon(context: WorkerContext) -> dict[str, JsonValue]:
    script = f"import os\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\n{SLEEP}"
    subprocess.run([sys.executable, "-c", script])
    (context.home / "daemon-made").touch()
    if _params.get("leave"):
        return {"ok": True}
    time.sleep(120)
    return {}


def hold_gil(context: WorkerContext) -> dict[str, JsonValue]:
    ctypes.PyDLL(None).sleep(60)
    return {}


def exit_three(context: WorkerContext) -> dict[str, JsonValue]:
    print("going down", flush=True)
    os._exit(3)


def exit_zero(context: WorkerContext) -> dict[str, JsonValue]:
    os._exit(0)


def die_nine(context: WorkerContext) -> dict[str, JsonValue]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def count_runs(context: WorkerContext) -> dict[str, JsonValue]:
    """Run one hangs after its mark; the next one finishes: the shape of every resumable job."""
    marks = Path(context.job_dir) / "marks"
    with marks.open("a") as file:
        file.write("x")
    if len(marks.read_text()) == 1:
        time.sleep(120)
    return {"runs": len(marks.read_text())}


def brief(context: WorkerContext) -> dict[str, JsonValue]:
    begin = time.time()
    time.sleep(float(str(_params.get("seconds", 0.3))))
    return {"begin": begin, "end": time.time()}


_MODES: dict[str, Callable[[WorkerContext], dict[str, JsonValue]]] = {
    function.__name__: function
    for function in (
        result, fast_progress, refused, fault, garbage, flood, hang, stubborn, fork, daemon, hold_gil,
        exit_three, exit_zero, die_nine, count_runs, brief,
    )
}  # fmt: skip

if __name__ == "__main__":
    run_worker(main)
