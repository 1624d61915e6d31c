"""What the doctor compares with (`resources/doctor.toml`, each value with its source)."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Pair:
    """A runtime and older toolkits whose files it loads and then serves wrongly."""

    runtime: str
    toolkit_below: str


@dataclass(frozen=True, slots=True)
class Limits:
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
def limits() -> Limits:
    """The doctor's values."""
    data = tomllib.loads((resources.files("resources") / "doctor.toml").read_text("utf-8"))
    driver = data["driver"]
    return Limits(
        driver_wanted=driver["wanted"],
        driver_accepted=driver["accepted"],
        driver_fails_below=driver["fails_below"],
        large_model_npu_bytes=driver["large_model_npu_bytes"],
        vendor_kernels=frozenset(data["kernel"]["vendor"]),
        npu_domain_bytes=data["npu"]["domain_bytes"],
        open_files=data["open_files"]["wanted"],
        low_memory_bytes=data["memory"]["low_bytes"],
        low_store_bytes=data["store"]["low_bytes"],
        npu_low_share=data["clock"]["low_share"],
        hot_c=data["thermal"]["hot_c"],
        python=data["python"]["wanted"],
        pairs=tuple(Pair(entry["runtime"], entry["toolkit_below"]) for entry in data["pair"]),
    )
