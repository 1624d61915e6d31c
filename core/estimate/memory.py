"""Memory on the board, bytes in the file and on the NPU, and memory for the conversion.

The memory of a .rkllm level is the peak resident set of the serving process, the vendor's "memory(MB)"
(VmHWM: SDK manual 1.3.0, 3.2.16). The constants and their sources are in resources/estimator.toml.
"""

import math
from dataclasses import dataclass

from core.estimate.constants import memory_constants
from core.model.shape import ModelShape
from core.vendor.levels import Level
from core.vendor.platforms import Platform


@dataclass(frozen=True, slots=True)
class MemoryParts:
    """Peak resident bytes of the serving process, by what they hold; they add up to `ram_bytes`."""

    weights_bytes: int
    kv_cache_bytes: int
    overhead_bytes: int

    @property
    def ram_bytes(self) -> int:
        """The sum of the parts."""
        return self.weights_bytes + self.kv_cache_bytes + self.overhead_bytes


def weights_bytes(shape: ModelShape, level: Level) -> int:
    """Return the bytes of the resident weights at this level, without scales."""
    if level.kind == "reference":
        return math.ceil(shape.parameters * memory_constants().reference_per_parameter[level.name])
    return math.ceil(shape.w_linear * level.bits / 8)


def memory_parts(
    shape: ModelShape, level: Level, platform: Platform, *, context: int, cores: int
) -> MemoryParts | None:
    """Return the memory of a level, or None when the model's keys and values are not known.

    `context` is the max_context_len given to the runtime, in tokens; `cores` the NPU cores of the file.
    """
    if shape.kv_elements_per_token is None:
        return None
    cache = math.ceil(memory_constants().kv_element * shape.kv_elements_per_token * context)
    reference = level.kind == "reference"
    overhead = _reference_overhead(shape) if reference else _overhead(shape, level, platform, cores)
    return MemoryParts(weights_bytes(shape, level), cache, round(overhead))


def npu_bytes(shape: ModelShape, level: Level, *, cores: int) -> int | None:
    """Return what the runtime allocates on the NPU for weights, to the byte; None where no rule is known.

    With one core the output head stays on the CPU. Failed loads print the number: rknn-llm issue 335 asks for
    3,085,697,024 B, all linear weights of Qwen2.5-VL-3B. How scales of groups are placed is not known.
    """
    if level.kind == "reference" or level.group_size is not None or not shape.modelled:
        return None
    on_npu = shape.w_body if cores == 1 else shape.w_linear
    return math.ceil(on_npu * level.bits / 8)


def file_bytes(shape: ModelShape, level: Level) -> int:
    """Return the size of the file: a .rkllm keeps the embedding in 16 bits, even beside a tied head."""
    weights = weights_bytes(shape, level)
    if level.kind == "reference":
        return weights
    constants = memory_constants()
    payload = weights + constants.file_embedding * shape.embedding + _group_bytes(shape, level)
    return round(payload * (1 + constants.file_overhead_fraction))


def convert_host_ram_bytes(shape: ModelShape) -> int:
    """Return the memory a conversion on the CPU takes on the computer, after user reports (not measured)."""
    return round(memory_constants().convert_per_parameter * shape.parameters)


def ram_interval(ram_bytes: int, level: Level, *, certain: bool) -> tuple[int, int]:
    """Return low and high bound of the memory; a reference level is a definition and has no spread.

    `certain` says that the model, context and cores are like those the constants were fitted on.
    """
    constants = memory_constants()
    if level.kind == "reference":
        return ram_bytes, ram_bytes
    if not certain or level.bits > 8:
        share = constants.interval_extrapolated
    elif level.bits == 8 and level.group_size is None:
        share = constants.interval_w8
    else:
        share = constants.interval_w4_or_grouped
    spread = round(max(ram_bytes * share, constants.interval_at_least))
    return max(0, ram_bytes - spread), ram_bytes + spread


def _overhead(shape: ModelShape, level: Level, platform: Platform, cores: int) -> float:
    constants = memory_constants()
    on_npu = (shape.w_body if cores == 1 else shape.w_linear) * level.bits / 8
    total = (
        constants.platform[platform.name]
        + constants.vocab * shape.vocab
        + constants.intermediate * shape.intermediate
        + constants.matmul * shape.n_matmul
        + constants.state_element * shape.recurrent_state_elements
        + (constants.second_domain if on_npu > constants.npu_domain else 0.0)
    )
    if level.group_size is None:
        return total + constants.logits_per_vocab * shape.vocab
    if level.bits == 8:
        return total + _group_bytes(shape, level) + constants.w8a8_group_extra
    return total + _group_bytes(shape, level) + constants.group_platform[platform.name]


def _reference_overhead(shape: ModelShape) -> float:
    constants = memory_constants()
    return constants.reference_vocab * shape.vocab + constants.reference_fixed


def _group_bytes(shape: ModelShape, level: Level) -> float:
    if level.group_size is None:
        return 0.0
    constants = memory_constants()
    each = constants.w8a8_group if level.bits == 8 else constants.group
    return each * shape.w_body / level.group_size
