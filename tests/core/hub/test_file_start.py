"""A file's answer is looked at before its first byte is taken: log-in pages, other sizes, packed and short answers."""

import contextlib
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest

from core.base.errors import RKDeckError
from core.base.paths import AppPaths
from core.hub.download import DownloadPlan, Patience
from core.hub.huggingface.client import HubClient
from core.hub.records import RepoFile
from core.jobs.manager import JobHandle, JobManager
from tests.support.odd_hub import Answer, OddHub, reply
from tests.support.orders import start_download

SLACK_S = 60.0
DATA = np.random.default_rng(3).bytes(100_000)
PAGE = b"<html>please log in</html>\n"
LONG_PAGE = b"\r\n<?xml version='1.0'?><!-- %s--><!DOCTYPE html><html>%s" % (b"hotel " * 40, b"!" * 500)
QUICK = Patience(stall_timeout_s=1.0, first_pause_s=0.05, tries=3)
COMMIT = "c" * 40


@pytest.fixture
def odd() -> Iterator[OddHub]:
    with OddHub() as odd:
        yield odd


def serve(handler: BaseHTTPRequestHandler) -> None:
    """Answer as a hub does: the part that was asked for."""
    start = int(handler.headers["Range"].removeprefix("bytes=").partition("-")[0])
    span = f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"
    reply(206, DATA[start:], Content_Range=span)(handler)


def first(answer: Answer) -> Answer:
    """One answer of another's, then the hub's."""
    answers = iter([answer])

    def one(handler: BaseHTTPRequestHandler) -> None:
        next(answers, serve)(handler)

    return one


def short(handler: BaseHTTPRequestHandler) -> None:
    """27 bytes without a size and without a kind, then the end of the connection."""
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(PAGE)


def start(odd: OddHub, jobs: JobManager, paths: AppPaths, name: str = "model.safetensors") -> JobHandle:
    plan = DownloadPlan("a/b", COMMIT, (RepoFile(name, len(DATA), None, None),))
    return start_download(jobs, odd.url, plan, library_folder=paths.library, patience=QUICK)


def place(handle: JobHandle, name: str = "model.safetensors") -> Path:
    return Path(str(handle.record().spec.params["folder"])) / name


def in_pieces(handler: BaseHTTPRequestHandler) -> None:
    """A page that does not say that it is one, nor how long it is."""
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(ConnectionError):  # who asked had enough
        for byte in LONG_PAGE:
            handler.wfile.write(bytes([byte]))


