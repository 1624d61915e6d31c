"""The simulated board: an SSH server in a private folder."""
