"""What the toolkit refuses, in its own words."""

from typing import Any

from core.demo.toolkit.offers import CONTEXT, DTYPES, PLATFORM_CORES, PLATFORM_DTYPES

_ALGORITHMS = ("normal", "grq")
_MIN_KV_WIDTH = 96


class BuildError(Exception):
    """A build that is refused; the text is the toolkit's log line."""


def check_build(
    *,
    dtype: str,
    platform: str,
    cores: int,
    context: int,
    algorithm: str,
    optimization: int,
    hybrid_rate: float,
) -> None:
    """Check the arguments of `build`.

    Raises:
        BuildError: with the line the toolkit would log.
    """
    least, most, step = CONTEXT
    if platform not in PLATFORM_DTYPES:
        raise BuildError(f"target_platform: {platform} is not supported!")
    if dtype not in PLATFORM_DTYPES[platform]:
        raise BuildError(f"target_platform: {platform} not support quantized_dtype: {dtype}!")
    if not least <= context <= most:
        raise BuildError(f"max_context must be within [{least}, {most}]")
    if context % step:
        raise BuildError(f"max_context must be aligned to {step}")
    if not 1 <= cores <= PLATFORM_CORES[platform]:
        raise BuildError(f"num_npu_core must be within [1, {PLATFORM_CORES[platform]}]")
    if optimization not in (0, 1):
        raise BuildError("optimization_level must be 0 or 1")
    if not 0 <= hybrid_rate < 1:
        raise BuildError("hybrid_rate must be within [0, 1)")
    if algorithm.split("_r", maxsplit=1)[0] not in _ALGORITHMS:
        raise BuildError(f"quantized_algorithm: {algorithm} is not supported!")
    if algorithm.startswith("grq"):
        raise BuildError("the grq algorithm needs a GPU: Cuda device not available!")


def check_shapes(config: dict[str, Any], shapes: dict[str, tuple[int, int]], dtype: str) -> None:
    """Check what depends on the model: the narrowest attention and the group size.

    Raises:
        BuildError: with the line the toolkit would log.
    """
    heads = int(config["num_attention_heads"])
    head_dim = int(config.get("head_dim") or int(config["hidden_size"]) // heads)
    width = int(config.get("num_key_value_heads") or heads) * head_dim
    if width < _MIN_KV_WIDTH:
        raise BuildError(f"dimension {width} must be greater than or equal to {_MIN_KV_WIDTH}")
    group = DTYPES[dtype][2]
    for name, (outputs, inputs) in shapes.items():
        if group is not None and (outputs % group or inputs % group):
            raise BuildError(
                f"Catch exception when optimizing model: {name} {outputs}x{inputs} % {group} != 0"
            )
