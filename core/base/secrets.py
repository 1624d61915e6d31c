"""Secrets: the system's keyring, or memory where there is none. Never a file, argument or environment."""

from typing import Literal

import keyring
import keyring.errors

from core.base.log import register_secret

SERVICE = "rkdeck"
Place = Literal["keyring", "memory"]


class SecretStore:
    """Passwords and passphrases by name; says where each one is kept.

    A headless Debian has no keyring (`NoKeyringError`): the secret then lives for this session only, and
    `set` returns "memory" so that the front end can say so.
    """

    def __init__(self) -> None:
        self._memory: dict[str, str] = {}

    def set(self, name: str, value: str) -> Place:
        """Keep a secret; returns where."""
        register_secret(value)
        try:
            keyring.set_password(SERVICE, name, value)
        except keyring.errors.KeyringError:
            self._memory[name] = value
            return "memory"
        self._memory.pop(name, None)
        return "keyring"

    def get(self, name: str) -> str | None:
        """Return the secret, or None when there is none (or the keyring cannot be opened)."""
        if name in self._memory:
            return self._memory[name]
        try:
            value = keyring.get_password(SERVICE, name)
        except keyring.errors.KeyringError:
            return None
        if value is not None:
            register_secret(value)
        return value

    def delete(self, name: str) -> None:
        """Forget a secret; harmless when there is none."""
        self._memory.pop(name, None)
        try:
            keyring.delete_password(SERVICE, name)
        except keyring.errors.KeyringError:
            return
