"""A shipped data file that does not fit says which file and which key."""

import importlib.resources
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.base import tomldata
from core.base.errors import RKDeckError
from core.base.settings import Settings
from core.base.settings_file import load_settings, save_settings
from core.lab.perplexity import texts
from core.vendor import board_limits, levels, platforms, releases

READERS: dict[str, Callable[[], object]] = {
    "doctor.toml": board_limits.board_limits,
    "dtypes.toml": levels.load_levels,
    "platforms.toml": platforms.load_platforms,
    "runtimes.toml": releases.magics,
    "lab/texts.toml": texts.builtin_texts,
}


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the data files that may be spoiled, read by everybody instead of the real ones."""
    real = importlib.resources.files("resources")
    for name in READERS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(real.joinpath(name).read_text("utf-8"), "utf-8")
    (tmp_path / "lab" / "text").symlink_to(str(real.joinpath("lab/text")))
    with monkeypatch.context() as patch:
        patch.setattr(importlib.resources, "files", lambda _package: tmp_path)
        _forget()
        yield tmp_path
    _forget()


def _forget() -> None:
    for cached in (tomldata.load_toml, *READERS.values()):
        cached.cache_clear()  # type: ignore[attr-defined]  # functools.cache: shipped files never change but here


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("doctor.toml", "open_files"), ("dtypes.toml", "activation_bits"), ("dtypes.toml", "rounding"),
        ("platforms.toml", "npu_clock_hz"), ("runtimes.toml", "bytes"), ("lab/texts.toml", "sha256"),
    ],
)  # fmt: skip
def test_a_key_that_is_missing_is_named_with_its_file(shipped: Path, name: str, key: str) -> None:
    file = shipped / name
    file.write_text(file.read_text("utf-8").replace(key, f"no_{key}"), "utf-8")
    assert _complaint(name)[0] == name
    assert key in _complaint(name)[1]


def test_a_value_of_another_kind_is_named_with_its_file(shipped: Path) -> None:
    for name, good, bad in (
        ("dtypes.toml", 'rounding = "integer"', 'rounding = "whole"'),
        ("dtypes.toml", "usual = true", 'usual = "yes"'),
        ("runtimes.toml", 'bytes = "daeeb336"', 'bytes = "daeeb33"'),
        ("doctor.toml", "hot_c = 80.0", 'hot_c = "80"'),
    ):
        file = shipped / name
        text = file.read_text("utf-8")
        assert good in text
        file.write_text(text.replace(good, bad), "utf-8")
        _forget()
        assert _complaint(name)[0] == name
        file.write_text(text, "utf-8")


def test_a_file_that_is_no_toml_is_named(shipped: Path) -> None:
    (shipped / "lab" / "texts.toml").write_text("[[text]\n", "utf-8")
    assert _complaint("lab/texts.toml")[0] == "lab/texts.toml"


def _complaint(name: str) -> tuple[str, str]:
    with pytest.raises(RKDeckError) as caught:
        READERS[name]()
    assert caught.value.code == "estimate.bad_data_file"
    return str(caught.value.facts["file"]), str(caught.value.facts["problem"])


def test_settings_that_are_no_toml_are_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("theme = dark\n", "utf-8")
    for act in (lambda: load_settings(file), lambda: save_settings(file, Settings())):
        with pytest.raises(RKDeckError) as caught:
            act()
        assert caught.value.code == "base.settings_unreadable"
    assert file.read_text("utf-8") == "theme = dark\n"
    file.write_text('later = "kept"\n', "utf-8")
    save_settings(file, Settings(theme="dark"))
    assert tomllib.loads(file.read_text("utf-8"))["later"] == "kept"
