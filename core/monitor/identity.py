"""What does not change while a board is up: names, types and limits, read once per shell."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.base.names import printable
from core.monitor.cpu import parse_cpu_list
from core.monitor.frames import Frame
from core.monitor.npu import parse_driver_version
from core.monitor.values import Files, first_line, whole

_HEADER = re.compile(r"(/\S{1,200}/(?:model|compatible)):\Z")
_TYPE = re.compile(r"/sys/class/thermal/((?:thermal_zone|cooling_device)\d{1,3})/type\Z")
_POLICY = re.compile(r"/sys/devices/system/cpu/cpufreq/policy(\d{1,4})/related_cpus\Z")
_SOC = re.compile(r"rockchip,(r[kv]\d{4}[a-z]?)\Z")


@dataclass(frozen=True, slots=True)
class Policy:
    """One cpufreq policy: the CPUs that share a clock, and the highest one (Hz, None when not told)."""

    number: int
    cpus: tuple[int, ...]
    max_hz: int | None


@dataclass(frozen=True, slots=True)
class Identity:
    """What the identity block told.

    Attributes:
        thermal_types: type of each thermal zone and cooling device by its folder's name.
        is_root: whether the shell runs as root; None when it did not say.
        npu_driver: "rknpu", "rocket" (mainline, without any load) or None.
    """

    model: str | None = None
    compatible: tuple[str, ...] = ()
    kernel: str | None = None
    hostname: str | None = None
    npu_driver: str | None = None
    npu_driver_version: str | None = None
    thermal_types: Mapping[str, str] = field(default_factory=dict)
    policies: tuple[Policy, ...] = ()
    is_root: bool | None = None

    @property
    def soc(self) -> str | None:
        """The SoC's name such as `rk3588`, from the device tree's `compatible`."""
        names = [match[1] for text in self.compatible if (match := _SOC.match(text))]
        return names[-1] if names else None


def parse_identity(frame: Frame, root: str = "") -> Identity:
    """Read the block between `@I` and `@J`."""
    files = frame.files(root)
    strings = _string_blocks(frame, root)
    versions = [
        files.get(path, ("",))[0]
        for path in ("/sys/module/rknpu/version", "/sys/kernel/debug/rknpu/version", "/proc/rknpu/version")
    ]
    version = parse_driver_version(versions)
    return Identity(
        model=next(iter(strings.get("/proc/device-tree/model", ())), None),
        compatible=strings.get("/proc/device-tree/compatible", ()),
        kernel=_shown(first_line(files, "/proc/sys/kernel/osrelease")),
        hostname=_shown(first_line(files, "/proc/sys/kernel/hostname")),
        npu_driver=_npu_driver(frame, files, version),
        npu_driver_version=version,
        thermal_types={match[1]: lines[0] for path, lines in files.items() if (match := _TYPE.match(path))},
        policies=_policies(files),
        is_root=_is_root(frame),
    )


def _string_blocks(frame: Frame, root: str) -> dict[str, tuple[str, ...]]:
    """Device-tree properties: a header line, one line per string, an empty line."""
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in frame.lines:
        header = _HEADER.match(line.removeprefix(root)) if line.startswith(f"{root}/") else None
        if header is not None:
            current = found.setdefault(header[1], [])
        elif not line or line.startswith(f"{root}/"):
            current = None
        elif current is not None:
            current.append(printable(line, 100))
    return {path: tuple(texts) for path, texts in found.items()}


def _npu_driver(frame: Frame, files: Files, version: str | None) -> str | None:
    if version is not None or any(path.endswith(".npu/available_governors") for path in files):
        return "rknpu"
    nodes = " ".join(frame.lines)
    if "@K rocket" in frame.lines or "/dev/accel/accel" in nodes:
        return "rocket"
    return None


def _policies(files: Files) -> tuple[Policy, ...]:
    found = []
    for path, lines in files.items():
        match = _POLICY.match(path)
        if match is not None:
            khz = whole(first_line(files, path.replace("related_cpus", "cpuinfo_max_freq")))
            cpus = parse_cpu_list(lines[0])
            found.append(Policy(int(match[1]), cpus, None if khz is None else khz * 1000))
    return tuple(sorted(found, key=lambda policy: policy.number))


def _is_root(frame: Frame) -> bool | None:
    users = [line[3:] for line in frame.lines if line.startswith("@U ")]
    return None if not users or not users[-1].isdigit() else int(users[-1]) == 0


def _shown(text: str | None) -> str | None:
    return None if text is None else printable(text, 100)
