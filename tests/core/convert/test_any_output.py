"""Whatever a toolkit prints, cut wherever: stages with sound numbers, lines of bounded length, never a trace."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from core.convert.output import STAGES, ToolkitOutput

_LINES = st.sampled_from(
    [
        b"Building model: 100%|####| 24/24 [00:01<00:00]\r", b"[====>   ] 3/9 (33%)\n", b"E RKLLM: ERROR: no\n",
        b"Building model: 9%|#| 999999999999999999/" + b"9" * 400 + b"\n", b"ERROR: \x1b[31m\xff\xfe\r\n",
        b"[===] 7/0 (0%)\r", b"Loading checkpoint shards:  1%|" + b"|" * 3000 + b"| 1/2\n",
        b"x" * 5000, b"\r\n", b"ERROR:\n",
    ]
)  # fmt: skip


@given(
    st.lists(_LINES | st.binary(max_size=60), max_size=10).map(b"".join),
    st.lists(st.integers(0, 9000), max_size=6),
)
def test_any_output_of_a_toolkit_is_read(data: bytes, cuts: list[int]) -> None:
    seen: list[tuple[str, int, int]] = []
    output = ToolkitOutput(lambda stage, done, total: seen.append((stage, done, total)))
    edges = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    for begin, end in pairwise(edges):
        output.feed(data[begin:end])
    output.finish()
    assert all(stage in STAGES and 0 <= done < 10**15 and 0 <= total < 10**15 for stage, done, total in seen)
    assert all(len(line or "") <= 2000 for line in (output.last_line, output.last_error))
