"""A recipe checked as a whole: every problem, its remedy where there is one, what it will take; toolkits; the start."""

import itertools
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.base.errors import RefusedError, RKDeckError, UsageError
from core.base.paths import AppPaths
from core.base.units import GIB
from core.convert.host import Host, Need, host_problems, measure_host
from core.convert.plan import start_warnings
from core.convert.recipe import Problem, Recipe
from core.demo.toolkit_env import create_toolkit_env
from core.estimate.table import estimate_model
from core.library.records import LibraryItem
from core.model.inspect import inspect_file
from core.services import Services
from core.usecases import conversion as use
from core.usecases import library
from core.vendor.levels import load_levels
from core.vendor.platforms import load_platforms
from core.words import word
from tests.support.models import write_random_model
from tests.support.tiny_model import write_tiny_model

SLACK_S = 60.0
GOOD = Recipe("rk3588", "w8a8", 256)


@pytest.fixture(scope="module")
def toolkit_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_toolkit_env(tmp_path_factory.mktemp("toolkit") / "env")


@pytest.fixture
def ready(services: Services, toolkit_python: Path) -> Services:
    """Services that have a toolkit."""
    use.add_toolkit(services, toolkit_python)
    return services


@pytest.fixture
def item(services: Services, tmp_path: Path) -> LibraryItem:
    return library.add_path(services, write_random_model(tmp_path / "tiny"))


def codes(check: use.RecipeCheck, severity: str = "error") -> list[str]:
    return [problem.error.code for problem in check.problems if problem.severity == severity]


def the(check: use.RecipeCheck, code: str) -> Problem:
    (found,) = [problem for problem in check.problems if problem.error.code == code]
    return found


def test_a_good_recipe_has_a_forecast_and_one_warning(ready: Services, item: LibraryItem) -> None:
    check = use.check_recipe(ready, item.id, GOOD, board_ram_bytes=8 * GIB)
    assert [(problem.severity, problem.error.code) for problem in check.problems] == [
        ("warning", "convert.no_dataset")
    ]
    assert check.problems[0].remedy is None
    assert check.can_start
    assert check.toolkit == use.list_toolkits(ready)[0]
    forecast = check.forecast
    assert forecast is not None
    facts = library.item_report(ready, item.id).facts
    assert facts is not None
    estimate = estimate_model(facts, load_platforms()["rk3588"], context=256, board_ram_bytes=8 * GIB)
    row = estimate.row("w8a8")
    assert row is not None
    assert row.ram is not None
    assert forecast.row == row
    assert forecast.file_bytes == forecast.disk_bytes == row.file_bytes
    assert forecast.board_ram_bytes == row.ram.value
    assert forecast.tokens_per_s == (row.tokens_per_s.value if row.tokens_per_s else None)
    assert forecast.host_ram_bytes == estimate.convert_host_ram_bytes
    assert forecast.host_ram_total_bytes == psutil.virtual_memory().total
    assert 0 < (forecast.host_ram_available_bytes or 0) <= psutil.virtual_memory().total
    assert (forecast.disk_free_bytes or 0) > 0
    assert forecast.fit is not None
    assert forecast.fit.verdict == "yes"
    alone = use.check_recipe(ready, item.id, GOOD).forecast
    assert alone is not None
    assert (alone.fit, alone.row) == (None, replace(row, fit=None))


