"""Rules about the NPU: which SoC, which kernel and driver, whether the account may use it.

Facts: rknpu driver 0.9.8 sources; RKLLM needs rknpu, and mainline's rocket cannot run it
(NotPunchnox/rkllama#97, #123); nodes belong to `render` and `video` on vendor images, to root alone on some.
"""

import re
from collections.abc import Iterator
from typing import Literal

from core.base.errors import JsonValue
from core.boards.doctor.examination import Examination
from core.boards.doctor.findings import Facts, Finding, finding
from core.boards.doctor.remedies import join_groups
from core.vendor.board_limits import board_limits
from core.vendor.platforms import get_platform, load_platforms
from core.vendor.releases import version_key

Flavour = Literal["vendor", "vendor driver on a newer kernel", "mainline", "unknown"]
_RELEASE = re.compile(r"(\d{1,9})\.(\d{1,9})")


def soc(seen: Examination) -> Iterator[Finding]:
    """Whether RKLLM knows the SoC at all."""
    facts = seen.facts
    if facts.simulated:
        yield finding("simulated", "ok", "doctor.simulated", text=facts.simulated_text)
    if facts.soc is None:
        if not facts.compatibles and not has_arm(facts.machine):
            yield finding("soc", "failed", "doctor.soc_none", machine=facts.machine)
        elif facts.compatibles:
            known: list[JsonValue] = [platform.display_name for platform in load_platforms().values()]
            yield finding(
                "soc",
                "failed",
                "doctor.soc_unsupported",
                compatibles=", ".join(facts.compatibles),
                socs=known,
            )
        else:
            yield finding("soc", "unknown", "doctor.soc_unreadable")
        return
    platform = get_platform(facts.soc)
    shown: Facts = {"model": facts.title, "soc": platform.display_name}
    most = platform.npu_cores_max
    if facts.npu_cores is None:
        yield finding("soc", "ok", "doctor.soc_ok_uncounted", **shown)
    elif facts.npu_cores < most:
        yield finding("soc", "warning", "doctor.soc_fewer_cores", cores=facts.npu_cores, most=most, **shown)
    else:
        yield finding("soc", "ok", "doctor.soc_ok", cores=facts.npu_cores, cpus=facts.cpu_count, **shown)


def has_arm(machine: str | None) -> bool:
    """Whether it is a processor as Rockchip's, as far as it tells."""
    return machine is None or machine.startswith(("aarch64", "arm"))


def is_foreign(seen: Examination) -> bool:
    """Whether the board has another chip than RKLLM knows, so that its kernel and libraries are no matter."""
    facts = seen.facts
    return facts.soc is None and (bool(facts.compatibles) or not has_arm(facts.machine))


def flavour(seen: Examination) -> Flavour:
    """Whose kernel it is, by its driver and its version."""
    release = _RELEASE.match(seen.facts.kernel or "")
    known = release is not None and f"{release[1]}.{release[2]}" in board_limits().vendor_kernels
    if seen.facts.npu_driver == "rknpu":
        if release is None:
            return "unknown"
        return "vendor" if known else "vendor driver on a newer kernel"
    if seen.facts.npu_driver == "rocket":
        return "mainline"
    if release is None:
        return "unknown"
    return "vendor" if known or seen.vendor_media else "mainline"


def driver(seen: Examination) -> Iterator[Finding]:
    """Kernel and NPU driver: what RKLLM stands or falls with."""
    if is_foreign(seen):
        return
    facts, kind, known = seen.facts, flavour(seen), board_limits()
    shown: Facts = {"kernel": facts.kernel, "flavour": kind}
    version = facts.npu_driver_version
    if facts.npu_driver == "rocket":
        yield finding("driver", "failed", "doctor.driver_rocket", **shown)
    elif facts.npu_driver is None:
        # A probe does not read the kernel's log, where a driver without files is seen: it proves no absence.
        if kind == "mainline" and seen.depth == "doctor":
            yield finding("driver", "failed", "doctor.driver_none", **shown)
        elif kind == "vendor":
            yield finding("driver", "unknown", "doctor.driver_unseen", **shown)
        else:
            yield finding("driver", "unknown", "doctor.kernel_unknown")
    elif version is None:
        yield finding("driver", "unknown", "doctor.driver_version_unknown", **shown)
    elif version_key(version) < version_key(known.driver_fails_below):
        yield finding(
            "driver", "failed", "doctor.driver_fails", version=version, wanted=known.driver_wanted, **shown
        )
    elif version_key(version) < version_key(known.driver_accepted):
        yield finding(
            "driver", "warning", "doctor.driver_old", version=version, wanted=known.driver_wanted, **shown
        )
    else:
        yield finding("driver", "ok", "doctor.driver_ok", version=version, **shown)


def access(seen: Examination) -> Iterator[Finding]:
    """Whether the account may open the NPU."""
    facts = seen.facts
    if facts.npu_driver != "rknpu" or facts.simulated:
        return
    nodes = [node for node in seen.nodes if "/card" not in node.path]
    if not nodes:
        yield finding("access", "unknown", "doctor.access_no_node")
        return
    open_ones = [node.path for node in nodes if node.accessible]
    if open_ones:
        yield finding("access", "ok", "doctor.access_ok", user=facts.user, node=", ".join(open_ones))
        return
    shown = ", ".join(f"{node.path} {node.owner}:{node.group}" for node in nodes)
    wanted = {node.group for node in seen.nodes} - set(facts.groups) - {"root"}
    remedy = join_groups(seen, wanted)
    if remedy is None:
        yield finding("access", "failed", "doctor.access_root_only", user=facts.user, nodes=shown)
    else:
        groups = remedy.facts["groups"]
        yield finding(
            "access", "failed", "doctor.access_denied", user=facts.user, nodes=shown, groups=groups
        ).with_remedy(remedy)


def npu_load(seen: Examination) -> Iterator[Finding]:
    """Whether the NPU's load can be read: of use to people, needed by nothing."""
    if seen.facts.npu_driver != "rknpu":
        return
    if seen.npu_load_readable:
        yield finding("npu_load", "ok", "doctor.npu_load_ok")
    else:
        yield finding("npu_load", "ok", "doctor.npu_load_needs_root", user=seen.facts.user)
