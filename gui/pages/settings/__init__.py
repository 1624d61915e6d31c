"""Settings: what can be chosen, and what this installation is."""
