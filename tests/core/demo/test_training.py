"""The trainer and its parts: text preparation without torch, and a few real steps where torch is there."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from core.demo.checkpoint import CONFIG, describe_file, train_tokenizer, write_digests
from core.demo.corpus import SPECIAL_TOKENS, chat_lines, clean, load_corpus, split
from core.demo.training import PEAK_RATE, WARM_UP_STEPS, learning_rate, main

RAW = (
    "\r\n     TITLE PAGE\r\n\r\n        CHAPTER I\r\n\r\n     Down\r\n\r\n\r\n  `Oh,'  said the well-\r\n"
    "read Cat.\r\n\r\n   *    *    *\r\n\r\n     How doth\r\n     the crocodile\r\n\r\n"
    "     CHAPTER XII\r\n\r\n   Evidence\r\n\r\n  The end.\r\n\x1a"
)


def test_cleaning_joins_prose_keeps_verse_and_drops_ornaments() -> None:
    corpus = split(clean(RAW))
    assert corpus.train == "CHAPTER I. Down\n\n'Oh,' said the well-read Cat.\n\nHow doth\nthe crocodile\n\n"
    assert corpus.held_out == "CHAPTER XII. Evidence\n\nThe end.\n"


def test_chats_repeat_with_the_seed_and_never_hold_the_last_chapter() -> None:
    corpus = load_corpus()
    chats = chat_lines(corpus.train, random.Random(1), 200)
    assert chats == chat_lines(corpus.train, random.Random(1), 200)
    assert chats != chat_lines(corpus.train, random.Random(2), 200)
    for text in chats:
        assert text.startswith("<|im_start|>user\n")
        assert text.count("<|im_start|>assistant\n") == 1
        answer = text.split("<|im_start|>assistant\n")[1].removesuffix("<|im_end|>\n")
        assert answer in corpus.train


def test_the_tokenizer_is_reproducible_and_equal_to_the_packaged_one() -> None:
    packaged = Path(__file__).parents[3] / "resources" / "demo" / "wonderland-1m" / "tokenizer.json"
    again = train_tokenizer(load_corpus().train)
    assert [again.token_to_id(token) for token in SPECIAL_TOKENS] == [0, 1, 2]
    assert again.get_vocab() == Tokenizer.from_file(str(packaged)).get_vocab()


def test_learning_rate_rises_then_falls() -> None:
    rates = [learning_rate(step, 500) for step in range(500)]
    assert max(rates) == pytest.approx(PEAK_RATE)
    assert np.argmax(rates) in {WARM_UP_STEPS - 1, WARM_UP_STEPS}
    assert rates[WARM_UP_STEPS:] == sorted(rates[WARM_UP_STEPS:], reverse=True)
    assert rates[-1] < 0.06 * PEAK_RATE


def test_digests_cover_every_other_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"abc")
    write_digests(tmp_path)
    write_digests(tmp_path)
    digests = json.loads((tmp_path / "digests.json").read_text())
    assert digests == {"a.txt": describe_file(tmp_path / "a.txt")}
    assert digests["a.txt"]["size_bytes"] == 3
    assert str(digests["a.txt"]["sha256"]).startswith("ba7816bf")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_few_steps_write_a_whole_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="torch is not installed (dependency group `model`)")
    pytest.importorskip("transformers", reason="transformers is not installed (group `model`)")
    assert main(["--out", str(tmp_path / "once"), "--steps", "3"]) == 0
    assert "held-out perplexity" in capsys.readouterr().out
    assert main(["--out", str(tmp_path / "twice"), "--steps", "3"]) == 0
    assert json.loads((tmp_path / "once" / "config.json").read_text()) == CONFIG
    once, twice = (json.loads((tmp_path / name / "digests.json").read_text()) for name in ("once", "twice"))
    assert len(once) == 9
    assert once == twice
