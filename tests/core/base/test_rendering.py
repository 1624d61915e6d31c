"""Chat templates are programs of strangers: each gives a text, or ends within its bounds."""

import json
import resource

import pytest

from core.base.rendering._render import MAX_CHARACTERS, TemplateError, render
from core.demo.corpus import CHAT_TEMPLATE

MESSAGES: dict[str, object] = {
    "messages": [{"role": "user", "content": "¿Qué tal? 你好"}], "add_generation_prompt": True, "bos_token": "<s>"
}  # fmt: skip


def test_a_usual_template_is_rendered() -> None:
    assert "¿Qué tal? 你好" in render(CHAT_TEMPLATE, MESSAGES)
    assert (
        render("{{ bos_token }}{% for m in messages %}{{ m.role }}{% break %}{% endfor %}", MESSAGES)
        == "<s>user"
    )
    assert json.loads(render("{{ messages | tojson }}", MESSAGES)) == MESSAGES["messages"]
    assert len(render("{{ strftime_now('%Y') }}", MESSAGES)) == 4


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "time"),
        ("{{ 'x' * (8 * 1024 * 1024 * 1024) }}", "memory"),
        ("{% for a in range(99999) %}{{ 'x' * 99999 }}{% endfor %}", "size"),
        (
            "{% set ns = namespace(t='x') %}{% for a in range(99999) %}{% set ns.t = ns.t + ns.t %}{% endfor %}",
            "memory",
        ),
        ("{{ raise_exception('only one system message') }}", "refused"),
        ("{{ messages[7].content.nothing }}", "refused"),
        ("{% for %}", "refused"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "refused"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "memory"),
    ],
)
@pytest.mark.timeout(60)
def test_a_template_that_gives_no_text_ends_within_its_bounds(template: str, why: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(TemplateError) as caught:
        render(template, MESSAGES)
    assert caught.value.why == why
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10, "KiB, of this process"


def test_a_template_that_waits_longer_than_is_waited_is_ended() -> None:
    with pytest.raises(TemplateError) as caught:
        render(
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", MESSAGES, 0.5
        )
    assert caught.value.why == "time"


def test_its_own_words_are_kept() -> None:
    with pytest.raises(TemplateError) as caught:
        render("{{ raise_exception('only one system message') }}", MESSAGES)
    assert caught.value.reason == "only one system message"


def test_a_long_text_arrives_whole() -> None:
    template = "{% for a in range(n) %}" + "x" * 80 + "{% endfor %}"
    assert len(render(template, {"n": MAX_CHARACTERS // 80})) == MAX_CHARACTERS // 80 * 80
