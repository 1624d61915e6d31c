"""GGUF files on boards of every sort, for the tests that ask all doors."""

from dataclasses import replace
from pathlib import Path

from core.boards.doctor.examination import Examination, StorePlace
from core.boards.doctor.findings import Verdict
from core.boards.facts import Mount, unknown_facts
from core.fitness.candidate import Candidate, PartFile
from core.model.gguf import GgufHeader
from core.model.inspect import Inspection

GIB = 1 << 30
_VALUES: dict[str, int | str] = {
    "general.architecture": "llama", "general.type": "model", "llama.context_length": 8192, "llama.block_count": 16,
    "llama.attention.head_count": 32, "llama.attention.head_count_kv": 8, "llama.embedding_length": 2048,
}  # fmt: skip


def header(**keys: int | str) -> GgufHeader:
    """What the first 256 KiB of a file tell; keys with `_` for `.` after the first word."""
    more = {key.replace("__", "."): value for key, value in keys.items()}
    return GgufHeader(3, 100, {**_VALUES, **more}, is_whole=False, bytes_read=256 << 10)


def inspection(size_bytes: int, found: GgufHeader | None = None, **members: object) -> Inspection:
    """Of a file with that header."""
    found = found or header()
    told = Inspection(
        "gguf", size_bytes, dtype="q4_k_m", max_context=found.of_architecture("context_length"),
        architecture=found.architecture, role=found.role, gguf=found,
    )  # fmt: skip
    return replace(told, **members)  # type: ignore[arg-type]


