"""What is shown by its members (a file, a job, this installation) is shown in the reader's language."""

import json
from pathlib import Path

import pytest

from core.base.paths import AppPaths
from core.cli.main import run as rkdeck
from core.words.tables import own_table
from tests.core.deploy.models import real_file
from tests.support.hub_fixtures import small_repo
from tests.support.job_folders import put_interrupted, stored_spec


@pytest.fixture(autouse=True)
def _spanish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "es_ES.UTF-8")


def _names(told: str) -> set[str]:
    return {line.strip().partition("  ")[0] for line in told.splitlines()}


def _is_spanish(told: str) -> None:
    names, own = own_table("en", "names")["field"], own_table("es", "names")["field"]
    assert _names(told) <= set(own.values())
    assert not _names(told) & (set(names.values()) - set(own.values()))
    assert not _names(told) & (set(names) - set(own.values()))


def test_a_file_is_shown_in_the_readers_language(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = real_file(tmp_path / "m_w8a8_rk3588.rkllm")
    assert rkdeck(["inspect", str(file), "--home", str(tmp_path / "home")]) == 0
    told = capsys.readouterr().out
    _is_spanish(told)
    assert "un archivo .rkllm" in told
    assert "inferred" not in told
    assert "(read" not in told


def test_a_job_is_shown_in_the_readers_language(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = AppPaths(tmp_path / "home")
    paths.ensure()
    job = put_interrupted(paths.jobs, stored_spec("download", folder=tmp_path))
    assert rkdeck(["jobs", "show", job, "--home", str(paths.home)]) == 0
    told = capsys.readouterr().out
    _is_spanish(told)
    assert "null" not in told
    assert "true" not in told.lower()


@pytest.mark.parametrize("reason", ["done", "convert.toolkit_failed"])
def test_why_a_job_ended_is_told_in_words_or_left_to_its_state_and_error(
    reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = AppPaths(tmp_path / "home")
    paths.ensure()
    job = put_interrupted(paths.jobs, stored_spec("download", folder=tmp_path))
    events = paths.jobs / job / "events.jsonl"
    state = "succeeded" if reason == "done" else "failed"
    ended = events.read_text().replace("interrupted", state).replace("front_end_gone", reason)
    events.write_text(ended)
    assert rkdeck(["jobs", "show", job, "--home", str(paths.home)]) == 0
    assert reason not in capsys.readouterr().out
    assert rkdeck(["jobs", "show", job, "--json", "--home", str(paths.home)]) == 0
    assert json.loads(capsys.readouterr().out)["reason"] == reason


def test_the_library_is_shown_in_the_readers_language(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--home", str(tmp_path / "home")]
    assert rkdeck(["library", "add", str(small_repo(tmp_path / "tiny")), *home]) == 0
    capsys.readouterr()
    assert rkdeck(["library", *home]) == 0
    header, row = capsys.readouterr().out.splitlines()
    assert "TIPO" in header
    assert "  origen  " in row


def test_this_installation_is_shown_in_the_readers_language(capsys: pytest.CaptureFixture[str]) -> None:
    assert rkdeck(["selftest"]) == 0
    told = capsys.readouterr().out
    _is_spanish(told)
    for english in ("rooms", "platforms", "tables", "answered"):
        assert english not in told
