"""Boards: the registry, how to reach one, and what it says about itself."""
