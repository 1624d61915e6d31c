"""Numbers and texts of others: within bounds or unknown, and never a fault."""

import json
import math
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.base import foreign

HUGE = 10**400
NO_NUMBERS: list[object] = [None, True, False, "1", [], {}, math.nan, math.inf, -math.inf, HUGE, -HUGE, 1e300]
# What any reader of JSON may hand over, numbers no float can hold included.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(HUGE),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_what_is_no_number_of_use_is_unknown(value: object) -> None:
    assert foreign.whole(value) is None
    assert foreign.number(value) is None
    assert foreign.size_bytes(value) is None
    assert foreign.unix_s(value) is None


def test_bounds_are_included() -> None:
    assert foreign.whole(0) == 0
    assert foreign.whole(-1) is None
    assert foreign.whole(-1, -1) == -1
    assert foreign.whole(1.0) is None
    assert foreign.number(1) == 1.0
    assert foreign.size_bytes(1 << 60) == 1 << 60
    assert foreign.size_bytes((1 << 60) + 1) is None
    assert foreign.unix_s(-1e18) is None
    assert time.gmtime(foreign.unix_s(foreign.MAX_UNIX_S)).tm_year == 9999


@pytest.mark.parametrize(
    "text", ["", "x", "1.0", "1e3", "+1", "0x1", "9" * 19, "9" * 5000, "²", "٣", "1 2", None]
)
def test_what_is_not_written_in_digits_is_unknown(text: str | None) -> None:
    assert foreign.digits(text) is None


def test_digits() -> None:
    assert foreign.digits(" 17\n") == 17
    assert foreign.digits("-4", -9) == -4
    assert foreign.digits("65536", 1, foreign.MAX_PORT) is None


@given(VALUES)
@example([{"a": [math.nan, HUGE]}])
def test_anything_is_read_and_written_as_json_that_others_read(value: object) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    document = json.dumps(value)
    read = foreign.read_json(document)
    json.loads(json.dumps(read, allow_nan=False), parse_constant=refuse)
    json.loads(foreign.json_text(value), parse_constant=refuse)  # type: ignore[arg-type]
    foreign.number(value)
    foreign.whole(value)
    foreign.text(value)


def test_an_odd_number_loses_only_itself() -> None:
    text = (
        f'{{"a": 1, "b": {"9" * 400}, "c": NaN, "d": -Infinity, "e": 1e999, "f": [{"9" * 5000}], "g": 2.5}}'
    )
    assert foreign.members(text) == {
        "a": 1, "b": None, "c": None, "d": None, "e": None, "f": [None], "g": 2.5,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "[1]", b"\xff\xfe{", "null"])
def test_what_is_no_object_has_no_members(text: str | bytes) -> None:
    assert foreign.members(text) == {}


@given(st.lists(st.text(st.sampled_from("a \r\v\f\x1c\x1d\x1e\x85\u2028\u2029"))), st.integers(0, 5))
def test_a_line_ends_where_its_writer_ended_it(written: list[str], most: int) -> None:
    told = "".join(f"{line}\n" for line in written)
    assert foreign.lines(told) == written
    assert foreign.lines(told.encode()) == [line.encode() for line in written]
    assert foreign.lines(told, most) == written[:most]
    assert foreign.lines(f"{told}half") == [*written, "half"]
