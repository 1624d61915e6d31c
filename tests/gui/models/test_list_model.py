"""The one table model, under both model testers while it changes."""

from collections.abc import Callable

from PySide6.QtCore import QAbstractItemModel, QPersistentModelIndex, Qt
from pytestqt.qtbot import QtBot

from core.base.observable import ObservableList
from gui.models.list_model import RECORD_ROLE, Column, RecordModel
from tests.gui.page_parts import SLACK_MS

Row = tuple[str, int]
COLUMNS = (
    Column[Row]("Name", lambda row: row[0], tip=lambda row: f"about {row[0]}"),
    Column[Row]("Size GiB", lambda row: str(row[1]), right=True),
)


def rows(*names: str) -> list[Row]:
    return [(name, ord(name[0])) for name in names]


def key(row: Row) -> str:
    return row[0]


def test_cells_headers_and_alignment(check_model: Callable[[QAbstractItemModel], None]) -> None:
    model = RecordModel(ObservableList(rows("a", "b")), COLUMNS)
    check_model(model)
    assert model.index(1, 1).data() == "98"
    assert model.index(0, 0).data(RECORD_ROLE) == ("a", 97)
    assert model.index(0, 0).data(Qt.ItemDataRole.ToolTipRole) == "about a"
    assert model.index(0, 1).data(Qt.ItemDataRole.ToolTipRole) is None
    right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
    assert model.index(0, 1).data(Qt.ItemDataRole.TextAlignmentRole) == right
    horizontal = Qt.Orientation.Horizontal
    assert model.headerData(1, horizontal) == "Size GiB"
    assert model.headerData(1, horizontal, Qt.ItemDataRole.TextAlignmentRole) == right
    assert model.record(model.index(1, 0)) == ("b", 98)


def test_every_change_is_told(check_model: Callable[[QAbstractItemModel], None], qtbot: QtBot) -> None:
    records = ObservableList(rows("a", "b", "c"))
    model = RecordModel(records, COLUMNS)
    check_model(model)
    with qtbot.waitSignals(
        [model.rowsAboutToBeInserted, model.rowsInserted], order="strict", timeout=SLACK_MS
    ):
        records.extend(rows("d", "e"))
    with qtbot.waitSignals([model.rowsAboutToBeRemoved, model.rowsRemoved], order="strict", timeout=SLACK_MS):
        records.remove_range(0, 1)
    with qtbot.waitSignal(model.dataChanged, timeout=SLACK_MS) as changed:
        records.change(1, ("d", 7))
    assert changed.args is not None
    assert (changed.args[0].row(), changed.args[1].column()) == (1, 1)
    with qtbot.waitSignals(
        [model.layoutAboutToBeChanged, model.layoutChanged], order="strict", timeout=SLACK_MS
    ):
        records.replace_all([records[2], records[0], records[1]], key)
    assert [model.index(row, 0).data() for row in range(3)] == ["e", "c", "d"]
    assert model.index(2, 1).data() == "7"


def test_a_selection_stays_with_its_record_when_the_order_changes() -> None:
    records = ObservableList(rows("a", "b", "c"))
    model = RecordModel(records, COLUMNS)
    held = QPersistentModelIndex(model.index(0, 0))
    records.replace_all(rows("c", "b", "a", "z"), key)
    assert held.row() == 2
    assert held.data() == "a"


def test_texts_are_made_once_per_row_and_anew_after_a_change() -> None:
    made: list[str] = []

    def text(row: Row) -> str:
        made.append(row[0])
        return row[0]

    records = ObservableList(rows("a", "b"))
    model = RecordModel(records, (Column[Row]("Name", text),))
    for _ in range(7):
        assert model.index(0, 0).data() == "a"
    assert made == ["a"]
    records.change(0, ("x", 1))
    assert model.index(0, 0).data() == "x"
    model.forget_texts()
    assert model.index(0, 0).data() == "x"
    assert made == ["a", "x", "x"]
