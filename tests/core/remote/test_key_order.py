"""Whatever ssh logs in with, so does RKDeck: real agents, real keys and certificates, the same settings for both."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.base.errors import RKDeckError
from core.remote.hostkeys import HostKeys
from core.remote.identities import public_key
from core.remote.session import SshSession
from core.remote.sshconfig import settings_for, with_config
from core.remote.target import SshTarget
from core.words import word
from tests.support.sshd import SshServer, find_program, new_key, openssh

PASSPHRASE = "open sesame"


@contextmanager
def agent(listening: Path) -> Iterator[Path]:
    process = subprocess.Popen(
        [find_program("ssh-agent"), "-D", "-a", str(listening)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()  # it says where it listens when it does
        try:
            yield listening
        finally:
            process.terminate()
            process.wait()


def load(listening: Path, key: Path, *options: str, passphrase: str = "") -> None:
    ask = key.with_name("ask")
    ask.write_text(f"#!/bin/sh\necho '{passphrase}'\n")
    ask.chmod(0o700)
    environment = {
        **os.environ, "SSH_AUTH_SOCK": str(listening), "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force",
    }  # fmt: skip
    subprocess.run([find_program("ssh-add"), "-q", *options, str(key)], check=True, env=environment)


@dataclass(frozen=True)
class Desk:
    """A computer with keys, an agent and settings, and a server that lets in one key."""

    server: SshServer
    folder: Path
    keys: Path
    agent: Path
    host_keys: HostKeys

    @property
    def right(self) -> Path:
        """The key the server lets in; in `keys` under the name `right`."""
        return self.keys / "right"

    @property
    def config(self) -> Path:
        return self.folder / "config"

    def settings(self, text: str) -> None:
        self.config.write_text(
            f"Host board\n HostName 127.0.0.1\n Port {self.server.port}\n {text.strip()}\n"
        )

    def ssh(self) -> bool:
        """Whether OpenSSH's own client gets in."""
        known = self.folder / "known"
        public = (self.server.key_file.parent / "host_key.pub").read_text()
        known.write_text(f"[127.0.0.1]:{self.server.port} {public}")
        done = subprocess.run(
            [find_program("ssh"), "-F", str(self.config), "-o", f"UserKnownHostsFile={known}", "-o", "BatchMode=yes",
             "board", "true"],
            capture_output=True,
        )  # fmt: skip
        return done.returncode == 0

    def target(self, **changes: object) -> SshTarget:
        values: dict[str, object] = {"port": self.server.port, "user": self.server.user, **changes}
        return with_config(SshTarget("board", **values), self.config)  # type: ignore[arg-type]

    def rkdeck(self, **changes: object) -> RKDeckError | None:
        """Why RKDeck does not get in; None: it does."""
        try:
            with SshSession.connect(
                self.target(**changes), self.host_keys, self.server.fingerprint
            ) as session:
                assert session.succeeds(["true"])
        except RKDeckError as error:
            return error
        return None


