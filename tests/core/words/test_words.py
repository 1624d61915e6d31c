import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import RKDeckError
from core.base.log import redact, register_secret, setup_logging
from core.base.paths import AppPaths, resolve_home
from core.base.secrets import SecretStore
from core.base.units import format_bytes, format_count, format_day, format_duration, format_rate, permille


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "unknown"), (0, "0 B"), (1023, "1023 B"), (999, "999 B"), (1 << 20, "1.00 MiB"),
        (2_458_865_664, "2.29 GiB"), (15_000_000_000, "14.0 GiB"), ((1 << 30) - 1, "1.00 GiB"),
        (180 << 20, "180 MiB"),
    ],
)  # fmt: skip
def test_sizes(size: int | None, text: str) -> None:
    assert format_bytes(size) == text


@given(st.integers(min_value=0, max_value=1 << 50))
def test_sizes_never_use_scientific_notation(size: int) -> None:
    assert "e" not in format_bytes(size)
    assert format_rate(size).endswith("/s")


def test_counts() -> None:
    assert [format_count(value) for value in (None, 12, 1_377_408, 7_615_616_512, 999_999_999)] == [
        "unknown", "12", "1.38 M", "7.62 B", "1.00 B",
    ]  # fmt: skip


def test_durations() -> None:
    assert [format_duration(value) for value in (None, 0.414, 42, 552, 7500)] == [
        "unknown", "0.41 s", "42 s", "9:12 min", "2:05 h",
    ]  # fmt: skip


def test_log_blots_out_secrets_in_arguments_and_tracebacks(tmp_path: Path) -> None:
    register_secret("open sesame")
    handler = setup_logging(tmp_path)
    try:
        raise ValueError("open sesame")
    except ValueError:
        logging.getLogger("x").info("token %s", "hf_" + "abcdefghijklmnopq" * 2, exc_info=True)
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
    text = (tmp_path / "rkdeck.log").read_text()
    assert "sesame" not in text
    assert "hf_abc" not in text
    assert "[redacted]" in text
    assert redact("Authorization: Bearer abc") == "Authorization: [redacted]"


def test_without_keyring_secrets_stay_in_memory_and_say_so() -> None:
    store = SecretStore()
    assert store.set("board", "pass word") == "memory"
    assert store.get("board") == "pass word"
    store.delete("board")
    assert store.get("board") is None


def test_home_is_option_then_environment(tmp_path: Path) -> None:
    assert resolve_home(str(tmp_path), {"RKDECK_HOME": "/other"}) == tmp_path
    assert resolve_home(None, {"RKDECK_HOME": str(tmp_path)}) == tmp_path
    assert resolve_home(None, {}).name == "rkdeck"


def test_unusable_home_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RKDeckError) as caught:
        AppPaths(tmp_path / "file" / "home").ensure()
    assert caught.value.code == "base.home_unusable"


ODD = [
    float("nan"), float("inf"), float("-inf"), -1.0, -1e18, 1e300, 10**400, -(10**400), 0, None, 2**63, 1e-300, True,
]  # fmt: skip


@pytest.mark.parametrize("value", ODD)
def test_no_figure_is_too_odd_to_be_shown(value: float | None) -> None:
    for shown in (format_bytes, format_count, format_rate, format_duration, format_day):
        text = shown(value)
        assert 0 < len(text) <= 24
        assert "nan" not in text
        assert "inf" not in text


@given(st.one_of(st.floats(), st.integers(), st.integers(min_value=10**300), st.none()))
def test_every_number_is_shown_in_few_letters(value: float | None) -> None:
    for shown in (format_bytes, format_count, format_rate, format_duration, format_day):
        assert 0 < len(shown(value)) <= 24


def test_what_is_no_figure_is_unknown_and_what_is_too_large_is_bounded() -> None:
    assert [format_bytes(value) for value in (float("nan"), float("inf"), 1e300, -(10**400))] == [
        "unknown", "unknown", "> 1000000 TiB", "< -1000000 TiB",
    ]  # fmt: skip
    assert [format_duration(value) for value in (-5.0, float("nan"), 1e300)] == [
        "unknown", "unknown", "> 1000000 h",
    ]  # fmt: skip
    assert format_rate(-1.0) == "unknown"
    assert [format_day(value) for value in (-1e18, 1e300, 86_400.0 * 10_000)] == [
        "unknown", "unknown", "1997-05-19",
    ]  # fmt: skip


def test_a_bar_stands_between_nothing_and_all() -> None:
    assert [permille(done, 8) for done in (0, 2, 8, 9, -1)] == [0, 250, 1000, 1000, 0]
    assert [permille(1, total) for total in (None, 0, -1, float("nan"), float("inf"))] == [None] * 5
    assert permille(10**400, 7) == 1000
    assert permille(float("nan"), 7) is None
