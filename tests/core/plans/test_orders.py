"""Every kind's order: it comes back from JSON as it went, and what is no order is told, never guessed."""

import json
import math
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base import atomic
from core.base.errors import JsonValue, RefusedError, RKDeckError
from core.base.left_out import LeftOut
from core.base.paths import AppPaths
from core.base.settings import Settings
from core.convert.order import ConvertOrder, UsedToolkit
from core.deploy.order import DeployOrder
from core.hub.download import DownloadPlan, Patience
from core.hub.order import DownloadOrder
from core.hub.records import RepoFile
from core.jobs.lanes import board_lane
from core.jobs.manager import JobManager
from core.jobs.members import Members
from core.jobs.order import JobOrder, JobSecrets, Makes, Secret, lane_of, order_in, secrets_from_line
from core.jobs.selftest import SelftestOrder
from core.lab.order import AnalyzeOrder
from core.lab.perplexity.order import Engine, PerplexityOrder
from core.model.need import ServedNeed
from core.plans.kinds import ORDERS, kind_named, makes, read_order
from core.plans.order import RunOrder, arriving
from core.services import Services
from core.usecases import jobs as use
from core.words import word
from tests.support.job_folders import KINDS, put_interrupted, stored_spec

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
WHOLE = st.integers(0, (1 << 63) - 1)
PATH = st.builds(
    Path, st.from_regex(r"/[^/\x00\ud800-\udfff]{1,8}(/[^/\x00\ud800-\udfff]{1,8})?", fullmatch=True)
)
MAYBE = st.none() | TEXT
ENGINES: tuple[Engine, ...] = get_args(Engine)
LEAF: st.SearchStrategy[JsonValue] = (
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
OBJECT: st.SearchStrategy[dict[str, JsonValue]] = st.dictionaries(TEXT, LEAF, max_size=3)
FILE = st.builds(RepoFile, TEXT, WHOLE, MAYBE, MAYBE)
NEED = st.tuples(st.integers(0, 9), st.integers(1, 10**9), st.integers(0, 9)).flatmap(
    lambda ram: st.builds(
        ServedNeed, st.just(ram[0] + ram[1]), st.just(ram[1]), st.just(sum(ram)), st.none() | WHOLE,
        st.none() | st.integers(1, 10**6), st.booleans(),
    )
)  # fmt: skip
PATIENCE = st.builds(Patience, st.floats(0, 600), st.floats(0, 60), st.integers(1, 99))


def downloads(most_files: int) -> st.SearchStrategy[DownloadOrder]:
    files = st.lists(FILE, min_size=1, max_size=most_files).map(tuple)
    left_out = st.lists(st.builds(LeftOut, TEXT, TEXT), max_size=2).map(tuple)
    plans = st.builds(DownloadPlan, TEXT, TEXT, files, left_out)
    return plans.flatmap(
        lambda plan: st.builds(DownloadOrder, TEXT, st.just(plan), PATH, PATIENCE, needs_of(plan))
    )


def needs_of(plan: DownloadPlan) -> st.SearchStrategy[dict[str, ServedNeed]]:
    return st.dictionaries(st.sampled_from([file.path for file in plan.files]), NEED)


def deployments(file: st.SearchStrategy[Path]) -> st.SearchStrategy[DeployOrder]:
    return st.builds(DeployOrder, TEXT, file, MAYBE, MAYBE, st.booleans(), st.none() | WHOLE, WHOLE, WHOLE)


@st.composite
def runs(draw: st.DrawFn) -> RunOrder:
    plan = DownloadPlan(
        draw(TEXT), draw(TEXT), (RepoFile("a/b.rkllm", draw(WHOLE), draw(MAYBE), draw(MAYBE)),)
    )
    download = DownloadOrder(draw(TEXT), plan, draw(PATH), draw(PATIENCE), draw(needs_of(plan)))
    return RunOrder(download, draw(deployments(st.just(arriving(download)))), draw(st.booleans()))


CALL = st.fixed_dictionaries({"method": TEXT, "arguments": OBJECT})
CONVERSIONS = st.builds(
    ConvertOrder, PATH, MAYBE, MAYBE, MAYBE, TEXT, OBJECT, TEXT, TEXT,
    st.builds(UsedToolkit, PATH, TEXT, st.booleans()), st.lists(CALL, min_size=1, max_size=3).map(tuple), PATH,
    st.none() | NEED, st.lists(OBJECT, max_size=2).map(tuple),
)  # fmt: skip


@st.composite
def perplexities(draw: st.DrawFn) -> PerplexityOrder:
    engine = draw(st.sampled_from(ENGINES))
    levels = tuple(draw(st.lists(TEXT, min_size=1, max_size=3)))
    return PerplexityOrder(
        draw(PATH), draw(MAYBE), draw(TEXT), draw(MAYBE), draw(TEXT), draw(TEXT), draw(st.none() | PATH),
        draw(MAYBE), draw(TEXT), draw(st.integers(1, 9999)), draw(st.integers(1, 9999)), draw(st.none() | WHOLE),
        levels, draw(MAYBE), draw(WHOLE), engine, None if engine == "numpy" else draw(PATH), draw(TEXT),
        {level: draw(OBJECT) for level in levels} if engine == "toolkit" else {}, draw(OBJECT),
    )  # fmt: skip


ANY_ORDER: dict[str, st.SearchStrategy[Any]] = {
    "download": downloads(3),
    "convert": CONVERSIONS,
    "deploy": deployments(PATH),
    "run": runs(),
    "analyze": st.builds(AnalyzeOrder, PATH, TEXT, TEXT),
    "perplexity": perplexities(),
    "selftest": st.just(SelftestOrder()),
}


def test_every_kind_has_a_strategy_and_a_folder_of_the_time_before() -> None:
    assert {order.kind.name for order in ORDERS} == set(ANY_ORDER) == set(KINDS)


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.kind.name)
@given(data=st.data())
def test_an_order_comes_back_from_json_as_it_went(order: type[JobOrder], data: st.DataObject) -> None:
    went: JobOrder = data.draw(ANY_ORDER[order.kind.name])
    assert order.from_json(json.loads(json.dumps(went.to_json()))) == went


