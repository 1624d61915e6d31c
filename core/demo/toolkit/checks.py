"""What the toolkit refuses, in its own words."""

from typing import Any

# SDK manual 1.3.0, table 3-3.
_GROUPED_4 = ("w4a16_g32", "w4a16_g64", "w4a16_g128")
_DTYPES: dict[str, tuple[str, ...]] = {
    "rk3588": ("w8a8", "w8a8_g128", "w8a8_g256", "w8a8_g512"),
    "rk3576": ("w8a8", "w4a16", *_GROUPED_4),
    "rv1126b": ("w8a8", "w4a16", *_GROUPED_4),
    "rk3562": ("w8a8", *_GROUPED_4, "w4a8_g32"),
}
_CORES = {"rk3588": 3, "rk3576": 2, "rv1126b": 1, "rk3562": 1}
_ALGORITHMS = ("normal", "grq")
MIN_CONTEXT, MAX_CONTEXT, CONTEXT_STEP = 32, 16384, 32
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
    if platform not in _DTYPES:
        raise BuildError(f"target_platform: {platform} is not supported!")
    if dtype not in _DTYPES[platform]:
        raise BuildError(f"target_platform: {platform} not support quantized_dtype: {dtype}!")
    if not MIN_CONTEXT <= context <= MAX_CONTEXT:
        raise BuildError(f"max_context must be within [{MIN_CONTEXT}, {MAX_CONTEXT}]")
    if context % CONTEXT_STEP:
        raise BuildError(f"max_context must be aligned to {CONTEXT_STEP}")
    if not 1 <= cores <= _CORES[platform]:
        raise BuildError(f"num_npu_core must be within [1, {_CORES[platform]}]")
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
    group = group_size(dtype)
    for name, (outputs, inputs) in shapes.items():
        if group is not None and (outputs % group or inputs % group):
            raise BuildError(
                f"Catch exception when optimizing model: {name} {outputs}x{inputs} % {group} != 0"
            )


def group_size(dtype: str) -> int | None:
    """128 for `w8a8_g128`, None where there are no groups."""
    return int(dtype.rsplit("_g", 1)[1]) if "_g" in dtype else None
