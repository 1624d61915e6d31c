"""Whatever an environment tells of itself: a toolkit that can be kept, shown and read again, or an error with words."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.base.errors import JsonValue, RKDeckError
from core.base.foreign import can_be_told
from core.convert.toolkits import check_toolkit
from core.words import languages, word
from tests.support.peak import PEAK

ANY: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["1.3.0", "rkllm-toolkit-simulated", "\x1b[2J", "\u202e", "v" * 5000, 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "version": st.just("1.3.0") | ANY, "distribution": st.just("rkllm-toolkit") | ANY, "unrelated_rkllm": ANY,
        "class_found": st.booleans() | ANY, "reason": ANY, "companions": st.dictionaries(st.just("torch"), ANY) | ANY,
        "more": ANY,
    },
)  # fmt: skip
MESSAGES = st.builds(
    lambda event, facts: {"event": event, "facts": facts}, st.just("facts") | ANY, FACTS | ANY
)
LINES = st.lists(MESSAGES.map(lambda told: json.dumps(told).encode()) | st.binary(max_size=30), max_size=3)
CODES = {f"convert.toolkit_{end}" for end in ("missing", "unrelated", "broken", "silent", "endless")}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(lines=LINES, printed=st.binary(max_size=60))
@example(
    lines=[b'{"event": "facts", "facts": {"version": "1.3.0", "class_found": true, "more": [1]}}'],
    printed=b"",
)
@example(
    lines=[b'{"event": "facts", "facts": {"version": "1\\u001b[2J", "class_found": 1}}'],
    printed=b"\x1b[2J\xff",
)
@example(lines=[b'{"event": "facts", "facts": ' + b"[" * 100_000], printed=b"\n" * 100)
def test_any_answer_is_a_toolkit_or_an_error_with_words(
    tmp_path: Path, lines: list[bytes], printed: bytes
) -> None:
    (tmp_path / "wire").write_bytes(b"\n".join(lines) + b"\n")
    (tmp_path / "printed").write_bytes(printed)
    python, here = tmp_path / "python", shlex.quote(str(tmp_path))
    python.write_text(f"#!/bin/sh\ncat {here}/printed\ncat {here}/wire >/proc/self/fd/$RKDECK_EVENTS_FD\n")
    python.chmod(0o755)
    toolkit, refused = None, None
    try:
        toolkit = check_toolkit(python)
    except RKDeckError as error:
        refused = error
    if refused is not None:
        assert refused.code in CODES
        assert can_be_told(refused.to_json())
        for language in languages():
            assert all(text.isprintable() for text in word(refused, language))
        return
    assert toolkit is not None
    told = toolkit.to_json()
    assert can_be_told(told)
    assert len(json.dumps(told)) < 16 << 10
    assert toolkit.version.isprintable()
    assert toolkit.facts["class_found"] is True
    assert "more" not in toolkit.facts


def test_what_floods_the_check_fills_no_memory(tmp_path: Path) -> None:
    """Of the asking program, as the kernel kept it (VmHWM), for messages that are all as they should be."""
    line = json.dumps({"event": "facts", "facts": {"reason": "x" * 100_000}})
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nexec yes '{line}' >/proc/self/fd/$RKDECK_EVENTS_FD\n")
    python.chmod(0o755)
    asks = (
        "import sys, pathlib; from core.convert.toolkits import check_toolkit\n"
        "try: check_toolkit(pathlib.Path(sys.argv[1]))\nexcept Exception as error: print(error.code)\n" + PEAK
    )
    done = subprocess.run(
        [sys.executable, "-c", asks, str(python)], capture_output=True, text=True, timeout=100
    )
    code, peak_kib = done.stdout.split()
    assert code == "convert.toolkit_endless"
    assert int(peak_kib) < 150 << 10
