"""From a model and a recipe to a conversion job."""

from collections.abc import Iterable
from pathlib import Path

from core.base.errors import JsonValue, RefusedError, RKDeckError, error_from_json
from core.base.names import safe_component
from core.convert.host import host_problems, measure_host, needed
from core.convert.order import ConvertOrder, UsedToolkit
from core.convert.recipe import Problem, Recipe, RecipeTarget, source_problems, validate
from core.convert.records import Toolkit
from core.estimate.ready import need_of
from core.jobs.manager import JobHandle
from core.library.cached import folder_title
from core.library.records import LibraryItem
from core.model.facts import load_local_facts
from core.model.shape import build_shape
from core.vendor.releases import toolkit_arguments


def plan_conversion(
    folder: Path,
    recipe: Recipe,
    toolkit: Toolkit,
    *,
    library_folder: Path,
    item: LibraryItem | None = None,
    output: Path | None = None,
    force: bool = False,
) -> ConvertOrder:
    """Check everything that can be checked; returns the order for the job.

    Raises:
        RefusedError: the first problem that would make the toolkit fail, or that the disk has no room (unless
            `force`; what it cannot but fail on is refused all the same), `convert.output_exists`.
    """
    facts = load_local_facts(folder)
    shape = build_shape(facts)
    problems = source_problems(facts) + validate(recipe, shape, toolkit, folder)
    _refuse(problems, force=force)
    making = recipe.target()
    title = item.title if item else folder_title(folder)
    target = output or _free_name(output_folder(library_folder), title, making)
    if target.exists() and not force:
        raise RefusedError("convert.output_exists", path=str(target))
    problems += host_problems(measure_host(target.parent), needed(shape, making.level), target.parent)
    _refuse(problems, force=force)
    return ConvertOrder(
        source=folder.absolute(),
        source_item=item.id if item else None,
        repo=item.repo if item else None,
        revision=item.revision if item else None,
        title=title,
        recipe=recipe.to_json(),
        platform=making.platform.name,
        dtype=making.level.name,
        toolkit=UsedToolkit(toolkit.python, toolkit.version, toolkit.simulated),
        calls=calls(folder, recipe, toolkit.version),
        output=target,
        need=need_of(
            facts, making.platform, making.level.name, context=recipe.context, cores=making.cores, shape=shape
        ),
        warnings=tuple(problem.error.to_json() for problem in problems if problem.severity == "warning"),
    )


def output_folder(library_folder: Path) -> Path:
    """Where the library keeps what it converted."""
    return library_folder / "rkllm"


def _refuse(problems: Iterable[Problem], *, force: bool) -> None:
    errors = [problem for problem in problems if problem.severity == "error"]
    refused = [problem.error for problem in errors if problem.final or not force]
    if refused:
        raise refused[0]


def start_warnings(handle: JobHandle) -> tuple[RKDeckError, ...]:
    """What `plan_conversion` found that may disappoint, but stops nothing."""
    order = ConvertOrder.from_json(handle.record().spec.params)
    return tuple(error_from_json(warning) for warning in order.warnings)


def calls(folder: Path, recipe: Recipe, version: str) -> tuple[dict[str, JsonValue], ...]:
    """The toolkit's three calls with their arguments, those its version does not know left out.

    The export path is filled in by the worker.

    Raises:
        RKDeckError: `convert.argument_unknown` when an argument that was asked for does not exist yet.
        UsageError: as `Recipe.target`.
    """
    known, making = toolkit_arguments(version), recipe.target()
    load: dict[str, JsonValue] = {
        "model": str(folder.absolute()),
        "model_lora": str(recipe.lora) if recipe.lora else None,
        "device": recipe.device,
        "dtype": recipe.load_dtype,
        "custom_config": None,
        "load_weight": True,
    }
    build: dict[str, JsonValue] = {
        "do_quantization": making.level.quantized,
        "optimization_level": recipe.optimization,
        "quantized_dtype": making.level.name,
        "quantized_algorithm": recipe.algorithm,
        "target_platform": making.platform.name,
        "num_npu_core": making.cores,
        "extra_qparams": None,
        "dataset": str(recipe.dataset) if recipe.dataset else None,
        "hybrid_rate": recipe.hybrid_rate,
        "max_context": recipe.context,
    }
    if "model_lora" not in known.load and recipe.lora:
        raise RKDeckError("convert.argument_unknown", argument="model_lora", version=version)
    return (
        {"method": "load_huggingface", "arguments": {key: load[key] for key in load if key in known.load}},
        {"method": "build", "arguments": {key: build[key] for key in build if key in known.build}},
        {"method": "export_rkllm", "arguments": {}},
    )


def _free_name(folder: Path, title: str, making: RecipeTarget) -> Path:
    """`{title}_{DTYPE}_{PLATFORM}.rkllm`, the vendor's own scheme, numbered when the name is taken."""
    stem = f"{safe_component(title)}_{making.level.name.upper()}_{making.platform.vendor_name}"
    number = 1
    while True:
        path = folder / f"{stem}{'' if number == 1 else f'-{number}'}.rkllm"
        if not path.exists():
            return path
        number += 1
