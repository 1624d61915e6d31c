"""What the user configured: an endpoint that is none, a token that cannot be sent; redirects to nowhere."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from core.base.errors import RKDeckError
from core.hub.huggingface.client import HubClient


@pytest.mark.parametrize(
    "endpoint",
    ["not a url", "http://[::1", "ftp://example.org", "http://", "file:///etc", "https://x:99999", "//x"],
)
def test_an_endpoint_that_is_none_is_told_at_once(endpoint: str) -> None:
    with pytest.raises(RKDeckError) as caught:
        HubClient(endpoint, None)
    assert caught.value.code == "hub.bad_endpoint"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "token", ["hf_secret\nX-Other: 1", "hf_secret\u202e", "hf_secret hf_other", '"hf_\t"']
)
def test_a_token_that_cannot_be_sent_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(RKDeckError) as caught:
        HubClient("https://huggingface.co", token)
    assert caught.value.code == "hub.bad_token"
    assert "secret" not in str(caught.value)


@pytest.fixture
def misleading() -> Iterator[tuple[str, list[str]]]:
    """A server that redirects to the first of a list."""
    targets: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", targets[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", targets
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("target", ["http://[::1", "http://x:99999/", "http://x:y/", "http:///x"])
def test_a_redirect_to_nowhere_is_no_traceback(misleading: tuple[str, list[str]], target: str) -> None:
    url, targets = misleading
    targets.append(target)
    with pytest.raises(RKDeckError) as caught:
        HubClient(url, None).read_range("a/b", "c" * 40, "f", 0, 10)
    assert caught.value.code in {"hub.strange_answer", "hub.in_circles", "hub.elsewhere_unreachable"}