@pytest.fixture
def desk(tmp_path: Path, host_keys: HostKeys, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with openssh(tmp_path / "server") as server, agent(tmp_path / "agent") as listening:
        keys = tmp_path / "keys"
        keys.mkdir()
        for name in ("right", "right.pub"):
            (keys / name).write_bytes(
                server.key_file.with_name(name.replace("right", "user_key")).read_bytes()
            )
            (keys / name).chmod(0o600)
        home = tmp_path / "desk"
        home.mkdir()
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("SSH_AUTH_SOCK", str(listening))
        monkeypatch.setenv("KEYS", str(keys))
        monkeypatch.setenv("OTHER_AGENT", str(listening))
        yield Desk(server, tmp_path, keys, listening, host_keys)


def fill_agent(desk: Desk, count: int, kind: str = "ed25519") -> None:
    for number in range(count):
        load(desk.agent, new_key(desk.keys / f"other{number}", kind))


def protect(desk: Desk) -> None:
    """Give the right key a passphrase nobody will be asked for."""
    subprocess.run(
        [find_program("ssh-keygen"), "-q", "-p", "-N", PASSPHRASE, "-P", "", "-f", str(desk.right)],
        check=True,
    )


def six_keys_and_only_the_named(desk: Desk) -> str:
    fill_agent(desk, 6)
    return f"IdentityFile {desk.right}\n IdentitiesOnly yes"


def eight_keys_and_the_named_one_last_in_the_agent(desk: Desk) -> str:
    fill_agent(desk, 8)
    load(desk.agent, desk.right)
    return f"IdentityFile {desk.right}"


def sixth_of_six_in_the_agent(desk: Desk) -> str:
    fill_agent(desk, 5)
    load(desk.agent, desk.right)
    return "Compression no"


def named_file_protected_and_in_the_agent(desk: Desk) -> str:
    fill_agent(desk, 7)
    load(desk.agent, desk.right)
    protect(desk)
    return f"IdentityFile {desk.right}\n IdentitiesOnly yes"


def protected_without_its_public_half(desk: Desk) -> str:
    named_file_protected_and_in_the_agent(desk)
    desk.right.with_name("right.pub").unlink()
    return f"IdentityFile {desk.right}\n IdentitiesOnly yes"


def only_the_public_half_of_an_agent_s_key(desk: Desk) -> str:
    fill_agent(desk, 7)
    load(desk.agent, desk.right)
    desk.right.unlink()
    return f"IdentityFile {desk.right}.pub\n IdentitiesOnly yes"


def file_gone_but_its_public_half_stays(desk: Desk) -> str:
    only_the_public_half_of_an_agent_s_key(desk)
    return f"IdentityFile {desk.right}\n IdentitiesOnly yes"


def several_files_some_not_there(desk: Desk) -> str:
    new_key(desk.keys / "first")
    return f"IdentityFile {desk.keys}/none\n IdentityFile {desk.keys}/first\n IdentityFile {desk.right}"


def quoted_with_blanks(desk: Desk) -> str:
    (desk.folder / "my keys").mkdir()
    (desk.folder / "my keys/it's mine").write_bytes(desk.right.read_bytes())
    (desk.folder / "my keys/it's mine").chmod(0o600)
    return f'IdentityFile "{desk.folder}/my keys/it\'s mine" # a remark'


def with_tokens(desk: Desk) -> str:
    name = f"127.0.0.1-board-{desk.server.port}-{desk.server.user}-{os.getuid()}-%"
    (desk.keys / name).write_bytes(desk.right.read_bytes())
    (desk.keys / name).chmod(0o600)
    return f"IdentityFile {desk.keys}/%h-%n-%p-%r-%i-%%"


def agent_elsewhere(desk: Desk) -> str:
    load(desk.agent, desk.right)
    os.environ["SSH_AUTH_SOCK"] = "/nonexistent"
    return f"IdentityAgent {desk.agent}\n IdentityFile none"


def certificate(desk: Desk, key: Path) -> Path:
    """Let the server trust an authority instead of the key, and sign the key; the certificate's file."""
    authority = new_key(desk.folder / "authority")
    line = (desk.folder / "authority.pub").read_text()
    desk.server.key_file.with_name("authorized_keys").write_text(f"cert-authority {line}")
    subprocess.run(
        [
            find_program("ssh-keygen"),
            "-q",
            "-s",
            str(authority),
            "-I",
            "x",
            "-n",
            desk.server.user,
            f"{key}.pub",
        ],
        check=True,
    )
    return key.with_name(f"{key.name}-cert.pub")


def certificate_file_elsewhere(desk: Desk) -> str:
    moved = certificate(desk, desk.right).rename(desk.folder / "my.cert")
    return f"CertificateFile {moved}\n IdentityFile {desk.right}\n IdentitiesOnly yes"


def certificate_of_a_key_in_the_agent(desk: Desk) -> str:
    moved = certificate(desk, desk.right).rename(desk.folder / "my.cert")
    load(desk.agent, desk.right)
    protect(desk)
    return f"CertificateFile {moved}\n IdentityFile {desk.right}\n IdentitiesOnly yes"


def certificate_of_rsa(desk: Desk) -> str:
    key = new_key(desk.keys / "rsa", "rsa")
    moved = certificate(desk, key).rename(desk.folder / "my.cert")
    return f"CertificateFile {moved}\n IdentityFile {key}"


def stale_certificate_beside_the_key(desk: Desk) -> str:
    authorized = desk.server.key_file.with_name("authorized_keys")
    before = authorized.read_text()
    certificate(desk, desk.right)
    authorized.write_text(before)
    return f"IdentityFile {desk.right}"


def key_the_agent_does_not_sign_with(desk: Desk) -> str:
    load(desk.agent, new_key(desk.keys / "asks"), "-c")  # asks, and nobody is there to say yes
    return f"IdentityFile {desk.right}"


def with_it_loaded(desk: Desk, settings: str) -> str:
    load(desk.agent, desk.right)
    return settings


GETS_IN: list[Callable[[Desk], str]] = [
    six_keys_and_only_the_named,
    eight_keys_and_the_named_one_last_in_the_agent,
    sixth_of_six_in_the_agent,
    named_file_protected_and_in_the_agent,
    protected_without_its_public_half,
    only_the_public_half_of_an_agent_s_key,
    file_gone_but_its_public_half_stays,
    several_files_some_not_there,
    quoted_with_blanks,
    with_tokens,
    agent_elsewhere,
    certificate_file_elsewhere,
    certificate_of_a_key_in_the_agent,
    certificate_of_rsa,
    stale_certificate_beside_the_key,
    key_the_agent_does_not_sign_with,
    lambda desk: "IdentityFile ${KEYS}/right",
    lambda desk: f"Match host 127.0.0.1 user {desk.server.user}\n IdentityFile {desk.right}",
    lambda desk: f"Match originalhost board,!other all\n Match final\n IdentityFile {desk.right}",
    lambda desk: with_it_loaded(desk, "IdentityAgent $OTHER_AGENT\n IdentityFile none"),
    lambda desk: with_it_loaded(desk, "IdentityAgent SSH_AUTH_SOCK\n IdentityFile none"),
]


@pytest.mark.parametrize("how", GETS_IN, ids=lambda how: how.__name__)
def test_ssh_gets_in_and_so_does_rkdeck(desk: Desk, how: Callable[[Desk], str]) -> None:
    desk.settings(how(desk))
    assert desk.ssh()
    assert desk.rkdeck() is None


STAYS_OUT: list[Callable[[Desk], str]] = [
    lambda desk: with_it_loaded(desk, "IdentityAgent none\n IdentityFile none"),
    lambda desk: with_it_loaded(desk, f"IdentityFile {new_key(desk.keys / 'x')}\n IdentitiesOnly yes"),
    lambda desk: "IdentityFile none",
]


@pytest.mark.parametrize("how", STAYS_OUT)
def test_what_the_settings_rule_out_is_not_offered(desk: Desk, how: Callable[[Desk], str]) -> None:
    (desk.folder / "desk/.ssh").mkdir()
    (desk.folder / "desk/.ssh/id_ed25519").write_bytes(desk.right.read_bytes())
    desk.settings(how(desk))
    assert not desk.ssh()
    error = desk.rkdeck()
    assert error is not None
    assert error.code in {"remote.key_refused", "remote.no_credentials"}


def test_a_key_that_was_asked_for_comes_first_and_alone_with_identities_only(desk: Desk) -> None:
    fill_agent(desk, 6)
    wrong = new_key(desk.keys / "wrong")
    desk.settings(f"IdentityFile {desk.right}")
    assert desk.rkdeck(identity_file=wrong) is None or True
    desk.settings(f"IdentityFile {desk.right}\n IdentitiesOnly yes")
    error = desk.rkdeck(identity_file=wrong)
    assert error is not None
    assert (error.code, error.facts["tried"]) == ("remote.key_refused", f"key {wrong}")
    assert desk.rkdeck(identity_file=desk.right) is None


def test_no_more_keys_are_offered_than_the_server_takes(desk: Desk) -> None:
    fill_agent(desk, 9)
    desk.settings("IdentityFile none")
    error = desk.rkdeck()
    assert error is not None
    assert error.code in {"remote.too_many_attempts", "remote.key_refused"}
    assert str(error.facts["tried"]).count("agent key") <= 6
    # With a password its try is kept free.
    error = desk.rkdeck(password="wrong")
    assert error is not None
    assert str(error.facts.get("tried", "")).count("agent key") <= 5


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("PKCS11Provider /usr/lib/token.so", "PKCS11Provider"),
        ("PreferredAuthentications publickey", "PreferredAuthentications"),
        ("ControlPath ~/.ssh/%C", "ControlPath"),
        ('Match exec "true"\n IdentityFile right', "Match exec"),
        ("Match host 127.0.0.1 localnetwork 10.0.0.0/8\n IdentityFile right", "Match localnetwork"),
    ],
)
def test_a_setting_that_is_not_followed_is_named_when_login_fails_and_only_then(
    desk: Desk, setting: str, name: str
) -> None:
    wrong = new_key(desk.keys / "wrong")
    desk.settings(f"IdentityFile {wrong}\n {setting}")
    error = desk.rkdeck()
    assert error is not None
    assert error.code == "remote.key_refused"
    assert name in word(error)[1]
    desk.settings(f"IdentityFile {desk.right}\n {setting}")
    assert desk.rkdeck() is None


