"""Where a model keeps the template of its chats: the one reader, for the laboratory, deployments and the stand-in.

As `transformers` has it (tokenization_utils_base.py, `_from_pretrained`; utils/hub.py, `list_repo_templates`):

    chat_template.jinja                        the template itself; it comes before all others
    additional_chat_templates/NAME.jinja       named ones; `default` is the one to use
    tokenizer_config.json                      "chat_template": a text, or a list of {"name", "template"}
    chat_template.json                         the same member; written for processors

As llama.cpp has it (gguf-py/gguf/constants.py, `CHAT_TEMPLATE`, `CHAT_TEMPLATE_N`), under two keys of a GGUF file:

    tokenizer.chat_template                    the template itself
    tokenizer.chat_template.NAME               named ones

What is named otherwise than `default` is for tools or retrieval: no template of plain chats.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from core.base.errors import JsonValue
from core.base.foreign import is_lfs_pointer, members
from core.base.opening import read_regular

TEMPLATE_NAME = "chat_template.jinja"
NAMED_TEMPLATE = "additional_chat_templates/default.jinja"
TEMPLATE_JSON = "chat_template.json"
JSON_NAMES = ("tokenizer_config.json", TEMPLATE_JSON)
MAX_BYTES = 4 << 20

_DEFAULT = "default"
_KEY = "tokenizer.chat_template"

# Returns a file's bytes by its name, None where there is no such file, or no plain or small one.
Read = Callable[[str], bytes | None]


def chat_template(read: Read) -> str | None:
    """Return a model's chat template, None where it has none that is text.

    Args:
        read: of the model's folder; asked for small files only.
    """
    for name in (TEMPLATE_NAME, NAMED_TEMPLATE):
        data = read(name)
        if data is not None:
            return _text(data)
    for name in JSON_NAMES:
        found = _stated(members(_text(read(name) or b"") or "").get("chat_template"))
        if found is not None:
            return found
    return None


def folder_template(folder: Path) -> str | None:
    """`chat_template` of a model folder on this computer; a file that cannot be read is none."""
    return chat_template(lambda name: read_small(folder / name))


def template_of_keys(keys: Mapping[str, object]) -> str | None:
    """`chat_template` of a GGUF file, from the values under its header's keys."""
    found = (keys.get(key) for key in (_KEY, f"{_KEY}.{_DEFAULT}"))
    return next((text for text in found if isinstance(text, str) and text), None)


def read_small(path: Path) -> bytes | None:
    """Return the bytes of a plain file of at most `MAX_BYTES`, None of anything else."""
    try:
        return read_regular(path, MAX_BYTES)
    except (OSError, ValueError):  # ValueError: a name with a NUL
        return None


def _stated(value: JsonValue) -> str | None:
    if isinstance(value, str):
        return value or None
    entries = value if isinstance(value, list) else []
    named = {
        entry.get("name"): entry.get("template")
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("name"), str)
    }
    found = value.get(_DEFAULT) if isinstance(value, dict) else named.get(_DEFAULT)
    return found if isinstance(found, str) and found else None


def _text(data: bytes) -> str | None:
    if is_lfs_pointer(data):  # nobody fetched the file: its three lines are no template
        return None
    try:
        return data.decode("utf-8-sig") or None
    except UnicodeDecodeError:
        return None
