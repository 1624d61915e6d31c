"""Conversion as a front end uses it: toolkits, a check of the recipe with a forecast, the start."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import RKDeckError, UsageError
from core.convert.host import Host, Need, host_problems, measure_host, needed
from core.convert.plan import output_folder, plan_conversion
from core.convert.recipe import Problem, Recipe, source_problems, validate
from core.convert.records import Toolkit
from core.estimate.records import Estimate, Fit, LevelEstimate
from core.estimate.table import estimate_model
from core.library.records import LibraryItem
from core.model.facts import ModelFacts
from core.model.shape import ModelShape, build_shape
from core.services import Services
from core.usecases.library import local_facts
from core.vendor.platforms import get_platform

if TYPE_CHECKING:
    from core.jobs.manager import JobHandle

_PROMPT = 128


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a conversion will take and make; None is unknown.

    Attributes:
        host_ram_bytes: memory the toolkit takes on this computer, after user reports.
        host_ram_total_bytes, host_ram_available_bytes: what this computer has, and has free now.
        disk_bytes: what the file takes where it goes; disk_free_bytes: what is free there.
        file_bytes: the size of the file.
        board_ram_bytes: expected peak memory of the serving process on the board.
        tokens_per_s: expected speed of decoding.
        row: the estimate behind these, with bounds and what they rest on.
        confidence: of the estimate.
        fit: whether it runs on the board that was asked about.
    """

    host_ram_bytes: int | None
    host_ram_total_bytes: int | None
    host_ram_available_bytes: int | None
    disk_bytes: int | None
    disk_free_bytes: int | None
    file_bytes: int | None
    board_ram_bytes: int | None
    tokens_per_s: float | None
    row: LevelEstimate | None
    confidence: str | None
    fit: Fit | None


@dataclass(frozen=True, slots=True)
class RecipeCheck:
    """What is wrong with a recipe (errors first), and what it will come to (None when the model is unreadable)."""

    problems: tuple[Problem, ...]
    forecast: Forecast | None
    toolkit: Toolkit | None

    @property
    def can_start(self) -> bool:
        """Whether nothing forbids the start."""
        return all(problem.severity != "error" for problem in self.problems)


def list_toolkits(services: Services) -> tuple[Toolkit, ...]:
    """The toolkits, the one added last first."""
    return tuple(services.toolkits.list())


def add_toolkit(services: Services, python: Path) -> Toolkit:
    """Check an environment by asking it and remember it; takes as long as importing torch there.

    Raises:
        RefusedError: `convert.toolkit_missing`, `convert.toolkit_unrelated`, `convert.toolkit_broken`,
            `convert.python_unusable`.
        RKDeckError: `convert.toolkit_silent`, `convert.toolkit_endless`.
    """
    # Not resolved: a venv's python is a link, and the link is what makes it the venv's.
    return services.toolkits.add(python.absolute())


def remove_toolkit(services: Services, python: Path) -> Toolkit:
    """Forget a toolkit; its environment is left as it is.

    Raises:
        UsageError: `convert.no_toolkit`, `convert.toolkit_unknown`.
    """
    return services.toolkits.remove(python.absolute())


def check_recipe(
    services: Services,
    item_id: str,
    recipe: Recipe,
    toolkit_python: Path | None = None,
    *,
    board_ram_bytes: int | None = None,
) -> RecipeCheck:
    """Check a recipe for a model of the library, whatever it says; nothing is started.

    Args:
        services: the core.
        item_id: a source model.
        recipe: what is wanted.
        toolkit_python: the toolkit to use; None is the one added last.
        board_ram_bytes: MemTotal of a board to judge the fit for.

    Raises:
        UsageError: `library.unknown`.
    """
    item = services.library.get(item_id)
    toolkit, shape = None, None
    facts: ModelFacts | None = None
    found: list[Problem] = []
    try:
        facts = local_facts(item.path)
        shape = build_shape(facts)
        found += source_problems(facts)
    except RKDeckError as error:
        found.append(Problem("error", error))
    try:
        toolkit = _toolkit(services, toolkit_python)
    except UsageError as error:
        found.append(Problem("error", error))
    found += validate(recipe, shape, toolkit, item.path)
    folder = output_folder(services.paths.library)
    host, need = measure_host(folder), _need(shape, recipe)
    found += host_problems(host, need, folder)
    forecast = None
    if facts is not None and shape is not None:
        forecast = _forecast(host, need, _estimate(facts, recipe, board_ram_bytes), recipe)
    problems = sorted(found, key=lambda problem: problem.severity)
    return RecipeCheck(tuple(problems), forecast, toolkit)


def start(
    services: Services,
    item_id: str,
    recipe: Recipe,
    toolkit_python: Path | None = None,
    force: bool = False,
) -> str:
    """Start the conversion of a model of the library; returns the job's id. It goes on without the front end.

    Raises:
        UsageError: `library.unknown`, `convert.no_toolkit`, `convert.toolkit_unknown`.
        RefusedError: the first error `check_recipe` tells, unless `force`.
    """
    item = services.library.get(item_id)
    return convert(services, item.path, recipe, item=item, toolkit_python=toolkit_python, force=force).id


def convert(
    services: Services,
    folder: Path,
    recipe: Recipe,
    *,
    item: LibraryItem | None = None,
    toolkit_python: Path | None = None,
    output: Path | None = None,
    force: bool = False,
) -> "JobHandle":
    """Start the conversion of a model folder, in the library or not, for who wants to follow the job.

    Raises:
        UsageError: `convert.no_toolkit`, `convert.toolkit_unknown`.
        RefusedError: the first error, unless `force`; `convert.output_exists`.
    """
    order = plan_conversion(
        folder,
        recipe,
        _toolkit(services, toolkit_python),
        library_folder=services.paths.library,
        item=item,
        output=output,
        force=force,
    )
    return services.submit(order)


def _toolkit(services: Services, python: Path | None) -> Toolkit:
    return services.toolkits.choose(None if python is None else str(python))


def _need(shape: ModelShape | None, recipe: Recipe) -> Need:
    if shape is None:
        return Need(None, None)
    try:
        level = recipe.target().level
    except UsageError:
        level = None
    return needed(shape, level)


def _estimate(facts: ModelFacts, recipe: Recipe, board_ram_bytes: int | None) -> Estimate | None:
    """The estimate for a recipe's platform, context and cores; None when one of them is impossible."""
    try:
        return estimate_model(
            facts,
            get_platform(recipe.platform),
            context=recipe.context,
            cores=recipe.cores,
            prompt=min(_PROMPT, recipe.context),
            board_ram_bytes=board_ram_bytes,
        )
    except RKDeckError:
        return None


def _forecast(host: Host, need: Need, estimate: Estimate | None, recipe: Recipe) -> Forecast:
    row = estimate.row(recipe.dtype.strip().lower()) if estimate else None
    if row is not None and row.kind == "reference":
        row = None  # a width to compare with, nothing a toolkit makes
    return Forecast(
        host_ram_bytes=need.ram_bytes,
        host_ram_total_bytes=host.ram_bytes,
        host_ram_available_bytes=host.ram_available_bytes,
        disk_bytes=need.disk_bytes,
        disk_free_bytes=host.disk_free_bytes,
        file_bytes=need.disk_bytes,
        board_ram_bytes=int(row.ram.value) if row and row.ram else None,
        tokens_per_s=row.tokens_per_s.value if row and row.tokens_per_s else None,
        row=row,
        confidence=estimate.confidence if estimate else None,
        fit=row.fit if row else None,
    )
