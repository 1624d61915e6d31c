"""Many small files: RKDeck's download beside huggingface_hub's `snapshot_download`, from a hub on loopback.

`python -m tests.bench.small_files --files 20000`. RKDeck's time is that of the whole job: its process's start, the
digest of each file compared with the hub's, every file flushed to the disk, the library entered. `snapshot_download`
compares no digest and flushes nothing. The hub is a process of its own that answers from memory.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from core.base.paths import AppPaths
from core.hub.download import plan_download
from core.hub.huggingface.client import HubClient
from core.jobs.manager import JobManager
from tests.support.many_files import REPO, served
from tests.support.orders import start_download

_WAIT_S = 3600.0


def main() -> None:
    """Print files a second of both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args(sys.argv[1:] if sys.argv[0].endswith("small_files.py") else [])
    with served(options.files) as url:
        print(f"{options.files} files of 100 to 4000 bytes; load {os.getloadavg()[0]:.1f}")
        print(f"{'':20}{'seconds':>10}{'files/s':>10}{'of snapshot_download':>22}")
        for _ in range(options.rounds):
            peer_s, ours_s = _snapshot_s(url, options.files), _job_s(url, options.files)
            _row("snapshot_download", options.files, peer_s, peer_s)
            _row("RKDeck", options.files, ours_s, peer_s)


def _row(name: str, count: int, seconds: float, peer_s: float) -> None:
    print(f"{name:20}{seconds:10.1f}{count / seconds:10.0f}{peer_s / seconds:22.2f}")


def _snapshot_s(url: str, count: int) -> float:
    """Seconds of huggingface_hub, in a process of its own as ours is."""
    code = (
        "import sys; from huggingface_hub import snapshot_download;"
        "snapshot_download(sys.argv[1], local_dir=sys.argv[2], endpoint=sys.argv[3])"
    )
    with tempfile.TemporaryDirectory(prefix="rkdeck-bench-") as folder:
        environment = {
            **os.environ, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HOME": folder,
        }  # fmt: skip
        began_s = time.monotonic()
        subprocess.run(
            [sys.executable, "-c", code, REPO, f"{folder}/model", url], check=True, env=environment
        )
        seconds = time.monotonic() - began_s
        _check(Path(folder, "model"), count)
    return seconds


def _job_s(url: str, count: int) -> float:
    with tempfile.TemporaryDirectory(prefix="rkdeck-bench-") as folder:
        paths = AppPaths(Path(folder))
        paths.ensure()
        jobs = JobManager(paths)
        try:
            began_s = time.monotonic()
            plan = plan_download(HubClient(url, None).details(REPO))
            result = start_download(jobs, url, plan, library_folder=paths.library).result(_WAIT_S)
            seconds = time.monotonic() - began_s
        finally:
            jobs.close()
        _check(Path(str(result["path"])), count)
    return seconds


def _check(folder: Path, count: int) -> None:
    found = sum(1 for path in folder.rglob("*.json") if ".cache" not in path.parts)
    if found != count:
        raise SystemExit(f"{folder}: {found} of {count} files arrived")


if __name__ == "__main__":
    main()
