"""A connection to each kind of server."""

from tests.support.remote_fixtures import host_keys, remote_folder, server, session

__all__ = ["host_keys", "remote_folder", "server", "session"]
