"""Form by form: what `ssh -G` makes of a line, RKDeck makes of it too; what ssh refuses is refused."""

import re
import subprocess
from pathlib import Path

import pytest

from core.base.errors import RefusedError, RKDeckError
from core.remote.sshconfig import HostSettings, settings_for, with_config
from core.remote.target import SshTarget
from tests.support.sshd import find_program

# The name that is asked for is `x`, unless the form begins with `@NAME`.
TAKEN = r"""
Port 23
Port=23
Port = 23
Port =23
Port= 23
Port	23
"Port" 23
"Port" "23"
PORT 23
Port '23'
Port "23"
Port 0023
Port ssh
Port http
Port 23 # remark
Port 23 #
Port 23\r
Port 23\t \r
Port 23\f
\tPort 23
\r Port 23
# Port 23
   # Port 23\nPort 24
\n\n\nPort 23
Port 23\nPort 24
User u
User "u"
User u#v
User "a b"
User a\\ b
User a\\\\b
User a\\"b
User 'a"b'
User a"b c"d
User u\u2028v
# note\u2028Port 24
# note\x0bPort 24
User u\u0085v
User u\x0bv
User u\x1cv
User corp@u
User u\nUser v
HostName 10.0.0.1
HostName=10.0.0.1
HostName %h
HostName %h.lab
HostName %%h
HostName %%%h
HostName %h.%h
HostName a%%b
HostName ABC
HostName fe80::1
@X HostName %h
@ABC User u
Host x\n Port 23
Host X\n Port 23
Host y\n Port 23
Host x y\n Port 23
Host "x"\n Port 23
Host=x\n Port 23
Host "x y"\n Port 23
Host ?\n Port 23
Host ??\n Port 23
Host ?*\n Port 23
Host *\n Port 23
Host * !x\n Port 23
Host !x\n Port 23
Host !y\n Port 23
Host !y *\n Port 23
Host x !x\n Port 23
Host !x x\n Port 23
Host x # y\n Port 23
Host # x\n Port 23\nHost x\n Port 24
@a.lab Host *.lab !b.lab\n Port 23
@b.lab Host *.lab !b.lab\n Port 23
@[x] Host [x]\n Port 23
@a-b_c Host a-*\n Port 23
Host x\n Port 23\nHost *\n Port 24\n User u
Host *\n User all\nHost x\n User one
Host x\n HostName y\nHost y\n Port 23
Host x\n HostName y\nMatch host y\n Port 23
Host x\n HostName Y\nMatch host y\n Port 23
Match host x\n Port 23
Match host X\n Port 23
Match host y,x\n Port 23
Match host "y,x"\n Port 23
Match host *,!x\n Port 23
Match !host x\n Port 23
Match !host y\n Port 23
Match host=x\n Port 23
Match originalhost x\n Port 23
Host x\n HostName y\nMatch originalhost x\n Port 23
Host x\n HostName y\nMatch originalhost y\n Port 23
Host x\n HostName %%h\nMatch host %h\n Port 23
User u\nMatch user u\n Port 23
User u\nMatch user v\n Port 23
User u\nMatch user u,v host x\n Port 23
Match user u\n Port 23\nHost x\n User u
Match localuser *\n Port 23
Match localuser nobody-here\n Port 23
Match !localuser nobody-here host x\n Port 23
Match all\n Port 23
Match final\n Port 23
Match final all\n Port 23
Match final host x\n Port 23
Match !final host x\n Port 23
Match canonical\n Port 23
Match canonical all\n Port 23
Match !canonical host x\n Port 23
Match exec false\n Port 23
Match host y exec true\n Port 23
Match final\n User late\nHost *\n User early
HostName y\nMatch final\nHost y\n Port 23
Match final host y\n Port 23\nHost x\n HostName y
Match final\n HostName y
Match final\n HostName %%n
Match final\n HostName y\nHost *\n HostName z
ProxyJump a
ProxyJump=a
ProxyJump a:23
ProxyJump u@a
ProxyJump u@corp@a
ProxyJump u@a:23
ProxyJump a,b
ProxyJump u@a:23,v@b
ProxyJump [fe80::1]:23
ProxyJump u@a:,b
ProxyJump a ,b
ProxyJump a b
ProxyJump u@@a
ProxyJump u:p@a
ProxyJump a # remark
ProxyJump a#b
ProxyJump none
ProxyJump NONE
ProxyJump none\nProxyJump a
ProxyJump a\nProxyJump none
ProxyJump a\nProxyJump b
ProxyCommand none\nProxyJump a
ProxyCommand none
ProxyJump a\nProxyCommand foo
Host x\n ProxyCommand none\nHost *\n ProxyJump gate
IdentityFile /k
IdentityFile /k\nIdentityFile /l
IdentityFile /k\nIdentityFile /k
IdentityFile "/a b"
IdentityFile /a\\ b
IdentityFile '/a b' # remark
IdentityFile none
IdentityFile2 /k
IdentityFile /k\nIdentityFile2 /l
identityfile2=/k
IdentityFile /k%%l
IdentityFile=/k
Host x\n IdentityFile /k\nHost *\n IdentityFile /l
IdentitiesOnly yes
IdentitiesOnly YES
IdentitiesOnly true
IdentitiesOnly no
IdentitiesOnly false
IdentitiesOnly no\nIdentitiesOnly yes
IdentityAgent none
IdentityAgent NONE
IdentityAgent SSH_AUTH_SOCK
IdentityAgent /agent
IdentityAgent $NOT_SET_ANYWHERE
CertificateFile /c
CertificateFile /c\nCertificateFile /d
CertificateFile /c\nCertificateFile /c
CertificateFile "/c d"
CertificateFile NONE
CertificateFile none
CertificateFile none\nCertificateFile /c
IdentityFile none\nIdentityFile /k
ServerAliveInterval 0
ServerAliveInterval 15
ServerAliveInterval 1m
ServerAliveInterval 1m5
ServerAliveInterval 1H2M3S
ServerAliveInterval none
ServerAliveCountMax 7
ServerAliveCountMax 7\nServerAliveCountMax 8
IgnoreUnknown Non*\nNonsense 3\nPort 23
HostKeyAlias y
UserKnownHostsFile /k1 /k2
StrictHostKeyChecking accept-new
ConnectTimeout 5
CanonicalizeHostname no
SendEnv LANG LC_*
LocalForward 8080 localhost:80
ForwardAgent yes\nPort 23
""".strip().split("\n")

