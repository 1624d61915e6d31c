"""SoC, NPU driver, kernel flavour and verdict of every board there is a tree of, in one table.

The trees of the project's own always run; the published captures of real boards run when they are beside it. A capture
holds only what somebody published: what it lacks is unknown to the doctor, too, and that is the right answer.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from core.boards.doctor.examination import Examination
from core.boards.doctor.npu_rules import driver, flavour
from core.boards.doctor.reading import examination_of
from core.boards.doctor.rules import check_board
from core.boards.probe import parse_lines, probe_script
from core.remote.quoting import script_with_arguments
from tests.core.boards.trees import TREES, hostile
from tests.support.sshd import ROOT

CAPTURES = ROOT.parent / "shared/data/board-captures"
SHELLS = [shell for shell in (["sh"], ["bash"], ["busybox", "sh"]) if shutil.which(shell[0])]
PORTED = "vendor driver on a newer kernel"
Row = tuple[str | None, str | None, str | None, str, str | None]

# SoC, driver, its version, whose kernel, verdict on the driver
OWN: dict[str, Row] = {
    "orange_pi": ("rk3588", "rknpu", "0.9.8", "vendor", "ok"),
    "mainline": ("rk3588", "rocket", None, "mainline", "failed"),
    "user_of_rk3576": ("rk3576", "rknpu", "0.9.6", "vendor", "warning"),
    "buildroot_of_rk3562": ("rk3562", "rknpu", "0.8.2", "vendor", "failed"),
    "cut_down": ("rk3588", "rknpu", "0.9.7", "vendor", "ok"),
    "ported": ("rk3576", "rknpu", "0.9.8", PORTED, "ok"),
    "mainline_without_npu": ("rk3576", None, None, "mainline", "failed"),
    "foreign": (None, None, None, "mainline", None),
}
PUBLISHED: dict[str, Row] = {
    "armsom-sige5-rk3576-6.1.75": ("rk3576", "rknpu", None, "vendor", "unknown"),
    "cpuinfo-rk3576-6.1.75": (None, None, None, "unknown", "unknown"),
    "cpuinfo-rk3588-5.10.66": (None, None, None, "unknown", "unknown"),
    "flipper-one-rk3576-mainline-7.1-rc1": ("rk3576", None, None, "mainline", "failed"),
    "friendlyelec-cm3588-6.1.141": ("rk3588", "rknpu", "0.9.8", "vendor", "ok"),
    "khadas-edge2-5.10.66": ("rk3588", None, None, "vendor", "unknown"),
    "luckfox-omni3576-6.1.75": ("rk3576", "rknpu", None, "vendor", "unknown"),
    "nanopi-r76s-rk3576-6.1.141": ("rk3576", None, None, "vendor", "unknown"),
    "odroid-m2-5.10": ("rk3588", None, None, "vendor", "unknown"),
    "orangepi-5-6.1.99": ("rk3588", "rknpu", None, "unknown", "unknown"),
    "orangepi-5-armbian-5.10.160": ("rk3588", "rknpu", None, "vendor", "unknown"),
    "orangepi-5-max-bsp-6.1.43": ("rk3588", "rknpu", None, "vendor", "unknown"),
    "orangepi-5-pro-6.1.0-1026": ("rk3588", "rknpu", "0.9.7", "vendor", "ok"),
    "orangepi-5-ubuntu-6.1.0-1025": (None, None, None, "vendor", "unknown"),
    "radxa-kernel-issue432/rock-4d": ("rk3576", "rknpu", None, "unknown", "unknown"),
    "radxa-kernel-issue432/rock-5b": ("rk3588", "rknpu", None, "unknown", "unknown"),
    "radxa-rock-4d-docs": (None, None, None, "unknown", "unknown"),
    "radxa-rock-4d-rk3576-6.1.84": ("rk3576", "rknpu", None, "vendor", "unknown"),
    "radxa-rock-5a-5.10.110": ("rk3588", "rknpu", None, "vendor", "unknown"),
    "radxa-rock-5b-5.10.110-50": (None, "rknpu", "0.9.6", "unknown", "warning"),
    "radxa-rock-5b-5.10.66": ("rk3588", None, None, "vendor", "unknown"),
    "radxa-rock-5b-mainline-6.2-rc1": ("rk3588", None, None, "mainline", "failed"),
    "radxa-rock-5c-6.1.43": ("rk3588", "rknpu", None, "vendor", "unknown"),
    "radxa-rock-5c-lite-rk3582-6.1.43": ("rk3588", "rknpu", None, "vendor", "unknown"),
    "rk3562-doogee-u10-6.1.118": ("rk3562", "rknpu", None, "vendor", "unknown"),
    "rk3576-seeed-fnnas-6.18": (None, "rknpu", "0.9.8", "unknown", "ok"),
    "rk3588-dxb-lp4-5.10.198": ("rk3588", None, None, "vendor", "unknown"),
    "rk3588-ffmpeg-builds-issue3": (None, "rknpu", None, "unknown", "unknown"),
    "rk3588-mainline-6.18-rocket": (None, "rocket", None, "mainline", "failed"),
    "rknpu-load-lines": (None, None, None, "unknown", "unknown"),
    "rv1126b-p-glances": ("rv1126b", "rknpu", "0.9.8", "unknown", "ok"),
    "rv1126b-recamera": ("rv1126b", "rknpu", None, "unknown", "unknown"),
    "turing-rk1-5.10.160": ("rk3588", "rknpu", None, "vendor", "unknown"),
}


def examine(root: Path, shell: list[str] | None = None, store: str = "") -> Examination:
    script = script_with_arguments(probe_script("examine.sh"), [str(root), store, f"{store}/run/serving"])
    done = subprocess.run([*(shell or ["sh"]), "-s"], input=script.encode(), capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    return examination_of(parse_lines(done.stdout.decode("utf-8", "replace")), str(root), store or None)


def row(seen: Examination) -> Row:
    facts = seen.facts
    return (
        facts.soc, facts.npu_driver, facts.npu_driver_version, flavour(seen),
        next((entry.verdict for entry in driver(seen)), None),
    )  # fmt: skip


@pytest.mark.parametrize("name", OWN)
def test_own_trees(name: str, tmp_path: Path) -> None:
    assert row(examine(TREES[name](tmp_path / "a board's root"))) == OWN[name]


def as_tree(capture: Path, root: Path) -> Path:
    """A capture as a board's root: what is not a file there (kernel messages, device nodes) is put in its place."""
    shutil.copytree(capture, root)
    messages = root / "captures/dmesg-npu.txt"
    if messages.exists():
        (root / "var/log").mkdir(parents=True)
        messages.rename(root / "var/log/dmesg")
    for listing in (root / "captures").glob("ls-*dev*.txt"):
        for word in listing.read_text().split():
            if word.startswith("/dev/accel/"):
                (root / "dev/accel").mkdir(parents=True)
                (root / word.lstrip("/")).touch()
    interrupts = root / "captures/interrupts-npu.txt"
    if interrupts.exists():
        (root / "proc").mkdir(exist_ok=True)
        interrupts.rename(root / "proc/interrupts")
    return root


