"""Peak memory of each verb that asks the Hub, against a hub that wants to fill it.

Every row is a process of its own (`rkdeck VERB` and the worker of its job) beside a hostile hub on loopback; the figure
is the largest resident set of any of its processes, as the kernel kept it (VmHWM), looked at twenty times a second.
"""

import contextlib
import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from tests.support.odd_hub import Answer, OddHub, reply

_MIB = 1 << 20
_LIMIT_S = 120.0
_LOOK_S = 0.05
_COMMIT = "c" * 40
_SHA256 = "a" * 64
_VERBS: dict[str, tuple[str, ...]] = {
    "search": ("search", "x", "--limit", "100"),
    "estimate": ("estimate", "a/b"),
    "inspect": ("inspect", "a/b/model.rkllm"),
    "download": ("download", "a/b"),
}


def main() -> None:
    """Print the table."""
    print(f"{'verb':10} {'hub':34} {'exit':>4} {'error':26} {'peak MiB':>8} {'s':>6}")
    worst = 0.0
    with OddHub() as hub:
        for hub_name, make in _HUBS.items():
            hub.answer = make()
            for verb, arguments in _VERBS.items():
                exit_code, code, peak_bytes, seconds = _run(hub.url, arguments)
                worst = max(worst, peak_bytes / _MIB)
                shown = "stopped" if exit_code is None else str(exit_code)
                print(
                    f"{verb:10} {hub_name:34} {shown:>4} {code:26} {peak_bytes / _MIB:8.0f} {seconds:6.1f}",
                    flush=True,
                )
    print(f"the largest is {worst:.0f} MiB")


def _run(url: str, arguments: tuple[str, ...]) -> tuple[int | None, str, int, float]:
    """Exit code (None: stopped after the limit), error code, peak memory, seconds."""
    with tempfile.TemporaryDirectory() as home:
        began_s, peak_bytes = time.monotonic(), 0
        command = [sys.executable, "-m", "gui.main", "--home", home, *arguments, "--json"]
        environment = {"PATH": "/usr/bin:/bin", "HOME": home, "HF_ENDPOINT": url}
        with tempfile.TemporaryFile() as out:
            process = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.DEVNULL)
            while process.poll() is None and time.monotonic() - began_s < _LIMIT_S:
                peak_bytes = max(peak_bytes, _peak_bytes(home))
                time.sleep(_LOOK_S)
            exit_code = process.poll()
            if exit_code is None:
                process.kill()
                process.wait()
            out.seek(0)
            code = _error_code(out.read(_MIB))
        return exit_code, code, peak_bytes, time.monotonic() - began_s


def _peak_bytes(home: str) -> int:
    """The largest peak of the processes that have this home in their arguments."""
    peaks = [0]
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if any(home in argument for argument in process.cmdline()):
                status = Path(f"/proc/{process.pid}/status").read_text()
                peaks += [
                    int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")
                ]
    return max(peaks)


def _error_code(said: bytes) -> str:
    try:
        found = json.loads(said.splitlines()[-1])
        return str(found["error"]["code"])
    except (ValueError, LookupError, TypeError):
        return ""


def _endless(status: int, piece: bytes, **headers: str) -> Callable[[], Answer]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        with contextlib.suppress(OSError):
            while True:
                handler.wfile.write(piece)

    return lambda: answer


def _documents(search: bytes, details: bytes, file: Answer) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        path = urlsplit(handler.path).path
        if "/resolve/" in path:
            file(handler)
        else:
            reply(200, search if path == "/api/models" else details)(handler)

    return answer


def _dense() -> Answer:
    """Documents of the largest size that is read, of as many small values as fit; a header of the same kind."""
    lists = b"[" + b"[]," * ((8 * _MIB - 8) // 3) + b"[]]"
    details = b'{"id":"a/b","sha":"%s","siblings":%s}' % (
        _COMMIT.encode(),
        b"[" + b"{}," * (7 * _MIB // 3) + b"{}]",
    )
    return _documents(lists, details, _file(b'{"a":' + b"[" + b"[]," * (5 * _MIB) + b"[]]}"))


def _many_files() -> Answer:
    """All files that are read of a repository, and headers that describe as many tensors as they may."""
    tensors = {
        f"model.layers.{n}.w": {"dtype": "I8", "shape": [1], "data_offsets": [n, n + 1]}
        for n in range(90_000)
    }
    files: list[dict[str, Any]] = [
        {"rfilename": "config.json", "size": 100},
        {"rfilename": "model.rkllm", "size": 100},
    ]
    files += [
        {"rfilename": f"model-{n:05}-of-19990.safetensors", "size": 1 << 30, "lfs": {"sha256": _SHA256}}
        for n in range(1, 19_991)
    ]
    details = json.dumps({"id": "a/b", "sha": _COMMIT, "siblings": files}).encode()
    results = [{"id": f"a/{n}", "tags": ["x" * 300] * 200} for n in range(100)]
    return _documents(json.dumps(results).encode(), details, _file(json.dumps(tensors).encode()))


def _wide_headers(count: int) -> Answer:
    """Weights in so many files, each with a header of about the most tensors that are read of one."""
    tensors = {
        f"layers.{n}.w": {"dtype": "I8", "shape": [1], "data_offsets": [n, n + 1]} for n in range(99_000)
    }
    header = json.dumps(tensors).encode()
    names = [f"model-{n:05}-of-{count:05}.safetensors" for n in range(1, count + 1)]
    size_bytes = 8 + len(header) + 99_000
    files: list[dict[str, Any]] = [{"rfilename": name, "size": size_bytes} for name in names]
    files += [{"rfilename": "config.json", "size": 100}, {"rfilename": "model.rkllm", "size": 1 << 30}]
    details = json.dumps({"id": "a/b", "sha": _COMMIT, "siblings": files}).encode()
    return _documents(b"[]", details, _file(header))


def _file(header: bytes) -> Answer:
    """config.json, and weights that begin with this header and go on for ever."""
    weights = len(header).to_bytes(8, "little") + header

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.endswith("config.json"):
            reply(200, b'{"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}'.ljust(100))(handler)
            return
        first, _, last = handler.headers["Range"].removeprefix("bytes=").partition("-")
        start, end = int(first), int(last) if last else 1 << 30
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {start}-{end}/{1 << 40}")
        handler.end_headers()
        with contextlib.suppress(OSError):
            handler.wfile.write(weights[start : end + 1])
            while True:
                handler.wfile.write(bytes(_MIB))

    return answer


_HUBS: dict[str, Callable[[], Answer]] = {
    "an error without end": _endless(500, bytes(_MIB)),
    "redirects with bodies without end": _endless(302, bytes(_MIB), Location="/again"),
    "a document without end": _endless(200, b"[" * _MIB),
    "256 MiB of blanks, packed": lambda: reply(
        200, gzip.compress(b" " * (256 * _MIB)), **{"Content-Encoding": "gzip"}
    ),
    "dense documents": _dense,
    "many files, wide headers": _many_files,
    "a wide header": lambda: _wide_headers(1),
    "wide headers": lambda: _wide_headers(14),
}
