"""Rendering a chat template: in a process of its own, within bounds of time, memory and size.

A chat template is a program of whoever made the model. jinja2's sandbox keeps it from files and processes, and lets it
loop for ever and take all memory; so `render` starts this file as a program, which limits itself first. Standard
library, and jinja2 in the program; Python 3.8 syntax, as programs under other Pythons use it, too.

What a template may use is what transformers gives it (utils/chat_template_utils.py, `_compile_jinja_template`).
"""

from __future__ import annotations

import json
import subprocess
import sys

# Of the program: address space, processor time with the start of Python, the rendered text.
MEMORY_BYTES = 512 << 20
CPU_S = 5
MAX_CHARACTERS = 1 << 20
# Of the wait for it, on a computer that is busy with other things.
TIMEOUT_S = 30.0


class TemplateError(Exception):
    """A template that gives no text.

    Attributes:
        why: `refused` (it raised an error), `time`, `memory` or `size`.
        reason: its own words, for `refused`.
    """

    def __init__(self, why: str, reason: str = "") -> None:
        super().__init__(why, reason)
        self.why = why
        self.reason = reason


def render(template: str, values: dict[str, object], timeout_s: float = TIMEOUT_S) -> str:
    """The template's text with these values: JSON, such as `messages`, `add_generation_prompt`, `bos_token`.

    Raises:
        TemplateError: when there is none.
        OSError: when the program cannot be started.
    """
    asked = json.dumps({"template": template, "values": values}).encode("ascii")
    with subprocess.Popen(
        [sys.executable, "-B", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as program:
        try:
            told, _ = program.communicate(asked, timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            raise TemplateError("time") from error
        finally:
            program.kill()
    try:
        answer = json.loads(told)
        text, why, reason = answer["text"], answer["why"], answer["reason"]
    except (ValueError, KeyError, TypeError) as error:
        # The kernel ends who is over its processor time by a signal, and who finds no memory may say nothing more.
        raise TemplateError("time" if program.returncode < 0 else "memory") from error
    if why:
        raise TemplateError(str(why), str(reason))
    return str(text)


def main() -> None:
    """The program: what is asked on standard input, the answer on standard output."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY or most > MEMORY_BYTES:  # else whoever started us allows less already
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    asked = json.loads(sys.stdin.buffer.read())
    text, why, reason = "", "", ""
    try:
        text = _text(asked["template"], asked["values"])
    except TemplateError as error:
        why, reason = error.why, error.reason
    except (MemoryError, RecursionError):
        why = "memory"
    except Exception as error:  # noqa: BLE001  # a stranger's program fails in any way
        why, reason = "refused", "{}: {}".format(type(error).__name__, error)[:500]
    sys.stdout.write(json.dumps({"text": text, "why": why, "reason": reason}))


def _text(template: str, values: dict[str, object]) -> str:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = _now
    environment.filters["tojson"] = _to_json
    pieces: list[str] = []
    size = 0
    for piece in environment.from_string(template).generate(**values):
        size += len(piece)
        if size > MAX_CHARACTERS:
            raise TemplateError("size")
        pieces.append(piece)
    return "".join(pieces)


def _refuse(message: object) -> None:
    raise TemplateError("refused", str(message)[:500])


def _now(form: str) -> str:
    from datetime import datetime

    return datetime.now().astimezone().strftime(form)


def _to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


if __name__ == "__main__":
    main()
