"""The demo's parts made known to a home folder, as the window's demo and the headless walk find them."""

from pathlib import Path

from core.base.paths import AppPaths
from core.base.settings import Settings
from core.services import Services
from core.showcase.parts import BOARD_NAME, prepare, running_parts
from core.usecases import boards


def test_a_home_is_ready_for_the_window_also_the_second_time(paths: AppPaths, tmp_path: Path) -> None:
    added: list[float] = []
    for _ in range(2):
        # Each run has another port, a one-time key of its own, and the board folder of the last one.
        with running_parts(tmp_path / "demo") as parts, Services(paths, Settings()) as services:
            toolkit, board = prepare(services, parts)
            assert boards.list_boards(services) == (board,)
            assert services.toolkits.list() == [toolkit]
            assert toolkit.simulated
            status = boards.refresh_board(services, BOARD_NAME)
            assert status.facts.simulated
            assert (status.serving, status.same_hardware_as) == (None, ())
            assert board.port == parts.board["port"]
            added.append(board.added_unix_s)
    assert added[0] < added[1]


def test_another_key_at_the_port_of_an_earlier_demo_is_no_obstacle(paths: AppPaths, tmp_path: Path) -> None:
    with running_parts(tmp_path / "demo") as parts, Services(paths, Settings()) as services:
        blob = "AAAAC3NzaC1lZDI1NTE5AAAAIEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaYWJjZGVm"
        paths.known_hosts.write_text(f"[127.0.0.1]:{parts.board['port']} ssh-ed25519 {blob}\n")
        _, board = prepare(services, parts)
        assert boards.list_boards(services) == (board,)