@pytest.mark.parametrize("name", PUBLISHED if CAPTURES.is_dir() else [None])
def test_published_captures(name: str | None, tmp_path: Path) -> None:
    if name is None:
        pytest.skip("the published captures of real boards are not beside the project")
    seen = examine(as_tree(CAPTURES / name, tmp_path / "root"))
    assert row(seen) == PUBLISHED[name]
    assert all(finding.code.startswith("doctor.") for finding in check_board(seen))


def test_no_capture_is_left_out() -> None:
    if not CAPTURES.is_dir():
        pytest.skip("the published captures of real boards are not beside the project")
    folders = {path.name for path in CAPTURES.iterdir() if path.is_dir()}
    assert folders == {name.partition("/")[0] for name in PUBLISHED}


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("name", OWN)
def test_every_shell_sees_the_same(shell: list[str], name: str, tmp_path: Path) -> None:
    tree = TREES[name](tmp_path)
    ours, reference = check_board(examine(tree, shell)), check_board(examine(tree))
    still = {"memory", "store", "open_files"}  # of this computer, and moving

    def fixed(findings: object) -> list[object]:
        assert isinstance(findings, tuple)
        return [finding for finding in findings if finding.check not in still]

    assert fixed(ours) == fixed(reference)


def test_hostile_board_is_only_text(tmp_path: Path) -> None:
    seen = examine(hostile(tmp_path))
    shown = repr([finding.to_json() for finding in check_board(seen)])
    assert not any(character in shown for character in "\x1b\x07\u202e")
    assert not Path("/tmp/owned").exists()
    commands = [line for finding in check_board(seen) if finding.remedy for line in finding.remedy.commands]
    assert not any("reboot" in line for line in commands)
