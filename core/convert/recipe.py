"""What is to be made of a model, and whether the toolkit will do it."""

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from core.base.errors import JsonValue, RefusedError, RKDeckError, UsageError
from core.convert.toolkits import Toolkit
from core.estimate.table import support_reason
from core.model.shape import ModelShape
from core.vendor.levels import Level, get_level, load_levels
from core.vendor.platforms import Platform, context_limits, get_platform
from core.vendor.releases import version_key

Severity = Literal["error", "warning"]
_ALGORITHMS = ("normal", "grq", "gdq")
# A level without groups is to be near those with the largest ones.
_WHOLE_ROW = 4096


@dataclass(frozen=True, slots=True)
class Recipe:
    """The arguments of a conversion (SDK manual 1.3.0, tables 3-2 to 3-4).

    Attributes:
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
    algorithm: str = "normal"
    optimization: int = 1
    dataset: Path | None = None
    hybrid_rate: float = 0.0
    device: str = "cpu"
    load_dtype: str = "float32"
    lora: Path | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """Return the form stored with the result."""
        return {key: str(value) if isinstance(value, Path) else value for key, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about a recipe; an error would make the toolkit fail, a warning may disappoint.

    Attributes:
        fix: the recipe that would cure it, where there is only one sensible cure.
    """

    severity: Severity
    error: RKDeckError
    fix: Recipe | None = None


def validate(recipe: Recipe, shape: ModelShape | None, toolkit: Toolkit | None) -> tuple[Problem, ...]:
    """Check a recipe before anything starts; errors first. Whatever the recipe says, this only tells.

    Args:
        recipe: what is wanted.
        shape: of the model; None leaves out what depends on it.
        toolkit: that is to do it; None leaves out what depends on its version.
    """
    problems: list[Problem] = []
    try:
        target = get_platform(recipe.platform), get_level(recipe.dtype)
    except UsageError as error:
        problems += [Problem("error", error), *_context_problems(recipe)]
    else:
        problems += [*_context_problems(recipe), *_core_problems(recipe, target[0])]
        if shape is not None:
            problems += _level_problems(recipe, shape, *target)
    if shape is not None and toolkit is not None:
        problems += _version_problems(shape, toolkit)
    problems += _option_problems(recipe)
    if recipe.dataset is None:
        problems.append(Problem("warning", RefusedError("convert.no_dataset")))
    return tuple(sorted(problems, key=lambda problem: problem.severity))


def _core_problems(recipe: Recipe, platform: Platform) -> list[Problem]:
    try:
        platform.check_cores(recipe.cores)
    except RefusedError as error:
        nearest = min(max(recipe.cores or 1, 1), platform.npu_cores_max)
        return [Problem("error", error, replace(recipe, cores=nearest))]
    return []


def _level_problems(recipe: Recipe, shape: ModelShape, platform: Platform, level: Level) -> list[Problem]:
    reason = support_reason(shape, platform, level)
    if reason is None:
        return []
    error = RefusedError(
        "convert.unsupported", dtype=level.name, platform=platform.display_name, reason=reason.text()
    )
    return [Problem("error", error, _with_nearest_level(recipe, shape, platform, level))]


def _with_nearest_level(
    recipe: Recipe, shape: ModelShape, platform: Platform, wanted: Level
) -> Recipe | None:
    allowed = [level for level in load_levels() if support_reason(shape, platform, level) is None]
    if not allowed:
        return None
    dtype = min(allowed, key=lambda level: _distance(level, wanted)).name
    # The other algorithms are for w4a16 kinds; with another dtype the cure would be the next problem.
    algorithm = recipe.algorithm if dtype.startswith("w4a16") else "normal"
    return replace(recipe, dtype=dtype, algorithm=algorithm)


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


def _option_problems(recipe: Recipe) -> list[Problem]:
    problems: list[Problem] = []
    algorithm = recipe.algorithm.split("_r", maxsplit=1)[0]
    if algorithm not in _ALGORITHMS:
        problems.append(_bad_option("algorithm", recipe.algorithm))
    elif algorithm != "normal" and (not recipe.dtype.lower().startswith("w4a16") or recipe.device != "cuda"):
        error = RefusedError("convert.algorithm_needs_gpu", algorithm=recipe.algorithm)
        problems.append(Problem("error", error, replace(recipe, algorithm="normal")))
    if not 0 <= recipe.hybrid_rate < 1:
        problems.append(_bad_option("hybrid_rate", recipe.hybrid_rate))
    if recipe.optimization not in (0, 1):
        problems.append(_bad_option("optimization", recipe.optimization))
    missing = [path for path in (recipe.dataset, recipe.lora) if path is not None and not _exists(path)]
    return problems + [
        Problem("error", RefusedError("convert.input_missing", path=str(path))) for path in missing
    ]


def _bad_option(option: str, value: JsonValue) -> Problem:
    return Problem("error", RefusedError("convert.bad_option", option=option, value=value))


def _exists(path: Path) -> bool:
    """Whether there is something we may look at."""
    try:
        return path.exists()
    except (OSError, ValueError):  # no right to look, or no possible path
        return False
