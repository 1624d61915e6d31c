"""Foreign text reaches Qt through `gui/widgets/plain.py` alone: everywhere else Qt would take names for markup."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "gui").rglob("*.py"))
THE_ONE_PLACE = "gui/widgets/plain.py"
# A card is markup, and shown by a view that loads nothing and shows no tips of its author's.
MARKUP = {"gui/widgets/card_view.py": {"QTextBrowser", "setMarkdown", "setOpenExternalLinks"}}

# What is called -> what the house has for it.
CALLS = {
    "setToolTip": "set_tip(widget, text)",
    "setWhatsThis": "plain_tip(text), in gui/widgets/plain.py",
    "setStatusTip": "plain_tip(text), in gui/widgets/plain.py",
    "showText": "show_tip(place, text, widget)",
    "setTextFormat": "PlainLabel, or TintedLabel for colours",
    "setHtml": "PlainLabel, or QPlainTextEdit",
    "insertHtml": "QPlainTextEdit.insertPlainText",
    "appendHtml": "QPlainTextEdit.appendPlainText",
    "setMarkdown": "CardView.show_card(text)",
    "insertMarkdown": "CardView.show_card(text)",
    "setOpenExternalLinks": "nothing: a page opens links itself, and knows which",
    "setWindowTitle": "set_title(window, text)",
    "setTitle": "label(text, 'heading'): pyqtgraph and QGroupBox take markup or mnemonics",
    "setLabel": "label(text): pyqtgraph's titles of axes are HTML",
}
MADE = {
    "QLabel": "label(text), ElidedLabel or PlainLabel",
    "QPushButton": "button(text) or PlainButton",
    "QAction": "menu_entry(menu, text, data)",
    "QMessageBox": "MessageBox",
    "QInputDialog": "InputDialog",
    "QErrorMessage": "desk.report(error)",
    "QTextEdit": "QPlainTextEdit",
    "QTextBrowser": "CardView",
    "QTextDocument": "QPainter.drawText",
    "QStaticText": "QPainter.drawText",
    "QGraphicsTextItem": "pyqtgraph's plain items",
    "TextItem": "InfiniteLine with a label",
}
STATIC = {"QMessageBox", "QInputDialog"}
TIP_ROLES = {"ToolTipRole", "WhatsThisRole", "StatusTipRole"}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _complaints(tree: ast.AST, allowed: set[str]) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found += _of_call(node, allowed)
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                name = getattr(base, "id", getattr(base, "attr", ""))
                if name in MADE and name not in allowed:
                    found.append(f"line {node.lineno}: class of {name}; use {MADE[name]}")
        if isinstance(node, ast.FunctionDef) and _mentions(node, TIP_ROLES) and not _calls(node, "plain_tip"):
            found.append(f"line {node.lineno}: {node.name} answers for a tip's role without plain_tip")
    return found


def _of_call(node: ast.Call, allowed: set[str]) -> list[str]:
    called = node.func
    if isinstance(called, ast.Name) and called.id in MADE and called.id not in allowed:
        return [f"line {node.lineno}: {called.id}(...); use {MADE[called.id]}"]
    if not isinstance(called, ast.Attribute):
        return []
    on_class = called.value.id if isinstance(called.value, ast.Name) else ""
    if on_class in STATIC and called.attr[:1].islower():
        return [f"line {node.lineno}: {on_class}.{called.attr} runs a loop of its own; use {MADE[on_class]}"]
    if called.attr == "addAction" and any(_is_text(argument) for argument in node.args):
        return [f"line {node.lineno}: addAction(text); use {MADE['QAction']}"]
    if called.attr == "addRow" and node.args and _is_text(node.args[0]) and not _is_empty(node.args[0]):
        return [
            f"line {node.lineno}: addRow(text, ...) makes a label of its own; use addRow(label(text), ...)"
        ]
    if called.attr in {*CALLS, *MADE} and called.attr not in allowed:
        return [f"line {node.lineno}: {called.attr}(...); use {(CALLS | MADE)[called.attr]}"]
    return []


def _is_text(node: ast.expr) -> bool:
    """Whether an argument is a text for all one can see: a literal, `tr(...)`, or something called text or title."""
    if isinstance(node, ast.JoinedStr | ast.Constant):
        return True
    if isinstance(node, ast.Call):
        return getattr(node.func, "id", "") in {"tr", "trn", "printable", "literal"}
    name = getattr(node, "id", getattr(node, "attr", ""))
    return name in {"text", "title", "name"}


def _is_empty(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == ""


def _mentions(node: ast.AST, names: set[str]) -> bool:
    return any(isinstance(part, ast.Attribute) and part.attr in names for part in ast.walk(node))


def _calls(node: ast.AST, name: str) -> bool:
    return any(isinstance(part, ast.Call) and getattr(part.func, "id", "") == name for part in ast.walk(node))


@pytest.mark.parametrize("path", [path for path in FILES if _name(path) != THE_ONE_PLACE], ids=_name)
def test_text_is_given_to_qt_by_the_one_place_that_makes_it_plain(path: Path) -> None:
    complaints = _complaints(ast.parse(path.read_text("utf-8")), MARKUP.get(_name(path), set()))
    assert not complaints, f"{_name(path)}: " + "; ".join(complaints)


@pytest.mark.parametrize(
    "source",
    [
        "w.setToolTip(name)", "w.setWhatsThis(t)", "w.setStatusTip(t)", "QLabel(name)", "QPushButton(name)",
        "QtWidgets.QLabel(name)",
        "l.setTextFormat(Qt.TextFormat.RichText)", "e.setHtml(t)", "c.insertHtml(t)", "QMessageBox(self)",
        "QMessageBox.warning(self, 'a', t)", "QInputDialog.getText(self, 'a', t)", "m.addAction(f'{name}')",
        "QAction(name, m)", "f.addRow('Name', w)", "f.addRow(text, w)", "class L(QLabel): pass",
        "QToolTip.showText(p, t)",
        "w.setWindowTitle(t)", "def data(self, i, r):\n  return x if r == Qt.ItemDataRole.ToolTipRole else None",
    ],
)  # fmt: skip
def test_the_rule_sees_each_way_around_it(source: str) -> None:
    assert _complaints(ast.parse(source), set())


@pytest.mark.parametrize(
    "source",
    ["set_tip(w, name)", "label(name)", "menu_entry(m, name)", "group.addAction(action)", "f.addRow(label(t), w)",
     "f.addRow('', buttons)", "box: QMessageBox | None = None", "QMessageBox.Icon.Question"],
)  # fmt: skip
def test_the_rule_lets_the_houses_own_ways_pass(source: str) -> None:
    assert not _complaints(ast.parse(source), set())
