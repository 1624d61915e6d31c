"""Decode speed and time to first token, as the vendor measures them: fixed clocks, all NPU cores.

Decode: the weights stream through memory once a token, and each matrix product costs a fixed time. First
token: the arithmetic of the prompt at the platform's effective rate, and a cost for each layer. The constants
and their sources are in resources/estimator.toml.
"""

import math
from dataclasses import dataclass

from core.estimate.constants import decode_constants, ttft_constants
from core.model.shape import ModelShape
from core.vendor.levels import Level
from core.vendor.platforms import Platform


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with its bounds; the unit is the asker's."""

    value: float
    low: float
    high: float


def tokens_per_s(
    shape: ModelShape, level: Level, platform: Platform, *, cores: int, prompt: int, certain: bool
) -> Interval | None:
    """Return the mean decode speed over the tokens after the prompt, or None where there are no facts."""
    if not _speed_known(shape, platform, cores) or level.kind == "reference":
        return None
    constants = decode_constants()
    group_ms = _group_ms(shape, level, platform)
    if group_ms is None:
        return None
    streamed = level.bits / 8 * shape.w_active + _streamed_group_bytes(shape, level)
    # The state is read and written once a token, as the weights are read.
    streamed += constants.state_bytes * shape.recurrent_state_elements
    bandwidth = constants.efficiency * platform.memory_bandwidth_bytes_per_s
    scan_ms = (
        constants.state_share
        * ttft_constants().state_ms[platform.name]
        * shape.recurrent_state_elements
        / 1e6
    )
    total_ms = 1000 * streamed / bandwidth + scan_ms + _call_ms(shape, platform, prompt) + group_ms
    value = 1000 / total_ms
    if level.bits == 8 and level.group_size is not None:
        return Interval(
            value, value * (1 - constants.w8a8_group_low), value * (1 + constants.w8a8_group_high)
        )
    share = constants.interval[platform.name] * (1 if certain else constants.extrapolated_factor)
    return Interval(value, value * max(0.0, 1 - share), value * (1 + share))


def ttft_ms(
    shape: ModelShape, level: Level, platform: Platform, *, cores: int, prompt: int, certain: bool
) -> Interval | None:
    """Return the time to the first token in milliseconds, or None where there are no facts."""
    constants = ttft_constants()
    tops = constants.tops.get(platform.name, {}).get(level.name)
    if tops is None or shape.kv_elements_per_token is None or not _speed_known(shape, platform, cores):
        return None
    # All experts run on some row of a prompt, and the head on every row except in grouped dtypes.
    weights = shape.w_linear if level.group_size is None else shape.w_body
    arithmetic_ms = 2 * prompt * weights / 1e9 / tops
    written_mb = 2e-6 * shape.kv_elements_per_token * constants.prompt
    layers = (
        shape.layers
        + constants.altup * shape.altup_layers
        + constants.mixing * shape.mixing_layers
        + constants.layer_input * shape.layer_inputs
        + constants.kv_mb * written_mb
    )
    layers_ms = constants.layer_ms[platform.name] * prompt / constants.prompt * layers
    # Each matrix is called once for every 128 rows; of a mixture every expert, which is what makes its prompts slow.
    batches = math.ceil(prompt / constants.prompt)
    calls_ms = decode_constants().call_ms[platform.name] * shape.n_matmul * batches
    state_ms = constants.state_ms[platform.name] * shape.recurrent_state_elements / 1e6 * prompt
    value = arithmetic_ms + layers_ms + calls_ms + state_ms
    share = constants.interval[platform.name] * (1 if certain else constants.extrapolated_factor)
    above = share if prompt == constants.prompt else max(share, constants.other_prompt_high)
    return Interval(value, value * (1 - share), value * (1 + above))


def _speed_known(shape: ModelShape, platform: Platform, cores: int) -> bool:
    # The vendor measures with all cores; how speed falls with fewer is not published.
    return shape.modelled and shape.known and cores == platform.npu_cores_max


def _call_ms(shape: ModelShape, platform: Platform, prompt: int) -> float:
    constants = decode_constants()
    position = prompt + constants.new_tokens / 2
    kv_read_mb = 2e-6 * (shape.kv_elements_per_token or 0) * position
    mixed = constants.layer_hidden * shape.layers + constants.mixing_layer_hidden * shape.mixing_layers
    calls = (
        shape.n_matmul_active
        + mixed * shape.hidden / 1000
        + constants.layer_input * shape.layer_inputs
        + constants.kv_mb * kv_read_mb
    )
    return constants.call_ms[platform.name] * calls


def _streamed_group_bytes(shape: ModelShape, level: Level) -> float:
    # The scales of w8a8 groups are part of its own measured time a group.
    if level.group_size is None or level.bits == 8:
        return 0.0
    return decode_constants().group_stream_bytes * _active_body(shape) / level.group_size


def _group_ms(shape: ModelShape, level: Level, platform: Platform) -> float | None:
    """Return the extra time of groups in milliseconds, 0 without groups, None where it is not known."""
    constants = decode_constants()
    if level.group_size is None:
        return 0.0
    if level.bits == 8:
        known = platform.name in constants.w8a8_group_platforms
        return constants.w8a8_group_ns * _active_body(shape) / level.group_size / 1e6 if known else None
    each = constants.group_ms.get(platform.name)
    return None if each is None else each * _active_body(shape) / 1e9 * 128 / level.group_size


def _active_body(shape: ModelShape) -> int:
    return shape.w_active - shape.w_head
