"""Downloads go on where they can, and say why where they cannot: no ranges, newer commits, limits."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from core.base import atomic
from core.base.errors import RKDeckError
from core.base.paths import AppPaths
from core.demo.hub.server import DemoHub
from core.hub.download import DownloadPlan, plan_download
from core.hub.huggingface.client import HubClient
from core.hub.records import ModelDetail, ModelSummary, RepoFile
from core.jobs.manager import JobHandle, JobManager
from tests.support.orders import start_download

from .conftest import BIG_BYTES, REPO  # noqa: TID252

SLACK_S = 60.0
MIB = 1 << 20
DATA = np.random.default_rng(7).bytes(MIB)


class PlainServer:
    """Serves DATA to whoever asks, whole, whatever range is asked; after `limited` answers of 429."""

    def __init__(self) -> None:
        self.limited = 0
        self.asked: list[str] = []
        plain = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                plain.asked.append(self.headers.get("Range", ""))
                limited, plain.limited = plain.limited > 0, plain.limited - 1
                body = b"" if limited else DATA
                self.send_response(429 if limited else 200)
                if limited:
                    self.send_header("Retry-After", "2")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})


@pytest.fixture
def plain() -> Iterator[PlainServer]:
    plain = PlainServer()
    plain.thread.start()
    yield plain
    plain.server.shutdown()
    plain.server.server_close()
    plain.thread.join()


def start_plain(plain: PlainServer, jobs: JobManager, paths: AppPaths) -> tuple[JobHandle, Path]:
    file = RepoFile("f.bin", len(DATA), None, None)
    plan = DownloadPlan("a/b", "c" * 40, (file,))
    handle = start_download(jobs, plain.url, plan, library_folder=paths.library)
    return handle, Path(str(handle.record().spec.params["folder"]))


def lines(handle: JobHandle) -> str:
    return "\n".join(str(event.data.get("text")) for event in handle.follow() if event.event == "log")


def test_a_server_without_ranges_is_asked_for_the_whole_again(
    plain: PlainServer, jobs: JobManager, paths: AppPaths
) -> None:
    first, folder = start_plain(plain, jobs, paths)
    first.result(SLACK_S)
    assert "cannot be verified" in lines(first)
    sidecar = {"repo": "a/b", "commit": "c" * 40, "size_bytes": MIB, "blob_id": None, "sha256": None}
    (folder / "f.bin").rename(folder / "f.bin.partial")
    with (folder / "f.bin.partial").open("rb+") as file:
        file.truncate(1000)
    atomic.write_json(folder / "f.bin.partial.json", sidecar)  # type: ignore[arg-type]  # dict invariance
    plain.asked.clear()
    second, _ = start_plain(plain, jobs, paths)
    second.result(SLACK_S)
    assert plain.asked == ["bytes=1000-", "bytes=0-"]
    assert "starting f.bin again" in lines(second)
    assert (folder / "f.bin").read_bytes() == DATA


def test_the_pause_the_hub_asks_for_is_kept(plain: PlainServer, jobs: JobManager, paths: AppPaths) -> None:
    plain.limited = 1
    began_s = time.monotonic()
    handle, _ = start_plain(plain, jobs, paths)
    handle.result(SLACK_S)
    assert time.monotonic() - began_s >= 2
    assert len(plain.asked) == 2


def test_a_newer_commit_with_the_same_weights_goes_on_with_the_partial_file(
    hub: DemoHub, jobs: JobManager, paths: AppPaths, model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    detail = HubClient(hub.url, None).details(REPO)
    plan = plan_download(detail, include=["big.rkllm"])
    file = plan.files[0]
    (folder / "big.rkllm.partial").write_bytes((model / "big.rkllm").read_bytes()[: 9 * MIB])
    atomic.write_json(
        folder / "big.rkllm.partial.json",
        {"repo": REPO, "commit": "0" * 40, "size_bytes": file.size_bytes, "blob_id": file.blob_id,
         "sha256": file.sha256},
    )  # fmt: skip
    result = start_download(jobs, hub.url, plan, library_folder=paths.library, to=folder).result(SLACK_S)
    assert result["bytes_fetched"] == BIG_BYTES - 9 * MIB
    assert (folder / "big.rkllm").read_bytes() == (model / "big.rkllm").read_bytes()


def _detail(*paths: str, commit: str = "c" * 40, repo: str = "a/b") -> ModelDetail:
    files = tuple(RepoFile(path, 10, "0" * 40, None) for path in paths)
    return ModelDetail(repo, commit, ModelSummary(repo, None, None, None, None, None, False, ()), files)


def test_hidden_files_come_only_when_asked_for() -> None:
    detail = _detail("config.json", ".bashrc", ".ssh/authorized_keys", "sub/.x/y")
    assert [file.path for file in plan_download(detail).files] == ["config.json"]
    assert [file.path for file in plan_download(detail, include=["sub/.x/*"]).files] == ["sub/.x/y"]


def test_the_same_weights_are_fetched_once_unless_asked_for() -> None:
    needed = ["config.json", "model.safetensors", "projector.safetensors", "tokenizer.json"]
    again = [
        "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json",
        "consolidated.safetensors", "pytorch_model.bin", "onnx/model.onnx", "model.Q4_K_M.gguf",
    ]  # fmt: skip
    detail = _detail(*needed, *again)
    assert [file.path for file in plan_download(detail).files] == needed
    assert [file.path for file in plan_download(detail, include=["*.gguf"]).files] == ["model.Q4_K_M.gguf"]
    # Where there are no others, they are the model.
    for path in ("pytorch_model.bin", "model.Q4_K_M.gguf", "onnx/model.onnx"):
        assert [file.path for file in plan_download(_detail("config.json", path)).files] == [
            "config.json",
            path,
        ]


def test_no_commit_and_no_repository_leads_out_of_the_library(
    hub: DemoHub, jobs: JobManager, paths: AppPaths
) -> None:
    folders = []
    for repo, commit in (("a/b", "../../../../"), ("a/b-c", "0" * 40), ("a-b/c", "0" * 40)):
        plan = plan_download(_detail("config.json", commit=commit, repo=repo))
        handle = start_download(jobs, hub.url, plan, library_folder=paths.library)
        folders.append(Path(str(handle.record().spec.params["folder"])).resolve())
        with pytest.raises(RKDeckError):
            handle.result(SLACK_S)
    assert all(folder.is_relative_to(paths.library / "hub") for folder in folders)
    assert len({folder.parent for folder in folders}) == 3


def test_a_token_that_cannot_be_sent_ends_the_job_in_words(
    hub: DemoHub, jobs: JobManager, paths: AppPaths
) -> None:
    plan = plan_download(HubClient(hub.url, None).details(REPO), include=["config.json"])
    token = "hf_secret\u202e"
    handle = start_download(jobs, hub.url, plan, library_folder=paths.library, token=token)
    with pytest.raises(RKDeckError) as caught:
        handle.result(SLACK_S)
    assert caught.value.code == "hub.bad_token"
    assert not [
        path for path in paths.home.rglob("*") if path.is_file() and b"hf_secret" in path.read_bytes()
    ]
