"""The records of the runtime protocol: written and read by one module, told whole in its page, safe with strangers."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base import foreign
from core.base.runtime_protocol import (
    ABI,
    Description,
    RuntimeState,
    StartRefusal,
    read_description,
    read_state,
)

PAGE = (Path(__file__).parents[3] / "docs/runtime-protocol.md").read_text("utf-8")
WORDS = (
    st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=80)
    .map(str.strip)
    .filter(bool)
)
FIGURES = st.none() | st.floats(0, 1e12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = (*(field.name for field in fields(RuntimeState)), "last", "error")


@given(
    st.builds(
        RuntimeState,
        pid=st.integers(1, 1 << 22),
        start_ticks=st.integers(0, 1 << 50),
        port=st.integers(1, 65535),
        model=WORDS,
        max_context=st.none() | st.integers(0, 1 << 30),
        simulated=st.booleans(),
        started_uptime_s=FIGURES,
        tokens_per_s=FIGURES,
        ttft_ms=FIGURES,
    )
)
def test_what_a_runtime_writes_is_what_is_read(state: RuntimeState) -> None:
    assert read_state(json.dumps(state.to_json())) == state


def test_a_refusal_and_a_description_read_back() -> None:
    assert read_state(json.dumps(StartRefusal("platform", "no").to_json())) == StartRefusal("platform", "no")
    told = Description("r", "1", simulated=False)
    assert read_description(json.dumps(told.to_json())) == told
    assert told.abi == ABI


@given(st.dictionaries(st.sampled_from(MEMBERS), JSON))
def test_no_foreign_document_gets_further_than_its_bounds(value: dict[str, object]) -> None:
    state = read_state(json.dumps(value))
    if not isinstance(state, RuntimeState):
        return
    assert 0 < state.pid <= 1 << 22
    assert state.port is None or 0 < state.port <= 65535
    for text in (state.model, state.sha256, state.dtype, state.runtime, state.version):
        assert text is None or (len(text) <= 301 and text.isprintable())
    for number in (state.started_uptime_s, state.tokens_per_s, state.ttft_ms):
        assert number is None or 0 <= number < float("inf")


@pytest.mark.parametrize(
    "text", [None, "", "[]", "5", "[" * 100_000, '{"pid": true}', '{"pid": 1e3}', '{"pid": 0}']
)
def test_what_is_no_state_is_none(text: str | None) -> None:
    assert read_state(text) is None


@pytest.mark.parametrize("abi", ["1", "rkdeck-chat-1", None, 1.0, True, -1])
def test_a_form_that_is_no_number_is_unknown(abi: object) -> None:
    told = read_description(json.dumps({"name": "r", "version": "1", "simulated": True, "abi": abi}))
    assert told is not None
    assert told.abi is None


def test_a_program_that_does_not_say_whether_it_is_simulated_is_no_runtime() -> None:
    assert read_description('{"name": "r", "version": "1", "abi": 1}') is None


@pytest.mark.parametrize("value", ["1", True, None, float("nan"), 10**400])
def test_what_is_no_number_is_none(value: object) -> None:
    assert foreign.number(value) is None


def test_the_page_tells_every_member_and_the_form_that_is_spoken() -> None:
    assert PAGE.startswith(f"# The runtime protocol, form {ABI}\n")
    members = {*RuntimeState(1, 1, 1, "m").to_json(), *Description("r", "1", simulated=True).to_json()}
    missing = {member for member in members if f'"{member}"' not in PAGE}
    assert not missing
    for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL):
        assert read_description(block) or read_state(block)