REFUSED = r"""
Port 0
Port 65536
Port -1
Port 99999999999999999999
Port many
Port \u0663
Port ==4
Port "4
Port 22 23
Port
Port ""
User a b
User ""
User
HostName
HostName a b
HostName %n
HostName a%
IdentitiesOnly maybe
IdentityFile
IdentityFile /a b
IdentityFile ""
IdentityAgent a b
ServerAliveInterval -1
ServerAliveInterval soon
ServerAliveCountMax x
ProxyCommand "foo
ProxyJump
ProxyJump a:0
ProxyJump a, b
ProxyJump ,a
ProxyJump a,
ProxyJump a,,b
ProxyJump a/
ProxyJump a:22/
ProxyJump @a
ProxyJump a@
ProxyJump u@a,@b
ProxyJump @a,b
ProxyJump a:many
ProxyJump a:65536
ProxyJump [a
ProxyJump [a]:b
ProxyJump fe80::1
ProxyJump ssh://@a
ProxyJump ssh://a:0/
ProxyJump ssh://
\fPort 4
User u\u2028Port 24
\x0bPort 4
\u00a0Port 4
\u2028Port 4
Host
Match
Match host
""".strip().split("\n")


def written(form: str) -> tuple[str, str]:
    """The name that is asked for, and the text of the file."""
    name, text = form[1:].split(" ", 1) if form.startswith("@") else ("x", form)
    text = text.replace("\\\\", "\1")
    for mark in ("\\n", "\\r", "\\t", "\\f"):
        text = text.replace(mark, mark.encode().decode("unicode_escape"))
    for mark in ("\\x0b", "\\x1c", "\\u2028", "\\u0085", "\\u00a0", "\\u0663"):
        text = text.replace(mark, mark.encode().decode("unicode_escape"))
    return name, text.replace("\1", "\\") + "\n"


def ask_ssh(file: Path, name: str) -> list[tuple[str, str]] | None:
    """What ssh says, line by line; None: it refuses the file."""
    done = subprocess.run([find_program("ssh"), "-G", "-F", str(file), name], capture_output=True)
    if done.returncode:
        return None
    lines = done.stdout.decode().split("\n")
    return [(key, value) for key, _, value in (line.partition(" ") for line in lines) if key]


