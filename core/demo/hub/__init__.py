"""The built-in hub on loopback."""
