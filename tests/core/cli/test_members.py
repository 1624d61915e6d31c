"""What is shown by its members (a file, a job, this installation) is shown in the reader's language."""

from pathlib import Path

import pytest

from core.base.paths import AppPaths
from core.cli.main import run as rkdeck
from core.words.tables import own_table
from tests.core.deploy.models import real_file
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


def test_this_installation_is_shown_in_the_readers_language(capsys: pytest.CaptureFixture[str]) -> None:
    assert rkdeck(["selftest"]) == 0
    told = capsys.readouterr().out
    _is_spanish(told)
    for english in ("rooms", "platforms", "tables", "answered"):
        assert english not in told
