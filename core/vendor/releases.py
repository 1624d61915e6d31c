"""What resources/runtimes.toml knows of toolkit versions and file magics."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


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


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads((resources.files("resources") / "runtimes.toml").read_text("utf-8"))


def version_key(version: str) -> tuple[int, ...]:
    """Order versions: `1.2.1b1` sorts with 1.2.1, `1.3.0+simulated` with 1.3.0; odd text comes first."""
    return tuple(int(number) for number in re.findall(r"\d+", re.split(r"[+a-z]", version, maxsplit=1)[0]))


def toolkit_arguments(version: str) -> ToolkitArguments:
    """The arguments of a version: those of the newest known one that is not newer."""
    known = sorted(_data()["toolkit"], key=lambda entry: version_key(entry["since"]))
    fitting = [entry for entry in known if version_key(entry["since"]) <= version_key(version)] or known[:1]
    return ToolkitArguments(*(frozenset(fitting[-1][call]) for call in ("load", "build", "export")))


def magics() -> tuple[Magic, ...]:
    """The file kinds that first bytes tell."""
    return tuple(Magic(entry["kind"], bytes.fromhex(entry["bytes"])) for entry in _data()["magic"])


def platform_of_code(code: int) -> str | None:
    """The platform behind a file's `rkllm.platform` number, None when it is not established."""
    name: str | None = _data()["platform_codes"].get(str(code))
    return name


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
    files = _data()["runtime_files"]
    found = [
        RuntimeRelease(
            version=entry["version"],
            arch=arch,
            released=entry["released"],
            blob=entry[f"{arch}_blob"],
            url=files["url"].format(
                version=entry["version"], arch=arch, folder=entry.get("folder", files["folder"])
            ),
            licence_url=files["licence"].format(version=entry["version"]),
        )
        for entry in _data()["runtime"]
        if f"{arch}_blob" in entry
    ]
    return tuple(sorted(found, key=lambda release: release.released, reverse=True))


def release_of_blob(blob: str) -> str | None:
    """The release whose librkllmrt.so has this git blob id, None when it is none the table knows."""
    for entry in _data()["runtime"]:
        if blob in {entry.get("aarch64_blob"), entry.get("armhf_blob")}:
            version: str = entry["version"]
            return version
    return None
