"""An observer that applies the events to a copy of its own always has the same list."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.observable import ObservableList

Row = tuple[int, int]  # key, value


class Mirror:
    """Rebuilds the list from the events alone, as an item model does."""

    def __init__(self, observed: ObservableList[Row]) -> None:
        self.observed = observed
        self.rows = list(observed)
        self.events: list[str] = []
        self._pending: tuple[int, int] | None = None
        observed.attach(self)

    def before_insert(self, first: int, last: int) -> None:
        assert list(self.observed) == self.rows
        self._pending = (first, last)

    def after_insert(self, first: int, last: int) -> None:
        assert self._pending == (first, last)
        self.rows[first:first] = self.observed[first : last + 1]
        self.events.append(f"insert {first}..{last}")

    def before_remove(self, first: int, last: int) -> None:
        assert list(self.observed) == self.rows
        assert 0 <= first <= last < len(self.rows)
        self._pending = (first, last)

    def after_remove(self, first: int, last: int) -> None:
        assert self._pending == (first, last)
        del self.rows[first : last + 1]
        self.events.append(f"remove {first}..{last}")

    def after_change(self, first: int, last: int) -> None:
        self.rows[first : last + 1] = self.observed[first : last + 1]
        self.events.append(f"change {first}..{last}")

    def before_order(self) -> None:
        assert list(self.observed) == self.rows

    def after_order(self, new_places: Sequence[int]) -> None:
        moved: list[Row] = [(0, 0)] * len(self.rows)
        for old, new in enumerate(new_places):
            moved[new] = self.rows[old]
        self.rows = moved
        self.events.append("order")


ROWS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), max_size=12, unique_by=lambda row: row[0])


@given(ROWS, ROWS)
def test_any_list_becomes_any_other_and_the_mirror_follows(old: list[Row], new: list[Row]) -> None:
    observed = ObservableList(old)
    mirror = Mirror(observed)
    observed.replace_all(new, key=lambda row: row[0])
    assert list(observed) == new
    assert mirror.rows == new


def test_only_differences_are_told_in_ranges() -> None:
    observed = ObservableList([(n, 0) for n in range(6)])
    mirror = Mirror(observed)
    observed.replace_all([(n, 0) for n in range(6)], key=lambda row: row[0])
    assert mirror.events == []
    observed.replace_all([(0, 0), (1, 9), (2, 9), (5, 0), (7, 0), (8, 0)], key=lambda row: row[0])
    assert mirror.events == ["remove 3..4", "insert 4..5", "change 1..2"]


def test_a_new_order_moves_rows_and_replaces_none() -> None:
    observed = ObservableList([(1, 0), (2, 0), (3, 0)])
    mirror = Mirror(observed)
    observed.replace_all([(3, 0), (1, 0), (2, 0)], key=lambda row: row[0])
    assert mirror.events == ["order"]


def test_two_rows_of_one_key_are_refused_and_nothing_changes() -> None:
    observed = ObservableList([(1, 0)])
    with pytest.raises(ValueError, match="same key"):
        observed.replace_all([(2, 0), (2, 1)], key=lambda row: row[0])
    assert list(observed) == [(1, 0)]


def test_an_observer_that_is_gone_is_forgotten() -> None:
    observed: ObservableList[Row] = ObservableList()
    mirror = Mirror(observed)
    del mirror
    observed.extend([(1, 1)])
    observed.change(0, (1, 2))
    observed.clear()
    assert len(observed) == 0
