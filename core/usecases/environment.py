"""What a front end may tell of this installation: versions, folders, where secrets are kept."""

import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from core.hub.addresses import DEFAULT_HUB, check_endpoint
from core.hub.hubs import find_entry, find_token
from core.services import Services

TokenSource = Literal["none", "environment", "file"]


@dataclass(frozen=True, slots=True)
class EnvironmentFacts:
    """This installation.

    Attributes:
        hub: the endpoint in use; `usual_hub`: where it is when nobody says otherwise.
        token: where a Hub token was found; the token itself is never shown.
        token_variable: of the environment, that a token may be in.
        keyring: name of the keyring's backend; None: there is none, and passwords live for the session only.
    """

    home: Path
    logs: Path
    hub: str
    usual_hub: str
    token: TokenSource
    token_variable: str
    keyring: str | None
    rkdeck: str
    python: str
    system: str


def describe_environment(services: Services) -> EnvironmentFacts:
    """Look at this installation; nothing is sent anywhere."""
    token, entry = find_token(DEFAULT_HUB), find_entry(DEFAULT_HUB)
    return EnvironmentFacts(
        home=services.paths.home,
        logs=services.paths.logs,
        hub=services.hubs.endpoint(),
        usual_hub=entry.endpoint,
        token="none" if token is None else token.source,
        token_variable=entry.token_variable,
        keyring=_keyring(),
        rkdeck=version("rkdeck"),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
    )


def check_hub(endpoint: str) -> None:
    """Refuse what can be no address of a Hub; empty means the usual one.

    Raises:
        UsageError: `hub.bad_endpoint`.
    """
    if endpoint:
        check_endpoint(endpoint)


def _keyring() -> str | None:
    import keyring
    from keyring.backends import fail, null

    backend = keyring.get_keyring()
    if isinstance(backend, fail.Keyring | null.Keyring):
        return None
    return str(backend.name)