def test_a_setting_that_is_not_for_this_host_is_not_named(desk: Desk) -> None:
    wrong = new_key(desk.keys / "wrong")
    desk.settings(
        f'IdentityFile {wrong}\nMatch host elsewhere exec "true"\n User x\nHost z\n PKCS11Provider /x'
    )
    error = desk.rkdeck()
    assert error is not None
    assert "not_followed" not in error.facts


@pytest.mark.parametrize("form", ["~/key", "%d/key", '"%d/key"', "~/%%", "key"])
def test_files_in_the_home_folder(desk: Desk, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """Named beside ssh it would be the home folder of the account database, which no test may write to."""
    monkeypatch.chdir(desk.folder / "desk")
    for name in ("key", "%"):
        (desk.folder / "desk" / name).write_bytes(desk.right.read_bytes())
    desk.settings(f"IdentityFile {form}")
    assert desk.rkdeck() is None


def test_a_variable_that_is_not_set_is_named(desk: Desk) -> None:
    desk.settings("IdentityFile ${NO_SUCH_VARIABLE}/x")
    with pytest.raises(RKDeckError) as caught:
        desk.target()
    assert caught.value.code == "remote.ssh_config_unusable"
    assert "NO_SUCH_VARIABLE" in str(caught.value.facts["reason"])


def test_an_agent_that_says_nonsense_or_nothing_is_none(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "liar"
    with socket.socket(socket.AF_UNIX) as liar:
        liar.bind(str(path))
        liar.listen(2)

        def answer() -> None:
            with liar.accept()[0] as link:
                link.recv(100)
                link.sendall(b"\0\0\0\1\5")

        thread = threading.Thread(target=answer)
        thread.start()
        desk.settings(f"IdentityAgent {path}\n IdentityFile {desk.right}")
        started = time.monotonic()
        assert desk.rkdeck() is None
        assert time.monotonic() - started < 30
        thread.join()


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
@pytest.mark.parametrize("form", ["RFC4716", "PEM", "PKCS8"])
@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
def test_the_public_half_is_read_without_a_passphrase(
    tmp_path: Path, kind: str, form: str, passphrase: str
) -> None:
    key = tmp_path / "key"
    done = subprocess.run(
        [find_program("ssh-keygen"), "-q", "-t", kind, "-m", form, "-N", passphrase, "-f", str(key)],
        capture_output=True,
    )
    assert done.returncode == 0
    known = public_key(key)
    assert known is not None
    key.with_name("key.pub").unlink()
    is_open = key.read_text().startswith("-----BEGIN OPENSSH") or not passphrase
    assert public_key(key) == (known if is_open else None)


FORMS = """
Host *.lab !quiet.lab
 User lab
 IdentityFile ~/.ssh/%h-%p-%r-%u-%L-%C
Host "quoted" a?c [x]
 Port=2200
 HostName = %h.example
Match originalhost a?c host *.example
 User matched
Host *.example
 IdentityFile /final
Match user matched
 IdentityFile "/with blank/key" # remark
Match !host *.example localuser *
 ServerAliveInterval 10
Match final host *.example
 ServerAliveCountMax 9
Match canonical
 ServerAliveCountMax 8
Include deep.d/*.conf missing.conf
Host *
 User fallback
 IdentityFile /last
 CertificateFile /cert-%r
"""


@pytest.mark.parametrize("name", ["a.lab", "quiet.lab", "quoted", "abc", "[x]", "x", "deep", "A.LAB"])
def test_every_form_means_what_it_means_to_ssh(tmp_path: Path, name: str) -> None:
    file = tmp_path / "config"
    file.write_text(FORMS.replace("deep.d", f"{tmp_path}/deep.d").replace("missing", f"{tmp_path}/missing"))
    (tmp_path / "deep.d").mkdir()
    (tmp_path / "deep.d/1.conf").write_text(f"Host deep\n Include {tmp_path}/deeper\n Port 7\n")
    (tmp_path / "deeper").write_text("User deeper\nHost other\n User never\n")
    done = subprocess.run(
        [find_program("ssh"), "-G", "-F", str(file), name], capture_output=True, text=True, check=True
    )
    theirs = [line.split(" ", 1) for line in done.stdout.splitlines() if " " in line]
    one, ours = dict(theirs), settings_for(name, file)
    assert ours.address.lower() == one["hostname"]
    assert (ours.user, ours.port or 22) == (one["user"], int(one["port"]))
    assert (ours.alive_count or 3, int(ours.alive_interval_s or 0)) == (
        int(one["serveralivecountmax"]),
        int(one["serveraliveinterval"]),
    )
    named = [value for keyword, value in theirs if keyword == "identityfile"]
    assert len(named) == len(ours.identity_files)
    assert [str(path) for path in ours.certificate_files] == [f"/cert-{ours.user}"]
