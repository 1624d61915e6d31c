"""Programs under another Python that do not keep to the protocol; none of them may hold its caller."""

import subprocess
import sys
from pathlib import Path

import pytest

from core.jobs.foreign import BeyondError, Bounds, Message, run_foreign

# The program has ended; its child, in a session of its own, writes on and on into both pipes.
FLOOD = r"""
import os, subprocess, sys
wire = os.environ["RKDECK_EVENTS_FD"]
code = f"import os\nwhile True: os.write({int(wire) if 'wire' in sys.argv else 1}, b'x' * 65536)"
subprocess.Popen([sys.executable, "-c", code], start_new_session=True, pass_fds=[int(wire)])
"""


def run(
    folder: Path,
    program: str,
    *arguments: str,
    bounds: Bounds = Bounds(),  # noqa: B008  # frozen
) -> tuple[int, list[Message], int]:
    script = folder / "program.py"
    script.write_text(program)
    heard: list[Message] = []
    size = 0

    def on_output(data: bytes) -> None:
        nonlocal size
        size += len(data)

    code = run_foreign(
        Path(sys.executable),
        str(script),
        arguments,
        on_message=heard.append,
        on_output=on_output,
        bounds=bounds,
    )
    return code, heard, size


@pytest.mark.timeout(60)
@pytest.mark.parametrize("pipe", ["output", "wire"])
def test_who_floods_a_pipe_after_the_end_is_not_listened_to_for_ever(tmp_path: Path, pipe: str) -> None:
    code, heard, size = run(tmp_path, FLOOD, pipe)
    assert (code, heard) == (0, [])
    assert size < 64 << 20


@pytest.mark.timeout(60)
def test_a_program_that_writes_for_ever_is_ended_at_its_time(tmp_path: Path) -> None:
    with pytest.raises(BeyondError) as ended:
        run(tmp_path, "import os\nwhile True: os.write(1, b'x' * 65536)", bounds=Bounds(whole_s=1.0))
    assert ended.value.bound == "time"


def test_an_endless_line_is_dropped_and_the_next_is_heard(tmp_path: Path) -> None:
    program = """
import os
wire = int(os.environ["RKDECK_EVENTS_FD"])
for _ in range(512):
    os.write(wire, b"[" * 65536)
os.write(wire, b'\\n{"event": "done"}\\n')
"""
    assert run(tmp_path, program) == (0, [{"event": "done"}], 0)


def test_numbers_that_are_none_do_not_reach_us(tmp_path: Path) -> None:
    program = """
import os
wire = int(os.environ["RKDECK_EVENTS_FD"])
os.write(wire, b'{"event": "window", "nll": NaN, "tokens": ' + b"9" * 400 + b'}\\n[1]\\n\\xff\\n{"event": "done"}\\n')
"""
    code, heard, _ = run(tmp_path, program)
    assert (code, heard) == (0, [{"event": "window", "nll": None, "tokens": None}, {"event": "done"}])


def test_who_is_in_no_list_is_ended_all_the_same() -> None:
    """A list of processes misses who was started while it was made; here it misses whom there is, twice."""
    program = """
import subprocess, sys
from core.jobs import process
process.become_subreaper()
subprocess.run(["sh", "-c", "setsid sleep 100 & echo $!"])
found, missed = process.descendants, []
process.descendants = lambda: found() if len(missed) > 1 else missed.append(1) or []
print(process.kill_descendants(30), found())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50)
    pid, ended = done.stdout.splitlines()
    assert ended == "True []"
    assert not Path(f"/proc/{pid}").exists()
