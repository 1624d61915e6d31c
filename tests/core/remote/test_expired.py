"""First passwords that have expired: the dialogue with `passwd`, on real terminals of OpenSSH."""

import contextlib
import os
import pwd
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.server import InteractiveQuery

from core.base.errors import RKDeckError, UsageError
from core.remote.expired import change_expired_password, is_question
from core.remote.hostkeys import HostKeys
from core.remote.password_dialogue import Answers
from core.remote.session import SshSession
from core.remote.target import SshTarget
from tests.core.remote.test_failures import raw_server
from tests.support.sshd import SshServer, openssh, openssh_running
from tests.support.waiting import wait_until

OLD, NEW = "ubuntu", "Kirschbaum-42 blüht"
ACCOUNT = f"rkdeck-old-{os.getpid()}"

# What OpenSSH runs for an account whose password has expired, with a state of its own; a real terminal, echo off.
PASSWD = r"""#!/bin/sh
state={state}
if [ ! -t 0 ]; then
  [ -e "$state.done" ] && exec sh -c "$SSH_ORIGINAL_COMMAND"
  printf 'WARNING: Your password has expired.\nPassword change required but no TTY available.\n' >&2
  exit 1
fi
stty -echo
printf 'WARNING: Your password has expired.\r\nYou must change your password now and login again!\r\n'
printf 'Changing password for {user}.\n{current}'; read -r old
echo "$old" >>"$state.asked"
[ "$old" = '{old}' ] || {{ echo; echo 'passwd: Authentication token manipulation error'; exit 10; }}
tries=0
while :; do
  printf '\n{new}'; read -r new; echo "$new" >>"$state.asked"
  printf '\n{again}'; read -r again; echo "$again" >>"$state.asked"
  [ "${{#new}}" -ge 8 ] && [ "$new" = "$again" ] && break
  printf '\n\033[31mYou must choose a longer password than %s.\033[0m' "$new"
  tries=$((tries+1)); [ $tries -lt 3 ] || exit 1
done
echo; echo 'passwd: password updated successfully'
: >"$state.done"
"""
ENGLISH = {"current": "Current password: ", "new": "New password: ", "again": "Retype new password: "}
SPANISH = {
    "current": "Contraseña actual: ",
    "new": "Nueva contraseña: ",
    "again": "Vuelva a escribir la nueva contraseña: ",
}
CHINESE = {"current": "当前的密码\uff1a", "new": "新的密码\uff1a", "again": "重新输入新的密码\uff1a"}


@contextmanager
def expired(folder: Path, text: str = PASSWD, **words: str) -> Iterator[SshServer]:
    values = {**ENGLISH, "old": OLD, "user": "ubuntu", "state": str(folder / "state"), **words}
    with openssh_running(folder, text.format(**values) if text is PASSWD else text) as server:
        yield server


def change(server: SshServer, host_keys: HostKeys, old: str = OLD, new: str = NEW, **more: float) -> None:
    change_expired_password(
        server.target(), host_keys, old, new, accept_fingerprint=server.fingerprint, **more
    )


@pytest.mark.parametrize(
    "questions",
    [
        ("(current) UNIX password: ", "Enter new UNIX password: ", "Retype new UNIX password: "),
        ("Current password: ", "New password: ", "Re-enter new password: "),
        ("Aktuelles Passwort: ", "Neues Passwort: ", "Neues Passwort wiederholen: "),
        (
            "Mot de passe actuel\u00a0: ",
            "Nouveau mot de passe\u00a0: ",
            "Retapez le nouveau mot de passe\u00a0: ",
        ),
        ("Password attuale: ", "Nuova password: ", "Ripetere la nuova password: "),
        ("Senha atual: ", "Nova senha: ", "Redigite a nova senha: "),
    ],
    ids=["unix", "en", "de", "fr", "it", "pt"],
)
def test_each_secret_goes_to_its_question(questions: tuple[str, str, str]) -> None:
    answers = Answers("old", "new")
    assert [answers.to_prompt(question) for question in questions] == ["old", "new", "new"]
    assert answers.new_was_given
    # Whatever is asked once more was refused: nothing is given a second time.
    assert [answers.to_prompt(question) for question in questions] == [None, None, None]
    assert all(is_question(question) for question in questions)
    assert not is_question("WARNING: Your password has expired.")


