"""The probe over sysroots and over a real account."""

import getpass
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from core.base.errors import RKDeckError
from core.boards.doctor.examination import Examination
from core.boards.doctor.rules import check_board
from core.boards.facts import BoardFacts, facts_from_json
from core.boards.probe import facts_of, parse_lines, probe_board, probe_script
from core.remote.hostkeys import HostKeys
from core.remote.session import SshSession
from tests.core.boards.trees import hostile, mainline, orange_pi, write_tree
from tests.support.sshd import ROOT, SshServer, openssh_running

CAPTURES = ROOT.parent / "shared/data/board-captures"
SCRIPT = probe_script()
SHELLS = [shell for shell in (["sh"], ["bash"], ["busybox", "sh"]) if shutil.which(shell[0])]


def test_vendor_board(session: SshSession, tmp_path: Path) -> None:
    facts = probe_board(session, str(orange_pi(tmp_path / "a board's root")))
    assert facts.model == "RK3588 OPi 5 Plus"
    assert (facts.name, facts.title, facts.soc) == ("Orange Pi 5 Plus", "Orange Pi 5 Plus", "rk3588")
    assert facts.compatibles == ("rockchip,rk3588-orangepi-5-plus", "rockchip,rk3588")
    assert (facts.cpu_count, facts.npu_cores) == (8, 3)
    assert (facts.npu_driver, facts.npu_driver_version) == ("rknpu", "0.9.8")
    assert (facts.mem_total_bytes, facts.mem_available_bytes) == (16334100 << 10, 15000000 << 10)
    assert (facts.kernel, facts.hostname) == ("6.1.43-rockchip-rk3588", "orangepi5plus")
    assert facts.os == "Orange Pi 1.0.8 Jammy"
    assert facts.mac == "00:e0:4c:68:00:01"
    assert facts.identity is not None
    assert facts.identity.startswith("serial:")
    assert "c3d9b8674f4b94f6" not in json.dumps(facts.to_json())
    assert "0123456789abcdef" not in json.dumps(facts.to_json())
    assert not facts.simulated


def test_mainline_board_cannot_run_rkllm(session: SshSession, tmp_path: Path) -> None:
    facts = probe_board(session, str(mainline(tmp_path)))
    assert (facts.npu_driver, facts.npu_driver_version, facts.npu_cores) == ("rocket", None, 3)
    assert facts.identity is not None
    assert facts.identity.startswith("machine:")


def test_cloned_cards_are_told_apart(session: SshSession, tmp_path: Path) -> None:
    first = probe_board(session, str(mainline(tmp_path / "one")))
    (mainline(tmp_path / "two") / "sys/class/net/eth0/address").write_text("00:e0:4c:68:00:03\n")
    second = probe_board(session, str(tmp_path / "two"))
    assert first.machine_id_sha256 == second.machine_id_sha256
    assert first.identity != second.identity


def test_machine_id_alone_is_no_identity(session: SshSession, tmp_path: Path) -> None:
    assert probe_board(session, str(write_tree(tmp_path, {"etc/machine-id": "abc\n"}))).identity is None


def test_empty_sysroot_is_all_unknown(session: SshSession, tmp_path: Path) -> None:
    facts = probe_board(session, str(tmp_path))
    for name in ("model", "name", "soc", "npu_cores", "npu_driver", "kernel", "mem_total_bytes", "identity"):
        assert getattr(facts, name) is None, name
    assert facts.cpu_count is None
    assert facts.title is None


def test_simulated_mark(session: SshSession, tmp_path: Path) -> None:
    tree = write_tree(tmp_path, {"etc/rkdeck-simulated": "An imaginary board.\n"})
    facts = probe_board(session, str(tree))
    assert (facts.simulated, facts.simulated_text) == (True, "An imaginary board.")


def test_empty_simulated_mark_counts(session: SshSession, tmp_path: Path) -> None:
    assert probe_board(session, str(write_tree(tmp_path, {"etc/rkdeck-simulated": ""}))).simulated


def test_real_account(session: SshSession, server: SshServer) -> None:
    facts = probe_board(session)
    assert facts.user == getpass.getuser()
    assert facts.home == str(server.home)
    assert facts.kernel == os.uname().release
    assert facts.cpu_count == os.cpu_count()
    assert facts.mem_total_bytes == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert facts.mounts
    assert not facts.simulated
    assert facts.missing_tools == ()
    assert facts.sudo in {"passwordless", "password", "none"}
    home_mount = facts.mount_of(str(server.home))
    assert home_mount is not None
    usage = os.statvfs(server.home)
    assert home_mount.total_bytes == pytest.approx(usage.f_blocks * usage.f_frsize, rel=0.01)
    assert home_mount.free_bytes == pytest.approx(usage.f_bavail * usage.f_frsize, rel=0.2)
    if facts.store_proposal is not None:
        parent = Path(facts.store_proposal).parent
        assert os.access(parent, os.W_OK)


def test_hostile_board_is_only_text(session: SshSession, tmp_path: Path) -> None:
    facts = probe_board(session, str(hostile(tmp_path)))
    text = json.dumps(facts.to_json(), ensure_ascii=False)
    assert not any(character in text for character in "\x1b\x07\u202e\n")
    assert not Path("/tmp/owned").exists()
    assert facts.simulated is False  # a line inside a value is no line of the script
    assert facts.soc == "rk3588"
    assert facts.npu_cores is not None
    assert [(runtime.name, runtime.simulated) for runtime in facts.runtimes] == [("r\\x1b[2J", False)]
    assert len(text) < 20_000


