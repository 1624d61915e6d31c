"""Networks that stand between: the address that failed is named, the cause is the right one, and its advice cures."""

import base64
import socket
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from core.base.errors import RKDeckError, UsageError
from core.hub.addresses import likely_endpoint
from core.hub.huggingface import session
from core.hub.huggingface.client import HubClient, open_hub
from core.hub.records import SearchQuery
from core.words import known, word
from tests.core.hub.test_environment import SocksProxy, odd, search
from tests.support.odd_hub import OddHub, document, reply

__all__ = ["odd"]
COMMIT = "c" * 40
PAGE = b"\xef\xbb\xbf\n<!-- proxy --><!DOCTYPE HTML><html><body>This site is blocked</body></html>"
NO_PROXY = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Sets the environment's proxies, for this test only; none at first."""
    from huggingface_hub import close_session

    def put(**variables: str) -> None:
        for name in NO_PROXY:
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        session._prepare()
        close_session()  # the next is made of this environment

    put()
    yield put
    close_session()


def worded(error: RKDeckError, language: str = "en") -> tuple[str, str]:
    return word(error, known(language))


def read(url: str) -> RKDeckError:
    with pytest.raises(RKDeckError) as caught:
        open_hub(url, None, 2.0).read_range("a/b", COMMIT, "model.safetensors", 0, 10)
    return caught.value


def dead_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_dead_address_behind_a_redirect_is_named_and_not_the_hub(odd: OddHub) -> None:
    port = dead_port()
    odd.answer = reply(302, b"", Location=f"http://me:hunter2@localhost:{port}/file?Signature=secret")
    error = read(odd.url)
    assert error.code == "hub.elsewhere_unreachable"
    assert error.facts["host"] == f"localhost:{port}"
    assert error.facts["endpoint"] == odd.url
    for language in ("en", "es"):
        message, hint = worded(error, language)
        assert f"localhost:{port}" in message
        assert f"localhost:{port}" in hint
        assert "secret" not in f"{message}{hint}"
        assert "hunter2" not in f"{message}{hint}"


def test_a_dead_proxy_of_the_redirects_address_is_named(
    odd: OddHub, environment: Callable[..., None]
) -> None:
    proxy = f"http://127.0.0.1:{dead_port()}"
    environment(HTTPS_PROXY=proxy)  # the Hub's own address goes without one
    odd.answer = reply(302, b"", Location="https://cdn.example.org/file?Signature=secret")
    error = read(odd.url)
    assert error.code == "hub.elsewhere_unreachable"
    assert error.facts["host"] == "cdn.example.org"
    assert (error.facts["variable"], error.facts["proxy"]) == ("HTTPS_PROXY", proxy)
    assert proxy in worded(error)[1]


def test_a_dead_hub_is_still_the_hub() -> None:
    assert read(f"http://127.0.0.1:{dead_port()}").code == "hub.unreachable"


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_names_its_variable_and_unsetting_it_cures(
    odd: OddHub, tmp_path: Path, variable: str
) -> None:
    code, found, said = search(tmp_path, HF_ENDPOINT=odd.url, **{variable: "1"})
    assert (code, found["error"]["code"]) == (3, "hub.offline")
    assert found["error"]["facts"] == {"variable": variable, "value": "1"}
    assert f"Unset {variable}" in said
    assert search(tmp_path, HF_ENDPOINT=odd.url)[0] == 0


def login_proxy(handler: BaseHTTPRequestHandler) -> None:
    """A proxy that carries for `me` with the password `p@ss` only."""
    wanted = "Basic " + base64.b64encode(b"me:p@ss").decode()
    if handler.headers.get("Proxy-Authorization") != wanted:
        reply(407, PAGE, Proxy_Authenticate="Basic", Content_Type="text/html")(handler)
        return
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(handler.path) as answer:
        reply(200, answer.read(), Content_Type="application/json")(handler)