WRONG: dict[str, tuple[Answer, str]] = {
    "a log-in page": (reply(200, PAGE, Content_Type="text/html; charset=utf-8"), "hub.login_page"),
    "a page without a kind": (reply(200, PAGE), "hub.login_page"),
    "a page of another kind": (
        reply(200, LONG_PAGE, Content_Type="application/octet-stream"),
        "hub.login_page",
    ),
    "a page in small pieces": (in_pieces, "hub.login_page"),
    "a status for it": (reply(511, PAGE, Content_Type="text/html"), "hub.login_page"),
    "a short answer": (reply(200, DATA[:27]), "hub.other_size"),
    "a part of another": (reply(206, DATA[:9], Content_Range="bytes 0-8/9"), "hub.other_size"),
    "a packed answer": (reply(200, DATA, Content_Encoding="gzip"), "hub.packed"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_the_file_is_named_and_leaves_no_byte(
    odd: OddHub, jobs: JobManager, paths: AppPaths, name: str
) -> None:
    odd.answer, code = WRONG[name]
    handle = start(odd, jobs, paths)
    with pytest.raises(RKDeckError) as caught:
        handle.result(SLACK_S)
    assert caught.value.code == code
    partial = place(handle, "model.safetensors.partial")
    assert not partial.exists() or partial.stat().st_size == 0
    odd.answer = serve
    assert start(odd, jobs, paths).result(SLACK_S)["bytes_fetched"] == len(DATA)
    assert place(handle).read_bytes() == DATA


@pytest.mark.parametrize("wrong", [*(answer for answer, _ in WRONG.values()), short], ids=[*WRONG, "no size"])
def test_a_first_answer_of_the_networks_costs_one_try(
    odd: OddHub, jobs: JobManager, paths: AppPaths, wrong: Answer
) -> None:
    odd.answer = first(wrong)
    handle = start(odd, jobs, paths)
    handle.result(SLACK_S)
    assert place(handle).read_bytes() == DATA
    assert [headers["range"] for _, headers in odd.asked] == ["bytes=0-", "bytes=0-"]


def test_a_log_in_page_behind_a_redirect_is_named_with_its_host(odd: OddHub) -> None:
    with OddHub() as portal:
        portal.answer = reply(200, PAGE, Content_Type="text/html")
        odd.answer = reply(302, b"", Location=f"{portal.url}/login")
        client = HubClient(odd.url, None)
        asks: list[Callable[[], object]] = [
            lambda: client.details("a/b"),
            lambda: client.read_range("a/b", COMMIT, "config.json", 0, 10),
        ]
        for ask in asks:
            with pytest.raises(RKDeckError) as caught:
                ask()
            assert caught.value.code == "hub.login_page"
            assert caught.value.facts["host"] == portal.url.removeprefix("http://")


def test_a_hidden_log_in_page_keeps_what_is_there_and_is_named(
    odd: OddHub, jobs: JobManager, paths: AppPaths
) -> None:
    half = len(DATA) // 2
    answers = iter([reply(200, DATA[:half], Content_Length=str(len(DATA))), reply(200, LONG_PAGE)])

    def cut_then_page(handler: BaseHTTPRequestHandler) -> None:
        next(answers, serve)(handler)

    odd.answer = cut_then_page
    handle = start(odd, jobs, paths)
    handle.result(SLACK_S)
    assert place(handle).read_bytes() == DATA
    assert [headers["range"] for _, headers in odd.asked] == ["bytes=0-", f"bytes={half}-", f"bytes={half}-"]


def test_a_document_that_is_a_page_is_a_log_in_page(odd: OddHub) -> None:
    for told in ({}, {"Content_Type": "application/json"}):
        odd.answer = reply(200, LONG_PAGE, **told)
        with pytest.raises(RKDeckError) as caught:
            HubClient(odd.url, None).details("a/b")
        assert caught.value.code == "hub.login_page"


@pytest.mark.parametrize("name", ["LICENSE", "notes.md"])
def test_a_file_that_begins_like_a_page_and_has_the_told_size_arrives(
    odd: OddHub, jobs: JobManager, paths: AppPaths, name: str
) -> None:
    data = LONG_PAGE.ljust(len(DATA))
    odd.answer = reply(200, data)
    handle = start(odd, jobs, paths, name)
    handle.result(SLACK_S)
    assert place(handle, name).read_bytes() == data


def test_a_page_that_is_a_file_of_the_repository_arrives(
    odd: OddHub, jobs: JobManager, paths: AppPaths
) -> None:
    odd.answer = reply(200, DATA, Content_Type="text/html")
    handle = start(odd, jobs, paths, "report.html")
    handle.result(SLACK_S)
    assert place(handle, "report.html").read_bytes() == DATA


def test_a_mirror_that_tells_no_length_still_brings_the_file(
    odd: OddHub, jobs: JobManager, paths: AppPaths
) -> None:
    def whole(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(DATA)

    odd.answer = whole
    handle = start(odd, jobs, paths)
    handle.result(SLACK_S)
    assert place(handle).read_bytes() == DATA


def test_a_size_beyond_this_disk_is_a_refusal_in_words(
    odd: OddHub, jobs: JobManager, paths: AppPaths
) -> None:
    plan = DownloadPlan("a/b", COMMIT, (RepoFile("f", 1 << 60, None, None),))
    handle = start_download(jobs, odd.url, plan, library_folder=paths.library, patience=QUICK)
    with pytest.raises(RKDeckError) as caught:
        handle.result(SLACK_S)
    assert (caught.value.code, caught.value.exit_code) == ("hub.disk_full_ahead", 3)
    logs = [json.dumps(event.data) for event in handle.follow() if event.event == "log"]
    assert logs == []
