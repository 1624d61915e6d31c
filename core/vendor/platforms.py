"""The SoCs RKDeck knows: what each allows, how to recognise it, how fast its memory is."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from core.base import tomldata
from core.base.errors import RefusedError, RKDeckError, UsageError
from core.base.notes import Note, note
from core.vendor.levels import Level, get_level

_FILE = "platforms.toml"


@dataclass(frozen=True, slots=True)
class Platform:
    """One SoC (resources/platforms.toml names the source of each fact).

    Attributes:
        name: RKDeck's name, lower case, such as `rk3588`.
        vendor_name: how the vendor's runtime spells it in logs, such as `RK3588`.
        dtypes: the .rkllm levels that are documented or reported to work.
        refusals: level name -> why it is not offered; a level is in `dtypes` or here, never in both.
        compatibles: entries of /proc/device-tree/compatible that identify the SoC.
        npu_devfreq: folder name under /sys/class/devfreq; gpu_devfreq and ddr_devfreq likewise (None: none).
        npu_addresses: hexadecimal unit addresses of the NPU cores in device trees.
        memory_bus_bits, memory_clock_hz: width and clock behind the decode formula's bandwidth.
    """

    name: str
    display_name: str
    vendor_name: str
    npu_cores_max: int
    dtypes: tuple[str, ...]
    refusals: Mapping[str, Note]
    compatibles: tuple[str, ...]
    npu_devfreq: str
    gpu_devfreq: str | None
    ddr_devfreq: str | None
    npu_addresses: tuple[str, ...]
    npu_clock_hz: int
    memory_bus_bits: int
    memory_clock_hz: int

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels it runs, in the order of `dtypes`."""
        return tuple(map(get_level, self.dtypes))

    @property
    def usual_level(self) -> Level:
        """What is chosen where nobody chose: the first quantized level it runs.

        Raises:
            RKDeckError: `estimate.bad_data_file` for a platform whose entry has none.
        """
        for level in self.levels:
            if level.quantized:
                return level
        raise RKDeckError(
            "estimate.bad_data_file", file=_FILE, problem=f"{self.name} runs no quantized level"
        )

    @property
    def memory_bandwidth_bytes_per_s(self) -> float:
        """Theoretical DRAM bandwidth: clock x 2 transfers x bus width in bytes."""
        return self.memory_clock_hz * 2 * self.memory_bus_bits / 8

    def check_cores(self, cores: int | None) -> int:
        """Return the NPU core count to use (None: all).

        Raises:
            RefusedError: `estimate.bad_cores` outside 1..npu_cores_max.
        """
        if cores is None:
            return self.npu_cores_max
        if not 1 <= cores <= self.npu_cores_max:
            raise RefusedError(
                "estimate.bad_cores", platform=self.display_name, cores=cores, max=self.npu_cores_max
            )
        return cores


@dataclass(frozen=True, slots=True)
class ContextLimits:
    """What the toolkit accepts as max_context, in tokens; `usual` is what a file has whose maker said nothing."""

    min: int
    max: int
    multiple: int
    usual: int

    def allows(self, context: int) -> bool:
        """Whether the toolkit takes this context."""
        return self.min <= context <= self.max and context % self.multiple == 0

    def check(self, context: int) -> None:
        """Refuse a context the toolkit would refuse.

        Raises:
            RefusedError: `estimate.bad_context`.
        """
        if not self.allows(context):
            raise RefusedError(
                "estimate.bad_context", context=context, min=self.min, max=self.max, multiple=self.multiple
            )


@cache
def load_platforms() -> Mapping[str, Platform]:
    """Return all platforms by name, in the order of the data file."""
    rows = tomldata.subtables(tomldata.load_toml(_FILE), "platform", _FILE)
    return MappingProxyType({platform.name: platform for platform in map(_platform, rows)})


@cache
def context_limits() -> ContextLimits:
    """Return the context limits; they are the same on every platform."""
    table = tomldata.subtable(tomldata.load_toml(_FILE), "context", _FILE)
    return ContextLimits(
        min=tomldata.integer(table, "min", _FILE),
        max=tomldata.integer(table, "max", _FILE),
        multiple=tomldata.integer(table, "multiple", _FILE),
        usual=tomldata.integer(table, "usual", _FILE),
    )


def get_platform(name: str) -> Platform:
    """Return one platform by its name, whatever the case.

    Raises:
        UsageError: `estimate.unknown_platform`.
    """
    platforms = load_platforms()
    try:
        return platforms[name.strip().lower()]
    except KeyError:
        raise UsageError("estimate.unknown_platform", name=name, known=", ".join(platforms)) from None


def platform_of_compatibles(compatibles: tuple[str, ...]) -> Platform | None:
    """Return the platform a device tree's `compatible` entries name, or None."""
    for platform in load_platforms().values():
        if any(entry in platform.compatibles for entry in compatibles):
            return platform
    return None


def _platform(table: tomldata.Table) -> Platform:
    refusals = tomldata.subtable(table, "refusals", _FILE)
    display_name = tomldata.text(table, "display_name", _FILE)
    return Platform(
        name=tomldata.text(table, "name", _FILE),
        display_name=display_name,
        vendor_name=tomldata.text(table, "vendor_name", _FILE),
        npu_cores_max=tomldata.integer(table, "npu_cores_max", _FILE),
        dtypes=tomldata.texts(table, "dtypes", _FILE),
        refusals=MappingProxyType({key: _refusal(refusals, key, display_name) for key in refusals}),
        compatibles=tomldata.texts(table, "compatibles", _FILE),
        npu_devfreq=tomldata.text(table, "npu_devfreq", _FILE),
        gpu_devfreq=tomldata.optional_text(table, "gpu_devfreq", _FILE),
        ddr_devfreq=tomldata.optional_text(table, "ddr_devfreq", _FILE),
        npu_addresses=tomldata.texts(table, "npu_addresses", _FILE),
        npu_clock_hz=tomldata.integer(table, "npu_clock_hz", _FILE),
        memory_bus_bits=tomldata.integer(table, "memory_bus_bits", _FILE),
        memory_clock_hz=tomldata.integer(table, "memory_clock_hz", _FILE),
    )


def _refusal(refusals: tomldata.Table, dtype: str, platform: str) -> Note:
    entry = tomldata.subtable(refusals, dtype, _FILE)
    facts = {name: tomldata.text(entry, name, _FILE) for name in entry if name != "code"}
    return note(tomldata.text(entry, "code", _FILE), dtype=dtype, platform=platform, **facts)
