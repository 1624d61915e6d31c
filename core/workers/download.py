"""Worker: one download, entered into the library when it is whole."""

from core.hub.order import DownloadOrder
from core.library.run import run_download
from core.workers.house import run_stage

if __name__ == "__main__":
    run_stage(DownloadOrder, run_download)
