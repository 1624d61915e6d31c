"""Whatever a board's answer holds: facts and findings that can be shown, kept and read again, never a trace."""

import contextlib
import json
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.base.errors import RefusedError
from core.base.foreign import MAX_PID, can_be_told
from core.boards.doctor.library_file import read_library
from core.boards.doctor.reading import examination_of
from core.boards.doctor.rules import check_board
from core.boards.facts import facts_from_json
from core.boards.probe import facts_of, parse_lines, probe_script
from core.remote.quoting import script_with_arguments
from core.words import word
from tests.core.boards.trees import mainline, orange_pi, user_of_rk3576
from tests.support.libraries import library_bytes

STORE = "/data/rkdeck-store"
BUILDERS = (orange_pi, mainline, user_of_rk3576)
# Lines that these trees do not bring about, as probe.sh and examine.sh write them.
MORE = (
    'deployment:{"name": "qwen"}', "devnode:rw crw-rw---- root render /dev/dri/renderD129",
    "dmesg:[drm] Initialized rknpu 0.9.8",
    "library:2 0123456789012345678901234567890123456789 7000000 /usr/lib/librkllmrt.so\tRKLLM SDK (version: 1.2.3",
    "mount:w /dev/mmcblk0p2 ext4 rw,relatime / /dev/root 60000000 20000000 40000000 34% /", "mmc:mmcblk0 MMC",
    "nofile:1024 1048576", "oomkill:3", "serving:4321", "store:w /dev/root 60000000 20000000 40000000 34% /",
    "tenant:4321 maps 1000 512000 llm_server",
    'runtime:/opt/r\t{"name": "r", "version": "1", "simulated": false}',
    "rkllm:/usr/lib/librkllmrt.so\tRKLLM SDK (version: 1.2.3", "mac:aa:bb:cc:dd:ee:01",
    "file:/proc/swaps:/dev/zram0 partition 8388608 0 100", "file:/sys/class/thermal/thermal_zone0/temp:45000",
    "file:/sys/class/thermal/thermal_zone0/trip_point_1_temp:85000",
    "file:/sys/class/thermal/thermal_zone0/trip_point_1_type:passive",
    "file:/sys/class/thermal/cooling_device1/cur_state:2",
    "file:/sys/class/devfreq/fdab0000.npu/available_frequencies:3000 9999",
    "file:/sys/devices/system/cpu/cpufreq/policy4/scaling_cur_freq:408000",
)  # fmt: skip
_NUMBER = re.compile(r"[0-9]+")
_EVIL = st.sampled_from(
    ["9" * 400, "-1", "1e999", "NaN", "\u0663", "²", "\x1b[2J", "\u202e", "\ud800", "\x00", "\t", " ", "/",
    "{", "[" * 3000, "\\777"]
)  # fmt: skip
_PIECE = _EVIL | st.text(max_size=12)


@pytest.fixture(scope="module", name="answers")
def _answers(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], ...]:
    """What probe and examination print of a few imaginary boards, line by line."""
    found = []
    for build in BUILDERS:
        tree = build(tmp_path_factory.mktemp("tree"))
        script = script_with_arguments(probe_script("examine.sh"), [str(tree), STORE, ""])
        done = subprocess.run(["sh"], input=script.encode(), capture_output=True, cwd=Path("/"))
        found.append([*done.stdout.decode("utf-8", "replace").replace(str(tree), "").split("\n"), *MORE])
    return tuple(found)


def _changed(line: str, data: st.DataObject) -> str:
    """A line with something else at one place: a number, the end, or all behind the key."""
    key, _, value = line.partition(":")
    how = data.draw(st.sampled_from(["number", "cut", "insert", "value", "key"]))
    numbers = list(_NUMBER.finditer(value))
    if how == "number" and numbers:
        match = data.draw(st.sampled_from(numbers))
        return f"{key}:{value[: match.start()]}{data.draw(_PIECE)}{value[match.end() :]}"
    at = data.draw(st.integers(0, len(value)))
    if how == "cut":
        return f"{key}:{value[:at]}"
    if how == "insert":
        return f"{key}:{value[:at]}{data.draw(_PIECE)}{value[at:]}"
    return f"{key}:{data.draw(_PIECE)}" if how == "value" else f"{data.draw(_PIECE)}:{value}"


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_change_of_an_answer_leaves_facts_and_findings_that_can_be_shown(
    answers: tuple[list[str], ...], data: st.DataObject
) -> None:
    lines = list(data.draw(st.sampled_from(answers)))
    for _ in range(data.draw(st.integers(1, 12))):
        at = data.draw(st.integers(0, len(lines) - 1))
        lines[at : at + 1] = data.draw(
            st.sampled_from([[], [lines[at]] * 2]) | st.just([_changed(lines[at], data)])
        )
        lines = lines or [""]
    check_answer("\n".join(lines))


@pytest.mark.parametrize("pid", ["0", "4194305", "9999999999"])
def test_a_process_of_an_impossible_number_is_none(pid: str) -> None:
    check_answer(f"probe:1\ntenant:{pid} maps 1000 512000 llm_server")


@given(st.text(max_size=400))
def test_any_text_is_an_answer(text: str) -> None:
    check_answer(text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6),
    cut=st.none() | st.integers(0, 200),
)
def test_any_damage_to_a_runtime_library_leaves_one_or_a_refusal(
    tmp_path: Path, changes: list[tuple[int, int]], cut: int | None
) -> None:
    data = bytearray(library_bytes("1.2.3"))
    for place, byte in changes:
        data[place] = byte
    path = tmp_path / "librkllmrt.so"
    path.write_bytes(data[:cut])
    with contextlib.suppress(RefusedError):
        assert (read_library(path).text_version or "").isprintable()


def check_answer(text: str) -> None:
    facts = facts_of(parse_lines(text))
    told = facts.to_json()
    assert can_be_told(told)
    assert facts_from_json(json.loads(json.dumps(told))) == facts
    seen = examination_of(parse_lines(text), "", STORE)
    assert all(1 <= tenant.pid <= MAX_PID for tenant in seen.tenants)
    for finding in check_board(seen):
        assert can_be_told(finding.to_json())
        assert all(text.isprintable() for text in word(finding.statement))
