"""What people have in their environment: proxies, endpoints, time-outs, certificates; a bad one is named."""

import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from core.base.errors import RKDeckError
from core.hub.huggingface.client import HubClient
from tests.support.odd_hub import OddHub, document

ROOT = Path(__file__).parents[3]


@pytest.fixture
def odd() -> Iterator[OddHub]:
    with OddHub() as odd:
        odd.answer = document([{"id": "a/b"}])
        yield odd


def search(tmp_path: Path, **variables: str) -> tuple[int, dict[str, Any], str]:
    """`rkdeck search` with these variables: exit code, document, what else was said."""
    done = subprocess.run(
        [sys.executable, "-m", "gui.main", "--home", str(tmp_path / "home"), "search", "x", "--json"],
        cwd=ROOT, env={"PATH": os.defpath, "HOME": str(tmp_path), **variables},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout), done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "shown"),
    [
        ("ALL_PROXY", "socks4://127.0.0.1:1", "socks4://127.0.0.1:1"),
        ("HTTP_PROXY", " ", " "),
        ("https_proxy", "ftp://proxy:3128", "ftp://proxy:3128"),
        ("HTTPS_PROXY", '"http://proxy:3128"', '"http://proxy:3128"'),
        ("HTTPS_PROXY", "http://me:hunter2@pro xy:3128", "http://pro xy:3128"),
        ("HTTPS_PROXY", "http://proxy:99999", "http://proxy:99999"),
        ("ALL_PROXY", "http://", "http://"),
    ],
)
def test_a_proxy_that_is_none_is_named_with_its_variable(
    odd: OddHub, tmp_path: Path, variable: str, value: str, shown: str
) -> None:
    code, found, said = search(tmp_path, HF_ENDPOINT=odd.url, **{variable: value})
    error = found["error"]
    assert (code, error["code"]) == (2, "hub.bad_proxy")
    assert error["facts"] == {"variable": variable, "proxy": shown}
    assert variable in said
    assert "hunter2" not in said


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "http://127.0.0.1:1", "127.0.0.1:1"])
def test_a_proxy_that_nobody_answers_at_is_named_with_its_variable(
    odd: OddHub, tmp_path: Path, proxy: str
) -> None:
    code, found, said = search(tmp_path, HF_ENDPOINT=odd.url, ALL_PROXY=proxy)
    assert (code, found["error"]["code"]) == (1, "hub.unreachable")
    assert found["error"]["facts"]["variable"] == "ALL_PROXY"
    assert "ALL_PROXY" in found["error"]["hint"]
    assert "ALL_PROXY" in said


def test_a_socks_proxy_is_used(odd: OddHub, tmp_path: Path) -> None:
    with SocksProxy() as proxy:
        code, found, _ = search(tmp_path, HF_ENDPOINT=odd.url, ALL_PROXY=f"socks5://127.0.0.1:{proxy.port}")
    assert code == 0
    assert [model["repo"] for model in found["models"]] == ["a/b"]
    assert proxy.asked == [int(odd.url.rpartition(":")[2])]


@pytest.mark.parametrize(
    "no_proxy", ["127.0.0.1", "::1,127.0.0.0/8,fe80::/10", "*", "example.org,[::1],127.0.0.1"]
)
def test_what_needs_no_proxy_goes_without_one(odd: OddHub, tmp_path: Path, no_proxy: str) -> None:
    code, _, said = search(
        tmp_path, HF_ENDPOINT=odd.url, HTTP_PROXY="socks5://127.0.0.1:1", NO_PROXY=no_proxy
    )
    assert code == 0, said


@pytest.mark.parametrize("variable", ["HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT"])
@pytest.mark.parametrize("value", ["abc", "", "1.5", "9" * 5000])
def test_a_timeout_that_is_none_is_named(odd: OddHub, tmp_path: Path, variable: str, value: str) -> None:
    code, found, _ = search(tmp_path, HF_ENDPOINT=odd.url, **{variable: value})
    assert (code, found["error"]["code"]) == (2, "hub.bad_timeout")
    assert found["error"]["facts"]["variable"] == variable


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_are_none_are_named(
    odd: OddHub, tmp_path: Path, variable: str, content: str | None
) -> None:
    place = tmp_path / "certificates.pem"
    if content is not None:
        place.write_text(content)
    code, found, _ = search(tmp_path, HF_ENDPOINT=odd.url, **{variable: str(place)})
    assert (code, found["error"]["code"]) == (2, "hub.bad_certificates")
    assert found["error"]["facts"]["path"] == str(place)


@pytest.mark.parametrize(
    ("variable", "code"), [("SSL_CERT_FILE", "hub.bad_certificates"), ("SSLKEYLOGFILE", "hub.bad_key_log")]
)
@pytest.mark.parametrize("what", ["pipe", "folder", "nowhere"])
def test_a_file_of_tls_that_is_none_is_named_and_never_waited_for(
    odd: OddHub, tmp_path: Path, variable: str, code: str, what: str
) -> None:
    place = tmp_path / "none" / "below" if what == "nowhere" else tmp_path / "place"
    if what == "pipe":
        os.mkfifo(place)
    elif what == "folder":
        place.mkdir()
    exit_code, found, said = search(tmp_path, HF_ENDPOINT=odd.url, **{variable: str(place)})
    assert (exit_code, found["error"]["code"]) == (2, code)
    assert found["error"]["facts"]["variable"] == variable
    assert variable in said