# A server without privileges cannot hand out a terminal.
@pytest.mark.needs_root
@pytest.mark.parametrize("words", [ENGLISH, SPANISH, CHINESE], ids=["en", "es", "zh"])
def test_the_dialogue(tmp_path: Path, host_keys: HostKeys, words: dict[str, str]) -> None:
    with expired(tmp_path, **words) as server:
        with server.connect(host_keys) as session, pytest.raises(RKDeckError) as caught:
            session.run(["true"])
        assert caught.value.code == "remote.password_expired"
        change(server, host_keys)
        assert (tmp_path / "state.asked").read_text().splitlines() == [OLD, NEW, NEW]
        with server.connect(host_keys) as session:
            assert session.run(["echo", "well"]).text == "well\n"
        with pytest.raises(RKDeckError) as caught:
            change(server, host_keys)
        assert caught.value.code == "remote.password_not_expired"


# A server without privileges cannot hand out a terminal.
@pytest.mark.needs_root
def test_the_servers_words_when_it_refuses(tmp_path: Path, host_keys: HostKeys) -> None:
    with expired(tmp_path) as server, pytest.raises(RKDeckError) as caught:
        change(server, host_keys, new="kurz")
    assert caught.value.code == "remote.new_password_refused"
    # Neither colours nor the password it echoed.
    assert caught.value.facts["reason"] == "You must choose a longer password than ***."


# A server without privileges cannot hand out a terminal.
@pytest.mark.needs_root
def test_wrong_old_password(tmp_path: Path, host_keys: HostKeys) -> None:
    with expired(tmp_path) as server, pytest.raises(RKDeckError) as caught:
        change(server, host_keys, old="wrong")
    assert caught.value.code == "remote.password_refused"
    # The new one is not given to a program that did not ask for it.
    assert (tmp_path / "state.asked").read_text().splitlines() == ["wrong"]


@pytest.mark.parametrize("new", ["", OLD, "a\nb", "a\x03b", "x" * 201])
def test_no_new_password(host_keys: HostKeys, new: str) -> None:
    with pytest.raises(UsageError) as caught:
        change_expired_password(SshTarget("127.0.0.1", 1), host_keys, OLD, new)
    assert caught.value.code == "remote.bad_new_password"


EXPIRED = "[ -t 0 ] || { echo 'Your password has expired.' >&2; exit 1; }\n"


# A server without privileges cannot hand out a terminal.
@pytest.mark.needs_root
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("exec sleep 60", "remote.command_timeout"),
        ("while :; do printf 'password? yes %99999d'; done", "remote.output_too_large"),
        ("while :; do printf 'New password: '; read -r x; done", "remote.new_password_refused"),
        ("exit 0", "remote.password_refused"),
        ("printf 'New password: '; read -r x; kill -9 $$", "remote.new_password_refused"),
        ("echo 'Your new password:'; read -r x; echo $x >{state}.leak", "remote.command_timeout"),
        ("printf 'PIN of your bank card: '; read -r x; echo $x >{state}.leak", "remote.command_timeout"),
    ],
)
def test_hostile_dialogues_end(tmp_path: Path, host_keys: HostKeys, body: str, code: str) -> None:
    text = "#!/bin/sh\n" + EXPIRED + body.replace("{state}", str(tmp_path / "state")) + "\n"
    with expired(tmp_path, text) as server, pytest.raises(RKDeckError) as caught:
        change(server, host_keys, timeout_s=1.0)
    assert caught.value.code == code
    assert NEW not in str(caught.value)
    assert not (tmp_path / "state.leak").exists()


