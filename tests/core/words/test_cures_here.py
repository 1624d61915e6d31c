"""The advice heals what goes wrong on this computer: files, toolkits, what a shell allows."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from core.base.paths import AppPaths
from core.demo.toolkit_env import create_toolkit_env
from tests.support.desk import Desk
from tests.support.models import write_random_model

_RKDECK = (sys.executable, "-m", "gui.main")


def in_a_shell(home: Path, before: str, *arguments: str, **environ: str) -> tuple[int, dict[str, object]]:
    """Exit code and last JSON document of RKDeck, started by a shell that was told something before."""
    command = shlex.join([*_RKDECK, *arguments, "--json", "--home", str(home)])
    done = subprocess.run(
        ["bash", "-c", f"{before}\n{command}"], capture_output=True, timeout=120,
        env={**os.environ, "LC_ALL": "C.UTF-8", **environ}, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    told = json.loads(done.stdout.decode().splitlines()[-1])
    assert isinstance(told, dict)
    return done.returncode, told


def quoted(hint: str, begin: str) -> str:
    """The shell's command between backticks in a hint."""
    return next(found[1] for found in re.finditer(r"`([^`]+)`", hint) if found[1].startswith(begin))


def test_a_settings_file_that_is_damaged(desk: Desk) -> None:
    desk.call("library")
    file = AppPaths(desk.home).settings_file
    file.write_text("language = \n")
    desk.fault("base.settings_unreadable", "library")
    file.unlink()  # "remove the file to go back to the defaults"
    desk.call("library")


def test_a_database_that_is_damaged(desk: Desk, tmp_path: Path) -> None:
    desk.call("library")
    file = AppPaths(desk.home).database_file
    file.write_bytes(b"no database at all, but long enough to be looked at as one " * 99)
    hint = desk.fault("base.database_broken", "library")
    assert "every file whose name begins like that" in hint
    for part in list(file.parent.glob(f"{file.name}*")):
        part.rename(tmp_path / part.name)
    desk.call("library")


def test_a_toolkit_nobody_added(desk: Desk, tmp_path: Path) -> None:
    model = str(write_random_model(tmp_path / "model"))
    converting = ("convert", model, "--platform", "rk3588", "--dtype", "w8a8")
    hint = desk.fault("convert.no_toolkit", *converting)
    python = str(create_toolkit_env(tmp_path / "env"))
    assert desk.command(hint, "toolkit add", PYTHON=python) == ["toolkit", "add", python]
    desk.advised(desk.fault("convert.toolkit_unknown", *converting, "--toolkit", python), "toolkit add")
    desk.call(*converting)


def test_a_configuration_in_another_encoding(desk: Desk, tmp_path: Path) -> None:
    folder = write_random_model(tmp_path / "model")
    sound = desk.call("estimate", str(folder))
    config = folder / "config.json"
    config.write_text(config.read_text(), encoding="utf-16")
    hint = desk.fault("model.config_encoding", "analyze", str(folder))
    subprocess.run(["bash", "-c", quoted(hint, "python3")], cwd=folder, check=True)
    assert desk.call("estimate", str(folder))["parameters"] == sound["parameters"]
    desk.call("analyze", str(folder))


def fault_of(told: dict[str, object], code: str) -> str:
    """The hint of an error that has to be that one."""
    error = told["error"]
    assert isinstance(error, dict)
    assert error["code"] == code, told
    return str(error["hint"])


def test_too_few_files_may_be_open(tmp_path: Path) -> None:
    analysing = ("analyze", str(write_random_model(tmp_path / "model")))
    few = "ulimit -Sn 10"
    _, told = in_a_shell(tmp_path / "home", few, *analysing)
    cure = quoted(fault_of(told, "base.too_many_files"), "ulimit")
    code, told = in_a_shell(tmp_path / "home", f"{few}\n{cure}", *analysing)
    assert code == 0, told


def test_an_address_of_the_hub_that_is_none(tmp_path: Path) -> None:
    home, wrong = tmp_path / "home", "huggingface.co"
    code, told = in_a_shell(home, "", "search", "small", HF_ENDPOINT=wrong)
    assert code == 2
    assert "unset HF_ENDPOINT" in fault_of(told, "hub.bad_endpoint")
    nowhere = "http://127.0.0.1:9"
    code, told = in_a_shell(home, f"export HF_ENDPOINT={nowhere}", "search", "small", HF_ENDPOINT=wrong)
    assert nowhere in json.dumps(told)  # it is asked now, and does not answer


def test_an_endpoint_with_a_password(tmp_path: Path) -> None:
    for address in (
        "https://user:sesame@hub.example",
        "https://user:se/s@me@hub.example",
        "https://sesame@hub.example",
    ):
        _, told = in_a_shell(tmp_path / "home", "", "search", "small", HF_ENDPOINT=address)
        assert "hub.bad_endpoint" in json.dumps(told)
        assert "sesame" not in json.dumps(told)
        assert "s@me" not in json.dumps(told)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("scheme", ["http", "socks5h", "nonsense"])
def test_a_proxy_with_a_password_is_named_without_it(tmp_path: Path, variable: str, scheme: str) -> None:
    home = tmp_path / "home"
    proxy = {variable: f"{scheme}://user:sesame@127.0.0.1:9", "NO_PROXY": "", "no_proxy": ""}
    _, told = in_a_shell(home, "", "search", "small", HF_ENDPOINT="https://hub.example", **proxy)
    kept = b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())
    assert "error" in told
    assert "sesame" not in json.dumps(told)
    assert b"sesame" not in kept
