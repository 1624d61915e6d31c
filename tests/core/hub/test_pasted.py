"""Names of models as people paste them."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import UsageError
from core.base.notes import note
from core.cli.main import run as rkdeck
from core.hub.pasted import read_model_id
from core.words import known, languages, word

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
    "https://huggingface.co/owner/name.git": "owner/name",
    "git clone https://huggingface.co/owner/name.git my-folder": "owner/name",
    "git lfs install\n# all of it\ngit clone --depth 1 https://huggingface.co/owner/name": "owner/name",
    "git clone --branch main https://huggingface.co/owner/name": "owner/name",
    "hf.co/owner/name:Q4_K_M": "owner/name",
    "owner/name:Q4_K_M": "owner/name",
    "[owner/name](https://huggingface.co/owner/name)": "owner/name",
    '[the model](<https://huggingface.co/owner/name> "title")': "owner/name",
    "<https://huggingface.co/owner/name>": "owner/name",
    'hf download owner/name --include "*.safetensors" --local-dir models/mine': "owner/name",
    "hf download --local-dir models/mine --quiet owner/name": "owner/name",
    "huggingface-cli download owner/name config.json tokenizer.json --local-dir=.": "owner/name",
    "huggingface-cli download \\\n  owner/name x.gguf --revision main": "owner/name/x.gguf",
    "HF_HUB_ENABLE_HF_TRANSFER=1 hf download owner/name": "owner/name",
    "ollama run hf.co/owner/name:Q4_K_M": "owner/name",
    "docker run --gpus all -v ~/.cache:/root/.cache vllm/vllm-openai:latest --model owner/name": "owner/name",
    'docker run x/sglang:latest python3 -m sglang.launch_server --model-path "owner/name"': "owner/name",
    "wget -O a/b https://huggingface.co/owner/name/resolve/main/model.gguf": "owner/name/model.gguf",
    "vllm serve --trust-remote-code owner/name": "owner/name",
    "git clone --recursive https://huggingface.co/owner/name": "owner/name",
    "sudo git clone https://huggingface.co/owner/name": "owner/name",
    "pip install -U huggingface_hub && hf download owner/name": "owner/name",
    "user@pc:~$ hf download owner/name": "owner/name",
    "!hf download owner/name": "owner/name",
    "python -m vllm.entrypoints.openai.api_server --model owner/name": "owner/name",
    "llama serve -hf owner/name:Q4_K_M": "owner/name",
    "llama-server --hf-repo owner/name --hf-file x.gguf -c 2048": "owner/name",
    "llama-cli --hf-repo=owner/name -p 'to be/or'": "owner/name",
    'vllm serve "owner/name"': "owner/name",
    "docker model run hf.co/owner/name": "owner/name",
    "curl -L https://huggingface.co/owner/name/resolve/main/config.json": "owner/name",
    'from_pretrained("owner/name")': "owner/name",
    "model = AutoModel.from_pretrained('owner/name', torch_dtype=\"auto\")": "owner/name",
    'from x import y\npipe = pipeline("text-generation", model="owner/name")': "owner/name",
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
        "https://another.example/owner/name",  # another hub
        "another:owner/name",
        "https://huggingface.co/",
        "small language model",
        "hf download owner/name --revision v2",
        "git clone -b v2 https://huggingface.co/owner/name",
        'from_pretrained("owner/name", revision="v2")',
        'load("owner/name", "other/name")',  # which one?
        "git clone https://github.com/owner/name",
        "hf download --local-dir models/mine",
        "hf download 'owner/name",
        "small (and fast) model",
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


OTHER_PAGES = {
    "https://huggingface.co/datasets/owner/name": "page_dataset",
    "hf download owner/name --repo-type dataset": "page_dataset",
    "git clone https://huggingface.co/datasets/owner/name": "page_dataset",
    "https://huggingface.co/spaces/owner/name": "page_space",
    "https://huggingface.co/collections/owner/name-0123456789": "page_collection",
    "[paper](https://huggingface.co/papers/2401.00001)": "page_paper",
    "hf.co/docs/transformers/main_classes/model": "page_text",
    "https://huggingface.co/blog/owner/name": "page_text",
    "https://huggingface.co/models?search=small": "page_list",
    "https://huggingface.co/owner": "page_owner",
}


@pytest.mark.parametrize("text", OTHER_PAGES)
def test_a_page_that_is_no_models_is_called_what_it_is(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_model_id(text)
    assert caught.value.code == "hub.no_model_page"
    assert caught.value.facts["found"] == note(OTHER_PAGES[text]).to_json()
    for language in languages():
        message, hint = word(caught.value, known(language))
        assert "OWNER/NAME" in hint
        assert OTHER_PAGES[text] not in message


def test_the_command_line_says_it_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = "https://huggingface.co/datasets/owner/name"
    assert rkdeck(["estimate", page, "--json", "--home", str(tmp_path)]) == 2
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["error"]["code"] == "hub.no_model_page"


@given(st.text(max_size=80) | st.text("htps:/.ab-%?#", max_size=40))
def test_reading_twice_is_reading_once(text: str) -> None:
    once = read_model_id(text)
    assert read_model_id(once) in {once, once.rstrip("/")}
