"""A worker program that speaks the protocol by hand, well or badly: its job's params say which."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(sys.argv[1])
EVENTS = int(os.environ["RKDECK_EVENTS_FD"])


def say(text: str) -> None:
    """Write all of `text` on the private descriptor."""
    rest = memoryview(text.encode())
    while rest:
        rest = rest[os.write(EVENTS, rest) :]


def finish() -> None:
    say('{"event": "result", "result": {"ok": true}}\n')


def clashing_names() -> None:
    """Members named like parameters of the functions that the event passes through."""
    for name in ("self", "data", "state", "schema", "job", "board", "t_unix_s"):
        say(json.dumps({"event": "step", "step": name, name: "mine"}) + "\n")
    finish()


def bad_numbers() -> None:
    """Numbers that are no JSON, or too long for whoever counts with them."""
    for number in ("NaN", "Infinity", "1e999", "9" * 400, "9" * 10_000):
        say('{"event": "progress", "phase": "p", "unit": "steps", "total": null, "done": ' + number + "}\n")
        say('{"event": "log", "text": "x", "t_unix_s": ' + number + "}\n")
    finish()


def garbage_flood() -> None:
    for _ in range(40):
        say("no event at all, only words that somebody printed here\n" * 5000)
    finish()


def event_flood() -> None:
    """More well-formed events than anybody will read, then one progress and the result."""
    line = json.dumps({"event": "log", "level": "info", "text": "w" * 1000}) + "\n"
    for _ in range(60):
        say(line * 1000)
    say('{"event": "progress", "phase": "late", "done": 1, "total": 2, "unit": "steps"}\n')
    finish()


def wide_result() -> None:
    """A result that grows threefold when it is written as ASCII."""
    say('{"event": "result", "result": {"text": "' + "é" * 500_000 + '"}}\n')


def too_long_result() -> None:
    say(json.dumps({"event": "result", "result": {"text": "x" * (9 << 20)}}) + "\n")


def half_a_result() -> None:
    say('{"event": "result", "result": {"ok": tr')


def tell_secret() -> None:
    """Print the secret and fail, as a library's traceback may."""
    secret = json.loads(sys.stdin.readline())["board_password"]
    os.write(1, f"login failed for {secret[:5]}".encode())
    time.sleep(0.3)
    os.write(1, f"{secret[5:]}\n".encode())
    say(f"the secret is {secret}\n")
    sys.exit(3)


def stop_oneself() -> None:
    (FOLDER / "started").touch()
    os.kill(os.getpid(), signal.SIGSTOP)


def hold() -> None:
    """Work until the test makes the file `go`."""
    (FOLDER / "started").touch()
    while not (FOLDER / "go").exists():
        time.sleep(0.01)
    finish()


MODES: dict[str, Callable[[], None]] = {
    function.__name__: function
    for function in (
        clashing_names, bad_numbers, garbage_flood, event_flood, wide_result, too_long_result, half_a_result,
        tell_secret, stop_oneself, hold,
    )
}  # fmt: skip

if __name__ == "__main__":
    MODES[json.loads((FOLDER / "spec.json").read_text())["params"]["mode"]]()
