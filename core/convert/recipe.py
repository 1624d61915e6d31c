"""What is to be made of a model, and whether the toolkit will do it."""

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from core.base.errors import JsonValue, RefusedError, RKDeckError, UsageError
from core.convert.calibration import check_calibration
from core.convert.records import Toolkit
from core.estimate.table import support_reason, whole_refusal
from core.model.facts import ModelFacts, why_no_source, without_tokenizer
from core.model.shape import ModelShape
from core.vendor.levels import PLAIN_ALGORITHM, Level, algorithms, get_level, load_levels
from core.vendor.platforms import Platform, context_limits, get_platform
from core.vendor.releases import version_key

Severity = Literal["error", "warning"]
# A level without groups is to be near those with the largest ones.
_WHOLE_ROW = 4096
# There are toolkits that read some of these.
_MAY_BE_TRIED = frozenset(("model.already_quantized", "model.pickle_only"))


@dataclass(frozen=True, slots=True)
class RecipeTarget:
    """What a recipe makes a file for: the platform and the level themselves, and how many NPU cores."""

    platform: Platform
    level: Level
    cores: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """The arguments of a conversion (SDK manual 1.3.0, tables 3-2 to 3-4), as somebody chose them.

    Attributes:
        platform, dtype: names, which may be of nothing there is (`target`).
        cores: NPU cores, None for all the platform has.
        optimization: 1 = better accuracy, "may reduce inference performance"; the vendor's benchmarks use 0.
        dataset: calibration data, a JSON list of {"input", "target"}.
        hybrid_rate: share in [0, 1) of the grouped or ungrouped sibling type; not a CPU/NPU split.
        load_dtype: precision the weights are loaded with.
    """

    platform: str
    dtype: str
    context: int = 4096
    cores: int | None = None
    algorithm: str = PLAIN_ALGORITHM
    optimization: int = 1
    dataset: Path | None = None
    hybrid_rate: float = 0.0
    device: str = "cpu"
    load_dtype: str = "float32"
    lora: Path | None = None

    def target(self) -> RecipeTarget:
        """Return what the names stand for.

        Raises:
            UsageError: `estimate.unknown_platform`, `quantization.unknown_level`.
        """
        platform = get_platform(self.platform)
        return RecipeTarget(platform, get_level(self.dtype), self.cores or platform.npu_cores_max)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the form stored with the result."""
        return {key: str(value) if isinstance(value, Path) else value for key, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about a recipe; an error would make the toolkit fail, a warning may disappoint.

    Attributes:
        remedy: the recipe that would mend it, where there is only one sensible one.
        final: the toolkit cannot but fail, so that nobody may insist.
    """

    severity: Severity
    error: RKDeckError
    remedy: Recipe | None = None
    final: bool = False


def source_problems(facts: ModelFacts) -> tuple[Problem, ...]:
    """What keeps the toolkit from a model whatever the recipe: weights of another kind, packed ones, no tokenizer.

    Who insists may try packed ones and pickles: there are toolkits that read some of them.
    """
    refusal = why_no_source(facts)
    if refusal is not None:
        return (Problem("error", refusal, final=refusal.code not in _MAY_BE_TRIED),)
    no_tokenizer = without_tokenizer(facts)
    return () if no_tokenizer is None else (Problem("error", no_tokenizer),)


def validate(
    recipe: Recipe, shape: ModelShape | None, toolkit: Toolkit | None, folder: Path | None = None
) -> tuple[Problem, ...]:
    """Check a recipe before anything starts; errors first. Whatever the recipe says, this only tells.

    Args:
        recipe: what is wanted.
        shape: of the model; None leaves out what depends on it.
        toolkit: that is to do it; None leaves out what depends on its version.
        folder: of the model, whose tokenizer measures calibration samples; None leaves them bounded only.
    """
    problems = _context_problems(recipe)
    try:
        target = recipe.target()
    except UsageError as error:
        problems.append(Problem("error", error))
    else:
        problems += [*_core_problems(recipe, target.platform), *_algorithm_problems(recipe, target.level)]
        if shape is not None:
            problems += _level_problems(recipe, shape, target)
    if shape is not None and toolkit is not None:
        problems += _version_problems(shape, toolkit)
    problems += _option_problems(recipe)
    problems += _dataset_problems(recipe, folder)
    return tuple(sorted(problems, key=lambda problem: problem.severity))


def _core_problems(recipe: Recipe, platform: Platform) -> list[Problem]:
    try:
        platform.check_cores(recipe.cores)
    except RefusedError as error:
        nearest = min(max(recipe.cores or 1, 1), platform.npu_cores_max)
        return [Problem("error", error, replace(recipe, cores=nearest))]
    return []


