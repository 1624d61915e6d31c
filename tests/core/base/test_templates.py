"""Where a model keeps the template of its chats, and that everybody looks there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.templates import chat_template, folder_template
from core.demo.toolkit.loading import load_checkpoint as load_in_stand_in
from core.deploy.companions import find_companions, origin_of
from core.lab.perplexity.checkpoint import load_checkpoint
from core.lab.perplexity.fingerprint import fingerprint
from tests.support.models import write_random_model

NEW = "{% for m in messages %}<{{ m['content'] }}>{% endfor %}"
NAMED = [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": NEW}]


def _jinja(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text(NEW)


def _additional(folder: Path) -> None:
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tool_use.jinja").write_text("tools")
    (folder / "additional_chat_templates" / "default.jinja").write_text(NEW)


def _in(name: str, value: Any) -> Callable[[Path], None]:  # noqa: ANN401  # JSON
    def write(folder: Path) -> None:
        (folder / name).write_text(json.dumps({"chat_template": value}))

    return write


PLACES = {
    "chat_template.jinja": _jinja,
    "additional_chat_templates": _additional,
    "tokenizer_config.json": _in("tokenizer_config.json", NEW),
    "a list of named ones": _in("tokenizer_config.json", NAMED),
    "chat_template.json": _in("chat_template.json", NEW),
}


@pytest.mark.parametrize("place", PLACES)
def test_laboratory_stand_in_and_deployment_find_the_template_wherever_it_lies(
    tmp_path: Path, place: str
) -> None:
    folder = write_random_model(tmp_path / "model")
    (folder / "tokenizer_config.json").write_text("{}")
    bare = fingerprint(folder)
    assert load_checkpoint(folder).template is None
    PLACES[place](folder)
    assert load_checkpoint(folder).template == NEW
    assert load_in_stand_in(folder).chat_template == NEW
    assert fingerprint(folder) != bare, "answers with another template are another model's"
    (folder / "m.rkllm").write_bytes(b"model")
    companions = find_companions(folder / "m.rkllm", of_a_repository=True)
    plain = write_random_model(tmp_path / "plain")
    _jinja(plain)
    (plain / "m.rkllm").write_bytes(b"model")
    same = find_companions(plain / "m.rkllm", of_a_repository=True)
    assert origin_of(companions).chat_template_sha256 == origin_of(same).chat_template_sha256 is not None


def test_the_file_of_its_own_comes_before_the_member(tmp_path: Path) -> None:
    _in("tokenizer_config.json", "old")(tmp_path)
    assert folder_template(tmp_path) == "old"
    _jinja(tmp_path)
    assert folder_template(tmp_path) == NEW


@pytest.mark.parametrize(
    "value",
    [None, 3, "", [], {}, [{"name": "tool_use", "template": "x"}], [3], {"default": 3}, [{"name": []}]],
)
def test_what_is_no_template_of_plain_chats_is_none(tmp_path: Path, value: Any) -> None:  # noqa: ANN401
    _in("tokenizer_config.json", value)(tmp_path)
    assert folder_template(tmp_path) is None


def test_a_pipe_a_folder_or_a_huge_file_is_no_template(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").mkdir()
    (tmp_path / "tokenizer_config.json").write_bytes(b'{"chat_template": "' + b"x" * (5 << 20) + b'"}')
    assert folder_template(tmp_path) is None


def test_what_git_lfs_leaves_in_its_place_is_no_template(tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
    (tmp_path / "chat_template.jinja").write_text(pointer)
    assert folder_template(tmp_path) is None


@given(st.dictionaries(st.sampled_from(["chat_template.jinja", "tokenizer_config.json", "chat_template.json"]),
       st.binary(max_size=60) | st.recursive(
           st.none() | st.text(max_size=5) | st.floats(), lambda inner: st.lists(inner, max_size=3)
           | st.dictionaries(st.sampled_from(["name", "template", "default", "chat_template"]), inner)
       ).map(lambda value: json.dumps({"chat_template": value}).encode())))  # fmt: skip
def test_whatever_the_files_hold_the_answer_is_text_or_none(files: dict[str, bytes]) -> None:
    found = chat_template(files.get)
    assert found != ""
