"""The registry, the store's path and the disks."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.database import Database
from core.base.errors import RefusedError, UsageError
from core.base.paths import AppPaths
from core.boards.address import split_address
from core.boards.connect import connect, target_of
from core.boards.disks import mounts_of
from core.boards.facts import BoardFacts, Mount
from core.boards.probe import facts_of, parse_lines
from core.boards.records import Board
from core.boards.registry import BoardRegistry
from core.boards.store import check_store_path, propose_store
from core.remote.hostkeys import HostKeys
from core.vendor.boards import board_name
from tests.support.sshd import SshServer

GIB = 1 << 30


@pytest.fixture
def registry(paths: AppPaths) -> Iterator[BoardRegistry]:
    with closing(Database(paths.database_file)) as database:
        yield BoardRegistry(database)


def facts(identity: str | None = "serial:1", store: str | None = "/mnt/nvme/rkdeck-store") -> BoardFacts:
    return replace(facts_of(parse_lines("probe:1\nend:1")), identity=identity, store_proposal=store)


def test_board_comes_back_as_it_was(registry: BoardRegistry, tmp_path: Path) -> None:
    board = Board("kitchen", "10.0.0.2", 2222, "pi", tmp_path / "key", "/srv/models", "/root of it")
    added = registry.add(board)
    assert registry.get("kitchen") == added == replace(board, added_unix_s=added.added_unix_s)
    assert registry.list() == [added]
    assert "facts" in added.to_json()
    assert registry.remove("kitchen") == added
    assert registry.list() == []


def test_same_name_twice(registry: BoardRegistry) -> None:
    registry.add(Board("a", "h"))
    with pytest.raises(UsageError) as caught:
        registry.add(Board("a", "other"))
    assert caught.value.code == "boards.exists"


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "a b", "a\n", "é", "x" * 64])
def test_bad_names(registry: BoardRegistry, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        registry.add(Board(name, "h"))
    assert caught.value.code == "boards.bad_name"


def test_unknown_board_names_the_known_ones(registry: BoardRegistry) -> None:
    registry.add(Board("a", "h"))
    for action in (registry.get, registry.remove):
        with pytest.raises(UsageError) as caught:
            action("b")
        assert (caught.value.code, caught.value.facts["known"]) == ("boards.unknown", "a")


def test_probe_fills_what_is_missing_and_keeps_what_was_chosen(registry: BoardRegistry) -> None:
    registry.add(Board("a", "h"))
    registry.add(Board("b", "h", store="/chosen"))
    assert registry.remember("a", facts()).store == "/mnt/nvme/rkdeck-store"
    assert registry.remember("b", facts()).store == "/chosen"
    assert registry.get("a").facts == facts()
    assert [board.name for board in registry.with_identity("serial:1")] == ["a", "b"]
    assert registry.with_identity(None) == []


def test_other_hardware_at_the_same_address_is_noticed(registry: BoardRegistry) -> None:
    registry.add(Board("a", "h"))
    registry.remember("a", facts("serial:1"))
    registry.remember("a", facts(None))
    with pytest.raises(RefusedError) as caught:
        registry.remember("a", facts("serial:2"))
    assert caught.value.code == "boards.other_hardware"
    assert registry.remember("a", facts("serial:2"), replaced=True).identity == "serial:2"


def test_store_can_be_changed(registry: BoardRegistry) -> None:
    registry.add(Board("a", "h"))
    assert registry.set_store("a", "/mnt/x/").store == "/mnt/x"
    with pytest.raises(UsageError):
        registry.set_store("a", "relative")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.2", (None, "10.0.0.2", None)),
        ("pi@board.local:2222", ("pi", "board.local", 2222)),
        ("fe80::1%eth0", (None, "fe80::1%eth0", None)),
        ("root@[fe80::1]:2222", ("root", "fe80::1", 2222)),
    ],
)
def test_addresses(text: str, expected: tuple[str | None, str, int]) -> None:
    assert split_address(text) == expected


@pytest.mark.parametrize("text", ["", "@", "a@", "@h", "h:99999", "h:x", "-oProxyCommand=x", "a b", "h\n"])
def test_hostile_addresses(text: str) -> None:
    with pytest.raises(UsageError):
        split_address(text)


@pytest.mark.parametrize(
    "path",
    ["", "/", "//", "relative", "/a/../b", "/a'b", "/a\nb", "/a$HOME", "/a`id`", "/a\\b", "/" + "x" * 600],
)
def test_folders_that_cannot_be_a_store(path: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_store_path(path)
    assert caught.value.code == "boards.bad_store"


def mount(path: str, free_gib: float, filesystem: str = "ext4", *, writable: bool = True) -> Mount:
    return Mount(path, "/dev/x", filesystem, "disk", writable, 100 * GIB, int(free_gib * GIB))


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ([mount("/", 20, writable=False)], "/home/pi/rkdeck-store"),
        ([mount("/", 20, writable=False), mount("/mnt/nvme", 400)], "/mnt/nvme/rkdeck-store"),
        ([mount("/", 20, writable=False), mount("/mnt/nvme", 400, writable=False)], "/home/pi/rkdeck-store"),
        ([mount("/", 20, writable=False), mount("/tmp", 900, "tmpfs")], "/home/pi/rkdeck-store"),
        ([mount("/", 20, writable=False), mount("/media/stick", 900, "vfat")], "/home/pi/rkdeck-store"),
        ([mount("/", 20, writable=False), mount("/boot/extra", 900)], "/home/pi/rkdeck-store"),
        ([mount("/", 20, writable=False), mount("/mnt/it's", 10)], "/home/pi/rkdeck-store"),
        ([mount("/", 20, "overlay", writable=True)], "/home/pi/rkdeck-store"),
        ([mount("/tmp", 9, "tmpfs")], None),
        ([], None),
    ],
)
def test_store_proposal(mounts: list[Mount], expected: str | None) -> None:
    assert propose_store(tuple(mounts), "/home/pi", "/", home_writable=True) == expected


def test_nothing_writable_proposes_nothing() -> None:
    assert propose_store((mount("/", 20, writable=False),), "/home/pi", "/", home_writable=False) is None


def test_disks_are_read_with_their_medium() -> None:
    lines = parse_lines(
        "mmc:mmcblk0 MMC\nmmc:mmcblk1 SD\n"
        "mount:- /dev/mmcblk0p2 ext4 rw,noatime / /dev/mmcblk0p2 30000000 20000000 10000000 67% / \n"
        "mount:w /dev/mmcblk1p1 exfat rw /media/a\\040b /dev/mmcblk1p1 100 40 60 40% /media/a b \n"
        "mount:w /dev/nvme0n1p1 ext4 rw /mnt/nvme /dev/nvme0n1p1 500 100 -5 101% /mnt/nvme \n"
        "mount:w /dev/nvme1n1 ext4 ro /mnt/ro /dev/nvme1n1 500 100 400 20% /mnt/ro \n"
        "mount:w overlay overlay rw /merged overlay 500 100 400 20% /merged \n"
        "mount:w tmpfs tmpfs rw /tmp tmpfs 500 100 400 20% /tmp \n"
        "mount:w /dev/sda1 ext4 rw /mnt/usb\n"
        "mount:w x ext4 rw /evil\\012line x 5 1 4 2% / \n"
        "mount:garbage\nhomedisk:/dev/mmcblk0p2 30000000 20000000 10000000 67% / \n"
    )
    mounts, home = mounts_of(lines)
    found = {entry.path: entry for entry in mounts}
    assert home == "/"
    assert {path: entry.medium for path, entry in found.items()} == {
        "/": "emmc",
        "/media/a b": "sd",
        "/mnt/nvme": "nvme",
        "/mnt/ro": "nvme",
        "/merged": "overlay",
        "/tmp": "tmpfs",
        "/mnt/usb": "disk",
    }
    assert found["/"].free_bytes == 10000000 << 10
    assert found["/mnt/nvme"].free_bytes == 0
    assert not found["/mnt/ro"].writable
    assert found["/mnt/usb"].free_bytes is None


def test_board_names() -> None:
    assert board_name(("friendlyelec,nanopi-r76s", "rockchip,rk3576")) == "NanoPi R76S"
    assert board_name(("friendlyarm,nanopi-r76s",)) == "NanoPi R76S"
    assert board_name(("rockchip,rk3588",)) is None
    assert board_name(()) is None


def test_connect_uses_the_board_and_its_password(server: SshServer, host_keys: HostKeys) -> None:
    board = Board("a", server.host, server.port, server.user, server.key_file)
    with connect(board, host_keys, accept_fingerprint=server.fingerprint) as session:
        assert session.succeeds(["true"])
    target = target_of(board, "geheim")
    assert target.password == "geheim"
    assert "geheim" not in repr(target)
