"""One round trip that tells what a board is: sends `resources/board/probe.sh`, reads its lines.

Everything in the answer is hostile text: it is bounded, checked and never executed or shown raw. Facts and
paths: RKLLM and rknpu driver 0.9.8 sources, device trees and published captures of vendor images.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence

from core.base import foreign
from core.base.errors import RKDeckError
from core.base.names import printable
from core.base.notes import because
from core.base.runtime_protocol import read_description
from core.boards.disks import mounts_of
from core.boards.facts import BoardFacts, Library, RuntimeInfo
from core.boards.store import propose_store
from core.remote.scripts import PLAIN, board_script
from core.remote.session import SshSession
from core.vendor.boards import board_name
from core.vendor.platforms import Platform, load_platforms, platform_of_compatibles

_TIMEOUT_S = 60.0
_MAX_OUTPUT_BYTES = 256 << 10
_MAX_TEXT = 200
_MAX_RUNTIMES = 32
_MAX_CPUS = 8192  # of any Linux (NR_CPUS)
_NEEDED_TOOLS = ("sha256sum", "df", "cat", "mv", "sync", "tr", "wc")
_CORE = re.compile(r"Core\d+:")
_VERSION = re.compile(r"\d+(?:\.\d+)+")
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_MEM = re.compile(r"(\w+):\s*(\d{1,15}) kB")
_RKLLM = re.compile(r"(/[^\t]+)\t(?:RKLLM SDK \(version: (\S{1,40}))?")

Lines = dict[str, list[str]]


def probe_board(session: SshSession, sysroot: str = "", store: str | None = None) -> BoardFacts:
    """Ask a board what it is, in one round trip.

    Args:
        session: connected to it.
        sysroot: prefix of its /proc, /sys, /etc and /usr; empty on a real board.
        store: its folder for models, where runtime libraries may lie, too.

    Raises:
        RKDeckError: `boards.no_answer` when the account cannot run a shell script, and what
            `SshSession.run` raises.
    """
    return facts_of(ask(session, probe_script(), [sysroot, store or ""]))


def probe_script(*more: str) -> str:
    """The text of the probe, with more scripts of `resources/board` behind it in the same round trip."""
    return f"{PLAIN}{board_script('probe.sh', *more)}v end 1\nexit 0\n"


def ask(session: SshSession, script: str, arguments: Sequence[str]) -> Lines:
    """Run a probe's script and sort its lines.

    Raises:
        RKDeckError: `boards.no_answer` when it did not run to its end, and what `SshSession.run` raises.
    """
    try:
        result = session.run(script, arguments, timeout_s=_TIMEOUT_S, max_output_bytes=_MAX_OUTPUT_BYTES)
    except RKDeckError as error:
        about = error.facts
        if error.code == "remote.no_shell":
            status, reason = about["status"], about["reason"]
        elif error.code == "remote.unexpected_answer":
            status, reason = 0, about["text"]
        else:
            raise
        raise RKDeckError("boards.no_answer", host=about["host"], status=status, reason=reason) from error
    lines = parse_lines(result.text)
    if not lines["end"]:
        raise RKDeckError(
            "boards.no_answer",
            host=session.target.host,
            status=result.exit_status,
            reason=result.complaint or printable(result.text[-200:]) or because("no_output"),
        )
    return lines


def parse_lines(text: str) -> Lines:
    """Sort `key:value` lines; what a login script printed before the first line is dropped."""
    found: Lines = defaultdict(list)
    for line in text.split("\n"):
        key, colon, value = line.partition(":")
        if key == "probe" and colon:
            found.clear()
        if colon and key.isalnum() and value:
            found[key].append(value)
    return found


def facts_of(lines: Lines) -> BoardFacts:
    """Turn a probe's lines into facts; what is absent or makes no sense is None."""
    compatibles = tuple(_text(entry) for entry in lines["compatible"][:16])
    platform = platform_of_compatibles(compatibles) or _platform_of_npu(lines)
    memory = {match[1]: int(match[2]) << 10 for match in map(_MEM.fullmatch, lines["mem"]) if match}
    mounts, home_mount = mounts_of(lines)
    home = _first(lines, "home")
    serial, machine_id, mac = _serial(lines), _first(lines, "machineid"), _mac(lines)
    driver, version = _driver(lines)
    return BoardFacts(
        model=_first(lines, "model"),
        name=board_name(compatibles),
        soc=platform.name if platform is not None else None,
        compatibles=compatibles,
        cpu_count=_cpus(lines),
        npu_cores=_npu_cores(lines),
        npu_driver=driver,
        npu_driver_version=version,
        npu_accessible=any(node.startswith("rw ") for node in lines["node"]) if lines["node"] else None,
        kernel=_first(lines, "kernel"),
        machine=_first(lines, "machine"),
        hostname=_first(lines, "hostname"),
        os=_first(lines, "os", strip='"'),
        mem_total_bytes=memory.get("MemTotal"),
        mem_available_bytes=memory.get("MemAvailable"),
        mounts=mounts,
        home=home,
        store_proposal=propose_store(mounts, home, home_mount, bool(lines["homewritable"])),
        identity=_identity(serial, machine_id, mac),
        machine_id_sha256=_hashed("machine-id", machine_id),
        serial_sha256=_hashed("serial", serial),
        mac=mac,
        user=_first(lines, "user"),
        groups=tuple(_text(group) for group in " ".join(lines["groups"]).split()[:64]),
        sudo={"0": "passwordless", "none": "none"}.get(_first(lines, "sudo") or "none", "password"),
        simulated=bool(lines["simulatedmark"]),
        simulated_text=_first(lines, "simulated"),
        runtimes=_runtimes(lines),
        libraries=_libraries(lines),
        missing_tools=tuple(tool for tool in _NEEDED_TOOLS if tool not in lines["tool"]),
    )


