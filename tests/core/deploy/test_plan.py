"""Which file may go to which board."""

from dataclasses import replace
from pathlib import Path

import pytest

from core.base.errors import RefusedError, UsageError
from core.boards.facts import BoardFacts, Library, Mount, RuntimeInfo, unknown_facts
from core.boards.records import Board
from core.deploy.plan import DeployPlan, LocalModel, plan_deployment, renaming
from core.fitness.candidate import Candidate
from core.fitness.sight import board_seen
from core.model.inspect import Inspection, inspect_file
from core.words import word
from tests.core.deploy.models import real_file, simulated_file

SHA = "ab" * 32
BOARD = replace(
    unknown_facts(), soc="rk3588", npu_driver="rknpu", name="Orange Pi 5",
    libraries=(Library("/usr/lib/librkllmrt.so", "1.3.0"),),
)  # fmt: skip
STAND_IN = RuntimeInfo("rkllm-runtime-simulated", "1.3.0+simulated", "/x", simulated=True)
REAL = Inspection("rkllm", 1000, platform="rk3588", dtype="w8a8")
SIMULATED = Inspection("rkllm-simulated", 1000, platform="rk3588", dtype="w8a8")


def plan(
    inspection: Inspection = REAL,
    facts: BoardFacts = BOARD,
    *,
    size_bytes: int = 1000,
    store: str = "/srv/store",
    title: str = "Qwen3-0.6B",
    name: str | None = None,
    force: bool = False,
) -> DeployPlan:
    model = LocalModel(Path("/x/model.rkllm"), SHA, size_bytes, title)
    candidate = Candidate("model.rkllm", replace(inspection, size_bytes=size_bytes))
    seen = board_seen(Board("kitchen", "host", store=store, facts=facts))
    return plan_deployment(candidate, [model], seen, board="kitchen", name=name, force=force)


def refusal(inspection: Inspection = REAL, facts: BoardFacts = BOARD, **options: object) -> str:
    with pytest.raises(RefusedError) as caught:
        plan(inspection, facts, **options)  # type: ignore[arg-type]
    return caught.value.code


def test_everything_lies_below_the_store() -> None:
    found = plan()
    assert found.name == "Qwen3-0.6B"
    assert found.blob == f"/srv/store/blobs/{SHA}.rkllm"
    assert found.partial_of(found.model) == f"/srv/store/incoming/{SHA}.partial"
    assert found.folder == "/srv/store/deployments/Qwen3-0.6B"
    assert found.overridden == ()


def test_simulated_file_never_goes_to_a_real_board() -> None:
    assert refusal(SIMULATED) == "deploy.simulated_file"
    assert refusal(SIMULATED, force=True) == "deploy.simulated_file"
    assert refusal(SIMULATED, replace(BOARD, soc=None), force=True) == "deploy.simulated_file"
    found = plan(SIMULATED, replace(BOARD, simulated=True, libraries=(), runtimes=(STAND_IN,)))
    assert (found.inspection, found.overridden) == (SIMULATED, ())


@pytest.mark.parametrize("kind", ["lfs-pointer", "html", "empty", "unknown", "safetensors"])
def test_what_is_no_model_is_refused_even_with_force(kind: str) -> None:
    assert refusal(Inspection(kind, 10)) == "deploy.not_a_model"
    assert refusal(Inspection(kind, 10), force=True) == "deploy.not_a_model"


FAT = Mount("/srv", "/dev/sda1", "vfat", "disk", True, 1 << 40, 1 << 39)


