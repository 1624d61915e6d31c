"""Monitor: live charts of one board."""
