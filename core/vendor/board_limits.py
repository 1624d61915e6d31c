"""What the doctor compares with (`resources/doctor.toml`, each value with its source)."""

from dataclasses import dataclass
from functools import cache

from core.base import tomldata

_FILE = "doctor.toml"


@dataclass(frozen=True, slots=True)
class Pair:
    """A runtime and older toolkits whose files it loads and then serves wrongly."""

    runtime: str
    toolkit_below: str


@dataclass(frozen=True, slots=True)
class BoardLimits:
    """The values of the data file; bytes, degrees Celsius and versions as their names say.

    Attributes:
        vendor_kernels: `major.minor` of kernels that run on these SoCs only as the vendor's.
        npu_low_share: of its highest clock; below it the NPU stands low.
        npu_domain_bytes: what one address space of the NPU holds.
        large_model_npu_bytes: of weights; from there on old drivers fail to allocate.
    """

    driver_wanted: str
    driver_accepted: str
    driver_fails_below: str
    large_model_npu_bytes: int
    vendor_kernels: frozenset[str]
    npu_domain_bytes: int
    open_files: int
    low_memory_bytes: int
    low_store_bytes: int
    npu_low_share: float
    hot_c: float
    python: str
    pairs: tuple[Pair, ...]


@cache
def board_limits() -> BoardLimits:
    """The doctor's values.

    Raises:
        RKDeckError: `estimate.bad_data_file` with the key that does not fit.
    """
    data = tomldata.load_toml(_FILE)
    driver, pairs = _table("driver"), tomldata.subtables(data, "pair", _FILE)
    return BoardLimits(
        driver_wanted=tomldata.text(driver, "wanted", _FILE),
        driver_accepted=tomldata.text(driver, "accepted", _FILE),
        driver_fails_below=tomldata.text(driver, "fails_below", _FILE),
        large_model_npu_bytes=tomldata.integer(driver, "large_model_npu_bytes", _FILE),
        vendor_kernels=frozenset(tomldata.texts(_table("kernel"), "vendor", _FILE)),
        npu_domain_bytes=tomldata.integer(_table("npu"), "domain_bytes", _FILE),
        open_files=tomldata.integer(_table("open_files"), "wanted", _FILE),
        low_memory_bytes=tomldata.integer(_table("memory"), "low_bytes", _FILE),
        low_store_bytes=tomldata.integer(_table("store"), "low_bytes", _FILE),
        npu_low_share=tomldata.number(_table("clock"), "low_share", _FILE),
        hot_c=tomldata.number(_table("thermal"), "hot_c", _FILE),
        python=tomldata.text(_table("python"), "wanted", _FILE),
        pairs=tuple(
            Pair(tomldata.text(pair, "runtime", _FILE), tomldata.text(pair, "toolkit_below", _FILE))
            for pair in pairs
        ),
    )


def _table(name: str) -> tomldata.Table:
    return tomldata.subtable(tomldata.load_toml(_FILE), name, _FILE)
