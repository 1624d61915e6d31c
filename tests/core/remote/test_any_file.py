"""Whatever lies in ssh's configuration or in the file of host keys: an answer or a typed error, never a trace."""

import contextlib
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.base.errors import RKDeckError
from core.remote.hostkeys import HostKey, HostKeys
from core.remote.sshconfig import settings_for, with_config
from core.remote.target import SshTarget

_again = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=250)
_KEYWORDS = st.sampled_from(
    [
        "Host", "Match", "Include", "HostName", "Port", "User", "IdentityFile", "IdentitiesOnly", "IdentityAgent",
        "CertificateFile", "ProxyJump", "ProxyCommand", "ServerAliveInterval", "ServerAliveCountMax",
        "HostKeyAlias",
        "ConnectTimeout", "UserKnownHostsFile", "StrictHostKeyChecking", "AddressFamily", "Compression", "Ciphers",
    ]
)  # fmt: skip
_WORDS = st.sampled_from(
    [
        "*", "desk", "!desk", "all", "final", "canonical", "user", "host=*", "exec", "yes", "no", "none", "22",
        "-1",
        "9" * 5000, "9" * 400, "٣", "~/key", "~nobody-has-this-name/key", "%h", "%", "%z", "%%", "${HOME}/x",
        "${", "$X",
        "${NO_SUCH_NAME}/x", "a@b:9999999", "b:99999", "a,b,c", "user@[::1]:22", "[", '"', "'", "\\", "#",
        "1m30s", "1h" * 300,
        "9" * 400 + "w", "\x00", "\x1b[2J", "\u2028", "*a" * 12, "/etc", "/dev/zero", "SSH_AUTH_SOCK",
        "$SSH_AUTH_SOCK", "=",
    ]
)  # fmt: skip
_LINES = st.builds(
    lambda keyword, sign, words: f"{keyword}{sign}{' '.join(words)}",
    _KEYWORDS,
    st.sampled_from([" ", "=", " = ", "\t", ""]),
    st.lists(_WORDS | st.text(max_size=8), max_size=3),
)
_FILES = st.lists(_LINES, max_size=8).map(lambda lines: "\n".join(lines).encode("utf-8", "replace"))


@_again
@given(data=st.binary(max_size=200) | _FILES)
@example(data=b"IdentityFile ~nobody-has-this-name/key")
@example(data=b"Include ~nobody-has-this-name/config")
@example(data=b"ServerAliveInterval " + b"9" * 400)
@example(data=b"Port " + b"9" * 5000)
def test_any_configuration_of_ssh_means_something_or_is_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "config"
    file.write_bytes(data)
    with contextlib.suppress(RKDeckError):
        settings_for("desk", file)
    with contextlib.suppress(RKDeckError):
        with_config(SshTarget("desk", 22, "me"), file)


@_again
@given(
    data=st.binary(max_size=200)
    | st.lists(
        st.lists(
            st.sampled_from(
                [
                    "desk", "[desk]:2222", "|1|a|b", "|1||", "|1|é|é", "@revoked", "@cert-authority", "#",
                    "ssh-ed25519",
                    "AAAA", "A===", "é", "*", "!desk", ",", "\x0b", "\u2028",
                ]
            ) | st.text(max_size=6),
            max_size=5,
        ).map(" ".join),
        max_size=5,
    ).map(lambda lines: "\n".join(lines).encode("utf-8", "replace"))
)  # fmt: skip
def test_any_file_of_host_keys_is_read_or_called_damaged(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "known_hosts"
    file.write_bytes(data)
    keys = HostKeys(file)
    for act in (
        lambda: keys.lookup("desk"),
        lambda: keys.check("desk", 22, HostKey("ssh-ed25519", b"x")),
        lambda: keys.forget("desk"),
        lambda: keys.accept("desk", 22, HostKey("ssh-ed25519", b"x")),
    ):
        with contextlib.suppress(RKDeckError):
            act()
