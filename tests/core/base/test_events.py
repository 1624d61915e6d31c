import gc
from dataclasses import dataclass

import pytest

from core.base.events import EventHub


@dataclass(frozen=True)
class Ping:
    number: int


@dataclass(frozen=True)
class Other:
    pass


class Listener:
    def __init__(self) -> None:
        self.heard: list[Ping] = []

    def on_ping(self, event: Ping) -> None:
        self.heard.append(event)


def test_only_subscribers_of_the_class_hear_it_until_they_leave() -> None:
    hub, listener = EventHub(), Listener()
    leave = hub.subscribe(Ping, listener.on_ping)
    hub.publish(Ping(1))
    hub.publish(Other())
    leave()
    hub.publish(Ping(2))
    assert listener.heard == [Ping(1)]


def test_a_bound_method_is_held_weakly() -> None:
    hub, heard = EventHub(), []

    class Loud(Listener):
        def on_ping(self, event: Ping) -> None:
            heard.append(event)

    listener = Loud()
    hub.subscribe(Ping, listener.on_ping)
    del listener
    gc.collect()
    hub.publish(Ping(1))
    assert heard == []


@pytest.mark.expects_log
def test_one_failing_subscriber_does_not_silence_the_next() -> None:
    hub, listener = EventHub(), Listener()

    def fail(event: Ping) -> None:
        raise ValueError(event)

    hub.subscribe(Ping, fail)
    hub.subscribe(Ping, listener.on_ping)
    hub.publish(Ping(1))
    assert listener.heard == [Ping(1)]
