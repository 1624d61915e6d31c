"""From a board's answer to an `Examination`: sends probe.sh and examine.sh in one round trip.

Every line is hostile text: bounded, checked, made printable. Paths and formats: rknpu driver 0.9.8, the kernel's
devfreq, cpufreq and thermal documentation, published captures of vendor images.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from core.base.foreign import MAX_PID, digits, members
from core.base.foreign import lines as foreign_lines
from core.base.foreign import text as foreign_text
from core.base.names import printable
from core.boards.disks import sizes_of
from core.boards.doctor.examination import (
    Clock,
    DeviceNode,
    Examination,
    RuntimeLibrary,
    StorePlace,
    Tenant,
    TenantSign,
    ThermalZone,
)
from core.boards.facts import BoardFacts, Library
from core.boards.probe import Lines, ask, facts_of, probe_script
from core.remote.session import SshSession
from core.vendor.releases import release_of_blob

_NODE = re.compile(r"(rw|-) ([a-z-][rwxsStT-]{9}\S?) (\S{1,64}) (\S{1,64}) (/dev/[A-Za-z0-9/]{1,64})")
_LIBRARY = re.compile(
    r"([12-]) ([0-9a-f]{40}|-) (\d{1,12}) (/[^\t]{1,500})\t(?:(?:RKLLM SDK \(|librknnrt )version: (\S{1,40}))?"
)
_TENANT = re.compile(r"(\d{1,10}) (maps|name) (\d{1,10}|-) (\d{1,15}|-) (.*)")
_DEVFREQ = re.compile(r"/sys/class/devfreq/([A-Za-z0-9._-]{1,64})/(\w+)")
_POLICY = re.compile(r"/sys/devices/system/cpu/cpufreq/(policy\d{1,4})/(\w+)")
_ZONE = re.compile(r"/sys/class/thermal/(thermal_zone\d{1,3})/(type|temp)")
_TRIP = re.compile(r"/sys/class/thermal/(thermal_zone\d{1,3})/(trip_point_\d{1,2})_(type|temp)")
_COOLING = re.compile(r"/sys/class/thermal/(cooling_device\d{1,3})/(type|cur_state)")
_GOVERNOR = re.compile(r"[a-z_]{1,32}")
_VERSION = re.compile(r"\d+(?:\.\d+)+")
_INITIALIZED = re.compile(r"Initialized (rknpu|rocket|RKNPU driver:) v?(\d+(?:\.\d+)+)")
_FAN = re.compile(r"fan", re.IGNORECASE)
_SWAP = re.compile(r"(\S+)\s+(partition|file)\s+(\d{1,15})\s")
_MAX_TENANTS = 16

Files = Mapping[str, str]


def examine_board(
    session: SshSession, sysroot: str = "", store: str | None = None, run_folder: str = ""
) -> Examination:
    """Look at a board in one round trip; nothing is changed on it.

    Args:
        session: connected to it.
        sysroot: prefix of its /proc, /sys, /etc and /usr; empty on a real board.
        store: its folder for models; None while there is none.
        run_folder: where serving keeps its state below the store.

    Raises:
        RKDeckError: `boards.no_answer` when the account cannot run a shell script, and what
            `SshSession.run` raises.
    """
    lines = ask(session, probe_script("examine.sh"), [sysroot, store or "", run_folder])
    return examination_of(lines, sysroot, store)


def examination_of(lines: Lines, sysroot: str = "", store: str | None = None) -> Examination:
    """Turn an answer's lines into an examination; what is absent or makes no sense is unknown."""
    boot_words = tuple(printable(text.strip(), limit=200) for text in lines["dmesg"][:2])
    libraries = _libraries(lines["library"], sysroot)
    # A board is remembered by its facts: they tell of the libraries what the doctor judges by, not what a probe saw.
    facts = replace(
        _with_boot_words(facts_of(lines), boot_words),
        libraries=tuple(
            Library(entry.path, entry.version, entry.bits) for entry in libraries if entry.is_rkllm
        ),
    )
    files = _files(lines["file"], sysroot)
    serving_pids = {pid for text in lines["serving"][:1] if (pid := digits(text, 1, MAX_PID)) is not None}
    return Examination(
        facts=facts,
        nodes=_nodes(lines["devnode"]),
        groups=frozenset({"render", "video"} & set(lines["group"])),
        libraries=libraries,
        clocks=_clocks(files, {path.removeprefix(sysroot) for path in lines["writable"]}),
        zones=_zones(files),
        throttled=_throttled(files),
        swap_bytes=_swap(files, lines),
        open_files=_open_files(lines["nofile"]),
        python=_version(lines["python"]),
        systemd=bool(lines["systemd"]),
        vendor_media=bool(lines["mpp"]),
        npu_load_readable=any(text.startswith("NPU load") for text in lines["npuload"]),
        oom_kills=next((count for text in lines["oomkill"] if (count := digits(text)) is not None), None),
        is_root=lines["uid"][:1] == ["0"],
        tenants=_tenants(lines["tenant"], serving_pids),
        serving=_serving(lines["deployment"]) if serving_pids else None,
        store=_store(lines["store"], store, facts),
        boot_words=boot_words,
        llama_server=next((printable(path, limit=300) for path in lines["llamaserver"]), None),
        has_libgomp=lines["libgomp"][0] != "-" if lines["libgomp"] else None,
        sysroot=sysroot,
    )


