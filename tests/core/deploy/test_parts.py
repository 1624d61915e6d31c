"""GGUF models, in one file and in parts, on boards without anything of Rockchip's."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from core.base.database import Database
from core.base.digest import sha256_of
from core.base.errors import RefusedError, RKDeckError
from core.base.paths import AppPaths
from core.boards.records import Board
from core.boards.registry import BoardRegistry
from core.deploy.adopting import adopt, find_files
from core.deploy.deployments import list_versions, read_store, rollback, undeploy, verify_blob
from core.deploy.layout import DeployedFile, Deployment, Origin, read_manifest
from core.deploy.pruning import prune
from core.fitness.gguf_rules import MOST_PARTS
from core.fitness.sight import look_over
from core.library.library import Library
from core.remote.session import SshSession
from core.vendor.kinds import model_kinds
from tests.core.boards.trees import write_tree
from tests.core.deploy.models import real_file
from tests.core.deploy.site import Site, site
from tests.support.gguf_files import write_parts
from tests.support.sshd import openssh

_MEMORY = "MemTotal: 4000000 kB\nMemAvailable: 3500000 kB\n"
# What the probe reads; a mainline kernel in each.
TREES: dict[str, dict[str, str | bytes]] = {
    "rk3566": {
        "proc/device-tree/compatible": b"radxa,zero3\0rockchip,rk3566\0", "proc/sys/kernel/arch": "aarch64\n",
        "proc/sys/kernel/osrelease": "6.18.2\n", "proc/meminfo": _MEMORY,
    },
    "x86": {
        "proc/sys/kernel/arch": "x86_64\n", "proc/sys/kernel/osrelease": "6.1.0-28-amd64\n", "proc/meminfo": _MEMORY,
    },
}  # fmt: skip


@pytest.fixture(params=TREES)
def plain(request: pytest.FixtureRequest, paths: AppPaths, tmp_path: Path) -> Iterator[Site]:
    """An account on a computer that RKLLM knows nothing of."""
    sysroot = write_tree(tmp_path / "board/root", TREES[request.param])
    with (
        openssh(tmp_path / "server") as server,
        site(paths, server, tmp_path / "board/store", sysroot) as ready,
    ):
        yield ready


def blobs(plain: Site) -> list[str]:
    return sorted(path.name for path in (plain.store / "blobs").glob("*"))


def versions(session: SshSession, plain: Site) -> list[Deployment]:
    return list_versions(session, str(plain.store))


def deploy_two_versions(plain: Site, tmp_path: Path) -> None:
    """Of "m", in parts; nothing of one is in the other."""
    for fill, name in ((1, "old"), (2, "new")):
        (tmp_path / name).mkdir()
        plain.deploy(write_parts(tmp_path / name, fill=fill)[0], name="m")


def test_a_gguf_goes_to_any_computer_without_force(plain: Site, tmp_path: Path) -> None:
    (file,) = write_parts(tmp_path, count=1)
    result = plain.deploy(file)
    assert result["path"] == f"{plain.store}/blobs/{sha256_of(file)}.gguf"
    with plain.connect() as session:
        (found,) = versions(session, plain)
    assert (found.kind.name, found.parts, found.max_context) == ("gguf", (), 8192)
    assert "parts" not in found.manifest()


def test_an_rkllm_file_does_not(plain: Site, tmp_path: Path) -> None:
    with pytest.raises(RefusedError) as caught:
        plain.deploy(real_file(tmp_path / "m_rk3588.rkllm"))
    assert caught.value.code in {"doctor.soc_unsupported", "doctor.soc_none"}


def test_all_parts_arrive_and_are_one_version(plain: Site, tmp_path: Path) -> None:
    parts = write_parts(tmp_path)
    result = plain.deploy(parts[1])  # any of them stands for all
    assert result["name"] == "Tiny"
    assert result["size_bytes"] == result["bytes_sent"] == sum(part.stat().st_size for part in parts)
    with plain.connect() as session:
        (found,) = versions(session, plain)
        assert verify_blob(session, found)
        Path(found.model_paths[2]).write_bytes(b"another")
        assert not verify_blob(session, found)
    assert [part.name for part in found.parts] == [part.name for part in parts]
    assert [part.sha256 for part in found.parts] == [sha256_of(part) for part in parts]
    assert found.path == found.model_paths[0] == result["path"]
    assert blobs(plain) == sorted(Path(path).name for path in found.model_paths)


def test_a_second_time_only_what_is_missing_is_sent(plain: Site, tmp_path: Path) -> None:
    parts = write_parts(tmp_path)
    first = plain.deploy(parts[0])
    blob = plain.store / "blobs" / f"{sha256_of(parts[1])}.gguf"
    kept = blob.read_bytes()
    blob.rename(plain.store / "incoming" / f"{sha256_of(parts[1])}.partial")
    with (plain.store / "incoming" / f"{sha256_of(parts[1])}.partial").open("r+b") as file:
        file.truncate(30_000)
    again = plain.deploy(parts[0])
    assert (again["bytes_sent"], again["resumed_from_bytes"]) == (len(kept) - 30_000, 30_000)
    assert (again["path"], blob.read_bytes()) == (first["path"], kept)
    with plain.connect() as session:
        assert len(versions(session, plain)) == 1


def test_a_version_with_a_part_that_is_gone_does_not_become_current(plain: Site, tmp_path: Path) -> None:
    deploy_two_versions(plain, tmp_path)
    with plain.connect() as session:
        before, after = versions(session, plain)
        assert (before.current, after.current) == (False, True)
        Path(before.model_paths[2]).unlink()
        with pytest.raises(RKDeckError) as caught:
            rollback(session, str(plain.store), "m")
        assert caught.value.code == "deploy.blob_gone"
        assert [found.current for found in versions(session, plain)] == [False, True]


def test_parts_are_pruned_and_removed_together(plain: Site, tmp_path: Path) -> None:
    deploy_two_versions(plain, tmp_path)
    with plain.connect() as session:
        _, kept = versions(session, plain)
        done = prune(session, str(plain.store), 1)
        assert len(done.blobs) == 3
        assert blobs(plain) == sorted(Path(path).name for path in kept.model_paths)
        undeploy(session, str(plain.store), "m")
    assert blobs(plain) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("gone", "doctor.model_parts_missing"),
        ("another", "doctor.model_parts_other"),
        ("swapped", "doctor.model_parts_differ"),
        ("page", "deploy.not_a_model"),
        ("cut", "deploy.damaged_file"),
    ],
)
def test_a_set_that_is_none_is_refused_before_anything_is_sent(
    plain: Site, tmp_path: Path, change: str, code: str
) -> None:
    parts = write_parts(tmp_path)
    if change == "gone":
        parts[1].unlink()
    elif change == "another":
        (tmp_path / "other").mkdir()
        write_parts(tmp_path / "other", count=5)[1].rename(parts[1])
        parts[1].write_bytes(
            parts[1].read_bytes().replace(b"split.count\4\0\0\0\5", b"split.count\4\0\0\0\3")
        )
    elif change == "swapped":
        held = parts[1].read_bytes()
        parts[1].write_bytes(parts[2].read_bytes())
        parts[2].write_bytes(held)
    elif change == "page":
        parts[1].write_text("<!doctype html><html>sign in</html>")
    else:
        parts[1].write_bytes(parts[1].read_bytes()[:40_000])
    with pytest.raises(RefusedError) as caught:
        plain.deploy(parts[0])
    assert caught.value.code == code
    assert blobs(plain) == []


def test_parts_on_the_board_are_found_and_adopted_as_one(plain: Site, tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    parts = write_parts(folder)
    with plain.connect() as session, closing(Database(tmp_path / "own.sqlite")) as database:
        seen = look_over(session, plain.board)
        (listed,) = find_files(session, str(folder))
        assert (listed.path, listed.size_bytes) == (str(parts[0]), sum(part.stat().st_size for part in parts))
        known = Library(database, tmp_path / "library")
        found = adopt(session, seen, str(parts[2]), board="bench", library=known)
        assert read_store(session, str(plain.store)).versions == (found,)
        assert (found.name, len(found.parts)) == ("Tiny", 3)
        assert [Path(path).read_bytes() for path in found.model_paths] == [
            part.read_bytes() for part in parts
        ]
        parts[1].unlink()
        with pytest.raises(RefusedError) as caught:
            adopt(session, seen, str(parts[0]), board="bench", library=known)
    assert caught.value.code == "doctor.model_parts_missing"
    assert parts[1].name in str(caught.value.facts["names"])


def _deployment(count: int) -> Deployment:
    digests = [f"{number:064x}" for number in range(count)]
    parts = tuple(DeployedFile(f"{'n' * 40}-{digest[-5:]}.gguf", digest, 1 << 40) for digest in digests)
    return Deployment(
        name="m", version="20261129T120000Z-000000000000", kind=model_kinds()["gguf"],
        path=f"/s/blobs/{digests[0]}.gguf", sha256=digests[0], size_bytes=count << 40, dtype=None, platform=None,
        simulated=False, title="n" * 200, parts=parts,
        origin=Origin(files=tuple(DeployedFile(f"tokenizer_{n}.json", digests[0], 1 << 20) for n in range(13))),
    )  # fmt: skip


def test_a_manifest_of_the_most_parts_is_read_back() -> None:
    sent = _deployment(MOST_PARTS)
    text = json.dumps(sent.manifest())
    assert len(text) < 16384
    assert read_manifest(text, "/s", sent.name, sent.version, current=True) == sent


@pytest.mark.parametrize(
    "parts",
    [
        "none", [{"name": "x"}], [{"name": "../x", "sha256": "0" * 64, "size_bytes": 3 << 40}],
        [{"name": "x.gguf", "sha256": "1" * 64, "size_bytes": 3 << 40}],
        [{"name": "x.gguf", "sha256": "0" * 64, "size_bytes": 7}], [{}] * 1000,
    ],
)  # fmt: skip
def test_a_manifest_whose_parts_make_no_sense_is_none(parts: object) -> None:
    sent = _deployment(3)
    text = json.dumps({**sent.manifest(), "parts": parts})
    assert read_manifest(text, "/s", sent.name, sent.version, current=True) is None


def test_a_computer_without_a_chip_is_remembered_as_one(plain: Site, tmp_path: Path) -> None:
    plain.deploy(write_parts(tmp_path)[0])
    with closing(Database(plain.paths.database_file)) as database:
        board: Board = BoardRegistry(database).get("bench")
    assert board.facts is not None
    assert (board.facts.soc, board.facts.npu_driver) == (None, None)
