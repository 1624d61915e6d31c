"""Every verb of the command line, one after the other, in whatever the shell made of this process.

`python -m tests.support.every_verb HOME MODEL NAME...`: each call is a fork of its own, ended as Python ends, so that
forty calls take seconds. What each printed and its exit code goes as one JSON document to the descriptor REPORT_FD: not
into files, which may be what is forbidden here. The descriptors named in LEAVE (`1,2`) stay as the shell made them.
"""

import fcntl
import gc
import importlib
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Nothing listens at the discard port: every way out of this computer ends at once.
NOWHERE = "127.0.0.1:9"
JOB = "download-260101-000000-0a1b2c"
_PIPE_BYTES = 1 << 20
_HEAVY = ("gui.main", "core.cli.main", "paramiko", "huggingface_hub", "httpx2", "numpy", "safetensors")
_ROOMS = ("core/usecases", "core/cli/commands")
# Those that start processes of their own, and take seconds.
AT_WORK = ("analyze", "perplexity", "jobs-retry", "selftest")


def calls(model: str) -> dict[str, list[str]]:
    """One call of each verb and of most actions, under a name; none reaches out of this computer.

    Args:
        model: the folder of one; a short text lies beside it, of its name and `.txt`.
    """
    weights, rkllm = f"{model}/model.safetensors", f"{model}/nothing.rkllm"
    plain = {
        "search": ["search", "qwen"],
        "estimate": ["estimate", model],
        "download": ["download", "somebody/something"],
        "library": ["library"],
        "library-add": ["library", "add", weights],
        "library-verify": ["library", "verify"],
        "toolkit": ["toolkit"],
        "toolkit-add": ["toolkit", "add", "/bin/false"],
        "convert": ["convert", model, "--platform", "rk3588", "--dtype", "w8a8"],
        "inspect": ["inspect", weights],
        "board": ["board"],
        "board-add": ["board", "add", "other", f"me@{NOWHERE}"],
        "board-remove": ["board", "remove", "nobody"],
        "doctor": ["doctor", "desk"],
        "deploy": ["deploy", rkllm, "desk"],
        "deployments": ["deployments", "desk"],
        "rollback": ["rollback", "desk", "name"],
        "undeploy": ["undeploy", "desk", "name"],
        "adopt": ["adopt", "desk", "/models"],
        "prune": ["prune", "desk"],
        "serve": ["serve", "desk", "name"],
        "stop": ["stop", "desk"],
        "chat": ["chat", "desk", "hello"],
        "monitor": ["monitor", "desk", "--samples", "1"],
        "jobs": ["jobs"],
        "jobs-show": ["jobs", "show", JOB],
        "jobs-log": ["jobs", "log", JOB],
        "jobs-cancel": ["jobs", "cancel", JOB],
        "analyze": ["analyze", model],
        "perplexity": ["perplexity", model, "--level", "w8a8", "--text", f"{model}.txt"],
        "jobs-retry": ["jobs", "retry", JOB],
        "selftest": ["selftest"],
    }
    as_json = ("estimate", "library", "board", "jobs", "download", "monitor")
    return {
        **plain,
        **{f"{name}-json": [*plain[name], "--json"] for name in as_json},
        "help": ["--help"],
        "usage": ["board", "juggle"],
    }


def _pipe() -> tuple[int, int]:
    reading, writing = os.pipe()
    fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    os.set_blocking(reading, False)
    return reading, writing


def _rest(reading: int) -> str:
    """What was printed; a process that goes on may still hold the other end."""
    try:
        return os.read(reading, _PIPE_BYTES).decode("utf-8", "backslashreplace")
    except BlockingIOError:
        return ""
    finally:
        os.close(reading)


def run(home: str, model: str, names: list[str]) -> int | None:
    """Make the calls; returns the exit code of one, in its fork, and None when all are done."""
    if not os.environ.get("BARE"):
        rooms = (path for room in _ROOMS for path in (ROOT / room).glob("[a-z]*.py"))
        for module in (*_HEAVY, *(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in rooms)):
            importlib.import_module(module)
    # Each fork ends as Python ends, and would go through all that was imported to free it: most of its time.
    gc.freeze()
    left = os.environ.get("LEAVE", "").split(",")
    known, report = calls(model), {}
    for name in names:
        pipes = {number: _pipe() for number in (1, 2) if str(number) not in left}
        child = os.fork()
        if child == 0:
            for number, (reading, writing) in pipes.items():
                os.dup2(writing, number)
                os.close(reading)
                os.close(writing)
            from gui.main import main

            return main([*known[name], *(["--home", home] if home else [])])
        for _, writing in pipes.values():
            os.close(writing)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        printed = {number: _rest(reading) for number, (reading, _) in pipes.items()}
        report[name] = (code, printed.get(1), printed.get(2))
    with os.fdopen(int(os.environ["REPORT_FD"]), "w") as file:
        json.dump(report, file)
    return None


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2], sys.argv[3:]))