def _with_boot_words(facts: BoardFacts, words: tuple[str, ...]) -> BoardFacts:
    """What the kernel said of its NPU driver when it started, where its files do not tell."""
    for match in filter(None, map(_INITIALIZED.search, words)):
        driver = "rocket" if match[1] == "rocket" else "rknpu"
        version = match[2] if driver == "rknpu" else None
        if facts.npu_driver is None:
            return replace(facts, npu_driver=driver, npu_driver_version=version)
        if facts.npu_driver == driver and facts.npu_driver_version is None:
            return replace(facts, npu_driver_version=version)
    return facts


def _files(entries: Iterable[str], sysroot: str) -> dict[str, str]:
    """First line of each file by its path without the prefix; `/proc/swaps` keeps its last lines joined."""
    found: dict[str, str] = {}
    for entry in entries:
        path, colon, value = entry.removeprefix(sysroot).partition(":")
        if not colon:
            continue
        if path == "/proc/swaps":
            found[path] = f"{found.get(path, '')}{value}\n"
        else:
            found.setdefault(path, value)
    return found


def _nodes(entries: Iterable[str]) -> tuple[DeviceNode, ...]:
    matches = (_NODE.fullmatch(entry) for entry in entries)
    return tuple(
        DeviceNode(match[5], match[2], printable(match[3]), printable(match[4]), match[1] == "rw")
        for match in matches
        if match
    )


def _libraries(entries: Iterable[str], sysroot: str) -> tuple[RuntimeLibrary, ...]:
    found = []
    for match in filter(None, map(_LIBRARY.fullmatch, entries)):
        path = match[4].removeprefix(sysroot)
        if not path.isprintable():
            continue
        blob = None if match[2] == "-" else match[2]
        found.append(
            RuntimeLibrary(
                path=path,
                size_bytes=int(match[3]),
                bits={"1": 32, "2": 64}.get(match[1]),
                blob=blob,
                release=release_of_blob(blob) if blob is not None else None,
                text_version=printable(match[5], limit=40) if match[5] else None,
            )
        )
    return tuple(found)


def _clocks(files: Files, writable: set[str]) -> tuple[Clock, ...]:
    devices: dict[str, dict[str, str]] = {}
    policies: dict[str, dict[str, str]] = {}
    for path, value in files.items():
        if match := _DEVFREQ.fullmatch(path):
            devices.setdefault(match[1], {})[match[2]] = value
        elif match := _POLICY.fullmatch(path):
            policies.setdefault(match[1], {})[match[2]] = value
    clocks = [_devfreq(name, values, writable) for name, values in sorted(devices.items())]
    clocks += [_policy(name, values, writable) for name, values in sorted(policies.items())]
    return tuple(clock for clock in clocks if clock is not None)


def _devfreq(name: str, values: Mapping[str, str], writable: set[str]) -> Clock | None:
    kind = "ddr" if name == "dmc" else name.rpartition(".")[2]
    if kind not in {"npu", "gpu", "ddr"}:
        return None
    path = f"/sys/class/devfreq/{name}/governor"
    known = [number for text in values.get("available_frequencies", "").split() if (number := digits(text))]
    return Clock(
        name=name,
        kind="npu" if kind == "npu" else "gpu" if kind == "gpu" else "ddr",
        governor_path=path,
        writable=path in writable,
        governor=_governor(values.get("governor")),
        governors=_governors(values.get("available_governors")),
        cur_hz=digits(values.get("cur_freq")),
        max_hz=digits(values.get("max_freq")),
        top_hz=max(known, default=None),
    )


def _policy(name: str, values: Mapping[str, str], writable: set[str]) -> Clock:
    path = f"/sys/devices/system/cpu/cpufreq/{name}/scaling_governor"
    khz = {
        key: digits(values.get(key)) for key in ("scaling_cur_freq", "scaling_max_freq", "cpuinfo_max_freq")
    }
    current, highest, top = (None if value is None else value * 1000 for value in khz.values())
    return Clock(
        name=name,
        kind="cpu",
        governor_path=path,
        writable=path in writable,
        governor=_governor(values.get("scaling_governor")),
        governors=_governors(values.get("scaling_available_governors")),
        cur_hz=current,
        max_hz=highest,
        top_hz=top,
    )