def _places(value: JsonValue, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every member that an order's own reader looks at."""
    if path and (path[0] in {"recipe", "warnings"} or path[-1] == "arguments"):
        return  # what only other programs read
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield (*path, name)
        yield from _places(inner, (*path, name))


def _with(value: dict[str, JsonValue], path: tuple[str | int, ...], new: object) -> dict[str, JsonValue]:
    copy: dict[str, JsonValue] = json.loads(json.dumps(value))
    at: Any = copy
    for name in path[:-1]:
        at = at[name]
    if new is _GONE:
        del at[path[-1]]
    else:
        at[path[-1]] = new
    return copy


_GONE = object()
# Each is wrong for any member of any order, but for the texts among them where a text is wanted.
FOREIGN: dict[str, Any] = {
    "nan": math.nan, "infinity": math.inf, "huge": 10**400, "beyond print": 10**5000, "negative": -1, "half": 0.5,
}  # fmt: skip


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "selftest"])
@pytest.mark.parametrize("foreign", FOREIGN)
def test_foreign_numbers_are_told_with_their_place(kind: str, foreign: str) -> None:
    spec = stored_spec(kind)
    order = type(read_order(spec))
    # Half a second of a pause is well said, and so is half a minute of waiting.
    fractions = {("patience", "stall_timeout_s"), ("patience", "first_pause_s")}
    for path in _places(spec.params):
        if foreign == "half" and path in fractions:
            continue
        with pytest.raises(RKDeckError) as caught:
            order.from_json(_with(spec.params, path, FOREIGN[foreign]))
        assert caught.value.code == "jobs.bad_order", path
        assert str(caught.value.facts["member"]).startswith(str(path[0]))
        message, advice = word(caught.value)
        assert len(message) < 250
        assert advice
        json.dumps(caught.value.to_json())


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 10**400, -(1 << 64)], ids=range(5))
@pytest.mark.parametrize(
    "place",
    [
        ("recipe", "hybrid_rate"),
        ("recipe", "later"),
        ("calls", 0, "arguments", "x"),
        ("warnings", 0, "facts"),
    ],
)
def test_a_stored_recipe_holds_only_numbers_that_every_program_reads_alike(
    place: tuple[str | int, ...], number: float, tmp_path: Path
) -> None:
    params: dict[str, JsonValue] = {**stored_spec("convert").params, "warnings": [{"code": "x"}]}
    odd = _with(params, place, [{"deep": number}])
    # As a worker meets it: through the file, in which it is unknown.
    file = tmp_path / "spec.json"
    file.write_text(json.dumps(odd))
    stored = atomic.read_json(file)
    assert isinstance(stored, dict)
    read = ConvertOrder.from_json(stored).to_json()
    assert read == ConvertOrder.from_json(_with(params, place, [{"deep": None}])).to_json()
    with pytest.raises(RKDeckError) as caught:
        ConvertOrder.from_json(odd)
    assert caught.value.code == "jobs.bad_order"
    assert str(caught.value.facts["member"]).startswith(str(place[0]))
    message, advice = word(caught.value)
    assert advice
    assert len(message) < 250


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "selftest"])
def test_a_flag_is_no_number_and_a_number_no_flag(kind: str) -> None:
    spec = stored_spec(kind)
    order = type(read_order(spec))
    for path in _places(spec.params):
        value: Any = spec.params
        for name in path:
            value = value[name]
        with pytest.raises(RKDeckError) as caught:
            order.from_json(_with(spec.params, path, 1 if isinstance(value, bool) else True))
        assert caught.value.code == "jobs.bad_order", path


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "selftest"])
def test_a_member_that_is_missing_is_named(kind: str) -> None:
    spec = stored_spec(kind)
    order = type(read_order(spec))
    for path in _places(spec.params):
        # The first downloads said nothing of patience; a list is shorter by a row, or empty.
        if path == ("patience",) or isinstance(path[-1], int):
            continue
        with pytest.raises(RKDeckError) as caught:
            order.from_json(_with(spec.params, path, _GONE))
        assert caught.value.code == "jobs.order_lacks", path
        assert str(caught.value.facts["member"]).endswith(str(path[-1]))