def test_runtimes_describe_themselves(session: SshSession, tmp_path: Path) -> None:
    folder = tmp_path / "usr/local/lib/rkdeck/runtimes"
    write_tree(
        folder,
        {
            "silent": "#!/bin/sh\n",
            "one": "#!/bin/sh\n[ $1 = describe ] && cat <<E\n"
            '{"name": "rkllm-runtime",\n "version": "1.3.0", "simulated": true, "abi": 1}\nE\n',
            "text": "x",
        },
    )
    for name in ("silent", "one"):
        (folder / name).chmod(0o755)
    facts = probe_board(session, str(tmp_path))
    assert [(found.name, found.version, found.simulated) for found in facts.runtimes] == [
        ("rkllm-runtime", "1.3.0", True)
    ]
    assert facts.runtimes[0].path == str(folder / "one")


def test_library_version_is_read_from_its_text(session: SshSession, tmp_path: Path) -> None:
    content = b"\x7fELF\0\0RKLLM SDK (version: 1.2.3 | target: Linux)\0"
    tree = write_tree(tmp_path, {"usr/lib/librkllmrt.so": content, "usr/local/lib/librkllmrt.so": b"x"})
    found = probe_board(session, str(tree)).libraries
    assert [library.version for library in found] == ["1.2.3", None]


def test_libraries_are_looked_for_where_the_doctor_looks(session: SshSession, tmp_path: Path) -> None:
    content = b"\x7fELF\0\0RKLLM SDK (version: 1.2.3 | target: Linux)\0"
    tree = write_tree(tmp_path, {"usr/lib/librkllmrt.so": content, "opt/rkllm/lib/librkllmrt.so": content})
    (tree / "lib").symlink_to("usr/lib")
    found = probe_board(session, str(tree)).libraries
    assert {library.path.removeprefix(str(tree)) for library in found} == {
        "/usr/lib/librkllmrt.so", "/opt/rkllm/lib/librkllmrt.so",
    }  # fmt: skip


def test_account_without_a_shell(tmp_path: Path, host_keys: HostKeys) -> None:
    with (
        openssh_running(tmp_path, "printf 'This account is \\033[31mnot available\\n' >&2\nexit 1") as server,
        server.connect(host_keys) as session,
        pytest.raises(RKDeckError) as caught,
    ):
        probe_board(session)
    assert caught.value.code == "boards.no_answer"
    assert "\x1b" not in str(caught.value.facts["reason"])


def test_expired_password_is_told(tmp_path: Path, host_keys: HostKeys) -> None:
    """As ubuntu-rockchip images answer before the first password change."""
    with (
        openssh_running(tmp_path, "echo 'WARNING: Your password has expired.'\nexit 1") as server,
        server.connect(host_keys) as session,
        pytest.raises(RKDeckError) as caught,
    ):
        probe_board(session)
    assert caught.value.code == "remote.password_expired"


def run(shell: list[str], root: Path) -> BoardFacts:
    done = subprocess.run([*shell, "-s", "--", str(root)], input=SCRIPT.encode(), capture_output=True)
    assert done.returncode == 0
    assert done.stderr == b""
    return facts_of(parse_lines(done.stdout.decode("utf-8", "replace")))


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_every_shell_says_the_same(shell: list[str], tmp_path: Path) -> None:
    tree = orange_pi(tmp_path)
    ours, reference = run(shell, tree).to_json(), run(["sh"], tree).to_json()
    for value in (ours, reference):
        value.pop("mounts")
        value.pop("store_proposal")
    assert ours == reference


SOCS = {
    "rk3588": ("rk3588", "cm3588", "orangepi", "radxa-rock-5", "khadas", "odroid", "turing"),
    "rk3576": ("rk3576", "omni3576", "flipper"),
    "rk3562": ("rk3562",),
}


@pytest.mark.parametrize(
    "capture",
    sorted(path.parents[2] for path in CAPTURES.glob("*/proc/device-tree/compatible")) or [None],
    ids=lambda path: path.name if path else "none",
)
def test_published_captures(capture: Path | None) -> None:
    if capture is None:
        pytest.skip("the published captures of real boards are not beside the project")
    facts = run(["sh"], capture)
    # The capture of the Orange Pi 5 Pro holds the first entry only: the NPU's address tells the rest.
    assert facts.soc == next(
        soc for soc, parts in SOCS.items() if any(part in capture.name for part in parts)
    )
    if "doogee" not in capture.name and "dxb" not in capture.name and "flipper" not in capture.name:
        assert facts.name is not None


def test_facts_survive_json(tmp_path: Path) -> None:
    facts = run(["sh"], orange_pi(tmp_path))
    assert facts_from_json(json.loads(json.dumps(facts.to_json()))) == facts


def test_a_soc_only_a_later_version_knows_is_no_platform(tmp_path: Path) -> None:
    stored = run(["sh"], orange_pi(tmp_path)).to_json() | {
        "soc": "rk9999",
        "compatibles": ["rockchip,rk9999"],
    }
    facts = facts_from_json(stored)
    assert facts is not None
    assert facts.soc is None
    found = check_board(Examination(facts, depth="probe"))
    assert "doctor.soc_unsupported" in {entry.code for entry in found}


@pytest.mark.parametrize("value", [None, 3, [], {}, {"model": "x"}, {"mounts": 3}])
def test_foreign_json_is_no_facts(value: object) -> None:
    assert facts_from_json(value) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "probe:1\n", "\0\0\0", "end:1\nprobe:1\n", ":\n::\n" * 1000])
def test_other_answers_have_no_end(text: str) -> None:
    assert not parse_lines(text)["end"]
