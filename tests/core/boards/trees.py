"""Small imaginary sysroots; values as published captures of vendor images show them."""

from collections.abc import Callable
from pathlib import Path

MEMINFO = "MemTotal:       16334100 kB\nMemFree:         1234567 kB\nMemAvailable:   15000000 kB\n"
CPUINFO = "".join(f"processor\t: {number}\nCPU part\t: 0xd05\n\n" for number in range(8))


def write_tree(root: Path, files: dict[str, bytes | str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def orange_pi(root: Path) -> Path:
    """An Orange Pi 5 Plus with a vendor kernel."""
    files: dict[str, bytes | str] = {
        "proc/device-tree/model": b"RK3588 OPi 5 Plus\0",
        "proc/device-tree/compatible": b"rockchip,rk3588-orangepi-5-plus\0rockchip,rk3588\0",
        "proc/device-tree/serial-number": b"c3d9b8674f4b94f6\0",
        "proc/cpuinfo": CPUINFO + "Serial\t\t: c3d9b8674f4b94f6\n",
        "proc/meminfo": MEMINFO,
        "proc/sys/kernel/osrelease": "6.1.43-rockchip-rk3588\n",
        "proc/sys/kernel/hostname": "orangepi5plus\n",
        "proc/sys/kernel/arch": "aarch64\n",
        "proc/rknpu/load": "NPU load:  Core0:  0%, Core1: 12%, Core2:  0%,\n",
        "sys/module/rknpu/version": "0.9.8\n",
        "sys/class/net/eth0/address": "00:e0:4c:68:00:01\n",
        "sys/class/net/eth0/addr_assign_type": "0\n",
        "sys/class/net/eth0/device/vendor": "x",
        "sys/class/net/wlan0/address": "02:00:00:00:00:00\n",
        "sys/class/net/wlan0/addr_assign_type": "1\n",
        "sys/class/net/wlan0/device/vendor": "x",
        "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
        "etc/os-release": 'NAME="Orange Pi"\nPRETTY_NAME="Orange Pi 1.0.8 Jammy"\n',
    }
    return write_tree(root, files)


def mainline(root: Path) -> Path:
    """A ROCK 5B with a mainline kernel: rocket, no serial in the device tree."""
    return write_tree(
        root,
        {
            "proc/device-tree/model": b"Radxa ROCK 5B\0",
            "proc/device-tree/compatible": b"radxa,rock-5b\0rockchip,rk3588\0",
            "proc/cpuinfo": CPUINFO,
            "proc/meminfo": MEMINFO,
            "proc/sys/kernel/osrelease": "6.18.0-edge-rockchip64\n",
            "proc/interrupts": "".join(
                f" {40 + core}: 0 0 GICv3 {142 + core} Level {name}.npu\n"
                for core, name in enumerate(("fdab0000", "fdac0000", "fdad0000"))
            ),
            "sys/module/rocket/initstate": "live\n",
            "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
            "sys/class/net/eth0/address": "00:e0:4c:68:00:02\n",
            "sys/class/net/eth0/addr_assign_type": "0\n",
            "sys/class/net/eth0/device/vendor": "x",
        },
    )


def user_of_rk3576(root: Path) -> Path:
    """A ROCK 4D as an ordinary user sees it: old driver, nodes for other groups, the NPU left at 300 MHz."""
    npu, dmc = "sys/class/devfreq/27700000.npu", "sys/class/devfreq/dmc"
    policy = "sys/devices/system/cpu/cpufreq/policy"
    tree = write_tree(
        root,
        {
            "proc/device-tree/model": b"Radxa ROCK 4D SPI\0",
            "proc/device-tree/compatible": b"radxa,rock-4d-spi\0rockchip,rk3576\0",
            "proc/cpuinfo": CPUINFO,
            "proc/meminfo": "MemTotal:        8000000 kB\nMemAvailable:     700000 kB\nSwapTotal:  0 kB\n",
            "proc/vmstat": "nr_free_pages 1\noom_kill 2\n",
            "proc/swaps": "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/zram0 partition\t2000000\t0\t-2\n",
            "proc/sys/kernel/osrelease": "6.1.84-8-rk2410\n",
            "proc/sys/kernel/arch": "aarch64\n",
            "proc/interrupts": " 41: 0 GICv3 158 Level 27700000.npu\n 42: 0 GICv3 159 Level 27700000.npu\n",
            "sys/module/rknpu/version": "0.9.6\n",
            "dev/dri/renderD129": "",
            "dev/dri/card1": "",
            "etc/group": "root:x:0:\nvideo:x:44:\nrender:x:106:\n",
            f"{npu}/governor": "rknpu_ondemand\n",
            f"{npu}/available_governors": "powersave performance rknpu_ondemand\n",
            f"{npu}/cur_freq": "300000000\n",
            f"{npu}/max_freq": "950000000\n",
            f"{npu}/available_frequencies": "300000000 600000000 950000000\n",
            f"{dmc}/governor": "dmc_ondemand\n",
            f"{dmc}/available_governors": "powersave performance dmc_ondemand\n",
            f"{dmc}/cur_freq": "534000000\n",
            f"{dmc}/available_frequencies": "534000000 2736000000\n",
            f"{policy}0/scaling_governor": "powersave\n",
            f"{policy}0/scaling_available_governors": "ondemand powersave performance\n",
            f"{policy}0/scaling_max_freq": "1200000\n",
            f"{policy}0/cpuinfo_max_freq": "2208000\n",
            "sys/class/thermal/thermal_zone0/type": "soc-thermal\n",
            "sys/class/thermal/thermal_zone0/temp": "86000\n",
            "sys/class/thermal/thermal_zone0/trip_point_0_type": "passive\n",
            "sys/class/thermal/thermal_zone0/trip_point_0_temp": "85000\n",
            "sys/class/thermal/cooling_device0/type": "pwm-fan\n",
            "sys/class/thermal/cooling_device0/cur_state": "3\n",
        },
    )
    for node in ("renderD129", "card1"):
        (tree / "dev/dri" / node).chmod(0)
    return tree


def buildroot_of_rk3562(root: Path) -> Path:
    """A tablet with a driver from before RKLLM."""
    return write_tree(
        root,
        {
            "proc/device-tree/compatible": b"rockchip,rk3562-rk817-tablet\0rockchip,rk3562\0",
            "proc/sys/kernel/osrelease": "5.10.110\n",
            "var/log/dmesg": "[drm] Initialized rknpu 0.8.2 20220829 for ff300000.npu on minor 1\n",
            "sys/class/devfreq/ff300000.npu/governor": "performance\n",
            "sys/class/devfreq/ff300000.npu/available_governors": "performance\n",
            "sys/class/thermal/thermal_zone0/temp": "50000\n",
            "sys/class/thermal/cooling_device1/type": "cpufreq-cpu0\n",
            "sys/class/thermal/cooling_device1/cur_state": "1\n",
        },
    )


def cut_down(root: Path) -> Path:
    """A ROCK 5C Lite: an RK3582 that calls itself RK3588, with two NPU cores."""
    return write_tree(
        root,
        {
            "proc/device-tree/model": b"Radxa ROCK 5C\0",
            "proc/device-tree/compatible": b"radxa,rock-5c\0rockchip,rk3588s\0",
            "proc/sys/kernel/osrelease": "6.1.43-20-rk2312\n",
            "proc/rknpu/load": "NPU load:  Core0:  0%, Core1:  0%,\n",
            "sys/module/rknpu/version": "0.9.7\n",
        },
    )


def ported(root: Path) -> Path:
    """rknpu built for a kernel of today, out of its tree."""
    return write_tree(
        root,
        {
            "proc/device-tree/compatible": b"friendlyelec,nanopi-r76s\0rockchip,rk3576\0",
            "proc/sys/kernel/osrelease": "6.18.2-fnnas\n",
            "proc/rknpu/version": "RKNPU driver: v0.9.8\n",
            "proc/rknpu/load": "NPU load:  Core0:  0%, Core1:  0%,\n",
        },
    )


def mainline_without_npu(root: Path) -> Path:
    """A mainline kernel that knows the board and not its NPU."""
    return write_tree(
        root,
        {
            "proc/device-tree/compatible": b"armsom,sige5\0rockchip,rk3576\0",
            "proc/sys/kernel/osrelease": "6.14.0\n",
        },
    )


def foreign(root: Path) -> Path:
    """Somebody else's board."""
    return write_tree(
        root,
        {
            "proc/device-tree/model": b"Raspberry Pi 5 Model B\0",
            "proc/device-tree/compatible": b"raspberrypi,5-model-b\0brcm,bcm2712\0",
            "proc/sys/kernel/osrelease": "6.12.25+rpt-rpi-2712\n",
        },
    )


TREES: dict[str, Callable[[Path], Path]] = {
    "orange_pi": orange_pi,
    "mainline": mainline,
    "user_of_rk3576": user_of_rk3576,
    "buildroot_of_rk3562": buildroot_of_rk3562,
    "cut_down": cut_down,
    "ported": ported,
    "mainline_without_npu": mainline_without_npu,
    "foreign": foreign,
}


def hostile(root: Path) -> Path:
    """A board whose every text tries something."""
    evil = "\x1b[2J\x1b]0;owned\x07 $(touch /tmp/owned) `id` '; reboot; '\u202e\n"
    evil += "end:1\nsimulatedmark:1\nsudo:0\n"
    tree = write_tree(
        orange_pi(root),
        {
            "proc/device-tree/model": evil.encode() + b"\xff\xfe\0" + b"A" * 100_000,
            "proc/device-tree/compatible": evil.encode() + b"\0rockchip,rk3588\0",
            "proc/device-tree/serial-number": evil.encode(),
            "proc/sys/kernel/osrelease": evil,
            "proc/sys/kernel/hostname": b"\0\0\0",
            "proc/meminfo": "MemTotal: lots kB\nMemTotal: 99999999999999999999999999 kB\n",
            "proc/rknpu/load": "NPU load: " + "Core0: 1%," * 10_000,
            "sys/module/rknpu/version": evil,
            "etc/os-release": f"PRETTY_NAME={evil}",
            "etc/machine-id": b"\xff" * 4096,
        },
    )
    runtimes = tree / "usr/local/lib/rkdeck/runtimes"
    for name, text in {
        "a'b; $(reboot)": "#!/bin/sh\nprintf '\\033[2J'; cat /dev/urandom",
        "b json": "#!/bin/sh\necho '[[[['",
        "c deep": "#!/bin/sh\nprintf '[%.0s' $(seq 4000)",
        "d number": "#!/bin/sh\necho 7",
        "e types": '#!/bin/sh\necho \'{"name": 1, "version": null}\'',
        "f good": '#!/bin/sh\necho \'{"name": "r\\u001b[2J", "version": "1", "simulated": false}\'',
    }.items():
        write_tree(runtimes, {name: text})
        (runtimes / name).chmod(0o755)
    return tree
