"""Frames to samples: remembers the counters of the last frame and takes rates from the board's own clock."""

import re
from dataclasses import dataclass

from core.monitor import npu
from core.monitor.cpu import CpuTimes, cpu_load_percent, parse_stat
from core.monitor.frames import Frame
from core.monitor.identity import Identity
from core.monitor.sample import UP, BoardSample, CpuPolicy, Missing
from core.monitor.serving import figures, read_state
from core.monitor.thermal import has_cooling_devices, parse_temps, parse_throttles
from core.monitor.values import (
    Files,
    ProcessMemory,
    first_line,
    parse_kb_table,
    parse_load_at,
    parse_process,
    parse_uptime,
    swap_used_bytes,
    whole,
)

_DEVFREQ = re.compile(r"/sys/class/devfreq/([^/]{1,80})/(cur_freq|load)\Z")
_POLICY = re.compile(r"/sys/devices/system/cpu/cpufreq/policy(\d{1,4})/scaling_cur_freq\Z")
_STATUS = re.compile(r"/proc/(\d{1,10})/status\Z")
_RUNTIME_STATUS = re.compile(r"/sys/devices/platform/[^/]{1,80}\.npu/power/runtime_status\Z")


@dataclass(frozen=True, slots=True)
class _Counters:
    uptime_s: float | None
    cpu: dict[int, CpuTimes]
    interrupts: tuple[int, ...] | None


class SampleBuilder:
    """Turns the frames of one shell into samples; a new shell, or a reboot, begins without rates."""

    def __init__(self, board: str, root: str = "") -> None:
        self._board = board
        self._root = root
        self._identity = Identity()
        self._before: _Counters | None = None
        self._serving_pid: int | None = None

    @property
    def serving_pid(self) -> int | None:
        """The process the last frame's state file named, alive or not."""
        return self._serving_pid

    @property
    def identity(self) -> Identity:
        """What the last identity block told."""
        return self._identity

    def identify(self, identity: Identity) -> None:
        """Use a fresh identity block from now on."""
        self._identity = identity

    def build(self, frame: Frame, t_unix_s: float, serving_file: str | None = None) -> BoardSample:
        """Return the sample of one tick.

        Args:
            frame: a complete tick.
            t_unix_s: when it arrived.
            serving_file: the status file the shell watches, if any.
        """
        files = frame.files(self._root, serving_file)
        now = _Counters(
            parse_uptime(first_line(files, "/proc/uptime")),
            parse_stat(files.get("/proc/stat", ())),
            npu.parse_npu_interrupts(files.get("/proc/interrupts", ())),
        )
        before = self._comparable(now)
        self._before = now
        state = read_state(files, serving_file)
        self._serving_pid = None if state is None else state.pid
        source, text = npu.load_source(files)
        load = npu.parse_npu_load(text)
        memory = parse_kb_table(files.get("/proc/meminfo", ()))
        ddr = parse_load_at(first_line(files, "/sys/class/devfreq/dmc/load"))
        gpu = parse_load_at(_devfreq(files, ".gpu", "load"))
        sample_temps = parse_temps(files, self._identity.thermal_types)
        return BoardSample(
            board=self._board,
            t_unix_s=t_unix_s,
            link=UP,
            uptime_s=now.uptime_s,
            npu_load_percent=load,
            npu_source=source if load is not None else "none",
            npu_active_cores=_active(load, before, now),
            npu_hz=whole(_devfreq(files, ".npu", "cur_freq")),
            cpu_load_percent=None if before is None else cpu_load_percent(before.cpu, now.cpu),
            cpu_policies=self._policies(files),
            mem_total_bytes=memory.get("MemTotal"),
            mem_available_bytes=memory.get("MemAvailable"),
            swap_used_bytes=swap_used_bytes(memory),
            ddr_load_percent=None if ddr is None else ddr[0],
            ddr_hz=whole(first_line(files, "/sys/class/devfreq/dmc/cur_freq")),
            gpu_load_percent=None if gpu is None else gpu[0],
            temps_c=sample_temps,
            throttled_by=(
                parse_throttles(files, self._identity.thermal_types) if has_cooling_devices(files) else None
            ),
            processes=_processes(files),
            serving=None if state is None else figures(files, state),
            missing=self._missing(files, load, ddr, gpu, sample_temps),
            npu_power=next((lines[0] for path, lines in files.items() if _RUNTIME_STATUS.match(path)), None),
            npu_driver=self._identity.npu_driver,
            npu_driver_version=self._identity.npu_driver_version,
        )

    def _comparable(self, now: _Counters) -> _Counters | None:
        """The last counters, unless the board's clock did not move on (a reboot sets it back)."""
        before = self._before
        if before is None or before.uptime_s is None or now.uptime_s is None:
            return None
        return before if now.uptime_s > before.uptime_s else None

    def _policies(self, files: Files) -> tuple[CpuPolicy, ...]:
        clocks: dict[int, int | None] = {}
        for path in files:
            match = _POLICY.match(path)
            if match is not None:
                clocks[int(match[1])] = whole(first_line(files, path))
        known = {policy.number: policy for policy in self._identity.policies}
        found = []
        for number, khz in sorted(clocks.items()):
            policy = known.get(number)
            cpus = (policy.cpus or None) if policy else None
            hz = None if khz is None else khz * 1000
            found.append(CpuPolicy(cpus, hz, policy.max_hz if policy else None))
        return tuple(found)

    def _missing(
        self,
        files: Files,
        load: tuple[int, ...] | None,
        ddr: tuple[int, int] | None,
        gpu: tuple[int, int] | None,
        temps: dict[str, float],
    ) -> dict[str, str]:
        missing: dict[str, str] = {}
        if load is None:
            missing["npu_load"] = self._why_no_load(files)
        if _devfreq(files, ".npu", "cur_freq") is None:
            missing["npu_hz"] = Missing.NOT_HERE
        if ddr is None:
            missing["ddr_load"] = Missing.NOT_HERE
        if gpu is None:
            missing["gpu_load"] = Missing.NOT_HERE
        if not temps:
            missing["temps"] = Missing.NOT_HERE
        return missing

    def _why_no_load(self, files: Files) -> Missing:
        identity = self._identity
        if identity.npu_driver == "rocket":
            return Missing.NO_RKNPU
        has_npu = _devfreq(files, ".npu", "cur_freq") is not None or any(
            ".npu" in line for line in files.get("/proc/interrupts", ())
        )
        if identity.npu_driver is None and not has_npu:
            return Missing.NO_DRIVER
        # Root sees debugfs; a driver before 0.7.2 has no load file (rockchip-linux/rknpu2 issue 42).
        return Missing.OLD_DRIVER if identity.is_root else Missing.NEEDS_ROOT


def _active(load: tuple[int, ...] | None, before: _Counters | None, now: _Counters) -> tuple[int, ...] | None:
    if load is not None:
        return tuple(core for core, percent in enumerate(load) if percent > 0)
    return npu.active_cores(before.interrupts if before else None, now.interrupts)


def _devfreq(files: Files, ending: str, name: str) -> str | None:
    for path in sorted(files):
        match = _DEVFREQ.match(path)
        # Some kernels append the GPU driver's name: fb000000.gpu-panthor.
        if match is not None and match[2] == name and f"{ending}-" in f"{match[1]}-":
            return first_line(files, path)
    return None


def _processes(files: Files) -> tuple[ProcessMemory, ...]:
    found = []
    for path, lines in files.items():
        match = _STATUS.match(path)
        process = None if match is None else parse_process(int(match[1]), lines)
        if process is not None:
            found.append(process)
    return tuple(sorted(found, key=lambda process: process.pid))
