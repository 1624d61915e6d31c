"""Whatever lies in a home folder where RKDeck's own files should be: a record, or a typed error, never a trace."""

import contextlib
import json
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.base import atomic
from core.base.database import Database
from core.base.errors import JsonValue, RKDeckError
from core.base.settings import Settings
from core.base.settings_file import load_settings
from core.boards.registry import BoardRegistry
from core.convert.toolkits import ToolkitRegistry
from core.jobs.store import JobStore
from core.library.library import Library
from tests.support.job_folders import stored_spec

# A fixture's folder is used again for each example: each writes its file anew.
_again = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
_EDGES: st.SearchStrategy[JsonValue] = st.sampled_from(
    [10**400, -1, 1e308, 2**63, "", "\x00", "\ud800", "../..", [], {}, None, True, "9" * 5000]
)
_JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | _EDGES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def _written(value: JsonValue) -> bytes:
    return json.dumps(value).encode()


_FILES = st.binary(max_size=300) | _JSON.map(_written)
_SPEC = stored_spec("download").to_json()
_EVENTS = st.sampled_from(["state", "progress", "result", "error", "log", "other"])
_MEMBERS = st.sampled_from(
    [
        "state",
        "reason",
        "done",
        "total",
        "rate_per_s",
        "eta_s",
        "facts",
        "phase",
        "result",
        "error",
        "t_unix_s",
    ]
)
_LINES = st.lists(
    st.binary(max_size=80)
    | st.builds(
        lambda event, time, members: _written({"schema": 1, "t_unix_s": time, "event": event, **members}),
        _EVENTS,
        st.just(1795890600.5) | _JSON,
        st.dictionaries(_MEMBERS, _JSON, max_size=4),
    ),
    max_size=6,
)


_DAMAGE = st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 255)), min_size=1, max_size=40)


@_again
@given(data=_FILES)
def test_any_settings_file(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(data)
    with contextlib.suppress(RKDeckError):
        assert isinstance(load_settings(file), Settings)


@_again
@given(data=_FILES)
def test_any_document(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(data)
    with contextlib.suppress(RKDeckError):
        atomic.read_json(file)


@_again
@given(
    changed=st.dictionaries(st.sampled_from(sorted(_SPEC)), _JSON, max_size=3),
    lines=_LINES,
    whole=st.booleans(),
)
def test_any_job_folder(
    tmp_path: Path, changed: dict[str, JsonValue], lines: list[bytes], whole: bool
) -> None:
    folder = tmp_path / "jobs" / str(_SPEC["id"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spec.json").write_bytes(_written({**_SPEC, **changed}))
    (folder / "events.jsonl").write_bytes(b"\n".join(lines) + (b"\n" if whole else b""))
    store = JobStore(tmp_path / "jobs")
    for record in store.list():
        json.dumps(record.to_json())
    with contextlib.suppress(RKDeckError):
        store.get(folder.name)
    with contextlib.suppress(RKDeckError):
        store.find(folder.name[:8])
    assert set(store.marks()) == {folder.name}
    assert isinstance(store.folder(folder.name).has_ended, bool)


@_again
@given(
    at=st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 255)), min_size=1, max_size=40),
    cut=st.none() | st.integers(0, 40_000),
)
@example(at=[(3191, 48)], cut=None)  # a letter of a column's name
def test_any_damage_to_the_database(tmp_path: Path, at: list[tuple[int, int]], cut: int | None) -> None:
    whole, path = tmp_path / "whole.sqlite3", tmp_path / "x.sqlite3"
    if not whole.exists():
        Database(whole).close()
    data = bytearray(whole.read_bytes())
    for place, byte in at:
        data[place % len(data)] = byte
    for beside in tmp_path.glob("x.sqlite3*"):
        beside.unlink()
    path.write_bytes(data[:cut])
    with contextlib.suppress(RKDeckError):
        database = Database(path)
        with contextlib.closing(database):
            BoardRegistry(database).list()
            ToolkitRegistry(database).list()
            Library(database, tmp_path).list()


_CELLS = _JSON.map(json.dumps) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_NUMBERS = st.integers(-(2**63), 2**63 - 1)


@_again
@given(told=_CELLS, port=_NUMBERS, size=_NUMBERS, added=st.floats(allow_nan=False))
def test_any_row_of_the_database(tmp_path: Path, told: str, port: int, size: int, added: float) -> None:
    database = Database(tmp_path / "x.sqlite3")
    with contextlib.closing(database):
        for table in ("boards", "toolkits", "library_items"):
            database.execute(f"DELETE FROM {table}")
        database.execute(
            "INSERT INTO boards VALUES ('desk', 'host', ?, 'me', NULL, NULL, '', NULL, ?, ?)",
            (port, told, added),
        )
        database.execute("INSERT INTO toolkits VALUES ('/python', '1', 0, ?, ?)", (told, added))
        database.execute(
            "INSERT INTO library_items VALUES ('id', 'kind', 'title', NULL, NULL, '/x', ?, ?, ?)",
            (size, added, told),
        )
        found = [
            [row.to_json() for row in BoardRegistry(database).list()],
            [row.to_json() for row in ToolkitRegistry(database).list()],
            [row.to_json() for row in Library(database, tmp_path).list()],
        ]
    assert [len(rows) for rows in found] == [1, 1, 1]
    json.dumps(found)
