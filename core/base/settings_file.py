"""The file the settings are kept in: TOML, written in one step."""

import tomllib
from dataclasses import asdict, fields
from pathlib import Path

from core.base import atomic
from core.base.errors import RKDeckError
from core.base.names import printable
from core.base.notes import NotedError, because
from core.base.opening import read_regular
from core.base.settings import Settings
from core.base.trouble import reason_of
from core.base.units import MAX_WHOLE

_MAX_BYTES = 1 << 20
# tomllib takes time and memory by the square of the parts of a dotted key.
_MAX_DOTS = 1000


def load_settings(path: Path) -> Settings:
    """Read the settings; a missing file means the defaults.

    Raises:
        RKDeckError: `base.bad_settings` naming the file and the entry that does not fit, `base.settings_unreadable`.
    """
    found = _read(path)
    defaults = Settings()
    values: dict[str, object] = {}
    for field in fields(Settings):
        if field.name not in found:
            continue
        value, wanted = found[field.name], type(getattr(defaults, field.name))
        if type(value) is not wanted:
            reason = because("not_expected", wanted=wanted.__name__, found=type(value).__name__)
            raise RKDeckError("base.bad_settings", file=str(path), entry=field.name, reason=reason)
        if (
            isinstance(value, int) and not 0 <= value <= MAX_WHOLE
        ):  # whole numbers are sizes, rates and counts
            # Python refuses to write out integers of more than 4300 digits; hexadecimal is not limited.
            reason = because("not_expected", wanted=f"0 .. {MAX_WHOLE}", found=printable(hex(value), 40))
            raise RKDeckError("base.bad_settings", file=str(path), entry=field.name, reason=reason)
        values[field.name] = value
    return Settings(**values)  # type: ignore[arg-type]  # each value's type was compared with its default's


def save_settings(path: Path, settings: Settings) -> None:
    """Write the settings in one step; entries of later versions in the file are kept.

    Raises:
        RKDeckError: `base.settings_unreadable`: the file there is left as it is.
    """
    known = asdict(settings)
    kept = {key: value for key, value in _read(path).items() if key not in known}
    atomic.write_text(path, "".join(f"{key} = {_toml(value)}\n" for key, value in {**known, **kept}.items()))


def _read(path: Path) -> dict[str, object]:
    """The user's file as it is, nothing where there is none."""
    try:
        text = read_regular(path, _MAX_BYTES).decode("utf-8")
        if text.count(".") > _MAX_DOTS:
            raise NotedError("too_many_values")
        return tomllib.loads(text)
    except FileNotFoundError:
        return {}
    # ValueError: also of a number of 5000 digits; RecursionError: of brackets without end.
    except (OSError, ValueError, RecursionError) as error:
        raise RKDeckError("base.settings_unreadable", file=str(path), reason=reason_of(error)) from error


def _toml(value: object) -> str:
    """Write one flat TOML value; settings hold strings, numbers and booleans only."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        escaped = "".join(
            f"\\u{ord(character):04x}" if ord(character) < 0x20 or character in '"\\\x7f' else character
            for character in value
        )
        return f'"{escaped}"'
    raise RKDeckError(
        "base.bad_settings", file="", entry="", reason=because("cannot_store", type=type(value).__name__)
    )