def compare(ours: HostSettings, lines: list[tuple[str, str]], user_of_this_computer: str) -> None:
    theirs = dict(lines)

    def every(keyword: str) -> list[str]:
        return [value for key, value in lines if key == keyword and value != "none"]

    assert ours.address.lower() == theirs["hostname"]
    assert str(ours.port or 22) == theirs["port"]
    assert (ours.user or user_of_this_computer) == theirs["user"]
    assert f"{ours.alive_interval_s or 0:g}" == theirs["serveraliveinterval"]
    assert str(3 if ours.alive_count is None else ours.alive_count) == theirs["serveralivecountmax"]
    assert ",".join(ours.jumps) == theirs.get("proxyjump", "").replace("none", "")
    assert ours.identities_only == (theirs["identitiesonly"] == "yes")
    assert [str(path) for path in ours.certificate_files] == every("certificatefile")
    if ours.names_keys:
        assert [str(path) for path in ours.identity_files] == [
            value.replace("%%", "%") for value in every("identityfile")
        ]
    else:
        assert "~/.ssh/id_ed25519" in every("identityfile")  # the usual ones
    agent = theirs.get("identityagent", "SSH_AUTH_SOCK")
    assert ours.use_agent == (agent not in {"none", "$NOT_SET_ANYWHERE"})
    assert (str(ours.agent_socket) if ours.agent_socket else None) == (
        agent if agent.startswith("/") or agent == "NONE" else None  # a file of that name
    )