def _code(order: type[JobOrder], value: dict[str, JsonValue]) -> str | None:
    try:
        order.from_json(value)
    except RKDeckError as error:
        return error.code
    return None


@given(value=st.dictionaries(TEXT, LEAF, max_size=4))
def test_whatever_the_params_say_it_is_an_order_or_a_typed_error(value: dict[str, JsonValue]) -> None:
    for order in ORDERS:
        assert _code(order, value) in {None, "jobs.order_lacks", "jobs.bad_order"}


@pytest.mark.parametrize("text", ["", "a\0b", "\ud800"])
def test_what_no_file_can_be_called_is_no_path(text: str) -> None:
    with pytest.raises(RKDeckError) as caught:
        Members("test", {"file": text}).path("file")
    assert caught.value.code == "jobs.bad_order"


def test_an_order_for_two_files_is_none_from_the_hub_onto_a_board() -> None:
    params = stored_spec("run").params
    files = params["files"]
    assert isinstance(files, list)
    with pytest.raises(RKDeckError) as caught:
        RunOrder.from_json({**params, "files": [*files, *files]})
    assert caught.value.facts["member"] == "files"


@pytest.mark.parametrize("without", [{"engine": "torch"}, {"engine": "toolkit", "python": "/p"}])
def test_an_engine_without_what_it_runs_on_is_no_order(without: dict[str, JsonValue]) -> None:
    with pytest.raises(RKDeckError) as caught:
        PerplexityOrder.from_json({**stored_spec("perplexity").params, **without})
    assert caught.value.facts["member"] == ("python" if without["engine"] == "torch" else "calls")


def test_a_run_job_of_the_time_before_is_read_as_what_it_meant() -> None:
    spec = stored_spec("run")
    order = RunOrder.from_json(spec.params)
    assert order.deploy == DeployOrder(
        "desk", order.download.folder / "Tiny_W8A8_RK3588.rkllm", None, "Tiny_W8A8_RK3588", False, None, 0, 0
    )
    # What is written now holds all that was written then, under the same names.
    now = order.to_json()
    assert {name: now[name] for name in spec.params} == spec.params
    # Half of the newer form is neither.
    with pytest.raises(RKDeckError) as caught:
        RunOrder.from_json({**spec.params, "file": now["file"]})
    assert caught.value.code == "jobs.order_lacks"


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_of_the_time_before_says_now_what_it_said_then(kind: str) -> None:
    spec = stored_spec(kind)
    order = read_order(spec)
    assert {**order.to_json(), **spec.params} == order.to_json()
    known = order.kind
    assert (known.name, lane_of(order), order.job_board) == (spec.kind, spec.lane, spec.board)
    assert (known.worker, known.resumable, known.survives_front_end) == (
        spec.worker,
        spec.resumable,
        spec.survives_front_end,
    )
    assert known.grace_s == spec.grace_s
    # The words between two names were English once.
    assert order.job_title == spec.title.replace(" to ", " → ")


