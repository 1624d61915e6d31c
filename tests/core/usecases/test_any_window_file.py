"""Whatever lies where the window keeps where it stood: a state or none, and the window comes up."""

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.base.foreign import json_text
from core.base.opening import remove_any
from core.base.paths import AppPaths
from core.services import Services
from core.usecases import preferences
from tests.core.base.test_opening import MAKERS

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200) | ANY.map(lambda value: json.dumps(value).encode()))
@example(data=b"[" * 60_000)
@example(data=b'{"geometry": "' + b"A" * 60_000 + b'"}')
@example(data=b'{"a": 1}' + b" " * (20 << 20))
def test_any_window_file_is_a_state_or_none(services: Services, data: bytes) -> None:
    (services.paths.home / "window.json").write_bytes(data)
    found = preferences.window_state(services)
    assert isinstance(found, dict)
    json_text(found)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("found", [*MAKERS, "dangling", "unreadable"])
def test_what_is_no_file_is_no_state_and_stops_no_window(
    services: Services, paths: AppPaths, found: str
) -> None:
    file = paths.home / "window.json"
    if found == "dangling":
        file.symlink_to(paths.home / "nowhere")
    elif found == "unreadable":
        file.symlink_to(file)  # a ring of links: nobody reads it, not even root
    else:
        MAKERS[found](file)
    assert preferences.window_state(services) == {}
    remove_any(file)
    preferences.keep_window_state(services, {"page": "jobs"})
    assert preferences.window_state(services) == {"page": "jobs"}
