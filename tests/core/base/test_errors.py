import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import CancelledError, RefusedError, RKDeckError, UsageError, error_from_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("cls", "exit_code"), [(RKDeckError, 1), (UsageError, 2), (RefusedError, 3), (CancelledError, 130)]
)
def test_error_survives_the_wire_with_its_kind(cls: type[RKDeckError], exit_code: int) -> None:
    error = cls("room.what", hint="room.other", size_bytes=15_000_000_000, names=["a", "b"])
    back = error_from_json(error.to_json())
    assert type(back) is cls
    assert back.to_json() == error.to_json()
    assert back.exit_code == exit_code


@given(st.dictionaries(st.sampled_from(["code", "kind", "facts", "hint", "x"]), JSON))
def test_any_document_becomes_an_error(document: dict[str, object]) -> None:
    error = error_from_json(document)
    assert isinstance(error, RKDeckError)
    assert error.code


def test_fact_called_hint_does_not_break_the_rebuild() -> None:
    assert error_from_json({"code": "a.b", "facts": {"hint": 3, "n": 1}}).facts == {"n": 1}


def test_an_error_that_inherits_its_kind_does_not_stand_for_it() -> None:
    class _OwnError(RKDeckError):
        """Without a kind of its own, as a room may raise it."""

    assert type(error_from_json(_OwnError("room.what").to_json())) is RKDeckError