def _level_problems(recipe: Recipe, shape: ModelShape, target: RecipeTarget) -> list[Problem]:
    platform, level = target.platform, target.level
    reason = support_reason(shape, platform, level)
    # What no level of the model can be made for is told once (`source_problems`), not of each level.
    if reason is None or whole_refusal(shape) is not None:
        return []
    error = RefusedError(
        "convert.unsupported", dtype=level.name, platform=platform.display_name, reason=reason.to_json()
    )
    return [Problem("error", error, _with_nearest_level(recipe, shape, platform, level))]


def _with_nearest_level(
    recipe: Recipe, shape: ModelShape, platform: Platform, wanted: Level
) -> Recipe | None:
    allowed = [level for level in load_levels() if support_reason(shape, platform, level) is None]
    if not allowed:
        return None
    nearest = min(allowed, key=lambda level: _distance(level, wanted))
    # Not every level takes every algorithm: with another level the remedy would be the next problem.
    algorithm = recipe.algorithm if _family(recipe.algorithm) in nearest.algorithms else PLAIN_ALGORITHM
    return replace(recipe, dtype=nearest.name, algorithm=algorithm)


def _distance(level: Level, wanted: Level) -> tuple[float, float, int]:
    """How far a level is from another: bits of the weights, then the size of groups, then bits of inputs."""
    bits = abs(math.log2(level.bits / wanted.bits))
    groups = abs(math.log2((level.group_size or _WHOLE_ROW) / (wanted.group_size or _WHOLE_ROW)))
    return bits, groups, abs(level.activation_bits - wanted.activation_bits)


def _context_problems(recipe: Recipe) -> list[Problem]:
    limits = context_limits()
    try:
        limits.check(recipe.context)
    except RefusedError as error:
        steps = (recipe.context + limits.multiple // 2) // limits.multiple
        nearest = min(max(steps * limits.multiple, limits.min), limits.max)
        return [Problem("error", error, replace(recipe, context=nearest))]
    return []


def _version_problems(shape: ModelShape, toolkit: Toolkit) -> list[Problem]:
    if shape.since is None or version_key(toolkit.version) >= version_key(shape.since):
        return []
    error = RefusedError(
        "convert.toolkit_too_old",
        architecture=shape.architecture, since=shape.since, version=toolkit.version,
    )  # fmt: skip
    return [Problem("error", error)]


def _family(algorithm: str) -> str:
    """An algorithm without the rate some carry behind it (`grq_r1.5`)."""
    return algorithm.split("_r", maxsplit=1)[0]


def _algorithm_problems(recipe: Recipe, level: Level) -> list[Problem]:
    algorithm = _family(recipe.algorithm)
    if algorithm == PLAIN_ALGORITHM or algorithm not in algorithms():
        return []
    if algorithm in level.algorithms and recipe.device == "cuda":
        return []
    error = RefusedError("convert.algorithm_needs_gpu", algorithm=recipe.algorithm)
    return [Problem("error", error, replace(recipe, algorithm=PLAIN_ALGORITHM))]


def _option_problems(recipe: Recipe) -> list[Problem]:
    problems: list[Problem] = []
    if _family(recipe.algorithm) not in algorithms():
        problems.append(_bad_option("algorithm", recipe.algorithm))
    if not 0 <= recipe.hybrid_rate < 1:
        problems.append(_bad_option("hybrid_rate", recipe.hybrid_rate))
    if recipe.optimization not in (0, 1):
        problems.append(_bad_option("optimization", recipe.optimization))
    missing = [path for path in (recipe.dataset, recipe.lora) if path is not None and not _exists(path)]
    return problems + [
        Problem("error", UsageError("convert.input_missing", path=str(path)), final=True) for path in missing
    ]


def _dataset_problems(recipe: Recipe, folder: Path | None) -> list[Problem]:
    if recipe.dataset is None:
        return [Problem("warning", RefusedError("convert.no_dataset"))]
    if not _exists(recipe.dataset):
        return []  # told among the options
    found = check_calibration(recipe.dataset, recipe.context, folder)
    return [
        *(Problem("error", error, final=True) for error in found.errors),
        *(Problem("error", error) for error in found.long),
        *(Problem("warning", warning) for warning in found.warnings),
    ]


def _bad_option(option: str, value: JsonValue) -> Problem:
    return Problem("error", RefusedError("convert.bad_option", option=option, value=value))


def _exists(path: Path) -> bool:
    """Whether there is something we may look at."""
    try:
        return path.exists()
    except (OSError, ValueError):  # no right to look, or no possible path
        return False
