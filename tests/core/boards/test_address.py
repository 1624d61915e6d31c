"""Addresses as people paste them: one reader for the window and the command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import RKDeckError, UsageError
from core.boards.address import Address, read_address

PASTED = {
    "192.168.1.4": (None, "192.168.1.4", None),
    " pi@192.168.1.4 \n": ("pi", "192.168.1.4", None),
    "\u00a0pi@board.local\u200b": ("pi", "board.local", None),
    "\ufeff192.168.1.4\r\n": (None, "192.168.1.4", None),
    '"pi@h:2222"': ("pi", "h", 2222),
    "`pi@h`": ("pi", "h", None),
    "<ssh://pi@h:2222/>": ("pi", "h", 2222),
    "ssh://pi@h:2222": ("pi", "h", 2222),
    "SSH://h/": (None, "h", None),
    "ssh://pi@[fe80::1%25eth0]:2222/": ("pi", "fe80::1%eth0", 2222),
    "ssh://h:": (None, "h", None),
    "sftp://pi@h/home/pi": ("pi", "h", None),
    "ssh pi@h": ("pi", "h", None),
    "ssh  pi@h  -p 2222": ("pi", "h", 2222),
    "ssh -p2222 -l pi h": ("pi", "h", 2222),
    "ssh -p 2222 ssh://pi@h": ("pi", "h", 2222),
    "ssh -4 -p 2222 pi@h": ("pi", "h", 2222),
    "ssh -vvv -tA pi@h -p2222": ("pi", "h", 2222),
    "pi@h -p 2222": ("pi", "h", 2222),
    "h -l pi": ("pi", "h", None),
    "sftp -P 2222 pi@h": ("pi", "h", 2222),
    "ssh-copy-id -p 2222 pi@h": ("pi", "h", 2222),
    "pi@h:": ("pi", "h", None),
    "pi@h:/home/pi": ("pi", "h", None),
    "pi@h:~/models": ("pi", "h", None),
    "u@corp@h": ("u@corp", "h", None),  # as ssh: the last @ parts
    "ssh://u@corp@h:2222": ("u@corp", "h", 2222),
    "ssh u@corp@[fe80::1]": ("u@corp", "fe80::1", None),
    "h:2222": (None, "h", 2222),
    "[fe80::1]:2222": (None, "fe80::1", 2222),
    "[fe80::1%eth0]": (None, "fe80::1%eth0", None),
    "fe80::1%eth0": (None, "fe80::1%eth0", None),
    "root@fe80::1": ("root", "fe80::1", None),
    "::1": (None, "::1", None),
    "http://192.168.1.4/": (None, "192.168.1.4", None),
    "https://192.168.1.4:8006/#v1:0": (None, "192.168.1.4", None),
    "192.168.1.4/": (None, "192.168.1.4", None),
    "ssh": (None, "ssh", None),
}


@pytest.mark.parametrize("text", sorted(PASTED), ids=repr)
def test_what_is_pasted_is_understood(text: str) -> None:
    assert read_address(text) == Address(*PASTED[text])


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "\n", "pi@h\npi@g", "a b", "ssh pi@h reboot", "ssh -i key pi@h", "ssh -oProxyCommand=x h", "ssh -p",
        "ssh -p x h", "pi@h -p 22 reboot", "pi@h -i key", "sftp -p 22 h", "ssh -4", "ssh -vi key pi@h", "h -p",
        "ssh -p 99999 h", "ssh -p 1 h:2", "ssh 'h", "-oProxyCommand=x", "ssh://-oProxyCommand=x",
        "ssh://", "http:///x", "ftp://h", "h:99999", "pi@", "@h", "a@b@", "a@@", "ssh://[::1", "x" * 5000, "h;reboot",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_address(text)
    assert caught.value.code in {
        "boards.bad_address",
        "remote.bad_host",
        "remote.bad_user",
        "remote.bad_port",
    }


@pytest.mark.parametrize(
    "text", ["ssh://pi:geheim@h", "http://pi:geheim@192.168.1.4/", "ssh ssh://pi:geheim@h"]
)
def test_a_password_in_an_address_is_not_taken_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_address(text)
    assert caught.value.code == "boards.password_in_address"
    assert "geheim" not in str(caught.value)


@given(st.text(max_size=60) | st.text("ssh:/@[]%-p 1.", max_size=30))
def test_anything_is_an_address_or_refused(text: str) -> None:
    try:
        address = read_address(text)
    except RKDeckError:
        return
    assert not address.host.startswith("-")
    assert address.host.isascii()