def test_a_proxy_that_wants_a_log_in_is_told_and_its_advice_cures(odd: OddHub, tmp_path: Path) -> None:
    with OddHub() as proxy:
        proxy.answer = login_proxy
        code, found, said = search(tmp_path, HF_ENDPOINT=odd.url, HTTP_PROXY=proxy.url)
        assert (code, found["error"]["code"]) == (3, "hub.proxy_login")
        assert found["error"]["facts"] == {"variable": "HTTP_PROXY", "proxy": proxy.url}
        assert "http://NAME:PASSWORD@host" in said
        assert "%40" in said
        cured = proxy.url.replace("//", "//me:p%40ss@")
        assert search(tmp_path, HF_ENDPOINT=odd.url, HTTP_PROXY=cured)[0] == 0


@pytest.mark.parametrize(("status", "code"), [(407, "hub.proxy_login"), (403, "hub.filtered")])
def test_what_a_proxy_says_to_an_encrypted_line_is_told(
    environment: Callable[..., None], status: int, code: str
) -> None:
    with OddHub() as proxy:
        proxy.answer = reply(status, PAGE, Content_Type="text/html")
        environment(HTTPS_PROXY=proxy.url)
        error = read("https://hub.example.org")
    assert error.code == code
    assert code != "hub.filtered" or error.facts["host"] == "hub.example.org"


@pytest.mark.parametrize("told", [{"Content_Type": "text/html; charset=utf-8"}, {}], ids=["kind", "no kind"])
def test_a_filters_page_is_no_matter_of_a_token(odd: OddHub, told: dict[str, str]) -> None:
    odd.answer = reply(403, PAGE, **told)
    error = read(odd.url)
    assert error.code == "hub.filtered"
    assert error.facts["host"] == odd.url.removeprefix("http://")
    assert "HF_TOKEN" not in "".join(worded(error))


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (reply(403, PAGE, Content_Type="text/html", X_Error_Code="GatedRepo"), "hub.gated"),
        (reply(403, b'{"error": "no"}', Content_Type="application/json"), "hub.forbidden"),
        (reply(403, b""), "hub.forbidden"),
    ],
    ids=["gated", "document", "nothing"],
)
def test_what_the_hub_itself_forbids_stays_its_own(
    odd: OddHub, answer: Callable[[BaseHTTPRequestHandler], None], code: str
) -> None:
    odd.answer = answer
    assert read(odd.url).code == code


def test_what_the_law_keeps_away_is_not_to_be_tried_again(odd: OddHub) -> None:
    odd.answer = reply(451, b"")
    error = read(odd.url)
    assert error.code == "hub.unlawful"
    assert "changes nothing" in worded(error)[1]


def test_a_redirect_in_circles_is_named_with_its_host(odd: OddHub) -> None:
    odd.answer = reply(302, b"", Location="/again")
    error = read(odd.url)
    assert error.code == "hub.in_circles"
    assert error.facts["host"] == odd.url.removeprefix("http://")


@pytest.mark.parametrize("variable", ["all_proxy", "ALL_PROXY", "http_proxy"])
def test_a_socks_proxy_as_desktops_write_it_is_used(odd: OddHub, tmp_path: Path, variable: str) -> None:
    with SocksProxy() as proxy:
        code, _, said = search(
            tmp_path, HF_ENDPOINT=odd.url, **{variable: f"socks://127.0.0.1:{proxy.port}/"}
        )
    assert code == 0, said
    assert proxy.asked == [int(odd.url.rpartition(":")[2])]


def test_a_search_over_a_proxy_still_finds(odd: OddHub, environment: Callable[..., None]) -> None:
    odd.answer = document([{"id": "a/b"}])
    environment(HTTP_PROXY=odd.url)
    found = HubClient("http://hub.example.org", None).search_page(SearchQuery("x"))
    assert [model.repo for model in found.models] == ["a/b"]
    assert odd.asked[0][0].startswith("http://hub.example.org/")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
