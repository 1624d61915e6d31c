"""Real functions whose first call takes its time."""

import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

HELD_S = 90
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class HeldBack:
    """The real function; its first call returns what it has found, or fails, only when it is let go."""

    def __init__(self) -> None:
        self.calls = 0
        self.has_looked, self.let_go, self.has_returned = (threading.Event() for _ in range(3))

    def around(self, function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            self.calls += 1
            first = self.calls == 1
            try:
                return function(*args, **kwargs)
            finally:
                if first:
                    self.has_looked.set()
                    assert self.let_go.wait(HELD_S)
                    self.has_returned.set()

        return call