PATH = Path("Tiny-1B-Q4_K_M.gguf")
FILE = Candidate("Tiny-1B-Q4_K_M.gguf", inspection(GIB * 4 // 5), "Tiny-1B-Q4_K_M")


def part(
    number: int, size_bytes: int = GIB // 4, *, named: int = 0, tensors: int = 30, all_tensors: int = 90
) -> PartFile:
    """A part of three."""
    more = {"split__no": number - 1, "split__count": 3, "split__tensors__count": all_tensors}
    found = replace(header(**more), tensor_count=tensors)
    if number > 1:
        values = {key: value for key, value in found.values.items() if key.startswith("split.")}
        found = replace(found, values=values, is_whole=True)
    return PartFile(
        f"Tiny-0000{named or number}-of-00003.gguf", inspection(size_bytes, found, role=found.role)
    )


def in_parts(*files: PartFile, missing: tuple[str, ...] = ()) -> Candidate:
    """A model of these files."""
    first = files[0]
    return Candidate(first.name, first.inspection, "Tiny", others=files[1:], missing=missing)


def board(gib: float, soc: str | None = "rk3588", filesystem: str = "ext4", **facts: object) -> Examination:
    """A board as the doctor read it, with nothing of Rockchip's on it unless it is said."""
    disk = Mount("/", "/dev/mmcblk0p2", filesystem, "emmc", True, 64 * GIB, 32 * GIB)
    told = replace(
        unknown_facts(), soc=soc, kernel="6.1.75", machine="aarch64", mounts=(disk,), mem_total_bytes=int(gib * GIB),
        mem_available_bytes=int(gib * GIB * 0.9),
    )  # fmt: skip
    told = replace(told, **facts)  # type: ignore[arg-type]
    return Examination(told, store=StorePlace("/srv/store", True, disk, 32 * GIB, 64 * GIB), python="3.11")


RK3588 = board(8, npu_driver="rknpu", npu_driver_version="0.9.8")
RK3566 = board(4, None, compatibles=("radxa,zero3", "rockchip,rk3566"))
MAINLINE = board(8, kernel="6.18.2")
ROCKET = board(8, npu_driver="rocket", kernel="6.18.2")
COMPUTER = board(16, None, machine="x86_64")
SMALL = board(1, None, compatibles=("raspberrypi,3-model-b", "brcm,bcm2837"))
WIDTH_32 = board(2, None, machine="armv7l", compatibles=("some,board",))
BAD = inspection(GIB // 4, problems=("inspect.gguf_cut_off",))

# File and board, the verdict at every door, and what refuses it.
TABLE: dict[str, tuple[Candidate, Examination, Verdict, str | None]] = {
    "a GGUF on an RK3588 with 8 GB": (FILE, RK3588, "ok", None),
    "a GGUF on an RK3566 with 4 GB": (FILE, RK3566, "ok", None),
    "a GGUF on a mainline kernel without a driver": (FILE, MAINLINE, "ok", None),
    "a GGUF on a mainline kernel with rocket": (FILE, ROCKET, "ok", None),
    "a GGUF on an x86 computer": (FILE, COMPUTER, "ok", None),
    "a GGUF on a board with 1 GB": (FILE, SMALL, "failed", "doctor.model_memory_header_no"),
    "a GGUF on a 32-bit system": (replace(FILE, inspection=inspection(GIB // 8)), WIDTH_32, "warning", None),
    "a GGUF in three parts": (in_parts(part(1), part(2), part(3)), RK3566, "ok", None),
    "three parts larger than FAT's limit, none of them by itself": (
        in_parts(*(part(number, 2 * GIB) for number in (1, 2, 3))), board(16, filesystem="vfat"), "ok", None,
    ),
    "a part larger than FAT's limit": (
        in_parts(part(1, GIB), part(2, 5 * GIB), part(3, GIB)), board(32, filesystem="vfat"), "failed",
        "deploy.file_too_large_for_fat",
    ),
    "a part that is cut off": (
        in_parts(part(1), PartFile("Tiny-00002-of-00003.gguf", BAD), part(3)), RK3588, "failed", "deploy.damaged_file",
    ),
    "a part that is a web page": (
        in_parts(part(1), PartFile("Tiny-00002-of-00003.gguf", Inspection("html", 4000)), part(3)), RK3588, "failed",
        "deploy.not_a_model",
    ),
    "a GGUF that is an .rkllm by its bytes": (
        replace(FILE, inspection=Inspection("rkllm", GIB, platform="rk3588", dtype="w8a8")), RK3566, "failed",
        "deploy.not_a_model",
    ),
    "a damaged GGUF": (replace(FILE, inspection=BAD), RK3588, "failed", "deploy.damaged_file"),
}  # fmt: skip

# For each thing there is to say of a GGUF file alone.
CASES: dict[str, tuple[Candidate, Examination]] = {
    "doctor.model_role_mmproj": (replace(FILE, inspection=inspection(GIB, role="mmproj")), RK3588),
    "doctor.model_role_adapter": (replace(FILE, inspection=inspection(GIB, role="adapter")), RK3588),
    "doctor.model_role_other": (replace(FILE, inspection=inspection(GIB, role="imatrix")), RK3588),
    "doctor.model_parts_ok": (in_parts(part(1), part(2), part(3)), RK3566),
    "doctor.model_parts_missing": (in_parts(part(1), part(3), missing=("Tiny-00002-of-00003.gguf",)), RK3588),
    "doctor.model_parts_differ": (in_parts(part(1), part(3, named=2), part(2, named=3)), RK3588),
    "doctor.model_parts_other": (in_parts(part(1), part(2, all_tensors=80), part(3)), RK3588),
    "doctor.model_parts_many": (
        Candidate(
            "T-00001-of-00065.gguf", inspection(GIB // 65, header(split__no=0, split__count=65)),
            others=tuple(
                PartFile(
                    f"T-{number:05}-of-00065.gguf",
                    inspection(GIB // 65, header(split__no=number - 1, split__count=65)),
                )
                for number in range(2, 66)
            ),
        ),
        RK3588,
    ),
    "doctor.model_architecture_ok": (FILE, RK3588),
    "doctor.model_architecture_untold": (replace(FILE, inspection=inspection(GIB, architecture=None)), RK3588),
    "doctor.model_architecture_new": (replace(FILE, inspection=inspection(GIB, architecture="llama9")), RK3588),
    "doctor.model_engine_machine": (FILE, WIDTH_32),
    "doctor.model_limit_ok": (FILE, RK3588),
    "doctor.model_limit_beyond": (replace(FILE, context=16384), RK3588),
    "doctor.model_limit_unknown": (replace(FILE, inspection=inspection(GIB, max_context=None)), RK3588),
    "doctor.model_memory_untold": (
        replace(FILE, inspection=inspection(GIB, replace(header(), values={"general.architecture": "llama"}))),
        RK3588,
    ),
    "doctor.model_memory_header_ok": (FILE, RK3588),
    "doctor.model_memory_header_tight": (FILE, board(2, None, compatibles=("some,board",))),
    "doctor.model_memory_header_no": (FILE, SMALL),
}  # fmt: skip