def test_what_kinds_need_and_make() -> None:
    both = Secret.HUB_TOKEN | Secret.BOARD_PASSWORD
    needs = {order.kind.name: order.kind.secrets for order in ORDERS if order.kind.secrets}
    assert needs == {"download": Secret.HUB_TOKEN, "deploy": Secret.BOARD_PASSWORD, "run": both}
    items = {kind for kind in KINDS if makes(stored_spec(kind), Makes.LIBRARY_ITEM)}
    assert items == {"download", "convert", "run"}
    assert {kind for kind in KINDS if makes(stored_spec(kind), Makes.DEPLOYMENT)} == {"deploy", "run"}
    assert board_lane("desk") == "board-desk"


def test_lists_look_for_orders_of_one_kind_and_pass_over_unreadable_ones() -> None:
    spec = stored_spec("deploy")
    found = order_in(spec, DeployOrder)
    assert found is not None
    assert found.board == "desk"
    assert order_in(spec, RunOrder) is None
    spec.params["keep"] = "many"
    assert order_in(spec, DeployOrder) is None


def test_every_member_of_a_deployment_is_a_member_of_the_job_from_the_hub() -> None:
    deploy = read_order(stored_spec("deploy"))
    run = RunOrder.from_json(stored_spec("run").params)
    assert isinstance(deploy, DeployOrder)
    assert {field.name for field in fields(DeployOrder)} == set(deploy.to_json()) <= set(run.to_json())


@pytest.mark.parametrize(
    "secrets", [JobSecrets(), JobSecrets("hf_token"), JobSecrets(None, 'p"w\n{ñ'), JobSecrets("a", "b")]
)
def test_secrets_arrive_as_they_were_in_one_line(secrets: JobSecrets) -> None:
    line = secrets.to_line()
    assert "\n" not in line
    assert secrets_from_line(line) == secrets
    assert "token" not in repr(secrets)


@pytest.mark.parametrize("line", ["hunter2", "[1]", '{"hub_token": 5, "board_password": null}', "{}"])
def test_a_line_that_holds_no_secrets_is_told_without_repeating_it(line: str) -> None:
    with pytest.raises(RKDeckError) as caught:
        secrets_from_line(line)
    assert caught.value.code == "jobs.bad_secrets"
    assert caught.value.facts == {}
    assert caught.value.__cause__ is None


def test_a_job_of_a_newer_version_is_shown_and_not_run(services: Services, paths: AppPaths) -> None:
    job = put_interrupted(
        paths.jobs, replace(stored_spec("selftest"), kind="teleport", id="teleport-1", title="to the moon")
    )
    (record,) = services.jobs.store.list()
    assert (record.spec.kind, record.spec.title) == ("teleport", "to the moon")
    assert kind_named("teleport") is None
    assert not makes(record.spec, Makes.DEPLOYMENT)
    before = (paths.jobs / job / "events.jsonl").read_text()
    for again in (use.resume, use.retry):
        with pytest.raises(RefusedError) as caught:
            again(services, job)
        assert (caught.value.code, caught.value.facts) == ("jobs.unknown_kind", {"kind": "teleport"})
    assert (paths.jobs / job / "events.jsonl").read_text() == before


def test_a_job_that_cannot_be_read_says_why_before_it_starts(services: Services, paths: AppPaths) -> None:
    spec = stored_spec("deploy")
    spec.params["keep"] = "many"
    job = put_interrupted(paths.jobs, spec)
    with pytest.raises(RKDeckError) as caught:
        use.resume(services, job)
    assert caught.value.code == "jobs.bad_order"
    assert word(caught.value)[0] == 'The order of this job says "many" for keep, which makes no sense there.'


def test_a_worker_that_cannot_read_its_order_says_so_too(paths: AppPaths) -> None:
    spec = stored_spec("analyze")
    del spec.params["key"]
    job = put_interrupted(paths.jobs, spec)
    jobs = JobManager(paths)
    with pytest.raises(RKDeckError) as caught:
        jobs.resume(job).result(60)
    jobs.close()
    assert (caught.value.code, caught.value.facts["member"]) == ("jobs.order_lacks", "key")
    assert "Traceback" not in jobs.store.log_path(job).read_text()


def test_an_order_its_worker_could_not_read_makes_no_job(paths: AppPaths) -> None:
    order = DeployOrder("desk", Path("/x.rkllm"), None, None, False, -1, 0, 0)
    with Services(paths, Settings()) as services:
        with pytest.raises(RKDeckError) as caught:
            services.jobs.submit(order)
        assert caught.value.code == "jobs.bad_order"
        assert services.jobs.store.list() == []
