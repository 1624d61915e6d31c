"""The sampler over real SSH servers: figures of this machine, cut links, nothing left behind."""

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.base.errors import error_from_json
from core.base.paths import AppPaths
from core.monitor.sample import DOWN, UP
from core.monitor.sampler import BoardSampler
from core.remote.hostkeys import HostKeys
from tests.core.monitor.shells import OWN_TREES
from tests.support.sshd import SERVERS, SshServer, openssh
from tests.support.waiting import wait_until


@pytest.fixture(params=["openssh", "dropbear", "demo"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SshServer]:
    with SERVERS[request.param](tmp_path / "server") as running:
        yield running


def test_figures_of_this_machine(server: SshServer, paths: AppPaths) -> None:
    with server.connect(HostKeys(paths.known_hosts)) as session:
        sampler = BoardSampler(session, board="here", sudo=True)
        first = sampler.sample()
        wait_until(lambda: sampler.sample().cpu_load_percent is not None)
        sampler.close()
    assert first.link == UP
    assert first.mem_total_bytes is not None
    assert abs(first.mem_total_bytes - psutil.virtual_memory().total) < 1 << 20


def test_a_tree_with_every_fact(server: SshServer, paths: AppPaths) -> None:
    with server.connect(HostKeys(paths.known_hosts)) as session:
        sampler = BoardSampler(session, str(OWN_TREES / "rk3588-busy"))
        sample = sampler.sample()
        sampler.close()
    assert sample.npu_load_percent == (63, 65, 0)
    assert sampler.identity.model == "Orange Pi 5"


def test_a_cut_link_is_down_and_a_new_session_is_up_again(server: SshServer, paths: AppPaths) -> None:
    host_keys = HostKeys(paths.known_hosts)
    session = server.connect(host_keys)
    sampler = BoardSampler(session, timeout_s=5.0)
    assert sampler.sample().link == UP
    session.close()
    began = time.monotonic()
    down = sampler.sample()
    assert down.link == DOWN
    assert down.missing["link"]
    assert time.monotonic() - began < 25
    with server.connect(host_keys) as again:
        sampler.use(again)
        assert sampler.sample().link == UP
        sampler.close()


def test_no_shell_stays_when_the_link_goes(server: SshServer, paths: AppPaths) -> None:
    session = server.connect(HostKeys(paths.known_hosts))
    sampler = BoardSampler(session)
    sampler.sample()
    shells = [process for process in server.children() if process.name() in {"sh", "dash", "busybox"}]
    assert shells
    session.close()
    wait_until(lambda: not any(process.is_running() for process in shells), what=f"{shells}")


@pytest.mark.parametrize(
    ("shell", "code"), [("exit 0", "remote.no_shell"), ("echo hm", "remote.unexpected_answer")]
)
def test_a_shell_that_runs_nothing_is_told_in_the_words_of_every_other_verb(
    tmp_path: Path, paths: AppPaths, shell: str, code: str
) -> None:
    with (
        openssh(tmp_path / "server", f"ForceCommand {shell}") as server,
        server.connect(HostKeys(paths.known_hosts)) as session,
    ):
        sample = BoardSampler(session, board="desk", sudo=True).sample()
    assert (sample.link, sample.missing["link"]) == (DOWN, code)
    assert sample.link_error is not None
    assert error_from_json(sample.link_error).facts["host"] == "127.0.0.1"
