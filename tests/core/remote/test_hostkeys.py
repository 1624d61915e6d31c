import base64
import subprocess
import sys
from pathlib import Path

import pytest

from core.base.errors import RefusedError, RKDeckError
from core.base.paths import AppPaths
from core.remote.hostkeys import HostKey, HostKeys, host_name
from tests.support.sshd import ROOT, find_program, fingerprint_of, new_key


def key(name: str, kind: str = "ssh-ed25519") -> HostKey:
    return HostKey(kind, b"\0\0\0\x0bssh-ed25519" + name.encode())


@pytest.fixture
def keys(paths: AppPaths) -> HostKeys:
    return HostKeys(paths.known_hosts)


def test_fingerprint_is_the_one_ssh_keygen_shows(tmp_path: Path) -> None:
    public = new_key(tmp_path / "key").with_name("key.pub")
    kind, encoded = public.read_text().split()[:2]
    assert HostKey(kind, base64.b64decode(encoded)).fingerprint == fingerprint_of(public)


def test_unknown_is_refused_and_nothing_is_written(keys: HostKeys, paths: AppPaths) -> None:
    with pytest.raises(RefusedError) as caught:
        keys.check("board", 22, key("a"))
    assert caught.value.code == "remote.host_key_unknown"
    assert caught.value.facts["fingerprint"] == key("a").fingerprint
    assert not paths.known_hosts.exists()


def test_another_fingerprint_than_the_accepted_one_is_refused(keys: HostKeys) -> None:
    with pytest.raises(RefusedError) as caught:
        keys.check("board", 22, key("a"), accept_fingerprint=key("b").fingerprint)
    assert caught.value.code == "remote.host_key_unknown"


def test_accepted_once_known_ever_after(keys: HostKeys, paths: AppPaths) -> None:
    keys.check("Board", 22, key("a"), accept_fingerprint=key("a").fingerprint)
    HostKeys(paths.known_hosts).check("board", 22, key("a"))
    assert paths.known_hosts.stat().st_mode & 0o777 == 0o600


def test_changed_is_refused_with_both_fingerprints_whatever_is_accepted(keys: HostKeys) -> None:
    keys.accept("board", 22, key("a"))
    with pytest.raises(RefusedError) as caught:
        keys.check("board", 22, key("b"), accept_fingerprint=key("b").fingerprint)
    assert caught.value.code == "remote.host_key_changed"
    assert caught.value.facts["fingerprint"] == key("b").fingerprint
    assert caught.value.facts["known_fingerprint"] == key("a").fingerprint


def test_other_type_of_key_of_a_known_server_counts_as_changed(keys: HostKeys) -> None:
    keys.accept("board", 22, key("a"))
    with pytest.raises(RefusedError) as caught:
        keys.check("board", 22, key("b", "ecdsa-sha2-nistp256"))
    assert caught.value.code == "remote.host_key_changed"


def test_ports_are_different_servers(keys: HostKeys, paths: AppPaths) -> None:
    keys.accept("10.0.0.1", 2222, key("a"))
    assert paths.known_hosts.read_text().startswith("[10.0.0.1]:2222 ssh-ed25519 ")
    assert keys.lookup("10.0.0.1", 22) == ()
    assert keys.lookup("10.0.0.1", 2222) == (key("a"),)
    assert host_name("fe80::1", 2222) == "[fe80::1]:2222"


def test_forget_removes_that_server_only(keys: HostKeys, paths: AppPaths) -> None:
    paths.known_hosts.write_text("# mine\n")
    keys.accept("one", 22, key("a"))
    keys.accept("two", 22, key("b"))
    assert keys.forget("one") == 1
    assert keys.forget("one") == 0
    assert keys.lookup("one") == ()
    assert keys.lookup("two") == (key("b"),)
    assert paths.known_hosts.read_text().startswith("# mine\n")


def test_openssh_reads_what_we_write_and_we_read_its_hashes(keys: HostKeys, paths: AppPaths) -> None:
    keys.accept("board", 22, key("a"))
    keygen = find_program("ssh-keygen")
    found = subprocess.run(
        [keygen, "-F", "board", "-f", str(paths.known_hosts)], capture_output=True, text=True
    )
    assert key("a").text in found.stdout
    subprocess.run([keygen, "-H", "-f", str(paths.known_hosts)], capture_output=True, check=True)
    assert "board" not in paths.known_hosts.read_text()
    assert keys.lookup("board") == (key("a"),)
    assert keys.lookup("other") == ()


def test_revoked_key_is_refused(keys: HostKeys, paths: AppPaths) -> None:
    paths.known_hosts.write_text(f"@revoked board {key('a').text}\n")
    with pytest.raises(RefusedError) as caught:
        keys.check("board", 22, key("a"), accept_fingerprint=key("a").fingerprint)
    assert caught.value.code == "remote.host_key_revoked"


@pytest.mark.parametrize("text", ["board\n", "board ssh-ed25519 not*base64\n", "\xff\xfe\n"])
def test_damaged_file_is_an_error_not_an_empty_file(keys: HostKeys, paths: AppPaths, text: str) -> None:
    paths.known_hosts.write_bytes(text.encode("latin-1"))
    with pytest.raises(RKDeckError) as caught:
        keys.check("board", 22, key("a"))
    assert caught.value.code == "remote.known_hosts_damaged"


_ACCEPT_SOME = """
import sys
from pathlib import Path
from core.remote.hostkeys import HostKey, HostKeys
for number in range(int(sys.argv[2]), int(sys.argv[2]) + 20):
    HostKeys(Path(sys.argv[1])).accept(f"host{number}", 22, HostKey("ssh-ed25519", b"%d" % number))
"""


def test_two_processes_lose_nothing(keys: HostKeys, paths: AppPaths) -> None:
    workers = [
        subprocess.Popen([sys.executable, "-c", _ACCEPT_SOME, str(paths.known_hosts), start], cwd=ROOT)
        for start in ("0", "100")
    ]
    assert [worker.wait(timeout=60) for worker in workers] == [0, 0]
    assert len(paths.known_hosts.read_text().splitlines()) == 40
    assert keys.lookup("host119") == (HostKey("ssh-ed25519", b"119"),)
