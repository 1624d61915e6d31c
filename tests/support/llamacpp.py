"""The memory of a true llama.cpp process with a file, by the kernel's word: `/proc/PID/status`."""

import http.client
import importlib.util
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

NEEDS_LLAMACPP = "xllamacpp is not installed (pip install --group test)"
_CHILD = Path(__file__).with_name("llamacpp_child.py")
_LIMIT_S = 900.0
_NEW_TOKENS = 4


@dataclass(frozen=True, slots=True)
class Resident:
    """Resident KiB of a process.

    Attributes:
        peak: VmHWM. now: VmRSS. anonymous: RssAnon. file: RssFile.
    """

    peak: int
    now: int
    anonymous: int
    file: int


@dataclass(frozen=True, slots=True)
class Measured:
    """One process: with the runtime imported, with the model loaded, and after a prompt."""

    imported: Resident
    loaded: Resident
    prompted: Resident


def is_installed() -> bool:
    """Whether a true llama.cpp is there."""
    return importlib.util.find_spec("xllamacpp") is not None


def measure(
    path: Path,
    context: int,
    prompt: int,
    *,
    batch: int = 2048,
    ubatch: int = 512,
    threads: int = 2,
    repack: bool = True,
) -> Measured:
    """Serve a file in a process of its own and send it a prompt.

    Args:
        path: of a GGUF file.
        context: n_ctx, in tokens.
        prompt: tokens of the prompt; their numbers are any.
        batch: n_batch.
        ubatch: n_ubatch.
        threads: for both the prompt and the answer.
        repack: whether weights may be copied into the order the CPU's kernels like.
    """
    options = {
        "path": str(path), "context": context, "batch": batch, "ubatch": ubatch, "threads": threads, "repack": repack,
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, str(_CHILD), json.dumps(options)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline().strip() == "imported"
            imported = resident(process.pid)
            print(file=process.stdin, flush=True)
            address = process.stdout.readline().strip()
            assert address, f"llama.cpp does not load {path.name}"
            loaded = resident(process.pid)
            _send(address, prompt)
            prompted = resident(process.pid)
        finally:
            process.kill()
    return Measured(imported, loaded, prompted)


def resident(pid: int) -> Resident:
    """What the kernel says of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = {
        key: value.split()[0] for key, _, value in (line.partition(":") for line in lines) if value.split()
    }
    return Resident(*(int(found[key]) for key in ("VmHWM", "VmRSS", "RssAnon", "RssFile")))


def _send(address: str, prompt: int) -> None:
    """Send tokens that have no beginning in common with what was there before."""
    tokens = [300 + place * 7919 % 1000 for place in range(prompt)]
    body = json.dumps({"prompt": tokens, "n_predict": _NEW_TOKENS})
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=_LIMIT_S)
    connection.request("POST", "/completion", body, {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    assert answer["timings"]["prompt_n"] == prompt, answer