def _governor(text: str | None) -> str | None:
    return text.strip() if text is not None and _GOVERNOR.fullmatch(text.strip()) else None


def _governors(text: str | None) -> tuple[str, ...]:
    return tuple(word for word in (text or "").split()[:16] if _GOVERNOR.fullmatch(word))


def _zones(files: Files) -> tuple[ThermalZone, ...]:
    names: dict[str, str] = {}
    temps: dict[str, float] = {}
    trips: dict[tuple[str, str], dict[str, str]] = {}
    for path, value in files.items():
        if match := _ZONE.fullmatch(path):
            if match[2] == "type":
                names[match[1]] = printable(value.strip(), limit=40)
            elif (degrees := _celsius(value)) is not None:
                temps[match[1]] = degrees
        elif match := _TRIP.fullmatch(path):
            trips.setdefault((match[1], match[2]), {})[match[3]] = value.strip()
    passive: dict[str, float] = {}
    for (zone, _), trip in trips.items():
        degrees = _celsius(trip.get("temp", "")) if trip.get("type") == "passive" else None
        if degrees is not None:
            passive[zone] = min(degrees, passive.get(zone, degrees))
    return tuple(
        ThermalZone(names.get(zone, zone), temp, passive.get(zone)) for zone, temp in sorted(temps.items())
    )


def _celsius(text: str) -> float | None:
    """Millidegrees; what no chip survives (or a sensor that is switched off reports) is unknown."""
    match = re.fullmatch(r"-?\d{1,7}", text.strip())
    degrees = int(match[0]) / 1000 if match else None
    return degrees if degrees is not None and -40 < degrees < 150 else None


def _throttled(files: Files) -> tuple[str, ...]:
    """Cooling devices in use, but for fans: a fan that turns slows nothing down."""
    devices: dict[str, dict[str, str]] = {}
    for path, value in files.items():
        if match := _COOLING.fullmatch(path):
            devices.setdefault(match[1], {})[match[2]] = value.strip()
    busy = (
        printable(device.get("type", name), limit=40)
        for name, device in sorted(devices.items())
        if (digits(device.get("cur_state")) or 0) > 0
    )
    return tuple(name for name in busy if not _FAN.search(name))


def _swap(files: Files, lines: Lines) -> dict[str, int] | None:
    if "/proc/swaps" not in files:
        total = [entry for entry in lines["mem"] if entry.startswith("SwapTotal:")]
        return {} if total and not re.search(r"[1-9]", total[0]) else None
    found: dict[str, int] = {}
    for match in filter(None, map(_SWAP.match, foreign_lines(files["/proc/swaps"], 32))):
        kind = "zram" if "/zram" in match[1] else match[2]
        found[kind] = found.get(kind, 0) + (int(match[3]) << 10)
    return found


def _open_files(entries: list[str]) -> tuple[int | None, int | None]:
    words = (entries[0] if entries else "").split()
    limits = [digits(word) for word in words[:2]]
    return (limits[0], limits[1]) if len(limits) == 2 else (None, None)


def _version(entries: list[str]) -> str | None:
    match = _VERSION.search(entries[0][:100]) if entries and entries[0].startswith("Python ") else None
    return match[0] if match else None


def _tenants(entries: list[str], ours: set[int]) -> tuple[Tenant, ...]:
    found: dict[int, Tenant] = {}
    for match in filter(None, map(_TENANT.fullmatch, entries[: 2 * _MAX_TENANTS])):
        pid = digits(match[1], 1, MAX_PID)
        if pid is None:
            continue
        sign: TenantSign = "maps" if match[2] == "maps" else "name"
        found.setdefault(
            pid,
            Tenant(
                pid=pid,
                name=printable(match[5].strip(), limit=64) or "unknown",
                sign=sign,
                uid=digits(match[3]),
                rss_bytes=None if (kib := digits(match[4])) is None else kib << 10,
                ours=pid in ours,
            ),
        )
    return tuple(found.values())[:_MAX_TENANTS]


def _serving(entries: list[str]) -> str:
    """The name of the deployment RKDeck serves, as it noted it itself; any text."""
    return foreign_text(members(entries[0] if entries else None).get("name"), limit=64) or "unknown"


def _store(entries: list[str], store: str | None, facts: BoardFacts) -> StorePlace | None:
    if store is None or not entries:
        return None
    access, _, disk = entries[0].partition(" ")
    sizes = sizes_of(disk)
    return StorePlace(
        path=store,
        writable=access == "w",
        mount=facts.mount_of(store),
        free_bytes=sizes[1] if sizes else None,
        total_bytes=sizes[0] if sizes else None,
    )
