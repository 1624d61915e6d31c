"""Settings: a frozen record, kept as TOML (`core.base.settings_file`); no secrets (`core.base.secrets`)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user chose, with the defaults.

    Attributes:
        hub_endpoint: base URL of the Hub; empty = `HF_ENDPOINT`, else the official one.
        default_platform: platform assumed where none is given.
        default_context: context length in tokens assumed where none is given.
        upload_limit_bytes_per_s: 0 = as fast as the line.
        keep_deployments: newest versions of each deployment that stay on a board, the one in use included; 0 = all.
        deployments_budget_bytes: what all versions in a board's store may take, the ones in use excepted; 0 = no limit.
        language: of window and command line, a code that `core.words.languages()` lists; empty = the system's.
        theme: of the window: "system", "light" or "dark".
        active_board: what every "fits" speaks about: a board's name, or PLATFORM:GIB of one that is not there.
    """

    hub_endpoint: str = ""
    default_platform: str = "rk3588"
    default_context: int = 4096
    upload_limit_bytes_per_s: int = 0
    keep_deployments: int = 3
    deployments_budget_bytes: int = 0
    language: str = ""
    theme: str = "system"
    active_board: str = ""
