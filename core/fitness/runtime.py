"""Whether the librkllmrt.so on a board loads a file: it takes files of its own version and of older toolkits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.vendor.releases import version_key

Match = Literal["ok", "too_old", "no_library", "unknown"]


@dataclass(frozen=True, slots=True)
class RuntimeMatch:
    """One file against one board.

    Attributes:
        match: "too_old" when every library found is older than the file's toolkit (the runtime then says
            "The rkllm-runtime version is lower than the rkllm-toolkit version" and stops); "unknown" when
            either version is.
        toolkit_version: that made the file.
        runtime_version: the newest on the board.
    """

    match: Match
    toolkit_version: str | None
    runtime_version: str | None


def match_versions(found: Sequence[str | None], toolkit_version: str | None) -> RuntimeMatch:
    """Compare versions; patch levels count, suffixes (1.2.1b1) do not.

    Args:
        found: of each library on the board, None where it tells none.
        toolkit_version: that made the file.
    """
    newest = max((version for version in found if version is not None), key=version_key, default=None)
    if not found:
        return RuntimeMatch("no_library", toolkit_version, None)
    if newest is None or toolkit_version is None:
        return RuntimeMatch("unknown", toolkit_version, newest)
    fits = version_key(newest) >= version_key(toolkit_version)
    return RuntimeMatch("ok" if fits else "too_old", toolkit_version, newest)
