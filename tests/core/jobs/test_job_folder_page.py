"""docs/job-folder.md shows job folders as the code reads them."""

import json
import re
from pathlib import Path

from core.jobs.model import TRANSITIONS, JobState, spec_from_json
from core.jobs.store import JobStore

PAGE = (Path(__file__).parents[3] / "docs" / "job-folder.md").read_text("utf-8")


def _block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/job-folder.md has no {language} block"
    return found.group(1)


def test_the_folder_of_the_page_is_listed_as_a_job_that_is_done(tmp_path: Path) -> None:
    spec = spec_from_json(json.loads(_block("json")))
    folder = tmp_path / spec.id
    folder.mkdir()
    (folder / "spec.json").write_text(_block("json"))
    (folder / "events.jsonl").write_text(_block("jsonl"))
    record = JobStore(tmp_path).get(spec.id)
    assert record.state is JobState.SUCCEEDED
    assert record.result == {"board": "desk", "bytes_sent": 1740422}
    assert record.progress is not None
    assert record.progress.phase == "upload"
    assert not record.alive


def test_the_page_shows_every_member_of_an_intent() -> None:
    value = json.loads(_block("json"))
    assert spec_from_json(value).to_json() == value


def test_the_states_of_the_page_are_those_of_the_table_in_the_code() -> None:
    shown: dict[JobState | None, set[JobState]] = {}
    rows = re.findall(r"^\| ([a-z, ]+) \| ([a-z, ]+) \|$", PAGE.partition("## States")[2], re.MULTILINE)
    for sources, targets in rows:
        if sources == "from":
            continue
        moves = set() if targets == "nothing" else {JobState(name) for name in targets.split(", ")}
        for name in sources.split(", "):
            shown[None if name == "nothing" else JobState(name)] = moves
    assert shown == {state: set(moves) for state, moves in TRANSITIONS.items()}
