"""Every reader of JSON that others wrote gives a value or its own error, however the document is made."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.base.atomic import read_json as read_file
from core.base.errors import RKDeckError
from core.base.foreign import JsonError, parse_json
from core.jobs.order import secrets_from_line
from core.jobs.output import secrets_of
from core.lab.perplexity.checkpoint import _small_json
from core.model.facts import parse_config

DEEP = '{"a":' * 100_000
ODD = {
    "deep": DEEP, "many": "[" + "[]," * 1_000_001 + "1]", "cut": '{"a": 1', "text": "nonsense",
    "digits": "1" * 5000 + "x",
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_document_is_refused_by_name(name: str, tmp_path: Path) -> None:
    text = ODD[name]
    with pytest.raises(JsonError):
        parse_json(text)
    with pytest.raises(RKDeckError) as caught:
        parse_config(text.encode())
    assert caught.value.code == "estimate.bad_config"
    with pytest.raises(RKDeckError) as caught:
        secrets_from_line(text)
    assert caught.value.code == "jobs.bad_secrets"
    assert secrets_of(text.encode()) == frozenset({text.encode()})
    path = tmp_path / "tokenizer_config.json"
    path.write_text(text)
    with pytest.raises(RKDeckError) as caught:
        _small_json(path)
    assert caught.value.code == "perplexity.bad_tokenizer"
    with pytest.raises(RKDeckError) as caught:
        read_file(path, 1 << 20 if name == "many" else 16 << 20)
    assert caught.value.code == "base.bad_json"


@pytest.mark.parametrize(
    "read", [parse_json, lambda text: parse_config(text.encode())], ids=["any", "config"]
)
def test_a_number_nobody_can_add_is_unknown(read: Callable[[str], object]) -> None:
    told = f'{{"a": NaN, "b": 1e999, "c": -Infinity, "d": {"1" * 400}, "e": 2, "e": 3}}'
    assert read(told) == {"a": None, "b": None, "c": None, "d": None, "e": 3}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_a_tokenizer_config_is_read_as_transformers_reads_it(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "tokenizer_config.json"
    path.write_bytes(json.dumps({"bos_token": "<s>"}).encode(encoding))
    with pytest.raises(RKDeckError) as caught:
        _small_json(path)
    assert caught.value.code == "perplexity.bad_tokenizer"