def test_a_log_of_tls_keys_that_can_be_written_is_no_hindrance(odd: OddHub, tmp_path: Path) -> None:
    for place in (str(tmp_path / "keys.log"), os.devnull):
        code, _, said = search(tmp_path, HF_ENDPOINT=odd.url, SSLKEYLOGFILE=place)
        assert code == 0, said


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://" + "\u00fc" * 300,
        "https://" + "a" * 64 + ".org",
        "http://" + "a." * 200 + "org",
        "http://a..b",
    ],
)
def test_an_endpoint_whose_host_can_be_none_is_named_with_its_variable(tmp_path: Path, endpoint: str) -> None:
    code, found, said = search(tmp_path, HF_ENDPOINT=endpoint)
    assert (code, found["error"]["code"]) == (2, "hub.bad_endpoint")
    assert found["error"]["facts"]["variable"] == "HF_ENDPOINT"
    assert "HF_ENDPOINT" in said


def test_a_home_of_huggingface_hub_that_cannot_be_used_is_not_needed(odd: OddHub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, said = search(tmp_path, HF_ENDPOINT=odd.url, HF_HOME=str(tmp_path / "file" / "below"))
    assert code == 0, said


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("http://127.0.0.1:9 ", "http://127.0.0.1:9 "),
        ("https://hub example.org", "https://hub example.org"),
        (" ", " "),
        ("hub.example.org", "hub.example.org"),
        ('"https://hub.example.org"', '"https://hub.example.org"'),
        ("https://me:hunter2@hub.example.org", "https://hub.example.org"),
        ("https://hub.example.org/?x=1", "https://hub.example.org/?x=1"),
    ],
)
def test_an_endpoint_that_is_none_is_named_with_its_variable(tmp_path: Path, value: str, shown: str) -> None:
    code, found, said = search(tmp_path, HF_ENDPOINT=value)
    error = found["error"]
    assert (code, error["code"]) == (2, "hub.bad_endpoint")
    assert error["facts"] == {"endpoint": shown, "variable": "HF_ENDPOINT"}
    assert "HF_ENDPOINT" in error["hint"]
    assert "hunter2" not in said


def test_a_slash_at_its_end_harms_no_endpoint(odd: OddHub, tmp_path: Path) -> None:
    code, _, said = search(tmp_path, HF_ENDPOINT=f"{odd.url}/")
    assert code == 0, said


def test_an_endpoint_with_a_password_is_refused_and_not_shown() -> None:
    with pytest.raises(RKDeckError) as caught:
        HubClient("https://me:hunter2@hub.example.org", None)
    assert caught.value.code == "hub.bad_endpoint"
    assert "hunter2" not in str(caught.value)


