"""`rkdeck perplexity`: JSON lines for scripts, a table for people, words for what goes wrong."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from core.cli.main import run as rkdeck

DEMO = Path(str(resources.files("resources"))) / "demo" / "wonderland-1m"
QUICK = ("--windows", "3", "--window", "64")


def lines(
    home: Path, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, list[dict[str, Any]]]:
    code = rkdeck(["perplexity", *arguments, "--json", "--home", str(home)])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_json_lines_end_with_the_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "home"
    arguments = (str(DEMO), "--level", "w4a16", "fp16", "--level", "w8a8", "--text", "es", *QUICK)
    code, found = lines(home, capsys, *arguments, "--prompt", "Hello!", "--answer-tokens", "5")
    assert code == 0
    assert {line["schema"] for line in found} == {1}
    assert found[0]["event"] == "queued"
    assert {line["event"] for line in found} >= {"progress", "step", "result"}
    steps = [line["level"] for line in found if line["event"] == "step" and line["step"] == "level"]
    assert steps == ["fp16", "w4a16", "w8a8"]  # what the others are compared with comes first
    result = found[-1]
    assert result["event"] == "result"
    assert (result["text"]["name"], result["text"]["language"]) == ("es", "es")
    assert (result["window"], result["windows"], result["engine"]) == (64, 3, "numpy")
    by_level = {level["level"]: level for level in result["levels"]}
    assert by_level["w8a8"]["simulated_activations"] is True
    assert by_level["w4a16"]["simulated_activations"] is False
    assert by_level["fp16"]["tokens"] == 3 * 63
    assert by_level["w4a16"]["reference"] == "fp16"
    ratio = by_level["w4a16"]["perplexity"] / by_level["fp16"]["perplexity"]
    assert by_level["w4a16"]["ratio"] == pytest.approx(ratio)
    assert [answer["level"] for answer in result["answers"]] == ["fp16", "w4a16", "w8a8"]
    code, stored = lines(home, capsys, str(DEMO), "--stored")
    assert code == 0
    (run,) = stored[-1]["runs"]
    assert run["levels"] == result["levels"]
    assert run["current"] is True


def test_people_get_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ("--home", str(tmp_path / "home"))
    assert rkdeck(["perplexity", str(DEMO), "--stored", *home]) == 0
    assert capsys.readouterr().out == "nothing was measured yet\n"
    text = tmp_path / "mío.txt"
    text.write_text("En un lugar del que nadie se acuerda vivía un profesor con una placa. " * 20, "utf-8")
    assert (
        rkdeck(["perplexity", str(DEMO), "--level", "fp16", "w8a8", "--text", str(text), *QUICK, *home]) == 0
    )
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "wonderland-1m: perplexity on the text mío.txt, 3 windows of 64 tokens, numpy"
    assert out[1].split()[:2] == ["LEVEL", "PERPLEXITY"]
    assert out[2].startswith("fp16 ")
    assert "8-bit inputs simulated" in out[3]


def test_the_estimate_shows_what_was_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ("--home", str(tmp_path / "home"))
    estimate = ["estimate", str(DEMO), "--context", "512", *home]
    assert rkdeck(estimate) == 0
    assert "PERPLEXITY" not in capsys.readouterr().out
    assert rkdeck(["perplexity", str(DEMO), "--level", "fp16", "w8a8", *QUICK, *home]) == 0
    figure = capsys.readouterr().out.splitlines()[3].split()[4]
    assert rkdeck(estimate) == 0
    out = capsys.readouterr().out.splitlines()
    assert "PERPLEXITY" in out[1]
    (row,) = [line.split() for line in out if line.startswith("w8a8 ")]
    (other,) = [line.split() for line in out if line.startswith("w8a8_g128 ")]
    assert row[7] == figure
    assert other[7] == "-"
    assert "  perplexity: measured on en, 3 windows of 64 tokens, by numpy" in out
    assert rkdeck([*estimate, "--json"]) == 0
    # The document's members are fixed; `perplexity --stored --json` has the figures.
    document = json.loads(capsys.readouterr().out)
    assert "perplexity" not in {*document, *document["levels"][0]}


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code"),
    [
        (("--text", "klingon"), 2, "perplexity.no_such_text"),
        (("--text", "./missing.txt"), 2, "convert.input_missing"),
        (("--level", "w2a2"), 2, "quantization.unknown_level"),
        (("--window", "1"), 2, "perplexity.bad_window"),
        (("--engine", "torch"), 3, "perplexity.no_python"),
        (("--engine", "torch", "--python", "/nowhere/python", "--force"), 1, "perplexity.python_gone"),
    ],
)
def test_failures_have_codes_and_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], exit_code: int, code: str
) -> None:
    found_code, found = lines(tmp_path / "home", capsys, str(DEMO), *arguments)
    assert (found_code, found[-1]["event"], found[-1]["error"]["code"]) == (exit_code, "error", code)
    assert found[-1]["error"]["hint"]


def test_a_model_that_is_not_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = lines(tmp_path / "home", capsys, "Qwen/Qwen3-0.6B")
    assert (code, found[-1]["error"]["code"]) == (2, "cli.model_not_local")
