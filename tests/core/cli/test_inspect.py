"""`rkdeck inspect` on what is no file."""

from pathlib import Path

import pytest

from core.cli.main import run as rkdeck
from core.library.cached import folder_title


def test_a_folder_is_told_as_one_with_an_advice_that_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rkdeck(["inspect", str(tmp_path), "--home", str(tmp_path / "home")]) == 2
    told = capsys.readouterr().err
    assert "is a folder" in told
    assert "rkdeck estimate" in told
    assert "permissions" not in told


def test_a_model_of_a_cache_is_called_as_its_repository_not_as_a_commit(tmp_path: Path) -> None:
    snapshot = tmp_path / "models--Qwen--Qwen3-0.6B" / "snapshots" / ("0a" * 20)
    snapshot.mkdir(parents=True)
    assert folder_title(snapshot) == "Qwen3-0.6B"
    assert folder_title(tmp_path) == tmp_path.name
