"""A tokenizer is a stranger's file: each question has an answer, or ends within bounds, in a process of its own."""

import json
import os
import resource
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from core.base.errors import RefusedError
from core.convert.calibration import check_calibration
from core.model import tokenizing
from core.model.tokenizing import TOKENIZER_NAME, ModelTokenizer
from tests.support.models import write_random_model

TWICE = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
# One letter becomes 2**60; every "b" a million; a pattern that is tried in more ways than there are seconds.
HARM: dict[str, dict[str, Any]] = {
    "grows": {"normalizer": {"type": "Sequence", "normalizers": [TWICE] * 60}},
    "grows later": {"normalizer": {"type": "Replace", "pattern": {"String": "b"}, "content": "x" * 1_000_000}},
    "tries": {
        "pre_tokenizer": {
            "type": "Split", "pattern": {"Regex": "(b|b|bb)+$"}, "behavior": "Isolated", "invert": False
        }
    },
}  # fmt: skip


def harmful(folder: Path, how: str) -> Path:
    folder.mkdir()
    document: dict[str, Any] = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": {"a": 0, "?": 1}, "unk_token": "?"}, **HARM[how],
    }  # fmt: skip
    (folder / TOKENIZER_NAME).write_text(json.dumps(document))
    return folder


@pytest.mark.parametrize("how", HARM)
def test_a_tokenizer_that_does_harm_costs_its_own_process_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(tokenizing, "_MEMORY_BYTES", 512 << 20)
    tokenizer = ModelTokenizer(harmful(tmp_path / "model", how))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RefusedError) as caught:
        tokenizer.counts(["a" + "b" * 20_000 + "c"])
    wanted = "perplexity.bad_tokenizer" if how == "tries" else "perplexity.tokenizer_beyond"
    assert caught.value.code == wanted
    assert how == "tries" or caught.value.facts["bound"] in {"memory", "time"}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10, "KiB, of this process"


def test_calibration_data_for_such_a_model_is_bounded_by_its_characters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenizing, "_MEMORY_BYTES", 512 << 20)
    path = tmp_path / "data.json"
    path.write_text(json.dumps([{"input": "a" * 100, "target": "b"}]))
    found = check_calibration(path, 64, harmful(tmp_path / "model", "grows"))
    assert [error.code for error in found.warnings] == ["convert.dataset_maybe_long"]


def test_one_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizing, "_TIMEOUT_S", 0.01)
    with pytest.raises(RefusedError) as caught:
        ModelTokenizer(write_random_model(tmp_path / "model")).prefix()
    assert (caught.value.code, caught.value.facts["bound"]) == ("perplexity.tokenizer_beyond", "time")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_what_is_no_tokenizer_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / TOKENIZER_NAME).write_bytes(content)
    with pytest.raises(RefusedError) as caught:
        ModelTokenizer(tmp_path).ids("a")
    assert caught.value.code == "perplexity.bad_tokenizer"


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / TOKENIZER_NAME)
    with pytest.raises(RefusedError) as caught:
        ModelTokenizer(tmp_path)
    assert caught.value.code == "perplexity.bad_tokenizer"


def test_it_answers_as_the_library_does(tmp_path: Path) -> None:
    folder = write_random_model(tmp_path / "model")
    own, library = ModelTokenizer(folder), Tokenizer.from_file(str(folder / TOKENIZER_NAME))
    text = "¿Qué tal? 你好 \n\x00 \U0001f600"
    assert own.ids(text) == library.encode(text, add_special_tokens=False).ids
    assert own.counts([text, ""]) == [len(library.encode(each).ids) for each in (text, "")]
    assert own.text(own.ids(text)) == library.decode(own.ids(text), skip_special_tokens=True)


def test_an_answer_of_millions_of_tokens_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each character becomes hundreds: parsed, the numbers would take more memory than the program that made them."""
    monkeypatch.setattr(tokenizing, "_MEMORY_BYTES", 4 << 30)
    folder = tmp_path / "model"
    folder.mkdir()
    document: dict[str, Any] = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": {
            "type": "Replace", "pattern": {"String": "a"}, "content": "b" * 400,
        }, "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": False},
        "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": {"b": 1_000_000_000, "?": 1}, "unk_token": "?"},
    }  # fmt: skip
    (folder / TOKENIZER_NAME).write_text(json.dumps(document))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RefusedError) as caught:
        ModelTokenizer(folder).ids("a" * 6000)
    assert caught.value.code == "perplexity.tokenizer_beyond"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10, "KiB, of this process"