@pytest.mark.parametrize("name", ["X-Error-Message", "X-Error-Code", "Retry-After", "RateLimit"])
def test_a_header_in_any_alphabet_is_no_fault_of_ours(odd: OddHub, status: int, name: str) -> None:
    written = "模型不存在".encode().decode("latin-1")  # as http.server writes the bytes
    odd.answer = reply(status, b"{}", **{name.replace("-", "_"): written})
    assert read(odd.url).code.startswith("hub.")


@pytest.mark.parametrize("host", ["a..b", ".", "a" * 64, "ü" * 300, "a" * 70_000])
def test_a_host_that_can_be_none_is_told_wherever_it_stands(
    odd: OddHub, environment: Callable[..., None], host: str
) -> None:
    odd.answer = reply(302, b"", Location=f"http://{host.encode().decode('latin-1')}/")
    assert read(odd.url).code == "hub.strange_answer"
    environment(http_proxy=f"http://{host}:9")
    with pytest.raises(UsageError) as caught:
        open_hub(odd.url, None, 2.0).details("a/b")
    assert caught.value.code == "hub.bad_proxy"


def test_a_log_in_page_with_status_401_is_no_matter_of_a_token(odd: OddHub) -> None:
    odd.answer = reply(401, PAGE, Content_Type="text/html")
    error = read(odd.url)
    assert error.code == "hub.login_page"
    assert "HF_TOKEN" not in "".join(worded(error))


def test_a_mirror_that_wants_a_password_says_so(odd: OddHub) -> None:
    odd.answer = reply(401, PAGE, Content_Type="text/html", WWW_Authenticate='Basic realm="mirror"')
    error = read(odd.url)
    assert (error.code, error.exit_code) == ("hub.wants_password", 3)


@pytest.mark.parametrize("after", [{}, {"Retry_After": "20"}], ids=["no time", "a time"])
@pytest.mark.parametrize(("status", "token"), [(429, None), (429, "hf_mine"), (503, None), (403, None)])
def test_a_token_is_advised_only_where_it_helps_and_none_was_sent(
    odd: OddHub, status: int, token: str | None, after: dict[str, str]
) -> None:
    odd.answer = reply(status, b"", **after)
    with pytest.raises(RKDeckError) as caught:
        open_hub(odd.url, token, 2.0).read_range("a/b", COMMIT, "model.safetensors", 0, 10)
    hint = worded(caught.value)[1]
    assert ("HF_TOKEN" in hint) is (status != 503 and token is None)
    assert ("20" in hint) is (bool(after) and status != 403)
    assert "is valid" not in hint


@pytest.mark.parametrize("end", ["/api", "/models/", "/api/models", "/datasets", "/mirror/api"])
@pytest.mark.parametrize(
    "answer", [reply(404, b""), reply(404, PAGE, Content_Type="text/html"), reply(200, PAGE), reply(401, b"")]
)
def test_an_endpoint_with_the_apis_own_words_behind_it_is_suspected(
    odd: OddHub, end: str, answer: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    odd.answer = answer
    better = odd.url + ("/mirror" if end.startswith("/mirror") else "")
    hub = open_hub(odd.url + end, None, 2.0)
    for ask in (lambda: hub.details("a/b"), lambda: hub.search_page(SearchQuery("x"))):
        with pytest.raises(RKDeckError) as caught:
            ask()
        assert f"give {better} instead" in worded(caught.value)[1]


def test_an_endpoint_that_answers_is_not_suspected(odd: OddHub) -> None:
    odd.answer = document([{"id": "a/b"}])
    assert open_hub(f"{odd.url}/api", None, 2.0).search_page(SearchQuery("x")).models
    odd.answer = reply(404, b"", X_Error_Code="RepoNotFound")
    with pytest.raises(RKDeckError) as caught:
        open_hub(f"{odd.url}/api/huggingfaceml/ours", None, 2.0).details("a/b")  # as Artifactory has it
    assert "instead" not in worded(caught.value)[1]


def test_a_public_hub_has_nothing_behind_its_name() -> None:
    assert likely_endpoint("https://huggingface.co/Qwen") == "https://huggingface.co"
    assert likely_endpoint("https://huggingface.co") is None
    assert likely_endpoint("https://host/repository/models-proxy") is None
