"""Every code has words in every shipped language, over the facts its place gives; no words are left over."""

import ast
import string
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from importlib import resources
from typing import Any, get_args

import pytest

from core.base.errors import RKDeckError
from core.convert.recipe import Recipe
from core.estimate.records import Fits
from core.jobs.model import JobState
from core.monitor.sample import Missing
from core.plans.kinds import ORDERS
from core.usecases.gguf import recommendation_rules
from core.vendor.platforms import load_platforms
from core.words import PLAIN, languages, messages, word
from tests.contracts.sources import trees

ERRORS = {"RKDeckError", "UsageError", "RefusedError", "CancelledError"}
_PHASES = {"phase", "_phase"}
OTHERS = [code for code in languages() if code != PLAIN]


@dataclass(frozen=True)
class Use:
    """A code where it is written."""

    code: str
    facts: frozenset[str] | None  # None: given as **facts, unknown to this test
    where: str


def _document(language: str, name: str) -> dict[str, Any]:
    file = resources.files("resources") / "translations" / language / f"{name}.toml"
    return tomllib.loads(file.read_text("utf-8"))


def _uses(functions: set[str], *, method: bool = False) -> Iterator[Use]:
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called not in functions or method is not isinstance(node.func, ast.Attribute):
                continue
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                names = [keyword.arg for keyword in node.keywords]
                facts = (
                    None if None in names else frozenset(name for name in names if name and name != "hint")
                )
                yield Use(first.value, facts, f"{path}:{node.lineno}")


def _fields(template: str) -> set[str]:
    return {name.split(".")[0].split("[")[0] for _, name, _, _ in string.Formatter().parse(template) if name}


