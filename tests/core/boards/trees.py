"""Small imaginary sysroots; values as published captures of vendor images show them."""

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
