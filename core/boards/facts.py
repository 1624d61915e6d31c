"""What a board said about itself: frozen records and their JSON form. None is unknown."""

from dataclasses import asdict, dataclass, replace

from core.base.errors import JsonValue
from core.base.records import record
from core.vendor.platforms import load_platforms


@dataclass(frozen=True, slots=True)
class Mount:
    """A file system on a board.

    Attributes:
        medium: nvme, emmc, sd, mmc, disk, usb, overlay, tmpfs or other.
        writable: by the account RKDeck uses, at its top folder.
        free_bytes: available to ordinary users.
    """

    path: str
    device: str
    filesystem: str
    medium: str
    writable: bool
    total_bytes: int | None
    free_bytes: int | None


@dataclass(frozen=True, slots=True)
class RuntimeInfo:
    """A program on the board that can serve models, as it described itself."""

    name: str
    version: str
    path: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class Library:
    """A librkllmrt.so on the board.

    Attributes:
        version: the exact release where the doctor looked, else the one in its text, if it has one.
        bits: 32 or 64; None is unknown, as it is to who only probes.
    """

    path: str
    version: str | None
    bits: int | None = None


@dataclass(frozen=True, slots=True)
class BoardFacts:
    """The answer to one probe.

    Attributes:
        model: the device tree's own name.
        name: a known board's name.
        soc: platform name ("rk3588").
        compatibles: the device tree's entries, most specific first.
        npu_cores: counted on the board (a fused chip has fewer), never assumed.
        npu_driver: "rknpu", "rocket" (mainline: cannot run RKLLM) or None.
        npu_accessible: whether the account may open a device node of the NPU.
        identity: `serial:...` or `machine:...`, hashed; tells this very board from its clones.
        machine_id_sha256, serial_sha256: hashed, never stored in the clear.
        store_proposal: folder for models on the writable disk with most free space.
        sudo: "passwordless", "password" or "none".
        simulated: an imaginary board (it has /etc/rkdeck-simulated).
        missing_tools: programs deploying needs and the board lacks.
    """

    model: str | None
    name: str | None
    soc: str | None
    compatibles: tuple[str, ...]
    cpu_count: int | None
    npu_cores: int | None
    npu_driver: str | None
    npu_driver_version: str | None
    npu_accessible: bool | None
    kernel: str | None
    machine: str | None
    hostname: str | None
    os: str | None
    mem_total_bytes: int | None
    mem_available_bytes: int | None
    mounts: tuple[Mount, ...]
    home: str | None
    store_proposal: str | None
    identity: str | None
    machine_id_sha256: str | None
    serial_sha256: str | None
    mac: str | None
    user: str | None
    groups: tuple[str, ...]
    sudo: str
    simulated: bool
    simulated_text: str | None
    runtimes: tuple[RuntimeInfo, ...]
    libraries: tuple[Library, ...]
    missing_tools: tuple[str, ...]

    @property
    def title(self) -> str | None:
        """The best name there is for it; None when it tells none."""
        return self.name or self.model

    def mount_of(self, path: str) -> Mount | None:
        """The file system a folder lies on."""
        fitting = [mount for mount in self.mounts if _lies_in(path, mount.path)]
        return max(fitting, key=lambda mount: len(mount.path), default=None)

    def to_json(self) -> dict[str, JsonValue]:
        """Return a JSON object with every member; tuples become lists."""
        return {key: _plain(value) for key, value in asdict(self).items()}


def unknown_facts() -> BoardFacts:
    """The facts of a board nobody has looked at."""
    return BoardFacts(
        model=None, name=None, soc=None, compatibles=(), cpu_count=None, npu_cores=None, npu_driver=None,
        npu_driver_version=None, npu_accessible=None, kernel=None, machine=None, hostname=None, os=None,
        mem_total_bytes=None, mem_available_bytes=None, mounts=(), home=None, store_proposal=None, identity=None,
        machine_id_sha256=None, serial_sha256=None, mac=None, user=None, groups=(), sudo="unknown",
        simulated=False, simulated_text=None, runtimes=(), libraries=(), missing_tools=(),
    )  # fmt: skip


def facts_from_json(value: JsonValue) -> BoardFacts | None:
    """Rebuild facts that were stored; None when they have another shape (an older RKDeck wrote them, or nobody)."""
    try:
        facts = record(BoardFacts, value)
    except ValueError:
        return None
    # A later RKDeck knew it: to this one it is no platform.
    return facts if facts.soc in load_platforms() else replace(facts, soc=None)


def _lies_in(path: str, folder: str) -> bool:
    return folder == "/" or path == folder or path.startswith(folder + "/")


def _plain(value: object) -> JsonValue:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
