"""What the doctor saw on a board: frozen records. None is unknown; nothing here judges."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from core.boards.facts import BoardFacts, Mount

TenantSign = Literal["maps", "name"]
Depth = Literal["none", "probe", "doctor"]
# Of the programs a system for that processor runs.
_BITS = {"aarch64": 64, "armv7l": 32, "armv8l": 32}


@dataclass(frozen=True, slots=True)
class DeviceNode:
    """A node of the NPU (or of the display, which BSP kernels number together with it).

    Attributes:
        mode: as `ls -l` shows it, `crw-rw----`.
        accessible: whether the account may read and write it.
    """

    path: str
    mode: str
    owner: str
    group: str
    accessible: bool


@dataclass(frozen=True, slots=True)
class RuntimeLibrary:
    """A librkllmrt.so or librknnrt.so.

    Attributes:
        bits: 32 or 64 by its ELF header, None when it has none.
        blob: git's blob id, None where the board has no sha1sum.
        release: the vendor's release with exactly these bytes, None when it is not known.
        text_version: the version its text names.
    """

    path: str
    size_bytes: int | None
    bits: int | None
    blob: str | None
    release: str | None
    text_version: str | None

    @property
    def is_rkllm(self) -> bool:
        """Whether it runs language models (librknnrt runs vision models)."""
        return self.path.endswith("/librkllmrt.so")

    @property
    def version(self) -> str | None:
        """The exact release, else what its text says."""
        return self.release or self.text_version


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock and who sets it: a devfreq device or a cpufreq policy.

    Attributes:
        name: `fdab0000.npu`, `dmc`, `policy4`, ...
        kind: what it drives.
        governor_path: the file that names the governor.
        writable: whether the account may write that file.
        max_hz: the highest it may be set to.
        top_hz: the highest the hardware knows, where that is told apart.
    """

    name: str
    kind: Literal["npu", "gpu", "ddr", "cpu"]
    governor_path: str
    writable: bool
    governor: str | None
    governors: tuple[str, ...]
    cur_hz: int | None
    max_hz: int | None
    top_hz: int | None

    @property
    def label(self) -> str:
        """What people call it: NPU, DDR, CPU 4 (the first CPU that shares it)."""
        return f"CPU {self.name.removeprefix('policy')}" if self.kind == "cpu" else self.kind.upper()


@dataclass(frozen=True, slots=True)
class ThermalZone:
    """A sensor. `passive_c`: from there on the kernel slows clocks down."""

    name: str
    temp_c: float
    passive_c: float | None


@dataclass(frozen=True, slots=True)
class Tenant:
    """A process that uses the NPU or looks like a server of models.

    Attributes:
        sign: "maps": it has an NPU library loaded; "name": its command line says so, others' memory is not shown.
        uid: of its owner.
        ours: it is what RKDeck serves from its store.
    """

    pid: int
    name: str
    sign: TenantSign
    uid: int | None
    rss_bytes: int | None
    ours: bool


@dataclass(frozen=True, slots=True)
class StorePlace:
    """Where models live, or will: the nearest folder that exists.

    Attributes:
        writable: by the account; None where only the doctor's reading would tell.
        mount: the file system, None when it is not among the board's mounts.
        free_bytes: for ordinary users.
    """

    path: str
    writable: bool | None
    mount: Mount | None
    free_bytes: int | None
    total_bytes: int | None


@dataclass(frozen=True, slots=True)
class Examination:
    """What is known of a board: everything one visit of the doctor read, or less.

    Attributes:
        facts: what the probe reads anyway.
        depth: how far somebody looked. "doctor": all of this; "probe": the facts alone, so that what only the doctor
            reads is empty and means unknown; "none": nobody did, and what is known of SoC and memory was told.
        groups: which of `render` and `video` the system has.
        throttled: cooling devices that slow something down at this moment.
        swap_bytes: of all swap areas by kind (`partition`, `file`, `zram`); None when the list was not readable.
        open_files: soft and hard limit of open files; None is unlimited or unknown.
        oom_kills: processes the kernel killed for lack of memory since it started.
        is_root: whether the account is root.
        serving: name of what RKDeck serves there, None when it serves nothing.
        boot_words: the kernel's own lines about the NPU driver.
        llama_server: path of llama.cpp's server, None where none is in the usual places.
        has_libgomp: whether the library is there that a ready-made llama.cpp needs.
    """

    facts: BoardFacts
    nodes: tuple[DeviceNode, ...] = ()
    groups: frozenset[str] = frozenset()
    libraries: tuple[RuntimeLibrary, ...] = ()
    clocks: tuple[Clock, ...] = ()
    zones: tuple[ThermalZone, ...] = ()
    throttled: tuple[str, ...] = ()
    swap_bytes: Mapping[str, int] | None = None
    open_files: tuple[int | None, int | None] = (None, None)
    python: str | None = None
    systemd: bool = False
    vendor_media: bool = False
    npu_load_readable: bool = False
    oom_kills: int | None = None
    is_root: bool = False
    tenants: tuple[Tenant, ...] = ()
    serving: str | None = None
    store: StorePlace | None = None
    boot_words: tuple[str, ...] = ()
    llama_server: str | None = None
    has_libgomp: bool | None = None
    depth: Depth = "doctor"
    sysroot: str = field(default="", compare=False)

    def clocks_of(self, kind: str) -> tuple[Clock, ...]:
        """The clocks of one kind."""
        return tuple(clock for clock in self.clocks if clock.kind == kind)

    @property
    def rkllm_libraries(self) -> tuple[RuntimeLibrary, ...]:
        """The libraries that run language models."""
        return tuple(library for library in self.libraries if library.is_rkllm)

    @property
    def loadable_libraries(self) -> tuple[RuntimeLibrary, ...]:
        """Those of them the board's programs can load: one of the other width beside the right one is no matter."""
        bits = _BITS.get(self.facts.machine or "")
        return tuple(
            library for library in self.rkllm_libraries if bits is None or library.bits in {None, bits}
        )
