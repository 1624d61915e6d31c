"""What is on the disk after a kill: torn lines, windows written twice, files of strangers; results kept."""

import json
import threading
from pathlib import Path

import pytest

from core.base.errors import JsonValue, RKDeckError
from core.lab.perplexity.figures import Answer, PerplexityResult, WindowScore
from core.lab.perplexity.fingerprint import fingerprint
from core.lab.perplexity.journal import WindowJournal
from core.lab.perplexity.store import PerplexityStore
from tests.support.models import write_random_model

SCORE = WindowScore(2, 12.345678901234567, 10, 0.5)


def test_what_was_written_is_read_again_to_the_last_bit(tmp_path: Path) -> None:
    journal = WindowJournal(tmp_path / "w.jsonl")
    journal.begin({"tokens": 7})
    assert journal.add_window("fp16", SCORE)
    answer = Answer("fp16", "¿Qué? \u2028 \n", 3, 0.1, ended=True)
    journal.add_answer(answer)
    again = WindowJournal(tmp_path / "w.jsonl")
    assert (again.begun, again.scores, again.answers) == (
        {"tokens": 7},
        {"fp16": {2: SCORE}},
        {"fp16": answer},
    )


def test_a_window_counts_once_however_often_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "w.jsonl"
    journal = WindowJournal(path)
    journal.add_window("fp16", SCORE)
    size_bytes = path.stat().st_size
    assert not journal.add_window("fp16", WindowScore(2, 99.0, 10, 0.5))
    assert path.stat().st_size == size_bytes
    path.write_bytes(path.read_bytes() * 2)
    assert WindowJournal(path).scores == {"fp16": {2: SCORE}}


def test_a_torn_line_at_any_byte_is_cut_off_and_written_again(tmp_path: Path) -> None:
    path = tmp_path / "w.jsonl"
    journal = WindowJournal(path)
    journal.add_window("fp16", WindowScore(0, 1.5, 10, 0.5))
    whole = path.stat().st_size
    journal.add_window("fp16", SCORE)
    data = path.read_bytes()
    for length in range(whole, len(data)):
        path.write_bytes(data[:length])
        again = WindowJournal(path)
        assert list(again.scores["fp16"]) == [0]
        assert path.stat().st_size == whole
        assert again.add_window("fp16", SCORE)
        assert path.read_bytes() == data


@pytest.mark.parametrize(
    "line",
    [
        "x", "[]", "{}", '{"kind":"other"}', '{"kind":"window","level":"fp16","index":0,"nll":"a"}',
        '{"kind":"window","level":"fp16","index":0,"nll":NaN,"tokens":1,"seconds":0}',
        '{"kind":"window","level":"fp16","index":0,"nll":1,"tokens":0,"seconds":0}', "[" * 100_000,
    ],
)  # fmt: skip
def test_a_damaged_line_is_told(tmp_path: Path, line: str) -> None:
    path = tmp_path / "w.jsonl"
    WindowJournal(path).begin({})
    path.write_bytes(path.read_bytes() + line.encode() + b"\n")
    with pytest.raises(RKDeckError) as caught:
        WindowJournal(path)
    assert (caught.value.code, caught.value.facts["line"]) == ("perplexity.bad_journal", 2)


def test_a_disk_that_takes_no_more_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    journal = WindowJournal(folder / "w.jsonl")
    folder.rmdir()
    with pytest.raises(RKDeckError) as caught:
        journal.add_window("fp16", SCORE)
    assert caught.value.code == "perplexity.cannot_write"
    assert journal.scores == {}


def run(*levels: str, **changes: JsonValue) -> dict[str, JsonValue]:
    result = [
        PerplexityResult(level, 10.0, None, None, 2.3, None, 100, 1, 0.5, False).to_json() for level in levels
    ]
    base: dict[str, JsonValue] = {
        "title": "m", "fingerprint": "f", "window": 256, "stride": 256, "windows": 3, "engine": "numpy",
        "engine_facts": {}, "text": {"name": "en", "sha256": "s", "language": "en"}, "created_unix_s": 1.0,
        "levels": [*result], "answers": [], "prompt": None,
    }  # fmt: skip
    return {**base, **changes}


def test_levels_of_the_same_conditions_are_one_table(tmp_path: Path) -> None:
    store, source = PerplexityStore(tmp_path / "p"), tmp_path
    assert store.runs("item", source, "f") == ()
    store.add("item", source, run("fp16", "w8a8"))
    store.add("item", source, run("w4a16", created_unix_s=2.0))
    store.add("item", source, run("fp16", window=128, created_unix_s=3.0))
    other, table = store.runs("item", source, "f")
    assert (other.window, table.window) == (128, 256)
    assert [result.level for result in table.results] == ["w4a16", "fp16", "w8a8"]
    assert table.current
    assert table.result("w8a8") is not None
    assert table.result("w8a8_g128") is None
    assert not store.runs("item", source, "changed")[0].current
    assert store.runs("other", source, "f") == store.runs(None, source, "f") == ()


def test_answers_belong_to_their_prompt(tmp_path: Path) -> None:
    store = PerplexityStore(tmp_path / "p")
    hello = Answer("fp16", "hello", 1, 0.1, ended=True)
    store.add(None, tmp_path, run("fp16", prompt="Hi", answers=[hello.to_json()]))
    store.add(None, tmp_path, run("w8a8"))
    (table,) = store.runs(None, tmp_path, None)
    assert (table.prompt, table.answer("fp16")) == ("Hi", hello)
    other = Answer("w8a8", "adiós", 1, 0.1, ended=False)
    store.add(None, tmp_path, run("w8a8", prompt="Bye", answers=[other.to_json()]))
    (table,) = store.runs(None, tmp_path, None)
    assert (table.prompt, table.answers) == ("Bye", (other,))


def test_damaged_results_are_left_out_and_overwritten(tmp_path: Path) -> None:
    store, folder = PerplexityStore(tmp_path / "p"), tmp_path / "p"
    store.add("item", tmp_path, run("fp16"))
    (path,) = folder.glob("*.json")
    for text in ("", "[]", '{"runs": 3}', '{"runs": [1, {}, {"text": 1, "levels": []}]}'):
        path.write_text(text)
        assert store.runs("item", tmp_path, "f") == ()
    path.write_text(json.dumps({"runs": [run("fp16"), run("fp16", window="x"), {}]}))
    assert len(store.runs("item", tmp_path, "f")) == 1
    path.write_text("half a fi")
    store.add("item", tmp_path, run("w8a8"))
    assert [result.level for result in store.runs("item", tmp_path, "f")[0].results] == ["w8a8"]


def test_two_at_once_lose_nothing(tmp_path: Path) -> None:
    store = PerplexityStore(tmp_path / "p")
    threads = [
        threading.Thread(target=store.add, args=("item", tmp_path, run("fp16", window=number)))
        for number in range(2, 12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {table.window for table in store.runs("item", tmp_path, "f")} == set(range(2, 12))


def test_a_fingerprint_follows_the_content_not_the_place(tmp_path: Path) -> None:
    first = fingerprint(write_random_model(tmp_path / "a"))
    assert first == fingerprint(write_random_model(tmp_path / "b"))
    assert first != fingerprint(write_random_model(tmp_path / "c", seed=1))
    assert first != fingerprint(write_random_model(tmp_path / "d", rms_norm_eps=1e-6))
    (tmp_path / "b" / "tokenizer.json").write_text("{}")
    assert first != fingerprint(tmp_path / "b")