@pytest.mark.parametrize(
    ("change", "code", "fixed"),
    [
        ({"dtype": "w4a16"}, "convert.unsupported", {"dtype": "w8a8"}),
        ({"dtype": "w4a16_g128"}, "convert.unsupported", {"dtype": "w8a8_g128"}),
        ({"dtype": "w8a8_g512"}, "convert.unsupported", {"dtype": "w8a8_g128"}),
        ({"dtype": "w8a8_g128", "platform": "rk3576"}, "convert.unsupported", {"dtype": "w8a8"}),
        ({"dtype": "fp16_rkllm", "platform": "rk3576"}, "convert.unsupported", {"dtype": "w8a8"}),
        ({"dtype": "w4a16", "platform": "rk3562"}, "convert.unsupported", {"dtype": "w4a16_g128"}),
        ({"dtype": "fp16"}, "convert.unsupported", {"dtype": "fp16_rkllm"}),
        ({"context": 100}, "estimate.bad_context", {"context": 96}),
        ({"context": 120}, "estimate.bad_context", {"context": 128}),
        ({"context": 0}, "estimate.bad_context", {"context": 32}),
        ({"context": -5}, "estimate.bad_context", {"context": 32}),
        ({"context": 10**9}, "estimate.bad_context", {"context": 16384}),
        ({"cores": 4}, "estimate.bad_cores", {"cores": 3}),
        ({"cores": 0}, "estimate.bad_cores", {"cores": 1}),
        ({"algorithm": "gdq"}, "convert.algorithm_needs_gpu", {"algorithm": "normal"}),
        (
            {"algorithm": "grq", "device": "cuda", "dtype": "w4a16"},
            "convert.unsupported",
            {"dtype": "w8a8", "algorithm": "normal"},
        ),
        ({"platform": "rk9999"}, "estimate.unknown_platform", None),
        ({"dtype": "w3a3"}, "quantization.unknown_level", None),
        ({"algorithm": "best"}, "convert.bad_option", None),
        ({"hybrid_rate": 1.0}, "convert.bad_option", None),
        ({"hybrid_rate": float("nan")}, "convert.bad_option", None),
        ({"optimization": 2}, "convert.bad_option", None),
        ({"dataset": Path("/nowhere/data.json")}, "convert.input_missing", None),
        ({"lora": Path("/nowhere/\0/lora")}, "convert.input_missing", None),
    ],
)
def test_each_problem_has_its_cure_where_there_is_one(
    ready: Services,
    item: LibraryItem,
    change: dict[str, object],
    code: str,
    fixed: dict[str, object] | None,
) -> None:
    recipe = replace(GOOD, **change)  # type: ignore[arg-type]
    check = use.check_recipe(ready, item.id, recipe)
    problem = the(check, code)
    assert problem.severity == "error"
    assert all(word(problem.error))
    assert not check.can_start
    if fixed is None:
        assert problem.remedy is None
    else:
        assert problem.remedy == replace(recipe, **fixed)  # type: ignore[arg-type]
        assert codes(use.check_recipe(ready, item.id, problem.remedy)) == []
    with pytest.raises(RKDeckError) as caught:
        use.start(ready, item.id, recipe)
    assert caught.value.code == code
    assert ready.jobs.store.list() == []


