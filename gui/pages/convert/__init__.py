"""Convert: from a source model to a file for a board."""
