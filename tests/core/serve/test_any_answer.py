"""Whatever a runtime answers: an answer with sound figures, or a typed error, never a trace."""

import contextlib
import json
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from core.base.errors import RKDeckError
from core.serve.chat import _answer
from core.serve.tunnel import _object, _refusal
from core.words import word

_NAMES = st.sampled_from(
    ["choices", "message", "content", "finish_reason", "logprobs", "top_logprobs", "token", "logprob", "usage",
     "completion_tokens", "prompt_tokens", "rkdeck", "ttft_ms", "tokens_per_s", "error", "message", "code"]
)  # fmt: skip
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([10**400, -1]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)
_LOGPROBS = st.fixed_dictionaries(
    {"content": st.lists(st.dictionaries(_NAMES, _JSON, max_size=4), max_size=3)}
)
_CHOICES = st.fixed_dictionaries(
    {"message": st.fixed_dictionaries({"content": st.text(max_size=5) | _JSON})},
    optional={"logprobs": _LOGPROBS | _JSON, "finish_reason": _JSON},
)
_DOCUMENTS = st.fixed_dictionaries(
    {"choices": st.lists(_CHOICES | _JSON, max_size=2)},
    optional={"usage": _JSON, "rkdeck": _JSON, "error": _JSON},
)


@settings(max_examples=200)
@given((_DOCUMENTS | _JSON).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=80))
def test_any_answer_of_a_runtime_is_one_or_a_typed_error(data: bytes) -> None:
    with contextlib.suppress(RKDeckError):
        answer = _answer(_object(data))
        figures = (answer.tokens, answer.prompt_tokens, answer.ttft_ms, answer.tokens_per_s)
        assert all(figure is None or (math.isfinite(figure) and figure >= 0) for figure in figures)
        assert all(math.isfinite(entry.logprob) for entry in answer.logprobs or ())


@given(
    st.integers(100, 999), _DOCUMENTS.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=80)
)
def test_any_refusal_of_a_runtime_is_told_in_words(status: int, data: bytes) -> None:
    assert all(text.isprintable() for text in word(_refusal(status, data)))
