"""Names of models as people paste them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.hub.pasted import read_model_id

PASTED = {
    "owner/name": "owner/name",
    " owner/name\n": "owner/name",
    "owner/name/": "owner/name",
    "`owner/name`": "owner/name",
    "\u00a0owner/name\u200b,": "owner/name",
    "gpt2": "gpt2",
    "https://huggingface.co/owner/name": "owner/name",
    "https://huggingface.co/owner/name/": "owner/name",
    "http://www.huggingface.co/owner/name?library=x#usage": "owner/name",
    "huggingface.co/owner/name": "owner/name",
    "hf.co/owner/name": "owner/name",
    "hf://owner/name": "owner/name",
    "https://hf-mirror.com/owner/name/tree/main": "owner/name",
    "https://huggingface.co/owner/name/discussions/3": "owner/name",
    "https://huggingface.co/owner/name/blob/main/README.md": "owner/name",
    "git clone https://huggingface.co/owner/name": "owner/name",
    "GIT_LFS_SKIP_SMUDGE=1 git clone https://huggingface.co/owner/name\n": "owner/name",
    "git clone git@hf.co:owner/name": "owner/name",
    "$ hf download owner/name": "owner/name",
    "huggingface-cli download owner/name --local-dir name": "owner/name",
    "https://huggingface.co/owner/name/blob/main/sub/x.rkllm": "owner/name/sub/x.rkllm",
    "https://huggingface.co/owner/name/resolve/main/x.gguf?download=true": "owner/name/x.gguf",
}


@pytest.mark.parametrize("text", sorted(PASTED), ids=repr)
def test_what_is_pasted_is_understood(text: str) -> None:
    assert read_model_id(text) == PASTED[text]


@pytest.mark.parametrize(
    "text",
    [
        "https://huggingface.co/owner/name/tree/v2",  # another revision is another model
        "https://huggingface.co/datasets/owner/name",
        "https://huggingface.co/owner",
        "https://another.example/owner/name",  # another hub
        "another:owner/name",
        "https://huggingface.co/",
        "small language model",
        "hf download owner/name --revision v2",
        "hf download",
        "download owner/name",
        "../x/y",
        "",
    ],
)
def test_what_is_none_stays_as_it_is(text: str) -> None:
    assert read_model_id(text) == text


def test_a_page_of_the_mirror_in_use_is_one_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:8080/")
    assert read_model_id("http://127.0.0.1:8080/owner/name/tree/main") == "owner/name"
    assert read_model_id("http://127.0.0.1:8081/owner/name") == "http://127.0.0.1:8081/owner/name"


@given(st.text(max_size=80) | st.text("htps:/.ab-%?#", max_size=40))
def test_reading_twice_is_reading_once(text: str) -> None:
    once = read_model_id(text)
    assert read_model_id(once) in {once, once.rstrip("/")}
