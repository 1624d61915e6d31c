"""Whatever state a window is given to stand in: it is there, on a screen, of a size that can be used, on a page."""

import base64

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QRect
from PySide6.QtWidgets import QApplication

from core.base.errors import JsonValue
from gui.shell.window import MainWindow
from tests.gui.conftest import flush
from tests.gui.shell.pages import ENTRIES

NAMES = [entry.name for entry in ENTRIES]
ANY: st.SearchStrategy[JsonValue] = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.just([])
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    raw=st.none() | st.binary(max_size=80),
    changes=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=10),
    page=st.sampled_from(NAMES) | ANY,
)
@example(raw=None, changes=[(at, 255) for at in range(12, 60)], page="jobs")
@example(raw=None, changes=[(at, 127) for at in range(12, 60, 4)], page="jobs")
def test_any_state_leaves_a_window_on_a_screen(
    window: MainWindow, raw: bytes | None, changes: list[tuple[int, int]], page: JsonValue
) -> None:
    geometry = bytearray(window.saveGeometry().data())
    for at, byte in changes:
        geometry[at % len(geometry)] = byte
    window.restore(
        {"geometry": base64.b64encode(bytes(geometry) if raw is None else raw).decode(), "page": page}
    )
    flush()
    assert window.isVisible()
    assert not window.isMinimized()
    shown = QRect(window.frameGeometry())
    assert any(screen.geometry().intersects(shown) for screen in QApplication.screens())
    assert window.width() <= 4 * QApplication.primaryScreen().geometry().width()
    assert min(window.width(), window.height()) >= 100
    assert window._page_name() in NAMES


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(state=st.dictionaries(st.sampled_from(["geometry", "page", "more"]), ANY))
def test_any_members_leave_a_window_on_a_page(window: MainWindow, state: dict[str, JsonValue]) -> None:
    window.restore(state)
    assert window._page_name() in NAMES