@pytest.mark.parametrize(
    ("inspection", "facts", "code"),
    [
        (REAL, replace(BOARD, soc="rk3576"), "deploy.wrong_platform"),
        (REAL, replace(BOARD, soc=None), "doctor.model_soc_unknown"),
        (REAL, replace(BOARD, soc=None, compatibles=("x,y",)), "doctor.soc_unsupported"),
        (REAL, replace(BOARD, npu_driver="rocket"), "doctor.driver_rocket"),
        (REAL, replace(BOARD, libraries=()), "doctor.model_no_library"),
        (replace(REAL, toolkit_version="1.3.1"), BOARD, "doctor.model_runtime_old"),
        (replace(REAL, dtype="w4a16"), BOARD, "doctor.model_dtype_refused"),
        (REAL, replace(BOARD, mem_total_bytes=1 << 20), "doctor.model_memory_guess_no"),
        (REAL, replace(BOARD, simulated=True), "deploy.real_file_to_simulated_board"),
        (replace(REAL, problems=("inspect.truncated",)), BOARD, "deploy.damaged_file"),
        (REAL, replace(BOARD, mounts=(replace(FAT, filesystem="tmpfs"),)), "doctor.store_in_memory"),
    ],
)
def test_refusals_that_force_overrides(inspection: Inspection, facts: BoardFacts, code: str) -> None:
    assert refusal(inspection, facts) == code
    assert plan(inspection, facts, force=True).overridden == (code,)


def test_unknown_platform_of_the_file_is_no_mismatch() -> None:
    assert plan(replace(REAL, platform=None)).overridden == ()
    assert plan(replace(REAL, platform="RK3588")).overridden == ()


def test_fat_cannot_hold_more_than_four_gib() -> None:
    facts = replace(BOARD, mounts=(FAT,))
    assert refusal(REAL, facts, size_bytes=4 << 30, force=True) == "deploy.file_too_large_for_fat"
    assert plan(REAL, facts, size_bytes=(4 << 30) - 1).store == "/srv/store"


def test_missing_tools() -> None:
    assert (
        refusal(REAL, replace(BOARD, missing_tools=("sha256sum",)), force=True) == "doctor.programs_missing"
    )


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/cron.d/x",
        "",
        "..",
        ".hidden",
        "a/b",
        "$(reboot)",
        "'; rm -rf /; '",
        "x\n\x1b[2J",
        "中文",
        "a" * 500,
    ],
)
def test_hostile_names_become_one_plain_file_name(name: str) -> None:
    for found in (plan(name=name), plan(title=name)):
        assert found.name
        assert found.name.isascii()
        assert not set(found.name) & set("/'\"$`\\ \n\x1b;")
        assert not found.name.startswith((".", "-"))
        assert len(found.name) <= 100
        assert found.title.isprintable()
        assert found.folder == f"/srv/store/deployments/{found.name}"


def test_bad_store() -> None:
    with pytest.raises(UsageError):
        plan(store="/srv/../etc")


def test_the_files_of_these_tests_are_what_they_claim(tmp_path: Path) -> None:
    real = inspect_file(real_file(tmp_path / "m_w8a8_rk3588.rkllm"))
    assert (real.kind, real.platform, real.dtype, real.problems) == ("rkllm", "rk3588", "w8a8", ())
    simulated = inspect_file(simulated_file(tmp_path / "s.rkllm"))
    assert (simulated.simulated, simulated.platform, simulated.problems) == (True, "rk3588", ())


@pytest.mark.parametrize("name", ["a b", "a;b", "-x", "x/y", "a\nb"])
def test_a_name_that_becomes_another_is_told(name: str) -> None:
    """Two such names may fall onto one deployment."""
    found = renaming(name, plan(name=name).name)
    assert found is not None
    assert found.code == "deploy.renamed"
    assert all(text.isprintable() for text in word(found))


def test_a_name_that_is_one_is_no_news() -> None:
    assert renaming("model_v1.2", plan(name="model_v1.2").name) is None
    assert renaming(None, plan().name) is None


def test_a_name_that_is_one_stays_as_it_is() -> None:
    assert plan(name="my--model_v1.2").name == "my--model_v1.2"


def test_names_without_a_letter_of_ascii_do_not_all_become_one() -> None:
    assert plan(title="模型").name == f"model-{SHA[:12]}"
    assert plan(name="*").name == f"model-{SHA[:12]}"
