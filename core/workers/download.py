"""Worker: one download, entered into the library when it is whole."""

import contextlib
import time

from core.base.database import Database
from core.base.errors import JsonValue
from core.base.paths import AppPaths
from core.hub.download import patience_from_params, plan_from_params
from core.hub.fetch import Download
from core.jobs.worker import WorkerContext, run_worker
from core.library.arrivals import enter_download
from core.library.library import Library


def main(context: WorkerContext) -> dict[str, JsonValue]:
    """Fetch, verify, register; returns the `download` result of the command line."""
    began_s = time.monotonic()
    endpoint, folder, plan = plan_from_params(context.params)
    download = Download(context, endpoint, folder, plan, patience_from_params(context.params))
    fetched = download.run()
    paths = AppPaths(context.home)
    with contextlib.closing(Database(paths.database_file)) as database:
        enter_download(Library(database, paths.library), endpoint, folder, plan, fetched)
    return {
        "repo": plan.repo,
        "revision": plan.commit,
        "path": str(folder),
        "files": [
            {"name": file.name, "size_bytes": file.size_bytes, "sha256": file.sha256} for file in fetched
        ],
        "bytes_fetched": download.bytes_fetched,
        "seconds": time.monotonic() - began_s,
    }


if __name__ == "__main__":
    run_worker(main)
