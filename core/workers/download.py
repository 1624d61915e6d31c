"""Worker: one download, entered into the library when it is whole."""

import time

from core.base.database import Database
from core.base.errors import JsonValue
from core.base.paths import AppPaths
from core.hub.download import plan_from_params
from core.hub.fetch import Download
from core.jobs.worker import WorkerContext, run_worker
from core.library.library import Library, LibraryFile


def main(context: WorkerContext) -> dict[str, JsonValue]:
    """Fetch, verify, register; returns the `download` result of the command line."""
    began_s = time.monotonic()
    endpoint, folder, plan = plan_from_params(context.params)
    download = Download(context, endpoint, folder, plan)
    fetched = download.run()
    paths = AppPaths(context.home)
    database = Database(paths.database_file)
    try:
        rkllm = [file for file in fetched if file.name.endswith(".rkllm")]
        is_source = any(file.name.endswith(".safetensors") for file in fetched)
        library = Library(database, paths.library)
        provenance: dict[str, JsonValue] = {"endpoint": endpoint, "repo": plan.repo, "commit": plan.commit}
        if is_source or not rkllm:
            library.register(
                kind="source",
                title=plan.repo.rsplit("/", maxsplit=1)[-1],
                path=folder,
                files=(LibraryFile(file.name, file.size_bytes, file.sha256) for file in fetched),
                repo=plan.repo,
                revision=plan.commit,
                provenance=provenance,
            )
        for file in rkllm:
            path = folder / file.name
            library.register(
                kind="rkllm", title=path.stem, path=path, repo=plan.repo, revision=plan.commit,
                files=(LibraryFile(path.name, file.size_bytes, file.sha256),), provenance=provenance,
            )  # fmt: skip
    finally:
        database.close()
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