class SocksProxy:
    """A SOCKS 5 proxy without log-in (RFC 1928): one connection after the other."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.asked: list[int] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "SocksProxy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:  # closed
                return
            with near:
                self._carry(near)

    def _carry(self, near: socket.socket) -> None:
        near.recv(64)
        near.sendall(b"\x05\x00")
        asked = near.recv(300)
        port = int.from_bytes(asked[-2:], "big")
        self.asked.append(port)
        near.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        with socket.create_connection(("127.0.0.1", port)) as far:
            far.sendall(near.recv(65536))
            while data := far.recv(65536):
                near.sendall(data)


@pytest.mark.parametrize("content", [None, "file", "unprepared"])
def test_a_folder_of_certificates_that_is_none_is_named(
    odd: OddHub, tmp_path: Path, content: str | None
) -> None:
    place = tmp_path / "certificates"
    if content == "file":
        place.write_text("x")
    elif content == "unprepared":  # OpenSSL looks for the names of hashes only
        place.mkdir()
        (place / "mine.pem").write_text("x")
    code, found, _ = search(tmp_path, HF_ENDPOINT=odd.url, SSL_CERT_DIR=str(place))
    assert (code, found["error"]["code"]) == (2, "hub.bad_certificates")
    assert found["error"]["facts"]["variable"] == "SSL_CERT_DIR"
    assert "openssl rehash" in found["error"]["hint"]


def test_a_folder_where_a_file_belongs_is_told_where_it_belongs(odd: OddHub, tmp_path: Path) -> None:
    _, found, _ = search(tmp_path, HF_ENDPOINT=odd.url, SSL_CERT_FILE=str(tmp_path))
    assert "SSL_CERT_DIR" in found["error"]["hint"]
    (tmp_path / "0123abcd.0").write_text("")
    assert search(tmp_path, HF_ENDPOINT=odd.url, SSL_CERT_DIR=str(tmp_path))[0] == 0


@contextlib.contextmanager
def encrypted_hub(folder: Path, days: tuple[int, int] = (-1, 2)) -> Iterator[tuple[str, Path]]:
    """A hub with a certificate of its own for `localhost`, valid in these days from now: its address, and that file."""
    certificate = folder / "trusted" / "certificate.pem"
    certificate.parent.mkdir()
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    begins, ends = (now + timedelta(days=count) for count in days)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), begins, ends)
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    pem = Encoding.PEM
    certificate.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, PrivateFormat.PKCS8, NoEncryption()))
    with OddHub() as odd:
        odd.answer = document([{"id": "a/b"}])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, folder / "key.pem")
        odd.server.socket = context.wrap_socket(odd.server.socket, server_side=True)
        yield odd.url.replace("http://127.0.0.1", "https://localhost"), certificate


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """As `encrypted_hub`."""
    with encrypted_hub(tmp_path_factory.mktemp("tls")) as found:
        yield found


@pytest.mark.parametrize("days", [(-9, -2), (2, 9)], ids=["expired", "not yet"])
def test_a_certificate_of_another_time_is_not_called_unknown(tmp_path: Path, days: tuple[int, int]) -> None:
    with encrypted_hub(tmp_path, days) as (url, certificate):
        code, found, _ = search(tmp_path, HF_ENDPOINT=url, SSL_CERT_FILE=str(certificate))
    assert (code, found["error"]["code"]) == (1, "hub.unreachable")
    assert "`date`" in found["error"]["hint"]
    assert "SSL_CERT_FILE" not in found["error"]["hint"]


def test_a_certificate_for_another_host_is_not_called_unknown(
    encrypted: tuple[str, Path], tmp_path: Path
) -> None:
    url, certificate = encrypted
    address = url.replace("localhost", "127.0.0.1")
    code, found, _ = search(tmp_path, HF_ENDPOINT=address, SSL_CERT_FILE=str(certificate))
    assert (code, found["error"]["code"]) == (1, "hub.unreachable")
    assert "another host" in found["error"]["message"]
    assert "SSL_CERT_FILE" not in found["error"]["hint"]


def test_a_certificate_nobody_knows_is_no_matter_of_the_network_and_its_advice_cures(
    encrypted: tuple[str, Path], tmp_path: Path
) -> None:
    url, certificate = encrypted
    for variables, named in (
        ({}, "SSL_CERT_FILE"),
        ({"REQUESTS_CA_BUNDLE": str(certificate)}, "REQUESTS_CA_BUNDLE"),
        ({"CURL_CA_BUNDLE": str(certificate)}, "CURL_CA_BUNDLE"),
    ):
        code, found, _ = search(tmp_path, HF_ENDPOINT=url, **variables)
        assert (code, found["error"]["code"]) == (1, "hub.unreachable")
        assert named in found["error"]["hint"]
        assert "SSL_CERT_FILE" in found["error"]["hint"]
    assert search(tmp_path, HF_ENDPOINT=url, SSL_CERT_FILE=str(certificate))[0] == 0
    subprocess.run(["openssl", "rehash", str(certificate.parent)], check=True)
    assert search(tmp_path, HF_ENDPOINT=url, SSL_CERT_DIR=str(certificate.parent))[0] == 0


@pytest.mark.parametrize(
    "variables",
    [
        {"HF_HUB_ENABLE_HF_TRANSFER": "1"}, {"HF_HUB_ENABLE_HF_TRANSFER": "1", "PYTHONWARNINGS": "error"},
        {"HF_HUB_VERBOSITY": "loud"}, {"HF_HUB_VERBOSITY": "debug"}, {"HF_DEBUG": "1"},
        {"HUGGINGFACE_CO_STAGING": "1"}, {"HF_XET_HIGH_PERFORMANCE": "1"},
    ],
    ids=str,
)  # fmt: skip
def test_what_the_library_says_to_its_own_variables_is_not_printed(
    odd: OddHub, tmp_path: Path, variables: dict[str, str]
) -> None:
    code, _, said = search(tmp_path, HF_ENDPOINT=odd.url, **variables)
    assert (code, said) == (0, "")


@pytest.mark.parametrize(("value", "is_sent"), [("1", False), ("true", False), ("0", True), ("", True)])
def test_a_token_of_the_librarys_file_is_kept_back_where_the_user_says_so(
    odd: OddHub, tmp_path: Path, value: str, is_sent: bool
) -> None:
    (tmp_path / "token").write_text("hf_of_the_file")
    variables = {"HF_TOKEN_PATH": str(tmp_path / "token"), "HF_HUB_DISABLE_IMPLICIT_TOKEN": value}
    assert search(tmp_path, HF_ENDPOINT=odd.url, **variables)[0] == 0
    assert ("authorization" in odd.asked[0][1]) is is_sent
    search(tmp_path, HF_ENDPOINT=odd.url, **variables, HF_TOKEN="hf_said_so")  # none of anybody's
    assert odd.asked[1][1]["authorization"] == "Bearer hf_said_so"
