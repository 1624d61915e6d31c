"""The made-up catalogue as a program of its own serves it, beside real folders."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from core.demo.hub.server import DemoHub
from tests.support.hub_fixtures import small_repo


def test_the_program_serves_a_catalogue_beside_a_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "core.demo.hub.server", "--catalogue", "120"]
    command += ["--model", f"some/catalogue-of-mine={small_repo(tmp_path / 'mine')}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        url = json.loads(program.stdout.readline())["url"]
        with urllib.request.urlopen(f"{url}/api/models?search=catalogue", timeout=10) as answer:
            names = [entry["id"] for entry in json.load(answer)]
            assert answer.headers["Link"] is None
        assert len(set(names)) == 121
        assert "some/catalogue-of-mine" in names
        program.stdin.close()
        assert program.wait(10) == 0


def test_the_next_page_keeps_the_question_and_leads_to_the_same_place() -> None:
    with DemoHub({}, catalogue=10) as hub:
        asked = f"{hub.url}/api/models?search=catalogue&limit=4&sort=likes&expand=tags&expand=likes"
        with urllib.request.urlopen(asked, timeout=10) as answer:
            link = answer.headers["Link"]
        assert link.startswith(f"<{asked}&cursor=")
        assert link.endswith('>; rel="next"')
        assert link.count("cursor=") == 1
        with urllib.request.urlopen(link[1 : link.index(">")], timeout=10) as answer:
            assert answer.headers["Link"].startswith(f"<{asked}&cursor=")
            assert answer.headers["Link"] != link


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=x", "limit=", "cursor=x", "cursor=W10"])
def test_questions_that_make_no_sense_are_refused(query: str) -> None:
    with DemoHub({}, catalogue=2) as hub, pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{hub.url}/api/models?{query}", timeout=10)
    with caught.value:
        assert caught.value.code == 400


def test_the_shared_folder_goes_with_the_hub() -> None:
    with DemoHub({}, catalogue=2) as hub:
        folder = next(iter(hub.repos.values())).folder
        assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json"]
    assert not folder.exists()
