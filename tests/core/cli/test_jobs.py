"""`rkdeck jobs` hides nothing that lies in the jobs folder."""

import json
from pathlib import Path

import pytest

from core.base.paths import AppPaths
from core.cli.main import run as rkdeck
from tests.support.job_folders import put_interrupted, stored_spec


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a good job, one of a later RKDeck and a damaged one."""
    paths = AppPaths(tmp_path / "home")
    paths.ensure()
    put_interrupted(paths.jobs, stored_spec("download", folder=tmp_path))
    later = {**stored_spec("deploy").to_json(), "schema": 9, "id": "later"}
    for name, text in (("later", json.dumps(later)), ("torn", "{")):
        (paths.jobs / name).mkdir()
        (paths.jobs / name / "spec.json").write_text(text)
    return paths.home


def test_a_job_that_cannot_be_read_is_listed_with_the_reason(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rkdeck(["jobs", "--home", str(home)]) == 0
    told = capsys.readouterr().out
    lines = {line.split()[0]: line for line in told.splitlines()}
    assert "has the form 9, and this RKDeck knows the form 1" in lines["later"]
    assert "not valid JSON" in lines["torn"]
    assert rkdeck(["jobs", "--json", "--home", str(home)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["jobs"]) == 1
    codes = {entry["job"]: entry["error"]["code"] for entry in document["unreadable"]}
    assert codes == {"later": "jobs.other_schema", "torn": "base.bad_json"}


def test_a_job_that_cannot_be_read_says_why_when_it_is_asked_for(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rkdeck(["jobs", "show", "later", "--home", str(home)]) == 1
    assert "has the form 9" in capsys.readouterr().err


def test_of_a_job_that_had_ended_cancelling_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = next(path.name for path in (home / "jobs").iterdir() if path.name not in {"later", "torn"})
    assert rkdeck(["jobs", "cancel", job, "--home", str(home)]) == 0
    assert f"{job} had ended before, nothing was cancelled: Interrupted" in capsys.readouterr().out
