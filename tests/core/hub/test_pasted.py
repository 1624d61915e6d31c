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
    "**owner/name**": "owner/name",
    "(owner/name)": "owner/name",
    "[owner/name]": "owner/name",
    "owner/name.": "owner/name",
    "[a model](https://huggingface.co/owner/name).": "owner/name",
    "**[a model](https://huggingface.co/owner/name)**": "owner/name",
    "(<https://huggingface.co/owner/name>)": "owner/name",
    "huggingface.co:443/owner/name": "owner/name",
    "https://huggingface.co:443/owner/name/tree/main": "owner/name",
    "//huggingface.co/owner/name": "owner/name",
    "git@huggingface.co:owner/name": "owner/name",
    "ssh://git@hf.co/owner/name": "owner/name",
    "/api/models/owner/name": "owner/name",
    "/api/models/owner/name/revision/main": "owner/name",
    "https://huggingface.co/api/models/owner/name/tree/main": "owner/name",
    "api/models/owner/name": "owner/name",
    "models/owner/name": "owner/name",
    "/models/owner/name": "owner/name",
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
        "/owner/name",
        "/usr/lib/x",
        "models/name",
        "models/folder/x.rkllm",
        "https://huggingface.co/api/models/owner/name/revision/v2",
        "small model (fast)",
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
    "datasets/owner/name": "page_dataset",
    "/datasets/owner/name": "page_dataset",
    "/api/datasets/owner/name": "page_dataset",
    "hf download datasets/owner/name": "page_dataset",
    "spaces/owner/name": "page_space",
    "https://huggingface.co/course/chapter1/1": "page_text",
    "https://huggingface.co/settings/tokens": "page_site",
    "settings/tokens": "page_site",
    "/settings/tokens": "page_site",
    "https://huggingface.co/chat/models/owner/name": "page_site",
    "https://huggingface.co/new/model": "page_site",
    "https://huggingface.co/inference/models": "page_site",
    "https://huggingface.co/enterprise/x": "page_site",
    "https://huggingface.co/join/x": "page_site",
    "https://huggingface.co/login?next=%2Fowner%2Fname": "page_site",
    "/login": "page_site",
    "/pricing": "page_site",
    "https://huggingface.co/api/whoami-v2": "page_site",
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


@pytest.mark.parametrize(
    "text",
    [
        "https://modelscope.cn/models/owner/name",
        "https://www.modelscope.cn/models/owner/name/summary",
        "modelscope.ai/models/owner/name/files",
        "https://modelscope.cn/api/v1/models/owner/name",
        "git clone https://www.modelscope.cn/owner/name.git",
        "git clone https://oauth2:sesame@www.modelscope.cn/owner/name.git",
        "modelscope download --model owner/name",
        "[model](https://modelscope.cn/models/owner/name)",
    ],
)
def test_a_model_of_another_hub_is_called_so(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_model_id(text)
    assert (caught.value.code, caught.value.facts["site"]) == ("hub.other_site", "ModelScope")
    assert caught.value.facts["name"] == "name"
    assert "sesame" not in str(caught.value)


TOKEN = "hf_" + "aB3dE6gH9jKlMnOpQ" * 2
WITH_SECRETS = {
    f"https://user:{TOKEN}@huggingface.co/owner/name": "owner/name",
    "https://user:sesame@huggingface.co/owner/name": "owner/name",
    "https://user:se/s@me@huggingface.co/owner/name": "owner/name",
    "user:sesame@huggingface.co/owner/name": "owner/name",
    "https://sesame@hf.co:443/owner/name/tree/main": "owner/name",
    "git clone https://user:sesame@huggingface.co/owner/name": "owner/name",
    "[x](https://user:sesame@huggingface.co/owner/name)": "owner/name",
    f"https://huggingface.co/owner/name?token={TOKEN}": "owner/name",
    f"hf download owner/name --token {TOKEN}": "owner/name",
    f"HF_TOKEN={TOKEN} hf download owner/name": "owner/name",
    f'AutoModel.from_pretrained("owner/name", token="{TOKEN}")': "owner/name",
    f"curl -H 'Authorization: Bearer {TOKEN}' https://huggingface.co/owner/name/resolve/main/x.gguf": (
        "owner/name/x.gguf"
    ),
}
ONLY_SECRETS = [
    TOKEN,
    f"Authorization: Bearer {TOKEN}",
    f"token is {TOKEN}",
    "https://user:sesame@another.example/owner/name",
    "git clone https://user:sesame@another.example/owner/name",
    "https://user:sesame@huggingface.co/",
    "https://user:sesame@huggingface.co/owner/name/tree/v2",
]


@pytest.mark.parametrize("text", WITH_SECRETS)
def test_a_secret_beside_an_id_is_read_over(text: str) -> None:
    assert read_model_id(text) == WITH_SECRETS[text]


@pytest.mark.parametrize("text", ONLY_SECRETS)
def test_a_secret_without_an_id_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_model_id(text)
    assert caught.value.code == "hub.secret_pasted"
    for language in languages():
        told = " ".join(word(caught.value, known(language)))
        assert "HF_TOKEN" in told
        assert "sesame" not in told
        assert TOKEN not in told


@pytest.mark.parametrize("verb", ["estimate", "download", "inspect", "search", "analyze"])
@pytest.mark.parametrize("text", [*ONLY_SECRETS, *WITH_SECRETS])
def test_no_verb_repeats_a_secret_and_no_file_keeps_it(
    text: str, verb: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    rkdeck([verb, text, "--home", str(tmp_path)])
    told = "".join(capfd.readouterr())
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    for secret in (TOKEN, "sesame", "s@me"):
        assert secret not in told
        assert secret.encode() not in kept
    if text in WITH_SECRETS:
        assert "HF_TOKEN" in told


def test_a_path_that_is_not_there_may_be_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text, code in {"/datasets/owner/name": "cli.path_or_page", "/nowhere/x": "cli.path_missing"}.items():
        assert rkdeck(["estimate", text, "--json", "--home", str(tmp_path)]) == 2
        told = json.loads(capsys.readouterr().out.splitlines()[-1])["error"]
        assert told["code"] == "cli.path_missing"
        assert ("OWNER/NAME" in told["hint"]) is (code == "cli.path_or_page")


def test_a_file_here_is_no_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "datasets" / "x.rkllm"
    file.parent.mkdir()
    file.write_bytes(b"no model")
    rkdeck(["deploy", "datasets/x.rkllm", "board", "--json", "--home", str(tmp_path / "home")])
    assert "hub.no_model_page" not in capsys.readouterr().out


@given(st.text(max_size=80) | st.text("htps:/.ab-%?#", max_size=40))
def test_reading_twice_is_reading_once(text: str) -> None:
    once = read_model_id(text)
    assert read_model_id(once) in {once, once.rstrip("/")}
