"""Reading the name of a model as people paste it: a page of the Hub, a command, a line of Python, a link."""

import itertools
import os
import re
import shlex
from collections.abc import Iterator
from urllib.parse import unquote

from core.base.blot import BLOT, without_secrets
from core.base.errors import UsageError
from core.base.names import printable
from core.base.notes import note
from core.hub.addresses import DEFAULT_HUB
from core.hub.hubs import HUBS
from core.hub.pages import HOSTS, OTHER_PAGES, OTHER_PROGRAMS, OTHER_SITES

_AROUND = " \t\r\n\f\v\u00a0\u200b\u200e\u200f\u2060\ufeff\"'`<>\u201c\u201d\u2018\u2019\u00ab\u00bb,;"
_BLANKS = " \t\r\n`"
_PARTS = re.compile(r"[\w-][\w.-]{0,95}", re.ASCII)
_ID = re.compile(r"[\w-][\w.-]{0,95}/[\w-][\w.-]{0,95}", re.ASCII)
# One of a repository's GGUF files, as ollama and llama.cpp name it; the repository is the same.
_TAG = re.compile(r":[\w.-]{1,40}\Z", re.ASCII)
_LINK = re.compile(r"[*~(]*\[[^\]]*\]\(\s*<?(?P<address>[^\s<>()]+)>?[^()]*\)[*~).:!?]*")
# What Markdown and sentences put around an id, and search words may end with.
_MARKED = re.compile(r"[*~(\[{]*(?P<inner>[^\s*~(\[{].*?)[*~)\]}.:!?]*", re.DOTALL)
# Files that are models by themselves; of all others the page means the repository.
_MODEL_FILES = (".rkllm", ".gguf", ".onnx", ".rknn")
# What a page of the Hub shows under "Use this model".
_PROGRAMS = frozenset(
    {"git", "hf", "huggingface-cli", "ollama", "llama", "llama-cli", "llama-server", "llama-run", "vllm", "sglang"}
    | {"docker", "podman", "lms", "lemonade", "python", "python3", "wget", "curl"}
    | OTHER_PROGRAMS.keys()
)  # fmt: skip
_RUNNERS = frozenset({"docker", "podman", "python", "python3"})
_BETWEEN = frozenset({"&&", "||", ";", "|"})
_BEFORE = frozenset({"sudo", "uvx", "time", "env", "!", "$", "%", ">>>"})
_PROMPT = re.compile(r"\(?\w[\w.-]*@[\w.-]+(?::\S*)?[$#>]|[$#>]", re.ASCII)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=\S*", re.ASCII)
_NAMES_MODEL = frozenset(
    {"-hf", "-hfr", "--hf-repo", "-m", "--model", "--model-path", "--model-id", "--repo-id", "--repo"}
)
_NAMES_REVISION = frozenset({"--revision", "-b", "--branch"})
# Options whose values may look like an id.
_FOLDERS = frozenset(
    {
        "-O",
        "-o",
        "-P",
        "--output",
        "--local-dir",
        "--cache-dir",
        "--include",
        "--exclude",
        "-v",
        "--volume",
        "--to",
    }
)
# Options that no value follows.
_FLAGS = frozenset(
    {"-q", "--quiet", "--force-download", "--resume-download", "--dry-run", "--single-branch", "-L", "-O"}
)
_PYTHON = re.compile(r"\w\(")
_QUOTED = re.compile(r"\"([^\"\n]*)\"|'([^'\n]*)'")
_PYTHON_REVISION = re.compile(r"\brevision\s*=\s*(?![\"']main[\"'])")
_WITH_REVISION = frozenset({"tree", "blob", "resolve", "raw", "commit", "commits", "revision"})
_BLANK = re.compile(r"\s")
_MAX_PASTED = 2000


def read_model_id(text: str) -> str:
    """`OWNER/NAME`, or `OWNER/NAME/FILE` for one model file; anything else only without blanks around.

    Of a command (`git clone`, `hf download`, `ollama run`), a call in Python or a Markdown link it is the model named
    there. What names another revision than `main` stays as it is: its id alone would mean another model. What is no
    id is left to who asks the Hub for it.

    Secrets (`core.base.blot`) are read over; the id beside them is returned where it is clear.

    Raises:
        UsageError: `hub.no_model_page` for a page of the Hub that is no model's; `hub.other_site` for a model of
            another hub; `hub.secret_pasted` for a secret without an id.
    """
    clean = without_secrets(text)
    found = _read(clean)
    if clean != text and not (_ID.match(found) and BLOT not in found and not _BLANK.search(found)):
        raise UsageError("hub.secret_pasted", text=printable(clean.strip(), 200))
    return found


def _read(text: str) -> str:
    bare = text.strip(_AROUND)
    if len(bare) > _MAX_PASTED:
        return bare
    link = _LINK.fullmatch(bare)
    if link is not None:
        bare = link["address"]
    # Quotes at an end may be the command's own.
    for read in (text.strip(_BLANKS), bare):
        named = set(_named_in(read))
        if len(named) == 1:
            return _read_path_alone(named.pop())
    marked = _MARKED.fullmatch(bare)
    inner = bare if marked is None else _read_path_alone(_read_address(marked["inner"].strip(_AROUND)))
    return inner if _ID.fullmatch(inner) else _read_path_alone(_read_address(bare))


def _named_in(text: str) -> Iterator[str]:
    """The models that commands, else calls in Python, name."""
    commands = False
    for line in text.replace("\\\n", " ").split("\n"):
        try:
            words = shlex.split(line.strip().removeprefix("$ "), comments=True)
        except ValueError:  # an open quote: no command
            continue
        for command in _commands(words):
            commands = True
            yield from _named_by(*command)
    if not commands and _PYTHON.search(text) and not _PYTHON_REVISION.search(text):
        for double, single in _QUOTED.findall(text):
            found = _as_id(double or single)
            if found is not None:
                yield found