def _text(value: str) -> str:
    return printable(value.strip(), limit=_MAX_TEXT)


def _first(lines: Lines, key: str, strip: str = "") -> str | None:
    """The first value of a key as harmless text."""
    for value in lines[key]:
        text = _text(value.strip().strip(strip))
        if text:
            return text
    return None


def _cpus(lines: Lines) -> int | None:
    count = foreign.digits(_first(lines, "cpus"), 1, _MAX_CPUS)
    if count is not None:
        return count
    present = re.fullmatch(r"0-(\d{1,4})", _first(lines, "cpuspresent") or "")
    return int(present[1]) + 1 if present else None


def _npu_cores(lines: Lines) -> int | None:
    """Counted, since fused chips (RK3582) report the same name: load lines, else the interrupt lines."""
    for text in lines["npuload"]:
        if text.startswith("NPU load"):
            return len(_CORE.findall(text)) or 1
    return len(lines["interrupt"]) or None


def _driver(lines: Lines) -> tuple[str | None, str | None]:
    versions = [*lines["rknpu"], *lines["rknpudebug"], *lines["rknpuproc"]]
    # Only rknpu gives the NPU a clock of its own in devfreq, and a load; rocket has neither.
    signs = versions or lines["rknpumodule"] or lines["npufreq"] or lines["npuload"]
    if signs or any(node.endswith("/dev/rknpu") for node in lines["node"]):
        match = _VERSION.search(" ".join(versions)[:_MAX_TEXT])
        return "rknpu", match[0] if match else None
    if lines["rocket"] or any("/dev/accel/" in node for node in lines["node"]):
        return "rocket", None
    return None, None


def _platform_of_npu(lines: Lines) -> Platform | None:
    """Where the NPU lies in the address space tells the SoC when the device tree does not."""
    for platform in load_platforms().values():
        if platform.npu_devfreq in lines["npufreq"]:
            return platform
    return None


def _serial(lines: Lines) -> str | None:
    for key in ("serial", "cpuserial"):
        value = _first(lines, key)
        if value is not None and value.strip("0"):
            return value
    return None


def _mac(lines: Lines) -> str | None:
    found = sorted(mac for mac in map(str.lower, lines["mac"]) if _MAC.fullmatch(mac) and mac.strip("0:"))
    return found[0] if found else None


def _hashed(kind: str, value: str | None) -> str | None:
    """A digest that tells boards apart without keeping what they are called."""
    if value is None:
        return None
    return hashlib.sha256(f"rkdeck {kind} {value}".encode()).hexdigest()


def _identity(serial: str | None, machine_id: str | None, mac: str | None) -> str | None:
    """The SoC's serial, else machine-id with a permanent MAC: cloned cards share the machine-id."""
    if serial is not None:
        return f"serial:{_hashed('serial', serial)}"
    if machine_id is not None and mac is not None:
        return f"machine:{_hashed('machine', f'{machine_id} {mac}')}"
    return None


def _runtimes(lines: Lines) -> tuple[RuntimeInfo, ...]:
    found = []
    for line in lines["runtime"][:_MAX_RUNTIMES]:
        path, _, text = line.partition("\t")
        told = read_description(text)
        if told is not None and path.isprintable():
            found.append(RuntimeInfo(told.name, told.version, path, told.simulated))
    return tuple(found)


def _libraries(lines: Lines) -> tuple[Library, ...]:
    matches = (_RKLLM.fullmatch(line) for line in lines["rkllm"][:16])
    return tuple(Library(_text(match[1]), match[2] and _text(match[2])) for match in matches if match)
