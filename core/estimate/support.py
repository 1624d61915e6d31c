"""Which figures the estimate has facts for (resources/support.toml): a figure without facts is never printed."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal

from core.base import tomldata
from core.base.errors import RKDeckError

_FILE = "support.toml"
Known = Literal["calibrated", "extrapolated"]


@dataclass(frozen=True, slots=True)
class Support:
    """What is known of one level on one platform with so many cores; None: no facts, no number."""

    ram: Known | None = None
    npu: Known | None = None
    tokens_per_s: Known | None = None
    ttft: Known | None = None


def support(platform: str, cores: int, level: str) -> Support:
    """Return what is known; nothing for what the table does not name."""
    return _table().get((platform, cores, level), Support())


@cache
def _table() -> Mapping[tuple[str, int, str], Support]:
    found: dict[tuple[str, int, str], Support] = {}
    data = tomldata.load_toml(_FILE)
    for platform in data:
        for cores in tomldata.subtable(data, platform, _FILE):
            levels = tomldata.subtable(tomldata.subtable(data, platform, _FILE), cores, _FILE)
            for level in levels:
                cell = tomldata.subtable(levels, level, _FILE)
                found[platform, int(cores), level] = Support(
                    **{figure: _known(tomldata.text(cell, figure, _FILE)) for figure in cell}
                )
    return MappingProxyType(found)


def _known(text: str) -> Known:
    if text == "calibrated":
        return "calibrated"
    if text == "extrapolated":
        return "extrapolated"
    raise RKDeckError("estimate.bad_data_file", file=_FILE, problem=f"{text!r} is no kind of knowledge")
