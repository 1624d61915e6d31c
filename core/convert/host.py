"""Whether this computer can carry a conversion: memory and disk beside what is known of the need."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import RefusedError
from core.convert.recipe import Problem
from core.estimate.memory import convert_host_ram_bytes, file_bytes
from core.model.shape import ModelShape
from core.vendor.levels import Level


@dataclass(frozen=True, slots=True)
class Host:
    """This computer now; None is unknown.

    Attributes:
        ram_available_bytes: what programs can take without swapping, as the system estimates it.
        disk_free_bytes: free for this user on the disk the file goes to.
    """

    ram_bytes: int | None
    ram_available_bytes: int | None
    disk_free_bytes: int | None


@dataclass(frozen=True, slots=True)
class Need:
    """What a conversion takes; None is unknown.

    Attributes:
        ram_bytes: memory of the toolkit on the CPU, after user reports.
        disk_bytes: size of the file to come.
    """

    ram_bytes: int | None
    disk_bytes: int | None


def needed(shape: ModelShape, level: Level | None) -> Need:
    """What converting a model to a level takes; without a level there is no file to speak of."""
    ram_bytes = convert_host_ram_bytes(shape)
    if level is None or level.kind != "rkllm" or not shape.modelled:
        return Need(ram_bytes, None)
    return Need(ram_bytes, file_bytes(shape, level))


def measure_host(folder: Path) -> Host:
    """Look at the memory, and at the disk of `folder` or of the nearest folder above it that exists."""
    import psutil

    free = _free_bytes(folder)
    try:
        memory = psutil.virtual_memory()
    except (OSError, RuntimeError):  # a system that does not tell
        return Host(None, None, free)
    return Host(int(memory.total), int(memory.available), free)


def host_problems(host: Host, need: Need, folder: Path) -> tuple[Problem, ...]:
    """Compare what a conversion takes with what there is; errors first, unknown amounts are left out.

    Too little memory is a warning, because the need is what users report and swap may help; too little disk
    is an error, because the file's size is arithmetic. `folder` is where the file goes.
    """
    problems = []
    disk, free = need.disk_bytes, host.disk_free_bytes
    if disk is not None and free is not None and disk > free:
        error = RefusedError("convert.disk_short", folder=str(folder), needed_bytes=disk, free_bytes=free)
        problems.append(Problem("error", error))
    ram, available = need.ram_bytes, host.ram_available_bytes
    if ram is not None and available is not None and ram > available:
        error = RefusedError("convert.host_ram_short", needed_bytes=ram, available_bytes=available)
        problems.append(Problem("warning", error))
    return tuple(problems)


def _free_bytes(folder: Path) -> int | None:
    for place in (folder, *folder.parents):
        try:
            return shutil.disk_usage(place).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None
