"""Records that come back from JSON: as they went, or an error that names the member; never half a record."""

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import JsonValue
from core.base.records import record
from core.boards.facts import BoardFacts, facts_from_json, unknown_facts
from core.lab.perplexity.figures import Answer, PerplexityResult, WindowScore
from core.model.facts import ModelFacts

HUGE = 10**400


@dataclass(frozen=True, slots=True)
class Inner:
    """Part of the record below."""

    share: float


@dataclass(frozen=True, slots=True)
class Outer:
    """Every kind of member there is."""

    name: str
    size_bytes: int
    flag: bool
    way: Literal["up", "down"]
    note: str | None
    parts: tuple[Inner, ...]
    told: dict[str, JsonValue] = field(default_factory=dict)


WHOLE: dict[str, JsonValue] = {
    "name": "a", "size_bytes": 1, "flag": True, "way": "up", "note": None, "parts": [{"share": 1}], "told": {"x": [1]},
}  # fmt: skip


def test_a_record_comes_back_with_its_defaults_and_without_what_it_does_not_know() -> None:
    assert record(Outer, WHOLE) == Outer("a", 1, True, "up", None, (Inner(1.0),), {"x": [1]})
    less = {key: value for key, value in WHOLE.items() if key != "told"}
    assert record(Outer, {**less, "of a later version": 1}).told == {}


@pytest.mark.parametrize(
    ("member", "values"),
    [
        ("name", [1, None]), ("size_bytes", [True, 1.0, -1, HUGE, "1"]), ("flag", [1, None]), ("way", ["left", []]),
        ("note", [1]), ("told", [[], None, {"x": [HUGE]}, {"x": {"y": float("inf")}}]),
        ("parts", [None, {}, [1], [{}], [{"share": True}], [{"share": float("nan")}], [{"share": HUGE}]]),
    ],
)  # fmt: skip
def test_what_is_no_such_member_is_named(member: str, values: list[JsonValue]) -> None:
    for value in values:
        with pytest.raises(ValueError, match=f"^{member}"):
            record(Outer, {**WHOLE, member: value})
    with pytest.raises(ValueError, match="an object"):
        record(Outer, [WHOLE])


JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(HUGE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("kind", [BoardFacts, PerplexityResult, Answer, WindowScore, ModelFacts])
@given(data=st.data())
def test_any_members_make_a_record_that_json_can_hold_or_a_value_error(
    kind: type[BoardFacts] | type[Answer], data: st.DataObject
) -> None:
    names = [member.name for member in fields(kind)]
    told = data.draw(st.fixed_dictionaries(dict.fromkeys(names, JSON)))
    try:
        found = record(kind, told)
    except ValueError:
        return
    again = record(kind, json.loads(json.dumps(asdict(found), allow_nan=False)))
    assert again == found


@given(
    changed=st.dictionaries(st.sampled_from([member.name for member in fields(BoardFacts)]), JSON, max_size=2)
)
def test_any_stored_facts_of_a_board_are_facts_or_none(changed: dict[str, JsonValue]) -> None:
    stored = {**unknown_facts().to_json(), **changed}
    found = facts_from_json(stored)
    if found is None:
        assert changed
        return
    # What front ends do with them: nothing of it may be a fault.
    json.dumps(found.to_json(), allow_nan=False)
    assert found.title is None or isinstance(found.title, str)
    assert found.mount_of("/home") is None or found.mounts
    assert all(isinstance(name, str) for name in (*found.groups, *found.missing_tools, *found.compatibles))


@pytest.mark.parametrize(
    "changed",
    [
        {"cpu_count": "four"}, {"mem_total_bytes": HUGE}, {"hostname": ["a"]}, {"groups": "root"}, {"simulated": "no"},
        {"mounts": [{"path": 1}]}, {"runtimes": [{"name": "a", "version": 1, "path": "/", "simulated": True}]},
        {"libraries": {}},
    ],
)  # fmt: skip
def test_facts_with_a_member_of_another_kind_are_none(changed: dict[str, JsonValue]) -> None:
    assert facts_from_json({**unknown_facts().to_json(), **changed}) is None
    assert facts_from_json(unknown_facts().to_json()) == unknown_facts()
