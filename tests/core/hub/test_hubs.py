"""Ids name their hub; the table of hubs, tokens, and a second hub through the command line from search to library."""

import importlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import RKDeckError, UsageError
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.cli.main import run as rkdeck
from core.hub.addresses import DEFAULT_HUB, ModelId, parse_id, usual_id
from core.hub.download import DownloadPlan, library_place
from core.hub.hubs import HUBS, find_token, open_hub
from core.services import Services
from tests.support.hub_stands import FURTHER, Stand
from tests.support.models import write_random_model

ROOT = Path(__file__).parents[3]
# Worker processes are told of hubs that are not in the table before they run.
_TOLD = (
    "from core.hub.hubs import HUBS\nfrom tests.support.hub_stands import STANDS\n"
    "HUBS.update((stand.name, stand.entry) for stand in STANDS)\n"
)
WORD = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.]{0,20}", fullmatch=True).filter(lambda word: ".." not in word)


@given(st.sampled_from([DEFAULT_HUB, "shelf", "a-hub2"]), WORD, WORD)
def test_an_id_reads_back_as_itself(hub: str, owner: str, name: str) -> None:
    model = ModelId(hub, f"{owner}/{name}")
    assert parse_id(str(model)) == model
    assert usual_id(f"{hub}:{model.repo}") == str(model)


@pytest.mark.parametrize(
    "text", ["", "a", "a/b/c", ":a/b", "Shelf:a/b", "shelf:", "shelf:a", "x:y:a/b", "shelf:../b", "a/b--c"]
)
def test_what_is_no_id_is_told_before_anything_is_sent(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_id(text)
    assert caught.value.code == "hub.bad_id"
    assert usual_id(text) == text


def test_a_job_of_an_earlier_version_names_the_usual_hub() -> None:
    assert parse_id("some/model") == ModelId(DEFAULT_HUB, "some/model")


def test_models_of_two_hubs_have_places_of_their_own() -> None:
    repos = ("a/b", "shelf:a/b", "shelf-a/b")
    places = {library_place(Path("lib"), DownloadPlan(repo, "c" * 40, ())) for repo in repos}
    assert len(places) == len(repos)


def test_a_hub_that_is_not_in_the_table_is_named_with_those_that_are(paths: AppPaths) -> None:
    with Services(paths, Settings()) as services, pytest.raises(UsageError) as caught:
        services.hubs.of("nowhere:a/b")
    assert caught.value.code == "hub.unknown"
    assert caught.value.facts == {"hub": "nowhere", "known": ", ".join(HUBS)}


def test_a_hub_refuses_the_id_of_another(paths: AppPaths) -> None:
    with Services(paths, Settings()) as services, pytest.raises(RKDeckError) as caught:
        services.hub.details("shelf:a/b")
    assert caught.value.code == "hub.bad_id"


@pytest.mark.parametrize("name", HUBS)
def test_every_row_of_the_table_has_its_adapter(name: str) -> None:
    entry = HUBS[name]
    importlib.import_module(entry.adapter)
    assert entry.token_variable.endswith("_TOKEN")
    hub = open_hub(name, entry.endpoint + "/", None)
    assert (hub.name, hub.endpoint) == (name, entry.endpoint)
    hub.close()


def test_a_token_is_read_from_environment_then_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    environ = {"HF_TOKEN_PATH": str(file)}
    assert find_token(DEFAULT_HUB, environ) is None
    file.write_text("hf_fromthefile\n")
    found = find_token(DEFAULT_HUB, environ)
    assert found is not None
    assert (found.value, found.source) == ("hf_fromthefile", "file")
    found = find_token(DEFAULT_HUB, {**environ, "HF_TOKEN": "hf_fromenviron"})
    assert found is not None
    assert (found.value, found.source) == ("hf_fromenviron", "environment")
    assert "hf_fromenviron" not in repr(found)


@pytest.fixture(params=FURTHER, ids=lambda stand: stand.name)
def stand(request: pytest.FixtureRequest) -> Stand:
    found: Stand = request.param
    return found


@pytest.fixture
def server(stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    models = {"some/tiny": write_random_model(tmp_path / "tiny"), "some/tinier": tmp_path / "tiny"}
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(_TOLD)
    with stand.serve(models) as server:
        monkeypatch.setitem(HUBS, stand.name, stand.entry)
        monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}{os.pathsep}{ROOT}")
        monkeypatch.setenv(stand.entry.endpoint_variable, server.url)
        monkeypatch.setenv(stand.entry.token_variable, "the-key-1234")
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        yield server


def test_a_further_hub_goes_the_whole_way_by_the_command_line(
    stand: Stand,
    server: Any,  # noqa: ANN401  # as each hub has it
    paths: AppPaths,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(*arguments: str, code: int = 0) -> Any:  # noqa: ANN401  # JSON
        assert rkdeck([*arguments, "--json", "--home", str(paths.home)]) == code
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    found = run("search", f"{stand.name}:tin", "--limit", "1")["models"]
    assert [model["repo"] for model in found] == [stand.id("some/tinier")]
    repo = run("search", f"{stand.name}: some", "--limit", "200")["models"][1]["repo"]
    assert repo == stand.id("some/tiny")

    estimate = run("estimate", repo, "--context", "512")
    assert estimate["model"] == repo
    arrived = run("download", repo)
    assert arrived["repo"] == repo
    assert Path(arrived["path"]).parent.name == f"{stand.name}--some--tiny"

    (item,) = run("library")["items"]
    assert (item["repo"], item["provenance"]["hub"]) == (repo, stand.name)
    assert run("library", "verify", item["id"])["items"] == [{"id": item["id"], "problems": []}]
    assert run("estimate", repo, "--context", "512") == estimate
    assert server.keys == {"the-key-1234"}
    assert run("estimate", stand.id("some/none"), code=1)["error"]["code"] == "hub.not_found"
    # The usual hub is not asked for what lies on another.
    assert run("estimate", "some/tiny", code=1)["error"]["facts"]["endpoint"] == "http://127.0.0.1:9"
    # What is no hub's name is only a word.
    assert run("search", "nowhere:x", code=1)["error"]["facts"]["endpoint"] == "http://127.0.0.1:9"
