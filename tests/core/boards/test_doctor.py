"""The doctor's findings, their words, and its remedies on a real account."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.errors import RefusedError, RKDeckError
from core.boards.doctor.applying import run_commands
from core.boards.doctor.examination import DeviceNode, Examination, RuntimeLibrary, Tenant
from core.boards.doctor.findings import Finding, finding, overall
from core.boards.doctor.library_file import read_library
from core.boards.doctor.reading import examine_board
from core.boards.doctor.remedies import way_of
from core.boards.doctor.rules import check_board
from core.boards.facts import Library, Mount, RuntimeInfo, facts_from_json
from core.remote.session import SshSession
from core.words import messages, word
from tests.core.boards.test_doctor_table import OWN, examine
from tests.core.boards.trees import (
    TREES,
    buildroot_of_rk3562,
    cut_down,
    orange_pi,
    user_of_rk3576,
    write_tree,
)
from tests.support.libraries import library_bytes

CORE = Path(__file__).parents[3] / "core"


def found(seen: Examination, check: str) -> Finding:
    return next(entry for entry in check_board(seen) if entry.check == check)


def codes(seen: Examination) -> set[str]:
    return {entry.code for entry in check_board(seen)}


def test_every_code_has_words_and_every_word_a_code() -> None:
    text = "".join(path.read_text("utf-8") for path in CORE.rglob("*.py") if "wording" not in path.parts)
    used = set(re.findall(r'"(doctor\.[a-z0-9_]+)"', text)) | {
        f"doctor.fix_{name}" for name in ("groups", "open_files", "performance", "library")
    }
    assert used - {"doctor.toml"} == {code for code in messages() if code.startswith("doctor.")}


@pytest.mark.parametrize("name", OWN)
def test_words_use_only_what_a_finding_tells(name: str, tmp_path: Path) -> None:
    for entry in check_board(examine(TREES[name](tmp_path), store=str(tmp_path / "store"))):
        for template in messages()[entry.code]:
            assert set(re.findall(r"\{(\w+)\}", template)) <= set(entry.facts), entry.code
        assert word(entry.statement)[0]


def test_a_board_in_need(tmp_path: Path) -> None:
    """What an ordinary user of a fresh RK3576 image meets, all at once."""
    seen = examine(user_of_rk3576(tmp_path))
    if os.geteuid() == 0:  # root opens every node
        nodes = tuple(replace(node, accessible=False) for node in seen.nodes)
        seen = replace(seen, nodes=nodes, facts=replace(seen.facts, npu_accessible=False))
    seen = replace(
        seen,
        nodes=tuple(replace(node, owner="root", group="render") for node in seen.nodes),
        facts=replace(seen.facts, user="rock", groups=("rock", "sudo"), machine="aarch64"),
        open_files=(1024, 4096),
        is_root=False,
    )
    assert codes(seen) >= {
        "doctor.soc_ok", "doctor.driver_old", "doctor.access_denied", "doctor.library_none", "doctor.memory_low",
        "doctor.memory_kills", "doctor.clock_npu_low", "doctor.clock_capped", "doctor.memory_clock_ok",
        "doctor.heat_high", "doctor.open_files_low", "doctor.npu_load_needs_root", "doctor.tenants_none_seen",
    }  # fmt: skip
    assert found(seen, "clocks").facts == {"now": 300, "most": 950}
    assert seen.throttled == (), "a fan that turns slows nothing down"
    assert seen.swap_bytes == {"zram": 2000000 << 10}
    groups, files = found(seen, "access").remedy, found(seen, "open_files").remedy
    assert groups is not None
    assert groups.commands == ("'usermod' '-a' '-G' 'render' 'rock'",)
    assert groups.undo == ("'gpasswd' '-d' 'rock' 'render'",)
    assert files is not None
    assert files.commands[0].endswith(
        f"'rock - nofile 102400' > '{tmp_path}/etc/security/limits.d/90-rkdeck.conf'"
    )


def test_a_board_that_is_well(tmp_path: Path) -> None:
    tree = orange_pi(tmp_path / "root")
    write_tree(tree, {"usr/lib/librkllmrt.so": library_bytes("1.2.3"), "dev/dri/renderD129": ""})
    write_tree(tree, {"usr/lib/aarch64-linux-gnu/libgomp.so.1": ""})
    store = tmp_path / "store"
    seen = replace(examine(tree, store=str(store)), open_files=(1024, 1048576), is_root=False)
    seen = replace(seen, facts=replace(seen.facts, machine="aarch64"))
    assert found(seen, "library").code == "doctor.library_by_text"
    assert found(seen, "library").facts == {"version": "1.2.3", "path": "/usr/lib/librkllmrt.so"}
    assert {entry.verdict for entry in check_board(seen) if entry.check != "store"} == {"ok"}
    assert overall(entry for entry in check_board(seen) if entry.check != "store") == "ok"


def test_fused_cores_and_heat(tmp_path: Path) -> None:
    cut = found(examine(cut_down(tmp_path / "a")), "soc")
    assert (cut.verdict, cut.facts["cores"], cut.facts["most"]) == ("warning", 2, 3)
    tablet = examine(buildroot_of_rk3562(tmp_path / "b"))
    assert found(tablet, "heat").code == "doctor.heat_throttled"
    assert found(tablet, "clocks").code == "doctor.clocks_full"
    assert tablet.boot_words[0].startswith("[drm] Initialized rknpu 0.8.2")


def test_libraries_are_told_apart(tmp_path: Path) -> None:
    tree = orange_pi(tmp_path)
    known = RuntimeLibrary("/usr/lib/librkllmrt.so", 7, 64, "0" * 40, "1.2.3", None)
    seen = replace(examine(tree), libraries=(known,))
    assert found(seen, "library").code == "doctor.library_ok"
    second = replace(known, path="/opt/x/librkllmrt.so", release="1.1.4")
    assert found(replace(seen, libraries=(known, second)), "library").code == "doctor.library_several"
    silent = replace(known, release=None)
    assert found(replace(seen, libraries=(silent,)), "library").verdict == "unknown"
    small = replace(known, bits=32)
    on_64 = replace(seen, libraries=(small,), facts=replace(seen.facts, machine="aarch64"))
    assert found(on_64, "library").code == "doctor.library_wrong_bits"
    vision = replace(known, path="/usr/lib/librknnrt.so")
    assert found(replace(seen, libraries=(vision,)), "library").code == "doctor.library_none"


def test_a_library_of_the_other_width_beside_the_right_one_is_no_matter(tmp_path: Path) -> None:
    right = RuntimeLibrary("/usr/lib/aarch64-linux-gnu/librkllmrt.so", 7, 64, "0" * 40, "1.1.4", None)
    other = RuntimeLibrary("/usr/lib/arm-linux-gnueabihf/librkllmrt.so", 7, 32, "1" * 40, "1.2.3", None)
    seen = examine(orange_pi(tmp_path))
    both = replace(seen, libraries=(right, other), facts=replace(seen.facts, machine="aarch64"))
    assert found(both, "library").facts == {"version": "1.1.4", "path": right.path}
    assert both.loadable_libraries == (right,)
    on_32 = replace(both, facts=replace(both.facts, machine="armv7l"))
    assert on_32.loadable_libraries == (other,)


def test_a_board_remembers_the_libraries_the_doctor_saw(tmp_path: Path) -> None:
    """The probe looks into fewer places and knows neither exact release nor width: that is what would be remembered."""
    tree = write_tree(
        orange_pi(tmp_path),
        {
            "opt/rkllm/lib/librkllmrt.so": library_bytes("1.2.3"),
            "usr/lib/arm-linux-gnueabihf/librkllmrt.so": library_bytes("1.1.4", machine=40, bits=1),
            "usr/lib/librknnrt.so": library_bytes(None),
            "home/me/librkllmrt.so": library_bytes("1.2.2"),
            "proc/77/maps": f"7f00-7f01 r-xp 0 00:00 0   {tmp_path}/home/me/librkllmrt.so\n",
        },
    )
    seen = examine(tree)
    assert set(seen.facts.libraries) == {
        Library(entry.path, entry.version, entry.bits) for entry in seen.rkllm_libraries
    }
    assert {(entry.version, entry.bits) for entry in seen.facts.libraries} == {
        ("1.2.3", 64), ("1.1.4", 32), ("1.2.2", 64),
    }  # fmt: skip
    assert facts_from_json(seen.facts.to_json()) == seen.facts


def test_blob_ids_name_releases_exactly(tmp_path: Path) -> None:
    """The board computes git's id with what a busybox has; the table holds the vendor's."""
    content = library_bytes("1.2.3")
    seen = examine(write_tree(tmp_path / "a b", {"usr/lib/librkllmrt.so": content}))
    assert seen.libraries[0].blob == read_library(tmp_path / "a b/usr/lib/librkllmrt.so").blob
    assert (seen.libraries[0].bits, seen.libraries[0].size_bytes) == (64, len(content))


def test_a_library_of_terabytes_is_not_read(tmp_path: Path) -> None:
    tree = write_tree(orange_pi(tmp_path), {"usr/lib/librkllmrt.so": library_bytes("1.2.3")})
    with (tree / "usr/lib/librkllmrt.so").open("r+b") as file:
        file.truncate(1 << 40)
    assert examine(tree).libraries == ()
    (tree / "usr/local/lib").mkdir(parents=True)
    os.mkfifo(tree / "usr/local/lib/librkllmrt.so")
    assert examine(tree).libraries == (), "a pipe is no library, and nobody waits for it"


def test_who_holds_the_npu(tmp_path: Path) -> None:
    maps = "7f00-7f01 r-xp 0 00:00 0   /usr/lib/librkllmrt.so\n"
    tree = write_tree(
        orange_pi(tmp_path / "root"),
        {
            "proc/77/maps": maps,
            "proc/77/status": "Name:\tmy server\nUid:\t1000\t1000\nVmRSS:\t 2048 kB\n",
            "proc/77/cmdline": b"python3\0rkllama_server\0",
            "proc/78/status": "Name:\tpython3\nUid:\t1001\t1001\n",
            "proc/78/cmdline": b"python3\0/opt/rkllama/server.py\0",
            "proc/79/cmdline": b"sleep\0",
        },
    )
    seen = examine(tree)
    assert seen.tenants == (
        Tenant(77, "my server", "maps", 1000, 2 << 20, ours=False),
        Tenant(78, "python3", "name", 1001, None, ours=False),
    )
    assert {"doctor.tenants_other", "doctor.tenants_maybe"} <= codes(seen)
    assert not {"doctor.tenants_none", "doctor.tenants_none_seen"} & codes(seen)


def test_what_rkdeck_serves_is_no_stranger(tmp_path: Path) -> None:
    store, pid = tmp_path / "store", os.getpid()
    write_tree(
        store / "run/serving",
        {"state.json": f'{{"pid": {pid}}}', "deployment.json": '{"name": "Tiny $(reboot)"}'},
    )
    tree = orange_pi(tmp_path / "root")
    write_tree(tree, {f"proc/{pid}/maps": "x /usr/lib/librkllmrt.so\n", f"proc/{pid}/status": "Name:\tr\n"})
    seen = examine(tree, store=str(store))
    assert seen.serving == "Tiny $(reboot)"
    assert [tenant.ours for tenant in seen.tenants] == [True]
    assert found(seen, "tenants").code == "doctor.tenants_ours"


@pytest.mark.parametrize(
    ("mount", "writable", "code"),
    [
        (Mount("/x", "/dev/nvme0n1", "ext4", "nvme", True, 100 << 30, 50 << 30), True, "doctor.store_ok"),
        (Mount("/x", "tmpfs", "tmpfs", "tmpfs", True, 4 << 30, 4 << 30), True, "doctor.store_in_memory"),
        (Mount("/x", "overlay", "overlay", "overlay", True, 9 << 30, 9 << 30), True, "doctor.store_overlay"),
        (Mount("/x", "/dev/mmcblk1", "ext4", "sd", False, 9 << 30, 9 << 30), False, "doctor.store_read_only"),
        (Mount("/x", "/dev/mmcblk1", "ext4", "sd", True, 9 << 30, 1 << 30), True, "doctor.store_full"),
    ],
    ids=lambda value: value.medium if isinstance(value, Mount) else str(value),
)
def test_the_disk_of_the_models(mount: Mount, writable: bool, code: str, tmp_path: Path) -> None:
    seen = examine(orange_pi(tmp_path), store=str(tmp_path / "store"))
    assert seen.store is not None
    place = replace(seen.store, mount=mount, writable=writable, free_bytes=mount.free_bytes)
    assert found(replace(seen, store=place), "store").code == code


def test_without_a_store(tmp_path: Path) -> None:
    assert found(examine(orange_pi(tmp_path)), "store").verdict == "failed"


def test_simulated_board_says_so(tmp_path: Path) -> None:
    seen = examine(write_tree(orange_pi(tmp_path), {"etc/rkdeck-simulated": "Imaginary.\n"}))
    stand_in = RuntimeInfo("rkllm-runtime-simulated", "1.3.0", "/x", simulated=True)
    seen = replace(seen, facts=replace(seen.facts, runtimes=(stand_in,)))
    assert {"doctor.simulated", "doctor.runtime_simulated"} <= codes(seen)
    assert "doctor.library_none" not in codes(seen)


def test_what_it_comes_to() -> None:
    fine, poor = finding("a", "ok", "doctor.heat_ok"), finding("b", "warning", "doctor.heat_high")
    bad, blind = (
        finding("c", "failed", "doctor.store_none"),
        finding("driver", "unknown", "doctor.kernel_unknown"),
    )
    assert overall([fine]) == "ok"
    assert overall([fine, poor]) == "warning"
    assert overall([poor, blind]) == "unknown", "with an unknown driver nothing is promised"
    assert overall([poor, blind, bad]) == "failed"
    assert overall([fine, finding("access", "unknown", "doctor.access_no_node")]) == "warning"


def test_one_round_trip(session: SshSession, tmp_path: Path) -> None:
    seen = examine_board(session, str(orange_pi(tmp_path / "root")), str(tmp_path / "not/there/yet"))
    assert seen.facts.npu_driver_version == "0.9.8"
    assert seen.store is not None
    assert seen.store.writable == os.access(tmp_path, os.W_OK)
    assert seen.store.free_bytes is not None
    assert not (tmp_path / "not").exists(), "the doctor changes nothing"


def test_full_speed_and_back(session: SshSession, tmp_path: Path) -> None:
    tree = user_of_rk3576(tmp_path / "it's a board")
    seen = examine_board(session, str(tree))
    remedy = found(seen, "clocks").remedy
    assert remedy is not None
    assert not remedy.as_root, "this account may write the files itself"
    files = sorted(tree.rglob("*governor"))
    before = [file.read_text() for file in files]
    run_commands(session, remedy.commands, as_root=False)
    assert {file.read_text() for file in files} == {"performance\n"}
    assert found(examine_board(session, str(tree)), "clocks").remedy is None
    run_commands(session, remedy.undo, as_root=False)
    assert [file.read_text() for file in files] == before


def test_commands_stop_at_the_first_that_fails(session: SshSession, tmp_path: Path) -> None:
    with pytest.raises(RKDeckError) as caught:
        run_commands(
            session, [f"echo 1 > '{tmp_path}/a'", "ls /not/there", f"echo 1 > '{tmp_path}/b'"], as_root=False
        )
    assert caught.value.code == "doctor.fix_failed"
    assert "not/there" in str(caught.value.facts["reason"])
    assert ((tmp_path / "a").exists(), (tmp_path / "b").exists()) == (True, False)


def test_ways_to_become_root(tmp_path: Path) -> None:
    seen = replace(examine(orange_pi(tmp_path)), is_root=False)
    for sudo, way in {"passwordless": "sudo", "password": "sudo_password", "none": "impossible"}.items():
        assert way_of(replace(seen, facts=replace(seen.facts, sudo=sudo)), as_root=True) == way
    assert way_of(seen, as_root=False) == "direct"
    assert way_of(replace(seen, is_root=True), as_root=True) == "direct"


def test_nodes_for_root_alone(tmp_path: Path) -> None:
    seen = replace(examine(orange_pi(tmp_path)), is_root=False)
    only_root = replace(seen, nodes=(DeviceNode("/dev/rknpu", "crw-------", "root", "root", False),))
    assert found(only_root, "access").code == "doctor.access_root_only"
    assert found(only_root, "access").remedy is None


class TestLibraryFile:
    def test_a_library(self, tmp_path: Path) -> None:
        path = tmp_path / "librkllmrt.so"
        path.write_bytes(library_bytes("1.2.1b1"))
        library = read_library(path)
        assert (library.version, library.release, library.machine) == ("1.2.1b1", None, 183)
        assert library.folder_name == f"1.2.1b1-{library.blob[:8]}"
        library.check_machine("aarch64")
        library.check_machine(None)
        with pytest.raises(RefusedError) as caught:
            library.check_machine("armv7l")
        assert caught.value.code == "doctor.library_for_other_cpu"

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\x7fELF",
            library_bytes("1.3.0", machine=62),
            library_bytes(None),
            b"RKLLM SDK (version: 1.2.3",
        ],
        ids=["empty", "short", "x86", "other library", "no ELF"],
    )
    def test_no_library(self, content: bytes, tmp_path: Path) -> None:
        path = tmp_path / "x.so"
        path.write_bytes(content)
        with pytest.raises(RefusedError) as caught:
            read_library(path)
        assert caught.value.code == "doctor.not_a_library"

    def test_a_pipe_or_nothing(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for name in ("pipe", "nothing", ""):
            with pytest.raises(RefusedError):
                read_library(tmp_path / name)
