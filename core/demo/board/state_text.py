"""The imaginary board's files, in the kernel's own formats: what never changes, and what moves."""

from collections.abc import Mapping

from core.demo.board.state_model import TRIP_C, ZONES, BoardMoment
from core.vendor.platforms import Platform

MARK = "etc/rkdeck-simulated"
CPUS = 8
MEM_TOTAL_BYTES = 8 << 30
_OS_BYTES = 1200 << 20
_USER_HZ = 100
_FIRST_NPU_LINE = 142
# (policy, cpus, lowest kHz, highest kHz) as on RK3588
_POLICIES = ((0, "0 1 2 3", 408000, 1800000), (4, "4 5", 408000, 2352000), (6, "6 7", 408000, 2352000))
_COOLING = ("cpufreq-cpu0", "cpufreq-cpu4", "cpufreq-cpu6", "devfreq-dmc")
_DMC_HZ = (528_000_000, 1_068_000_000, 1_560_000_000, 2_112_000_000)


def constant_files(soc: Platform, serial: str, machine_id: str) -> dict[str, str]:
    """Files by path below the root that are written once; the serial and the id are this board's own."""
    model = f"RKDeck simulated board ({soc.display_name})"
    files = {
        MARK: f"{model}\nNothing here is hardware: figures come from RKDeck's stand-in runtime.\n",
        "etc/machine-id": f"{machine_id}\n",
        "etc/os-release": f'PRETTY_NAME="{model}"\nNAME="RKDeck simulated board"\nID=rkdeck-simulated\n',
        "proc/device-tree/model": f"{model}\0",
        "proc/device-tree/compatible": f"rkdeck,simulated-board\0{soc.compatibles[0]}\0",
        "proc/device-tree/serial-number": f"{serial}\0",
        "proc/sys/kernel/osrelease": "6.1.0-rkdeck-simulated\n",
        "proc/sys/kernel/hostname": "rkdeck-simulated\n",
        "proc/sys/kernel/arch": "aarch64\n",
        "proc/version": "Linux version 6.1.0-rkdeck-simulated\n",
        "proc/swaps": "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n",
        "proc/vmstat": "oom_kill 0\n",
        "sys/module/rknpu/version": "0.9.8\n",
        "sys/kernel/debug/rknpu/version": "RKNPU driver: v0.9.8\n",
    }
    return files | _devfreq_constants(soc) | _cpu_constants() | _thermal_constants()


def _devfreq_constants(soc: Platform) -> dict[str, str]:
    npu, dmc = f"sys/class/devfreq/{soc.npu_devfreq}", "sys/class/devfreq/dmc"
    files = {
        f"{npu}/device/of_node/compatible": f"rockchip,{soc.name}-rknpu\0",
        f"{npu}/cur_freq": f"{soc.npu_clock_hz}\n",
        # The real driver reports this constant, too.
        f"{npu}/load": f"100@{soc.npu_clock_hz}Hz\n",
        f"{npu}/governor": "rknpu_ondemand\n",
        f"{npu}/available_governors": "rknpu_ondemand userspace powersave performance simple_ondemand\n",
        f"{npu}/available_frequencies": f"300000000 600000000 {soc.npu_clock_hz}\n",
        f"{npu}/min_freq": "300000000\n",
        f"{npu}/max_freq": f"{soc.npu_clock_hz}\n",
        f"{dmc}/governor": "dmc_ondemand\n",
        f"{dmc}/available_frequencies": f"{' '.join(map(str, _DMC_HZ))}\n",
    }
    if soc.gpu_devfreq is not None:
        gpu = f"sys/class/devfreq/{soc.gpu_devfreq}"
        files |= {
            f"{gpu}/cur_freq": "300000000\n",
            f"{gpu}/load": "0@300000000Hz\n",
            f"{gpu}/governor": "simple_ondemand\n",
            f"{gpu}/available_frequencies": "300000000 1000000000\n",
        }
    return files


def _cpu_constants() -> dict[str, str]:
    files: dict[str, str] = {"sys/devices/system/cpu/present": f"0-{CPUS - 1}\n"}
    for number, cpus, low_khz, high_khz in _POLICIES:
        policy = f"sys/devices/system/cpu/cpufreq/policy{number}"
        files |= {
            f"{policy}/related_cpus": f"{cpus}\n",
            f"{policy}/cpuinfo_min_freq": f"{low_khz}\n",
            f"{policy}/cpuinfo_max_freq": f"{high_khz}\n",
            f"{policy}/scaling_max_freq": f"{high_khz}\n",
            f"{policy}/scaling_governor": "ondemand\n",
        }
    return files


