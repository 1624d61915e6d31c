"""A list that tells before and after it changes, in ranges: what item models need, in plain Python.

It belongs to one thread. Observers are held weakly, so that a closed view does not live on because it once
looked at a list.
"""

import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar, overload

Item = TypeVar("Item")


class ListObserver(Protocol):
    """What hears of changes; `first` and `last` are inclusive."""

    def before_insert(self, first: int, last: int) -> None:
        """Rows first..last are about to be put in."""

    def after_insert(self, first: int, last: int) -> None:
        """They are in."""

    def before_remove(self, first: int, last: int) -> None:
        """Rows first..last are about to go."""

    def after_remove(self, first: int, last: int) -> None:
        """They are gone."""

    def after_change(self, first: int, last: int) -> None:
        """Rows first..last hold other values at the same places."""

    def before_order(self) -> None:
        """The rows are about to be put in another order."""

    def after_order(self, new_places: Sequence[int]) -> None:
        """Row i is now at `new_places[i]`."""


class ObservableList(Sequence[Item], Generic[Item]):
    """A list of frozen records."""

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self._items = list(items)
        self._observers: list[weakref.ref[ListObserver]] = []

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        return self._items[index]

    def attach(self, observer: ListObserver) -> None:
        """Tell `observer` from now on, for as long as somebody else holds it."""
        self._observers.append(weakref.ref(observer))

    def insert(self, index: int, items: Iterable[Item]) -> None:
        """Put items before place `index`."""
        new = list(items)
        if not new:
            return
        first, last = index, index + len(new) - 1
        self._tell(lambda observer: observer.before_insert(first, last))
        self._items[index:index] = new
        self._tell(lambda observer: observer.after_insert(first, last))

    def extend(self, items: Iterable[Item]) -> None:
        """Add items at the end, as one range."""
        self.insert(len(self._items), items)

    def remove_range(self, first: int, last: int) -> None:
        """Take out the items first..last."""
        self._tell(lambda observer: observer.before_remove(first, last))
        del self._items[first : last + 1]
        self._tell(lambda observer: observer.after_remove(first, last))

    def clear(self) -> None:
        """Take out everything."""
        if self._items:
            self.remove_range(0, len(self._items) - 1)

    def change(self, index: int, item: Item) -> None:
        """Put another value at a place."""
        self._change_range(index, [item])

    def replace_all(self, items: Iterable[Item], key: Callable[[Item], Hashable]) -> None:
        """Become `items`, telling only what differs; two items with one key are the same row.

        What is gone is removed, what stays is put in its new order, what is new is inserted, and rows whose
        value differs are changed, so that selections in views survive.
        """
        new = list(items)
        wanted = {key(item): place for place, item in enumerate(new)}
        if len(wanted) != len(new):
            raise ValueError("two items have the same key")
        for first, last in reversed(_runs([key(item) not in wanted for item in self._items])):
            self.remove_range(first, last)
        self._order([wanted[key(item)] for item in self._items])
        known = {key(item) for item in self._items}
        for first, last in _runs([key(item) not in known for item in new]):
            self.insert(first, new[first : last + 1])
        for first, last in _runs([old != item for old, item in zip(self._items, new, strict=True)]):
            self._change_range(first, new[first : last + 1])

    def _change_range(self, first: int, items: list[Item]) -> None:
        last = first + len(items) - 1
        self._items[first : last + 1] = items
        self._tell(lambda observer: observer.after_change(first, last))

    def _order(self, places: list[int]) -> None:
        ranked = sorted(range(len(places)), key=places.__getitem__)
        if ranked == list(range(len(places))):
            return
        self._tell(lambda observer: observer.before_order())
        self._items = [self._items[old] for old in ranked]
        new_places = [0] * len(ranked)
        for new, old in enumerate(ranked):
            new_places[old] = new
        self._tell(lambda observer: observer.after_order(new_places))

    def _tell(self, call: Callable[[ListObserver], None]) -> None:
        for reference in list(self._observers):
            observer = reference()
            if observer is None:
                self._observers.remove(reference)
            else:
                call(observer)


def _runs(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """The stretches of true flags as (first, last)."""
    found: list[tuple[int, int]] = []
    for place, flag in enumerate(flags):
        if flag and found and found[-1][1] == place - 1:
            found[-1] = (found[-1][0], place)
        elif flag:
            found.append((place, place))
    return found
