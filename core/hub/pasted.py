"""Reading the name of a model as people paste it: a page of the Hub, an id with a blank or a slash too much."""

import os
import re
from urllib.parse import unquote

from core.hub.addresses import DEFAULT_HUB
from core.hub.hubs import HUBS

_AROUND = " \t\r\n\f\v\u00a0\u200b\u200e\u200f\u2060\ufeff\"'`<>\u201c\u201d\u2018\u2019\u00ab\u00bb,;"
_HOSTS = re.compile(
    r"hf://|git@hf\.co:|(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co|hf-mirror\.com)/", re.IGNORECASE
)
_PARTS = re.compile(r"[\w-][\w.-]{0,95}", re.ASCII)
# Files that are models by themselves; of all others the page means the repository.
_MODEL_FILES = (".rkllm", ".gguf", ".onnx", ".rknn")
# What a page of the Hub says under "Use this model": a command whose one word is the model.
_COMMANDS = re.compile(
    r"(?:\$ *)?(?:(?:GIT_LFS_SKIP_SMUDGE=1 +)?git +clone|(?:hf|huggingface-cli) +download) +(?P<model>[^\s-]\S*)"
    r"(?: +--local-dir +\S+)?"
)
_MAX_PASTED = 2000


def read_model_id(text: str) -> str:
    """`OWNER/NAME`, or `OWNER/NAME/FILE` for the page of one model file; anything else only without blanks around.

    Of a command that the Hub's pages show (`git clone`, `hf download`) it is the model named there. A page of another
    revision than `main` stays as it is: its id alone would mean another model. What is no id is left to who asks the
    Hub for it.
    """
    bare = text.strip(_AROUND)
    if len(bare) > _MAX_PASTED:
        return bare
    command = _COMMANDS.fullmatch(bare)
    if command is not None:
        bare = command["model"].strip(_AROUND)
    host = _HOSTS.match(bare)
    path = bare[host.end() :] if host is not None else _path_at_endpoint(bare)
    if path is None:  # no page of the Hub
        return bare.rstrip("/") if _PARTS.match(bare) else bare
    parts = [unquote(part) for part in re.split(r"[?#]", path, maxsplit=1)[0].split("/") if part]
    if parts[:1] == ["models"] and len(parts) > 2:
        parts = parts[1:]
    if (
        len(parts) < 2
        or parts[0] in {"datasets", "spaces", "api"}
        or not all(map(_PARTS.fullmatch, parts[:2]))
    ):
        return bare
    kind, revision, file = (parts[2:3], parts[3:4], parts[4:])
    if kind and kind[0] in {"tree", "blob", "resolve", "raw", "commit"} and revision not in ([], ["main"]):
        return bare
    if kind and kind[0] in {"blob", "resolve", "raw"} and file and file[-1].endswith(_MODEL_FILES):
        return "/".join([*parts[:2], *file])
    return "/".join(parts[:2])


def _path_at_endpoint(text: str) -> str | None:
    """The path of a page of the mirror that is in use; None: it is none. Another host is another hub."""
    endpoint = os.environ.get(HUBS[DEFAULT_HUB].endpoint_variable, "").strip().rstrip("/")
    return text[len(endpoint) :] if endpoint and text.startswith(f"{endpoint}/") else None