@pytest.mark.parametrize("form", TAKEN)
def test_a_form_means_what_it_means_to_ssh(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOT_SET_ANYWHERE", raising=False)
    name, text = written(form)
    (file := tmp_path / "config").write_bytes(text.encode())
    (empty := tmp_path / "empty").write_text("")
    theirs, nothing = ask_ssh(file, name), ask_ssh(empty, name)
    assert theirs is not None
    assert nothing is not None
    compare(settings_for(name, file), theirs, dict(nothing)["user"])


@pytest.mark.parametrize("form", REFUSED)
def test_a_form_that_ssh_refuses_is_refused(tmp_path: Path, form: str) -> None:
    name, text = written(form)
    (file := tmp_path / "config").write_bytes(text.encode())
    assert ask_ssh(file, name) is None
    with pytest.raises(RKDeckError):
        with_config(SshTarget(name), file)


@pytest.mark.parametrize(
    "path",
    ["/k/%h-%n-%p-%r-%u-%L-%l-%i-%k-%%", "/%C", "/%%h", "/%%%h", "${KEYS_ARE_IN}/k", "$KEYS_ARE_IN/k", "k", "/k%x",
     "/k%", "/%j%H", "${NOT_SET_ANYWHERE}/k"],
)  # fmt: skip
def test_tokens_of_a_key_file_mean_what_they_mean_to_ssh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("KEYS_ARE_IN", "/%h")
    monkeypatch.delenv("NOT_SET_ANYWHERE", raising=False)
    file = tmp_path / "config"
    file.write_text(f"Host x\n HostName y.%h\n Port 23\n User u\n HostKeyAlias alias\n IdentityFile {path}\n")
    done = subprocess.run(
        [find_program("ssh"), "-v", "-F", str(file), "-o", "ProxyCommand=false", "x"],
        capture_output=True, text=True,
    )  # fmt: skip
    theirs = re.findall(r"identity file (\S+) type", done.stderr)[:1]
    try:
        ours = [str(found) for found in settings_for("x", file).identity_files]
    except RefusedError:
        ours = []
    assert ours == theirs


def test_a_file_for_each_of_many_hosts(tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    for number in range(200):
        (tmp_path / f"hosts/{number:03}").write_text(f"Host h{number}\n Port {1000 + number}\n")
    file = tmp_path / "config"
    file.write_text(f"Include {tmp_path}/hosts/*\nUser u\n")
    theirs = ask_ssh(file, "h199")
    assert theirs is not None
    compare(settings_for("h199", file), theirs, "")
    assert settings_for("h199", file).port == 1199


def test_how_host_keys_are_looked_at_is_named_where_it_is_not_followed(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("StrictHostKeyChecking accept-new\nRevokedHostKeys /r\nHostKeyAlias a\n")
    named = settings_for("x", file).not_followed[2]
    assert named == ("HostKeyAlias", "RevokedHostKeys", "StrictHostKeyChecking")
    file.write_text("StrictHostKeyChecking ask\nRevokedHostKeys none\n")
    assert settings_for("x", file).not_followed == ((), (), ())


def test_the_first_of_command_and_jump_counts_also_on_the_way(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("Host gate\n ProxyCommand none\nHost *\n ProxyJump gate\n")
    target = with_config(SshTarget("x"), file)
    assert target.jump is not None
    assert target.jump.jump is None
    file.write_text("Host gate\n ProxyCommand foo\nHost *\n ProxyJump gate\n")
    with pytest.raises(RefusedError) as caught:
        with_config(SshTarget("x"), file)
    assert (caught.value.code, caught.value.facts["host"]) == ("remote.proxy_command", "gate")


def test_a_user_of_a_jump_may_have_an_at(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("Host x\n ProxyJump u@corp@gate:ssh\n")
    jump = with_config(SshTarget("x"), file).jump
    assert jump is not None
    assert (jump.user, jump.host, jump.port) == ("u@corp", "gate", 22)


class TestTheComputersOwnFile:
    def files(self, tmp_path: Path, users: str, system: str) -> tuple[Path, Path]:
        (tmp_path / "etc/ssh_config.d").mkdir(parents=True)
        (file := tmp_path / "config").write_text(users)
        (own := tmp_path / "etc/ssh_config").write_text(system)
        return file, own

    def test_it_counts_behind_the_users_and_its_includes_are_beside_it(self, tmp_path: Path) -> None:
        files = self.files(
            tmp_path, "Host x\n Port 23\n IdentityFile /mine\n",
            "Include ssh_config.d/*.conf\nHost *\n Port 24\n User late\n IdentityFile /ours\n",
        )  # fmt: skip
        (tmp_path / "etc/ssh_config.d/a.conf").write_text("Host x\n User early\n")
        found = settings_for("x", files)
        assert (found.port, found.user) == (23, "early")
        assert found.identity_files == (Path("/mine"), Path("/ours"))
        assert settings_for("x", files[0]).user is None

    def test_includes_of_a_chosen_file_are_in_the_users_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        (tmp_path / "home/.ssh").mkdir(parents=True)
        (tmp_path / "home/.ssh/more").write_text("Port 23\n")
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere/more").write_text("Port 24\n")
        (file := tmp_path / "elsewhere/config").write_text("Include more\n")
        assert settings_for("x", file).port == 23

    @pytest.mark.parametrize(
        "command",
        [
            "/usr/bin/sss_ssh_knownhostsproxy -p %p %h", "sss_ssh_knownhostsproxy -k -p %p %h",
            "sss_ssh_knownhostsproxy %h", "nc %h %p",
        ],
    )  # fmt: skip
    def test_a_command_that_only_connects_is_no_hindrance(self, tmp_path: Path, command: str) -> None:
        files = self.files(tmp_path, "", f"ProxyCommand {command}\nProxyJump gate\n")
        found = settings_for("x", files)
        assert (found.address, found.jumps) == ("x", ())
        for other in (f"{command} other", f"{command}; reboot", "nc -X 5 %h %p"):
            (tmp_path / "own").write_text(f"ProxyCommand {other}\n")
            with pytest.raises(RefusedError):
                settings_for("x", tmp_path / "own")

    def test_a_jump_may_leave_its_port_empty(self, tmp_path: Path) -> None:
        (file := tmp_path / "config").write_text("Host x\n ProxyJump gate:\n")
        jump = with_config(SshTarget("x"), file).jump
        assert jump is not None
        assert (jump.host, jump.port) == ("gate", 22)

    def test_its_jumps_are_followed_and_its_final_blocks_too(self, tmp_path: Path) -> None:
        files = self.files(tmp_path, "Host x\n HostName y\n", "Match final host y\n ProxyJump gate:23\n")
        jump = with_config(SshTarget("x"), files).jump
        assert jump is not None
        assert (jump.host, jump.port) == ("gate", 23)

    def test_what_distributions_set_for_everybody_is_not_blamed(self, tmp_path: Path) -> None:
        shipped = "GSSAPIAuthentication yes\nCiphers aes256-ctr\n"
        files = self.files(tmp_path, "", shipped + "BindAddress 10.0.0.1\n")
        assert settings_for("x", files).not_followed == ((), ("BindAddress",), ())
        files[0].write_text(shipped)
        login, connection, _ = settings_for("x", files).not_followed
        assert login == ("GSSAPIAuthentication",)
        assert connection == ("BindAddress", "Ciphers")

    def test_a_command_there_is_named_with_that_file(self, tmp_path: Path) -> None:
        files = self.files(tmp_path, "", "ProxyCommand foo\n")
        with pytest.raises(RefusedError) as caught:
            settings_for("x", files)
        assert caught.value.facts["file"] == str(files[1])

    def test_a_missing_one_is_no_settings(self, tmp_path: Path) -> None:
        assert settings_for("x", (tmp_path / "config", tmp_path / "none")) == settings_for(
            "x", tmp_path / "c"
        )
