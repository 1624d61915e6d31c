"""The maker's releases: toolkit versions and their arguments, runtime libraries, file magics and platform codes.

All of it is data of `resources/runtimes.toml`.
"""

import re
from dataclasses import dataclass
from functools import cache

from core.base import tomldata
from core.base.errors import RKDeckError

_FILE = "runtimes.toml"
# Of a version somebody else wrote; Python refuses to read more than 4,300 digits (sys.set_int_max_str_digits).
_NUMBERS = re.compile(r"\d{1,18}")
# The vendor's words for processors its runtime is published for.
ARCHES = ("aarch64", "armhf")


@dataclass(frozen=True, slots=True)
class ToolkitArguments:
    """The argument names of the toolkit's three calls in one version."""

    load: frozenset[str]
    build: frozenset[str]
    export: frozenset[str]


@dataclass(frozen=True, slots=True)
class Magic:
    """The first bytes of a kind of file."""

    kind: str
    first_bytes: bytes


def version_key(version: str) -> tuple[int, ...]:
    """Order versions: `1.2.1b1` sorts with 1.2.1, `1.3.0+simulated` with 1.3.0; odd text comes first."""
    return tuple(map(int, _NUMBERS.findall(re.split(r"[+a-z]", version, maxsplit=1)[0])))


def toolkit_arguments(version: str) -> ToolkitArguments:
    """The arguments of a version: those of the newest known one that is not newer."""
    known = sorted(_rows("toolkit"), key=_since)
    fitting = [entry for entry in known if _since(entry) <= version_key(version)] or known[:1]
    return ToolkitArguments(
        *(frozenset(tomldata.texts(fitting[-1], call, _FILE)) for call in ("load", "build", "export"))
    )


@cache
def magics() -> tuple[Magic, ...]:
    """The file kinds that first bytes tell.

    Raises:
        RKDeckError: `estimate.bad_data_file`, also for bytes that are not hexadecimal.
    """
    return tuple(Magic(tomldata.text(entry, "kind", _FILE), _bytes(entry)) for entry in _rows("magic"))


def platform_of_code(code: int) -> str | None:
    """The platform behind a file's `rkllm.platform` number, None when it is not established."""
    codes = tomldata.subtable(tomldata.load_toml(_FILE), "platform_codes", _FILE)
    return tomldata.optional_text(codes, str(code), _FILE)


@dataclass(frozen=True, slots=True)
class RuntimeRelease:
    """A librkllmrt.so the vendor published.

    Attributes:
        arch: the vendor's word for the processor, "aarch64" or "armhf".
        released: date, ISO 8601.
        blob: git's id of exactly this file.
        url: where it is published; `licence_url`: under which terms.
    """

    version: str
    arch: str
    released: str
    blob: str
    url: str
    licence_url: str


def runtime_releases(arch: str) -> tuple[RuntimeRelease, ...]:
    """The releases for a processor, the newest first."""
    found = [release for entry in _rows("runtime") if (release := _release(entry, arch)) is not None]
    return tuple(sorted(found, key=lambda release: release.released, reverse=True))


def release_of_blob(blob: str) -> str | None:
    """The release whose librkllmrt.so has this git blob id, None when it is none the table knows."""
    for entry in _rows("runtime"):
        if blob in {tomldata.optional_text(entry, f"{arch}_blob", _FILE) for arch in ARCHES}:
            return tomldata.text(entry, "version", _FILE)
    return None


def _release(entry: tomldata.Table, arch: str) -> RuntimeRelease | None:
    blob = tomldata.optional_text(entry, f"{arch}_blob", _FILE)
    if blob is None:
        return None
    files = tomldata.subtable(tomldata.load_toml(_FILE), "runtime_files", _FILE)
    version = tomldata.text(entry, "version", _FILE)
    folder = tomldata.optional_text(entry, "folder", _FILE) or tomldata.text(files, "folder", _FILE)
    return RuntimeRelease(
        version=version,
        arch=arch,
        released=tomldata.text(entry, "released", _FILE),
        blob=blob,
        url=tomldata.text(files, "url", _FILE).format(version=version, arch=arch, folder=folder),
        licence_url=tomldata.text(files, "licence", _FILE).format(version=version),
    )


def _rows(name: str) -> tuple[tomldata.Table, ...]:
    return tomldata.subtables(tomldata.load_toml(_FILE), name, _FILE)


def _since(entry: tomldata.Table) -> tuple[int, ...]:
    return version_key(tomldata.text(entry, "since", _FILE))


def _bytes(entry: tomldata.Table) -> bytes:
    text = tomldata.text(entry, "bytes", _FILE)
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise RKDeckError("estimate.bad_data_file", file=_FILE, problem=f"{text!r} is no bytes") from error
