"""A network that is silent for a while: nobody closes anything, and what was sent is not sent again."""

from pathlib import Path

import pytest

from core.base.paths import AppPaths
from core.deploy.deployments import list_versions
from tests.core.deploy.far import SIZE, TWICE_BYTES, far_board
from tests.core.deploy.site import Site, current_versions, plain_board, progress_events, site
from tests.support.network import Network
from tests.support.sshd import openssh_running
from tests.support.waiting import wait_until


def test_pulled_cable_that_is_put_back_soon(real: Site, tmp_path: Path) -> None:
    """The same connection goes on, byte by byte where it stood."""
    with Network(real.server.port) as network, far_board(real, network, tmp_path) as far:
        connections = network.connections
        network.freeze()
        far.is_told_and_harmless()
        network.thaw()
        result = far.ends_well()
        assert result["bytes_sent"] == far.file.stat().st_size
        assert network.connections == connections
        assert not progress_events(real, far.handle.id)[-1]["stalled"]
        assert far.sent_twice_bytes < SIZE // 100


@pytest.fixture
def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's ssh settings say that a connection is given up sooner than usual: after three seconds."""
    config = tmp_path / "ssh_config"
    config.write_text("Host *\n ServerAliveInterval 1\n ServerAliveCountMax 2\n")
    monkeypatch.setenv("RKDECK_SSH_CONFIG", str(config))


@pytest.mark.usefixtures("impatient")
def test_connection_that_never_comes_back(real: Site, tmp_path: Path) -> None:
    """It is given up, and a new one takes over."""
    with Network(real.server.port) as network, far_board(real, network, tmp_path) as far:
        connections = network.connections
        network.lose()
        far.is_told_and_harmless()
        wait_until(lambda: "broke off" in far.log, timeout_s=20)
        assert far.is_stalled
        network.thaw()
        result = far.ends_well()
        assert network.connections > connections
        assert result["resumed_from_bytes"] == 0
        assert int(str(result["bytes_sent"])) < SIZE + TWICE_BYTES


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("moment", ["before the switch", "after the switch"])
def test_network_that_goes_at_the_last_step(paths: AppPaths, tmp_path: Path, moment: str) -> None:
    """Everything has arrived, and one of the last commands stays without an answer, done or not."""
    skip, hold, after, held = (tmp_path / name for name in ("skip", "hold", "after", "held"))
    login = (
        'if [ "$SSH_ORIGINAL_COMMAND" = "exec sh -s" ]; then\n'
        f" if [ -e {skip} ]; then mv {skip} {hold}\n"
        f" elif [ -e {hold} ]; then\n"
        f'  rm {hold}; [ -e {after} ] && sh -c "$SSH_ORIGINAL_COMMAND"; touch {held}; exec sleep 60\n'
        " fi\n"
        "fi\n"
        'exec sh -c "$SSH_ORIGINAL_COMMAND"'
    )
    sysroot = plain_board(tmp_path / "board/root")
    with (
        openssh_running(tmp_path, login) as server,
        site(paths, server, tmp_path / "board/store", sysroot) as place,
        Network(server.port) as network,
        far_board(place, network, tmp_path) as far,
    ):
        if moment == "after the switch":
            after.touch()
        skip.touch()  # the script that asks what is there
        wait_until(held.exists, timeout_s=30)
        network.lose()
        live = current_versions(place)["m"]
        assert (live == far.old) == moment.startswith("before")
        wait_until(lambda: "broke off" in far.log, timeout_s=20)
        assert current_versions(place) == {"m": live}
        network.thaw()
        result = far.ends_well()
        assert result["bytes_sent"] == far.file.stat().st_size
        with place.connect() as session:
            versions = list_versions(session, str(place.store))
        assert sorted(version.sha256 for version in versions) == sorted([far.old, str(result["sha256"])])