def _thermal_constants() -> dict[str, str]:
    files: dict[str, str] = {}
    for number, zone in enumerate(ZONES):
        files[f"sys/class/thermal/thermal_zone{number}/type"] = f"{zone.name}\n"
    files["sys/class/thermal/thermal_zone0/trip_point_0_temp"] = f"{TRIP_C * 1000:.0f}\n"
    files["sys/class/thermal/thermal_zone0/trip_point_0_type"] = "passive\n"
    for number, kind in enumerate(_COOLING):
        files[f"sys/class/thermal/cooling_device{number}/type"] = f"{kind}\n"
        files[f"sys/class/thermal/cooling_device{number}/max_state"] = "3\n"
    return files


def moving_files(soc: Platform, moment: BoardMoment) -> dict[str, str]:
    """Files by path below the root that change with time."""
    busy = moment.npu_busy
    dmc_hz = _DMC_HZ[-1] if busy > 0.25 else _DMC_HZ[0]
    files = {
        "proc/uptime": f"{moment.uptime_s:.2f} {moment.uptime_s * CPUS * 0.95:.2f}\n",
        "proc/loadavg": f"{0.1 + 2 * busy:.2f} {0.1 + busy:.2f} 0.10 1/180 4242\n",
        "proc/stat": _stat(moment),
        "proc/meminfo": _meminfo(moment.runtimes_rss_bytes),
        "proc/interrupts": _interrupts(soc, moment),
        "sys/kernel/debug/rknpu/load": npu_load_line(moment.npu_shares),
        "sys/kernel/debug/rknpu/power": "on\n" if moment.npu_powered else "off\n",
        "sys/class/devfreq/dmc/cur_freq": f"{dmc_hz}\n",
        "sys/class/devfreq/dmc/load": f"{5 + 70 * busy:.0f}@{dmc_hz}Hz\n",
    }
    power = f"sys/devices/platform/{soc.npu_devfreq}/power"
    files[f"{power}/runtime_status"] = "active\n" if moment.npu_powered else "suspended\n"
    files[f"{power}/runtime_active_time"] = f"{moment.npu_active_ms:.0f}\n"
    files[f"{power}/runtime_suspended_time"] = f"{moment.npu_suspended_ms:.0f}\n"
    for number, _cpus, low_khz, high_khz in _POLICIES:
        khz = high_khz if busy > 0.1 else low_khz
        files[f"sys/devices/system/cpu/cpufreq/policy{number}/scaling_cur_freq"] = f"{khz}\n"
    for number, temp_c in enumerate(moment.temps_c):
        files[f"sys/class/thermal/thermal_zone{number}/temp"] = f"{temp_c * 1000:.0f}\n"
    for number, _ in enumerate(_COOLING):
        files[f"sys/class/thermal/cooling_device{number}/cur_state"] = f"{moment.throttle_state}\n"
    return files


def npu_load_line(shares: tuple[float, ...]) -> str:
    """The driver's text: `NPU load:  Core0: 63%, Core1: 65%, Core2: 64%,`; one core has no number."""
    if len(shares) == 1:
        return f"NPU load: {round(100 * shares[0]):2d}%\n"
    cores = "".join(f" Core{core}: {round(100 * share):2d}%," for core, share in enumerate(shares))
    return f"NPU load: {cores}\n"


def _stat(moment: BoardMoment) -> str:
    total = int(moment.uptime_s * _USER_HZ)
    rows = []
    for cpu, ticks in enumerate(moment.cpu_busy_ticks):
        busy = min(total, int(ticks))
        rows.append(f"cpu{cpu} {busy} 0 0 {total - busy} 0 0 0 0 0 0")
    every = sum(min(total, int(ticks)) for ticks in moment.cpu_busy_ticks)
    return "\n".join([f"cpu  {every} 0 0 {total * CPUS - every} 0 0 0 0 0 0", *rows, "ctxt 1", "btime 1", ""])


def _meminfo(rss_bytes: int) -> str:
    available = max(0, MEM_TOTAL_BYTES - _OS_BYTES - rss_bytes)
    rows: Mapping[str, int] = {
        "MemTotal": MEM_TOTAL_BYTES,
        "MemFree": available // 2,
        "MemAvailable": available,
        "Buffers": 64 << 20,
        "Cached": available // 3,
        "SwapCached": 0,
        "Shmem": 16 << 20,
        "SwapTotal": 0,
        "SwapFree": 0,
    }
    return "".join(f"{name + ':':<16}{size // 1024:>8} kB\n" for name, size in rows.items())


def _interrupts(soc: Platform, moment: BoardMoment) -> str:
    address = soc.npu_devfreq.partition(".")[0]
    lines = [" " * 11 + "".join(f"CPU{cpu:<8}" for cpu in range(CPUS)).rstrip()]
    for core, jobs in enumerate(moment.npu_jobs):
        counts = "".join(f"{count:>11}" for count in (jobs, *([0] * (CPUS - 1))))
        lines.append(
            f"{40 + core:>3}:{counts}     GICv3 {_FIRST_NPU_LINE + core} Level     "
            f"{address[:-1]}9.iommu, {soc.npu_devfreq}"
        )
    return "\n".join(lines) + "\n"
