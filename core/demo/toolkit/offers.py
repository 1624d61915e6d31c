"""What the stand-in toolkit takes: the house's own data, as plain tables that can be copied out of the house.

`core.demo.toolkit_env` writes these tables as a module of their own into the toolkit's environment, where neither
RKDeck nor its data files are. So a new platform or dtype of the data files is one of the stand-in's, too.
"""

from core.vendor.levels import load_levels
from core.vendor.platforms import context_limits, load_platforms

# dtype -> bits of a weight, bits of an input, group size (None: none); those of do_quantization=True
DTYPES: dict[str, tuple[int, int, int | None]] = {
    level.name: (level.bits, level.activation_bits, level.group_size)
    for level in load_levels()
    if level.quantized
}
# platform -> its dtypes (SDK manual 1.3.0, table 3-3)
PLATFORM_DTYPES: dict[str, tuple[str, ...]] = {
    platform.name: tuple(level.name for level in platform.levels if level.quantized)
    for platform in load_platforms().values()
}
PLATFORM_CORES: dict[str, int] = {
    platform.name: platform.npu_cores_max for platform in load_platforms().values()
}
# least, most, step, in tokens
CONTEXT: tuple[int, int, int] = (context_limits().min, context_limits().max, context_limits().multiple)
