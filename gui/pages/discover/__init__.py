"""Discover: find a model, see what fits, download it."""