RECIPES = st.builds(
    Recipe,
    platform=st.sampled_from([*load_platforms(), "RK3588 ", "x"]) | st.text(max_size=5),
    dtype=st.sampled_from([level.name for level in load_levels()]) | st.text(max_size=5),
    context=st.integers() | st.integers(1, 512).map(lambda steps: steps * 32),
    cores=st.none() | st.integers(-2, 5),
    algorithm=st.sampled_from(["normal", "grq", "gdq_r0.5", "?"]) | st.text(max_size=5),
    optimization=st.integers(-1, 2),
    dataset=st.none() | st.just(Path("/nowhere")),
    hybrid_rate=st.floats(),
    device=st.sampled_from(["cpu", "cuda", ""]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(RECIPES)
def test_whatever_a_recipe_says_the_check_only_tells_and_a_remedy_mends(
    ready: Services, item: LibraryItem, recipe: Recipe
) -> None:
    check = use.check_recipe(ready, item.id, recipe)
    severities = [problem.severity for problem in check.problems]
    assert severities == sorted(severities)
    assert check.can_start == ("error" not in severities)
    assert check.forecast is not None
    assert check.forecast.host_ram_bytes
    for problem in check.problems:
        json.dumps(problem.error.to_json())
        assert all(word(problem.error))
        if problem.remedy is not None:
            again = [found.error for found in use.check_recipe(ready, item.id, problem.remedy).problems]
            assert problem.error.code not in [error.code for error in again]
            assert len(again) < len(check.problems)


def test_every_platform_mends_every_dtype_it_does_not_make(ready: Services, item: LibraryItem) -> None:
    for platform, level in itertools.product(load_platforms().values(), load_levels()):
        check = use.check_recipe(ready, item.id, Recipe(platform.name, level.name, 256))
        for problem in check.problems:
            if problem.error.code == "convert.unsupported":
                assert problem.remedy is not None
                assert problem.remedy.dtype in platform.dtypes


def test_without_a_toolkit_all_the_rest_is_still_checked(services: Services, item: LibraryItem) -> None:
    check = use.check_recipe(services, item.id, replace(GOOD, dtype="w4a16", context=100))
    assert codes(check) == ["convert.no_toolkit", "estimate.bad_context", "convert.unsupported"]
    assert check.toolkit is None
    assert check.forecast is not None
    assert use.check_recipe(services, item.id, GOOD).forecast is not None
    with pytest.raises(UsageError) as caught:
        use.start(services, item.id, GOOD)
    assert caught.value.code == "convert.no_toolkit"


def test_a_toolkit_that_was_not_added_is_a_problem(ready: Services, item: LibraryItem) -> None:
    check = use.check_recipe(ready, item.id, GOOD, Path("/nowhere/python"))
    assert codes(check) == ["convert.toolkit_unknown"]


def test_what_cannot_be_converted_at_all_has_no_cure(ready: Services, tmp_path: Path) -> None:
    quantized = write_random_model(tmp_path / "gptq", quantization_config={"quant_method": "gptq"})
    unknown = write_random_model(tmp_path / "novel", architectures=["NovelForCausalLM"])
    for folder, code in ((quantized, "model.already_quantized"), (unknown, "convert.unsupported")):
        # As a download enters it: packed weights cannot be added by hand.
        entered = ready.library.register(kind="source", title="m", path=folder, files=())
        problem = the(use.check_recipe(ready, entered.id, GOOD), code)
        assert problem.remedy is None


def test_a_model_that_cannot_be_read_has_no_forecast(ready: Services, item: LibraryItem) -> None:
    (item.path / "config.json").write_text("[]")
    check = use.check_recipe(ready, item.id, replace(GOOD, context=100))
    assert codes(check) == ["estimate.bad_config", "estimate.bad_context"]
    assert check.forecast is None
    with pytest.raises(UsageError) as caught:
        use.check_recipe(ready, "nothing", GOOD)
    assert caught.value.code == "library.unknown"


def test_a_converted_file_is_no_source(ready: Services, tmp_path: Path) -> None:
    made = library.add_path(ready, write_tiny_model(tmp_path / "tiny.rkllm"))
    check = use.check_recipe(ready, made.id, GOOD)
    assert codes(check) == ["estimate.no_config"]


def test_what_is_unknown_stays_unknown(ready: Services, item: LibraryItem) -> None:
    def forecast(**change: object) -> use.Forecast:
        found = use.check_recipe(ready, item.id, replace(GOOD, **change)).forecast  # type: ignore[arg-type]
        assert found is not None
        return found

    bad = forecast(context=100)
    assert (bad.board_ram_bytes, bad.tokens_per_s, bad.row, bad.confidence, bad.fit) == (None,) * 5
    assert bad.file_bytes is not None  # it does not depend on the context
    nothing = forecast(dtype="w3a3")
    assert (nothing.file_bytes, nothing.disk_bytes, nothing.board_ram_bytes) == (None, None, None)
    assert nothing.host_ram_bytes is not None
    reference = forecast(dtype="fp32")
    assert (reference.file_bytes, reference.board_ram_bytes, reference.row) == (None, None, None)
    assert forecast(platform="rk3562", dtype="w4a8_g32").board_ram_bytes is None
    assert forecast(cores=1).tokens_per_s is None


def test_a_host_too_small_is_told_with_sizes(paths: AppPaths) -> None:
    need = Need(ram_bytes=33 * GIB, disk_bytes=9 * GIB)
    small = Host(ram_bytes=16 * GIB, ram_available_bytes=12 * GIB, disk_free_bytes=5 * GIB)
    disk, ram = host_problems(small, need, paths.library)
    assert (disk.severity, disk.error.code) == ("error", "convert.disk_short")
    assert disk.error.facts == {"folder": str(paths.library), "needed_bytes": 9 * GIB, "free_bytes": 5 * GIB}
    assert (ram.severity, ram.error.code) == ("warning", "convert.host_ram_short")
    assert "9.00 GiB" in word(disk.error)[0]
    assert ram.error.facts == {"needed_bytes": 33 * GIB, "available_bytes": 12 * GIB}
    assert (disk.remedy, ram.remedy) == (None, None)
    assert host_problems(Host(33 * GIB, 33 * GIB, 9 * GIB), need, paths.library) == ()
    assert host_problems(Host(None, None, None), need, paths.library) == ()
    assert host_problems(small, Need(None, None), paths.library) == ()


def huge(folder: Path, tmp_path: Path) -> Path:
    """Eight layers of 4 TiB in files that are holes: more than any computer of these tests has room for."""
    huge = tmp_path / "huge"
    shutil.copytree(folder, huge)
    (huge / "model.safetensors").rename(huge / "first.safetensors")
    config = json.loads((huge / "config.json").read_text())
    (huge / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 10}))
    places = {"model.norm.weight": "first.safetensors"}
    for layer in range(2, 10):
        places[f"model.layers.{layer}.mlp.up_proj.weight"] = f"layer-{layer}.safetensors"
        small = ("self_attn.q", "self_attn.k", "self_attn.v", "self_attn.o", "mlp.gate", "mlp.down")
        shapes = {f"{name}_proj": [128, 128] for name in small} | {"mlp.up_proj": [1 << 21, 1 << 20]}
        header, end = {}, 0
        for name, shape in shapes.items():
            begin, end = end, end + 2 * math.prod(shape)
            header[f"model.layers.{layer}.{name}.weight"] = {
                "dtype": "F16", "shape": shape, "data_offsets": [begin, end],
            }  # fmt: skip
        head = json.dumps(header).encode()
        with (huge / f"layer-{layer}.safetensors").open("wb") as file:
            file.write(len(head).to_bytes(8, "little") + head)
            file.truncate(8 + len(head) + end)
    (huge / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return huge


def test_a_model_larger_than_memory_and_disk_is_not_started(
    ready: Services, item: LibraryItem, tmp_path: Path
) -> None:
    folder = huge(item.path, tmp_path)
    large = ready.library.register(kind="source", title="huge", path=folder, files=())
    check = use.check_recipe(ready, large.id, GOOD)
    assert "convert.disk_short" in codes(check)
    assert "convert.host_ram_short" in codes(check, "warning")
    with pytest.raises(RefusedError) as caught:
        use.start(ready, large.id, GOOD)
    assert caught.value.code == "convert.disk_short"
    assert ready.jobs.store.list() == []


def test_the_disk_of_a_folder_to_be_made_is_measured_where_it_will_be(tmp_path: Path) -> None:
    assert measure_host(tmp_path / "not" / "yet").disk_free_bytes == pytest.approx(
        measure_host(tmp_path).disk_free_bytes, rel=0.5
    )
    assert measure_host(Path("/dev/null/x")).disk_free_bytes is None


def test_a_started_conversion_ends_in_the_library(ready: Services, item: LibraryItem) -> None:
    handle = ready.jobs.attach(use.start(ready, item.id, GOOD))
    assert handle.record().spec.survives_front_end
    assert [warning.code for warning in start_warnings(handle)] == ["convert.no_dataset"]
    result = handle.result(SLACK_S)
    made = library.list_items(ready)[0]
    assert (str(made.path), made.kind) == (result["path"], "rkllm")
    inspection = inspect_file(made.path)
    assert (inspection.platform, inspection.dtype, inspection.max_context) == ("rk3588", "w8a8", 256)
    forecast = use.check_recipe(ready, item.id, GOOD).forecast
    assert forecast is not None
    assert forecast.file_bytes is not None


def test_force_starts_what_a_check_advises_against(
    ready: Services, item: LibraryItem, toolkit_python: Path
) -> None:
    recipe = replace(GOOD, dtype="w4a16")
    job_id = use.start(ready, item.id, recipe, toolkit_python, force=True)
    with pytest.raises(RKDeckError) as caught:
        ready.jobs.attach(job_id).result(SLACK_S)
    assert caught.value.code == "convert.toolkit_failed"
    with pytest.raises(UsageError):
        use.start(ready, item.id, replace(GOOD, platform="rk9999"), force=True)


def test_toolkits_come_and_go(services: Services, toolkit_python: Path) -> None:
    added = use.add_toolkit(services, toolkit_python)
    assert use.add_toolkit(services, toolkit_python) == added
    assert use.list_toolkits(services) == (added,)
    with pytest.raises(UsageError) as caught:
        use.remove_toolkit(services, Path("/nowhere/python"))
    assert caught.value.code == "convert.toolkit_unknown"
    assert use.remove_toolkit(services, toolkit_python) == added
    assert use.list_toolkits(services) == ()
    assert toolkit_python.exists()
    with pytest.raises(UsageError) as caught:
        use.remove_toolkit(services, toolkit_python)
    assert caught.value.code in {"convert.toolkit_unknown", "convert.no_toolkit"}


def test_a_toolkit_is_added_by_a_relative_path(
    services: Services, toolkit_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(toolkit_python.parent)
    assert use.add_toolkit(services, Path(toolkit_python.name)).python == toolkit_python
