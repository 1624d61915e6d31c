"""SSH: sessions, host keys, quoting and transfer."""