class Keeper(paramiko.ServerInterface):
    """PAM that asks for the new password within the login (keyboard-interactive)."""

    def __init__(self, shortest: int) -> None:
        self.password = OLD
        self.shortest = shortest
        self.stage = 0
        self.first = ""

    def get_allowed_auths(self, username: str) -> str:
        return "keyboard-interactive"

    def check_auth_interactive(self, username: str, submethods: str) -> InteractiveQuery:
        self.stage = 0
        return InteractiveQuery("", "", ("Password: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int | InteractiveQuery:
        self.stage += 1
        if self.stage == 1 and responses == [self.password]:
            if self.password != OLD:
                return AUTH_SUCCESSFUL
            text = "You are required to change your password immediately (administrator enforced)."
            return InteractiveQuery("", text, ("New password: ", False))
        if self.stage == 2:
            self.first = responses[0]
            return InteractiveQuery("", "", ("Retype new password: ", False))
        if self.stage == 3 and responses == [self.first]:
            if len(self.first) < self.shortest:
                return InteractiveQuery("", "BAD PASSWORD: too short", ("New password: ", False))
            self.password = self.first
            return AUTH_SUCCESSFUL
        return AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        channel.send_exit_status(0)
        channel.shutdown(2)
        return True


@pytest.mark.parametrize(("shortest", "code"), [(4, None), (80, "remote.new_password_refused")])
def test_asked_within_the_login(host_keys: HostKeys, shortest: int, code: str | None) -> None:
    keeper, key = Keeper(shortest), paramiko.ECDSAKey.generate()

    def serve(link: object, stop: threading.Event) -> None:
        transport = paramiko.Transport(link)  # type: ignore[arg-type]
        transport.set_log_channel("rkdeck.ssh")
        transport.add_server_key(key)
        try:
            transport.start_server(server=keeper)
            while transport.is_active() and not stop.wait(0.02):
                pass
        finally:
            transport.close()
            transport.join()

    with raw_server(serve, connections=2 if code is None else 1) as port:
        target = SshTarget("127.0.0.1", port, "pi", use_agent=False, use_default_keys=False)
        with contextlib.nullcontext() if code is None else pytest.raises(RKDeckError) as caught:
            change_expired_password(target, host_keys, OLD, NEW, accept_fingerprint=key.fingerprint)
    if code is not None:
        assert caught is not None
        assert caught.value.code == code
        assert "too short" in str(caught.value.facts["reason"])
    assert keeper.password == (NEW if code is None else OLD)


@contextmanager
def account() -> Iterator[str]:
    """A real account with an expired password, removed afterwards."""
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", ACCOUNT], check=True)
    try:
        subprocess.run(["chpasswd"], input=f"{ACCOUNT}:{OLD}-first", text=True, check=True)
        subprocess.run(["chage", "--lastday", "0", ACCOUNT], check=True)
        yield ACCOUNT
    finally:
        uid = str(pwd.getpwnam(ACCOUNT).pw_uid)
        subprocess.run(["pkill", "-KILL", "-u", uid], check=False)
        remove = ["userdel", "--remove", ACCOUNT]  # refused while a process of its is still ending
        wait_until(lambda: subprocess.run(remove, capture_output=True).returncode == 0)


@pytest.mark.needs_root
@pytest.mark.parametrize("pam", ["yes", "no"])
def test_a_real_account(tmp_path: Path, host_keys: HostKeys, pam: str) -> None:
    options = ("PasswordAuthentication yes", f"UsePAM {pam}")
    with account() as user, openssh(tmp_path / "server", *options) as server:
        first = f"{OLD}-first"
        target = server.target(user=user, identity_file=None, password=first)
        with SshSession.connect(target, host_keys, server.fingerprint) as session:
            with pytest.raises(RKDeckError) as caught:
                session.run(["true"])
            assert caught.value.code == "remote.password_expired"
        with pytest.raises(RKDeckError) as caught:
            change_expired_password(replace(target, password=None), host_keys, first, "ab1")
        assert caught.value.code == "remote.new_password_refused"
        assert caught.value.facts["reason"]
        change_expired_password(replace(target, password=None), host_keys, first, NEW)
        with SshSession.connect(replace(target, password=NEW), host_keys) as session:
            assert session.run(["id", "-un"]).text.strip() == user
        with pytest.raises(RKDeckError) as caught:
            SshSession.connect(target, host_keys)
        assert caught.value.code == "remote.password_refused"


@pytest.mark.needs_root
@pytest.mark.parametrize("pam", ["yes", "no"])
def test_a_real_account_that_is_shut(tmp_path: Path, host_keys: HostKeys, pam: str) -> None:
    """OpenSSH tells nobody that an account is locked; PAM says that it has expired."""
    options = ("PasswordAuthentication yes", f"UsePAM {pam}")
    with account() as user, openssh(tmp_path / "server", *options) as server:
        target = server.target(user=user, identity_file=None, password=f"{OLD}-first")
        subprocess.run(["usermod", "--expiredate", "1", user], check=True)
        with pytest.raises(RKDeckError) as caught:
            SshSession.connect(target, host_keys, server.fingerprint)
        assert caught.value.code == ("remote.locked_out" if pam == "yes" else "remote.password_refused")