def _literals() -> set[str]:
    """Every text written in the code, f-strings as their first part."""
    return {
        node.value
        for tree in trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_codes_are_found_at_all() -> None:
    assert len({found.code for found in _uses(ERRORS)}) > 10


@pytest.mark.parametrize("window", [False, True])
def test_every_code_has_words_over_its_own_facts(window: bool) -> None:
    known, complaints = messages(window=window), []
    for found in _uses(ERRORS):
        if found.code not in known:
            complaints.append(f"{found.where}: no words for {found.code}")
        elif found.facts is not None and (
            unknown := set().union(*map(_fields, known[found.code])) - found.facts
        ):
            complaints.append(f"{found.where}: {found.code} is not given {sorted(unknown)}")
    assert complaints == []


def test_no_words_are_left_over_for_errors() -> None:
    literals = _literals()
    # Made of two parts: the doctor's remedies by their ids.
    parts = {text for text in literals if text.endswith(("_", "."))}
    unused = [code for code in messages() if code not in literals and not code.startswith(tuple(parts))]
    assert unused == []


def test_every_note_has_words_over_its_own_facts_and_no_words_are_left_over() -> None:
    words = _document(PLAIN, "notes")
    found = [use for use in _uses({"note", "because", "NotedError"}) if "words" not in use.where]
    assert len(found) > 20
    for use in found:
        assert use.code in words, f"{use.where}: no words for {use.code}"
        assert use.facts is None or _fields(words[use.code]) <= use.facts, use.where
    refusals = [refusal for platform in load_platforms().values() for refusal in platform.refusals.values()]
    for refusal in refusals:
        assert _fields(words[refusal.code]) <= set(dict(refusal.facts)), refusal
    rules = {rule.why for rule in recommendation_rules()}
    assert all(_fields(words[why]) <= {"level"} for why in rules)
    used = {use.code for use in found} | {refusal.code for refusal in refusals} | rules | _literals()
    assert sorted(set(words) - used) == []


def test_every_phase_has_a_name_and_no_name_is_left_over() -> None:
    names = _document(PLAIN, "names")["phase"]
    reported = {use.code for use in _uses({"progress", "report"}, method=True) if "cli" not in use.where}
    reported |= {code for tree in trees().values() for code in _named_phases(tree)}
    assert len(reported) > 5
    assert {"upload", "files", "waiting"} <= reported
    assert sorted(reported - set(names)) == []
    assert (
        sorted(name for name in names if name not in reported and name not in _literals() | _stages()) == []
    )


def _named_phases(tree: ast.AST) -> Iterator[str]:
    """What a name or an attribute called phase is made, with or without an annotation: assigned, by default, given."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {getattr(target, "id", getattr(target, "attr", "")) for target in targets}
            given = [node.value] if names & _PHASES else []
        elif isinstance(node, ast.keyword):
            given = [node.value] if node.arg in _PHASES else []
        elif isinstance(node, ast.arguments):
            plain = [*node.posonlyargs, *node.args]
            defaults = [*zip(plain[len(plain) - len(node.defaults) :], node.defaults, strict=True)]
            pairs = [*defaults, *zip(node.kwonlyargs, node.kw_defaults, strict=True)]
            given = [default for argument, default in pairs if argument.arg in _PHASES]
        else:
            continue
        for value in given:
            yield from _chosen(value)


def _chosen(value: ast.expr | None) -> Iterator[str]:
    """The texts that a value may be, not those it is asked with (`data["phase"]`)."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
        yield value.value
    elif isinstance(value, ast.IfExp | ast.BoolOp):
        for part in [value.body, value.orelse] if isinstance(value, ast.IfExp) else value.values:
            yield from _chosen(part)


@pytest.mark.parametrize(
    "source",
    [
        'phase = "x"', 'phase: str = "x"', 'self._phase = "x"', 'self._phase: str = "x"', 'f(phase="x")',
        'def f(phase: str = "x"): ...', 'def f(*, phase="x"): ...', 'phase = "x" if y else z',
    ],
)  # fmt: skip
def test_the_search_for_phases_finds_them(source: str) -> None:
    assert list(_named_phases(ast.parse(source))) == ["x"]


def _logged(tree: ast.AST) -> Iterator[int]:
    """Where a job's log is given a text instead of a code; a program's own log (`_log.info`) has other methods."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "log":
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant | ast.JoinedStr | ast.BinOp) or _called_on_text(first):
                yield node.lineno


def _called_on_text(node: ast.expr | None) -> bool:
    """Of `"...".format(...)`, `str(...)` and `repr(...)`."""
    if not isinstance(node, ast.Call):
        return False
    on_text = isinstance(node.func, ast.Attribute) and node.func.attr in {"format", "join"}
    return on_text or getattr(node.func, "id", "") in {"str", "repr"}


@pytest.mark.parametrize(
    "source",
    [
        'context.log("a")', 'self._context.log(f"a {b}")', 'log.log("a %r" % b)', 'log.log("a".format(b))',
        "log.log(str(b))",
    ],
)  # fmt: skip
def test_the_search_for_sentences_in_logs_finds_them(source: str) -> None:
    assert list(_logged(ast.parse(source))) == [1]


def test_a_line_of_a_jobs_log_is_a_code_with_facts() -> None:
    found = [f"{path}:{line}" for path, tree in trees().items() for line in _logged(tree)]
    assert found == [], "tell it by `core.words.tell`: every front end shows it in its language then"


def _stages() -> set[str]:
    """The toolkit's own names for its stages."""
    from core.convert import output

    return set(output.STAGES)


def test_states_verdicts_and_missing_figures_have_names_and_no_name_is_left_over() -> None:
    names = _document(PLAIN, "names")
    assert set(names["state"]) == {str(state) for state in JobState}
    assert set(names["missing"]) == {str(reason) for reason in Missing}
    assert set(names["verdict"]) == {*get_args(Fits), "unknown"}


def test_every_member_that_people_are_shown_has_a_name_and_no_name_is_left_over() -> None:
    shown = {
        text.value
        for verb in ("inspect", "jobs", "selftest")
        for text in ast.walk(trees()[f"core/cli/commands/{verb}.py"])
        if isinstance(text, ast.Constant)
    }
    recipe = {member.name for member in fields(Recipe)}  # the Library page shows each of them
    names = set(_document(PLAIN, "names")["field"])
    assert sorted(names - shown - recipe) == []
    assert sorted(recipe - names) == []


def test_every_kind_of_job_has_a_name_and_no_name_is_left_over() -> None:
    assert set(_document(PLAIN, "names")["kind"]) == {order.kind.name for order in ORDERS}


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("name", ["errors", "errors_in_window", "notes", "names", "help"])
def test_a_shipped_language_lacks_nothing_and_has_nothing_more(language: str, name: str) -> None:
    plain, own = _flat(_document(PLAIN, name)), _flat(_document(language, name))
    assert sorted(set(plain) - set(own)) == [], f"{language}/{name}.toml lacks these"
    assert sorted(set(own) - set(plain)) == [], f"{language}/{name}.toml has these, English does not"
    if not name.startswith("errors"):  # an advice may name again, or no longer, what its message has told
        for key, text in plain.items():
            assert _fields(own[key]) == _fields(text), key


@pytest.mark.parametrize("language", OTHERS)
def test_a_shipped_language_words_every_value_that_english_words(language: str) -> None:
    plain, own = _flat(_document(PLAIN, "values")), _flat(_document(language, "values"))
    assert sorted(set(plain) - set(own)) == []


def _flat(table: dict[str, Any], above: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    found: dict[tuple[str, ...], str] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            found |= _flat(value, (*above, key))
        else:
            found[(*above, key)] = value
    return found


@pytest.mark.parametrize("code", sorted(messages()))
def test_words_are_sentences(code: str) -> None:
    message, advice = messages()[code]
    for text in filter(None, (message, advice)):
        assert text[0].isupper() or text[0] in "`{", text
        assert text == text.strip(), text


def test_hostile_facts_are_shown_harmless() -> None:
    message, _ = word(RKDeckError("names.unsafe_path", path="\x1b[2Jx\u202e", why="{0}{x!r}"))
    assert "\x1b" not in message
    assert "\u202e" not in message
    assert "{0}{x!r}" in message


def test_unknown_code_still_speaks() -> None:
    assert "nobody.knows" in word(RKDeckError("nobody.knows", n=1))[0]
