"""A secret is known by its form wherever it stands, and what is none stays readable."""

import pytest

from core.base.blot import holds_secret, without_secrets
from core.base.errors import RKDeckError, error_from_json

TOKEN = "hf_" + "aB3dE6gH9jKlMnOpQ" * 2
SECRETS = {
    f"https://user:{TOKEN}@huggingface.co/a/b": "https://[redacted]@huggingface.co/a/b",
    "git clone https://user:sesame@huggingface.co/a/b x": "git clone https://[redacted]@huggingface.co/a/b x",
    "https://sesame@another.example/a/b": "https://[redacted]@another.example/a/b",
    "https://user:ses@me@another.example/": "https://[redacted]@another.example/",
    "https://user:ses/me@another.example/": "https://[redacted]@another.example/",
    "https://:sesame@another.example": "https://[redacted]@another.example",
    "HTTP://user:12345@another.example/": "HTTP://[redacted]@another.example/",
    "socks5h://user:sesame@127.0.0.1:1080": "socks5h://[redacted]@127.0.0.1:1080",
    "git+https://user:sesame@another.example/x": "git+https://[redacted]@another.example/x",
    "ssh://root:sesame@board.local/": "ssh://[redacted]@board.local/",
    "user:sesame@huggingface.co/a/b": "[redacted]@huggingface.co/a/b",
    f"Authorization: Bearer {TOKEN}": "Authorization: [redacted]",
    "authorization: Basic c2VzYW1l": "authorization: [redacted]",
    f"curl -H 'x' {TOKEN}": "curl -H 'x' [redacted]",
    "https://a.example/x?download=true&access_token=sesame#y": (
        "https://a.example/x?download=true&access_token=[redacted]#y"
    ),
    "https://a.example/x?X-Amz-Signature=0123&y=1": "https://a.example/x?X-Amz-Signature=[redacted]&y=1",
}


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_blotted_out_and_the_rest_stays(text: str) -> None:
    assert without_secrets(text) == SECRETS[text]
    assert holds_secret(text)
    assert without_secrets(SECRETS[text]) == SECRETS[text]


@pytest.mark.parametrize(
    "text",
    [
        "https://huggingface.co/a/b",
        "https://huggingface.co:443/a@b",
        "http://[::1]:8080/a@b",
        "https://host.example:8080/x me@host.example",
        "ssh://root@board.local:22/",
        "root@board.local:22",
        "git@hf.co:owner/name",
        "owner/hf_transformers",
        "x/y:latest@sha256:0123",
        "No token was found; https://huggingface.co/settings/tokens",
        "socket://[fe80::1%eth0]:22",
    ],
)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert without_secrets(text) == text
    assert not holds_secret(text)


def test_an_error_never_holds_a_secret_however_deep() -> None:
    told = RKDeckError(
        "x.y", url="https://u:sesame@h.example/", cause={"facts": {"texts": ["a", f"b {TOKEN}"]}}
    )
    again = error_from_json({"code": "x.y", "facts": {"url": "https://u:sesame@h.example/"}})
    for text in (str(told), repr(told), str(told.to_json()), str(told.args), str(again)):
        assert "sesame" not in text
        assert TOKEN not in text
    assert told.facts["url"] == "https://[redacted]@h.example/"