def _commands(words: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The programs of a line that take models, each with its words; what stands before them is skipped."""
    for is_between, part in itertools.groupby(words, lambda word: word in _BETWEEN):
        rest = list(part)
        while rest and (_ASSIGNMENT.fullmatch(rest[0]) or rest[0] in _BEFORE or _PROMPT.fullmatch(rest[0])):
            rest.pop(0)
        program = rest[0].removeprefix("!") if rest else ""
        if not is_between and program in _PROGRAMS:
            yield program, rest[1:]


def _named_by(program: str, words: list[str]) -> Iterator[str]:
    """The model that a command names, with the file where it is one model file; that of an option counts first."""
    model, files, option, named, behind = None, [], "", None, None
    flags = _FLAGS - {"-O"} if program == "wget" else _FLAGS
    # What `docker run` and Python are given first is an image, or a program.
    by_options = program in _RUNNERS and words[:1] != ["model"]
    for word in words:
        name, equals, value = word.partition("=")
        if word.startswith("-"):
            option = "" if equals or word in flags else word
            if not equals:
                continue
        else:
            name, value, option = option, word, ""
        if name in _NAMES_REVISION and value != "main":
            return
        if name == "--repo-type" and value != "model":
            raise _other_page(" ".join(words), "page_dataset" if value == "dataset" else "page_space")
        if name == "" and (model is not None or named is not None):
            files.append(value)
        elif name in _NAMES_MODEL:
            named = named or _as_id(value)
        elif name == "" and not by_options:
            model = _as_id(value)
        elif name not in _FOLDERS:  # of an option we do not know: its value, or a flag and then the model
            behind = behind or _as_id(value)
    model = named or model or (None if by_options else behind)
    if model is not None and program in OTHER_PROGRAMS:
        raise _other_site(f"{program} {' '.join(words)}", OTHER_PROGRAMS[program], model)
    if model is not None:
        one_file = len(files) == 1 and files[0].endswith(_MODEL_FILES)
        yield f"{model}/{files[0]}" if one_file else model


def _as_id(word: str) -> str | None:
    found = _read_address(word.strip(_AROUND))
    return found if _ID.match(found) and ":" not in found else None


def _read_address(bare: str) -> str:
    for site, pattern in OTHER_SITES.items():
        page = pattern.match(bare)
        model = None if page is None else _ID.match(bare, page.end())
        if model is not None:
            raise _other_site(bare, site, model[0].removesuffix(".git"))
    host = HOSTS.match(bare)
    path = bare[host.end() :] if host is not None else _path_at_endpoint(bare)
    if path is not None:
        return _read_path(bare, path)
    tagged = _TAG.search(bare)
    if tagged is not None and _ID.fullmatch(bare[: tagged.start()]):
        return bare[: tagged.start()]
    return bare.rstrip("/") if _PARTS.match(bare) else bare


def _read_path_alone(text: str) -> str:
    """An address without its host, as pages and programs of the Hub write it; an owner's name comes first otherwise."""
    first, *others = text.lstrip("/").split("/")
    is_rooted = text.startswith("/")
    # Of `models/NAME` and files in a folder of that name nobody knows whether the Hub is meant.
    if first in {"models", "api"}:
        is_page = is_rooted or (
            first == "models" and len(others) == 2 and not others[1].endswith(_MODEL_FILES)
        )
        is_page = is_page or (first == "api" and others[:1] == ["models"])
    else:
        is_page = re.split("[?#]", first, maxsplit=1)[0] in OTHER_PAGES and (is_rooted or bool(others))
    return _read_path(text, text) if is_page else text


def _read_path(bare: str, path: str) -> str:
    """The model of a page; the address as it is where it leads to another revision, or to nothing that is known."""
    parts = [unquote(part) for part in re.split(r"[?#]", path, maxsplit=1)[0].split("/") if part]
    if parts[:1] == ["api"] and len(parts) > 2:
        parts = parts[1:]
    if parts[:1] == ["models"] and len(parts) > 2:
        parts = parts[1:]
    if parts and parts[0] in OTHER_PAGES:
        raise _other_page(bare, OTHER_PAGES[parts[0]])
    if len(parts) == 1 and _PARTS.fullmatch(parts[0]):
        raise _other_page(bare, "page_owner")
    if len(parts) == 2:  # owner and name
        parts[1] = _TAG.sub("", parts[1]).removesuffix(".git")
    if len(parts) < 2 or not all(map(_PARTS.fullmatch, parts[:2])):
        return bare
    kind, revision, file = (parts[2:3], parts[3:4], parts[4:])
    if kind and kind[0] in _WITH_REVISION and revision not in ([], ["main"]):
        return bare
    if kind and kind[0] in {"blob", "resolve", "raw"} and file and file[-1].endswith(_MODEL_FILES):
        return "/".join([*parts[:2], *file])
    return "/".join(parts[:2])


def _other_page(text: str, kind: str) -> UsageError:
    return UsageError("hub.no_model_page", page=printable(text, 200), found=note(kind).to_json())


def _other_site(text: str, site: str, repo: str) -> UsageError:
    return UsageError("hub.other_site", page=printable(text, 200), site=site, name=repo.rpartition("/")[2])


def _path_at_endpoint(text: str) -> str | None:
    """The path of a page of the mirror that is in use; None: it is none. Another host is another hub."""
    endpoint = os.environ.get(HUBS[DEFAULT_HUB].endpoint_variable, "").strip().rstrip("/")
    return text[len(endpoint) :] if endpoint and text.startswith(f"{endpoint}/") else None
