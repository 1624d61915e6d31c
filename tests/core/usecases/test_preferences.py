"""Settings that are changed faster than they are written."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.paths import AppPaths
from core.base.settings import Settings
from core.base.settings_file import load_settings, save_settings
from core.services import Services
from core.usecases import preferences


def test_a_slow_write_does_not_bring_older_settings_back(
    paths: AppPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer_is_written = threading.Event()
    calls: list[int] = []

    def save(path: Path, settings: Settings) -> None:
        calls.append(settings.keep_deployments)
        if len(calls) == 1:  # a disk that was busy at first
            newer_is_written.wait(0.5)
        save_settings(path, settings)
        if len(calls) == 2:
            newer_is_written.set()

    monkeypatch.setattr(preferences, "save_settings", save)
    with Services.build(paths) as services:
        threads = []
        for keep in (4, 5):
            services.settings = replace(services.settings, keep_deployments=keep)
            threads.append(threading.Thread(target=preferences.keep_settings, args=(services,)))
            threads[-1].start()
            while len(calls) < 1:
                threads[-1].join(0.01)
        for thread in threads:
            thread.join()
    assert len(calls) == 2
    assert load_settings(paths.settings_file).keep_deployments == 5
