"""What is to be made of a model, and whether the toolkit will do it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from core.base.errors import JsonValue, RefusedError, RKDeckError
from core.convert.toolkits import Toolkit
from core.convert.versions import version_key
from core.estimate.platforms import context_limits, get_platform
from core.estimate.shape import ModelShape
from core.estimate.table import support_reason
from core.quantization.levels import get_level

Severity = Literal["error", "warning"]
_ALGORITHMS = ("normal", "grq", "gdq")


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
    """Something about a recipe; an error would make the toolkit fail, a warning may disappoint."""

    severity: Severity
    error: RKDeckError


def validate(recipe: Recipe, shape: ModelShape, toolkit: Toolkit) -> tuple[Problem, ...]:
    """Check a recipe before anything starts; errors first.

    Raises:
        UsageError: for an unknown platform or dtype.
    """
    errors: list[RKDeckError] = []
    platform, level = get_platform(recipe.platform), get_level(recipe.dtype)
    for check in (lambda: context_limits().check(recipe.context), lambda: platform.check_cores(recipe.cores)):
        try:
            check()
        except RefusedError as error:
            errors.append(error)
    if reason := support_reason(shape, platform, level):
        errors.append(
            RefusedError(
                "convert.unsupported", dtype=level.name, platform=platform.display_name, reason=reason
            )
        )
    if shape.since is not None and version_key(toolkit.version) < version_key(shape.since):
        errors.append(
            RefusedError(
                "convert.toolkit_too_old",
                architecture=shape.architecture, since=shape.since, version=toolkit.version,
            )
        )  # fmt: skip
    errors += _option_errors(recipe)
    warnings = []
    if recipe.dataset is None:
        warnings.append(RefusedError("convert.no_dataset"))
    return (
        *(Problem("error", error) for error in errors),
        *(Problem("warning", error) for error in warnings),
    )


def _option_errors(recipe: Recipe) -> list[RKDeckError]:
    errors: list[RKDeckError] = []
    algorithm = recipe.algorithm.split("_r", maxsplit=1)[0]
    if algorithm not in _ALGORITHMS:
        errors.append(RefusedError("convert.bad_option", option="algorithm", value=recipe.algorithm))
    elif algorithm != "normal" and (not recipe.dtype.lower().startswith("w4a16") or recipe.device != "cuda"):
        errors.append(RefusedError("convert.algorithm_needs_gpu", algorithm=recipe.algorithm))
    if not 0 <= recipe.hybrid_rate < 1:
        errors.append(RefusedError("convert.bad_option", option="hybrid_rate", value=recipe.hybrid_rate))
    if recipe.optimization not in (0, 1):
        errors.append(RefusedError("convert.bad_option", option="optimization", value=recipe.optimization))
    missing = [path for path in (recipe.dataset, recipe.lora) if path is not None and not path.exists()]
    return errors + [RefusedError("convert.input_missing", path=str(path)) for path in missing]
